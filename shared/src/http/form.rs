//! Form-encoded bodies, as OAuth's endpoints take them.

use std::borrow::Cow;

use lambda_http::Request;
use lambda_http::http::header::CONTENT_TYPE;

use super::ApiError;
use super::body::MAX_BODY;

/// The parameters of a form. It has no `Debug`, which would show the secrets among them.
pub struct Form<'a>(Vec<(Cow<'a, str>, Cow<'a, str>)>);

impl<'a> Form<'a> {
    /// The parameters of a request's body.
    ///
    /// # Errors
    /// When the body is too large, or isn't declared as a form ([`ApiError::InvalidRequest`], as OAuth
    /// wants it).
    pub fn of(request: &'a Request) -> Result<Self, ApiError> {
        let body: &[u8] = request.body();
        if body.len() > MAX_BODY {
            return Err(ApiError::BodyTooLarge);
        }
        let declared = request
            .headers()
            .get(CONTENT_TYPE)
            .and_then(|value| value.to_str().ok());
        if !declared.is_some_and(is_form) {
            return Err(ApiError::InvalidRequest(
                "send the parameters as application/x-www-form-urlencoded".into(),
            ));
        }
        Ok(Self(form_urlencoded::parse(body).collect()))
    }

    /// A parameter's value; an empty one counts as not given, and unknown parameters don't matter
    /// (RFC 6749, 3.1).
    ///
    /// # Errors
    /// [`ApiError::InvalidRequest`] if it is given more than once.
    pub fn optional(&self, name: &str) -> Result<Option<&str>, ApiError> {
        let mut values = self.0.iter().filter(|(given, _)| given == name);
        let value = values.next();
        if values.next().is_some() {
            let text = format!("the parameter `{name}` is given more than once");
            return Err(ApiError::InvalidRequest(text));
        }
        Ok(value
            .map(|(_, value)| &**value)
            .filter(|value| !value.is_empty()))
    }

    /// The value of a parameter that must be there.
    ///
    /// # Errors
    /// [`ApiError::InvalidRequest`] if it isn't, or more than once.
    pub fn required(&self, name: &str) -> Result<&str, ApiError> {
        let missing = || ApiError::InvalidRequest(format!("the parameter `{name}` is missing"));
        self.optional(name)?.ok_or_else(missing)
    }
}

fn is_form(content_type: &str) -> bool {
    let essence = content_type.split(';').next().unwrap_or_default();
    essence
        .trim()
        .eq_ignore_ascii_case("application/x-www-form-urlencoded")
}
