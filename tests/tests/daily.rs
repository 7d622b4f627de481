//! The daily schedules, with tokens that are made to look older than they are.

use end_to_end::{Account, Stack, eventually, send};
use reqwest::Method;
use serde_json::{Value, json};

/// The event that EventBridge sends.
fn schedule(id: &str) -> Value {
    json!({
        "version": "0",
        "id": id,
        "source": "aws.events",
        "detail-type": "Scheduled Event",
        "time": "2026-11-23T06:00:00Z",
        "detail": {},
    })
}

/// A time in UTC as mails tell it.
fn in_words(time: &str) -> String {
    const MONTHS: [&str; 12] = [
        "January",
        "February",
        "March",
        "April",
        "May",
        "June",
        "July",
        "August",
        "September",
        "October",
        "November",
        "December",
    ];
    let number = |digits: &str| digits.parse::<usize>().expect("a number");
    let (year, month, day) = (&time[..4], number(&time[5..7]), number(&time[8..10]));
    format!(
        "{day} {} {year} at {} UTC",
        MONTHS[month - 1],
        &time[11..16]
    )
}

/// Sets attributes of a token's item.
async fn set(account: &Account, token: &str, attributes: Value) {
    let attributes = attributes.as_object().expect("attributes");
    let sets: Vec<_> = attributes
        .keys()
        .map(|name| format!("{name} = :{name}"))
        .collect();
    let values: serde_json::Map<_, _> = attributes
        .iter()
        .map(|(name, value)| (format!(":{name}"), value.clone()))
        .collect();
    let update = json!({
        "TableName": account.stack.get("tokensTable"),
        "Key": {
            "pk": {"S": format!("ACCOUNT#{}", account.id)},
            "sk": {"S": format!("TOKEN#{token}")},
        },
        "UpdateExpression": format!("SET {}", sets.join(", ")),
        "ExpressionAttributeValues": values,
    });
    let target = "DynamoDB_20120810.UpdateItem";
    account.stack.aws("dynamodb", target, update).await;
}

fn full(name: &str, auto_purge: &str) -> Value {
    json!({"name": name, "autoPurge": auto_purge, "scope": {"type": "full"}})
}

#[tokio::test]
async fn a_token_that_ends_tomorrow_is_warned_of_once_by_record_and_mail() {
    let stack = Stack::from_env();
    let account = Account::create(&stack, "reminded", "enterprise").await;
    // This token's end is set as the other one's. Its lifetime is too short for a warning about itself.
    let (short, _) = account.create_token(full("A day", "1d")).await;
    let (token, _) = account.create_token(full("Ten days", "10d")).await;
    let (_, _) = account.create_token(full("Thirty days", "30d")).await;
    let partition = format!("ACCOUNT#{}", account.id);
    let item = stack.item(&partition, &format!("TOKEN#{short}")).await;
    let end = json!({"purgeAt": item["purgeAt"], "expiresAt": item["expiresAt"]});
    set(&account, &token, end).await;
    for id in ["first", "first", "second"] {
        stack.invoke("RemindExpiring", schedule(id)).await;
    }
    let [record] = &account.audit("action=remind").await[..] else {
        panic!("not one warning")
    };
    assert_eq!(record["resource"]["id"], json!(token));
    assert_eq!(record["source"], "system");
    assert_eq!(record["requestId"], "first");
    let shown = send(account.get(&account.owner, &format!("/tokens/{short}"))).await;
    let shown = shown.expect(200);
    let end = shown["purgeAt"].as_str().expect("an end");
    assert_eq!(record["changes"][0]["new"], end);
    let mail = eventually("the mail", async || {
        let mut mails = account.mails_to(&account.administrator).await;
        mails.retain(|mail| {
            mail["Subject"]
                .as_str()
                .unwrap_or_default()
                .contains("about to be")
        });
        mails.pop()
    })
    .await;
    let text = mail["BodyText"].as_str().expect("a text");
    let told = format!("will be purged on {}.", in_words(end));
    assert!(text.contains(&told), "no {told:?} in {text}");
    let link = format!("/#/accounts/{}/tokens/{token}/audit", account.id);
    assert!(text.contains(&link), "{text}");
}

#[tokio::test]
async fn a_token_that_nobody_uses_is_revoked_and_refused_by_the_next_request() {
    let stack = Stack::from_env();
    let account = Account::create(&stack, "idle", "enterprise").await;
    account.add_resource("export", "exp", None).await;
    let (token, secret) = account.create_token(full("Forgotten", "never")).await;
    let (_, lively) = account.create_token(full("In use", "never")).await;
    let call = async |secret: &str| {
        let request = stack.protected(Method::GET, "/v1/exports/exp");
        send(request.bearer_auth(secret)).await.status
    };
    assert_eq!(call(&lively).await, 200);
    // A token with a replaced secret whose grace period is over.
    let regenerate = account.post(&account.owner, &format!("/tokens/{token}/regenerate"));
    let grace = json!({"gracePeriodSeconds": 60});
    let regenerated = send(regenerate.json(&grace)).await.expect(200);
    let current = regenerated["secret"].as_str().expect("a secret").to_owned();
    let partition = format!("ACCOUNT#{}", account.id);
    let mut item = stack.item(&partition, &format!("TOKEN#{token}")).await;
    let long_ago = json!({"S": "2020-01-01T00:00:00Z"});
    let mut previous = item["previousSecret"].take();
    previous["M"]["validUntil"] = long_ago.clone();
    let replaced = previous["M"]["hash"]["S"]
        .as_str()
        .expect("a hash")
        .to_owned();
    set(&account, &token, json!({"previousSecret": previous})).await;
    let activity =
        json!({"createdAt": long_ago, "updatedAt": long_ago, "lastActivity": {"N": "1577836800"}});
    set(&account, &token, activity).await;
    for id in ["first", "second"] {
        stack.invoke("RevokeIdle", schedule(id)).await;
    }
    assert_eq!(call(&secret).await, 403);
    assert_eq!(call(&current).await, 403);
    assert_eq!(call(&lively).await, 200);
    let secret_item = stack.item(&format!("SECRET#{replaced}"), "SECRET").await;
    assert_eq!(secret_item["state"]["S"], "ended", "{secret_item}");
    let [record] = &account.audit("action=revoke").await[..] else {
        panic!("not one revocation")
    };
    assert_eq!(record["resource"]["id"], json!(token));
    assert_eq!(record["source"], "system");
    let revoked = send(account.get(&account.owner, &format!("/tokens/{token}"))).await;
    assert_eq!(revoked.expect(200)["revocationReason"], "idle");
    eventually("the mail", async || {
        let mails = account.mails_to(&account.owner).await;
        let about = |mail: &Value| {
            mail["Subject"]
                .as_str()
                .unwrap_or_default()
                .contains("was revoked")
        };
        mails.iter().any(about).then_some(())
    })
    .await;
}
