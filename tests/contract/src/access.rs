//! The partitions that a request to DynamoDB touches, as IAM sees them.

use std::collections::BTreeMap;

use serde_json::Value;

/// The keys of the partitions that one request touches, by resource (a table or an index) and action. IAM has all keys
/// of an action in one `dynamodb:LeadingKeys`.
pub type Touched = BTreeMap<(String, String), Vec<String>>;

/// The partitions that a request of that operation touches.
///
/// # Panics
/// The stores don't make such a request.
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
