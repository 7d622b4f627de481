//! The main template as AWS would expand it: its alarms, mail permissions, rollback and size. AWS's own libraries,
//! which `make test` installs with the SAM tool, expand it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::sync::LazyLock;

use contract::watching::Watching;
use contract::{Template, expanded, policies, properties_of, resources};
use lambda_http::{Context, LambdaEvent, Request, RequestExt};
use latchkey::http;
use latchkey::mail::{Console, Notifier};
use latchkey::ports::PortError;
use latchkey::start::answer_event;
use latchkey::telemetry::request::{ColdStart, Subject};
use latchkey::testing::{Engine, FixedClock, Logs, Post, brand, counts, now};
use serde_json::value::to_raw_value;
use serde_json::{Value, json};
use tracing::level_filters::LevelFilter;

fn read(path: &str) -> String {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../../");
    fs::read_to_string(format!("{root}{path}")).unwrap()
}

const TOPIC: &str = "arn:aws:sns:us-east-1:123456789012:alarms";

/// The stack with default parameters, except for a topic for alarms.
static STACK: LazyLock<Value> =
    LazyLock::new(|| expanded("infra/template.yaml", &[&format!("AlarmTopicArn={TOPIC}")]));

/// The id in a `Ref`, or in a `Fn::GetAtt` of that attribute.
fn referred<'a>(value: &'a Value, attribute: Option<&str>) -> &'a str {
    let id = match attribute {
        None => &value["Ref"],
        Some(attribute) => {
            let get = &value["Fn::GetAtt"];
            assert_eq!(get[1], attribute, "{value}");
            &get[0]
        }
    };
    id.as_str().unwrap_or_else(|| panic!("{value}"))
}

/// The id of the function behind a reference to its alias.
fn called<'a>(stack: &'a Value, reference: &Value) -> &'a str {
    let alias = &stack["Resources"][referred(reference, None)];
    assert_eq!(alias["Type"], "AWS::Lambda::Alias", "{reference}");
    referred(&alias["Properties"]["FunctionName"], None)
}

/// CloudFormation accepts 500 resources. Those with a false condition count too.
#[test]
fn the_expanded_template_has_room_for_more() {
    let count = resources(&STACK).len();
    assert!((200..=450).contains(&count), "{count} resources");
    let text = STACK.to_string();
    assert!(!text.contains("Fn::ForEach"));
    // The limit of the size is one megabyte.
    assert!(text.len() < 500_000, "{} bytes", text.len());
}

#[test]
fn every_parameter_is_described_and_used() {
    let template = read("infra/template.yaml");
    let (_, body) = template.split_once("\nRules:\n").unwrap();
    for (name, parameter) in STACK["Parameters"].as_object().unwrap() {
        assert!(parameter["Description"].is_string(), "{name}");
        let uses = [format!("!Ref {name}"), format!("${{{name}}}")];
        let mut lines = body.lines().flat_map(|line| line.split([',', ']']));
        let is_used =
            lines.any(|part| part.trim_end().ends_with(&uses[0]) || part.contains(&uses[1]));
        assert!(is_used, "{name}");
    }
}

/// A metric of an alarm.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Metric<'a> {
    namespace: &'a str,
    name: &'a str,
    /// The id of the measured resource; `None` for a metric of a filter.
    of: Option<&'a str>,
}

/// The source of a metric, by AWS's documented names of namespaces, metrics and dimensions. The stack's name is "local"
/// in this expansion.
fn metric<'a>(stack: &'a Value, metric: &'a Value) -> Metric<'a> {
    let namespace = metric["Namespace"].as_str().unwrap();
    let name = metric["MetricName"].as_str().unwrap();
    let dimensions = metric["Dimensions"].as_array();
    let dimension = dimensions.map(|dimensions| {
        // Only an index has a dimension beside its table's.
        if let [_, index] = &dimensions[..] {
            assert_eq!(index["Name"], "GlobalSecondaryIndexName", "{metric}");
            let table = referred(&dimensions[0]["Value"], None);
            let indexes = &stack["Resources"][table]["Properties"]["GlobalSecondaryIndexes"];
            let mut names = indexes.as_array().unwrap().iter();
            assert!(
                names.any(|it| it["IndexName"] == index["Value"]),
                "{metric}"
            );
        } else {
            assert_eq!(dimensions.len(), 1, "{metric}");
        }
        (
            dimensions[0]["Name"].as_str().unwrap(),
            &dimensions[0]["Value"],
        )
    });
    let is_a = |id: &str, kind: &str| assert_eq!(stack["Resources"][id]["Type"], kind, "{metric}");
    let of = match (namespace, name, dimension) {
        (
            "AWS/Lambda",
            "Errors" | "Throttles" | "Invocations" | "Duration",
            Some(("FunctionName", value)),
        ) => {
            let function = referred(value, None);
            is_a(function, "AWS::Lambda::Function");
            Some(function)
        }
        ("AWS/Lambda", "IteratorAge", Some(("FunctionName", value))) => {
            // The function's name covers all its versions and aliases.
            let function = referred(value, None);
            let mappings = properties_of(stack, "AWS::Lambda::EventSourceMapping");
            let mut readers = mappings.values();
            let reads = |mapping: &&Value| called(stack, &mapping["FunctionName"]) == function;
            assert!(readers.any(reads), "{metric}");
            Some(function)
        }
        ("AWS/Lambda", "PolledEventCount", Some(("EventSourceMappingUUID", value))) => {
            let mapping = referred(value, None);
            is_a(mapping, "AWS::Lambda::EventSourceMapping");
            let metrics = &stack["Resources"][mapping]["Properties"]["MetricsConfig"]["Metrics"];
            assert_eq!(metrics, &json!(["EventCount"]), "it reports none else");
            Some(mapping)
        }
        (
            "AWS/DynamoDB",
            "ConsumedWriteCapacityUnits" | "ReadThrottleEvents" | "WriteThrottleEvents",
            Some(("TableName", value)),
        ) => {
            let table = referred(value, None);
            is_a(table, "AWS::DynamoDB::Table");
            Some(table)
        }
        ("AWS/SQS", "ApproximateNumberOfMessagesVisible", Some(("QueueName", value))) => {
            let queue = referred(value, Some("QueueName"));
            is_a(queue, "AWS::SQS::Queue");
            Some(queue)
        }
        // The metric's name for an HTTP API; a REST API calls it 5XXError.
        ("AWS/ApiGateway", "5xx" | "Count", Some(("ApiId", value))) => {
            let api = referred(value, None);
            is_a(api, "AWS::ApiGatewayV2::Api");
            assert_eq!(
                stack["Resources"][api]["Properties"]["ProtocolType"],
                "HTTP"
            );
            Some(api)
        }
        // Those of the whole AWS account.
        ("AWS/SES", "Reputation.BounceRate" | "Reputation.ComplaintRate", None) => None,
        ("local", _, dimension) => {
            let filters = properties_of(stack, "AWS::Logs::MetricFilter");
            let makes = |filter: &&&Value| {
                let made = &filter["MetricTransformations"][0];
                made["MetricNamespace"] == namespace && made["MetricName"] == name
            };
            let filters: Vec<_> = filters.values().filter(makes).collect();
            assert!(!filters.is_empty(), "{metric}");
            for filter in filters {
                let made = &filter["MetricTransformations"][0];
                let key = dimension.map_or(Value::Null, |(key, _)| json!(key));
                assert_eq!(made["Dimensions"][0]["Key"], key, "{metric}");
            }
            None
        }
        _ => panic!("nothing reports {metric}"),
    };
    Metric {
        namespace,
        name,
        of,
    }
}

/// Whether an alarm is a window of an objective: `tests/alarms` looks at those.
fn is_window(id: &str) -> bool {
    ["Fast", "Slow"].iter().any(|word| id.contains(word))
}

/// The metrics of every alarm.
fn alarms(stack: &Value) -> BTreeMap<&str, Vec<Metric<'_>>> {
    let alarms = properties_of(stack, "AWS::CloudWatch::Alarm").into_iter();
    alarms
        .map(|(id, alarm)| {
            let metrics = match alarm["Metrics"].as_array() {
                None => vec![metric(stack, alarm)],
                Some(queries) => {
                    let stats = queries.iter().map(|query| &query["MetricStat"]["Metric"]);
                    let stats = stats.filter(|stat| !stat.is_null());
                    stats.map(|stat| metric(stack, stat)).collect()
                }
            };
            (id, metrics)
        })
        .collect()
}

#[test]
fn every_alarm_watches_what_is_reported_and_is_heard() {
    for (id, metrics) in alarms(&STACK) {
        let alarm = &STACK["Resources"][id]["Properties"];
        assert!(!metrics.is_empty(), "{id}");
        assert!(alarm["AlarmDescription"].is_string(), "{id}");
        let heard = if is_window(id) {
            Value::Null
        } else {
            json!([TOPIC])
        };
        assert_eq!(alarm["AlarmActions"], heard, "{id}");
        assert_eq!(alarm["OKActions"], heard, "{id}");
        // No data means no calls, which isn't an alarm. Of SES, it means that a rate is as it was, and of the watch,
        // that somebody stopped it.
        let (missing, operator) = match (alarm["Namespace"].as_str(), id) {
            (Some("AWS/SES"), _) => ("ignore", "GreaterThanThreshold"),
            (_, "WatchTrailSilentAlarm") => ("breaching", "LessThanThreshold"),
            _ => ("notBreaching", "GreaterThanThreshold"),
        };
        assert_eq!(alarm["TreatMissingData"], missing, "{id}");
        assert_eq!(alarm["ComparisonOperator"], operator, "{id}");
        // All metrics of an expression have the same period, and one of them is the alarm's.
        if let Some(queries) = alarm["Metrics"].as_array() {
            let periods = queries.iter().map(|query| &query["MetricStat"]["Period"]);
            let periods: BTreeSet<_> = periods.filter_map(Value::as_u64).collect();
            assert_eq!(periods.len(), 1, "{id}");
            let returned = queries.iter().filter(|query| query["ReturnData"] == true);
            assert_eq!(returned.count(), 1, "{id}");
        }
    }
    let composite = properties_of(&STACK, "AWS::CloudWatch::CompositeAlarm");
    assert_eq!(composite.len(), 3);
    for (id, alarm) in composite {
        assert_eq!(alarm["AlarmActions"], json!([TOPIC]), "{id}");
        assert_eq!(alarm["OKActions"], json!([TOPIC]), "{id}");
    }
}

/// The resource id of a function with that crate name.
fn function_id(name: &str) -> String {
    let words = name.split('-').map(|word| {
        let (first, rest) = word.split_at(1);
        first.to_uppercase() + rest
    });
    words.collect::<String>() + "Function"
}

#[test]
fn nothing_that_must_be_heard_of_is_without_an_alarm() {
    let watched: BTreeSet<Metric<'_>> = alarms(&STACK).into_values().flatten().collect();
    let is_watched = |namespace: &str, name: &str, of: &str| {
        let is_this = |metric: &Metric<'_>| {
            (metric.namespace, metric.name, metric.of) == (namespace, name, Some(of))
        };
        assert!(watched.iter().any(is_this), "{namespace} {name} of {of}");
    };
    // Functions that record uses verify secrets; GitHub or the finder notices a failed leak report.
    let policies = policies();
    let verifies = policies.iter().filter(|(_, statements)| {
        let mut grants = statements.iter().flat_map(|statement| statement.grants());
        grants
            .any(|(table, action, keys)| table == "Audit" && action == "PutItem" && keys == "USE#*")
    });
    let mut served: Vec<_> = verifies.map(|(name, _)| name.as_str()).collect();
    assert_eq!(served, ["authorize", "introspect-token", "token-info"]);
    served.extend(["receive-leak-report", "revoke-by-secret"]);
    for function in served {
        for name in ["Errors", "Throttles"] {
            is_watched("AWS/Lambda", name, &function_id(function));
        }
    }
    is_watched("AWS/ApiGateway", "5xx", "Api");
    for id in properties_of(&STACK, "AWS::DynamoDB::Table").keys() {
        is_watched("AWS/DynamoDB", "ReadThrottleEvents", id);
        is_watched("AWS/DynamoDB", "WriteThrottleEvents", id);
    }
    is_watched("AWS/Lambda", "Invocations", "WatchTrailFunction");
    for (id, mapping) in properties_of(&STACK, "AWS::Lambda::EventSourceMapping") {
        is_watched("AWS/Lambda", "PolledEventCount", id);
        let function = called(&STACK, &mapping["FunctionName"]);
        is_watched("AWS/Lambda", "IteratorAge", function);
        let table = referred(&mapping["EventSourceArn"], Some("StreamArn"));
        is_watched("AWS/DynamoDB", "ConsumedWriteCapacityUnits", table);
    }
    for id in properties_of(&STACK, "AWS::SQS::Queue").keys() {
        is_watched("AWS/SQS", "ApproximateNumberOfMessagesVisible", id);
    }
    // Functions that are called asynchronously have a destination for failed events.
    for config in properties_of(&STACK, "AWS::Lambda::EventInvokeConfig").values() {
        let queue = &config["DestinationConfig"]["OnFailure"]["Destination"];
        referred(queue, Some("Arn"));
    }
    for (id, rule) in properties_of(&STACK, "AWS::Events::Rule") {
        let target = &rule["Targets"][0];
        let function = called(&STACK, &target["Arn"]);
        let configs = properties_of(&STACK, "AWS::Lambda::EventInvokeConfig");
        let config = configs
            .values()
            .find(|config| config["FunctionName"]["Ref"] == function);
        let config = config.unwrap_or_else(|| panic!("{id}"));
        assert_eq!(config["Qualifier"], "live", "{id}");
        assert_eq!(
            config["DestinationConfig"]["OnFailure"]["Destination"],
            target["DeadLetterConfig"]["Arn"],
            "{id}"
        );
    }
}

#[test]
fn a_metric_filter_reads_the_log_of_a_function() {
    let filters = properties_of(&STACK, "AWS::Logs::MetricFilter");
    assert!(filters.len() > 40, "{}", filters.len());
    for (id, filter) in filters {
        let group = referred(&filter["LogGroupName"], None);
        let function = group.replace("LogGroup", "Function");
        let writes = &STACK["Resources"][&function]["Properties"]["LoggingConfig"]["LogGroup"];
        assert_eq!(writes["Ref"], group, "{id}");
        assert!(
            id.starts_with(function.trim_end_matches("Function")),
            "{id}"
        );
    }
}

fn pattern(filter: &str) -> &str {
    let filter = &STACK["Resources"][filter]["Properties"];
    filter["FilterPattern"].as_str().unwrap()
}

#[test]
fn an_error_line_of_any_kind_is_counted_and_no_other_line() {
    let filters = properties_of(&STACK, "AWS::Logs::MetricFilter");
    let errors: Vec<_> = filters.keys().filter(|id| id.ends_with("Errors")).collect();
    assert!(errors.len() >= 4, "{errors:?}");
    for id in errors {
        let logs = Logs::of(module_path!(), LevelFilter::ERROR);
        tracing::error!(error = "ERROR", number = 1, "ours");
        tracing::error!(target: "lambda_runtime", "theirs");
        tracing::info_span!("request").in_scope(|| tracing::error!("in a span"));
        let lines = logs.take();
        assert_eq!(lines.len(), 3);
        assert!(lines.iter().all(|line| counts(pattern(id), line)), "{id}");
        drop(logs);
        let logs = Logs::of(module_path!(), LevelFilter::TRACE);
        tracing::warn!(error = "ERROR", "ERROR");
        tracing::info!(state = "ERROR", "no error");
        let lines = logs.take();
        assert_eq!(lines.len(), 2);
        assert!(
            !lines.iter().any(|line| counts(pattern(id), line)),
            "{id}: {lines:?}"
        );
    }
}

/// Lambda tries a failed event again, and its dead letters ring. Nobody tries a failed request again.
#[tokio::test]
async fn a_failed_request_is_counted_as_an_error_and_a_failed_event_is_not() {
    let logs = Logs::of(module_path!(), LevelFilter::ERROR);
    let failure = || {
        let mut lines = logs.take().into_iter();
        lines.find(|line| line["level"] == "ERROR").unwrap()
    };
    let first = ColdStart::default();
    let event = LambdaEvent::new(to_raw_value(&json!({})).unwrap(), Context::default());
    let fails = async |_: Value, _| Err::<Value, _>(PortError::Conflict);
    let failed = answer_event(|_| Subject::default(), fails, event, &first).await;
    failed.unwrap_err();
    let event = failure();
    let fails = async |_| Err(PortError::broken("broken", "by intent").into());
    let request = Request::default().with_lambda_context(Context::default());
    http::answer(fails, request, &first).await;
    let request = failure();
    let filters = properties_of(&STACK, "AWS::Logs::MetricFilter");
    for id in filters.keys().filter(|id| id.ends_with("Errors")) {
        let counted = [&event, &request].map(|line| counts(pattern(id), line));
        assert_eq!(counted, [false, true], "{id}: {event} {request}");
    }
}

#[tokio::test]
async fn a_removed_audit_record_rings_the_alarm() {
    let engine = Engine::with_accounts().await;
    let event = read("events/send-notifications/record-removed.json");
    let event = serde_json::from_str(&event).unwrap();
    let console = Console::new("https://tokens.example");
    let notifier = Notifier::new(Post::default(), console, brand());
    let logs = Logs::of("send_notifications", LevelFilter::ERROR);
    let until = jiff::Timestamp::MAX;
    send_notifications::handle(&engine.store, &notifier, &FixedClock(now()), until, event).await;
    let lines = logs.take();
    let counted = lines
        .iter()
        .filter(|line| counts(pattern("SendNotificationsErrors"), line));
    assert_eq!(counted.count(), 1, "{lines:?}");
}

/// Otherwise a sender that is an existing identity couldn't be used.
#[test]
fn without_a_mail_identity_of_its_own_nothing_needs_one() {
    let identity = &STACK["Resources"]["MailIdentity"];
    assert_eq!(identity["Condition"], "CreatesMailIdentity");
    let rest = resources(&STACK)
        .iter()
        .filter(|(id, _)| *id != "MailIdentity");
    for (id, resource) in rest {
        assert!(!resource.to_string().contains("\"MailIdentity\""), "{id}");
        assert_ne!(resource["Type"], "AWS::SES::EmailIdentity", "{id}");
        assert_ne!(resource["Condition"], "CreatesMailIdentity", "{id}");
    }
    assert!(!STACK["Outputs"].to_string().contains("MailIdentity"));
    let template = read("infra/template.yaml");
    let condition = "\n  CreatesMailIdentity: !Equals [!Ref CreateMailIdentity, \"true\"]\n";
    assert!(template.contains(condition));
}

/// A rollback deletes what a deployment created, and fails if a resource can't be deleted. What it retains must not
/// prevent the next deployment.
#[test]
fn a_first_deployment_that_fails_can_be_rolled_back_and_repeated() {
    let mut refusing = Vec::new();
    for (id, resource) in resources(&STACK) {
        let properties = &resource["Properties"];
        let protection = ["DeletionProtectionEnabled", "DeletionProtection"];
        let is_protected = protection.iter().any(|name| !properties[name].is_null());
        let kind = resource["Type"].as_str().unwrap();
        // A bucket with objects can't be deleted either.
        if is_protected || kind == "AWS::S3::Bucket" {
            assert_eq!(resource["DeletionPolicy"], "Retain", "{id}");
            for name in ["TableName", "BucketName"] {
                assert!(properties[name].is_null(), "{id} would be there already");
            }
            refusing.push(id);
        }
        // Resources with data are kept when the stack is deleted or the resource is replaced.
        let holds_data = ["DynamoDB", "Cognito::UserPool", "KMS", "S3"];
        if holds_data
            .iter()
            .any(|service| kind.ends_with(service) || kind.contains(&format!("::{service}::")))
        {
            let policy = resource["DeletionPolicy"].as_str().unwrap_or_default();
            assert!(policy.starts_with("Retain"), "{id}");
            assert_eq!(resource["UpdateReplacePolicy"], "Retain", "{id}");
        }
    }
    assert_eq!(
        refusing,
        ["AuditTable", "GivenUpBatches", "TokensTable", "UserPool"]
    );
}

/// In its sandbox, SES also requires a permission on the recipient's identity.
#[test]
fn who_mails_may_do_so_from_one_address_to_anybody() {
    let mut senders = BTreeSet::new();
    for (id, policy) in properties_of(&STACK, "AWS::IAM::Policy") {
        for statement in policy["PolicyDocument"]["Statement"].as_array().unwrap() {
            let actions = statement["Action"].to_string();
            if !actions.contains("ses:") {
                continue;
            }
            assert_eq!(statement["Action"], json!(["ses:SendEmail"]), "{id}");
            let resources = statement["Resource"].as_array().unwrap();
            let text: Vec<_> = resources.iter().map(Value::to_string).collect();
            assert_eq!(text.len(), 2, "{id}: {text:?}");
            assert!(text[0].contains(":identity/*\""), "{id}: {text:?}");
            assert!(text[1].contains(":configuration-set/"), "{id}: {text:?}");
            let address = "ses:FromAddress";
            let condition = &statement["Condition"];
            assert_eq!(
                condition["StringEqualsIfExists"][address]["Ref"], "MailFrom",
                "{id}"
            );
            assert_eq!(condition["Null"][address], "false", "{id}");
            senders.insert(id.replace("Policy", ""));
        }
    }
    let functions = properties_of(&STACK, "AWS::Lambda::Function").into_iter();
    let told = functions.filter(|(_, function)| {
        let variables = &function["Environment"]["Variables"];
        let from = &variables["MAIL_FROM"];
        assert!(from.is_null() || from["Ref"] == "MailFrom");
        assert_eq!(
            from.is_null(),
            variables["MAIL_CONFIGURATION_SET"].is_null()
        );
        !from.is_null()
    });
    let told: BTreeSet<_> = told.map(|(id, _)| id.replace("Function", "")).collect();
    assert_eq!(senders, told);
}

#[test]
fn what_an_operator_sets_arrives() {
    let source = "arn:aws:execute-api:us-east-1:123456789012:*";
    let set = expanded(
        "infra/template.yaml",
        &[
            "AuthorizeConcurrency=50",
            "SyncPlatformConcurrency=5",
            "MailParallelization=7",
            "DisableExecuteApiEndpoint=true",
            "ConsoleUrl=https://tokens.example.com/",
            &format!("TrustedAuthorizerSource3={source}"),
            "SignInScopes=openid,email",
            "ProductName=Acme tokens",
            "MailSenderName=Acme",
            "SupportAddress=help@acme.example",
            "BrandColor=#0b6b3a",
            "LogoUrl=https://cdn.acme.example/logo.png",
        ],
    );
    let property = |stack: &Value, id: &str, name: &str| {
        let value = &stack["Resources"][id]["Properties"][name];
        let number = value.as_str().and_then(|text| text.parse::<u64>().ok());
        number.map_or_else(|| value.clone(), Value::from)
    };
    let reserved = "ReservedConcurrentExecutions";
    for (id, name, default, given) in [
        ("AuthorizeFunction", reserved, Value::Null, json!(50)),
        ("SyncPlatformFunction", reserved, Value::Null, json!(5)),
        ("AuditStream", "ParallelizationFactor", json!(2), json!(7)),
        (
            "Api",
            "DisableExecuteApiEndpoint",
            json!(false),
            json!(true),
        ),
        (
            "AuthorizeSource3Permission",
            "SourceArn",
            Value::Null,
            json!(source),
        ),
    ] {
        assert_eq!(property(&STACK, id, name), default, "{id}");
        assert_eq!(property(&set, id, name), given, "{id}");
    }
    let variables =
        |id: &str| set["Resources"][id]["Properties"]["Environment"]["Variables"].clone();
    assert_eq!(
        variables("ConsoleFunction")["SIGN_IN_SCOPES"],
        "openid,email"
    );
    let page = "https://tokens.example.com/";
    for id in properties_of(&set, "AWS::Lambda::Function").keys() {
        let url = &variables(id)["CONSOLE_URL"];
        assert!(url.is_null() || url == page, "{id}");
    }
    for id in properties_of(&set, "AWS::Lambda::Function").keys() {
        let variables = variables(id);
        for (name, value) in [
            ("PRODUCT_NAME", "Acme tokens"),
            ("MAIL_SENDER_NAME", "Acme"),
            ("SUPPORT_ADDRESS", "help@acme.example"),
            ("BRAND_COLOR", "#0b6b3a"),
            ("LOGO_URL", "https://cdn.acme.example/logo.png"),
        ] {
            let mails = !variables["MAIL_FROM"].is_null();
            assert_eq!(variables[name] == value, mails, "{id}: {name}");
        }
    }
    let client = &set["Resources"]["ConsoleClient"]["Properties"];
    assert_eq!(client["CallbackURLs"], json!([page]));
    for alarm in properties_of(&set, "AWS::CloudWatch::Alarm").values() {
        assert!(alarm["AlarmActions"].is_null() && alarm["OKActions"].is_null());
    }
    for number in 1..=4 {
        let permission = &STACK["Resources"][format!("AuthorizeSource{number}Permission")];
        assert_eq!(permission["Condition"], format!("TrustsSource{number}"));
    }
}

/// What AWS bills by the month, used or not.
#[test]
fn the_documents_count_what_an_idle_stack_is_billed_for() {
    let keys = properties_of(&STACK, "AWS::KMS::Key").len();
    let Watching {
        alarm_metrics,
        composite_alarms,
        dashboards,
        log_metrics,
    } = Watching::of(&Template::expanded());
    let [alarms, composites, dashboards] =
        [alarm_metrics, composite_alarms, dashboards].map(|it| usize::try_from(it).unwrap());
    let tables = properties_of(&STACK, "AWS::DynamoDB::Table").len();
    // The schedules' functions cost 36 cents, as the table says, and `spending` computes.
    let cents = keys * 100 + alarms * 10 + composites * 50 + dashboards * 300 + 36;
    let dollars = |cents: usize| format!("${}.{:02}", cents / 100, cents % 100);
    let document = read("docs/deploying.md");
    for part in [
        format!("| {keys} at $1 | {};", dollars(keys * 100)),
        format!("| {alarms} at $0.10 | {};", dollars(alarms * 10)),
        format!("| {composites} at $0.50 | {} |", dollars(composites * 50)),
        format!("| {dashboards} at $3.00 | {};", dollars(dashboards * 300)),
        format!("| up to {log_metrics} at $0.30 |"),
        format!(": {tables} tables with point-in-time recovery |"),
        // The first ten alarms and the first three dashboards are free.
        format!(
            "That is about {} in all, or {} if",
            dollars(cents),
            dollars(cents - 100 - dashboards * 300)
        ),
    ] {
        assert!(document.contains(&part), "{part}");
    }
}
