//! The projection of the platform's events. Every item has its event's time. An older event never overwrites a newer
//! state; a stored time in the future counts as older than any event. A deletion leaves a marker, so that a late event
//! can't restore the deleted item.

use std::collections::BTreeSet;

use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::error::ConditionalCheckFailedException;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValue, ReturnValuesOnConditionCheckFailure};
use jiff::Timestamp;
use serde::Deserialize;

use super::items::{
    PROFILE, account_key, expiry, integration_key, preferences_key, profile_key, resource_key,
    resources_key, to_item, user_key,
};
use super::table::{Item, Store, key, parse, text};
use crate::app::measure::{Measure, count};
use crate::aws::port_error;
use crate::domain::account::{Account, Member};
use crate::domain::event_time::EventTime;
use crate::domain::id::{AccountId, IntegrationId, UserId};
use crate::domain::integration::Integration;
use crate::domain::paging::MAX_LIMIT;
use crate::domain::resource::{Resource, ResourceRef};
use crate::ports::{PortError, ProjectPlatform};

/// An event's time in its comparable form: microseconds as a number, since formatted times don't sort.
fn version(event_time: Timestamp) -> AttributeValue {
    AttributeValue::N(event_time.as_microsecond().to_string())
}

/// When the marker of a deletion expires.
fn marker_end(event_time: EventTime) -> AttributeValue {
    AttributeValue::N(expiry(event_time.marked_until()).to_string())
}

/// The stored event time of an item.
pub(super) fn stored_time(item: &Item) -> Option<Timestamp> {
    let microseconds = item.get("eventTime")?.as_n().ok()?.parse().ok()?;
    Timestamp::from_microsecond(microseconds).ok()
}

/// Logs and counts that an event was dropped.
fn log_stale(
    account: &AccountId,
    sort_key: &str,
    kind: &'static str,
    time: EventTime,
    refused: &ConditionalCheckFailedException,
) {
    let stored = refused.item().and_then(stored_time);
    tracing::warn!(
        account.id = %account,
        event.r#type = kind,
        event.time = %time.time(),
        stored.key = sort_key,
        stored.time = stored.map(tracing::field::display),
        "dropped a stale event",
    );
    count(Measure::EventStale, 1);
}

/// The members in a stored profile.
#[derive(Deserialize)]
struct Members {
    #[serde(default)]
    members: Vec<Member>,
    /// Former members whose memberships may still be there, since an event wasn't processed to its end.
    #[serde(default)]
    leaving: BTreeSet<UserId>,
}

impl Members {
    /// Reads a profile; no profile has no members.
    fn of(profile: Option<Item>) -> Result<BTreeSet<UserId>, PortError> {
        let Some(profile) = profile else {
            return Ok(BTreeSet::new());
        };
        let stored = parse::<Self>(profile)?;
        Ok(ids(&stored.members)
            .into_iter()
            .chain(stored.leaving)
            .collect())
    }
}

fn ids(members: &[Member]) -> BTreeSet<UserId> {
    members.iter().map(|member| member.id.clone()).collect()
}

impl ProjectPlatform for Store {
    async fn put_account(
        &self,
        account: &Account,
        event_time: impl Into<EventTime> + Send,
    ) -> Result<(), PortError> {
        let (event_time, own_key) = (event_time.into(), key(profile_key(&account.id), PROFILE));
        let new = ids(&account.members);
        // Whoever is leaving is noted in the new profile. If the put's answer is lost, or what follows fails, the next
        // attempt finds the new profile, and no longer the old one.
        let stored = Members::of(self.get_item(own_key.clone()).await?)?;
        let mut leaving: BTreeSet<_> = stored.difference(&new).cloned().collect();
        let mut profile = to_item(account)?;
        profile.extend(own_key.clone());
        if !leaving.is_empty() {
            let ids = leaving.iter().map(|user| text(user.as_str())).collect();
            profile.insert("leaving".into(), AttributeValue::L(ids));
        }
        let put = self.put_newer(profile, &account.id, "AccountUpserted", event_time);
        let Some(old) = put.await? else {
            return Ok(());
        };
        // The profile decides who is a member. The memberships only point to profiles, so they may be written after it,
        // and a stale one does no harm.
        leaving.extend(Members::of(Some(old))?.difference(&new).cloned());
        for user in &new {
            let mut item = key(user_key(user), account_key(&account.id));
            item.insert("accountId".into(), text(account.id.as_str()));
            let put = self.client.put_item().table_name(&self.tables.tokens);
            put.set_item(Some(item)).send().await.map_err(port_error)?;
        }
        if leaving.is_empty() {
            return Ok(());
        }
        self.forget_memberships(&account.id, leaving.iter()).await?;
        let update = self.client.update_item().table_name(&self.tables.tokens);
        let forgotten = update
            .set_key(Some(own_key))
            .update_expression("REMOVE leaving")
            .condition_expression("eventTime = :time")
            .expression_attribute_values(":time", version(event_time.time()))
            .send()
            .await;
        match forgotten.map_err(port_error) {
            // After a newer event, the note is that event's.
            Ok(_) | Err(PortError::Conflict) => Ok(()),
            Err(error) => Err(error),
        }
    }

    async fn delete_account(
        &self,
        account: &AccountId,
        event_time: impl Into<EventTime> + Send,
    ) -> Result<bool, PortError> {
        let event_time = event_time.into();
        // The marked profile stays for a while, for the mails about the deletion.
        let update = self
            .client
            .update_item()
            .table_name(&self.tables.tokens)
            .set_key(Some(key(profile_key(account), PROFILE)))
            .update_expression("SET deletedAt = :at, eventTime = :time, expiresAt = :end")
            .condition_expression(
                "attribute_not_exists(eventTime) OR eventTime <= :time OR eventTime > :latest",
            )
            .expression_attribute_values(":at", text(event_time.time().to_string()))
            .expression_attribute_values(":time", version(event_time.time()))
            .expression_attribute_values(":latest", version(event_time.latest()))
            .expression_attribute_values(":end", marker_end(event_time))
            .return_values(ReturnValue::AllNew)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .send()
            .await;
        let marked = match update {
            Ok(output) => output.attributes.unwrap_or_default(),
            Err(error) => {
                return match error.as_service_error() {
                    Some(UpdateItemError::ConditionalCheckFailedException(refused)) => {
                        log_stale(account, PROFILE, "AccountDeleted", event_time, refused);
                        Ok(false)
                    }
                    _ => Err(port_error(error)),
                };
            }
        };
        let members = Members::of(Some(marked))?;
        self.forget_memberships(account, members.iter()).await?;
        Ok(true)
    }

    async fn put_resource(
        &self,
        resource: &Resource,
        event_time: impl Into<EventTime> + Send,
    ) -> Result<(), PortError> {
        let mut item = to_item(resource)?;
        item.retain(|_, value| !value.is_null());
        item.extend(key(
            resources_key(&resource.account_id),
            resource_key(&resource.reference()),
        ));
        let (account, time) = (&resource.account_id, event_time.into());
        let put = self.put_newer(item, account, "ResourceUpserted", time);
        put.await.map(drop)
    }

    async fn delete_resource(
        &self,
        account: &AccountId,
        name: &ResourceRef,
        event_time: impl Into<EventTime> + Send,
    ) -> Result<(), PortError> {
        let sort_key = resource_key(name);
        self.mark_deleted(account, sort_key, "ResourceDeleted", event_time.into())
            .await
    }

    async fn put_integration(
        &self,
        integration: &Integration,
        event_time: impl Into<EventTime> + Send,
    ) -> Result<(), PortError> {
        let account = &integration.account_id;
        let mut item = to_item(integration)?;
        item.extend(key(
            resources_key(account),
            integration_key(&integration.id),
        ));
        let put = self.put_newer(item, account, "IntegrationUpserted", event_time.into());
        put.await.map(drop)
    }

    async fn delete_integration(
        &self,
        account: &AccountId,
        id: &IntegrationId,
        event_time: impl Into<EventTime> + Send,
    ) -> Result<(), PortError> {
        let sort_key = integration_key(id);
        self.mark_deleted(account, sort_key, "IntegrationDeleted", event_time.into())
            .await
    }

    async fn delete_integrations(
        &self,
        account: &AccountId,
        event_time: impl Into<EventTime> + Send,
    ) -> Result<(), PortError> {
        let event_time = event_time.into();
        let mut after = None;
        loop {
            let (found, next) = self.read_integrations(account, after, MAX_LIMIT).await?;
            for integration in found {
                let sort_key = integration_key(&integration.id);
                self.mark_deleted(account, sort_key, "AccountDeleted", event_time)
                    .await?;
            }
            if next.is_none() {
                return Ok(());
            }
            after = next;
        }
    }
}

impl Store {
    /// Puts a deletion marker into an account's partition of resources, unless the table holds an item of a newer event.
    async fn mark_deleted(
        &self,
        account: &AccountId,
        sort_key: String,
        kind: &'static str,
        event_time: EventTime,
    ) -> Result<(), PortError> {
        let mut marker = key(resources_key(account), sort_key);
        marker.insert("deletedAt".into(), text(event_time.time().to_string()));
        marker.insert("expiresAt".into(), marker_end(event_time));
        self.put_newer(marker, account, kind, event_time)
            .await
            .map(drop)
    }

    /// Puts an item, unless the table holds one of a newer event. Then nothing is written, a warning is logged, and the
    /// result is `None`. An event that is delivered again is written again, since what follows the put may have failed
    /// before. Event times are often whole seconds: of two events with the same time, a deletion wins.
    async fn put_newer(
        &self,
        mut item: Item,
        account: &AccountId,
        kind: &'static str,
        event_time: EventTime,
    ) -> Result<Option<Item>, PortError> {
        let newer = if item.contains_key("deletedAt") {
            "eventTime <= :time"
        } else {
            "eventTime < :time OR (eventTime = :time AND attribute_not_exists(deletedAt))"
        };
        item.insert("eventTime".into(), version(event_time.time()));
        let sort_key = item.get("sk").and_then(|key| key.as_s().ok()).cloned();
        let put = self
            .client
            .put_item()
            .table_name(&self.tables.tokens)
            .set_item(Some(item))
            .condition_expression(format!(
                "attribute_not_exists(eventTime) OR {newer} OR eventTime > :latest"
            ))
            .expression_attribute_values(":time", version(event_time.time()))
            .expression_attribute_values(":latest", version(event_time.latest()))
            .return_values(ReturnValue::AllOld)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .send()
            .await;
        match put {
            Ok(output) => Ok(Some(output.attributes.unwrap_or_default())),
            Err(error) => match error.as_service_error() {
                Some(PutItemError::ConditionalCheckFailedException(refused)) => {
                    let sort_key = sort_key.unwrap_or_default();
                    log_stale(account, &sort_key, kind, event_time, refused);
                    Ok(None)
                }
                _ => Err(port_error(error)),
            },
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
            // Whoever becomes a member again gets the mails of a new one.
            let delete = self.client.delete_item().table_name(&self.tables.tokens);
            let delete = delete.set_key(Some(key(preferences_key(account), user_key(user))));
            delete.send().await.map_err(port_error)?;
        }
        Ok(())
    }
}
