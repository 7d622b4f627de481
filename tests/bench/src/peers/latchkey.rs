//! Latchkey itself: the example server of the tower layer. It shares nothing with the Lambda functions but the decision.

use std::error::Error;
use std::process::{Command, Stdio};
use std::time::Duration;

use super::Setup;
use super::service::{Service, free_port};
use crate::fixture::SECRET;

/// How long the cache keeps a decision, when there is one.
pub(super) const CACHED: Duration = Duration::from_secs(60);

pub(super) fn name(cached: Duration) -> &'static str {
    if cached.is_zero() {
        "latchkey-tower, no cache"
    } else {
        "latchkey-tower, cached for 60 s"
    }
}

/// Starts the server with this process's environment, which names the engine.
pub(super) async fn start(setup: &Setup, cached: Duration) -> Result<Service, Box<dyn Error>> {
    let port = free_port()?;
    let process = Command::new(&setup.latchkey_tower)
        .args([port.to_string(), cached.as_secs().to_string()])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()?;
    let service = Service::started(process, format!("127.0.0.1:{port}")).await?;
    let bearer = format!("authorization: Bearer {SECRET}\r\n");
    let request = service.request("GET", "/v1/exports/exp_orders", &bearer, "");
    let proof = r#""accountId":"acme","tokenId":"tok_"#.into();
    Ok(service.verified_by(request, proof).stored_by(setup.engine))
}
