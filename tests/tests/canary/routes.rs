//! The one list of operations, and what the API's description says about each.

use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::Value;

/// A route of the list.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Route {
    /// The operation's name.
    pub(crate) name: String,
    /// Method and path.
    route: String,
    /// Who calls.
    pub(crate) caller: String,
}

impl Route {
    pub(crate) fn method(&self) -> &str {
        self.route.split_once(' ').expect("a method and a path").0
    }

    pub(crate) fn path(&self) -> &str {
        self.route.split_once(' ').expect("a method and a path").1
    }

    /// The names of the path's parameters.
    pub(crate) fn parameters(&self) -> Vec<&str> {
        let names = self.path().split('/').filter_map(|segment| {
            let name = segment.strip_prefix('{')?.strip_suffix('}')?;
            Some(name.trim_end_matches('+'))
        });
        names.collect()
    }

    /// Whether requests have a body.
    pub(crate) fn has_body(&self) -> bool {
        self.method() != "GET"
    }
}

#[derive(Deserialize)]
struct Operation {
    #[serde(default)]
    routes: Vec<Route>,
}

/// The one list.
pub(crate) struct List {
    pub(crate) routes: Vec<Route>,
    /// The functions that no route starts.
    pub(crate) others: Vec<String>,
}

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn names_in(folder: &Path) -> Vec<String> {
    let entries =
        fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut names: Vec<_> = entries
        .map(|entry| {
            entry
                .expect("an entry")
                .file_name()
                .into_string()
                .expect("a name")
        })
        .collect();
    names.sort_unstable();
    names
}

/// Reads the list.
pub(crate) fn list() -> List {
    let functions = repository().join("functions");
    let mut list = List {
        routes: vec![],
        others: vec![],
    };
    for function in names_in(&functions) {
        let text = read(&functions.join(&function).join("operation.toml"));
        let operation: Operation = toml::from_str(&text).expect("an operation");
        if operation.routes.is_empty() {
            list.others.push(function);
        } else {
            list.routes.extend(operation.routes);
        }
    }
    list
}

/// Returns a function's sample events.
pub(crate) fn samples(function: &str) -> Vec<Value> {
    let folder = repository().join("events").join(function);
    let names = names_in(&folder).into_iter();
    names
        .map(|name| serde_json::from_str(&read(&folder.join(name))).expect("an event"))
        .collect()
}

/// The API's description.
pub(crate) struct Description(Value);

impl Description {
    pub(crate) fn read() -> Self {
        let text = read(&repository().join("functions/describe-api/openapi.json"));
        Self(serde_json::from_str(&text).expect("a document"))
    }

    fn operation(&self, route: &Route) -> &Value {
        &self.0["paths"][route.path()][route.method().to_lowercase()]
    }

    /// The names of the query's parameters.
    pub(crate) fn query(&self, route: &Route) -> Vec<String> {
        let parameters = self.operation(route)["parameters"].as_array();
        let in_query = parameters
            .into_iter()
            .flatten()
            .filter(|each| each["in"] == "query");
        in_query
            .map(|each| each["name"].as_str().expect("a name").to_owned())
            .collect()
    }

    /// The schema of the body, and its media type; `None` if the route isn't described.
    fn body(&self, route: &Route) -> Option<(&str, &Value)> {
        let content = self.operation(route)["requestBody"]["content"].as_object()?;
        let (kind, body) = content.iter().next()?;
        let name = body["schema"]["$ref"].as_str()?.rsplit('/').next()?;
        Some((kind, &self.0["components"]["schemas"][name]))
    }

    /// The media type of the body.
    pub(crate) fn media_type(&self, route: &Route) -> &str {
        self.body(route)
            .map_or("application/json", |(kind, _)| kind)
    }

    /// A body that the route accepts.
    pub(crate) fn example(&self, route: &Route) -> Value {
        let example = self
            .body(route)
            .map(|(_, schema)| schema["examples"][0].clone());
        example
            .filter(Value::is_object)
            .unwrap_or_else(|| Value::Object(serde_json::Map::default()))
    }

    /// The names of the body's members.
    pub(crate) fn members(&self, route: &Route) -> Vec<String> {
        let schema = self
            .body(route)
            .and_then(|(_, schema)| schema["properties"].as_object());
        schema
            .into_iter()
            .flatten()
            .map(|(name, _)| name.clone())
            .collect()
    }
}
