//! Lets a call to the platform's API through, or not.

mod event;

use lambda_runtime::Error;
use latchkey::app::verify::{Verified, refuse, verify};
use latchkey::domain::entropy::Entropy;
use latchkey::domain::verification::{Purpose, Refusal};
use latchkey::ports::{Clock, GetResources, RecallSecret, RecordUse};

pub use event::{Answer, Event};

/// REST APIs turn exactly this error of an authorizer into a 401.
const UNAUTHORIZED: &str = "Unauthorized";

/// Answers one event of the gateway.
///
/// # Errors
/// `Unauthorized`, which a REST API turns into a 401; anything else when the decision couldn't be made.
pub async fn handle(
    store: &(impl RecallSecret + GetResources + RecordUse),
    system: &(impl Clock + Entropy),
    event: Event,
) -> Result<Answer, Error> {
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
            // A good token on the wrong resource is a 403 everywhere. A bad token is a 401 where the
            // gateway can be told so; HTTP APIs answer 403 to every refusal of a simple response.
            if method_arn.is_some() && refusal != Refusal::Forbidden {
                return Err(UNAUTHORIZED.into());
            }
            Ok(Answer::deny(method_arn))
        }
    }
}

#[cfg(test)]
mod tests;
