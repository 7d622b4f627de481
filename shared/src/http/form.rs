//! Form-encoded bodies, as OAuth's endpoints take them.

use std::borrow::Cow;
use std::collections::BTreeSet;

use lambda_http::Request;

use super::body::MAX_BODY;
use super::json::shown;
use super::{ApiError, ErrorCode};
use super::{bearer, media};

const FORM: &str = "application/x-www-form-urlencoded";

/// The parameters of a form. It has no `Debug`, which would show the secrets among them.
pub struct Form<'a>(Vec<(Cow<'a, str>, Cow<'a, str>)>);

impl<'a> Form<'a> {
    /// The parameters of a request's body.
    ///
    /// # Errors
    /// When the body is too large, isn't declared as a form or gives a parameter more than once
    /// ([`ErrorCode::InvalidRequest`], as OAuth wants it: RFC 6749, 3.1 and 3.2), or isn't in UTF-8.
    pub fn of(request: &'a Request) -> Result<Self, ApiError> {
        let body: &[u8] = request.body();
        if body.len() > MAX_BODY {
            return Err(ErrorCode::BodyTooLarge.into());
        }
        if media::declared(request)?.as_deref() != Some(FORM) {
            let text = format!("send the parameters as {FORM}");
            return Err(ApiError::invalid_request(text));
        }
        let parameters: Vec<_> = form_urlencoded::parse(body).collect();
        let mut names = BTreeSet::new();
        for (name, _) in &parameters {
            if !names.insert(name) {
                let name = shown(name);
                let text = format!("the parameter `{name}` is given more than once");
                return Err(ApiError::invalid_request(text));
            }
        }
        Ok(Self(parameters))
    }

    /// A parameter's value; an empty one counts as not given, and unknown parameters don't matter
    /// (RFC 6749, 3.1).
    pub fn optional(&self, name: &str) -> Option<&str> {
        let (_, value) = self.0.iter().find(|(given, _)| given == name)?;
        Some(&**value).filter(|value| !value.is_empty())
    }

    /// The value of a parameter that must be there.
    ///
    /// # Errors
    /// [`ErrorCode::InvalidRequest`] if it isn't.
    pub fn required(&self, name: &str) -> Result<&str, ApiError> {
        let missing = || ApiError::invalid_request(format!("the parameter `{name}` is missing"));
        self.optional(name).ok_or_else(missing)
    }

    /// The secret in a parameter, in any spelling that a secret is taken in.
    pub fn optional_secret(&self, name: &str) -> Option<&str> {
        self.optional(name).map(bearer::in_form)
    }

    /// The secret in a parameter that must be there.
    ///
    /// # Errors
    /// [`ErrorCode::InvalidRequest`] if it isn't.
    pub fn required_secret(&self, name: &str) -> Result<&str, ApiError> {
        self.required(name).map(bearer::in_form)
    }
}
