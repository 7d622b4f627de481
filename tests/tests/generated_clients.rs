//! Clients generated from the API's description make real calls: each creates, lists page by page, reads, edits,
//! reveals and revokes tokens, reads their audit log, problems and failures, introspects a token and asks about its own.
//! And two linters read the description.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use end_to_end::{Account, Stack, send, tool};
use reqwest::Method;
use serde_json::{Value, json};

const CLIENTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/clients");

/// Runs a program to its end and returns its output.
fn run(command: &mut Command, input: &str) -> String {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let mut stdin = child.stdin.take().expect("an input");
    // A program that doesn't read its input may have ended by now.
    let _ = stdin.write_all(input.as_bytes());
    drop(stdin);
    let output = child.wait_with_output().expect("an end");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {text}{errors}");
    text
}

/// An empty directory for a generator's output.
fn directory(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_dir_all(&path);
    fs::create_dir_all(&path).expect("a directory");
    path
}

/// Stores the description from the API in a file.
async fn description(stack: &Stack, directory: &Path) -> PathBuf {
    let answer = send(stack.api(Method::GET, "/v1/openapi.json")).await;
    answer.expect(200);
    let file = directory.join("openapi.json");
    fs::write(&file, answer.text).expect("written");
    file
}

/// Lets a client perform the calls that all clients perform, and compares its results with the API's answers.
async fn check(name: &str, stack: &Stack, generated: &Path, client: &mut Command) {
    let account = Account::create(stack, name, "enterprise").await;
    account.add_resource("export", "exp", None).await;
    let task = json!({
        "generated": generated,
        "url": stack.get("apiUrl"),
        "account": account.id,
        "accessToken": account.owner.access,
        "export": "exp",
    });
    let found: Value = serde_json::from_str(&run(client, &task.to_string())).expect("JSON");
    let tokens = send(account.get(&account.owner, "/tokens"))
        .await
        .expect(200);
    let tokens = tokens["tokens"].as_array().expect("tokens");
    let token = tokens.iter().find(|token| token["name"] == "Renamed");
    let expected = json!({
        "names": ["Asker", "Renamed"],
        "created": token.expect("the token")["createdAt"],
        "renamed": "Renamed",
        "exports": ["exp"],
        "status": "revoked",
        "full": "full",
        "problems": ["token_active", "token_not_found"],
        "failures": [["allowedCidrs.0", "invalid_cidr"]],
        "revealed": true,
        "gateway": "Unauthorized",
        "info": "Renamed",
        "decision": "action_not_allowed",
        "introspected": true,
        // `to` excludes the revocation, which happened at that instant.
        "actions": ["access", "view", "update", "create"],
    });
    assert_eq!(found, expected);
}

#[tokio::test]
async fn openapi_python_client_makes_a_client_that_works() {
    let stack = Stack::from_env();
    let directory = directory("openapi-python-client");
    let description = description(&stack, &directory).await;
    let package = directory.join("latchkey_client");
    let mut generator = Command::new(tool("openapi-python-client", "openapi-python-client"));
    let generator = generator
        .args(["generate", "--meta", "none", "--fail-on-warning", "--path"])
        .arg(description)
        .arg("--output-path")
        .arg(package)
        // The generator calls its formatter, which is installed beside it.
        .env("PATH", path_with("openapi-python-client"));
    run(generator, "");
    let mut client = Command::new(tool("openapi-python-client", "python"));
    let client = client.arg(format!("{CLIENTS}/openapi_python_client.py"));
    check("python-client", &stack, &directory, client).await;
}

#[tokio::test]
async fn openapi_generator_makes_a_client_in_python_that_works() {
    let stack = Stack::from_env();
    let directory = directory("openapi-generator");
    let description = description(&stack, &directory).await;
    let mut generator = Command::new(tool("openapi-generator", "openapi-generator-cli"));
    let generator = generator
        .args([
            "generate",
            "-g",
            "python",
            "--package-name",
            "latchkey_client",
            "-i",
        ])
        .arg(description)
        .arg("-o")
        .arg(&directory);
    run(generator, "");
    let mut client = Command::new(tool("openapi-generator", "python"));
    let client = client.arg(format!("{CLIENTS}/openapi_generator.py"));
    check("openapi-generator", &stack, &directory, client).await;
}

#[tokio::test]
async fn openapi_fetch_and_hey_api_make_clients_in_typescript_that_work_on_node() {
    let stack = Stack::from_env();
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../.local/tools/clients-typescript");
    assert!(
        source.exists(),
        "there is no {}: run `make test`",
        source.display()
    );
    let generated = source.join("generated");
    let _ = fs::remove_dir_all(&generated);
    fs::create_dir_all(&generated).expect("a directory");
    let description = description(&stack, &generated).await;
    let program = |name: &str| Command::new(source.join("node_modules/.bin").join(name));
    let schema = generated.join("schema.d.ts");
    let mut generator = program("openapi-typescript");
    run(generator.arg(&description).arg("-o").arg(schema), "");
    let mut generator = program("openapi-ts");
    let generator = generator.current_dir(&source).arg("-i").arg(&description);
    run(generator.arg("-o").arg(generated.join("hey-api")), "");
    // The compiler checks the calls against the description.
    run(program("tsc").arg("-p").arg(&source), "");
    for name in ["openapi_fetch", "hey_api"] {
        let mut client = Command::new("node");
        let client = client.arg(source.join("built").join(format!("{name}.js")));
        check(&name.replace('_', "-"), &stack, &generated, client).await;
    }
}

/// The linters' configuration says which rules they apply.
#[tokio::test]
async fn two_linters_on_node_find_nothing_in_the_description() {
    let stack = Stack::from_env();
    let linters = Path::new(env!("CARGO_MANIFEST_DIR")).join("../.local/tools/linters");
    assert!(
        linters.exists(),
        "there is no {}: run `make test`",
        linters.display()
    );
    let description = description(&stack, &directory("linters")).await;
    let program = |name: &str| {
        let mut program = Command::new(linters.join("node_modules/.bin").join(name));
        program.arg("lint").current_dir(&linters);
        program
    };
    let mut redocly = program("redocly");
    let redocly = redocly
        .args(["--config", "redocly.yaml"])
        .arg(&description)
        // It tells its maker nothing, and asks for no newer version.
        .env("REDOCLY_TELEMETRY", "off")
        .env("REDOCLY_SUPPRESS_UPDATE_NOTICE", "true");
    run(redocly, "");
    let mut spectral = program("spectral");
    let spectral = spectral.args(["--ruleset", "spectral.yaml", "--fail-severity", "hint"]);
    run(spectral.arg(&description), "");
}

/// The search path with a tool's programs first.
fn path_with(name: &str) -> std::ffi::OsString {
    let programs = tool(name, "python")
        .parent()
        .expect("a directory")
        .to_owned();
    let inherited = std::env::var_os("PATH").unwrap_or_default();
    let all = std::iter::once(programs).chain(std::env::split_paths(&inherited));
    std::env::join_paths(all).expect("a path")
}
