//! `POST /v1/accounts/{accountId}/tokens`

use latchkey::aws::aws_config;
use latchkey::config::{Tables, budgets, require};
use latchkey::http::{caller::ConsoleClient, serve};
use latchkey::store::{Store, Vault};
use latchkey::system::System;
use latchkey::telemetry;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    telemetry::init(module_path!());
    let console = ConsoleClient::from_env()?;
    let (tables, key) = (Tables::from_env()?, require("SECRETS_KEY_ID")?);
    let aws = aws_config().await;
    let store = Store::new(&aws, tables).with_budgets(budgets()?);
    let vault = Vault::new(&aws, key);
    serve(|request| create_token::handle(&store, &vault, &System, &console, request)).await
}
