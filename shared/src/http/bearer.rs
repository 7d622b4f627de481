//! Calls of our own routes with a token of ours.

use std::net::IpAddr;

use lambda_http::Request;
use lambda_http::http::header::AUTHORIZATION;
use lambda_http::request::RequestContext;
use lambda_http::{RequestExt, http::header::USER_AGENT};

use super::{ApiError, request_id};
use crate::domain::policy::Owner;
use crate::domain::verification::{Client, MAX_USER_AGENT, Presentation};

/// A request that presents a secret: `Authorization: Bearer <secret>`. It has no `Debug`, which would
/// show the secret.
pub struct Bearer<'a> {
    request: &'a Request,
    secret: &'a str,
    ip: IpAddr,
}

impl<'a> Bearer<'a> {
    /// Finds the secret in a request.
    ///
    /// # Errors
    /// [`ApiError::InvalidToken`] if there is none.
    pub fn of(request: &'a Request) -> Result<Self, ApiError> {
        let header = request
            .headers()
            .get(AUTHORIZATION)
            .and_then(|value| value.to_str().ok());
        let secret = header.and_then(bearer).ok_or(ApiError::InvalidToken)?;
        let ip = match request.request_context_ref() {
            Some(RequestContext::ApiGatewayV2(context)) => context.http.source_ip.as_deref(),
            _ => None,
        };
        let unknown = || ApiError::Internal("the gateway doesn't tell the caller's address".into());
        let ip = ip.and_then(|ip| ip.parse().ok()).ok_or_else(unknown)?;
        Ok(Self {
            request,
            secret,
            ip,
        })
    }

    /// The secret, well-formed or not.
    pub fn secret(&self) -> &str {
        self.secret
    }

    /// Asks about the token alone, not about what it may do.
    pub fn presentation(&self) -> Presentation {
        Presentation {
            ip: self.ip,
            operation: None,
            owner: Owner::NotRead,
        }
    }

    /// Who asks.
    pub fn client(&self) -> Client {
        let name = self
            .request
            .headers()
            .get(USER_AGENT)
            .and_then(|value| value.to_str().ok());
        Client {
            user_agent: name.map(|name| name.chars().take(MAX_USER_AGENT).collect()),
            request_id: request_id(self.request),
        }
    }
}

/// The credentials of the `Bearer` scheme, whose name has no case.
pub fn bearer(header: &str) -> Option<&str> {
    let (scheme, credentials) = header.split_once(' ')?;
    scheme
        .eq_ignore_ascii_case("bearer")
        .then(|| credentials.trim())
}
