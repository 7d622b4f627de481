//! The shared parts of the end-to-end tests: the deployed stack, its users and accounts, and access to its resources.
//!
//! `make test` starts a local cloud, deploys everything to it and sets `LATCHKEY_STACK` to the path of its description.
//! Every test creates its own account, so tests run in parallel.

mod account;
mod aws;
mod browser;
mod stack;

use std::path::PathBuf;
use std::time::{Duration, Instant};

pub use account::{Account, PASSWORD, Person};
pub use browser::{Browser, Target, in_browser};
pub use stack::{Answer, Stack, USER_AGENT, send};

/// Repeats an attempt until it returns a value, and returns that.
///
/// # Panics
/// There is no value after one minute. `what` names the expected value in the message.
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

/// The path of a program of a pinned tool, which `make test` installs.
///
/// # Panics
/// The tool isn't installed.
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
