//! The function `authorize` without opening its connection at the start. The benchmark of cold starts compares both.

#![recursion_limit = "256"] // The nested types of the SDK's futures are deep.

use latchkey::start::{Start, serve_verification};
use latchkey::system::System;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    let start = Start::new("authorize").await;
    let store = &start.store()?;
    serve_verification(|event| authorize::handle(store, &System, event)).await
}
