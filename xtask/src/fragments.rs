//! The parts of the template that several functions share: `infra/fragments.yaml`.
//!
//! They are handled as text, so that CloudFormation's tags and the comments stay as they are.

use std::collections::BTreeMap;
use std::path::Path;

use crate::{Failure, read};

/// Environment variables and statements, by their names.
#[derive(Debug)]
pub(crate) struct Fragments {
    variables: BTreeMap<String, String>,
    statements: BTreeMap<String, String>,
}

impl Fragments {
    /// Reads `infra/fragments.yaml`.
    ///
    /// # Errors
    /// If the file can't be read.
    pub(crate) fn read(root: &Path) -> Result<Self, Failure> {
        let (_, text) = read(root, "infra/fragments.yaml")?;
        Ok(Self::parse(&text))
    }

    fn parse(text: &str) -> Self {
        Self {
            variables: entries(text, "Variables:"),
            statements: entries(text, "Statements:"),
        }
    }

    /// Returns an environment variable with its value, for `function`.
    ///
    /// # Errors
    /// If the file doesn't have the variable.
    pub(crate) fn variable(&self, name: &str, function: &str) -> Result<String, Failure> {
        let value = self.variables.get(name);
        let value = value.ok_or_else(|| format!("infra/fragments.yaml has no variable {name}"))?;
        Ok(format!("{name}:{}", filled(value, function)))
    }

    /// Returns the statements with that name, for `function`.
    ///
    /// # Errors
    /// If the file doesn't have them.
    pub(crate) fn statements(&self, name: &str, function: &str) -> Result<String, Failure> {
        let statements = self.statements.get(name);
        let statements =
            statements.ok_or_else(|| format!("infra/fragments.yaml has no statements {name}"))?;
        let lines = statements.lines().skip(1);
        let lines: Vec<_> = lines
            .map(|line| line.strip_prefix("  ").unwrap_or(line))
            .collect();
        Ok(filled(&lines.join("\n"), function))
    }
}

fn filled(text: &str, function: &str) -> String {
    text.replace("${Function}", function)
}

/// Returns the entries below a key of the file, by name and without their indentation.
fn entries(text: &str, key: &str) -> BTreeMap<String, String> {
    let below = text.lines().skip_while(|line| *line != key).skip(1);
    let below = below.take_while(|line| line.is_empty() || line.starts_with(' '));
    let mut entries = BTreeMap::<String, String>::new();
    let mut name = String::new();
    for line in below {
        let line = line.strip_prefix("  ").unwrap_or(line);
        match line.split_once(':') {
            Some((entry, rest)) if !line.starts_with([' ', '#', '-']) => {
                name = entry.to_owned();
                entries.insert(name.clone(), rest.to_owned());
            }
            _ => {
                if let Some(entry) = entries.get_mut(&name) {
                    entry.push('\n');
                    entry.push_str(line);
                }
            }
        }
    }
    for entry in entries.values_mut() {
        entry.truncate(entry.trim_end().len());
    }
    entries
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
# Shared.
Variables:
  ONE: !Ref One
  TWO: !If
    - IsAws
    - ${Function}

Statements:
  Send:
    - Sid: Send
      # Why.
      Effect: Allow
";

    #[test]
    fn a_fragment_is_text_without_its_place() {
        let fragments = Fragments::parse(TEXT);
        assert_eq!(fragments.variable("ONE", "F").unwrap(), "ONE: !Ref One");
        let two = fragments.variable("TWO", "F").unwrap();
        assert_eq!(two, "TWO: !If\n  - IsAws\n  - F");
        let send = fragments.statements("Send", "F").unwrap();
        assert_eq!(send, "- Sid: Send\n  # Why.\n  Effect: Allow");
        assert!(
            fragments
                .variable("THREE", "F")
                .unwrap_err()
                .contains("no variable THREE")
        );
        assert!(
            fragments
                .statements("Ask", "F")
                .unwrap_err()
                .contains("no statements Ask")
        );
    }
}
