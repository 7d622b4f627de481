//! Bodies: JSON objects whose fields are read one by one, so that every failure is answered at once.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::ops::RangeInclusive;

use ipnet::IpNet;
use lambda_http::Request;
use lambda_http::http::Method;
use serde_json::{Map, Value};

use super::json::{self, shown};
use super::{ApiError, ErrorCode, media};
use crate::domain::auto_purge::AutoPurge;
use crate::domain::id::ResourceId;
use crate::domain::resource::ResourceType;
use crate::domain::scope::{MAX_SCOPE_IDS, ResourceLists, Scope};
use crate::domain::text::{InvalidText, Text, contains_secret};
use crate::domain::token::{MAX_CIDRS, MAX_DESCRIPTION, MAX_NAME, MAX_REASON};
use crate::domain::validation::FieldError;

/// The largest body, in bytes.
pub const MAX_BODY: usize = 64 * 1024;

/// What a JSON body is declared as.
const JSON: &str = "application/json";

/// What one that says what to change may also be declared as.
const MERGE_PATCH: &str = "application/merge-patch+json";

/// The fields of a JSON object, each taken once; what is left at the end is unknown.
#[derive(Debug)]
pub struct Fields {
    object: Map<String, Value>,
    path: String,
    errors: Vec<FieldError>,
}

impl Fields {
    /// The fields of a request's body.
    ///
    /// # Errors
    /// When the body is too large, isn't declared as JSON, or isn't a JSON object.
    pub fn of(request: &Request) -> Result<Self, ApiError> {
        let body: &[u8] = request.body();
        if body.len() > MAX_BODY {
            return Err(ErrorCode::BodyTooLarge.into());
        }
        let is_patch = request.method() == Method::PATCH;
        match media::declared(request)?.as_deref() {
            Some(JSON) => {}
            Some(MERGE_PATCH) if is_patch => {}
            _ => return Err(ErrorCode::UnsupportedMediaType.into()),
        }
        match json::parse(body)? {
            Value::Object(object) => Ok(Self::new(object, String::new())),
            _ => Err(ErrorCode::MalformedJson.into()),
        }
    }

    /// The fields of a request's body, where no body means no fields.
    ///
    /// # Errors
    /// As [`Fields::of`].
    pub fn of_optional(request: &Request) -> Result<Self, ApiError> {
        let body: &[u8] = request.body();
        if body.is_empty() {
            return Ok(Self::new(Map::new(), String::new()));
        }
        Self::of(request)
    }

    fn new(object: Map<String, Value>, path: String) -> Self {
        Self {
            object,
            path,
            errors: Vec::new(),
        }
    }

    /// Adds a failure of a field.
    pub fn fail(&mut self, field: &str, code: &'static str, message: impl Into<String>) {
        let path = format!("{}{field}", self.path);
        self.errors.push(FieldError::new(path, code, message));
    }

    /// Adds failures that were found elsewhere.
    pub fn fail_all(&mut self, errors: Vec<FieldError>) {
        self.errors.extend(errors);
    }

    /// Takes a field; `null` counts as not given.
    pub fn take(&mut self, field: &str) -> Option<Value> {
        self.object.remove(field).filter(|value| !value.is_null())
    }

    /// Adds a failure if a field that must be there isn't, and hasn't failed otherwise.
    pub fn require<T>(&mut self, field: &str, value: Option<T>) -> Option<T> {
        let path = format!("{}{field}", self.path);
        let failed = |error: &FieldError| {
            error.field == path || error.field.starts_with(&format!("{path}."))
        };
        if value.is_none() && !self.errors.iter().any(failed) {
            self.fail(field, "required", "is required");
        }
        value
    }

    /// Takes a field if it is `null`, and answers whether it was.
    pub fn take_null(&mut self, field: &str) -> bool {
        let null = self.object.get(field).is_some_and(Value::is_null);
        if null {
            self.object.remove(field);
        }
        null
    }

    /// Takes a whole number of a range.
    pub fn number(&mut self, field: &str, range: RangeInclusive<i64>) -> Option<i64> {
        let number = whole(&self.take(field)?).filter(|number| range.contains(number));
        if number.is_none() {
            let (least, most) = (range.start(), range.end());
            let message = format!("must be a whole number from {least} to {most}");
            self.fail(field, "invalid_value", message);
        }
        number
    }

    /// Takes a text of a kind, of at most so many characters.
    fn text(&mut self, field: &str, kind: Text, most: usize) -> Option<String> {
        let Value::String(text) = self.take(field)? else {
            self.fail(field, "wrong_type", "must be a string");
            return None;
        };
        let path = format!("{}{field}", self.path);
        match kind.check(&text, most) {
            Ok(text) => Some(text),
            Err(invalid) => {
                self.errors.push(invalid.of(&path));
                None
            }
        }
    }

    /// Adds a failure if a value holds a secret, and answers whether it does.
    fn fail_secret(&mut self, field: &str, value: &Value) -> bool {
        let found = value.as_str().is_some_and(contains_secret);
        if found {
            let path = format!("{}{field}", self.path);
            self.errors.push(InvalidText::ContainsSecret.of(&path));
        }
        found
    }

    /// Drops a field whose text is what it is already. Such a text may be older than the rules for texts, and
    /// must not stand in the way of a change of something else.
    pub fn drop_same(&mut self, field: &str, current: &str) {
        if self.object.get(field).and_then(Value::as_str) == Some(current) {
            self.object.remove(field);
        }
    }

    /// Takes a text that `parse` understands; `expected` says what was expected if it doesn't.
    pub fn choice<T>(
        &mut self,
        field: &str,
        expected: &str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Option<T> {
        let value = self.take(field)?;
        if self.fail_secret(field, &value) {
            return None;
        }
        let choice = value.as_str().and_then(parse);
        if choice.is_none() {
            self.fail(field, "invalid_value", format!("must be {expected}"));
        }
        choice
    }

    /// As [`Fields::choice`], with a choice for when the field isn't given.
    pub fn choice_or<T>(
        &mut self,
        field: &str,
        default: T,
        expected: &str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Option<T> {
        if self.object.get(field).is_none_or(Value::is_null) {
            self.object.remove(field);
            return Some(default);
        }
        self.choice(field, expected, parse)
    }

    /// Takes a token's name.
    pub fn name(&mut self) -> Option<String> {
        self.text("name", Text::Name, MAX_NAME)
    }

    /// Takes a token's description.
    pub fn description(&mut self) -> Option<String> {
        self.text("description", Text::Paragraphs, MAX_DESCRIPTION)
    }

    /// Takes the reason for a revocation.
    pub fn reason(&mut self) -> Option<String> {
        self.text("reason", Text::Paragraphs, MAX_REASON)
    }

    /// Takes a lifetime.
    pub fn auto_purge(&mut self) -> Option<AutoPurge> {
        let choices = AutoPurge::ALL.map(AutoPurge::as_str).join(", ");
        self.choice("autoPurge", &format!("one of {choices}"), AutoPurge::parse)
    }

    /// Takes a token's address ranges. An address without a length means just itself.
    pub fn allowed_cidrs(&mut self) -> Option<Vec<IpNet>> {
        let Value::Array(values) = self.take("allowedCidrs")? else {
            self.fail(
                "allowedCidrs",
                "wrong_type",
                "must be an array of address ranges",
            );
            return None;
        };
        if values.len() > MAX_CIDRS {
            let count = values.len();
            self.fail(
                "allowedCidrs",
                "too_many",
                format!("has {count}, {MAX_CIDRS} at most"),
            );
            return None;
        }
        let mut cidrs = Vec::new();
        for (index, value) in values.iter().enumerate() {
            match value.as_str().and_then(parse_cidr) {
                Some(cidr) if cidr.trunc() != cidr => {
                    let meant = cidr.trunc();
                    let message = format!("has bits set behind its length; `{meant}` is the range");
                    self.fail(&format!("allowedCidrs.{index}"), "invalid_cidr", message);
                }
                Some(cidr) if cidrs.contains(&cidr) => {}
                Some(cidr) => cidrs.push(cidr),
                None => {
                    let message = "must be an address range such as 192.0.2.0/24 or 2001:db8::/32";
                    self.fail(&format!("allowedCidrs.{index}"), "invalid_cidr", message);
                }
            }
        }
        Some(cidrs)
    }

    /// Takes a scope. Full access and lists exclude each other.
    pub fn scope(&mut self) -> Option<Scope> {
        let Value::Object(object) = self.take("scope")? else {
            self.fail("scope", "wrong_type", "must be an object");
            return None;
        };
        let mut fields = Self::new(object, format!("{}scope.", self.path));
        let kind = fields.choice("type", "full or custom", |kind| {
            matches!(kind, "full" | "custom").then(|| kind.to_owned())
        });
        let kind = fields.require("type", kind);
        let mut lists = ResourceLists::default();
        for resource in ResourceType::ALL {
            let field = resource.collection();
            let given = fields
                .object
                .get(field)
                .is_some_and(|value| !value.is_null());
            if given && kind.as_deref() == Some("full") {
                fields.take(field);
                let message = "full access and lists exclude each other";
                fields.fail(field, "scope_conflict", message);
            } else if let Some(ids) = fields.ids(field) {
                *lists.of_mut(resource) = ids;
            }
        }
        let mut scope = None;
        if lists.len() > MAX_SCOPE_IDS {
            let message = format!("lists {} resources, {MAX_SCOPE_IDS} at most", lists.len());
            self.fail("scope", "too_many", message);
        } else if kind.as_deref() == Some("full") {
            scope = Some(Scope::Full);
        } else if kind.is_some() && !lists.is_empty() {
            scope = Some(Scope::Custom(lists));
        } else if kind.is_some() && fields.errors.is_empty() {
            self.fail("scope", "required", "must list at least one resource");
        }
        fields.close();
        let valid = fields.errors.is_empty();
        self.errors.append(&mut fields.errors);
        scope.filter(|_| valid)
    }

    /// Takes a merge patch of a scope: lists that it leaves out stay, unless the type changes.
    pub fn patched_scope(&mut self, current: &Scope) -> Option<Scope> {
        if let (Some(Value::Object(patch)), Scope::Custom(lists)) =
            (self.object.get_mut("scope"), current)
        {
            let kind = patch.entry("type").or_insert("custom".into());
            if kind == "custom" {
                for resource in ResourceType::ALL {
                    let ids: Vec<_> = lists.of(resource).iter().map(|id| id.as_str()).collect();
                    patch.entry(resource.collection()).or_insert(ids.into());
                }
            }
        }
        self.scope()
    }

    /// Takes an array of resource ids.
    fn ids(&mut self, field: &str) -> Option<BTreeSet<ResourceId>> {
        let Value::Array(values) = self.take(field)? else {
            self.fail(field, "wrong_type", "must be an array of ids");
            return None;
        };
        let mut ids = BTreeSet::new();
        for (index, value) in values.iter().enumerate() {
            if self.fail_secret(&format!("{field}.{index}"), value) {
                continue;
            }
            match value.as_str().and_then(|id| id.parse().ok()) {
                Some(id) => {
                    ids.insert(id);
                }
                None => self.fail(&format!("{field}.{index}"), "invalid_id", "is not an id"),
            }
        }
        Some(ids)
    }

    /// Adds a failure for every field that nobody took.
    fn close(&mut self) {
        for field in std::mem::take(&mut self.object)
            .into_iter()
            .map(|(field, _)| field)
        {
            self.fail(&shown(&field), "unknown_field", "is not a field here");
        }
    }

    /// Nothing, if every field was known and valid.
    ///
    /// # Errors
    /// [`ErrorCode::ValidationFailed`] with every failure.
    pub fn finish(mut self) -> Result<(), ApiError> {
        self.close();
        if self.errors.is_empty() {
            Ok(())
        } else {
            Err(ApiError::validation(self.errors))
        }
    }
}

/// A whole number, however it is written: to JSON, `1`, `1.0` and `10e-1` are the same.
#[expect(
    clippy::cast_possible_truncation,
    reason = "what is whole and within these bounds is exact in both types"
)]
fn whole(value: &Value) -> Option<i64> {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    let from_fraction =
        |number: f64| (number.fract() == 0.0 && number.abs() <= EXACT).then_some(number as i64);
    value
        .as_i64()
        .or_else(|| value.as_f64().and_then(from_fraction))
}

/// A range of addresses. IPv4 mapped into IPv6 isn't one: callers are compared by their IPv4 address,
/// so it would never match.
fn parse_cidr(text: &str) -> Option<IpNet> {
    let address = || text.parse::<IpAddr>().ok().map(IpNet::from);
    let range: IpNet = text.parse().ok().or_else(address)?;
    (range.addr().to_canonical() == range.addr()).then_some(range)
}
