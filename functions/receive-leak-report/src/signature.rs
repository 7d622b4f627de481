//! Whether a report is GitHub's own.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use lambda_http::Request;
use latchkey::http::{ApiError, ErrorCode};
use latchkey::ports::{CacheKeys, Clock};

use crate::{FetchKeys, Keys};

/// The longest key identifier and the longest signature, in characters. GitHub's have 64 and 96.
const MAX_HEADER: usize = 256;

/// Lets a report pass only if GitHub has signed its very bytes. What can't be a signature costs no
/// look at the keys.
pub(crate) async fn check_signature(
    store: &impl CacheKeys,
    keys: &Keys<impl FetchKeys>,
    clock: &impl Clock,
    request: &Request,
) -> Result<(), ApiError> {
    let header = |name: &str| {
        let value = request.headers().get(name)?.to_str().ok()?;
        (value.len() <= MAX_HEADER).then_some(value)
    };
    let signature = header("github-public-key-signature");
    let signature = signature.and_then(|signature| STANDARD.decode(signature).ok());
    let (Some(id), Some(signature)) = (header("github-public-key-identifier"), signature) else {
        return Err(ErrorCode::InvalidSignature.into());
    };
    let unavailable = |_| ApiError::unavailable("the scanner's keys can't be had");
    let key = keys
        .find(store, id, clock.now())
        .await
        .map_err(unavailable)?;
    match key {
        Some(key) if key.has_signed(request.body(), &signature) => Ok(()),
        _ => Err(ErrorCode::InvalidSignature.into()),
    }
}
