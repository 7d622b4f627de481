use std::sync::atomic::{AtomicBool, Ordering};

use latchkey::domain::audit::{AuditRecord, Source};
use latchkey::domain::paging::Page;
use latchkey::domain::token::{LastUse, NewSecret, Status, StoredToken, Token};
use latchkey::domain::upkeep::ShardPosition;
use latchkey::domain::verification::UsedFrom;
use latchkey::ports::{ChangeToken, GetSecret, RecallSecret, RecordUse, Use};
use latchkey::store::Store;
use latchkey::testing::{Engine, acme, audit, globex, now, system_at, token_at};

use super::*;

const DAY: SignedDuration = SignedDuration::from_hours(24);
const YEAR: SignedDuration = SignedDuration::from_hours(24 * 365);

fn event() -> ScheduledEvent {
    let sample = include_str!("../../../events/revoke-idle/daily.json");
    serde_json::from_str(sample).unwrap()
}

/// Runs the function now. Tokens are idle after a year.
async fn run(store: &(impl RevokeIdle + GetToken)) -> Result<(), PortError> {
    handle(
        store,
        &system_at(now()),
        Some(YEAR),
        Timestamp::MAX,
        event(),
    )
    .await
}

/// Creates a token that long ago.
async fn made(engine: &Engine, ago: SignedDuration) -> StoredToken {
    engine.add(token_at(now() - ago)).await
}

/// Uses a token for the first time, that long ago.
async fn use_it(store: &Store, stored: &StoredToken, ago: SignedDuration) {
    let (at, ip) = (now() - ago, [192, 0, 2, 1].into());
    let seen = store.get_seen(&stored.secret_hash).await.unwrap();
    let used = Use {
        secret: stored.secret_hash,
        sighting: seen.use_of(UsedFrom::Seen(ip), at).unwrap(),
        last_use: Some(LastUse { at, ip }),
        audit: audit(Action::Access, &stored.token, at, 7),
    };
    store.record_use(&used).await.unwrap();
}

async fn is_active(engine: &Engine, stored: &StoredToken) -> bool {
    let (account, id) = (&stored.token.account_id, &stored.token.id);
    let token = engine.stored(account, id).await.unwrap().token;
    let secret = engine.store.get_secret(&stored.secret_hash).await.unwrap();
    let active = token.status() == Status::Active;
    assert_eq!(secret.unwrap().status == Status::Active, active);
    active
}

async fn revocations(engine: &Engine) -> Vec<AuditRecord> {
    let log = engine.audit(&acme().id).await.into_iter();
    log.filter(|record| record.action == Action::Revoke)
        .collect()
}

#[tokio::test]
async fn an_idle_token_is_revoked_by_the_system_with_its_record() {
    let engine = Engine::with_accounts().await;
    let idle = made(&engine, YEAR + DAY).await;
    run(&engine.store).await.unwrap();
    assert!(!is_active(&engine, &idle).await);
    let stored = engine.stored(&acme().id, &idle.token.id).await.unwrap();
    let revocation = stored.token.revocation.unwrap();
    assert_eq!(revocation.reason.as_deref(), Some("idle"));
    assert_eq!(revocation.by, Actor::system());
    let [record] = &revocations(&engine).await[..] else {
        panic!("not one revocation")
    };
    assert_eq!(record.token_id, idle.token.id);
    assert_eq!(record.origin.source, Source::System);
    assert_eq!(record.origin.request_id, event().id);
    let fields: Vec<_> = record
        .changes
        .iter()
        .map(|change| change.field.as_str())
        .collect();
    assert_eq!(fields, ["status", "revocationReason"]);

    // A repeated delivery finds nothing.
    run(&engine.store).await.unwrap();
    assert_eq!(revocations(&engine).await.len(), 1);
}

#[tokio::test]
async fn creation_change_and_use_each_keep_a_token_alive() {
    let engine = Engine::with_accounts().await;
    // A day is added, because uses within it may be unrecorded.
    let idle = YEAR + DAY;
    let just_before = idle - SignedDuration::from_millis(1);
    let young = made(&engine, just_before).await;
    let just_idle = made(&engine, idle).await;
    let used = made(&engine, YEAR * 2).await;
    use_it(&engine.store, &used, just_before).await;
    let used_long_ago = made(&engine, YEAR * 3).await;
    use_it(&engine.store, &used_long_ago, YEAR * 2).await;
    let changed = Token {
        updated_at: now() - DAY,
        ..token_at(now() - YEAR * 2)
    };
    let changed = engine.add(changed).await;
    run(&engine.store).await.unwrap();
    for (stored, active) in [
        (&young, true),
        (&just_idle, false),
        (&used, true),
        (&used_long_ago, false),
        (&changed, true),
    ] {
        assert_eq!(is_active(&engine, stored).await, active);
    }
}

#[tokio::test]
async fn without_an_idle_time_nothing_is_revoked() {
    let engine = Engine::with_accounts().await;
    let idle = made(&engine, YEAR * 20).await;
    let done = handle(
        &engine.store,
        &system_at(now()),
        None,
        Timestamp::MAX,
        event(),
    )
    .await;
    done.unwrap();
    assert!(is_active(&engine, &idle).await);
}

#[tokio::test]
async fn tokens_of_every_account_are_revoked_and_revoked_ones_left_alone() {
    let engine = Engine::with_accounts().await;
    for _ in 0..50 {
        made(&engine, YEAR * 2).await;
    }
    let revoked = made(&engine, YEAR * 2).await;
    let revoked = engine.revoke(revoked).await;
    let other = Token {
        account_id: globex().id,
        ..token_at(now() - YEAR * 2)
    };
    let other = engine.add(other).await;
    run(&engine.store).await.unwrap();
    assert!(!is_active(&engine, &other).await);
    // With the owner's own revocation.
    assert_eq!(revocations(&engine).await.len(), 51);
    let (account, id) = (&acme().id, &revoked.token.id);
    assert_eq!(engine.stored(account, id).await, Some(revoked.clone()));
}

#[tokio::test]
async fn a_revocation_without_its_record_is_none() {
    let engine = Engine::with_accounts().await;
    let idle = made(&engine, YEAR * 2).await;
    engine.break_audit().await;
    assert!(run(&engine.store).await.is_err());
    assert!(is_active(&engine, &idle).await);
}

/// A store in which a token is used just before it is revoked.
struct LastMoment<'a> {
    store: &'a Store,
    stored: &'a StoredToken,
    used: AtomicBool,
}

impl GetToken for LastMoment<'_> {
    async fn get_token(
        &self,
        account: &AccountId,
        id: &TokenId,
        now: Timestamp,
    ) -> Result<Option<StoredToken>, PortError> {
        self.store.get_token(account, id, now).await
    }
}

impl RevokeIdle for LastMoment<'_> {
    async fn list_idle(
        &self,
        since: Timestamp,
        position: Option<ShardPosition>,
    ) -> Result<Page<(AccountId, TokenId), ShardPosition>, PortError> {
        self.store.list_idle(since, position).await
    }

    async fn record_activity(&self, used: &StoredToken) -> Result<(), PortError> {
        self.store.record_activity(used).await
    }

    async fn change_idle(&self, change: &TokenChange, since: Timestamp) -> Result<(), PortError> {
        if !self.used.swap(true, Ordering::Relaxed) {
            use_it(self.store, self.stored, SignedDuration::ZERO).await;
        }
        self.store.change_idle(change, since).await
    }
}

#[tokio::test]
async fn a_token_that_is_used_at_the_last_moment_lives_on() {
    let engine = Engine::with_accounts().await;
    let stored = made(&engine, YEAR * 2).await;
    let store = LastMoment {
        store: &engine.store,
        stored: &stored,
        used: false.into(),
    };
    run(&store).await.unwrap();
    assert!(store.used.into_inner());
    assert!(is_active(&engine, &stored).await);
    assert!(revocations(&engine).await.is_empty());
}

/// Returns the tokens that the index of idle tokens lists.
async fn listed(engine: &Engine) -> Vec<TokenId> {
    let since = now() - YEAR;
    let mut listed = Vec::new();
    let mut position = None;
    loop {
        let page = engine.store.list_idle(since, position).await.unwrap();
        listed.extend(page.items.into_iter().map(|(_, id)| id));
        position = page.next;
        if position.is_none() {
            return listed;
        }
    }
}

#[tokio::test]
async fn a_token_that_is_used_is_noted_once_and_not_looked_at_again_until_that_is_long_ago() {
    let engine = Engine::with_accounts().await;
    let stored = made(&engine, YEAR * 2).await;
    use_it(&engine.store, &stored, DAY).await;
    // A use doesn't write to the token, so the token looks idle.
    let id = std::slice::from_ref(&stored.token.id);
    assert_eq!(listed(&engine).await, id);
    let records = engine.audit(&acme().id).await.len();
    run(&engine.store).await.unwrap();
    assert!(is_active(&engine, &stored).await);
    assert_eq!(listed(&engine).await, []);
    // That is no change of the token, and causes no mail.
    let noted = engine.stored(&acme().id, &stored.token.id).await.unwrap();
    assert_eq!(noted.token.version, stored.token.version);
    assert_eq!(engine.audit(&acme().id).await.len(), records);

    // A year after that use, the token is idle.
    let later = system_at(now() + YEAR + DAY);
    let done = handle(&engine.store, &later, Some(YEAR), Timestamp::MAX, event()).await;
    done.unwrap();
    assert!(!is_active(&engine, &stored).await);
}

#[tokio::test]
async fn the_use_of_a_replaced_secret_keeps_the_token_alive() {
    let engine = Engine::with_accounts().await;
    let before = made(&engine, YEAR * 2).await;
    let plain = latchkey::testing::plain_secret();
    let new = NewSecret {
        hash: plain.hash(),
        hint: plain.hint(),
        ciphertext: before.ciphertext.clone(),
    };
    let long_ago = now() - YEAR * 2;
    let after = before.regenerate(new, YEAR * 3, latchkey::testing::owner_actor(), long_ago);
    let change = TokenChange {
        audit: audit(Action::Regenerate, &after.token, long_ago, 9),
        before: before.clone(),
        after,
        compromised: None,
        idempotency: None,
    };
    engine.store.change_token(&change).await.unwrap();
    use_it(&engine.store, &before, DAY).await;
    run(&engine.store).await.unwrap();
    assert!(is_active(&engine, &change.after).await);
}

#[tokio::test]
async fn a_run_whose_time_is_up_fails_so_that_it_is_tried_again() {
    let engine = Engine::with_accounts().await;
    let idle = made(&engine, YEAR * 2).await;
    let late = handle(&engine.store, &system_at(now()), Some(YEAR), now(), event()).await;
    assert!(matches!(late, Err(PortError::Unavailable(_))));
    assert!(is_active(&engine, &idle).await);
}
