//! The API's OpenAPI 3.1 document, built from the operations' types, limits and errors.

mod components;
mod examples;
pub mod schema;

use std::collections::BTreeMap;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::{Map, Value, json};

use super::ErrorCode;
use super::query::{Parameter, Parameters};
use crate::domain::paging::MAX_LIMIT;
use components::Components;

use schema::{Property, reference, with};

/// An operation in the OpenAPI document.
#[derive(Debug)]
pub struct Operation {
    name: &'static str,
    method: &'static str,
    path: &'static str,
    summary: &'static str,
    description: Option<&'static str>,
    security: Value,
    parameters: Vec<Value>,
    body: Option<Body>,
    answers: Vec<Success>,
    refusals: BTreeMap<u16, Vec<ErrorCode>>,
}

/// The query parameters of an operation, described but without values.
#[derive(Debug)]
pub struct Described(Vec<Value>);

impl Parameters for Described {
    fn value<T>(
        &mut self,
        parameter: Parameter,
        _: &str,
        _: impl FnOnce(&str) -> Option<T>,
    ) -> Option<T> {
        self.0.push(json!({
            "name": parameter.name,
            "in": "query",
            "description": parameter.description,
            "schema": parameter.schema,
        }));
        None
    }
}

/// An operation's route, as its `operation.toml` has it.
#[derive(Debug, Clone, Copy)]
pub struct Route {
    /// The operation's name.
    pub name: &'static str,
    /// The HTTP method, in upper case.
    pub method: &'static str,
    /// The template of the path.
    pub path: &'static str,
    /// The callers.
    pub caller: CallerKind,
}

/// The callers of an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallerKind {
    /// Owners and administrators of the account in the path, signed in.
    Administrator,
    /// Any signed-in person.
    Person,
    /// The holder of a token's secret.
    Token,
    /// An API that authenticates with a token of its own, as a bearer or as an OAuth client.
    Api,
    /// Anybody.
    Anybody,
}

impl CallerKind {
    /// Returns the OpenAPI security requirement.
    fn security(self) -> Value {
        match self {
            Self::Administrator | Self::Person => json!([{"signIn": []}]),
            Self::Token => json!([{"token": []}]),
            Self::Api => json!([{"token": []}, {"tokenAsClient": []}]),
            Self::Anybody => json!([]),
        }
    }

    /// Returns the errors of every operation with such callers.
    fn refusals(self) -> &'static [ErrorCode] {
        match self {
            Self::Administrator => &[
                ErrorCode::AccessTokenRequired,
                ErrorCode::Unavailable,
                ErrorCode::Internal,
                ErrorCode::AccountNotFound,
                ErrorCode::RoleRequired,
            ],
            Self::Person => &[
                ErrorCode::AccessTokenRequired,
                ErrorCode::Unavailable,
                ErrorCode::Internal,
            ],
            Self::Token => &[
                ErrorCode::TokenRequired,
                ErrorCode::InvalidToken,
                ErrorCode::Unavailable,
                ErrorCode::Internal,
            ],
            Self::Api => &[
                ErrorCode::InvalidToken,
                ErrorCode::InsufficientScope,
                ErrorCode::InvalidClient,
                ErrorCode::Unavailable,
                ErrorCode::Internal,
            ],
            Self::Anybody => &[],
        }
    }
}

/// A request's body.
#[derive(Debug)]
struct Body {
    description: &'static str,
    required: bool,
    schema: Value,
    media_types: &'static [&'static str],
}

/// A successful response.
#[derive(Debug)]
struct Success {
    status: u16,
    description: &'static str,
    headers: Vec<&'static str>,
    content: Content,
}

#[derive(Debug)]
enum Content {
    Nothing,
    Json(SchemaOf),
    /// A page of the list with that name.
    Page(&'static str, SchemaOf),
    /// A page as JSON or CSV.
    PageOrCsv(&'static str, SchemaOf),
}

/// Generates a type's schema.
type SchemaOf = fn(&mut SchemaGenerator) -> Schema;

impl Operation {
    /// Creates an operation. [`Operation::at`] adds its route and its callers.
    pub fn new(name: &'static str, summary: &'static str) -> Self {
        Self {
            name,
            method: "",
            path: "",
            summary,
            description: None,
            security: json!([]),
            parameters: Vec::new(),
            body: None,
            answers: Vec::new(),
            refusals: BTreeMap::new(),
        }
    }

    /// Returns the operation with its route, and with the errors that all operations with such callers have.
    #[must_use]
    pub fn at(self, route: &Route) -> Self {
        let mut operation = Self {
            method: route.method,
            path: route.path,
            parameters: path_parameters(route.path),
            security: route.caller.security(),
            refusals: BTreeMap::new(),
            ..self
        };
        operation.parameters.extend(self.parameters);
        operation = operation.refuses(route.caller.refusals().iter().copied());
        operation.refuses(self.refusals.into_values().flatten())
    }

    /// Returns the operation's name.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Returns the HTTP method, in upper case.
    pub fn method(&self) -> &'static str {
        self.method
    }

    /// Returns the template of the path.
    pub fn path(&self) -> &'static str {
        self.path
    }

    /// Adds a text beyond the summary.
    #[must_use]
    pub fn description(mut self, text: &'static str) -> Self {
        self.description = Some(text);
        self
    }

    /// The operation is about the token in the path: adds the error for an unknown token.
    #[must_use]
    pub fn of_a_token(self) -> Self {
        self.refuses([ErrorCode::TokenNotFound])
    }

    /// The operation changes a token, and another change may come first: adds `If-Match` and the errors of conflicts.
    #[must_use]
    pub fn changes_a_token(self) -> Self {
        self.header("If-Match", "The expected `ETag`; 412 `version_mismatch` if the token has changed since. Default: any.")
            .refuses([ErrorCode::VersionMismatch, ErrorCode::Conflict])
    }

    /// The operation hands out a secret: adds the error for a sign-in that isn't recent.
    #[must_use]
    pub fn wants_recent_sign_in(self) -> Self {
        self.refuses([ErrorCode::StepUpRequired])
    }

    /// The operation spends a budget: adds the error for a spent one.
    #[must_use]
    pub fn budgeted(self) -> Self {
        self.refuses([ErrorCode::BudgetExceeded])
    }

    /// Adds an optional header.
    #[must_use]
    pub fn header(mut self, name: &'static str, description: &'static str) -> Self {
        self.parameters.push(json!({
            "name": name, "in": "header", "description": description, "schema": {"type": "string"},
        }));
        self
    }

    /// The operation recognizes repeated requests: adds `Idempotency-Key` and its errors.
    #[must_use]
    pub fn repeatable(self) -> Self {
        let name = "Idempotency-Key";
        let text = "Makes the request repeatable for a day: a request with the same key and body is answered with \
                    the same token, without the secret. The same key with another body is a 422.";
        self.header(name, text)
            .refuses([ErrorCode::ValidationFailed, ErrorCode::IdempotencyKeyReused])
    }

    /// Adds the query parameters that `read` reads. All are optional.
    #[must_use]
    pub fn query<T>(mut self, read: impl FnOnce(&mut Described) -> T) -> Self {
        let mut described = Described(Vec::new());
        read(&mut described);
        self.parameters.append(&mut described.0);
        self.refuses([ErrorCode::ValidationFailed])
    }

    /// The body is a JSON object with those fields and no others.
    #[must_use]
    pub fn body(mut self, fields: impl IntoIterator<Item = Property>) -> Self {
        // In a body, `null` means that a field isn't given.
        let fields = fields.into_iter().map(Property::or_null);
        let text = "The fields of the request. Unknown fields are refused.";
        self.body = Some(Body::new(
            text,
            schema::object(fields),
            &["application/json"],
        ));
        self.refuses_json()
    }

    fn refuses_json(self) -> Self {
        self.refuses([
            ErrorCode::MalformedJson,
            ErrorCode::DuplicateKey,
            ErrorCode::BodyTooLarge,
            ErrorCode::UnsupportedMediaType,
            ErrorCode::ValidationFailed,
        ])
    }

    /// The body is a JSON Merge Patch with those fields and no others.
    #[must_use]
    pub fn merge_patch(mut self, fields: impl IntoIterator<Item = Property>) -> Self {
        let text = "The fields to change, as a JSON Merge Patch (RFC 7396). Fields that are left out stay as they \
                    are. Unknown fields are refused.";
        self.body = Some(Body {
            required: true,
            ..Body::new(
                text,
                schema::object(fields),
                &["application/merge-patch+json", "application/json"],
            )
        });
        self.refuses_json()
    }

    /// The body is a form with those parameters. Other parameters are ignored.
    #[must_use]
    pub fn form(mut self, fields: impl IntoIterator<Item = Property>) -> Self {
        let schema = with(schema::object(fields), "additionalProperties", true);
        self.body = Some(Body::new(
            "The form. Other parameters are ignored.",
            schema,
            &["application/x-www-form-urlencoded"],
        ));
        self.refuses([
            ErrorCode::UnsupportedMediaType,
            ErrorCode::InvalidRequest,
            ErrorCode::BodyTooLarge,
        ])
    }

    /// There is no body. An empty JSON object is accepted.
    #[must_use]
    pub fn no_body(self) -> Self {
        let mut operation = self.body([]);
        if let Some(body) = &mut operation.body {
            body.description = "No body is needed. An empty object is accepted.";
        }
        operation
    }

    /// Adds a successful response with a body of type `T` and those headers.
    #[must_use]
    pub fn answers<T: JsonSchema>(
        self,
        status: u16,
        description: &'static str,
        headers: &[&'static str],
    ) -> Self {
        let content = Content::Json(SchemaGenerator::subschema_for::<T>);
        self.answer(status, description, headers, content)
    }

    /// Adds a page of a list as the successful response.
    #[must_use]
    pub fn answers_page<T: JsonSchema>(self, list: &'static str) -> Self {
        let page = Content::Page(list, SchemaGenerator::subschema_for::<T>);
        self.answers_pages(page)
    }

    /// Adds a page of a list as the successful response, or CSV if the client prefers that.
    #[must_use]
    pub fn answers_page_or_csv<T: JsonSchema>(self, list: &'static str) -> Self {
        let page = Content::PageOrCsv(list, SchemaGenerator::subschema_for::<T>);
        self.answers_pages(page)
    }

    fn answers_pages(self, page: Content) -> Self {
        self.query(|parameters| (parameters.limit(MAX_LIMIT), parameters.cursor()))
            .refuses([ErrorCode::InvalidCursor])
            .answer(200, "A page of the list.", &["Link"], page)
    }

    /// Adds a successful response without a body.
    #[must_use]
    pub fn answers_nothing(self, status: u16, description: &'static str) -> Self {
        self.answer(status, description, &[], Content::Nothing)
    }

    /// Adds errors.
    #[must_use]
    pub fn refuses(mut self, errors: impl IntoIterator<Item = ErrorCode>) -> Self {
        for error in errors {
            let known = self.refusals.entry(error.status()).or_default();
            if !known.contains(&error) {
                known.push(error);
            }
        }
        self
    }

    fn answer(
        mut self,
        status: u16,
        description: &'static str,
        headers: &[&'static str],
        content: Content,
    ) -> Self {
        self.answers.push(Success {
            status,
            description,
            headers: headers.to_vec(),
            content,
        });
        self
    }

    /// Returns the heading under which the document lists the operation.
    fn tag(&self) -> &'static str {
        let parts: Vec<_> = self.path.split('/').collect();
        match parts.as_slice() {
            [.., "audit"] => "audit",
            [.., "resources" | "integrations"] => "resources",
            [_, _, "accounts", _, "tokens", ..] => "tokens",
            [_, _, "accounts", ..] => "accounts",
            _ => "verification",
        }
    }

    /// Returns the operation's name in the form of schema names, with `what` at the end.
    fn schema_name(&self, what: &str) -> String {
        let capitalized = self.name.split('-').map(|word| {
            let (first, rest) = word.split_at(word.len().min(1));
            first.to_ascii_uppercase() + rest
        });
        capitalized.chain([what.to_owned()]).collect()
    }

    fn describe(&self, components: &mut Components) -> Value {
        let mut responses = Map::new();
        for answer in &self.answers {
            responses.insert(answer.status.to_string(), answer.describe(components));
        }
        let signed_in = self.security.pointer("/0/signIn").is_some();
        let mut refusals: BTreeMap<u16, &[ErrorCode]> = BTreeMap::from([(429, &[][..])]);
        refusals.extend(
            self.refusals
                .iter()
                .map(|(status, errors)| (*status, &**errors)),
        );
        for (status, errors) in refusals {
            // The gateway also sends these statuses by itself, without calling a function.
            let by_gateway =
                matches!(status, 413 | 429 | 500 | 503) || (status == 401 && signed_in);
            let response = refusal(errors, by_gateway);
            responses.insert(
                status.to_string(),
                components.response(status, errors, response),
            );
        }
        let mut operation = json!({
            "operationId": self.name,
            "tags": [self.tag()],
            "summary": self.summary,
            "description": self.description.unwrap_or(self.summary),
            "security": self.security,
            "parameters": self.parameters,
            "responses": responses,
        });
        if let Some(body) = &self.body {
            let name = self.schema_name("Request");
            let schema = with(body.schema.clone(), "description", body.description);
            let schema = components.schema(&name, schema);
            let content: Map<_, _> = body
                .media_types
                .iter()
                .map(|media_type| ((*media_type).to_owned(), content(&name, &schema)))
                .collect();
            let body = json!({
                "description": body.description,
                "required": body.required,
                "content": content,
            });
            operation = with(operation, "requestBody", body);
        }
        operation
    }
}

impl Body {
    fn new(description: &'static str, schema: Value, media_types: &'static [&'static str]) -> Self {
        Self {
            description,
            required: schema.get("required").is_some(),
            schema,
            media_types,
        }
    }
}

fn path_parameters(path: &str) -> Vec<Value> {
    let names = path.split('/');
    let names = names.filter_map(|segment| segment.strip_prefix('{')?.strip_suffix('}'));
    names.map(path_parameter).collect()
}

fn path_parameter(name: &str) -> Value {
    let (description, example) = match name {
        "accountId" => ("The account's id.", "acme"),
        "tokenId" => ("The token's id.", examples::TOKEN_ID),
        _ => ("", ""),
    };
    json!({
        "name": name,
        "in": "path",
        "required": true,
        "description": description,
        "schema": {"type": "string"},
        "example": example,
    })
}

/// Returns a JSON body with that schema and its sample.
fn content(name: &str, schema: &Value) -> Value {
    let content = json!({"schema": schema});
    match examples::of(name) {
        Some(example) => with(content, "example", example),
        None => content,
    }
}

impl Success {
    fn describe(&self, components: &mut Components) -> Value {
        let mut response = json!({"description": self.description});
        if !self.headers.is_empty() {
            let headers: Map<_, _> = self.headers.iter().copied().map(response_header).collect();
            response = with(response, "headers", headers);
        }
        let mut page_of = |list: &str, item: SchemaOf| {
            let item = item(&mut components.generator);
            let (first, rest) = list.split_at(list.len().min(1));
            let name = format!("{}{rest}Page", first.to_ascii_uppercase());
            let schema = components.schema(&name, page(list, &item));
            content(&name, &schema)
        };
        let content = match &self.content {
            Content::Nothing => return response,
            Content::Json(schema) => {
                let schema = schema(&mut components.generator).to_value();
                let name = schema.get("$ref").and_then(Value::as_str);
                let name = name.and_then(|name| name.rsplit('/').next());
                json!({"application/json": content(name.unwrap_or_default(), &schema)})
            }
            Content::Page(list, item) => json!({"application/json": page_of(list, *item)}),
            Content::PageOrCsv(list, item) => json!({
                "application/json": page_of(list, *item),
                "text/csv": {"schema": {"type": "string"}},
            }),
        };
        with(response, "content", content)
    }
}

fn page(list: &str, item: &Schema) -> Value {
    let cursor = json!({
        "type": ["string", "null"],
        "description": "The `cursor` of the next page; `null` on the last page.",
    });
    json!({
        "type": "object",
        "description": "A page of a list.",
        "properties": {list: {"type": "array", "items": item}, "nextCursor": cursor},
        "required": [list, "nextCursor"],
    })
}

/// Returns the response for errors with the same status. `by_gateway` adds the gateway's own body.
fn refusal(errors: &[ErrorCode], by_gateway: bool) -> Value {
    let mut text: Vec<_> = errors
        .iter()
        .map(|error| format!("`{}`: {}.", error.as_str(), error.meaning()))
        .collect();
    if by_gateway {
        text.push("Without a `code`: the gateway's own answer.".into());
    }
    // Client generators use one schema for each status, whatever the media type.
    let schema = reference(if !by_gateway {
        "Problem"
    } else if errors.is_empty() {
        "GatewayMessage"
    } else {
        "ProblemOrGatewayMessage"
    });
    let mut content = BTreeMap::<_, Map<_, _>>::new();
    if by_gateway {
        content.entry("application/json").or_default();
    }
    for error in errors {
        let examples = content.entry(error.media_type()).or_default();
        let example = json!({"summary": error.meaning(), "value": error.example()});
        examples.insert(error.as_str().to_owned(), example);
    }
    let content: Map<_, _> = content
        .into_iter()
        .map(|(media_type, examples)| {
            let content = json!({"schema": schema});
            let content = if examples.is_empty() {
                content
            } else {
                with(content, "examples", examples)
            };
            (media_type.to_owned(), content)
        })
        .collect();
    let mut headers = Map::new();
    if errors.iter().any(|error| error.may_say_when()) {
        headers.extend([response_header("Retry-After")]);
    }
    if errors.iter().any(|error| error.is_challenge()) {
        headers.extend([response_header("WWW-Authenticate")]);
    }
    let response = json!({"description": text.join(" "), "content": content});
    if headers.is_empty() {
        response
    } else {
        with(response, "headers", headers)
    }
}

fn response_header(name: &str) -> (String, Value) {
    let description = match name {
        "ETag" => "The token's version, for `If-Match`.",
        "Link" => "The next page, with `rel=\"next\"`. Missing on the last page.",
        "Location" => "The path of the new token.",
        "Retry-After" => "The number of seconds to wait before a retry.",
        "WWW-Authenticate" => {
            "The error of the credentials (RFC 6750), or no error if there were none. In a 403, how recent \
             the sign-in must be (RFC 9470), with `step_up_required` only. API Gateway may rename it to \
             `x-amzn-Remapped-WWW-Authenticate`: read both."
        }
        _ => "",
    };
    let header = json!({"description": description, "schema": {"type": "string"}});
    (name.to_owned(), header)
}

/// Returns the OpenAPI document of the API.
pub fn document(version: &str, operations: &[Operation]) -> Value {
    let mut components = Components::new();
    let mut paths = Map::new();
    for operation in operations {
        let method = operation.method.to_ascii_lowercase();
        let description = operation.describe(&mut components);
        let item: &mut Value = paths.entry(operation.path).or_insert_with(|| json!({}));
        *item = with(item.take(), &method, description);
    }
    let (schemas, responses) = components.finish();
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Latchkey",
            "version": version,
            "description": "Create, edit, show, replace, revoke and audit API tokens, and ask what a token may do. \
                Times are RFC 3339 in UTC with three digits of fraction. Errors are problem documents (RFC 9457) \
                with a stable `code`. Clients must ignore unknown members, and accept codes and enumeration \
                values that are added later. Behind API Gateway on AWS the header \
                `WWW-Authenticate` may arrive as `x-amzn-Remapped-WWW-Authenticate`: read both.",
            "contact": {"name": "Latchkey", "url": env!("CARGO_PKG_REPOSITORY")},
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [
            {"url": "/", "description": "The host that this document comes from."},
            {
                "url": "https://{host}",
                "description": "Another host.",
                "variables": {"host": {
                    "default": "latchkey.example",
                    "description": "The host of the service.",
                }},
            },
        ],
        "tags": [
            {"name": "accounts", "description": "The caller's accounts."},
            {"name": "audit", "description": "The audit log, for owners and administrators."},
            {"name": "resources", "description": "The resources that a scope can name, and the Integration Apps."},
            {"name": "tokens", "description": "Tokens and their secrets, for owners and administrators."},
            {"name": "verification", "description": "For the bearers of tokens, and for the APIs that receive them."},
        ],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "responses": responses,
            "securitySchemes": {
                "signIn": {
                    "type": "http", "scheme": "bearer", "bearerFormat": "JWT",
                    "description": "An access token of the OpenID provider that the service trusts.",
                },
                "token": {
                    "type": "http", "scheme": "bearer",
                    "description": "The secret of an API token.",
                },
                "tokenAsClient": {
                    "type": "http", "scheme": "basic",
                    "description": "An API token as an OAuth client: its id and its secret.",
                },
            },
        },
    })
}
