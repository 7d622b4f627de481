//! Who asks: an API with a token of its own, as a bearer or as an OAuth client whose id is the token's
//! and whose secret is the token's.

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
use latchkey::http::ApiError;
use latchkey::http::bearer::{bearer, credentials, trimmed};
use latchkey::http::form::Form;
use latchkey::http::sender::Sender;
use latchkey::ports::{Clock, RecallSecret, RecordUse};
use percent_encoding::percent_decode_str;

/// What the asker presents. It has no `Debug`, which would show the secret.
pub(crate) enum Credentials<'a> {
    /// `Authorization: Bearer`
    Bearer(Cow<'a, str>),
    /// `Authorization: Basic`, or `client_id` and `client_secret` in the form.
    Client {
        id: Cow<'a, str>,
        secret: Cow<'a, str>,
    },
}

impl<'a> Credentials<'a> {
    /// Finds the credentials in a request.
    ///
    /// # Errors
    /// [`ApiError::InvalidClient`] without any, [`ApiError::InvalidRequest`] with more than one.
    pub(crate) fn of(request: &'a Request, form: &'a Form<'_>) -> Result<Self, ApiError> {
        let header = request.headers().get(AUTHORIZATION);
        match (header, form.optional_secret("client_secret")) {
            (Some(_), Some(_)) => Err(ApiError::InvalidRequest(
                "authenticate in the header or in the form, not in both".into(),
            )),
            (Some(header), None) => {
                let header = header.to_str().map_err(|_| ApiError::InvalidClient)?;
                if let Some(secret) = bearer(header) {
                    return Ok(Self::Bearer(secret.into()));
                }
                basic(header).ok_or(ApiError::InvalidClient)
            }
            (None, Some(secret)) => {
                let id = form.optional("client_id");
                Ok(Self::Client {
                    id: id.ok_or(ApiError::InvalidClient)?.into(),
                    secret: secret.into(),
                })
            }
            (None, None) => Err(ApiError::InvalidClient),
        }
    }

    /// The asker's token, verified as in any use of it, and that use recorded.
    ///
    /// # Errors
    /// What the caller is answered instead.
    pub(crate) async fn verify(
        &self,
        store: &(impl RecallSecret + RecordUse),
        system: &(impl Clock + Entropy),
        sender: &Sender,
    ) -> Result<SecretRecord, ApiError> {
        let (id, secret, invalid, insufficient) = match self {
            Self::Bearer(secret) => {
                let (invalid, insufficient) = (ApiError::InvalidToken, ApiError::InsufficientScope);
                (None, secret, invalid, insufficient)
            }
            Self::Client { id, secret } => {
                let refused = || ApiError::InvalidClient;
                (Some(id), secret, refused(), refused())
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
            } => Err(insufficient),
            Verified::Refused { .. } => Err(invalid),
        }
    }
}

/// The id and secret of a `Basic` header. RFC 6749 (2.3.1) has both form-encoded before.
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
