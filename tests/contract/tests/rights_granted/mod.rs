//! Least privilege: the role of each function may make the requests that the function needs, and no other.
//!
//! The policies are those of the template as AWS expands it, and the rules are AWS's: `contract::Allow` knows each
//! operator and condition key that the template has, and fails on others. What a function needs is what its requests
//! on the wire ask for, and what Lambda does with its role for the settings in the template. The requests that are
//! tried are each action, on every resource, with each kind of partition, pair of kinds, encryption context and sender.
//!
//! The policies can't tell attributes apart: see `contract::Allow`. What AWS itself supplies for the condition keys
//! isn't proven here: the keys of an index and those of a transaction above all.

mod needs;
mod neighbours;
mod planted;
mod services;
mod stored;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use assurance::Report;
use contract::{Allow, Ask, Template};
use serde_json::Value;

use crate::requests;
use needs::{Needs, PARTITIONS, needs};
use neighbours::{Neighbours, actions, kind};

/// The suite: the roles' statements as in the template, what they are needed for, and what to try them with.
struct Suite {
    statements: BTreeMap<String, Vec<Value>>,
    needs: Needs,
    neighbours: Neighbours,
}

/// How a role differs from what its function needs.
#[derive(Debug, Default)]
struct Difference {
    /// Needed requests that are denied.
    denied: Vec<String>,
    /// Requests that are allowed, and that the function doesn't need.
    surplus: Vec<String>,
    /// Parts of statements without which the same needs would be met.
    unused: Vec<String>,
}

impl Difference {
    fn is_none(&self) -> bool {
        self.denied.is_empty() && self.surplus.is_empty() && self.unused.is_empty()
    }
}

impl Suite {
    async fn new() -> Self {
        let template = Template::expanded();
        let needs = needs(&template, requests().await);
        Self {
            statements: template.statements(),
            neighbours: Neighbours::of(&template, &needs),
            needs,
        }
    }

    /// Compares a role's statements with what its function needs.
    fn difference(&self, function: &str, statements: &[Value]) -> Difference {
        let allows: Vec<_> = statements.iter().map(Allow::of).collect();
        let allowed = |ask: &Ask| allows.iter().any(|allow| allow.allows(ask));
        let needs = &self.needs[function];
        let denied = needs.iter().filter(|ask| !allowed(ask));
        let needed: BTreeSet<_> = needs.iter().map(generic).collect();
        // IAM may see the items of a request together: two kinds are needed if each of them is.
        let is_needed = |ask: &Ask| match ask.context.get(PARTITIONS) {
            Some(keys) => keys.iter().all(|key| {
                let one = ask.clone().with(PARTITIONS, &[key]);
                needed.contains(&generic(&one))
            }),
            None => needed.contains(&generic(ask)),
        };
        let mut surplus = Vec::new();
        for (action, asks) in &self.neighbours.asks {
            // Without a statement that names the action, all of them are denied.
            let naming: Vec<_> = allows.iter().filter(|allow| allow.names(action)).collect();
            if !naming.is_empty() {
                let allowed = |ask: &&Ask| naming.iter().any(|allow| allow.allows(ask));
                let wrong = asks.iter().filter(allowed).filter(|ask| !is_needed(ask));
                surplus.extend(wrong.map(line));
            }
        }
        Difference {
            denied: denied.map(line).collect(),
            surplus,
            unused: unused(statements, needs),
        }
    }
}

fn line(ask: &Ask) -> String {
    format!("{} on {} with {:?}", ask.action, ask.resource, ask.context)
}

/// A request without what varies within its kind: the rest of a partition's key, the values of an encryption context,
/// an address.
fn generic(ask: &Ask) -> Ask {
    let mut ask = ask.clone();
    for (key, values) in &mut ask.context {
        for value in values {
            if key == PARTITIONS {
                *value = kind(value);
            } else if key.starts_with("kms:EncryptionContext:") {
                *value = "any".into();
            }
        }
    }
    if let Some((start, _)) = ask.resource.split_once(":identity/") {
        ask.resource = format!("{start}:identity/any@another.example");
    }
    ask
}

/// The single actions, resources and condition values of a role's statements without which everything that is needed
/// would still be allowed.
fn unused(statements: &[Value], needs: &BTreeSet<Ask>) -> Vec<String> {
    let allows: Vec<_> = statements.iter().map(Allow::of).collect();
    let mut unused = Vec::new();
    for (index, statement) in statements.iter().enumerate() {
        let others = || {
            allows
                .iter()
                .enumerate()
                .filter(|(other, _)| *other != index)
        };
        // What only this statement allows.
        let own = needs.iter().filter(|ask| {
            allows[index].allows(ask) && !others().any(|(_, other)| other.allows(ask))
        });
        let own: Vec<_> = own.collect();
        for path in lists(statement) {
            let values = statement.pointer(&path).unwrap();
            let count = values.as_array().map_or(1, Vec::len);
            for place in 0..count {
                let mut fewer = statement.clone();
                match fewer.pointer_mut(&path).unwrap() {
                    Value::Array(values) if count > 1 => drop(values.remove(place)),
                    // Nothing has this name.
                    other => *other = Value::from("nothing"),
                }
                let fewer = Allow::of(&fewer);
                if own.iter().all(|ask| fewer.allows(ask)) {
                    let sid = statement["Sid"].as_str().unwrap_or("log");
                    unused.push(format!("{sid}{path}/{place}"));
                }
            }
        }
    }
    unused
}

/// The places of a statement's lists that grant: actions, resources, and the values of conditions other than `Null`.
fn lists(statement: &Value) -> Vec<String> {
    let mut lists = vec!["/Action".to_owned(), "/Resource".to_owned()];
    for (operator, keys) in statement["Condition"].as_object().into_iter().flatten() {
        let keys = keys.as_object().unwrap().keys();
        if operator != "Null" {
            lists.extend(keys.map(|key| format!("/Condition/{operator}/{key}")));
        }
    }
    lists
}

/// How to run the suite alone.
const COMMAND: &str = "cargo test -p contract --test operations rights_granted";

#[tokio::test]
async fn every_role_may_make_the_requests_that_its_function_needs_and_no_other() {
    let report = Report::of("rights", COMMAND);
    let suite = Suite::new().await;
    assert!(suite.needs.keys().eq(suite.statements.keys()));
    let mut needed = 0;
    let mut wrong = BTreeMap::new();
    for (function, statements) in &suite.statements {
        let difference = suite.difference(function, statements);
        needed += suite.needs[function].len();
        if !difference.is_none() {
            wrong.insert(function, difference);
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    let planted = planted::found_by(&suite);
    let asks = suite.neighbours.asks.values().map(Vec::len);
    let tried = suite.statements.len() * asks.sum::<usize>();
    let count = |number: usize| u64::try_from(number).unwrap();
    let report = report
        .figure("roles", count(suite.statements.len()))
        .figure("different requests that functions need", count(needed))
        .figure("requests tried", count(tried));
    let report = planted
        .iter()
        .fold(report, |report, fault| report.planted(fault));
    report.write();
}

/// The policies can't tell attributes apart, so what each function writes is pinned here: which attributes of which kind
/// of item. `make generate` writes it anew.
#[tokio::test]
async fn every_function_writes_only_the_attributes_that_are_listed() {
    let mut lines = BTreeMap::<_, BTreeSet<_>>::new();
    for (function, writes) in &requests().await.written {
        for write in writes {
            let kind = kind(&write.partition);
            let line = format!("{function}: {} of {kind} in {}", write.action, write.table);
            let attributes = lines.entry(line).or_default();
            attributes.extend(&write.attributes);
        }
    }
    let mut text = String::new();
    for (line, attributes) in lines {
        let attributes: Vec<_> = attributes.into_iter().map(String::as_str).collect();
        writeln!(text, "{line}: {}", attributes.join(" ")).unwrap();
    }
    insta::assert_snapshot!("attributes", text);
}

/// Otherwise an action would be tried with no role.
#[test]
fn every_granted_action_is_among_those_that_are_tried() {
    let tried: BTreeSet<_> = actions().into_iter().map(|(_, action)| action).collect();
    for (function, statements) in Template::expanded().statements() {
        for action in statements
            .iter()
            .flat_map(|one| contract::texts(&one["Action"]))
        {
            assert!(tried.contains(&action), "{function}: {action}");
        }
    }
}
