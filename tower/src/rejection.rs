//! The responses to refused requests: RFC 9457, with the challenges of RFC 6750.

use http::header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderValue, Response, StatusCode};
use latchkey::domain::verification::Refusal;
use latchkey::ports::PortError;
use serde_json::json;

/// Why a request is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rejection {
    /// The request has no token.
    TokenRequired,
    /// The token doesn't work.
    InvalidToken,
    /// The token works, but doesn't allow this request.
    InsufficientScope,
    /// The decision can't be made at the moment.
    Unavailable,
    /// The decision can't be made because of a defect or a wrong configuration.
    Internal,
}

impl From<Refusal> for Rejection {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Malformed
            | Refusal::Unknown
            | Refusal::Revoked
            | Refusal::Expired
            | Refusal::Ended
            | Refusal::Compromised
            | Refusal::Address => Self::InvalidToken,
            Refusal::Forbidden => Self::InsufficientScope,
        }
    }
}

impl From<&PortError> for Rejection {
    fn from(error: &PortError) -> Self {
        match error {
            PortError::Conflict | PortError::Unavailable(_) => Self::Unavailable,
            PortError::Broken(_) => Self::Internal,
        }
    }
}

impl Rejection {
    fn status(self) -> StatusCode {
        match self {
            Self::TokenRequired | Self::InvalidToken => StatusCode::UNAUTHORIZED,
            Self::InsufficientScope => StatusCode::FORBIDDEN,
            Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// Returns the stable code, for programs.
    fn code(self) -> &'static str {
        match self {
            Self::TokenRequired => "token_required",
            Self::InvalidToken => "invalid_token",
            Self::InsufficientScope => "insufficient_scope",
            Self::Unavailable => "unavailable",
            Self::Internal => "internal_error",
        }
    }

    fn detail(self) -> &'static str {
        match self {
            Self::TokenRequired => "send a token as `Authorization: Bearer <token>`",
            Self::InvalidToken => "the token is unknown, revoked, expired or not allowed from here",
            Self::InsufficientScope => "the token may not do this",
            Self::Unavailable => "the token can't be verified right now; try again in a moment",
            Self::Internal => "something went wrong on our side",
        }
    }

    /// Returns the `WWW-Authenticate` header. Without a token, it has no error code (RFC 6750, 3.1).
    fn challenge(self) -> Option<&'static str> {
        match self {
            Self::TokenRequired => Some("Bearer"),
            Self::InvalidToken => Some("Bearer error=\"invalid_token\""),
            Self::InsufficientScope => Some("Bearer error=\"insufficient_scope\""),
            Self::Unavailable | Self::Internal => None,
        }
    }

    pub(crate) fn respond<R: From<String>>(self) -> Response<R> {
        let status = self.status();
        let problem = json!({
            "type": "about:blank",
            "title": status.canonical_reason(),
            "status": status.as_u16(),
            "code": self.code(),
            "detail": self.detail(),
        });
        let mut response = Response::new(R::from(problem.to_string()));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        let value = HeaderValue::from_static;
        headers.insert(CONTENT_TYPE, value("application/problem+json"));
        headers.insert(CACHE_CONTROL, value("no-store"));
        if let Some(challenge) = self.challenge() {
            headers.insert(WWW_AUTHENTICATE, value(challenge));
        }
        if self == Self::Unavailable {
            headers.insert(RETRY_AFTER, value("1"));
        }
        response
    }
}
