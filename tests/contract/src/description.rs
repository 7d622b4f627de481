//! The API's OpenAPI document, for checks against the operations' responses.

use std::collections::{BTreeMap, BTreeSet};

use jsonschema::Validator;
use latchkey::http::openapi;
use latchkey::testing::Answer;
use serde_json::{Map, Value, json};

use crate::operations;

/// An operation, a status, and the code of an error.
pub type Seen = (String, u16, Option<String>);

/// An OpenAPI document for checks against responses.
pub struct Description {
    document: Value,
    validators: BTreeMap<(String, u16, String), Validator>,
}

impl Description {
    /// Returns the document that the code generates.
    pub fn of_the_code() -> Value {
        openapi::document(env!("CARGO_PKG_VERSION"), &operations())
    }

    /// Creates it from a document.
    pub fn new(document: Value) -> Self {
        let mut components = document["components"].clone();
        close(&mut components);
        let mut validators = BTreeMap::new();
        for (operation, status, response) in responses(&document) {
            for (kind, content) in response["content"].as_object().into_iter().flatten() {
                let mut schema = content["schema"].clone();
                close(&mut schema);
                schema["components"] = components.clone();
                let validator = jsonschema::options()
                    .should_validate_formats(true)
                    .build(&schema)
                    .unwrap_or_else(|error| panic!("{operation} {status} {kind}: {error}"));
                validators.insert((operation.clone(), status, kind.clone()), validator);
            }
        }
        Self {
            document,
            validators,
        }
    }

    /// Returns the document.
    pub fn document(&self) -> &Value {
        &self.document
    }

    /// Returns an operation's part of the document.
    pub fn operation(&self, name: &str) -> &Value {
        let paths = self.document["paths"].as_object().unwrap().values();
        let mut operations = paths.flat_map(|item| item.as_object().unwrap().values());
        operations
            .find(|operation| operation["operationId"] == name)
            .unwrap_or_else(|| panic!("`{name}` is not described"))
    }

    /// Returns the target of a reference; any other value is returned as it is.
    pub fn resolve<'a>(&'a self, value: &'a Value) -> &'a Value {
        resolve(&self.document, value)
    }

    /// Returns the schema of an operation's body of that media type; `null` without one.
    pub fn body(&self, operation: &str, media_type: &str) -> &Value {
        let body = &self.operation(operation)["requestBody"];
        self.resolve(&body["content"][media_type]["schema"])
    }

    /// Returns a validator of a schema of the document.
    pub fn validator(&self, schema: &Value) -> Validator {
        let mut schema = schema.clone();
        schema["components"] = self.document["components"].clone();
        jsonschema::options()
            .should_validate_formats(true)
            .build(&schema)
            .unwrap_or_else(|error| panic!("{schema}: {error}"))
    }

    /// Checks that the document describes a response. Returns what was seen.
    ///
    /// # Panics
    /// If the document doesn't describe it.
    pub fn check(&self, operation: &str, answer: &Answer) -> Seen {
        let (status, code) = answer.outcome();
        let seen = (
            operation.to_owned(),
            status,
            (!code.is_empty()).then(|| code.to_owned()),
        );
        let response = &self.operation(operation)["responses"][status.to_string()];
        let response = resolve(&self.document, response);
        assert!(response.is_object(), "{seen:?} is not described");
        for name in [
            "etag",
            "link",
            "location",
            "retry-after",
            "www-authenticate",
        ] {
            let described = response["headers"].as_object().into_iter().flatten();
            let described = described
                .map(|(header, _)| header)
                .any(|header| header.eq_ignore_ascii_case(name));
            let optional = name == "link"
                || name == "retry-after"
                || (name == "www-authenticate" && status == 403 && code != "step_up_required");
            let given = !answer.header(name).is_empty();
            assert!(
                described == given || (described && optional),
                "{seen:?}: header {name} described: {described}, given: {given}"
            );
        }
        let kind = answer
            .header("content-type")
            .split(';')
            .next()
            .unwrap_or_default();
        if answer.text.is_empty() {
            assert!(
                response["content"].is_null(),
                "{seen:?}: a body is described"
            );
            return seen;
        }
        let Some(validator) = self
            .validators
            .get(&(operation.to_owned(), status, kind.to_owned()))
        else {
            panic!("{seen:?}: content {kind} is not described");
        };
        let body = if kind == "text/csv" {
            json!(answer.text)
        } else {
            answer.json.clone()
        };
        let errors: Vec<_> = validator
            .iter_errors(&body)
            .map(|error| format!("{error} at {}", error.instance_path()))
            .collect();
        assert!(errors.is_empty(), "{seen:?}: {errors:#?}\n{body:#}");
        seen
    }

    /// Returns every outcome of the functions that the document describes, without those of the gateway itself.
    pub fn outcomes(&self) -> BTreeSet<Seen> {
        let mut outcomes = BTreeSet::new();
        for (operation, status, response) in responses(&self.document) {
            let content = response["content"].as_object().into_iter().flatten();
            let examples = content.filter_map(|(_, content)| content["examples"].as_object());
            for (code, _) in examples.flatten() {
                outcomes.insert((operation.clone(), status, Some(code.clone())));
            }
            if status < 400 {
                outcomes.insert((operation, status, None));
            }
        }
        outcomes
    }
}

fn responses(document: &Value) -> Vec<(String, u16, &Value)> {
    let operations = document["paths"].as_object().into_iter().flatten();
    operations
        .flat_map(|(_, item)| item.as_object().into_iter().flatten())
        .flat_map(|(_, operation)| {
            let name = operation["operationId"].as_str().unwrap();
            let responses = operation["responses"].as_object().into_iter().flatten();
            responses.map(move |(status, response)| {
                let response = resolve(document, response);
                (name.to_owned(), status.parse().unwrap(), response)
            })
        })
        .collect()
}

/// Returns the target of a reference in the document; any other value is returned as it is.
fn resolve<'a>(document: &'a Value, value: &'a Value) -> &'a Value {
    let Some(reference) = value["$ref"].as_str() else {
        return value;
    };
    let pointer = reference.strip_prefix('#').unwrap();
    let found = document.pointer(pointer);
    found.unwrap_or_else(|| panic!("{reference} leads nowhere"))
}

/// Forbids undescribed properties in objects. Clients must ignore unknown properties, but Latchkey must not send any.
fn close(schema: &mut Value) {
    match schema {
        Value::Object(object) => {
            if object.contains_key("properties")
                && object.get("type").is_some_and(|kind| kind == "object")
            {
                let closed: &mut Map<_, _> = object;
                closed.entry("additionalProperties").or_insert(json!(false));
            }
            object.values_mut().for_each(close);
        }
        Value::Array(array) => array.iter_mut().for_each(close),
        _ => {}
    }
}
