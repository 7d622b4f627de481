//! What the end-to-end tests share: the deployed stack, its people and accounts, and a look behind it.
//!
//! `make test` starts a local cloud, deploys everything to it and names its description in
//! `LATCHKEY_STACK`. Every test makes an account of its own, so they run side by side.

mod account;
mod aws;
mod browser;
mod stack;

use std::path::PathBuf;
use std::time::{Duration, Instant};

pub use account::{Account, PASSWORD, Person};
pub use browser::{Browser, Target, in_browser};
pub use stack::{Answer, Stack, USER_AGENT, send};

/// Waits until an attempt has an answer, and returns that.
///
/// # Panics
/// When there is none after a minute; `what` says what was waited for.
pub async fn eventually<T>(what: &str, mut attempt: impl AsyncFnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        if let Some(answer) = attempt().await {
            return answer;
        }
        assert!(
            Instant::now() < deadline,
            "waited a minute in vain for {what}"
        );
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// A program of a pinned tool, which `make test` installs.
///
/// # Panics
/// When it isn't installed.
pub fn tool(name: &str, program: &str) -> PathBuf {
    let tools = concat!(env!("CARGO_MANIFEST_DIR"), "/../.local/tools");
    let path = PathBuf::from(tools).join(name).join("bin").join(program);
    assert!(
        path.exists(),
        "there is no {}: run `make test`",
        path.display()
    );
    path
}
