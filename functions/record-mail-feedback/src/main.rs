//! EventBridge, from SES → marks of the addresses that get no more mails.

use latchkey::start::{Start, serve_events_about};
use latchkey::system::System;
use record_mail_feedback::Feedback;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    let start = Start::new(module_path!()).await;
    let (store, notifier) = (&start.store()?, &start.notifier()?);
    serve_events_about(Feedback::subject, |event, _| {
        record_mail_feedback::handle(store, notifier, &System, event)
    })
    .await
}
