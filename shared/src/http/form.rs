//! Form-encoded bodies, for OAuth's endpoints.

use std::borrow::Cow;
use std::collections::BTreeSet;

use lambda_http::Request;

use super::body::MAX_BODY;
use super::json::shown;
use super::{ApiError, ErrorCode};
use super::{bearer, media};

const FORM: &str = "application/x-www-form-urlencoded";

/// The parameters of a form. There is no `Debug`, because it would show secrets.
pub struct Form<'a>(Vec<(Cow<'a, str>, Cow<'a, str>)>);

impl<'a> Form<'a> {
    /// Reads the parameters of a request's body.
    ///
    /// # Errors
    /// [`ErrorCode::BodyTooLarge`], [`ErrorCode::UnsupportedMediaType`] if the declared charset isn't UTF-8, and
    /// [`ErrorCode::InvalidRequest`] if the body isn't declared as a form or has a parameter more than once (RFC 6749,
    /// 3.1 and 3.2).
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

    /// Returns a parameter's value; `None` if it is missing or empty. Unknown parameters are ignored (RFC 6749, 3.1).
    pub fn optional(&self, name: &str) -> Option<&str> {
        let (_, value) = self.0.iter().find(|(given, _)| given == name)?;
        Some(&**value).filter(|value| !value.is_empty())
    }

    /// Returns the value of a required parameter.
    ///
    /// # Errors
    /// [`ErrorCode::InvalidRequest`] if the parameter is missing or empty.
    pub fn required(&self, name: &str) -> Result<&str, ApiError> {
        let missing = || ApiError::invalid_request(format!("the parameter `{name}` is missing"));
        self.optional(name).ok_or_else(missing)
    }

    /// Returns the secret in a parameter, in any accepted spelling; `None` if the parameter is missing or empty.
    pub fn optional_secret(&self, name: &str) -> Option<&str> {
        self.optional(name).map(bearer::in_form)
    }

    /// Returns the secret in a required parameter, in any accepted spelling.
    ///
    /// # Errors
    /// [`ErrorCode::InvalidRequest`] if the parameter is missing or empty.
    pub fn required_secret(&self, name: &str) -> Result<&str, ApiError> {
        self.required(name).map(bearer::in_form)
    }
}
