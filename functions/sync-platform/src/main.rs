//! EventBridge, source `platform` → the projection of accounts, members and resources.

use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use latchkey::aws::aws_config;
use latchkey::config::{Tables, require};
use latchkey::store::Store;
use latchkey::system::System;
use latchkey::telemetry;
use serde_json::Value;
use sync_platform::DeadLetters;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    telemetry::init(module_path!());
    let (tables, queue) = (Tables::from_env()?, require("DEAD_LETTERS_URL")?);
    let aws = aws_config().await;
    let store = &Store::new(&aws, tables);
    let dead_letters = &DeadLetters::new(aws_sdk_sqs::Client::new(&aws), queue);
    run(service_fn(|event: LambdaEvent<Value>| async move {
        let message = event.payload;
        let handled = sync_platform::handle(store, dead_letters, &System, message).await;
        handled.map_err(Error::from)
    }))
    .await
}
