//! Uses are recorded once per address and day, together with what they leave behind.

use std::net::{IpAddr, Ipv4Addr};

use jiff::SignedDuration;
use tokio::task::JoinSet;

use super::*;
use crate::domain::policy::Owner;
use crate::domain::ports::{RecordUse, Use};
use crate::domain::token::{LastUse, RetiredSecret};
use crate::domain::verification::{
    Client, MAX_SEEN_ADDRESSES, Outcome, Presentation, Refusal, verify,
};
use crate::store::Store;
use crate::testing::{plain_secret, system_at};

fn address(number: u8) -> IpAddr {
    Ipv4Addr::new(192, 0, 2, number).into()
}

fn tomorrow() -> Timestamp {
    now() + SignedDuration::from_hours(24)
}

/// Presents the secret of [`stored_token`] from an address.
#[expect(clippy::disallowed_methods, reason = "presents the secret")]
async fn present(store: &Store, ip: IpAddr, time: Timestamp) -> Result<Outcome, PortError> {
    use secrecy::ExposeSecret;
    let presentation = Presentation {
        ip,
        operation: None,
        owner: Owner::NotRead,
    };
    let client = Client {
        user_agent: Some("curl/8.5.0"),
        request_id: "req-7",
    };
    let text = plain_secret();
    verify(
        store,
        &system_at(time),
        text.expose_secret(),
        presentation,
        client,
    )
    .await
}

async fn granted(engine: &Engine, ip: IpAddr, time: Timestamp) {
    let outcome = present(&engine.store, ip, time).await.unwrap();
    assert!(matches!(outcome, Outcome::Granted { .. }), "{outcome:?}");
}

/// How many uses are on record.
async fn uses(engine: &Engine, stored: &StoredToken) -> usize {
    let log = engine.audit(&stored.token.account_id).await;
    log.iter()
        .filter(|record| record.action == Action::Access)
        .count()
}

async fn last_use(engine: &Engine, stored: &StoredToken) -> Option<LastUse> {
    let stored = engine
        .stored(&stored.token.account_id, &stored.token.id)
        .await;
    stored.unwrap().token.last_use
}

/// The use that a verification of the secret as it is now would record.
async fn pending(engine: &Engine, stored: &StoredToken, ip: IpAddr, at: Timestamp) -> Use {
    let secret = secret(engine, stored.secret_hash).await.unwrap();
    Use {
        seen: secret.seen.after_use(ip, at).unwrap(),
        secret,
        last_use: LastUse { at, ip },
        audit: record(Action::Access, &stored.token),
    }
}

/// The first use of [`stored_token`].
pub(super) fn first_use() -> Use {
    let stored = stored_token();
    let secret = SecretRecord::of(&stored.token, stored.secret_hash);
    let ip = address(1);
    Use {
        seen: secret.seen.after_use(ip, now()).unwrap(),
        secret,
        last_use: LastUse { at: now(), ip },
        audit: record(Action::Access, &stored.token),
    }
}

/// Records uses at the same time.
async fn record_all(engine: &Engine, uses: Vec<Use>) -> Vec<Result<(), PortError>> {
    let mut calls = JoinSet::new();
    for used in uses {
        let store = engine.store.clone();
        calls.spawn(async move { store.record_use(&used).await });
    }
    calls.join_all().await
}

#[tokio::test]
async fn a_thousand_first_uses_at_once_leave_one_record() {
    let (engine, stored) = engine_with_token().await;
    let mut calls = JoinSet::new();
    for _ in 0..1_000 {
        let store = engine.store.clone();
        calls.spawn(async move { present(&store, address(1), now()).await });
    }
    for outcome in calls.join_all().await {
        assert!(matches!(outcome.unwrap(), Outcome::Granted { .. }));
    }
    assert_eq!(uses(&engine, &stored).await, 1);
    let (at, ip) = (now(), address(1));
    assert_eq!(last_use(&engine, &stored).await, Some(LastUse { at, ip }));
    let secret = secret(&engine, stored.secret_hash).await.unwrap();
    assert_eq!(secret.seen.addresses, [ip].into());
}

#[tokio::test]
async fn of_fifty_uses_that_were_read_alike_one_is_written() {
    let (engine, stored) = engine_with_token().await;
    let mut read = Vec::new();
    for _ in 0..50 {
        read.push(pending(&engine, &stored, address(1), now()).await);
    }
    let done = record_all(&engine, read).await;
    assert_eq!(done.iter().filter(|done| done.is_ok()).count(), 1);
    assert!(done.into_iter().filter(Result::is_err).all(is_conflict));
    assert_eq!(uses(&engine, &stored).await, 1);
}

#[tokio::test]
async fn a_record_tells_who_called_from_where() {
    let (engine, stored) = engine_with_token().await;
    granted(&engine, address(1), now()).await;
    let log = engine.audit(&stored.token.account_id).await;
    let record = log.iter().find(|record| record.action == Action::Access);
    let record = record.unwrap();
    assert_eq!(record.token_id, stored.token.id);
    assert_eq!(record.origin.actor.id, stored.token.id.as_str());
    assert_eq!(record.origin.ip, Some(address(1)));
    assert_eq!(record.origin.user_agent.as_deref(), Some("curl/8.5.0"));
    assert_eq!(record.origin.request_id, "req-7");
}

#[tokio::test]
async fn the_same_address_on_the_same_day_leaves_nothing() {
    let (engine, _) = engine_with_token().await;
    granted(&engine, address(1), now()).await;
    let before = engine.dump().await;
    granted(&engine, address(1), later(3_600)).await;
    assert_eq!(engine.dump().await, before);
}

#[tokio::test]
async fn another_address_and_another_day_leave_one_record_each() {
    let (engine, stored) = engine_with_token().await;
    granted(&engine, address(1), now()).await;
    granted(&engine, address(2), later(60)).await;
    assert_eq!(uses(&engine, &stored).await, 2);
    let used = last_use(&engine, &stored).await.unwrap();
    assert_eq!((used.at, used.ip), (later(60), address(2)));
    granted(&engine, address(1), tomorrow()).await;
    assert_eq!(uses(&engine, &stored).await, 3);
    let secret = secret(&engine, stored.secret_hash).await.unwrap();
    assert_eq!(secret.seen.addresses, [address(1)].into());
    assert_eq!(last_use(&engine, &stored).await.unwrap().at, tomorrow());
}

#[tokio::test]
async fn addresses_of_both_families_are_told_apart() {
    let (engine, stored) = engine_with_token().await;
    let ip: IpAddr = "2001:db8::1".parse().unwrap();
    granted(&engine, address(1), now()).await;
    granted(&engine, ip, now()).await;
    granted(&engine, ip, now()).await;
    // As a server of both families sees the first one.
    let mapped = "::ffff:192.0.2.1".parse().unwrap();
    granted(&engine, mapped, now()).await;
    assert_eq!(uses(&engine, &stored).await, 2);
    assert_eq!(last_use(&engine, &stored).await.unwrap().ip, ip);
    granted(&engine, mapped, tomorrow()).await;
    let ip = last_use(&engine, &stored).await.unwrap().ip;
    assert_eq!(ip, address(1));
}

#[tokio::test]
async fn a_day_leaves_32_records_at_most() {
    let (engine, stored) = engine_with_token().await;
    for number in 0..40 {
        granted(&engine, address(number), now()).await;
    }
    assert_eq!(uses(&engine, &stored).await, MAX_SEEN_ADDRESSES);
    let secret = secret(&engine, stored.secret_hash).await.unwrap();
    assert_eq!(secret.seen.addresses.len(), MAX_SEEN_ADDRESSES);
}

#[tokio::test]
async fn the_bound_holds_when_all_addresses_come_at_once() {
    let (engine, stored) = engine_with_token().await;
    granted(&engine, address(0), now()).await;
    let mut read = Vec::new();
    for number in 1..=100 {
        read.push(pending(&engine, &stored, address(number), now()).await);
    }
    let done = record_all(&engine, read).await;
    let written = done.iter().filter(|done| done.is_ok()).count();
    assert_eq!(written, MAX_SEEN_ADDRESSES - 1);
    assert!(done.into_iter().filter(Result::is_err).all(is_conflict));
    let secret = secret(&engine, stored.secret_hash).await.unwrap();
    assert_eq!(secret.seen.addresses.len(), MAX_SEEN_ADDRESSES);
}

#[tokio::test]
async fn a_clock_that_is_behind_does_not_keep_a_call_from_going_on() {
    let (engine, stored) = engine_with_token().await;
    granted(&engine, address(1), tomorrow()).await;
    granted(&engine, address(1), now()).await;
    assert_eq!(uses(&engine, &stored).await, 1);
    granted(&engine, address(2), now()).await;
    assert_eq!(uses(&engine, &stored).await, 2);
}

#[tokio::test]
async fn a_use_is_not_recorded_once_the_token_is_revoked() {
    let (engine, stored) = engine_with_token().await;
    let first = pending(&engine, &stored, address(1), now()).await;
    let gone = apply(&engine, &stored, revoked(&stored)).await;
    let before = engine.dump().await;
    assert!(is_conflict(engine.store.record_use(&first).await));
    assert_eq!(engine.dump().await, before);
    let outcome = present(&engine.store, address(1), now()).await.unwrap();
    assert!(matches!(outcome, Outcome::Refused(Refusal::Revoked)));

    let back = apply(&engine, &gone, reactivated(&gone)).await;
    granted(&engine, address(1), now()).await;
    let second = pending(&engine, &stored, address(2), now()).await;
    apply(&engine, &back, revoked(&back)).await;
    assert!(is_conflict(engine.store.record_use(&second).await));
}

#[tokio::test]
async fn a_use_is_not_recorded_once_the_secret_is_replaced() {
    let (engine, stored) = engine_with_token().await;
    let used = pending(&engine, &stored, address(1), now()).await;
    let mut after = stored.clone();
    after.secret_hash = hash();
    apply(&engine, &stored, after).await;
    let before = engine.dump().await;
    assert!(is_conflict(engine.store.record_use(&used).await));
    assert_eq!(engine.dump().await, before);
    let outcome = present(&engine.store, address(1), now()).await.unwrap();
    assert!(matches!(outcome, Outcome::Refused(Refusal::Unknown)));
}

#[tokio::test]
async fn without_an_audit_log_no_call_goes_on_and_nothing_is_remembered() {
    let (engine, _) = engine_with_token().await;
    engine.break_audit().await;
    let before = engine.dump().await;
    let outcome = present(&engine.store, address(1), now()).await;
    assert!(matches!(outcome, Err(PortError::Broken(_))));
    assert_eq!(engine.dump().await, before);
}

#[tokio::test]
async fn a_change_keeps_what_a_use_wrote_meanwhile() {
    let (engine, stored) = engine_with_token().await;
    granted(&engine, address(1), now()).await;
    let read = engine.stored(&stored.token.account_id, &stored.token.id);
    let read = read.await.unwrap();
    granted(&engine, address(2), later(60)).await;
    // The change knows the first use, but not the second.
    let used = last_use(&engine, &read).await;
    assert_ne!(read.token.last_use, used);
    let seen = secret(&engine, read.secret_hash).await.unwrap().seen;
    assert_eq!(seen.addresses.len(), 2);
    let mut after = read.clone();
    after.token.name = "Renamed".into();
    after.retired = Some(RetiredSecret {
        hash: read.secret_hash,
        valid_until: later(600),
    });
    after.secret_hash = hash();
    let after = apply(&engine, &read, after).await;
    assert_eq!(last_use(&engine, &read).await, used);
    assert_eq!(secret(&engine, read.secret_hash).await.unwrap().seen, seen);
    let fresh = secret(&engine, after.secret_hash).await.unwrap();
    assert_eq!(fresh.seen.day, None, "a new secret hasn't been used yet");
}

#[tokio::test]
async fn a_use_does_not_get_in_the_way_of_a_change() {
    let (engine, read) = engine_with_token().await;
    granted(&engine, address(1), now()).await;
    apply(&engine, &read, revoked(&read)).await;
    let outcome = present(&engine.store, address(1), now()).await.unwrap();
    assert!(matches!(outcome, Outcome::Refused(Refusal::Revoked)));
}
