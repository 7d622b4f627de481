//! `POST /v1/accounts/{accountId}/tokens/{tokenId}/reveal`

use latchkey::config::{budgets, step_up};
use latchkey::http::{caller::ConsoleClient, serve};
use latchkey::start::Start;
use latchkey::system::System;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    let start = Start::new(module_path!()).await;
    let store = start.store()?.with_budgets(budgets()?);
    let vault = start.vault()?;
    let console = ConsoleClient::from_env()?;
    let step_up = step_up()?;
    serve(|request| {
        let step_up = step_up.as_ref();
        reveal_token::handle(&store, &vault, &System, &console, step_up, request)
    })
    .await
}
