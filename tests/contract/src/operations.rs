//! Every operation that the API's document describes, and the way to its handler.
//!
//! Written by `cargo xtask generate` from the functions' `operation.toml` and their handlers' signatures.

use latchkey::domain::entropy::Entropy;
use latchkey::http::caller::ConsoleClient;
use latchkey::http::openapi::Operation;
use latchkey::ports::{
    ChangeToken, Clock, CompromiseSecret, DeleteToken, GetAccount, GetIdempotency, GetResources,
    GetSecret, GetToken, InsertToken, ListAudit, ListMemberships, ListResources, ListTokens,
    RecallSecret, RecordUse, RecordView, SpendBudget,
};
use latchkey::testing::{Answer, FakeVault};

use crate::Call;

/// What all operations together need of a store.
pub trait Ports:
    ChangeToken
    + CompromiseSecret
    + DeleteToken
    + GetAccount
    + GetIdempotency
    + GetResources
    + GetSecret
    + GetToken
    + InsertToken
    + ListAudit
    + ListMemberships
    + ListResources
    + ListTokens
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
        + GetResources
        + GetSecret
        + GetToken
        + InsertToken
        + ListAudit
        + ListMemberships
        + ListResources
        + ListTokens
        + RecallSecret
        + RecordUse
        + RecordView
        + SpendBudget
{
}

/// Every operation, by path and method.
pub fn operations() -> Vec<Operation> {
    let mut all = Vec::new();
    all.push(create_token::operation());
    all.push(delete_token::operation());
    all.extend(get_account::operations());
    all.push(get_token::operation());
    all.push(introspect_token::operation());
    all.extend(list_audit::operations());
    all.push(list_resources::operation());
    all.push(list_tokens::operation());
    all.push(reactivate_token::operation());
    all.push(regenerate_token::operation());
    all.push(retire_secret::operation());
    all.push(reveal_token::operation());
    all.push(revoke_by_secret::operation());
    all.push(revoke_token::operation());
    all.push(token_info::operation());
    all.push(update_token::operation());

    all.sort_by_key(|operation| (operation.path(), operation.method()));
    all
}

/// Answers a call as the function does that its route leads to.
///
/// # Panics
/// When no function does.
pub async fn answer(
    store: &impl Ports,
    vault: &FakeVault,
    system: &(impl Clock + Entropy),
    call: &Call,
) -> Answer {
    let console = &ConsoleClient::new("console");
    let request = call.request();
    Answer::of(match call.operation() {
        "create-token" => create_token::handle(store, vault, system, console, request).await,
        "delete-token" => delete_token::handle(store, system, console, request).await,
        "list-accounts" | "get-account" => get_account::handle(store, request).await,
        "get-token" => get_token::handle(store, system, request).await,
        "introspect-token" => introspect_token::handle(store, system, request).await,
        "list-audit" | "list-token-audit" => list_audit::handle(store, request).await,
        "list-resources" => list_resources::handle(store, request).await,
        "list-tokens" => list_tokens::handle(store, system, request).await,
        "reactivate-token" => reactivate_token::handle(store, system, console, request).await,
        "regenerate-token" => {
            regenerate_token::handle(store, vault, system, console, request).await
        }
        "retire-secret" => retire_secret::handle(store, system, console, request).await,
        "reveal-token" => reveal_token::handle(store, vault, system, console, request).await,
        "revoke-by-secret" => revoke_by_secret::handle(store, system, request).await,
        "revoke-token" => revoke_token::handle(store, system, console, request).await,
        "token-info" => token_info::handle(store, system, request).await,
        "update-token" => update_token::handle(store, system, console, request).await,

        other => panic!("nobody answers `{other}`"),
    })
}
