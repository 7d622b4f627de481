//! A schedule → a token's life, as a customer leads it.

use latchkey::config::optional;
use latchkey::schedule::ScheduledEvent;
use latchkey::start::{Start, serve_events};
use latchkey::system::System;
use probe::Deployed;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    let start = Start::new(module_path!()).await;
    let service = &Deployed::from_env(start.aws())?;
    let claim = &optional("AUTH_TIME_CLAIM");
    serve_events(|_: ScheduledEvent, _| probe::handle(service, &System, claim.as_deref())).await
}
