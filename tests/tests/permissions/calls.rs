//! The requests that a role is tried with. None of them changes anything, even where it is allowed: a write has a
//! condition that never holds, and others lack a part that the service checks after the rights.

use end_to_end::Attempt;
use serde_json::{Value, json};

use crate::stack::Resources;

/// A request, with the action and the resource that AWS's IAM authorizes it as.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub(crate) action: String,
    pub(crate) resource: String,
    /// What distinguishes it from others of the action on the resource.
    pub(crate) how: String,
    pub(crate) attempt: Attempt,
}

/// A condition that no item meets.
const NEVER: &str = "attribute_exists(pk) AND attribute_not_exists(pk)";

/// Builds calls of services with a JSON protocol, on one resource.
struct Json<'a> {
    service: &'a str,
    target: &'a str,
    resource: String,
    calls: Vec<Call>,
}

impl<'a> Json<'a> {
    fn new(service: &'a str, target: &'a str, resource: String) -> Self {
        Self {
            service,
            target,
            resource,
            calls: vec![],
        }
    }

    /// Adds an operation that has the action's name.
    fn call(&mut self, operation: &str, body: &Value) {
        self.as_action(operation, operation, body);
    }

    /// Adds an operation that is authorized as another action.
    fn as_action(&mut self, action: &str, operation: &str, body: &Value) {
        let target = format!("{}.{operation}", self.target);
        let service = if self.service == "streams" {
            "dynamodb"
        } else {
            self.service
        };
        self.calls.push(Call {
            action: format!("{service}:{action}"),
            resource: self.resource.clone(),
            how: operation.into(),
            attempt: Attempt::json(service, &target, body),
        });
    }
}

/// The requests on the items of a table, in one partition.
pub(crate) fn items(resources: &Resources, table: &str, partition: &str) -> Vec<Call> {
    let arn = resources.arn("dynamodb", &format!("table/{table}"));
    let mut json = Json::new("dynamodb", "DynamoDB_20120810", arn);
    let key = json!({"pk": {"S": partition}, "sk": {"S": "neighbour"}});
    let read = json!({"TableName": table, "Key": key});
    let mut write = read.clone();
    write["ConditionExpression"] = json!(NEVER);
    let put = json!({"TableName": table, "Item": key, "ConditionExpression": NEVER});
    json.call("GetItem", &read);
    json.call(
        "BatchGetItem",
        &json!({"RequestItems": {table: {"Keys": [key]}}}),
    );
    json.call("PutItem", &put);
    json.call("UpdateItem", &write);
    json.call("DeleteItem", &write);
    for (action, member, item) in [
        ("ConditionCheckItem", "ConditionCheck", &write),
        ("PutItem", "Put", &put),
        ("DeleteItem", "Delete", &write),
    ] {
        let body = json!({"TransactItems": [{member: item}]});
        json.as_action(action, "TransactWriteItems", &body);
    }
    let mut update = write.clone();
    update["UpdateExpression"] = json!("SET neighbour = :pk");
    update["ExpressionAttributeValues"] = json!({":pk": {"S": partition}});
    let body = json!({"TransactItems": [{"Update": update}]});
    json.as_action("UpdateItem", "TransactWriteItems", &body);
    let body = json!({"TransactItems": [{"Get": read}]});
    json.as_action("GetItem", "TransactGetItems", &body);
    json.call("Query", &query(table, "pk", partition));
    json.calls
}

fn query(table: &str, key: &str, partition: &str) -> Value {
    json!({
        "TableName": table,
        "KeyConditionExpression": format!("{key} = :key"),
        "ExpressionAttributeValues": {":key": {"S": partition}},
    })
}

/// The requests on a whole table, its indexes and what belongs to it.
pub(crate) fn table(resources: &Resources, table: &str) -> Vec<Call> {
    let arn = resources.arn("dynamodb", &format!("table/{table}"));
    let mut json = Json::new("dynamodb", "DynamoDB_20120810", arn.clone());
    let named = json!({"TableName": table});
    for operation in [
        "DescribeTable",
        "DescribeContinuousBackups",
        "DescribeTimeToLive",
        "DescribeKinesisStreamingDestination",
        "Scan",
        "UpdateTable",
        "UpdateTimeToLive",
        "UpdateContinuousBackups",
        "CreateBackup",
        "EnableKinesisStreamingDestination",
        "DeleteTable",
    ] {
        json.call(operation, &named);
    }
    // Without its sort key, no item is named.
    let part = json!({"pk": {"S": "neighbour"}});
    let body = json!({"RequestItems": {table: [{"DeleteRequest": {"Key": part}}]}});
    json.call("BatchWriteItem", &body);
    for operation in [
        "ListTagsOfResource",
        "TagResource",
        "GetResourcePolicy",
        "PutResourcePolicy",
    ] {
        json.call(operation, &json!({"ResourceArn": arn}));
    }
    json.call("ExportTableToPointInTime", &json!({"TableArn": arn}));
    json.call(
        "RestoreTableToPointInTime",
        &json!({"SourceTableName": table}),
    );
    for (action, statement) in [
        (
            "PartiQLSelect",
            format!(r#"SELECT * FROM "{table}" WHERE pk = 'neighbour'"#),
        ),
        (
            "PartiQLInsert",
            format!(r#"INSERT INTO "{table}" VALUE {{'pk': 'neighbour'}}"#),
        ),
        (
            "PartiQLUpdate",
            format!(r#"UPDATE "{table}" SET a = 1 WHERE pk = 'neighbour'"#),
        ),
        (
            "PartiQLDelete",
            format!(r#"DELETE FROM "{table}" WHERE pk = 'neighbour'"#),
        ),
    ] {
        json.as_action(action, "ExecuteStatement", &json!({"Statement": statement}));
        if action == "PartiQLSelect" {
            let batch = json!({"Statements": [{"Statement": statement}]});
            json.as_action(action, "BatchExecuteStatement", &batch);
            let transaction = json!({"TransactStatements": [{"Statement": statement}]});
            json.as_action(action, "ExecuteTransaction", &transaction);
        }
    }
    let mut calls = json.calls;
    for (_, index) in resources.indexes.iter().filter(|(of, _)| of == table) {
        let mut json = Json::new(
            "dynamodb",
            "DynamoDB_20120810",
            format!("{arn}/index/{index}"),
        );
        let key = if index == "byToken" {
            "tokenKey"
        } else {
            "activeShard"
        };
        let mut query = query(table, key, "ACCOUNT#neighbour");
        query["IndexName"] = json!(index);
        json.call("Query", &query);
        json.call(
            "Scan",
            &json!({"TableName": table, "IndexName": index, "Limit": 1}),
        );
        calls.append(&mut json.calls);
    }
    calls
}

/// The requests on a stream.
pub(crate) fn stream(stream: &str) -> Vec<Call> {
    let mut json = Json::new("streams", "DynamoDBStreams_20120810", stream.into());
    json.call("DescribeStream", &json!({"StreamArn": stream}));
    json.call(
        "GetRecords",
        &json!({"ShardIterator": format!("{stream}|1|none")}),
    );
    json.call(
        "GetShardIterator",
        &json!({"StreamArn": stream, "ShardId": "none"}),
    );
    json.call("ListStreams", &json!({}));
    json.calls
}

/// The requests on a key. The encryption context is the one that a policy wants.
pub(crate) fn key(resources: &Resources, key: &str, context: &Value) -> Vec<Call> {
    let arn = resources.arn("kms", &format!("key/{key}"));
    let mut json = Json::new("kms", "TrentService", arn.clone());
    let secret = json!({"KeyId": arn, "Plaintext": "bmVpZ2hib3Vy", "EncryptionContext": context});
    json.call("Encrypt", &secret);
    // The key can't open this.
    let sealed =
        json!({"KeyId": arn, "CiphertextBlob": "bmVpZ2hib3Vy", "EncryptionContext": context});
    json.call("Decrypt", &sealed);
    let again = json!({
        "SourceKeyId": arn, "KeyId": arn, "DestinationKeyId": arn, "CiphertextBlob": "bmVpZ2hib3Vy",
    });
    json.as_action("ReEncryptFrom", "ReEncrypt", &again);
    let named = json!({"KeyId": arn});
    for operation in [
        "CreateGrant",
        "DescribeKey",
        "DisableKey",
        "GenerateDataKey",
        "GenerateDataKeyWithoutPlaintext",
        "GetKeyPolicy",
        "GetKeyRotationStatus",
        "ListGrants",
        "ListKeyPolicies",
        "PutKeyPolicy",
        "RevokeGrant",
        "Sign",
        "UpdateKeyDescription",
    ] {
        json.call(operation, &named);
    }
    // The shortest time is a week.
    let now = json!({"KeyId": arn, "PendingWindowInDays": 0});
    json.call("ScheduleKeyDeletion", &now);
    json.calls
}

/// The requests on a queue, of which the URL is given.
pub(crate) fn queue(resources: &Resources, url: &str) -> Vec<Call> {
    let mut json = Json::new("sqs", "AmazonSQS", resources.queue(url));
    let named = json!({"QueueUrl": url});
    for operation in [
        // There is no message.
        "SendMessage",
        "ReceiveMessage",
        "DeleteMessage",
        "ChangeMessageVisibility",
        "GetQueueAttributes",
        "SetQueueAttributes",
        "AddPermission",
        "PurgeQueue",
        "DeleteQueue",
    ] {
        json.call(operation, &named);
    }
    json.calls
}

/// The requests on a log group.
pub(crate) fn log_group(resources: &Resources, name: &str) -> Vec<Call> {
    // AWS's ARN of a log group ends like this.
    let arn = resources.arn("logs", &format!("log-group:{name}:*"));
    let mut json = Json::new("logs", "Logs_20140328", arn);
    let named = json!({"logGroupName": name});
    for operation in [
        "CreateLogGroup",
        "CreateLogStream",
        "DescribeLogStreams",
        "FilterLogEvents",
        "GetLogEvents",
        "PutLogEvents",
        "PutRetentionPolicy",
        "PutSubscriptionFilter",
        "StartQuery",
        "DeleteLogStream",
        "DeleteLogGroup",
    ] {
        json.call(operation, &named);
    }
    json.calls
}

/// Requests on what isn't this stack's business, and on the bus of the platform's events.
pub(crate) fn elsewhere(resources: &Resources, bus: &str) -> Vec<Call> {
    let arn = resources.arn("events", &format!("event-bus/{bus}"));
    let mut json = Json::new("events", "AWSEvents", arn);
    // There is no detail.
    let event = json!({"EventBusName": bus, "Source": "platform"});
    json.call("PutEvents", &json!({"Entries": [event]}));
    for operation in [
        "PutRule",
        "PutTargets",
        "DisableRule",
        "DeleteRule",
        "RemoveTargets",
    ] {
        json.call(
            operation,
            &json!({"EventBusName": bus, "Name": "neighbour"}),
        );
    }
    let mut calls = json.calls;
    let target = "com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101";
    let mut json = Json::new("cloudtrail", target, "*".into());
    json.call("LookupEvents", &json!({"MaxResults": 1}));
    json.call("DescribeTrails", &json!({}));
    calls.append(&mut json.calls);
    for (service, target, operations) in [
        (
            "secretsmanager",
            "secretsmanager",
            ["ListSecrets", "GetSecretValue"],
        ),
        ("ssm", "AmazonSSM", ["GetParameter", "PutParameter"]),
        (
            "cognito-idp",
            "AWSCognitoIdentityProviderService",
            ["ListUsers", "AdminCreateUser"],
        ),
    ] {
        let mut json = Json::new(service, target, "*".into());
        for operation in operations {
            let body =
                json!({"Name": "/latchkey/deployment", "SecretId": "any", "UserPoolId": "any"});
            json.call(operation, &body);
        }
        calls.append(&mut json.calls);
    }
    let mut json = Json::new("dynamodb", "DynamoDB_20120810", "*".into());
    json.call("ListTables", &json!({}));
    json.call("ListBackups", &json!({}));
    calls.append(&mut json.calls);
    calls
}
