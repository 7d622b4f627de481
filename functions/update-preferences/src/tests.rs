use latchkey::ports::{GetPreferences, ListPreferences};
use latchkey::testing::{Answer, Engine, Event, acme};
use serde_json::{Value, json};

use super::*;

fn sample() -> Event {
    Event::sample(include_str!(
        "../../../events/update-preferences/accesses-daily.json"
    ))
}

async fn call(engine: &Engine, event: Event) -> Answer {
    Answer::of(handle(&engine.store, event.request()).await)
}

#[tokio::test]
async fn a_choice_is_stored_for_the_caller_alone_and_replaces_the_last_one() {
    let engine = Engine::with_accounts().await;
    let (account, user) = (acme().id, "owner-1".parse().unwrap());
    let answer = call(&engine, sample()).await;
    let chosen = json!({"create": "immediate", "access": "daily", "change": "immediate"});
    assert_eq!((answer.status, &answer.json), (200, &chosen));
    let stored = engine.store.get_preferences(&account, &user).await.unwrap();
    assert_eq!(serde_json::to_value(stored).unwrap(), chosen);

    let other = json!({"create": "daily", "access": "immediate", "change": "daily"});
    let answer = call(&engine, sample().body(&other)).await;
    assert_eq!(answer.json, other);
    let all = engine.store.list_preferences(&account).await.unwrap();
    assert_eq!(all.len(), 1);
    assert_eq!(all[0].0, user);
    assert_eq!(serde_json::to_value(all[0].1).unwrap(), other);
}

#[tokio::test]
async fn a_choice_names_every_group_and_nothing_else() {
    let engine = Engine::with_accounts().await;
    let before = engine.dump().await;
    for (body, failures) in [
        (
            json!({}),
            &[
                ("create", "required"),
                ("access", "required"),
                ("change", "required"),
            ][..],
        ),
        (
            json!({"create": "daily", "access": null, "change": "weekly"}),
            &[("access", "required"), ("change", "invalid_value")],
        ),
        (
            json!({"create": "daily", "access": "daily", "change": "daily", "view": "daily"}),
            &[("view", "unknown_field")],
        ),
        (
            json!({"create": 1, "access": ["daily"], "change": "Daily"}),
            &[
                ("create", "invalid_value"),
                ("access", "invalid_value"),
                ("change", "invalid_value"),
            ],
        ),
    ] {
        let answer = call(&engine, sample().body(&body)).await;
        assert_eq!(answer.outcome(), (422, "validation_failed"), "{body}");
        assert_eq!(answer.failures(), failures, "{body}");
    }
    for body in [Value::Null, json!([])] {
        let answer = call(&engine, sample().body(&body)).await;
        assert_eq!(answer.outcome(), (400, "malformed_json"));
    }
    assert_eq!(engine.dump().await, before);
}

#[tokio::test]
async fn only_who_gets_mails_has_a_choice() {
    let engine = Engine::with_accounts().await;
    let before = engine.dump().await;
    let answer = async |event: Event| call(&engine, event).await;
    engine.refuses(sample().by_the_unauthorized(), answer).await;
    assert_eq!(engine.dump().await, before);
}
