//! The projection of the platform's events. Every item has its event's time. An older event never overwrites a newer
//! state; a stored time in the future counts as older than any event. A deletion leaves a marker, so that a late event
//! can't restore the deleted item.

use std::collections::{BTreeSet, HashMap};

use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::error::ConditionalCheckFailedException;
use aws_sdk_dynamodb::types::{
    AttributeValue, ConditionCheck, Put, ReturnValue, ReturnValuesOnConditionCheckFailure,
    TransactWriteItem,
};
use jiff::Timestamp;
use serde::Deserialize;

use super::items::{
    PROFILE, account_key, expiry, integration_key, preferences_key, profile_key, resource_key,
    resources_key, to_item, user_key,
};
use super::table::{Cancellation, Item, Store, built, key, parse, text};
use crate::app::measure::{Measure, count};
use crate::aws::port_error;
use crate::domain::account::{Account, Member};
use crate::domain::event_time::EventTime;
use crate::domain::id::{AccountId, IntegrationId, UserId};
use crate::domain::integration::Integration;
use crate::domain::paging::MAX_LIMIT;
use crate::domain::resource::{Resource, ResourceRef};
use crate::ports::{PortError, ProjectPlatform};

/// The largest number of items in a transaction.
const BATCH: usize = 100;

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

/// The event time of an item that was read, if it was there.
struct Read(Option<AttributeValue>);

/// What became of a put.
enum Outcome {
    Done,
    /// The table holds an item of a newer event.
    Stale,
    /// The table no longer holds what was read.
    Changed,
}

/// The condition that a profile is as an event left it.
struct Unchanged {
    profile: Item,
    condition: &'static str,
    values: HashMap<String, AttributeValue>,
}

impl Unchanged {
    fn check(&self, table: &str) -> Result<TransactWriteItem, PortError> {
        let check = ConditionCheck::builder()
            .table_name(table)
            .set_key(Some(self.profile.clone()))
            .condition_expression(self.condition)
            .set_expression_attribute_values(Some(self.values.clone()));
        let check = built(check.build())?;
        Ok(TransactWriteItem::builder().condition_check(check).build())
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
        let (new, item) = (ids(&account.members), to_item(account)?);
        let leaving = loop {
            let stored = self.get_item(own_key.clone()).await?;
            let read = stored.as_ref().and_then(|profile| profile.get("eventTime"));
            let read = Read(read.cloned());
            // Whoever is leaving is noted in the new profile. If the put's answer is lost, or what follows fails, the
            // next attempt finds the new profile, and no longer the old one. So does a newer event.
            let leaving: BTreeSet<_> = Members::of(stored)?.difference(&new).cloned().collect();
            let mut profile = item.clone();
            profile.extend(own_key.clone());
            if !leaving.is_empty() {
                let ids = leaving.iter().map(|user| text(user.as_str())).collect();
                profile.insert("leaving".into(), AttributeValue::L(ids));
            }
            let kind = "AccountUpserted";
            let put = self.put_over(Some(read), profile, &account.id, kind, event_time);
            match put.await? {
                Outcome::Done => break leaving,
                Outcome::Stale => return Ok(()),
                Outcome::Changed => {}
            }
        };
        // Event times are often whole seconds: of two events with the same time, the members tell which one holds.
        let members = item.get("members").cloned();
        let unchanged = Unchanged {
            profile: own_key,
            condition: "eventTime = :time AND members = :members AND attribute_not_exists(deletedAt)",
            values: HashMap::from([
                (":time".into(), version(event_time.time())),
                (
                    ":members".into(),
                    members.unwrap_or(AttributeValue::Null(true)),
                ),
            ]),
        };
        // The profile decides who is a member. The memberships only point to profiles, so they may be written after it,
        // and a stale one does no harm.
        let mut writes = Vec::new();
        for user in &new {
            writes.push(self.put_membership(&account.id, user)?);
        }
        writes.extend(self.forget_memberships(&account.id, &leaving)?);
        self.write_while(&unchanged, &writes).await?;
        if leaving.is_empty() {
            return Ok(());
        }
        let update = self.client.update_item().table_name(&self.tables.tokens);
        let forgotten = update
            .set_key(Some(unchanged.profile))
            .update_expression("REMOVE leaving")
            .condition_expression(unchanged.condition)
            .set_expression_attribute_values(Some(unchanged.values))
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
        let (event_time, own_key) = (event_time.into(), key(profile_key(account), PROFILE));
        // The marked profile stays for a while, for the mails about the deletion.
        let update = self
            .client
            .update_item()
            .table_name(&self.tables.tokens)
            .set_key(Some(own_key.clone()))
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
        let writes = self.forget_memberships(account, &Members::of(Some(marked))?)?;
        let unchanged = Unchanged {
            profile: own_key,
            condition: "eventTime = :time AND attribute_exists(deletedAt)",
            values: HashMap::from([(":time".into(), version(event_time.time()))]),
        };
        self.write_while(&unchanged, &writes).await?;
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
        self.put_newer(item, account, "ResourceUpserted", time)
            .await
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
        self.put_newer(item, account, "IntegrationUpserted", event_time.into())
            .await
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
        self.put_newer(marker, account, kind, event_time).await
    }

    /// Puts an item, unless the table holds one of a newer event.
    async fn put_newer(
        &self,
        item: Item,
        account: &AccountId,
        kind: &'static str,
        event_time: EventTime,
    ) -> Result<(), PortError> {
        let put = self.put_over(None, item, account, kind, event_time);
        put.await.map(drop)
    }

    /// Puts an item, unless the table holds one of a newer event, or no longer what was read before. Nothing is written
    /// then, and a newer event is logged. An event that is delivered again is written again, since what follows the put
    /// may have failed before. Event times are often whole seconds: of two events with the same time, a deletion wins.
    async fn put_over(
        &self,
        read: Option<Read>,
        mut item: Item,
        account: &AccountId,
        kind: &'static str,
        event_time: EventTime,
    ) -> Result<Outcome, PortError> {
        let newer = if item.contains_key("deletedAt") {
            "eventTime <= :time"
        } else {
            "eventTime < :time OR (eventTime = :time AND attribute_not_exists(deletedAt))"
        };
        let as_read = match &read {
            None => "",
            Some(Read(None)) => " AND attribute_not_exists(eventTime)",
            Some(Read(Some(_))) => " AND eventTime = :read",
        };
        item.insert("eventTime".into(), version(event_time.time()));
        let sort_key = item.get("sk").and_then(|key| key.as_s().ok()).cloned();
        let mut put = self
            .client
            .put_item()
            .table_name(&self.tables.tokens)
            .set_item(Some(item))
            .condition_expression(format!(
                "(attribute_not_exists(eventTime) OR {newer} OR eventTime > :latest){as_read}"
            ))
            .expression_attribute_values(":time", version(event_time.time()))
            .expression_attribute_values(":latest", version(event_time.latest()))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        if let Some(Read(Some(time))) = &read {
            put = put.expression_attribute_values(":read", time.clone());
        }
        let Err(error) = put.send().await else {
            return Ok(Outcome::Done);
        };
        let Some(PutItemError::ConditionalCheckFailedException(refused)) = error.as_service_error()
        else {
            return Err(port_error(error));
        };
        let held = refused.item().and_then(|item| item.get("eventTime"));
        if read.is_some_and(|Read(time)| time.as_ref() != held) {
            return Ok(Outcome::Changed);
        }
        let sort_key = sort_key.unwrap_or_default();
        log_stale(account, &sort_key, kind, event_time, refused);
        Ok(Outcome::Stale)
    }

    fn put_membership(
        &self,
        account: &AccountId,
        user: &UserId,
    ) -> Result<TransactWriteItem, PortError> {
        let mut item = key(user_key(user), account_key(account));
        item.insert("accountId".into(), text(account.as_str()));
        let put = Put::builder()
            .table_name(&self.tables.tokens)
            .set_item(Some(item));
        Ok(TransactWriteItem::builder()
            .put(built(put.build())?)
            .build())
    }

    fn forget_memberships(
        &self,
        account: &AccountId,
        users: &BTreeSet<UserId>,
    ) -> Result<Vec<TransactWriteItem>, PortError> {
        let keys = users.iter().flat_map(|user| {
            let membership = key(user_key(user), account_key(account));
            // Whoever becomes a member again gets the mails of a new one.
            [membership, key(preferences_key(account), user_key(user))]
        });
        keys.map(|key| self.delete(key)).collect()
    }

    /// Writes what follows from a profile, for as long as the profile is unchanged. Another event may have changed it
    /// meanwhile, or between two attempts of this one. That event has read whom this one may have written about, and does
    /// the rest. Each batch is a transaction with a check of the profile, so that nothing is written after the other
    /// event's first write. A check costs twice the profile's size in write units, so the batches are as large as can be.
    async fn write_while(
        &self,
        unchanged: &Unchanged,
        writes: &[TransactWriteItem],
    ) -> Result<(), PortError> {
        for batch in writes.chunks(BATCH - 1) {
            let check = unchanged.check(&self.tables.tokens)?;
            let batch = [&[check], batch].concat();
            match self.transact_patiently(batch).await {
                Err(Cancellation::Condition) => return Ok(()),
                done => done?,
            }
        }
        Ok(())
    }
}
