//! What belongs to another account is answered like what doesn't exist: with the same status, the same body and the same
//! requests to the table. Otherwise an answer, or how long it takes, would tell what other accounts have.
//!
//! The operations come from the one list of them, so a new operation is covered by itself.

use contract::{Call, Counts, Wire, answer, operations};
use latchkey::domain::kind::Kind;
use latchkey::domain::secret::PlainSecret;
use latchkey::domain::token::{StoredToken, Token};
use latchkey::store::Store;
use latchkey::system::System;
use latchkey::testing::{Answer, Engine, FakeVault, acme, globex, now, plain, system_at, token_at};
use serde_json::{Value, json};

/// The owner of the account that asks, and the owner of the one whose things it asks for.
const ASKER: &str = "owner-1";
const OTHER: &str = "owner-2";

/// Two accounts, each with tokens.
struct Tenants {
    engine: Engine,
    wire: Wire,
    store: Store,
    vault: FakeVault,
}

/// An answer and the requests that were needed for it.
#[derive(Debug, PartialEq)]
struct Seen {
    status: u16,
    body: String,
    challenge: String,
    requests: Counts,
}

impl Tenants {
    async fn new() -> Self {
        let engine = Engine::with_accounts().await;
        let wire = Wire::to(&engine.aws).await;
        let store = Store::new(&wire.aws, Engine::tables()).with_budgets(Engine::budgets());
        Self {
            engine,
            wire,
            store,
            vault: FakeVault::default(),
        }
    }

    async fn ask(&self, call: &Call) -> Answer {
        answer(&self.store, &self.vault, &system_at(now()), call).await
    }

    /// The answer to a call. `names` are what the call names; they are taken out of the answer, which may repeat them.
    async fn see(&self, call: &Call, names: &[&str]) -> Seen {
        self.wire.take();
        let answer = self.ask(call).await;
        let mut requests = self.wire.take();
        requests.touched.clear();
        requests.asked.clear();
        requests.written.clear();
        let body = names
            .iter()
            .fold(answer.text.clone(), |body, name| body.replace(name, "…"));
        Seen {
            status: answer.status,
            body,
            challenge: answer.header("www-authenticate").to_owned(),
            requests,
        }
    }

    /// A token of the other account.
    async fn others_token(&self) -> StoredToken {
        let token = Token {
            account_id: globex().id,
            ..token_at(now())
        };
        self.engine.add(token).await
    }
}

/// The body of a valid request to an operation.
fn body(operation: &str) -> Value {
    match operation {
        "create-token" => {
            json!({"name": "New", "autoPurge": "1h", "scope": {"type": "full"}})
        }
        "update-token" => json!({"name": "Renamed"}),
        "update-preferences" => {
            json!({"create": "daily", "access": "daily", "change": "daily"})
        }
        _ => json!({}),
    }
}

/// A valid call of an operation with that account and token in its path.
fn call(operation: &latchkey::http::openapi::Operation, account: &str, token: &str) -> Call {
    let path = operation
        .path()
        .replace("{accountId}", account)
        .replace("{tokenId}", token);
    let call = Call::new(operation.method(), &path).by(ASKER);
    if operation.method() == "GET" || operation.method() == "DELETE" {
        call
    } else {
        call.json(&body(operation.name()))
    }
}

#[tokio::test]
async fn another_accounts_path_is_like_one_that_leads_nowhere() {
    let tenants = Tenants::new().await;
    let stored = tenants.others_token().await;
    let token = stored.token.id.as_str();
    let before = tenants.engine.dump().await;
    let mut tried = 0;
    for operation in operations() {
        if !operation.path().contains("{accountId}") {
            continue;
        }
        tried += 1;
        let names = ["globex", "nowhere"];
        for version in [None, Some("\"1\"")] {
            let with = |call: Call| match version {
                Some(version) => call.header("if-match", version),
                None => call,
            };
            let theirs = with(call(&operation, "globex", token));
            let nobodys = with(call(&operation, "nowhere", token));
            let theirs = tenants.see(&theirs, &names).await;
            let nobodys = tenants.see(&nobodys, &names).await;
            assert_eq!(theirs.status, 404, "{}: {theirs:?}", operation.name());
            assert_eq!(theirs, nobodys, "{}", operation.name());
        }
    }
    assert!(tried >= 15, "{tried} operations");
    assert_eq!(tenants.engine.dump().await, before);
}

#[tokio::test]
async fn another_accounts_token_is_like_one_that_never_was() {
    let tenants = Tenants::new().await;
    let stored = tenants.others_token().await;
    let theirs = stored.token.id.as_str();
    let nobodys = token_at(now()).id;
    let names = [theirs, nobodys.as_str()];
    let before = tenants.engine.dump().await;
    let mut tried = 0;
    for operation in operations() {
        if !operation.path().contains("{tokenId}") {
            continue;
        }
        tried += 1;
        for version in [None, Some("\"1\""), Some("\"2\"")] {
            let with = |call: Call| match version {
                Some(version) => call.header("if-match", version),
                None => call,
            };
            let one = with(call(&operation, "acme", theirs));
            let none = with(call(&operation, "acme", nobodys.as_str()));
            let one = tenants.see(&one, &names).await;
            let none = tenants.see(&none, &names).await;
            assert_eq!(one, none, "{}", operation.name());
            // The audit log of a token stays when the token goes, so that of an unknown one is empty.
            let expected = if operation.name() == "list-token-audit" {
                200
            } else {
                404
            };
            assert_eq!(one.status, expected, "{}: {one:?}", operation.name());
            assert!(!one.body.contains("globex"), "{one:?}");
        }
    }
    assert!(tried >= 8, "{tried} operations");
    // A reveal is charged to its budget before the token is read; nothing else may be written.
    assert_eq!(tenants.engine.dump().await, before);
}

#[tokio::test]
async fn another_accounts_cursor_leads_nowhere() {
    let tenants = Tenants::new().await;
    let mut tried = 0;
    for _ in 0..3 {
        tenants.others_token().await;
    }
    for operation in operations() {
        let is_list = operation.method() == "GET"
            && operation.path().contains("{accountId}")
            && !operation.path().contains("{tokenId}");
        if !is_list {
            continue;
        }
        let path = operation.path().replace("{accountId}", "globex");
        let first = Call::new("GET", &format!("{path}?limit=1")).by(OTHER);
        let first = tenants.ask(&first).await;
        let Some(cursor) = first.json["nextCursor"].as_str() else {
            continue;
        };
        tried += 1;
        let path = operation.path().replace("{accountId}", "acme");
        let ask = async |cursor: &str| {
            let call = Call::new("GET", &format!("{path}?limit=1&cursor={cursor}")).by(ASKER);
            tenants.see(&call, &[cursor]).await
        };
        let (theirs, nonsense) = (ask(cursor).await, ask("nonsense").await);
        assert_eq!(theirs.status, 400, "{}: {theirs:?}", operation.name());
        assert_eq!(theirs, nonsense, "{}", operation.name());
    }
    assert!(tried >= 2, "{tried} lists");
}

#[tokio::test]
async fn another_accounts_resource_is_like_one_that_does_not_exist() {
    let tenants = Tenants::new().await;
    let names = ["exp_globex", "exp_nobody"];
    let ask = async |id: &str| {
        let body =
            json!({"name": "New", "autoPurge": "1h", "scope": {"type": "custom", "exports": [id]}});
        let create = Call::new("POST", "/v1/accounts/acme/tokens").by(ASKER);
        let named = format!("/v1/accounts/acme/resources?ids=exports/{id}");
        [
            tenants.see(&create.json(&body), &names).await,
            tenants
                .see(&Call::new("GET", &named).by(ASKER), &names)
                .await,
        ]
    };
    let (theirs, nobodys) = (ask("exp_globex").await, ask("exp_nobody").await);
    assert_eq!([theirs[0].status, theirs[1].status], [422, 200]);
    assert_eq!(theirs, nobodys);
    assert!(!theirs[1].body.contains("Nobody else's"), "{theirs:?}");
}

#[tokio::test]
async fn another_accounts_idempotency_key_is_a_new_one() {
    let tenants = Tenants::new().await;
    let create = async |account: &str, user: &str, key: &str| {
        let call = Call::new("POST", &format!("/v1/accounts/{account}/tokens"))
            .by(user)
            .header("idempotency-key", key)
            .json(&body("create-token"));
        tenants.wire.take();
        let answer = tenants.ask(&call).await;
        let mut requests = tenants.wire.take();
        requests.touched.clear();
        requests.asked.clear();
        requests.written.clear();
        assert_eq!(answer.status, 201, "{}", answer.text);
        (answer, requests)
    };
    let (theirs, _) = create("globex", OTHER, "once").await;
    // The first creation also counts the tokens that there are.
    create("acme", ASKER, "first").await;
    let (own, requests) = create("acme", ASKER, "once").await;
    assert_ne!(own.json["token"]["id"], theirs.json["token"]["id"]);
    assert_eq!(own.json["token"]["accountId"], acme().id.as_str());
    assert!(own.json["secret"].is_string());
    let (_, fresh) = create("acme", ASKER, "another").await;
    assert_eq!(requests, fresh);
}

#[tokio::test]
async fn another_accounts_secret_is_like_a_guess() {
    let tenants = Tenants::new().await;
    let issue = async |account: &str, user: &str| {
        let call = Call::new("POST", &format!("/v1/accounts/{account}/tokens"))
            .by(user)
            .json(&body("create-token"));
        let answer = tenants.ask(&call).await;
        answer.json["secret"].as_str().unwrap().to_owned()
    };
    let asker = issue("acme", ASKER).await;
    let theirs = issue("globex", OTHER).await;
    let guess = plain(&PlainSecret::generate(Kind::Account, &System).unwrap());
    let introspect = async |secret: &str| {
        let call = Call::new("POST", "/v1/introspect")
            .bearer(&asker)
            .form(&format!("token={secret}&client_ip=203.0.113.9"));
        let mut seen = tenants.see(&call, &[]).await;
        // An item that exists is charged for, which only the bill tells.
        seen.requests.half_read_units = 0;
        seen
    };
    // The first call records the asker's own use.
    introspect(&guess).await;
    let before = tenants.engine.dump().await;
    let (theirs, guess) = (introspect(&theirs).await, introspect(&guess).await);
    assert_eq!(theirs.body, r#"{"active":false}"#);
    assert_eq!(theirs, guess);
    assert_eq!(tenants.engine.dump().await, before);
}
