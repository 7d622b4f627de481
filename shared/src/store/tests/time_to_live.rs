//! The items that the table's time to live removes, and when.

use super::*;
use crate::domain::integration::Integration;
use crate::domain::paging::{
    IntegrationQuery, ResourceFilter, ResourceQuery, TokenFilter, TokenOrder, TokenQuery,
};
use crate::domain::token::PreviousSecret;
use crate::domain::verification::SecretState;
use crate::ports::{
    ClaimMail, GetAccount, GetIdempotency, GetResources, GetToken, ListExpiring, ListIntegrations,
    ListResources, ListTokens, ProjectPlatform,
};
use crate::testing::{acme, globex};

const HOUR: i64 = 60 * 60;
const DAY: i64 = 24 * HOUR;

async fn exists(engine: &Engine, pk: impl Into<String>, sk: &str) -> bool {
    raw(engine, pk, sk).await.is_some()
}

#[tokio::test]
async fn a_token_goes_after_its_purge_time_its_secret_400_days_later_and_nothing_else_does() {
    let (engine, staying) = engine_with_token().await;
    let mut purged = another();
    purged.token.purge_at = Some(later(HOUR));
    let mut new = creation(&purged);
    new.idempotency = Some(idempotency(&purged.token));
    engine.store.insert_token(&new).await.unwrap();

    assert_eq!(engine.sweep(later(HOUR)), 0, "not before its time");
    assert!(raw_token(&engine, &purged.token).await.is_some());
    assert_eq!(engine.sweep(later(HOUR + 1)), 1);
    assert!(raw_token(&engine, &purged.token).await.is_none());
    let over = secret(&engine, purged.secret_hash).await.unwrap();
    assert_eq!(over.state_at(later(HOUR)), SecretState::Ended);
    assert!(raw_token(&engine, &staying.token).await.is_some());
    assert!(raw_secret(&engine, staying.secret_hash).await.is_some());
    assert!(exists(&engine, "PROFILE#acme", "PROFILE").await);
    assert_eq!(engine.audit(&acme().id).await.len(), 2);

    // The idempotency record is removed one day after its request.
    assert_eq!(engine.sweep(later(DAY + 1)), 1);
    assert_eq!(engine.sweep(later(400 * DAY)), 0);
    // First the two records of the creations, then the secret.
    assert_eq!(engine.sweep(later(400 * DAY + HOUR)), 2);
    assert!(raw_secret(&engine, purged.secret_hash).await.is_some());
    assert_eq!(engine.sweep(later(400 * DAY + HOUR + 1)), 1);
    assert!(raw_secret(&engine, purged.secret_hash).await.is_none());
    assert!(raw_secret(&engine, staying.secret_hash).await.is_some());
}

#[tokio::test]
async fn a_token_is_not_removed_before_the_last_fraction_of_its_time() {
    let engine = Engine::with_accounts().await;
    let mut purged = another();
    purged.token.purge_at = Some("2026-11-23T11:00:00.001Z".parse().unwrap());
    engine.store.insert_token(&creation(&purged)).await.unwrap();
    let item = raw_token(&engine, &purged.token).await.unwrap();
    let end = later(HOUR + 1).as_second().to_string();
    assert_eq!(item["expiresAt"].as_n(), Ok(&end));
}

#[tokio::test]
async fn a_retired_secret_goes_400_days_after_its_grace_period_and_the_token_stays() {
    let (engine, before) = engine_with_token().await;
    let after = apply(&engine, &before, regenerated(&before, HOUR)).await;
    let end = 400 * DAY + HOUR;
    assert_eq!(engine.sweep(later(end)), 2, "the records of the changes");
    let retired = secret(&engine, before.secret_hash).await.unwrap();
    assert_eq!(retired.state, SecretState::Retired);
    assert_eq!(retired.state_at(later(HOUR)), SecretState::Ended);
    assert_eq!(engine.sweep(later(end + 1)), 1);
    assert!(raw_secret(&engine, before.secret_hash).await.is_none());
    assert!(raw_secret(&engine, after.secret_hash).await.is_some());
    assert!(raw_token(&engine, &after.token).await.is_some());

    // The missing item doesn't prevent a change.
    let changed = after.with(revoked(&after).token, later(end + 1));
    assert_eq!(changed.previous_hash, None);
    apply(&engine, &after, changed).await;
}

#[tokio::test]
async fn a_grace_period_does_not_outlive_the_purge_time() {
    let engine = Engine::with_accounts().await;
    let mut stored = another();
    stored.token.purge_at = Some(later(HOUR));
    stored.previous_hash = Some(hash());
    stored.token.previous_secret = Some(PreviousSecret {
        hint: "wxyz".into(),
        valid_until: later(DAY),
    });
    engine.store.insert_token(&creation(&stored)).await.unwrap();
    let retired = secret(&engine, stored.previous_hash.unwrap()).await;
    assert_eq!(retired.unwrap().state_at(later(HOUR)), SecretState::Ended);
    assert_eq!(engine.sweep(later(HOUR + 1)), 1);
    // First the record of the creation, then both secrets.
    assert_eq!(engine.sweep(later(400 * DAY + HOUR)), 1);
    assert_eq!(engine.sweep(later(400 * DAY + HOUR + 1)), 2);
}

#[tokio::test]
async fn an_audit_record_is_kept_as_long_as_it_was_promised() {
    let (engine, _) = engine_with_token().await;
    assert_eq!(engine.sweep(later(400 * DAY)), 0);
    assert_eq!(engine.sweep(later(400 * DAY + 1)), 1);
    assert_eq!(engine.audit(&acme().id).await, []);
}

#[tokio::test]
async fn markers_outlive_every_retry_and_go_then() {
    let engine = Engine::with_accounts().await;
    let deleted = engine.store.delete_account(&acme().id, now()).await;
    assert!(deleted.unwrap());
    let export = super::platform::name("export", "exp_orders");
    let delete = engine
        .store
        .delete_resource(&acme().id, &export, now())
        .await;
    delete.unwrap();
    let user = "owner-1".parse().unwrap();
    let claim = engine.store.claim_mail("aud_1", &user, now()).await;
    claim.unwrap();
    assert_eq!(engine.sweep(later(16 * DAY)), 0);
    assert_eq!(engine.sweep(later(16 * DAY + 1)), 3);
    assert!(!exists(&engine, "PROFILE#acme", "PROFILE").await);
}

/// What the reads say on which answers and decisions depend.
///
/// The others may find what has ended, and say so: a secret is a tombstone then, the index of idle tokens names tokens
/// that are read again, and the audit log has what its retention hasn't removed. Marks (of mails, findings and addresses)
/// and held mails may last a few days longer.
async fn reads(engine: &Engine, tokens: &[StoredToken], at: Timestamp) -> Vec<String> {
    let (store, mut said) = (&engine.store, Vec::new());
    for account in [acme().id, globex().id] {
        let query = TokenQuery {
            filter: TokenFilter::default(),
            order: TokenOrder::Newest,
            limit: 10,
            after: None,
        };
        let listed = store.list_tokens(&account, &query, at).await.unwrap();
        let count = store.count_tokens(&account, at).await.unwrap();
        said.push(format!("{count} tokens: {listed:?}"));
        for stored in tokens {
            let id = &stored.token.id;
            let token = store.get_token(&account, id, at).await.unwrap();
            let expiring = store.get_expiring(&account, id, at).await.unwrap();
            let key = idempotency(&stored.token).key;
            let repeated = store.get_idempotency(&account, &key, at).await.unwrap();
            said.push(format!("{token:?} {expiring:?} {repeated:?}"));
        }
        let profile = store.get_account(&account).await.unwrap();
        let query = ResourceQuery {
            kind: None,
            filter: ResourceFilter::default(),
            limit: 10,
            after: None,
        };
        let resources = store.list_resources(&account, &query).await.unwrap();
        let orders = super::platform::name("export", "exp_orders");
        let one = store.get_resources(&account, &[orders]).await.unwrap();
        let query = IntegrationQuery {
            keywords: None,
            limit: 10,
            after: None,
        };
        let apps = store.list_integrations(&account, &query).await.unwrap();
        said.push(format!("{profile:?} {resources:?} {one:?} {apps:?}"));
    }
    let end = later(500 * DAY);
    let expiring = store.list_expiring(at, end, None).await.unwrap();
    said.push(format!("{:?}", expiring.items));
    said
}

#[tokio::test]
async fn nothing_depends_on_whether_the_table_has_removed_what_has_ended() {
    let (engine, staying) = engine_with_token().await;
    let mut tokens = vec![staying];
    for hours in [1, 2, 200] {
        let mut stored = another();
        stored.token.purge_at = Some(later(hours * HOUR));
        let mut new = creation(&stored);
        new.idempotency = (hours == 1).then(|| idempotency(&stored.token));
        engine.store.insert_token(&new).await.unwrap();
        tokens.push(stored);
    }
    let store = &engine.store;
    let integration = Integration {
        account_id: acme().id,
        id: "app1".parse().unwrap(),
        name: "App".into(),
    };
    store.put_integration(&integration, now()).await.unwrap();
    let app = &integration.id;
    let deleted = store.delete_integration(&integration.account_id, app, now());
    deleted.await.unwrap();
    for (kind, id) in [("export", "exp_orders"), ("connection", "con_shop")] {
        let name = super::platform::name(kind, id);
        let deleted = store.delete_resource(&acme().id, &name, now()).await;
        deleted.unwrap();
    }
    assert!(store.delete_account(&globex().id, now()).await.unwrap());
    // Just after each end, and long after all of them.
    for (second, removed) in [
        (HOUR + 1, 1),
        (2 * HOUR + 1, 1),
        (DAY + 1, 1),
        (200 * HOUR + 1, 1),
        (16 * DAY + 1, 4),
        (450 * DAY, 7),
    ] {
        let before = reads(&engine, &tokens, later(second)).await;
        assert_eq!(engine.sweep(later(second)), removed);
        let after = reads(&engine, &tokens, later(second)).await;
        assert_eq!(before, after, "{second} s");
    }
}
