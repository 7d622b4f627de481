//! `POST /v1/leaks/github`

use latchkey::http::serve;
use latchkey::start::Start;
use latchkey::system::System;
use receive_leak_report::{GitHub, Keys};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    let start = Start::new(module_path!()).await;
    let (store, notifier) = (start.store()?, start.notifier()?);
    let keys = Keys::new(GitHub::from_env()?);
    serve(|request| receive_leak_report::handle(&store, &keys, &notifier, &System, request)).await
}
