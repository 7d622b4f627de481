//! Starts an engine, says on one line of JSON where it is, and ends when its standard input does.

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
    // Whatever became of the parent, its end of the pipe closes.
    tokio::task::spawn_blocking(|| stdin().read_to_end(&mut Vec::new())).await??;
    Ok(())
}
