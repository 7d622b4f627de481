//! `POST /v1/accounts/{accountId}/tokens/{tokenId}/reactivate`

use latchkey::aws::aws_config;
use latchkey::config::{Tables, budgets};
use latchkey::http::{caller::ConsoleClient, serve};
use latchkey::store::Store;
use latchkey::system::System;
use latchkey::telemetry;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    telemetry::init(module_path!());
    let console = ConsoleClient::from_env()?;
    let tables = Tables::from_env()?;
    let store = Store::new(&aws_config().await, tables).with_budgets(budgets()?);
    serve(|request| reactivate_token::handle(&store, &System, &console, request)).await
}
