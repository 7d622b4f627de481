//! The token table's stream (removals by the time to live) → audit.

use lambda_runtime::Error;
use latchkey::start::{Start, serve_batches};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let start = Start::new(module_path!()).await;
    let store = &start.store()?;
    serve_batches(|event, _| record_purges::handle(store, event)).await
}
