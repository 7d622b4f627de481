//! The lines that functions log, each with its function: what real handlers write on a real DynamoDB engine, with SES
//! and KMS behind a wire that fails on demand.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use contract::{Call, Wire, answer};
use jiff::{SignedDuration, Timestamp};
use lambda_http::{Context, LambdaEvent, RequestExt};
use latchkey::domain::budget::Budgets;
use latchkey::http;
use latchkey::http::caller::ConsoleClient;
use latchkey::mail::{Console, Mailer, Notifier};
use latchkey::start::{answer_event, answer_verification};
use latchkey::store::{Store, Vault};
use latchkey::telemetry::request::{ColdStart, Subject};
use latchkey::testing::{
    Answer, Engine, Event, FixedClock, Logs, brand, now, system_at, trail_sample, watched_stack,
};
use receive_leak_report::{GitHub, Keys};
use serde_json::value::to_raw_value;
use serde_json::{Value, json};
use tracing::level_filters::LevelFilter;
use watch_trail::CloudTrail;

use crate::leaks::Scanner;

/// A line of a function's log.
pub(crate) type Logged = (&'static str, Value);

/// Reads a sample event.
macro_rules! sample {
    ($name:literal) => {
        serde_json::from_str::<Value>(include_str!(concat!("../../../../events/", $name, ".json")))
            .unwrap()
    };
}

/// The functions, and what they use.
pub(crate) struct World {
    pub(crate) engine: Engine,
    pub(crate) wire: Wire,
    pub(crate) store: Store,
    vault: Vault,
    pub(crate) notifier: Notifier<Mailer>,
    /// The id and the secret of a token.
    pub(crate) token: String,
    pub(crate) secret: String,
    changes: AtomicUsize,
}

impl World {
    pub(crate) async fn start() -> Self {
        let engine = Engine::with_accounts().await;
        let wire = Wire::to(&engine.aws).await;
        let aws = wire.prompt("alarms");
        let mailer = Mailer::new(&aws, "tokens@latchkey.example".into(), "mails".into());
        let world = Self {
            store: Store::new(&aws, Engine::tables()).with_budgets(Engine::budgets()),
            vault: Vault::new(&aws, "key".into()),
            notifier: Notifier::new(mailer, Console::new("https://tokens.example"), brand()),
            engine,
            wire,
            token: String::new(),
            secret: String::new(),
            changes: AtomicUsize::new(0),
        };
        world
            .with(&json!({"name": "Sync", "autoPurge": "never", "scope": {"type": "full"}}))
            .await
    }

    /// Creates a token, which the other calls are about.
    pub(crate) async fn with(self, token: &Value) -> Self {
        let call = Call::new("POST", "/v1/accounts/acme/tokens").json(token);
        let created = self.call(call).await;
        assert_eq!(created.status, 201, "{}", created.text);
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        Self {
            token: text(&created.json["token"]["id"]),
            secret: text(&created.json["secret"]),
            ..self
        }
    }

    pub(crate) async fn call(&self, call: Call) -> Answer {
        answer(
            &self.store,
            &self.vault,
            &system_at(now()),
            &call.by("owner-1"),
        )
        .await
    }

    pub(crate) fn about_token(&self, method: &str, rest: &str) -> Call {
        Call::new(
            method,
            &format!("/v1/accounts/acme/tokens/{}{rest}", self.token),
        )
    }

    /// The token asks about itself for the first time, which can't be recorded.
    pub(crate) async fn failed_token_info(&self) -> Vec<Logged> {
        self.engine.break_audit().await;
        let logs = Logs::of("token_info", LevelFilter::ERROR);
        let call = Call::new("GET", "/v1/tokenInfo").bearer(&self.secret);
        let answer = self.call(call).await;
        assert!(answer.status >= 500, "{}", answer.text);
        of("TokenInfo", &logs)
    }

    /// A call to a protected API with the token, or with another secret.
    pub(crate) async fn authorize(&self, secret: Option<&str>) -> Vec<Logged> {
        self.authorize_at(secret, now()).await
    }

    /// The same at another time.
    pub(crate) async fn authorize_at(&self, secret: Option<&str>, at: Timestamp) -> Vec<Logged> {
        let logs = Logs::of("authorize", LevelFilter::WARN);
        let mut event = sample!("authorize/rest-api");
        let secret = secret.unwrap_or(&self.secret);
        event["headers"]["Authorization"] = json!(format!("Bearer {secret}"));
        let event = LambdaEvent::new(to_raw_value(&event).unwrap(), Context::default());
        let system = system_at(at);
        let decide = |event| authorize::handle(&self.store, &system, event);
        // A REST API's refusal is an error.
        let _ = answer_verification(decide, event).await;
        of("Authorize", &logs)
    }

    /// Revokes the token.
    pub(crate) async fn revoke(&self) {
        let revoked = self.call(self.about_token("POST", "/revoke")).await;
        assert_eq!(revoked.status, 200, "{}", revoked.text);
    }

    /// Shows the secret; `refusal` is the code with which KMS refuses that.
    pub(crate) async fn reveal(&self, refusal: Option<&'static str>) -> Vec<Logged> {
        if let Some(code) = refusal {
            self.wire.refuse_next("Decrypt", code);
        }
        let (status, lines) = self.reveal_with(&self.store).await;
        assert_eq!(status >= 500, refusal.is_some(), "{lines:?}");
        lines
    }

    /// Shows the secret, or not. Returns the status too.
    pub(crate) async fn reveal_with(&self, store: &Store) -> (u16, Vec<Logged>) {
        let logs = Logs::of("reveal_token", LevelFilter::ERROR);
        let sample = Event::sample(include_str!("../../../../events/reveal-token/reveal.json"));
        let request = sample.token(&self.token).by("owner-1").request();
        let mut context = Context::default();
        context.xray_trace_id = Some("Root=1-5e66d96f-7491f09e0a79d18acf3d0505;Sampled=0".into());
        let request = request.with_lambda_context(context);
        let (system, console) = (system_at(now()), ConsoleClient::new("console"));
        let reveal =
            |request| reveal_token::handle(store, &self.vault, &system, &console, None, request);
        let answer = http::answer(reveal, request, &ColdStart::default()).await;
        (answer.status().as_u16(), of("RevealToken", &logs))
    }

    /// Mails the records so far; `refusal` is the code with which SES refuses the mails.
    pub(crate) async fn notify(&self, refusal: Option<&'static str>) -> Vec<Logged> {
        let logs = Logs::of("send_notifications", LevelFilter::WARN);
        for code in refusal
            .into_iter()
            .cycle()
            .take(2 * usize::from(refusal.is_some()))
        {
            self.wire.refuse_next("SendEmail", code);
        }
        let event = self.change().await;
        self.deliver(event).await;
        of("SendNotifications", &logs)
    }

    /// Somebody has removed an audit record.
    pub(crate) async fn tampering(&self) -> Vec<Logged> {
        let logs = Logs::of("send_notifications", LevelFilter::ERROR);
        self.deliver(sample!("send-notifications/record-removed"))
            .await;
        of("SendNotifications", &logs)
    }

    /// Renames the token. Returns the stream's event of its record.
    async fn change(&self) -> Value {
        let name = format!("Sync {}", self.changes.fetch_add(1, Ordering::Relaxed));
        let call = self.about_token("PATCH", "").json(&json!({"name": name}));
        let renamed = self.call(call).await;
        assert_eq!(renamed.status, 200, "{}", renamed.text);
        let images = self.engine.audit_images().await;
        let image = images
            .iter()
            .find(|image| image.to_string().contains(&name));
        let mut event = sample!("send-notifications/token-updated");
        event["Records"][0]["dynamodb"]["NewImage"] = image.unwrap().clone();
        event
    }

    async fn deliver(&self, event: Value) {
        let event = serde_json::from_value(event).unwrap();
        let (store, clock) = (&self.store, FixedClock(now()));
        send_notifications::handle(store, &self.notifier, &clock, Timestamp::MAX, event).await;
    }

    /// An address takes no mail any more.
    pub(crate) async fn bounce(&self) -> Vec<Logged> {
        let logs = Logs::of("record_mail_feedback", LevelFilter::ERROR);
        let event = serde_json::from_value(sample!("record-mail-feedback/bounce")).unwrap();
        let clock = FixedClock(now());
        record_mail_feedback::handle(&self.store, &self.notifier, &clock, event)
            .await
            .unwrap();
        of("RecordMailFeedback", &logs)
    }

    /// A digest goes to an address that SES refuses.
    pub(crate) async fn refused_digest(&self) -> Vec<Logged> {
        let logs = Logs::of("send_notifications", LevelFilter::ERROR);
        let budgets = Budgets {
            mails: 1,
            ..Engine::budgets()
        };
        let store = self.store.clone().with_budgets(budgets);
        // The second mail of the hour is one too many.
        for _ in 0..2 {
            let event = serde_json::from_value(self.change().await).unwrap();
            let clock = FixedClock(now());
            send_notifications::handle(&store, &self.notifier, &clock, Timestamp::MAX, event).await;
        }
        let mut lines = of("SendNotifications", &logs);
        drop(logs);
        let logs = Logs::of("send_digests", LevelFilter::ERROR);
        self.wire.refuse_next("SendEmail", "BadRequestException");
        let later = FixedClock(now() + SignedDuration::from_hours(2));
        let sent = send_digests::handle(&self.store, &self.notifier, &later, Timestamp::MAX).await;
        sent.unwrap();
        lines.extend(of("SendDigests", &logs));
        lines
    }

    /// A leak is reported that can't be recorded.
    pub(crate) async fn lost_leak(&self) -> Vec<Logged> {
        self.engine.break_audit().await;
        let (status, lines) = self.leak().await;
        assert!(status >= 500, "{lines:?}");
        lines
    }

    /// A leak of the secret is reported. Returns the status too.
    pub(crate) async fn leak(&self) -> (u16, Vec<Logged>) {
        let scanner = Scanner::new();
        self.wire.publish_keys(&scanner.published());
        let logs = Logs::of("receive_leak_report", LevelFilter::ERROR);
        let keys = format!("{}/keys", self.wire.aws.endpoint_url().unwrap());
        let (keys, system) = (Keys::new(GitHub::new(keys)), system_at(now()));
        let report = |request| {
            receive_leak_report::handle(&self.store, &keys, &self.notifier, &system, request)
        };
        let request = scanner.report(&self.secret);
        let answer = http::answer(report, request, &ColdStart::default()).await;
        (answer.status().as_u16(), of("ReceiveLeakReport", &logs))
    }

    /// A call that fails since AWS refuses an operation.
    pub(crate) async fn fail(
        &self,
        function: &'static str,
        call: Call,
        operation: &'static str,
    ) -> Vec<Logged> {
        let logs = Logs::of("any", LevelFilter::ERROR);
        self.wire.refuse_next(operation, "AccessDeniedException");
        let answer = self.call(call).await;
        assert_eq!(answer.status, 500, "{}", answer.text);
        of(function, &logs)
    }

    /// The trail can't be read.
    pub(crate) async fn failed_trail(&self) -> Vec<Logged> {
        self.wire
            .refuse_next("LookupEvents", "AccessDeniedException");
        let trail = CloudTrail::new(&self.wire.prompt("alarms"), Duration::ZERO);
        let (store, clock, stack) = (&self.store, FixedClock(now()), watched_stack());
        let watch = |hour, until| watch_trail::handle(&trail, store, &clock, &stack, until, hour);
        let logs = Logs::of("watch_trail", LevelFilter::ERROR);
        let hour = to_raw_value(&sample!("watch-trail/hour")).unwrap();
        let mut context = Context::default();
        // In the year 2096.
        context.deadline = 4_000_000_000_000;
        let hour = LambdaEvent::new(hour, context);
        let about = |_: &watch_trail::Hour| Subject::default();
        let read = answer_event(about, watch, hour, &ColdStart::default()).await;
        read.unwrap_err();
        of("WatchTrail", &logs)
    }

    /// Somebody changes the policy of a key, and decrypts a secret without a record.
    pub(crate) async fn intrusion(&self) -> Vec<Logged> {
        let mut decrypted = trail_sample("decrypt");
        decrypted["eventID"] = json!("another");
        let trail = [trail_sample("put-key-policy"), decrypted];
        self.wire.publish_trail(&trail);
        let trail = CloudTrail::new(&self.wire.prompt("alarms"), Duration::ZERO);
        let hour = serde_json::from_value(sample!("watch-trail/hour")).unwrap();
        let (store, clock, stack) = (&self.store, FixedClock(now()), watched_stack());
        let logs = Logs::of("watch_trail", LevelFilter::ERROR);
        let read = watch_trail::handle(&trail, store, &clock, &stack, Timestamp::MAX, hour);
        read.await.unwrap();
        of("WatchTrail", &logs)
    }

    /// The platform publishes what doesn't parse.
    pub(crate) async fn unreadable_event(&self) -> Vec<Logged> {
        self.publish(json!({})).await
    }

    /// The platform publishes an event.
    pub(crate) async fn publish(&self, event: Value) -> Vec<Logged> {
        let logs = Logs::of("sync_platform", LevelFilter::ERROR);
        let letters = aws_sdk_sqs::Client::new(&self.wire.prompt("alarms"));
        let letters = sync_platform::DeadLetters::new(letters, "queue".into());
        let (store, system) = (&self.store, system_at(now()));
        sync_platform::handle(store, &letters, &system, event)
            .await
            .unwrap();
        of("SyncPlatform", &logs)
    }
}

/// The lines so far, of that function.
fn of(function: &'static str, logs: &Logs) -> Vec<Logged> {
    logs.take()
        .into_iter()
        .map(|line| (function, line))
        .collect()
}
