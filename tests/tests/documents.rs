//! Runs the commands in the documents and checks that they do what the documents say.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

fn read(document: &str) -> String {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../");
    fs::read_to_string(format!("{root}{document}")).expect("a document")
}

/// The shell blocks of a document's section, which ends with the next heading of its level.
fn blocks(document: &str, heading: &str) -> String {
    let text = read(document);
    let (_, part) = text
        .split_once(&format!("\n## {heading}\n"))
        .expect("a part");
    let part = part.split("\n## ").next().expect("a part");
    let blocks = part.split("```sh\n").skip(1);
    blocks
        .map(|rest| rest.split("```").next().expect("a block"))
        .collect()
}

/// The output of the commands. They find the stack where `make up` describes it.
fn run(directory: &str, commands: &str) -> String {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join(directory);
    let local = directory.join(".local");
    fs::create_dir_all(&local).expect("a directory");
    let stack = std::env::var_os("LATCHKEY_STACK").expect("a local cloud: run `make test`");
    fs::copy(stack, local.join("stack.json")).expect("the stack's description");
    let output = Command::new("bash")
        .args(["-euo", "pipefail", "-c", commands])
        .current_dir(directory)
        .output()
        .expect("bash");
    let printed = String::from_utf8(output.stdout).expect("text");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{printed}\n{errors}");
    printed
}

#[test]
fn the_readme_walks_through_the_main_job_and_the_documents_end_and_introspect_a_secret() {
    let api = read("docs/api.md");
    let introspect = blocks("docs/api.md", "Introspection");
    let (_, revoke) = api
        .split_once("`curl \"$API/v1/revoke\"")
        .expect("a command");
    let revoke = revoke.split('`').next().expect("a command");
    let walk = blocks("README.md", "The main job, by hand");
    let mails = walk
        .rfind("curl -s \"$CLOUD/_ministack")
        .expect("the mails");
    let (walk, mails) = walk.split_at(mails);
    // The mails are sent by way of the stream.
    let mails = format!(
        "for _ in $(seq 300); do\n{{\n{mails}}} > mails\n\
        grep -q '^owner@acme.*Warehouse sync' mails && grep -q '^administrator@acme.*Warehouse sync' mails && break\nsleep 0.2\ndone\ncat mails\n"
    );
    let commands = [
        walk,
        &mails,
        // A token that may ask asks about itself, then ends itself.
        r#"
ASKER=$(curl -s "$API/v1/accounts/acme/tokens" -H "Authorization: Bearer $ACCESS" -H 'Content-Type: application/json' \
  -d '{"name":"Asks","autoPurge":"1h","scope":{"type":"full"}}')
ASKER_ID=$(printf %s "$ASKER" | field "['token']['id']")
ASKER_SECRET=$(printf %s "$ASKER" | field "['secret']")
SECRET=$ASKER_SECRET
"#,
        &introspect,
        "printf '\\nrevoke: '\n",
        &format!("curl -s -o /dev/null -w '%{{http_code}}\\n' \"$API/v1/revoke\"{revoke}\n"),
        &introspect,
    ];
    let printed = run("readme", &commands.concat());

    // The third party's answers: the listed export, another one, and the listed one after the revocation.
    let answers = printed.split("HTTP/1.1 ").skip(1);
    let statuses: Vec<&str> = answers.map(|answer| &answer[..3]).collect();
    assert_eq!(statuses, ["200", "403", "403"], "{printed}");
    // The revealed secret.
    assert!(printed.contains(r#""secret":"lka_"#), "{printed}");
    // The recorded actions.
    for action in ["create", "access", "view", "revoke", "refused"] {
        let cell = format!(",\"{action}\",");
        assert!(printed.contains(&cell), "{action}: {printed}");
    }
    // The mails about this token, among those about the demo's.
    let about = |line: &str| line.contains("Warehouse sync");
    for person in ["owner@acme.example | ", "administrator@acme.example | "] {
        let mut lines = printed.lines();
        let told = lines.any(|line| line.starts_with(person) && about(line));
        assert!(told, "{person}: {printed}");
    }
    // The asking token is active, then ended, then may not ask any more.
    assert!(printed.contains(r#"{"active":true"#), "{printed}");
    let (_, after) = printed.split_once("revoke: 200\n").expect("an end");
    let refused: Value = serde_json::from_str(after).expect("JSON");
    assert_eq!(refused["error"], "invalid_client", "{printed}");
}

#[test]
fn the_examples_readme_walks_through_its_own_api() {
    let text = blocks("examples/protected-api/README.md", "Try it");
    let (_, walk) = blocks("README.md", "The main job, by hand")
        .split_once("CREATED=")
        .map(|(sign_in, _)| ((), sign_in.to_owned()))
        .expect("a sign-in");
    let create = r#"
SECRET=$(curl -s "$API/v1/accounts/acme/tokens" -H "Authorization: Bearer $ACCESS" -H 'Content-Type: application/json' \
  -d '{"name":"Example","autoPurge":"1h","scope":{"type":"full"}}' | field "['secret']")
"#;
    // The second command creates the export that the others use.
    let text = text
        .replace("<ApiUrl of Latchkey>", "$API")
        .replace("<ApiUrl>", "$PROTECTED")
        .replace("<token>", "$SECRET")
        .replace("<id>", "$ID")
        .replace("curl ", "curl -s ");
    let (first, rest) = text
        .split_once("'{\"name\":\"Orders\"")
        .expect("a creation");
    let (created, rest) = rest.split_once('\n').expect("more");
    let (begin, creation) = first.rsplit_once('\n').expect("more");
    let create_export =
        format!("ID=$({creation}'{{\"name\":\"Orders\"{created} | field \"['id']\")\n");
    let commands = [&walk, create, begin, "\n", &create_export, rest];
    let printed = run("example", &commands.concat());
    assert!(printed.contains("Every order"), "{printed}");
    assert!(!printed.contains(r#""code":"#), "{printed}");
}
