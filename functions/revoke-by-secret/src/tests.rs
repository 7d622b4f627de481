use std::sync::Mutex;
use std::time::Duration;

use latchkey::domain::audit::AuditRecord;
use latchkey::domain::change::TokenChange;
use latchkey::domain::id::{AccountId, TokenId};
use latchkey::domain::kind::Kind;
use latchkey::domain::secret::SecretHash;
use latchkey::domain::token::{
    Ciphertext, Ended, NotReactivable, PreviousSecret, Status, StoredToken, Token,
};
use latchkey::domain::verification::{SecretState, standing};
use latchkey::ports::{ChangeToken, Compromise, DeleteToken, PortError};
use latchkey::testing::{
    Answer, Engine, Event, FixedClock, FixedEntropy, NoEntropy, acme, now, origin, owner_actor,
    plain, system_at, token_at,
};

use super::*;

async fn call(engine: &Engine, event: &Event) -> Answer {
    call_on(&engine.store, &system_at(now()), event).await
}

async fn call_on(
    store: &(impl GetSecret + GetToken + CompromiseSecret),
    system: &(impl Clock + Entropy),
    event: &Event,
) -> Answer {
    Answer::of(handle(store, system, event.request()).await)
}

fn sample() -> Event {
    Event::sample(include_str!("../../../events/revoke-by-secret/holder.json"))
}

fn revoke_text(secret: &str) -> Event {
    sample().encoded_body(format!("token={secret}").as_bytes())
}

fn secret(of: u8) -> PlainSecret {
    PlainSecret::generate(Kind::Account, &FixedEntropy([of; 32])).unwrap()
}

fn text(of: u8) -> String {
    plain(&secret(of))
}

/// Returns secret 1 with a wrong last character, which breaks the checksum.
fn wrongly_summed() -> String {
    let mut text = text(1);
    let last = text.pop();
    text.push(if last == Some('0') { '1' } else { '0' });
    text
}

/// Creates an engine with a token. Its secret is 1. The replaced secret is 2 and works for another minute.
async fn engine() -> (Engine, StoredToken) {
    with(|_| {}).await
}

async fn with(change: impl FnOnce(&mut Token)) -> (Engine, StoredToken) {
    let engine = Engine::with_accounts().await;
    let mut token = token_at(now() - Duration::from_mins(1));
    token.hint = secret(1).hint();
    token.previous_secret = Some(PreviousSecret {
        hint: secret(2).hint(),
        valid_until: now() + Duration::from_mins(1),
    });
    change(&mut token);
    let stored = StoredToken {
        token,
        secret_hash: secret(1).hash(),
        ciphertext: Ciphertext(b"sealed".to_vec()),
        previous_hash: Some(secret(2).hash()),
    };
    let stored = engine.insert(stored).await;
    (engine, stored)
}

async fn token_of(engine: &Engine, stored: &StoredToken) -> Token {
    let stored = engine.stored(&acme().id, &stored.token.id).await;
    stored.unwrap().token
}

async fn state(engine: &Engine, of: u8) -> SecretState {
    let record = engine.store.get_secret(&secret(of).hash()).await.unwrap();
    record.unwrap().state
}

async fn works(engine: &Engine, of: u8) -> bool {
    let record = engine.store.get_secret(&secret(of).hash()).await.unwrap();
    standing(record.as_ref(), None, now()).is_ok()
}

/// Returns the status of a token, and whether its two secrets work.
async fn standings(engine: &Engine, stored: &StoredToken) -> (Status, bool, bool) {
    let status = token_of(engine, stored).await.status();
    (status, works(engine, 1).await, works(engine, 2).await)
}

const ACTIVE: (Status, bool, bool) = (Status::Active, true, true);
const REVOKED: (Status, bool, bool) = (Status::Revoked, false, false);

/// Returns the audit records without that of the creation, newest first.
async fn records(engine: &Engine) -> Vec<AuditRecord> {
    let mut log = engine.audit(&acme().id).await;
    log.retain(|record| record.action != Action::Create);
    log
}

fn fields(record: &AuditRecord) -> Vec<(&str, Option<&str>)> {
    let changes = record.changes.iter();
    changes
        .map(|change| (change.field.as_str(), change.new.as_deref()))
        .collect()
}

fn done(answer: &Answer) {
    assert_eq!((answer.status, answer.text.as_str()), (200, ""));
}

#[tokio::test]
async fn the_current_secret_ends_for_ever_and_its_token_is_revoked() {
    let (engine, stored) = engine().await;
    assert_eq!(standings(&engine, &stored).await, ACTIVE);
    done(&call(&engine, &revoke_text(&text(1))).await);
    assert_eq!(standings(&engine, &stored).await, REVOKED);
    assert_eq!(state(&engine, 1).await, SecretState::Compromised);
    assert_eq!(state(&engine, 2).await, SecretState::Ended);
    let token = token_of(&engine, &stored).await;
    let (at, by) = (now(), Action::Revoke);
    assert_eq!(token.compromised, Some(Ended { at, by }));
    let refused = token.reactivate(owner_actor(), now());
    assert_eq!(refused, Err(NotReactivable::SecretCompromised));
    let revocation = token.revocation.unwrap();
    assert_eq!(revocation.reason.as_deref(), Some("revoked by its holder"));
    assert_eq!(revocation.at, now());
}

#[tokio::test]
async fn a_replaced_secret_ends_for_ever_and_its_token_stays() {
    let (engine, stored) = engine().await;
    done(&call(&engine, &revoke_text(&text(2))).await);
    assert_eq!(
        standings(&engine, &stored).await,
        (Status::Active, true, false)
    );
    assert_eq!(state(&engine, 2).await, SecretState::Compromised);
    assert_eq!(token_of(&engine, &stored).await.previous_secret, None);
    let log = records(&engine).await;
    assert_eq!(log.len(), 1);
    assert_eq!(log[0].action, Action::Revoke);
    assert_eq!(
        fields(&log[0]),
        [
            ("previousSecret.hint", None),
            ("previousSecret.validUntil", None),
            ("compromisedSecret", Some("previous")),
        ]
    );
    let before = engine.dump().await;
    done(&call(&engine, &revoke_text(&text(2))).await);
    assert_eq!(engine.dump().await, before);
}

#[tokio::test]
async fn a_secret_that_ended_before_is_only_recorded_and_known_as_compromised() {
    // The grace period of the replaced secret is over.
    let (engine, stored) = engine().await;
    let later = system_at(now() + Duration::from_mins(1));
    done(&call_on(&engine.store, &later, &revoke_text(&text(2))).await);
    assert_eq!(state(&engine, 2).await, SecretState::Compromised);
    assert_eq!(token_of(&engine, &stored).await.status(), Status::Active);
    assert_eq!(records(&engine).await.len(), 1);

    // A purged and a deleted token.
    let (purged, _) = with(|token| token.purge_at = Some(now())).await;
    let (deleted, stored) = self::engine().await;
    let revoked = deleted.revoke(stored).await;
    let system = latchkey::system::System;
    let audit = AuditRecord::new(
        Action::Delete,
        &revoked.token,
        vec![],
        origin(),
        now(),
        &system,
    );
    let done_deleting = deleted.store.delete_token(&revoked, &audit.unwrap()).await;
    done_deleting.unwrap();
    for (engine, of) in [(&purged, 1), (&deleted, 1), (&deleted, 2)] {
        let before = records(engine).await.len();
        done(&call(engine, &revoke_text(&text(of))).await);
        assert_eq!(state(engine, of).await, SecretState::Compromised);
        let log = records(engine).await;
        assert_eq!(log.len(), before + 1);
        let ended = ("compromisedSecret", Some("ended"));
        let record = log.iter().find(|record| fields(record) == [ended]);
        let record = record.unwrap();
        assert_eq!(record.action, Action::Revoke);
        assert!(record.is_mailed());
        let before = engine.dump().await;
        done(&call(engine, &revoke_text(&text(of))).await);
        assert_eq!(engine.dump().await, before);
    }
}

#[tokio::test]
async fn the_revocation_is_on_record_in_the_tokens_name() {
    let (engine, stored) = engine().await;
    done(&call(&engine, &revoke_text(&text(1))).await);
    let log = engine.audit(&acme().id).await;
    assert_eq!(log.len(), 2);
    let record = &log[0];
    assert_eq!(record.action, Action::Revoke);
    assert_eq!(record.token_id, stored.token.id);
    assert_eq!(record.origin.source, Source::Api);
    let holder = Actor::token(&stored.token.id, "Warehouse sync");
    assert_eq!(record.origin.actor, holder);
    assert_eq!(record.origin.ip, Some([192, 0, 2, 1].into()));
    assert_eq!(record.origin.user_agent.as_deref(), Some("curl/8.5.0"));
    assert_eq!(record.origin.request_id, "JKJaXmPLvHcESHA=");
    let told = fields(record);
    for field in [
        ("status", Some("revoked")),
        ("revocationReason", Some("revoked by its holder")),
        ("compromisedSecret", Some("current")),
    ] {
        assert!(told.contains(&field), "{told:?}");
    }
}

#[tokio::test]
async fn who_holds_a_secret_may_revoke_it_from_anywhere() {
    let elsewhere = "198.51.100.0/24".parse().unwrap();
    let (engine, stored) = with(|token| token.allowed_cidrs = vec![elsewhere]).await;
    done(&call(&engine, &revoke_text(&text(1))).await);
    assert_eq!(standings(&engine, &stored).await, REVOKED);
}

#[tokio::test]
async fn what_is_no_secret_of_a_token_is_answered_the_same_and_changes_nothing() {
    let (engine, _) = engine().await;
    let before = engine.dump().await;
    for token in [text(9), "nonsense".into(), wrongly_summed(), "%FF".into()] {
        done(&call(&engine, &revoke_text(&token)).await);
    }
    assert_eq!(engine.dump().await, before);
}

/// A 200 means that the secret doesn't work.
#[tokio::test]
async fn a_text_that_holds_a_working_secret_is_never_answered_200() {
    let (engine, _) = engine().await;
    let before = engine.dump().await;
    let secret = text(1);
    let (start, end) = secret.split_at(30);
    for token in [
        format!("\"{secret}\""),
        format!("Token {secret}"),
        format!("{secret}{secret}"),
        // A terminal or a mail breaks lines like this; a page has invisible break opportunities.
        format!("{start}\n{end}"),
        format!("{start} {end}"),
        format!("{start}\r\n    {end}"),
        format!("{start}\u{200b}{end}"),
        format!("{start}\0{end}"),
        // Other texts write it like this.
        secret.replace('_', "%255F"),
        secret.replace('_', "\\_"),
    ] {
        let answer = call(&engine, &revoke_text(&token)).await;
        assert_eq!(answer.outcome(), (400, "invalid_request"), "{token:?}");
        assert!(!answer.text.contains(end));
    }
    assert_eq!(engine.dump().await, before);
    assert!(works(&engine, 1).await);
}

#[tokio::test]
async fn revoking_again_changes_and_records_nothing() {
    let (engine, _) = engine().await;
    done(&call(&engine, &revoke_text(&text(1))).await);
    let before = engine.dump().await;
    done(&call(&engine, &revoke_text(&text(1))).await);
    assert_eq!(engine.dump().await, before);
}

#[tokio::test]
async fn hints_and_client_credentials_do_not_matter() {
    for body in [
        "token_type_hint=refresh_token",
        "client_id=x&client_secret=y",
        "a=&b=",
    ] {
        let (engine, stored) = engine().await;
        let event = sample()
            .raw_body(&format!("{body}&token={}", text(1)))
            .header("authorization", "Basic eDp5");
        done(&call(&engine, &event).await);
        assert_eq!(standings(&engine, &stored).await, REVOKED, "{body}");
    }
}

#[tokio::test]
async fn a_request_that_is_no_form_or_lacks_the_token_is_invalid() {
    let (engine, _) = engine().await;
    let before = engine.dump().await;
    let twice = format!("token={0}&token={0}", text(1));
    for event in [
        sample().without_body(),
        sample().raw_body("token="),
        sample().raw_body("tokens=x"),
        sample().raw_body(&twice),
        revoke_text(&text(1)).header("content-type", "application/json"),
        revoke_text(&text(1)).without_header("content-type"),
    ] {
        let answer = call(&engine, &event).await;
        assert_eq!(answer.outcome(), (400, "invalid_request"), "{event:?}");
        assert_eq!(answer.json["error"], "invalid_request");
        assert!(!answer.text.contains(&text(1)));
    }
    let large = revoke_text(&"x".repeat(64 * 1024));
    assert_eq!(
        call(&engine, &large).await.outcome(),
        (413, "body_too_large")
    );
    assert_eq!(engine.dump().await, before);
}

#[tokio::test]
async fn nothing_is_revoked_without_its_audit_record() {
    let (engine, stored) = engine().await;
    let broken = (FixedClock(now()), NoEntropy);
    let answer = call_on(&engine.store, &broken, &revoke_text(&text(1))).await;
    assert_eq!(answer.outcome(), (500, "internal_error"));
    engine.break_audit().await;
    let answer = call(&engine, &revoke_text(&text(1))).await;
    assert_eq!(answer.outcome(), (500, "internal_error"));
    assert_eq!(standings(&engine, &stored).await, ACTIVE);
}

/// A store that fails, or in which something changes, before a write. It counts reads.
struct Meanwhile<'a> {
    engine: &'a Engine,
    before_change: Mutex<Vec<Trouble>>,
    reads: Mutex<usize>,
}

enum Trouble {
    Edit(Box<StoredToken>),
    Unavailable,
    Conflict,
}

impl<'a> Meanwhile<'a> {
    fn new(engine: &'a Engine, troubles: Vec<Trouble>) -> Self {
        Self {
            engine,
            before_change: Mutex::new(troubles),
            reads: Mutex::default(),
        }
    }
}

impl GetSecret for Meanwhile<'_> {
    async fn get_secret(&self, hash: &SecretHash) -> Result<Option<SecretRecord>, PortError> {
        *self.reads.lock().unwrap() += 1;
        self.engine.store.get_secret(hash).await
    }
}

impl GetToken for Meanwhile<'_> {
    async fn get_token(
        &self,
        account: &AccountId,
        id: &TokenId,
        now: jiff::Timestamp,
    ) -> Result<Option<StoredToken>, PortError> {
        *self.reads.lock().unwrap() += 1;
        self.engine.store.get_token(account, id, now).await
    }
}

impl CompromiseSecret for Meanwhile<'_> {
    async fn compromise_secret(&self, compromise: &Compromise) -> Result<(), PortError> {
        let trouble = self.before_change.lock().unwrap().pop();
        match trouble {
            Some(Trouble::Unavailable) => Err(PortError::Unavailable("throttled".into())),
            Some(Trouble::Conflict) => Err(PortError::Conflict),
            Some(Trouble::Edit(before)) => {
                let token = Token {
                    name: "Renamed".into(),
                    version: before.token.version + 1,
                    ..before.token.clone()
                };
                let edit = TokenChange::new(
                    *before,
                    token,
                    Action::Update,
                    origin(),
                    now(),
                    &latchkey::system::System,
                );
                self.engine.store.change_token(&edit.unwrap()).await?;
                self.engine.store.compromise_secret(compromise).await
            }
            None => self.engine.store.compromise_secret(compromise).await,
        }
    }
}

#[tokio::test]
async fn success_is_not_said_while_the_store_is_not_available() {
    let (engine, stored) = engine().await;
    let store = Meanwhile::new(&engine, vec![Trouble::Unavailable]);
    let answer = call_on(&store, &system_at(now()), &revoke_text(&text(1))).await;
    assert_eq!(answer.outcome(), (503, "unavailable"));
    assert_eq!(answer.header("retry-after"), "1");
    assert_eq!(standings(&engine, &stored).await, ACTIVE);
}

#[tokio::test]
async fn an_edit_at_the_same_time_does_not_save_the_token() {
    let (engine, stored) = engine().await;
    let store = Meanwhile::new(&engine, vec![Trouble::Edit(Box::new(stored.clone()))]);
    done(&call_on(&store, &system_at(now()), &revoke_text(&text(1))).await);
    assert_eq!(standings(&engine, &stored).await, REVOKED);
    assert_eq!(token_of(&engine, &stored).await.name, "Renamed");

    let always = (0..9).map(|_| Trouble::Conflict).collect();
    let (engine, _) = self::engine().await;
    let store = Meanwhile::new(&engine, always);
    let answer = call_on(&store, &system_at(now()), &revoke_text(&text(1))).await;
    assert_eq!(answer.outcome(), (503, "unavailable"));
}

#[tokio::test]
async fn a_malformed_secret_costs_no_look_at_the_table() {
    let (engine, _) = engine().await;
    let store = Meanwhile::new(&engine, vec![]);
    for token in ["nonsense", "lka_", &wrongly_summed()] {
        done(&call_on(&store, &system_at(now()), &revoke_text(token)).await);
    }
    assert_eq!(*store.reads.lock().unwrap(), 0);
}

#[tokio::test]
async fn a_token_that_was_revoked_before_keeps_who_revoked_it_and_needs_a_new_secret() {
    let (engine, stored) = engine().await;
    engine.revoke(stored.clone()).await;
    done(&call(&engine, &revoke_text(&text(1))).await);
    let token = token_of(&engine, &stored).await;
    assert_eq!(token.revocation.as_ref().unwrap().by, owner_actor());
    let refused = token.reactivate(owner_actor(), now());
    assert_eq!(refused, Err(NotReactivable::SecretCompromised));
    assert_eq!(state(&engine, 1).await, SecretState::Compromised);
    assert_eq!(records(&engine).await.len(), 2);
}
