//! The audit log's stream → e-mail.

use aws_lambda_events::dynamodb::Event;
use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use latchkey::aws::aws_config;
use latchkey::config::{Tables, budgets, require};
use latchkey::mail::{Console, Mailer, Notifier};
use latchkey::schedule::until;
use latchkey::store::Store;
use latchkey::system::System;
use latchkey::telemetry;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    telemetry::init(module_path!());
    let console = Console::new(require("CONSOLE_URL")?);
    let (tables, from) = (Tables::from_env()?, require("MAIL_FROM")?);
    let set = require("MAIL_CONFIGURATION_SET")?;
    let aws = aws_config().await;
    let store = &Store::new(&aws, tables).with_budgets(budgets()?);
    let notifier = &Notifier::new(Mailer::new(&aws, from, set), console);
    run(service_fn(|event: LambdaEvent<Event>| async move {
        let until = until(event.context.deadline);
        let answer =
            send_notifications::handle(store, notifier, &System, until, event.payload).await;
        Ok::<_, Error>(answer)
    }))
    .await
}
