//! The API tokens page, in a real browser.

mod audit;
mod form;
mod frame;
mod keyboard;
mod list;
mod token;
mod views;

use std::time::Duration;

use end_to_end::Target::{Button, Css, Field};
use end_to_end::{Account, Browser, Stack, eventually, in_browser, send};
use reqwest::Method;
use serde_json::{Value, json};

fn full(name: &str) -> Value {
    json!({"name": name, "autoPurge": "30d", "scope": {"type": "full"}})
}

fn list(account: &Account) -> String {
    format!("#/accounts/{}", account.id)
}

/// The names in the list, from top to bottom.
const NAMES: &str =
    "[...document.querySelectorAll('.tokens tbody .name')].map((e) => e.textContent)";

async fn names(browser: &Browser, names: &[&str]) {
    let names = json!(names).to_string();
    browser
        .until(&format!("JSON.stringify({NAMES}) === {}", json!(names)))
        .await;
}

async fn choose_action(browser: &Browser, token: &str, action: &str) {
    browser.click(Button(&format!("Actions for {token}"))).await;
    browser.click(Button(action)).await;
}

async fn token(account: &Account, id: &str) -> Value {
    let answer = send(account.get(&account.owner, &format!("/tokens/{id}"))).await;
    answer.expect(200)
}

/// The status with which an API behind the authorizer answers a secret.
async fn status_with(account: &Account, secret: &str) -> u16 {
    let call = account.stack.protected(Method::GET, "/v1/connections");
    send(call.bearer_auth(secret)).await.status
}

/// Revokes a secret permanently, as its holder can.
async fn give_up(account: &Account, secret: &str) {
    let revoke = account.stack.api(Method::POST, "/v1/revoke");
    send(revoke.form(&[("token", secret)])).await.expect(200);
}

/// Replaces a token's secret with a grace period of one hour. Returns the new secret.
async fn replace(account: &Account, id: &str) -> String {
    replace_within(account, id, 3600).await
}

/// Replaces a token's secret. The old one works for that many seconds more.
async fn replace_within(account: &Account, id: &str, grace: u32) -> String {
    let regenerate = account.post(&account.owner, &format!("/tokens/{id}/regenerate"));
    let answer = send(regenerate.json(&json!({"gracePeriodSeconds": grace}))).await;
    let secret = answer.expect(200)["secret"].take();
    secret.as_str().expect("a secret").to_owned()
}

/// Checks the files that a browser loads through the gateway to show the page.
#[tokio::test]
async fn the_page_is_open_to_everybody_closed_to_strangers_and_small() {
    let stack = Stack::from_env();
    let load = async |path: &str| {
        let request = stack
            .api(Method::GET, path)
            .header("accept-encoding", "gzip");
        let answer = request.send().await.expect("an answer");
        let status = answer.status().as_u16();
        let headers = answer.headers().clone();
        (status, headers, answer.bytes().await.expect("a body"))
    };
    let page = send(stack.api(Method::GET, "/")).await;
    assert_eq!(page.status, 200);
    let policy = page.header("content-security-policy");
    let token_endpoint = format!("connect-src 'self' {};", stack.get("endpointUrl"));
    assert!(policy.contains(&token_endpoint), "{policy}");
    assert!(!policy.contains("unsafe"), "{policy}");
    let named = page.text.split("=\"assets/").skip(1);
    let files = named.filter_map(|rest| Some(format!("/assets/{}", rest.split('"').next()?)));
    let mut total = 0;
    for path in files.chain(["/".to_owned(), "/config.json".to_owned()]) {
        let (status, headers, body) = load(&path).await;
        assert_eq!(status, 200, "{path}");
        assert_eq!(headers["content-encoding"], "gzip", "{path}");
        assert_eq!(headers["content-security-policy"], policy, "{path}");
        assert_eq!(headers["x-content-type-options"], "nosniff", "{path}");
        total += body.len();
    }
    assert!(total < 105_000, "{total} bytes");
    let tag = page.header("etag");
    let again = stack.api(Method::GET, "/").header("if-none-match", tag);
    assert_eq!(send(again).await.status, 304);
    let config = send(stack.api(Method::GET, "/config.json"))
        .await
        .expect(200);
    assert_eq!(config["clientId"], stack.get("clientId"));
    // Other paths, such as those of the API, don't return the page.
    for (path, status) in [
        ("/assets/old/app.js", 404),
        ("/index.html", 404),
        ("/v1/accounts", 401),
    ] {
        assert_eq!(load(path).await.0, status, "{path}");
    }
}
