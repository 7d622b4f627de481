//! What shows that a function had an effect: an answer of the local cloud that changes then.

use end_to_end::Stack;
use reqwest::RequestBuilder;
use serde_json::{Value, json};

/// A request whose answer changes when the function that is killed has its effect.
#[derive(Debug, Clone)]
pub(crate) enum Probe {
    /// An operation on the tokens table, and its parameters.
    Tokens(&'static str, Value),
    /// The same on the audit table.
    Audit(&'static str, Value),
    /// The number of sent mails.
    Mails,
}

impl Probe {
    /// An item of the tokens table.
    pub(crate) fn item(pk: &str, sk: &str) -> Self {
        Self::Tokens(
            "GetItem",
            json!({"Key": {"pk": {"S": pk}, "sk": {"S": sk}}}),
        )
    }

    /// A token of an account, by its name: whoever creates it doesn't know its id yet.
    pub(crate) fn token_named(account: &str, name: &str) -> Self {
        let query = json!({
            "KeyConditionExpression": "pk = :pk",
            "FilterExpression": "#name = :name",
            "ExpressionAttributeNames": {"#name": "name"},
            "ExpressionAttributeValues": {":pk": {"S": format!("ACCOUNT#{account}")}, ":name": {"S": name}},
            "ProjectionExpression": "sk",
        });
        Self::Tokens("Query", query)
    }

    /// The recorded viewings of a token.
    pub(crate) fn viewings(account: &str, token: &str) -> Self {
        let pk = json!({"S": format!("ACCOUNT#{account}")});
        let query = json!({
            "KeyConditionExpression": "pk = :pk",
            "FilterExpression": "tokenId = :id AND #action = :view",
            "ExpressionAttributeNames": {"#action": "action"},
            "ExpressionAttributeValues": {":pk": pk, ":id": {"S": token}, ":view": {"S": "view"}},
            "ProjectionExpression": "sk",
        });
        Self::Audit("Query", query)
    }

    /// The request.
    pub(crate) fn request(&self, stack: &Stack) -> RequestBuilder {
        let (table, operation, parameters) = match self {
            Self::Tokens(operation, parameters) => ("tokensTable", operation, parameters),
            Self::Audit(operation, parameters) => ("auditTable", operation, parameters),
            Self::Mails => return stack.mail_account(),
        };
        let mut body = parameters.clone();
        body["TableName"] = json!(stack.get(table));
        body["ConsistentRead"] = json!(true);
        stack.aws_request("dynamodb", &format!("DynamoDB_20120810.{operation}"), &body)
    }
}
