use std::sync::Mutex;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use latchkey::domain::account::Account;
use latchkey::domain::audit::{Change, Source};
use latchkey::domain::change::TokenChange;
use latchkey::domain::id::{AccountId, TokenId};
use latchkey::domain::secret::SecretHash;
use latchkey::domain::time::rfc3339;
use latchkey::domain::token::{Ciphertext, Ended, NewSecret, StoredToken, Token};
use latchkey::domain::verification::{SecretState, standing};
use latchkey::ports::{GetSecret, PortError};
use latchkey::testing::{
    Answer, Engine, Event, FixedClock, NoEntropy, acme, now, origin, owner_actor, plain_secret,
    system_at, token,
};
use serde_json::{Value, json};

use super::*;

async fn call(engine: &Engine, event: &Event) -> Answer {
    call_on(&engine.store, &system_at(now()), event).await
}

async fn call_on(
    store: &(impl GetAccount + GetToken + ChangeToken),
    system: &(impl Clock + Entropy),
    event: &Event,
) -> Answer {
    let console = ConsoleClient::new("console");
    Answer::of(handle(store, system, &console, event.request()).await)
}

fn retire() -> Event {
    Event::sample(include_str!("../../../events/retire-secret/retire.json"))
}

fn earlier() -> Timestamp {
    now() - Duration::from_mins(1)
}

/// Creates an engine with a token and its replaced secret, which works for an hour from a minute ago.
async fn replaced() -> (Engine, StoredToken, SecretHash) {
    let engine = Engine::with_accounts().await;
    let aged = Token {
        created_at: earlier(),
        updated_at: earlier(),
        ..token()
    };
    let before = engine.add(aged).await;
    let old = before.secret_hash;
    let plain = plain_secret();
    let new = NewSecret {
        hash: plain.hash(),
        hint: plain.hint(),
        ciphertext: Ciphertext(b"sealed".to_vec()),
    };
    let hour = SignedDuration::from_hours(1);
    let after = before.regenerate(new, hour, owner_actor(), earlier());
    let system = system_at(earlier());
    let change = TokenChange::new(
        before,
        after.token.clone(),
        Action::Regenerate,
        origin(),
        earlier(),
        &system,
    );
    let change = TokenChange {
        after,
        ..change.unwrap()
    };
    engine.store.change_token(&change).await.unwrap();
    (engine, change.after, old)
}

async fn works(engine: &Engine, secret: SecretHash) -> bool {
    let record = engine.store.get_secret(&secret).await.unwrap();
    standing(record.as_ref(), None, now()).is_ok()
}

#[tokio::test]
async fn the_replaced_secret_ends_for_good_and_the_token_stays() {
    let (engine, stored, old) = replaced().await;
    assert!(works(&engine, old).await);
    let answer = call(&engine, &retire()).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert_eq!(answer.header("etag"), "\"3\"");
    for (field, value) in [
        ("id", json!(token().id)),
        ("status", json!("active")),
        ("version", json!(3)),
        ("previousSecret", Value::Null),
        ("hint", json!(stored.token.hint)),
        ("updatedBy", json!(owner_actor())),
    ] {
        assert_eq!(answer.json[field], value, "{field}");
    }
    assert!(!works(&engine, old).await);
    assert!(works(&engine, stored.secret_hash).await);
    // The secret is remembered, so that a later report of it is recognized.
    let record = engine.store.get_secret(&old).await.unwrap().unwrap();
    assert_eq!(record.state, SecretState::Ended);
    let (at, by) = (now(), Action::Retire);
    assert_eq!(record.ended, Some(Ended { at, by }));
    let after = engine.stored(&acme().id, &token().id).await.unwrap();
    assert_eq!(after.previous_hash, None);
}

#[tokio::test]
async fn the_end_is_on_record_with_what_changed() {
    let (engine, stored, _) = replaced().await;
    let previous = stored.token.previous_secret.unwrap();
    call(&engine, &retire().through_page()).await;
    let log = engine.audit(&acme().id).await;
    assert_eq!(log.len(), 3);
    let record = &log[0];
    assert_eq!(record.action, Action::Retire);
    assert_eq!(record.time, now());
    assert_eq!(record.token_id, token().id);
    assert_eq!(record.origin.source, Source::Ui);
    assert_eq!(record.origin.actor, owner_actor());
    assert_eq!(record.origin.ip, Some([192, 0, 2, 1].into()));
    assert_eq!(record.origin.request_id, "JKJaXmPLvHcESHA=");
    let end = rfc3339(previous.valid_until);
    assert_eq!(
        record.changes,
        [
            Change::new("previousSecret.hint", Some(previous.hint), None),
            Change::new("previousSecret.validUntil", Some(end), None),
        ]
    );
    assert!(record.is_mailed());
}

#[tokio::test]
async fn without_a_replaced_secret_there_is_nothing_to_end() {
    let refused = (409, "no_previous_secret");
    let engine = Engine::with_accounts().await;
    engine.add(token()).await;
    let answer = async |event: Event| call(&engine, &event).await;
    engine.refuses([(retire(), refused)], answer).await;

    // The secret was ended before, or revoked with its token.
    let (engine, ..) = replaced().await;
    assert_eq!(call(&engine, &retire()).await.status, 200);
    let answer = async |event: Event| call(&engine, &event).await;
    engine.refuses([(retire(), refused)], answer).await;
    let (engine, stored, _) = replaced().await;
    engine.revoke(stored).await;
    let answer = async |event: Event| call(&engine, &event).await;
    engine.refuses([(retire(), refused)], answer).await;

    // The secret ends at the exact time at which its grace period ends.
    let (engine, stored, _) = replaced().await;
    let end = stored.token.previous_secret.unwrap().valid_until;
    let over = call_on(&engine.store, &system_at(end), &retire()).await;
    assert_eq!(over.outcome(), refused);
    let just_before = system_at(end - Duration::from_millis(1));
    let answer = call_on(&engine.store, &just_before, &retire()).await;
    assert_eq!(answer.status, 200);
}

#[tokio::test]
async fn nothing_ends_without_its_audit_record() {
    let (engine, _, old) = replaced().await;
    let broken = (FixedClock(now()), NoEntropy);
    let answer = call_on(&engine.store, &broken, &retire()).await;
    assert_eq!(answer.outcome(), (500, "internal_error"));
    engine.break_audit().await;
    let before = engine.dump().await;
    let answer = call(&engine, &retire()).await;
    assert_eq!(answer.outcome(), (500, "internal_error"));
    assert_eq!(engine.dump().await, before);
    assert!(works(&engine, old).await);
}

#[tokio::test]
async fn if_match_names_the_version_whose_replaced_secret_is_to_end() {
    let (engine, ..) = replaced().await;
    let answer = async |event: Event| call(&engine, &event).await;
    engine.refuses(retire().for_other_versions(2), answer).await;
    let answer = call(&engine, &retire().header("if-match", "\"2\"")).await;
    assert_eq!(answer.status, 200);
}

#[tokio::test]
async fn it_takes_no_fields() {
    let (engine, ..) = replaced().await;
    let json = retire().header("content-type", "application/json");
    let answer = call(&engine, &json.clone().body(&json!({"reason": "x"}))).await;
    assert_eq!(answer.outcome(), (422, "validation_failed"));
    assert_eq!(answer.failures(), [("reason", "unknown_field")]);
    assert_eq!(call(&engine, &json.body(&json!({}))).await.status, 200);
}

#[tokio::test]
async fn a_token_that_the_account_has_not_is_not_found() {
    let engine = Engine::with_accounts().await;
    let events = engine.out_of_reach(&retire(), false).await;
    let answer = async |event: Event| call(&engine, &event).await;
    engine.refuses(events, answer).await;
}

#[tokio::test]
async fn nobody_but_owner_and_administrator_ends_a_secret() {
    let (engine, ..) = replaced().await;
    let answer = async |event: Event| call(&engine, &event).await;
    engine.refuses(retire().by_the_unauthorized(), answer).await;
    assert_eq!(call(&engine, &retire().by("admin-1")).await.status, 200);
}

/// A store in which the token changes right before its change is written, a number of times.
struct Meanwhile<'a> {
    engine: &'a Engine,
    edits: Mutex<usize>,
}

impl GetAccount for Meanwhile<'_> {
    async fn get_account(&self, id: &AccountId) -> Result<Option<Account>, PortError> {
        self.engine.store.get_account(id).await
    }
}

impl GetToken for Meanwhile<'_> {
    async fn get_token(
        &self,
        account: &AccountId,
        id: &TokenId,
        now: Timestamp,
    ) -> Result<Option<StoredToken>, PortError> {
        self.engine.store.get_token(account, id, now).await
    }
}

impl ChangeToken for Meanwhile<'_> {
    async fn change_token(&self, change: &TokenChange) -> Result<(), PortError> {
        let is_edited = {
            let mut edits = self.edits.lock().unwrap();
            let is_edited = *edits > 0;
            *edits = edits.saturating_sub(1);
            is_edited
        };
        if is_edited {
            let before = change.before.clone();
            let token = Token {
                description: format!("{}.", before.token.description),
                version: before.token.version + 1,
                ..before.token.clone()
            };
            let system = system_at(now());
            let edit = TokenChange::new(before, token, Action::Update, origin(), now(), &system);
            self.engine.store.change_token(&edit.unwrap()).await?;
        }
        self.engine.store.change_token(change).await
    }
}

#[tokio::test]
async fn an_edit_at_the_same_time_does_not_save_the_secret() {
    let (engine, _, old) = replaced().await;
    let store = Meanwhile {
        engine: &engine,
        edits: Mutex::new(2),
    };
    let answer = call_on(&store, &system_at(now()), &retire()).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert_eq!(answer.json["version"], 5);
    let description = format!("{}..", token().description);
    assert_eq!(answer.json["description"], description);
    assert!(!works(&engine, old).await);

    // With `If-Match`, another version isn't changed.
    let (engine, _, old) = replaced().await;
    let store = Meanwhile {
        engine: &engine,
        edits: Mutex::new(1),
    };
    let event = retire().header("if-match", "\"2\"");
    let answer = call_on(&store, &system_at(now()), &event).await;
    assert_eq!(answer.outcome(), (412, "version_mismatch"));
    assert!(works(&engine, old).await);

    // The operation gives up after several attempts.
    let store = Meanwhile {
        engine: &engine,
        edits: Mutex::new(99),
    };
    let answer = call_on(&store, &system_at(now()), &retire()).await;
    assert_eq!(answer.outcome(), (409, "conflict"));
}
