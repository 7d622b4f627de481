//! Files with generated parts between two marks.

use std::path::{Path, PathBuf};

use crate::{Failure, read, told};

/// The text of a mark after the part's name.
const WRITTEN: &str = ": written by `cargo xtask generate`";

/// A file as it is and as it should be.
#[derive(Debug)]
pub(crate) struct Document {
    path: PathBuf,
    found: String,
    text: String,
}

impl Document {
    /// Creates it for a file with generated parts.
    ///
    /// # Errors
    /// If the file can't be read or lacks a mark.
    pub(crate) fn with_parts(
        root: &Path,
        file: &str,
        parts: &[(&str, String)],
    ) -> Result<Self, Failure> {
        let (path, found) = read(root, file)?;
        let mut text = found.clone();
        for (name, part) in parts {
            text = put(&text, name, part).map_err(|failure| told(&path, &failure))?;
        }
        Ok(Self { path, found, text })
    }

    /// Creates it for a file that is generated as a whole.
    pub(crate) fn whole(root: &Path, file: &str, text: String) -> Self {
        // A missing file counts as a different one.
        let found = read(root, file).map(|(_, found)| found).unwrap_or_default();
        let path = root.join(file);
        Self { path, found, text }
    }

    /// Returns the file's path.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the text that the file should have.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// Whether the file has another text.
    pub(crate) fn is_stale(&self) -> bool {
        self.found != self.text
    }
}

/// Replaces a part between its marks. The marks are comments in the file's language, each on its own line. The part
/// gets the first mark's indentation.
///
/// # Errors
/// If a mark is missing.
fn put(text: &str, name: &str, part: &str) -> Result<String, Failure> {
    let is_begin = |line: &str| within_comment(line) == format!("{name}{WRITTEN}");
    let is_end = |line: &str| within_comment(line) == format!("/{name}");
    let lines: Vec<_> = text.lines().collect();
    let begin = lines.iter().position(|line| is_begin(line));
    let begin = begin.ok_or_else(|| format!("has no mark `{name}{WRITTEN}`"))?;
    let end = lines.iter().skip(begin).position(|line| is_end(line));
    let end = begin + end.ok_or_else(|| format!("has no mark `/{name}`"))?;
    let (before, rest) = lines.split_at(begin + 1);
    let after = rest.iter().skip(end - begin - 1);
    let indent = lines.get(begin).map_or("", |line| leading(line));
    let indented = |line: &str| match line {
        "" => String::new(),
        line => format!("{indent}{line}"),
    };
    let part = part.lines().map(indented);
    let before = before.iter().map(ToString::to_string);
    let all: Vec<_> = before
        .chain(part)
        .chain(after.map(ToString::to_string))
        .collect();
    Ok(all.join("\n") + "\n")
}

fn within_comment(line: &str) -> &str {
    let line = line.trim();
    let html = line
        .strip_prefix("<!-- ")
        .and_then(|line| line.strip_suffix(" -->"));
    html.or_else(|| line.strip_prefix("# ")).unwrap_or_default()
}

fn leading(line: &str) -> &str {
    line.strip_suffix(line.trim_start()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_put_between_its_marks_and_nothing_else_changes() {
        let text = "a:\n  # b: written by `cargo xtask generate`\n  old\n  # /b\n  c\n";
        let new = put(text, "b", "one\n\n  two\n").unwrap();
        let expected =
            "a:\n  # b: written by `cargo xtask generate`\n  one\n\n    two\n  # /b\n  c\n";
        assert_eq!(new, expected);
        assert_eq!(put(&new, "b", "one\n\n  two\n").unwrap(), expected);
    }

    #[test]
    fn comments_of_documents_are_marks_too() {
        let text = "<!-- b: written by `cargo xtask generate` -->\n<!-- /b -->\n";
        let new = put(text, "b", "| one |\n").unwrap();
        assert_eq!(
            new,
            "<!-- b: written by `cargo xtask generate` -->\n| one |\n<!-- /b -->\n"
        );
    }

    #[test]
    fn a_mark_that_is_missing_is_told() {
        assert!(
            put("", "b", "")
                .unwrap_err()
                .contains("no mark `b: written")
        );
        let open = "# b: written by `cargo xtask generate`\n";
        assert!(put(open, "b", "").unwrap_err().contains("no mark `/b`"));
    }
}
