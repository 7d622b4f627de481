//! A daily schedule → warnings of tokens that will end soon.

use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use latchkey::aws::aws_config;
use latchkey::config::{Tables, warnings};
use latchkey::schedule::{ScheduledEvent, until};
use latchkey::store::Store;
use latchkey::system::System;
use latchkey::telemetry;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    telemetry::init(module_path!());
    let (tables, warnings) = (Tables::from_env()?, warnings()?);
    let store = Store::new(&aws_config().await, tables);
    let (store, warnings) = (&store, &warnings);
    run(service_fn(
        |event: LambdaEvent<ScheduledEvent>| async move {
            let until = until(event.context.deadline);
            remind_expiring::handle(store, &System, warnings, until, event.payload)
                .await
                .map_err(Error::from)
        },
    ))
    .await
}
