//! Events with a secret in them: of the platform, of SES, and whatever starts a function without a route.

use end_to_end::{Account, Answer, eventually, send};
use serde_json::{Value, json};

use crate::doors::{Answered, Planted, disguised};
use crate::routes::samples;

fn answered(function: &str, place: impl Into<String>, answer: Answer) -> Answered {
    Answered {
        route: function.into(),
        place: place.into(),
        answer,
    }
}

/// The function's name in the template.
fn logical(function: &str) -> String {
    let words = function.split('-').map(|word| {
        let (first, rest) = word.split_at(1);
        format!("{}{rest}", first.to_uppercase())
    });
    words.collect()
}

/// Publishes what the platform says about an account, with secrets in all names. Waits until Latchkey has it. Later
/// records and mails name the account, its people and its resources.
pub(crate) async fn named(account: &Account, planted: &Planted) {
    let stack = &account.stack;
    let mut names = (0..).map(|turn| disguised(planted, turn));
    let mut name = || names.next().expect("a name");
    let people = [
        (&account.owner, "owner"),
        (&account.administrator, "administrator"),
    ];
    let members = people.map(|(person, role)| {
        let [id, email, name] = [person.id.clone(), person.email.clone(), name()];
        json!({"id": id, "email": email, "name": name, "role": role, "developerMode": true})
    });
    let profile = json!({
        "id": account.id,
        "name": name(),
        "plan": "enterprise",
        "apiManagement": true,
        "members": members,
    });
    stack.publish("AccountUpserted", profile).await;
    let resource = json!({"accountId": account.id, "type": "export", "id": "named", "name": name(), "integrationId": "named"});
    stack.publish("ResourceUpserted", resource).await;
    let integration = json!({"accountId": account.id, "id": "named", "name": name()});
    stack.publish("IntegrationUpserted", integration).await;
    for (pk, sk) in [
        ("PROFILE", "PROFILE"),
        ("RESOURCE", "export#named"),
        ("RESOURCE", "INTEGRATION#named"),
    ] {
        eventually("the names", async || {
            let item = stack.item(&format!("{pk}#{}", account.id), sk).await;
            let text = item.to_string();
            (text.contains("[redacted]")).then_some(())
        })
        .await;
    }
}

/// Publishes events that no function can take, with secrets in them. They end in the dead letters, redacted.
pub(crate) async fn impossible(account: &Account, planted: &Planted) {
    let stack = &account.stack;
    let secret = &planted.secret;
    for (kind, detail) in [
        ("AccountUpserted", json!({"id": secret, "name": secret})),
        (
            "AccountUpserted",
            json!({"id": account.id, "name": [secret], "members": {secret: secret}}),
        ),
        ("AccountDeleted", json!({"id": secret})),
        (
            "ResourceUpserted",
            json!({"accountId": account.id, "type": secret, "id": secret, "name": secret}),
        ),
        (
            "ResourceDeleted",
            json!({"accountId": account.id, "type": "export", "id": secret}),
        ),
        (
            "IntegrationUpserted",
            json!({"accountId": account.id, "id": secret, "name": secret}),
        ),
        (
            "IntegrationDeleted",
            json!({"accountId": secret, "id": "app"}),
        ),
    ] {
        stack.publish(kind, detail).await;
    }
    eventually("the dead letters", async || {
        let queues = stack.queues().await.to_string();
        (queues.matches("lka_[redacted]").count() >= 7).then_some(())
    })
    .await;
    // The bus drops what no rule matches, and so does the local cloud.
    stack.publish(secret, json!({"id": secret})).await;
}

/// Hands a bounce to the function that records it, with a secret wherever a mail server or a sender can put one.
pub(crate) async fn bounced(account: &Account, planted: &Planted) -> Vec<Answered> {
    let mut answers = Vec::new();
    for (number, mut event) in samples("record-mail-feedback").into_iter().enumerate() {
        let secret = disguised(planted, number);
        let mail = &mut event["detail"]["mail"];
        mail["tags"]["account"] = json!([account.id]);
        mail["destination"] = json!([format!("{secret}@canary.example")]);
        mail["messageId"] = json!(secret);
        mail["commonHeaders"]["subject"] = json!(secret);
        mail["headers"][0]["value"] = json!(secret);
        for what in ["bounce", "complaint"] {
            if event["detail"][what].is_object() {
                event["detail"][what]["feedbackId"] = json!(secret);
                event["detail"][what]["userAgent"] = json!(secret);
                event["detail"][what]["bouncedRecipients"] = json!([{"diagnosticCode": secret}]);
            }
        }
        let answer = account.stack.try_invoke("RecordMailFeedback", event).await;
        answers.push(answered(
            "record-mail-feedback",
            format!("sample {number}"),
            answer,
        ));
    }
    answers
}

/// Hands each of these functions its sample events with a secret in place of every text, and then also in place of
/// every object and list, which no function can parse.
pub(crate) async fn malformed(
    account: &Account,
    functions: &[String],
    planted: &Planted,
) -> Vec<Answered> {
    let mut answers = Vec::new();
    for function in functions {
        let mut events = vec![
            json!(planted.secret),
            json!([planted.secret]),
            json!({&planted.secret: planted.secret}),
        ];
        for sample in samples(function) {
            let event = replaced(&sample, &planted.secret);
            broken(&event, &planted.secret, 3, &mut events);
            events.push(event);
        }
        events.sort_by_key(Value::to_string);
        events.dedup();
        for (number, event) in events.into_iter().enumerate() {
            let answer = account.stack.try_invoke(&logical(function), event).await;
            answers.push(answered(function, format!("event {number}"), answer));
        }
    }
    answers
}

/// What AWS itself writes into an event. It stays, so that functions get further than to the first of them.
const OF_AWS: [&str; 17] = [
    "ApproximateCreationDateTime",
    "B",
    "N",
    "SequenceNumber",
    "StreamViewType",
    "awsRegion",
    "detail-type",
    "eventID",
    "eventName",
    "eventSource",
    "eventVersion",
    "httpMethod",
    "method",
    "principalId",
    "sourceIp",
    "time",
    "version",
];

/// The value with a secret in place of every text.
fn replaced(value: &Value, secret: &str) -> Value {
    match value {
        Value::String(_) => json!(secret),
        Value::Array(items) => items.iter().map(|item| replaced(item, secret)).collect(),
        Value::Object(members) => {
            let members = members.iter().map(|(name, value)| {
                let stays = OF_AWS.contains(&name.as_str());
                let value = if stays {
                    value.clone()
                } else {
                    replaced(value, secret)
                };
                (name.clone(), value)
            });
            Value::Object(members.collect())
        }
        other => other.clone(),
    }
}

/// Adds copies of a value, each with a secret in place of one object or list, down to that depth.
fn broken(value: &Value, secret: &str, depth: usize, copies: &mut Vec<Value>) {
    let places: Vec<String> = match value {
        Value::Object(members) if depth > 0 => members
            .keys()
            .map(|name| name.replace('~', "~0").replace('/', "~1"))
            .collect(),
        Value::Array(items) if depth > 0 && !items.is_empty() => vec!["0".to_owned()],
        _ => vec![],
    };
    for place in places {
        let pointer = format!("/{place}");
        let Some(inner) = value
            .pointer(&pointer)
            .filter(|inner| inner.is_object() || inner.is_array())
        else {
            continue;
        };
        let mut of_inner = vec![json!(secret)];
        broken(inner, secret, depth - 1, &mut of_inner);
        for inner in of_inner {
            let mut copy = value.clone();
            *copy.pointer_mut(&pointer).expect("the same place") = inner;
            copies.push(copy);
        }
    }
}

/// Creates a token and revokes it. Waits for the mail about that, after which those about everything earlier were sent.
pub(crate) async fn last(account: &Account, name: &str, scope: Value) {
    let body = json!({"name": name, "autoPurge": "1h", "scope": scope});
    let created = send(account.post(&account.owner, "/tokens").json(&body)).await;
    let token = created.expect(201)["token"]["id"]
        .as_str()
        .expect("an id")
        .to_owned();
    let revoke = account.post(&account.owner, &format!("/tokens/{token}/revoke"));
    send(revoke).await.expect(200);
    eventually("the last mail", async || {
        let mails = account.mails_to(&account.owner).await;
        let about = |mail: &Value| {
            let subject = mail["Subject"].as_str().unwrap_or_default();
            subject.contains(name) && subject.contains("revoked")
        };
        mails.iter().any(about).then_some(())
    })
    .await;
}
