//! The token table's stream (removals by the time to live) → audit.

use aws_lambda_events::dynamodb::Event;
use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use latchkey::aws::aws_config;
use latchkey::config::Tables;
use latchkey::store::Store;
use latchkey::telemetry;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    telemetry::init(module_path!());
    let tables = Tables::from_env()?;
    let store = Store::new(&aws_config().await, tables);
    let store = &store;
    run(service_fn(|event: LambdaEvent<Event>| async move {
        Ok::<_, Error>(record_purges::handle(store, event.payload).await)
    }))
    .await
}
