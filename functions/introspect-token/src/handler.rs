//! Tells an API whether a token that it received works, and what the token may do (RFC 7662).

mod asker;
mod body;

use std::net::IpAddr;

use lambda_http::{Body, Request, Response};
use latchkey::app::verify::{Verified, introspect};
use latchkey::domain::entropy::Entropy;
use latchkey::domain::verification::Introspection;
use latchkey::http::form::Form;
use latchkey::http::openapi::Operation;
use latchkey::http::openapi::schema::{self, optional, required};
use latchkey::http::sender::Sender;
use latchkey::http::{ApiError, response};
use latchkey::ports::{Clock, RecallSecret, RecordUse};

use asker::Credentials;
use body::{ActiveBody, InactiveBody, IntrospectionBody};

/// Verifies the token in the form, for an API that authenticates with a token of its own. Returns the token's account,
/// scope and end if it works, or else only `active: false`. Records both tokens' uses.
///
/// # Errors
/// `invalid_request` for an invalid form, `invalid_client`, `invalid_token` or `insufficient_scope` for the API's own
/// credentials, and `unavailable` if the table can't be reached.
pub async fn handle(
    store: &(impl RecallSecret + RecordUse),
    system: &(impl Clock + Entropy),
    request: Request,
) -> Result<Response<Body>, ApiError> {
    let form = Form::of(&request)?;
    let sender = Sender::of(&request)?;
    let credentials = Credentials::of(&request, &form)?;
    let token = form.required_secret("token")?;
    let bearer_ip = client_ip(&form)?;
    let asker = credentials.verify(store, system, &sender).await?;
    let introspection = Introspection {
        asker: &asker,
        bearer_ip,
    };
    match introspect(store, system, token, introspection, sender.client()).await? {
        Verified::Granted { secret, .. } => {
            let active = ActiveBody::from(secret.as_ref());
            response::json(200, &IntrospectionBody::Active(active))
        }
        Verified::Refused { .. } => {
            let inactive = InactiveBody { active: false };
            response::json(200, &IntrospectionBody::Inactive(inactive))
        }
    }
}

/// Describes this operation for the OpenAPI document.
pub fn operation() -> Operation {
    let text = "RFC 7662. The caller authenticates with an account token that has full access. A token of another \
                account isn't active. The form may also have `client_id` and `client_secret`.";
    Operation::new(
        "introspect-token",
        "Describe a token to the API that received it",
    )
    .description(text)
    .form([
        required("token", schema::nonempty()).describe("The secret to ask about."),
        optional("client_ip", schema::text()).describe(
            "The bearer's address. Without it, a token with `allowedCidrs` isn't active.",
        ),
    ])
    .answers::<IntrospectionBody<'_>>(200, "The token if it works, else only `active`.", &[])
}

/// Returns the bearer's IP address if the API sent it. RFC 7662 (2.1) doesn't define the name of this parameter.
///
/// # Errors
/// `invalid_request` if it isn't an IP address.
fn client_ip(form: &Form<'_>) -> Result<Option<IpAddr>, ApiError> {
    let invalid = |_| ApiError::invalid_request("`client_ip` is not an IP address");
    let ip = form.optional("client_ip");
    ip.map(|ip| ip.parse().map_err(invalid)).transpose()
}

#[cfg(test)]
mod tests;
