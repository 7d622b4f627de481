//! Calls of our own routes with a token of ours.

use lambda_http::Request;
use lambda_http::http::header::AUTHORIZATION;

use super::sender::Sender;
use super::{ApiError, ErrorCode};
use crate::app::verify::Client;

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
    /// [`ErrorCode::TokenRequired`] if there is none, [`ErrorCode::InvalidToken`] if there are two: of those,
    /// this side and the gateway might not take the same one.
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

    /// The secret, well-formed or not.
    pub fn secret(&self) -> &str {
        self.secret
    }

    /// Who presents it.
    pub fn client(&self) -> Client<'_> {
        self.sender.client()
    }
}

/// The secret of the `Bearer` scheme, whose name has no case.
pub fn bearer(header: &str) -> Option<&str> {
    credentials("bearer", header).map(trimmed)
}

/// A secret without what people copy along with it: white space and invisible characters around it. Every
/// reader of secrets takes this spelling, in headers and in forms, so that what one of them refuses, or
/// calls revoked, doesn't work with another.
pub fn trimmed(secret: &str) -> &str {
    secret.trim_matches(|c: char| {
        c.is_whitespace() || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{feff}')
    })
}

/// The secret that somebody gives in a form: [`trimmed`], and without the `Bearer` of a header that it was
/// copied from.
pub fn in_form(text: &str) -> &str {
    let text = trimmed(text);
    bearer(text).unwrap_or(text)
}

/// The credentials of an authentication scheme, whose name has no case.
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
