//! Query parameters, each declared once: what it is called, what it says, and how it is read.

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

/// A query parameter, as the API describes it.
#[derive(Debug)]
pub struct Parameter {
    /// Its name.
    pub name: &'static str,
    /// What it says, for people.
    pub description: &'static str,
    /// The schema of its value.
    pub schema: Value,
}

/// What takes query parameters: a request's [`Query`] reads them, and the API's description notes them and has no
/// values.
pub trait Parameters {
    /// A parameter that `parse` reads; `expected` says what was expected if it can't.
    fn value<T>(
        &mut self,
        parameter: Parameter,
        expected: &str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Option<T>;

    /// One of a type's words.
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

    /// An id that the platform gave.
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

    /// Any text.
    fn text(&mut self, name: &'static str, description: &'static str) -> Option<String> {
        let parameter = Parameter {
            name,
            description,
            schema: schema::text(),
        };
        self.value(parameter, "a text", |text| Some(text.to_owned()))
    }

    /// A moment.
    fn time(&mut self, name: &'static str, description: &'static str) -> Option<Timestamp> {
        let parameter = Parameter {
            name,
            description,
            schema: schema::time(),
        };
        let expected = "an RFC 3339 time such as 2026-11-23T10:00:00Z";
        self.value(parameter, expected, parse_rfc3339)
    }

    /// The size of the page, up to `max`. The schema says the usual one.
    fn limit(&mut self, max: usize) -> Option<usize> {
        let parameter = Parameter {
            name: "limit",
            description: "The largest number of items on the page.",
            schema: schema::limit(),
        };
        self.value(parameter, &format!("a number from 1 to {max}"), |text| {
            let limit: usize = text.parse().ok()?;
            // `+1` and `01` are no numbers in JSON, and so none here.
            let plain = limit.to_string() == text;
            (plain && (1..=max).contains(&limit)).then_some(limit)
        })
    }

    /// Where the page starts.
    fn cursor(&mut self) -> Option<String> {
        self.text(
            "cursor",
            "The `nextCursor` of the page before. Default: the first page.",
        )
    }
}

/// The query parameters of a request. Those that nobody reads are unknown.
#[derive(Debug)]
pub struct Query {
    parameters: Vec<(String, String)>,
    known: Vec<&'static str>,
    failures: Vec<FieldError>,
}

impl Query {
    /// The request's parameters.
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

    /// Adds a failure of a parameter's value.
    pub fn fail(&mut self, name: &str, message: impl Into<String>) {
        let failure = FieldError::new(name, "invalid_parameter", message);
        self.failures.push(failure);
    }

    /// What is wrong with a parameter, whatever its value means.
    fn failure(&self, index: usize, name: &str, value: &str) -> Option<FieldError> {
        let mut earlier = self.parameters.iter().take(index);
        if !self.known.contains(&name) {
            let text = "is not a parameter here";
            Some(FieldError::new(shown(name), "unknown_parameter", text))
        } else if name != "cursor" && contains_secret(value) {
            // A cursor is ours, and random enough to look like anything.
            Some(InvalidText::ContainsSecret.of(name))
        } else if earlier.any(|(earlier, _)| earlier == name) {
            let text = "may be given only once";
            Some(FieldError::new(name, "repeated_parameter", text))
        } else {
            None
        }
    }

    /// The parameters as they were given, if each is known, given once and understood.
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
    /// An empty value counts as not given.
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
