//! Calls of our own routes with a token of ours.

use lambda_http::Request;
use lambda_http::http::header::AUTHORIZATION;

use super::ApiError;
use super::sender::Sender;
use crate::app::verify::Client;
use crate::domain::policy::Owner;
use crate::domain::verification::Presentation;

/// A request that presents a secret: `Authorization: Bearer <secret>`. It has no `Debug`, which would
/// show the secret.
pub struct Bearer<'a> {
    secret: &'a str,
    sender: Sender,
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
        let sender = Sender::of(request)?;
        Ok(Self { secret, sender })
    }

    /// The secret, well-formed or not.
    pub fn secret(&self) -> &str {
        self.secret
    }

    /// Asks about the token alone, not about what it may do.
    pub fn presentation(&self) -> Presentation {
        Presentation {
            ip: self.sender.ip,
            operation: None,
            owner: Owner::NotRead,
        }
    }

    /// Who asks.
    pub fn client(&self) -> Client<'_> {
        self.sender.client()
    }
}

/// The credentials of the `Bearer` scheme, whose name has no case.
pub fn bearer(header: &str) -> Option<&str> {
    credentials("bearer", header)
}

/// The credentials of an authentication scheme, whose name has no case.
pub fn credentials<'a>(scheme: &str, header: &'a str) -> Option<&'a str> {
    let (given, credentials) = header.split_once(' ')?;
    given
        .eq_ignore_ascii_case(scheme)
        .then(|| credentials.trim())
}
