//! A daily schedule → warnings of tokens that will end soon.

use latchkey::config::warnings;
use latchkey::schedule::ScheduledEvent;
use latchkey::start::{Start, serve_events_about};
use latchkey::system::System;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    let start = Start::new(module_path!()).await;
    let (store, warnings) = (&start.store()?, &warnings()?);
    serve_events_about(ScheduledEvent::subject, |event, until| {
        remind_expiring::handle(store, &System, warnings, until, event)
    })
    .await
}
