//! Tests of which state counts if both versions wrote to their places.

use jiff::SignedDuration;
use latchkey::domain::account::Account;
use latchkey::domain::resource::Resource;
use latchkey::ports::ProjectPlatform;

use super::*;

/// Returns the time of the fixtures' events.
fn then() -> Timestamp {
    "2026-11-20T10:00:00Z".parse().unwrap()
}

fn later(seconds: i64) -> Timestamp {
    then() + SignedDuration::from_secs(seconds)
}

fn version(time: Timestamp) -> String {
    time.as_microsecond().to_string()
}

/// Returns the profile of `acme` as the first version writes it.
fn old_profile(name: &str, time: Timestamp) -> Value {
    let mut profile = item(fixture!("profile"));
    profile["name"]["S"] = name.into();
    profile["eventTime"]["N"] = version(time).into();
    profile
}

fn old_deletion(mut image: Value, time: Timestamp) -> Value {
    image["deletedAt"] = serde_json::json!({"S": time.to_string()});
    image["eventTime"]["N"] = version(time).into();
    image
}

async fn name(engine: &Engine) -> Option<String> {
    let account = engine.store.get_account(&acme().id).await.unwrap();
    account.map(|account| account.name)
}

fn named(name: &str) -> Account {
    Account {
        name: name.into(),
        ..acme()
    }
}

async fn exports(engine: &Engine) -> Vec<Resource> {
    let query = ResourceQuery {
        kind: None,
        filter: ResourceFilter::default(),
        limit: 10,
        after: None,
    };
    let listed = engine.store.list_resources(&acme().id, &query).await;
    listed.unwrap().items
}

#[tokio::test]
async fn what_the_old_version_wrote_meanwhile_is_taken_by_the_second_run() {
    let engine = first_engine().await;
    run(&engine, BEFORE).await;
    let (gone, new) = (fixture!("resource"), fixture!("resource-of-app"));
    engine.load_tokens(&[
        old_profile("Acme & Sons", later(60)),
        old_deletion(item(gone), later(60)),
        item(&new.replace("exp_app", "exp_new")),
    ]);
    for options in [BEFORE, AFTER] {
        run(&engine, options).await;
        assert_eq!(name(&engine).await.as_deref(), Some("Acme & Sons"));
        let ids: Vec<_> = exports(&engine).await.into_iter().map(|it| it.id).collect();
        assert_eq!(
            ids.iter().map(|id| id.as_str()).collect::<Vec<_>>(),
            ["exp_app", "exp_new"]
        );
    }
    // Events from before the deletion are still too late.
    let late = Resource {
        account_id: acme().id,
        kind: latchkey::domain::resource::ResourceType::Export,
        id: "exp_orders".parse().unwrap(),
        name: "Late".into(),
        integration_id: None,
    };
    engine.store.put_resource(&late, later(30)).await.unwrap();
    assert_eq!(exports(&engine).await.len(), 2);
}

#[tokio::test]
async fn a_newer_state_is_never_overwritten() {
    for options in [BEFORE, AFTER] {
        let engine = first_engine().await;
        let store = &engine.store;
        store.put_account(&named("New"), later(1)).await.unwrap();
        let mut resource = Resource {
            name: "New".into(),
            ..exports_of_the_first(&engine).await
        };
        store.put_resource(&resource, later(1)).await.unwrap();
        run(&engine, options).await;
        assert_eq!(name(&engine).await.as_deref(), Some("New"));
        assert!(exports(&engine).await.contains(&resource));
        // An event of the same time changes nothing either.
        resource.name = "Same".into();
        store.put_resource(&resource, later(1)).await.unwrap();
        run(&engine, options).await;
        assert!(exports(&engine).await.contains(&resource));
    }
}

async fn exports_of_the_first(_: &Engine) -> Resource {
    Resource {
        account_id: acme().id,
        kind: latchkey::domain::resource::ResourceType::Export,
        id: "exp_orders".parse().unwrap(),
        name: "The exp_orders".into(),
        integration_id: None,
    }
}

#[tokio::test]
async fn a_deletion_counts_wherever_it_was_written() {
    for options in [BEFORE, AFTER] {
        // The new version received the event.
        let engine = first_engine().await;
        engine
            .store
            .delete_account(&acme().id, then())
            .await
            .unwrap();
        run(&engine, options).await;
        assert_eq!(name(&engine).await, None);
        // The account's people are still told about the end of its tokens.
        let people = engine.store.get_recipients(&acme().id).await.unwrap();
        assert_eq!(people.map(|it| it.members), Some(acme().members));

        // The old version received the event, and the new one an earlier event or one of the same time.
        for time in [later(-1), then()] {
            let engine = first_engine().await;
            engine.store.put_account(&named("New"), time).await.unwrap();
            let deleted = old_deletion(item(fixture!("profile")), then());
            engine.load_tokens(&[deleted]);
            run(&engine, options).await;
            assert_eq!(name(&engine).await, None);
        }
    }
}

#[tokio::test]
async fn a_state_from_the_future_is_older_than_any_other() {
    let future: Timestamp = "2099-01-01T00:00:00Z".parse().unwrap();
    for options in [BEFORE, AFTER] {
        let engine = first_engine().await;
        engine.load_tokens(&[old_profile("Frozen", future)]);
        run(&engine, options).await;
        // There is no other copy.
        assert_eq!(name(&engine).await.as_deref(), Some("Frozen"));
        engine.load_tokens(&[old_profile("Thawed", later(1))]);
        run(&engine, options).await;
        assert_eq!(name(&engine).await.as_deref(), Some("Thawed"));
        engine.load_tokens(&[old_profile("Frozen", future)]);
        run(&engine, options).await;
        assert_eq!(name(&engine).await.as_deref(), Some("Thawed"));
    }
}

#[tokio::test]
async fn names_are_kept_as_this_version_keeps_them() {
    let engine = first_engine().await;
    let leaked = plain(&secret(99));
    engine.load_tokens(&[old_profile(&format!("Acme {leaked}"), later(1))]);
    run(&engine, BEFORE).await;
    assert_eq!(
        name(&engine).await,
        Some(named(&format!("Acme {leaked}")).mended().name)
    );
    assert!(!name(&engine).await.unwrap().contains(&leaked));
    assert_eq!(run(&engine, BEFORE).await.to_string(), "nothing to do\n");
}
