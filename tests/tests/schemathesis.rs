//! Schemathesis, a tester of APIs, sends what the API's description allows and what it forbids to every operation, and
//! checks that each answer is one that the description has.
//!
//! Its configuration is in `tests/schemathesis`, with a reason for each exception. The gateway here is the local
//! cloud's: what API Gateway refuses by itself, such as lines that are too long, is not tried.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use assurance::{Report, Rounds, minutes};
use end_to_end::{Account, Stack, send, tool};
use reqwest::Method;
use serde_json::{Value, json};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/schemathesis");

/// The requests for each operation beside those for its limits.
const EXAMPLES: &str = "5";

/// The accounts whose tokens are tried, and what is needed to try them.
struct Tried {
    managed: Account,
    /// A token of another account: its id and its secret.
    other: (String, String),
    /// The folder with the configuration and the reports.
    directory: PathBuf,
}

impl Tried {
    async fn new(stack: &Stack) -> Self {
        let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("schemathesis");
        let _ = fs::remove_dir_all(&directory);
        fs::create_dir_all(&directory).expect("a directory");
        let managed = Account::create(stack, "schemathesis", "enterprise").await;
        managed.add_resource("export", "exp_orders", None).await;
        let body = json!({"name": "tried", "autoPurge": "30d", "scope": {"type": "full"}});
        let mut tokens = String::new();
        for _ in 0..30 {
            let (id, _) = managed.create_token(body.clone()).await;
            // The form of the dictionaries of fuzzers.
            tokens += &format!("\"{id}\"\n");
        }
        fs::write(directory.join("tokens"), tokens).expect("written");
        for file in ["schemathesis.toml", "hooks.py"] {
            fs::copy(Path::new(FOLDER).join(file), directory.join(file)).expect("copied");
        }
        let other = Account::create(stack, "schemathesis-other", "enterprise").await;
        Self {
            other: other.create_token(body).await,
            managed,
            directory,
        }
    }

    /// Tries the operations of a description, and returns the report and what was printed.
    fn run(&self, name: &str, description: &Value, arguments: &[&str]) -> (Value, String) {
        let file = self.directory.join(format!("{name}.json"));
        fs::write(&file, description.to_string()).expect("written");
        let report = self.directory.join(format!("{name}-report.json"));
        let (token, secret) = &self.other;
        let done = Command::new(tool("schemathesis", "schemathesis"))
            .args(["--config-file", "schemathesis.toml", "run"])
            .arg(&file)
            .args([
                "--no-color",
                "--report",
                "json",
                "--output-truncate",
                "false",
                "--report-json-path",
            ])
            .arg(&report)
            .args(arguments)
            .current_dir(&self.directory)
            .env("LATCHKEY_API", self.managed.stack.get("apiUrl"))
            .env("LATCHKEY_ACCOUNT", &self.managed.id)
            .env("LATCHKEY_ACCESS", &self.managed.owner.access)
            .env("LATCHKEY_TOKEN", token)
            .env("LATCHKEY_SECRET", secret)
            .output();
        let done = done.expect("Schemathesis starts");
        let mut printed = String::from_utf8_lossy(&done.stdout).into_owned();
        printed += &String::from_utf8_lossy(&done.stderr);
        let report = fs::read(&report).unwrap_or_else(|error| panic!("{error}: {printed}"));
        (serde_json::from_slice(&report).expect("JSON"), printed)
    }
}

fn count(report: &Value, what: &str) -> u64 {
    report["test_cases"][what]
        .as_u64()
        .unwrap_or_else(|| panic!("no {what} in {report}"))
}

#[tokio::test]
async fn every_answer_is_one_that_the_description_has() {
    let stack = Stack::from_env();
    let answer = send(stack.api(Method::GET, "/v1/openapi.json")).await;
    let description = answer.expect(200);
    let paths = description["paths"].as_object().expect("paths").values();
    let operations: usize = paths
        .map(|path| {
            path.as_object().map_or(0, |path| {
                path.keys().filter(|key| *key != "parameters").count()
            })
        })
        .sum();
    let tried = Tried::new(&stack).await;
    let report = Report::of(
        "schemathesis",
        r#"make test ARGS="-p end-to-end --test schemathesis""#,
    );

    let mut lying = description.clone();
    lying["components"]["schemas"]["Account"]["properties"]["name"] = json!({"type": "integer"});
    let one = [
        "--include-operation-id",
        "get-account",
        "--phases",
        "fuzzing",
        "-n",
        "3",
    ];
    let (found, printed) = tried.run("lying-about-a-type", &lying, &one);
    assert!(
        printed.contains("response_schema_conformance") || count(&found, "with_failures") > 0,
        "{printed}"
    );
    let mut lying = description.clone();
    let answers =
        &mut lying["paths"]["/v1/accounts/{accountId}/tokens/{tokenId}"]["get"]["responses"];
    answers.as_object_mut().expect("answers").remove("200");
    let one = [
        "--include-operation-id",
        "get-token",
        "--phases",
        "fuzzing",
        "-n",
        "5",
    ];
    let (found, printed) = tried.run("lying-about-a-status", &lying, &one);
    assert!(count(&found, "with_failures") > 0, "{printed}");

    let mut requests = 0;
    // With a limit, Schemathesis goes on until it is reached.
    let limit = minutes().map(|long| long.as_secs().max(60).to_string());
    for seed in Rounds::of(1) {
        let seed = seed.to_string();
        let mut arguments = vec!["--seed", &seed, "-n", EXAMPLES];
        if let Some(limit) = &limit {
            arguments.extend(["--max-time", limit]);
        }
        let (report, printed) = tried.run("all", &description, &arguments);
        let failed = count(&report, "with_failures") + count(&report, "errored");
        assert!(
            failed == 0 && report["errors"] == json!([]),
            "{}seed {seed}: LATCHKEY_SEED={seed} make test ARGS=\"-p end-to-end --test schemathesis\"\n{printed}",
            report["errors"]
        );
        assert_eq!(
            report["operations"]["tested"], operations,
            "{}",
            report["operations"]
        );
        requests += count(&report, "generated");
    }
    report
        .figure("operations", operations.try_into().expect("a number"))
        .figure("requests", requests)
        .planted("a description that is wrong about a type")
        .planted("a description without a status")
        .write();
}
