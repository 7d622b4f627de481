//! Tests of the example, as a real server with a real connection.

#![expect(clippy::disallowed_methods, reason = "presents secrets")]

#[path = "../examples/serve.rs"]
#[expect(dead_code, reason = "its `main` takes a port from the arguments")]
mod serve;

use std::net::SocketAddr;
use std::time::Duration;

use latchkey::domain::action::Action;
use latchkey::domain::change::NewToken;
use latchkey::ports::InsertToken;
use latchkey::testing::{Engine, audit, now, plain_secret, stored_token};
use secrecy::ExposeSecret;
use serde_json::Value;

#[tokio::test]
async fn a_token_opens_the_example_until_it_is_revoked() {
    let engine = Engine::with_accounts().await;
    let new = NewToken {
        stored: stored_token(),
        audit: audit(Action::Create, &stored_token().token, now(), 0),
        idempotency: None,
    };
    engine.store.insert_token(&new).await.unwrap();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let app = serve::app(engine.store.clone(), Duration::ZERO);
    let app = app.into_make_service_with_connect_info::<SocketAddr>();
    tokio::spawn(async { axum::serve(listener, app).await });
    let client = reqwest::Client::new();
    let get = async |path: &str, secret: Option<&str>| {
        let mut request = client.get(format!("http://{address}{path}"));
        if let Some(secret) = secret {
            request = request.bearer_auth(secret);
        }
        let answer = request.send().await.unwrap();
        let status = answer.status().as_u16();
        let body: Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap_or_default();
        (status, body)
    };
    let secret = plain_secret();
    let secret = Some(secret.expose_secret());
    let (status, body) = get("/v1/exports/exp_orders", secret).await;
    assert_eq!((status, &body["accountId"]), (200, &"acme".into()));
    let (status, body) = get("/v1/exports/exp_app", secret).await;
    assert_eq!((status, &body["code"]), (403, &"insufficient_scope".into()));
    let (status, body) = get("/v1/exports/exp_orders", None).await;
    assert_eq!((status, &body["code"]), (401, &"token_required".into()));
    let uses = engine.audit(&new.stored.token.account_id).await;
    let access = uses.iter().find(|record| record.action == Action::Access);
    assert!(access.unwrap().origin.ip.unwrap().is_loopback());

    engine.revoke(new.stored).await;
    let (status, body) = get("/v1/exports/exp_orders", secret).await;
    assert_eq!((status, &body["code"]), (401, &"invalid_token".into()));
}
