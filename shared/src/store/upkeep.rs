//! The indexes over the active tokens of all accounts. Their content may be slightly out of date, so every decision is
//! made again on the token itself.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::{AttributeValue, ConditionCheck, TransactWriteItem, Update};
use jiff::Timestamp;
use serde::Deserialize;

use super::items::{
    SEEN, SHARDS, TokenItem, account_key, seen_key, shard_key, to_item, token_key, token_of_keys,
};
use super::table::{Item, Store, built, key, parse, text};
use crate::aws::port_error;
use crate::domain::auto_purge::AutoPurge;
use crate::domain::change::TokenChange;
use crate::domain::id::{AccountId, TokenId};
use crate::domain::paging::Page;
use crate::domain::token::{Status, StoredToken, Token};
use crate::domain::upkeep::{ExpiringToken, SentReminder, ShardPosition};
use crate::ports::{ListExpiring, PortError, RecordReminder, Reminder, RevokeIdle};

/// The number of an index's entries that are read at a time.
const PAGE: i32 = 1_000;

/// An entry of the index by end.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct EndingItem {
    auto_purge: AutoPurge,
    purge_at: Timestamp,
    reminded: Option<SentReminder>,
}

/// The attributes of a token's item that aren't part of the token.
#[derive(Debug, Deserialize)]
pub(super) struct RemindedItem {
    pub(super) reminded: Option<SentReminder>,
}

/// A range of an index.
pub(super) struct Range {
    pub(super) index: &'static str,
    pub(super) attribute: &'static str,
    /// The range in seconds, including both bounds.
    pub(super) from: i64,
    pub(super) to: i64,
}

fn number(value: i64) -> AttributeValue {
    AttributeValue::N(value.to_string())
}

impl ListExpiring for Store {
    async fn list_expiring(
        &self,
        now: Timestamp,
        until: Timestamp,
        position: Option<ShardPosition>,
    ) -> Result<Page<ExpiringToken, ShardPosition>, PortError> {
        let range = Range {
            index: "byEnd",
            attribute: "expiresAt",
            from: now.as_second(),
            to: until.as_second(),
        };
        let page = self.read_index(&range, position, PAGE).await?;
        let mut items = Vec::with_capacity(page.items.len());
        for ((account_id, token_id), item) in page.items {
            let item = parse::<EndingItem>(item)?;
            items.push(ExpiringToken {
                account_id,
                token_id,
                auto_purge: item.auto_purge,
                purge_at: item.purge_at,
                reminded: item.reminded,
            });
        }
        Ok(Page {
            items,
            next: page.next,
        })
    }

    async fn get_expiring(
        &self,
        account: &AccountId,
        id: &TokenId,
        now: Timestamp,
    ) -> Result<Option<(Token, Option<SentReminder>)>, PortError> {
        let item = self
            .get_item(key(account_key(account), token_key(id)))
            .await?;
        let Some(item) = item else { return Ok(None) };
        let reminded = parse::<RemindedItem>(item.clone())?.reminded;
        let token = StoredToken::from(parse::<TokenItem>(item)?).token;
        Ok((!token.is_purged(now)).then_some((token, reminded)))
    }
}

impl RecordReminder for Store {
    async fn record_reminder(&self, reminder: &Reminder) -> Result<(), PortError> {
        let (audit, reminded) = (&reminder.audit, reminder.reminded);
        let update = Update::builder()
            .table_name(&self.tables.tokens)
            .set_key(Some(key(
                account_key(&audit.account_id),
                token_key(&audit.token_id),
            )))
            .update_expression("SET reminded = :reminded")
            .condition_expression(
                "#status = :active AND purgeAt = :end AND (attribute_not_exists(reminded) \
                 OR reminded.purgeAt <> :end OR reminded.#days > :days)",
            )
            .expression_attribute_names("#status", "status")
            .expression_attribute_names("#days", "days")
            .expression_attribute_values(":reminded", AttributeValue::M(to_item(&reminded)?))
            .expression_attribute_values(":active", text(Status::Active.as_str()))
            .expression_attribute_values(":end", text(reminded.purge_at.to_string()))
            .expression_attribute_values(":days", number(reminded.days.into()));
        self.transact(vec![
            TransactWriteItem::builder()
                .update(built(update.build())?)
                .build(),
            self.put_audit(audit)?,
        ])
        .await
    }
}

impl RevokeIdle for Store {
    async fn list_idle(
        &self,
        since: Timestamp,
        position: Option<ShardPosition>,
    ) -> Result<Page<(AccountId, TokenId), ShardPosition>, PortError> {
        let range = Range {
            index: "byActivity",
            attribute: "lastActivity",
            from: 0,
            to: since.as_second(),
        };
        let page = self.read_index(&range, position, PAGE).await?;
        Ok(Page {
            items: page.items.into_iter().map(|(token, _)| token).collect(),
            next: page.next,
        })
    }

    async fn change_idle(&self, change: &TokenChange, since: Timestamp) -> Result<(), PortError> {
        let mut writes = self.change_writes(change)?;
        for hash in change.before.secret_hashes() {
            let check = ConditionCheck::builder()
                .table_name(&self.tables.tokens)
                .set_key(Some(key(seen_key(hash), SEEN)))
                .condition_expression(
                    "attribute_not_exists(lastActivity) OR lastActivity <= :idle_since",
                )
                .expression_attribute_values(":idle_since", number(since.as_second()));
            let check = built(check.build())?;
            writes.push(TransactWriteItem::builder().condition_check(check).build());
        }
        self.transact(writes).await
    }

    async fn record_activity(&self, used: &StoredToken) -> Result<(), PortError> {
        let token = &used.token;
        let update = self.client.update_item().table_name(&self.tables.tokens);
        let noted = update
            .set_key(Some(key(
                account_key(&token.account_id),
                token_key(&token.id),
            )))
            .update_expression("SET lastActivity = :second")
            .condition_expression("#version = :version")
            .expression_attribute_names("#version", "version")
            .expression_attribute_values(":second", number(token.last_activity().as_second()))
            .expression_attribute_values(":version", AttributeValue::N(token.version.to_string()))
            .send()
            .await;
        match noted.map_err(port_error) {
            Ok(_) | Err(PortError::Conflict) => Ok(()),
            Err(error) => Err(error),
        }
    }
}

impl Store {
    /// A page of one shard of an index, with the entry of each token. The last page of a shard is followed by the first
    /// page of the next one.
    pub(super) async fn read_index(
        &self,
        range: &Range,
        position: Option<ShardPosition>,
        limit: i32,
    ) -> Result<Page<((AccountId, TokenId), Item), ShardPosition>, PortError> {
        let position = position.unwrap_or(ShardPosition {
            shard: 0,
            last: None,
        });
        let shard = position.shard;
        let start = position.last.map(|(time, account, token)| {
            let mut start = key(account_key(&account), token_key(&token));
            start.insert("activeShard".into(), text(shard_key(shard)));
            start.insert(range.attribute.into(), number(time));
            start
        });
        let output = self
            .client
            .query()
            .table_name(&self.tables.tokens)
            .index_name(range.index)
            .key_condition_expression("activeShard = :shard AND #time BETWEEN :from AND :to")
            .expression_attribute_names("#time", range.attribute)
            .expression_attribute_values(":shard", text(shard_key(shard)))
            .expression_attribute_values(":from", number(range.from))
            .expression_attribute_values(":to", number(range.to))
            .set_exclusive_start_key(start)
            .limit(limit)
            .send()
            .await
            .map_err(port_error)?;
        let mut items = Vec::new();
        for item in output.items.unwrap_or_default() {
            items.push((token_of(&item)?, item));
        }
        let next = match output.last_evaluated_key {
            Some(last) => {
                let time = last.get(range.attribute).and_then(|time| time.as_n().ok());
                let time = time.and_then(|time| time.parse().ok());
                let unknown = || PortError::Broken("a query of an index ended nowhere".into());
                let (account, token) = token_of(&last)?;
                Some(ShardPosition {
                    shard,
                    last: Some((time.ok_or_else(unknown)?, account, token)),
                })
            }
            None => Some(shard + 1)
                .filter(|shard| *shard < SHARDS)
                .map(|shard| ShardPosition { shard, last: None }),
        };
        Ok(Page { items, next })
    }
}

/// The token of an index entry.
fn token_of(item: &HashMap<String, AttributeValue>) -> Result<(AccountId, TokenId), PortError> {
    let part = |name: &str| item.get(name).and_then(|value| value.as_s().ok());
    part("pk")
        .zip(part("sk"))
        .and_then(|(pk, sk)| token_of_keys(pk, sk))
        .ok_or_else(|| PortError::Broken("an index holds what is no token".into()))
}
