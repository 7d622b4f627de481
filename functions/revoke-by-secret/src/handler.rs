//! Ends a secret for ever, for whoever holds it: RFC 7009. Whoever found somebody's secret, or lost their
//! own, needs no account for that.

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

/// Answers one request: the same 200 for whatever is no secret, or no good one any more; never for a text
/// that holds a secret which goes on working.
///
/// # Errors
/// What the caller is answered instead. Success is only said after the write.
pub async fn handle(
    store: &(impl GetSecret + GetToken + CompromiseSecret),
    system: &(impl Clock + Entropy),
    request: Request,
) -> Result<Response<Body>, ApiError> {
    let form = Form::of(&request)?;
    // `token_type_hint` doesn't matter: there is one type.
    let text = form.required_secret("token")?;
    match PlainSecret::parse(text) {
        Ok(secret) => {
            let holder = Holder(Sender::of(&request)?);
            compromise(store, system, &secret.hash(), &holder).await?;
        }
        // Whoever hears 200 believes that the secret in there works no more.
        Err(_) if meant(text).iter().any(|text| PlainSecret::is_within(text)) => {
            let text = "`token` holds a secret and more; send the secret alone";
            return Err(ApiError::invalid_request(text));
        }
        Err(_) => {}
    }
    response::empty(200)
}

/// What the API's description says of this operation.
pub fn operation() -> Operation {
    let text = "RFC 7009. Needs no credentials but the secret, which never works again. If it is the current secret \
                of its token, the token is revoked too. A replaced secret ends alone. The form may have white \
                space around the secret and `Bearer` before it. Anything else around or in the secret is a 400.";
    Operation::new("revoke-by-secret", "End a secret for good")
        .description(text)
        .form([required("token", schema::text()).describe("The secret to end.")])
        .answers_nothing(200, "The secret doesn't work, whether or not it ever did.")
        .refuses([ErrorCode::Unavailable, ErrorCode::Internal])
}

/// Whoever holds a secret knows it.
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
