//! What is written is read back unchanged.

use std::net::IpAddr;

use aws_sdk_dynamodb::types::AttributeValue;
use jiff::Timestamp;

use super::*;
use crate::domain::account::{Account, Plan};
use crate::domain::actor::Actor;
use crate::domain::audit::{Change, Origin};
use crate::domain::auto_purge::AutoPurge;
use crate::domain::resource::{Resource, ResourceType};
use crate::domain::scope::ResourceLists;
use crate::domain::token::{Ciphertext, Ended, LastUse, PreviousSecret};
use crate::domain::verification::SecretState;
use crate::ports::{
    GetAccount, GetIdempotency, GetResources, GetToken, ListMemberships, ProjectPlatform,
};
use crate::testing::acme;

/// A token with every attribute.
fn full() -> StoredToken {
    let mut lists = ResourceLists::default();
    for kind in ResourceType::ALL {
        for id in ["one", "two"] {
            lists.of_mut(kind).insert(id.parse().unwrap());
        }
    }
    let mut stored = another();
    stored.ciphertext = Ciphertext((0..=255).collect());
    stored.previous_hash = Some(hash());
    stored.token = Token {
        kind: Kind::IntegrationApp,
        integration_id: Some("app1".parse().unwrap()),
        name: "Lager “Süd” #1 \u{1f511}".into(),
        description: String::new(),
        auto_purge: AutoPurge::ThirtyDays,
        purge_at: AutoPurge::ThirtyDays.purge_at(now()),
        scope: Scope::Custom(lists),
        allowed_cidrs: vec![
            "192.0.2.0/24".parse().unwrap(),
            "2001:db8::/32".parse().unwrap(),
        ],
        version: u64::from(u32::MAX) + 1,
        created_at: "2026-11-22T10:00:00.001Z".parse().unwrap(),
        updated_by: Actor::system(),
        last_use: Some(LastUse {
            at: later(-60),
            ip: IpAddr::V6("2001:db8::1".parse().unwrap()),
        }),
        previous_secret: Some(PreviousSecret {
            hint: "wxyz".into(),
            valid_until: later(600),
        }),
        ..stored.token
    };
    stored
}

async fn round_trip(stored: StoredToken) {
    let engine = Engine::with_accounts().await;
    engine.store.insert_token(&creation(&stored)).await.unwrap();
    let read = engine
        .stored(&stored.token.account_id, &stored.token.id)
        .await;
    assert_eq!(read, Some(stored.clone()));
    for expected in SecretRecord::all_of(&stored) {
        assert_eq!(secret(&engine, expected.hash).await, Some(expected));
    }
}

#[tokio::test]
async fn a_token_comes_back_as_it_went_in() {
    round_trip(stored_token()).await;
}

#[tokio::test]
async fn a_token_with_everything_comes_back_as_it_went_in() {
    round_trip(full()).await;
    round_trip(revoked(&full())).await;
}

#[tokio::test]
async fn a_revocation_without_a_reason_comes_back_as_it_went_in() {
    let stored = full();
    let token = stored.token.revoke(owner_actor(), now(), None).unwrap();
    round_trip(stored.with(token, now())).await;
}

#[tokio::test]
async fn a_compromised_token_comes_back_as_it_went_in() {
    let stored = full();
    let (at, by) = (later(1), Action::Leak);
    let token = stored
        .token
        .compromise(Actor::system(), Ended { at, by }, "leaked");
    let stored = stored.with(token, now());
    assert_eq!(
        SecretRecord::all_of(&stored)[0].state,
        SecretState::Compromised
    );
    round_trip(stored).await;
}

#[tokio::test]
async fn a_token_that_ended_with_its_account_comes_back_as_it_went_in() {
    let stored = full();
    let token = stored.token.end_with_account(Actor::system(), later(1));
    round_trip(stored.with(token.unwrap(), now())).await;
}

#[tokio::test]
async fn the_widest_scope_fits_with_a_retired_secret_and_its_audit_record() {
    let engine = Engine::with_accounts().await;
    let before = StoredToken {
        token: Token {
            scope: widest_scope("a"),
            ..full().token
        },
        ..full()
    };
    let mut new = creation(&before);
    new.audit.changes = crate::domain::audit::changes(None, &before.token);
    engine.store.insert_token(&new).await.unwrap();
    let mut after = before.clone();
    after.token.scope = widest_scope("b");
    let mut change = change(&before, after);
    change.audit.changes = crate::domain::audit::changes(Some(&before.token), &change.after.token);
    engine.store.change_token(&change).await.unwrap();
    let account = &before.token.account_id;
    assert_eq!(
        engine.stored(account, &before.token.id).await,
        Some(change.after.clone())
    );
    for expected in SecretRecord::all_of(&change.after) {
        assert_eq!(secret(&engine, expected.hash).await, Some(expected));
    }
    let log = engine.audit(account).await;
    assert!(log.contains(&new.audit) && log.contains(&change.audit));
}

#[tokio::test]
async fn optional_values_that_are_missing_are_no_attributes() {
    let (engine, stored) = engine_with_token().await;
    let token = raw_token(&engine, &stored.token).await.unwrap();
    let secret = raw_secret(&engine, stored.secret_hash).await.unwrap();
    for item in [token, secret] {
        assert!(!item.values().any(AttributeValue::is_null), "{item:?}");
        assert!(!item.contains_key("expiresAt"));
        assert!(!item.contains_key("purgeAt"));
    }
}

#[tokio::test]
async fn an_audit_record_comes_back_as_it_went_in() {
    let engine = Engine::with_accounts().await;
    let (mut first, mut second) = (creation(&another()), creation(&another()));
    first.audit.changes = vec![
        Change::new("name", None, Some("new".into())),
        Change::new("description", Some("old\nlines".into()), None),
    ];
    first.audit.origin.trace_id = "1-5e66d96f-7491f09e0a79d18acf3d0505".parse().ok();
    second.audit.origin = Origin::system("");
    second.audit.asserted_ip = Some("2001:db8::7".parse().unwrap());
    for new in [&first, &second] {
        engine.store.insert_token(new).await.unwrap();
    }
    let log = engine.audit(&acme().id).await;
    assert_eq!(log.len(), 2);
    assert!(log.contains(&first.audit) && log.contains(&second.audit));
}

#[tokio::test]
async fn an_account_comes_back_as_it_went_in() {
    let engine = Engine::start().await;
    let mut account = Account {
        plan: Plan::Professional,
        api_management: true,
        ..acme()
    };
    engine.store.put_account(&account, now()).await.unwrap();
    assert_eq!(
        engine.store.get_account(&account.id).await.unwrap(),
        Some(account.clone())
    );
    let member = account.members[0].id.clone();
    let memberships = engine.store.list_memberships(&member).await.unwrap();
    assert_eq!(memberships, [account.id.clone()]);
    account.members.clear();
    engine.store.put_account(&account, now()).await.unwrap();
    assert_eq!(
        engine.store.get_account(&account.id).await.unwrap(),
        Some(account)
    );
}

#[tokio::test]
async fn a_resource_comes_back_as_it_went_in() {
    let engine = Engine::start().await;
    for (kind, integration_id) in [
        (ResourceType::Api, None),
        (ResourceType::Export, Some("app1".parse().unwrap())),
    ] {
        let resource = Resource {
            account_id: acme().id,
            kind,
            id: "r_1-A".parse().unwrap(),
            name: "Größe".into(),
            integration_id,
        };
        engine.store.put_resource(&resource, now()).await.unwrap();
        let names = [resource.reference()];
        let found = engine.store.get_resources(&acme().id, &names).await;
        assert_eq!(found.unwrap(), [resource]);
    }
}

#[tokio::test]
async fn an_idempotency_record_lasts_one_day_and_may_be_replaced_then() {
    let engine = Engine::with_accounts().await;
    let account = acme().id;
    let mut first = creation(&another());
    let remembered = idempotency(&first.stored.token);
    first.idempotency = Some(remembered.clone());
    engine.store.insert_token(&first).await.unwrap();
    let day = 24 * 60 * 60;
    let at = async |time: Timestamp| {
        let found = engine
            .store
            .get_idempotency(&account, &remembered.key, time)
            .await;
        found.unwrap()
    };
    assert_eq!(at(now()).await, Some(remembered.clone()));
    assert_eq!(at(later(day - 1)).await, Some(remembered.clone()));
    assert_eq!(at(later(day)).await, None);
    let elsewhere = engine
        .store
        .get_idempotency(&"globex".parse().unwrap(), &remembered.key, now())
        .await;
    assert_eq!(elsewhere.unwrap(), None);

    // The table still has the expired item.
    let mut second = creation(&another());
    second.idempotency = Some(idempotency(&second.stored.token));
    second.audit.time = later(day - 1);
    assert!(is_conflict(engine.store.insert_token(&second).await));
    second.audit.time = later(day);
    engine.store.insert_token(&second).await.unwrap();
    assert_eq!(at(later(day)).await, second.idempotency);
}

#[tokio::test]
async fn an_item_that_does_not_parse_is_an_error_and_not_left_out() {
    let (engine, stored) = engine_with_token().await;
    let mut item = raw_token(&engine, &stored.token).await.unwrap();
    item.insert("status".into(), AttributeValue::S("odd".into()));
    let put = engine.client.put_item().table_name("Tokens");
    put.set_item(Some(item)).send().await.unwrap();
    let (account, id) = (&stored.token.account_id, &stored.token.id);
    let read = engine.store.get_token(account, id, now()).await;
    assert!(matches!(read, Err(PortError::Broken(_))));
}
