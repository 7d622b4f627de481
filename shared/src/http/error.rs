//! Everything that can go wrong in an HTTP operation, and how it is answered: RFC 9457.

use lambda_http::http::header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use lambda_http::{Body, Response};
use schemars::JsonSchema;
use serde::Serialize;

use crate::domain::entropy::EntropyError;
use crate::domain::token::NotReactivable;
use crate::domain::validation::FieldError;
use crate::ports::PortError;

/// An error with its public answer. What is only for the log is in `internal`; the type
/// has no `Display`, so that the two can't be confused.
#[derive(Debug)]
pub enum ApiError {
    /// The body isn't JSON, or not an object. The text says where.
    MalformedJson(String),
    /// A member of an object is given more than once. The text is its name.
    DuplicateKey(String),
    /// The cursor isn't one that this list gave out.
    InvalidCursor,
    /// The caller's token isn't an access token of the identity provider.
    AccessTokenRequired,
    /// There is no token of ours.
    TokenRequired,
    /// The presented token of ours isn't good.
    InvalidToken,
    /// The presented token of ours is good, but doesn't have full access to its account.
    InsufficientScope,
    /// The client's id and secret aren't those of a token of ours that may do this.
    InvalidClient,
    /// A form isn't as OAuth wants it. The text says why.
    InvalidRequest(String),
    /// A report doesn't have the scanner's signature.
    InvalidSignature,
    /// The caller's role doesn't administer tokens.
    RoleRequired,
    /// The caller may not see secrets.
    DeveloperModeRequired,
    /// The account's licence doesn't cover the lifetime.
    ApiManagementLicenseRequired,
    /// There is no such account, or the caller is no member.
    AccountNotFound,
    /// There is no such token.
    TokenNotFound,
    /// The token has to be revoked before it can be deleted.
    TokenActive,
    /// The token's current secret is compromised.
    SecretCompromised,
    /// The token ended with its account.
    AccountDeleted,
    /// There is no replaced secret that still works.
    NoPreviousSecret,
    /// Another request changed the same thing at the same time.
    Conflict,
    /// The token isn't at the version of `If-Match`.
    VersionMismatch,
    /// The body is larger than allowed.
    BodyTooLarge,
    /// The body isn't of a type that is understood, or not in UTF-8.
    UnsupportedMediaType,
    /// The request isn't valid; every failure is in the list.
    Validation(Vec<FieldError>),
    /// The `Idempotency-Key` was used for another request.
    IdempotencyKeyReused,
    /// The account, or the caller in it, has done as much of this as the budget allows. With the seconds after
    /// which there is a new one; without, if that isn't a matter of time.
    BudgetExceeded(Option<u64>),
    /// A service that we need is busy or can't be reached. The text is for the log.
    Unavailable(String),
    /// A defect. The text is for the log.
    Internal(String),
}

/// An error (RFC 9457).
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Problem<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    title: &'static str,
    status: u16,
    /// Says what went wrong, for programs. It never changes.
    code: &'static str,
    /// The same for people.
    detail: &'a str,
    /// The code once more, where OAuth's clients look for it (RFC 6749, 5.2).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "&str")]
    error: Option<&'static str>,
    /// The detail once more, for the same.
    #[serde(rename = "error_description", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "&str")]
    error_description: Option<&'a str>,
    /// Every failure of the validation.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    errors: &'a [FieldError],
    /// The request, for asking us about it.
    request_id: &'a str,
}

impl ApiError {
    /// The HTTP status.
    pub fn status(&self) -> u16 {
        match self {
            Self::MalformedJson(_)
            | Self::DuplicateKey(_)
            | Self::InvalidCursor
            | Self::InvalidRequest(_) => 400,
            // Also if a token isn't good enough: RFC 7662, 2.3.
            Self::AccessTokenRequired
            | Self::TokenRequired
            | Self::InvalidToken
            | Self::InsufficientScope
            | Self::InvalidClient => 401,
            Self::InvalidSignature
            | Self::RoleRequired
            | Self::DeveloperModeRequired
            | Self::ApiManagementLicenseRequired => 403,
            Self::AccountNotFound | Self::TokenNotFound => 404,
            Self::Conflict
            | Self::TokenActive
            | Self::SecretCompromised
            | Self::AccountDeleted
            | Self::NoPreviousSecret => 409,
            Self::VersionMismatch => 412,
            Self::BodyTooLarge => 413,
            Self::UnsupportedMediaType => 415,
            Self::Validation(_) | Self::IdempotencyKeyReused => 422,
            Self::BudgetExceeded(_) => 429,
            Self::Internal(_) => 500,
            Self::Unavailable(_) => 503,
        }
    }

    /// The stable code, for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::MalformedJson(_) => "malformed_json",
            Self::DuplicateKey(_) => "duplicate_key",
            Self::InvalidCursor => "invalid_cursor",
            Self::AccessTokenRequired => "access_token_required",
            Self::TokenRequired => "token_required",
            Self::InvalidToken => "invalid_token",
            Self::InsufficientScope => "insufficient_scope",
            Self::InvalidClient => "invalid_client",
            Self::InvalidRequest(_) => "invalid_request",
            Self::InvalidSignature => "invalid_signature",
            Self::RoleRequired => "role_required",
            Self::DeveloperModeRequired => "developer_mode_required",
            Self::ApiManagementLicenseRequired => "api_management_license_required",
            Self::AccountNotFound => "account_not_found",
            Self::TokenNotFound => "token_not_found",
            Self::TokenActive => "token_active",
            Self::SecretCompromised => "secret_compromised",
            Self::AccountDeleted => "account_deleted",
            Self::NoPreviousSecret => "no_previous_secret",
            Self::Conflict => "conflict",
            Self::VersionMismatch => "version_mismatch",
            Self::BodyTooLarge => "body_too_large",
            Self::UnsupportedMediaType => "unsupported_media_type",
            Self::Validation(_) => "validation_failed",
            Self::IdempotencyKeyReused => "idempotency_key_reused",
            Self::BudgetExceeded(_) => "budget_exceeded",
            Self::Unavailable(_) => "unavailable",
            Self::Internal(_) => "internal_error",
        }
    }

    /// Whether the same request may succeed later.
    pub fn retryable(&self) -> bool {
        match self {
            Self::Conflict | Self::Unavailable(_) | Self::BudgetExceeded(Some(_)) => true,
            Self::MalformedJson(_)
            | Self::DuplicateKey(_)
            | Self::InvalidCursor
            | Self::AccessTokenRequired
            | Self::TokenRequired
            | Self::InvalidToken
            | Self::InsufficientScope
            | Self::InvalidClient
            | Self::InvalidRequest(_)
            | Self::InvalidSignature
            | Self::RoleRequired
            | Self::DeveloperModeRequired
            | Self::ApiManagementLicenseRequired
            | Self::AccountNotFound
            | Self::TokenNotFound
            | Self::TokenActive
            | Self::SecretCompromised
            | Self::AccountDeleted
            | Self::NoPreviousSecret
            | Self::VersionMismatch
            | Self::BodyTooLarge
            | Self::UnsupportedMediaType
            | Self::Validation(_)
            | Self::IdempotencyKeyReused
            | Self::BudgetExceeded(None)
            | Self::Internal(_) => false,
        }
    }

    /// Whether an error of this kind can say when the same request may succeed.
    pub(super) fn may_say_when(&self) -> bool {
        self.retryable() || matches!(self, Self::BudgetExceeded(_))
    }

    /// After how many seconds the same request may succeed.
    fn retry_after(&self) -> Option<u64> {
        match self {
            Self::BudgetExceeded(seconds) => *seconds,
            _ => self.retryable().then_some(1),
        }
    }

    /// What to tell people.
    fn detail(&self) -> &str {
        match self {
            Self::MalformedJson(text) | Self::DuplicateKey(text) | Self::InvalidRequest(text) => {
                text
            }
            Self::InvalidCursor => {
                "the cursor is not one that this list with these filters gave out; start without one"
            }
            Self::AccessTokenRequired => "sign in and send the access token, not the id token",
            Self::TokenRequired => "send a token as `Authorization: Bearer <token>`",
            Self::InvalidToken => "the token is unknown, revoked, expired or not allowed from here",
            Self::InsufficientScope => "this takes an account token with full access",
            Self::InvalidClient => {
                "the client id and secret are not those of an account token with full access"
            }
            Self::InvalidSignature => "the report is not signed with a current key of the scanner",
            Self::RoleRequired => "only owners and administrators of the account may do this",
            Self::DeveloperModeRequired => "turn on developer mode to see secrets in plain text",
            Self::ApiManagementLicenseRequired => {
                "lifetimes beyond one hour need the account's API Management licence"
            }
            Self::AccountNotFound => "there is no such account",
            Self::TokenNotFound => "there is no such token",
            Self::TokenActive => "to delete this token, revoke it first",
            Self::SecretCompromised => {
                "the token's secret is compromised; generate a new secret, then reactivate the token"
            }
            Self::AccountDeleted => {
                "the token ended when its account was deleted; create a new token"
            }
            Self::NoPreviousSecret => "the token has no replaced secret that still works",
            Self::Conflict => "another request changed the same token at the same time; try again",
            Self::VersionMismatch => "the token has changed since it was read; read it again",
            Self::BodyTooLarge => "the body is larger than 64 KiB",
            Self::UnsupportedMediaType => "send the body as a type that this takes, in UTF-8",
            Self::Validation(_) => "the request is not valid; see `errors`",
            Self::IdempotencyKeyReused => "the idempotency key was used for a different request",
            Self::BudgetExceeded(Some(_)) => {
                "the budget of this hour is spent; there is a new one after `Retry-After`"
            }
            Self::BudgetExceeded(None) => {
                "the account has as many tokens as it may; delete some that are not needed"
            }
            Self::Unavailable(_) => "the service is busy; try again in a moment",
            Self::Internal(_) => "something went wrong on our side",
        }
    }

    /// What the error means in general, for the API's description.
    pub(super) fn meaning(&self) -> &str {
        match self {
            Self::MalformedJson(_) => "the body is not a JSON object",
            Self::DuplicateKey(_) => "an object in the body has a member more than once",
            Self::InvalidRequest(_) => "the form is not as it should be",
            Self::BudgetExceeded(_) => {
                "the hour's budget is spent (with `Retry-After`), or the account has as many tokens as it may"
            }
            _ => self.detail(),
        }
    }

    fn title(&self) -> &'static str {
        match self.status() {
            400 => "Bad Request",
            401 => "Unauthorized",
            403 => "Forbidden",
            404 => "Not Found",
            409 => "Conflict",
            412 => "Precondition Failed",
            413 => "Content Too Large",
            415 => "Unsupported Media Type",
            422 => "Unprocessable Content",
            429 => "Too Many Requests",
            503 => "Service Unavailable",
            _ => "Internal Server Error",
        }
    }

    /// What a 401 says about how to do better (RFC 6750, RFC 7617).
    fn challenge(&self) -> Option<&'static str> {
        match self {
            Self::InvalidClient => Some("Basic realm=\"latchkey\", Bearer realm=\"latchkey\""),
            // Who sends no credentials hears no error (RFC 6750, 3.1).
            Self::TokenRequired => Some("Bearer"),
            Self::InsufficientScope => Some("Bearer error=\"insufficient_scope\""),
            _ => (self.status() == 401).then_some("Bearer error=\"invalid_token\""),
        }
    }

    /// Whether OAuth's clients know it as one of theirs.
    fn is_oauth(&self) -> bool {
        matches!(
            self,
            Self::InvalidToken
                | Self::InsufficientScope
                | Self::InvalidClient
                | Self::InvalidRequest(_)
        )
    }

    /// What the body is declared as. Errors of OAuth's own endpoints are JSON (RFC 6749, 5.2), and there
    /// are clients that read nothing else.
    pub(super) fn media_type(&self) -> &'static str {
        match self {
            Self::InvalidClient | Self::InvalidRequest(_) => "application/json",
            _ => "application/problem+json",
        }
    }

    /// The text for the log, of errors that are ours.
    fn internal(&self) -> Option<&str> {
        match self {
            Self::Unavailable(text) | Self::Internal(text) => Some(text),
            _ => None,
        }
    }

    /// What the body says.
    fn problem<'a>(&'a self, request_id: &'a str) -> Problem<'a> {
        let errors: &[FieldError] = if let Self::Validation(errors) = self {
            errors
        } else {
            &[]
        };
        Problem {
            kind: "about:blank",
            title: self.title(),
            status: self.status(),
            code: self.code(),
            detail: self.detail(),
            error: self.is_oauth().then(|| self.code()),
            error_description: self.is_oauth().then(|| self.detail()),
            errors,
            request_id,
        }
    }

    /// A body as it may look, for the API's description.
    pub(super) fn example(&self) -> serde_json::Value {
        let failures = vec![FieldError::new("name", "required", "is required")];
        let error = match self {
            Self::Validation(_) => &Self::Validation(failures),
            Self::MalformedJson(_) => &Self::MalformedJson("the body is not a JSON object".into()),
            Self::DuplicateKey(_) => &Self::DuplicateKey("`scope` is given more than once".into()),
            Self::InvalidRequest(_) => {
                &Self::InvalidRequest("the parameter `token` is missing".into())
            }
            other => other,
        };
        serde_json::to_value(error.problem("JKJaXmPLvHcESHA=")).unwrap_or_default()
    }

    /// The response, after logging what the caller doesn't get to see.
    pub fn respond(&self, request_id: &str) -> Response<Body> {
        if let Some(internal) = self.internal() {
            tracing::error!(code = self.code(), error = internal, "request failed");
        }
        let problem = self.problem(request_id);
        let mut response = Response::builder()
            .status(self.status())
            .header(CONTENT_TYPE, self.media_type())
            .header(CACHE_CONTROL, "no-store");
        if let Some(seconds) = self.retry_after() {
            response = response.header(RETRY_AFTER, seconds);
        }
        if let Some(challenge) = self.challenge() {
            response = response.header(WWW_AUTHENTICATE, challenge);
        }
        let body = serde_json::to_string(&problem).unwrap_or_default();
        response.body(Body::from(body)).unwrap_or_default()
    }
}

impl From<PortError> for ApiError {
    fn from(error: PortError) -> Self {
        match error {
            PortError::Conflict => Self::Conflict,
            PortError::Unavailable(cause) => Self::Unavailable(cause.to_string()),
            PortError::Broken(cause) => Self::Internal(cause.to_string()),
        }
    }
}

impl From<NotReactivable> for ApiError {
    fn from(error: NotReactivable) -> Self {
        match error {
            NotReactivable::SecretCompromised => Self::SecretCompromised,
            NotReactivable::AccountDeleted => Self::AccountDeleted,
        }
    }
}

impl From<EntropyError> for ApiError {
    fn from(error: EntropyError) -> Self {
        Self::Internal(error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One of every variant; the match makes the compiler ask for new ones.
    fn every_error() -> Vec<ApiError> {
        let all = vec![
            ApiError::MalformedJson("expected `,` at line 1 column 9".into()),
            ApiError::DuplicateKey("`scope` is given more than once".into()),
            ApiError::InvalidCursor,
            ApiError::AccessTokenRequired,
            ApiError::TokenRequired,
            ApiError::InvalidToken,
            ApiError::InsufficientScope,
            ApiError::InvalidClient,
            ApiError::InvalidRequest("the parameter `token` is missing".into()),
            ApiError::InvalidSignature,
            ApiError::RoleRequired,
            ApiError::DeveloperModeRequired,
            ApiError::ApiManagementLicenseRequired,
            ApiError::AccountNotFound,
            ApiError::TokenNotFound,
            ApiError::TokenActive,
            ApiError::SecretCompromised,
            ApiError::AccountDeleted,
            ApiError::NoPreviousSecret,
            ApiError::Conflict,
            ApiError::VersionMismatch,
            ApiError::BodyTooLarge,
            ApiError::UnsupportedMediaType,
            ApiError::Validation(vec![FieldError::new("name", "required", "is required")]),
            ApiError::IdempotencyKeyReused,
            ApiError::BudgetExceeded(Some(1_800)),
            ApiError::BudgetExceeded(None),
            ApiError::Unavailable("table on fire".into()),
            ApiError::Internal("stack trace".into()),
        ];
        for error in &all {
            match error {
                ApiError::MalformedJson(_)
                | ApiError::DuplicateKey(_)
                | ApiError::InvalidCursor
                | ApiError::AccessTokenRequired
                | ApiError::TokenRequired
                | ApiError::InvalidToken
                | ApiError::InsufficientScope
                | ApiError::InvalidClient
                | ApiError::InvalidRequest(_)
                | ApiError::InvalidSignature
                | ApiError::RoleRequired
                | ApiError::DeveloperModeRequired
                | ApiError::ApiManagementLicenseRequired
                | ApiError::AccountNotFound
                | ApiError::TokenNotFound
                | ApiError::TokenActive
                | ApiError::SecretCompromised
                | ApiError::AccountDeleted
                | ApiError::NoPreviousSecret
                | ApiError::Conflict
                | ApiError::VersionMismatch
                | ApiError::BodyTooLarge
                | ApiError::UnsupportedMediaType
                | ApiError::Validation(_)
                | ApiError::IdempotencyKeyReused
                | ApiError::BudgetExceeded(_)
                | ApiError::Unavailable(_)
                | ApiError::Internal(_) => {}
            }
        }
        all
    }

    #[test]
    fn every_error_has_its_body() {
        let bodies: Vec<_> = every_error()
            .iter()
            .map(|error| {
                let response = error.respond("req-1");
                let retry = response
                    .headers()
                    .get(RETRY_AFTER)
                    .map(|v| v.to_str().unwrap());
                let Body::Text(body) = response.body() else {
                    panic!("no text")
                };
                let body: serde_json::Value = serde_json::from_str(body).unwrap();
                serde_json::json!({"retryAfter": retry, "body": body})
            })
            .collect();
        insta::assert_json_snapshot!(bodies);
    }

    #[test]
    fn a_challenge_names_an_error_only_to_who_sent_credentials() {
        let challenge = |error: ApiError| {
            let response = error.respond("req-1");
            let value = response.headers().get(WWW_AUTHENTICATE);
            value.map(|value| value.to_str().unwrap().to_owned())
        };
        assert_eq!(challenge(ApiError::TokenRequired).unwrap(), "Bearer");
        let refused = challenge(ApiError::InvalidToken).unwrap();
        assert_eq!(refused, "Bearer error=\"invalid_token\"");
        assert_eq!(challenge(ApiError::RoleRequired), None);
    }

    #[test]
    fn what_is_for_the_log_never_reaches_the_caller() {
        for error in every_error() {
            let Body::Text(body) = error.respond("req-1").into_body() else {
                panic!("no text")
            };
            assert!(
                !body.contains("table on fire") && !body.contains("stack trace"),
                "{body}"
            );
        }
    }
}
