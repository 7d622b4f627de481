//! The Lambda authorizer of the platform's APIs.

use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use latchkey::aws::aws_config;
use latchkey::config::Tables;
use latchkey::store::Store;
use latchkey::system::System;
use latchkey::telemetry;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    telemetry::init(module_path!());
    let tables = Tables::from_env()?;
    let store = Store::new(&aws_config().await, tables);
    if let Err(error) = store.warm().await {
        // The first request tries again, and answers for it.
        tracing::warn!(%error, "could not warm the connection");
    }
    let store = &store;
    run(service_fn(|event: LambdaEvent<authorize::Event>| {
        authorize::handle(store, &System, event.payload)
    }))
    .await
}
