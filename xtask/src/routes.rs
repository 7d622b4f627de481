//! The names of the operations by their routes, for the lines of the log.

use std::path::Path;

use crate::Failure;
use crate::contract::formatted;
use crate::operation::Operation;
use crate::section::Document;

/// Returns the Rust file that knows the operation of each route.
///
/// # Errors
/// If rustfmt fails.
pub(crate) fn routes(root: &Path, operations: &[Operation]) -> Result<Document, Failure> {
    let mut routes: Vec<_> = operations.iter().flat_map(|it| &it.routes).collect();
    routes.sort_by_key(|route| (route.path(), route.method()));
    let arms = routes
        .iter()
        .map(|route| format!("{:?} => {:?},\n", route.route, route.name));
    let arms: String = arms.collect();
    let text = format!(
        "\
//! The names of the operations by their routes.
//!
//! Written by `cargo xtask generate` from the functions' `operation.toml`.

/// Returns the name of a route's operation.
pub(super) fn operation(route: &str) -> Option<&'static str> {{
    Some(match route {{
        {arms}        _ => return None,
    }})
}}
"
    );
    Ok(Document::whole(
        root,
        "shared/src/http/routes.rs",
        formatted(&text)?,
    ))
}
