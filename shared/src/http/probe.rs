//! The calls of the probe, which tries the deployed service with a token of an account of its own.
//!
//! The probe invokes functions with events as the gateway sends them, and no policy limits what an event says. So it may
//! only invoke the functions' alias `probe`, and Lambda tells a function through which alias it was invoked: what comes
//! through that one is about the probe's account, or is refused.

use lambda_http::{Request, RequestExt};

use super::{ApiError, ErrorCode, path};
use crate::domain::id::AccountId;

/// The account of the probe. Its only member has the same id and no address, so it gets no mail.
pub const ACCOUNT: &str = "latchkey-probe";

/// The alias through which the probe invokes functions.
const ALIAS: &str = "probe";

/// Refuses what the probe's role asks for about another account. What comes from the gateway passes.
///
/// # Errors
/// `account_not_found`.
pub(super) fn check(request: &Request) -> Result<(), ApiError> {
    let Some(context) = request.lambda_context_ref() else {
        return Ok(());
    };
    // arn:aws:lambda:<region>:<AWS account>:function:<name>[:<version or alias>]
    let alias = context.invoked_function_arn.split(':').nth(7);
    let account: Option<AccountId> = path::id(request, "accountId");
    if alias == Some(ALIAS) && account.is_none_or(|id| id.as_str() != ACCOUNT) {
        return Err(ErrorCode::AccountNotFound.into());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use lambda_http::{Body, Context, Response};

    use super::*;
    use crate::http::{answer, response};
    use crate::telemetry::request::ColdStart;
    use crate::testing::Event;

    /// Asks for a token of an account through the function with that ARN. Returns the status.
    async fn ask(account: &str, arn: &str) -> u16 {
        let event = Event::sample(include_str!("../../../events/get-token/get.json"));
        let mut context = Context::default();
        context.invoked_function_arn = arn.into();
        let request = event.account(account).request();
        let reached = async |_| -> Result<Response<Body>, ApiError> { response::no_content() };
        let request = request.with_lambda_context(context);
        let answer = answer(reached, request, &ColdStart::default()).await;
        answer.status().as_u16()
    }

    #[tokio::test]
    async fn through_its_alias_the_probe_reaches_its_own_account_only() {
        let function = "arn:aws:lambda:us-east-1:123456789012:function:latchkey-GetToken";
        let probe = &format!("{function}:probe");
        assert_eq!(ask(ACCOUNT, probe).await, 204);
        for account in ["acme", "latchkey-probe2", "no id", ""] {
            assert_eq!(ask(account, probe).await, 404, "{account}");
        }
        for arn in [
            function,
            &format!("{function}:live"),
            &format!("{function}:7"),
            "arn:aws:lambda:us-east-1:123456789012:function:probe",
            "",
        ] {
            assert_eq!(ask("acme", arn).await, 204, "{arn}");
        }
    }
}
