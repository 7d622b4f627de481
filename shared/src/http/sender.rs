//! The sender of a request, as the gateway reports it.

use std::net::IpAddr;

use lambda_http::http::header::USER_AGENT;
use lambda_http::request::RequestContext;
use lambda_http::{Request, RequestExt};

use super::{ApiError, request_id, trace_id};
use crate::app::verify::Client;
use crate::domain::actor::Actor;
use crate::domain::audit::{Origin, Source, kept_user_agent};
use crate::domain::id::TraceId;

/// Returns the `User-Agent` header, which may consist of any bytes.
fn user_agent(request: &Request) -> Option<String> {
    let name = request.headers().get(USER_AGENT)?;
    Some(kept_user_agent(&String::from_utf8_lossy(name.as_bytes())))
}

/// The sender of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sender {
    /// The sender's IP address.
    pub ip: IpAddr,
    /// The `User-Agent` header.
    user_agent: Option<String>,
    /// The request's id, which the log has too.
    request_id: String,
    /// The request's trace.
    trace_id: Option<TraceId>,
}

impl Sender {
    /// Reads the gateway's context of a request. Addresses in headers are ignored: anybody can send them.
    ///
    /// # Errors
    /// When the context has no address, which is a defect.
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
            trace_id: trace_id(request),
        })
    }

    /// Returns the sender as the client that presents a secret.
    pub fn client(&self) -> Client<'_> {
        Client {
            ip: self.ip,
            user_agent: self.user_agent.as_deref(),
            request_id: &self.request_id,
        }
    }

    /// Returns the request's origin for an audit record.
    pub fn origin(&self, source: Source, actor: Actor) -> Origin {
        Origin {
            source,
            actor,
            ip: Some(self.ip),
            user_agent: self.user_agent.clone(),
            request_id: self.request_id.clone(),
            trace_id: self.trace_id.clone(),
        }
    }
}
