//! The page for whoever was handed a token, made of the OpenAPI document: how to call, what refusals mean and what to
//! do about them. It has no script.

use std::collections::BTreeMap;

use askama::Template;
use lambda_http::http::HeaderValue;
use lambda_http::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use lambda_http::{Body, Error, Response};
use latchkey::http::ApiError;
use latchkey::http::security::{policy, secured};
use serde_json::Value;

/// The page's style sheet.
const STYLE: &str = include_str!("../assets/docs.css");

/// How long a browser may use the page and its style sheet without asking again.
const CACHING: &str = "public, max-age=300";

/// The page, its style sheet and their security policy.
#[derive(Debug)]
pub struct Docs {
    page: String,
    policy: HeaderValue,
}

impl Docs {
    /// Makes the page of the document. `address` is the address of this deployment's API.
    ///
    /// # Errors
    /// When the document names an error without a remedy, or lacks an operation of the page.
    pub fn new(document: &str, address: &str) -> Result<Self, Error> {
        let document = serde_json::from_str(document)?;
        let page = Page::new(&document, address.trim_end_matches('/'))?;
        Ok(Self {
            page: page.render()?,
            // The page sends no requests.
            policy: policy("").parse()?,
        })
    }

    /// Returns the page.
    ///
    /// # Errors
    /// When the response can't be built, which is a defect.
    pub fn page(&self) -> Result<Response<Body>, ApiError> {
        self.respond("text/html; charset=utf-8", self.page.as_str())
    }

    /// Returns the page's style sheet.
    ///
    /// # Errors
    /// When the response can't be built, which is a defect.
    pub fn style(&self) -> Result<Response<Body>, ApiError> {
        self.respond("text/css; charset=utf-8", STYLE)
    }

    fn respond(&self, content_type: &str, text: &str) -> Result<Response<Body>, ApiError> {
        secured(&self.policy)
            .header(CONTENT_TYPE, content_type)
            .header(CACHE_CONTROL, CACHING)
            .body(text.into())
            .map_err(ApiError::internal)
    }
}

#[derive(Template)]
#[template(path = "docs.html")]
struct Page<'a> {
    address: &'a str,
    version: &'a str,
    /// The operations that a token's holder calls.
    info: Operation<'a>,
    introspect: Operation<'a>,
    revoke: Operation<'a>,
    denials: Vec<Term<'a>>,
    errors: Vec<Refusal<'a>>,
}

/// An operation in the document.
struct Operation<'a> {
    method: String,
    path: &'a str,
    description: &'a str,
    /// The parameters, or the fields of the form.
    inputs: Vec<Term<'a>>,
    /// The fields of the response.
    outputs: Vec<Term<'a>>,
    /// A sample response.
    example: String,
    /// A call with curl.
    call: String,
}

/// A name and its meaning. The meaning may have code between backquotes.
struct Term<'a> {
    name: &'a str,
    meaning: &'a str,
}

/// An error that a token's holder can meet.
struct Refusal<'a> {
    status: &'a str,
    code: &'a str,
    meaning: &'a str,
    remedy: &'static str,
}

impl<'a> Page<'a> {
    fn new(document: &'a Value, address: &'a str) -> Result<Self, Error> {
        let operation = |path| {
            Operation::find(document, path, address).ok_or_else(|| format!("no operation {path}"))
        };
        Ok(Self {
            address,
            version: text(at(document, "/info/version")),
            info: operation("/v1/tokenInfo")?,
            introspect: operation("/v1/introspect")?,
            revoke: operation("/v1/revoke")?,
            denials: denials(document),
            errors: errors(document)?,
        })
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// Returns the value at a JSON pointer, or `null` if there is none.
fn at<'a>(value: &'a Value, pointer: &str) -> &'a Value {
    value.pointer(pointer).unwrap_or(&Value::Null)
}

/// Returns the target of a reference; any other value is returned as it is.
fn resolve<'a>(document: &'a Value, value: &'a Value) -> &'a Value {
    let target = value["$ref"].as_str();
    let target = target.and_then(|target| document.pointer(target.trim_start_matches('#')));
    target.unwrap_or(value)
}

/// Returns the fields of a schema.
fn fields<'a>(document: &'a Value, schema: &'a Value) -> Vec<Term<'a>> {
    let properties = resolve(document, schema)["properties"].as_object();
    let properties = properties.into_iter().flatten();
    properties
        .map(|(name, field)| {
            let own = text(&field["description"]);
            let of_type = text(&resolve(document, field)["description"]);
            // The rest describes each word of an enumeration.
            let of_type = of_type.split('\n').next().unwrap_or_default();
            let meaning = if own.is_empty() { of_type } else { own };
            Term { name, meaning }
        })
        .collect()
}

impl<'a> Operation<'a> {
    fn find(document: &'a Value, path: &'a str, address: &str) -> Option<Self> {
        let item = document.get("paths")?.get(path)?.as_object()?;
        let (method, operation) = item.iter().next()?;
        let method = method.to_uppercase();
        let parameters = operation["parameters"].as_array().into_iter().flatten();
        let mut inputs: Vec<_> = parameters
            .map(|parameter| Term {
                name: text(&parameter["name"]),
                meaning: text(&parameter["description"]),
            })
            .collect();
        let form = "/requestBody/content/application~1x-www-form-urlencoded/schema";
        let form = at(operation, form);
        inputs.extend(fields(document, form));
        let response = at(operation, "/responses/200/content/application~1json");
        let example = match &response["example"] {
            Value::Null => String::new(),
            example => format!("{example:#}"),
        };
        let is_open = operation["security"].as_array().is_none_or(Vec::is_empty);
        let mut call = format!("curl -s \"{address}{path}\"");
        if !is_open {
            call.push_str(" \\\n  -H \"Authorization: Bearer $TOKEN\"");
        }
        let required = resolve(document, form)["required"].as_array();
        for name in required.into_iter().flatten() {
            call.push_str(&format!(" \\\n  -d \"{}=$SECRET\"", text(name)));
        }
        Some(Self {
            method,
            path,
            description: text(&operation["description"]),
            inputs,
            outputs: fields(document, &response["schema"]),
            example,
            call,
        })
    }
}

/// Returns the codes of a decision with their meanings, from the description of the schema.
fn denials(document: &Value) -> Vec<Term<'_>> {
    let text = text(at(document, "/components/schemas/Denial/description"));
    text.lines()
        .filter_map(|line| {
            let (name, meaning) = line.strip_prefix("- `")?.split_once("`: ")?;
            Some(Term { name, meaning })
        })
        .collect()
}

/// Returns the errors of the operations that need no signed-in person, by status and code.
fn errors(document: &Value) -> Result<Vec<Refusal<'_>>, Error> {
    let paths = document["paths"].as_object().into_iter().flatten();
    let operations = paths.flat_map(|(_, item)| item.as_object().into_iter().flatten());
    let operations = operations.filter(|(_, operation)| {
        let ways = operation["security"].as_array().into_iter().flatten();
        !ways.into_iter().any(|way| way.get("signIn").is_some())
    });
    let responses = operations
        .flat_map(|(_, operation)| operation["responses"].as_object().into_iter().flatten());
    let mut found = BTreeMap::new();
    for (status, response) in responses {
        let content = resolve(document, response)["content"].as_object();
        let content = content.into_iter().flatten();
        let examples =
            content.flat_map(|(_, body)| body["examples"].as_object().into_iter().flatten());
        for (code, example) in examples {
            let remedy = remedy(code).ok_or_else(|| format!("no remedy for `{code}`"))?;
            let refusal = Refusal {
                status,
                code,
                meaning: text(&example["summary"]),
                remedy,
            };
            found.insert((status, code), refusal);
        }
    }
    Ok(found.into_values().collect())
}

/// Returns what to do about an error.
fn remedy(code: &str) -> Option<&'static str> {
    Some(match code {
        "token_required" => {
            "Send the header `Authorization: Bearer <token>`. Many clients drop it at a redirect to another host."
        }
        "invalid_token" => {
            "Don't try again. If `detail` says why, the token is known: whoever gave it to you can reactivate or replace \
             it. If it says no more than this table, compare the token with what you were given: it has 53 characters."
        }
        "insufficient_scope" => "Ask with an account token that has full access.",
        "invalid_client" => {
            "Send the id and the secret of an account token with full access: as HTTP Basic, or as `client_id` and \
             `client_secret` in the form, not both."
        }
        "invalid_request" => "Mend the form: `detail` names the parameter.",
        "unsupported_media_type" => {
            "Send the form as `application/x-www-form-urlencoded` in UTF-8."
        }
        "body_too_large" => "Send less: the form takes one secret.",
        "validation_failed" => "Mend the request: `errors` lists everything that is wrong with it.",
        "unavailable" => "Wait for as many seconds as `Retry-After` says, and try again.",
        "internal_error" => {
            "Try again later. If it persists, report the `requestId` to whoever runs this service."
        }
        _ => return None,
    })
}
