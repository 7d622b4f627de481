//! The Lambda authorizer of protected APIs.

use latchkey::start::{Start, serve_verification};
use latchkey::system::System;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    let start = Start::new(module_path!()).await;
    let store = &start.store()?;
    if let Err(error) = store.warm().await {
        // The first request connects again, and fails if it can't.
        tracing::warn!(%error, "could not warm the connection");
    }
    serve_verification(|event| authorize::handle(store, &System, event)).await
}
