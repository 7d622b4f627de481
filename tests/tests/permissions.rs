//! The permissions of the functions' roles. By its name, this file runs last: it also reports which of the granted
//! actions no test has used.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;

use end_to_end::Stack;
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// A function's role and its policies.
struct Role {
    function_arn: String,
    arn: String,
    /// The policies, by name. Besides `log` there may be one with the function's name.
    policies: BTreeMap<String, Vec<Value>>,
}

impl Role {
    /// The function's name in the sources.
    fn name(&self) -> &str {
        let own = self.policies.keys().find(|name| *name != "log");
        own.unwrap_or(&self.function_arn)
    }

    fn statements(&self) -> impl Iterator<Item = &Value> {
        self.policies.values().flatten()
    }
}

async fn roles(stack: &Stack) -> Vec<Role> {
    let mut roles = Vec::new();
    for function in stack.functions().await {
        let arn = function["Role"].as_str().expect("a role").to_owned();
        let name = arn.rsplit('/').next().expect("a name");
        let attached = stack
            .iam("ListAttachedRolePolicies", &[("RoleName", name)])
            .await;
        assert!(
            !attached.contains("<PolicyArn>"),
            "{name} has a managed policy"
        );
        let mut policies = BTreeMap::new();
        let list = stack.iam("ListRolePolicies", &[("RoleName", name)]).await;
        for policy in texts(&list, "member") {
            let parameters = [("RoleName", name), ("PolicyName", policy)];
            let answer = stack.iam("GetRolePolicy", &parameters).await;
            let document = texts(&answer, "PolicyDocument")[0];
            let document = percent_decode_str(document).decode_utf8().expect("text");
            let document: Value = serde_json::from_str(&document).expect("a policy");
            let statements = document["Statement"].as_array().expect("statements");
            policies.insert(policy.to_owned(), statements.clone());
        }
        roles.push(Role {
            function_arn: function["FunctionArn"].as_str().expect("an ARN").to_owned(),
            arn,
            policies,
        });
    }
    roles
}

/// The contents of all elements of that name that contain only text.
fn texts<'a>(xml: &'a str, element: &str) -> Vec<&'a str> {
    let (open, close) = (format!("<{element}>"), format!("</{element}>"));
    let parts = xml.split(open.as_str()).skip(1);
    parts
        .filter_map(|part| Some(part.split_once(close.as_str())?.0))
        .collect()
}

/// A member of a statement, which may be a string or an array of strings.
fn strings(value: &Value) -> Vec<&str> {
    match value {
        Value::Array(values) => values.iter().filter_map(Value::as_str).collect(),
        value => value.as_str().into_iter().collect(),
    }
}

#[tokio::test]
async fn no_policy_grants_more_than_its_function_needs() {
    let stack = Stack::from_env();
    let [tokens, audit] =
        ["tokensTable", "auditTable"].map(|table| format!("table/{}", stack.get(table)));
    let roles = roles(&stack).await;
    assert!(roles.len() > 15, "only {} functions", roles.len());
    let mut opened = BTreeMap::<_, BTreeSet<_>>::new();
    let mut deletes = BTreeMap::<_, BTreeSet<_>>::new();
    for role in &roles {
        for statement in role.statements() {
            let name = role.name();
            assert_eq!(statement["Effect"], "Allow", "{name}: {statement}");
            for member in ["NotAction", "NotResource"] {
                assert!(statement[member].is_null(), "{name}: {statement}");
            }
            let actions = strings(&statement["Action"]);
            let resources = strings(&statement["Resource"]);
            assert!(
                !actions.is_empty() && !resources.is_empty(),
                "{name}: {statement}"
            );
            for action in &actions {
                assert!(!action.contains('*'), "{name}: {statement}");
                opened.entry(*action).or_default().insert(name);
            }
            for resource in &resources {
                // The local cloud has no SES identities as resources; the template has one for AWS.
                let mail = *resource == "*" && actions == ["ses:SendEmail"];
                // Streams of a table, and log streams of the function's log group.
                let part = [&tokens, &audit]
                    .iter()
                    .any(|table| resource.ends_with(&format!("{table}/stream/*")))
                    || (resource.contains(":log-group:/aws/lambda/") && resource.ends_with(":*"))
                    // The objects of a bucket.
                    || actions == ["s3:PutObject"];
                assert!(
                    mail || part || !resource.contains('*'),
                    "{name}: {statement}"
                );
            }
            if resources.iter().any(|resource| resource.contains(&audit)) {
                let harmless = [
                    "dynamodb:DescribeStream",
                    "dynamodb:GetRecords",
                    "dynamodb:GetShardIterator",
                    "dynamodb:ListStreams",
                    "dynamodb:PutItem",
                    "dynamodb:Query",
                ];
                let append_only = actions.iter().all(|action| harmless.contains(action));
                assert!(append_only, "{name} may change the audit log: {statement}");
            }
            // A statement on the token table without kinds of partition covers the whole table.
            let whole_table = resources.iter().any(|resource| resource.ends_with(&tokens));
            assert!(
                !whole_table || !leading_keys(statement).is_empty(),
                "{name}: {statement}"
            );
            if whole_table && actions.contains(&"dynamodb:DeleteItem") {
                for kind in leading_keys(statement) {
                    deletes.entry(kind).or_default().insert(name);
                }
            }
        }
    }
    let who = |action: &str| opened.get(action).cloned().unwrap_or_default();
    assert_eq!(
        who("kms:Encrypt"),
        BTreeSet::from(["create-token", "regenerate-token"])
    );
    assert_eq!(who("kms:Decrypt"), BTreeSet::from(["reveal-token"]));
    assert_eq!(
        who("ses:SendEmail"),
        BTreeSet::from([
            "receive-leak-report",
            "record-mail-feedback",
            "send-digests",
            "send-notifications"
        ])
    );
    let kms = opened.keys().filter(|action| action.starts_with("kms:"));
    assert_eq!(kms.count(), 2);
    assert_eq!(deletes["ACCOUNT#*"], BTreeSet::from(["delete-token"]));
}

#[tokio::test]
async fn the_page_may_do_nothing_but_log() {
    let stack = Stack::from_env();
    let roles = roles(&stack).await;
    let is_console = |role: &&Role| role.function_arn.contains("-ConsoleFunction-");
    let console = roles.iter().find(is_console).expect("the page's role");
    let statements: Vec<_> = console.statements().collect();
    assert_eq!(statements.len(), 1);
    let actions = strings(&statements[0]["Action"]);
    assert_eq!(actions, ["logs:CreateLogStream", "logs:PutLogEvents"]);
    for resource in strings(&statements[0]["Resource"]) {
        assert!(
            resource.ends_with(":log-group:/aws/lambda/latchkey/Console:*"),
            "{resource}"
        );
    }
}

/// A use of a permission: an action on a table, and the partition.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Use {
    action: String,
    table: String,
    partition: String,
}

#[tokio::test]
async fn what_no_test_needed_is_reported() {
    let stack = Stack::from_env();
    let mut unneeded = String::new();
    for role in roles(&stack).await {
        let uses = uses(&stack, &role).await;
        for statement in role.policies.get(role.name()).into_iter().flatten() {
            let resources = strings(&statement["Resource"]);
            // The local cloud itself reads streams and stores failed events, and it doesn't record mails.
            let unseen = |action: &str| {
                action.starts_with("sqs:")
                    || action.starts_with("s3:")
                    || action.starts_with("ses:")
                    || resources
                        .iter()
                        .any(|resource| resource.contains("/stream/"))
            };
            for action in strings(&statement["Action"]) {
                let covers = |used: &Use| {
                    used.action == action
                        && resources
                            .iter()
                            .any(|resource| resource.contains(&used.table))
                        && has_partition(statement, &used.partition)
                };
                if !unseen(action) && !uses.iter().any(covers) {
                    let sid = statement["Sid"].as_str().unwrap_or_default();
                    unneeded.push_str(&format!("  {:20} {sid:18} {action}\n", role.name()));
                }
            }
        }
    }
    // The recording is a ring buffer. If the deployment, which came first, is missing, it is incomplete.
    let deployment = events(&stack, "EventName", "POST.cloudformation", &Value::Null).await;
    let report = match (deployment.is_empty(), unneeded.is_empty()) {
        (true, _) => {
            "The recording of calls lost its beginning: no report of unneeded permissions.".into()
        }
        (false, true) => "Every granted action was needed by a test.".into(),
        (false, false) => format!("Granted, but not needed by any test:\n{unneeded}"),
    };
    // Written directly, since printed text would be captured.
    std::io::stderr()
        .write_all(format!("\n{report}\n").as_bytes())
        .expect("written");
}

/// The kinds of partition in a statement's condition.
fn leading_keys(statement: &Value) -> Vec<&str> {
    strings(&statement["Condition"]["ForAllValues:StringLike"]["dynamodb:LeadingKeys"])
}

/// Whether a statement's condition on the leading keys allows a partition.
fn has_partition(statement: &Value, partition: &str) -> bool {
    let keys = leading_keys(statement);
    keys.is_empty()
        || keys
            .iter()
            .any(|key| partition.starts_with(key.trim_end_matches('*')))
}

/// The uses of the role since the cloud was started.
async fn uses(stack: &Stack, role: &Role) -> BTreeSet<Use> {
    let mut uses = BTreeSet::new();
    let key = access_key(role);
    let mut end = Value::Null;
    loop {
        let events = events(stack, "Username", &key, &end).await;
        for event in &events {
            let detail = event["CloudTrailEvent"].as_str().expect("JSON");
            record(&serde_json::from_str(detail).expect("JSON"), &mut uses);
        }
        // Newest first. The end is included, so the last event appears again.
        let oldest = events.last().map(|event| event["EventTime"].clone());
        match oldest {
            Some(time) if events.len() == 50 && time != end => end = time,
            _ => return uses,
        }
    }
}

/// Up to 50 of the recorded calls with that attribute, newest first, backwards from `end`.
async fn events(stack: &Stack, attribute: &str, value: &str, end: &Value) -> Vec<Value> {
    let mut request = json!({
        "LookupAttributes": [{"AttributeKey": attribute, "AttributeValue": value}],
    });
    if !end.is_null() {
        request["EndTime"] = end.clone();
    }
    let target = "com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101.LookupEvents";
    let page = stack.aws("cloudtrail", target, request).await;
    page["Events"].as_array().expect("events").clone()
}

/// The access key with which the local cloud signs a function's calls. It records nothing else about the caller.
fn access_key(role: &Role) -> String {
    let digest = Sha256::digest(format!("{}:{}", role.function_arn, role.arn));
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
            table: on["TableName"].as_str().unwrap_or_default().to_owned(),
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

fn partition(request: &Value) -> &str {
    let candidates = [
        &request["Key"]["pk"],
        &request["Item"]["pk"],
        &request["ExpressionAttributeValues"][":pk"],
    ];
    let mut texts = candidates
        .into_iter()
        .filter_map(|value| value["S"].as_str());
    texts.next().unwrap_or_default()
}
