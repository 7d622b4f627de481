//! Copies the platform's accounts, members, resources and Integration Apps into the tokens table.

mod dead_letters;
mod deletion;
mod event;

use latchkey::app::measure::{Measure, count};
use latchkey::domain::entropy::Entropy;
use latchkey::domain::event_time::EventTime;
use latchkey::domain::resource::ResourceRef;
use latchkey::domain::text::{recorded, redact_json};
use latchkey::ports::{ChangeToken, Clock, GetToken, ListTokens, PortError, ProjectPlatform};
use latchkey::telemetry::request::Subject;
use latchkey::telemetry::request_span;
use serde::Deserialize;
use serde_json::Value;
use tracing::Instrument;

pub use dead_letters::{DeadLetters, SetAside};
use deletion::revoke_all;
use event::{Detail, Event};

/// The largest length of an event's id and type in logs and records, in characters.
const MAX_TOLD: usize = 64;

/// Returns what the log's line says of a message: its id, and its account.
pub fn subject(message: &Value) -> Subject {
    let text = |pointer: &str| message.pointer(pointer).and_then(Value::as_str);
    let is_account = text("/detail-type").is_some_and(|kind| kind.starts_with("Account"));
    let account = text(if is_account {
        "/detail/id"
    } else {
        "/detail/accountId"
    });
    Subject {
        request_id: text("/id").map(str::to_owned),
        account_id: account.and_then(|id| id.parse().ok()),
    }
}

/// Applies one event of the platform to the table. An event that can never be applied goes to the dead-letter queue at
/// once, with an error in the log. Such events can't be parsed, or are dated so far in the future that they would
/// suppress all events until then.
///
/// # Errors
/// When the event could be neither applied nor put into the queue. It is delivered again then.
pub async fn handle(
    store: &(impl ProjectPlatform + ListTokens + GetToken + ChangeToken),
    dead_letters: &impl SetAside,
    system: &(impl Clock + Entropy),
    message: Value,
) -> Result<(), PortError> {
    let told = |name: &str| {
        let text = message.get(name).and_then(Value::as_str);
        recorded(text.unwrap_or_default(), MAX_TOLD)
    };
    let (id, kind) = (told("id"), told("detail-type"));
    let Ok(event) = Event::deserialize(&message) else {
        // The log has no details: the error would quote values of the message, such as people's addresses.
        tracing::error!(
            event.id = id,
            event.r#type = kind,
            "set an event aside that does not parse"
        );
        count(Measure::EventRefused, 1);
        return dead_letters.set_aside(kept(message)).await;
    };
    let Some(time) = EventTime::heard(event.time, system.now()) else {
        let account = event.detail.account();
        tracing::error!(
            event.id = id,
            event.r#type = kind,
            event.time = %event.time,
            account.id = %account,
            "set an event aside that is dated ahead of now",
        );
        count(Measure::EventRefused, 1);
        return dead_letters.set_aside(kept(message)).await;
    };
    let span = request_span(&id);
    project(store, system, event, time).instrument(span).await
}

/// Returns a message as the queue takes it: redacted, with the two characters escaped that JSON allows and
/// SQS doesn't take.
fn kept(message: Value) -> String {
    let text = redact_json(message).to_string();
    text.replace('\u{fffe}', "\\ufffe")
        .replace('\u{ffff}', "\\uffff")
}

async fn project(
    store: &(impl ProjectPlatform + ListTokens + GetToken + ChangeToken),
    system: &(impl Clock + Entropy),
    event: Event,
    time: EventTime,
) -> Result<(), PortError> {
    match event.detail {
        Detail::AccountUpserted(account) => store.put_account(&account.mended(), time).await,
        Detail::AccountDeleted(account) => {
            let is_newest = store.delete_account(&account.id, time).await?;
            // After a newer event the account is there again, and has its own tokens. The deletion may have come late, or
            // failed before it had revoked the old ones. What says which are old is when they were created, by our
            // clock, and the event has the platform's. If that is behind, a token of the last minutes looks newer than
            // the deletion. So the bound is later: rather a token ends that the account made minutes after it had come
            // back, than that one stays which it had before.
            let until = if is_newest {
                system.now()
            } else {
                time.latest_by_our_clock()
            };
            let id = recorded(&event.id, MAX_TOLD);
            revoke_all(store, system, (&account.id, until), &id).await?;
            store.delete_integrations(&account.id, time).await
        }
        Detail::ResourceUpserted(resource) => store.put_resource(&resource.mended(), time).await,
        Detail::ResourceDeleted(gone) => {
            let name = ResourceRef {
                kind: gone.kind,
                id: gone.id,
            };
            store.delete_resource(&gone.account_id, &name, time).await
        }
        Detail::IntegrationUpserted(integration) => {
            store.put_integration(&integration.mended(), time).await
        }
        Detail::IntegrationDeleted(gone) => {
            store
                .delete_integration(&gone.account_id, &gone.id, time)
                .await
        }
    }
}

#[cfg(test)]
mod tests;
