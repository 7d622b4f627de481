//! `Idempotency-Key`: a repeated request is recognized and doesn't act twice.

use jiff::Timestamp;
use lambda_http::Request;
use sha2::{Digest, Sha256};

use super::{ApiError, ErrorCode};
use crate::domain::account::Account;
use crate::domain::change::IdempotencyRecord;
use crate::domain::id::{TokenId, UserId};
use crate::domain::text::{InvalidText, contains_secret};
use crate::domain::token::Token;
use crate::domain::validation::FieldError;
use crate::ports::{GetIdempotency, GetToken};

/// The longest key, in characters.
const MAX_KEY: usize = 255;

/// A request that is recognized when it is repeated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repeatable {
    key: String,
    fingerprint: String,
}

impl Repeatable {
    /// Reads a request's `Idempotency-Key`; returns `None` without one. A key belongs to an operation, to the token in
    /// its path, and to a caller. The keys of two callers are always different.
    ///
    /// # Errors
    /// [`ErrorCode::ValidationFailed`] if the key isn't 1 to 255 visible ASCII characters.
    pub fn of(
        request: &Request,
        operation: &str,
        caller: &UserId,
    ) -> Result<Option<Self>, ApiError> {
        let Some(key) = request.headers().get("idempotency-key") else {
            return Ok(None);
        };
        let key = key.to_str().unwrap_or_default();
        if key.len() > MAX_KEY || key.is_empty() || !key.bytes().all(|b| b.is_ascii_graphic()) {
            let message = format!("must be 1 to {MAX_KEY} visible ASCII characters");
            let error = FieldError::new("Idempotency-Key", "invalid_header", message);
            return Err(ApiError::validation(vec![error]));
        }
        if contains_secret(key) {
            let error = InvalidText::ContainsSecret.of("Idempotency-Key");
            return Err(ApiError::validation(vec![error]));
        }
        let body: &[u8] = request.body();
        Ok(Some(Self {
            key: digest(&[
                operation.as_bytes(),
                caller.as_str().as_bytes(),
                key.as_bytes(),
            ]),
            fingerprint: digest(&[body]),
        }))
    }

    /// Returns the record of the request, which made or changed that token.
    pub fn record(self, token_id: TokenId) -> IdempotencyRecord {
        IdempotencyRecord {
            key: self.key,
            fingerprint: self.fingerprint,
            token_id,
        }
    }
}

/// Returns the SHA-256 of the parts and their lengths. The lengths keep the boundaries unambiguous.
fn digest(parts: &[&[u8]]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part.len().to_be_bytes());
        hash.update(part);
    }
    hex::encode(hash.finalize())
}

/// Returns the token that an earlier, equal request made or changed; `None` if there was none.
///
/// # Errors
/// [`ErrorCode::IdempotencyKeyReused`] if the key was used for another request, [`ErrorCode::TokenNotFound`] if the
/// token no longer exists.
pub async fn repeated(
    store: &(impl GetIdempotency + GetToken),
    account: &Account,
    request: Option<&Repeatable>,
    now: Timestamp,
) -> Result<Option<Token>, ApiError> {
    let Some(request) = request else {
        return Ok(None);
    };
    let Some(earlier) = store
        .get_idempotency(&account.id, &request.key, now)
        .await?
    else {
        return Ok(None);
    };
    if earlier.fingerprint != request.fingerprint {
        return Err(ErrorCode::IdempotencyKeyReused.into());
    }
    let stored = store.get_token(&account.id, &earlier.token_id, now).await?;
    Ok(Some(stored.ok_or(ErrorCode::TokenNotFound)?.token))
}
