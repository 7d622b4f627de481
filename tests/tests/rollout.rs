//! Releases on the local cloud: a deployment moves every alias, a rollback moves it back, and the probe tells whether the
//! service works. The local cloud has no CodeDeploy and ignores weights, so calls move all at once here.

use std::path::{Path, PathBuf};

use end_to_end::{Account, Stack};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::process::Command;

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// Runs `cloud.py own` for this suite's cloud. Returns what it prints.
async fn own(arguments: &[&str]) -> String {
    let done = Command::new("python3")
        .arg(format!("{ROOT}/infra/local/cloud.py"))
        .args(["own", "rollout"])
        .args(arguments)
        .output()
        .await
        .expect("Python");
    let [text, error] =
        [done.stdout, done.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    assert!(done.status.success(), "{text}{error}");
    text
}

/// Runs what `make rollback` and `make deploy` run. Returns whether it succeeded, and what it said.
async fn rollout(stack: &Stack, arguments: &[&str]) -> (bool, String) {
    let done = Command::new(format!("{ROOT}/.local/tools/sam/bin/python"))
        .arg(format!("{ROOT}/infra/rollout.py"))
        .args(arguments)
        .env("AWS_ENDPOINT_URL", stack.get("endpointUrl"))
        .env("AWS_DEFAULT_REGION", stack.get("region"))
        .env("AWS_ACCESS_KEY_ID", "test")
        .env("AWS_SECRET_ACCESS_KEY", "test")
        .env("AWS_CONFIG_FILE", "/dev/null")
        .env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
        .output()
        .await
        .expect("the SAM tool's Python");
    let [text, error] =
        [done.stdout, done.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    (done.status.success(), format!("{text}{error}"))
}

/// The address of the MCP server that the page shows: what a release changes in this test.
async fn shown(stack: &Stack) -> Value {
    let answer = end_to_end::send(stack.api(Method::GET, "/config.json")).await;
    answer.expect(200)["mcpUrl"].clone()
}

/// The version that the authorizer's callers call.
async fn called(stack: &Stack, function: &str) -> u32 {
    let function = stack.function(function).await;
    let name = function["FunctionName"].as_str().expect("a name");
    let version = stack.called_version(name).await;
    version.parse().expect("a number")
}

#[tokio::test]
async fn the_probe_finds_nothing_wrong_with_the_service() {
    let stack = Stack::from_env();
    let (succeeded, said) = rollout(&stack, &["probe"]).await;
    assert!(succeeded, "{said}");
    assert_eq!(said, "The probe found nothing wrong.\n");
    // Its account has no other token, no mail went out, and no secret of it is anywhere.
    let mails = stack.mails().await;
    let about = mails
        .iter()
        .filter(|mail| mail.to_string().contains("latchkey-probe"));
    assert_eq!(about.count(), 0);
    let items = stack.scan(stack.get("tokensTable")).await;
    let tokens = items.iter().filter(|item| {
        let [pk, sk] = ["pk", "sk"].map(|name| item[name]["S"].as_str().unwrap_or_default());
        pk == "ACCOUNT#latchkey-probe" && sk.starts_with("TOKEN#")
    });
    assert_eq!(tokens.count(), 0);
}

/// Lambda tells the function through which alias it is invoked.
#[tokio::test]
async fn through_the_probes_alias_a_function_acts_on_the_probes_account_only() {
    let stack = Stack::from_env();
    let account = Account::create(&stack, "unprobed", "enterprise").await;
    let body = json!({"name": "Kept", "autoPurge": "never", "scope": {"type": "full"}});
    let (token, _) = account.create_token(body).await;
    let sample = include_str!("../../events/get-token/get.json");
    let mut event: Value = serde_json::from_str(sample).expect("JSON");
    event["requestContext"]["authorizer"]["jwt"]["claims"]["sub"] = json!(account.owner.id);
    event["pathParameters"] = json!({"accountId": account.id, "tokenId": token});
    let function = stack.function("GetToken").await;
    let name = function["FunctionName"].as_str().expect("a name");
    for (alias, status) in [("live", 200), ("probe", 404)] {
        let invocation = stack.invocation(&format!("{name}:{alias}"), &event);
        let answer = end_to_end::send(invocation).await.expect(200);
        assert_eq!(answer["statusCode"], status, "{alias}: {answer}");
    }
}

#[tokio::test]
async fn a_rollback_brings_the_release_before_back_and_the_next_deployment_goes_forward() {
    // Without `make test`, the functions may be older than the code.
    let _built = Stack::from_env();
    own(&["--stop", "--purge"]).await;
    let output = own(&[]).await;
    let line: Value = serde_json::from_str(output.lines().last().expect("a line")).expect("JSON");
    let description = PathBuf::from(line["description"].as_str().expect("a path"));
    let stack = Stack::of(Path::new(&description));
    assert_eq!(called(&stack, "Authorize").await, 1);
    assert_eq!(shown(&stack).await, Value::Null);
    // The second version has the address that this cloud has.
    assert_eq!(called(&stack, "Probe").await, 2);
    let (succeeded, said) = rollout(&stack, &["probe"]).await;
    assert!(succeeded, "{said}");

    own(&["--deploy", "McpUrl=https://mcp.example/bad"]).await;
    assert_eq!(called(&stack, "Authorize").await, 2);
    assert_eq!(shown(&stack).await, "https://mcp.example/bad");

    let (succeeded, said) = rollout(&stack, &["rollback"]).await;
    assert!(succeeded, "{said}");
    assert!(
        said.contains("\nauthorize: version 2 -> 1 (")
            || said.starts_with("authorize: version 2 -> 1 ("),
        "{said}"
    );
    let all = stack.functions().await;
    let own_functions = all.iter().filter(|function| {
        let name = function["FunctionName"].as_str().unwrap_or_default();
        name.starts_with("latchkey-")
    });
    let count = own_functions.count();
    assert!(
        said.ends_with(&format!("Moved {count} of {count} functions.\n")),
        "{said}"
    );
    assert_eq!(called(&stack, "Authorize").await, 1);
    assert_eq!(shown(&stack).await, Value::Null);
    let (succeeded, said) = rollout(&stack, &["probe"]).await;
    assert!(succeeded, "{said}");

    own(&["--deploy", "McpUrl=https://mcp.example/good"]).await;
    assert_eq!(called(&stack, "Authorize").await, 3);
    assert_eq!(shown(&stack).await, "https://mcp.example/good");

    // One function alone. The version from which the first rollback went isn't one to go back to.
    let (succeeded, said) = rollout(&stack, &["rollback", "authorize"]).await;
    assert!(succeeded, "{said}");
    assert!(said.starts_with("authorize: version 3 -> 1 ("), "{said}");
    assert!(said.ends_with("Moved 1 of 1 functions.\n"), "{said}");
    assert_eq!(called(&stack, "TokenInfo").await, 3);
    let (_, said) = rollout(&stack, &["status"]).await;
    assert!(said.contains("authorize: version 1, of 3 ("), "{said}");
    assert!(said.contains("token-info: version 3 ("), "{said}");
    let (succeeded, said) = rollout(&stack, &["rollback", "authorize"]).await;
    assert!(!succeeded, "{said}");
    assert!(said.starts_with("authorize: stays at version 1;"), "{said}");
    let (succeeded, said) = rollout(&stack, &["rollback", "unknown"]).await;
    assert!(
        !succeeded && said.contains("there is no function unknown; there are authorize,"),
        "{said}"
    );
    own(&["--stop", "--purge"]).await;
}
