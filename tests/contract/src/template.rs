//! The main template as AWS expands it.

use std::collections::BTreeMap;
use std::process::Command;

use serde_json::{Map, Value};

use crate::iam::text;

/// The only role that isn't a function's: that of CodeDeploy.
pub const CODEDEPLOY: &str = "RolloutRole";

/// The main template after every `Fn::ForEach` and SAM's transform, with default parameters.
#[derive(Debug)]
pub struct Template {
    resources: Map<String, Value>,
}

impl Template {
    /// Expands the template with AWS's own libraries, which `make test` installs with the SAM tool.
    ///
    /// # Panics
    /// If it can't be expanded.
    pub fn expanded() -> Self {
        let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
        let python = format!("{root}/.local/tools/sam/bin/python");
        let expanded = Command::new(&python)
            .args(["infra/local/expand.py", "infra/template.yaml"])
            .current_dir(root)
            .output()
            .unwrap_or_else(|error| panic!("{python}: {error}; run `make test`"));
        let errors = String::from_utf8_lossy(&expanded.stderr);
        assert!(expanded.status.success(), "{errors}");
        let mut template: Value = serde_json::from_slice(&expanded.stdout).unwrap();
        let Value::Object(resources) = template["Resources"].take() else {
            panic!("no resources");
        };
        Self { resources }
    }

    /// Returns the resources of a type: their ids and properties.
    pub fn of_type<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = (&'a str, &'a Value)> {
        let these = self.resources.iter();
        these
            .filter(move |(_, resource)| resource["Type"] == kind)
            .map(|(id, resource)| (id.as_str(), &resource["Properties"]))
    }

    /// Returns the types of all resources.
    pub fn types(&self) -> impl Iterator<Item = &str> {
        let resources = self.resources.values();
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
        let alias = &self.resources[id]["Properties"];
        assert_eq!(alias["Name"], "live", "{id}");
        alias["FunctionName"]["Ref"].as_str().unwrap()
    }

    /// Returns the type of a resource.
    ///
    /// # Panics
    /// If there is no such resource.
    pub fn type_of(&self, id: &str) -> &str {
        self.resources[id]["Type"].as_str().unwrap()
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
