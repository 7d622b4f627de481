//! The system under test: all handlers, on stores whose reads lag and whose streams deliver late.

use std::collections::BTreeMap;
use std::sync::Mutex;

use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use contract::{Call, answer};
use jiff::{SignedDuration, Timestamp};
use latchkey::domain::entropy::{Entropy, EntropyError};
use latchkey::domain::upkeep::Warnings;
use latchkey::mail::{Console, Notifier};
use latchkey::ports::{Clock, Mail, PortError, ProjectPlatform, SendMail, SendOutcome};
use latchkey::store::Store;
use latchkey::testing::{Answer, Engine, Event, FakeVault, acme, brand, now};
use proptest::prelude::{Rng, RngExt};
use proptest::test_runner::{RngAlgorithm, TestRng};
use receive_leak_report::{FetchKeys, Keys};
use serde_json::{Value, json};

use crate::delays::{Change, Delays, TABLES};
use crate::planted::Fault;
use crate::spec::{IDLE, Record, WARNINGS};

pub(crate) const TOKENS: &str = "/v1/accounts/acme/tokens";

/// The people who get the mails.
const PEOPLE: [&str; 2] = ["owner@acme.example", "admin@acme.example"];

/// A generator of random numbers that a seed determines.
pub(crate) fn random(seed: u64) -> TestRng {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    TestRng::from_seed(RngAlgorithm::ChaCha, &bytes)
}

/// The clock, which stands still during a step, and random bits that depend on the seed alone.
pub(crate) struct System {
    now: Mutex<Timestamp>,
    random: Mutex<TestRng>,
}

impl Clock for System {
    fn now(&self) -> Timestamp {
        *self.now.lock().unwrap()
    }
}

impl Entropy for System {
    fn fill(&self, buffer: &mut [u8]) -> Result<(), EntropyError> {
        self.random.lock().unwrap().fill_bytes(buffer);
        Ok(())
    }
}

/// A mail service that counts the mails to each person, and may refuse one of the next ones.
#[derive(Default)]
pub(crate) struct Mails {
    sent: Mutex<BTreeMap<String, usize>>,
    refuse: Mutex<Option<usize>>,
}

impl SendMail for &Mails {
    async fn send_mail(&self, mail: &Mail) -> Result<SendOutcome, PortError> {
        let mut refuse = self.refuse.lock().unwrap();
        match &mut *refuse {
            Some(0) => {
                *refuse = None;
                return Err(PortError::Unavailable("throttled".into()));
            }
            Some(left) => *left -= 1,
            None => {}
        }
        *self
            .sent
            .lock()
            .unwrap()
            .entry(mail.to.clone())
            .or_default() += 1;
        Ok(SendOutcome::Accepted)
    }
}

struct Published(String);

impl FetchKeys for Published {
    async fn fetch_keys(&self) -> Result<String, String> {
        Ok(self.0.clone())
    }
}

struct Nowhere;

impl sync_platform::SetAside for Nowhere {
    async fn set_aside(&self, message: String) -> Result<(), PortError> {
        Err(PortError::Broken(message.into()))
    }
}

/// The handlers with what they need, and what was learned from their answers.
pub(crate) struct World<'a> {
    pub(crate) delays: Delays,
    pub(crate) system: System,
    /// Two sandboxes: each has a memory of its own.
    stores: [Store; 2],
    turn: usize,
    vault: FakeVault,
    scanner: EcdsaKeyPair,
    keys: Keys<Published>,
    mails: &'a Mails,
    notifier: Notifier<&'a Mails>,
    /// The tokens' ids and their secrets, in the order in which they were made.
    pub(crate) ids: Vec<String>,
    pub(crate) secrets: Vec<Vec<String>>,
    /// The times of the deletions of the account that have failed, and are delivered again.
    pub(crate) undone: Vec<Timestamp>,
    /// The changes that the streams' readers have handled, of today.
    handled: Vec<Change>,
    /// How often each operation was called.
    pub(crate) calls: BTreeMap<&'static str, u64>,
}

impl<'a> World<'a> {
    pub(crate) async fn start(seed: u64, fault: Option<Fault>, mails: &'a Mails) -> Self {
        let delays = Delays::start(fault).await;
        let store = || Store::new(&delays.aws, Engine::tables()).with_budgets(Engine::budgets());
        let scanner = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).unwrap();
        let der = STANDARD.encode(scanner.public_key().as_der().unwrap().as_ref());
        let key = format!("-----BEGIN PUBLIC KEY-----\n{der}\n-----END PUBLIC KEY-----");
        let key = json!({"key_identifier": "one", "key": key, "is_current": true});
        let stores = [store(), store()];
        stores[0].put_account(&acme(), now()).await.unwrap();
        Self {
            stores,
            delays,
            system: System {
                now: Mutex::new(now()),
                random: Mutex::new(random(!seed)),
            },
            turn: 0,
            vault: FakeVault::default(),
            scanner,
            keys: Keys::new(Published(json!({"public_keys": [key]}).to_string())),
            mails,
            notifier: Notifier::new(mails, Console::new("https://tokens.example"), brand()),
            ids: vec![],
            secrets: vec![],
            undone: vec![],
            handled: vec![],
            calls: BTreeMap::new(),
        }
    }

    pub(crate) fn wait(&self, seconds: i64) {
        *self.system.now.lock().unwrap() += SignedDuration::from_secs(seconds);
    }

    fn count(&mut self, operation: &'static str) {
        *self.calls.entry(operation).or_default() += 1;
        self.turn += 1;
    }

    fn store(&self) -> &Store {
        &self.stores[self.turn % 2]
    }

    /// Sends a request of the owner.
    pub(crate) async fn ask(&mut self, call: Call) -> Answer {
        self.count(call.operation());
        answer(self.store(), &self.vault, &self.system, &call.by("owner-1")).await
    }

    /// Whether the authorizer lets a call with a secret pass.
    pub(crate) async fn authorize(&mut self, secret: &str) -> bool {
        self.count("authorize");
        let sample = include_str!("../../../../events/authorize/http-api.json");
        let mut event: Value = serde_json::from_str(sample).unwrap();
        event["headers"]["authorization"] = json!(format!("Bearer {secret}"));
        let event = serde_json::from_value(event).unwrap();
        let answer = authorize::handle(self.store(), &self.system, event).await;
        serde_json::to_value(answer.unwrap()).unwrap()["isAuthorized"] == true
    }

    /// Reports a secret as found in public.
    pub(crate) async fn report(&mut self, secret: &str) -> Answer {
        self.count("receive-leak-report");
        let find = json!({
            "token": secret,
            "type": "latchkey_api_token",
            "url": "https://github.com/a",
            "source": "commit",
        });
        let body = json!([find]).to_string();
        let signature = self
            .scanner
            .sign(&SystemRandom::new(), body.as_bytes())
            .unwrap();
        let sample = include_str!("../../../../events/receive-leak-report/found.json");
        let request = Event::sample(sample)
            .raw_body(&body)
            .header("github-public-key-identifier", "one")
            .header(
                "github-public-key-signature",
                &STANDARD.encode(signature.as_ref()),
            )
            .request();
        let (keys, notifier) = (&self.keys, &self.notifier);
        Answer::of(
            receive_leak_report::handle(self.store(), keys, notifier, &self.system, request).await,
        )
    }

    /// Sends an event of the platform about the account.
    pub(crate) async fn platform(&mut self, is_deleted: bool, time: Timestamp) {
        let done = self.deliver_platform(is_deleted, time).await;
        done.unwrap();
    }

    /// Sends the event of the account's deletion, of which no transaction succeeds.
    pub(crate) async fn platform_fails(&mut self, time: Timestamp) {
        self.delays.refuse_transactions(true).await;
        let _ = self.deliver_platform(true, time).await;
        self.delays.refuse_transactions(false).await;
        self.undone.push(time);
    }

    async fn deliver_platform(
        &mut self,
        is_deleted: bool,
        time: Timestamp,
    ) -> Result<(), PortError> {
        self.count("sync-platform");
        let sample = if is_deleted {
            include_str!("../../../../events/sync-platform/account-deleted.json")
        } else {
            include_str!("../../../../events/sync-platform/account-upserted.json")
        };
        let mut event: Value = serde_json::from_str(sample).unwrap();
        event["time"] = json!(time.to_string());
        sync_platform::handle(self.store(), &Nowhere, &self.system, event).await
    }

    /// Runs the daily revocation of idle tokens. A token that can't be revoked now is left to the next day.
    pub(crate) async fn revoke_idle(&mut self) {
        self.count("revoke-idle");
        let sample = include_str!("../../../../events/revoke-idle/daily.json");
        let event = serde_json::from_str(sample).unwrap();
        let (idle, until) = (Some(IDLE), Timestamp::MAX);
        let _ = revoke_idle::handle(self.store(), &self.system, idle, until, event).await;
    }

    /// Runs the daily warnings.
    pub(crate) async fn remind(&mut self) {
        self.count("remind-expiring");
        let sample = include_str!("../../../../events/remind-expiring/daily.json");
        let event = serde_json::from_str(sample).unwrap();
        let warnings = WARNINGS.map(|days| days.to_string()).join(",");
        let (warnings, until) = (Warnings::parse(&warnings).unwrap(), Timestamp::MAX);
        let _ = remind_expiring::handle(self.store(), &self.system, &warnings, until, event).await;
    }

    /// Delivers a batch of a table's stream: some changes in a new order, perhaps after some that were delivered before.
    /// Something may fail meanwhile; what the reader doesn't handle then is delivered again. Returns the changes that
    /// were handled for the first time.
    pub(crate) async fn deliver(&mut self, table: &str, random: &mut TestRng) -> Vec<Change> {
        let before = self.handled.iter().filter(|change| change.key.0 == table);
        let before: Vec<_> = before.cloned().collect();
        let mut batch = Vec::new();
        if !before.is_empty() && random.random_bool(0.5) {
            let first = random.random_range(0..before.len());
            batch.extend(before[first..].iter().take(3).cloned());
        }
        let repeats = batch.len();
        let count = random.random_range(1..=6);
        batch.extend(self.delays.take(table, count, random).await);
        let failing = random.random_bool(0.3).then(|| random.random_range(0..3));
        let handled = self.hand_over(table, &batch, failing).await;
        let rest = batch.split_off(handled.max(repeats));
        self.delays.give_back(rest).await;
        let new = batch.split_off(repeats);
        self.handled.extend(new.clone());
        new
    }

    /// Delivers all that is left of a table's stream. That of the tokens is delivered twice.
    pub(crate) async fn deliver_all(&mut self, table: &str, random: &mut TestRng) -> Vec<Change> {
        let mut all = Vec::new();
        loop {
            let batch = self.delays.take(table, 25, random).await;
            if batch.is_empty() {
                break;
            }
            for _ in 0..if table == TABLES[0] { 2 } else { 1 } {
                let handled = self.hand_over(table, &batch, None).await;
                assert_eq!(handled, batch.len(), "the stream is stuck: {batch:?}");
            }
            all.extend(batch);
        }
        // A stream keeps its records for a day. What is older isn't delivered again.
        self.handled.clear();
        all
    }

    /// Gives changes to the reader of a stream. Returns how many it has handled.
    async fn hand_over(&mut self, table: &str, batch: &[Change], failing: Option<usize>) -> usize {
        let records: Vec<_> = batch.iter().map(Change::record).collect();
        let event = serde_json::from_value(json!({"Records": records})).unwrap();
        let response = if table == TABLES[0] {
            self.count("record-purges");
            self.delays.refuse_put(failing).await;
            let response = record_purges::handle(self.store(), event).await;
            self.delays.refuse_put(None).await;
            response
        } else {
            self.count("send-notifications");
            *self.mails.refuse.lock().unwrap() = failing;
            let (notifier, clock) = (&self.notifier, &self.system);
            let until = Timestamp::MAX;
            let response =
                send_notifications::handle(self.store(), notifier, clock, until, event).await;
            *self.mails.refuse.lock().unwrap() = None;
            response
        };
        let Some(failure) = response.batch_item_failures.into_iter().next() else {
            return batch.len();
        };
        let number = failure.item_identifier.unwrap();
        let is_it = |change: &Change| change.number.to_string() == number;
        batch.iter().position(is_it).unwrap()
    }

    /// The number of mails to each person.
    pub(crate) fn mails(&self) -> Vec<usize> {
        let sent = self.mails.sent.lock().unwrap();
        let of = |person: &&str| sent.get(*person).copied().unwrap_or_default();
        PEOPLE.iter().map(of).collect()
    }

    /// The number of a token.
    pub(crate) fn number(&self, id: &Value) -> Option<usize> {
        let id = id.as_str()?;
        self.ids.iter().position(|known| known == id)
    }

    /// An audit record of the API. Tokens become their numbers.
    pub(crate) fn record(&self, shown: &Value) -> Record {
        let text = |value: &Value| value.as_str().map(ToOwned::to_owned);
        let changes = shown["changes"].as_array().unwrap().iter().map(|change| {
            let new = match &change["new"] {
                id if change["field"] == "introspectedBy" => {
                    self.number(id).map(|asker| format!("#{asker}"))
                }
                new => text(new),
            };
            (text(&change["field"]).unwrap(), text(&change["old"]), new)
        });
        Record {
            time: text(&shown["time"]).unwrap().parse().unwrap(),
            action: text(&shown["action"]).unwrap(),
            source: text(&shown["source"]).unwrap(),
            token: self.number(&shown["resource"]["id"]).unwrap_or(usize::MAX),
            name: text(&shown["resource"]["name"]).unwrap(),
            changes: changes.collect(),
        }
    }

    /// Learns a token and its secret from an answer.
    pub(crate) fn learn(&mut self, answer: &Answer) {
        let (token, secret) = (&answer.json["token"]["id"], &answer.json["secret"]);
        let (Some(id), Some(secret)) = (token.as_str(), secret.as_str()) else {
            return;
        };
        let known = self.number(token);
        let number = known.unwrap_or_else(|| {
            self.ids.push(id.into());
            self.secrets.push(vec![]);
            self.ids.len() - 1
        });
        self.secrets[number].push(secret.into());
    }
}
