//! The events of SES about mails, and held mails. The local cloud's SES sends no events, and its members have large
//! budgets, so the test makes both.

use end_to_end::{Account, Stack, eventually};
use serde_json::{Value, json};

fn bounce(account: &Account, address: &str) -> Value {
    let sample = include_str!("../../events/record-mail-feedback/bounce.json");
    let mut event: Value = serde_json::from_str(sample).expect("JSON");
    event["detail"]["mail"]["destination"] = json!([address]);
    event["detail"]["mail"]["tags"]["account"] = json!([account.id]);
    event
}

fn of_subject(mails: Vec<Value>, part: &str) -> Vec<Value> {
    let about = |mail: &Value| mail["Subject"].as_str().unwrap_or_default().contains(part);
    mails.into_iter().filter(about).collect()
}

#[tokio::test]
async fn an_address_that_bounces_gets_no_more_mails_and_the_owner_is_told_once() {
    let stack = Stack::from_env();
    let account = Account::create(&stack, "bounced", "enterprise").await;
    for _ in 0..2 {
        let event = bounce(&account, &account.administrator.email);
        stack.invoke("RecordMailFeedback", event).await;
    }
    let told = of_subject(account.mails_to(&account.owner).await, "A colleague");
    assert_eq!(told.len(), 1, "{told:?}");
    let text = told[0]["BodyText"].as_str().expect("a text");
    assert!(text.contains(&account.administrator.email), "{text}");

    let body = json!({"name": "Unheard of", "autoPurge": "1h", "scope": {"type": "full"}});
    account.create_token(body).await;
    eventually("the owner's mail", async || {
        let mails = of_subject(account.mails_to(&account.owner).await, "was created");
        (!mails.is_empty()).then_some(())
    })
    .await;
    let [record] = &account.audit("action=create").await[..] else {
        panic!("not one creation")
    };
    let marker = format!("MAIL#{}", record["id"].as_str().expect("an id"));
    let recipient = format!("USER#{}", account.administrator.id);
    eventually("the administrator's turn", async || {
        let item = stack.item(&marker, &recipient).await;
        (item["state"]["S"] == "sent").then_some(())
    })
    .await;
    assert!(account.mails_to(&account.administrator).await.is_empty());
}

#[tokio::test]
async fn what_was_held_back_is_sent_in_one_mail() {
    let stack = Stack::from_env();
    let account = Account::create(&stack, "held", "enterprise").await;
    let (id, user, hour) = (&account.id, &account.owner.id, "2026-01-05T10:00:00Z");
    let put = async |item: Value| {
        let request = json!({"TableName": stack.get("tokensTable"), "Item": item});
        stack
            .aws("dynamodb", "DynamoDB_20120810.PutItem", request)
            .await;
    };
    for number in 0..3 {
        let audit = format!("aud_01ARZ3NDEKTSV4RRFFQ69G5FA{number}");
        put(json!({
            "pk": {"S": format!("DIGEST#{id}#{user}")},
            "sk": {"S": format!("{hour}#{audit}")},
            "auditId": {"S": audit},
            "time": {"S": format!("2026-01-05T10:0{number}:00.000Z")},
            "action": {"S": "update"},
            "tokenId": {"S": "tok_01ARZ3NDEKTSV4RRFFQ69G5FAV"},
            "tokenName": {"S": "Warehouse sync"},
            "tokenHint": {"S": "ab12"},
            "who": {"M": {
                "id": {"S": user},
                "email": {"S": account.owner.email},
                "name": {"S": account.owner.name},
            }},
        }))
        .await;
    }
    let pending = format!("{hour}#{id}#{user}");
    put(json!({"pk": {"S": "DIGESTS"}, "sk": {"S": pending}})).await;
    let schedule: Value =
        serde_json::from_str(include_str!("../../events/send-digests/quarter.json")).expect("JSON");
    for _ in 0..2 {
        stack.invoke("SendDigests", schedule.clone()).await;
    }
    let mails = of_subject(account.mails_to(&account.owner).await, "3 more events");
    assert_eq!(mails.len(), 1, "{mails:?}");
    let text = mails[0]["BodyText"].as_str().expect("a text");
    for number in 0..3 {
        assert!(
            text.contains(&format!("10:0{number} UTC: The member")),
            "{text}"
        );
    }
    assert!(stack.item("DIGESTS", &pending).await.is_null());
}
