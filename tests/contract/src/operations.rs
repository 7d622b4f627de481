//! The operations in the OpenAPI document, and the calls of their handlers.
//!
//! Written by `cargo xtask generate` from the functions' `operation.toml` and their handlers' signatures.

use latchkey::domain::entropy::Entropy;
use latchkey::http::caller::ConsoleClient;
use latchkey::http::openapi::{CallerKind, Operation, Route};
use latchkey::ports::{
    ChangeToken, Clock, CompromiseSecret, DecryptSecret, DeleteToken, EncryptSecret, GetAccount,
    GetIdempotency, GetPreferences, GetResources, GetSecret, GetToken, InsertToken, ListAudit,
    ListIntegrations, ListMemberships, ListResources, ListTokens, PutPreferences, RecallSecret,
    RecordUse, RecordView, SpendBudget,
};
use latchkey::testing::Answer;

use crate::Call;

/// The ports that the operations together need.
pub trait Ports:
    ChangeToken
    + CompromiseSecret
    + DeleteToken
    + GetAccount
    + GetIdempotency
    + GetPreferences
    + GetResources
    + GetSecret
    + GetToken
    + InsertToken
    + ListAudit
    + ListIntegrations
    + ListMemberships
    + ListResources
    + ListTokens
    + PutPreferences
    + RecallSecret
    + RecordUse
    + RecordView
    + SpendBudget
{
}

impl<T> Ports for T where
    T: ChangeToken
        + CompromiseSecret
        + DeleteToken
        + GetAccount
        + GetIdempotency
        + GetPreferences
        + GetResources
        + GetSecret
        + GetToken
        + InsertToken
        + ListAudit
        + ListIntegrations
        + ListMemberships
        + ListResources
        + ListTokens
        + PutPreferences
        + RecallSecret
        + RecordUse
        + RecordView
        + SpendBudget
{
}

/// The operations' routes, by path and method.
const ROUTES: [Route; 22] = [
    Route {
        name: "list-accounts",
        method: "GET",
        path: "/v1/accounts",
        caller: CallerKind::Person,
    },
    Route {
        name: "get-account",
        method: "GET",
        path: "/v1/accounts/{accountId}",
        caller: CallerKind::Administrator,
    },
    Route {
        name: "list-audit",
        method: "GET",
        path: "/v1/accounts/{accountId}/audit",
        caller: CallerKind::Administrator,
    },
    Route {
        name: "list-integrations",
        method: "GET",
        path: "/v1/accounts/{accountId}/integrations",
        caller: CallerKind::Administrator,
    },
    Route {
        name: "list-members",
        method: "GET",
        path: "/v1/accounts/{accountId}/members",
        caller: CallerKind::Administrator,
    },
    Route {
        name: "get-preferences",
        method: "GET",
        path: "/v1/accounts/{accountId}/preferences",
        caller: CallerKind::Administrator,
    },
    Route {
        name: "update-preferences",
        method: "PUT",
        path: "/v1/accounts/{accountId}/preferences",
        caller: CallerKind::Administrator,
    },
    Route {
        name: "list-resources",
        method: "GET",
        path: "/v1/accounts/{accountId}/resources",
        caller: CallerKind::Administrator,
    },
    Route {
        name: "list-tokens",
        method: "GET",
        path: "/v1/accounts/{accountId}/tokens",
        caller: CallerKind::Administrator,
    },
    Route {
        name: "create-token",
        method: "POST",
        path: "/v1/accounts/{accountId}/tokens",
        caller: CallerKind::Administrator,
    },
    Route {
        name: "delete-token",
        method: "DELETE",
        path: "/v1/accounts/{accountId}/tokens/{tokenId}",
        caller: CallerKind::Administrator,
    },
    Route {
        name: "get-token",
        method: "GET",
        path: "/v1/accounts/{accountId}/tokens/{tokenId}",
        caller: CallerKind::Administrator,
    },
    Route {
        name: "update-token",
        method: "PATCH",
        path: "/v1/accounts/{accountId}/tokens/{tokenId}",
        caller: CallerKind::Administrator,
    },
    Route {
        name: "list-token-audit",
        method: "GET",
        path: "/v1/accounts/{accountId}/tokens/{tokenId}/audit",
        caller: CallerKind::Administrator,
    },
    Route {
        name: "reactivate-token",
        method: "POST",
        path: "/v1/accounts/{accountId}/tokens/{tokenId}/reactivate",
        caller: CallerKind::Administrator,
    },
    Route {
        name: "regenerate-token",
        method: "POST",
        path: "/v1/accounts/{accountId}/tokens/{tokenId}/regenerate",
        caller: CallerKind::Administrator,
    },
    Route {
        name: "retire-secret",
        method: "POST",
        path: "/v1/accounts/{accountId}/tokens/{tokenId}/retire",
        caller: CallerKind::Administrator,
    },
    Route {
        name: "reveal-token",
        method: "POST",
        path: "/v1/accounts/{accountId}/tokens/{tokenId}/reveal",
        caller: CallerKind::Administrator,
    },
    Route {
        name: "revoke-token",
        method: "POST",
        path: "/v1/accounts/{accountId}/tokens/{tokenId}/revoke",
        caller: CallerKind::Administrator,
    },
    Route {
        name: "introspect-token",
        method: "POST",
        path: "/v1/introspect",
        caller: CallerKind::Api,
    },
    Route {
        name: "revoke-by-secret",
        method: "POST",
        path: "/v1/revoke",
        caller: CallerKind::Anybody,
    },
    Route {
        name: "token-info",
        method: "GET",
        path: "/v1/tokenInfo",
        caller: CallerKind::Token,
    },
];

/// Returns every operation, by path and method.
///
/// # Panics
/// If no function describes a route's operation.
pub fn operations() -> Vec<Operation> {
    let mut described = Vec::new();
    described.push(create_token::operation());
    described.push(delete_token::operation());
    described.extend(get_account::operations());
    described.push(get_preferences::operation());
    described.push(get_token::operation());
    described.push(introspect_token::operation());
    described.extend(list_audit::operations());
    described.push(list_integrations::operation());
    described.push(list_members::operation());
    described.push(list_resources::operation());
    described.push(list_tokens::operation());
    described.push(reactivate_token::operation());
    described.push(regenerate_token::operation());
    described.push(retire_secret::operation());
    described.push(reveal_token::operation());
    described.push(revoke_by_secret::operation());
    described.push(revoke_token::operation());
    described.push(token_info::operation());
    described.push(update_preferences::operation());
    described.push(update_token::operation());

    ROUTES
        .iter()
        .map(|route| {
            let mut names = described.iter().map(Operation::name);
            let found = names.position(|name| name == route.name);
            let found = found.unwrap_or_else(|| panic!("`{}` is not described", route.name));
            described.swap_remove(found).at(route)
        })
        .collect()
}

/// Calls the handler of a call's operation and returns its response.
///
/// # Panics
/// If no function has that operation.
pub async fn answer(
    store: &impl Ports,
    vault: &(impl EncryptSecret + DecryptSecret),
    system: &(impl Clock + Entropy),
    call: &Call,
) -> Answer {
    let console = &ConsoleClient::new("console");
    let request = call.request();
    Answer::of(match call.operation() {
        "create-token" => {
            create_token::handle(
                store,
                vault,
                system,
                console,
                call.wanted_step_up(),
                request,
            )
            .await
        }
        "delete-token" => delete_token::handle(store, system, console, request).await,
        "list-accounts" | "get-account" => get_account::handle(store, request).await,
        "get-preferences" => get_preferences::handle(store, request).await,
        "get-token" => get_token::handle(store, system, request).await,
        "introspect-token" => introspect_token::handle(store, system, request).await,
        "list-audit" | "list-token-audit" => list_audit::handle(store, request).await,
        "list-integrations" => list_integrations::handle(store, request).await,
        "list-members" => list_members::handle(store, request).await,
        "list-resources" => list_resources::handle(store, request).await,
        "list-tokens" => list_tokens::handle(store, system, request).await,
        "reactivate-token" => reactivate_token::handle(store, system, console, request).await,
        "regenerate-token" => {
            regenerate_token::handle(
                store,
                vault,
                system,
                console,
                call.wanted_step_up(),
                request,
            )
            .await
        }
        "retire-secret" => retire_secret::handle(store, system, console, request).await,
        "reveal-token" => {
            reveal_token::handle(
                store,
                vault,
                system,
                console,
                call.wanted_step_up(),
                request,
            )
            .await
        }
        "revoke-by-secret" => revoke_by_secret::handle(store, system, request).await,
        "revoke-token" => revoke_token::handle(store, system, console, request).await,
        "token-info" => token_info::handle(store, system, request).await,
        "update-preferences" => update_preferences::handle(store, request).await,
        "update-token" => update_token::handle(store, system, console, request).await,

        other => panic!("nobody answers `{other}`"),
    })
}
