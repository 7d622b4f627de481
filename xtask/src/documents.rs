//! The generated tables of the documents, and the routes of `cargo lambda watch`.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

use crate::Failure;
use crate::operation::Operation;
use crate::section::Document;

/// The part of a path that the tables shorten to `{a}`.
const ACCOUNT: &str = "/v1/accounts/{accountId}";

/// Returns the workspace's manifest with the routes of `cargo lambda watch`.
pub(crate) fn router(root: &Path, operations: &[Operation]) -> Result<Document, Failure> {
    let mut paths = BTreeMap::<&str, Vec<(&str, &str)>>::new();
    for operation in operations {
        for route in &operation.routes {
            let functions = paths.entry(route.path()).or_default();
            functions.push((route.method(), &operation.name));
        }
    }
    let mut text = String::new();
    for (path, functions) in paths {
        if let [(_, function)] = functions.as_slice() {
            let _ = writeln!(text, "{path:?} = {function:?}");
            continue;
        }
        let functions = functions.iter().map(|(method, function)| {
            format!("    {{ function = {function:?}, method = {method:?} }},\n")
        });
        let functions: String = functions.collect();
        let _ = writeln!(text, "{path:?} = [\n{functions}]");
    }
    Document::with_parts(root, "Cargo.toml", &[("routes", text)])
}

/// Returns the README with its table of routes.
pub(crate) fn readme(root: &Path, operations: &[Operation]) -> Result<Document, Failure> {
    let mut text = "| route | what it does |\n|---|---|\n".to_owned();
    for (routes, operation) in by_route(operations) {
        let _ = writeln!(text, "| {routes} | {} |", operation.summary);
    }
    Document::with_parts(root, "README.md", &[("routes", text)])
}

/// Returns the document of the API with its tables of routes and of other functions.
pub(crate) fn api(root: &Path, operations: &[Operation]) -> Result<Document, Failure> {
    let mut routed = "| route | function | what it does |\n|---|---|---|\n".to_owned();
    for (routes, operation) in by_route(operations) {
        let Operation { name, summary, .. } = operation;
        let details = operation
            .details
            .iter()
            .map(|details| format!("; {details}"));
        let details: String = details.collect();
        let _ = writeln!(routed, "| {routes} | {name} | {summary}{details} |");
    }
    let mut others = "| function | started by | what it does |\n|---|---|---|\n".to_owned();
    for operation in operations {
        if let Some(when) = &operation.when {
            let Operation { name, summary, .. } = operation;
            let _ = writeln!(others, "| {name} | {when} | {summary} |");
        }
    }
    let parts = [("routes", routed), ("functions without a route", others)];
    Document::with_parts(root, "docs/api.md", &parts)
}

/// Returns the functions with their routes, by caller, then by path. For equal paths, the route that creates comes
/// first.
fn by_route(operations: &[Operation]) -> Vec<(String, &Operation)> {
    let mut rows: Vec<_> = operations
        .iter()
        .filter(|operation| !operation.routes.is_empty())
        .collect();
    rows.sort_by_cached_key(|operation| {
        let first = operation.routes.first();
        first.map(|route| {
            let method = ["POST", "GET", "PUT", "PATCH", "DELETE"]
                .iter()
                .position(|method| *method == route.method());
            (route.caller, route.path().to_owned(), method)
        })
    });
    let rows = rows.into_iter().map(|operation| {
        let routes = operation.routes.iter();
        let routes = routes.map(|route| format!("`{}`", route.route.replace(ACCOUNT, "{a}")));
        (routes.collect::<Vec<_>>().join(", "), operation)
    });
    rows.collect()
}
