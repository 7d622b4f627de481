//! EventBridge, source `platform` → the projection of accounts, members and resources.

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
    let store = &store;
    run(service_fn(
        |event: LambdaEvent<sync_platform::Event>| async move {
            sync_platform::handle(store, &System, event.payload)
                .await
                .map_err(Error::from)
        },
    ))
    .await
}
