//! What a token may do at an API behind the authorizer.

use end_to_end::{Account, Answer, Stack, eventually, send};
use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};

async fn call(account: &Account, secret: &str, method: Method, path: &str, body: Value) -> Answer {
    let request = account.stack.protected(method, path).bearer_auth(secret);
    send(if body.is_null() {
        request
    } else {
        request.json(&body)
    })
    .await
}

fn full(name: &str) -> Value {
    json!({"name": name, "autoPurge": "1h", "scope": {"type": "full"}})
}

#[tokio::test]
async fn a_full_access_token_may_do_everything_except_with_integration_app_data() {
    let stack = Stack::from_env();
    let account = Account::create(&stack, "full-access", "standard").await;
    account.add_resource("export", "exp-own", None).await;
    account
        .add_resource("export", "exp-app", Some("app-1"))
        .await;
    let (_, secret) = account.create_token(full("Everything")).await;
    let call = async |method, path: &str, body| call(&account, &secret, method, path, body).await;
    let (own, app) = ("/v1/exports/exp-own", "/v1/exports/exp-app");

    // Data of its own.
    let create = json!({"name": "New", "settings": {"records": []}});
    let created = call(Method::POST, "/v1/exports", create).await.expect(201);
    let path = format!("/v1/exports/{}", created["id"].as_str().unwrap());
    call(Method::DELETE, &path, Value::Null).await.expect(204);
    let update = json!({"settings": {"records": [1]}});
    call(Method::PATCH, own, update.clone()).await.expect(200);
    call(Method::POST, "/v1/exports/exp-own/invoke", Value::Null)
        .await
        .expect(200);
    let list = call(Method::GET, "/v1/exports", Value::Null)
        .await
        .expect(200);
    assert_eq!(list["exports"].as_array().unwrap().len(), 2, "{list}");

    // Data of an Integration App.
    call(Method::GET, app, Value::Null).await.expect(200);
    let renamed = call(Method::PATCH, app, json!({"name": "Renamed"})).await;
    assert_eq!(renamed.expect(200)["name"], "Renamed");
    let refused = call(Method::PATCH, app, update).await;
    refused.expect(403);
    assert_eq!(refused.code(), "field_not_allowed");
    let refused = call(
        Method::PATCH,
        app,
        json!({"name": "Again", "integrationId": "app-2"}),
    )
    .await;
    refused.expect(403);
    assert_eq!(refused.code(), "field_not_allowed");
    call(Method::DELETE, app, Value::Null).await.expect(403);
    call(Method::POST, "/v1/exports/exp-app/clone", Value::Null)
        .await
        .expect(403);
    let into_app = json!({"name": "Stowaway", "integrationId": "app-1"});
    let refused = call(Method::POST, "/v1/exports", into_app).await;
    refused.expect(403);
    assert_eq!(refused.code(), "integration_app_data");
    let unchanged = call(Method::GET, app, Value::Null).await.expect(200);
    assert_eq!(unchanged["name"], "Renamed");
    assert_eq!(unchanged["settings"], json!({}));
}

#[tokio::test]
async fn a_custom_scope_reads_and_invokes_what_it_lists_and_changes_nothing() {
    let stack = Stack::from_env();
    let account = Account::create(&stack, "custom-scope", "standard").await;
    account.add_resource("export", "same-id", None).await;
    account.add_resource("import", "same-id", None).await;
    let scope = json!({"type": "custom", "exports": ["same-id"]});
    let (_, secret) = account
        .create_token(json!({"name": "One export", "autoPurge": "1h", "scope": scope}))
        .await;
    let table = [
        (Method::GET, "/v1/exports/same-id", Value::Null, 200),
        (Method::POST, "/v1/exports/same-id/invoke", Value::Null, 200),
        (Method::GET, "/v1/exports/same-id/debug", Value::Null, 200),
        (Method::GET, "/v1/imports/same-id", Value::Null, 403),
        (Method::GET, "/v1/exports", Value::Null, 403),
        (Method::POST, "/v1/exports", json!({"name": "New"}), 403),
        (
            Method::PATCH,
            "/v1/exports/same-id",
            json!({"name": "New"}),
            403,
        ),
        (
            Method::PUT,
            "/v1/exports/same-id",
            json!({"name": "New"}),
            403,
        ),
        (Method::DELETE, "/v1/exports/same-id", Value::Null, 403),
        (Method::POST, "/v1/exports/same-id/clone", Value::Null, 403),
    ];
    for (method, path, body, status) in table {
        let answer = call(&account, &secret, method.clone(), path, body).await;
        assert_eq!(answer.status, status, "{method} {path}: {}", answer.text);
    }
}

#[tokio::test]
async fn an_integration_app_token_invokes_and_debugs_inside_its_app_only() {
    let stack = Stack::from_env();
    let account = Account::create(&stack, "app-token", "standard").await;
    account
        .add_resource("export", "exp-app", Some("app-1"))
        .await;
    account
        .add_resource("import", "imp-app", Some("app-1"))
        .await;
    account
        .add_resource("export", "exp-foreign", Some("app-2"))
        .await;
    account.add_resource("export", "exp-own", None).await;
    let (_, secret) = account
        .create_token(json!({
            "name": "The app's",
            "kind": "integrationApp",
            "integrationId": "app-1",
            "autoPurge": "1h",
            "scope": {"type": "full"},
        }))
        .await;
    assert!(secret.starts_with("lki_"));
    let records = json!([{"order": 1}]);
    let table = [
        (Method::POST, "/v1/exports/exp-app/invoke", Value::Null, 200),
        (Method::POST, "/v1/imports/imp-app/invoke", records, 200),
        (Method::GET, "/v1/exports/exp-app/debug", Value::Null, 200),
        (
            Method::POST,
            "/v1/exports/exp-foreign/invoke",
            Value::Null,
            403,
        ),
        (Method::POST, "/v1/exports/exp-own/invoke", Value::Null, 403),
        (
            Method::GET,
            "/v1/exports/exp-foreign/debug",
            Value::Null,
            403,
        ),
        (Method::GET, "/v1/exports/exp-app", Value::Null, 403),
        (Method::GET, "/v1/exports", Value::Null, 403),
        (Method::POST, "/v1/exports", json!({"name": "New"}), 403),
        (
            Method::PATCH,
            "/v1/exports/exp-app",
            json!({"name": "New"}),
            403,
        ),
        (Method::DELETE, "/v1/exports/exp-app", Value::Null, 403),
    ];
    for (method, path, body, status) in table {
        let answer = call(&account, &secret, method.clone(), path, body).await;
        assert_eq!(answer.status, status, "{method} {path}: {}", answer.text);
    }
}

#[tokio::test]
async fn a_token_works_from_its_addresses_only() {
    let stack = Stack::from_env();
    let account = Account::create(&stack, "addresses", "standard").await;
    account.add_resource("export", "exp", None).await;
    for (cidrs, status) in [
        (json!(["10.0.0.0/8"]), 403),
        (json!(["127.0.0.0/8"]), 200),
        (json!(["10.0.0.0/8", "127.0.0.1"]), 200),
        (json!(["::1/128"]), 403),
    ] {
        let mut body = full("From somewhere");
        body["allowedCidrs"] = cidrs.clone();
        let (_, secret) = account.create_token(body).await;
        let answer = call(
            &account,
            &secret,
            Method::GET,
            "/v1/exports/exp",
            Value::Null,
        )
        .await;
        assert_eq!(answer.status, status, "{cidrs}: {}", answer.text);
    }
}

#[tokio::test]
async fn what_is_not_a_good_secret_is_refused() {
    let stack = Stack::from_env();
    let account = Account::create(&stack, "no-secret", "standard").await;
    account.add_resource("export", "exp", None).await;
    let (_, secret) = account.create_token(full("Good")).await;
    let path = "/v1/exports/exp";
    send(stack.protected(Method::GET, path)).await.expect(401);
    let mut mistyped = secret.clone();
    mistyped.replace_range(10..11, if &secret[10..11] == "x" { "y" } else { "x" });
    for bad in [&mistyped, &secret[..52], "lka_", &account.owner.access] {
        let answer = call(&account, bad, Method::GET, path, Value::Null).await;
        answer.expect(403);
    }
    call(&account, &secret, Method::GET, path, Value::Null)
        .await
        .expect(200);
}

#[tokio::test]
async fn twenty_first_calls_at_once_leave_one_access_record() {
    let stack = Stack::from_env();
    let account = Account::create(&stack, "at-once", "standard").await;
    account.add_resource("export", "exp", None).await;
    let (token, secret) = account.create_token(full("Busy")).await;
    let calls = (0..20).map(|_| {
        call(
            &account,
            &secret,
            Method::GET,
            "/v1/exports/exp",
            Value::Null,
        )
    });
    for answer in join_all(calls).await {
        answer.expect(200);
    }
    let accesses = account.audit("action=access").await;
    assert_eq!(accesses.len(), 1, "{accesses:?}");
    assert_eq!(accesses[0]["resource"]["id"], json!(token));
    // There is also only one mail about the access; the one about the creation precedes it.
    let mails = eventually("two mails", async || {
        let mails = account.mails_to(&account.owner).await;
        (mails.len() >= 2).then_some(mails)
    })
    .await;
    assert_eq!(mails.len(), 2);
}
