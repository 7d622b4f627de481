use latchkey::domain::preferences::MailTiming;
use latchkey::ports::PutPreferences;
use latchkey::testing::{Answer, Engine, Event, acme, globex};
use serde_json::json;

use super::*;

fn get() -> Event {
    Event::sample(include_str!("../../../events/get-preferences/get.json"))
}

async fn call(engine: &Engine, event: Event) -> Answer {
    Answer::of(handle(&engine.store, event.request()).await)
}

#[tokio::test]
async fn whoever_has_not_chosen_gets_every_mail_at_once() {
    let engine = Engine::with_accounts().await;
    let answer = call(&engine, get()).await;
    assert_eq!(answer.status, 200);
    let all = json!({"create": "immediate", "access": "immediate", "change": "immediate"});
    assert_eq!(answer.json, all);
}

#[tokio::test]
async fn a_choice_is_the_callers_own_and_of_this_account() {
    let engine = Engine::with_accounts().await;
    let chosen = MailPreferences {
        access: MailTiming::Daily,
        ..MailPreferences::default()
    };
    let other = MailPreferences {
        create: MailTiming::Daily,
        ..MailPreferences::default()
    };
    for (account, user, chosen) in [
        (acme().id, "owner-1", &chosen),
        (acme().id, "admin-1", &other),
        (globex().id, "owner-1", &other),
    ] {
        let user = user.parse().unwrap();
        let put = engine.store.put_preferences(&account, &user, chosen);
        put.await.unwrap();
    }
    let answer = call(&engine, get()).await;
    let daily = json!({"create": "immediate", "access": "daily", "change": "immediate"});
    assert_eq!(answer.json, daily);
    let answer = call(&engine, get().by("admin-1")).await;
    assert_eq!(answer.json["create"], "daily");
}

#[tokio::test]
async fn only_who_gets_mails_has_a_choice() {
    let engine = Engine::with_accounts().await;
    let answer = async |event: Event| call(&engine, event).await;
    engine.refuses(get().by_the_unauthorized(), answer).await;
}
