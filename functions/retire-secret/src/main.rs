//! `POST /v1/accounts/{accountId}/tokens/{tokenId}/retire`

use latchkey::aws::aws_config;
use latchkey::config::Tables;
use latchkey::http::{caller::ConsoleClient, serve};
use latchkey::store::Store;
use latchkey::system::System;
use latchkey::telemetry;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    telemetry::init(module_path!());
    let console = ConsoleClient::from_env()?;
    let tables = Tables::from_env()?;
    let store = Store::new(&aws_config().await, tables);
    serve(|request| retire_secret::handle(&store, &System, &console, request)).await
}
