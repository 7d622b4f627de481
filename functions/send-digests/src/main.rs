//! A schedule → digests of the notifications that were held back.

use latchkey::schedule::ScheduledEvent;
use latchkey::start::{Start, serve_events_about};
use latchkey::system::System;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    let start = Start::new(module_path!()).await;
    let (store, notifier) = (&start.store()?, &start.notifier()?);
    serve_events_about(ScheduledEvent::subject, |_, until| {
        send_digests::handle(store, notifier, &System, until)
    })
    .await
}
