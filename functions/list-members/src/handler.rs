//! Lists the members of an account by name.

use lambda_http::{Body, Request, Response};
use latchkey::domain::account::{Member, Role};
use latchkey::domain::id::UserId;
use latchkey::domain::text::fold;
use latchkey::http::caller::authorize;
use latchkey::http::openapi::Operation;
use latchkey::http::{ApiError, response};
use latchkey::ports::GetAccount;
use schemars::JsonSchema;
use serde::Serialize;

/// A member of an account.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Member")]
struct MemberBody<'a> {
    /// The person's id at the identity provider. It is the `userId` of the audit log.
    id: &'a UserId,
    name: &'a str,
    email: &'a str,
    role: Role,
}

impl<'a> From<&'a Member> for MemberBody<'a> {
    fn from(member: &'a Member) -> Self {
        Self {
            id: &member.id,
            name: &member.name,
            email: &member.email,
            role: member.role,
        }
    }
}

/// All members of an account.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Members")]
struct MembersBody<'a> {
    members: Vec<MemberBody<'a>>,
}

/// Lists the members of the account in the path by name, in any case, for an administrator of the account.
///
/// # Errors
/// Those of [`authorize`], and `unavailable` if the table can't be reached.
pub async fn handle(store: &impl GetAccount, request: Request) -> Result<Response<Body>, ApiError> {
    let mut members = authorize(store, &request).await?.0.members;
    members.sort_by_cached_key(|member| (fold(&member.name), member.id.clone()));
    let members = members.iter().map(MemberBody::from).collect();
    response::json(200, &MembersBody { members })
}

/// Describes this operation for the OpenAPI document.
pub fn operation() -> Operation {
    Operation::new("list-members", "List the account's members, by name")
        .answers::<MembersBody<'_>>(200, "The members.", &[])
}

#[cfg(test)]
mod tests;
