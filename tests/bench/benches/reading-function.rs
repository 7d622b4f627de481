//! A function that reads one item and allows every call: the cost of one read, with its connection, in a process that
//! has just started.

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::AttributeValue;
use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use latchkey::aws::aws_config;
use latchkey::config::require;
use serde_json::{Value, json};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let client = &Client::new(&aws_config().await);
    let table = &require("TOKENS_TABLE")?;
    run(service_fn(move |_: LambdaEvent<Value>| async move {
        let read = client
            .get_item()
            .table_name(table)
            .key("pk", AttributeValue::S("SECRET#none".into()))
            .key("sk", AttributeValue::S("SECRET".into()))
            .consistent_read(true);
        read.send().await?;
        Ok::<_, Error>(json!({"isAuthorized": true}))
    }))
    .await
}
