//! Tokens with their secrets. Every change is one transaction with its audit record.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::builders::UpdateBuilder;
use aws_sdk_dynamodb::types::{AttributeValue, ConditionCheck, Delete, Put, TransactWriteItem};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::expression::set_all;
use super::items::{
    FORMER_SECRET_ATTRIBUTES, FORMER_TOKEN_ATTRIBUTES, PROFILE, SecretItem, TOKEN_PREFIX,
    TokenItem, account_key, expiry, idempotency_key, profile_key, to_item, token_key,
    without_nulls,
};
use super::paging::{collect, position};
use super::table::{Item, Store, built, key, parse, text};
use crate::aws::port_error;
use crate::domain::audit::AuditRecord;
use crate::domain::change::{IdempotencyRecord, NewToken, TokenChange};
use crate::domain::id::{AccountId, TokenId};
use crate::domain::paging::{Page, TokenFilter, TokenOrder, TokenQuery};
use crate::domain::secret::SecretHash;
use crate::domain::token::{Ended, Status, StoredToken, Token};
use crate::domain::verification::{SecretRecord, SecretState};
use crate::ports::{
    ChangeToken, DeleteToken, GetIdempotency, GetToken, InsertToken, ListTokens, PortError,
    RecordView,
};

/// How long a repeated request is recognised.
const IDEMPOTENCY_LIFETIME: SignedDuration = SignedDuration::from_hours(24);

/// A token's key, and the condition that the token is as it was read, with the condition's names and values.
pub(super) fn as_read(token: &Token) -> (Item, &'static str, HashMap<String, String>, Item) {
    let version = AttributeValue::N(token.version.to_string());
    (
        key(account_key(&token.account_id), token_key(&token.id)),
        "#version = :version",
        HashMap::from([("#version".into(), "version".into())]),
        HashMap::from([(":version".into(), version)]),
    )
}

impl GetToken for Store {
    async fn get_token(
        &self,
        account: &AccountId,
        id: &TokenId,
        now: Timestamp,
    ) -> Result<Option<StoredToken>, PortError> {
        let item = self
            .get_item(key(account_key(account), token_key(id)))
            .await?;
        let stored = item
            .map(|item| parse::<TokenItem>(item).map(StoredToken::from))
            .transpose()?;
        let Some(stored) = stored.filter(|stored| !stored.token.is_purged(now)) else {
            return Ok(None);
        };
        Ok(self.with_last_uses(vec![stored], true).await?.pop())
    }
}

impl ListTokens for Store {
    async fn list_tokens(
        &self,
        account: &AccountId,
        query: &TokenQuery,
        now: Timestamp,
    ) -> Result<Page<Token, TokenId>, PortError> {
        let page = collect(
            query.limit,
            query.filter != TokenFilter::default(),
            query.after.clone(),
            |after, limit| self.read_tokens(account, query.order, after, limit),
            |stored| stored.token.id.clone(),
            |stored| !stored.token.is_purged(now) && query.filter.matches(&stored.token),
        )
        .await?;
        let items = self.with_last_uses(page.items, false).await?;
        Ok(Page {
            items: items.into_iter().map(|stored| stored.token).collect(),
            next: page.next,
        })
    }
}

impl InsertToken for Store {
    async fn insert_token(&self, new: &NewToken) -> Result<(), PortError> {
        let token = without_nulls(to_item(&TokenItem::from(&new.stored))?);
        let mut writes = vec![
            self.account_exists(&new.stored.token.account_id)?,
            self.put(token)?,
        ];
        for secret in SecretRecord::all_of(&new.stored) {
            let item = to_item(&SecretItem::of(secret))?;
            writes.push(self.put(without_nulls(item))?);
        }
        if let Some(record) = &new.idempotency {
            let now = new.audit.time;
            writes.push(self.put_idempotency(&new.stored.token.account_id, record, now)?);
        }
        writes.push(self.put_audit(&new.audit)?);
        self.transact(writes).await
    }
}

impl ChangeToken for Store {
    async fn change_token(&self, change: &TokenChange) -> Result<(), PortError> {
        let writes = self.change_writes(change)?;
        self.transact(writes).await
    }
}

impl DeleteToken for Store {
    async fn delete_token(
        &self,
        deleted: &StoredToken,
        audit: &AuditRecord,
    ) -> Result<(), PortError> {
        let mut writes = vec![self.delete_as_read(&deleted.token)?];
        let ended = Ended {
            at: audit.time,
            by: audit.action,
        };
        for secret in SecretRecord::all_of(deleted) {
            writes.push(self.bury_secret(secret, SecretState::Ended, ended)?);
        }
        writes.push(self.put_audit(audit)?);
        self.transact(writes).await
    }
}

impl RecordView for Store {
    async fn record_view(
        &self,
        viewed: &StoredToken,
        audit: &AuditRecord,
    ) -> Result<(), PortError> {
        let token = &viewed.token;
        let (key, condition, names, values) = as_read(token);
        let check = ConditionCheck::builder()
            .table_name(&self.tables.tokens)
            .set_key(Some(key))
            .condition_expression(condition)
            .set_expression_attribute_names(Some(names))
            .set_expression_attribute_values(Some(values));
        let check = built(check.build())?;
        self.transact(vec![
            TransactWriteItem::builder().condition_check(check).build(),
            self.put_audit(audit)?,
        ])
        .await
    }
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct IdempotencyItem {
    pk: String,
    sk: String,
    key: String,
    fingerprint: String,
    token_id: TokenId,
    expires_at: i64,
}

impl GetIdempotency for Store {
    async fn get_idempotency(
        &self,
        account: &AccountId,
        idempotency: &str,
        now: Timestamp,
    ) -> Result<Option<IdempotencyRecord>, PortError> {
        let item_key = key(account_key(account), idempotency_key(idempotency));
        let item = self.get_item(item_key).await?;
        let item: Option<IdempotencyItem> = item.map(parse).transpose()?;
        Ok(item
            .filter(|item| item.expires_at > now.as_second())
            .map(|item| IdempotencyRecord {
                key: item.key,
                fingerprint: item.fingerprint,
                token_id: item.token_id,
            }))
    }
}

impl Store {
    /// The deletion of a token's item, provided that the token is as it was read.
    pub(super) fn delete_as_read(&self, token: &Token) -> Result<TransactWriteItem, PortError> {
        let (key, condition, names, values) = as_read(token);
        let delete = Delete::builder()
            .table_name(&self.tables.tokens)
            .set_key(Some(key))
            .condition_expression(condition)
            .set_expression_attribute_names(Some(names))
            .set_expression_attribute_values(Some(values));
        Ok(TransactWriteItem::builder()
            .delete(built(delete.build())?)
            .build())
    }

    /// The writes of a change: token, all secrets, idempotency record and audit record. A secret that the token no
    /// longer has stays as a tombstone.
    pub(super) fn change_writes(
        &self,
        change: &TokenChange,
    ) -> Result<Vec<TransactWriteItem>, PortError> {
        let after = &change.after;
        let mut writes = Vec::new();
        let is_end = change.compromised.is_some();
        if after.token.status() == Status::Active && !is_end {
            // An active token needs an existing account, so a concurrent deletion wins. The end of a secret needs no
            // such condition.
            writes.push(self.account_exists(&after.token.account_id)?);
        }
        let ended = Ended {
            at: change.audit.time,
            by: change.audit.action,
        };
        writes.extend(self.state_writes(&change.before, after, change.compromised, ended)?);
        if let Some(record) = &change.idempotency {
            let now = change.audit.time;
            writes.push(self.put_idempotency(&after.token.account_id, record, now)?);
        }
        writes.push(self.put_audit(&change.audit)?);
        Ok(writes)
    }

    /// The writes of a token and of all secrets that it has or had. `ended` is when and by what the secrets ended that
    /// it no longer has.
    pub(super) fn state_writes(
        &self,
        before: &StoredToken,
        after: &StoredToken,
        compromised: Option<SecretHash>,
        ended: Ended,
    ) -> Result<Vec<TransactWriteItem>, PortError> {
        let mut writes = Vec::new();
        let item = to_item(&TokenItem::from(after))?;
        let update = set_all(item, &FORMER_TOKEN_ATTRIBUTES)
            .condition_expression("#version = :version_read")
            .expression_attribute_values(
                ":version_read",
                AttributeValue::N(before.token.version.to_string()),
            );
        writes.push(self.update(update)?);
        let known: Vec<_> = before.secret_hashes().collect();
        let kept: Vec<_> = after.secret_hashes().collect();
        let was_compromised = before.token.compromised.is_some();
        for secret in SecretRecord::all_of(after) {
            let (is_known, is_compromised) = (
                known.contains(&secret.hash),
                compromised == Some(secret.hash),
            );
            let item = to_item(&SecretItem::of(secret))?;
            writes.push(if is_known {
                let update = set_all(item, &FORMER_SECRET_ATTRIBUTES);
                self.update(if is_compromised || was_compromised {
                    update.condition_expression("attribute_exists(pk)")
                } else {
                    not_compromised(update)
                })?
            } else {
                self.put(without_nulls(item))?
            });
        }
        for secret in SecretRecord::all_of(before) {
            if kept.contains(&secret.hash) {
                continue;
            }
            let state = if compromised == Some(secret.hash) {
                SecretState::Compromised
            } else {
                SecretState::Ended
            };
            writes.push(self.bury_secret(secret, state, ended)?);
        }
        Ok(writes)
    }

    /// Up to `limit` tokens after `after` in that order, and the position from which to continue, if there may be more.
    async fn read_tokens(
        &self,
        account: &AccountId,
        order: TokenOrder,
        after: Option<TokenId>,
        limit: usize,
    ) -> Result<(Vec<StoredToken>, Option<TokenId>), PortError> {
        let start = after.map(|id| key(account_key(account), token_key(&id)));
        let output = self
            .query_partition(account_key(account), TOKEN_PREFIX, start, limit)
            .scan_index_forward(order == TokenOrder::Oldest)
            .send()
            .await
            .map_err(port_error)?;
        let position = position(output.last_evaluated_key, |sort_key| {
            sort_key.strip_prefix(TOKEN_PREFIX)?.parse().ok()
        })?;
        let tokens = output
            .items
            .unwrap_or_default()
            .into_iter()
            .map(|item| parse::<TokenItem>(item).map(StoredToken::from))
            .collect::<Result<_, _>>()?;
        Ok((tokens, position))
    }

    fn account_exists(&self, account: &AccountId) -> Result<TransactWriteItem, PortError> {
        let check = ConditionCheck::builder()
            .table_name(&self.tables.tokens)
            .set_key(Some(key(profile_key(account), PROFILE)))
            .condition_expression("attribute_exists(pk) AND attribute_not_exists(deletedAt)");
        Ok(TransactWriteItem::builder()
            .condition_check(built(check.build())?)
            .build())
    }

    pub(super) fn put(&self, item: Item) -> Result<TransactWriteItem, PortError> {
        let put = Put::builder()
            .table_name(&self.tables.tokens)
            .set_item(Some(item))
            .condition_expression("attribute_not_exists(pk)");
        Ok(TransactWriteItem::builder()
            .put(built(put.build())?)
            .build())
    }

    /// The write that turns a secret that its token no longer has into a tombstone. The state of a compromised secret
    /// never changes.
    pub(super) fn bury_secret(
        &self,
        secret: SecretRecord,
        state: SecretState,
        ended: Ended,
    ) -> Result<TransactWriteItem, PortError> {
        let was_compromised = secret.state == SecretState::Compromised;
        let buried = if was_compromised {
            secret
        } else {
            secret.end(state, ended)
        };
        let item = to_item(&SecretItem::tombstone(buried, ended.at))?;
        let update = set_all(item, &FORMER_SECRET_ATTRIBUTES);
        // The table may have removed a secret whose grace period ended long ago. That doesn't prevent the change.
        self.update(if was_compromised {
            update
        } else {
            unless_compromised(
                update,
                "(attribute_not_exists(#state) OR #state <> :compromised)",
            )
        })
    }

    pub(super) fn update(&self, update: UpdateBuilder) -> Result<TransactWriteItem, PortError> {
        let update = built(update.table_name(&self.tables.tokens).build())?;
        Ok(TransactWriteItem::builder().update(update).build())
    }

    fn put_idempotency(
        &self,
        account: &AccountId,
        record: &IdempotencyRecord,
        now: Timestamp,
    ) -> Result<TransactWriteItem, PortError> {
        let end = now
            .checked_add(IDEMPOTENCY_LIFETIME)
            .unwrap_or(Timestamp::MAX);
        let item = to_item(&IdempotencyItem {
            pk: account_key(account),
            sk: idempotency_key(&record.key),
            key: record.key.clone(),
            fingerprint: record.fingerprint.clone(),
            token_id: record.token_id.clone(),
            expires_at: expiry(end),
        })?;
        self.put_over_expired(item, now)
    }

    /// The put of an item with a time to live. DynamoDB removes such items some time after they have expired; until
    /// then, the put may replace an expired one.
    pub(super) fn put_over_expired(
        &self,
        item: Item,
        now: Timestamp,
    ) -> Result<TransactWriteItem, PortError> {
        let put = Put::builder()
            .table_name(&self.tables.tokens)
            .set_item(Some(item))
            .condition_expression("attribute_not_exists(pk) OR expiresAt <= :now")
            .expression_attribute_values(":now", AttributeValue::N(now.as_second().to_string()));
        Ok(TransactWriteItem::builder()
            .put(built(put.build())?)
            .build())
    }
}

/// Adds the condition that the secret exists and isn't compromised.
fn not_compromised(update: UpdateBuilder) -> UpdateBuilder {
    // The first version stored no states.
    unless_compromised(
        update,
        "attribute_exists(pk) AND (attribute_not_exists(#state) OR #state <> :compromised)",
    )
}

/// Adds a condition on the secret's state.
fn unless_compromised(update: UpdateBuilder, condition: &str) -> UpdateBuilder {
    update
        .condition_expression(condition)
        .expression_attribute_names("#state", "state")
        .expression_attribute_values(":compromised", text(SecretState::Compromised.as_str()))
}

/// The token of a stream image of the table; `None` for items of other kinds.
///
/// # Errors
/// The image is that of a token and doesn't parse.
pub fn token_of_image(image: serde_dynamo::Item) -> Result<Option<StoredToken>, PortError> {
    let sk = image.get("sk");
    if !matches!(sk, Some(serde_dynamo::AttributeValue::S(sk)) if sk.starts_with(TOKEN_PREFIX)) {
        return Ok(None);
    }
    serde_dynamo::from_item::<_, TokenItem>(image)
        .map(|item| Some(StoredToken::from(item)))
        .map_err(|error| PortError::broken("a token doesn't parse", error))
}
