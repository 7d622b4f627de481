//! Tests of the command as operators run it.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::process::Output;

use latchkey::ports::GetAccount;
use latchkey::testing::{Engine, acme};
use tokio::process::Command;

const PROFILE: &str = include_str!(concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../shared/src/store/tests/fixtures/v1/profile.json"
));

async fn run(engine: &Engine, options: &[&str]) -> Output {
    call(engine, "migrate", options).await
}

async fn call(engine: &Engine, command: &str, options: &[&str]) -> Output {
    let tables = Engine::tables();
    Command::new(env!("CARGO_BIN_EXE_latchkey-admin"))
        .args([command, "--audit-retention-days=400"])
        .args(["--tokens-table", &tables.tokens])
        .args(["--audit-table", &tables.audit])
        .args(options)
        .env_clear()
        .env("AWS_ACCESS_KEY_ID", "test")
        .env("AWS_SECRET_ACCESS_KEY", "test")
        .env("AWS_REGION", "us-east-1")
        .env("AWS_ENDPOINT_URL", engine.aws.endpoint_url().unwrap())
        .output()
        .await
        .unwrap()
}

fn said(output: &Output) -> &str {
    std::str::from_utf8(&output.stdout).unwrap()
}

#[tokio::test]
async fn it_says_what_it_does_and_whether_all_is_done() {
    let engine = Engine::start().await;
    engine.load_tokens(&[serde_json::from_str(PROFILE).unwrap()]);
    let told = run(&engine, &["--dry-run"]).await;
    assert_eq!(said(&told), "accounts copied: 1\n", "{told:?}");
    assert!(told.status.success());
    let account = acme().id;
    assert_eq!(engine.store.get_account(&account).await.unwrap(), None);
    for (options, expected) in [
        (&[][..], "accounts copied: 1\n"),
        (&["--after-switch"][..], "old items removed: 1\n"),
        (&["--after-switch"][..], "nothing to do\n"),
    ] {
        let done = run(&engine, options).await;
        assert_eq!(said(&done), expected, "{done:?}");
        assert!(done.status.success());
    }
    let account = engine.store.get_account(&account).await.unwrap();
    assert_eq!(account, Some(acme()));

    let odd = PROFILE.replace("\"enterprise\"", "\"enormous\"");
    engine.load_tokens(&[serde_json::from_str(&odd).unwrap()]);
    let failed = run(&engine, &[]).await;
    assert!(said(&failed).starts_with("not migrated: ACCOUNT#acme PROFILE: "));
    assert_eq!(failed.status.code(), Some(1));
}

#[tokio::test]
async fn an_account_that_exists_is_not_removed() {
    let engine = Engine::with_accounts().await;
    let before = engine.dump().await;
    let leave = async |account: &str| call(&engine, "leave", &["--account", account]).await;
    let refused = leave("acme").await;
    assert!(said(&refused).starts_with("stopped: the account exists"));
    assert_eq!(refused.status.code(), Some(1));
    let unknown = leave("nobody").await;
    assert_eq!(said(&unknown), "nothing is stored of it\n", "{unknown:?}");
    assert!(unknown.status.success());
    assert_eq!(engine.dump().await, before);
}

/// Neither credentials nor a region are in its environment.
#[tokio::test]
async fn quotas_are_computed_without_aws() {
    let load = [
        "--verifications-per-second=1000",
        "--accounts=10",
        "--tokens=50",
    ];
    let computed = Command::new(env!("CARGO_BIN_EXE_latchkey-admin"))
        .arg("quotas")
        .args(load)
        .env_clear()
        .output()
        .await
        .unwrap();
    assert!(computed.status.success(), "{computed:?}");
    assert!(said(&computed).contains("  Lambda: Concurrent executions\n"));
}
