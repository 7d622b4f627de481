//! What a replay of the audit log over restored tables reads and writes.

use aws_sdk_dynamodb::error::ProvideErrorMetadata;
use aws_sdk_dynamodb::types::{AttributeValue, Delete, TransactWriteItem};
use futures_util::future::try_join;
use jiff::{SignedDuration, Timestamp};

use super::expression::set_all;
use super::items::{
    AuditItem, FORMER_SECRET_ATTRIBUTES, FORMER_TOKEN_ATTRIBUTES, SecretItem, TokenItem,
    account_key, to_item, token_key, use_key, without_nulls,
};
use super::migration::ScanPosition;
use super::paging::read_all;
use super::table::{Item, Store, built, key, parse, text};
use super::tokens::as_read;
use super::upkeep::RemindedItem;
use crate::aws::port_error;
use crate::domain::action::Action;
use crate::domain::audit::AuditRecord;
use crate::domain::id::{AccountId, AuditId, TokenId};
use crate::domain::replay::Replayed;
use crate::domain::token::StoredToken;
use crate::domain::upkeep::SentReminder;
use crate::domain::verification::SecretRecord;
use crate::ports::PortError;

/// How long after a token's end the record of its purge may be written. Its id has the time of the end. DynamoDB removes
/// an item within a few days, and the stream's records are retried for a day.
const LATE_PURGE: SignedDuration = SignedDuration::from_hours(10 * 24);

/// A record of an audit table as it is stored.
#[derive(Debug, Clone)]
pub struct StoredRecord {
    /// The account.
    pub account: AccountId,
    item: Item,
}

/// A token of a restored table, with the last warning of its end.
pub type Restored = (StoredToken, Option<SentReminder>);

impl Store {
    /// Whether one of the tables has a stream.
    ///
    /// # Errors
    /// The tables can't be described.
    pub async fn has_stream(&self) -> Result<bool, PortError> {
        for table in [&self.tables.tokens, &self.tables.audit] {
            let described = self.client.describe_table().table_name(table).send().await;
            let described = described.map_err(port_error)?.table;
            let stream = described.and_then(|table| table.stream_specification);
            if stream.is_some_and(|stream| stream.stream_enabled) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The records of a megabyte of the audit table that may have been written since `since`, and the position from
    /// which to continue.
    ///
    /// # Errors
    /// The table can't be read.
    pub async fn scan_audit(
        &self,
        since: Timestamp,
        position: Option<ScanPosition>,
    ) -> Result<(Vec<StoredRecord>, Option<ScanPosition>), PortError> {
        let purges = since.checked_sub(LATE_PURGE).unwrap_or(Timestamp::MIN);
        let output = self
            .client
            .scan()
            .table_name(&self.tables.audit)
            .consistent_read(true)
            .filter_expression("sk >= :since OR (#action = :purge AND sk >= :purges)")
            .expression_attribute_names("#action", "action")
            .expression_attribute_values(":since", text(AuditId::first_of(since)))
            .expression_attribute_values(":purge", text(Action::Purge.as_str()))
            .expression_attribute_values(":purges", text(AuditId::first_of(purges)))
            .set_exclusive_start_key(position.map(|position| position.0))
            .send()
            .await
            .map_err(port_error)?;
        let records = output.items.unwrap_or_default().into_iter().map(|item| {
            let account = item.get("accountId").and_then(|id| id.as_s().ok());
            let account = account.and_then(|id| id.parse().ok());
            let account =
                account.ok_or_else(|| PortError::Broken("a record has no account".into()))?;
            Ok(StoredRecord { account, item })
        });
        let records = records.collect::<Result<_, PortError>>()?;
        Ok((records, output.last_evaluated_key.map(ScanPosition)))
    }

    /// Whether the audit table has a record.
    ///
    /// # Errors
    /// The table can't be read.
    pub async fn has_record(&self, record: &StoredRecord) -> Result<bool, PortError> {
        let keys = ["pk", "sk"].map(|name| (name.to_owned(), record.item.get(name).cloned()));
        let keys = keys.into_iter().map(|(name, value)| Some((name, value?)));
        let read = self
            .client
            .get_item()
            .table_name(&self.tables.audit)
            .set_key(keys.collect())
            .consistent_read(true)
            .send()
            .await;
        Ok(read.map_err(port_error)?.item.is_some())
    }

    /// Puts a record into the audit table as it is, unless it is there. Returns whether it wasn't.
    ///
    /// # Errors
    /// The table can't be written.
    pub async fn copy_record(&self, record: &StoredRecord) -> Result<bool, PortError> {
        let sent = self
            .client
            .put_item()
            .table_name(&self.tables.audit)
            .set_item(Some(record.item.clone()))
            .condition_expression("attribute_not_exists(pk)")
            .send()
            .await;
        match sent {
            Ok(_) => Ok(true),
            Err(error) if error.code() == Some("ConditionalCheckFailedException") => Ok(false),
            Err(error) => Err(port_error(error)),
        }
    }

    /// An account's records since `since`, uses included, in the order of their times.
    ///
    /// # Errors
    /// The table can't be read, or a record doesn't parse.
    pub async fn records_since(
        &self,
        account: &AccountId,
        since: Timestamp,
    ) -> Result<Vec<AuditRecord>, PortError> {
        let (mut records, uses) = try_join(
            self.partition_since(account_key(account), since),
            self.partition_since(use_key(account), since),
        )
        .await?;
        records.extend(uses);
        records.sort_by(|one, other| (one.time, &one.id).cmp(&(other.time, &other.id)));
        Ok(records)
    }

    async fn partition_since(
        &self,
        partition: String,
        since: Timestamp,
    ) -> Result<Vec<AuditRecord>, PortError> {
        let query = self
            .client
            .query()
            .table_name(&self.tables.audit)
            .key_condition_expression("pk = :pk AND sk >= :since")
            .expression_attribute_values(":pk", text(partition))
            .expression_attribute_values(":since", text(AuditId::first_of(since)))
            .consistent_read(true);
        read_all(query, |item| Ok(parse::<AuditItem>(item)?.into())).await
    }

    /// A token of the restored table, purged or not; `None` if there is none.
    ///
    /// # Errors
    /// The token can't be read or parsed.
    pub async fn restored(
        &self,
        account: &AccountId,
        id: &TokenId,
    ) -> Result<Option<Restored>, PortError> {
        let item = self.get_item(key(account_key(account), token_key(id)));
        let Some(item) = item.await? else {
            return Ok(None);
        };
        let reminded = parse::<RemindedItem>(item.clone())?.reminded;
        let stored = StoredToken::from(parse::<TokenItem>(item)?);
        let stored = self.with_last_uses(vec![stored], true).await?.pop();
        Ok(stored.map(|stored| (stored, reminded)))
    }

    /// Writes what a replay made of a token, and the record of that, or nothing.
    ///
    /// # Errors
    /// [`PortError::Conflict`] if the token differs from what was read.
    pub async fn write_replayed(
        &self,
        before: &StoredToken,
        replayed: &Replayed,
        audit: Option<&AuditRecord>,
    ) -> Result<(), PortError> {
        let known: Vec<_> = before.secret_hashes().collect();
        let mut writes = Vec::new();
        let mut kept = Vec::new();
        if let Some(after) = &replayed.after {
            let mut item = to_item(&TokenItem::from(after))?;
            if let Some(reminded) = replayed.reminded {
                item.insert("reminded".into(), AttributeValue::M(to_item(&reminded)?));
            }
            let version = AttributeValue::N(before.token.version.to_string());
            let update = set_all(item, &FORMER_TOKEN_ATTRIBUTES)
                .condition_expression("#version = :version_read")
                .expression_attribute_values(":version_read", version);
            writes.push(self.update(update)?);
            for secret in SecretRecord::all_of(after) {
                let hash = secret.hash;
                let item = to_item(&SecretItem::of(secret))?;
                writes.push(if known.contains(&hash) {
                    let update = set_all(item, &FORMER_SECRET_ATTRIBUTES);
                    self.update(update.condition_expression("attribute_exists(pk)"))?
                } else {
                    self.put(without_nulls(item))?
                });
                kept.push(hash);
            }
        } else {
            let (key, condition, names, values) = as_read(&before.token);
            let delete = Delete::builder()
                .table_name(&self.tables.tokens)
                .set_key(Some(key))
                .condition_expression(condition)
                .set_expression_attribute_names(Some(names))
                .set_expression_attribute_values(Some(values));
            let delete = built(delete.build())?;
            writes.push(TransactWriteItem::builder().delete(delete).build());
        }
        for secret in SecretRecord::all_of(before) {
            if kept.contains(&secret.hash) {
                continue;
            }
            let missing = || PortError::Broken("a secret has no end".into());
            let end = replayed.ended.get(&secret.hash).copied();
            let (state, ended) = end.ok_or_else(missing)?;
            writes.push(self.bury_secret(secret, state, ended)?);
        }
        if let Some(audit) = audit {
            writes.push(self.put_audit(audit)?);
        }
        self.transact(writes).await
    }
}
