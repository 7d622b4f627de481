//! What the tests needed of what is granted, as the local cloud recorded it.
//!
//! Cargo runs the files of tests by their names. Only what a file before this one needed is recorded by now.

use std::collections::BTreeSet;
use std::env;
use std::io::Write;

use end_to_end::Stack;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::roles::{Role, is_like, leading_keys, roles, strings};

/// A use of a permission: an action on a table, and the partition.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Use {
    action: String,
    table: String,
    partition: String,
}

/// What is granted, and what the local cloud's tests don't need: function, statement, action, and why.
///
/// `tests/contract` needs each of them, at the wire.
const UNREACHED: [(&str, &str, &str, &str); 1] = [(
    "receive-leak-report",
    "TokensDeleteItem",
    "dynamodb:DeleteItem",
    "a mail's claim is released only when SES refuses the mail, and then no other test may run",
)];

/// The actions whose requests the local cloud makes itself, without the role: it reads streams, stores failed events
/// and writes logs. And it records neither mails, nor the names of calls of Lambda, nor the reading of its own record.
fn is_unseen(action: &str, resources: &[&str]) -> bool {
    let services = ["sqs:", "s3:", "ses:", "logs:", "lambda:", "cloudtrail:"];
    services.iter().any(|service| action.starts_with(service))
        || resources
            .iter()
            .any(|resource| resource.contains("/stream/"))
}

#[tokio::test]
async fn every_granted_action_was_needed_by_a_test() {
    let stack = Stack::from_env();
    let mut all = BTreeSet::new();
    let planted = json!({"Sid": "Planted", "Action": "dynamodb:Scan", "Resource": "arn:aws:dynamodb:::table/any"});
    for role in roles(&stack).await {
        let uses = uses(&stack, &role).await;
        all.extend(unneeded(role.name(), role.statements(), &uses));
        let statements = role.statements().chain([&planted]);
        let mut found = unneeded(role.name(), statements, &uses).into_iter();
        let found = found.any(|(_, sid, _)| sid == "Planted");
        assert!(found, "{}: a right more isn't found", role.name());
    }
    let unreached: BTreeSet<Right> = UNREACHED
        .iter()
        .map(|(function, sid, action, _)| ((*function).into(), (*sid).into(), (*action).into()))
        .collect();
    // The recording is a ring buffer. If the deployment, which came first, is missing, it is incomplete.
    let deployment = [("EventName", "POST.cloudformation")];
    let deployment = events(&stack, &deployment, &Value::Null).await;
    let is_whole = env::var_os("LATCHKEY_WHOLE").is_some();
    if is_whole {
        let enough = !deployment.is_empty();
        assert!(
            enough,
            "the recording lost its beginning: raise CLOUDTRAIL_MAX_EVENTS"
        );
        assert_eq!(all, unreached, "granted and not needed by a test");
        return;
    }
    // Other runs lack the tests that need the rest. Written directly, since printed text would be captured.
    let lines = all.difference(&unreached);
    let lines = lines.map(|(function, sid, action)| format!("  {function:20} {sid:18} {action}\n"));
    let text = format!(
        "\nGranted, but not needed by the tests that ran:\n{}\n",
        lines.collect::<String>()
    );
    std::io::stderr()
        .write_all(text.as_bytes())
        .expect("written");
}

/// A right: function, statement and action.
type Right = (String, String, String);

/// The rights of a function's statements that none of the uses needed.
fn unneeded<'a>(
    function: &str,
    statements: impl Iterator<Item = &'a Value>,
    uses: &BTreeSet<Use>,
) -> BTreeSet<Right> {
    let mut unneeded = BTreeSet::new();
    for statement in statements {
        let resources = strings(&statement["Resource"]);
        for action in strings(&statement["Action"]) {
            let covers = |used: &Use| {
                used.action == action
                    && (used.table.is_empty() || names(&resources, &used.table))
                    && has_partition(statement, &used.partition)
            };
            if !is_unseen(action, &resources) && !uses.iter().any(covers) {
                let sid = statement["Sid"].as_str().unwrap_or_default();
                unneeded.insert((function.into(), sid.into(), action.into()));
            }
        }
    }
    unneeded
}

/// Whether one of a statement's resources is a table or an index.
fn names(resources: &[&str], table: &str) -> bool {
    let end = format!(":table/{table}");
    resources.iter().any(|resource| resource.ends_with(&end))
}

/// Whether a statement's condition on the leading keys allows a partition.
fn has_partition(statement: &Value, partition: &str) -> bool {
    let keys = leading_keys(statement);
    keys.is_empty() || keys.iter().any(|key| is_like(partition, key))
}

/// The uses of the role since the cloud was started.
async fn uses(stack: &Stack, role: &Role) -> BTreeSet<Use> {
    let mut uses = BTreeSet::new();
    let arn = &role.function_arn;
    let name = arn.rsplit(':').next().expect("a name");
    let actions = role.statements().flat_map(|one| strings(&one["Action"]));
    let operations = actions.filter_map(|action| action.split(':').nth(1));
    let operations: BTreeSet<_> = operations.chain(["TransactWriteItems"]).collect();
    // A sandbox has the key of whatever the first call of it named.
    let mut qualifiers = stack.versions(name).await;
    qualifiers.extend(["live", "probe"].map(str::to_owned));
    let qualified = qualifiers.iter().map(|of| format!("{arn}:{of}"));
    for arn in qualified.chain([arn.clone()]) {
        let key = access_key(&arn, role);
        for operation in &operations {
            uses_of(stack, &key, operation, &mut uses).await;
        }
    }
    uses
}

/// Adds the uses of an operation with an access key. The local cloud takes two attributes.
async fn uses_of(stack: &Stack, key: &str, operation: &str, uses: &mut BTreeSet<Use>) {
    let mut end = Value::Null;
    loop {
        let attributes = [("Username", key), ("EventName", operation)];
        let events = events(stack, &attributes, &end).await;
        for event in &events {
            let detail = event["CloudTrailEvent"].as_str().expect("JSON");
            record(&serde_json::from_str(detail).expect("JSON"), uses);
        }
        // Newest first. The end is included, so the last event appears again.
        let oldest = events.last().map(|event| event["EventTime"].clone());
        match oldest {
            Some(time) if events.len() == 50 && time != end => end = time,
            _ => return,
        }
    }
}

/// Up to 50 of the recorded calls with these attributes, newest first, backwards from `end`.
async fn events(stack: &Stack, attributes: &[(&str, &str)], end: &Value) -> Vec<Value> {
    let attributes = attributes.iter();
    let attributes: Vec<_> = attributes
        .map(|(key, value)| json!({"AttributeKey": key, "AttributeValue": value}))
        .collect();
    let mut request = json!({"LookupAttributes": attributes});
    if !end.is_null() {
        request["EndTime"] = end.clone();
    }
    let target = "com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101.LookupEvents";
    let page = stack.aws("cloudtrail", target, request).await;
    page["Events"].as_array().expect("events").clone()
}

/// The access key with which the local cloud signs the calls of a version of a function. It records nothing else about
/// the caller.
fn access_key(function_arn: &str, role: &Role) -> String {
    let digest = Sha256::digest(format!("{function_arn}:{}", role.arn));
    let mut id = hex::encode_upper(digest);
    id.truncate(16);
    format!("ASIA{id}")
}

fn record(event: &Value, uses: &mut BTreeSet<Use>) {
    let service = event["eventSource"].as_str().unwrap_or_default();
    let service = service.trim_end_matches(".amazonaws.com");
    let operation = event["eventName"].as_str().unwrap_or_default();
    let parameters = &event["requestParameters"];
    let mut add = |action: &str, on: &Value| {
        uses.insert(Use {
            action: format!("{service}:{action}"),
            table: table(on),
            partition: partition(on).to_owned(),
        });
    };
    match operation {
        "TransactWriteItems" => {
            for item in parameters["TransactItems"].as_array().into_iter().flatten() {
                for (member, on) in item.as_object().into_iter().flatten() {
                    let action = match member.as_str() {
                        "ConditionCheck" => "ConditionCheckItem".to_owned(),
                        member => format!("{member}Item"),
                    };
                    add(&action, on);
                }
            }
        }
        "BatchGetItem" => {
            for (table, keys) in parameters["RequestItems"].as_object().into_iter().flatten() {
                add(
                    "BatchGetItem",
                    &json!({"TableName": table, "Key": keys["Keys"][0]}),
                );
            }
        }
        operation => add(operation, parameters),
    }
}

/// The table of a request, with the index if it has one; an empty text for other services.
fn table(request: &Value) -> String {
    let table = request["TableName"].as_str().unwrap_or_default();
    match request["IndexName"].as_str() {
        Some(index) => format!("{table}/index/{index}"),
        None => table.into(),
    }
}

/// The partition of a request. A query names it in the first comparison of its key's condition.
fn partition(request: &Value) -> &str {
    let condition = request["KeyConditionExpression"].as_str();
    let compared = condition.and_then(|condition| condition.split(" = ").nth(1));
    let name = compared.and_then(|rest| rest.split(' ').next());
    let candidates = [
        &request["Key"]["pk"],
        &request["Item"]["pk"],
        &request["ExpressionAttributeValues"][name.unwrap_or_default()],
    ];
    let mut texts = candidates
        .into_iter()
        .filter_map(|value| value["S"].as_str());
    texts.next().unwrap_or_default()
}
