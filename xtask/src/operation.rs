//! The list of operations: one `operation.toml` beside each handler.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde::Deserialize;

use crate::{Failure, read, told};

/// A function: what starts it, and what it has and may do.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Operation {
    /// The name of the function, of its crate and of its directory.
    #[serde(skip)]
    pub(crate) name: String,
    /// What it does, in a few words for the documents' tables.
    pub(crate) summary: String,
    /// More details, for the table of the API.
    pub(crate) details: Option<String>,
    /// The routes that lead to it.
    #[serde(default)]
    pub(crate) routes: Vec<Route>,
    /// What starts it if it has no route.
    pub(crate) event: Option<Event>,
    /// What starts it in words, for the documents' tables.
    pub(crate) when: Option<String>,
    /// Whether the OpenAPI document describes it.
    #[serde(default = "yes")]
    pub(crate) described: bool,
    /// Whether it decides on presented secrets. Its log has a line for each decision.
    #[serde(default)]
    pub(crate) verifies: bool,
    /// The names of its environment variables. `infra/fragments.yaml` has their values.
    #[serde(default)]
    pub(crate) environment: Vec<String>,
    /// The names of its statements beside those on the tables. `infra/fragments.yaml` has them.
    #[serde(default)]
    pub(crate) statements: Vec<String>,
    /// Its alarms beside those that every function with its event has.
    #[serde(default)]
    pub(crate) alarms: Vec<Alarm>,
    /// Whether a deployment gives its new version a part of the calls first.
    #[serde(default)]
    pub(crate) gradual: bool,
    /// Its properties that differ from the template's `Globals`.
    #[serde(default)]
    pub(crate) properties: BTreeMap<String, toml::Value>,
    /// Its rights: table or index, action, and kinds of partition (`dynamodb:LeadingKeys`). `*` is any.
    #[serde(default)]
    pub(crate) rights: BTreeMap<String, BTreeMap<String, Vec<String>>>,
}

/// A route of the API. For its callers, it is an operation.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Route {
    /// The operation's name, which is unique in the API.
    pub(crate) name: String,
    /// Method and path.
    pub(crate) route: String,
    /// The callers.
    pub(crate) caller: Caller,
    /// The resource's name in the template, if it isn't derived from the operation's name.
    logical_id: Option<String>,
}

/// The callers of an operation, and their authentication.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Caller {
    /// Owners and administrators of the account in the path, signed in.
    Administrator,
    /// Any signed-in person.
    Person,
    /// The holder of a token's secret.
    Token,
    /// An API that authenticates with a token of its own.
    Api,
    /// Anybody.
    Anybody,
    /// A scanner, which signs its requests.
    Scanner,
}

/// What starts a function without routes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Event {
    /// API Gateway, as its authorizer.
    Authorizer,
    /// Records of the audit table's stream.
    AuditStream,
    /// Records of the tokens table's stream.
    TokensStream,
    /// A schedule, once a day.
    Daily,
    /// A rule of EventBridge, which is written in the template.
    Rule,
}

/// An alarm of the template that a function may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Alarm {
    /// An error in its log.
    Errors,
    /// A crash or a timeout.
    Failures,
    /// Calls for which Lambda had no capacity.
    Throttles,
}

fn yes() -> bool {
    true
}

impl Operation {
    /// Reads all operations, by name.
    ///
    /// # Errors
    /// If a file can't be read or is invalid.
    pub(crate) fn all(root: &Path) -> Result<Vec<Self>, Failure> {
        let directory = root.join("functions");
        let entries = fs::read_dir(&directory).map_err(|error| told(&directory, &error))?;
        let mut names = Vec::new();
        for entry in entries {
            let entry = entry.map_err(|error| told(&directory, &error))?;
            if entry.path().join("Cargo.toml").exists() {
                names.push(entry.file_name().to_string_lossy().into_owned());
            }
        }
        names.sort();
        let operations = names.iter().map(|name| {
            let (path, text) = read(root, &format!("functions/{name}/operation.toml"))?;
            Self::parse(name, &text).map_err(|failure| told(&path, &failure))
        });
        let operations: Vec<_> = operations.collect::<Result<_, _>>()?;
        let mut known = BTreeMap::new();
        for operation in &operations {
            for route in &operation.routes {
                for key in [&route.name, &route.route] {
                    if let Some(other) = known.insert(key, &operation.name) {
                        return Err(format!(
                            "`{key}` is a route of {other} and of {}",
                            operation.name
                        ));
                    }
                }
            }
        }
        Ok(operations)
    }

    /// Parses an `operation.toml`.
    ///
    /// # Errors
    /// If it is invalid.
    pub(crate) fn parse(name: &str, text: &str) -> Result<Self, Failure> {
        let operation: Self = toml::from_str(text).map_err(|error| error.to_string())?;
        if operation.routes.is_empty() == operation.event.is_none() {
            return Err("either `routes` or an `event` starts a function".into());
        }
        if operation.event.is_some() != operation.when.is_some() {
            return Err("`event` and `when` go together".into());
        }
        for route in &operation.routes {
            let path = route.route.split_once(' ').map(|(_, path)| path);
            if !path.is_some_and(|path| path.starts_with('/')) {
                return Err(format!("`{}` is no method and path", route.route));
            }
        }
        let name = name.to_owned();
        Ok(Self { name, ..operation })
    }

    /// Returns its name in the template.
    pub(crate) fn id(&self) -> String {
        pascal(&self.name)
    }

    /// Returns its name in Rust.
    pub(crate) fn module(&self) -> String {
        self.name.replace('-', "_")
    }

    /// Whether events that it can't process go to a dead-letter queue.
    pub(crate) fn has_dead_letters(&self) -> bool {
        matches!(self.event, Some(Event::Daily | Event::Rule))
    }

    /// Whether it writes to a table. Such a function may write lines of measures.
    pub(crate) fn writes(&self) -> bool {
        let mut actions = self.rights.values().flat_map(BTreeMap::keys);
        actions.any(|action| matches!(action.as_str(), "PutItem" | "UpdateItem" | "DeleteItem"))
    }

    /// Whether its callers have a budget, and are refused beyond it.
    pub(crate) fn spends(&self) -> bool {
        let updates = self
            .rights
            .get("tokens")
            .and_then(|actions| actions.get("UpdateItem"));
        let counts = updates.is_some_and(|kinds| kinds.iter().any(|kind| kind == "BUDGET#*"));
        counts && !self.routes.is_empty()
    }

    /// Whether it encrypts or decrypts secrets.
    pub(crate) fn uses_secrets_key(&self) -> bool {
        let mut names = self.statements.iter();
        names.any(|name| matches!(name.as_str(), "SealSecret" | "OpenSecret"))
    }

    /// Whether it reads a stream.
    pub(crate) fn reads_stream(&self) -> bool {
        matches!(self.event, Some(Event::AuditStream | Event::TokensStream))
    }
}

impl Route {
    /// Returns the resource's name in the template.
    pub(crate) fn id(&self) -> String {
        let id = || format!("{}Route", pascal(&self.name));
        self.logical_id.clone().unwrap_or_else(id)
    }

    /// Returns the method, in upper case.
    pub(crate) fn method(&self) -> &str {
        self.route.split_once(' ').unwrap_or_default().0
    }

    /// Returns the template of the path.
    pub(crate) fn path(&self) -> &str {
        self.route.split_once(' ').unwrap_or_default().1
    }

    /// Whether the gateway requires an access token of the identity provider.
    pub(crate) fn needs_sign_in(&self) -> bool {
        matches!(self.caller, Caller::Administrator | Caller::Person)
    }
}

/// Returns a name with dashes in CloudFormation's form, such as `GetToken`.
fn pascal(name: &str) -> String {
    let words = name.split('-').map(|word| {
        let mut letters = word.chars();
        let first = letters.next().map(|letter| letter.to_ascii_uppercase());
        first.into_iter().chain(letters).collect::<String>()
    });
    words.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROUTE: &str = r#"
        summary = "one token"
        [[routes]]
        name = "get-token"
        route = "GET /v1/tokens/{tokenId}"
        caller = "administrator"
    "#;

    #[test]
    fn a_route_has_the_operations_name_in_the_template() {
        let operation = Operation::parse("get-token", ROUTE).unwrap();
        assert_eq!(operation.id(), "GetToken");
        let route = &operation.routes[0];
        assert_eq!(route.id(), "GetTokenRoute");
        assert_eq!(
            (route.method(), route.path()),
            ("GET", "/v1/tokens/{tokenId}")
        );
    }

    #[test]
    fn what_is_missing_or_unknown_is_told() {
        let refused = |text: &str| Operation::parse("x", text).unwrap_err();
        assert!(refused("summary = 'x'").contains("either `routes` or an `event`"));
        assert!(refused("summary = 'x'\nevent = 'daily'").contains("go together"));
        assert!(refused(&ROUTE.replace("GET /v1", "GET v1")).contains("no method and path"));
        assert!(refused(&ROUTE.replace("caller", "callers")).contains("unknown field `callers`"));
        assert!(
            refused(&ROUTE.replace("administrator", "king")).contains("unknown variant `king`")
        );
    }
}
