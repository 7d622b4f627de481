//! What the store answers.

use jiff::Timestamp;
use latchkey::domain::account::Account;
use latchkey::domain::audit::AuditRecord;
use latchkey::domain::budget::{Budget, Spending};
use latchkey::domain::change::{IdempotencyRecord, NewToken, TokenChange};
use latchkey::domain::event_time::EventTime;
use latchkey::domain::id::{AccountId, AuditId, IntegrationId, TokenId, UserId};
use latchkey::domain::integration::Integration;
use latchkey::domain::mailing::{Digest, DigestEntry, Suppression, SuppressionReason};
use latchkey::domain::paging::{
    AuditQuery, IntegrationQuery, Page, ResourceQuery, TokenOrder, TokenQuery,
};
use latchkey::domain::preferences::MailPreferences;
use latchkey::domain::resource::{Resource, ResourceRef};
use latchkey::domain::secret::SecretHash;
use latchkey::domain::token::{StoredToken, Token};
use latchkey::domain::verification::{SecretRecord, Seen, UsedFrom};
use latchkey::ports::{
    AddToDigest, CacheKeys, CachedKeys, ChangeToken, Claim, ClaimMail, Compromise,
    CompromiseSecret, DeleteToken, GetAccount, GetIdempotency, GetPreferences, GetRecipients,
    GetResources, GetSecret, GetSuppression, GetToken, InsertToken, ListAudit, ListIntegrations,
    ListMemberships, ListPreferences, ListResources, ListTokens, NoteFinding, PortError,
    ProjectPlatform, PutPreferences, Recall, RecallSecret, RecordAudit, RecordUse, RecordView,
    RefundBudget, SpendBudget, SuppressAddress, Use,
};
use latchkey::testing::{acme, now};

use super::World;

type Result<T> = std::result::Result<T, PortError>;

/// Returns a page of a list: at most `limit` items after the one with the key `after`.
fn page<T, K: PartialEq>(
    items: impl IntoIterator<Item = T>,
    key: impl Fn(&T) -> K,
    after: Option<&K>,
    limit: usize,
) -> Page<T, K> {
    let mut rest: Vec<_> = items.into_iter().collect();
    if let Some(after) = after {
        let last = rest.iter().position(|item| key(item) == *after);
        rest.drain(..last.map_or(rest.len(), |last| last + 1));
    }
    let more = rest.len() > limit;
    rest.truncate(limit);
    let next = rest.last().filter(|_| more).map(key);
    Page { items: rest, next }
}

impl GetAccount for World {
    async fn get_account(&self, id: &AccountId) -> Result<Option<Account>> {
        Ok(self.accounts.get(id).cloned())
    }
}

impl GetRecipients for World {
    async fn get_recipients(&self, id: &AccountId) -> Result<Option<Account>> {
        Ok(self.accounts.get(id).cloned())
    }
}

impl ListMemberships for World {
    async fn list_memberships(&self, user: &UserId) -> Result<Vec<AccountId>> {
        let accounts = self.accounts.values();
        let member = accounts.filter(|account| account.member(user).is_some());
        Ok(member.map(|account| account.id.clone()).collect())
    }
}

impl GetToken for World {
    async fn get_token(
        &self,
        account: &AccountId,
        id: &TokenId,
        now: Timestamp,
    ) -> Result<Option<StoredToken>> {
        Ok(self.find(account, id, now))
    }
}

impl ListTokens for World {
    async fn list_tokens(
        &self,
        account: &AccountId,
        query: &TokenQuery,
        now: Timestamp,
    ) -> Result<Page<Token, TokenId>> {
        let tokens = self.tokens.iter().map(|stored| &stored.token);
        let tokens = tokens.filter(|token| token.account_id == *account && !token.is_purged(now));
        let mut tokens: Vec<_> = tokens
            .filter(|token| query.filter.matches(token))
            .cloned()
            .collect();
        tokens.sort_by(|one, other| one.id.cmp(&other.id));
        if query.order == TokenOrder::Newest {
            tokens.reverse();
        }
        let id = |token: &Token| token.id.clone();
        Ok(page(tokens, id, query.after.as_ref(), query.limit))
    }
}

impl InsertToken for World {
    async fn insert_token(&self, new: &NewToken) -> Result<()> {
        self.write_token(&new.stored.token);
        self.write_audit(&new.audit);
        Ok(())
    }
}

impl ChangeToken for World {
    async fn change_token(&self, change: &TokenChange) -> Result<()> {
        self.write_token(&change.after.token);
        self.write_audit(&change.audit);
        Ok(())
    }
}

impl DeleteToken for World {
    async fn delete_token(&self, _: &StoredToken, audit: &AuditRecord) -> Result<()> {
        self.write_audit(audit);
        Ok(())
    }
}

impl RecordView for World {
    async fn record_view(&self, _: &StoredToken, audit: &AuditRecord) -> Result<()> {
        self.write_audit(audit);
        Ok(())
    }
}

impl RecordAudit for World {
    async fn record_audit(&self, audit: &AuditRecord) -> Result<()> {
        self.write_audit(audit);
        Ok(())
    }
}

impl CompromiseSecret for World {
    async fn compromise_secret(&self, compromise: &Compromise) -> Result<()> {
        match compromise {
            Compromise::OfToken(change) => self.change_token(change).await,
            Compromise::OfTombstone(_, _, audit) => self.record_audit(audit).await,
        }
    }
}

impl GetIdempotency for World {
    async fn get_idempotency(
        &self,
        _: &AccountId,
        _: &str,
        _: Timestamp,
    ) -> Result<Option<IdempotencyRecord>> {
        Ok(None)
    }
}

impl GetSecret for World {
    async fn get_secret(&self, hash: &SecretHash) -> Result<Option<SecretRecord>> {
        Ok(self.secrets.get(hash).cloned())
    }
}

impl RecallSecret for World {
    async fn recall_secret(
        &self,
        hash: &SecretHash,
        _: UsedFrom,
        _: Timestamp,
    ) -> Result<Option<(SecretRecord, Recall)>> {
        let found = self.secrets.get(hash).cloned();
        Ok(found.map(|secret| (secret, Recall::Read(Seen::default()))))
    }

    async fn get_seen(&self, _: &SecretHash) -> Result<Seen> {
        Ok(Seen::default())
    }
}

impl RecordUse for World {
    async fn record_use(&self, used: &Use) -> Result<()> {
        self.write_audit(&used.audit);
        Ok(())
    }
}

impl SpendBudget for World {
    async fn spend_budget(&self, _: &AccountId, _: &Budget, _: Timestamp) -> Result<Spending> {
        Ok(Spending::Granted)
    }
}

impl RefundBudget for World {
    async fn refund_mail(&self, _: &AccountId, _: &UserId, _: Timestamp) -> Result<()> {
        Ok(())
    }
}

impl GetResources for World {
    async fn get_resources(
        &self,
        account: &AccountId,
        names: &[ResourceRef],
    ) -> Result<Vec<Resource>> {
        let resources = self.resources.iter();
        let own = resources.filter(|resource| resource.account_id == *account);
        Ok(own
            .filter(|one| names.contains(&name(one)))
            .cloned()
            .collect())
    }
}

fn name(resource: &Resource) -> ResourceRef {
    ResourceRef {
        kind: resource.kind,
        id: resource.id.clone(),
    }
}

impl ListResources for World {
    async fn list_resources(
        &self,
        account: &AccountId,
        query: &ResourceQuery,
    ) -> Result<Page<Resource, ResourceRef>> {
        let found = self.resources.iter().filter(|resource| {
            resource.account_id == *account
                && query.kind.is_none_or(|kind| kind == resource.kind)
                && query.filter.matches(resource)
        });
        Ok(page(
            found.cloned(),
            name,
            query.after.as_ref(),
            query.limit,
        ))
    }
}

impl ListIntegrations for World {
    async fn list_integrations(
        &self,
        account: &AccountId,
        query: &IntegrationQuery,
    ) -> Result<Page<Integration, IntegrationId>> {
        let own = self
            .integrations
            .iter()
            .filter(|app| app.account_id == *account);
        let found = own.filter(|app| query.matches(app)).cloned();
        let id = |app: &Integration| app.id.clone();
        Ok(page(found, id, query.after.as_ref(), query.limit))
    }
}

impl ListAudit for World {
    async fn list_audit(
        &self,
        account: &AccountId,
        query: &AuditQuery,
    ) -> Result<Page<AuditRecord, AuditId>> {
        let found = self.audit.iter().filter(|record| {
            record.account_id == *account
                && query
                    .token_id
                    .as_ref()
                    .is_none_or(|id| *id == record.token_id)
                && query.from.is_none_or(|from| record.time >= from)
                && query.to.is_none_or(|to| record.time < to)
                && query.filter.matches(record)
        });
        let id = |record: &AuditRecord| record.id.clone();
        Ok(page(found.cloned(), id, query.after.as_ref(), query.limit))
    }
}

impl GetPreferences for World {
    async fn get_preferences(&self, _: &AccountId, _: &UserId) -> Result<Option<MailPreferences>> {
        Ok(None)
    }
}

impl PutPreferences for World {
    async fn put_preferences(&self, _: &AccountId, _: &UserId, _: &MailPreferences) -> Result<()> {
        Ok(())
    }
}

impl ListPreferences for World {
    async fn list_preferences(&self, _: &AccountId) -> Result<Vec<(UserId, MailPreferences)>> {
        Ok(vec![])
    }
}

impl ClaimMail for World {
    async fn claim_mail(&self, _: &str, _: &UserId, _: Timestamp) -> Result<Claim> {
        Ok(Claim::Granted)
    }

    async fn confirm_mail(&self, _: &str, _: &UserId, _: Timestamp) -> Result<()> {
        Ok(())
    }

    async fn release_mail(&self, _: &str, _: &UserId) -> Result<()> {
        Ok(())
    }
}

impl AddToDigest for World {
    async fn add_to_digest(&self, _: &Digest, _: &DigestEntry, _: Timestamp) -> Result<()> {
        Ok(())
    }
}

impl GetSuppression for World {
    async fn get_suppression(&self, _: &str) -> Result<Option<Suppression>> {
        Ok(None)
    }
}

impl SuppressAddress for World {
    async fn suppress_address(
        &self,
        _: &str,
        _: SuppressionReason,
        _: Timestamp,
    ) -> Result<Timestamp> {
        Ok(now())
    }
}

impl NoteFinding for World {
    async fn is_noted(&self, _: &str) -> Result<bool> {
        Ok(false)
    }

    async fn note_finding(&self, _: &str, _: Timestamp) -> Result<()> {
        Ok(())
    }
}

impl CacheKeys for World {
    async fn cached_keys(&self) -> Result<CachedKeys> {
        Ok(self.keys.lock().unwrap().clone())
    }

    async fn claim_fetch(&self, _: Timestamp, _: Timestamp) -> Result<bool> {
        Ok(true)
    }

    async fn cache_keys(&self, list: &str, fetched: Timestamp) -> Result<()> {
        self.keys.lock().unwrap().fetched = Some((list.into(), fetched));
        Ok(())
    }
}

impl ProjectPlatform for World {
    async fn put_account(&self, account: &Account, _: impl Into<EventTime> + Send) -> Result<()> {
        self.write([account.name.clone()]);
        self.write(account.members.iter().map(|member| member.name.clone()));
        Ok(())
    }

    async fn delete_account(
        &self,
        account: &AccountId,
        _: impl Into<EventTime> + Send,
    ) -> Result<bool> {
        Ok(*account == acme().id)
    }

    async fn put_resource(
        &self,
        resource: &Resource,
        _: impl Into<EventTime> + Send,
    ) -> Result<()> {
        self.write([resource.name.clone()]);
        Ok(())
    }

    async fn delete_resource(
        &self,
        _: &AccountId,
        _: &ResourceRef,
        _: impl Into<EventTime> + Send,
    ) -> Result<()> {
        Ok(())
    }

    async fn put_integration(
        &self,
        integration: &Integration,
        _: impl Into<EventTime> + Send,
    ) -> Result<()> {
        self.write([integration.name.clone()]);
        Ok(())
    }

    async fn delete_integration(
        &self,
        _: &AccountId,
        _: &IntegrationId,
        _: impl Into<EventTime> + Send,
    ) -> Result<()> {
        Ok(())
    }

    async fn delete_integrations(
        &self,
        _: &AccountId,
        _: impl Into<EventTime> + Send,
    ) -> Result<()> {
        Ok(())
    }
}
