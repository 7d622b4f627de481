//! EventBridge, from SES → marks of the addresses to which no mail is sent any more.

use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use latchkey::aws::aws_config;
use latchkey::config::{Tables, require};
use latchkey::mail::{Console, Mailer, Notifier};
use latchkey::store::Store;
use latchkey::system::System;
use latchkey::telemetry;
use record_mail_feedback::Feedback;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    telemetry::init(module_path!());
    let console = Console::new(require("CONSOLE_URL")?);
    let (tables, from) = (Tables::from_env()?, require("MAIL_FROM")?);
    let set = require("MAIL_CONFIGURATION_SET")?;
    let aws = aws_config().await;
    let store = &Store::new(&aws, tables);
    let notifier = &Notifier::new(Mailer::new(&aws, from, set), console);
    run(service_fn(|event: LambdaEvent<Feedback>| async move {
        record_mail_feedback::handle(store, notifier, &System, event.payload)
            .await
            .map_err(Error::from)
    }))
    .await
}
