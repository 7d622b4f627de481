//! `PATCH /v1/accounts/{accountId}/tokens/{tokenId}`

use latchkey::config::budgets;
use latchkey::http::{caller::ConsoleClient, serve};
use latchkey::start::Start;
use latchkey::system::System;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    let start = Start::new(module_path!()).await;
    let store = start.store()?.with_budgets(budgets()?);
    let console = ConsoleClient::from_env()?;
    serve(|request| update_token::handle(&store, &System, &console, request)).await
}
