//! The probe against the operations' own code, on a real engine.

use std::sync::Mutex;

use jiff::{SignedDuration, Timestamp};
use lambda_http::Request;
use latchkey::domain::account::{Account, Member, Plan, Role};
use latchkey::domain::step_up::StepUp;
use latchkey::http::caller::ConsoleClient;
use latchkey::http::gateway;
use latchkey::http::probe::ACCOUNT;
use latchkey::mail::{Console, Notifier};
use latchkey::ports::ProjectPlatform;
use latchkey::testing::{Engine, Event, FakeVault, Logs, Post, brand, now, system_at};
use serde_json::{Value, json};
use tracing::level_filters::LevelFilter;

use super::*;

/// The service in this process. It may answer one call wrongly.
struct InProcess {
    engine: Engine,
    vault: FakeVault,
    now: Mutex<Timestamp>,
    /// The number of the call that is answered wrongly, from 0, and the answer.
    wrong: Option<(usize, Result<Answer, String>)>,
    calls: Mutex<Vec<String>>,
}

/// The calls of a run with nothing to clean up.
const LIFE: &str = "ListTokens CreateToken TokenInfo GetToken RevealToken RevokeToken TokenInfo DeleteToken GetToken";

impl InProcess {
    async fn start() -> Self {
        let engine = Engine::with_accounts().await;
        let account = Account {
            id: ACCOUNT.parse().unwrap(),
            name: "Probe".into(),
            plan: Plan::Enterprise,
            api_management: false,
            members: vec![Member {
                id: ACCOUNT.parse().unwrap(),
                email: String::new(),
                name: "Probe".into(),
                role: Role::Owner,
                developer_mode: true,
            }],
        };
        engine.store.put_account(&account, now()).await.unwrap();
        Self {
            engine,
            vault: FakeVault::default(),
            now: Mutex::new(now()),
            wrong: None,
            calls: Mutex::default(),
        }
    }

    /// Runs the probe that long after the first run.
    async fn run(&self, later: SignedDuration) -> Result<(), Wrong> {
        let time = now() + later;
        *self.now.lock().unwrap() = time;
        self.calls.lock().unwrap().clear();
        handle(self, &system_at(time), Some("auth_time")).await
    }

    /// Notes a call. Returns the wrong answer if it is the call's.
    fn note(&self, call: String) -> Option<Result<Answer, String>> {
        let mut calls = self.calls.lock().unwrap();
        calls.push(call);
        let number = calls.len() - 1;
        let wrong = self.wrong.as_ref().filter(|(call, _)| *call == number);
        wrong.map(|(_, answer)| answer.clone())
    }

    fn calls(&self) -> String {
        self.calls.lock().unwrap().join(" ")
    }

    /// The number of the account's tokens.
    async fn tokens(&self) -> usize {
        self.engine.count_tokens(&ACCOUNT.parse().unwrap()).await
    }

    async fn answer(&self, operation: Operation, event: &Value) -> latchkey::testing::Answer {
        let request: Request = gateway::request(&event.to_string()).unwrap();
        let (store, console) = (&self.engine.store, &ConsoleClient::new("console"));
        let system = &system_at(*self.now.lock().unwrap());
        latchkey::testing::Answer::of(match operation {
            Operation::CreateToken => {
                let recent = StepUp::new(300, "auth_time");
                let (vault, recent) = (&self.vault, Some(&recent));
                create_token::handle(store, vault, system, console, recent, request).await
            }
            Operation::DeleteToken => delete_token::handle(store, system, console, request).await,
            Operation::GetToken => get_token::handle(store, system, request).await,
            Operation::ListTokens => list_tokens::handle(store, system, request).await,
            Operation::RevealToken => {
                let recent = StepUp::new(300, "auth_time");
                let (vault, recent) = (&self.vault, Some(&recent));
                reveal_token::handle(store, vault, system, console, recent, request).await
            }
            Operation::RevokeToken => revoke_token::handle(store, system, console, request).await,
        })
    }
}

impl Service for InProcess {
    async fn invoke(&self, operation: Operation, event: &Value) -> Result<Answer, String> {
        if let Some(wrong) = self.note(format!("{operation:?}")) {
            return wrong;
        }
        let answer = Box::pin(self.answer(operation, event)).await;
        let (status, body) = (answer.status, answer.json);
        Ok(Answer { status, body })
    }

    async fn token_info(&self, secret: &str) -> Result<Answer, String> {
        if let Some(wrong) = self.note("TokenInfo".into()) {
            return wrong;
        }
        let sample = include_str!("../../../events/token-info/info.json");
        let event = Event::sample(sample).header("authorization", &format!("Bearer {secret}"));
        let system = system_at(*self.now.lock().unwrap());
        let answer = token_info::handle(&self.engine.store, &system, event.request()).await;
        let answer = latchkey::testing::Answer::of(answer);
        let (status, body) = (answer.status, answer.json);
        Ok(Answer { status, body })
    }
}

#[tokio::test]
async fn a_token_lives_its_whole_life_and_nothing_is_left() {
    let service = InProcess::start().await;
    for run in 0..2 {
        service
            .run(SignedDuration::from_mins(5 * run))
            .await
            .unwrap();
        assert_eq!(service.calls(), LIFE);
        assert_eq!(service.tokens().await, 0);
    }
}

/// A run that ends anywhere leaves nothing that the next run doesn't clean up.
#[tokio::test]
async fn the_first_wrong_answer_ends_the_run_and_the_next_run_cleans_up() {
    let steps = LIFE.split(' ').count();
    for call in 0..steps {
        for wrong in [
            Err("no answer in 10 s".to_owned()),
            Ok(Answer {
                status: 500,
                body: json!({"code": "internal_error", "secret": "lka_x"}),
            }),
        ] {
            let mut service = InProcess::start().await;
            service.wrong = Some((call, wrong.clone()));
            let logs = Logs::of("probe", LevelFilter::ERROR);
            let failed = service.run(SignedDuration::ZERO).await.unwrap_err();
            assert_eq!(service.calls().split(' ').count(), call + 1);
            // The error is logged by whoever called.
            let told = format!("{failed} {:?}", logs.take());
            assert!(told.starts_with(failed.step), "{told}");
            assert!(!told.contains("lka_"), "{told}");
            let expected = match wrong {
                Err(problem) => problem,
                Ok(_) => "the answer is 500 internal_error, and not ".to_owned(),
            };
            assert!(failed.problem.starts_with(&expected), "{failed}");

            service.wrong = None;
            // At once, the token could be another run's.
            service.run(SignedDuration::from_secs(60)).await.unwrap();
            assert_eq!(service.calls(), LIFE);
            service.run(SignedDuration::from_mins(5)).await.unwrap();
            assert_eq!(service.tokens().await, 0, "after call {call}");
        }
    }
}

#[tokio::test]
async fn a_body_that_is_wrong_is_as_bad_as_a_status() {
    for (call, status, body, problem) in [
        (0, 200, json!({}), "the answer has no list"),
        (1, 201, json!({"token": {}}), "the answer has no /token/id"),
        (
            1,
            201,
            json!({"token": {"id": "tok_x"}}),
            "the answer has no /secret",
        ),
        (2, 200, json!({"id": "tok_x"}), "the answer has another /id"),
        (
            3,
            200,
            json!({"status": "revoked"}),
            "the answer has another /status",
        ),
        (
            3,
            200,
            json!({"status": "active", "lastUsedAt": null}),
            "the answer has no /lastUsedAt",
        ),
        (
            4,
            200,
            json!({"secret": "lka_x"}),
            "the answer has another /secret",
        ),
        (
            4,
            429,
            json!({"code": "too_many_requests"}),
            "the answer is 429 too_many_requests, and not 200",
        ),
        (
            5,
            200,
            json!({"status": "active"}),
            "the answer has another /status",
        ),
        // A revoked token that still works.
        (6, 200, json!({}), "the answer is 200, and not 401"),
        (8, 200, json!({}), "the answer is 200, and not 404"),
    ] {
        let mut service = InProcess::start().await;
        service.wrong = Some((call, Ok(Answer { status, body })));
        let failed = service.run(SignedDuration::ZERO).await.unwrap_err();
        assert_eq!(failed.problem, problem);
    }
}

/// An operator may allow fewer views an hour than there are runs.
#[tokio::test]
async fn a_spent_budget_of_views_is_no_fault() {
    let mut service = InProcess::start().await;
    let spent = Answer {
        status: 429,
        body: json!({"code": "budget_exceeded"}),
    };
    service.wrong = Some((4, Ok(spent)));
    service.run(SignedDuration::ZERO).await.unwrap();
    assert_eq!(service.calls(), LIFE);
}

/// The probe's account has no member with an address.
#[tokio::test]
async fn nobody_gets_mail_about_the_probe_and_no_mail_is_counted() {
    let service = InProcess::start().await;
    service.run(SignedDuration::ZERO).await.unwrap();
    let account = ACCOUNT.parse().unwrap();
    let records = service.engine.audit(&account).await;
    let mailed: Vec<_> = records.iter().filter(|record| record.is_mailed()).collect();
    assert!(mailed.len() >= 3, "{records:?}");
    let notifier = Notifier::new(
        Post::default(),
        Console::new("https://tokens.example"),
        brand(),
    );
    let before = service.engine.dump().await;
    for record in mailed {
        let (store, clock) = (&service.engine.store, &system_at(now()));
        notifier
            .notify(store, clock, record, Timestamp::MAX)
            .await
            .unwrap();
    }
    assert_eq!(service.engine.dump().await, before);
}
