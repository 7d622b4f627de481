//! Where a request comes from, as far as the gateway tells.

use std::net::IpAddr;

use lambda_http::http::header::USER_AGENT;
use lambda_http::request::RequestContext;
use lambda_http::{Request, RequestExt};

use super::{ApiError, request_id};
use crate::app::verify::Client;
use crate::domain::actor::Actor;
use crate::domain::audit::{Origin, Source, kept_user_agent};

/// What a client calls itself, whatever bytes it is made of.
fn user_agent(request: &Request) -> Option<String> {
    let name = request.headers().get(USER_AGENT)?;
    Some(kept_user_agent(&String::from_utf8_lossy(name.as_bytes())))
}

/// The sender of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sender {
    /// Its address.
    pub ip: IpAddr,
    /// What it calls itself.
    user_agent: Option<String>,
    /// The request, for finding it in the logs.
    request_id: String,
}

impl Sender {
    /// Reads the gateway's context of a request; what headers say of the address doesn't count.
    ///
    /// # Errors
    /// When the gateway doesn't tell the address, which is a defect.
    pub fn of(request: &Request) -> Result<Self, ApiError> {
        let ip = match request.request_context_ref() {
            Some(RequestContext::ApiGatewayV2(context)) => context.http.source_ip.as_deref(),
            _ => None,
        };
        let unknown = || ApiError::internal("the gateway doesn't tell the caller's address");
        let ip = ip.and_then(|ip| ip.parse().ok()).ok_or_else(unknown)?;
        Ok(Self {
            ip,
            user_agent: user_agent(request),
            request_id: request_id(request),
        })
    }

    /// What presents a secret in the request.
    pub fn client(&self) -> Client<'_> {
        Client {
            ip: self.ip,
            user_agent: self.user_agent.as_deref(),
            request_id: &self.request_id,
        }
    }

    /// Where the request came from, for the audit record of what an actor did through it.
    pub fn origin(&self, source: Source, actor: Actor) -> Origin {
        Origin {
            source,
            actor,
            ip: Some(self.ip),
            user_agent: self.user_agent.clone(),
            request_id: self.request_id.clone(),
        }
    }
}
