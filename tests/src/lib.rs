//! What the end-to-end tests share: the deployed stack, its people and accounts, and access to the local cloud.
//!
//! `make test` starts a local cloud, deploys everything to it and writes its description to the file in
//! `LATCHKEY_STACK`. Every test creates its own account, so that tests can run in parallel.

mod account;
mod attempt;
mod aws;
mod browser;
mod scanner;
mod stack;
mod storage;

use std::path::PathBuf;
use std::time::{Duration, Instant};

pub use account::{Account, PASSWORD, Person};
pub use attempt::{Attempt, Session};
pub use browser::{Browser, Target, in_browser, in_browser_leaving};
pub use scanner::ScannerKey;
pub use stack::{Answer, Stack, USER_AGENT, send};

/// Repeats an attempt until it has a result, and returns that.
///
/// # Panics
/// If there is none after a minute. `what` names it in the message.
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

/// Returns the path of a program of a pinned tool, which `make test` installs.
///
/// # Panics
/// If it isn't installed.
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
