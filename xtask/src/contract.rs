//! The contract tests' calls of the handlers of all described operations.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use syn::{FnArg, Item, Pat, Type, TypeParamBound};

use crate::operation::Operation;
use crate::section::Document;
use crate::{Failure, read, told};

/// The parameters that handlers may have, by name, and the tests' arguments for them.
const ARGUMENTS: [(&str, &str); 7] = [
    ("store", "store"),
    ("vault", "vault"),
    ("system", "system"),
    ("clock", "system"),
    ("console", "console"),
    ("step_up", "call.wanted_step_up()"),
    ("request", "request"),
];

/// Returns the tests' manifest, which names every function's crate.
///
/// # Errors
/// If the file can't be read or lacks its marks.
pub(crate) fn dependencies(root: &Path, operations: &[Operation]) -> Result<Document, Failure> {
    let crates = |of_api: bool| -> String {
        let these = operations
            .iter()
            .filter(|operation| is_of_api(operation) == of_api);
        let these = these.map(|Operation { name, .. }| {
            format!("{name} = {{ path = \"../../functions/{name}\" }}\n")
        });
        these.collect()
    };
    let parts = [
        ("operations", crates(true)),
        ("other functions", crates(false)),
    ];
    Document::with_parts(root, "tests/contract/Cargo.toml", &parts)
}

fn is_of_api(operation: &Operation) -> bool {
    operation.described && !operation.routes.is_empty()
}

/// A handler's signature.
#[derive(Debug, Default)]
struct Handler {
    is_async: bool,
    arguments: Vec<&'static str>,
    ports: BTreeSet<String>,
}

impl Handler {
    /// Reads the signature of `handle`.
    ///
    /// # Errors
    /// If the source has none, or one of another form.
    fn of(source: &str) -> Result<Self, Failure> {
        let file = syn::parse_file(source).map_err(|error| error.to_string())?;
        let mut functions = file.items.iter().filter_map(|item| match item {
            Item::Fn(function) => Some(&function.sig),
            _ => None,
        });
        let signature = functions.find(|signature| signature.ident == "handle");
        let signature = signature.ok_or("has no function `handle`")?;
        let mut handler = Self {
            is_async: signature.asyncness.is_some(),
            ..Self::default()
        };
        for argument in &signature.inputs {
            let FnArg::Typed(argument) = argument else {
                return Err("`handle` is a function, and takes no `self`".into());
            };
            let name = match &*argument.pat {
                Pat::Ident(name) => name.ident.to_string(),
                _ => String::new(),
            };
            let given = ARGUMENTS.iter().find(|(parameter, _)| *parameter == name);
            let Some((_, given)) = given else {
                let known = ARGUMENTS.map(|(parameter, _)| parameter).join("`, `");
                return Err(format!("`handle` takes `{name}`; the tests know `{known}`"));
            };
            if name == "store" {
                handler.ports = traits(&argument.ty)?;
            }
            handler.arguments.push(given);
        }
        Ok(handler)
    }

    fn call(&self, module: &str) -> String {
        let wait = if self.is_async { ".await" } else { "" };
        format!("{module}::handle({}){wait}", self.arguments.join(", "))
    }
}

/// Returns the traits of a type `&impl …`.
///
/// # Errors
/// If the type has another form.
fn traits(kind: &Type) -> Result<BTreeSet<String>, Failure> {
    match kind {
        Type::Reference(reference) => traits(&reference.elem),
        Type::Paren(inner) => traits(&inner.elem),
        Type::ImplTrait(implemented) => {
            let names = implemented.bounds.iter().filter_map(|bound| match bound {
                TypeParamBound::Trait(bound) => bound.path.segments.last(),
                _ => None,
            });
            Ok(names.map(|name| name.ident.to_string()).collect())
        }
        _ => Err("`handle` takes its store as `&impl …`".into()),
    }
}

/// Returns the Rust file with the operations and the calls of their handlers.
///
/// # Errors
/// If a handler can't be read or has an unknown parameter.
pub(crate) fn operations(root: &Path, operations: &[Operation]) -> Result<Document, Failure> {
    let mut ports = BTreeSet::new();
    let mut described = String::new();
    let mut routes = Vec::new();
    let mut arms = String::new();
    for operation in operations.iter().filter(|operation| is_of_api(operation)) {
        let module = operation.module();
        let (path, source) = read(
            root,
            &format!("functions/{}/src/handler.rs", operation.name),
        )?;
        let handler = Handler::of(&source).map_err(|failure| told(&path, &failure))?;
        let names = operation
            .routes
            .iter()
            .map(|route| format!("{:?}", route.name));
        let names: Vec<_> = names.collect();
        arms += &format!("{} => {},\n", names.join(" | "), handler.call(&module));
        ports.extend(handler.ports);
        described += &match operation.routes.len() {
            1 => format!("described.push({module}::operation());\n"),
            _ => format!("described.extend({module}::operations());\n"),
        };
        routes.extend(operation.routes.iter());
    }
    routes.sort_by_key(|route| (route.path(), route.method()));
    let rows = routes.iter().map(|route| {
        let (name, method, path) = (&route.name, route.method(), route.path());
        let caller = route.caller;
        format!("Route {{ name: {name:?}, method: {method:?}, path: {path:?}, caller: CallerKind::{caller:?} }},\n")
    });
    let (rows, count): (String, _) = (rows.collect(), routes.len());
    let ports: Vec<_> = ports.into_iter().collect();
    let (names, bounds) = (ports.join(", "), ports.join(" + "));
    let text = format!(
        "\
//! The operations in the OpenAPI document, and the calls of their handlers.
//!
//! Written by `cargo xtask generate` from the functions' `operation.toml` and their handlers' signatures.

use latchkey::domain::entropy::Entropy;
use latchkey::http::caller::ConsoleClient;
use latchkey::http::openapi::{{CallerKind, Operation, Route}};
use latchkey::ports::{{Clock, DecryptSecret, EncryptSecret, {names}}};
use latchkey::testing::Answer;

use crate::Call;

/// The ports that the operations together need.
pub trait Ports: {bounds} {{}}

impl<T> Ports for T where T: {bounds} {{}}

/// The operations' routes, by path and method.
const ROUTES: [Route; {count}] = [
    {rows}
];

/// Returns every operation, by path and method.
///
/// # Panics
/// If no function describes a route's operation.
pub fn operations() -> Vec<Operation> {{
    let mut described = Vec::new();
    {described}
    ROUTES
        .iter()
        .map(|route| {{
            let mut names = described.iter().map(Operation::name);
            let found = names.position(|name| name == route.name);
            let found = found.unwrap_or_else(|| panic!(\"`{{}}` is not described\", route.name));
            described.swap_remove(found).at(route)
        }})
        .collect()
}}

/// Calls the handler of a call's operation and returns its response.
///
/// # Panics
/// If no function has that operation.
pub async fn answer(
    store: &impl Ports,
    vault: &(impl EncryptSecret + DecryptSecret),
    system: &(impl Clock + Entropy),
    call: &Call,
) -> Answer {{
    let console = &ConsoleClient::new(\"console\");
    let request = call.request();
    Answer::of(match call.operation() {{
        {arms}
        other => panic!(\"nobody answers `{{other}}`\"),
    }})
}}
"
    );
    Ok(Document::whole(
        root,
        "tests/contract/src/operations.rs",
        formatted(&text)?,
    ))
}

/// Formats Rust source as `cargo fmt` does.
///
/// # Errors
/// If rustfmt fails.
pub(crate) fn formatted(source: &str) -> Result<String, Failure> {
    let failed = |error: std::io::Error| format!("rustfmt: {error}");
    let mut rustfmt = Command::new("rustfmt")
        .args(["--edition", "2024"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(failed)?;
    let input = rustfmt.stdin.take();
    input
        .map_or(Ok(()), |mut input| input.write_all(source.as_bytes()))
        .map_err(failed)?;
    let output = rustfmt.wait_with_output().map_err(failed)?;
    if !output.status.success() {
        return Err(format!("rustfmt: {}", output.status));
    }
    String::from_utf8(output.stdout).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handlers_signature_tells_how_it_is_called() {
        let source = "
            pub async fn handle(
                store: &(impl GetAccount + latchkey::ports::GetToken),
                clock: &impl Clock,
                request: Request,
            ) -> Answer {}
        ";
        let handler = Handler::of(source).unwrap();
        assert_eq!(
            handler.call("get_token"),
            "get_token::handle(store, system, request).await"
        );
        let ports: Vec<_> = handler.ports.into_iter().collect();
        assert_eq!(ports, ["GetAccount", "GetToken"]);
        let handler = Handler::of("pub fn handle() {}").unwrap();
        assert_eq!(handler.call("describe_api"), "describe_api::handle()");
    }

    #[test]
    fn a_signature_that_the_tests_cant_call_is_told() {
        let refused = |source: &str| Handler::of(source).unwrap_err();
        assert!(refused("fn other() {}").contains("no function `handle`"));
        assert!(refused("fn handle(moon: u8) {}").contains("takes `moon`; the tests know `store`"));
        assert!(refused("fn handle(store: &Store) {}").contains("`&impl …`"));
    }
}
