//! The audit log tells of a change of its own records.

use end_to_end::{Account, Stack, eventually};
use serde_json::json;

#[tokio::test]
async fn a_record_that_somebody_changes_leaves_another_record_and_is_mailed() {
    let stack = Stack::from_env();
    let account = Account::create(&stack, "tampered", "standard").await;
    let body = json!({"name": "Watched", "autoPurge": "1h", "scope": {"type": "full"}});
    account.create_token(body).await;
    let [record] = &account.audit("action=create").await[..] else {
        panic!("not one creation")
    };
    // No function may do this, only who has the AWS account.
    let request = json!({
        "TableName": stack.get("auditTable"),
        "Key": {"pk": {"S": format!("ACCOUNT#{}", account.id)}, "sk": {"S": record["id"]}},
        "UpdateExpression": "SET userAgent = :other",
        "ConditionExpression": "attribute_exists(pk)",
        "ExpressionAttributeValues": {":other": {"S": "another"}},
    });
    stack
        .aws("dynamodb", "DynamoDB_20120810.UpdateItem", request)
        .await;
    let told = eventually("the record of the change", async || {
        account.audit("action=tamper").await.pop()
    })
    .await;
    assert_eq!(told["tokenId"], record["tokenId"]);
    for person in [&account.owner, &account.administrator] {
        eventually("the mail about the change", async || {
            let mails = account.mails_to(person).await;
            // The first one is about the creation.
            (mails.len() == 2).then_some(())
        })
        .await;
    }
}
