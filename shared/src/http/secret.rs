//! Responses with a secret. Only this module lets secrets leave the service.

use jiff::Timestamp;
use lambda_http::{Body, Response};
use schemars::JsonSchema;
use secrecy::ExposeSecret;
use serde::Serialize;

use super::token::TokenBody;
use super::{ApiError, response};
use crate::domain::id::TokenId;
use crate::domain::secret::PlainSecret;
use crate::domain::token::Token;

/// A token that was created or got a new secret.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "IssuedToken")]
pub struct IssuedBody<'a> {
    token: TokenBody<'a>,
    /// The secret. Missing if the request was a repeat; `reveal` shows it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "&str")]
    secret: Option<&'a str>,
}

/// A secret that is shown again.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "RevealedSecret")]
pub struct RevealedBody<'a> {
    id: &'a TokenId,
    /// The secret.
    secret: &'a str,
}

/// Returns the response with a new or changed token and its secret. `secret` is `None` for a repeated request.
///
/// # Errors
/// When the body can't be serialized, which is a defect.
pub fn issued(
    status: u16,
    token: &Token,
    secret: Option<&PlainSecret>,
    now: Timestamp,
) -> Result<Response<Body>, ApiError> {
    let body = IssuedBody {
        token: TokenBody::at(token, now),
        secret: secret.map(plain),
    };
    Ok(response::with_etag(response::json(status, &body)?, token))
}

/// Returns the response that shows a token's secret again.
///
/// # Errors
/// When the body can't be serialized, which is a defect.
pub fn revealed(token: &Token, secret: &PlainSecret) -> Result<Response<Body>, ApiError> {
    let (id, secret) = (&token.id, plain(secret));
    response::json(200, &RevealedBody { id, secret })
}

#[expect(
    clippy::disallowed_methods,
    reason = "hands the secret over to whom it belongs"
)]
fn plain(secret: &PlainSecret) -> &str {
    secret.expose_secret()
}
