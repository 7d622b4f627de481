//! The items that verifications read, and the recording of uses.

use std::time::Duration;

use aws_sdk_dynamodb::types::{AttributeValue, TransactWriteItem, Update};

use super::items::{SECRET, account_key, read_secret, secret_key, token_key};
use super::{Cancellation, Store, built, key, text};
use crate::domain::ports::{GetSecret, PortError, RecordUse, Use};
use crate::domain::secret::SecretHash;
use crate::domain::token::Status;
use crate::domain::verification::{MAX_SEEN_ADDRESSES, SecretRecord};

impl GetSecret for Store {
    async fn get_secret(&self, hash: &SecretHash) -> Result<Option<SecretRecord>, PortError> {
        let item = self.get_item(key(secret_key(*hash), SECRET)).await?;
        item.map(|item| read_secret(*hash, item)).transpose()
    }
}

/// How long a use that could not be recorded waits before it is looked at again.
const PAUSE: Duration = Duration::from_millis(20);

impl RecordUse for Store {
    async fn record_use(&self, used: &Use) -> Result<(), PortError> {
        let Some(day) = used.seen.day else {
            return Err(PortError::Broken("a use has no day".into()));
        };
        let ip = used.last_use.ip.to_string();
        let update = Update::builder()
            .table_name(&self.tables.tokens)
            .set_key(Some(key(secret_key(used.secret.hash), SECRET)))
            .expression_attribute_names("#status", "status")
            .expression_attribute_values(":active", text(Status::Active.as_str()))
            .expression_attribute_values(":day", text(day.to_string()))
            .expression_attribute_values(":ips", AttributeValue::Ss(vec![ip.clone()]));
        // Concurrent first calls pass the condition once; the others read again and see it on record.
        let update = if used.secret.seen.day == used.seen.day {
            update
                .update_expression("ADD seenAddresses :ips")
                .condition_expression(
                    "#status = :active AND seenDay = :day AND NOT contains(seenAddresses, :ip) \
                     AND size(seenAddresses) < :most",
                )
                .expression_attribute_values(":ip", text(ip.clone()))
                .expression_attribute_values(
                    ":most",
                    AttributeValue::N(MAX_SEEN_ADDRESSES.to_string()),
                )
        } else {
            update
                .update_expression("SET seenDay = :day, seenAddresses = :ips")
                .condition_expression(
                    "#status = :active AND (attribute_not_exists(seenDay) OR seenDay < :day)",
                )
        };
        let token = Update::builder()
            .table_name(&self.tables.tokens)
            .set_key(Some(key(
                account_key(&used.secret.account_id),
                token_key(&used.secret.token_id),
            )))
            .update_expression("SET lastUsedAt = :at, lastUsedIp = :ip, lastActivity = :second")
            .condition_expression("#status = :active")
            .expression_attribute_names("#status", "status")
            .expression_attribute_values(":active", text(Status::Active.as_str()))
            .expression_attribute_values(":at", text(used.last_use.at.to_string()))
            .expression_attribute_values(
                ":second",
                AttributeValue::N(used.last_use.at.as_second().to_string()),
            )
            .expression_attribute_values(":ip", text(ip));
        let writes = vec![
            TransactWriteItem::builder()
                .update(built(update.build())?)
                .build(),
            TransactWriteItem::builder()
                .update(built(token.build())?)
                .build(),
            self.put_audit(&used.audit)?,
        ];
        match self.transact_once(writes).await {
            // Many first calls at once are in each other's way, or exhaust the item's partition, and all but
            // one of them have nothing left to write when they look again.
            Err(Cancellation::Collision | Cancellation::Throttled(_)) => {
                tokio::time::sleep(PAUSE).await;
                Err(PortError::Conflict)
            }
            done => Ok(done?),
        }
    }
}
