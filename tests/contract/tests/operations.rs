//! The table of each function's reads and writes, in `docs/benchmarks.md`, matches the requests on the wire.
//!
//! `make generate` writes the table anew.

mod rights_granted;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use contract::{Ask, Counts, Section, Statement, Touched, Wire, Written, is_like, policies};
use jiff::{SignedDuration, Timestamp};
use lambda_http::Request;
use latchkey::domain::auto_purge::AutoPurge;
use latchkey::domain::budget::Budgets;
use latchkey::domain::token::{StoredToken, Token};
use latchkey::domain::upkeep::Warnings;
use latchkey::http::caller::ConsoleClient;
use latchkey::mail::{Console, Mailer, Notifier};
use latchkey::ports::PortError;
use latchkey::store::{Store, Vault};
use latchkey::testing::{
    Answer, Engine, Event, now, system_at, token, trail_sample, watched_stack,
};
use receive_leak_report::{FetchKeys, Keys};
use serde_json::{Value, json};
use tokio::sync::OnceCell;
use watch_trail::CloudTrail;

/// Reads a sample event.
macro_rules! event {
    ($name:literal) => {
        Event::sample(include_str!(concat!("../../../events/", $name, ".json")))
    };
}

/// The document with the table.
const DOCUMENT: &str = "docs/benchmarks.md";

/// Not a row of the table: the mail's claim is released.
const MAILS_FAIL: &str = "mails that fail";

/// The functions with a recorded wire, and the table's rows.
struct Functions {
    engine: Engine,
    wire: Wire,
    store: Store,
    vault: Vault,
    notifier: Notifier<Mailer>,
    console: ConsoleClient,
    rows: Vec<String>,
    touched: BTreeMap<String, Vec<Touched>>,
    asked: BTreeMap<String, Vec<Ask>>,
    written: BTreeMap<String, Vec<Written>>,
}

impl Functions {
    async fn start() -> Self {
        let engine = Engine::with_accounts().await;
        let wire = Wire::to(&engine.aws).await;
        Self {
            store: Store::new(&wire.aws, Engine::tables()).with_budgets(Engine::budgets()),
            vault: Vault::new(&wire.aws, "key".into()),
            notifier: Notifier::new(
                Mailer::new(&wire.aws, "tokens@latchkey.example".into(), "mails".into()),
                Console::new("https://tokens.example"),
                latchkey::testing::brand(),
            ),
            console: ConsoleClient::new("console"),
            engine,
            wire,
            rows: vec![],
            touched: BTreeMap::new(),
            asked: BTreeMap::new(),
            written: BTreeMap::new(),
        }
    }

    /// Adds a row with the requests since the last one.
    fn row(&mut self, function: &str, when: &str) {
        let counts = self.note(function);
        self.rows
            .push(format!("| {function} | {when} | {counts} |\n"));
    }

    /// Fails the next mail's claim, as if another sender held it, and then the next mail.
    fn mails_fail(&self) {
        self.wire
            .refuse_next("PutItem", "ConditionalCheckFailedException");
        self.wire.refuse_next("SendEmail", "SendingPausedException");
    }

    /// Notes the requests for the check of the policies only, without a row.
    fn touched(&mut self, function: &str) {
        self.note(function);
    }

    /// Notes which rights the requests since the last call need, and returns what was counted.
    fn note(&mut self, function: &str) -> Counts {
        let mut counts = self.wire.take();
        let touched = self.touched.entry(function.to_owned()).or_default();
        touched.append(&mut counts.touched);
        let asked = self.asked.entry(function.to_owned()).or_default();
        asked.append(&mut counts.asked);
        let written = self.written.entry(function.to_owned()).or_default();
        written.append(&mut counts.written);
        counts
    }

    /// Adds a row for an HTTP answer, and asserts its status.
    fn answered(&mut self, function: &str, when: &str, answer: &Answer, status: u16) {
        assert_eq!(answer.status, status, "{function}: {}", answer.text);
        self.row(function, when);
    }

    /// A new token, inserted without the wire.
    async fn token(&self) -> StoredToken {
        self.engine.add(latchkey::testing::token_at(now())).await
    }

    async fn create(&self, request: Request) -> Answer {
        let system = system_at(now());
        let (store, vault) = (&self.store, &self.vault);
        Answer::of(create_token::handle(store, vault, &system, &self.console, None, request).await)
    }

    async fn regenerate(&self, request: Request) -> Answer {
        let system = system_at(now());
        let (store, vault) = (&self.store, &self.vault);
        Answer::of(
            regenerate_token::handle(store, vault, &system, &self.console, None, request).await,
        )
    }

    async fn update(&self, request: Request) -> Answer {
        let system = system_at(now());
        Answer::of(update_token::handle(&self.store, &system, &self.console, request).await)
    }

    async fn revoke(&self, request: Request) -> Answer {
        let system = system_at(now());
        Answer::of(revoke_token::handle(&self.store, &system, &self.console, request).await)
    }

    async fn authorize(&self, secret: &str, method: &str, path: &str) -> bool {
        let sample = include_str!("../../../events/authorize/http-api.json");
        let mut event: Value = serde_json::from_str(sample).unwrap();
        event["headers"]["authorization"] = json!(format!("Bearer {secret}"));
        event["requestContext"]["http"]["method"] = json!(method);
        event["rawPath"] = json!(path);
        let event = serde_json::from_value(event).unwrap();
        let answer = authorize::handle(&self.store, &system_at(now()), event).await;
        serde_json::to_value(answer.unwrap()).unwrap()["isAuthorized"] == true
    }

    async fn sync(&self, event: Value) {
        let done = sync_platform::handle(&self.store, &Nowhere, &system_at(now()), event).await;
        done.unwrap();
    }
}

/// A failure destination for events that all succeed.
struct Nowhere;

impl sync_platform::SetAside for Nowhere {
    async fn set_aside(&self, message: String) -> Result<(), PortError> {
        panic!("set aside: {message}");
    }
}

fn id_of(answer: &Answer) -> String {
    answer.json["token"]["id"].as_str().unwrap().to_owned()
}

fn secret_of(answer: &Answer) -> String {
    answer.json["secret"].as_str().unwrap().to_owned()
}

fn json_of(sample: &str) -> Value {
    serde_json::from_str(sample).unwrap()
}

async fn verifications(functions: &mut Functions) {
    let full = json!({"name": "n", "autoPurge": "1d", "scope": {"type": "full"}});
    let request = event!("create-token/custom-scope").body(&full).request();
    let secret = secret_of(&functions.create(request).await);
    functions.wire.take();
    let get = ("GET", "/v1/exports/exp_orders");
    assert!(!functions.authorize("lka_no", get.0, get.1).await);
    functions.row("authorize", "malformed or wrongly summed secret");
    assert!(functions.authorize(&secret, get.0, get.1).await);
    functions.row("authorize", "first use, or first of an address and day");
    assert!(functions.authorize(&secret, get.0, get.1).await);
    functions.row("authorize", "any later use");
    let owned = functions.authorize(&secret, "DELETE", get.1);
    assert!(owned.await);
    functions.row("authorize", "… whose rule needs the resource's owner");
    // The sample's secret belongs to another token.
    let unknown = "lka_9zuQWWzsuUItctynUYyncDlKI5ZTuPizoWXgXaviRS63nAJ1Y";
    assert!(!functions.authorize(unknown, get.0, get.1).await);
    functions.row("authorize", "unknown secret");
    let info = |secret: &str| {
        let event = event!("token-info/info");
        event.header("authorization", &format!("Bearer {secret}"))
    };
    let request = event!("create-token/custom-scope").body(&full).request();
    let another = secret_of(&functions.create(request).await);
    functions.wire.take();
    for when in [
        "first use, or first of an address and day",
        "any later use",
        "… that is on record, as the sandbox remembers",
    ] {
        let (store, request) = (&functions.store, info(&another).request());
        let answer = Answer::of(token_info::handle(store, &system_at(now()), request).await);
        functions.answered("token-info", when, &answer, 200);
    }
    let call = info(&another).query("method=DELETE&path=/v1/exports/exp_orders");
    let (store, request) = (&functions.store, call.request());
    let answer = Answer::of(token_info::handle(store, &system_at(now()), request).await);
    let when = "… that asks about a call whose rule needs the resource's owner";
    functions.answered("token-info", when, &answer, 200);
}

async fn creations(functions: &mut Functions) {
    let full = json!({"name": "n", "autoPurge": "1d", "scope": {"type": "full"}});
    let custom = event!("create-token/custom-scope");
    let create = || custom.clone().body(&full);
    let answer = functions.create(create().request()).await;
    let when = "full access, where the account's tokens are counted anew";
    functions.answered("create-token", when, &answer, 201);
    let answer = functions.create(create().request()).await;
    functions.answered("create-token", "full access", &answer, 201);
    let answer = functions.create(custom.request()).await;
    let when = "custom scope; one more read per 100 ids";
    functions.answered("create-token", when, &answer, 201);
    let one = json!({"name": "n", "autoPurge": "1d", "scope": {"type": "custom", "exports": ["exp_orders"]}});
    let answer = functions.create(create().body(&one).request()).await;
    assert_eq!(answer.status, 201, "{}", answer.text);
    functions.touched("create-token");
    let keyed = || create().header("idempotency-key", "once").request();
    let answer = functions.create(keyed()).await;
    functions.answered("create-token", "with `Idempotency-Key`", &answer, 201);
    let answer = functions.create(keyed()).await;
    functions.answered("create-token", "… repeated", &answer, 200);

    let id = id_of(&functions.create(create().request()).await);
    functions.wire.take();
    let reveal = event!("reveal-token/reveal").token(&id).request();
    let (store, vault, console) = (&functions.store, &functions.vault, &functions.console);
    let answer = reveal_token::handle(store, vault, &system_at(now()), console, None, reveal).await;
    functions.answered("reveal-token", "", &Answer::of(answer), 200);

    let grace = || event!("regenerate-token/with-grace-period").token(&id);
    let answer = functions.regenerate(grace().without_body().request()).await;
    functions.answered("regenerate-token", "at once", &answer, 200);
    let answer = functions.regenerate(grace().request()).await;
    functions.answered("regenerate-token", "with a grace period", &answer, 200);
    let keyed = grace().header("idempotency-key", "again").request();
    let answer = functions.regenerate(keyed).await;
    let when = "with `Idempotency-Key`, ending a secret in its grace period";
    functions.answered("regenerate-token", when, &answer, 200);
    let retire = event!("retire-secret/retire").token(&id).request();
    let (store, console) = (&functions.store, &functions.console);
    let answer = retire_secret::handle(store, &system_at(now()), console, retire).await;
    functions.answered("retire-secret", "", &Answer::of(answer), 200);
}

async fn changes(functions: &mut Functions) {
    let id = functions.token().await.token.id.to_string();
    let update = |body: &Value| {
        event!("update-token/rename")
            .token(&id)
            .body(body)
            .request()
    };
    let answer = functions.update(update(&json!({"name": "another"}))).await;
    functions.answered("update-token", "", &answer, 200);
    let scope =
        json!({"scope": {"type": "custom", "exports": ["exp_orders"], "imports": ["imp_stock"]}});
    let answer = functions.update(update(&scope)).await;
    let when = "another custom scope; one more read per 100 ids";
    functions.answered("update-token", when, &answer, 200);
    for scope in [
        json!({"type": "full"}),
        json!({"type": "custom", "exports": ["exp_orders"]}),
    ] {
        let answer = functions.update(update(&json!({"scope": scope}))).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
    }
    functions.touched("update-token");
    let answer = functions.update(update(&json!({}))).await;
    functions.answered("update-token", "nothing changes", &answer, 200);
    let revoke = || event!("revoke-token/with-reason").token(&id).request();
    let answer = functions.revoke(revoke()).await;
    functions.answered("revoke-token", "", &answer, 200);
    let answer = functions.revoke(revoke()).await;
    functions.answered("revoke-token", "revoked already", &answer, 200);
    let reactivate = event!("reactivate-token/reactivate").token(&id).request();
    let (store, system, console) = (&functions.store, system_at(now()), &functions.console);
    let answer = reactivate_token::handle(store, &system, console, reactivate).await;
    functions.answered("reactivate-token", "", &Answer::of(answer), 200);
    functions.revoke(revoke()).await;
    functions.wire.take();
    let delete = event!("delete-token/delete").token(&id).request();
    let (store, console) = (&functions.store, &functions.console);
    let answer = delete_token::handle(store, &system, console, delete).await;
    functions.answered("delete-token", "", &Answer::of(answer), 204);
}

async fn questions(functions: &mut Functions) {
    let id = functions.token().await.token.id.to_string();
    let (store, system) = (functions.store.clone(), system_at(now()));
    let get = event!("get-token/get").token(&id).request();
    let answer = Answer::of(get_token::handle(&store, &system, get).await);
    functions.answered("get-token", "", &answer, 200);
    functions.answered("describe-api", "", &Answer::of(describe_api::handle()), 200);
    let list = event!("list-tokens/first-page").request();
    let answer = Answer::of(list_tokens::handle(&store, &system, list).await);
    functions.answered("list-tokens", "per page without filters", &answer, 200);
    let audit = event!("list-audit/account").request();
    let answer = Answer::of(list_audit::handle(&store, audit).await);
    functions.answered("list-audit", "per page of an account", &answer, 200);
    let audit = event!("list-audit/token-csv").token(&id).request();
    let answer = Answer::of(list_audit::handle(&store, audit).await);
    functions.answered("list-audit", "per page of a token", &answer, 200);
    let mine = event!("get-account/mine").request();
    let answer = Answer::of(get_account::handle(&store, mine).await);
    functions.answered("get-account", "the caller's; one read each", &answer, 200);
    let one = event!("get-account/one").request();
    let answer = Answer::of(get_account::handle(&store, one).await);
    functions.answered("get-account", "one", &answer, 200);
    let members = event!("list-members/list").request();
    let answer = Answer::of(list_members::handle(&store, members).await);
    functions.answered("list-members", "", &answer, 200);
    let preferences = event!("get-preferences/get").request();
    let answer = Answer::of(get_preferences::handle(&store, preferences).await);
    functions.answered("get-preferences", "", &answer, 200);
    let preferences = event!("update-preferences/accesses-daily").request();
    let answer = Answer::of(update_preferences::handle(&store, preferences).await);
    functions.answered("update-preferences", "", &answer, 200);
    let resources = event!("list-resources/exports").request();
    let answer = Answer::of(list_resources::handle(&store, resources).await);
    functions.answered("list-resources", "per page without filters", &answer, 200);
    for (references, when) in [
        ("exports/exp_orders", "one reference"),
        (
            "exports/exp_orders,imports/imp_stock",
            "up to 100 references",
        ),
    ] {
        let found = event!("list-resources/exports").query(&format!("ids={references}"));
        let answer = list_resources::handle(&store, found.request()).await;
        functions.answered("list-resources", when, &Answer::of(answer), 200);
    }
    let integrations = event!("list-integrations/list").request();
    let answer = Answer::of(list_integrations::handle(&store, integrations).await);
    functions.answered(
        "list-integrations",
        "per page without filters",
        &answer,
        200,
    );
}

/// The scanner, with a key that needn't be fetched.
struct Published(String);

impl FetchKeys for Published {
    async fn fetch_keys(&self) -> Result<String, String> {
        Ok(self.0.clone())
    }
}

/// The functions that take a secret without a signed-in caller, or that answer questions about one.
async fn secrets(functions: &mut Functions) {
    let full = json!({"name": "n", "autoPurge": "1d", "scope": {"type": "full"}});
    let mut secrets = vec![];
    for _ in 0..5 {
        let request = event!("create-token/custom-scope").body(&full).request();
        secrets.push(secret_of(&functions.create(request).await));
    }
    functions.wire.take();
    let (store, system) = (functions.store.clone(), system_at(now()));
    let introspect = || {
        event!("introspect-token/bearer")
            .header("authorization", &format!("Bearer {}", secrets[0]))
            .raw_body(&format!("token={}", secrets[1]))
            .request()
    };
    for when in [
        "first use of both",
        "any later use",
        "… that is on record, as the sandbox remembers",
    ] {
        let answer = Answer::of(introspect_token::handle(&store, &system, introspect()).await);
        assert_eq!(answer.json["active"], true);
        functions.answered("introspect-token", when, &answer, 200);
    }

    let revoke = |secret: &str| {
        let event = event!("revoke-by-secret/holder");
        event.raw_body(&format!("token={secret}")).request()
    };
    for (when, secret) in [
        ("malformed or wrongly summed secret", "lka_no"),
        ("", &secrets[2]),
        ("revoked already", &secrets[2]),
    ] {
        let answer = revoke_by_secret::handle(&store, &system, revoke(secret)).await;
        functions.answered("revoke-by-secret", when, &Answer::of(answer), 200);
    }

    let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).unwrap();
    let der = pair.public_key().as_der().unwrap();
    let key = format!(
        "-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----",
        STANDARD.encode(der.as_ref())
    );
    let list = json!({"public_keys": [{"key_identifier": "one", "key": key, "is_current": true}]});
    let keys = Keys::new(Published(list.to_string()));
    let found = |secret: &str| {
        json!([{"token": secret, "type": "latchkey", "url": "https://github.com/a", "source": "content"}]).to_string()
    };
    for (when, body) in [
        ("no find, and GitHub's keys to fetch", "[]".to_owned()),
        ("per secret with two recipients", found(&secrets[3])),
        ("… reported again", found(&secrets[3])),
        (MAILS_FAIL, found(&secrets[4])),
    ] {
        if when == MAILS_FAIL {
            functions.mails_fail();
        }
        let signature = pair.sign(&SystemRandom::new(), body.as_bytes()).unwrap();
        let report = event!("receive-leak-report/found")
            .raw_body(&body)
            .header("github-public-key-identifier", "one")
            .header("github-public-key-signature", &STANDARD.encode(signature));
        let (notifier, request) = (&functions.notifier, report.request());
        let answer = receive_leak_report::handle(&store, &keys, notifier, &system, request).await;
        let answer = Answer::of(answer);
        if when == MAILS_FAIL {
            assert_eq!(answer.status, 200);
            functions.touched("receive-leak-report");
        } else {
            functions.answered("receive-leak-report", when, &answer, 200);
        }
    }
}

/// The scheduled functions, with a token that ends tomorrow and one that was unused for two days.
async fn upkeep(functions: &mut Functions) {
    let (day, system) = (Duration::from_hours(24), system_at(now()));
    let ending = Token {
        auto_purge: AutoPurge::ThirtyDays,
        purge_at: Some(now() + day),
        ..latchkey::testing::token_at(now() - 29 * day)
    };
    functions.engine.add(ending).await;
    let sample = include_str!("../../../events/remind-expiring/daily.json");
    let warnings = Warnings::parse("7,3,1").unwrap();
    for when in ["every shard, and one warning", "every shard, and none"] {
        let event = serde_json::from_str(sample).unwrap();
        let (store, until) = (&functions.store, Timestamp::MAX);
        let done = remind_expiring::handle(store, &system, &warnings, until, event).await;
        done.unwrap();
        functions.row("remind-expiring", when);
    }
    let sample = include_str!("../../../events/revoke-idle/daily.json");
    let idle = Some(SignedDuration::from_hours(48));
    for when in ["every shard, and one idle token", "every shard, and none"] {
        let event = serde_json::from_str(sample).unwrap();
        let (store, until) = (&functions.store, Timestamp::MAX);
        revoke_idle::handle(store, &system, idle, until, event)
            .await
            .unwrap();
        functions.row("revoke-idle", when);
    }
    let stored = functions.token().await;
    let mut decrypted = trail_sample("decrypt");
    decrypted["requestParameters"]["encryptionContext"]["tokenId"] = json!(stored.token.id);
    let mut events = vec![trail_sample("put-key-policy")];
    // As many as take two pages.
    events.extend((0..3).map(|number| {
        decrypted["eventID"] = json!(number.to_string());
        decrypted.clone()
    }));
    functions.wire.publish_trail(&events);
    let trail = CloudTrail::new(&functions.wire.aws, Duration::ZERO);
    let (store, stack) = (functions.store.clone(), watched_stack());
    let sample = include_str!("../../../events/watch-trail/hour.json");
    for when in [
        "a change, and three decryptions without a record",
        "… told already",
        "nothing found",
    ] {
        let hour = serde_json::from_str(sample).unwrap();
        let until = Timestamp::MAX;
        let done = watch_trail::handle(&trail, &store, &system, &stack, until, hour).await;
        done.unwrap();
        functions.row("watch-trail", when);
        if when.starts_with('…') {
            functions.wire.publish_trail(&[]);
        }
    }
}

/// A service that works, and that notes which functions the probe invokes.
#[derive(Default)]
struct Noted {
    asked: Mutex<Vec<Ask>>,
    revoked: AtomicBool,
    deleted: AtomicBool,
}

impl probe::Service for Noted {
    async fn invoke(
        &self,
        operation: probe::Operation,
        _event: &Value,
    ) -> Result<probe::Answer, String> {
        use probe::Operation;

        // The name of the alias in the template.
        let alias = format!("${{{operation:?}ProbeAlias}}");
        let mut asked = self.asked.lock().unwrap();
        asked.push(Ask::new("lambda:InvokeFunction", &alias));
        let (status, body) = match operation {
            Operation::ListTokens => (200, json!({"tokens": []})),
            Operation::CreateToken => (201, json!({"token": {"id": "tok_1"}, "secret": "any"})),
            Operation::RevealToken => (200, json!({"secret": "any"})),
            Operation::GetToken if self.deleted.load(Ordering::Relaxed) => (404, Value::Null),
            Operation::GetToken => (200, json!({"status": "active", "lastUsedAt": "now"})),
            Operation::RevokeToken => {
                self.revoked.store(true, Ordering::Relaxed);
                (200, json!({"status": "revoked"}))
            }
            Operation::DeleteToken => {
                self.deleted.store(true, Ordering::Relaxed);
                (204, Value::Null)
            }
        };
        Ok(probe::Answer { status, body })
    }

    async fn token_info(&self, _secret: &str) -> Result<probe::Answer, String> {
        let is_revoked = self.revoked.load(Ordering::Relaxed);
        let status = if is_revoked { 401 } else { 200 };
        let body = json!({"id": "tok_1"});
        Ok(probe::Answer { status, body })
    }
}

async fn probes(functions: &mut Functions) {
    let service = Noted::default();
    probe::handle(&service, &system_at(now()), None)
        .await
        .unwrap();
    functions.row("probe", "beside what it calls");
    let asked = service.asked.into_inner().unwrap();
    functions
        .asked
        .entry("probe".into())
        .or_default()
        .extend(asked);
}

fn page(functions: &mut Functions) {
    let config = console::config::Config {
        client_id: "client".into(),
        authorization_endpoint: "https://sign-in.example/authorize".into(),
        token_endpoint: "https://sign-in.example/token".into(),
        revocation_endpoint: None,
        end_session_endpoint: None,
        scopes: "openid".into(),
        platform_api_url: None,
        mcp_url: None,
    };
    let site = console::Site::new(&config).unwrap();
    let page = console::handle(&site, &event!("console/page").request());
    assert_eq!(page.unwrap().status(), 200);
    functions.row("console", "");
}

async fn events(functions: &mut Functions) {
    let purged = Token {
        purge_at: Some(now() + Duration::from_hours(1)),
        ..token()
    };
    functions.engine.add(purged).await;
    let purge = json_of(include_str!(
        "../../../events/record-purges/ttl-removal.json"
    ));
    let event = serde_json::from_value(purge).unwrap();
    let response = record_purges::handle(&functions.store, event).await;
    assert!(response.batch_item_failures.is_empty());
    functions.row("record-purges", "per purge");

    let updated = json_of(include_str!(
        "../../../events/send-notifications/token-updated.json"
    ));
    for when in ["per record with two recipients", "… delivered again"] {
        let event = serde_json::from_value(updated.clone()).unwrap();
        let (store, notifier) = (&functions.store, &functions.notifier);
        let response =
            send_notifications::handle(store, notifier, &system_at(now()), Timestamp::MAX, event)
                .await;
        assert!(response.batch_item_failures.is_empty());
        functions.row("send-notifications", when);
    }

    for (end, old, when) in [
        ("B1", "exp_gone", "… about two resources"),
        ("B2", "exp_orders, exp_app", ""),
    ] {
        let mut rescoped = updated.clone();
        let image = &mut rescoped["Records"][0]["dynamodb"]["NewImage"];
        image["sk"]["S"] = json!(format!("aud_01ARZ3NDEKTSV4RRFFQ69G5F{end}"));
        image["changes"]["L"] = json!([{"M": {
            "field": {"S": "scope.exports"},
            "old": {"S": old},
            "new": {"S": "exp_orders"},
        }}]);
        let event = serde_json::from_value(rescoped).unwrap();
        let (store, notifier) = (&functions.store, &functions.notifier);
        let response =
            send_notifications::handle(store, notifier, &system_at(now()), Timestamp::MAX, event)
                .await;
        assert!(response.batch_item_failures.is_empty());
        if when.is_empty() {
            functions.touched("send-notifications");
        } else {
            functions.row("send-notifications", when);
        }
    }

    let mut failing = updated.clone();
    failing["Records"][0]["dynamodb"]["NewImage"]["sk"]["S"] =
        json!("aud_01ARZ3NDEKTSV4RRFFQ69G5FA9");
    let mut changed = updated;
    let record = &mut changed["Records"][0];
    record["eventName"] = json!("MODIFY");
    record["dynamodb"]["OldImage"] = record["dynamodb"]["NewImage"].clone();
    for (event, failures) in [(failing, 1), (changed, 0)] {
        if failures > 0 {
            functions.mails_fail();
        }
        let event = serde_json::from_value(event).unwrap();
        let (store, notifier) = (&functions.store, &functions.notifier);
        let response =
            send_notifications::handle(store, notifier, &system_at(now()), Timestamp::MAX, event)
                .await;
        assert_eq!(response.batch_item_failures.len(), failures);
        if failures > 0 {
            functions.touched("send-notifications");
        } else {
            functions.row("send-notifications", "per record that was tampered with");
        }
    }
}

/// Mails over a member's budget, and an address that bounces.
async fn mails(functions: &mut Functions) {
    let budgets = Budgets {
        mails: 1,
        ..Engine::budgets()
    };
    let store = functions.store.clone().with_budgets(budgets);
    let updated = json_of(include_str!(
        "../../../events/send-notifications/token-updated.json"
    ));
    for (number, when) in (0..).zip(["", "… over the budget of both"]) {
        let mut event = updated.clone();
        let id = format!("aud_01ARZ3NDEKTSV4RRFFQ69G5FA{number}");
        event["Records"][0]["dynamodb"]["NewImage"]["sk"]["S"] = json!(id);
        let event = serde_json::from_value(event).unwrap();
        let (notifier, clock) = (&functions.notifier, system_at(now()));
        let response =
            send_notifications::handle(&store, notifier, &clock, Timestamp::MAX, event).await;
        assert!(response.batch_item_failures.is_empty());
        if number > 0 {
            functions.row("send-notifications", when);
        }
        functions.wire.take();
    }
    let later = system_at(now() + Duration::from_hours(2));
    functions.mails_fail();
    let (store, notifier) = (&functions.store, &functions.notifier);
    let sent = send_digests::handle(store, notifier, &later, Timestamp::MAX).await;
    assert!(sent.is_err());
    functions.touched("send-digests");
    for when in ["two digests", "none"] {
        let (store, notifier) = (&functions.store, &functions.notifier);
        let sent = send_digests::handle(store, notifier, &later, Timestamp::MAX).await;
        sent.unwrap();
        functions.row("send-digests", when);
    }
    let bounce = json_of(include_str!(
        "../../../events/record-mail-feedback/bounce.json"
    ));
    // First the claim fails, then the mail.
    functions.mails_fail();
    for fails in [true, true, false] {
        let event = serde_json::from_value(bounce.clone()).unwrap();
        let (store, notifier) = (&functions.store, &functions.notifier);
        let recorded = record_mail_feedback::handle(store, notifier, &later, event).await;
        assert_eq!(recorded.is_err(), fails);
        if fails {
            functions.touched("record-mail-feedback");
        } else {
            let when = "an address that bounces, and one other recipient";
            functions.row("record-mail-feedback", when);
        }
    }
}

async fn platform(functions: &mut Functions) {
    let mut resource = json_of(include_str!(
        "../../../events/sync-platform/resource-upserted.json"
    ));
    let mut gone = json_of(include_str!(
        "../../../events/sync-platform/resource-deleted.json"
    ));
    let mut app = json_of(include_str!(
        "../../../events/sync-platform/integration-upserted.json"
    ));
    let mut removed = json_of(include_str!(
        "../../../events/sync-platform/integration-deleted.json"
    ));
    let mut account = json_of(include_str!(
        "../../../events/sync-platform/account-upserted.json"
    ));
    let mut deleted = json_of(include_str!(
        "../../../events/sync-platform/account-deleted.json"
    ));
    for (event, second) in [
        (&mut resource, 1),
        (&mut gone, 2),
        (&mut app, 1),
        (&mut removed, 2),
        (&mut account, 3),
        (&mut deleted, 4),
    ] {
        event["time"] = json!((now() + Duration::from_secs(second)).to_string());
    }
    functions.sync(resource).await;
    functions.row("sync-platform", "`ResourceUpserted`");
    functions.sync(gone).await;
    functions.row("sync-platform", "`ResourceDeleted`");
    functions.sync(app.clone()).await;
    functions.row("sync-platform", "`IntegrationUpserted`");
    functions.sync(removed).await;
    functions.row("sync-platform", "`IntegrationDeleted`");
    app["time"] = json!((now() + Duration::from_secs(3)).to_string());
    functions.sync(app).await;
    functions.touched("sync-platform");
    functions.sync(account).await;
    functions.row("sync-platform", "`AccountUpserted`, four members as before");
    functions.sync(deleted).await;
    functions.row(
        "sync-platform",
        "`AccountDeleted`, four members, one active token, one Integration App",
    );
}

/// The table, and what each function's requests touch.
async fn table() -> (String, BTreeMap<String, Vec<Touched>>) {
    let requests = requests().await;
    (requests.table.clone(), requests.touched.clone())
}

/// What was recorded of all functions.
#[derive(Default)]
struct Requests {
    /// The table.
    table: String,
    /// What each function's requests to DynamoDB touch.
    touched: BTreeMap<String, Vec<Touched>>,
    /// Each function's requests to KMS and SES.
    asked: BTreeMap<String, Vec<Ask>>,
    /// What each function's requests to DynamoDB write.
    written: BTreeMap<String, Vec<Written>>,
}

/// Runs all functions, once for all tests.
async fn requests() -> &'static Requests {
    static ALL: OnceCell<Requests> = OnceCell::const_new();
    ALL.get_or_init(recorded).await
}

async fn recorded() -> Requests {
    let (mut rows, mut all) = (Vec::new(), Requests::default());
    for part in [
        "verifications",
        "creations",
        "changes",
        "questions",
        "secrets",
        "events",
        "mails",
        "upkeep",
        "probe",
        "platform",
    ] {
        let mut functions = Functions::start().await;
        match part {
            "verifications" => verifications(&mut functions).await,
            "creations" => creations(&mut functions).await,
            "changes" => changes(&mut functions).await,
            "questions" => {
                questions(&mut functions).await;
                page(&mut functions);
            }
            "secrets" => secrets(&mut functions).await,
            "mails" => mails(&mut functions).await,
            "upkeep" => upkeep(&mut functions).await,
            "probe" => probes(&mut functions).await,
            "events" => events(&mut functions).await,
            _ => {
                functions.token().await;
                platform(&mut functions).await;
            }
        }
        rows.extend(functions.rows);
        for (function, requests) in functions.touched {
            all.touched.entry(function).or_default().extend(requests);
        }
        for (function, requests) in functions.asked {
            all.asked.entry(function).or_default().extend(requests);
        }
        for (function, requests) in functions.written {
            all.written.entry(function).or_default().extend(requests);
        }
    }
    all.table = format!(
        "| function | when | reads | transactions | single writes | KMS | mails |\n\
         |---|---|---|---|---|---|---|\n{}",
        rows.concat()
    );
    all
}

#[tokio::test]
async fn the_documents_say_what_each_function_reads_and_writes() {
    Section::of(DOCUMENT, "operations").must_be(&table().await.0);
}

/// The local cloud doesn't support `dynamodb:LeadingKeys`, so these conditions are checked here. IAM may evaluate a
/// transaction's keys item by item, or all keys of an action together: both must be allowed.
#[tokio::test]
async fn every_request_is_allowed_by_its_functions_policy_however_iam_sees_its_keys() {
    let policies = policies();
    let nothing = Vec::new();
    for (function, requests) in table().await.1 {
        let statements = policies.get(&function).unwrap_or(&nothing);
        for ((resource, action), keys) in requests.iter().flatten() {
            let allowed = |keys: &[String]| {
                let mut statements = statements.iter();
                statements.any(|statement| statement.allows(resource, action, keys))
            };
            assert!(
                allowed(keys),
                "{function}: {action} of {keys:?} in {resource}"
            );
            for key in keys {
                let one = std::slice::from_ref(key);
                assert!(allowed(one), "{function}: {action} of {key} in {resource}");
            }
        }
    }
}

/// Partitions and actions that no request of a function needs are denied to it. An index has no partitions other than
/// those of its own key, so a pattern counts as needed if its table needs it.
#[tokio::test]
async fn no_policy_allows_an_action_on_a_kind_of_partition_that_its_function_does_not_touch() {
    let touched = table().await.1;
    let mut unused = Vec::new();
    for (function, statements) in policies() {
        let requests = touched.get(&function).map_or(&[][..], Vec::as_slice);
        let uses = || requests.iter().flatten();
        for (resource, action, pattern) in statements.iter().flat_map(Statement::grants) {
            let table = resource.split('/').next();
            let has_resource = uses().any(|((used, by), _)| *used == resource && *by == action);
            let has_pattern = uses().any(|((used, by), keys)| {
                used.split('/').next() == table
                    && *by == action
                    && keys.iter().any(|key| is_like(key, &pattern))
            });
            if !has_resource || !has_pattern {
                unused.push(format!("{function}: {action} of {pattern} in {resource}"));
            }
        }
    }
    assert!(unused.is_empty(), "{unused:#?}");
}

#[test]
fn every_table_of_a_policy_is_limited_to_kinds_of_partition_that_must_be_known() {
    for (function, statements) in policies() {
        let mut actions = BTreeSet::new();
        for statement in statements {
            let mut own = BTreeSet::new();
            for (resource, action, pattern) in statement.grants() {
                // An index over the active tokens of all accounts has partitions of its own.
                let is_sharded = resource.ends_with("/byEnd") || resource.ends_with("/byActivity");
                assert!(
                    pattern != "*" || is_sharded,
                    "{function}: {action} in {resource}"
                );
                // Without any key, `ForAllValues` alone would allow everything.
                let without = statement.allows(&resource, &action, &[]);
                assert!(!without || is_sharded, "{function}: {action} in {resource}");
                own.insert((resource, action));
            }
            // One statement must cover all kinds of an action, since a transaction may otherwise match none.
            assert!(actions.is_disjoint(&own), "{function}: {own:?}");
            actions.append(&mut own);
        }
    }
}

#[test]
fn what_merely_verifies_writes_only_what_it_remembers_and_its_records() {
    let all = policies();
    for function in ["authorize", "introspect-token", "token-info"] {
        for (resource, action, pattern) in all[function].iter().flat_map(Statement::grants) {
            let reads = matches!(action.as_str(), "GetItem" | "BatchGetItem");
            let writes = [
                (
                    "Tokens".to_owned(),
                    "UpdateItem".to_owned(),
                    "SEEN#*".to_owned(),
                ),
                ("Audit".to_owned(), "PutItem".to_owned(), "USE#*".to_owned()),
            ];
            let granted = (resource, action, pattern);
            assert!(
                reads || writes.contains(&granted),
                "{function}: {granted:?}"
            );
        }
    }
    for (function, statements) in &all {
        for (_, action, pattern) in statements.iter().flat_map(Statement::grants) {
            let platform = ["PROFILE#*", "RESOURCE#*"].contains(&pattern.as_str());
            let reads = ["GetItem", "BatchGetItem", "Query", "ConditionCheckItem"];
            let reads = reads.contains(&action.as_str());
            assert!(
                reads || !platform || function == "sync-platform",
                "{function}: {action}"
            );
        }
    }
}

#[test]
fn no_function_is_left_out_of_the_table() {
    let section = Section::of(DOCUMENT, "operations");
    let listed: BTreeSet<_> = section
        .text()
        .lines()
        .skip(2)
        .filter_map(|line| line.split(" | ").next()?.strip_prefix("| "))
        .collect();
    let functions = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../functions");
    for function in std::fs::read_dir(functions).unwrap() {
        let name = function.unwrap().file_name();
        assert!(listed.contains(name.to_str().unwrap()), "{name:?}");
    }
}
