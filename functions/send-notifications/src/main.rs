//! The audit log's stream → e-mail.

use lambda_runtime::Error;
use latchkey::config::budgets;
use latchkey::start::{Start, serve_batches};
use latchkey::system::System;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let start = Start::new(module_path!()).await;
    let store = &start.store()?.with_budgets(budgets()?);
    let notifier = &start.notifier()?;
    serve_batches(|event, until| send_notifications::handle(store, notifier, &System, until, event))
        .await
}
