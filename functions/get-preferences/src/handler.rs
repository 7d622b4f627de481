//! Returns which mails the caller gets at once, and which once a day.

use lambda_http::{Body, Request, Response};
use latchkey::domain::preferences::MailPreferences;
use latchkey::http::caller::authorize;
use latchkey::http::openapi::Operation;
use latchkey::http::{ApiError, response};
use latchkey::ports::{GetAccount, GetPreferences};

/// Returns the caller's choice of mails about the account in the path, for an administrator of the account. Whoever
/// hasn't chosen gets every mail at once.
///
/// # Errors
/// Those of [`authorize`], and `unavailable` if the table can't be reached.
pub async fn handle(
    store: &(impl GetAccount + GetPreferences),
    request: Request,
) -> Result<Response<Body>, ApiError> {
    let (account, member) = authorize(store, &request).await?;
    let chosen = store.get_preferences(&account.id, &member.id).await?;
    response::json(200, &chosen.unwrap_or_default())
}

/// Describes this operation for the OpenAPI document.
pub fn operation() -> Operation {
    Operation::new(
        "get-preferences",
        "Get the caller's choice of mails about the account",
    )
    .answers::<MailPreferences>(200, "The choice; every mail at once if none was made.", &[])
}

#[cfg(test)]
mod tests;
