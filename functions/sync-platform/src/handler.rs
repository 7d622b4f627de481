//! Projects the platform's accounts, members and resources into our table.

mod dead_letters;
mod deletion;
mod event;

use latchkey::domain::entropy::Entropy;
use latchkey::domain::event_time::EventTime;
use latchkey::domain::resource::ResourceRef;
use latchkey::domain::text::{recorded, redact_json};
use latchkey::ports::{ChangeToken, Clock, GetToken, ListTokens, PortError, ProjectPlatform};
use latchkey::telemetry::request_span;
use serde::Deserialize;
use serde_json::Value;
use tracing::Instrument;

pub use dead_letters::{DeadLetters, SetAside};
use deletion::revoke_all;
use event::{Detail, Event};

/// How much of an event's id and type logs and records keep, in characters.
const MAX_TOLD: usize = 64;

/// Projects one event. What no attempt could project is set aside at once, with an error in the log: an
/// event that doesn't parse, and one from so far ahead that it would keep out whatever comes until then.
///
/// # Errors
/// When it could neither be written nor set aside; the event is delivered again then.
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
        // What is wrong with it is in the message: its values, people's addresses among them, stay out of the log.
        tracing::error!(
            event.id = id,
            event.r#type = kind,
            "set an event aside that does not parse"
        );
        return dead_letters
            .set_aside(redact_json(message).to_string())
            .await;
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
        return dead_letters
            .set_aside(redact_json(message).to_string())
            .await;
    };
    let span = request_span(&id);
    project(store, system, event, time).instrument(span).await
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
            if store.delete_account(&account.id, time).await? {
                let id = recorded(&event.id, MAX_TOLD);
                revoke_all(store, system, &account.id, &id).await?;
            }
            Ok(())
        }
        Detail::ResourceUpserted(resource) => store.put_resource(&resource.mended(), time).await,
        Detail::ResourceDeleted(gone) => {
            let name = ResourceRef {
                kind: gone.kind,
                id: gone.id,
            };
            store.delete_resource(&gone.account_id, &name, time).await
        }
    }
}

#[cfg(test)]
mod tests;
