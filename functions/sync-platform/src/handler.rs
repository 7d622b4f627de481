//! Projects the platform's accounts, members and resources into our table.

mod event;

use futures_util::{StreamExt, TryStreamExt, stream};
use latchkey::domain::audit::{Action, Actor, Origin, Source};
use latchkey::domain::id::{AccountId, TokenId};
use latchkey::domain::paging::{MAX_LIMIT, TokenFilter, TokenQuery};
use latchkey::domain::ports::{
    ChangeToken, Clock, Entropy, GetToken, ListTokens, PortError, ProjectPlatform, TokenChange,
};
use latchkey::domain::resource::ResourceRef;
use latchkey::domain::token::Status;

use event::Detail;
pub use event::Event;

/// How many tokens of a deleted account are revoked at the same time.
const CONCURRENCY: usize = 16;

/// How often a revocation is tried again when the token changes under it.
const ATTEMPTS: usize = 5;

/// Projects one event.
///
/// # Errors
/// When it couldn't be written; the event is delivered again then.
pub async fn handle(
    store: &(impl ProjectPlatform + ListTokens + GetToken + ChangeToken),
    system: &(impl Clock + Entropy),
    event: Event,
) -> Result<(), PortError> {
    match event.detail {
        Detail::AccountUpserted(account) => store.put_account(&account, event.time).await,
        Detail::AccountDeleted(account) => {
            if store.delete_account(&account.id, event.time).await? {
                revoke_all(store, system, &account.id, &event.id).await?;
            }
            Ok(())
        }
        Detail::ResourceUpserted(resource) => store.put_resource(&resource, event.time).await,
        Detail::ResourceDeleted(gone) => {
            let name = ResourceRef {
                kind: gone.kind,
                id: gone.id,
            };
            store
                .delete_resource(&gone.account_id, &name, event.time)
                .await
        }
    }
}

/// Revokes every active token of an account. Nobody can make one meanwhile: an active token is only
/// ever written together with a check that its account isn't deleted.
async fn revoke_all(
    store: &(impl ListTokens + GetToken + ChangeToken),
    system: &(impl Clock + Entropy),
    account: &AccountId,
    event_id: &str,
) -> Result<(), PortError> {
    let filter = TokenFilter {
        status: Some(Status::Active),
        ..TokenFilter::default()
    };
    let mut query = TokenQuery {
        filter,
        limit: MAX_LIMIT,
        after: None,
    };
    let mut count = 0;
    loop {
        let page = store.list_tokens(account, &query, system.now()).await?;
        count += page.items.len();
        stream::iter(page.items)
            .map(|token| async move { revoke(store, system, account, &token.id, event_id).await })
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

async fn revoke(
    store: &(impl GetToken + ChangeToken),
    system: &(impl Clock + Entropy),
    account: &AccountId,
    id: &TokenId,
    event_id: &str,
) -> Result<(), PortError> {
    for _ in 0..ATTEMPTS {
        let now = system.now();
        let Some(before) = store.get_token(account, id, now).await? else {
            return Ok(());
        };
        let reason = Some("the account was deleted".into());
        let Some(token) = before.token.revoke(Actor::system(), now, reason) else {
            return Ok(());
        };
        let origin = Origin {
            source: Source::System,
            actor: Actor::system(),
            ip: None,
            user_agent: None,
            request_id: event_id.into(),
        };
        let change = TokenChange::new(before, token, Action::Revoke, origin, now, system)?;
        match store.change_token(&change).await {
            Err(PortError::Conflict) => {}
            done => return done,
        }
    }
    Err(PortError::Unavailable(format!(
        "{id} changes again and again"
    )))
}

#[cfg(test)]
mod tests;
