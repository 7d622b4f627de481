//! `POST /v1/accounts/{accountId}/tokens/{tokenId}/retire`

use latchkey::http::{caller::ConsoleClient, serve};
use latchkey::start::Start;
use latchkey::system::System;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    let start = Start::new(module_path!()).await;
    let store = start.store()?;
    let console = ConsoleClient::from_env()?;
    serve(|request| retire_secret::handle(&store, &System, &console, request)).await
}
