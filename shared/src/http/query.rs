//! Query parameters. Each is declared once, with its name, its description and its parser.

use std::str::FromStr;

use jiff::Timestamp;
use lambda_http::{Request, RequestExt};
use serde_json::Value;

use super::ApiError;
use super::json::shown;
use super::openapi::schema;
use crate::domain::text::{InvalidText, contains_secret};
use crate::domain::time::parse_rfc3339;
use crate::domain::validation::FieldError;

/// A query parameter in the OpenAPI document.
#[derive(Debug)]
pub struct Parameter {
    /// The parameter's name.
    pub name: &'static str,
    /// The description, for people.
    pub description: &'static str,
    /// The schema of the value.
    pub schema: Value,
}

/// A receiver of query parameters. A request's [`Query`] reads their values. The OpenAPI document only describes them.
pub trait Parameters {
    /// Returns the parameter's value as `parse` makes it, or `None` without one. `expected` describes valid values,
    /// for the failure if `parse` returns `None`.
    fn value<T>(
        &mut self,
        parameter: Parameter,
        expected: &str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Option<T>;

    /// Returns the value of a parameter that is one of a type's words.
    fn word<T: Copy, const N: usize>(
        &mut self,
        name: &'static str,
        description: &'static str,
        all: [T; N],
        word: fn(T) -> &'static str,
    ) -> Option<T> {
        let words = all.map(word);
        let expected = match words.as_slice() {
            [one, other] => format!("{one} or {other}"),
            words => format!("one of {}", words.join(", ")),
        };
        let parameter = Parameter {
            name,
            description,
            schema: schema::one_of(words),
        };
        self.value(parameter, &expected, |text| {
            all.into_iter().find(|one| word(*one) == text)
        })
    }

    /// Returns the value of a parameter that is an id of the platform.
    fn platform_id<T: FromStr>(
        &mut self,
        name: &'static str,
        description: &'static str,
    ) -> Option<T> {
        let parameter = Parameter {
            name,
            description,
            schema: schema::platform_id(),
        };
        self.value(parameter, "an id", |text| text.parse().ok())
    }

    /// Returns the value of a parameter that is any text.
    fn text(&mut self, name: &'static str, description: &'static str) -> Option<String> {
        let parameter = Parameter {
            name,
            description,
            schema: schema::text(),
        };
        self.value(parameter, "a text", |text| Some(text.to_owned()))
    }

    /// Returns the value of a parameter that is a time.
    fn time(&mut self, name: &'static str, description: &'static str) -> Option<Timestamp> {
        let parameter = Parameter {
            name,
            description,
            schema: schema::time(),
        };
        let expected = "an RFC 3339 time such as 2026-11-23T10:00:00Z";
        self.value(parameter, expected, parse_rfc3339)
    }

    /// Returns the page's size, at most `max`. The schema has the usual maximum.
    fn limit(&mut self, max: usize) -> Option<usize> {
        let parameter = Parameter {
            name: "limit",
            description: "The largest number of items on the page.",
            schema: schema::limit(),
        };
        self.value(parameter, &format!("a number from 1 to {max}"), |text| {
            let limit: usize = text.parse().ok()?;
            // `+1` and `01` aren't JSON numbers, so they aren't accepted here either.
            let plain = limit.to_string() == text;
            (plain && (1..=max).contains(&limit)).then_some(limit)
        })
    }

    /// Returns the cursor of the page.
    fn cursor(&mut self) -> Option<String> {
        self.text(
            "cursor",
            "The `nextCursor` of the page before. Default: the first page.",
        )
    }
}

/// The query parameters of a request. Parameters that nobody reads are unknown.
#[derive(Debug)]
pub struct Query {
    parameters: Vec<(String, String)>,
    known: Vec<&'static str>,
    failures: Vec<FieldError>,
}

impl Query {
    /// Reads a request's parameters.
    pub fn of(request: &Request) -> Self {
        let map = request.query_string_parameters_ref().into_iter();
        let parameters = map.flat_map(|map| map.iter());
        Self {
            parameters: parameters
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect(),
            known: Vec::new(),
            failures: Vec::new(),
        }
    }

    /// Returns the number of parameters that have a value, the same one twice included.
    pub fn count(&self) -> usize {
        let given = self.parameters.iter();
        given.filter(|(_, value)| !value.is_empty()).count()
    }

    /// Adds a failure of a parameter's value, with a text for people.
    pub fn fail(&mut self, name: &str, message: impl Into<String>) {
        let failure = FieldError::new(name, "invalid_parameter", message);
        self.failures.push(failure);
    }

    /// Returns what is wrong with a parameter apart from its value; `None` if nothing is.
    fn failure(&self, index: usize, name: &str, value: &str) -> Option<FieldError> {
        let mut earlier = self.parameters.iter().take(index);
        if !self.known.contains(&name) {
            let text = "is not a parameter here";
            Some(FieldError::new(shown(name), "unknown_parameter", text))
        } else if name != "cursor" && contains_secret(value) {
            // Latchkey makes the cursors, and their random look could be taken for a secret.
            Some(InvalidText::ContainsSecret.of(name))
        } else if earlier.any(|(earlier, _)| earlier == name) {
            let text = "may be given only once";
            Some(FieldError::new(name, "repeated_parameter", text))
        } else {
            None
        }
    }

    /// Returns the parameters in the request's order, if each is known, valid and given once.
    ///
    /// # Errors
    /// [`super::ErrorCode::ValidationFailed`] with every failure.
    pub fn finish(self) -> Result<Vec<(String, String)>, ApiError> {
        let given = self.parameters.iter().enumerate();
        let mut failures: Vec<_> = given
            .filter_map(|(index, (name, value))| self.failure(index, name, value))
            .collect();
        failures.extend(self.failures);
        if failures.is_empty() {
            Ok(self.parameters)
        } else {
            Err(ApiError::validation(failures))
        }
    }
}

impl Parameters for Query {
    /// An empty value counts as missing.
    fn value<T>(
        &mut self,
        parameter: Parameter,
        expected: &str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Option<T> {
        let name = parameter.name;
        self.known.push(name);
        let mut given = self.parameters.iter();
        let (_, text) = given.find(|(given, text)| given == name && !text.is_empty())?;
        let value = parse(text);
        if value.is_none() {
            self.fail(name, format!("must be {expected}"));
        }
        value
    }
}
