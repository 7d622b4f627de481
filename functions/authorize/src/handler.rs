//! Decides whether a call to a protected API may proceed.

mod event;

use latchkey::app::verify::{Verified, refuse, verify};
use latchkey::domain::entropy::Entropy;
use latchkey::domain::verification::{Purpose, Refusal};
use latchkey::ports::{Clock, GetResources, RecallSecret, RecordUse};
use latchkey::start::NoAnswer;

pub use event::{Answer, Event};

/// Verifies the secret in the gateway's event, decides whether it may do what the call asks for, and records the use
/// or the refusal.
///
/// Returns the answer for the gateway: allow with the token's details, or deny.
///
/// # Errors
/// [`NoAnswer::Unauthorized`] if a REST API's call has no valid token; the gateway turns it into a 401.
/// [`NoAnswer::Undecided`] if the table can't be reached; the gateway turns it into a 500.
pub async fn handle(
    store: &(impl RecallSecret + GetResources + RecordUse),
    system: &(impl Clock + Entropy),
    event: Event,
) -> Result<Answer, NoAnswer> {
    let method_arn = event.method_arn();
    let verified = match (event.secret(), event.request()) {
        (Some(secret), Some((purpose, client))) => {
            verify(store, system, secret, purpose, client).await?
        }
        (None, Some((purpose, _))) => refuse(system, &purpose),
        (_, None) => refuse(system, &Purpose::Meaningless),
    };
    match verified {
        Verified::Granted {
            secret,
            obligations,
        } => Ok(Answer::allow(method_arn, &secret, &obligations)),
        Verified::Refused { refusal, .. } => {
            // A valid token without the right is a 403 everywhere. An invalid token is a 401 where the gateway can be
            // told so. HTTP APIs answer 403 to every denial in a simple response.
            if method_arn.is_some() && refusal != Refusal::Forbidden {
                return Err(NoAnswer::Unauthorized);
            }
            Ok(Answer::deny(method_arn))
        }
    }
}

#[cfg(test)]
mod tests;
