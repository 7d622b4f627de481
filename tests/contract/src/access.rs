//! What a request to DynamoDB touches, as IAM sees it: the partitions, for each table and action.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

/// What one request touches: the keys of the partitions, for each resource (a table or an index) and action. IAM sees
/// all keys in one `dynamodb:LeadingKeys`.
pub type Touched = BTreeMap<(String, String), Vec<String>>;

/// Returns what a request of an operation of DynamoDB touches.
///
/// # Panics
/// If the stores don't make such a request.
pub(crate) fn touched(operation: &str, request: &Value) -> Touched {
    let mut touched = Touched::new();
    let mut touch = |action: &str, resource: &str, key: &str| {
        let actions = (resource.to_owned(), action.to_owned());
        touched.entry(actions).or_default().push(key.to_owned());
    };
    let text = |value: &'_ Value| value.as_str().unwrap_or_default().to_owned();
    match operation {
        "TransactWriteItems" => {
            for write in request["TransactItems"].as_array().unwrap() {
                let (kind, write) = write.as_object().unwrap().iter().next().unwrap();
                let action = match kind.as_str() {
                    "ConditionCheck" => "ConditionCheckItem",
                    "Put" => "PutItem",
                    "Update" => "UpdateItem",
                    "Delete" => "DeleteItem",
                    other => panic!("{other}"),
                };
                let item = if kind == "Put" { "Item" } else { "Key" };
                touch(
                    action,
                    &text(&write["TableName"]),
                    &text(&write[item]["pk"]["S"]),
                );
            }
        }
        "BatchGetItem" => {
            for (table, wanted) in request["RequestItems"].as_object().unwrap() {
                for key in wanted["Keys"].as_array().unwrap() {
                    touch(operation, table, &text(&key["pk"]["S"]));
                }
            }
        }
        "Query" => {
            let condition = text(&request["KeyConditionExpression"]);
            let (_, value) = condition.split_once(" = ").unwrap();
            let value = value.split(' ').next().unwrap();
            let key = text(&request["ExpressionAttributeValues"][value]["S"]);
            let table = text(&request["TableName"]);
            let resource = match request["IndexName"].as_str() {
                Some(index) => format!("{table}/index/{index}"),
                None => table,
            };
            touch(operation, &resource, &key);
        }
        _ => {
            let item = if operation == "PutItem" {
                "Item"
            } else {
                "Key"
            };
            touch(
                operation,
                &text(&request["TableName"]),
                &text(&request[item]["pk"]["S"]),
            );
        }
    }
    touched
}

/// The attributes of one item that a request writes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// The table.
    pub table: String,
    /// The action.
    pub action: &'static str,
    /// The key of the item's partition.
    pub partition: String,
    /// The names of the top-level attributes. A `PutItem` writes all that it names, and removes all others.
    pub attributes: BTreeSet<String>,
}

/// Returns which attributes a request of an operation of DynamoDB writes.
pub(crate) fn written(operation: &str, request: &Value) -> Vec<Written> {
    match operation {
        "PutItem" => vec![put(request)],
        "UpdateItem" => vec![updated(request)],
        "TransactWriteItems" => {
            let items = request["TransactItems"].as_array().unwrap().iter();
            let written = items.filter_map(|item| match (item.get("Put"), item.get("Update")) {
                (Some(one), _) => Some(put(one)),
                (_, Some(one)) => Some(updated(one)),
                _ => None,
            });
            written.collect()
        }
        _ => vec![],
    }
}

fn put(request: &Value) -> Written {
    let item = request["Item"].as_object().unwrap();
    write(request, "PutItem", "Item", item.keys().cloned().collect())
}

fn updated(request: &Value) -> Written {
    let names = &request["ExpressionAttributeNames"];
    let expression = request["UpdateExpression"].as_str().unwrap();
    let mut attributes = BTreeSet::new();
    // Whether the next word is an attribute's path: after the name of a clause, and after a comma outside of a function.
    let (mut is_path, mut depth) = (false, 0_i32);
    for word in expression.split_whitespace() {
        if ["SET", "REMOVE", "ADD", "DELETE"].contains(&word) {
            is_path = true;
            continue;
        }
        if is_path {
            let path = word.trim_end_matches(',');
            let name = path.split(['.', '[']).next().unwrap();
            let name = names[name].as_str().unwrap_or(name);
            attributes.insert(name.to_owned());
        }
        let count = |letter| i32::try_from(word.matches(letter).count()).unwrap();
        depth += count('(') - count(')');
        is_path = depth == 0 && word.ends_with(',');
    }
    write(request, "UpdateItem", "Key", attributes)
}

fn write(
    request: &Value,
    action: &'static str,
    item: &str,
    attributes: BTreeSet<String>,
) -> Written {
    Written {
        table: request["TableName"].as_str().unwrap().into(),
        action,
        partition: request[item]["pk"]["S"].as_str().unwrap().into(),
        attributes,
    }
}
