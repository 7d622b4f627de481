//! Revokes the token of a secret, for whoever holds it: RFC 7009. Who found somebody's secret, or lost
//! his own, needs no account to put an end to it.

use lambda_http::{Body, Request, Response};
use latchkey::domain::audit::{Action, Actor, Source};
use latchkey::domain::ports::{
    ChangeToken, Clock, Entropy, GetSecret, GetToken, PortError, TokenChange,
};
use latchkey::domain::secret::{PlainSecret, SecretHash};
use latchkey::http::form::Form;
use latchkey::http::openapi::Operation;
use latchkey::http::openapi::schema::{self, required};
use latchkey::http::sender::Sender;
use latchkey::http::{ApiError, response};

/// What the record gives as the reason.
const REASON: &str = "revoked by its holder";

/// How often a revocation is tried again when the token changes under it.
const ATTEMPTS: usize = 5;

/// Answers one request: the same 200 for whatever is no secret, or no good one any more.
///
/// # Errors
/// What the caller is answered instead. Success is only said after the write.
pub async fn handle(
    store: &(impl GetSecret + GetToken + ChangeToken),
    system: &(impl Clock + Entropy),
    request: Request,
) -> Result<Response<Body>, ApiError> {
    let form = Form::of(&request)?;
    // `token_type_hint` doesn't matter: there is one type.
    if let Ok(secret) = PlainSecret::parse(form.required("token")?) {
        let sender = Sender::of(&request)?;
        revoke(store, system, &secret.hash(), &sender).await?;
    }
    response::empty(200)
}

/// What the API's description says of this operation.
pub fn operation() -> Operation {
    let text = "RFC 7009. Holding the secret is all that it takes.";
    Operation::new(
        "revoke-by-secret",
        "POST",
        "/v1/revoke",
        "Revoke the token of a secret",
    )
    .description(text)
    .form([required("token", schema::text()).describe("The secret.")])
    .answers_nothing(200, "No token has this secret any more, if one ever had.")
    .refuses([
        ApiError::Unavailable(String::new()),
        ApiError::Internal(String::new()),
    ])
}

async fn revoke(
    store: &(impl GetSecret + GetToken + ChangeToken),
    system: &(impl Clock + Entropy),
    hash: &SecretHash,
    sender: &Sender,
) -> Result<(), ApiError> {
    for _ in 0..ATTEMPTS {
        let now = system.now();
        let secret = store.get_secret(hash).await?;
        let Some(secret) = secret.filter(|secret| !secret.is_over(now)) else {
            return Ok(());
        };
        let (account, id) = (&secret.account_id, &secret.token_id);
        let before = store.get_token(account, id, now).await?;
        let has_secret = |other| other == *hash;
        let Some(before) = before.filter(|token| token.secret_hashes().any(has_secret)) else {
            // Deleted or replaced just now: the next read tells.
            continue;
        };
        let holder = Actor::token(id, &before.token.name);
        let Some(token) = before
            .token
            .revoke(holder.clone(), now, Some(REASON.into()))
        else {
            return Ok(());
        };
        let origin = sender.origin(Source::Api, holder);
        let change = TokenChange::new(before, token, Action::Revoke, origin, now, system)?;
        match store.change_token(&change).await {
            Ok(()) => return Ok(()),
            Err(PortError::Conflict) => {}
            Err(error) => return Err(error.into()),
        }
    }
    // The one error that RFC 7009 has clients try again.
    Err(ApiError::Unavailable(
        "the token changes again and again".into(),
    ))
}

#[cfg(test)]
mod tests;
