//! A daily schedule → the end of tokens that nobody uses.

use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use latchkey::aws::aws_config;
use latchkey::config::{Tables, idle_time};
use latchkey::schedule::{ScheduledEvent, until};
use latchkey::store::Store;
use latchkey::system::System;
use latchkey::telemetry;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    telemetry::init(module_path!());
    let (tables, idle_time) = (Tables::from_env()?, idle_time()?);
    let store = Store::new(&aws_config().await, tables);
    let store = &store;
    run(service_fn(
        |event: LambdaEvent<ScheduledEvent>| async move {
            let until = until(event.context.deadline);
            revoke_idle::handle(store, &System, idle_time, until, event.payload)
                .await
                .map_err(Error::from)
        },
    ))
    .await
}
