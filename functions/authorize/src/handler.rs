//! Lets a call to the platform's API through, or not.

mod event;

use lambda_runtime::Error;
use latchkey::app::verify::{Outcome, refuse, verify};
use latchkey::domain::entropy::Entropy;
use latchkey::domain::verification::Refusal;
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
    let outcome = match (event.secret(), event.presentation()) {
        (Some(secret), Some(presentation)) => {
            verify(store, system, secret, presentation, event.client()).await?
        }
        (_, presentation) => {
            let access = presentation.and_then(|asked| asked.access.flatten());
            refuse(system, access.as_ref())
        }
    };
    match outcome {
        Outcome::Granted {
            secret,
            obligations,
        } => Ok(Answer::allow(method_arn, &secret, &obligations)),
        Outcome::Refused(refusal) => {
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
