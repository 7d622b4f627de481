//! The schemas of requests, built from the limits that the readers check.

use std::borrow::Cow;

use jiff::Timestamp;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Serialize, Serializer};
use serde_json::{Map, Value, json};

use crate::domain::auto_purge::AutoPurge;
use crate::domain::id::PLATFORM_ID;
use crate::domain::paging::{DEFAULT_LIMIT, MAX_LIMIT};
use crate::domain::resource::ResourceType;
use crate::domain::scope::MAX_SCOPE_IDS;
use crate::domain::time::rfc3339;
use crate::domain::token::{MAX_CIDRS, MAX_DESCRIPTION, MAX_GRACE_SECONDS, MAX_NAME, MAX_REASON};

/// A field of a request's body.
#[derive(Debug, Clone)]
pub struct Property {
    name: &'static str,
    required: bool,
    schema: Value,
}

impl Property {
    /// If the field is optional, also allows `null`, which means that the field isn't given.
    #[must_use]
    pub(super) fn or_null(mut self) -> Self {
        if !self.required {
            self.schema = nullable(self.schema);
        }
        self
    }

    /// Adds a description.
    #[must_use]
    pub fn describe(mut self, text: &str) -> Self {
        self.schema = with(self.schema, "description", text);
        self
    }
}

/// Returns a required field.
pub fn required(name: &'static str, schema: Value) -> Property {
    Property {
        name,
        required: true,
        schema,
    }
}

/// Returns an optional field.
pub fn optional(name: &'static str, schema: Value) -> Property {
    Property {
        name,
        required: false,
        schema,
    }
}

/// Returns the schema of an object with those fields and no others.
pub fn object(fields: impl IntoIterator<Item = Property>) -> Value {
    let (mut properties, mut names) = (Map::new(), Vec::new());
    for field in fields {
        if field.required {
            names.push(field.name);
        }
        properties.insert(field.name.into(), field.schema);
    }
    let object = json!({"type": "object", "properties": properties, "additionalProperties": false});
    if names.is_empty() {
        object
    } else {
        with(object, "required", names)
    }
}

/// Returns a JSON object with one more member.
pub(super) fn with(mut object: Value, name: &str, value: impl Into<Value>) -> Value {
    if let Some(members) = object.as_object_mut() {
        members.insert(name.into(), value.into());
    }
    object
}

/// Returns the schema of a text that is one of those words.
pub fn one_of<const N: usize>(words: [&'static str; N]) -> Value {
    json!({"type": "string", "enum": words.as_slice()})
}

/// Returns a schema that also allows `null`.
#[must_use]
pub fn nullable(mut schema: Value) -> Value {
    if let Some(words) = schema.get_mut("enum").and_then(Value::as_array_mut) {
        words.push(Value::Null);
    }
    let kind = json!([schema.get("type"), "null"]);
    with(schema, "type", kind)
}

/// Returns the schema of any text.
pub fn text() -> Value {
    json!({"type": "string"})
}

/// Returns the schema of a text that must not be empty.
pub fn nonempty() -> Value {
    json!({"type": "string", "minLength": 1})
}

/// The description of texts with several lines.
const LINES: &str = "Follows the rule of names, and may have line feeds or be empty.";

/// Returns the schema of a token's name.
pub fn name() -> Value {
    let rule = "One visible line in Unicode's normalization form C. Control characters, line separators, private \
                characters, format characters without a function and secrets (`contains_secret`) are refused.";
    json!({"type": "string", "minLength": 1, "maxLength": MAX_NAME, "description": rule})
}

/// Returns the schema of a token's description.
pub fn description() -> Value {
    json!({"type": "string", "maxLength": MAX_DESCRIPTION, "description": LINES})
}

/// Returns the schema of a revocation's reason.
pub fn reason() -> Value {
    json!({"type": "string", "maxLength": MAX_REASON, "description": LINES})
}

/// Returns the schema of a grace period: how long a replaced secret still works, in seconds.
pub fn grace_period() -> Value {
    json!({"type": "integer", "minimum": 0, "maximum": MAX_GRACE_SECONDS, "default": 0})
}

/// Returns the schema of a lifetime.
pub fn auto_purge() -> Value {
    one_of(AutoPurge::ALL.map(AutoPurge::as_str))
}

/// Returns the schema of an id that the platform assigned.
pub fn platform_id() -> Value {
    json!({"type": "string", "pattern": PLATFORM_ID})
}

/// Returns the schema of address ranges.
pub fn cidrs() -> Value {
    let examples = ["192.0.2.0/24", "2001:db8::/32", "198.51.100.7"];
    json!({"type": "array", "maxItems": MAX_CIDRS, "items": {"type": "string", "examples": examples}})
}

/// Returns the schema of a scope: full access, or lists of resources.
pub fn scope() -> Value {
    reference("ScopeRequest")
}

/// Returns the named schemas of scopes, in requests and in responses.
pub(super) fn scopes() -> [(&'static str, Value); 6] {
    let kind = |name| required("type", json!({"type": "string", "enum": [name]}));
    let list = json!({"type": "array", "uniqueItems": true, "items": platform_id()});
    let lists = |field: fn(&'static str, Value) -> Property, list: Value| {
        ResourceType::ALL.map(|kind| field(kind.collection(), list.clone()))
    };
    let full = object([kind("full")]);
    let custom = object(
        [kind("custom")]
            .into_iter()
            .chain(lists(required, list.clone())),
    );
    // A list may contain a resource more than once. It counts once.
    let list = nullable(json!({"type": "array", "items": platform_id()}));
    let wanted = object([kind("custom")].into_iter().chain(lists(optional, list)));
    let either = |text: String, custom: &str| {
        json!({
            "description": text,
            "oneOf": [reference("FullScope"), reference(custom)],
            "discriminator": {"propertyName": "type", "mapping": {
                "full": "#/components/schemas/FullScope",
                "custom": format!("#/components/schemas/{custom}"),
            }},
        })
    };
    let text = format!("Full access, or lists with 1 to {MAX_SCOPE_IDS} ids in all.");
    [
        (
            "FullScope",
            with(
                full,
                "description",
                "Access to everything that the token's kind allows.",
            ),
        ),
        (
            "CustomScope",
            with(
                custom,
                "description",
                "Access to the listed resources only.",
            ),
        ),
        (
            "CustomScopeRequest",
            with(
                wanted,
                "description",
                "Access to the listed resources only; at least one id.",
            ),
        ),
        (
            "Scope",
            either("The resources that a token may use.".into(), "CustomScope"),
        ),
        ("ScopeRequest", either(text, "CustomScopeRequest")),
        ("ScopePatch", scope_patch()),
    ]
}

/// Returns the schema of a scope's merge patch.
pub fn patched_scope() -> Value {
    reference("ScopePatch")
}

fn scope_patch() -> Value {
    let list = nullable(json!({"type": "array", "items": platform_id()}));
    let lists = ResourceType::ALL.map(|kind| optional(kind.collection(), list.clone()));
    let kind = optional("type", one_of(["full", "custom"]));
    let scope = object([kind].into_iter().chain(lists));
    let text = "Lists that are left out stay as they are. Full access clears them.";
    with(scope, "description", text)
}

/// Returns the schema of a page's size.
pub fn limit() -> Value {
    json!({"type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": DEFAULT_LIMIT})
}

/// Returns the schema of a time.
pub fn time() -> Value {
    json!({"type": "string", "format": "date-time"})
}

/// Returns the schema of the gateway's body for a request that it doesn't pass on.
pub(super) fn gateway_message() -> Value {
    json!({
        "type": "object",
        "description": "The gateway's answer to a request that it doesn't pass on.",
        "properties": {"message": {"type": "string", "description": "What is wrong, in a few words."}},
        "required": ["message"],
    })
}

/// A time in a response, in the API's only notation of times.
#[derive(Debug, Clone, Copy)]
pub struct DateTime(pub Timestamp);

impl Serialize for DateTime {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&rfc3339(self.0))
    }
}

impl JsonSchema for DateTime {
    fn schema_name() -> Cow<'static, str> {
        "DateTime".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "format": "date-time"})
    }
}

/// The schema of an address range, for fields whose type has no schema.
#[derive(Debug, Clone, Copy)]
pub enum Cidr {}

impl JsonSchema for Cidr {
    fn schema_name() -> Cow<'static, str> {
        "Cidr".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "examples": ["192.0.2.0/24", "2001:db8::/32"]})
    }
}

/// Returns a reference to a named schema.
pub(super) fn reference(name: &str) -> Value {
    json!({"$ref": format!("#/components/schemas/{name}")})
}
