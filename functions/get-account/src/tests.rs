use std::time::Duration;

use latchkey::ports::ProjectPlatform;
use latchkey::testing::{Answer, Engine, Event, acme, globex, now};

use serde_json::json;

use super::*;

async fn call(engine: &Engine, event: &Event) -> Answer {
    Answer::of(handle(&engine.store, event.request()).await)
}

fn mine() -> Event {
    Event::sample(include_str!("../../../events/get-account/mine.json"))
}

fn one() -> Event {
    Event::sample(include_str!("../../../events/get-account/one.json"))
}

/// Returns the id and role of each account in a list.
fn roles(answer: &Answer) -> Vec<(&str, &str)> {
    assert_eq!(answer.status, 200, "{}", answer.text);
    let accounts = answer.json["accounts"].as_array().unwrap();
    accounts
        .iter()
        .map(|account| (&account["id"], &account["role"]))
        .map(|(id, role)| (id.as_str().unwrap(), role.as_str().unwrap()))
        .collect()
}

#[tokio::test]
async fn an_account_tells_what_it_allows_the_caller() {
    let engine = Engine::with_accounts().await;
    let answer = call(&engine, &one()).await;
    assert_eq!(answer.status, 200);
    let expected = json!({
        "id": "acme",
        "name": "Acme",
        "plan": "enterprise",
        "apiManagement": true,
        "role": "owner",
        "developerMode": true,
        "autoPurgeChoices": ["never", "1h", "4h", "1d", "4d", "10d", "30d"],
    });
    assert_eq!(answer.json, expected);
    // The list has the same account.
    let list = call(&engine, &mine()).await;
    assert_eq!(list.json, json!({"accounts": [expected]}));
}

#[tokio::test]
async fn role_and_developer_mode_are_the_callers_own() {
    let engine = Engine::with_accounts().await;
    let answer = call(&engine, &one().by("admin-1")).await;
    assert_eq!(answer.json["role"], "administrator");
    assert_eq!(answer.json["developerMode"], false);
}

#[tokio::test]
async fn the_choices_follow_the_licence() {
    let engine = Engine::with_accounts().await;
    let event = one().account("globex").by("owner-2");
    let without = call(&engine, &event).await;
    assert_eq!(without.json["apiManagement"], false);
    assert_eq!(without.json["autoPurgeChoices"], json!(["1h"]));
    let licensed = Account {
        api_management: true,
        ..globex()
    };
    engine.store.put_account(&licensed, now()).await.unwrap();
    let with = call(&engine, &event).await;
    assert_eq!(with.json["apiManagement"], true);
    assert_eq!(with.json["autoPurgeChoices"][0], "never");
}

#[tokio::test]
async fn everybody_finds_all_his_accounts_with_his_role() {
    let engine = Engine::with_accounts().await;
    let mut more = globex();
    more.members.extend(acme().members);
    engine.store.put_account(&more, now()).await.unwrap();
    for (user, role) in [
        ("owner-1", "owner"),
        ("admin-1", "administrator"),
        ("manage-1", "manage"),
        ("monitor-1", "monitor"),
    ] {
        let answer = call(&engine, &mine().by(user)).await;
        assert_eq!(roles(&answer), [("acme", role), ("globex", role)]);
    }
    let answer = call(&engine, &mine().by("owner-2")).await;
    assert_eq!(roles(&answer), [("globex", "owner")]);
}

#[tokio::test]
async fn the_list_of_somebody_without_accounts_is_empty() {
    let engine = Engine::with_accounts().await;
    let answer = call(&engine, &mine().by("stranger")).await;
    assert_eq!(answer.json, json!({"accounts": []}));
}

#[tokio::test]
async fn an_account_that_the_caller_has_left_is_not_listed() {
    let engine = Engine::with_accounts().await;
    // A membership's entry in the list may outlive the membership for a moment.
    engine.put_membership("owner-1", "globex").await;
    engine.put_membership("owner-1", "never-known").await;
    let answer = call(&engine, &mine()).await;
    assert_eq!(roles(&answer), [("acme", "owner")]);
    let mut left = acme();
    left.members.retain(|member| member.role != Role::Owner);
    engine.store.put_account(&left, now()).await.unwrap();
    engine.put_membership("owner-1", "acme").await;
    assert_eq!(roles(&call(&engine, &mine()).await), []);
    let answer = call(&engine, &one()).await;
    assert_eq!(answer.outcome(), (404, "account_not_found"));
}

#[tokio::test]
async fn a_deleted_account_is_gone() {
    let engine = Engine::with_accounts().await;
    let later = now() + Duration::from_secs(1);
    let acme = acme().id;
    engine.store.delete_account(&acme, later).await.unwrap();
    engine.put_membership("owner-1", "acme").await;
    assert_eq!(roles(&call(&engine, &mine()).await), []);
    let answer = call(&engine, &one()).await;
    assert_eq!(answer.outcome(), (404, "account_not_found"));
}

#[tokio::test]
async fn nobody_but_owner_and_administrator_sees_the_account_alone() {
    let engine = Engine::with_accounts().await;
    let answer = async |event: Event| call(&engine, &event).await;
    engine.refuses(one().by_the_unauthorized(), answer).await;
}

#[tokio::test]
async fn the_list_too_needs_an_access_token() {
    let engine = Engine::with_accounts().await;
    for event in [mine().without_claims(), mine().claim("token_use", "id")] {
        let answer = call(&engine, &event).await;
        assert_eq!(answer.outcome(), (401, "access_token_required"));
    }
}
