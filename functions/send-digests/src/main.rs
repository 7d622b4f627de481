//! A schedule → the mails that were held back, an hour's in one.

use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use latchkey::aws::aws_config;
use latchkey::config::{Tables, require};
use latchkey::mail::{Console, Mailer, Notifier};
use latchkey::schedule::{ScheduledEvent, until};
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
    let store = &Store::new(&aws, tables);
    let notifier = &Notifier::new(Mailer::new(&aws, from, set), console);
    run(service_fn(
        |event: LambdaEvent<ScheduledEvent>| async move {
            let until = until(event.context.deadline);
            send_digests::handle(store, notifier, &System, until)
                .await
                .map_err(Error::from)
        },
    ))
    .await
}
