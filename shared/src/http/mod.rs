//! The HTTP interface: turns requests into calls of the domain, and results and errors into responses.

pub mod audit;
pub mod bearer;
pub mod body;
pub mod budget;
pub mod caller;
pub mod csv;
pub mod cursor;
pub mod error;
pub mod form;
pub mod gateway;
pub mod idempotency;
mod json;
pub mod media;
pub mod openapi;
pub mod page;
pub mod path;
pub mod query;
pub mod response;
pub mod secret;
pub mod security;
pub mod sender;
pub mod token;

use std::sync::Arc;

use lambda_http::request::{LambdaRequest, RequestContext};
use lambda_http::tower::ServiceExt;
use lambda_http::{Adapter, Body, Error, LambdaEvent, Request, RequestExt, Response, service_fn};
use tracing::Instrument;

pub use error::{ApiError, ErrorCode};

use crate::telemetry::request_span;

/// Serves an HTTP operation as a Lambda function. Turns errors into problem documents, and adds the request's id to
/// every line of the log.
///
/// # Errors
/// When the Lambda runtime can't be reached.
pub async fn serve<H, F>(handler: H) -> Result<(), Error>
where
    H: Fn(Request) -> F + Send + Sync,
    F: Future<Output = Result<Response<Body>, ApiError>> + Send,
{
    let handler = Arc::new(handler);
    let service = Adapter::from(service_fn(move |request: Request| {
        let handler = Arc::clone(&handler);
        let id = request_id(&request);
        let span = request_span(&id);
        async move {
            let response = match handler(request).await {
                Ok(response) => response,
                Err(error) => error.respond(&id),
            };
            Ok::<_, Error>(response)
        }
        .instrument(span)
    }));
    let escaped = |event: LambdaEvent<LambdaRequest>| {
        LambdaEvent::new(gateway::escaped(event.payload), event.context)
    };
    lambda_runtime::run(service.map_request(escaped)).await
}

/// Returns the gateway's id of the request, or Lambda's if there is no gateway.
fn request_id(request: &Request) -> String {
    match request.request_context_ref() {
        Some(RequestContext::ApiGatewayV2(context)) => context.request_id.clone(),
        _ => None,
    }
    .unwrap_or_else(|| request.lambda_context().request_id)
}
