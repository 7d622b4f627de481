use std::time::Duration;

use latchkey::domain::account::Account;
use latchkey::ports::ProjectPlatform;
use latchkey::testing::{Answer, Engine, Event, acme, now};
use serde_json::json;

use super::*;

async fn call(engine: &Engine, event: &Event) -> Answer {
    Answer::of(handle(&engine.store, event.request()).await)
}

fn list() -> Event {
    Event::sample(include_str!("../../../events/list-members/list.json"))
}

/// Returns the ids of the members in the answer's order.
fn ids(answer: &Answer) -> Vec<&str> {
    assert_eq!(answer.status, 200, "{}", answer.text);
    let members = answer.json["members"].as_array().unwrap();
    members
        .iter()
        .map(|member| member["id"].as_str().unwrap())
        .collect()
}

#[tokio::test]
async fn a_member_has_id_name_address_and_role_and_nothing_else() {
    let engine = Engine::with_accounts().await;
    let answer = call(&engine, &list()).await;
    let owner = json!({
        "id": "owner-1",
        "name": "Olive Owner",
        "email": "owner@acme.example",
        "role": "owner",
    });
    let members = answer.json["members"].as_array().unwrap();
    assert_eq!(members.len(), acme().members.len());
    assert!(members.contains(&owner), "{}", answer.text);
}

#[tokio::test]
async fn members_are_in_the_order_of_their_names_in_any_case() {
    let engine = Engine::with_accounts().await;
    let mut members = acme().members;
    for (member, name) in members.iter_mut().zip(["bea", "Carl", "Ada", "ada"]) {
        member.name = name.into();
    }
    let account = Account { members, ..acme() };
    engine.store.put_account(&account, now()).await.unwrap();
    let answer = call(&engine, &list()).await;
    assert_eq!(
        ids(&answer),
        ["manage-1", "monitor-1", "owner-1", "admin-1"]
    );
}

#[tokio::test]
async fn a_member_who_left_is_not_listed() {
    let engine = Engine::with_accounts().await;
    let mut left = acme();
    left.members.retain(|member| member.role != Role::Monitor);
    let later = now() + Duration::from_secs(1);
    engine.store.put_account(&left, later).await.unwrap();
    let answer = call(&engine, &list().by("admin-1")).await;
    assert!(!ids(&answer).contains(&"monitor-1"));
}

#[tokio::test]
async fn nobody_but_owner_and_administrator_sees_the_members() {
    let engine = Engine::with_accounts().await;
    let answer = async |event: Event| call(&engine, &event).await;
    engine.refuses(list().by_the_unauthorized(), answer).await;
}
