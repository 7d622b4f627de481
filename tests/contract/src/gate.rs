//! A store whose calls pass a gate first. The gate can delay them or fail them.

use jiff::Timestamp;
use latchkey::domain::account::Account;
use latchkey::domain::audit::AuditRecord;
use latchkey::domain::budget::{Budget, Spending};
use latchkey::domain::change::{IdempotencyRecord, NewToken, TokenChange};
use latchkey::domain::id::{AccountId, AuditId, IntegrationId, TokenId, UserId};
use latchkey::domain::integration::Integration;
use latchkey::domain::paging::{AuditQuery, IntegrationQuery, Page, ResourceQuery, TokenQuery};
use latchkey::domain::preferences::MailPreferences;
use latchkey::domain::resource::{Resource, ResourceRef};
use latchkey::domain::secret::SecretHash;
use latchkey::domain::token::{StoredToken, Token};
use latchkey::domain::verification::{SecretRecord, Seen, UsedFrom};
use latchkey::ports::{
    ChangeToken, Compromise, CompromiseSecret, DeleteToken, GetAccount, GetIdempotency,
    GetPreferences, GetResources, GetSecret, GetToken, InsertToken, ListAudit, ListIntegrations,
    ListMemberships, ListResources, ListTokens, PortError, PutPreferences, Recall, RecallSecret,
    RecordUse, RecordView, SpendBudget, Use,
};
use latchkey::store::Store;

/// The gate before the calls of a store. A call is one read or one transaction.
pub trait Gate: Sync {
    /// Lets a call through, perhaps later.
    ///
    /// # Errors
    /// When the call must fail.
    fn pass(&self) -> impl Future<Output = Result<&Store, PortError>> + Send;
}

/// A store behind a gate.
#[derive(Debug)]
pub struct Gated<G>(pub G);

/// Implements ports by passing calls to the store behind the gate.
macro_rules! behind_the_gate {
    ($($port:ident: $call:ident($($argument:ident: $kind:ty),*) -> $answer:ty;)*) => {$(
        impl<G: Gate> $port for Gated<G> {
            async fn $call(&self, $($argument: $kind),*) -> Result<$answer, PortError> {
                self.0.pass().await?.$call($($argument),*).await
            }
        }
    )*};
}

behind_the_gate! {
    ChangeToken: change_token(change: &TokenChange) -> ();
    CompromiseSecret: compromise_secret(compromise: &Compromise) -> ();
    DeleteToken: delete_token(deleted: &StoredToken, audit: &AuditRecord) -> ();
    GetAccount: get_account(id: &AccountId) -> Option<Account>;
    GetIdempotency: get_idempotency(account: &AccountId, key: &str, now: Timestamp) -> Option<IdempotencyRecord>;
    GetPreferences: get_preferences(account: &AccountId, user: &UserId) -> Option<MailPreferences>;
    GetResources: get_resources(account: &AccountId, names: &[ResourceRef]) -> Vec<Resource>;
    GetSecret: get_secret(hash: &SecretHash) -> Option<SecretRecord>;
    GetToken: get_token(account: &AccountId, id: &TokenId, now: Timestamp) -> Option<StoredToken>;
    InsertToken: insert_token(new: &NewToken) -> ();
    ListAudit: list_audit(account: &AccountId, query: &AuditQuery) -> Page<AuditRecord, AuditId>;
    ListIntegrations: list_integrations(account: &AccountId, query: &IntegrationQuery) -> Page<Integration, IntegrationId>;
    ListMemberships: list_memberships(user: &UserId) -> Vec<AccountId>;
    ListResources: list_resources(account: &AccountId, query: &ResourceQuery) -> Page<Resource, ResourceRef>;
    ListTokens: list_tokens(account: &AccountId, query: &TokenQuery, now: Timestamp) -> Page<Token, TokenId>;
    PutPreferences: put_preferences(account: &AccountId, user: &UserId, preferences: &MailPreferences) -> ();
    RecordUse: record_use(used: &Use) -> ();
    RecordView: record_view(stored: &StoredToken, audit: &AuditRecord) -> ();
    SpendBudget: spend_budget(account: &AccountId, budget: &Budget, now: Timestamp) -> Spending;
}

impl<G: Gate> RecallSecret for Gated<G> {
    async fn recall_secret(
        &self,
        hash: &SecretHash,
        from: UsedFrom,
        now: Timestamp,
    ) -> Result<Option<(SecretRecord, Recall)>, PortError> {
        self.0.pass().await?.recall_secret(hash, from, now).await
    }

    async fn get_seen(&self, hash: &SecretHash) -> Result<Seen, PortError> {
        self.0.pass().await?.get_seen(hash).await
    }
}
