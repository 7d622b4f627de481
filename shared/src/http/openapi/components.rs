//! The parts of the OpenAPI document that are written once and referred to.

use schemars::SchemaGenerator;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use super::super::ErrorCode;
use super::super::error::Problem;
use super::examples;
use super::schema::{self, reference, with};

/// The components of an OpenAPI document that is being built.
pub(super) struct Components {
    pub(super) generator: SchemaGenerator,
    schemas: Map<String, Value>,
    responses: Map<String, Value>,
}

impl Components {
    pub(super) fn new() -> Self {
        let mut generator = SchemaSettings::draft2020_12()
            .for_serialize()
            .with(|settings| settings.definitions_path = "/components/schemas".into())
            .into_generator();
        generator.subschema_for::<Problem<'_>>();
        let mut schemas = Map::new();
        schemas.insert("GatewayMessage".into(), schema::gateway_message());
        let either = json!({
            "description": "An error, or the gateway's answer to a request that it doesn't pass on.",
            "anyOf": [reference("Problem"), reference("GatewayMessage")],
        });
        schemas.insert("ProblemOrGatewayMessage".into(), either);
        schemas.extend(schema::scopes().map(|(name, schema)| (name.to_owned(), schema)));
        Self {
            generator,
            schemas,
            responses: Map::new(),
        }
    }

    /// Stores a schema under a name and returns a reference to it.
    pub(super) fn schema(&mut self, name: &str, schema: Value) -> Value {
        self.schemas.insert(name.to_owned(), schema);
        reference(name)
    }

    /// Stores an error response and returns a reference to it. Operations with the same errors share one response.
    pub(super) fn response(&mut self, status: u16, errors: &[ErrorCode], response: Value) -> Value {
        let codes = errors.iter().map(|error| error.as_str());
        let name: Vec<_> = std::iter::once("error").chain(codes).collect();
        let name = format!("{}.{status}", name.join("."));
        let name = if self
            .responses
            .get(&name)
            .is_none_or(|known| *known == response)
        {
            name
        } else {
            format!("{name}.gateway")
        };
        self.responses.insert(name.clone(), response);
        json!({"$ref": format!("#/components/responses/{name}")})
    }

    /// Returns the schemas and the responses, sorted by name.
    pub(super) fn finish(mut self) -> (Map<String, Value>, Map<String, Value>) {
        let mut schemas = self.generator.take_definitions(true);
        // The code derives no names for these schemas.
        schemas.extend(self.schemas);
        for (name, schema) in &mut schemas {
            enumerate(schema);
            if let Some(example) = examples::of(name) {
                *schema = with(schema.take(), "examples", vec![example]);
            }
        }
        schemas.sort_keys();
        self.responses.sort_keys();
        (schemas, self.responses)
    }
}

/// Rewrites a choice between described constants as an enumeration. The two mean the same in JSON Schema, but client
/// generators only understand the enumeration.
fn enumerate(schema: &mut Value) {
    match schema {
        Value::Array(array) => array.iter_mut().for_each(enumerate),
        Value::Object(object) => {
            if let Some(Value::Array(choices)) = object.get("oneOf")
                && choices
                    .iter()
                    .all(|choice| choice.get("const").is_some_and(Value::is_string))
            {
                let words: Vec<_> = choices
                    .iter()
                    .filter_map(|choice| choice.get("const"))
                    .collect();
                let texts = choices.iter().filter_map(|choice| {
                    let (word, text) = (choice.get("const")?, choice.get("description")?);
                    Some(format!("- `{}`: {}", word.as_str()?, text.as_str()?))
                });
                let text = object.get("description").and_then(Value::as_str);
                let text: Vec<_> = text.map(str::to_owned).into_iter().chain(texts).collect();
                let enumeration = json!({"type": "string", "enum": words});
                *schema = with(enumeration, "description", text.join("\n"));
                return;
            }
            if let Some(word) = object.remove("const") {
                let kind = if word.is_boolean() {
                    "boolean"
                } else {
                    "string"
                };
                object.insert("type".into(), kind.into());
                object.insert("enum".into(), json!([word]));
            }
            object.values_mut().for_each(enumerate);
        }
        _ => {}
    }
}
