//! Errors as responses: RFC 9457 problem details with a stable `code`.

use std::error::Error;

use aws_sdk_dynamodb::error::DisplayErrorContext;
use lambda_http::http::{StatusCode, header};
use lambda_http::{Body, Response};
use serde::Serialize;
use serde_json::json;

/// There is no `Display`, because an internal error's text is only for the log.
#[derive(Debug)]
pub(crate) enum ApiError {
    AuthorizerContext,
    UnknownObligation,
    FieldNotAllowed(Vec<String>),
    IntegrationAppData,
    RouteNotFound,
    ResourceNotFound,
    ResourceExists,
    BodyTooLarge,
    Invalid(Vec<Failure>),
    Internal(Box<dyn Error + Send + Sync>),
}

/// A failure of one field, or of the whole request.
#[derive(Debug, Serialize)]
pub(crate) struct Failure {
    pub code: &'static str,
    pub message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
}

impl Failure {
    pub(crate) fn new(code: &'static str, field: &str, message: &str) -> Self {
        Self {
            code,
            message: format!("`{field}` {message}"),
            field: Some(field.to_owned()),
        }
    }
}

impl ApiError {
    pub(crate) fn code(&self) -> &'static str {
        match self {
            Self::AuthorizerContext => "authorizer_context_missing",
            Self::UnknownObligation => "unknown_obligation",
            Self::FieldNotAllowed(_) => "field_not_allowed",
            Self::IntegrationAppData => "integration_app_data",
            Self::RouteNotFound => "route_not_found",
            Self::ResourceNotFound => "resource_not_found",
            Self::ResourceExists => "resource_exists",
            Self::BodyTooLarge => "body_too_large",
            Self::Invalid(_) => "validation_failed",
            Self::Internal(_) => "internal_error",
        }
    }

    pub(crate) fn status(&self) -> StatusCode {
        match self {
            Self::UnknownObligation | Self::FieldNotAllowed(_) | Self::IntegrationAppData => {
                StatusCode::FORBIDDEN
            }
            Self::RouteNotFound | Self::ResourceNotFound => StatusCode::NOT_FOUND,
            Self::ResourceExists => StatusCode::CONFLICT,
            Self::BodyTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Invalid(_) => StatusCode::UNPROCESSABLE_ENTITY,
            // The API runs without its authorizer. That is the operator's mistake, not the caller's.
            Self::AuthorizerContext | Self::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    fn detail(&self) -> &'static str {
        match self {
            Self::AuthorizerContext => "the request carries no usable authorizer context",
            Self::UnknownObligation => "the authorizer attached a condition this API can't enforce",
            Self::FieldNotAllowed(_) => "this token may not change some of the fields",
            Self::IntegrationAppData => "this token may not create data of an Integration App",
            Self::RouteNotFound => "no such route",
            Self::ResourceNotFound => "no such resource",
            Self::ResourceExists => "a resource with this id exists already",
            Self::BodyTooLarge => "the body is larger than 64 KiB",
            Self::Invalid(_) => "the request is not valid",
            Self::Internal(_) => "something went wrong on our side",
        }
    }

    fn failures(&self) -> Vec<Failure> {
        let copy = |failure: &Failure| Failure {
            code: failure.code,
            message: failure.message.clone(),
            field: failure.field.clone(),
        };
        match self {
            Self::Invalid(failures) => failures.iter().map(copy).collect(),
            Self::FieldNotAllowed(fields) => fields
                .iter()
                .map(|field| Failure::new(self.code(), field, "may not be changed"))
                .collect(),
            _ => Vec::new(),
        }
    }

    /// Returns the response. Logs an error that isn't the caller's.
    pub(crate) fn into_response(self) -> Response<Body> {
        match &self {
            Self::Internal(error) => {
                tracing::error!(error = %DisplayErrorContext(&**error), "internal error");
            }
            Self::AuthorizerContext => {
                tracing::error!("refused a request without authorizer context");
            }
            _ => {}
        }
        let status = self.status();
        let mut body = json!({
            "type": "about:blank",
            "title": status.canonical_reason(),
            "status": status.as_u16(),
            "code": self.code(),
            "detail": self.detail(),
        });
        let failures = self.failures();
        if let (false, Some(members)) = (failures.is_empty(), body.as_object_mut()) {
            members.insert("errors".to_owned(), json!(failures));
        }
        respond(status, "application/problem+json", &body)
    }
}

pub(crate) fn respond(
    status: StatusCode,
    content_type: &'static str,
    body: &serde_json::Value,
) -> Response<Body> {
    let mut response = Response::new(Body::from(body.to_string()));
    *response.status_mut() = status;
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        header::HeaderValue::from_static(content_type),
    );
    response.headers_mut().insert(
        header::CACHE_CONTROL,
        header::HeaderValue::from_static("no-store"),
    );
    response
}
