//! What a verification finds by a secret's hash, and the calls that it needs.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};

use aws_sdk_dynamodb::types::AttributeValue;

use super::calls::Calls;
use super::*;
use crate::domain::scope::ResourceLists;
use crate::domain::token::{LastUse, Status};
use crate::domain::verification::{
    MAX_SEEN_ADDRESSES, Refusal, RefusedDays, SecretState, Seen, Sighting, UsedFrom, standing,
    tombstone_end,
};
use crate::ports::{Recall, RecallSecret, RecordUse, Use};
use crate::store::Store;
use crate::store::items::{SEEN, expiry, seen_key};

fn seen_from(number: u8) -> UsedFrom {
    UsedFrom::Seen(Ipv4Addr::new(192, 0, 2, number).into())
}

fn asserted(number: u8) -> UsedFrom {
    UsedFrom::Asserted(seen_from(number).ip())
}

/// Recalls an existing secret.
async fn recall(store: &Store, from: UsedFrom, now: Timestamp) -> Recall {
    let hash = stored_token().secret_hash;
    let recalled = store.recall_secret(&hash, from, now).await.unwrap();
    let (secret, recall) = recalled.unwrap();
    assert_eq!(secret.token_id, stored_token().token.id);
    recall
}

async fn seen(store: &Store, from: UsedFrom, now: Timestamp) -> Seen {
    match recall(store, from, now).await {
        Recall::Read(seen) => seen,
        Recall::OnRecord | Recall::Kept => panic!("it is remembered"),
    }
}

fn used(sighting: Sighting, ip: IpAddr, at: Timestamp) -> Use {
    let stored = stored_token();
    let refused = matches!(sighting, Sighting::Refused(..));
    let action = if refused {
        Action::Refused
    } else {
        Action::Access
    };
    Use {
        secret: stored.secret_hash,
        sighting,
        last_use: (!refused).then_some(LastUse { at, ip }),
        audit: AuditRecord::new(action, &stored.token, vec![], origin(), at, &System).unwrap(),
    }
}

/// Records a use, and returns whether it added anything.
async fn record_use(engine: &Engine, from: UsedFrom, at: Timestamp) -> bool {
    let seen = engine.store.get_seen(&stored_token().secret_hash).await;
    let Some(sighting) = seen.unwrap().use_of(from, at) else {
        return false;
    };
    let used = used(sighting, from.ip(), at);
    engine.store.record_use(&used).await.unwrap();
    true
}

#[tokio::test]
async fn nobodys_secret_is_not_found_and_not_remembered() {
    let engine = Engine::with_accounts().await;
    let (calls, store) = Calls::noted(&engine);
    let hash = hash();
    for _ in 0..2 {
        let found = store.recall_secret(&hash, seen_from(1), now()).await;
        assert!(found.unwrap().is_none());
        assert_eq!(calls.take(), ["BatchGetItem"]);
    }
    assert_eq!(store.get_seen(&hash).await.unwrap(), Seen::default());
}

#[tokio::test]
async fn a_secret_comes_with_what_is_on_record_of_it() {
    let (engine, stored) = engine_with_token().await;
    let (calls, store) = Calls::noted(&engine);
    assert_eq!(seen(&store, seen_from(1), now()).await, Seen::default());
    assert!(record_use(&engine, seen_from(1), now()).await);
    assert!(record_use(&engine, seen_from(2), later(1)).await);
    assert!(record_use(&engine, asserted(1), later(2)).await);
    let days = RefusedDays {
        last: "2026-11-23".parse().unwrap(),
        count: 3,
    };
    let refusal = used(
        Sighting::Refused(Refusal::Address, days),
        seen_from(9).ip(),
        later(3),
    );
    engine.store.record_use(&refusal).await.unwrap();
    calls.take();
    let expected = Seen {
        day: Some("2026-11-23".parse().unwrap()),
        addresses: BTreeSet::from([seen_from(1), seen_from(2), asserted(1)]),
        crowded_hour: None,
        refusals: [(Refusal::Address, days)].into(),
        // A refusal isn't a use.
        last_use: Some(LastUse {
            at: later(2),
            ip: seen_from(1).ip(),
        }),
    };
    assert_eq!(seen(&store, seen_from(3), later(4)).await, expected);
    assert_eq!(calls.take(), ["BatchGetItem"]);
    let alone = store.get_seen(&stored.secret_hash).await;
    assert_eq!(alone.unwrap(), expected);
    let item = raw(&engine, seen_key(stored.secret_hash), SEEN).await;
    let end = expiry(tombstone_end(later(3))).to_string();
    assert_eq!(item.unwrap()["expiresAt"].as_n(), Ok(&end));
}

#[tokio::test]
async fn a_use_on_record_is_remembered_until_midnight_and_costs_one_small_read() {
    let (engine, _) = engine_with_token().await;
    let (calls, store) = Calls::noted(&engine);
    assert!(record_use(&engine, seen_from(1), now()).await);
    assert!(matches!(
        recall(&store, seen_from(1), now()).await,
        Recall::Read(_)
    ));
    assert_eq!(calls.take(), ["BatchGetItem"]);
    let midnight: Timestamp = "2026-11-24T00:00:00Z".parse().unwrap();
    let last = midnight - SignedDuration::from_millis(1);
    for at in [now(), later(3_600), last] {
        assert!(matches!(
            recall(&store, seen_from(1), at).await,
            Recall::OnRecord
        ));
        assert_eq!(calls.take(), ["GetItem"]);
    }
    // Another address, the same address asserted, and the next day are other uses.
    for (from, at) in [
        (seen_from(2), now()),
        (asserted(1), now()),
        (seen_from(1), midnight),
    ] {
        assert!(matches!(recall(&store, from, at).await, Recall::Read(_)));
        assert_eq!(calls.take(), ["BatchGetItem"]);
    }
}

#[tokio::test]
async fn a_remembered_use_hides_no_change_of_the_secret() {
    let (engine, stored) = engine_with_token().await;
    assert!(record_use(&engine, seen_from(1), now()).await);
    recall(&engine.store, seen_from(1), now()).await;
    apply(&engine, &stored, revoked(&stored)).await;
    let hash = stored.secret_hash;
    let recalled = engine.store.recall_secret(&hash, seen_from(1), now()).await;
    let (secret, recall) = recalled.unwrap().unwrap();
    assert!(matches!(recall, Recall::OnRecord));
    assert_eq!(secret.status, Status::Revoked);
    let delete = engine.client.delete_item().table_name("Tokens");
    let key = crate::store::table::key(secret_key(hash), "SECRET");
    delete.set_key(Some(key)).send().await.unwrap();
    let recalled = engine.store.recall_secret(&hash, seen_from(1), now()).await;
    assert!(recalled.unwrap().is_none());
}

#[tokio::test]
async fn asserted_addresses_are_kept_apart_from_those_that_are_seen() {
    let (engine, _) = engine_with_token().await;
    for number in 0..40 {
        record_use(&engine, asserted(number), now()).await;
    }
    let all = seen(&engine.store, seen_from(200), now()).await;
    assert_eq!(all.addresses.len(), MAX_SEEN_ADDRESSES);
    // Asserted addresses don't take the room of seen ones.
    for number in 0..40 {
        record_use(&engine, seen_from(number), now()).await;
    }
    let all = seen(&engine.store, seen_from(201), later(3_600)).await;
    assert_eq!(all.addresses.len(), 2 * MAX_SEEN_ADDRESSES);
    // A new day resets both kinds.
    let tomorrow = later(24 * 3_600);
    assert!(record_use(&engine, asserted(1), tomorrow).await);
    let all = seen(&engine.store, seen_from(202), tomorrow).await;
    assert_eq!(all.addresses, BTreeSet::from([asserted(1)]));
}

#[tokio::test]
async fn a_use_beyond_the_days_addresses_is_remembered_for_the_hour() {
    let (engine, _) = engine_with_token().await;
    for number in 0..32 {
        assert!(record_use(&engine, seen_from(number), now()).await);
    }
    let (calls, store) = Calls::noted(&engine);
    assert_eq!(seen(&store, seen_from(50), now()).await.crowded_hour, None);
    assert!(record_use(&engine, seen_from(50), now()).await);
    assert!(!record_use(&engine, seen_from(51), later(3_599)).await);
    let hour = now().as_second() / 3_600;
    let crowded = seen(&store, seen_from(51), now()).await.crowded_hour;
    assert_eq!(crowded, Some(hour));
    calls.take();
    assert!(matches!(
        recall(&store, seen_from(51), later(3_599)).await,
        Recall::OnRecord
    ));
    assert_eq!(calls.take(), ["GetItem"]);
    assert!(matches!(
        recall(&store, seen_from(51), later(3_600)).await,
        Recall::Read(_)
    ));
    assert!(record_use(&engine, seen_from(51), later(3_600)).await);
}

#[tokio::test]
async fn what_is_on_record_is_not_recorded_again() {
    let (engine, stored) = engine_with_token().await;
    let day = "2026-11-23".parse().unwrap();
    let hour = now().as_second() / 3_600;
    let last = RefusedDays {
        last: day,
        count: 1,
    };
    for sighting in [
        Sighting::Day(day, seen_from(1)),
        Sighting::Address(day, seen_from(2)),
        Sighting::Address(day, asserted(2)),
        Sighting::Crowd(hour),
        Sighting::Refused(Refusal::Ended, last),
    ] {
        let ip = seen_from(1).ip();
        let first = engine.store.record_use(&used(sighting, ip, now())).await;
        first.unwrap();
        let before = engine.dump().await;
        let again = engine.store.record_use(&used(sighting, ip, now())).await;
        assert!(is_conflict(again), "{sighting:?}");
        assert_eq!(engine.dump().await, before);
    }
    // The recorded day never goes back, and the addresses are those of that day.
    for day in ["2026-11-22", "2026-11-24"] {
        let sighting = Sighting::Address(day.parse().unwrap(), seen_from(3));
        let other = used(sighting, seen_from(3).ip(), now());
        assert!(is_conflict(engine.store.record_use(&other).await));
    }
    let yesterday = Sighting::Day("2026-11-22".parse().unwrap(), seen_from(3));
    let other = used(yesterday, seen_from(3).ip(), now());
    assert!(is_conflict(engine.store.record_use(&other).await));
    assert!(raw_secret(&engine, stored.secret_hash).await.is_some());
}

/// Replaces an attribute of the stored secret.
async fn tamper(engine: &Engine, name: &str, value: AttributeValue) {
    let mut item = raw_secret(engine, stored_token().secret_hash)
        .await
        .unwrap();
    item.insert(name.into(), value);
    let put = engine.client.put_item().table_name("Tokens");
    put.set_item(Some(item)).send().await.unwrap();
}

#[tokio::test]
async fn a_state_a_status_or_a_scope_that_this_version_does_not_know_is_refused() {
    let s = |text: &str| AttributeValue::S(text.into());
    let scope = AttributeValue::M(Item::from([("type".into(), s("everything"))]));
    let no_type = AttributeValue::M(Item::new());
    for (name, value, refusal) in [
        ("state", s("paused"), Refusal::Ended),
        ("state", s(""), Refusal::Ended),
        ("status", s("paused"), Refusal::Revoked),
        ("scope", scope, Refusal::Revoked),
        ("scope", no_type, Refusal::Revoked),
    ] {
        let (engine, stored) = engine_with_token().await;
        tamper(&engine, name, value).await;
        let read = secret(&engine, stored.secret_hash).await.unwrap();
        let ip = Some(seen_from(1).ip());
        assert_eq!(standing(Some(&read), ip, now()), Err(refusal), "{name}");
        if name == "scope" {
            assert_eq!(read.scope, Scope::Custom(ResourceLists::default()));
        }
    }
}

#[tokio::test]
async fn what_is_no_text_where_one_belongs_is_an_error() {
    for name in [
        "state",
        "status",
        "scope",
        "allowedCidrs",
        "purgeAt",
        "endedAt",
    ] {
        let (engine, stored) = engine_with_token().await;
        tamper(&engine, name, AttributeValue::Bool(true)).await;
        let read = engine.store.get_secret(&stored.secret_hash).await;
        assert!(matches!(read, Err(PortError::Broken(_))), "{name}");
    }
}

#[tokio::test]
async fn every_state_is_read_as_it_was_stored() {
    for state in SecretState::ALL {
        let (engine, stored) = engine_with_token().await;
        tamper(&engine, "state", AttributeValue::S(state.as_str().into())).await;
        let read = secret(&engine, stored.secret_hash).await.unwrap();
        assert_eq!(read.state, state);
    }
}
