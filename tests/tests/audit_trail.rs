//! What the watch finds in the local cloud's record of calls: decryptions that go around the API, and changes of what
//! protects the stack.
//!
//! The local cloud's record differs from CloudTrail's: it has the requests' own names of parameters, no services that
//! call for somebody, and no page after the first. Samples of CloudTrail's own form are in `latchkey::testing`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use end_to_end::{Account, Stack, eventually, send};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

/// The hourly event that reads what has just happened: a run leaves the last five minutes to the next one.
#[expect(
    clippy::disallowed_methods,
    reason = "the event has the local cloud's time, which is the machine's"
)]
fn hour() -> Value {
    let sample = include_str!("../../events/watch-trail/hour.json");
    let mut event: Value = serde_json::from_str(sample).expect("JSON");
    event["time"] = json!((Timestamp::now() + SignedDuration::from_mins(6)).to_string());
    event
}

/// The findings that the function has told, in the order of the log.
async fn findings(stack: &Stack) -> Vec<Value> {
    let lines = stack.logs().await.into_iter();
    let own = lines.filter(|(group, _)| group.ends_with("/WatchTrail"));
    let lines = own.filter_map(|(_, line)| serde_json::from_str::<Value>(&line).ok());
    lines.filter(|line| line["finding"].is_string()).collect()
}

/// Waits until the watch's log has a finding, and returns the findings like it.
async fn found(stack: &Stack, what: &str, is_it: impl Fn(&Value) -> bool) -> Vec<Value> {
    eventually(what, async || {
        let mut found = findings(stack).await;
        found.retain(&is_it);
        (!found.is_empty()).then_some(found)
    })
    .await
}

/// The ARN of the key that encrypts secrets.
async fn secrets_key(stack: &Stack) -> String {
    let function = stack.function("RevealToken").await;
    let key = &function["Environment"]["Variables"]["SECRETS_KEY_ID"];
    key.as_str().expect("a key").to_owned()
}

#[tokio::test]
async fn a_secret_that_an_administrator_decrypts_is_found_and_one_that_is_shown_is_not() {
    let stack = Stack::from_env();
    let account = Account::create(&stack, "watched", "enterprise").await;
    let full = |name: &str| json!({"name": name, "autoPurge": "1d", "scope": {"type": "full"}});
    let (shown, _) = account.create_token(full("Shown")).await;
    let (stolen, secret) = account.create_token(full("Stolen")).await;
    let reveal = account.post(&account.owner, &format!("/tokens/{shown}/reveal"));
    send(reveal).await.expect(200);

    // What whoever has the AWS account can do.
    let partition = format!("ACCOUNT#{}", account.id);
    let item = stack.item(&partition, &format!("TOKEN#{stolen}")).await;
    let request = json!({
        "KeyId": secrets_key(&stack).await,
        "CiphertextBlob": item["ciphertext"]["B"],
        "EncryptionContext": {"accountId": account.id, "tokenId": stolen},
    });
    let opened = stack.aws("kms", "TrentService.Decrypt", request).await;
    let plain = opened["Plaintext"].as_str().expect("a text");
    let plain = STANDARD.decode(plain);
    assert_eq!(plain.expect("base64"), secret.as_bytes());

    let is_of = |token: &str| {
        let token = json!(token);
        move |line: &Value| line["token_id"] == token
    };
    stack.invoke("WatchTrail", hour()).await;
    let lines = found(&stack, "the decryption", is_of(&stolen)).await;
    let [line] = &lines[..] else {
        panic!("not one finding: {lines:?}")
    };
    assert_eq!(line["level"], "ERROR");
    assert_eq!(line["finding"], "unrecorded_decryption");
    assert_eq!(line["event_name"], "Decrypt");
    assert_eq!(line["account_id"], json!(account.id));
    assert!(
        line["principal"]
            .as_str()
            .expect("an ARN")
            .starts_with("arn:")
    );
    assert!(!line.to_string().contains(&secret));

    // The next hour's run reads it again, and tells nothing new.
    stack.invoke("WatchTrail", hour()).await;
    let all = findings(&stack).await;
    assert_eq!(all.iter().filter(|line| is_of(&stolen)(line)).count(), 1);
    assert_eq!(all.iter().filter(|line| is_of(&shown)(line)).count(), 0);
}

#[tokio::test]
async fn whoever_changes_a_key_or_a_table_is_told_of() {
    let stack = Stack::from_env();
    let key = secrets_key(&stack).await;
    let id = key.rsplit('/').next().expect("an id").to_owned();
    // The changes leave everything as it is.
    let policy = json!({"KeyId": key, "PolicyName": "default"});
    let policy = stack.aws("kms", "TrentService.GetKeyPolicy", policy).await;
    let same = json!({"KeyId": key, "PolicyName": "default", "Policy": policy["Policy"]});
    stack.aws("kms", "TrentService.PutKeyPolicy", same).await;
    let table = stack.get("auditTable").to_owned();
    let same = json!({"TableName": table, "DeletionProtectionEnabled": false});
    let target = "DynamoDB_20120810.UpdateTable";
    stack.aws("dynamodb", target, same).await;

    stack.invoke("WatchTrail", hour()).await;
    for (name, resource) in [("PutKeyPolicy", &id), ("UpdateTable", &table)] {
        let is_it =
            |line: &Value| line["event_name"] == name && line["resource"] == json!(resource);
        let lines = found(&stack, name, is_it).await;
        let change = json!("change");
        assert!(lines.iter().all(|line| line["finding"] == change));
        assert!(lines.iter().all(|line| line["level"] == "ERROR"));
    }
}
