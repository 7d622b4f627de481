//! Returns the caller's accounts, or one of them with the caller's role and the allowed lifetimes.

use lambda_http::{Body, Request, RequestExt, Response};
use latchkey::domain::account::{Account, Member, Plan, Role};
use latchkey::domain::auto_purge::AutoPurge;
use latchkey::domain::id::AccountId;
use latchkey::http::caller::{authorize, signed_in};
use latchkey::http::openapi::Operation;
use latchkey::http::{ApiError, response};
use latchkey::ports::{GetAccount, ListMemberships};
use schemars::JsonSchema;
use serde::Serialize;

/// An account, as the calling member sees it.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "Account")]
struct AccountBody<'a> {
    id: &'a AccountId,
    /// The name, for people.
    name: &'a str,
    plan: Plan,
    /// Whether lifetimes beyond one hour are licensed.
    api_management: bool,
    role: Role,
    /// Whether the caller has developer mode, which `reveal` needs.
    developer_mode: bool,
    /// The lifetimes that the account may choose.
    auto_purge_choices: Vec<AutoPurge>,
}

impl<'a> AccountBody<'a> {
    fn new(account: &'a Account, member: &Member) -> Self {
        Self {
            id: &account.id,
            name: &account.name,
            plan: account.plan,
            api_management: account.has_api_management(),
            role: member.role,
            developer_mode: member.developer_mode,
            auto_purge_choices: AutoPurge::ALL
                .into_iter()
                .filter(|choice| account.licenses(*choice))
                .collect(),
        }
    }
}

/// The caller's accounts.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Accounts")]
struct AccountsBody<'a> {
    /// The accounts, whatever the caller's role in them.
    accounts: Vec<AccountBody<'a>>,
}

/// Returns the account in the path to an administrator of it, or, without one in the path, all accounts of the caller,
/// whatever the role.
///
/// # Errors
/// Those of [`authorize`] or [`signed_in`], and `unavailable` if the table can't be reached.
pub async fn handle(
    store: &(impl GetAccount + ListMemberships),
    request: Request,
) -> Result<Response<Body>, ApiError> {
    let one = request
        .path_parameters_ref()
        .is_some_and(|path| path.first("accountId").is_some());
    if one {
        let (account, member) = authorize(store, &request).await?;
        return response::json(200, &AccountBody::new(&account, &member));
    }
    // All members see their accounts. The role tells whether they may see the tokens.
    let user = signed_in(&request)?;
    let mut accounts = Vec::new();
    for id in store.list_memberships(&user).await? {
        // The list of memberships may be out of date. The account's profile decides who is a member.
        accounts.extend(store.get_account(&id).await?);
    }
    let mine: Vec<_> = accounts
        .iter()
        .filter_map(|account| Some(AccountBody::new(account, account.member(&user)?)))
        .collect();
    response::json(200, &AccountsBody { accounts: mine })
}

/// Describes this function's operations for the OpenAPI document: all accounts of the caller, and one.
pub fn operations() -> [Operation; 2] {
    let all = Operation::new("list-accounts", "List the caller's accounts, with any role")
        .description("Only owners and administrators may use the other operations on an account.")
        .answers::<AccountsBody<'_>>(200, "The accounts.", &[]);
    let one = Operation::new(
        "get-account",
        "Get an account, with the caller's role and the allowed lifetimes",
    )
    .description("`autoPurgeChoices` has the lifetimes that a token of the account may be given.")
    .answers::<AccountBody<'_>>(200, "The account.", &[]);
    [all, one]
}

#[cfg(test)]
mod tests;
