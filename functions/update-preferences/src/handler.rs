//! Chooses which mails the caller gets at once, and which once a day.

use lambda_http::{Body, Request, Response};
use latchkey::domain::preferences::{MailPreferences, MailTiming};
use latchkey::http::body::{Failed, Fields};
use latchkey::http::caller::authorize;
use latchkey::http::openapi::Operation;
use latchkey::http::openapi::schema::{one_of, required};
use latchkey::http::{ApiError, response};
use latchkey::ports::{GetAccount, PutPreferences};

/// Replaces the caller's choice of mails about the account in the path, for an administrator of the account. Returns
/// the choice.
///
/// # Errors
/// Those of [`authorize`], `validation_failed`, and `unavailable` if the table can't be reached.
pub async fn handle(
    store: &(impl GetAccount + PutPreferences),
    request: Request,
) -> Result<Response<Body>, ApiError> {
    let (account, member) = authorize(store, &request).await?;
    let chosen = read_choice(&request)?;
    store
        .put_preferences(&account.id, &member.id, &chosen)
        .await?;
    tracing::info!(
        account.id = %account.id,
        user.id = %member.id,
        create = chosen.create.as_str(),
        access = chosen.access.as_str(),
        change = chosen.change.as_str(),
        "chose mails",
    );
    response::json(200, &chosen)
}

fn read_choice(request: &Request) -> Result<MailPreferences, ApiError> {
    let mut fields = Fields::of(request)?;
    let create = timing(&mut fields, "create");
    let access = timing(&mut fields, "access");
    let change = timing(&mut fields, "change");
    fields.finish(|| {
        Ok(MailPreferences {
            create: create?,
            access: access?,
            change: change?,
        })
    })
}

fn timing(fields: &mut Fields, group: &str) -> Result<MailTiming, Failed> {
    let chosen = fields.choice(group, "immediate or daily", MailTiming::parse);
    fields.require(group, chosen)
}

/// Describes this operation for the OpenAPI document.
pub fn operation() -> Operation {
    let timing = || one_of(MailTiming::ALL.map(MailTiming::as_str));
    Operation::new(
        "update-preferences",
        "Choose which mails about the account the caller gets once a day",
    )
    .description(
        "Mails about secrets that were shown, reported as leaked or revoked by their holder, about changed audit \
         records, and the warnings before a token's end never wait for the end of the day.",
    )
    .body([
        required("create", timing()).describe("A token was created, deleted or purged."),
        required("access", timing()).describe("A token was used, or a secret of it was refused."),
        required("change", timing())
            .describe("A token was edited, revoked or reactivated, or got or lost a secret."),
    ])
    .answers::<MailPreferences>(200, "The choice.", &[])
}

#[cfg(test)]
mod tests;
