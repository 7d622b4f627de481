//! Links in documents resolve, the names in their commands exist, and the README stays short.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use contract::printed;
use serde_json::{Value, json};

/// The maximal length of the README, in lines.
const README_LINES: usize = 150;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The documents of a folder, without those that tools and builds generate.
fn documents(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        if path.is_dir() {
            if !name.starts_with('.') && name != "target" && name != "node_modules" {
                found.extend(documents(&path));
            }
        } else if path.extension().is_some_and(|extension| extension == "md") {
            found.push(path);
        }
    }
    found
}

/// The lines of a document, each with the language of its code block, if it is in one.
fn lines(text: &str) -> Vec<(Option<&str>, &str)> {
    let mut block = None;
    let mut lines = Vec::new();
    for line in text.lines() {
        match line.trim_start().strip_prefix("```") {
            Some(language) => block = block.xor(Some(language)),
            None => lines.push((block, line)),
        }
    }
    lines
}

/// The lines outside of code blocks.
fn prose(text: &str) -> Vec<&str> {
    let lines = lines(text).into_iter();
    lines
        .filter(|(block, _)| block.is_none())
        .map(|(_, line)| line)
        .collect()
}

/// The anchors of a document's headings in GitHub's form.
fn anchors(text: &str) -> BTreeSet<String> {
    let mut anchors = BTreeSet::new();
    for line in prose(text) {
        let heading = line.trim_start_matches('#');
        if heading.len() == line.len() || !heading.starts_with(' ') {
            continue;
        }
        let heading = heading.trim().to_lowercase();
        let kept = |letter: &char| letter.is_alphanumeric() || matches!(letter, ' ' | '-' | '_');
        let anchor: String = heading.chars().filter(kept).collect();
        let anchor = anchor.replace(' ', "-");
        let mut numbered = anchor.clone();
        let mut number = 0;
        while !anchors.insert(numbered.clone()) {
            number += 1;
            numbered = format!("{anchor}-{number}");
        }
    }
    anchors
}

/// The targets of a document's links and pictures.
fn targets(text: &str) -> Vec<String> {
    let prose = prose(text).join("\n");
    let links = prose.split("](").skip(1);
    links
        .filter_map(|rest| Some(rest.split_once(')')?.0.to_owned()))
        .collect()
}

/// Whether the linked file exists, and has the linked heading.
fn leads_somewhere(document: &Path, target: &str) -> bool {
    let (path, anchor) = match target.split_once('#') {
        Some((path, anchor)) => (path, Some(anchor)),
        None => (target, None),
    };
    let file = match path {
        "" => document.to_owned(),
        path => document.parent().unwrap().join(path),
    };
    match anchor {
        Some(anchor) => fs::read_to_string(file).is_ok_and(|text| anchors(&text).contains(anchor)),
        None => file.exists(),
    }
}

#[test]
fn every_link_from_one_document_to_another_leads_somewhere() {
    let mut broken = Vec::new();
    let mut followed = 0;
    for document in documents(&root()) {
        let text = fs::read_to_string(&document).unwrap();
        for target in targets(&text) {
            if target.contains("://") {
                continue;
            }
            followed += 1;
            if !leads_somewhere(&document, &target) {
                broken.push(format!("{}: {target}", document.display()));
            }
        }
    }
    assert_eq!(broken, Vec::<String>::new());
    assert!(followed > 0);
}

#[test]
fn a_link_to_no_file_or_no_heading_is_told_from_others() {
    let text =
        "# One\n[a](#one)\n## `Two` and 3: so\n## One\n```sh\n# none\n[b](none)\n```\n![c](d.png)";
    assert_eq!(targets(text), ["#one", "d.png"]);
    let expected = ["one", "one-1", "two-and-3-so"];
    assert_eq!(anchors(text), BTreeSet::from(expected.map(String::from)));
    let readme = root().join("README.md");
    for good in ["#latchkey", "docs/api.md", "docs/api.md#routes", "tower"] {
        assert!(leads_somewhere(&readme, good), "{good}");
    }
    for bad in ["#none", "docs/none.md", "docs/api.md#none", "tower#none"] {
        assert!(!leads_somewhere(&readme, bad), "{bad}");
    }
}

/// An interactive zsh runs a comment as a command, and also what is in backticks in it.
#[test]
fn commands_can_be_pasted_into_every_shell() {
    let mut commands = 0;
    for document in documents(&root()) {
        let text = fs::read_to_string(&document).unwrap();
        for (block, line) in lines(&text) {
            if block != Some("sh") {
                continue;
            }
            commands += 1;
            let comment = line.trim_start().starts_with('#') || line.contains(" # ");
            let place = document.display();
            assert!(!comment && !line.contains('`'), "{place}: {line}");
        }
    }
    assert!(commands > 0);
}

#[test]
fn the_readme_is_short() {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let lines = readme.lines().count();
    assert!(lines <= README_LINES, "{lines} lines");
}

/// The programs whose commands are checked.
const PROGRAMS: [&str; 4] = ["make", "cargo", "aws", "sam"];

/// The commands in a document's shell blocks and inline code, each as words.
fn commands(text: &str) -> Vec<Vec<String>> {
    let prose = prose(text).join("\n");
    let inline = prose.split('`').skip(1).step_by(2);
    let mut texts: Vec<String> = inline.map(str::to_owned).collect();
    let mut begun = String::new();
    for (_, line) in lines(text).iter().filter(|(block, _)| *block == Some("sh")) {
        begun.push_str(line.trim_end_matches('\\'));
        if !line.ends_with('\\') {
            texts.push(std::mem::take(&mut begun));
        }
    }
    let mut commands: Vec<Vec<String>> = Vec::new();
    for text in texts {
        let mut within = false;
        for word in text.split_whitespace() {
            let word = word.rsplit("$(").next().unwrap();
            let word = word.trim_matches(['"', '\'', ')', ';']);
            if PROGRAMS.contains(&word) && !within {
                within = true;
                commands.push(Vec::new());
            }
            within &= !matches!(word, "|" | ">");
            if within {
                commands.last_mut().unwrap().push(word.to_owned());
            }
        }
    }
    commands
}

/// The commands of all documents that begin with a program's name, without that name.
fn commands_of(program: &str) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    for document in documents(&root()) {
        let text = fs::read_to_string(&document).unwrap();
        let these = commands(&text).into_iter();
        found.extend(
            these
                .filter(|words| words[0] == program)
                .map(|words| words[1..].to_vec()),
        );
    }
    assert!(!found.is_empty(), "no document has a command {program}");
    found
}

#[test]
fn commands_are_found_in_blocks_and_in_text() {
    let text = "Run `make up` or `make`.\n```sh\nX=$(aws s3 ls \\\n  --region x) | jq .\nsam deploy\n```\n\
        ```json\nmake no\n```\n";
    let expected: [&[&str]; 4] = [
        &["make", "up"],
        &["make"],
        &["aws", "s3", "ls", "--region", "x"],
        &["sam", "deploy"],
    ];
    assert_eq!(commands(text), expected);
}

#[test]
fn every_target_of_make_exists() {
    let makefile = fs::read_to_string(root().join("Makefile")).unwrap();
    for command in commands_of("make") {
        let Some((target, variables)) = command.split_first() else {
            continue;
        };
        let rule = format!("\n{target}: ## ");
        assert!(makefile.contains(&rule), "make {target}");
        for (variable, _) in variables.iter().filter_map(|word| word.split_once('=')) {
            if !variable.chars().all(|letter| letter.is_ascii_uppercase()) {
                continue;
            }
            assert!(
                makefile.contains(&format!("$({variable})"))
                    || makefile.contains(&format!("$(if $({variable})")),
                "make {target} {variable}=…"
            );
        }
    }
}

/// The workspace's packages as cargo describes them.
fn packages() -> Vec<Value> {
    let metadata = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--offline", "--format-version=1"])
        .current_dir(root())
        .output()
        .unwrap();
    let metadata: Value = serde_json::from_slice(&metadata.stdout).unwrap();
    metadata["packages"].as_array().unwrap().clone()
}

/// Whether a file below a folder has an example in its documentation.
fn has_example(folder: &Path) -> bool {
    fs::read_dir(folder).unwrap().any(|entry| {
        let path = entry.unwrap().path();
        if path.is_dir() {
            return has_example(&path);
        }
        let text = fs::read(&path).unwrap();
        let text = String::from_utf8_lossy(&text);
        let is_rust = path.extension().is_some_and(|it| it == "rs");
        let mut lines = text.lines().map(str::trim_start);
        is_rust && lines.any(|line| line.starts_with("//! ```") || line.starts_with("/// ```"))
    })
}

/// Rustdoc starts for each library whose examples are to be tested, even if there are none.
#[test]
fn examples_are_tested_in_the_libraries_that_have_some_and_in_no_others() {
    let mut libraries = 0;
    for package in packages() {
        for target in package["targets"].as_array().unwrap() {
            if target["kind"] == json!(["lib"]) {
                let file = Path::new(target["src_path"].as_str().unwrap());
                let has_some = has_example(file.parent().unwrap());
                assert_eq!(target["doctest"], has_some, "{}", package["name"]);
                libraries += 1;
            }
        }
    }
    assert!(libraries > 30, "{libraries}");
}

#[test]
fn every_package_test_and_option_of_cargo_exists() {
    let packages = packages();
    let package = |name: &str| packages.iter().any(|package| package["name"] == name);
    let ours = ["Makefile", "infra/local/cloud.py"]
        .map(|file| fs::read_to_string(root().join(file)).unwrap())
        .concat();
    for command in commands_of("cargo") {
        let text = command.join(" ");
        let Some(subcommand) = command.first() else {
            continue;
        };
        let options = if subcommand == "lambda" {
            // This program is installed for `make deploy` and not for tests, so the project's own calls are the
            // reference.
            ours.clone()
        } else if subcommand == "xtask" {
            let tasks = fs::read_to_string(root().join("xtask/src/main.rs")).unwrap();
            let task = command.get(1).unwrap();
            assert!(tasks.contains(&format!("[\"{task}\"")), "cargo {text}");
            tasks
        } else {
            let help = Command::new(env!("CARGO"))
                .args([subcommand, "--help"])
                .output()
                .unwrap();
            assert!(help.status.success(), "cargo {text}");
            String::from_utf8(help.stdout).unwrap()
        };
        // The following arguments belong to the program that cargo runs.
        let words = command.iter().take_while(|word| *word != "--");
        let words: Vec<&str> = words.map(String::as_str).collect();
        for option in words.iter().filter(|word| word.starts_with("--")) {
            assert!(options.contains(option), "cargo {text}: {option}");
        }
        for pair in words.windows(2) {
            match pair {
                ["-p" | "--package", name] => assert!(package(name), "cargo {text}"),
                ["--test", name] => {
                    let [file, folder] = ["", "/main"]
                        .map(|main| root().join(format!("tests/contract/tests/{name}{main}.rs")));
                    assert!(file.exists() || folder.exists(), "cargo {text}");
                }
                _ => {}
            }
        }
    }
}

/// Returns the JSON that a program in the SAM tool's Python prints.
fn python(program: &str, input: &Value) -> Value {
    serde_json::from_str(&printed(&["-c", program], &input.to_string())).unwrap()
}

#[test]
fn every_command_and_option_of_aws_and_sam_exists() {
    // Returns the commands with an unknown service, operation or option. Four commands are the AWS CLI's own, and so is
    // the name of an option: `--endpoint` is short for its `--endpoint-url`.
    let program = "
import json, sys
import botocore.session
from botocore import xform_name
from samcli.commands.deploy.command import cli

commands = json.load(sys.stdin)
session, wrong = botocore.session.get_session(), []
for service, operation, *words in commands['aws']:
    options = {word for word in words if word.startswith('--')} - {'--output', '--query', '--cli-input-json'}
    if (service, operation) in {('s3', 'cp'), ('s3', 'ls'), ('s3', 'rb'), ('configure', 'export-credentials')}:
        continue
    model = session.get_service_model(service)
    names = {xform_name(name, '-'): name for name in model.operation_names}
    shape = operation in names and model.operation_model(names[operation]).input_shape
    members = shape.members if shape else {}
    known = {'--' + xform_name(name, '-') for name in members}
    if (service, operation) == ('sns', 'subscribe'):
        known = known - {'--endpoint'} | {'--notification-endpoint'}
    known |= {'--no-' + xform_name(name, '-') for name, member in members.items() if member.type_name == 'boolean'}
    if not shape or options - known:
        wrong.append([service, operation, *sorted(options - known)])
known = {option for parameter in cli.params for option in parameter.opts + parameter.secondary_opts}
for operation, *words in commands['sam']:
    options = {word for word in words if word.startswith('--')}
    if operation != 'deploy' or options - known:
        wrong.append(['sam', operation, *sorted(options - known)])
json.dump(wrong, sys.stdout)
";
    let aws: Vec<_> = commands_of("aws").into_iter().collect();
    // `make deploy` passes its arguments to `sam deploy`.
    let arguments = commands_of("make").into_iter().filter_map(|command| {
        let (target, words) = command.split_first()?;
        (target == "deploy").then(|| [&["deploy".to_owned()], words].concat())
    });
    let sam = commands_of("sam").into_iter().chain(arguments);
    let sam: Vec<Vec<String>> = sam
        .map(|words| {
            let words = words.into_iter();
            words
                .map(|word| word.trim_start_matches("ARGS=\"").to_owned())
                .collect()
        })
        .collect();
    assert_eq!(python(program, &json!({"aws": aws, "sam": sam})), json!([]));
}

/// Names in angle brackets and quotation marks are placeholders for outputs of the stack.
#[test]
fn every_output_and_parameter_that_commands_name_is_the_stacks() {
    let template = fs::read_to_string(root().join("infra/template.yaml")).unwrap();
    let mut named = BTreeSet::new();
    for document in documents(&root().join("docs")) {
        let text = fs::read_to_string(&document).unwrap();
        for (_, line) in lines(&text)
            .iter()
            .filter(|(block, _)| *block == Some("sh"))
        {
            let names = line.split('<').skip(1);
            let names = names.filter_map(|rest| Some(rest.split_once('>')?.0.to_owned()));
            named.extend(names.filter(|name| name.starts_with(char::is_uppercase)));
        }
    }
    assert!(!named.is_empty());
    for name in named {
        assert!(template.contains(&format!("\n  {name}:\n")), "{name}");
    }
}

/// A tag can be moved to another commit.
#[test]
fn workflows_pin_their_actions_and_say_their_rights() {
    let program =
        "import json, sys, yaml; json.dump(yaml.safe_load(open(json.load(sys.stdin))), sys.stdout)";
    let folder = root().join(".github/workflows");
    let mut actions = 0;
    for name in ["ci.yaml", "deploy.yaml"] {
        let workflow = python(program, &json!(folder.join(name)));
        assert_eq!(
            workflow["permissions"],
            json!({"contents": "read"}),
            "{name}"
        );
        for job in workflow["jobs"].as_object().unwrap().values() {
            for step in job["steps"].as_array().unwrap() {
                let Some(action) = step["uses"].as_str() else {
                    continue;
                };
                actions += 1;
                let (_, commit) = action.split_once('@').unwrap();
                let digits = commit.chars().all(|digit| digit.is_ascii_hexdigit());
                assert!(digits && commit.len() == 40, "{name}: {action}");
            }
        }
    }
    assert!(actions > 0);
    let container = fs::read(root().join(".devcontainer/devcontainer.json")).unwrap();
    let container: Value = serde_json::from_slice(&container).unwrap();
    let ci = fs::read_to_string(folder.join("ci.yaml")).unwrap();
    let image = container["image"].as_str().unwrap();
    assert!(ci.contains(&format!("container: {image}\n")), "{image}");
}
