//! Tells an API whether the token that its caller presents is good, and what it may do: RFC 7662.

mod asker;
mod body;

use std::net::IpAddr;

use lambda_http::{Body, Request, Response};
use latchkey::app::verify::{Introspection, introspect};
use latchkey::domain::entropy::Entropy;
use latchkey::http::form::Form;
use latchkey::http::openapi::Operation;
use latchkey::http::openapi::schema::{self, optional, required};
use latchkey::http::sender::Sender;
use latchkey::http::{ApiError, response};
use latchkey::ports::{Clock, RecallSecret, RecordUse};

use asker::Credentials;
use body::{ActiveBody, InactiveBody, IntrospectionBody};

/// Answers one request.
///
/// # Errors
/// What the caller is answered instead.
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
        asker_ip: sender.ip,
        bearer_ip,
    };
    match introspect(store, system, token, &introspection, sender.client()).await? {
        Ok(secret) => {
            let active = ActiveBody::from(&secret);
            response::json(200, &IntrospectionBody::Active(active))
        }
        Err(_) => {
            let inactive = InactiveBody { active: false };
            response::json(200, &IntrospectionBody::Inactive(inactive))
        }
    }
}

/// What the API's description says of this operation.
pub fn operation() -> Operation {
    let text = "RFC 7662. The caller authenticates with an account token that has full access. A token of another \
                account isn't active. The form may also have `client_id` and `client_secret`.";
    Operation::new(
        "introspect-token",
        "POST",
        "/v1/introspect",
        "Describe a token to the API that received it",
    )
    .description(text)
    .for_apis()
    .form([
        required("token", schema::text()).describe("The secret to ask about."),
        optional("client_ip", schema::text()).describe(
            "The bearer's address. Without it, a token with `allowedCidrs` isn't active.",
        ),
    ])
    .answers::<IntrospectionBody<'_>>(200, "The token if it works, else only `active`.", &[])
}

/// Where the bearer is, if the API tells: RFC 7662 (2.1) leaves this parameter's name to us.
fn client_ip(form: &Form<'_>) -> Result<Option<IpAddr>, ApiError> {
    let invalid = |_| ApiError::InvalidRequest("`client_ip` is not an IP address".into());
    let ip = form.optional("client_ip");
    ip.map(|ip| ip.parse().map_err(invalid)).transpose()
}

#[cfg(test)]
mod tests;
