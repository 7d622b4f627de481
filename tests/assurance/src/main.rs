//! Writes the table of `docs/assurance.md` from the reports of a long run. `make torture` calls it.

use std::error::Error;
use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, ExitCode};

use assurance::{FOLDER, Suite, grouped};

const DOCUMENT: &str = "docs/assurance.md";
const BEGIN: &str = "<!-- suites: written by make torture -->\n";
const END: &str = "<!-- /suites -->\n";

fn main() -> ExitCode {
    match write() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // If this fails, the exit code still says it.
            let _ = writeln!(std::io::stderr(), "{error}");
            ExitCode::FAILURE
        }
    }
}

fn write() -> Result<(), Box<dyn Error>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let suites = reports(&root.join(FOLDER))?;
    let revision = Command::new("git")
        .args(["describe", "--always", "--dirty", "--abbrev=10"])
        .current_dir(&root)
        .output()?;
    let revision = String::from_utf8(revision.stdout)?;
    let cores = std::thread::available_parallelism()?;
    let table = format!(
        "A run of the version {}, on a machine with {cores} cores.\n\n{}",
        revision.trim(),
        table(&suites)
    );
    let file = root.join(DOCUMENT);
    let text = fs::read_to_string(&file)?;
    let parts = text.split_once(BEGIN).and_then(|(before, rest)| {
        let (_, after) = rest.split_once(END)?;
        Some((before, after))
    });
    let (before, after) = parts.ok_or(format!("{DOCUMENT} has no table of suites"))?;
    fs::write(file, [before, BEGIN, &table, END, after].concat())?;
    Ok(())
}

/// Returns the reports of long runs, by name.
fn reports(folder: &Path) -> Result<Vec<Suite>, Box<dyn Error>> {
    let mut suites = Vec::new();
    for entry in fs::read_dir(folder)? {
        let suite: Suite = serde_json::from_slice(&fs::read(entry?.path())?)?;
        if !suite.long {
            return Err(format!("{} did not run at length; run `make torture`", suite.name).into());
        }
        suites.push(suite);
    }
    suites.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(suites)
}

fn table(suites: &[Suite]) -> String {
    let mut table = String::from(
        "| suite | minutes | what it did | planted faults that it found | run it alone |\n|---|---|---|---|---|\n",
    );
    for suite in suites {
        let figures = suite
            .figures
            .iter()
            .map(|(what, count)| format!("{} {what}", grouped(*count)));
        let figures = figures.collect::<Vec<_>>().join("; ");
        let planted = suite.planted.join("; ");
        let minutes = suite.seconds.div_ceil(60);
        // A `String` takes every text.
        let _ = writeln!(
            table,
            "| [{0}](#{0}) | {minutes} | {figures} | {planted} | `{1}` |",
            suite.name, suite.command
        );
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_says_what_a_suite_did_and_how_to_repeat_it() {
        let suite = Suite {
            name: "kills".into(),
            command: "make test ARGS=x".into(),
            long: true,
            seconds: 61,
            figures: vec![("kills".into(), 1_234), ("requests".into(), 1_000_000)],
            planted: vec!["a lost mail".into()],
        };
        let table = table(&[suite]);
        let row = "| [kills](#kills) | 2 | 1,234 kills; 1,000,000 requests | a lost mail | `make test ARGS=x` |\n";
        assert!(table.ends_with(row), "{table}");
    }
}
