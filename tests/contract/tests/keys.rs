//! While the secrets' KMS key is disabled or waits for its deletion, what needs it fails clearly and leaves no trace,
//! and everything else goes on. KMS is imitated: it answers as its documents say.

use contract::{Call, Wire, answer};
use latchkey::store::{Store, Vault};
use latchkey::testing::{Answer, Engine, now, system_at};
use serde_json::{Value, json};

const TOKENS: &str = "/v1/accounts/acme/tokens";

/// What KMS answers, with status 400, about a key that is disabled or waits for its deletion.
const UNUSABLE: [&str; 2] = ["DisabledException", "KMSInvalidStateException"];

struct World {
    engine: Engine,
    wire: Wire,
    store: Store,
    vault: Vault,
}

impl World {
    async fn start() -> Self {
        let engine = Engine::with_accounts().await;
        let wire = Wire::to(&engine.aws).await;
        Self {
            store: Store::new(&wire.aws, Engine::tables()).with_budgets(Engine::budgets()),
            vault: Vault::new(&wire.aws, "key-1".into()),
            engine,
            wire,
        }
    }

    async fn ask(&self, call: Call) -> Answer {
        let call = call.by("owner-1");
        answer(&self.store, &self.vault, &system_at(now()), &call).await
    }

    async fn post(&self, path: &str) -> Answer {
        self.ask(Call::new("POST", path).json(&json!({}))).await
    }

    /// Whether the authorizer, introspection and tokenInfo each take a secret. `asker` is that of the API that asks.
    async fn is_taken(&self, secret: &str, asker: &str) -> [bool; 3] {
        let sample = include_str!("../../../events/authorize/http-api.json");
        let mut event: Value = serde_json::from_str(sample).unwrap();
        event["headers"]["authorization"] = json!(format!("Bearer {secret}"));
        let event = serde_json::from_value(event).unwrap();
        let allowed = authorize::handle(&self.store, &system_at(now()), event).await;
        let allowed = serde_json::to_value(allowed.unwrap()).unwrap();
        let introspect = Call::new("POST", "/v1/introspect")
            .bearer(asker)
            .form(&format!("token={secret}&client_ip=203.0.113.9"));
        let introspected = self.ask(introspect).await;
        let told = self
            .ask(Call::new("GET", "/v1/tokenInfo").bearer(secret))
            .await;
        [
            allowed["isAuthorized"] == true,
            introspected.json["active"] == true,
            told.status == 200,
        ]
    }
}

fn creation() -> Call {
    let body = json!({"name": "New", "autoPurge": "never", "scope": {"type": "full"}});
    Call::new("POST", TOKENS).json(&body)
}

#[tokio::test]
async fn without_the_secrets_key_nothing_is_shown_recorded_or_mailed_and_verifications_go_on() {
    let world = World::start().await;
    let created = world.ask(creation()).await;
    assert_eq!(created.status, 201, "{}", created.text);
    let id = created.json["token"]["id"].as_str().unwrap();
    let secret = created.json["secret"].as_str().unwrap();
    let asker = world.ask(creation()).await;
    let asker = asker.json["secret"].as_str().unwrap();
    let own = format!("{TOKENS}/{id}");
    for code in UNUSABLE {
        let before = world.engine.dump().await;
        for (call, operation) in [
            (creation(), "Encrypt"),
            (
                Call::new("POST", &format!("{own}/regenerate")).json(&json!({})),
                "Encrypt",
            ),
            (Call::new("POST", &format!("{own}/reveal")), "Decrypt"),
        ] {
            world.wire.take();
            world.wire.refuse_next(operation, code);
            let refused = world.ask(call).await;
            assert_eq!(refused.outcome(), (503, "unavailable"), "{operation}");
            assert_ne!(refused.header("retry-after"), "", "{operation}");
            // One attempt: the SDK doesn't insist on a key that was disabled.
            assert_eq!(world.wire.take().kms, 1, "{operation}");
        }
        // Neither a token nor a record, from whose stream the mails are sent.
        assert_eq!(world.engine.dump().await, before);
        assert_eq!(world.is_taken(secret, asker).await, [true; 3]);
    }

    // What ends a secret needs no key.
    world.wire.take();
    for (path, status) in [("revoke", 200), ("reactivate", 200), ("revoke", 200)] {
        let done = world.post(&format!("{own}/{path}")).await;
        assert_eq!(done.status, status, "{path}: {}", done.text);
        let works = path == "reactivate";
        assert_eq!(world.is_taken(secret, asker).await, [works; 3], "{path}");
    }
    assert_eq!(world.wire.take().kms, 0);
    assert_eq!(world.post(&format!("{own}/reactivate")).await.status, 200);

    // With the key enabled again, everything is as before.
    let shown = world.post(&format!("{own}/reveal")).await;
    assert_eq!(shown.json["secret"], secret, "{}", shown.text);
    let log = world.engine.audit(&"acme".parse().unwrap()).await;
    let views = log.iter().filter(|it| it.action.as_str() == "view");
    assert_eq!(views.count(), 1);
}
