//! The list of operations: one `operation.toml` beside each handler.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde::Deserialize;

use crate::{Failure, read, told};

/// A function, what starts it, and what it has and may do.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Operation {
    /// The name of the function, its crate and its directory.
    #[serde(skip)]
    pub(crate) name: String,
    /// What it does, in a few words for the tables of the documents.
    pub(crate) summary: String,
    /// What the table of the API says beside that.
    pub(crate) details: Option<String>,
    /// The routes that lead to it.
    #[serde(default)]
    pub(crate) routes: Vec<Route>,
    /// What starts it, if that isn't a route.
    pub(crate) event: Option<Event>,
    /// The same in words, for the tables of the documents.
    pub(crate) when: Option<String>,
    /// Whether its crate describes it for the API's document.
    #[serde(default = "yes")]
    pub(crate) described: bool,
    /// Names of environment variables; `infra/fragments.yaml` has their values.
    #[serde(default)]
    pub(crate) environment: Vec<String>,
    /// Names of statements beside those on the tables; `infra/fragments.yaml` has them.
    #[serde(default)]
    pub(crate) statements: Vec<String>,
    /// Alarms beside those that follow from the event.
    #[serde(default)]
    pub(crate) alarms: Vec<Alarm>,
    /// Properties of the function that differ from the template's `Globals`.
    #[serde(default)]
    pub(crate) properties: BTreeMap<String, toml::Value>,
    /// What it may do: table or index, action, kinds of partition (`dynamodb:LeadingKeys`); `*` is any.
    #[serde(default)]
    pub(crate) rights: BTreeMap<String, BTreeMap<String, Vec<String>>>,
}

/// A route of the API, which is an operation to those who call it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Route {
    /// The operation's name, unique in the API.
    pub(crate) name: String,
    /// Method and path.
    pub(crate) route: String,
    /// Who calls.
    pub(crate) caller: Caller,
    /// The resource's name in the template, if it isn't made of the operation's.
    logical_id: Option<String>,
}

/// Who calls an operation, and how that is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Caller {
    /// Owners and administrators of the account in the path, signed in.
    Administrator,
    /// Whoever is signed in.
    Person,
    /// Whoever holds the secret of a token.
    Token,
    /// An API with a token of its own.
    Api,
    /// Anybody.
    Anybody,
    /// A scanner, which signs.
    Scanner,
}

/// What starts a function that no route leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Event {
    /// API Gateway, as its authorizer.
    Authorizer,
    /// Records of the audit table's stream.
    AuditStream,
    /// Records of the tokens table's stream.
    TokensStream,
    /// The clock, once a day.
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
    /// Every operation, by name.
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

    /// Reads one.
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

    /// Its name in the template.
    pub(crate) fn id(&self) -> String {
        pascal(&self.name)
    }

    /// Its name in Rust.
    pub(crate) fn module(&self) -> String {
        self.name.replace('-', "_")
    }

    /// Whether what it can't do is left in a queue of its own.
    pub(crate) fn has_dead_letters(&self) -> bool {
        matches!(self.event, Some(Event::Daily | Event::Rule))
    }

    /// Whether it reads a stream.
    pub(crate) fn reads_stream(&self) -> bool {
        matches!(self.event, Some(Event::AuditStream | Event::TokensStream))
    }
}

impl Route {
    /// Its resource's name in the template.
    pub(crate) fn id(&self) -> String {
        let id = || format!("{}Route", pascal(&self.name));
        self.logical_id.clone().unwrap_or_else(id)
    }

    /// The method, in upper case.
    pub(crate) fn method(&self) -> &str {
        self.route.split_once(' ').unwrap_or_default().0
    }

    /// The path's template.
    pub(crate) fn path(&self) -> &str {
        self.route.split_once(' ').unwrap_or_default().1
    }

    /// Whether the gateway asks for an access token of the identity provider.
    pub(crate) fn needs_sign_in(&self) -> bool {
        matches!(self.caller, Caller::Administrator | Caller::Person)
    }
}

/// A name with dashes as one of CloudFormation's.
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
