//! The API that asks. It authenticates with a token of its own, as a bearer or as an OAuth client. The client's id is
//! the token's id, and the client's secret is the token's secret.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use lambda_http::Request;
use lambda_http::http::header::AUTHORIZATION;
use latchkey::app::verify::{Verified, authenticate};
use latchkey::domain::entropy::Entropy;
use latchkey::domain::kind::Kind;
use latchkey::domain::scope::Scope;
use latchkey::domain::verification::{Refusal, SecretRecord};
use latchkey::http::bearer::{bearer, credentials, trimmed};
use latchkey::http::form::Form;
use latchkey::http::sender::Sender;
use latchkey::http::{ApiError, ErrorCode};
use latchkey::ports::{Clock, RecallSecret, RecordUse};
use percent_encoding::percent_decode_str;

/// The credentials that the API presents. There is no `Debug`, because it would show the secret.
pub(crate) enum Credentials<'a> {
    /// `Authorization: Bearer`.
    Bearer(Cow<'a, str>),
    /// `Authorization: Basic`, or `client_id` and `client_secret` in the form.
    Client {
        id: Cow<'a, str>,
        secret: Cow<'a, str>,
    },
}

impl<'a> Credentials<'a> {
    /// Reads the credentials of a request.
    ///
    /// # Errors
    /// [`ErrorCode::InvalidClient`] if there are none, [`ErrorCode::InvalidRequest`] if there are several.
    pub(crate) fn of(request: &'a Request, form: &'a Form<'_>) -> Result<Self, ApiError> {
        let header = request.headers().get(AUTHORIZATION);
        match (header, form.optional_secret("client_secret")) {
            (Some(_), Some(_)) => Err(ApiError::invalid_request(
                "authenticate in the header or in the form, not in both",
            )),
            (Some(header), None) => {
                let header = header.to_str().map_err(|_| ErrorCode::InvalidClient)?;
                if let Some(secret) = bearer(header) {
                    return Ok(Self::Bearer(secret.into()));
                }
                basic(header).ok_or_else(|| ErrorCode::InvalidClient.into())
            }
            (None, Some(secret)) => {
                let id = form.optional("client_id");
                Ok(Self::Client {
                    id: id.ok_or(ErrorCode::InvalidClient)?.into(),
                    secret: secret.into(),
                })
            }
            (None, None) => Err(ErrorCode::InvalidClient.into()),
        }
    }

    /// Verifies the API's token and records its use, as for any use of a token. Returns the token.
    ///
    /// # Errors
    /// [`ErrorCode::InvalidClient`], [`ErrorCode::InvalidToken`] or [`ErrorCode::InsufficientScope`] if the
    /// credentials aren't those of an account token with full access, and [`ErrorCode::Unavailable`] if the table
    /// can't be reached.
    pub(crate) async fn verify(
        &self,
        store: &(impl RecallSecret + RecordUse),
        system: &(impl Clock + Entropy),
        sender: &Sender,
    ) -> Result<SecretRecord, ApiError> {
        let (id, secret, invalid, insufficient) = match self {
            Self::Bearer(secret) => {
                let (invalid, insufficient) =
                    (ErrorCode::InvalidToken, ErrorCode::InsufficientScope);
                (None, secret, invalid, insufficient)
            }
            Self::Client { id, secret } => {
                let refused = ErrorCode::InvalidClient;
                (Some(id), secret, refused, refused)
            }
        };
        let is_client = |asker: &SecretRecord| id.is_none_or(|id| id == asker.token_id.as_str());
        let has_full_access =
            |asker: &SecretRecord| asker.kind == Kind::Account && asker.scope == Scope::Full;
        let may_ask = |asker: &SecretRecord| is_client(asker) && has_full_access(asker);
        match authenticate(store, system, secret, sender.client(), may_ask).await? {
            Verified::Granted { secret, .. } => Ok(*secret),
            Verified::Refused {
                refusal: Refusal::Forbidden,
                ..
            } => Err(insufficient.into()),
            Verified::Refused { .. } => Err(invalid.into()),
        }
    }
}

/// Returns the id and secret of a `Basic` header. Both are form-encoded inside it (RFC 6749, 2.3.1).
fn basic(header: &str) -> Option<Credentials<'static>> {
    let text = STANDARD.decode(credentials("basic", header)?).ok()?;
    let text = String::from_utf8(text).ok()?;
    let (id, secret) = text.split_once(':')?;
    let decode = |text| {
        let text = percent_decode_str(text).decode_utf8().ok()?;
        Some(trimmed(&text).to_owned().into())
    };
    Some(Credentials::Client {
        id: decode(id)?,
        secret: decode(secret)?,
    })
}
