//! Compares the API's description with the operations' answers.

use std::collections::{BTreeMap, BTreeSet};

use jsonschema::Validator;
use latchkey::http::openapi;
use latchkey::testing::Answer;
use serde_json::{Map, Value, json};

use crate::operations;

/// An operation, a status, and the code of an error.
pub type Seen = (String, u16, Option<String>);

/// The description, prepared for comparisons.
pub struct Description {
    document: Value,
    validators: BTreeMap<(String, u16, String), Validator>,
}

impl Description {
    /// The description generated from the code.
    pub fn of_the_code() -> Value {
        openapi::document(env!("CARGO_PKG_VERSION"), &operations())
    }

    /// Prepares a description.
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

    /// The description itself.
    pub fn document(&self) -> &Value {
        &self.document
    }

    /// The description of an operation.
    pub fn operation(&self, name: &str) -> &Value {
        let paths = self.document["paths"].as_object().unwrap().values();
        let mut operations = paths.flat_map(|item| item.as_object().unwrap().values());
        operations
            .find(|operation| operation["operationId"] == name)
            .unwrap_or_else(|| panic!("`{name}` is not described"))
    }

    /// The target of a reference. Any other value is returned unchanged.
    pub fn resolve<'a>(&'a self, value: &'a Value) -> &'a Value {
        resolve(&self.document, value)
    }

    /// The schema of an operation's request body; `null` if it takes none of that media type.
    pub fn body(&self, operation: &str, media_type: &str) -> &Value {
        let body = &self.operation(operation)["requestBody"];
        self.resolve(&body["content"][media_type]["schema"])
    }

    /// A validator of one of the document's schemas.
    pub fn validator(&self, schema: &Value) -> Validator {
        let mut schema = schema.clone();
        schema["components"] = self.document["components"].clone();
        jsonschema::options()
            .should_validate_formats(true)
            .build(&schema)
            .unwrap_or_else(|error| panic!("{schema}: {error}"))
    }

    /// Checks that an answer matches the description.
    ///
    /// # Panics
    /// It doesn't match.
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
            let optional = name == "link" || name == "retry-after";
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

    /// All described answers of the functions. The gateway's own answers aren't included.
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

/// The target of a reference in the document. Any other value is returned unchanged.
fn resolve<'a>(document: &'a Value, value: &'a Value) -> &'a Value {
    let Some(reference) = value["$ref"].as_str() else {
        return value;
    };
    let pointer = reference.strip_prefix('#').unwrap();
    let found = document.pointer(pointer);
    found.unwrap_or_else(|| panic!("{reference} leads nowhere"))
}

/// Forbids properties that aren't described. Clients must ignore unknown ones, but our answers must not have any.
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
