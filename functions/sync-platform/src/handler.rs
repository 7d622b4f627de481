//! Projects the platform's accounts, members and resources into our table.

mod dead_letters;
mod event;

use futures_util::{StreamExt, TryStreamExt, stream};
use latchkey::app::revoke::revoke;
use latchkey::domain::audit::{Action, Actor, Origin, Source};
use latchkey::domain::event_time::EventTime;
use latchkey::domain::id::{AccountId, TokenId};
use latchkey::domain::paging::{MAX_LIMIT, TokenFilter, TokenQuery};
use latchkey::domain::ports::{
    ChangeToken, Clock, Entropy, GetToken, ListTokens, PortError, ProjectPlatform,
};
use latchkey::domain::resource::ResourceRef;
use latchkey::domain::text::{recorded, redact_json};
use serde::Deserialize;
use serde_json::Value;

pub use dead_letters::{DeadLetters, SetAside};
use event::{Detail, Event};

/// How many tokens of a deleted account are revoked at the same time.
const CONCURRENCY: usize = 16;

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

/// Ends every token of an account, those too that are revoked already: if the platform uses the account's id
/// again, nobody of the new account may reactivate them. Nobody can make an active one meanwhile: an active
/// token is only ever written together with a check that its account isn't deleted.
async fn revoke_all(
    store: &(impl ListTokens + GetToken + ChangeToken),
    system: &(impl Clock + Entropy),
    account: &AccountId,
    event_id: &str,
) -> Result<(), PortError> {
    let mut query = TokenQuery {
        filter: TokenFilter::default(),
        limit: MAX_LIMIT,
        after: None,
    };
    let mut count = 0;
    loop {
        let page = store.list_tokens(account, &query, system.now()).await?;
        count += page.items.len();
        stream::iter(page.items)
            .map(|token| async move { end(store, system, account, &token.id, event_id).await })
            .buffer_unordered(CONCURRENCY)
            .try_collect::<()>()
            .await?;
        match page.next {
            Some(next) => query.after = Some(next),
            None => break,
        }
    }
    tracing::info!(account.id = %account, tokens = count, "revoked the tokens of a deleted account");
    Ok(())
}

async fn end(
    store: &(impl GetToken + ChangeToken),
    system: &(impl Clock + Entropy),
    account: &AccountId,
    id: &TokenId,
    event_id: &str,
) -> Result<(), PortError> {
    let origin = Origin {
        source: Source::System,
        actor: Actor::system(),
        ip: None,
        user_agent: None,
        request_id: event_id.into(),
    };
    let token = (account, id);
    let ended = revoke(
        store,
        system,
        token,
        &origin,
        Action::Revoke,
        |before, now| Ok::<_, PortError>(before.token.end_with_account(Actor::system(), now)),
    );
    match ended.await {
        // Its next delivery goes on.
        Err(PortError::Conflict) => Err(PortError::Unavailable(format!(
            "{id} changes again and again"
        ))),
        done => done.map(drop),
    }
}

#[cfg(test)]
mod tests;
