//! The policies of the functions in the template, with the meaning that IAM's operators have on AWS.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// A statement of a policy about a table.
#[derive(Debug)]
pub struct Statement {
    actions: BTreeSet<String>,
    resources: BTreeSet<String>,
    /// The patterns of `ForAllValues:StringLike` on `dynamodb:LeadingKeys`; `None` without that condition.
    keys: Option<BTreeSet<String>>,
    /// Whether the statement also requires, on AWS, that the request has such a key.
    not_null: bool,
}

impl Statement {
    /// Whether the statement allows an action on a table or an index to touch these partitions in one request.
    /// `ForAllValues` holds if every value matches a pattern, and also without values. `Null: false` requires a value.
    pub fn allows(&self, resource: &str, action: &str, keys: &[String]) -> bool {
        let keys_match = match &self.keys {
            None => true,
            Some(patterns) => {
                let like = |key: &String| patterns.iter().any(|pattern| is_like(key, pattern));
                keys.iter().all(like) && (!self.not_null || !keys.is_empty())
            }
        };
        self.resources.contains(resource) && self.actions.contains(action) && keys_match
    }

    /// Returns what the statement grants: resource, action, and pattern of partitions.
    pub fn grants(&self) -> Vec<(String, String, String)> {
        let any = BTreeSet::from(["*".to_owned()]);
        let mut grants = Vec::new();
        for resource in &self.resources {
            for action in &self.actions {
                for pattern in self.keys.as_ref().unwrap_or(&any) {
                    grants.push((resource.clone(), action.clone(), pattern.clone()));
                }
            }
        }
        grants
    }
}

/// Whether a value matches a pattern of `StringLike`. The only wildcard is a `*` at the end.
pub fn is_like(value: &str, pattern: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(prefix) => value.starts_with(prefix),
        None => value == pattern,
    }
}

/// Returns the statements about the two tables in every function's policy, by function.
///
/// # Panics
/// If the template has a form that this doesn't read.
pub fn policies() -> BTreeMap<String, Vec<Statement>> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../infra/template.yaml");
    let template = std::fs::read_to_string(file).unwrap();
    let mut policies = BTreeMap::<String, Vec<Statement>>::new();
    for policy in template.split("      PolicyName: ").skip(1) {
        let (name, rest) = policy.split_once('\n').unwrap();
        let end = rest.find("\n\n").unwrap_or(rest.len());
        let statements = rest[..end].split("          - Sid: ").skip(1);
        let statements = statements.filter_map(statement).collect();
        policies.insert(name.to_owned(), statements);
    }
    policies
}

fn statement(text: &str) -> Option<Statement> {
    let line = |start: &str| {
        text.lines()
            .find_map(|line| line.trim().strip_prefix(start))
            .map(str::trim)
    };
    let list = |text: &str| -> Vec<String> {
        let inner = text.trim_start_matches('[').trim_end_matches(']');
        inner
            .split(", ")
            .map(|item| item.trim_matches('"').to_owned())
            .collect()
    };
    let actions: BTreeSet<_> = list(line("Action: ")?)
        .into_iter()
        .filter_map(|action| action.strip_prefix("dynamodb:").map(str::to_owned))
        .filter(|action| {
            !action.contains("Stream") && !action.contains("Records") && !action.contains("Shard")
        })
        .collect();
    if actions.is_empty() {
        return None;
    }
    let mut resources = BTreeSet::new();
    for (id, table) in [("TokensTable", "Tokens"), ("AuditTable", "Audit")] {
        if text.contains(&format!("!GetAtt {id}.Arn\n")) {
            resources.insert(table.to_owned());
        }
        let index = format!("!Sub ${{{id}.Arn}}/index/");
        if let Some((_, rest)) = text.split_once(&index) {
            let index = rest.lines().next().unwrap();
            resources.insert(format!("{table}/index/{index}"));
        }
    }
    assert!(!resources.is_empty(), "{text}");
    let keys = line("dynamodb:LeadingKeys: [").map(|keys| list(keys).into_iter().collect());
    let not_null =
        text.contains("\"Null\": *KeysAreKnown") || text.contains("\"Null\": &KeysAreKnown");
    Some(Statement {
        actions,
        resources,
        keys,
        not_null,
    })
}
