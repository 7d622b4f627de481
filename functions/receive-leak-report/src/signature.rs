//! The signature of a report.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use lambda_http::Request;
use latchkey::http::{ApiError, ErrorCode};
use latchkey::ports::{CacheKeys, Clock};

use crate::{FetchKeys, Keys};

/// The largest length of a key identifier and of a signature, in characters. GitHub's have 64 and 96.
const MAX_HEADER: usize = 256;

/// Checks that GitHub has signed the request's body. A malformed signature is refused before the keys are read.
///
/// # Errors
/// `invalid_signature` if a header is missing or the signature isn't valid, and `unavailable` if the keys can't be
/// obtained.
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
