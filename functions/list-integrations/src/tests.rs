use std::time::Duration;

use latchkey::domain::account::Account;
use latchkey::ports::ProjectPlatform;
use latchkey::testing::{Answer, Engine, Event, acme, globex, now};
use serde_json::{Value, json};

use super::*;

async fn call(engine: &Engine, event: &Event) -> Answer {
    Answer::of(handle(&engine.store, event.request()).await)
}

fn sample() -> Event {
    Event::sample(include_str!("../../../events/list-integrations/list.json"))
}

fn list(query: &str) -> Event {
    sample().query(query)
}

fn ids(answer: &Answer) -> Vec<&str> {
    assert_eq!(answer.status, 200, "{}", answer.text);
    let integrations = answer.json["integrations"].as_array().unwrap();
    integrations
        .iter()
        .map(|integration| integration["id"].as_str().unwrap())
        .collect()
}

async fn add(engine: &Engine, account: &Account, id: &str, name: &str) {
    let integration = Integration {
        account_id: account.id.clone(),
        id: id.parse().unwrap(),
        name: name.into(),
    };
    let added = engine.store.put_integration(&integration, now());
    added.await.unwrap();
}

/// The accounts with three Integration Apps of `acme` and one of `globex`, beside their resources.
async fn installed() -> Engine {
    let engine = Engine::with_accounts().await;
    add(&engine, &acme(), "app1", "Payroll").await;
    add(&engine, &acme(), "app2", "Order management").await;
    add(&engine, &acme(), "zoo", "Orders abroad").await;
    add(&engine, &globex(), "app3", "Nobody else's").await;
    engine
}

#[tokio::test]
async fn integration_apps_are_listed_by_id_with_their_names() {
    let engine = installed().await;
    let answer = call(&engine, &sample()).await;
    assert_eq!(
        answer.json,
        json!({
            "integrations": [
                {"id": "app1", "name": "Payroll"},
                {"id": "app2", "name": "Order management"},
                {"id": "zoo", "name": "Orders abroad"},
            ],
            "nextCursor": null,
        })
    );
    let answer = call(&engine, &sample().account("globex").by("owner-2")).await;
    assert_eq!(ids(&answer), ["app3"]);
}

#[tokio::test]
async fn an_integration_app_that_only_its_resources_name_is_not_listed() {
    let engine = Engine::with_accounts().await;
    assert_eq!(ids(&call(&engine, &sample()).await), [""; 0]);
}

#[tokio::test]
async fn a_list_shows_only_what_was_asked_for() {
    let engine = installed().await;
    for (query, expected) in [
        ("", &["app1", "app2", "zoo"][..]),
        ("q=", &["app1", "app2", "zoo"]),
        ("q=ORDER", &["app2", "zoo"]),
        ("q=app2", &["app2"]),
        ("q=order+app", &["app2"]),
        ("q=nothing", &[]),
    ] {
        assert_eq!(ids(&call(&engine, &list(query)).await), expected, "{query}");
    }
}

#[tokio::test]
async fn pages_together_are_the_list() {
    let engine = installed().await;
    let (account, gone) = (acme().id, "app2".parse().unwrap());
    let later = now() + Duration::from_secs(1);
    let deleted = engine.store.delete_integration(&account, &gone, later);
    deleted.await.unwrap();
    for filter in ["", "q=p&"] {
        for limit in 1..=3 {
            let mut event = list(&format!("{filter}limit={limit}"));
            let mut seen: Vec<String> = Vec::new();
            loop {
                let answer = call(&engine, &event).await;
                let page = ids(&answer);
                assert!(page.len() <= limit);
                seen.extend(page.into_iter().map(str::to_owned));
                let Some(next) = answer.next() else {
                    assert_eq!(answer.json["nextCursor"], Value::Null);
                    break;
                };
                event = list(next);
            }
            let expected: &[&str] = if filter.is_empty() {
                &["app1", "zoo"]
            } else {
                &["app1"]
            };
            assert_eq!(seen, expected, "{filter}{limit}");
        }
    }
}

#[tokio::test]
async fn a_cursor_is_for_the_list_that_gave_it_out() {
    let engine = installed().await;
    let answer = call(&engine, &list("limit=1")).await;
    let cursor = answer.json["nextCursor"].as_str().unwrap();
    for event in [
        list(&format!("q=a&cursor={cursor}")),
        list(&format!("cursor={cursor}"))
            .account("globex")
            .by("owner-2"),
        list("cursor=nonsense"),
    ] {
        let answer = call(&engine, &event).await;
        assert_eq!(answer.outcome(), (400, "invalid_cursor"), "{event:?}");
    }
}

#[tokio::test]
async fn parameters_that_are_not_understood_are_answered_all_at_once() {
    let engine = installed().await;
    let answer = call(&engine, &list("limit=101&name=x")).await;
    assert_eq!(answer.outcome(), (422, "validation_failed"));
    let mut failures = answer.failures();
    failures.sort_unstable();
    assert_eq!(
        failures,
        [
            ("limit", "invalid_parameter"),
            ("name", "unknown_parameter")
        ]
    );
}

#[tokio::test]
async fn nobody_but_owner_and_administrator_lists_integration_apps() {
    let engine = installed().await;
    let answer = async |event: Event| call(&engine, &event).await;
    engine.refuses(sample().by_the_unauthorized(), answer).await;
    assert_eq!(call(&engine, &sample().by("admin-1")).await.status, 200);
}
