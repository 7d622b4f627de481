//! The generated parts of the template: functions with their policies, routes, and the lists of its `Fn::ForEach`.

use std::fmt::Write;
use std::path::Path;

use crate::Failure;
use crate::fragments::Fragments;
use crate::operation::{Alarm, Caller, Event, Operation, Route};
use crate::section::Document;

/// The largest length of a list's line, in characters.
const WIDTH: usize = 110;

/// On AWS, a request without keys would pass `ForAllValues`. The local cloud doesn't supply the keys to `Null`.
const KEYS_ARE_KNOWN: &str = "\
&KeysAreKnown !If
      - IsAws
      - dynamodb:LeadingKeys: \"false\"
      - !Ref AWS::NoValue";

/// Returns the main template.
///
/// # Errors
/// If the file can't be read, or an operation names an unknown fragment.
pub(crate) fn template(
    root: &Path,
    operations: &[Operation],
    fragments: &Fragments,
) -> Result<Document, Failure> {
    let names = |wanted: &dyn Fn(&Operation) -> bool| {
        list(
            operations
                .iter()
                .filter(|operation| wanted(operation))
                .map(Operation::id),
        )
    };
    let alarmed = |alarm| names(&|operation: &Operation| operation.alarms.contains(&alarm));
    let routes = || operations.iter().flat_map(|operation| &operation.routes);
    let signed_in = || routes().filter(|route| route.needs_sign_in());
    let open = || routes().filter(|route| !route.needs_sign_in());
    let parts = [
        (
            "routes behind sign-in",
            mapping(operations, Route::needs_sign_in),
        ),
        (
            "open routes",
            mapping(operations, |route| !route.needs_sign_in()),
        ),
        ("functions", functions(operations, fragments)?),
        ("names of functions", names(&|_| true)),
        ("functions that verify", names(&|it| it.verifies)),
        ("other functions", names(&|it| !it.verifies)),
        (
            "functions that change at once",
            names(&|operation| !operation.gradual),
        ),
        (
            "functions that change gradually",
            names(&|operation| operation.gradual),
        ),
        (
            "moved aliases",
            moved(operations.iter().filter(|operation| operation.gradual)),
        ),
        (
            "functions with routes",
            names(&|operation| !operation.routes.is_empty()),
        ),
        (
            "names of routes behind sign-in",
            list(signed_in().map(Route::id)),
        ),
        ("names of open routes", list(open().map(Route::id))),
        ("what the stage waits for", items(open().map(Route::id))),
        ("throttles of open routes", throttles(open())),
        (
            "daily functions",
            names(&|operation| operation.event == Some(Event::Daily)),
        ),
        (
            "functions with dead letters",
            names(&Operation::has_dead_letters),
        ),
        ("functions of streams", names(&Operation::reads_stream)),
        ("functions whose errors ring", alarmed(Alarm::Errors)),
        ("functions whose failures ring", alarmed(Alarm::Failures)),
        ("functions whose throttles ring", alarmed(Alarm::Throttles)),
        ("functions that write", names(&Operation::writes)),
        ("functions that spend", names(&Operation::spends)),
        (
            "functions that use the secrets' key",
            names(&Operation::uses_secrets_key),
        ),
    ];
    Document::with_parts(root, "infra/template.yaml", &parts)
}

/// Returns the items as one item that is a list.
fn list(items: impl Iterator<Item = String>) -> String {
    let items: Vec<_> = items.collect();
    let line = format!("- [{}]\n", items.join(", "));
    if line.len() <= WIDTH {
        return line;
    }
    let items: Vec<_> = items.iter().map(|item| format!("- {item}\n")).collect();
    format!("- {}", items.join("  "))
}

fn items(items: impl Iterator<Item = String>) -> String {
    items.map(|item| format!("- {item}\n")).collect()
}

/// Returns the map of the routes that `wanted` selects: each with its key and its function.
fn mapping(operations: &[Operation], wanted: impl Fn(&Route) -> bool) -> String {
    let mut text = String::new();
    for operation in operations {
        for route in operation.routes.iter().filter(|route| wanted(route)) {
            let (id, key, function) = (route.id(), &route.route, operation.id());
            text += &format!("{id}:\n  Key: {key}\n  Integration: {function}Integration\n");
        }
    }
    text
}

/// Returns the throttles of the routes that anybody may call.
fn throttles<'a>(routes: impl Iterator<Item = &'a Route>) -> String {
    let throttles = routes.map(|route| {
        let limit = match route.caller {
            Caller::Scanner => "LeakReport",
            _ => "Public",
        };
        let key = &route.route;
        format!("{key}:\n  ThrottlingRateLimit: !Ref {limit}RateLimit\n  ThrottlingBurstLimit: !Ref {limit}BurstLimit\n")
    });
    throttles.collect()
}

/// Returns the ARNs of the functions and of their aliases, for the role that moves these.
fn moved<'a>(operations: impl Iterator<Item = &'a Operation>) -> String {
    let arns = operations.map(|operation| {
        let id = operation.id();
        format!("- !GetAtt {id}Function.Arn\n- !Sub ${{{id}Function.Arn}}:*\n")
    });
    arns.collect()
}

fn functions(operations: &[Operation], fragments: &Fragments) -> Result<String, Failure> {
    let mut keys_are_known = KEYS_ARE_KNOWN;
    let mut blocks = Vec::new();
    for operation in operations {
        let named = |failure| format!("functions/{}/operation.toml: {failure}", operation.name);
        blocks.push(function(operation, fragments).map_err(named)?);
        let mut statements = String::new();
        for (table, actions) in &operation.rights {
            for (action, partitions) in actions {
                let right = right(table, action, partitions, keys_are_known).map_err(named)?;
                if right.contains("&KeysAreKnown") {
                    keys_are_known = "*KeysAreKnown";
                }
                statements += &right;
            }
        }
        for name in &operation.statements {
            let others = fragments.statements(name, &operation.id()).map_err(named)?;
            statements += &format!("{others}\n");
        }
        if !statements.is_empty() {
            blocks.push(policy(operation, &statements));
        }
    }
    Ok(blocks.join("\n"))
}

fn function(operation: &Operation, fragments: &Fragments) -> Result<String, Failure> {
    let (name, id) = (&operation.name, operation.id());
    let mut text = format!(
        "{id}Function:\n  Type: AWS::Serverless::Function\n  Properties:\n    CodeUri: ../target/lambda/{name}/\n"
    );
    for (property, value) in &operation.properties {
        // A text is CloudFormation's own syntax. It may be one of its functions.
        let value = match value {
            toml::Value::String(text) => text.clone(),
            toml::Value::Integer(number) => number.to_string(),
            _ => return Err(format!("{property} is neither text nor a whole number")),
        };
        let _ = writeln!(text, "    {property}: {value}");
    }
    let _ = writeln!(text, "    Role: !GetAtt {id}Role.Arn");
    let _ = writeln!(
        text,
        "    LoggingConfig:\n      LogGroup: !Ref {id}LogGroup"
    );
    if !operation.environment.is_empty() {
        text += "    Environment:\n      Variables:\n";
    }
    for variable in &operation.environment {
        for line in fragments.variable(variable, &id)?.lines() {
            let _ = writeln!(text, "        {line}");
        }
    }
    Ok(text)
}

fn policy(operation: &Operation, statements: &str) -> String {
    let (name, id) = (&operation.name, operation.id());
    let mut text = format!(
        "{id}Policy:
  Type: AWS::IAM::Policy
  Properties:
    PolicyName: {name}
    Roles: [!Ref {id}Role]
    PolicyDocument:
      Version: \"2012-10-17\"
      Statement:
"
    );
    for line in statements.lines() {
        let _ = writeln!(text, "        {line}");
    }
    text
}

/// Returns the statement for an action on a table. A transaction that touches several kinds of partition has all their
/// keys in one request, so they must be in one statement.
fn right(
    table: &str,
    action: &str,
    partitions: &[String],
    keys_are_known: &str,
) -> Result<String, Failure> {
    let (base, index) = match table.split_once("/index/") {
        Some((base, index)) => (base, Some(index)),
        None => (table, None),
    };
    let base = match base {
        "tokens" => "Tokens",
        "audit" => "Audit",
        _ => return Err(format!("there is no table `{table}`")),
    };
    let resource = match index {
        Some(index) => format!("!Sub ${{{base}Table.Arn}}/index/{index}"),
        None => format!("!GetAtt {base}Table.Arn"),
    };
    let index: String = index.into_iter().flat_map(capitalized).collect();
    let mut text = format!(
        "- Sid: {base}{index}{action}
  Effect: Allow
  Action: [dynamodb:{action}]
  Resource: {resource}
"
    );
    match partitions {
        [] => return Err(format!("{table}: {action} of no partition")),
        [any] if any == "*" => {}
        some => {
            let some: Vec<_> = some
                .iter()
                .map(|partition| format!("{partition:?}"))
                .collect();
            let _ = writeln!(
                text,
                "  Condition:
    ForAllValues:StringLike:
      dynamodb:LeadingKeys: [{}]
    \"Null\": {keys_are_known}",
                some.join(", ")
            );
        }
    }
    Ok(text)
}

fn capitalized(name: &str) -> impl Iterator<Item = char> {
    let mut letters = name.chars();
    let first = letters.next().map(|letter| letter.to_ascii_uppercase());
    first.into_iter().chain(letters)
}
