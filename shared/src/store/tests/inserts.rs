//! A token is created together with its secret, audit record and idempotency record, or not at all.

use super::*;
use crate::ports::{GetIdempotency, ProjectPlatform};
use crate::testing::acme;

/// Tries to insert and asserts that nothing is written.
async fn refuse(engine: &Engine, new: &NewToken) -> PortError {
    let before = engine.dump().await;
    let error = engine.store.insert_token(new).await.unwrap_err();
    assert_eq!(engine.dump().await, before);
    error
}

/// A creation that has nothing in common with the existing token.
fn complete() -> NewToken {
    let mut new = creation(&another());
    new.idempotency = Some(idempotency(&new.stored.token));
    new
}

#[tokio::test]
async fn token_secret_audit_and_idempotency_are_written_together() {
    let engine = Engine::with_accounts().await;
    let new = complete();
    engine.store.insert_token(&new).await.unwrap();
    let token = &new.stored.token;
    assert_eq!(
        engine.stored(&token.account_id, &token.id).await.as_ref(),
        Some(&new.stored)
    );
    assert!(secret(&engine, new.stored.secret_hash).await.is_some());
    assert_eq!(engine.audit(&token.account_id).await, [new.audit]);
    let key = new.idempotency.as_ref().unwrap().key.clone();
    let found = engine
        .store
        .get_idempotency(&token.account_id, &key, now())
        .await;
    assert_eq!(found.unwrap(), new.idempotency);
}

#[tokio::test]
async fn an_id_that_is_taken_lets_nothing_be_written() {
    let (engine, stored) = engine_with_token().await;
    let mut new = complete();
    new.stored.token.id = stored.token.id;
    assert!(matches!(refuse(&engine, &new).await, PortError::Conflict));
}

#[tokio::test]
async fn a_secret_that_is_taken_lets_nothing_be_written() {
    let (engine, stored) = engine_with_token().await;
    let mut new = complete();
    new.stored.secret_hash = stored.secret_hash;
    assert!(matches!(refuse(&engine, &new).await, PortError::Conflict));
}

#[tokio::test]
async fn an_audit_record_that_is_taken_lets_nothing_be_written() {
    let (engine, stored) = engine_with_token().await;
    let mut new = complete();
    new.audit.id = engine.audit(&stored.token.account_id).await[0].id.clone();
    assert!(matches!(refuse(&engine, &new).await, PortError::Conflict));
}

#[tokio::test]
async fn a_repeated_request_lets_nothing_be_written() {
    let engine = Engine::with_accounts().await;
    engine.store.insert_token(&complete()).await.unwrap();
    let error = refuse(&engine, &complete()).await;
    assert!(matches!(error, PortError::Conflict));
}

#[tokio::test]
async fn an_account_that_is_unknown_or_deleted_gets_no_token() {
    let engine = Engine::with_accounts().await;
    let mut unknown = complete();
    unknown.stored.token.account_id = "initech".parse().unwrap();
    let error = refuse(&engine, &unknown).await;
    assert!(matches!(error, PortError::Conflict));
    let deleted = engine.store.delete_account(&acme().id, later(1)).await;
    assert!(deleted.unwrap());
    let error = refuse(&engine, &complete()).await;
    assert!(matches!(error, PortError::Conflict));
}

#[tokio::test]
async fn without_an_audit_log_there_are_no_tokens() {
    let engine = Engine::with_accounts().await;
    engine.break_audit().await;
    let error = refuse(&engine, &complete()).await;
    assert!(matches!(error, PortError::Broken(_)), "{error}");
}
