//! What lies next to each role's rights is denied to it, by the local cloud's own IAM, with the role's credentials.
//!
//! Each role is tried with every kind of request on both tables, their indexes and streams, both keys, all queues, its
//! own log group and another one, the bucket and another one, its own function, role and others: see `calls`. What its
//! policies name is allowed, which shows that the request would be seen; all the rest must be denied. What a role
//! needs of what its policies name is the subject of `tests/contract`.
//!
//! Some limits are conditions on keys that the local cloud doesn't supply: [`GAPS`] has them. Requests that only these
//! conditions forbid are tried as well. They are allowed there, and on AWS they are denied by what its documents say
//! and `tests/contract` evaluates.

use std::collections::{BTreeMap, BTreeSet};

use assurance::Report;
use end_to_end::{Session, Stack};
use futures_util::{StreamExt, stream};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

use crate::calls::{self, Call};
use crate::others;
use crate::roles::{Role, is_like, leading_keys, roles, strings};
use crate::stack::Resources;

/// The condition keys that the local cloud doesn't supply, and what AWS supplies.
///
/// A `ForAllValues` and an `IfExists` hold without values, and the template leaves out there what requires a value.
const GAPS: [(&str, &str); 3] = [
    (
        "dynamodb:LeadingKeys",
        "the partition keys of the items that a request names",
    ),
    (
        "kms:EncryptionContextKeys",
        "the names in a request's encryption context",
    ),
    ("ses:FromAddress", "the address that a mail is from"),
];

/// What the local cloud authorizes as something else than AWS, so that a right has no effect there.
///
/// It knows no resources of streams, and a log group's ARN without the end that AWS's has.
const INEFFECTIVE: [&str; 6] = [
    "dynamodb:DescribeStream",
    "dynamodb:GetRecords",
    "dynamodb:GetShardIterator",
    "dynamodb:ListStreams",
    "logs:CreateLogStream",
    "logs:PutLogEvents",
];

/// A bucket that no policy names.
const ANOTHER_BUCKET: &str = "latchkey-neighbour";

/// How many requests are under way at once.
const PARALLEL: usize = 8;

/// The encryption context that the policies want.
fn context() -> Value {
    json!({"accountId": "neighbour", "tokenId": "neighbour"})
}

/// The requests that a role is tried with.
fn calls_of(resources: &Resources, role: &Role) -> Vec<Call> {
    let mut calls = Vec::new();
    for table in resources.names("AWS::DynamoDB::Table") {
        calls.extend(calls::items(resources, &table, "ACCOUNT#neighbour"));
        calls.extend(calls::table(resources, &table));
    }
    for stream in &resources.streams {
        calls.extend(calls::stream(stream));
    }
    for key in resources.names("AWS::KMS::Key") {
        calls.extend(calls::key(resources, &key, &context()));
    }
    let queues = resources.names("AWS::SQS::Queue");
    let is_own = |queue: &&String| role.names(&resources.queue(queue));
    let (own, others): (Vec<_>, Vec<_>) = queues.iter().partition(is_own);
    for queue in own.into_iter().chain(others.into_iter().take(1)) {
        calls.extend(calls::queue(resources, queue));
    }
    for bucket in resources.names("AWS::S3::Bucket") {
        calls.extend(others::bucket(resources, &bucket));
    }
    calls.extend(others::bucket(resources, ANOTHER_BUCKET));
    let own = role.function_arn.rsplit(':').next().expect("a name");
    let log = role.log_group();
    for name in [log, &resources.another("AWS::Logs::LogGroup", log)] {
        calls.extend(calls::log_group(resources, name));
    }
    for name in [own, &resources.another("AWS::Lambda::Function", own)] {
        calls.extend(others::function(resources, name));
    }
    let functions = resources.names("AWS::Lambda::Function");
    let aliases: Vec<_> = functions
        .iter()
        .flat_map(|name| ["live", "probe"].map(|alias| format!("{name}:{alias}")))
        .collect();
    let is_named =
        |alias: &&String| role.names(&resources.arn("lambda", &format!("function:{alias}")));
    let (named, rest): (Vec<_>, Vec<_>) = aliases.iter().partition(is_named);
    for alias in named {
        calls.push(others::alias(resources, alias));
        // Only through the alias that a role names.
        calls.push(others::alias(resources, &alias.replace(":probe", ":live")));
    }
    for alias in rest.into_iter().take(1) {
        calls.push(others::alias(resources, alias));
    }
    let own = role.arn.rsplit('/').next().expect("a name");
    for name in [own, &resources.another("AWS::IAM::Role", own)] {
        calls.extend(others::role(resources, name));
    }
    let buses = resources.names("AWS::Events::EventBus");
    calls.extend(calls::elsewhere(resources, &buses[0]));
    calls.extend(others::mail("latchkey@latchkey.example"));
    calls
}

/// Whether a role's policies name a call's action and resource, whatever their conditions are.
fn is_granted(role: &Role, call: &Call) -> bool {
    role.statements().any(|statement| {
        let actions = strings(&statement["Action"]);
        let resources = strings(&statement["Resource"]);
        let mut patterns = resources.iter();
        actions.contains(&call.action.as_str())
            && patterns.any(|pattern| is_like(&call.resource, pattern))
    })
}

/// The rights of a role that no request tries. A right of a new kind needs a request in `calls` or `others`.
fn untried<'a>(role: &'a Role, calls: &[Call]) -> Vec<&'a str> {
    let mut untried = Vec::new();
    for statement in role.statements() {
        for action in strings(&statement["Action"]) {
            for pattern in strings(&statement["Resource"]) {
                let tries = |call: &Call| call.action == action && is_like(&call.resource, pattern);
                if !calls.iter().any(tries) {
                    untried.extend([action, pattern]);
                }
            }
        }
    }
    untried
}

/// Sends requests with a role's credentials. Returns those that were allowed and those that were denied.
async fn tried(stack: &Stack, session: &Session, calls: Vec<Call>) -> (Vec<Call>, Vec<Call>) {
    let answers = stream::iter(calls).map(async |call| {
        let answer = stack.attempt(session, &call.attempt).await;
        for broken in [
            "InvalidClientTokenId",
            "SignatureDoesNotMatch",
            "UnrecognizedClient",
        ] {
            assert!(!answer.text.contains(broken), "{call:?}: {}", answer.text);
        }
        let denied = answer.text.contains("AccessDenied");
        assert!(!denied || answer.status >= 400, "{call:?}");
        (denied, call)
    });
    let answers: Vec<_> = answers.buffer_unordered(PARALLEL).collect().await;
    let (denied, allowed): (Vec<_>, Vec<_>) = answers.into_iter().partition(|(denied, _)| *denied);
    let calls = |answers: Vec<(bool, Call)>| answers.into_iter().map(|(_, call)| call).collect();
    (calls(allowed), calls(denied))
}

/// The calls by what must become of them: those that were allowed and aren't granted, and those that were granted and
/// had no effect.
struct Wrong {
    surplus: BTreeSet<String>,
    missing: BTreeSet<String>,
}

async fn wrong(stack: &Stack, session: &Session, role: &Role, calls: Vec<Call>) -> Wrong {
    let line = |call: Call| format!("{} {} on {}", call.action, call.how, call.resource);
    let (allowed, denied) = tried(stack, session, calls).await;
    let is_ineffective = |call: &Call| INEFFECTIVE.contains(&call.action.as_str());
    let wrong = allowed.iter().find(|call| is_ineffective(call));
    assert!(wrong.is_none(), "it has effect now: {wrong:?}");
    let surplus = allowed.into_iter().filter(|call| !is_granted(role, call));
    let missing = denied.into_iter();
    let missing = missing.filter(|call| is_granted(role, call) && !is_ineffective(call));
    Wrong {
        surplus: surplus.map(line).collect(),
        missing: missing.map(line).collect(),
    }
}

#[tokio::test]
async fn every_neighbour_of_a_right_is_denied() {
    let stack = Stack::from_env();
    let report = Report::of(
        "rights-cloud",
        "make test ARGS=\"-p end-to-end --test permissions\"",
    );
    let resources = Resources::of(&stack).await;
    // Without a key, the bucket itself is made.
    stack.put_object(ANOTHER_BUCKET, "", String::new()).await;
    let roles = stack_roles(&stack).await;
    let (mut count, mut effective) = (0, 0);
    let (mut surplus, mut missing) = (BTreeMap::new(), BTreeMap::new());
    for role in &roles {
        let session = stack.assume(&role.arn).await;
        let calls = calls_of(&resources, role);
        count += calls.len();
        assert_eq!(untried(role, &calls), [""; 0], "{}", role.name());
        effective += calls.iter().filter(|call| is_granted(role, call)).count();
        let wrong = wrong(&stack, &session, role, calls).await;
        if !wrong.surplus.is_empty() {
            surplus.insert(role.name(), wrong.surplus);
        }
        if !wrong.missing.is_empty() {
            missing.insert(role.name(), wrong.missing);
        }
    }
    assert!(surplus.is_empty(), "allowed, and not granted: {surplus:#?}");
    assert!(missing.is_empty(), "granted, without effect: {missing:#?}");
    let planted = planted(&stack, &resources, &roles).await;
    let figure = |number: usize| u64::try_from(number).expect("a small number");
    let report = report
        .figure("roles", figure(roles.len()))
        .figure("requests with a role's credentials", figure(count))
        .figure("of these granted", figure(effective));
    let report = planted
        .iter()
        .fold(report, |report, fault| report.planted(fault));
    report.write();
}

/// The roles of the main stack's functions.
async fn stack_roles(stack: &Stack) -> Vec<Role> {
    let mut roles = roles(stack).await;
    roles.retain(|role| role.arn.contains(":role/latchkey-"));
    assert!(roles.len() > 15, "only {} roles", roles.len());
    roles
}

/// Makes a role with a function's policy and one grant too many, for each of some grants, and returns the names of
/// those that were found.
async fn planted(stack: &Stack, resources: &Resources, roles: &[Role]) -> Vec<String> {
    let tables = resources.names("AWS::DynamoDB::Table");
    let table = resources.arn("dynamodb", &format!("table/{}", tables[0]));
    let keys = resources.names("AWS::KMS::Key");
    let queues = resources.names("AWS::SQS::Queue");
    let bucket = &resources.names("AWS::S3::Bucket")[0];
    let faults = [
        ("dynamodb:Scan", table),
        (
            "kms:DescribeKey",
            resources.arn("kms", &format!("key/{}", keys[0])),
        ),
        ("sqs:ReceiveMessage", resources.queue(&queues[0])),
        ("s3:GetObject", resources.arn("s3", &format!("{bucket}/*"))),
        ("iam:GetRole", "*".to_owned()),
    ];
    let model = roles.iter().find(|role| role.name() == "get-token");
    let model = model.expect("the function's role");
    let trust = json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"},
    ]});
    let trust = encoded(&trust);
    let name = "latchkey-planted";
    let parameters = [("RoleName", name), ("AssumeRolePolicyDocument", &trust)];
    let made = stack.iam("CreateRole", &parameters).await;
    let arn = made
        .split("<Arn>")
        .nth(1)
        .and_then(|rest| rest.split('<').next());
    let arn = arn.expect("an ARN");
    let mut found = Vec::new();
    for (action, resource) in &faults {
        let mut statements: Vec<Value> = model.statements().cloned().collect();
        statements.push(json!({"Effect": "Allow", "Action": [action], "Resource": resource}));
        let document = json!({"Version": "2012-10-17", "Statement": statements});
        let document = encoded(&document);
        let parameters = [
            ("RoleName", name),
            ("PolicyName", "own"),
            ("PolicyDocument", &document),
        ];
        stack.iam("PutRolePolicy", &parameters).await;
        let session = stack.assume(arn).await;
        let wrong = wrong(stack, &session, model, calls_of(resources, model)).await;
        let mut surplus = wrong.surplus.iter();
        let is_found = surplus.all(|line| line.starts_with(action)) && !wrong.surplus.is_empty();
        assert!(is_found, "{action} more: found {:#?}", wrong.surplus);
        assert!(wrong.missing.is_empty(), "{:#?}", wrong.missing);
        found.push(format!("a role with {action} more"));
    }
    let parameters = [("RoleName", name), ("PolicyName", "own")];
    stack.iam("DeleteRolePolicy", &parameters).await;
    stack.iam("DeleteRole", &[("RoleName", name)]).await;
    found
}

fn encoded(document: &Value) -> String {
    utf8_percent_encode(&document.to_string(), NON_ALPHANUMERIC).to_string()
}

/// If the local cloud denies one of these one day, its limit must be asserted, and not be a gap.
#[tokio::test]
async fn what_only_a_condition_forbids_is_allowed_where_the_local_cloud_lacks_its_key() {
    let stack = Stack::from_env();
    let resources = Resources::of(&stack).await;
    let roles = stack_roles(&stack).await;
    let statements = roles.iter().flat_map(Role::statements);
    let kinds: BTreeSet<_> = statements
        .flat_map(leading_keys)
        .map(str::to_owned)
        .collect();
    let mut tries = BTreeMap::<&str, usize>::new();
    for role in &roles {
        let mut calls = Vec::new();
        for (key, statement) in conditions(role) {
            let next = match key {
                "dynamodb:LeadingKeys" => partitions(&resources, statement, &kinds),
                "kms:EncryptionContextKeys" => {
                    let keys = resources.names("AWS::KMS::Key").into_iter();
                    let other = json!({"another": "neighbour"});
                    keys.flat_map(|key| calls::key(&resources, &key, &other))
                        .collect()
                }
                _ => others::mail("another@latchkey.example"),
            };
            let own = next.into_iter().filter(|call| {
                let resources = strings(&statement["Resource"]);
                let mut patterns = resources.iter();
                strings(&statement["Action"]).contains(&call.action.as_str())
                    && patterns.any(|pattern| is_like(&call.resource, pattern))
            });
            let before = calls.len();
            calls.extend(own);
            *tries.entry(key).or_default() += calls.len() - before;
        }
        let session = stack.assume(&role.arn).await;
        let (_, denied) = tried(&stack, &session, calls).await;
        assert!(denied.is_empty(), "no gap any more: {denied:#?}");
    }
    for (key, supplied) in GAPS {
        let tries = tries.remove(key).unwrap_or_default();
        assert!(tries > 0, "nothing tried {key}: {supplied}");
    }
    assert!(tries.is_empty(), "not named: {tries:?}");
}

/// The statements of a role with conditions, each with the condition's key.
fn conditions(role: &Role) -> Vec<(&str, &Value)> {
    let mut conditions = Vec::new();
    for statement in role.statements() {
        for (operator, keys) in statement["Condition"].as_object().into_iter().flatten() {
            assert_ne!(
                operator, "Null",
                "the local cloud's policies have no such condition"
            );
            let keys = keys.as_object().expect("keys").keys();
            conditions.extend(keys.map(|key| (key.as_str(), statement)));
        }
    }
    conditions
}

/// Requests of a statement's table for partitions of the kinds that it doesn't name.
fn partitions(resources: &Resources, statement: &Value, kinds: &BTreeSet<String>) -> Vec<Call> {
    let named = leading_keys(statement);
    let others = kinds.iter().filter(|kind| !named.contains(&kind.as_str()));
    let others: Vec<_> = others.map(|kind| kind.replace('*', "neighbour")).collect();
    let tables = resources.names("AWS::DynamoDB::Table");
    let mut calls = Vec::new();
    for other in others
        .iter()
        .map(String::as_str)
        .chain(["ANOTHER#neighbour"])
    {
        for table in &tables {
            calls.extend(calls::items(resources, table, other));
        }
    }
    calls
}
