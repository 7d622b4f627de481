//! An API of a third party. It knows the authorizer's context, and nothing else of Latchkey.

mod authorizer;
mod handler;
mod invocation;
mod operations;
mod problem;
mod resource;
mod store;

use std::convert::Infallible;
use std::env;

use aws_config::BehaviorVersion;
use lambda_http::{Error, Request, run, service_fn, tracing};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    tracing::init_default_subscriber();
    let table =
        env::var("RESOURCES_TABLE").map_err(|_| "the variable RESOURCES_TABLE is not set")?;
    let config = aws_config::load_defaults(BehaviorVersion::latest()).await;
    let store = store::DynamoStore::new(aws_sdk_dynamodb::Client::new(&config), table);
    let store = &store;
    run(service_fn(move |request: Request| async move {
        Ok::<_, Infallible>(handler::handle(store, request).await)
    }))
    .await
}
