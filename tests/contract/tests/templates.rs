//! What the templates and the workspace must agree on with the code, and what no deployment to the local cloud would
//! show.

use std::fmt::Write;
use std::process::Command;

use contract::Section;
use latchkey::aws::OPERATION_TIMEOUT;

fn read(path: &str) -> String {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../../");
    std::fs::read_to_string(format!("{root}{path}")).unwrap()
}

#[test]
fn every_function_outlives_a_service_that_does_not_answer() {
    let template = read("infra/template.yaml");
    let timeouts = template
        .lines()
        .filter_map(|line| line.trim().strip_prefix("Timeout: "));
    let timeouts: Vec<u64> = timeouts.map(|seconds| seconds.parse().unwrap()).collect();
    assert!(!timeouts.is_empty());
    for seconds in timeouts {
        // The operation's time and the time around it.
        assert!(seconds >= 2 * OPERATION_TIMEOUT.as_secs(), "{seconds} s");
    }
}

/// Otherwise strangers could use up the throughput of signed-in users.
#[test]
fn every_route_without_sign_in_has_a_throttle_of_its_own() {
    let template = read("infra/template.yaml");
    let stage = template.split("\n  ApiStage:\n").nth(1).unwrap();
    let stage = stage.split("\n  ApiLogGroup:\n").next().unwrap();
    let (api, rest) = template.split_once("\n  Routes:\n").unwrap();
    assert!(!api.contains("AuthorizationType"));
    let (signed_in, rest) = rest.split_once("\n\n").unwrap();
    // The map of the page's routes, and the routes that are resources of their own.
    let keys = |text: &str, name: &str| -> Vec<String> {
        let lines = text.lines().map(str::trim);
        let keys = lines.filter_map(|line| line.strip_prefix(name));
        keys.filter(|key| !key.starts_with('!'))
            .map(str::to_owned)
            .collect()
    };
    let mut open = keys(rest, "RouteKey: ");
    let page = rest.split("\n\n").next().unwrap();
    open.extend(keys(page, "Key: "));
    assert_eq!(open.len(), 10, "{open:?}");
    for route in &open {
        let settings = format!("        {route}:\n          ThrottlingRateLimit: ");
        assert!(stage.contains(&settings), "{route}");
    }
    for route in keys(signed_in, "Key: ") {
        assert!(!stage.contains(&format!("        {route}:\n")), "{route}");
    }
}

/// Otherwise the permission to read an export would also be one to delete it, or one from another address.
#[test]
fn a_cached_decision_is_one_of_a_token_a_method_a_path_and_an_address() {
    let http = read("examples/protected-api/template.yaml");
    let cached =
        |what: &str| format!("        - !If [CachesDecisions, {what}, !Ref AWS::NoValue]\n");
    let key: String = [
        "      IdentitySource:\n        - $request.header.Authorization\n".into(),
        cached("$context.httpMethod"),
        cached("$context.path"),
        cached("$context.identity.sourceIp"),
    ]
    .concat();
    assert!(http.contains(&key));
    let rest = read("examples/protected-api/rest-api.yaml");
    let key = "      IdentitySource: !If
        - CachesDecisions
        - method.request.header.Authorization,context.httpMethod,context.path,context.identity.sourceIp
        - method.request.header.Authorization
";
    assert!(rest.contains(key));
}

/// Otherwise Lambda would drop the decisions' lines at `LogLevel=WARN`, or the lines of finer levels.
#[test]
fn lambda_lets_the_lines_of_decisions_through_at_every_level() {
    let template = read("infra/template.yaml");
    let levels = "    AllowedValues: [TRACE, DEBUG, INFO, WARN, ERROR]\n";
    let less =
        "  LogsLessThanInfo: !Or [!Equals [!Ref LogLevel, WARN], !Equals [!Ref LogLevel, ERROR]]\n";
    let lambda = "      ApplicationLogLevel: !If [LogsLessThanInfo, INFO, !Ref LogLevel]\n";
    for part in [levels, less, lambda, "        LOG_LEVEL: !Ref LogLevel\n"] {
        assert_eq!(template.matches(part).count(), 1, "{part}");
    }
    // No function has its own level.
    assert_eq!(template.matches("ApplicationLogLevel").count(), 1);
    assert_eq!(template.matches("LOG_LEVEL").count(), 1);
}

/// Otherwise `make deploy` would deploy the tests' clocks and keys.
#[test]
fn nothing_for_tests_is_deployed() {
    let tree = |packages: &[&str]| {
        let tree = Command::new(env!("CARGO"))
            .args([
                "tree",
                "--locked",
                "--offline",
                "-e",
                "normal,features",
                "-i",
                "latchkey",
            ])
            .args(packages)
            .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
            .output()
            .unwrap();
        assert!(
            tree.status.success(),
            "{}",
            String::from_utf8_lossy(&tree.stderr)
        );
        String::from_utf8(tree.stdout).unwrap()
    };
    let testing = "latchkey feature \"testing\"";
    assert!(tree(&["--workspace"]).contains(testing));
    let deployed = tree(&[]);
    assert!(deployed.contains("authorize v"));
    assert!(!deployed.contains(testing));
}

/// What access logs may have: nothing that a caller writes.
const LOGGED: [&str; 18] = [
    "authorizer.accountId",
    "authorizer.claims.sub",
    "authorizer.error",
    "authorizer.latency",
    "authorizer.status",
    "authorizer.tokenId",
    "httpMethod",
    "identity.sourceIp",
    "integration.requestId",
    "integrationErrorMessage",
    "integrationLatency",
    "integrationStatus",
    "requestId",
    "requestTime",
    "responseLatency",
    "responseLength",
    "routeKey",
    "status",
];

/// The variables in the formats of a template's access logs that aren't among these.
fn logged_beyond(template: &str) -> Vec<&str> {
    let formats = template.split("\n        Format: >-\n").skip(1);
    let lines = formats.flat_map(|rest| {
        rest.lines()
            .take_while(|line| line.starts_with("          "))
    });
    let variables = lines.flat_map(|line| line.split("$context.").skip(1));
    let names = variables.map(|rest| {
        rest.split(|c: char| !c.is_ascii_alphanumeric() && c != '.')
            .next()
    });
    names
        .flatten()
        .filter(|name| !LOGGED.contains(name))
        .collect()
}

/// Otherwise a secret that a careless caller puts into a path or a header would be in a log.
#[test]
fn access_logs_have_nothing_that_callers_write() {
    for (path, logs) in [
        ("infra/template.yaml", 1),
        ("examples/protected-api/template.yaml", 1),
        ("examples/protected-api/rest-api.yaml", 0),
    ] {
        let template = read(path);
        assert_eq!(template.matches("AccessLogSetting").count(), logs, "{path}");
        assert_eq!(
            template.matches("\n        Format: >-\n").count(),
            logs,
            "{path}"
        );
        assert_eq!(logged_beyond(&template), Vec::<&str>::new(), "{path}");
        // Traces and the logs of a REST API's execution would have whole requests.
        for switch in [
            "TracingEnabled",
            "TracingConfig",
            "Tracing:",
            "DataTraceEnabled",
            "LoggingLevel",
        ] {
            assert!(!template.contains(switch), "{path}: {switch}");
        }
    }
    // What the test would find.
    let format =
        "\n        Format: >-\n          {\"a\":\"$context.status\",\"b\":\"$context.path\"}\n";
    assert_eq!(logged_beyond(format), ["path"]);
}

/// The template's parameters with their defaults and their descriptions.
fn parameters() -> String {
    let template = read("infra/template.yaml");
    let (_, parameters) = template.split_once("\nParameters:\n").unwrap();
    let (parameters, _) = parameters.split_once("\n\n").unwrap();
    let mut rows: Vec<(String, Option<String>, String)> = Vec::new();
    let mut key = "";
    for line in parameters.lines() {
        let text = line.trim_start();
        let depth = line.len() - text.len();
        if depth == 2 {
            rows.push((text.trim_end_matches(':').to_owned(), None, String::new()));
            continue;
        }
        let (_, default, description) = rows.last_mut().unwrap();
        match text.split_once(':') {
            Some((name, value)) if depth == 4 && !text.starts_with('#') => {
                key = name;
                let value = value.trim().trim_matches('"');
                match name {
                    "Default" => *default = Some(value.to_owned()),
                    // A folded description has its text in the following lines.
                    "Description" if value != ">-" => value.clone_into(description),
                    _ => {}
                }
            }
            _ if depth > 4 && key == "Description" => {
                if !description.is_empty() {
                    description.push(' ');
                }
                description.push_str(text);
            }
            _ => {}
        }
    }
    let mut table = "| parameter | default | meaning |\n|---|---|---|\n".to_owned();
    for (name, default, description) in rows {
        let default = match default.as_deref() {
            None => "has to be given".to_owned(),
            Some("") => String::new(),
            Some(value) => format!("`{value}`"),
        };
        // Text in angle brackets would be read as HTML.
        let description = description.replace('<', "\\<");
        writeln!(table, "| `{name}` | {default} | {description} |").unwrap();
    }
    table
}

#[test]
fn the_documents_say_what_the_parameters_mean() {
    Section::of("docs/deploying.md", "parameters").must_be(&parameters());
}

/// A stack with restored tables uses the key that encrypted their secrets, and then has none of its own.
#[test]
fn with_another_stacks_key_for_secrets_nothing_needs_one_of_its_own() {
    let template = read("infra/template.yaml");
    let either = "!If [CreatesSecretsKey, !GetAtt SecretsKey.Arn, !Ref SecretsKeyArn]";
    assert!(template.contains(either));
    let rest = template.replace(either, "");
    let own = "\n  SecretsKey:\n    Type: AWS::KMS::Key\n    Condition: CreatesSecretsKey\n";
    assert!(rest.contains(own));
    for reference in ["SecretsKey.Arn", "!Ref SecretsKey\n", "${SecretsKey}"] {
        assert!(!rest.contains(reference), "{reference}");
    }
}
