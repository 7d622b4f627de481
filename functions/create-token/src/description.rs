//! What the API's description says of the operation.

use latchkey::domain::kind::Kind;
use latchkey::http::ErrorCode;
use latchkey::http::openapi::Operation;
use latchkey::http::openapi::schema::{self, optional, required};
use latchkey::http::secret::IssuedBody;

/// What the API's description says of this operation.
pub fn operation() -> Operation {
    Operation::new("create-token", "Create a token")
        .body([
            required("name", schema::name()),
            optional("description", schema::description())
                .describe("What it is used for, and where it is kept."),
            optional("kind", schema::one_of(Kind::ALL.map(Kind::as_str))),
            optional("integrationId", schema::platform_id()).describe(
                "The Integration App; required for tokens of that kind, and only for them.",
            ),
            required("autoPurge", schema::auto_purge())
                .describe("Integration App tokens can't live forever."),
            required("scope", schema::scope()),
            optional("allowedCidrs", schema::cidrs())
                .describe("From where it may be used; empty for everywhere."),
        ])
        .repeatable()
        .budgeted()
        .answers::<IssuedBody<'_>>(201, "The token and its secret.", &["ETag", "Location"])
        .answers::<IssuedBody<'_>>(
            200,
            "A repeat: the token as it is now.",
            &["ETag", "Location"],
        )
        .refuses([
            ErrorCode::ApiManagementLicenseRequired,
            ErrorCode::TokenNotFound,
            ErrorCode::Conflict,
        ])
}
