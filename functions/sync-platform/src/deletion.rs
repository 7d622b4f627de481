//! The revocation of a deleted account's tokens.

use futures_util::{StreamExt, TryStreamExt, stream};
use jiff::Timestamp;
use latchkey::app::retry::unavailable_for_now;
use latchkey::app::revoke::revoke;
use latchkey::domain::action::Action;
use latchkey::domain::actor::Actor;
use latchkey::domain::audit::Origin;
use latchkey::domain::entropy::Entropy;
use latchkey::domain::id::{AccountId, TokenId};
use latchkey::domain::paging::{MAX_LIMIT, TokenFilter, TokenOrder, TokenQuery};
use latchkey::ports::{ChangeToken, Clock, GetToken, ListTokens, PortError};

/// The number of tokens that are revoked at the same time.
const CONCURRENCY: usize = 16;

/// Revokes every token that an account had at a time. Revoked tokens are marked too: if the platform uses the account's
/// id again, people of the new account can't reactivate them. No token becomes active meanwhile: every write of an active
/// token checks that its account isn't deleted. If the account comes back meanwhile, its new tokens stay.
pub(crate) async fn revoke_all(
    store: &(impl ListTokens + GetToken + ChangeToken),
    system: &(impl Clock + Entropy),
    (account, until): (&AccountId, Timestamp),
    event_id: &str,
) -> Result<(), PortError> {
    let mut query = TokenQuery {
        filter: TokenFilter::default(),
        order: TokenOrder::Newest,
        limit: MAX_LIMIT,
        after: None,
    };
    let mut count = 0;
    loop {
        let page = store.list_tokens(account, &query, system.now()).await?;
        let of_then = page.items.into_iter();
        let of_then: Vec<_> = of_then.filter(|it| it.created_at <= until).collect();
        count += of_then.len();
        stream::iter(of_then)
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
    let origin = Origin::system(event_id);
    let token = (account, id);
    let ended = revoke(
        store,
        system,
        token,
        &origin,
        Action::Revoke,
        |before, now| Ok::<_, PortError>(before.token.end_with_account(Actor::system(), now)),
    );
    // The event's next delivery goes on from here.
    let ended = ended.await.map_err(|error| unavailable_for_now(error, id));
    ended.map(drop)
}
