//! The changes that the writer region makes.

use contract::{Call, answer};
use latchkey::store::Store;
use latchkey::testing::{Answer, Engine, FakeVault, Random, now, system_at};
use serde_json::{Value, json};

use crate::region::{Secret, Tables, tables};

const TOKENS: &str = "/v1/accounts/acme/tokens";

/// What happens to a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Create,
    Restrict,
    Revoke,
    Reactivate,
    Regenerate,
    RegenerateWithGrace,
    Retire,
    GiveUp,
    GiveUpPrevious,
    Delete,
}

/// A change, and the tables before and after it.
pub(crate) struct Prepared {
    pub(crate) name: &'static str,
    pub(crate) before: Tables,
    pub(crate) after: Tables,
    /// All secrets that the token had or has.
    pub(crate) secrets: Vec<Secret>,
    /// The secret of an API that introspects.
    pub(crate) asker: Secret,
}

/// A token's life in the writer region.
pub(crate) struct History {
    /// The tables at first and after each step.
    pub(crate) states: Vec<Tables>,
    pub(crate) secrets: Vec<Secret>,
    pub(crate) asker: Secret,
}

/// The writer region.
pub(crate) struct Writer {
    pub(crate) engine: Engine,
    store: Store,
    pub(crate) vault: FakeVault,
    id: String,
    pub(crate) secrets: Vec<Secret>,
}

impl Writer {
    pub(crate) async fn start() -> Self {
        let engine = Engine::with_accounts().await;
        Self {
            store: Store::new(&engine.aws, Engine::tables()).with_budgets(Engine::budgets()),
            engine,
            vault: FakeVault::default(),
            id: String::new(),
            secrets: vec![],
        }
    }

    async fn ask(&self, call: Call) -> Answer {
        let call = call.by("owner-1");
        answer(&self.store, &self.vault, &system_at(now()), &call).await
    }

    /// Creates a token with full access and returns its secret.
    pub(crate) async fn create(&mut self) -> Secret {
        let body = json!({"name": "New", "autoPurge": "never", "scope": {"type": "full"}});
        let done = self.ask(Call::new("POST", TOKENS).json(&body)).await;
        assert_eq!(done.status, 201, "{}", done.text);
        done.json["token"]["id"]
            .as_str()
            .unwrap()
            .clone_into(&mut self.id);
        secret_of(&done.json)
    }

    /// Takes a step. Returns whether it was possible.
    async fn take(&mut self, step: Step) -> bool {
        let own = format!("{TOKENS}/{}", self.id);
        let post =
            |path: &str, body: &Value| Call::new("POST", &format!("{own}/{path}")).json(body);
        let give_up =
            |secret: &Secret| Call::new("POST", "/v1/revoke").form(&format!("token={}", secret.0));
        let call = match step {
            Step::Create => {
                let secret = self.create().await;
                self.secrets.push(secret);
                return true;
            }
            Step::Restrict => {
                let body = json!({"allowedCidrs": ["198.51.100.0/24"]});
                Call::new("PATCH", &own).json(&body)
            }
            Step::Revoke => post("revoke", &json!({})),
            Step::Reactivate => post("reactivate", &json!({})),
            Step::Regenerate => post("regenerate", &json!({"gracePeriodSeconds": 0})),
            Step::RegenerateWithGrace => post("regenerate", &json!({"gracePeriodSeconds": 600})),
            Step::Retire => post("retire", &json!({})),
            Step::GiveUp => give_up(self.secrets.last().unwrap()),
            Step::GiveUpPrevious => match self.secrets.iter().rev().nth(1) {
                Some(secret) => give_up(secret),
                None => return false,
            },
            Step::Delete => Call::new("DELETE", &own),
        };
        let done = self.ask(call).await;
        if done.json["secret"].is_string() {
            self.secrets.push(secret_of(&done.json));
        }
        (200..300).contains(&done.status)
    }
}

fn secret_of(json: &Value) -> Secret {
    Secret(json["secret"].as_str().unwrap().to_owned())
}

/// Every kind of change, and its tables.
pub(crate) async fn scenarios() -> Vec<Prepared> {
    use Step::*;
    let all: [(&str, &[Step], Step); 13] = [
        ("create", &[], Create),
        ("restrict", &[Create], Restrict),
        ("revoke", &[Create], Revoke),
        (
            "revoke with a retired secret",
            &[Create, RegenerateWithGrace],
            Revoke,
        ),
        ("reactivate", &[Create, Revoke], Reactivate),
        ("regenerate", &[Create], Regenerate),
        ("regenerate with grace", &[Create], RegenerateWithGrace),
        (
            "regenerate with a retired secret",
            &[Create, RegenerateWithGrace],
            RegenerateWithGrace,
        ),
        ("retire", &[Create, RegenerateWithGrace], Retire),
        ("give up", &[Create], GiveUp),
        (
            "give up with a retired secret",
            &[Create, RegenerateWithGrace],
            GiveUp,
        ),
        (
            "give up a retired secret",
            &[Create, RegenerateWithGrace],
            GiveUpPrevious,
        ),
        ("delete", &[Create, Revoke], Delete),
    ];
    let mut prepared = Vec::new();
    for (name, first, change) in all {
        let mut writer = Writer::start().await;
        let asker = writer.create().await;
        for step in first {
            assert!(writer.take(*step).await, "{name}");
        }
        let before = tables(&writer.engine).await;
        assert!(writer.take(change).await, "{name}");
        prepared.push(Prepared {
            name,
            before,
            after: tables(&writer.engine).await,
            secrets: writer.secrets,
            asker,
        });
    }
    prepared
}

/// A token's life of random steps.
pub(crate) async fn history(seed: u64) -> History {
    const STEPS: [Step; 9] = [
        Step::Revoke,
        Step::Reactivate,
        Step::Reactivate,
        Step::Regenerate,
        Step::RegenerateWithGrace,
        Step::RegenerateWithGrace,
        Step::Retire,
        Step::GiveUpPrevious,
        Step::GiveUp,
    ];
    let mut writer = Writer::start().await;
    let asker = writer.create().await;
    let mut states = vec![tables(&writer.engine).await];
    assert!(writer.take(Step::Create).await);
    states.push(tables(&writer.engine).await);
    let mut random = Random(seed);
    while states.len() < 14 {
        if writer.take(STEPS[random.below(STEPS.len())]).await {
            states.push(tables(&writer.engine).await);
        }
    }
    History {
        states,
        secrets: writer.secrets,
        asker,
    }
}
