//! `DELETE /v1/accounts/{accountId}/tokens/{tokenId}`

use latchkey::http::{caller::ConsoleClient, serve};
use latchkey::start::Start;
use latchkey::system::System;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    let start = Start::new(module_path!()).await;
    let store = start.store()?;
    let console = ConsoleClient::from_env()?;
    serve(|request| delete_token::handle(&store, &System, &console, request)).await
}
