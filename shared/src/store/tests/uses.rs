//! Uses are recorded once per address and day, together with the last use.

use std::net::{IpAddr, Ipv4Addr};

use jiff::SignedDuration;
use tokio::task::JoinSet;

use super::*;
use crate::app::verify::{Client, Verified, verify};
use crate::domain::token::LastUse;
use crate::domain::verification::{MAX_SEEN_ADDRESSES, Purpose, Refusal, Seen, UsedFrom};
use crate::ports::{ListTokens, RecallSecret, RecordUse, Use};
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
async fn present(store: &Store, ip: IpAddr, time: Timestamp) -> Result<Verified, PortError> {
    use secrecy::ExposeSecret;
    let client = Client {
        ip,
        user_agent: Some("curl/8.5.0"),
        request_id: "req-7",
    };
    let text = plain_secret();
    verify(
        store,
        &system_at(time),
        text.expose_secret(),
        Purpose::TokenInfo,
        client,
    )
    .await
}

async fn granted(engine: &Engine, ip: IpAddr, time: Timestamp) {
    let outcome = present(&engine.store, ip, time).await.unwrap();
    assert!(matches!(outcome, Verified::Granted { .. }), "{outcome:?}");
}

/// The number of recorded uses.
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

/// The use that a verification of the secret in its current state would record.
async fn pending(engine: &Engine, stored: &StoredToken, ip: IpAddr, at: Timestamp) -> Use {
    let seen = seen(engine, stored.secret_hash).await;
    use_of(stored, &seen, ip, at)
}

/// The recorded uses of a secret.
async fn seen(engine: &Engine, hash: SecretHash) -> Seen {
    engine.store.get_seen(&hash).await.unwrap()
}

fn use_of(stored: &StoredToken, seen: &Seen, ip: IpAddr, at: Timestamp) -> Use {
    Use {
        secret: stored.secret_hash,
        sighting: seen.use_of(UsedFrom::Seen(ip), at).unwrap(),
        last_use: Some(LastUse { at, ip }),
        audit: AuditRecord::new(Action::Access, &stored.token, vec![], origin(), at, &System)
            .unwrap(),
    }
}

/// The first use of [`stored_token`].
pub(super) fn first_use() -> Use {
    use_of(&stored_token(), &Seen::default(), address(1), now())
}

/// Records uses concurrently.
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
        assert!(matches!(outcome.unwrap(), Verified::Granted { .. }));
    }
    assert_eq!(uses(&engine, &stored).await, 1);
    let (at, ip) = (now(), address(1));
    assert_eq!(last_use(&engine, &stored).await, Some(LastUse { at, ip }));
    let seen = seen(&engine, stored.secret_hash).await;
    assert_eq!(seen.addresses, [UsedFrom::Seen(ip)].into());
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
    let seen = seen(&engine, stored.secret_hash).await;
    assert_eq!(seen.addresses, [UsedFrom::Seen(address(1))].into());
    assert_eq!(last_use(&engine, &stored).await.unwrap().at, tomorrow());
}

#[tokio::test]
async fn addresses_of_both_families_are_told_apart() {
    let (engine, stored) = engine_with_token().await;
    let ip: IpAddr = "2001:db8::1".parse().unwrap();
    granted(&engine, address(1), now()).await;
    granted(&engine, ip, now()).await;
    granted(&engine, ip, now()).await;
    // The first address as a dual-stack server sees it.
    let mapped = "::ffff:192.0.2.1".parse().unwrap();
    granted(&engine, mapped, now()).await;
    assert_eq!(uses(&engine, &stored).await, 2);
    assert_eq!(last_use(&engine, &stored).await.unwrap().ip, ip);
    granted(&engine, mapped, tomorrow()).await;
    let ip = last_use(&engine, &stored).await.unwrap().ip;
    assert_eq!(ip, address(1));
}

#[tokio::test]
async fn a_day_leaves_32_records_and_one_more_an_hour() {
    let (engine, stored) = engine_with_token().await;
    for number in 0..40 {
        granted(&engine, address(number), now()).await;
    }
    assert_eq!(uses(&engine, &stored).await, MAX_SEEN_ADDRESSES + 1);
    for number in 40..80 {
        granted(&engine, address(number), later(3_600)).await;
    }
    assert_eq!(uses(&engine, &stored).await, MAX_SEEN_ADDRESSES + 2);
    // The last address within the maximum is logged as such, and so is every one beyond it.
    let log = engine.audit(&stored.token.account_id).await;
    let told = |record: &&AuditRecord| record.changes.iter().any(|it| it.field == "addressesToday");
    assert_eq!(log.iter().filter(told).count(), 3);
    let used = last_use(&engine, &stored).await.unwrap();
    assert_eq!((used.at, used.ip), (later(3_600), address(40)));
    let seen = seen(&engine, stored.secret_hash).await;
    assert_eq!(seen.addresses.len(), MAX_SEEN_ADDRESSES);
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
    let seen = seen(&engine, stored.secret_hash).await;
    assert_eq!(seen.addresses.len(), MAX_SEEN_ADDRESSES);
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

/// The records of refusals, newest first, as reason and number of days.
async fn refusals(engine: &Engine, stored: &StoredToken) -> Vec<(String, String)> {
    let log = engine.audit(&stored.token.account_id).await;
    let refused = log
        .into_iter()
        .filter(|record| record.action == Action::Refused);
    let value = |record: &AuditRecord, name: &str| {
        let change = record.changes.iter().find(|it| it.field == name);
        change.unwrap().new.clone().unwrap()
    };
    refused
        .map(|it| (value(&it, "reason"), value(&it, "daysRefused")))
        .collect()
}

async fn refused(engine: &Engine, ip: IpAddr, time: Timestamp) -> Refusal {
    match present(&engine.store, ip, time).await.unwrap() {
        Verified::Refused { refusal, .. } => refusal,
        outcome @ Verified::Granted { .. } => panic!("{outcome:?}"),
    }
}

#[tokio::test]
async fn a_use_that_was_granted_just_before_the_revocation_is_recorded_and_no_further_one() {
    let (engine, stored) = engine_with_token().await;
    let first = pending(&engine, &stored, address(1), now()).await;
    apply(&engine, &stored, revoked(&stored)).await;
    engine.store.record_use(&first).await.unwrap();
    assert_eq!(uses(&engine, &stored).await, 1);
    for ip in [1, 2].map(address) {
        assert_eq!(refused(&engine, ip, now()).await, Refusal::Revoked);
    }
    assert_eq!(uses(&engine, &stored).await, 1);
}

#[tokio::test]
async fn a_replaced_secret_is_refused_as_ended_and_that_is_no_use() {
    let (engine, stored) = engine_with_token().await;
    granted(&engine, address(1), now()).await;
    let used = last_use(&engine, &stored).await;
    // Read with its last use, which the change keeps.
    let read = engine.stored(&stored.token.account_id, &stored.token.id);
    let read = read.await.unwrap();
    apply(&engine, &read, regenerated(&read, 0)).await;
    // Also from an address that is remembered as valid.
    assert_eq!(
        refused(&engine, address(1), later(60)).await,
        Refusal::Ended
    );
    assert_eq!(last_use(&engine, &stored).await, used);
    assert_eq!(
        refusals(&engine, &stored).await,
        [("ended".into(), "1".into())]
    );
}

#[tokio::test]
async fn a_refusal_is_recorded_once_per_reason_and_day() {
    let (engine, stored) = engine_with_token().await;
    let mut narrow = stored.clone();
    narrow.token.allowed_cidrs = vec!["192.0.2.9/32".parse().unwrap()];
    let narrow = apply(&engine, &stored, narrow).await;
    for number in 1..=3 {
        assert_eq!(
            refused(&engine, address(number), now()).await,
            Refusal::Address
        );
    }
    let address_once = [("address".to_owned(), "1".to_owned())];
    assert_eq!(refusals(&engine, &stored).await, address_once);
    assert_eq!(
        refused(&engine, address(1), tomorrow()).await,
        Refusal::Address
    );
    apply(&engine, &narrow, revoked(&narrow)).await;
    assert_eq!(
        refused(&engine, address(1), tomorrow()).await,
        Refusal::Revoked
    );
    assert_eq!(
        refused(&engine, address(9), tomorrow()).await,
        Refusal::Revoked
    );
    let mut all = refusals(&engine, &stored).await;
    all.sort();
    let expected = [("address", "1"), ("address", "2"), ("revoked", "1")];
    assert_eq!(
        all,
        expected.map(|(reason, days)| (reason.into(), days.into()))
    );
    let seen = seen(&engine, stored.secret_hash).await;
    let days: Vec<_> = seen
        .refusals
        .iter()
        .map(|(why, it)| (*why, it.count))
        .collect();
    assert_eq!(days, [(Refusal::Revoked, 1), (Refusal::Address, 2)]);
    assert_eq!(seen.last_use, None);
}

#[tokio::test]
async fn of_many_refusals_at_once_one_is_recorded() {
    let (engine, stored) = engine_with_token().await;
    apply(&engine, &stored, revoked(&stored)).await;
    let mut calls = JoinSet::new();
    for _ in 0..50 {
        let store = engine.store.clone();
        calls.spawn(async move { present(&store, address(1), now()).await });
    }
    for outcome in calls.join_all().await {
        assert!(matches!(
            outcome,
            Ok(Verified::Refused {
                refusal: Refusal::Revoked,
                ..
            })
        ));
    }
    assert_eq!(refusals(&engine, &stored).await.len(), 1);
}

#[tokio::test]
async fn a_refusal_stays_one_if_it_cannot_be_recorded() {
    let (engine, stored) = engine_with_token().await;
    apply(&engine, &stored, revoked(&stored)).await;
    engine.break_audit().await;
    let before = engine.dump().await;
    assert_eq!(refused(&engine, address(1), now()).await, Refusal::Revoked);
    assert_eq!(engine.dump().await, before);
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
    // The change is based on the first use, but not on the second.
    let used = last_use(&engine, &read).await;
    assert_ne!(read.token.last_use, used);
    let before = seen(&engine, read.secret_hash).await;
    assert_eq!(before.addresses.len(), 2);
    let mut after = rotated(&read);
    after.token.name = "Renamed".into();
    let after = apply(&engine, &read, after).await;
    assert_eq!(last_use(&engine, &read).await, used);
    assert_eq!(seen(&engine, read.secret_hash).await, before);
    let fresh = seen(&engine, after.secret_hash).await;
    assert_eq!(fresh, Seen::default(), "a new secret hasn't been used yet");
}

#[tokio::test]
async fn the_last_use_is_the_latest_of_all_secrets_in_the_token_and_in_the_list() {
    let (engine, first) = engine_with_token().await;
    let listed = async || {
        let query = crate::domain::paging::TokenQuery {
            filter: crate::domain::paging::TokenFilter::default(),
            order: crate::domain::paging::TokenOrder::Newest,
            limit: 10,
            after: None,
        };
        let account = &first.token.account_id;
        let page = engine.store.list_tokens(account, &query, now()).await;
        page.unwrap().items.remove(0).last_use
    };
    let both = async || {
        let used = last_use(&engine, &first).await;
        assert_eq!(listed().await, used);
        used.map(|used| (used.at, used.ip))
    };
    let read = async || {
        let read = engine.stored(&first.token.account_id, &first.token.id);
        read.await.unwrap()
    };
    assert_eq!(both().await, None);
    granted(&engine, address(1), later(1)).await;
    assert_eq!(both().await, Some((later(1), address(1))));
    let item = raw_token(&engine, &first.token).await.unwrap();
    assert!(
        !item.contains_key("lastUsedAt"),
        "a use doesn't write tokens"
    );

    // The change writes the last use that it read to the token, so it isn't lost.
    let before = read().await;
    let second = apply(&engine, &before, rotated(&before)).await;
    let item = raw_token(&engine, &first.token).await.unwrap();
    assert!(item.contains_key("lastUsedAt") && item.contains_key("lastUsedIp"));
    assert_eq!(both().await, Some((later(1), address(1))));
    let used = pending(&engine, &second, address(2), later(2)).await;
    engine.store.record_use(&used).await.unwrap();
    assert_eq!(both().await, Some((later(2), address(2))));
    granted(&engine, address(3), later(3)).await;
    assert_eq!(
        both().await,
        Some((later(3), address(3))),
        "the old secret's"
    );
    let before = read().await;
    apply(&engine, &before, regenerated(&before, 0)).await;
    assert_eq!(both().await, Some((later(3), address(3))));
}

#[tokio::test]
async fn a_use_does_not_get_in_the_way_of_a_change() {
    let (engine, read) = engine_with_token().await;
    granted(&engine, address(1), now()).await;
    apply(&engine, &read, revoked(&read)).await;
    let outcome = present(&engine.store, address(1), now()).await.unwrap();
    assert!(matches!(
        outcome,
        Verified::Refused {
            refusal: Refusal::Revoked,
            ..
        }
    ));
}
