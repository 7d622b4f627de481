//! JSON bodies. Their fields are read one by one, so that one response lists all failures.

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

/// The media type of JSON bodies.
const JSON: &str = "application/json";

/// The media type of merge patches, which a `PATCH` may also declare.
const MERGE_PATCH: &str = "application/merge-patch+json";

/// Proof that a field is invalid and that its failure is in the list. Only [`Fields`] creates it, so no reader can
/// drop a field without a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Failed(());

/// The value of an optional field: `None` if it isn't given.
pub type Given<T> = Result<Option<T>, Failed>;

/// Checks that a request has no body, or an empty object.
///
/// # Errors
/// As [`Fields::of`], and [`ErrorCode::ValidationFailed`] with every field in the body.
pub fn check_empty(request: &Request) -> Result<(), ApiError> {
    Fields::of_optional(request)?.finish(|| Ok(()))
}

/// The fields of a JSON object. Each is taken once. Those that are left at the end are unknown fields.
#[derive(Debug)]
pub struct Fields {
    object: Map<String, Value>,
    path: String,
    errors: Vec<FieldError>,
}

impl Fields {
    /// Reads the fields of a request's body.
    ///
    /// # Errors
    /// [`ErrorCode::BodyTooLarge`], [`ErrorCode::UnsupportedMediaType`] if the body isn't declared as JSON in UTF-8,
    /// [`ErrorCode::MalformedJson`] if it isn't a JSON object, and [`ErrorCode::DuplicateKey`].
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

    /// Reads the fields of a request's body, which may be missing.
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

    /// Adds a failure of a field, with a code and a text for people.
    pub fn fail(&mut self, field: &str, code: &'static str, message: impl Into<String>) -> Failed {
        self.add(FieldError::new(self.path_of(field), code, message))
    }

    fn add(&mut self, error: FieldError) -> Failed {
        self.errors.push(error);
        Failed(())
    }

    /// Returns a field's full name, such as `scope.exports`.
    fn path_of(&self, field: &str) -> String {
        format!("{}{field}", self.path)
    }

    /// Adds failures that other code found.
    pub fn fail_all(&mut self, errors: Vec<FieldError>) {
        self.errors.extend(errors);
    }

    /// Takes a field; `None` if it is `null` or missing.
    pub fn take(&mut self, field: &str) -> Option<Value> {
        self.object.remove(field).filter(|value| !value.is_null())
    }

    /// Returns the value of a required field.
    ///
    /// # Errors
    /// When the field is missing or invalid.
    pub fn require<T>(&mut self, field: &str, given: Given<T>) -> Result<T, Failed> {
        given?.ok_or_else(|| self.fail(field, "required", "is required"))
    }

    /// Takes a field if it is `null`. Returns whether it was.
    pub fn take_null(&mut self, field: &str) -> bool {
        let null = self.object.get(field).is_some_and(Value::is_null);
        if null {
            self.object.remove(field);
        }
        null
    }

    /// Takes a whole number.
    ///
    /// # Errors
    /// When the field isn't a whole number in `range`.
    pub fn number(&mut self, field: &str, range: RangeInclusive<i64>) -> Given<i64> {
        let Some(value) = self.take(field) else {
            return Ok(None);
        };
        let number = whole(&value).filter(|number| range.contains(number));
        let (least, most) = (range.start(), range.end());
        let failed = || {
            let message = format!("must be a whole number from {least} to {most}");
            self.fail(field, "invalid_value", message)
        };
        number.map(Some).ok_or_else(failed)
    }

    /// Takes a text of at most `most` characters that follows the rules of `kind`.
    ///
    /// # Errors
    /// When the field isn't such a text.
    fn text(&mut self, field: &str, kind: Text, most: usize) -> Given<String> {
        match self.take(field) {
            None => Ok(None),
            Some(Value::String(text)) => match kind.check(&text, most) {
                Ok(text) => Ok(Some(text)),
                Err(invalid) => Err(self.add(invalid.of(&self.path_of(field)))),
            },
            Some(_) => Err(self.fail(field, "wrong_type", "must be a string")),
        }
    }

    /// Checks that a value contains no secret.
    ///
    /// # Errors
    /// When it contains one.
    fn check_secret(&mut self, field: &str, value: &Value) -> Result<(), Failed> {
        if value.as_str().is_some_and(contains_secret) {
            return Err(self.add(InvalidText::ContainsSecret.of(&self.path_of(field))));
        }
        Ok(())
    }

    /// Removes a field whose text equals the current one. The current text may be older than the rules for texts, and
    /// must not prevent changes of other fields.
    pub fn drop_same(&mut self, field: &str, current: &str) {
        if self.object.get(field).and_then(Value::as_str) == Some(current) {
            self.object.remove(field);
        }
    }

    /// Takes a text and returns what `parse` makes of it. `expected` describes valid texts, for the failure's message.
    ///
    /// # Errors
    /// When the field isn't a text, contains a secret, or `parse` returns `None`.
    pub fn choice<T>(
        &mut self,
        field: &str,
        expected: &str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Given<T> {
        let Some(value) = self.take(field) else {
            return Ok(None);
        };
        self.check_secret(field, &value)?;
        let failed = || self.fail(field, "invalid_value", format!("must be {expected}"));
        let choice = value.as_str().and_then(parse);
        choice.map(Some).ok_or_else(failed)
    }

    /// Takes a token's name.
    ///
    /// # Errors
    /// When the name is invalid.
    pub fn name(&mut self) -> Given<String> {
        self.text("name", Text::Name, MAX_NAME)
    }

    /// Takes a token's description.
    ///
    /// # Errors
    /// When the description is invalid.
    pub fn description(&mut self) -> Given<String> {
        self.text("description", Text::Paragraphs, MAX_DESCRIPTION)
    }

    /// Takes the reason for a revocation.
    ///
    /// # Errors
    /// When the reason is invalid.
    pub fn reason(&mut self) -> Given<String> {
        self.text("reason", Text::Paragraphs, MAX_REASON)
    }

    /// Takes a lifetime.
    ///
    /// # Errors
    /// When the lifetime is unknown.
    pub fn auto_purge(&mut self) -> Given<AutoPurge> {
        let choices = AutoPurge::ALL.map(AutoPurge::as_str).join(", ");
        self.choice("autoPurge", &format!("one of {choices}"), AutoPurge::parse)
    }

    /// Takes a token's address ranges. An address without a prefix length is a range of one address. Duplicates are
    /// dropped.
    ///
    /// # Errors
    /// When there are too many ranges, or one is invalid.
    pub fn allowed_cidrs(&mut self) -> Given<Vec<IpNet>> {
        let field = "allowedCidrs";
        let values = match self.take(field) {
            None => return Ok(None),
            Some(Value::Array(values)) => values,
            Some(_) => {
                let message = "must be an array of address ranges";
                return Err(self.fail(field, "wrong_type", message));
            }
        };
        if values.len() > MAX_CIDRS {
            let message = format!("has {}, {MAX_CIDRS} at most", values.len());
            return Err(self.fail(field, "too_many", message));
        }
        let mut cidrs = Ok(Vec::new());
        for (index, value) in values.iter().enumerate() {
            match value.as_str().and_then(parse_cidr) {
                Some(cidr) if cidr.trunc() != cidr => {
                    let meant = cidr.trunc();
                    let message = format!("has bits set behind its length; `{meant}` is the range");
                    cidrs = Err(self.fail(&format!("{field}.{index}"), "invalid_cidr", message));
                }
                Some(cidr) => {
                    if let Ok(cidrs) = &mut cidrs
                        && !cidrs.contains(&cidr)
                    {
                        cidrs.push(cidr);
                    }
                }
                None => {
                    let message = "must be an address range such as 192.0.2.0/24 or 2001:db8::/32";
                    cidrs = Err(self.fail(&format!("{field}.{index}"), "invalid_cidr", message));
                }
            }
        }
        cidrs.map(Some)
    }

    /// Takes a scope: full access, or lists of resources.
    ///
    /// # Errors
    /// When the scope is invalid, has both, or lists too many resources.
    pub fn scope(&mut self) -> Given<Scope> {
        let object = match self.take("scope") {
            None => return Ok(None),
            Some(Value::Object(object)) => object,
            Some(_) => return Err(self.fail("scope", "wrong_type", "must be an object")),
        };
        let mut fields = Self::new(object, self.path_of("scope."));
        let is_full = fields.choice("type", "full or custom", |kind| match kind {
            "full" => Some(true),
            "custom" => Some(false),
            _ => None,
        });
        let is_full = fields.require("type", is_full);
        let mut lists = ResourceLists::default();
        for resource in ResourceType::ALL {
            let field = resource.collection();
            if is_full == Ok(true) {
                if fields.take(field).is_some() {
                    let message = "full access and lists exclude each other";
                    fields.fail(field, "scope_conflict", message);
                }
            } else if let Ok(Some(ids)) = fields.ids(field) {
                *lists.of_mut(resource) = ids;
            }
        }
        let scope = if lists.len() > MAX_SCOPE_IDS {
            let message = format!("lists {} resources, {MAX_SCOPE_IDS} at most", lists.len());
            Err(self.fail("scope", "too_many", message))
        } else if is_full == Ok(false) && lists.is_empty() && fields.errors.is_empty() {
            Err(self.fail("scope", "required", "must list at least one resource"))
        } else {
            is_full.map(|full| {
                if full {
                    Scope::Full
                } else {
                    Scope::Custom(lists)
                }
            })
        };
        fields.close();
        self.adopt(fields)?;
        scope.map(Some)
    }

    /// Adds the failures of an object that was a field.
    ///
    /// # Errors
    /// When there are any.
    fn adopt(&mut self, mut object: Self) -> Result<(), Failed> {
        if object.errors.is_empty() {
            return Ok(());
        }
        self.errors.append(&mut object.errors);
        Err(Failed(()))
    }

    /// Takes a merge patch of a scope. Missing lists stay as they are, unless the type changes.
    ///
    /// # Errors
    /// As [`Fields::scope`], for the scope after the patch.
    pub fn patched_scope(&mut self, current: &Scope) -> Given<Scope> {
        match (self.object.get_mut("scope"), current) {
            (Some(Value::Object(patch)), Scope::Custom(lists)) => {
                let kind = patch.entry("type").or_insert("custom".into());
                if kind == "custom" {
                    for resource in ResourceType::ALL {
                        let ids: Vec<_> = lists.of(resource).iter().map(|id| id.as_str()).collect();
                        patch.entry(resource.collection()).or_insert(ids.into());
                    }
                }
            }
            // An empty patch changes nothing (RFC 7396). Lists without the type could be a mistake.
            (Some(Value::Object(patch)), Scope::Full) if patch.is_empty() => {
                patch.insert("type".into(), "full".into());
            }
            _ => {}
        }
        self.scope()
    }

    /// Takes a list of resource ids.
    ///
    /// # Errors
    /// When the field isn't an array of ids.
    fn ids(&mut self, field: &str) -> Given<BTreeSet<ResourceId>> {
        let values = match self.take(field) {
            None => return Ok(None),
            Some(Value::Array(values)) => values,
            Some(_) => return Err(self.fail(field, "wrong_type", "must be an array of ids")),
        };
        let mut ids = BTreeSet::new();
        for (index, value) in values.iter().enumerate() {
            let field = format!("{field}.{index}");
            if self.check_secret(&field, value).is_err() {
                continue;
            }
            match value.as_str().and_then(|id| id.parse().ok()) {
                Some(id) => {
                    ids.insert(id);
                }
                None => {
                    self.fail(&field, "invalid_id", "is not an id");
                }
            }
        }
        Ok(Some(ids))
    }

    /// Adds a failure for every field that wasn't taken.
    fn close(&mut self) {
        for field in std::mem::take(&mut self.object)
            .into_iter()
            .map(|(field, _)| field)
        {
            self.fail(&shown(&field), "unknown_field", "is not a field here");
        }
    }

    /// Returns the result of `value` if all fields are known and valid.
    ///
    /// # Errors
    /// [`ErrorCode::ValidationFailed`] with every failure.
    pub fn finish<T>(mut self, value: impl FnOnce() -> Result<T, Failed>) -> Result<T, ApiError> {
        self.close();
        match value() {
            Ok(value) if self.errors.is_empty() => Ok(value),
            _ => Err(ApiError::validation(self.errors)),
        }
    }
}

/// Returns a whole number, in any notation: JSON doesn't distinguish `1`, `1.0` and `10e-1`.
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

/// Parses an address or an address range. IPv4 addresses mapped into IPv6 are refused: callers are compared by their
/// IPv4 address, so such a range would never match.
fn parse_cidr(text: &str) -> Option<IpNet> {
    let address = || text.parse::<IpAddr>().ok().map(IpNet::from);
    let range: IpNet = text.parse().ok().or_else(address)?;
    (range.addr().to_canonical() == range.addr()).then_some(range)
}
