//! The errors of the HTTP operations, and their responses (RFC 9457).

use std::borrow::Cow;

use lambda_http::http::StatusCode;
use lambda_http::http::header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use lambda_http::{Body, Response};
use schemars::JsonSchema;
use serde::Serialize;

use crate::domain::entropy::EntropyError;
use crate::domain::token::NotReactivable;
use crate::domain::validation::FieldError;
use crate::ports::PortError;
use crate::telemetry::log_failure;

/// Whether the same request may succeed later.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Retry {
    /// No: the request must change.
    Never,
    /// Yes, after a second.
    Soon,
    /// Yes, if the error says after how many seconds.
    Perhaps,
}

/// The properties of an error code.
struct CodeRow {
    status: u16,
    code: &'static str,
    retry: Retry,
    meaning: &'static str,
}

/// Declares the codes, each with its HTTP status, its text, whether a retry may succeed, and its meaning for people.
macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident: $status:literal, $code:literal, $retry:ident, $meaning:literal;)*) => {
        /// The kind of an error, for programs.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum ErrorCode {
            $($(#[$doc])* $name,)*
        }

        impl ErrorCode {
            /// All codes.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            const fn row(self) -> CodeRow {
                match self {
                    $(Self::$name => CodeRow {
                        status: $status,
                        code: $code,
                        retry: Retry::$retry,
                        meaning: $meaning,
                    },)*
                }
            }
        }
    };
}

codes! {
    /// The body isn't JSON, or not an object.
    MalformedJson: 400, "malformed_json", Never,
        "the body is not a JSON object";
    /// A member of an object is given more than once.
    DuplicateKey: 400, "duplicate_key", Never,
        "an object in the body has a member more than once";
    /// The cursor wasn't issued by this list.
    InvalidCursor: 400, "invalid_cursor", Never,
        "the cursor does not belong to this list with these filters; start without one";
    /// The request has no access token of the identity provider.
    AccessTokenRequired: 401, "access_token_required", Never,
        "sign in and send the access token, not the id token";
    /// The request has no Latchkey token.
    TokenRequired: 401, "token_required", Never,
        "send a token as `Authorization: Bearer <token>`";
    /// The Latchkey token doesn't work.
    InvalidToken: 401, "invalid_token", Never,
        "the token is unknown, revoked, expired or not allowed from here";
    /// The Latchkey token works, but doesn't have full access to its account. RFC 7662 (2.3) requires a 401 for this.
    InsufficientScope: 401, "insufficient_scope", Never,
        "this route needs an account token with full access";
    /// The client's id and secret aren't those of a Latchkey token with full access to its account.
    InvalidClient: 401, "invalid_client", Never,
        "the client id and secret are not those of an account token with full access";
    /// A form doesn't follow OAuth's rules.
    InvalidRequest: 400, "invalid_request", Never,
        "the form is not valid";
    /// The report isn't signed by the scanner.
    InvalidSignature: 403, "invalid_signature", Never,
        "the report is not signed with a current key of the scanner";
    /// The caller's role doesn't allow the administration of tokens.
    RoleRequired: 403, "role_required", Never,
        "only owners and administrators of the account may do this";
    /// The caller doesn't have developer mode.
    DeveloperModeRequired: 403, "developer_mode_required", Never,
        "turn on developer mode to see secrets in plain text";
    /// The sign-in isn't recent enough.
    StepUpRequired: 403, "step_up_required", Never,
        "sign in again: this needs a sign-in that is not older than `maxAge` seconds";
    /// The account's licence doesn't cover the lifetime.
    ApiManagementLicenseRequired: 403, "api_management_license_required", Never,
        "lifetimes beyond one hour need the account's API Management licence";
    /// The account doesn't exist, or the caller isn't a member.
    AccountNotFound: 404, "account_not_found", Never,
        "there is no such account";
    /// The token doesn't exist.
    TokenNotFound: 404, "token_not_found", Never,
        "there is no such token";
    /// Only a revoked token can be deleted.
    TokenActive: 409, "token_active", Never,
        "to delete this token, revoke it first";
    /// The token's current secret is compromised.
    SecretCompromised: 409, "secret_compromised", Never,
        "the token's secret is compromised; generate a new secret, then reactivate the token";
    /// The token was revoked because its account was deleted.
    AccountDeleted: 409, "account_deleted", Never,
        "the token ended when its account was deleted; create a new token";
    /// The token has no replaced secret that still works.
    NoPreviousSecret: 409, "no_previous_secret", Never,
        "the token has no replaced secret that still works";
    /// Another request changed the same token at the same time.
    Conflict: 409, "conflict", Soon,
        "another request changed the same token at the same time; try again";
    /// The token doesn't have the version in `If-Match`.
    VersionMismatch: 412, "version_mismatch", Never,
        "the token has changed since it was read; read it again";
    /// The body is larger than allowed.
    BodyTooLarge: 413, "body_too_large", Never,
        "the body is larger than 64 KiB";
    /// The body doesn't have an accepted media type, or isn't in UTF-8.
    UnsupportedMediaType: 415, "unsupported_media_type", Never,
        "send the body in a media type that this route accepts, in UTF-8";
    /// A field or parameter of the request isn't valid.
    ValidationFailed: 422, "validation_failed", Never,
        "the request is not valid; see `errors`";
    /// The `Idempotency-Key` was used for another request.
    IdempotencyKeyReused: 422, "idempotency_key_reused", Never,
        "the idempotency key was used for a different request";
    /// The account, or its member, has spent the budget of such requests.
    BudgetExceeded: 429, "budget_exceeded", Perhaps,
        "the hour's budget is spent (with `Retry-After`), or the account has as many tokens as it may";
    /// A service that Latchkey needs is busy or can't be reached.
    Unavailable: 503, "unavailable", Soon,
        "the service is busy; try again in a moment";
    /// A defect of Latchkey.
    Internal: 500, "internal_error", Never,
        "something went wrong on our side";
}

impl ErrorCode {
    /// Returns the HTTP status.
    pub const fn status(self) -> u16 {
        self.row().status
    }

    /// Returns the code's text. It never changes.
    pub const fn as_str(self) -> &'static str {
        self.row().code
    }

    /// Returns the code's meaning, for people.
    pub(super) const fn meaning(self) -> &'static str {
        self.row().meaning
    }

    /// Whether such an error can say after how many seconds the same request may succeed.
    pub(super) fn may_say_when(self) -> bool {
        self.row().retry != Retry::Never
    }

    /// Returns the status's reason phrase (RFC 9110).
    fn title(self) -> &'static str {
        match self.status() {
            413 => "Content Too Large",
            422 => "Unprocessable Content",
            status => StatusCode::from_u16(status)
                .ok()
                .and_then(|status| status.canonical_reason())
                .unwrap_or_default(),
        }
    }

    /// Returns the `WWW-Authenticate` header, which says how to authenticate: for a 401 (RFC 6750, RFC 7617), and for a
    /// sign-in that isn't recent enough (RFC 9470), to which [`ApiError`] adds its largest age.
    fn challenge(self) -> Option<&'static str> {
        match self {
            Self::InvalidClient => Some("Basic realm=\"latchkey\", Bearer realm=\"latchkey\""),
            // Without credentials, the header has no error code (RFC 6750, 3.1).
            Self::TokenRequired => Some("Bearer"),
            Self::InsufficientScope => Some("Bearer error=\"insufficient_scope\""),
            Self::StepUpRequired => Some(
                "Bearer error=\"insufficient_user_authentication\", \
                 error_description=\"More recent authentication is required\"",
            ),
            _ => (self.status() == 401).then_some("Bearer error=\"invalid_token\""),
        }
    }

    /// Whether such an error says how to authenticate.
    pub(super) fn is_challenge(self) -> bool {
        self.challenge().is_some()
    }

    /// Whether it is an error code of OAuth.
    fn is_oauth(self) -> bool {
        matches!(
            self,
            Self::InvalidToken
                | Self::InsufficientScope
                | Self::InvalidClient
                | Self::InvalidRequest
        )
    }

    /// Returns the media type of the body. Errors of OAuth's endpoints are plain JSON (RFC 6749, 5.2): some clients
    /// read nothing else.
    pub(super) fn media_type(self) -> &'static str {
        match self {
            Self::InvalidClient | Self::InvalidRequest => "application/json",
            _ => "application/problem+json",
        }
    }

    /// Returns a sample error of this code.
    fn sample(self) -> ApiError {
        match self {
            Self::DuplicateKey => ApiError::duplicate_key("scope"),
            Self::InvalidRequest => ApiError::invalid_request("the parameter `token` is missing"),
            Self::ValidationFailed => {
                ApiError::validation(vec![FieldError::new("name", "required", "is required")])
            }
            Self::BudgetExceeded => ApiError::budget_exceeded(None),
            Self::StepUpRequired => ApiError::step_up_required(300),
            other => other.into(),
        }
    }

    /// Returns a sample body, for the OpenAPI document.
    pub(super) fn example(self) -> serde_json::Value {
        serde_json::to_value(self.sample().problem("JKJaXmPLvHcESHA=")).unwrap_or_default()
    }
}

/// An error and its public response. Details for the log only are in `internal`. The type has no `Display`, so that
/// the two texts can't be confused.
#[derive(Debug)]
pub struct ApiError {
    code: ErrorCode,
    /// The text for people: the code's meaning, or details of the error.
    detail: Cow<'static, str>,
    /// All failures of a validation.
    failures: Vec<FieldError>,
    /// After how many seconds the same request may succeed.
    retry_after: Option<u64>,
    /// How old a sign-in may be, in seconds.
    max_age: Option<u32>,
    /// The text for the log, if the error isn't the caller's.
    internal: Option<String>,
}

/// An error (RFC 9457).
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Problem<'a> {
    /// `about:blank`: `code` says what it is.
    #[serde(rename = "type")]
    kind: &'static str,
    /// The status in words.
    title: &'static str,
    /// The HTTP status.
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
    /// How many seconds old a sign-in may be, if this one is too old.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "u32")]
    max_age: Option<u32>,
    /// Every failure of the validation.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    errors: &'a [FieldError],
    /// The id of the request. Name it when you report a problem.
    request_id: &'a str,
}

impl From<ErrorCode> for ApiError {
    /// Creates an error whose detail is the code's meaning.
    fn from(code: ErrorCode) -> Self {
        let row = code.row();
        Self {
            code,
            detail: row.meaning.into(),
            failures: Vec::new(),
            retry_after: (row.retry == Retry::Soon).then_some(1),
            max_age: None,
            internal: None,
        }
    }
}

impl ApiError {
    fn with_detail(code: ErrorCode, detail: impl Into<Cow<'static, str>>) -> Self {
        let detail = detail.into();
        Self {
            detail,
            ..code.into()
        }
    }

    fn with_internal(code: ErrorCode, text: impl ToString) -> Self {
        let internal = Some(text.to_string());
        Self {
            internal,
            ..code.into()
        }
    }

    /// The body isn't JSON, or not of the expected form. `detail` says where.
    pub fn malformed_json(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::with_detail(ErrorCode::MalformedJson, detail)
    }

    /// An object has the member `name` more than once.
    pub(super) fn duplicate_key(name: &str) -> Self {
        let detail = format!("`{name}` is given more than once");
        Self::with_detail(ErrorCode::DuplicateKey, detail)
    }

    /// A known token doesn't work. `detail` says why, to whoever holds its secret.
    pub fn invalid_token(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::with_detail(ErrorCode::InvalidToken, detail)
    }

    /// A form doesn't follow OAuth's rules. `detail` says why.
    pub fn invalid_request(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::with_detail(ErrorCode::InvalidRequest, detail)
    }

    /// The request isn't valid. `failures` has all failures.
    pub fn validation(failures: Vec<FieldError>) -> Self {
        Self {
            failures,
            ..ErrorCode::ValidationFailed.into()
        }
    }

    /// A budget is spent. `retry_after` is the number of seconds until the next hour's budget, or until the account's
    /// tokens are counted again; `None` if waiting doesn't help.
    pub fn budget_exceeded(retry_after: Option<u64>) -> Self {
        let detail = match retry_after {
            Some(_) => {
                "the budget is spent, or the account has as many tokens as it may; try again after `Retry-After`"
            }
            None => "the account has as many tokens as it may; delete some that are not needed",
        };
        Self {
            retry_after,
            ..Self::with_detail(ErrorCode::BudgetExceeded, detail)
        }
    }

    /// The sign-in is more than `max_age` seconds old, or nobody knows how old it is.
    pub fn step_up_required(max_age: u32) -> Self {
        Self {
            max_age: Some(max_age),
            ..ErrorCode::StepUpRequired.into()
        }
    }

    /// A service that Latchkey needs is busy or can't be reached. `text` is for the log.
    pub fn unavailable(text: impl ToString) -> Self {
        Self::with_internal(ErrorCode::Unavailable, text)
    }

    /// A defect. `text` is for the log.
    pub fn internal(text: impl ToString) -> Self {
        Self::with_internal(ErrorCode::Internal, text)
    }

    /// Returns the error's code.
    pub fn code(&self) -> ErrorCode {
        self.code
    }

    /// Returns the text for people.
    pub fn detail(&self) -> &str {
        &self.detail
    }

    /// Returns the body.
    fn problem<'a>(&'a self, request_id: &'a str) -> Problem<'a> {
        let code = self.code.as_str();
        let is_oauth = self.code.is_oauth();
        Problem {
            kind: "about:blank",
            title: self.code.title(),
            status: self.code.status(),
            code,
            detail: &self.detail,
            error: is_oauth.then_some(code),
            error_description: is_oauth.then_some(&self.detail),
            max_age: self.max_age,
            errors: &self.failures,
            request_id,
        }
    }

    /// Returns the response. Logs the details that the response doesn't have.
    pub fn respond(&self, request_id: &str) -> Response<Body> {
        let code = self.code;
        if let Some(internal) = &self.internal {
            log_failure(Some(code.as_str()), internal);
        }
        let mut response = Response::builder()
            .status(code.status())
            .header(CONTENT_TYPE, code.media_type())
            .header(CACHE_CONTROL, "no-store");
        if let Some(seconds) = self.retry_after {
            response = response.header(RETRY_AFTER, seconds);
        }
        if let Some(challenge) = code.challenge() {
            let challenge = match self.max_age {
                Some(seconds) => format!("{challenge}, max_age=\"{seconds}\""),
                None => challenge.to_owned(),
            };
            response = response.header(WWW_AUTHENTICATE, challenge);
        }
        let body = serde_json::to_string(&self.problem(request_id)).unwrap_or_default();
        response.body(Body::from(body)).unwrap_or_default()
    }
}

impl From<PortError> for ApiError {
    fn from(error: PortError) -> Self {
        match error {
            PortError::Conflict => ErrorCode::Conflict.into(),
            PortError::Unavailable(cause) => Self::unavailable(cause),
            PortError::Broken(cause) => Self::internal(cause),
        }
    }
}

impl From<NotReactivable> for ApiError {
    fn from(error: NotReactivable) -> Self {
        match error {
            NotReactivable::SecretCompromised => ErrorCode::SecretCompromised.into(),
            NotReactivable::AccountDeleted => ErrorCode::AccountDeleted.into(),
        }
    }
}

impl From<EntropyError> for ApiError {
    fn from(error: EntropyError) -> Self {
        Self::internal(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns at least one error of each code.
    fn every_error() -> impl Iterator<Item = ApiError> {
        ErrorCode::ALL.iter().flat_map(|code| match code {
            ErrorCode::MalformedJson => {
                vec![ApiError::malformed_json("expected `,` at line 1 column 9")]
            }
            ErrorCode::BudgetExceeded => vec![
                ApiError::budget_exceeded(Some(1_800)),
                ApiError::budget_exceeded(None),
            ],
            ErrorCode::Unavailable => vec![ApiError::unavailable("table on fire")],
            ErrorCode::Internal => vec![ApiError::internal("stack trace")],
            code => vec![code.sample()],
        })
    }

    #[test]
    fn every_error_has_its_body() {
        let bodies: Vec<_> = every_error()
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
        let challenge = |code: ErrorCode| {
            let response = ApiError::from(code).respond("req-1");
            let value = response.headers().get(WWW_AUTHENTICATE);
            value.map(|value| value.to_str().unwrap().to_owned())
        };
        assert_eq!(challenge(ErrorCode::TokenRequired).unwrap(), "Bearer");
        let refused = challenge(ErrorCode::InvalidToken).unwrap();
        assert_eq!(refused, "Bearer error=\"invalid_token\"");
        assert_eq!(challenge(ErrorCode::RoleRequired), None);
    }

    #[test]
    fn an_old_sign_in_is_told_how_old_it_may_be() {
        let response = ApiError::step_up_required(300).respond("req-1");
        assert_eq!(
            response.headers()[WWW_AUTHENTICATE],
            "Bearer error=\"insufficient_user_authentication\", \
             error_description=\"More recent authentication is required\", max_age=\"300\""
        );
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
