use std::time::Duration;

use latchkey::domain::token::Token;
use latchkey::testing::{Answer, Engine, Event, FixedClock, globex, now, owner_actor, token};
use serde_json::json;

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
    assert_eq!(answer.json["revokedAt"], now().to_string());
    assert_eq!(answer.json["revokedBy"], json!(owner_actor()));
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
        // The id of another account's token.
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
