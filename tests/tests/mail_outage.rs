//! Mails survive an outage of SES. This test has its own file, so that no other one runs at the same time.

use end_to_end::{Account, Stack, eventually};
use serde_json::{Value, json};

#[tokio::test]
async fn a_mail_that_ses_refuses_is_sent_by_a_later_attempt_and_only_once() {
    let stack = Stack::from_env();
    let account = Account::create(&stack, "outage", "standard").await;
    let bounced = Account::create(&stack, "outage-bounced", "standard").await;
    stack.refuse_mails(true).await;
    stack
        .invoke_in_vain("RecordMailFeedback", bounce(&bounced))
        .await;
    let body = json!({"name": "Unheard of", "autoPurge": "1h", "scope": {"type": "full"}});
    let (token, _) = account.create_token(body).await;
    let record = eventually("the stream's record", async || {
        let mut records = stack.stream(stack.get("auditTable")).await;
        records.retain(|record| record["dynamodb"]["NewImage"]["tokenId"]["S"] == token);
        records.pop()
    })
    .await;

    // The test makes Lambda's attempts itself, since the local cloud doesn't retry a batch of which the function
    // reports a part as failed.
    let sequence_number = &record["dynamodb"]["SequenceNumber"];
    let failed = attempt(&stack, &record).await;
    stack.refuse_mails(false).await;
    for _ in 0..2 {
        stack.invoke("RecordMailFeedback", bounce(&bounced)).await;
    }
    assert_eq!(bounced.mails_to(&bounced.owner).await.len(), 1);
    assert_eq!(failed, json!([{"itemIdentifier": sequence_number}]));
    assert!(account.mails_to(&account.owner).await.is_empty());

    eventually("an attempt that succeeds", async || {
        (attempt(&stack, &record).await == json!([])).then_some(())
    })
    .await;
    assert_eq!(attempt(&stack, &record).await, json!([]));
    for person in [&account.owner, &account.administrator] {
        let mails = account.mails_to(person).await;
        assert_eq!(mails.len(), 1, "{mails:?}");
    }
}

/// SES's event about a mail to the administrator that came back.
fn bounce(account: &Account) -> Value {
    let sample = include_str!("../../events/record-mail-feedback/bounce.json");
    let mut event: Value = serde_json::from_str(sample).expect("JSON");
    event["detail"]["mail"]["destination"] = json!([account.administrator.email]);
    event["detail"]["mail"]["tags"]["account"] = json!([account.id]);
    event
}

/// Sends a record of the audit log's stream to the function, and returns the failures that it reports.
async fn attempt(stack: &Stack, record: &Value) -> Value {
    let mut answer = stack
        .invoke("SendNotifications", json!({"Records": [record]}))
        .await;
    answer["batchItemFailures"].take()
}
