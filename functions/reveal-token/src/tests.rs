use std::time::Duration;

use jiff::Timestamp;
use latchkey::domain::account::Account;
use latchkey::domain::audit::Source;
use latchkey::domain::budget::Spending;
use latchkey::domain::id::{AccountId, TokenId};
use latchkey::domain::secret::PlainSecret;
use latchkey::domain::token::{StoredToken, Token};
use latchkey::ports::{PortError, ProjectPlatform};
use latchkey::testing::{
    Answer, Engine, Event, FakeVault, FixedClock, NoEntropy, acme, now, owner_actor, system_at,
    token,
};
use serde_json::json;

use super::*;

async fn call(engine: &Engine, event: &Event) -> Answer {
    let system = system_at(now());
    call_on(&engine.store, &FakeVault::default(), &system, event).await
}

async fn call_on(
    store: &(impl GetAccount + GetToken + RecordView + SpendBudget),
    vault: &FakeVault,
    system: &(impl Clock + Entropy),
    event: &Event,
) -> Answer {
    let console = ConsoleClient::new("console");
    Answer::of(handle(store, vault, system, &console, None, event.request()).await)
}

/// Calls the function that wants a sign-in of the last 300 seconds.
async fn step_up(engine: &Engine, event: &Event) -> Answer {
    let (vault, system) = (FakeVault::default(), system_at(now()));
    let (console, recent) = (ConsoleClient::new("console"), StepUp::new(300, "auth_time"));
    let request = event.request();
    Answer::of(
        handle(
            &engine.store,
            &vault,
            &system,
            &console,
            Some(&recent),
            request,
        )
        .await,
    )
}

fn reveal() -> Event {
    Event::sample(include_str!("../../../events/reveal-token/reveal.json"))
}

/// Returns whether the answer has exactly that token's secret.
fn shows(answer: &Answer, stored: &StoredToken) -> bool {
    let text = answer.json["secret"].as_str().unwrap_or_default();
    let right = PlainSecret::parse(text).is_ok_and(|plain| plain.hash() == stored.secret_hash);
    right && answer.json == json!({"id": stored.token.id, "secret": text})
}

/// Checks that the answer has no secret, and that only the creation is recorded.
async fn shows_nothing(engine: &Engine, answer: &Answer) {
    assert!(!answer.text.contains("lka_"), "{}", answer.text);
    assert_eq!(engine.audit(&acme().id).await.len(), 1);
}

#[tokio::test]
async fn a_secret_is_shown_once_its_viewing_is_on_record() {
    let engine = Engine::with_accounts().await;
    let stored = engine.add(token()).await;
    let answer = call(&engine, &reveal()).await;
    assert_eq!(answer.status, 200);
    assert!(shows(&answer, &stored));
    let views: Vec<_> = engine
        .audit(&acme().id)
        .await
        .into_iter()
        .filter(|record| record.action == Action::View)
        .collect();
    let [view] = &views[..] else {
        panic!("not one viewing")
    };
    assert_eq!(view.time, now());
    assert_eq!(view.token_id, stored.token.id);
    assert_eq!(view.token_hint, stored.token.hint);
    assert_eq!(view.changes, []);
    assert_eq!(view.origin.actor, owner_actor());
    assert_eq!(view.origin.source, Source::Api);
    assert_eq!(view.origin.ip, Some([192, 0, 2, 1].into()));
    assert_eq!(view.origin.user_agent.as_deref(), Some("curl/8.5.0"));
    assert_eq!(view.origin.request_id, "JKJaXmPLvHcESHA=");
}

#[tokio::test]
async fn every_viewing_has_a_record_of_its_own_and_changes_nothing() {
    let engine = Engine::with_accounts().await;
    let stored = engine.add(token()).await;
    call(&engine, &reveal()).await;
    call(&engine, &reveal().through_page()).await;
    let log = engine.audit(&acme().id).await;
    let sources: Vec<_> = log.iter().map(|record| record.origin.source).collect();
    assert_eq!(sources.len(), 3);
    assert!(sources.contains(&Source::Ui));
    let kept = engine.stored(&acme().id, &stored.token.id).await;
    assert_eq!(kept, Some(stored));
}

#[tokio::test]
async fn a_secret_is_shown_in_developer_mode_only() {
    let engine = Engine::with_accounts().await;
    engine.add(token()).await;
    let answer = call(&engine, &reveal().by("admin-1")).await;
    assert_eq!(answer.outcome(), (403, "developer_mode_required"));
    shows_nothing(&engine, &answer).await;
    // Turning developer mode off takes effect with the next request.
    let mut off = acme();
    for member in &mut off.members {
        member.developer_mode = false;
    }
    engine.store.put_account(&off, now()).await.unwrap();
    let answer = call(&engine, &reveal()).await;
    assert_eq!(answer.outcome(), (403, "developer_mode_required"));
}

#[tokio::test]
async fn an_old_sign_in_sees_no_secret() {
    let engine = Engine::with_accounts().await;
    let stored = engine.add(token()).await;
    let before = engine.dump().await;
    for event in reveal().with_old_sign_ins() {
        let answer = step_up(&engine, &event).await;
        assert_eq!(answer.outcome(), (403, "step_up_required"), "{event:?}");
        assert_eq!(answer.json["maxAge"], 300);
        assert!(
            answer
                .header("www-authenticate")
                .ends_with("max_age=\"300\"")
        );
        assert_eq!(engine.dump().await, before);
    }
    // A sign-in doesn't help those who may not see the secret.
    let answer = step_up(&engine, &reveal().by("manage-1")).await;
    assert_eq!(answer.outcome(), (403, "role_required"));
    let answer = step_up(&engine, &reveal().by("admin-1")).await;
    assert_eq!(answer.outcome(), (403, "developer_mode_required"));
    let answer = step_up(&engine, &reveal().signed_in_at(now())).await;
    assert!(shows(&answer, &stored), "{}", answer.text);
}

#[tokio::test]
async fn nobody_but_owner_and_administrator_sees_a_secret() {
    let engine = Engine::with_accounts().await;
    engine.add(token()).await;
    for (event, outcome) in reveal().by_the_unauthorized() {
        let answer = call(&engine, &event).await;
        assert_eq!(answer.outcome(), outcome, "{event:?}");
        shows_nothing(&engine, &answer).await;
    }
}

#[tokio::test]
async fn a_token_that_the_account_has_not_is_not_found() {
    let engine = Engine::with_accounts().await;
    let events = engine.out_of_reach(&reveal(), false).await;
    let answer = async |event: Event| call(&engine, &event).await;
    engine.refuses(events, answer).await;
}

#[tokio::test]
async fn a_secret_is_gone_from_the_very_instant_of_its_purge() {
    let engine = Engine::with_accounts().await;
    let purge_at = now() + Duration::from_hours(1);
    let mortal = Token {
        purge_at: Some(purge_at),
        ..token()
    };
    engine.add(mortal).await;
    let (vault, system) = (FakeVault::default(), system_at(purge_at));
    let answer = call_on(&engine.store, &vault, &system, &reveal()).await;
    assert_eq!(answer.outcome(), (404, "token_not_found"));
    shows_nothing(&engine, &answer).await;
}

#[tokio::test]
async fn a_revoked_tokens_secret_can_still_be_seen() {
    let engine = Engine::with_accounts().await;
    let stored = engine.add(token()).await;
    let revoked = engine.revoke(stored).await;
    assert!(shows(&call(&engine, &reveal()).await, &revoked));
}

#[tokio::test]
async fn nothing_is_shown_that_is_not_on_record() {
    let engine = Engine::with_accounts().await;
    engine.add(token()).await;
    engine.break_audit().await;
    let answer = call(&engine, &reveal()).await;
    assert_eq!(answer.outcome(), (500, "internal_error"));
    assert!(!answer.text.contains("lka_"));
}

#[tokio::test]
async fn nothing_is_shown_and_recorded_when_a_part_fails() {
    let engine = Engine::with_accounts().await;
    engine.add(token()).await;
    let vault = FakeVault::default();
    let broken = (FixedClock(now()), NoEntropy);
    let answer = call_on(&engine.store, &vault, &broken, &reveal()).await;
    assert_eq!(answer.outcome(), (500, "internal_error"));
    shows_nothing(&engine, &answer).await;
    vault.fail();
    let answer = call_on(&engine.store, &vault, &system_at(now()), &reveal()).await;
    assert_eq!(answer.outcome(), (503, "unavailable"));
    assert_eq!(answer.header("retry-after"), "1");
    shows_nothing(&engine, &answer).await;
}

/// A store in which the token is revoked just before its view is recorded.
struct Overtaken<'a>(&'a Engine);

impl GetAccount for Overtaken<'_> {
    async fn get_account(&self, id: &AccountId) -> Result<Option<Account>, PortError> {
        self.0.store.get_account(id).await
    }
}

impl GetToken for Overtaken<'_> {
    async fn get_token(
        &self,
        account: &AccountId,
        id: &TokenId,
        now: Timestamp,
    ) -> Result<Option<StoredToken>, PortError> {
        self.0.store.get_token(account, id, now).await
    }
}

impl SpendBudget for Overtaken<'_> {
    async fn spend_budget(
        &self,
        account: &AccountId,
        budget: &Budget,
        now: Timestamp,
    ) -> Result<Spending, PortError> {
        self.0.store.spend_budget(account, budget, now).await
    }
}

impl RecordView for Overtaken<'_> {
    async fn record_view(
        &self,
        viewed: &StoredToken,
        audit: &AuditRecord,
    ) -> Result<(), PortError> {
        self.0.revoke(viewed.clone()).await;
        self.0.store.record_view(viewed, audit).await
    }
}

#[tokio::test]
async fn nothing_is_shown_of_a_token_that_changed_meanwhile() {
    let engine = Engine::with_accounts().await;
    engine.add(token()).await;
    let (vault, system) = (FakeVault::default(), system_at(now()));
    let answer = call_on(&Overtaken(&engine), &vault, &system, &reveal()).await;
    assert_eq!(answer.outcome(), (409, "conflict"));
    assert_eq!(answer.header("retry-after"), "1");
    assert!(!answer.text.contains("lka_"));
    let log = engine.audit(&acme().id).await;
    assert!(log.iter().all(|record| record.action != Action::View));
}

#[tokio::test]
async fn if_match_names_the_version_to_be_shown() {
    let engine = Engine::with_accounts().await;
    let stored = engine.add(token()).await;
    let stale = call(&engine, &reveal().header("if-match", "\"2\"")).await;
    assert_eq!(stale.outcome(), (412, "version_mismatch"));
    shows_nothing(&engine, &stale).await;
    for tags in ["\"1\"", "*", "\"7\", \"1\""] {
        let answer = call(&engine, &reveal().header("if-match", tags)).await;
        assert!(shows(&answer, &stored), "{tags}");
    }
}

#[tokio::test]
async fn a_reveal_has_no_fields() {
    let engine = Engine::with_accounts().await;
    let stored = engine.add(token()).await;
    let event = reveal().header("content-type", "application/json");
    let answer = call(&engine, &event.clone().body(&json!({"reason": "x"}))).await;
    assert_eq!(answer.failures(), [("reason", "unknown_field")]);
    shows_nothing(&engine, &answer).await;
    assert!(shows(
        &call(&engine, &event.body(&json!({}))).await,
        &stored
    ));
}
