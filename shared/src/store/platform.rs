//! The projection of the platform's events. Every item carries its event's time; an older event never
//! overwrites a newer state. What is deleted leaves a marker, so that a late event can't revive it.

use std::collections::BTreeSet;

use aws_sdk_dynamodb::error::ProvideErrorMetadata;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValue};
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;

use super::items::{
    PROFILE, account_key, expiry, profile_key, resource_key, resources_key, to_item, user_key,
};
use super::{Item, Store, key, parse, port_error, text};
use crate::domain::account::{Account, Member};
use crate::domain::id::{AccountId, UserId};
use crate::domain::ports::{PortError, ProjectPlatform};
use crate::domain::resource::{Resource, ResourceRef};

/// How long the marker of what was deleted is kept: longer than the bus retries an event (a day).
const MARKER_LIFETIME: SignedDuration = SignedDuration::from_hours(7 * 24);

/// Event times as they compare: microseconds as a number, since texts of times don't sort.
fn version(event_time: Timestamp) -> AttributeValue {
    AttributeValue::N(event_time.as_microsecond().to_string())
}

#[derive(Deserialize)]
struct Members {
    #[serde(default)]
    members: Vec<Member>,
}

fn ids(members: &[Member]) -> BTreeSet<UserId> {
    members.iter().map(|member| member.id.clone()).collect()
}

impl ProjectPlatform for Store {
    async fn put_account(&self, account: &Account, event_time: Timestamp) -> Result<(), PortError> {
        let mut profile = to_item(account)?;
        profile.extend(key(profile_key(&account.id), PROFILE));
        let Some(old) = self.put_newer(profile, event_time).await? else {
            return Ok(());
        };
        // The profile decides who is a member. The items by person only lead to the profiles, so they
        // may follow it, and a stale one does no harm.
        let old = ids(&parse::<Members>(old)?.members);
        let new = ids(&account.members);
        for user in &new {
            let mut item = key(user_key(user), account_key(&account.id));
            item.insert("accountId".into(), text(account.id.as_str()));
            let put = self.client.put_item().table_name(&self.tables.tokens);
            put.set_item(Some(item)).send().await.map_err(port_error)?;
        }
        self.forget_memberships(&account.id, old.difference(&new))
            .await
    }

    async fn delete_account(
        &self,
        account: &AccountId,
        event_time: Timestamp,
    ) -> Result<bool, PortError> {
        // The profile stays, marked, for the mails about what the deletion brings about.
        let end = event_time
            .checked_add(MARKER_LIFETIME)
            .unwrap_or(Timestamp::MAX);
        let update = self
            .client
            .update_item()
            .table_name(&self.tables.tokens)
            .set_key(Some(key(profile_key(account), PROFILE)))
            .update_expression("SET deletedAt = :at, eventTime = :time, expiresAt = :end")
            .condition_expression("attribute_not_exists(eventTime) OR eventTime <= :time")
            .expression_attribute_values(":at", text(event_time.to_string()))
            .expression_attribute_values(":time", version(event_time))
            .expression_attribute_values(":end", AttributeValue::N(expiry(end).to_string()))
            .return_values(ReturnValue::AllNew)
            .send()
            .await;
        let marked = match update {
            Ok(output) => output.attributes.unwrap_or_default(),
            Err(error) if error.code() == Some("ConditionalCheckFailedException") => {
                return Ok(false);
            }
            Err(error) => return Err(port_error(error)),
        };
        let members = ids(&parse::<Members>(marked)?.members);
        self.forget_memberships(account, members.iter()).await?;
        Ok(true)
    }

    async fn put_resource(
        &self,
        resource: &Resource,
        event_time: Timestamp,
    ) -> Result<(), PortError> {
        let mut item = to_item(resource)?;
        item.retain(|_, value| !value.is_null());
        item.extend(key(
            resources_key(&resource.account_id),
            resource_key(&resource.reference()),
        ));
        self.put_newer(item, event_time).await.map(drop)
    }

    async fn delete_resource(
        &self,
        account: &AccountId,
        name: &ResourceRef,
        event_time: Timestamp,
    ) -> Result<(), PortError> {
        let mut marker = key(resources_key(account), resource_key(name));
        marker.insert("deletedAt".into(), text(event_time.to_string()));
        let end = event_time
            .checked_add(MARKER_LIFETIME)
            .unwrap_or(Timestamp::MAX);
        marker.insert(
            "expiresAt".into(),
            AttributeValue::N(expiry(end).to_string()),
        );
        self.put_newer(marker, event_time).await.map(drop)
    }
}

impl Store {
    /// Puts an item unless the table holds one of a newer event; then nothing is written and the answer
    /// is `None`. The same event again is written again: what follows the put may have failed before.
    /// Event times are often whole seconds: of two events of one moment the deletion counts.
    async fn put_newer(
        &self,
        mut item: Item,
        event_time: Timestamp,
    ) -> Result<Option<Item>, PortError> {
        let newer = if item.contains_key("deletedAt") {
            "eventTime <= :time"
        } else {
            "eventTime < :time OR (eventTime = :time AND attribute_not_exists(deletedAt))"
        };
        item.insert("eventTime".into(), version(event_time));
        let put = self
            .client
            .put_item()
            .table_name(&self.tables.tokens)
            .set_item(Some(item))
            .condition_expression(format!("attribute_not_exists(eventTime) OR {newer}"))
            .expression_attribute_values(":time", version(event_time))
            .return_values(ReturnValue::AllOld)
            .send()
            .await;
        match put {
            Ok(output) => Ok(Some(output.attributes.unwrap_or_default())),
            Err(error) if error.code() == Some("ConditionalCheckFailedException") => Ok(None),
            Err(error) => Err(port_error(error)),
        }
    }

    async fn forget_memberships(
        &self,
        account: &AccountId,
        users: impl Iterator<Item = &UserId>,
    ) -> Result<(), PortError> {
        for user in users {
            let delete = self.client.delete_item().table_name(&self.tables.tokens);
            let delete = delete.set_key(Some(key(user_key(user), account_key(account))));
            delete.send().await.map_err(port_error)?;
        }
        Ok(())
    }
}
