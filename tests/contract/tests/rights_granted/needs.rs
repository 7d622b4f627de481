//! What each function's role needs: for its own requests, as seen on the wire, and for what Lambda does with the role.

use std::collections::{BTreeMap, BTreeSet};

use contract::{Ask, Template, name_of, text};
use serde_json::Value;

use crate::Requests;

/// The condition key with a request's partitions.
pub(crate) const PARTITIONS: &str = "dynamodb:LeadingKeys";

/// The template's names for the resources of the recorded requests.
const NAMES: [(&str, &str); 5] = [
    ("Tokens", "${TokensTable.Arn}"),
    ("Audit", "${AuditTable.Arn}"),
    ("key", "${SecretsKey.Arn}"),
    ("tokens@latchkey.example", "${MailFrom}"),
    ("mails", "${MailConfigurationSet}"),
];

/// SES's resources in the expanded template.
pub(crate) const SES: &str = "arn:aws:ses:us-east-1:123456789012:";

/// The requests of each function's role that must be allowed.
pub(crate) type Needs = BTreeMap<String, BTreeSet<Ask>>;

/// Returns what each function needs.
pub(crate) fn needs(template: &Template, requests: &Requests) -> Needs {
    let mut needs = of_lambda(template);
    for (function, requests) in &requests.touched {
        let needs = needs.get_mut(function).unwrap();
        for ((resource, action), keys) in requests.iter().flatten() {
            let ask = Ask::new(&format!("dynamodb:{action}"), &canonical(resource));
            // IAM may evaluate a transaction's keys one by one or all together.
            needs.insert(ask.clone().with(PARTITIONS, keys));
            for key in keys {
                needs.insert(ask.clone().with(PARTITIONS, &[key]));
            }
        }
    }
    for (function, asks) in &requests.asked {
        let needs = needs.get_mut(function).unwrap();
        needs.extend(asks.iter().cloned().map(|mut ask| {
            ask.resource = canonical(&ask.resource);
            if let Some(from) = ask.context.get_mut("ses:FromAddress") {
                from[0] = name(&from[0]);
            }
            ask
        }));
    }
    needs
}

/// The template's name for a recorded one.
fn name(recorded: &str) -> String {
    let known = NAMES.iter().find(|(name, _)| *name == recorded);
    known
        .unwrap_or_else(|| panic!("unknown: {recorded}"))
        .1
        .into()
}

fn canonical(recorded: &str) -> String {
    // An operation without resources.
    if recorded == "*" {
        return recorded.into();
    }
    if let Some(address) = recorded.strip_prefix("identity/") {
        // The address of a recipient, or of the sender.
        return format!("{SES}identity/{address}");
    }
    if recorded.starts_with("${") {
        // The template's own name, of a function's alias.
        return recorded.into();
    }
    match recorded.split_once('/') {
        Some(("configuration-set", set)) => format!("{SES}configuration-set/{}", name(set)),
        Some((table, index)) => format!("{}/{index}", name(table)),
        None => name(recorded),
    }
}

/// What Lambda does with each function's role, as the functions' settings and their sources of events say: it writes
/// the log, reads a stream, and hands on what failed.
fn of_lambda(template: &Template) -> Needs {
    let mut needs = Needs::new();
    for (id, function) in template.of_type("AWS::Lambda::Function") {
        let group = text(&function["LoggingConfig"]["LogGroup"]);
        let mut own = vec![
            Ask::new("logs:CreateLogStream", &arn(&group)),
            Ask::new("logs:PutLogEvents", &arn(&group)),
        ];
        let queue = &function["Environment"]["Variables"]["DEAD_LETTERS_URL"];
        if !queue.is_null() {
            own.push(Ask::new("sqs:SendMessage", &arn(&text(queue))));
        }
        // Each of these would need rights that nobody has looked up.
        for setting in [
            "VpcConfig",
            "FileSystemConfigs",
            "TracingConfig",
            "DeadLetterConfig",
        ] {
            assert!(function[setting].is_null(), "{id}: {setting}");
        }
        needs.insert(name_of(id), own.into_iter().collect());
    }
    for (id, mapping) in template.of_type("AWS::Lambda::EventSourceMapping") {
        let stream = text(&mapping["EventSourceArn"]);
        let table = stream
            .strip_suffix(".StreamArn}")
            .unwrap_or_else(|| panic!("{id} reads {stream}, not a table's stream"));
        let needs = needs
            .get_mut(&name_of(template.called(&mapping["FunctionName"])))
            .unwrap();
        for action in ["DescribeStream", "GetRecords", "GetShardIterator"] {
            needs.insert(Ask::new(&format!("dynamodb:{action}"), &stream));
        }
        let streams = format!("{table}.Arn}}/stream/one");
        needs.insert(Ask::new("dynamodb:ListStreams", &streams));
        needs.extend(given_up(template, mapping));
    }
    for (_, config) in template.of_type("AWS::Lambda::EventInvokeConfig") {
        assert!(config["DestinationConfig"]["OnSuccess"].is_null());
        // The settings are those of calls of the alias.
        assert_eq!(config["Qualifier"], "live");
        let function = config["FunctionName"]["Ref"].as_str().unwrap();
        let own = needs.get_mut(&name_of(function)).unwrap();
        own.extend(given_up(template, config));
    }
    needs
}

/// What handing on to a destination for failures needs.
fn given_up(template: &Template, source: &Value) -> Vec<Ask> {
    let destination = &source["DestinationConfig"]["OnFailure"]["Destination"];
    let arn = text(destination);
    let id = destination["Fn::GetAtt"][0].as_str().unwrap();
    match template.type_of(id) {
        "AWS::SQS::Queue" => vec![Ask::new("sqs:SendMessage", &arn)],
        "AWS::S3::Bucket" => vec![
            Ask::new("s3:PutObject", &format!("{arn}/one")),
            Ask::new("s3:ListBucket", &arn),
        ],
        other => panic!("a destination of the type {other}"),
    }
}

/// The ARN of a resource of which a `Ref` is given.
fn arn(reference: &str) -> String {
    reference.replace('}', ".Arn}")
}
