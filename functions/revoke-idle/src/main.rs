//! A daily schedule → the end of tokens that nobody uses.

use latchkey::config::idle_time;
use latchkey::schedule::ScheduledEvent;
use latchkey::start::{Start, serve_events_about};
use latchkey::system::System;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    let start = Start::new(module_path!()).await;
    let (store, idle_time) = (&start.store()?, idle_time()?);
    serve_events_about(ScheduledEvent::subject, |event, until| {
        revoke_idle::handle(store, &System, idle_time, until, event)
    })
    .await
}
