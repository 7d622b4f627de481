//! The README's table of what each function reads and writes is what goes over the wire.
//!
//! `LATCHKEY_UPDATE_README=1` writes the table anew.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use contract::{ReadmeSection, Wire};
use jiff::{SignedDuration, Timestamp};
use lambda_http::Request;
use latchkey::domain::auto_purge::AutoPurge;
use latchkey::domain::budget::Budgets;
use latchkey::domain::token::{StoredToken, Token};
use latchkey::domain::upkeep::Warnings;
use latchkey::http::caller::ConsoleClient;
use latchkey::mail::{Console, Mailer, Notifier};
use latchkey::store::{Store, Vault};
use latchkey::testing::{Answer, Engine, Event, now, system_at, token};
use receive_leak_report::{FetchKeys, Keys};
use serde_json::{Value, json};

/// Reads a sample event.
macro_rules! event {
    ($name:literal) => {
        Event::sample(include_str!(concat!("../../../events/", $name, ".json")))
    };
}

/// The functions on a wire, and the rows of the table.
struct Functions {
    engine: Engine,
    wire: Wire,
    store: Store,
    vault: Vault,
    notifier: Notifier<Mailer>,
    console: ConsoleClient,
    rows: Vec<String>,
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
            ),
            console: ConsoleClient::new("console"),
            engine,
            wire,
            rows: vec![],
        }
    }

    /// Writes down what went over the wire.
    fn row(&mut self, function: &str, when: &str) {
        let counts = self.wire.take();
        self.rows
            .push(format!("| {function} | {when} | {counts} |\n"));
    }

    /// The same for an HTTP answer, which must have that status.
    fn answered(&mut self, function: &str, when: &str, answer: &Answer, status: u16) {
        assert_eq!(answer.status, status, "{function}: {}", answer.text);
        self.row(function, when);
    }

    /// A token of its own, put into the tables without the wire.
    async fn token(&self) -> StoredToken {
        self.engine.add(latchkey::testing::token_at(now())).await
    }

    async fn create(&self, request: Request) -> Answer {
        let system = system_at(now());
        let (store, vault) = (&self.store, &self.vault);
        Answer::of(create_token::handle(store, vault, &system, &self.console, request).await)
    }

    async fn regenerate(&self, request: Request) -> Answer {
        let system = system_at(now());
        let (store, vault) = (&self.store, &self.vault);
        Answer::of(regenerate_token::handle(store, vault, &system, &self.console, request).await)
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
        let event = serde_json::from_value(event).unwrap();
        let done = sync_platform::handle(&self.store, &system_at(now()), event).await;
        done.unwrap();
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
    // The sample's secret is another token's.
    let unknown = "lka_9zuQWWzsuUItctynUYyncDlKI5ZTuPizoWXgXaviRS63nAJ1Y";
    assert!(!functions.authorize(unknown, get.0, get.1).await);
    functions.row("authorize", "unknown secret");
    let info = |secret: &str| {
        let event = event!("token-info/info");
        event.header("authorization", &format!("Bearer {secret}"))
    };
    let request = info(&secret).request();
    let answer = Answer::of(token_info::handle(&functions.store, &system_at(now()), request).await);
    functions.answered("token-info", "any use but the first", &answer, 200);
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
    let keyed = || create().header("idempotency-key", "once").request();
    let answer = functions.create(keyed()).await;
    functions.answered("create-token", "with `Idempotency-Key`", &answer, 201);
    let answer = functions.create(keyed()).await;
    functions.answered("create-token", "… repeated", &answer, 200);

    let id = id_of(&functions.create(create().request()).await);
    functions.wire.take();
    let reveal = event!("reveal-token/reveal").token(&id).request();
    let (store, vault, console) = (&functions.store, &functions.vault, &functions.console);
    let answer = reveal_token::handle(store, vault, &system_at(now()), console, reveal).await;
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
    let mine = event!("get-account/mine").request();
    let answer = Answer::of(get_account::handle(&store, mine).await);
    functions.answered("get-account", "the caller's; one read each", &answer, 200);
    let one = event!("get-account/one").request();
    let answer = Answer::of(get_account::handle(&store, one).await);
    functions.answered("get-account", "one", &answer, 200);
    let resources = event!("list-resources/exports").request();
    let answer = Answer::of(list_resources::handle(&store, resources).await);
    functions.answered("list-resources", "per page without filters", &answer, 200);
}

/// The scanner, with a key that nobody has to be asked for.
struct Published(String);

impl FetchKeys for Published {
    async fn fetch_keys(&self) -> Result<String, String> {
        Ok(self.0.clone())
    }
}

/// What takes a secret without asking who sends it, or asks about one.
async fn secrets(functions: &mut Functions) {
    let full = json!({"name": "n", "autoPurge": "1d", "scope": {"type": "full"}});
    let mut secrets = vec![];
    for _ in 0..4 {
        let request = event!("create-token/custom-scope").body(&full).request();
        secrets.push(secret_of(&functions.create(request).await));
    }
    let (store, system) = (functions.store.clone(), system_at(now()));
    let introspect = || {
        event!("introspect-token/bearer")
            .header("authorization", &format!("Bearer {}", secrets[0]))
            .raw_body(&format!("token={}", secrets[1]))
            .request()
    };
    let first = introspect_token::handle(&store, &system, introspect()).await;
    assert_eq!(Answer::of(first).json["active"], true);
    functions.wire.take();
    let answer = Answer::of(introspect_token::handle(&store, &system, introspect()).await);
    functions.answered(
        "introspect-token",
        "any use of both but the first",
        &answer,
        200,
    );

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
    let found = json!([{"token": secrets[3], "type": "latchkey", "url": "https://github.com/a", "source": "content"}]);
    for (when, body) in [
        ("no find, and GitHub's keys to fetch", "[]".to_owned()),
        ("per secret with two recipients", found.to_string()),
        ("… reported again", found.to_string()),
    ] {
        let signature = pair.sign(&SystemRandom::new(), body.as_bytes()).unwrap();
        let report = event!("receive-leak-report/found")
            .raw_body(&body)
            .header("github-public-key-identifier", "one")
            .header("github-public-key-signature", &STANDARD.encode(signature));
        let (notifier, request) = (&functions.notifier, report.request());
        let answer = receive_leak_report::handle(&store, &keys, notifier, &system, request).await;
        functions.answered("receive-leak-report", when, &Answer::of(answer), 200);
    }
}

/// What the schedules do, to a token that ends tomorrow and to one that nobody has used for two days.
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
}

fn page(functions: &mut Functions) {
    let sign_in = console::sign_in::Config {
        client_id: "client".into(),
        authorization_endpoint: "https://sign-in.example/authorize".into(),
        token_endpoint: "https://sign-in.example/token".into(),
        revocation_endpoint: None,
        end_session_endpoint: None,
        scopes: "openid".into(),
    };
    let site = console::Site::new(&sign_in).unwrap();
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
}

/// What is over a member's budget of mails, and an address that takes none.
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
    for when in ["two digests", "none"] {
        let (store, notifier) = (&functions.store, &functions.notifier);
        let sent = send_digests::handle(store, notifier, &later, Timestamp::MAX).await;
        sent.unwrap();
        functions.row("send-digests", when);
    }
    let bounce = json_of(include_str!(
        "../../../events/record-mail-feedback/bounce.json"
    ));
    let event = serde_json::from_value(bounce).unwrap();
    let (store, notifier) = (&functions.store, &functions.notifier);
    let recorded = record_mail_feedback::handle(store, notifier, &later, event).await;
    recorded.unwrap();
    functions.row(
        "record-mail-feedback",
        "an address that bounces, and one other recipient",
    );
}

async fn platform(functions: &mut Functions) {
    let mut resource = json_of(include_str!(
        "../../../events/sync-platform/resource-upserted.json"
    ));
    let mut gone = json_of(include_str!(
        "../../../events/sync-platform/resource-deleted.json"
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
        (&mut account, 3),
        (&mut deleted, 4),
    ] {
        event["time"] = json!((now() + Duration::from_secs(second)).to_string());
    }
    functions.sync(resource).await;
    functions.row("sync-platform", "`ResourceUpserted`");
    functions.sync(gone).await;
    functions.row("sync-platform", "`ResourceDeleted`");
    functions.sync(account).await;
    functions.row("sync-platform", "`AccountUpserted`, four members as before");
    functions.sync(deleted).await;
    functions.row(
        "sync-platform",
        "`AccountDeleted`, four members, one active token",
    );
}

async fn table() -> String {
    let mut rows = Vec::new();
    for part in [
        "verifications",
        "creations",
        "changes",
        "questions",
        "secrets",
        "events",
        "mails",
        "upkeep",
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
            "events" => events(&mut functions).await,
            _ => {
                functions.token().await;
                platform(&mut functions).await;
            }
        }
        rows.extend(functions.rows);
    }
    format!(
        "| function | when | reads | transactions | single writes | KMS | mails |\n\
         |---|---|---|---|---|---|---|\n{}",
        rows.concat()
    )
}

#[tokio::test]
async fn the_readme_says_what_each_function_reads_and_writes() {
    ReadmeSection::named("operations").must_be(&table().await);
}

#[test]
fn no_function_is_left_out_of_the_readme() {
    let section = ReadmeSection::named("operations");
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
