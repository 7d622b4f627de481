//! The main template as AWS expands it.

use std::collections::BTreeMap;
use std::io::Write;
use std::process::{Command, Output, Stdio};

use serde_json::{Map, Value};

use crate::iam::text;

/// The only role that isn't a function's: that of CodeDeploy.
pub const CODEDEPLOY: &str = "RolloutRole";

/// Runs the SAM tool's Python, which `make test` installs, in the repository's root. It includes AWS's own libraries, and
/// a YAML parser.
///
/// # Panics
/// If it isn't installed, or doesn't read its input.
pub fn python(arguments: &[&str], input: &str) -> Output {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
    let python = format!("{root}/.local/tools/sam/bin/python");
    let mut child = Command::new(&python)
        .args(arguments)
        .env("SAM_CLI_TELEMETRY", "0")
        .current_dir(root)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{python}: {error}; run `make test`"));
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(input.as_bytes()).unwrap();
    drop(stdin);
    child.wait_with_output().unwrap()
}

/// Runs it as [`python`] does. Returns what it prints.
///
/// # Panics
/// If it fails.
pub fn printed(arguments: &[&str], input: &str) -> String {
    let done = python(arguments, input);
    let errors = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{errors}");
    String::from_utf8(done.stdout).unwrap()
}

/// A template after every `Fn::ForEach` and SAM's transform, which AWS's own libraries apply, with parameters.
///
/// # Panics
/// If it can't be expanded.
pub fn expanded(template: &str, parameters: &[&str]) -> Value {
    let arguments = [&["infra/local/expand.py", template][..], parameters].concat();
    serde_json::from_str(&printed(&arguments, "")).unwrap()
}

/// Returns the resources of an expanded template, by id.
///
/// # Panics
/// If it has none.
pub fn resources(stack: &Value) -> &Map<String, Value> {
    stack["Resources"].as_object().unwrap()
}

/// Returns the resources of a type, by id.
pub fn of_type<'a>(stack: &'a Value, kind: &str) -> BTreeMap<&'a str, &'a Value> {
    these(stack, kind).collect()
}

/// Returns the properties of the resources of a type, by id.
pub fn properties_of<'a>(stack: &'a Value, kind: &str) -> BTreeMap<&'a str, &'a Value> {
    let these = these(stack, kind);
    these
        .map(|(id, resource)| (id, &resource["Properties"]))
        .collect()
}

/// The resources of a type: their ids and themselves, in the template's order.
fn these<'a>(stack: &'a Value, kind: &str) -> impl Iterator<Item = (&'a str, &'a Value)> {
    let all = resources(stack).iter();
    all.filter(move |(_, resource)| resource["Type"] == *kind)
        .map(|(id, resource)| (id.as_str(), resource))
}

/// The main template, expanded with default parameters.
#[derive(Debug)]
pub struct Template {
    stack: Value,
}

impl Template {
    /// Expands the template.
    ///
    /// # Panics
    /// If it can't be expanded.
    pub fn expanded() -> Self {
        let stack = expanded("infra/template.yaml", &[]);
        Self { stack }
    }

    /// Returns the resources of a type: their ids and properties.
    pub fn of_type(&self, kind: &str) -> impl Iterator<Item = (&str, &Value)> {
        these(&self.stack, kind).map(|(id, resource)| (id, &resource["Properties"]))
    }

    /// Returns the types of all resources.
    pub fn types(&self) -> impl Iterator<Item = &str> {
        let resources = resources(&self.stack).values();
        resources.map(|resource| resource["Type"].as_str().unwrap())
    }

    /// Returns the id of the function behind a reference to its alias.
    ///
    /// # Panics
    /// If it is no `Ref` to an alias named `live`. What calls a function calls its alias.
    pub fn called(&self, reference: &Value) -> &str {
        let id = reference["Ref"].as_str();
        let id = id.unwrap_or_else(|| panic!("{reference} isn't an alias"));
        assert_eq!(self.type_of(id), "AWS::Lambda::Alias", "{id}");
        let alias = &self.stack["Resources"][id]["Properties"];
        assert_eq!(alias["Name"], "live", "{id}");
        alias["FunctionName"]["Ref"].as_str().unwrap()
    }

    /// Returns the type of a resource.
    ///
    /// # Panics
    /// If there is no such resource.
    pub fn type_of(&self, id: &str) -> &str {
        self.stack["Resources"][id]["Type"].as_str().unwrap()
    }

    /// Returns the statements of every function's role, by function: those of the role itself and of its policies.
    ///
    /// # Panics
    /// If two functions share a role, or a role has other sources of rights.
    pub fn statements(&self) -> BTreeMap<String, Vec<Value>> {
        let mut functions = BTreeMap::new();
        for (id, function) in self.of_type("AWS::Lambda::Function") {
            let role = text(&function["Role"]);
            let other = functions.insert(role, name_of(id));
            assert_eq!(other, None, "the role of {id} has another function too");
        }
        let mut statements = BTreeMap::<_, Vec<Value>>::new();
        let mut add = |role: &str, document: &Value| {
            let function = &functions[&format!("${{{role}.Arn}}")];
            let own = document["Statement"].as_array().unwrap();
            let all: &mut Vec<_> = statements.entry(function.clone()).or_default();
            all.extend(own.iter().cloned());
        };
        let of_functions = |(id, _): &(&str, &Value)| *id != CODEDEPLOY;
        for (id, role) in self.of_type("AWS::IAM::Role").filter(of_functions) {
            for other in ["ManagedPolicyArns", "PermissionsBoundary"] {
                assert!(role[other].is_null(), "{id} has {other}");
            }
            for policy in role["Policies"].as_array().unwrap() {
                add(id, &policy["PolicyDocument"]);
            }
        }
        for (id, policy) in self.of_type("AWS::IAM::Policy") {
            let roles = policy["Roles"].as_array().unwrap();
            assert_eq!(roles.len(), 1, "{id}");
            add(roles[0]["Ref"].as_str().unwrap(), &policy["PolicyDocument"]);
        }
        assert!(self.of_type("AWS::IAM::ManagedPolicy").next().is_none());
        statements
    }
}

/// Returns the name of a function in the sources: `create-token` for `CreateTokenFunction`.
pub fn name_of(id: &str) -> String {
    let id = id.strip_suffix("Function").unwrap();
    let mut name = String::new();
    for letter in id.chars() {
        if letter.is_uppercase() && !name.is_empty() {
            name.push('-');
        }
        name.extend(letter.to_lowercase());
    }
    name
}
