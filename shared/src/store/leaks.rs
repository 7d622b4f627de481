//! The finds of secrets in public that were dealt with, and the keys with which their reports are signed.

use aws_sdk_dynamodb::types::AttributeValue;
use jiff::{SignedDuration, Timestamp};

use super::items::{expiry, secret_key};
use super::{Item, Store, key, port_error, text};
use crate::domain::leak::FindId;
use crate::domain::ports::{KeepKeys, KeptKeys, PortError, RecordLeak, TokenChange};

/// How long a find is remembered: as long as an audit log is kept at least.
const LIFETIME: SignedDuration = SignedDuration::from_hours(400 * 24);

fn find_key(find: &FindId) -> Item {
    let place = format!("LEAK#{}", find.place());
    key(secret_key(find.secret()), place)
}

fn find_item(find: &FindId, now: Timestamp) -> Item {
    let end = now.checked_add(LIFETIME).unwrap_or(Timestamp::MAX);
    let mut item = find_key(find);
    item.insert(
        "expiresAt".into(),
        AttributeValue::N(expiry(end).to_string()),
    );
    item
}

impl RecordLeak for Store {
    async fn is_known(&self, find: &FindId, now: Timestamp) -> Result<bool, PortError> {
        let item = self.get_item(find_key(find)).await?;
        let end = item.as_ref().and_then(|item| item.get("expiresAt"));
        let end = end.and_then(|end| end.as_n().ok()?.parse::<i64>().ok());
        Ok(end.is_some_and(|end| end > now.as_second()))
    }

    async fn remember_find(&self, find: &FindId, now: Timestamp) -> Result<(), PortError> {
        let put = self.client.put_item().table_name(&self.tables.tokens);
        let put = put.set_item(Some(find_item(find, now)));
        put.send().await.map(drop).map_err(port_error)
    }

    async fn record_leak(&self, find: &FindId, change: &TokenChange) -> Result<(), PortError> {
        let now = change.audit.time;
        let mut writes = self.change_writes(change, None)?;
        writes.push(self.put_over_expired(find_item(find, now), now)?);
        self.transact(writes).await
    }
}

/// Where GitHub's keys are.
fn keys_key() -> Item {
    key("SCANNER#github", "KEYS")
}

fn milliseconds(time: Timestamp) -> AttributeValue {
    AttributeValue::N(time.as_millisecond().to_string())
}

fn time(item: &Item, name: &str) -> Option<Timestamp> {
    let milliseconds = item.get(name)?.as_n().ok()?.parse().ok()?;
    Timestamp::from_millisecond(milliseconds).ok()
}

impl KeepKeys for Store {
    async fn kept_keys(&self) -> Result<KeptKeys, PortError> {
        let item = self.get_item(keys_key()).await?.unwrap_or_default();
        let list = item.get("list").and_then(|list| list.as_s().ok());
        Ok(KeptKeys {
            fetched: list.cloned().zip(time(&item, "fetchedAt")),
            asked: time(&item, "askedAt"),
        })
    }

    async fn note_asking(&self, now: Timestamp, since: Timestamp) -> Result<bool, PortError> {
        let update = self.client.update_item().table_name(&self.tables.tokens);
        let noted = update
            .set_key(Some(keys_key()))
            .update_expression("SET askedAt = :now")
            .condition_expression("attribute_not_exists(askedAt) OR askedAt <= :since")
            .expression_attribute_values(":now", milliseconds(now))
            .expression_attribute_values(":since", milliseconds(since))
            .send()
            .await;
        match noted.map_err(port_error) {
            Ok(_) => Ok(true),
            Err(PortError::Conflict) => Ok(false),
            Err(error) => Err(error),
        }
    }

    async fn keep_keys(&self, list: &str, fetched: Timestamp) -> Result<(), PortError> {
        let update = self.client.update_item().table_name(&self.tables.tokens);
        let kept = update
            .set_key(Some(keys_key()))
            .update_expression("SET #list = :list, fetchedAt = :fetched")
            .condition_expression("attribute_not_exists(fetchedAt) OR fetchedAt < :fetched")
            .expression_attribute_names("#list", "list")
            .expression_attribute_values(":list", text(list))
            .expression_attribute_values(":fetched", milliseconds(fetched))
            .send()
            .await;
        match kept.map_err(port_error) {
            Ok(_) | Err(PortError::Conflict) => Ok(()),
            Err(error) => Err(error),
        }
    }
}
