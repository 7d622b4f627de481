//! Faults in policies that the suite must find.

use serde_json::{Value, json};

use super::Suite;

/// A fault: its name, the function whose policy gets it, the statement's `Sid`, and the change.
type Fault = (&'static str, &'static str, &'static str, fn(&mut Value));

const FAULTS: [Fault; 15] = [
    (
        "an action more",
        "get-token",
        "TokensGetItem",
        |statement| push(statement, "/Action", json!("dynamodb:PutItem")),
    ),
    (
        "an action on the items of all accounts",
        "list-tokens",
        "TokensQuery",
        |statement| push(statement, "/Action", json!("dynamodb:Scan")),
    ),
    (
        "a pattern of actions",
        "get-token",
        "TokensGetItem",
        |statement| statement["Action"] = json!(["dynamodb:Get*"]),
    ),
    (
        "a kind of partition more",
        "get-token",
        "TokensGetItem",
        |statement| push(statement, KINDS, json!("SECRET#*")),
    ),
    (
        "any kind of partition",
        "authorize",
        "TokensUpdateItem",
        |statement| statement["Condition"] = json!({}),
    ),
    (
        "a kind of partition on an index that has none of it",
        "list-audit",
        "AuditByTokenQuery",
        |statement| push(statement, KINDS, json!("USE#*")),
    ),
    (
        "requests without a known partition",
        "authorize",
        "TokensUpdateItem",
        |statement| statement["Condition"]["Null"] = json!({}),
    ),
    ("a table more", "get-account", "TokensQuery", |statement| {
        let tokens = statement["Resource"].clone();
        statement["Resource"] = json!([tokens, {"Fn::GetAtt": ["AuditTable", "Arn"]}]);
    }),
    (
        "all resources",
        "record-purges",
        "TokensStream",
        |statement| statement["Resource"] = json!("*"),
    ),
    (
        "the other key's action",
        "create-token",
        "SealSecret",
        |statement| push(statement, "/Action", json!("kms:Decrypt")),
    ),
    (
        "another encryption context",
        "reveal-token",
        "OpenSecret",
        |statement| {
            let names = "/Condition/ForAllValues:StringEquals/kms:EncryptionContextKeys";
            push(statement, names, json!("other"));
        },
    ),
    (
        "a key without an encryption context",
        "create-token",
        "SealSecret",
        |statement| statement["Condition"] = json!({}),
    ),
    ("another sender", "send-digests", "Mail", |statement| {
        statement["Condition"] = json!({})
    }),
    (
        "reading what was given up",
        "send-notifications",
        "GiveUp",
        |statement| push(statement, "/Action", json!("s3:GetObject")),
    ),
    (
        "a right that is missing",
        "revoke-token",
        "AuditPutItem",
        |statement| statement["Action"] = json!(["dynamodb:GetItem"]),
    ),
];

/// The place of the kinds of partition in a statement.
const KINDS: &str = "/Condition/ForAllValues:StringLike/dynamodb:LeadingKeys";

fn push(statement: &mut Value, place: &str, value: Value) {
    let list = statement.pointer_mut(place).unwrap();
    list.as_array_mut().unwrap().push(value);
}

/// Plants each fault, and returns the names of those that were found.
///
/// # Panics
/// If one isn't found.
pub(crate) fn found_by(suite: &Suite) -> Vec<&'static str> {
    let mut found = Vec::new();
    for (fault, function, sid, change) in FAULTS {
        let mut statements = suite.statements[function].clone();
        let place = statements.iter().position(|one| one["Sid"] == sid);
        let place = place.unwrap_or_else(|| panic!("{function} has no {sid}"));
        change(&mut statements[place]);
        let difference = suite.difference(function, &statements);
        assert!(!difference.is_none(), "{fault}: not found");
        found.push(fault);
    }
    found
}
