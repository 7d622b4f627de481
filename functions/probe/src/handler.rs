//! Tries the deployed service as a customer uses it: a token is created, used, read, shown, revoked and deleted, in an
//! account that has no other member. The first wrong answer fails the run.
//!
//! What the token's holder calls is called over HTTP, at the API's address. The management operations are invoked with
//! events as the gateway sends them, since the gateway's sign-in is for people.

mod deployed;
mod life;
mod request;
mod service;

use latchkey::ports::Clock;

pub use deployed::Deployed;
pub use life::Wrong;
use life::life;
use request::Caller;
pub use service::{Answer, Operation, Service};

/// Leads a token through its life. First deletes what earlier runs left behind. `auth_time` is the claim with the time
/// of the sign-in, which creating a token may require.
///
/// # Errors
/// At the first wrong answer. The token then stays for at most an hour.
pub async fn handle(
    service: &impl Service,
    clock: &impl Clock,
    auth_time: Option<&str>,
) -> Result<(), Wrong> {
    let now = clock.now();
    let caller = Caller::new(auth_time, now);
    Box::pin(life(service, &caller, now)).await?;
    tracing::info!("the probe found nothing wrong");
    Ok(())
}

#[cfg(test)]
mod tests;
