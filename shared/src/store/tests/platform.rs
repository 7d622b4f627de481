//! The projection of the platform's events, in any order and with repeated events.

use super::*;
use crate::domain::account::{Account, Role};
use crate::domain::resource::{Resource, ResourceRef, ResourceType};
use crate::ports::{GetAccount, GetRecipients, GetResources, ListMemberships, ProjectPlatform};
use crate::testing::{Logs, acme, globex};

pub(super) fn name(kind: &str, id: &str) -> ResourceRef {
    ResourceRef {
        kind: ResourceType::parse(kind).unwrap(),
        id: id.parse().unwrap(),
    }
}

fn called(name: &str) -> Account {
    Account {
        name: name.into(),
        ..acme()
    }
}

async fn put(engine: &Engine, account: &Account, second: i64) {
    let put = engine.store.put_account(account, later(second)).await;
    put.unwrap();
}

async fn delete(engine: &Engine, second: i64) -> bool {
    let delete = engine.store.delete_account(&acme().id, later(second)).await;
    delete.unwrap()
}

async fn current(engine: &Engine) -> Option<String> {
    let account = engine.store.get_account(&acme().id).await.unwrap();
    account.map(|account| account.name)
}

async fn accounts_of(engine: &Engine, user: &str) -> Vec<String> {
    let user = user.parse().unwrap();
    let accounts = engine.store.list_memberships(&user).await.unwrap();
    accounts.into_iter().map(Into::into).collect()
}

fn export(name: &str) -> Resource {
    Resource {
        account_id: acme().id,
        kind: ResourceType::Export,
        id: "exp_1".parse().unwrap(),
        name: name.into(),
        integration_id: None,
    }
}

async fn put_export(engine: &Engine, name: &str, second: i64) {
    let resource = export(name);
    let put = engine.store.put_resource(&resource, later(second)).await;
    put.unwrap();
}

async fn delete_export(engine: &Engine, second: i64) {
    let name = export("").reference();
    let time = later(second);
    let delete = engine.store.delete_resource(&acme().id, &name, time).await;
    delete.unwrap();
}

/// The export's name. Asserts that single and batch reads agree.
async fn current_export(engine: &Engine) -> Option<String> {
    let names = [export("").reference(), name("api", "none")];
    let account = acme().id;
    let one = engine.store.get_resources(&account, &names[..1]).await;
    let one = one.unwrap();
    let batch = engine.store.get_resources(&account, &names).await.unwrap();
    assert_eq!(one, batch);
    one.into_iter().next().map(|resource| resource.name)
}

#[tokio::test]
async fn newer_states_of_an_account_replace_older_ones_and_never_the_other_way() {
    let engine = Engine::start().await;
    put(&engine, &called("first"), 1).await;
    put(&engine, &called("third"), 3).await;
    assert_eq!(current(&engine).await.as_deref(), Some("third"));
    put(&engine, &called("second"), 2).await;
    assert_eq!(current(&engine).await.as_deref(), Some("third"));
}

#[tokio::test]
async fn a_repeated_event_changes_nothing() {
    let engine = Engine::start().await;
    put(&engine, &acme(), 1).await;
    let before = engine.dump().await;
    put(&engine, &acme(), 1).await;
    assert_eq!(engine.dump().await, before);
    assert!(delete(&engine, 2).await);
    let before = engine.dump().await;
    assert!(delete(&engine, 2).await, "what follows it may have failed");
    assert_eq!(engine.dump().await, before);
}

#[tokio::test]
async fn memberships_follow_the_account() {
    let engine = Engine::start().await;
    put(&engine, &acme(), 1).await;
    put(&engine, &globex(), 1).await;
    assert_eq!(accounts_of(&engine, "owner-1").await, ["acme"]);
    let mut both = acme();
    both.members.remove(0);
    both.members.extend(globex().members);
    put(&engine, &both, 3).await;
    assert_eq!(accounts_of(&engine, "owner-1").await, [""; 0]);
    assert_eq!(accounts_of(&engine, "admin-1").await, ["acme"]);
    assert_eq!(accounts_of(&engine, "owner-2").await, ["acme", "globex"]);
    put(&engine, &acme(), 2).await;
    assert_eq!(accounts_of(&engine, "owner-1").await, [""; 0]);
    assert!(delete(&engine, 4).await);
    assert_eq!(accounts_of(&engine, "admin-1").await, [""; 0]);
    assert_eq!(accounts_of(&engine, "owner-2").await, ["globex"]);
}

#[tokio::test]
async fn a_member_keeps_the_newest_role() {
    let engine = Engine::start().await;
    let mut demoted = acme();
    demoted.members[1].role = Role::Monitor;
    put(&engine, &demoted, 2).await;
    put(&engine, &acme(), 1).await;
    let account = engine.store.get_account(&acme().id).await.unwrap();
    assert_eq!(account, Some(demoted));
}

#[tokio::test]
async fn a_deleted_account_is_unknown_but_its_people_still_hear_of_it() {
    let engine = Engine::start().await;
    put(&engine, &acme(), 1).await;
    assert!(delete(&engine, 2).await);
    assert_eq!(current(&engine).await, None);
    let people = engine.store.get_recipients(&acme().id).await.unwrap();
    assert_eq!(people, Some(acme()));
}

#[tokio::test]
async fn an_older_deletion_does_not_touch_a_newer_account() {
    let engine = Engine::start().await;
    put(&engine, &acme(), 3).await;
    let before = engine.dump().await;
    assert!(!delete(&engine, 2).await);
    assert_eq!(engine.dump().await, before);
}

#[tokio::test]
async fn a_late_event_does_not_revive_a_deleted_account() {
    let engine = Engine::start().await;
    put(&engine, &acme(), 1).await;
    assert!(delete(&engine, 3).await);
    put(&engine, &acme(), 2).await;
    put(&engine, &acme(), 3).await;
    assert_eq!(current(&engine).await, None);
    assert_eq!(accounts_of(&engine, "owner-1").await, [""; 0]);
    let item = raw(&engine, "PROFILE#acme", "PROFILE").await.unwrap();
    assert!(item.contains_key("expiresAt"));
}

#[tokio::test]
async fn a_newer_event_brings_an_account_back_for_good() {
    let engine = Engine::start().await;
    put(&engine, &acme(), 1).await;
    assert!(delete(&engine, 2).await);
    put(&engine, &called("again"), 3).await;
    assert_eq!(current(&engine).await.as_deref(), Some("again"));
    assert_eq!(accounts_of(&engine, "owner-1").await, ["acme"]);
    let item = raw(&engine, "PROFILE#acme", "PROFILE").await.unwrap();
    assert!(!item.contains_key("expiresAt"));
}

#[tokio::test]
async fn the_deletion_of_an_unknown_account_is_remembered() {
    let engine = Engine::start().await;
    assert!(delete(&engine, 2).await);
    put(&engine, &acme(), 1).await;
    assert_eq!(current(&engine).await, None);
    let people = engine.store.get_recipients(&acme().id).await.unwrap();
    assert_eq!(people, None);
}

#[tokio::test]
async fn newer_states_of_a_resource_replace_older_ones_and_never_the_other_way() {
    let engine = Engine::start().await;
    put_export(&engine, "first", 1).await;
    put_export(&engine, "third", 3).await;
    put_export(&engine, "second", 2).await;
    assert_eq!(current_export(&engine).await.as_deref(), Some("third"));
    delete_export(&engine, 2).await;
    assert_eq!(current_export(&engine).await.as_deref(), Some("third"));
}

#[tokio::test]
async fn a_late_event_does_not_revive_a_deleted_resource() {
    let engine = Engine::start().await;
    put_export(&engine, "first", 1).await;
    delete_export(&engine, 3).await;
    delete_export(&engine, 3).await;
    put_export(&engine, "second", 2).await;
    put_export(&engine, "as late", 3).await;
    assert_eq!(current_export(&engine).await, None);
    put_export(&engine, "again", 4).await;
    assert_eq!(current_export(&engine).await.as_deref(), Some("again"));
}

#[tokio::test]
async fn the_deletion_of_an_unknown_resource_is_remembered() {
    let engine = Engine::start().await;
    delete_export(&engine, 2).await;
    put_export(&engine, "late", 1).await;
    assert_eq!(current_export(&engine).await, None);
}

#[tokio::test]
async fn a_resource_that_leaves_its_app_is_in_none() {
    let engine = Engine::start().await;
    let mut resource = export("shared");
    resource.integration_id = Some("app1".parse().unwrap());
    let put = engine.store.put_resource(&resource, later(1)).await;
    put.unwrap();
    put_export(&engine, "own", 2).await;
    let names = [resource.reference()];
    let found = engine.store.get_resources(&acme().id, &names).await;
    assert_eq!(found.unwrap(), [export("own")]);
}

#[tokio::test]
async fn more_names_than_one_batch_takes_are_all_looked_up() {
    let engine = Engine::start().await;
    let numbered = |number: usize| Resource {
        id: format!("exp_{number}").parse().unwrap(),
        ..export(&format!("Export {number}"))
    };
    for number in 0..250 {
        let resource = numbered(number);
        engine.store.put_resource(&resource, now()).await.unwrap();
    }
    for number in [0, 120, 249] {
        let name = numbered(number).reference();
        let delete = engine
            .store
            .delete_resource(&acme().id, &name, later(1))
            .await;
        delete.unwrap();
    }
    let names: Vec<_> = (0..260).map(|n| numbered(n).reference()).collect();
    let found = engine.store.get_resources(&acme().id, &names).await;
    let mut found: Vec<_> = found.unwrap().into_iter().map(|r| r.id).collect();
    found.sort();
    let mut expected: Vec<_> = (0..250)
        .filter(|number| ![0, 120, 249].contains(number))
        .map(|number| numbered(number).id)
        .collect();
    expected.sort();
    assert_eq!(found, expected);
    let theirs = engine.store.get_resources(&globex().id, &names).await;
    assert_eq!(theirs.unwrap(), []);
}

/// A time that a wrong clock in the year 2099 left behind.
fn frozen() -> Timestamp {
    "2099-01-01T00:00:00Z".parse().unwrap()
}

#[tokio::test]
async fn a_state_from_the_future_counts_as_older_than_any_event() {
    let engine = Engine::start().await;
    let (store, account) = (&engine.store, acme().id);
    store
        .put_account(&called("frozen"), frozen())
        .await
        .unwrap();
    put(&engine, &called("thawed"), 1).await;
    assert_eq!(current(&engine).await.as_deref(), Some("thawed"));
    store
        .put_account(&called("frozen"), frozen())
        .await
        .unwrap();
    assert!(delete(&engine, 2).await);
    assert_eq!(current(&engine).await, None);
    // The same holds for a deletion marker.
    assert!(store.delete_account(&account, frozen()).await.unwrap());
    put(&engine, &called("again"), 3).await;
    assert_eq!(current(&engine).await.as_deref(), Some("again"));

    let name = export("").reference();
    store
        .put_resource(&export("frozen"), frozen())
        .await
        .unwrap();
    put_export(&engine, "thawed", 1).await;
    assert_eq!(current_export(&engine).await.as_deref(), Some("thawed"));
    store
        .put_resource(&export("frozen"), frozen())
        .await
        .unwrap();
    delete_export(&engine, 2).await;
    assert_eq!(current_export(&engine).await, None);
    store
        .delete_resource(&account, &name, frozen())
        .await
        .unwrap();
    put_export(&engine, "again", 3).await;
    assert_eq!(current_export(&engine).await.as_deref(), Some("again"));
}

#[tokio::test]
async fn a_state_of_a_clock_that_is_a_little_ahead_stays_newer() {
    let engine = Engine::start().await;
    put(&engine, &called("ahead"), 1 + 5 * 60).await;
    put(&engine, &called("older"), 1).await;
    assert_eq!(current(&engine).await.as_deref(), Some("ahead"));
    assert!(!delete(&engine, 1).await);
}

#[tokio::test]
async fn a_stale_event_is_logged_with_what_it_was_about_and_both_times() {
    let engine = Engine::start().await;
    put(&engine, &acme(), 3).await;
    put_export(&engine, "newer", 3).await;
    let logs = Logs::start();
    put(&engine, &acme(), 2).await;
    delete(&engine, 1).await;
    put_export(&engine, "older", 2).await;
    delete_export(&engine, 1).await;
    let mut lines = logs.take();
    lines.retain(|line| line["message"] == "dropped a stale event");
    let told: Vec<_> = lines
        .iter()
        .map(|line| {
            assert_eq!(line["level"], "WARN", "{line}");
            assert_eq!(line["account.id"], "acme");
            assert_eq!(line["stored.time"], later(3).to_string());
            let text = |name: &str| line[name].as_str().unwrap().to_owned();
            (text("event.type"), text("event.time"), text("stored.key"))
        })
        .collect();
    let event = |kind: &str, second, key: &str| {
        let time = later(second).to_string();
        (kind.to_owned(), time, key.to_owned())
    };
    assert_eq!(
        told,
        [
            event("AccountUpserted", 2, "PROFILE"),
            event("AccountDeleted", 1, "PROFILE"),
            event("ResourceUpserted", 2, "export#exp_1"),
            event("ResourceDeleted", 1, "export#exp_1"),
        ]
    );
}
