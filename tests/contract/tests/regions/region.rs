//! The second region: tables that hold what has arrived, and the three functions that verify.

use std::collections::BTreeMap;

use aws_config::SdkConfig;
use contract::{Call, answer};
use latchkey::domain::secret::PlainSecret;
use latchkey::store::Store;
use latchkey::testing::{Engine, FakeVault, now, system_at};
use serde_json::{Value, json};

/// The key of an item: whether it is in the audit table, partition key, sort key.
pub(crate) type Key = (bool, String, String);

/// The items of both tables.
pub(crate) type Tables = BTreeMap<Key, Value>;

/// A write of one item; `None` removes it.
#[derive(Debug, Clone)]
pub(crate) struct Part {
    pub(crate) key: Key,
    pub(crate) new: Option<Value>,
}

/// Whether the authorizer, introspection and tokenInfo take a secret.
pub(crate) type Taken = [bool; 3];

/// A secret that a response contained.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Secret(pub(crate) String);

impl Secret {
    /// The partition key of its item.
    pub(crate) fn key(&self) -> String {
        let hash = PlainSecret::parse(&self.0).unwrap().hash();
        format!("SECRET#{}", hash.to_hex())
    }
}

/// The items that differ. Budgets are left out: each is a write of its own before a change.
pub(crate) fn parts(before: &Tables, after: &Tables) -> Vec<Part> {
    let is_part = |key: &&Key| !key.1.starts_with("BUDGET#");
    let changed = after.keys().filter(is_part);
    let changed = changed.filter(|key| before.get(*key) != after.get(*key));
    let removed = before.keys().filter(is_part);
    let removed = removed.filter(|key| !after.contains_key(*key));
    let all = changed.chain(removed).map(|key| Part {
        key: key.clone(),
        new: after.get(key).cloned(),
    });
    all.collect()
}

/// The items of an engine's tables.
pub(crate) async fn tables(engine: &Engine) -> Tables {
    let (tokens, audit) = (engine.token_images().await, engine.audit_images().await);
    let all = [(false, tokens), (true, audit)].into_iter();
    let all = all.flat_map(|(is_audit, images)| {
        images.into_iter().map(move |image| {
            let text = |name: &str| image[name]["S"].as_str().unwrap().to_owned();
            ((is_audit, text("pk"), text("sk")), image)
        })
    });
    all.collect()
}

/// Makes an engine's tables hold these items.
pub(crate) async fn set(engine: &Engine, wanted: &Tables) {
    let [tokens, audit] = [false, true].map(|is_audit| {
        let items = wanted.iter().filter(|(key, _)| key.0 == is_audit);
        items.map(|(_, item)| item.clone()).collect::<Vec<_>>()
    });
    engine.hold(&tokens, &audit).await;
}

/// The second region.
pub(crate) struct Second {
    engine: Engine,
    /// Clients of the engine that take little time to make.
    aws: SdkConfig,
    vault: FakeVault,
}

impl Second {
    pub(crate) async fn start() -> Self {
        let engine = Engine::start().await;
        Self {
            aws: without_tls(&engine),
            engine,
            vault: FakeVault::default(),
        }
    }

    /// How each secret is taken when the tables hold this. `asker` is the secret of the API that introspects.
    pub(crate) async fn taken(
        &self,
        tables: &Tables,
        secrets: &[Secret],
        asker: &Secret,
    ) -> Vec<Taken> {
        set(&self.engine, tables).await;
        let mut all = Vec::new();
        for secret in secrets {
            all.push(self.verify(secret, asker).await);
        }
        all
    }

    /// Presents a secret to the three functions that verify. Each has a new sandbox, which remembers nothing.
    async fn verify(&self, secret: &Secret, asker: &Secret) -> Taken {
        let store = || Store::new(&self.aws, Engine::tables()).with_budgets(Engine::budgets());
        let introspect = Call::new("POST", "/v1/introspect")
            .bearer(&asker.0)
            .form(&format!("token={}&client_ip=192.0.2.1", secret.0));
        let introspected = answer(&store(), &self.vault, &system_at(now()), &introspect).await;
        let told = Call::new("GET", "/v1/tokenInfo").bearer(&secret.0);
        let told = answer(&store(), &self.vault, &system_at(now()), &told).await;
        assert!([200, 401].contains(&told.status), "{}", told.text);
        [
            authorize(&self.aws, secret, "192.0.2.1").await,
            introspected.json["active"] == true,
            told.status == 200,
        ]
    }
}

/// The configuration of an engine's clients, which share an HTTP client without TLS: one with TLS takes long to build.
pub(crate) fn without_tls(engine: &Engine) -> SdkConfig {
    let http = aws_smithy_http_client::Builder::new().build_http();
    engine.aws.to_builder().http_client(http).build()
}

/// Whether the authorizer lets a call with a secret pass.
pub(crate) async fn authorize(aws: &SdkConfig, secret: &Secret, from: &str) -> bool {
    let sample = include_str!("../../../../events/authorize/http-api.json");
    let mut event: Value = serde_json::from_str(sample).unwrap();
    event["headers"]["authorization"] = json!(format!("Bearer {}", secret.0));
    event["requestContext"]["http"]["sourceIp"] = json!(from);
    let event = serde_json::from_value(event).unwrap();
    let store = Store::new(aws, Engine::tables());
    let answer = authorize::handle(&store, &system_at(now()), event).await;
    serde_json::to_value(answer.unwrap()).unwrap()["isAuthorized"] == true
}
