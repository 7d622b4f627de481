//! Tests of the stores on a real engine, one file per topic.

mod audit;
mod budgets;
mod calls;
mod changes;
mod compromise;
mod digests;
mod errors;
mod first_release;
mod inserts;
mod items;
mod lean;
mod lists;
mod mails;
mod platform;
mod recall;
mod second_form;
mod time_to_live;
mod upkeep;
mod uses;
mod vault;

use jiff::{SignedDuration, Timestamp};

use super::items::{account_key, secret_key, token_key};
use super::table::Item;
use crate::domain::action::Action;
use crate::domain::audit::AuditRecord;
use crate::domain::change::{IdempotencyRecord, NewToken, TokenChange};
use crate::domain::id::TokenId;
use crate::domain::kind::Kind;
use crate::domain::scope::{ResourceLists, Scope};
use crate::domain::secret::{PlainSecret, SecretHash};
use crate::domain::token::{NewSecret, StoredToken, Token};
use crate::domain::verification::SecretRecord;
use crate::ports::{ChangeToken, GetSecret, InsertToken, PortError};
use crate::system::System;
use crate::testing::{Engine, now, origin, owner_actor, stored_token};

fn later(seconds: i64) -> Timestamp {
    now() + SignedDuration::from_secs(seconds)
}

fn hash() -> SecretHash {
    PlainSecret::generate(Kind::Account, &System)
        .unwrap()
        .hash()
}

fn record(action: Action, token: &Token) -> AuditRecord {
    AuditRecord::new(action, token, vec![], origin(), now(), &System).unwrap()
}

fn creation(stored: &StoredToken) -> NewToken {
    NewToken {
        audit: record(Action::Create, &stored.token),
        stored: stored.clone(),
        idempotency: None,
    }
}

fn idempotency(token: &Token) -> IdempotencyRecord {
    IdempotencyRecord {
        key: "5e".repeat(32),
        fingerprint: "f1".repeat(32),
        token_id: token.id.clone(),
    }
}

/// Another token than [`stored_token`].
fn another() -> StoredToken {
    let mut stored = stored_token();
    stored.token.id = TokenId::generate(now(), &System).unwrap();
    stored.secret_hash = hash();
    stored
}

/// The change from one state to another, with the next version.
fn change(before: &StoredToken, mut after: StoredToken) -> TokenChange {
    after.token.version = before.token.version + 1;
    TokenChange {
        before: before.clone(),
        audit: record(Action::Update, &after.token),
        after,
        compromised: None,
        idempotency: None,
    }
}

/// A scope with the maximum number of ids, each of the maximal length.
fn widest_scope(letter: &str) -> Scope {
    let mut lists = ResourceLists::default();
    for number in 0..1_000 {
        let id = format!("{letter}{number:063}");
        lists.exports.insert(id.parse().unwrap());
    }
    Scope::Custom(lists)
}

async fn engine_with_token() -> (Engine, StoredToken) {
    let engine = Engine::with_accounts().await;
    let stored = stored_token();
    let new = creation(&stored);
    engine.store.insert_token(&new).await.unwrap();
    (engine, stored)
}

/// Applies a change and returns the new state.
async fn apply(engine: &Engine, before: &StoredToken, after: StoredToken) -> StoredToken {
    let change = change(before, after);
    engine.store.change_token(&change).await.unwrap();
    change.after
}

fn revoked(stored: &StoredToken) -> StoredToken {
    let reason = Some("lost".into());
    let token = stored.token.revoke(owner_actor(), now(), reason).unwrap();
    stored.with(token, now())
}

/// The token with a new secret; the old one works for ten more minutes.
fn rotated(stored: &StoredToken) -> StoredToken {
    regenerated(stored, 600)
}

/// The token with a new secret; the old one works for `grace` more seconds.
fn regenerated(stored: &StoredToken, grace: i64) -> StoredToken {
    let secret = PlainSecret::generate(Kind::Account, &System).unwrap();
    let secret = NewSecret {
        hash: secret.hash(),
        hint: secret.hint(),
        ciphertext: stored.ciphertext.clone(),
    };
    let grace = SignedDuration::from_secs(grace);
    stored.regenerate(secret, grace, owner_actor(), now())
}

fn reactivated(stored: &StoredToken) -> StoredToken {
    let mut stored = stored.clone();
    stored.token.revocation = None;
    stored
}

async fn secret(engine: &Engine, hash: SecretHash) -> Option<SecretRecord> {
    engine.store.get_secret(&hash).await.unwrap()
}

/// A stored item.
async fn raw(engine: &Engine, pk: impl Into<String>, sk: impl Into<String>) -> Option<Item> {
    let key = super::table::key(pk, sk);
    engine.store.get_item(key).await.unwrap()
}

async fn raw_token(engine: &Engine, token: &Token) -> Option<Item> {
    raw(engine, account_key(&token.account_id), token_key(&token.id)).await
}

async fn raw_secret(engine: &Engine, hash: SecretHash) -> Option<Item> {
    raw(engine, secret_key(hash), super::items::SECRET).await
}

fn is_conflict<T>(result: Result<T, PortError>) -> bool {
    matches!(result, Err(PortError::Conflict))
}
