//! The project's own tasks.
//!
//! `cargo xtask generate` writes everything that follows from the list of operations, which are the files
//! `operation.toml` beside the handlers: the functions' parts of the template, the routes of `cargo lambda watch`, the
//! tables of the documents, the operations' names in the log, and the contract tests' calls of the handlers. With `--check` it writes nothing, and fails
//! if a file would change.

mod contract;
mod documents;
mod fragments;
mod operation;
mod routes;
mod section;
mod template;

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use fragments::Fragments;
use operation::Operation;
use section::Document;

/// The text of an error, for the person who runs the task.
type Failure = String;

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    let done = match arguments.as_slice() {
        ["generate"] => generate().and_then(|files| write(&files)),
        ["generate", "--check"] => generate().and_then(|files| check(&files)),
        _ => Err("usage: cargo xtask generate [--check]".into()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            // If this fails, the exit code still says it.
            let _ = writeln!(std::io::stderr(), "{failure}");
            ExitCode::FAILURE
        }
    }
}

/// Returns every file with generated content, as it should be.
///
/// # Errors
/// If a file can't be read or is invalid.
fn generate() -> Result<Vec<Document>, Failure> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let operations = Operation::all(&root)?;
    let fragments = Fragments::read(&root)?;
    Ok(vec![
        template::template(&root, &operations, &fragments)?,
        documents::router(&root, &operations)?,
        documents::readme(&root, &operations)?,
        documents::api(&root, &operations)?,
        contract::dependencies(&root, &operations)?,
        contract::operations(&root, &operations)?,
        routes::routes(&root, &operations)?,
    ])
}

fn write(files: &[Document]) -> Result<(), Failure> {
    for file in files.iter().filter(|file| file.is_stale()) {
        fs::write(file.path(), file.text()).map_err(|error| told(file.path(), &error))?;
    }
    Ok(())
}

fn check(files: &[Document]) -> Result<(), Failure> {
    let stale = files.iter().filter(|file| file.is_stale());
    let stale: Vec<_> = stale
        .map(|file| file.path().display().to_string())
        .collect();
    if stale.is_empty() {
        return Ok(());
    }
    let stale = stale.join("\n  ");
    Err(format!(
        "Not as the operations say; `cargo xtask generate` writes them anew:\n  {stale}"
    ))
}

/// Reads a file below the repository's root. Returns its path and its text.
///
/// # Errors
/// If the file can't be read.
fn read(root: &Path, file: &str) -> Result<(PathBuf, String), Failure> {
    let path = root.join(file);
    let text = fs::read_to_string(&path).map_err(|error| told(&path, &error))?;
    Ok((path, text))
}

/// Returns the text of an error about a file.
fn told(path: &Path, error: &dyn std::fmt::Display) -> Failure {
    format!("{}: {error}", path.display())
}
