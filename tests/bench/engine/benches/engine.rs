//! Starts an engine, prints its addresses as one line of JSON, and stops when its standard input ends.

#![allow(clippy::print_stdout, reason = "whoever starts it reads where it is")]

use std::error::Error;
use std::io::{Read, stdin};

use bench_engine::Engine;
use serde_json::json;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let engine = Engine::start().await?;
    println!(
        "{}",
        json!({
            "http": format!("http://{}", engine.http),
            "https": format!("https://localhost:{}", engine.https.port()),
            "authority": engine.authority,
        })
    );
    // When the parent ends, for whatever reason, its end of the pipe closes.
    tokio::task::spawn_blocking(|| stdin().read_to_end(&mut Vec::new())).await??;
    Ok(())
}
