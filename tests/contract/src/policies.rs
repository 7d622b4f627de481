//! The functions' policies in the template, evaluated with AWS's meaning of IAM's operators.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// A statement about a table.
#[derive(Debug)]
pub struct Statement {
    actions: BTreeSet<String>,
    resources: BTreeSet<String>,
    /// The patterns of `ForAllValues:StringLike` on `dynamodb:LeadingKeys`, if it has that condition.
    keys: Option<BTreeSet<String>>,
    /// Whether it also requires, on AWS, that such a key is present.
    not_null: bool,
}

impl Statement {
    /// Whether it allows an action on a table, or an index, to touch these partitions in one request. `ForAllValues`
    /// holds if every value matches a pattern, and also without any value; `Null: false` requires one.
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

    /// The permissions: resource, action, and pattern of the partitions.
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

/// `StringLike`, for patterns whose only wildcard is a `*` at the end.
pub fn is_like(value: &str, pattern: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(prefix) => value.starts_with(prefix),
        None => value == pattern,
    }
}

/// The statements on the two tables in every function's policy, by function.
///
/// # Panics
/// The template has a form that this can't parse.
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
