//! Compromised secrets, and the public keys that verify reports of finds.

use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValuesOnConditionCheckFailure, Update};
use jiff::Timestamp;

use super::items::{SECRET, expiry, secret_key};
use super::mark::Mark;
use super::table::{Item, Store, key, text};
use crate::aws::port_error;
use crate::domain::token::Status;
use crate::domain::verification::{SecretState, tombstone_end};
use crate::ports::{CacheKeys, CachedKeys, Compromise, CompromiseSecret, PortError};

impl CompromiseSecret for Store {
    async fn compromise_secret(&self, compromise: &Compromise) -> Result<(), PortError> {
        let (secret, ended, audit) = match compromise {
            Compromise::OfToken(change) => {
                return self.transact(self.change_writes(change)?).await;
            }
            Compromise::OfTombstone(secret, ended, audit) => (secret, ended, audit),
        };
        let kept_until = tombstone_end(ended.at);
        let update = Update::builder()
            .set_key(Some(key(secret_key(secret.hash), SECRET)))
            .update_expression(
                "SET #state = :compromised, #status = :revoked, endedAt = :at, endedBy = :by, \
                 expiresAt = :end",
            )
            .condition_expression(
                "attribute_exists(pk) AND (attribute_not_exists(#state) OR #state = :read)",
            )
            .expression_attribute_names("#state", "state")
            .expression_attribute_names("#status", "status")
            .expression_attribute_values(":compromised", text(SecretState::Compromised.as_str()))
            .expression_attribute_values(":read", text(secret.state.as_str()))
            .expression_attribute_values(":revoked", text(Status::Revoked.as_str()))
            .expression_attribute_values(":at", text(ended.at.to_string()))
            .expression_attribute_values(":by", text(ended.by.as_str()))
            .expression_attribute_values(":end", AttributeValue::N(expiry(kept_until).to_string()));
        self.transact(vec![self.update(update)?, self.put_audit(audit)?])
            .await
    }
}

/// The key of the item with GitHub's public keys.
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

impl CacheKeys for Store {
    async fn cached_keys(&self) -> Result<CachedKeys, PortError> {
        let item = self.get_item(keys_key()).await?.unwrap_or_default();
        let list = item.get("list").and_then(|list| list.as_s().ok());
        Ok(CachedKeys {
            fetched: list.cloned().zip(time(&item, "fetchedAt")),
            asked: time(&item, "askedAt"),
        })
    }

    async fn claim_fetch(&self, now: Timestamp, since: Timestamp) -> Result<bool, PortError> {
        let mark = Mark::new()?;
        let update = self.client.update_item().table_name(&self.tables.tokens);
        let noted = update
            .set_key(Some(keys_key()))
            .update_expression("SET askedAt = :now, writtenBy = :mark")
            .condition_expression("attribute_not_exists(askedAt) OR askedAt <= :since")
            .expression_attribute_values(":now", milliseconds(now))
            .expression_attribute_values(":since", milliseconds(since))
            .expression_attribute_values(":mark", mark.value())
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .send()
            .await;
        match noted {
            Ok(_) => Ok(true),
            Err(error) => match error.as_service_error() {
                // Unless an earlier attempt noted it, somebody else is asking.
                Some(UpdateItemError::ConditionalCheckFailedException(refused)) => {
                    Ok(mark.is_on(refused.item()))
                }
                _ => Err(port_error(error)),
            },
        }
    }

    async fn cache_keys(&self, list: &str, fetched: Timestamp) -> Result<(), PortError> {
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
