//! What `make scan` says of reports of Checkov. Checkov itself isn't run.

use std::fs;
use std::path::Path;

use contract::{printed, python};
use serde_json::{Value, json};

/// One finding for each pattern of the list.
fn listed() -> Vec<Value> {
    let program =
        "import json, yaml; print(json.dumps(yaml.safe_load(open('infra/findings.yaml'))))";
    let list: Value = serde_json::from_str(&printed(&["-c", program], "")).unwrap();
    let mut findings = Vec::new();
    for (check, entry) in list.as_object().unwrap() {
        for text in ["asks", "why"] {
            assert!(
                entry[text].as_str().is_some_and(|text| !text.is_empty()),
                "{check}: {text}"
            );
        }
        for (template, patterns) in entry["where"].as_object().unwrap() {
            for pattern in patterns.as_array().unwrap() {
                let name = pattern.as_str().unwrap().replace('*', "Any");
                findings.push(finding(check, &template.replace(".yaml", ".json"), &name));
            }
        }
    }
    assert!(findings.len() > 1);
    findings
}

fn finding(check: &str, template: &str, name: &str) -> Value {
    json!({
        "check_id": check,
        "check_name": "Ensure that it is so",
        "file_path": format!("/{template}"),
        "resource": format!("AWS::Any::Type.{name}"),
    })
}

/// Compares a report with the list. Returns whether that succeeded, and the errors.
fn scan(test: &str, findings: &[Value]) -> (bool, String) {
    let report = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("scan-{test}.json"));
    let text = json!({
        "summary": {"passed": 1, "parsing_errors": 0},
        "results": {"failed_checks": findings},
    });
    fs::write(&report, text.to_string()).unwrap();
    let done = python(&["infra/local/scan.py", report.to_str().unwrap()], "");
    (
        done.status.success(),
        String::from_utf8(done.stderr).unwrap(),
    )
}

#[test]
fn findings_with_a_reason_pass() {
    assert_eq!(scan("listed", &listed()), (true, String::new()));
}

#[test]
fn a_finding_without_a_reason_fails() {
    let mut findings = listed();
    // The same check has its reasons for other resources.
    findings.push(finding("CKV_AWS_18", "infra/template.json", "Other"));
    let error = "error: CKV_AWS_18 at Other of infra/template.yaml: Ensure that it is so\n";
    assert_eq!(scan("other", &findings), (false, error.to_owned()));
}

#[test]
fn every_reason_without_a_finding_fails() {
    let (is_well, errors) = scan("gone", &[]);
    assert!(!is_well);
    let mut expected: Vec<String> = Vec::new();
    for gone in listed() {
        let check = gone["check_id"].as_str().unwrap();
        expected.push(format!("error: {check} is no finding"));
    }
    let mut said: Vec<&str> = errors
        .lines()
        .map(|line| line.split_once(" at ").unwrap().0)
        .collect();
    expected.sort();
    said.sort();
    assert_eq!(said, expected);
}
