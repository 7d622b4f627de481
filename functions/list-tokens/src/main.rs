//! `GET /v1/accounts/{accountId}/tokens`

use latchkey::http::serve;
use latchkey::start::Start;
use latchkey::system::System;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    let start = Start::new(module_path!()).await;
    let store = start.store()?;
    serve(|request| list_tokens::handle(&store, &System, request)).await
}
