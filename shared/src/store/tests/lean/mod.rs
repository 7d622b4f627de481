//! The lean first attempt of reads compared with the SDK's client, answer by answer.

mod learning;
mod script;

use std::time::Duration;

use aws_config::SdkConfig;
use jiff::SignedDuration;
use serde_json::{Value, json};

use self::script::{Answer, Request, Script, configuration, credentials};
use crate::config::Tables;
use crate::store::Store;
use crate::store::lean::Lean;
use crate::store::table::key;

fn store(config: &SdkConfig) -> Store {
    let tables = Tables {
        tokens: "Tokens".into(),
        audit: "Audit".into(),
        audit_retention: SignedDuration::from_hours(24),
    };
    Store::new(config, tables)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Client,
    Lean,
}

#[derive(Debug, Clone, Copy)]
enum Call {
    Item,
    Batch,
}

async fn call(store: &Store, call: Call) -> String {
    match call {
        Call::Item => {
            let item = store.get_item(key("SECRET#a", "SECRET")).await;
            // Sorted, since the order of a map's entries differs.
            match item {
                Ok(item) => format!("{:?}", item.map(sorted)),
                Err(error) => error.to_string(),
            }
        }
        Call::Batch => {
            let keys = vec![key("SECRET#a", "SECRET"), key("SEEN#a", "SEEN")];
            match store.batch_get(keys, true).await {
                Ok(items) => format!("{:?}", items.into_iter().map(sorted).collect::<Vec<_>>()),
                Err(error) => error.to_string(),
            }
        }
    }
}

fn sorted(item: crate::store::table::Item) -> std::collections::BTreeMap<String, String> {
    let sort = |(name, value)| (name, format!("{value:?}"));
    item.into_iter().map(sort).collect()
}

/// What is compared.
#[derive(Debug, PartialEq, Eq)]
struct Course {
    result: String,
    requests: Vec<Sent>,
    /// The result of a later read, and the connections of its requests.
    later: (String, Vec<usize>),
}

/// The connection of a request, the number of its invocation, the attempt, and the body.
type Sent = (usize, usize, String, Value);

/// Runs a script against a store that has read once, and then reads again.
async fn course(way: Way, which: Call, number: usize, answers: &[Answer]) -> Course {
    let (script, address) = Script::start().await;
    let region = format!("{which:?}-{way:?}-{number}").to_lowercase();
    let mut store = store(&configuration(
        &address,
        &region,
        credentials("AKID", None),
        None,
        limit(answers),
    ));
    if way == Way::Client {
        store.lean = Lean::default();
    }
    store.warm().await.unwrap();
    assert!(script.take().iter().all(Request::is_of_the_client));
    script.then(answers);
    let result = call(&store, which).await;
    let requests = script.take();
    let lean = requests.iter().filter(|one| !one.is_of_the_client());
    let lean: Vec<_> = lean.map(|one| one.body.clone()).collect();
    match way {
        Way::Client => assert!(lean.is_empty(), "{lean:?}"),
        Way::Lean => assert!(!requests[0].is_of_the_client(), "the first request is lean"),
    }
    let later = call(&store, which)
        .await
        .replace(&address, "http://address");
    let connections = script.take().iter().map(|one| one.connection).collect();
    let mut invocations = Vec::new();
    let sent = |one: &Request| {
        if invocations.last() != Some(&one.invocation().to_owned()) {
            invocations.push(one.invocation().to_owned());
        }
        let attempt = one.header("amz-sdk-request").to_owned();
        let body = serde_json::from_str(&one.body).unwrap();
        (one.connection, invocations.len(), attempt, body)
    };
    // Errors name the address.
    let result = result.replace(&address, "http://address");
    Course {
        result,
        requests: requests.iter().map(sent).collect(),
        later: (later, connections),
    }
}

/// The limit of an attempt without stalls, which no attempt reaches.
const PATIENT: Duration = Duration::from_mins(2);

fn stalls(answers: &[Answer]) -> bool {
    let stalls = |answer: &Answer| matches!(answer, Answer::Stall | Answer::StallWithin);
    answers.iter().any(stalls)
}

/// The limit of an attempt. No answer of a script that stalls comes near it but those that stall.
fn limit(answers: &[Answer]) -> Duration {
    if stalls(answers) {
        Duration::from_secs(1)
    } else {
        PATIENT
    }
}

fn ok(body: &Value) -> Answer {
    Answer::Send(200, vec![], body.to_string().into_bytes())
}

fn error(status: u16, code: &str) -> Answer {
    let code = format!("com.amazonaws.dynamodb.v20120810#{code}");
    let body = json!({"__type": code, "message": "no"}).to_string();
    let id = vec![("x-amzn-requestid", "REQUEST".to_owned())];
    Answer::Send(status, id, body.into_bytes())
}

fn raw(body: &[u8]) -> Answer {
    Answer::Send(200, vec![], body.to_vec())
}

fn with(header: &'static str, value: &str, answer: Answer) -> Answer {
    match answer {
        Answer::Send(status, mut headers, body) => {
            headers.push((header, value.to_owned()));
            Answer::Send(status, headers, body)
        }
        other => other,
    }
}

fn item() -> Value {
    json!({
        "pk": {"S": "SECRET#a"}, "n": {"N": "1.50"}, "b": {"B": "AAEC"}, "t": {"BOOL": true}, "z": {"NULL": true},
        "ss": {"SS": ["a", "ä\u{1f600}\n"]}, "ns": {"NS": ["1"]}, "bs": {"BS": ["AA=="]},
        "l": {"L": [{"S": ""}, {"M": {"x": {"N": "7"}}}]}, "m": {"M": {}}
    })
}

/// Answers to single reads.
fn scripts() -> Vec<(&'static str, Vec<Answer>)> {
    let found = ok(&json!({"Item": item()}));
    let crc = |body: &Answer| match body {
        Answer::Send(_, _, body) => crc32fast::hash(body).to_string(),
        _ => String::new(),
    };
    let right = with("x-amz-crc32", &crc(&found), found.clone());
    let wrong = with("x-amz-crc32", "1", found.clone());
    let throttled = error(400, "ProvisionedThroughputExceededException");
    let later = with("x-amz-retry-after", "3", throttled.clone());
    let html = Answer::Send(503, vec![], b"<html>busy</html>".to_vec());
    let past = "Thu, 01 Jan 2015 00:00:00 GMT";
    let skewed = with("date", past, error(400, "InvalidSignatureException"));
    let mut all = vec![
        ("an item", vec![found.clone()]),
        ("no item", vec![ok(&json!({}))]),
        (
            "an unknown member",
            vec![ok(&json!({"Item": item(), "New": [1, {"a": null}]}))],
        ),
        (
            "a capacity",
            vec![ok(
                &json!({"Item": {}, "ConsumedCapacity": {"CapacityUnits": 0.5}}),
            )],
        ),
        ("the right sum", vec![right]),
        ("a wrong sum", vec![wrong]),
        ("throttled once", vec![throttled.clone(), found.clone()]),
        (
            "throttled twice",
            vec![throttled.clone(), throttled.clone(), found.clone()],
        ),
        ("throttled with a time", vec![later, found.clone()]),
        (
            "a failure and an item",
            vec![error(500, "InternalServerError"), found.clone()],
        ),
        ("a busy proxy", vec![html.clone(), found.clone()]),
        ("a proxy that stays busy", vec![html; 3]),
        (
            "a code of success without a body",
            vec![Answer::Send(204, vec![], vec![]), found.clone()],
        ),
        (
            "a redirect",
            vec![
                Answer::Send(302, vec![("location", "/x".into())], vec![]),
                found.clone(),
            ],
        ),
        ("a clock that differs", vec![skewed.clone(), found.clone()]),
        (
            "a clock that stays different",
            vec![skewed.clone(), skewed.clone(), skewed],
        ),
        (
            "an error without a code",
            vec![Answer::Send(400, vec![], b"{}".to_vec())],
        ),
        ("no JSON", vec![raw(b"no"), found.clone()]),
        (
            "half of an object",
            vec![raw(br#"{"Item": {"pk": {"S""#), found.clone()],
        ),
        (
            "no UTF-8",
            vec![
                raw(b"{\"Item\": {\"pk\": {\"S\": \"\xff\"}}}"),
                found.clone(),
            ],
        ),
        ("an empty body", vec![raw(b""), found.clone()]),
        (
            "an unknown type",
            vec![ok(&json!({"Item": {"pk": {"Q": "1"}}})), found.clone()],
        ),
        (
            "a wrong type",
            vec![ok(&json!({"Item": [1]})), found.clone()],
        ),
        ("cut once", vec![Answer::Cut, found.clone()]),
        ("cut thrice", vec![Answer::Cut, Answer::Cut, Answer::Cut]),
        (
            "cut within the answer",
            vec![Answer::CutWithin, found.clone()],
        ),
        ("always cut within the answer", vec![Answer::CutWithin; 3]),
        ("stalled once", vec![Answer::Stall, found.clone()]),
        ("stalled thrice", vec![Answer::Stall; 3]),
        (
            "stalled within the answer",
            vec![Answer::StallWithin, found.clone()],
        ),
        (
            "stalled, throttled, cut",
            vec![Answer::Stall, throttled, Answer::Cut],
        ),
    ];
    for code in [
        "ProvisionedThroughputExceededException",
        "ThrottlingException",
        "RequestLimitExceeded",
        "LimitExceededException",
        "ResourceNotFoundException",
        "AccessDeniedException",
        "ExpiredTokenException",
        "UnrecognizedClientException",
        "InvalidSignatureException",
        "ValidationException",
        "TransactionConflictException",
        "NobodyKnows",
    ] {
        all.push((code, vec![error(400, code); 3]));
    }
    for (status, code) in [
        (500, "InternalServerError"),
        (503, "ServiceUnavailable"),
        (403, "AccessDenied"),
    ] {
        all.push((code, vec![error(status, code); 3]));
    }
    all
}

/// Answers to batches besides those of [`scripts`].
fn batches() -> Vec<(&'static str, Vec<Answer>)> {
    let some =
        json!({"Responses": {"Tokens": [item(), {"pk": {"S": "SEEN#a"}}]}, "UnprocessedKeys": {}});
    let left =
        json!({"Keys": [{"pk": {"S": "SEEN#a"}, "sk": {"S": "SEEN"}}], "ConsistentRead": true});
    let half = json!({"Responses": {"Tokens": [item()]}, "UnprocessedKeys": {"Tokens": left}});
    vec![
        ("a batch", vec![ok(&some)]),
        ("a batch in two parts", vec![ok(&half), ok(&some)]),
        (
            "a batch whose rest is throttled",
            vec![ok(&half), error(400, "ThrottlingException"), ok(&some)],
        ),
        ("a batch that stays unprocessed", vec![ok(&half); 6]),
    ]
}

#[tokio::test]
async fn both_ways_answer_alike() {
    let mut cases = Vec::new();
    for (name, answers) in scripts() {
        cases.push((name, Call::Item, answers.clone()));
        cases.push((name, Call::Batch, answers));
    }
    cases.extend(
        batches()
            .into_iter()
            .map(|(name, answers)| (name, Call::Batch, answers)),
    );
    let compare = async |number: usize, (name, which, answers): &(&str, Call, Vec<Answer>)| {
        let client = course(Way::Client, *which, number, answers).await;
        let lean = course(Way::Lean, *which, number, answers).await;
        let alike = client == lean;
        (!alike).then(|| format!("{name}, {which:?}:\n{client:?}\n{lean:?}\n"))
    };
    let mut different = Vec::new();
    let (slow, fast): (Vec<_>, Vec<_>) = cases
        .iter()
        .enumerate()
        .partition(|(_, (_, _, answers))| stalls(answers));
    for (number, case) in fast {
        different.extend(compare(number, case).await);
    }
    let slow = slow.into_iter().map(|(number, case)| compare(number, case));
    let slow = futures_util::future::join_all(slow).await;
    different.extend(slow.into_iter().flatten());
    assert!(different.is_empty(), "{}", different.concat());
}

#[tokio::test]
async fn the_comparison_notices_another_course() {
    let found = ok(&json!({"Item": item()}));
    let once = course(Way::Client, Call::Item, 901, std::slice::from_ref(&found)).await;
    for (number, answers) in [
        vec![ok(&json!({}))],
        vec![error(400, "ThrottlingException"), found.clone()],
        vec![Answer::Cut, found.clone()],
        vec![error(400, "AccessDeniedException")],
    ]
    .iter()
    .enumerate()
    {
        let other = course(Way::Lean, Call::Item, 902 + number, answers).await;
        assert_ne!(once, other);
    }
}
