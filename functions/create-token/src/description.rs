//! The operation in the OpenAPI document.

use latchkey::domain::kind::Kind;
use latchkey::http::ErrorCode;
use latchkey::http::openapi::Operation;
use latchkey::http::openapi::schema::{self, optional, required};
use latchkey::http::secret::IssuedBody;

/// Describes this operation for the OpenAPI document.
pub fn operation() -> Operation {
    Operation::new("create-token", "Create a token")
        .description(
            "The secret is in this answer. `reveal` shows it again to members with developer mode. Lifetimes beyond one \
             hour need the account's API Management licence.",
        )
    .body([
        required("name", schema::name()),
        optional("description", schema::description())
            .describe("What the token is used for, and where its secret is stored."),
        optional("kind", schema::one_of(Kind::ALL.map(Kind::as_str))),
        optional("integrationId", schema::platform_id())
            .describe("The Integration App. Integration App tokens need it; other tokens must not have it."),
        required("autoPurge", schema::auto_purge())
            .describe("The lifetime. Integration App tokens can't have `never`."),
        required("scope", schema::scope()),
        optional("allowedCidrs", schema::cidrs())
            .describe("The address ranges from which the token may be used. Empty: everywhere."),
    ])
    .repeatable()
    .budgeted()
    .wants_recent_sign_in()
    .answers::<IssuedBody<'_>>(201, "The token and its secret.", &["ETag", "Location"])
    .answers::<IssuedBody<'_>>(
        200,
        "The request was a repeat: the current token, without the secret.",
        &["ETag", "Location"],
    )
    .refuses([
        ErrorCode::ApiManagementLicenseRequired,
        ErrorCode::TokenNotFound,
        ErrorCode::Conflict,
    ])
}
