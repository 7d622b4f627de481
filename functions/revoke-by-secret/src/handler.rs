//! Ends a secret permanently, for anybody who has it (RFC 7009). People who find or lose a secret need no account for
//! that.

use lambda_http::{Body, Request, Response};
use latchkey::app::compromise::{Evidence, compromise};
use latchkey::domain::action::Action;
use latchkey::domain::actor::Actor;
use latchkey::domain::audit::{Change, Origin, Source};
use latchkey::domain::entropy::Entropy;
use latchkey::domain::secret::PlainSecret;
use latchkey::domain::text::meant;
use latchkey::domain::verification::SecretRecord;
use latchkey::http::form::Form;
use latchkey::http::openapi::Operation;
use latchkey::http::openapi::schema::{self, required};
use latchkey::http::sender::Sender;
use latchkey::http::{ApiError, ErrorCode, response};
use latchkey::ports::{Clock, CompromiseSecret, GetSecret, GetToken};

/// Compromises the secret in the form: it never works again, and if it is the current secret of its token, the token
/// is revoked. Returns 200 after the write. Returns the same 200 for an unknown or ended secret and for a text that
/// isn't a secret.
///
/// # Errors
/// `invalid_request` for an invalid form and for a text that contains a secret and more, which would otherwise go on
/// working; `unavailable` if the table can't be reached.
pub async fn handle(
    store: &(impl GetSecret + GetToken + CompromiseSecret),
    system: &(impl Clock + Entropy),
    request: Request,
) -> Result<Response<Body>, ApiError> {
    let form = Form::of(&request)?;
    // `token_type_hint` is ignored: there is only one type.
    let text = form.required_secret("token")?;
    match PlainSecret::parse(text) {
        Ok(secret) => {
            let holder = Holder(Sender::of(&request)?);
            compromise(store, system, &secret.hash(), &holder).await?;
        }
        // With a 200, the client would believe that the secret in this text is ended.
        Err(_) if meant(text).iter().any(|text| PlainSecret::is_within(text)) => {
            let text = "`token` holds a secret and more; send the secret alone";
            return Err(ApiError::invalid_request(text));
        }
        Err(_) => {}
    }
    response::empty(200)
}

/// Describes this operation for the OpenAPI document.
pub fn operation() -> Operation {
    let text = "RFC 7009. Needs no credentials but the secret, which never works again. If it is the current secret \
                of its token, the token is revoked too. A replaced secret ends alone. The form may have white \
                space around the secret and `Bearer` before it. Anything else around or in the secret is a 400.";
    Operation::new("revoke-by-secret", "End a secret for good")
        .description(text)
        .form([required("token", schema::nonempty()).describe("The secret to end.")])
        .answers_nothing(200, "The secret doesn't work, whether or not it ever did.")
        .refuses([ErrorCode::Unavailable, ErrorCode::Internal])
}

/// The sender of a secret, as evidence that the secret is compromised.
struct Holder(Sender);

impl Evidence for Holder {
    fn action(&self) -> Action {
        Action::Revoke
    }

    fn reason(&self) -> &str {
        "revoked by its holder"
    }

    fn origin(&self, secret: &SecretRecord) -> Origin {
        let holder = Actor::token(&secret.token_id, &secret.token_name);
        self.0.origin(Source::Api, holder)
    }

    fn changes(&self) -> Vec<Change> {
        vec![]
    }
}

#[cfg(test)]
mod tests;
