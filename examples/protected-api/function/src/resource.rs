//! Resources of the platform, and the rules for their fields.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::problem::{ApiError, Failure};

const MAX_NAME: usize = 128;
const MAX_DESCRIPTION: usize = 1024;

/// Whether a text has the form of the platform's ids. They contain no `#`, which separates ids in the table's keys.
pub(crate) fn is_id(id: &str) -> bool {
    (1..=64).contains(&id.len())
        && id
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-')
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum ResourceType {
    Connection,
    Export,
    Import,
    Api,
}

impl ResourceType {
    /// Returns the type whose collection has this name in a path.
    pub(crate) fn of_collection(collection: &str) -> Option<Self> {
        [Self::Connection, Self::Export, Self::Import, Self::Api]
            .into_iter()
            .find(|kind| kind.collection() == collection)
    }

    pub(crate) fn collection(self) -> &'static str {
        match self {
            Self::Connection => "connections",
            Self::Export => "exports",
            Self::Import => "imports",
            Self::Api => "apis",
        }
    }

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Connection => "connection",
            Self::Export => "export",
            Self::Import => "import",
            Self::Api => "api",
        }
    }
}

/// A resource. It is also its own JSON form.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Resource {
    pub id: String,
    #[serde(rename = "type")]
    pub kind: ResourceType,
    pub name: String,
    pub description: String,
    /// The Integration App to which the resource belongs. It is fixed at creation, so that an update can't move data
    /// into or out of an app.
    pub integration_id: Option<String>,
    pub settings: Map<String, Value>,
}

/// The new values of the fields that an update changes. Only these are written, so that an update stays within what
/// its caller may change, even with other writes in the meantime.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Changes {
    pub name: Option<String>,
    pub description: Option<String>,
    pub settings: Option<Map<String, Value>>,
}

impl Changes {
    pub(crate) fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// What an update does with fields that its body leaves out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum UpdateMode {
    /// PUT: resets them to their defaults.
    Replace,
    /// PATCH: leaves them as they are.
    Patch,
}

impl Resource {
    /// Returns the Integration App to which the resource belongs, as it appears in a body.
    pub(crate) fn app(&self) -> Option<Value> {
        self.integration_id.clone().map(Value::String)
    }

    pub(crate) fn create(
        id: String,
        kind: ResourceType,
        body: Map<String, Value>,
    ) -> Result<Self, ApiError> {
        let mut fields = Fields::default();
        let mut integration_id = None;
        for (field, value) in body {
            match (field.as_str(), value) {
                ("integrationId", Value::Null) => {}
                ("integrationId", Value::String(id)) if is_id(&id) => integration_id = Some(id),
                ("integrationId", _) => fields.fail("invalid", &field, "must be an id or null"),
                (_, value) => fields.read(&field, value),
            }
        }
        let changes = fields.finish(true)?;
        Ok(Self {
            id,
            kind,
            name: changes.name.unwrap_or_default(),
            description: changes.description.unwrap_or_default(),
            integration_id,
            settings: changes.settings.unwrap_or_default(),
        })
    }

    /// Returns the names and values in `body` that differ from the resource's, of known and unknown fields.
    pub(crate) fn differences(
        &self,
        mut body: Map<String, Value>,
        mode: UpdateMode,
    ) -> Result<Map<String, Value>, ApiError> {
        for (field, default) in [
            ("description", Value::from("")),
            ("settings", Value::Object(Map::new())),
        ] {
            let value = body.get(field);
            if value.is_some_and(Value::is_null) || (value.is_none() && mode == UpdateMode::Replace)
            {
                body.insert(field.to_owned(), default);
            }
        }
        let now = serde_json::to_value(self).map_err(|error| ApiError::Internal(error.into()))?;
        body.retain(|field, value| now.get(field.as_str()) != Some(value));
        Ok(body)
    }

    /// Validates an update's differences.
    ///
    /// # Errors
    /// When a field is unknown, fixed or invalid.
    pub(crate) fn changes(
        differences: Map<String, Value>,
        name_missing: bool,
    ) -> Result<Changes, ApiError> {
        let mut fields = Fields::default();
        for (field, value) in differences {
            match field.as_str() {
                "id" | "type" | "integrationId" => {
                    fields.fail("read_only", &field, "can't be changed");
                }
                _ => fields.read(&field, value),
            }
        }
        fields.finish(name_missing)
    }

    pub(crate) fn copy(&self, id: String, name: Option<String>) -> Self {
        // Cutting by characters keeps the copy of the longest name valid.
        let name = name.unwrap_or_else(|| {
            format!("Clone - {}", self.name)
                .chars()
                .take(MAX_NAME)
                .collect()
        });
        Self {
            id,
            name,
            ..self.clone()
        }
    }
}

/// Reads the writable fields and keeps every failure.
#[derive(Default)]
pub(crate) struct Fields {
    changes: Changes,
    failures: Vec<Failure>,
}

impl Fields {
    pub(crate) fn fail(&mut self, code: &'static str, field: &str, message: &str) {
        self.failures.push(Failure::new(code, field, message));
    }

    pub(crate) fn read(&mut self, field: &str, value: Value) {
        match (field, value) {
            ("name", Value::String(name)) if name.trim().is_empty() => {
                self.fail("required", field, "must not be empty");
            }
            ("name", Value::String(name)) if name.chars().count() > MAX_NAME => {
                self.fail("too_long", field, "must have at most 128 characters");
            }
            ("name", Value::String(name)) => self.changes.name = Some(name),
            ("description", Value::String(text)) if text.chars().count() > MAX_DESCRIPTION => {
                self.fail("too_long", field, "must have at most 1,024 characters");
            }
            ("description", Value::String(text)) => self.changes.description = Some(text),
            ("settings", Value::Object(settings)) => self.changes.settings = Some(settings),
            ("description" | "settings", Value::Null) => {}
            ("name" | "description", _) => self.fail("invalid", field, "must be a string"),
            ("settings", _) => self.fail("invalid", field, "must be an object"),
            _ => self.fail("unknown_field", field, "is not a field of this request"),
        }
    }

    /// Returns the fields that were read. `name_required` says whether the request must have a name.
    ///
    /// # Errors
    /// When a field is invalid, with every failure.
    pub(crate) fn finish(mut self, name_required: bool) -> Result<Changes, ApiError> {
        let about_name = self
            .failures
            .iter()
            .any(|failure| failure.field.as_deref() == Some("name"));
        if name_required && self.changes.name.is_none() && !about_name {
            self.fail("required", "name", "is required");
        }
        if self.failures.is_empty() {
            Ok(self.changes)
        } else {
            Err(ApiError::Invalid(self.failures))
        }
    }
}
