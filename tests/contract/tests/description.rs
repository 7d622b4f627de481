//! The API's description matches the operations' actual answers.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use contract::{Call, Description, Gate, Gated, Seen, answer, operations};
use latchkey::domain::actor::Actor;
use latchkey::domain::auto_purge::AutoPurge;
use latchkey::domain::budget::Budgets;
use latchkey::domain::scope::Scope;
use latchkey::domain::step_up::StepUp;
use latchkey::domain::token::{Revocation, StoredToken, Token};
use latchkey::ports::PortError;
use latchkey::store::Store;
use latchkey::testing::{Answer, Engine, FakeVault, now, system_at, token};
use serde_json::{Value, json};

const COMMITTED: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../../functions/describe-api/openapi.json"
);

#[test]
fn the_committed_description_is_the_one_of_the_code() {
    let description = format!("{:#}\n", Description::of_the_code());
    if std::env::var_os("LATCHKEY_UPDATE").is_some() {
        std::fs::write(COMMITTED, &description).unwrap();
    }
    let committed = std::fs::read_to_string(COMMITTED).unwrap_or_default();
    assert!(
        committed == description,
        "{} is not up to date: `make generate` writes it anew",
        Path::new(COMMITTED).display()
    );
}

#[test]
fn every_described_route_is_one_of_the_template_and_of_the_watch_router() {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../../");
    let template = std::fs::read_to_string(format!("{root}infra/template.yaml")).unwrap();
    let manifest = std::fs::read_to_string(format!("{root}Cargo.toml")).unwrap();
    for operation in operations() {
        let route = format!("{} {}", operation.method(), operation.path());
        assert!(template.contains(&route), "the template has no `{route}`");
        let path = format!("\"{}\" =", operation.path());
        assert!(manifest.contains(&path), "the watch router has no `{path}`");
    }
}

/// A gateway forwards requests that have a route, and answers all others itself. No route accepts every method, and a
/// `GET` route doesn't accept `HEAD`.
#[test]
fn no_operation_is_reached_by_another_method_than_the_one_that_is_described() {
    const METHODS: [&str; 10] = [
        "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "ANY",
    ];
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../../");
    let template = std::fs::read_to_string(format!("{root}infra/template.yaml")).unwrap();
    let lines = template.lines().map(str::trim);
    let keys = lines.filter_map(|line| {
        line.strip_prefix("RouteKey: ")
            .or(line.strip_prefix("Key: "))
    });
    let keys: BTreeSet<_> = keys.filter(|key| !key.starts_with('!')).collect();
    assert!(keys.len() > operations().len(), "{keys:?}");
    let document = Description::of_the_code();
    for operation in operations() {
        let path = operation.path();
        for method in METHODS {
            let routed = keys.contains(format!("{method} {path}").as_str());
            let described = &document["paths"][path][method.to_lowercase()];
            assert_eq!(described.is_object(), routed, "{method} {path}");
            let reached = Call::find(method, path).is_some();
            assert_eq!(reached, routed, "{method} {path}");
        }
        let method = operation.method();
        for other in [method.to_lowercase(), format!("{method} "), String::new()] {
            assert!(Call::find(&other, path).is_none(), "{other:?} {path}");
        }
    }
    // The pages, the description itself and the leak reports aren't described.
    for (route, method) in [
        ("/", "GET"),
        ("/config.json", "GET"),
        ("/assets/{version}/{file+}", "GET"),
        ("/v1/openapi.json", "GET"),
        ("/docs", "GET"),
        ("/docs/style.css", "GET"),
        ("/v1/leaks/github", "POST"),
    ] {
        for other in METHODS {
            let routed = keys.contains(format!("{other} {route}").as_str());
            assert_eq!(routed, other == method, "{other} {route}");
        }
    }
    assert!(!keys.contains("$default"));
}

/// An account with the operations, and the answers seen so far.
struct World {
    engine: Engine,
    vault: FakeVault,
    description: Description,
    seen: Mutex<BTreeSet<Seen>>,
}

impl World {
    async fn new() -> Self {
        Self {
            engine: Engine::with_accounts().await,
            vault: FakeVault::default(),
            description: Description::new(Description::of_the_code()),
            seen: Mutex::default(),
        }
    }

    async fn ask(&self, call: &Call) -> Answer {
        let system = system_at(now());
        let answer = Box::pin(answer(&self.engine.store, &self.vault, &system, call)).await;
        self.check(call, answer)
    }

    fn check(&self, call: &Call, answer: Answer) -> Answer {
        let seen = self.description.check(call.operation(), &answer);
        self.seen.lock().unwrap().insert(seen);
        answer
    }

    async fn expect(&self, call: &Call, outcome: (u16, &str)) -> Answer {
        let answer = self.ask(call).await;
        assert_eq!(answer.outcome(), outcome, "{call:?}: {}", answer.text);
        answer
    }

    async fn active(&self, account: &str, auto_purge: AutoPurge) -> StoredToken {
        let id = latchkey::testing::token_at(now()).id;
        let fresh = Token {
            id,
            account_id: account.parse().unwrap(),
            auto_purge,
            purge_at: auto_purge.purge_at(now()),
            ..token()
        };
        self.engine.add(fresh).await
    }

    async fn revoked(&self, account: &str, auto_purge: AutoPurge) -> StoredToken {
        let stored = self.active(account, auto_purge).await;
        self.engine.revoke(stored).await
    }

    /// A successful call of the operation, after its preconditions are set up.
    async fn success(&self, operation: &str) -> Call {
        let never = AutoPurge::Never;
        let stored = match operation {
            "delete-token" | "reactivate-token" => self.revoked("acme", never).await,
            _ => self.active("acme", never).await,
        };
        let account = "/v1/accounts/acme";
        let token = format!("{account}/tokens/{}", stored.token.id);
        let call = match operation {
            "create-token" => Call::new("POST", &format!("{account}/tokens")).json(&draft()),
            "list-audit" => Call::new("GET", &format!("{account}/audit?limit=1")),
            "list-resources" => Call::new("GET", &format!("{account}/resources?limit=1")),
            "list-integrations" => Call::new("GET", &format!("{account}/integrations?limit=1")),
            "regenerate-token" => Call::new("POST", &format!("{token}/regenerate"))
                .json(&json!({"gracePeriodSeconds": 60})),
            "revoke-token" => {
                Call::new("POST", &format!("{token}/revoke")).json(&json!({"reason": "lost"}))
            }
            "retire-secret" => {
                let replace = Call::new("POST", &format!("{token}/regenerate"));
                let replace = replace.json(&json!({"gracePeriodSeconds": 60}));
                self.ask(&replace.by("owner-1")).await;
                Call::new("POST", &format!("{token}/retire"))
            }
            "token-info" => {
                let secret = self.secret(&token).await;
                return Call::new("GET", "/v1/tokenInfo").bearer(&secret);
            }
            "introspect-token" => {
                let secret = self.secret(&token).await;
                let form = format!("token={secret}");
                return self.asking().await.form(&form);
            }
            "revoke-by-secret" => {
                let form = format!("token={}", self.secret(&token).await);
                return Call::new("POST", "/v1/revoke").form(&form);
            }
            "update-token" => Call::new("PATCH", &token).json(&json!({"name": "Renamed"})),
            "update-preferences" => {
                let choice = json!({"create": "daily", "access": "daily", "change": "immediate"});
                Call::new("PUT", &format!("{account}/preferences")).json(&choice)
            }
            // Operations that need nothing but their path.
            other => {
                let operations = operations();
                let found = operations
                    .iter()
                    .find(|operation| operation.name() == other);
                let found = found.unwrap_or_else(|| panic!("no call for `{other}`"));
                let path = found.path().replace("{accountId}", "acme");
                let path = path.replace("{tokenId}", stored.token.id.as_str());
                Call::new(found.method(), &path)
            }
        };
        call.by("owner-1")
    }

    async fn active_secret(&self) -> String {
        let stored = self.active("acme", AutoPurge::Never).await;
        let token = format!("/v1/accounts/acme/tokens/{}", stored.token.id);
        self.secret(&token).await
    }

    async fn secret(&self, token: &str) -> String {
        let reveal = Call::new("POST", &format!("{token}/reveal")).by("owner-1");
        let secret = self.ask(&reveal).await.json["secret"].clone();
        secret.as_str().unwrap().to_owned()
    }

    /// An introspection by an API whose token may ask and whose use is on record.
    async fn asking(&self) -> Call {
        let full = Token {
            scope: Scope::Full,
            ..latchkey::testing::token_at(now())
        };
        let stored = self.engine.add(full).await;
        let token = format!("/v1/accounts/acme/tokens/{}", stored.token.id);
        let secret = self.secret(&token).await;
        self.ask(&Call::new("GET", "/v1/tokenInfo").bearer(&secret))
            .await;
        Call::new("POST", "/v1/introspect").bearer(&secret)
    }

    /// The operation on a token of an account without the licence, such that it would lengthen the token's lifetime.
    async fn unlicensed(&self, operation: &str) -> Option<Call> {
        let account = "/v1/accounts/globex/tokens";
        let stored = self.revoked("globex", AutoPurge::ThirtyDays).await;
        let token = format!("{account}/{}", stored.token.id);
        let call = match operation {
            "create-token" => Call::new("POST", account).json(&draft()),
            "update-token" => Call::new("PATCH", &token).json(&json!({"autoPurge": "4h"})),
            "reactivate-token" => Call::new("POST", &format!("{token}/reactivate")),
            "regenerate-token" => Call::new("POST", &format!("{token}/regenerate")),
            _ => return None,
        };
        Some(call.by("owner-2"))
    }
}

fn draft() -> Value {
    json!({"name": "Warehouse sync", "autoPurge": "30d", "scope": {"type": "full"}})
}

/// Lets that many calls of the store succeed, and fails all later ones.
struct Fails<'a> {
    store: &'a Store,
    left: AtomicUsize,
    error: fn() -> PortError,
}

impl<'a> Fails<'a> {
    fn after(calls: usize, store: &'a Store, error: fn() -> PortError) -> Gated<Self> {
        Gated(Self {
            store,
            left: AtomicUsize::new(calls),
            error,
        })
    }
}

impl Gate for Fails<'_> {
    async fn pass(&self) -> Result<&Store, PortError> {
        let left = self
            .left
            .try_update(Ordering::SeqCst, Ordering::SeqCst, |left| {
                left.checked_sub(1)
            });
        left.map(|_| self.store).map_err(|_| (self.error)())
    }
}

/// If any of an operation's calls of the store fails, the answer is the matching error and nothing has changed.
async fn fail_everywhere(world: &World, operation: &str) {
    let busy = || PortError::Unavailable("busy".into());
    let broken = || PortError::Broken("no rights".into());
    let outcomes = [
        (busy as fn() -> PortError, (503, "unavailable")),
        (broken, (500, "internal_error")),
    ];
    for (error, outcome) in outcomes {
        let call = world.success(operation).await;
        let before = world.engine.dump().await;
        for calls in 0.. {
            assert!(calls < 20, "{operation} makes too many calls");
            let store = Fails::after(calls, &world.engine.store, error);
            let answer = Box::pin(answer(&store, &world.vault, &system_at(now()), &call)).await;
            let answer = world.check(&call, answer);
            if answer.status < 400 {
                break;
            }
            assert_eq!(answer.outcome(), outcome, "{operation} after {calls} calls");
            assert_eq!(
                world.engine.dump().await,
                before,
                "{operation} after {calls} calls"
            );
        }
    }
}

/// A concurrent request that is always faster.
async fn conflict(world: &World, operation: &str) {
    let call = world.success(operation).await;
    for calls in (0..4).rev() {
        let store = Fails::after(calls, &world.engine.store, || PortError::Conflict);
        let answer = answer(&store, &world.vault, &system_at(now()), &call).await;
        if world.check(&call, answer).outcome() == (409, "conflict") {
            return;
        }
    }
    panic!("{operation} never conflicts");
}

async fn provoke(world: &World, operation: &str, code: &str) {
    let call = world.success(operation).await;
    match code {
        // `fail_everywhere` covers these.
        "unavailable" | "internal_error" => {}
        "conflict" => conflict(world, operation).await,
        "access_token_required" => {
            world.expect(&call.by("no#id"), (401, code)).await;
        }
        "account_not_found" => {
            world.expect(&call.by("owner-2"), (404, code)).await;
        }
        "api_management_license_required" => {
            let call = world.unlicensed(operation).await.unwrap();
            world.expect(&call, (403, code)).await;
        }
        "body_too_large" => {
            let text = format!("{{\"name\": \"{}\"}}", "x".repeat(64 * 1024));
            world.expect(&call.text(&text), (413, code)).await;
        }
        "developer_mode_required" => {
            world.expect(&call.by("admin-1"), (403, code)).await;
        }
        "idempotency_key_reused" => {
            let call = call.header("idempotency-key", "once");
            world.ask(&call).await;
            world.expect(&call.json(&json!({})), (422, code)).await;
        }
        "invalid_cursor" => {
            let list = format!(
                "/v1/accounts/acme/{}",
                match operation {
                    "list-resources" => "resources?cursor=forged",
                    "list-integrations" => "integrations?cursor=forged",
                    "list-tokens" => "tokens?cursor=forged",
                    "list-audit" => "audit?cursor=forged",
                    _ => "tokens/tok_01ARZ3NDEKTSV4RRFFQ69G5FAV/audit?cursor=forged",
                }
            );
            let call = Call::new("GET", &list).by("owner-1");
            world.expect(&call, (400, code)).await;
        }
        "invalid_token" => {
            world.expect(&call.bearer("lka_unknown"), (401, code)).await;
        }
        "invalid_client" => {
            // The id differs from the secret's.
            let call = call.header("authorization", "Basic aWQ6c2VjcmV0");
            world.expect(&call, (401, code)).await;
        }
        "invalid_request" => {
            world
                .expect(&call.form("token_type_hint=access"), (400, code))
                .await;
        }
        "token_required" => {
            let call = call.header("authorization", "");
            world.expect(&call, (401, code)).await;
        }
        "duplicate_key" => {
            let text = "{\"a\": {\"name\": 1, \"name\": 2}}";
            let call = call.text(text).header("content-type", "application/json");
            let answer = world.expect(&call, (400, code)).await;
            assert!(answer.text.contains("`name`"), "{}", answer.text);
        }
        "insufficient_scope" => {
            let narrow = world.active("acme", AutoPurge::Never).await;
            let token = format!("/v1/accounts/acme/tokens/{}", narrow.token.id);
            let call = call.bearer(&world.secret(&token).await);
            world.expect(&call, (401, code)).await;
        }
        "malformed_json" => {
            let call = call.text("{").header("content-type", "application/json");
            world.expect(&call, (400, code)).await;
        }
        "step_up_required" => {
            let call = call.step_up(StepUp::new(300, "auth_time"));
            let answer = world.expect(&call, (403, code)).await;
            assert_eq!(answer.json["maxAge"], 300);
        }
        "role_required" => {
            world.expect(&call.by("manage-1"), (403, code)).await;
        }
        "token_active" => {
            let stored = world.active("acme", AutoPurge::Never).await;
            let path = format!("/v1/accounts/acme/tokens/{}", stored.token.id);
            let call = Call::new("DELETE", &path).by("owner-1");
            world.expect(&call, (409, code)).await;
        }
        "token_not_found" => token_not_found(world, operation, call).await,
        "unsupported_media_type" => {
            let form = "application/x-www-form-urlencoded";
            let takes_forms = !world.description.body(operation, form).is_null();
            let taken = if takes_forms {
                form
            } else {
                "application/json"
            };
            let call = call.text("{}");
            let other = call
                .clone()
                .header("content-type", &format!("{taken}; charset=latin1"));
            world.expect(&other, (415, code)).await;
            if !takes_forms {
                let patch = "application/merge-patch+json";
                for other in ["text/plain", patch] {
                    let described = world.description.body(operation, other);
                    let call = call.clone().header("content-type", other);
                    if described.is_null() {
                        world.expect(&call, (415, code)).await;
                    } else {
                        assert_eq!((other, operation), (patch, "update-token"));
                    }
                }
            }
        }
        "validation_failed" => {
            let unknown = json!({"unknown": true});
            let answer = if operation == "token-info" {
                let path = "/v1/tokenInfo?unknown=true";
                let secret = world.active_secret().await;
                let call = Call::new("GET", path).bearer(&secret);
                world.expect(&call, (422, code)).await
            } else if operation.starts_with("list-") {
                let path = match operation {
                    "list-resources" => "/v1/accounts/acme/resources",
                    "list-integrations" => "/v1/accounts/acme/integrations",
                    "list-tokens" => "/v1/accounts/acme/tokens",
                    "list-audit" => "/v1/accounts/acme/audit",
                    _ => "/v1/accounts/acme/tokens/tok_01ARZ3NDEKTSV4RRFFQ69G5FAV/audit",
                };
                let call = Call::new("GET", &format!("{path}?unknown=true")).by("owner-1");
                world.expect(&call, (422, code)).await
            } else {
                world.expect(&call.json(&unknown), (422, code)).await
            };
            assert!(
                answer
                    .failures()
                    .iter()
                    .any(|(field, _)| *field == "unknown")
            );
        }
        "budget_exceeded" => {
            let one = Budgets {
                reveals: 1,
                changes: 1,
                ..Engine::budgets()
            };
            let store = world.engine.store.clone().with_budgets(one);
            let mut outcome = (0, String::new());
            for _ in 0..2 {
                let call = world.success(operation).await;
                let asked = answer(&store, &world.vault, &system_at(now()), &call).await;
                let asked = world.check(&call, asked);
                outcome = (asked.status, asked.outcome().1.to_owned());
            }
            assert_eq!(outcome, (429, code.to_owned()), "{operation}");
        }
        "no_previous_secret" => {
            let stored = world.active("acme", AutoPurge::Never).await;
            let path = format!("/v1/accounts/acme/tokens/{}/retire", stored.token.id);
            let call = Call::new("POST", &path).by("owner-1");
            world.expect(&call, (409, code)).await;
        }
        "secret_compromised" => {
            let stored = world.active("acme", AutoPurge::Never).await;
            let token = format!("/v1/accounts/acme/tokens/{}", stored.token.id);
            let form = format!("token={}", world.secret(&token).await);
            world
                .expect(&Call::new("POST", "/v1/revoke").form(&form), (200, ""))
                .await;
            let call = Call::new("POST", &format!("{token}/reactivate")).by("owner-1");
            world.expect(&call, (409, code)).await;
        }
        "account_deleted" => {
            let fresh = Token {
                revocation: Some(Revocation {
                    at: now(),
                    by: Actor::system(),
                    reason: None,
                    account_deleted: true,
                }),
                ..latchkey::testing::token_at(now())
            };
            let stored = world.engine.add(fresh).await;
            let path = format!("/v1/accounts/acme/tokens/{}/reactivate", stored.token.id);
            let call = Call::new("POST", &path).by("owner-1");
            world.expect(&call, (409, code)).await;
        }
        "version_mismatch" => {
            world
                .expect(&call.header("if-match", "\"99\""), (412, code))
                .await;
        }
        other => panic!("{operation}: nothing provokes `{other}`"),
    }
}

async fn token_not_found(world: &World, operation: &str, call: Call) {
    let outcome = (404, "token_not_found");
    if operation == "create-token" {
        // The token of the first request no longer exists when the request is repeated.
        let call = call.header("idempotency-key", "gone");
        let id = world.ask(&call).await.json["token"]["id"].clone();
        let path = format!("/v1/accounts/acme/tokens/{}", id.as_str().unwrap());
        world
            .ask(&Call::new("POST", &format!("{path}/revoke")).by("owner-1"))
            .await;
        world.ask(&Call::new("DELETE", &path).by("owner-1")).await;
        world.expect(&call, outcome).await;
        return;
    }
    world.expect(&call.token("tok_unknown"), outcome).await;
}

#[tokio::test]
async fn every_outcome_that_is_described_happens_and_no_other() {
    let world = World::new().await;
    let outcomes = world.description.outcomes();
    for operation in operations() {
        let operation = operation.name();
        Box::pin(fail_everywhere(&world, operation)).await;
        for (_, _, code) in outcomes.iter().filter(|(name, ..)| name == operation) {
            if let Some(code) = code {
                // A single future of all operations is too large for a test's stack.
                Box::pin(provoke(&world, operation, code)).await;
            }
        }
    }
    // Successes with other statuses.
    let create = world
        .success("create-token")
        .await
        .header("idempotency-key", "twice");
    world.expect(&create, (201, "")).await;
    let repeat = world.expect(&create, (200, "")).await;
    assert!(repeat.json["secret"].is_null());
    let unknown = world.asking().await.form("token=lka_unknown");
    assert_eq!(
        world.expect(&unknown, (200, "")).await.json,
        json!({"active": false})
    );
    for operation in ["list-audit", "list-token-audit"] {
        let csv = world.success(operation).await.header("accept", "text/csv");
        assert_eq!(
            world
                .ask(&csv)
                .await
                .header("content-type")
                .split(';')
                .next(),
            Some("text/csv")
        );
    }

    let seen = world.seen.into_inner().unwrap();
    let missing: Vec<_> = outcomes.difference(&seen).collect();
    assert!(
        missing.is_empty(),
        "described, but never seen: {missing:#?}"
    );
}

/// Bodies that each break one rule of the schema, with the field that the failure must name.
fn breaches(schema: &Value, valid: &Value) -> Vec<(String, Value)> {
    let mut breaches = Vec::new();
    for name in schema["required"].as_array().into_iter().flatten() {
        let name = name.as_str().unwrap();
        let mut body = valid.clone();
        body.as_object_mut().unwrap().remove(name);
        breaches.push((name.to_owned(), body));
    }
    for (name, property) in schema["properties"].as_object().unwrap() {
        let with = |value: Value| {
            let mut body = valid.clone();
            body[name] = value;
            (name.clone(), body)
        };
        let kinds = match &property["type"] {
            Value::Array(kinds) => kinds.clone(),
            kind => vec![kind.clone()],
        };
        breaches.extend([json!(true), json!(1.5)].map(with));
        if kinds.iter().all(|kind| kind != "null") {
            breaches.push(with(Value::Null));
        }
        if kinds.iter().any(|kind| kind == "string") {
            breaches.extend([json!(["text"]), json!({})].map(with));
        }
        if let Some(most) = property["maxLength"].as_u64() {
            // Characters are counted, not bytes or UTF-16 units.
            for character in ["x", "é", "😀"] {
                let long = character.repeat(usize::try_from(most).unwrap() + 1);
                breaches.push(with(json!(long)));
            }
        }
        if property["minLength"] == 1 {
            breaches.push(with(json!("")));
        }
        if property["enum"].is_array() || property["pattern"].is_string() {
            breaches.push(with(json!("not one of them")));
        }
        for (bound, step) in [("minimum", -1), ("maximum", 1)] {
            if let Some(bound) = property[bound].as_i64() {
                breaches.push(with(json!(bound + step)));
            }
        }
        if let Some(most) = property["maxItems"].as_u64() {
            let many: Vec<_> = (0..=most).map(|item| format!("192.0.2.{item}")).collect();
            breaches.push(with(json!(many)));
        }
    }
    let mut unknown = valid.clone();
    unknown["unknown"] = json!(1);
    breaches.push(("unknown".into(), unknown));
    breaches
}

/// Values at the schema's bounds.
fn bounds(property: &Value) -> Vec<Value> {
    let mut bounds: Vec<_> = property["enum"].as_array().cloned().unwrap_or_default();
    if let Some(most) = property["maxLength"].as_u64() {
        for character in ["x", "é", "😀"] {
            bounds.push(json!(character.repeat(usize::try_from(most).unwrap())));
        }
        let least = property["minLength"].as_u64().unwrap_or_default();
        bounds.push(json!("x".repeat(usize::try_from(least).unwrap())));
    }
    for bound in ["minimum", "maximum"] {
        // A whole number may also be written with a fraction.
        let bound = property[bound].as_i64();
        bounds.extend(bound.map(|bound| json!(bound)));
        bounds.extend(bound.map(|bound| json!(f64::from(i32::try_from(bound).unwrap()))));
    }
    if let Some(most) = property["maxItems"].as_u64() {
        let many: Vec<_> = (0..most).map(|item| format!("192.0.2.{item}")).collect();
        bounds.push(json!(many));
    }
    if property["type"]
        .as_array()
        .is_some_and(|kinds| kinds.iter().any(|kind| kind == "null"))
    {
        bounds.push(Value::Null);
    }
    bounds
}

#[tokio::test]
async fn the_fields_that_are_described_are_the_fields_that_are_read() {
    let world = World::new().await;
    let valid: BTreeMap<_, _> = [
        ("create-token", draft()),
        ("update-token", json!({"name": "Renamed"})),
        ("revoke-token", json!({})),
        ("regenerate-token", json!({})),
        ("reactivate-token", json!({})),
        ("reveal-token", json!({})),
        ("retire-secret", json!({})),
        ("delete-token", json!({})),
        (
            "update-preferences",
            json!({"create": "daily", "access": "daily", "change": "immediate"}),
        ),
    ]
    .into();
    let mut described = 0;
    for operation in operations() {
        let operation = operation.name();
        let schema = world.description.body(operation, "application/json");
        if schema.is_null() {
            continue;
        }
        described += 1;
        let valid = valid.get(operation).unwrap();
        for (field, body) in breaches(schema, valid) {
            let call = world.success(operation).await.json(&body);
            let answer = world.expect(&call, (422, "validation_failed")).await;
            let failures = answer.failures();
            let within = |failed: &str| failed == field || failed.starts_with(&format!("{field}."));
            assert!(
                failures.iter().any(|(failed, _)| within(failed)),
                "{operation}: {body} is answered {failures:?}"
            );
        }
        let validator = world.description.validator(schema);
        for (field, body) in breaches(schema, valid) {
            assert!(
                !validator.is_valid(&body),
                "{operation}: {body} is allowed, {field}"
            );
        }
        for (name, property) in schema["properties"].as_object().unwrap() {
            for value in bounds(property) {
                // Only a token of an app may name an app.
                let mut body = valid.clone();
                body[name] = value;
                if body["kind"] == "integrationApp" {
                    body["integrationId"] = json!("app1");
                }
                assert!(
                    validator.is_valid(&body),
                    "{operation}: {body} isn't allowed"
                );
                let call = world.success(operation).await.json(&body);
                let answer = world.ask(&call).await;
                assert!(
                    answer.status < 400,
                    "{operation}: {body} is answered {}",
                    answer.text
                );
            }
        }
    }
    assert_eq!(
        described,
        valid.len(),
        "an operation with a body is missing"
    );
}

/// Every schema within a value, with its path.
fn schemas<'a>(value: &'a Value, path: &str, found: &mut Vec<(String, &'a Value)>) {
    match value {
        Value::Object(members) => {
            found.push((path.to_owned(), value));
            for (name, member) in members {
                if !matches!(name.as_str(), "example" | "examples" | "mapping") {
                    schemas(member, &format!("{path}/{name}"), found);
                }
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                schemas(item, &format!("{path}/{index}"), found);
            }
        }
        _ => {}
    }
}

#[test]
fn the_description_is_one_that_programs_make_clients_of() {
    let document = Description::of_the_code();
    let mut found = Vec::new();
    schemas(&document, "#", &mut found);
    for (path, schema) in &found {
        assert!(
            schema["const"].is_null(),
            "{path} is a constant: say `enum`"
        );
        if let Some(words) = schema["enum"].as_array() {
            assert!(
                schema["type"].is_string() || schema["type"].is_array(),
                "{path}"
            );
            let unique: BTreeSet<_> = words.iter().map(ToString::to_string).collect();
            assert_eq!(unique.len(), words.len(), "{path}");
        }
        if let Some(reference) = schema["$ref"].as_str() {
            let target = document.pointer(reference.strip_prefix('#').unwrap());
            assert!(target.is_some(), "{path}: {reference} leads nowhere");
        }
    }
    let tags: BTreeSet<_> = document["tags"]
        .as_array()
        .unwrap()
        .iter()
        .map(|tag| &tag["name"])
        .map(ToString::to_string)
        .collect();
    for item in document["paths"].as_object().unwrap().values() {
        for operation in item.as_object().unwrap().values() {
            let name = &operation["operationId"];
            for text in ["summary", "description"] {
                assert!(
                    operation[text]
                        .as_str()
                        .is_some_and(|text| !text.is_empty()),
                    "{name}"
                );
            }
            for tag in operation["tags"].as_array().unwrap() {
                assert!(tags.contains(&tag.to_string()), "{name}: {tag}");
            }
            for content in operation["requestBody"]["content"]
                .as_object()
                .into_iter()
                .flatten()
            {
                assert!(
                    content.1["schema"]["$ref"].is_string(),
                    "{name} has a body without a name"
                );
            }
            for (status, response) in operation["responses"].as_object().unwrap() {
                let is_error = status.as_str() >= "400";
                assert_eq!(response["$ref"].is_string(), is_error, "{name} {status}");
                for content in response["content"].as_object().into_iter().flatten() {
                    let named = content.1["schema"]["$ref"].is_string() || content.0 == "text/csv";
                    assert!(named, "{name} {status} has a body without a name");
                }
            }
        }
    }
    for server in document["servers"].as_array().unwrap() {
        assert!(server["url"].is_string() && server["description"].is_string());
    }
}

#[test]
fn every_example_is_what_its_schema_says() {
    let description = Description::new(Description::of_the_code());
    let document = description.document();
    let mut found = Vec::new();
    schemas(document, "#", &mut found);
    let mut held = 0;
    for (path, value) in &found {
        let schema = &value["schema"];
        let of_content = std::iter::once(&value["example"])
            .filter(|example| !example.is_null() && schema.is_object());
        let named = value["examples"]
            .as_object()
            .into_iter()
            .flatten()
            .map(|(_, example)| &example["value"]);
        let of_schema = value["examples"].as_array().into_iter().flatten();
        let examples = of_content
            .chain(named)
            .map(|example| (schema, example))
            .chain(of_schema.map(|example| (*value, example)));
        for (schema, example) in examples {
            held += 1;
            let errors: Vec<_> = description
                .validator(schema)
                .iter_errors(example)
                .map(|error| error.to_string())
                .collect();
            assert!(errors.is_empty(), "{path}: {errors:?}\n{example:#}");
        }
    }
    assert!(held > 50, "only {held} examples");
}

#[tokio::test]
async fn the_parameters_that_are_described_are_the_parameters_that_are_read() {
    let world = World::new().await;
    for (operation, path) in [
        ("list-tokens", "/v1/accounts/acme/tokens"),
        ("list-resources", "/v1/accounts/acme/resources"),
        ("list-integrations", "/v1/accounts/acme/integrations"),
        ("list-audit", "/v1/accounts/acme/audit"),
        (
            "list-token-audit",
            "/v1/accounts/acme/tokens/tok_01ARZ3NDEKTSV4RRFFQ69G5FAV/audit",
        ),
    ] {
        let parameters = world.description.operation(operation)["parameters"]
            .as_array()
            .unwrap();
        let mut read = 0;
        for parameter in parameters
            .iter()
            .filter(|parameter| parameter["in"] == "query")
        {
            read += 1;
            let (name, schema) = (parameter["name"].as_str().unwrap(), &parameter["schema"]);
            let (good, bad): (Vec<_>, Vec<_>) = if let Some(words) = schema["enum"].as_array() {
                let words = words.iter().map(|word| word.as_str().unwrap().to_owned());
                (words.collect(), vec!["other".to_owned()])
            } else if schema["type"] == "integer" {
                let (least, most) = (&schema["minimum"], &schema["maximum"]);
                let beyond =
                    |bound: &Value, step: i64| (bound.as_i64().unwrap() + step).to_string();
                let good = vec![least.to_string(), most.to_string()];
                (
                    good,
                    vec![
                        beyond(least, -1),
                        beyond(most, 1),
                        "many".to_owned(),
                        "1.5".to_owned(),
                        "%2B1".to_owned(),
                    ],
                )
            } else if schema["format"] == "date-time" {
                let good = [
                    "2026-11-23T10:00:00Z",
                    "2026-11-23t10:00:00.123456789z",
                    "2026-11-23T10:00:00%2B02:00",
                    "2016-12-31T23:59:60Z",
                ];
                let bad = [
                    "yesterday",
                    "2026-11-23",
                    "2026-11-23T10:00Z",
                    "2026-11-23T10:00:00",
                    "20261123T100000Z",
                    "2026-11-23T10:00:00Z%5BUTC%5D",
                ];
                let owned = |texts: &[&str]| texts.iter().map(ToString::to_string).collect();
                (owned(&good), owned(&bad))
            } else if schema["pattern"].is_string() {
                (vec!["app1".to_owned()], vec!["no%20id".to_owned()])
            } else {
                continue;
            };
            for value in good {
                let call = Call::new("GET", &format!("{path}?{name}={value}")).by("owner-1");
                world.expect(&call, (200, "")).await;
            }
            for value in bad {
                let call = Call::new("GET", &format!("{path}?{name}={value}")).by("owner-1");
                let answer = world.expect(&call, (422, "validation_failed")).await;
                assert!(answer.failures().iter().any(|(field, _)| *field == name));
            }
        }
        let least = if operation == "list-integrations" {
            3
        } else {
            4
        };
        assert!(read >= least, "{operation} reads {read} parameters");
    }
}
