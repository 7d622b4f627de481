//! EventBridge, source `platform` → the copies of accounts, members, resources and Integration Apps.

use latchkey::config::require;
use latchkey::start::{Start, serve_events_about};
use latchkey::system::System;
use sync_platform::DeadLetters;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    let start = Start::new(module_path!()).await;
    let store = &start.store()?;
    let queue = require("DEAD_LETTERS_URL")?;
    let dead_letters = &DeadLetters::new(aws_sdk_sqs::Client::new(start.aws()), queue);
    serve_events_about(sync_platform::subject, |event, _| {
        sync_platform::handle(store, dead_letters, &System, event)
    })
    .await
}
