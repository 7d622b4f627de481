//! `authorize` without the read that opens the connection before the first request.

use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use latchkey::aws::aws_config;
use latchkey::config::Tables;
use latchkey::store::Store;
use latchkey::system::System;
use latchkey::telemetry;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    telemetry::init("authorize");
    let tables = Tables::from_env()?;
    let store = &Store::new(&aws_config().await, tables);
    run(service_fn(|event: LambdaEvent<authorize::Event>| {
        authorize::handle(store, &System, event.payload)
    }))
    .await
}
