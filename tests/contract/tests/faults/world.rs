//! The functions, each in a sandbox of its own, before a wire that fails.

use std::cell::OnceCell;
use std::pin::Pin;
use std::sync::Mutex;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use contract::{Call, Evidence, Wire, answer};
use jiff::{SignedDuration, Timestamp};
use latchkey::domain::budget::Budgets;
use latchkey::domain::entropy::{Entropy, EntropyError};
use latchkey::mail::{Console, Mailer, Notifier};
use latchkey::ports::Clock;
use latchkey::store::{Store, Vault};
use latchkey::testing::{Answer, Engine, Random, brand, now};
use receive_leak_report::{GitHub, Keys};
use serde_json::{Value, json};
use sync_platform::DeadLetters;
use watch_trail::CloudTrail;

/// A step of a scenario.
pub(crate) type Step<'a, T> = Pin<Box<dyn Future<Output = T> + 'a>>;

/// A clock that the suite advances, and random bits of its own.
pub(crate) struct System {
    milliseconds: AtomicI64,
    random: Mutex<Random>,
}

impl Clock for System {
    fn now(&self) -> Timestamp {
        now() + SignedDuration::from_millis(self.milliseconds.load(Ordering::SeqCst))
    }
}

impl Entropy for System {
    fn fill(&self, buffer: &mut [u8]) -> Result<(), EntropyError> {
        let mut random = self.random.lock().unwrap();
        buffer.fill_with(|| u8::try_from(random.below(256)).unwrap());
        Ok(())
    }
}

/// The tables, the wire and the clock.
pub(crate) struct World {
    pub(crate) engine: Engine,
    pub(crate) wire: Wire,
    pub(crate) system: System,
    /// The scanner's key.
    pub(crate) scanner: crate::leaks::Scanner,
}

/// The number of sandboxes that were started in this process.
static SANDBOXES: AtomicU64 = AtomicU64::new(0);

impl World {
    pub(crate) async fn start() -> Self {
        let engine = Engine::with_accounts().await;
        let wire = Wire::to(&engine.aws).await;
        let scanner = crate::leaks::Scanner::new();
        wire.publish_keys(&scanner.published());
        Self {
            engine,
            wire,
            system: System {
                milliseconds: AtomicI64::new(0),
                random: Mutex::new(Random(1)),
            },
            scanner,
        }
    }

    /// Lets time pass.
    pub(crate) fn wait(&self, time: SignedDuration) {
        let milliseconds = i64::try_from(time.as_millis()).unwrap();
        self.system
            .milliseconds
            .fetch_add(milliseconds, Ordering::SeqCst);
    }

    /// Starts a sandbox with new clients.
    pub(crate) fn sandbox(&self, budgets: Budgets) -> Sandbox<'_> {
        let number = SANDBOXES.fetch_add(1, Ordering::Relaxed);
        let aws = self.wire.prompt(&format!("sandbox-{number}"));
        let mailer = Mailer::new(&aws, "tokens@latchkey.example".into(), "mails".into());
        let console = Console::new("https://tokens.example");
        Sandbox {
            world: self,
            store: Store::new(&aws, Engine::tables()).with_budgets(budgets),
            vault: Vault::new(&aws, "key".into()),
            notifier: Notifier::new(mailer, console, brand()),
            dead_letters: DeadLetters::new(aws_sdk_sqs::Client::new(&aws), "queue".into()),
            trail: CloudTrail::new(&aws, Duration::ZERO),
            keys: OnceCell::new(),
            asked: AtomicU64::new(0),
        }
    }

    /// Both tables, and the mails that were sent since the last call.
    pub(crate) async fn evidence(&self, earlier: &mut Vec<Value>) -> Evidence {
        earlier.extend(self.wire.take_mails());
        Evidence::of(&self.engine, earlier).await
    }

    /// Takes the tables and the clock back to how they were.
    pub(crate) async fn restore(&self, tables: &Snapshot) {
        self.system
            .milliseconds
            .store(tables.milliseconds, Ordering::SeqCst);
        *self.system.random.lock().unwrap() = Random(tables.seed);
        self.wire.take_mails();
        self.wire.take();
        self.engine.hold(&tables.tokens, &tables.audit).await;
    }

    /// The tables and the clock as they are.
    pub(crate) async fn snapshot(&self) -> Snapshot {
        Snapshot {
            tokens: self.engine.token_images().await,
            audit: self.engine.audit_images().await,
            milliseconds: self.system.milliseconds.load(Ordering::SeqCst),
            seed: self.system.random.lock().unwrap().0,
        }
    }
}

/// The tables, the clock and the random bits at a time.
pub(crate) struct Snapshot {
    pub(crate) tokens: Vec<Value>,
    pub(crate) audit: Vec<Value>,
    milliseconds: i64,
    seed: u64,
}

/// A process of every function.
pub(crate) struct Sandbox<'a> {
    pub(crate) world: &'a World,
    pub(crate) store: Store,
    pub(crate) vault: Vault,
    pub(crate) notifier: Notifier<Mailer>,
    pub(crate) dead_letters: DeadLetters,
    pub(crate) trail: CloudTrail,
    keys: OnceCell<Keys<GitHub>>,
    asked: AtomicU64,
}

impl Sandbox<'_> {
    pub(crate) fn system(&self) -> &System {
        &self.world.system
    }

    /// The scanner's keys. Their client is built only when it is needed, since that takes long.
    pub(crate) fn keys(&self) -> &Keys<GitHub> {
        let url = || format!("{}/keys", self.world.wire.aws.endpoint_url().unwrap());
        self.keys.get_or_init(|| Keys::new(GitHub::new(url())))
    }

    /// The gateway's id of the next request.
    pub(crate) fn request_id(&self) -> String {
        format!("request-{}", self.asked.fetch_add(1, Ordering::Relaxed) + 1)
    }

    /// Sends a request of a signed-in owner.
    pub(crate) async fn answer(&self, call: Call) -> Answer {
        let call = call.by("owner-1").request_id(&self.request_id());
        answer(&self.store, &self.vault, self.system(), &call).await
    }

    /// Sends a request that must succeed.
    pub(crate) async fn done(&self, call: Call) -> Answer {
        let answer = self.answer(call).await;
        assert!(answer.status < 300, "{}", answer.text);
        answer
    }

    /// Delivers records of the audit table's stream. Returns whether all are settled.
    pub(crate) async fn stream(&self, images: &[Value]) -> bool {
        let records = images.iter().zip(0..).map(|(image, number)| {
            json!({
                "awsRegion": "us-east-1",
                "eventID": number.to_string(),
                "eventName": "INSERT",
                "eventSource": "aws:dynamodb",
                "eventVersion": "1.1",
                "dynamodb": {
                    "ApproximateCreationDateTime": 1_795_428_000,
                    "Keys": {"pk": image["pk"], "sk": image["sk"]},
                    "NewImage": image,
                    "SequenceNumber": format!("{number}"),
                    "SizeBytes": 900,
                    "StreamViewType": "NEW_AND_OLD_IMAGES",
                },
            })
        });
        let event = json!({"Records": records.collect::<Vec<_>>()});
        self.deliver(event).await
    }

    /// Delivers an event to send-notifications. Returns whether all of its records are settled.
    pub(crate) async fn deliver(&self, event: Value) -> bool {
        let event = serde_json::from_value(event).unwrap();
        let (store, notifier) = (&self.store, &self.notifier);
        let until = Timestamp::MAX;
        let done = send_notifications::handle(store, notifier, self.system(), until, event).await;
        done.batch_item_failures.is_empty()
    }
}
