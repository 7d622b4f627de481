//! Every operation of the API behind one door, within the test's process: a request goes to the handler
//! that its route leads to, on a real DynamoDB engine.

mod access;
mod call;
mod description;
mod gate;
mod policies;
mod section;
mod wire;

pub use access::Touched;
pub use call::Call;
pub use description::{Description, Seen};
pub use gate::{Gate, Gated};
pub use policies::{Statement, is_like, policies};
pub use section::Section;
pub use wire::{Counts, Wire};

use latchkey::domain::entropy::Entropy;
use latchkey::http::caller::ConsoleClient;
use latchkey::http::openapi::Operation;
use latchkey::ports::{
    ChangeToken, Clock, CompromiseSecret, DeleteToken, GetAccount, GetIdempotency, GetResources,
    GetSecret, GetToken, InsertToken, ListAudit, ListMemberships, ListResources, ListTokens,
    RecallSecret, RecordUse, RecordView, SpendBudget,
};
use latchkey::testing::{Answer, FakeVault};

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

/// Every operation of the API, but for the reports of leaks: their scanner describes them.
pub fn operations() -> Vec<Operation> {
    let mut operations = vec![
        create_token::operation(),
        delete_token::operation(),
        get_token::operation(),
        introspect_token::operation(),
        list_resources::operation(),
        list_tokens::operation(),
        reactivate_token::operation(),
        regenerate_token::operation(),
        retire_secret::operation(),
        reveal_token::operation(),
        revoke_by_secret::operation(),
        revoke_token::operation(),
        token_info::operation(),
        update_token::operation(),
    ];
    operations.extend(get_account::operations());
    operations.extend(list_audit::operations());
    operations.sort_by_key(|operation| (operation.path(), operation.method()));
    operations
}

/// Answers a call as the function does that its route leads to.
pub async fn answer(
    store: &impl Ports,
    vault: &FakeVault,
    system: &(impl Clock + Entropy),
    call: &Call,
) -> Answer {
    let console = ConsoleClient::new("console");
    let request = call.request();
    Answer::of(match call.operation() {
        "create-token" => create_token::handle(store, vault, system, &console, request).await,
        "delete-token" => delete_token::handle(store, system, &console, request).await,
        "get-account" | "list-accounts" => get_account::handle(store, request).await,
        "get-token" => get_token::handle(store, system, request).await,
        "introspect-token" => introspect_token::handle(store, system, request).await,
        "list-audit" | "list-token-audit" => list_audit::handle(store, request).await,
        "list-resources" => list_resources::handle(store, request).await,
        "list-tokens" => list_tokens::handle(store, system, request).await,
        "reactivate-token" => reactivate_token::handle(store, system, &console, request).await,
        "regenerate-token" => {
            regenerate_token::handle(store, vault, system, &console, request).await
        }
        "retire-secret" => retire_secret::handle(store, system, &console, request).await,
        "reveal-token" => reveal_token::handle(store, vault, system, &console, request).await,
        "revoke-by-secret" => revoke_by_secret::handle(store, system, request).await,
        "revoke-token" => revoke_token::handle(store, system, &console, request).await,
        "token-info" => token_info::handle(store, system, request).await,
        "update-token" => update_token::handle(store, system, &console, request).await,
        other => panic!("nobody answers `{other}`"),
    })
}
