//! `POST /v1/introspect`

use latchkey::http::serve_verification;
use latchkey::start::Start;
use latchkey::system::System;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    let start = Start::new(module_path!()).await;
    let store = start.store()?;
    serve_verification(|request| introspect_token::handle(&store, &System, request)).await
}
