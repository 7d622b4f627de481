//! Query parameters: every failure is collected, unknown parameters are failures.

use lambda_http::{Request, RequestExt};

use super::ApiError;
use super::json::shown;
use crate::domain::paging::{DEFAULT_LIMIT, MAX_LIMIT};
use crate::domain::text::{InvalidText, contains_secret};
use crate::domain::validation::FieldError;

/// The query parameters of a request.
#[derive(Debug)]
pub struct Query {
    parameters: Vec<(String, String)>,
    errors: Vec<FieldError>,
}

impl Query {
    /// The request's parameters, of which only the known ones may be given, each at most once.
    pub fn of(request: &Request, known: &[&str]) -> Self {
        let map = request.query_string_parameters_ref();
        let parameters: Vec<_> = map
            .into_iter()
            .flat_map(|map| {
                map.iter()
                    .map(|(name, value)| (name.to_owned(), value.to_owned()))
            })
            .collect();
        let mut errors = Vec::new();
        for (index, (name, value)) in parameters.iter().enumerate() {
            if !known.contains(&name.as_str()) {
                errors.push(FieldError::new(
                    shown(name),
                    "unknown_parameter",
                    "is not a parameter here",
                ));
            } else if name != "cursor" && contains_secret(value) {
                // A cursor is ours, and random enough to look like anything.
                errors.push(InvalidText::ContainsSecret.of(name));
            } else if parameters
                .iter()
                .take(index)
                .any(|(earlier, _)| earlier == name)
            {
                errors.push(FieldError::new(
                    name,
                    "repeated_parameter",
                    "may be given only once",
                ));
            }
        }
        Self { parameters, errors }
    }

    /// The parameters as they were given.
    pub fn parameters(&self) -> &[(String, String)] {
        &self.parameters
    }

    /// A parameter's text; an empty one counts as not given.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.parameters
            .iter()
            .find(|(given, value)| given == name && !value.is_empty())
            .map(|(_, value)| value.as_str())
    }

    /// A parameter's value, read by `parse`; `expected` says what was expected if it can't.
    pub fn value<T>(
        &mut self,
        name: &str,
        expected: &str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Option<T> {
        let value = parse(self.text(name)?);
        if value.is_none() {
            self.fail(name, format!("must be {expected}"));
        }
        value
    }

    /// Adds a failure of a parameter's value.
    pub fn fail(&mut self, name: &str, message: impl Into<String>) {
        let error = FieldError::new(name, "invalid_parameter", message);
        self.errors.push(error);
    }

    /// The page size.
    pub fn limit(&mut self) -> usize {
        self.limit_up_to(DEFAULT_LIMIT, MAX_LIMIT)
    }

    /// The page size, for a list with limits of its own.
    pub fn limit_up_to(&mut self, default: usize, max: usize) -> usize {
        self.value("limit", &format!("a number from 1 to {max}"), |text| {
            let limit: usize = text.parse().ok()?;
            // `+1` and `01` are no numbers in JSON, and so none here.
            let plain = limit.to_string() == text;
            (plain && (1..=max).contains(&limit)).then_some(limit)
        })
        .unwrap_or(default)
    }

    /// A text that names the list with everything that selects its items, for cursors.
    pub fn list_name(&self, list: &str) -> String {
        let mut selecting: Vec<_> = self
            .parameters
            .iter()
            .filter(|(name, value)| {
                !matches!(name.as_str(), "limit" | "cursor") && !value.is_empty()
            })
            .collect();
        selecting.sort();
        format!("{list} {selecting:?}")
    }

    /// Nothing, if every parameter was understood.
    ///
    /// # Errors
    /// [`super::ErrorCode::ValidationFailed`] with every failure.
    pub fn finish(&mut self) -> Result<(), ApiError> {
        let errors = std::mem::take(&mut self.errors);
        if errors.is_empty() {
            Ok(())
        } else {
            Err(ApiError::validation(errors))
        }
    }
}
