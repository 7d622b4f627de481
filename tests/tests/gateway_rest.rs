//! The authorizer on a REST API. Unlike an HTTP API, it distinguishes an invalid token (401) from a valid one on the
//! wrong resource (403).

use end_to_end::{Account, Answer, Stack, send};
use reqwest::Method;
use serde_json::{Value, json};

async fn call(stack: &Stack, secret: &str, method: Method, path: &str, body: Value) -> Answer {
    let request = stack.protected_rest(method, path).bearer_auth(secret);
    send(if body.is_null() {
        request
    } else {
        request.json(&body)
    })
    .await
}

fn token(name: &str, scope: Value) -> Value {
    json!({"name": name, "autoPurge": "1h", "scope": scope})
}

#[tokio::test]
async fn a_good_token_gets_200_in_its_scope_and_403_outside_of_it() {
    let stack = Stack::from_env();
    let account = Account::create(&stack, "rest-scope", "standard").await;
    account.add_resource("export", "exp", None).await;
    account.add_resource("export", "other", None).await;
    let scope = json!({"type": "custom", "exports": ["exp"]});
    let (token, secret) = account.create_token(token("One export", scope)).await;
    let read = call(&stack, &secret, Method::GET, "/v1/exports/exp", Value::Null).await;
    assert_eq!(read.expect(200)["id"], "exp");
    for (method, path, status) in [
        (Method::POST, "/v1/exports/exp/invoke", 200),
        (Method::GET, "/v1/exports/other", 403),
        (Method::DELETE, "/v1/exports/exp", 403),
        (Method::GET, "/v1/exports", 403),
    ] {
        let answer = call(&stack, &secret, method.clone(), path, Value::Null).await;
        assert_eq!(answer.status, status, "{method} {path}: {}", answer.text);
        if status == 403 {
            assert_eq!(answer.code(), "insufficient_scope", "{}", answer.text);
        }
    }
    let accesses = account.audit("action=access").await;
    assert_eq!(accesses.len(), 1, "{accesses:?}");
    assert_eq!(accesses[0]["resource"]["id"], json!(token));
}

#[tokio::test]
async fn a_bad_token_gets_401_and_a_revoked_one_does_with_the_next_request() {
    let stack = Stack::from_env();
    let account = Account::create(&stack, "rest-refused", "standard").await;
    account.add_resource("export", "exp", None).await;
    let full = || token("Everything", json!({"type": "full"}));
    let (id, secret) = account.create_token(full()).await;
    let path = "/v1/exports/exp";
    let get = async |secret: &str| call(&stack, secret, Method::GET, path, Value::Null).await;

    let missing = send(stack.protected_rest(Method::GET, path)).await;
    missing.expect(401);
    assert_eq!(missing.header("www-authenticate"), "Bearer");
    let mut mistyped = secret.clone();
    mistyped.replace_range(10..11, if &secret[10..11] == "x" { "y" } else { "x" });
    for bad in [mistyped.as_str(), "lka_", &account.owner.access] {
        let refused = get(bad).await;
        refused.expect(401);
        assert_eq!(refused.code(), "invalid_token", "{}", refused.text);
    }
    let mut elsewhere = full();
    elsewhere["allowedCidrs"] = json!(["10.0.0.0/8"]);
    let (_, elsewhere) = account.create_token(elsewhere).await;
    get(&elsewhere).await.expect(401);

    get(&secret).await.expect(200);
    let revoke = account.post(&account.owner, &format!("/tokens/{id}/revoke"));
    send(revoke).await.expect(200);
    get(&secret).await.expect(401);
    let reactivate = account.post(&account.owner, &format!("/tokens/{id}/reactivate"));
    send(reactivate).await.expect(200);
    get(&secret).await.expect(200);
}

#[tokio::test]
async fn the_obligations_reach_the_api_and_are_kept() {
    let stack = Stack::from_env();
    let account = Account::create(&stack, "rest-obligations", "standard").await;
    account
        .add_resource("export", "exp-app", Some("app-1"))
        .await;
    let full = token("Everything", json!({"type": "full"}));
    let (_, secret) = account.create_token(full).await;
    let call = async |method, path: &str, body| call(&stack, &secret, method, path, body).await;
    let app = "/v1/exports/exp-app";
    let renamed = call(Method::PATCH, app, json!({"name": "Renamed"})).await;
    assert_eq!(renamed.expect(200)["name"], "Renamed");
    let refused = call(Method::PATCH, app, json!({"settings": {"records": []}})).await;
    refused.expect(403);
    assert_eq!(refused.code(), "field_not_allowed");
    let into_app = json!({"name": "Stowaway", "integrationId": "app-1"});
    let refused = call(Method::POST, "/v1/exports", into_app).await;
    refused.expect(403);
    assert_eq!(refused.code(), "integration_app_data");
    let created = call(Method::POST, "/v1/exports", json!({"name": "Own"})).await;
    let created = format!(
        "/v1/exports/{}",
        created.expect(201)["id"].as_str().unwrap()
    );
    call(Method::DELETE, &created, Value::Null)
        .await
        .expect(204);
    let list = call(Method::GET, "/v1/exports?limit=10", Value::Null).await;
    assert_eq!(list.expect(200)["exports"].as_array().unwrap().len(), 1);
}
