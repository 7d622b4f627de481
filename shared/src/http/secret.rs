//! The one place where a secret leaves the service.

use lambda_http::{Body, Response};
use secrecy::ExposeSecret;
use serde_json::{Value, json};

use super::token::TokenBody;
use super::{ApiError, response};
use crate::domain::secret::PlainSecret;
use crate::domain::token::Token;

/// The answer that hands over the secret of a token that was created or got a new secret. A repeat of
/// the request is answered without the secret.
///
/// # Errors
/// When the body doesn't serialize, which is a defect.
pub fn issued(
    status: u16,
    token: &Token,
    secret: Option<&PlainSecret>,
) -> Result<Response<Body>, ApiError> {
    let body = match secret {
        Some(secret) => json!({"token": TokenBody::from(token), "secret": plain(secret)}),
        None => json!({"token": TokenBody::from(token)}),
    };
    Ok(response::with_etag(response::json(status, &body)?, token))
}

/// The answer that shows a secret again.
///
/// # Errors
/// When the body doesn't serialize, which is a defect.
pub fn revealed(token: &Token, secret: &PlainSecret) -> Result<Response<Body>, ApiError> {
    response::json(200, &json!({"id": token.id, "secret": plain(secret)}))
}

#[expect(
    clippy::disallowed_methods,
    reason = "hands the secret over to whom it belongs"
)]
fn plain(secret: &PlainSecret) -> Value {
    Value::from(secret.expose_secret())
}
