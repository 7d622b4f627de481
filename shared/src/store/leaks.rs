//! The finds of secrets in public that were dealt with.

use aws_sdk_dynamodb::types::AttributeValue;
use jiff::{SignedDuration, Timestamp};

use super::items::{expiry, secret_key};
use super::{Item, Store, key, port_error};
use crate::domain::leak::FindId;
use crate::domain::ports::{PortError, RecordLeak, TokenChange};

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
