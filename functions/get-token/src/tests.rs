use std::time::Duration;

use jiff::SignedDuration;
use latchkey::domain::action::Action;
use latchkey::domain::actor::Actor;
use latchkey::domain::change::TokenChange;
use latchkey::domain::secret::SecretHash;
use latchkey::domain::time::rfc3339;
use latchkey::domain::token::{Ended, LastUse, NewSecret, StoredToken, Token};
use latchkey::domain::verification::{Seen, UsedFrom};
use latchkey::ports::{ChangeToken, RecordUse, Use};
use latchkey::testing::{
    Answer, Engine, Event, FixedClock, audit, globex, now, owner_actor, plain_secret, token,
};
use serde_json::{Value, json};

use super::*;

async fn call(engine: &Engine, event: &Event) -> Answer {
    call_at(engine, FixedClock(now()), event).await
}

async fn call_at(engine: &Engine, clock: FixedClock, event: &Event) -> Answer {
    Answer::of(handle(&engine.store, &clock, event.request()).await)
}

fn get() -> Event {
    Event::sample(include_str!("../../../events/get-token/get.json"))
}

#[tokio::test]
async fn a_token_is_answered_with_its_version_as_the_etag() {
    let engine = Engine::with_accounts().await;
    let stored = engine.add(token()).await;
    let answer = call(&engine, &get()).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), "application/json");
    assert_eq!(answer.header("etag"), "\"1\"");
    assert_eq!(answer.json["id"], token().id.as_str());
    assert_eq!(answer.json["hint"], stored.token.hint);
    assert!(!answer.text.contains(&stored.secret_hash.to_hex()));
}

#[tokio::test]
async fn a_revoked_token_tells_when_and_by_whom() {
    let engine = Engine::with_accounts().await;
    let stored = engine.add(token()).await;
    engine.revoke(stored).await;
    let answer = call(&engine, &get()).await;
    assert_eq!(answer.header("etag"), "\"2\"");
    assert_eq!(answer.json["status"], "revoked");
    assert_eq!(answer.json["revokedAt"], rfc3339(now()));
    assert_eq!(answer.json["revokedBy"], json!(owner_actor()));
}

/// Changes a token and records that action.
async fn change(
    engine: &Engine,
    before: StoredToken,
    after: StoredToken,
    action: Action,
    compromised: Option<SecretHash>,
) {
    let change = TokenChange {
        audit: audit(action, &after.token, now(), 7),
        before,
        after,
        compromised,
        idempotency: None,
    };
    engine.store.change_token(&change).await.unwrap();
}

#[tokio::test]
async fn a_replaced_secret_is_told_while_it_works() {
    let engine = Engine::with_accounts().await;
    let before = engine.add(token()).await;
    let old_hint = before.token.hint.clone();
    let answer = call(&engine, &get()).await;
    assert_eq!(answer.json["previousSecret"], Value::Null);
    let plain = plain_secret();
    let new = NewSecret {
        hash: plain.hash(),
        hint: plain.hint(),
        ciphertext: before.ciphertext.clone(),
    };
    let hour = SignedDuration::from_hours(1);
    let after = before.regenerate(new, hour, owner_actor(), now());
    change(&engine, before, after, Action::Regenerate, None).await;
    let end = now() + hour;
    let answer = call(&engine, &get()).await;
    assert_eq!(answer.json["hint"], plain.hint());
    assert_eq!(
        answer.json["previousSecret"],
        json!({"hint": old_hint, "validUntil": rfc3339(end)})
    );
}

#[tokio::test]
async fn a_token_whose_secret_leaked_tells_when() {
    let engine = Engine::with_accounts().await;
    let before = engine.add(token()).await;
    let answer = call(&engine, &get()).await;
    assert_eq!(answer.json["compromisedAt"], Value::Null);
    let (at, by) = (now(), Action::Leak);
    let leaked = before
        .token
        .compromise(Actor::github(), Ended { at, by }, "leaked");
    let (after, hash) = (before.with(leaked, now()), before.secret_hash);
    change(&engine, before, after, Action::Leak, Some(hash)).await;
    let answer = call(&engine, &get()).await;
    assert_eq!(answer.json["compromisedAt"], rfc3339(now()));
    assert_eq!(answer.json["status"], "revoked");
    assert_eq!(answer.json["revocationReason"], "leaked");
}

#[tokio::test]
async fn a_token_tells_the_last_use_of_any_of_its_secrets() {
    let engine = Engine::with_accounts().await;
    let stored = engine.add(token()).await;
    let answer = call(&engine, &get()).await;
    assert_eq!(answer.json["lastUsedAt"], Value::Null);
    let (at, ip) = (now(), [192, 0, 2, 7].into());
    let used = Use {
        secret: stored.secret_hash,
        sighting: Seen::default().use_of(UsedFrom::Seen(ip), at).unwrap(),
        last_use: Some(LastUse { at, ip }),
        audit: audit(Action::Access, &stored.token, at, 8),
    };
    engine.store.record_use(&used).await.unwrap();
    let answer = call(&engine, &get()).await;
    assert_eq!(answer.json["lastUsedAt"], rfc3339(now()));
    assert_eq!(answer.json["lastUsedIp"], "192.0.2.7");
    // A use doesn't change the token's version.
    assert_eq!(answer.header("etag"), "\"1\"");
}

#[tokio::test]
async fn an_id_without_a_token_of_the_account_is_not_found() {
    let engine = Engine::with_accounts().await;
    let foreign = Token {
        account_id: globex().id,
        ..token()
    };
    engine.add(foreign).await;
    let unknown = call(&engine, &get().token("tok_01ARZ3NDEKTSV4RRFFQ69G5FAW")).await;
    assert_eq!(unknown.outcome(), (404, "token_not_found"));
    for event in [
        // This is the id of another account's token.
        get(),
        get().token("tok_01arz3ndektsv4rrffq69g5fav"),
        get().token("tok_"),
        get().token("%"),
        get().token(""),
    ] {
        let answer = call(&engine, &event).await;
        assert_eq!(answer.text, unknown.text, "{event:?}");
    }
    let theirs = get().account("globex").by("owner-2");
    assert_eq!(call(&engine, &theirs).await.status, 200);
}

#[tokio::test]
async fn a_token_is_gone_from_the_very_instant_of_its_purge() {
    let engine = Engine::with_accounts().await;
    let purge_at = now() + Duration::from_hours(1);
    let mortal = Token {
        purge_at: Some(purge_at),
        ..token()
    };
    engine.add(mortal).await;
    let just_before = FixedClock(purge_at - Duration::from_millis(1));
    assert_eq!(call_at(&engine, just_before, &get()).await.status, 200);
    let answer = call_at(&engine, FixedClock(purge_at), &get()).await;
    assert_eq!(answer.outcome(), (404, "token_not_found"));
}

#[tokio::test]
async fn nobody_but_owner_and_administrator_sees_a_token() {
    let engine = Engine::with_accounts().await;
    engine.add(token()).await;
    let answer = async |event: Event| call(&engine, &event).await;
    engine.refuses(get().by_the_unauthorized(), answer).await;
    assert_eq!(call(&engine, &get().by("admin-1")).await.status, 200);
}
