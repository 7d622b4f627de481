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
pub mod probe;
pub mod query;
pub mod response;
mod routes;
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

use crate::domain::id::TraceId;
use crate::telemetry::request::{ColdStart, OK, RequestLine};
use crate::telemetry::request_span;

/// Serves an HTTP operation as a Lambda function. Turns errors into problem documents, adds the request's id to every
/// line of the log, and logs a line for each request.
///
/// # Errors
/// When the Lambda runtime can't be reached.
pub async fn serve<H, F>(handler: H) -> Result<(), Error>
where
    H: Fn(Request) -> F + Send + Sync,
    F: Future<Output = Result<Response<Body>, ApiError>> + Send,
{
    let process = ColdStart::default();
    run(handler, move |request| {
        Some(request_line(request, process.is_first()))
    })
    .await
}

/// As [`serve`], for an operation that verifies presented secrets: the line of its decision tells of the request.
///
/// # Errors
/// When the Lambda runtime can't be reached.
pub async fn serve_verification<H, F>(handler: H) -> Result<(), Error>
where
    H: Fn(Request) -> F + Send + Sync,
    F: Future<Output = Result<Response<Body>, ApiError>> + Send,
{
    run(handler, |_| None).await
}

async fn run<H, F>(
    handler: H,
    line: impl Fn(&Request) -> Option<RequestLine> + Send,
) -> Result<(), Error>
where
    H: Fn(Request) -> F + Send + Sync,
    F: Future<Output = Result<Response<Body>, ApiError>> + Send,
{
    let handler = Arc::new(handler);
    let service = Adapter::from(service_fn(move |request: Request| {
        let (handler, line) = (Arc::clone(&handler), line(&request));
        async move { Ok::<_, Error>(respond(handler.as_ref(), request, line).await) }
    }));
    let escaped = |event: LambdaEvent<LambdaRequest>| {
        LambdaEvent::new(gateway::escaped(event.payload), event.context)
    };
    lambda_runtime::run(service.map_request(escaped)).await
}

/// Answers one request as [`serve`] does.
pub async fn answer<F>(
    handler: impl Fn(Request) -> F,
    request: Request,
    process: &ColdStart,
) -> Response<Body>
where
    F: Future<Output = Result<Response<Body>, ApiError>>,
{
    let line = request_line(&request, process.is_first());
    respond(handler, request, Some(line)).await
}

async fn respond<F>(
    handler: impl Fn(Request) -> F,
    request: Request,
    mut line: Option<RequestLine>,
) -> Response<Body>
where
    F: Future<Output = Result<Response<Body>, ApiError>>,
{
    let id = request_id(&request);
    let span = request_span(&id);
    async {
        let answered = match probe::check(&request) {
            Ok(()) => handler(request).await,
            Err(refused) => Err(refused),
        };
        let (response, outcome) = match answered {
            Ok(response) => (response, OK),
            Err(error) => (error.respond(&id), error.code().as_str()),
        };
        if let Some(line) = &mut line {
            line.outcome = outcome;
            line.status = Some(response.status().as_u16());
        }
        response
    }
    .instrument(span)
    .await
}

/// Returns the line of a request that begins now. Until the handler has answered, it says what the caller of a handler
/// that panics gets.
fn request_line(request: &Request, is_first: bool) -> RequestLine {
    let panicked = ErrorCode::Internal;
    let id = request_id(request);
    let mut line = RequestLine::begin(&id, panicked.as_str(), Some(panicked.status()));
    line.operation = route(request).and_then(routes::operation);
    line.account_id = path::id(request, "accountId");
    line.token_id = path::id(request, "tokenId");
    line.trace_id = trace_id(request);
    line.cold_start = is_first;
    line
}

/// Returns the route that the gateway has chosen.
fn route(request: &Request) -> Option<&str> {
    match request.request_context_ref() {
        Some(RequestContext::ApiGatewayV2(context)) => context.route_key.as_deref(),
        _ => None,
    }
}

/// Returns the gateway's id of the request, or Lambda's if there is no gateway.
fn request_id(request: &Request) -> String {
    match request.request_context_ref() {
        Some(RequestContext::ApiGatewayV2(context)) => context.request_id.clone(),
        _ => None,
    }
    .unwrap_or_else(|| request.lambda_context().request_id)
}

/// Returns the trace that Lambda names for the request.
fn trace_id(request: &Request) -> Option<TraceId> {
    let context = request.lambda_context_ref()?;
    TraceId::of_header(context.xray_trace_id.as_deref()?)
}

#[cfg(test)]
mod tests {
    use std::panic::AssertUnwindSafe;

    use futures_util::FutureExt;
    use lambda_http::Context;
    use serde_json::{Value, json};
    use tracing::level_filters::LevelFilter;

    use super::*;
    use crate::testing::{Event, Logs};

    const TRACE: &str = "1-5e66d96f-7491f09e0a79d18acf3d0505";

    fn sample() -> Event {
        Event::sample(include_str!("../../../events/get-token/get.json"))
    }

    fn traced(event: &Event) -> Request {
        let mut context = Context::default();
        context.xray_trace_id = Some(format!("Root={TRACE};Parent=53995c3f42cd8ad8;Sampled=0"));
        event.request().with_lambda_context(context)
    }

    fn line(logs: &Logs) -> Value {
        let mut lines = logs.take();
        lines.retain(|line| line.get("duration_ms").is_some());
        assert_eq!(lines.len(), 1, "{lines:?}");
        let mut line = lines.remove(0);
        assert!(line["timestamp"].take().is_string());
        assert!(line["duration_ms"].take().is_f64());
        line
    }

    #[tokio::test]
    async fn each_request_has_one_line_at_every_level() {
        for level in [LevelFilter::INFO, LevelFilter::WARN, LevelFilter::ERROR] {
            let (logs, process) = (Logs::of("get_token", level), ColdStart::default());
            let ok = async |_| response::no_content();
            answer(ok, traced(&sample()), &process).await;
            let expected = json!({
                "timestamp": null,
                "level": "INFO",
                "operation": "get-token",
                "account_id": "acme",
                "token_id": "tok_01ARZ3NDEKTSV4RRFFQ69G5FAV",
                "request_id": "JKJaXmPLvHcESHA=",
                "trace_id": TRACE,
                "outcome": "ok",
                "status": 204,
                "cold_start": true,
                "duration_ms": null,
            });
            assert_eq!(line(&logs), expected);

            let refused = async |_| Err(ErrorCode::TokenNotFound.into());
            answer(refused, sample().request(), &process).await;
            let second = line(&logs);
            assert_eq!(second["outcome"], "token_not_found");
            assert_eq!(second["status"], 404);
            assert_eq!(second["cold_start"], false);
            assert_eq!(second.get("trace_id"), None);
        }
    }

    #[tokio::test]
    async fn what_a_stranger_writes_into_the_path_is_not_in_the_line() {
        let (logs, process) = (
            Logs::of("get_token", LevelFilter::INFO),
            ColdStart::default(),
        );
        let secret = crate::testing::plain(&crate::testing::plain_secret());
        for text in ["no id", "a\"}\n{", secret.as_str()] {
            let request = sample().account(text).token(text).request();
            answer(async |_| response::no_content(), request, &process).await;
            let line = line(&logs);
            assert_eq!((line.get("account_id"), line.get("token_id")), (None, None));
        }
    }

    #[tokio::test]
    async fn a_handler_that_panics_has_its_line() {
        let (logs, process) = (
            Logs::of("get_token", LevelFilter::INFO),
            ColdStart::default(),
        );
        let panics = async |_| -> Result<Response<Body>, ApiError> { panic!("a defect") };
        let answered = AssertUnwindSafe(answer(panics, sample().request(), &process));
        answered.catch_unwind().await.unwrap_err();
        let line = line(&logs);
        assert_eq!(line["outcome"], "internal_error");
        assert_eq!(
            (&line["status"], &line["account_id"]),
            (&json!(500), &json!("acme"))
        );
    }
}
