//! Requests to Latchkey's own routes that authenticate with a Latchkey token.

use lambda_http::Request;
use lambda_http::http::header::AUTHORIZATION;

use super::sender::Sender;
use super::{ApiError, ErrorCode};
use crate::app::verify::Client;

/// A request that presents a secret: `Authorization: Bearer <secret>`. There is no `Debug`, because it would show the
/// secret.
pub struct Bearer<'a> {
    secret: &'a str,
    sender: Sender,
}

impl<'a> Bearer<'a> {
    /// Reads the secret and the sender of a request.
    ///
    /// # Errors
    /// [`ErrorCode::TokenRequired`] if there is no secret. [`ErrorCode::InvalidToken`] if there are two
    /// `Authorization` headers: the gateway might use another one than the function.
    pub fn of(request: &'a Request) -> Result<Self, ApiError> {
        let mut headers = request.headers().get_all(AUTHORIZATION).iter();
        let header = headers.next().and_then(|value| value.to_str().ok());
        let secret = header.and_then(bearer).ok_or(ErrorCode::TokenRequired)?;
        if headers.next().is_some() {
            return Err(ErrorCode::InvalidToken.into());
        }
        let sender = Sender::of(request)?;
        Ok(Self { secret, sender })
    }

    /// Returns the secret. It may be malformed.
    pub fn secret(&self) -> &str {
        self.secret
    }

    /// Returns the client that presents the secret.
    pub fn client(&self) -> Client<'_> {
        self.sender.client()
    }
}

/// Returns the secret in a value of the `Authorization` header; `None` if its scheme isn't `Bearer`, in any case.
pub fn bearer(header: &str) -> Option<&str> {
    credentials("bearer", header).map(trimmed)
}

/// Removes white space and invisible characters around a secret, which people copy along with it. All readers of
/// secrets use this function, in headers and in forms. A secret that one of them refuses, or reports as revoked,
/// therefore doesn't work with another.
pub fn trimmed(secret: &str) -> &str {
    secret.trim_matches(|c: char| {
        c.is_whitespace() || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{feff}')
    })
}

/// Returns the secret in a form's field: [`trimmed`], and without the `Bearer` of a header from which it was copied.
pub fn in_form(text: &str) -> &str {
    let text = trimmed(text);
    bearer(text).unwrap_or(text)
}

/// Returns the credentials in a value of the `Authorization` header; `None` if it has another scheme. The case of
/// `scheme` doesn't matter.
pub fn credentials<'a>(scheme: &str, header: &'a str) -> Option<&'a str> {
    let (given, credentials) = header.trim_start().split_once([' ', '\t'])?;
    given
        .eq_ignore_ascii_case(scheme)
        .then(|| credentials.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reader_takes_a_secret_in_the_same_spellings() {
        for spelled in [
            "s",
            " s",
            "s\t",
            "\r\ns\n",
            "\u{a0}s\u{2003}",
            "\u{feff}s\u{200b}",
        ] {
            for scheme in ["Bearer ", "bearer ", "BEARER\t", " Bearer  "] {
                let header = format!("{scheme}{spelled}");
                assert_eq!(bearer(&header), Some("s"), "{header:?}");
                assert_eq!(in_form(&header), "s", "{header:?}");
            }
            assert_eq!(in_form(spelled), "s", "{spelled:?}");
            assert_eq!(trimmed(spelled), "s", "{spelled:?}");
        }
        assert_eq!(bearer("Basic s"), None);
        assert_eq!(bearer("s"), None);
        assert_eq!(bearer("Bearers"), None);
    }
}
