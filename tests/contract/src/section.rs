//! The sections of documents that tests generate.

use std::path::{Path, PathBuf};

/// A section of a document between two marks with its name.
pub struct Section {
    file: PathBuf,
    before: String,
    text: String,
    after: String,
}

impl Section {
    /// Finds a section. `document` is a path from the root of the repository.
    ///
    /// # Panics
    /// The document has no such section.
    pub fn of(document: &str, name: &str) -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let file = root.join(document);
        let whole = std::fs::read_to_string(&file).unwrap();
        let begin = format!("<!-- {name}: written by tests/contract -->\n");
        let end = format!("<!-- /{name} -->\n");
        let (before, rest) = whole.split_once(&begin).unwrap();
        let (text, after) = rest.split_once(&end).unwrap();
        Self {
            file,
            before: before.to_owned() + &begin,
            text: text.into(),
            after: end.clone() + after,
        }
    }

    /// The text of the section.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Replaces the text of the section.
    ///
    /// # Panics
    /// The document can't be written.
    pub fn write(&self, text: &str) {
        std::fs::write(&self.file, [&self.before, text, &self.after].concat()).unwrap();
    }

    /// Asserts that the section has this text. With `LATCHKEY_UPDATE_DOCS=1`, writes it instead.
    ///
    /// # Panics
    /// The section has another text.
    pub fn must_be(&self, text: &str) {
        if std::env::var_os("LATCHKEY_UPDATE_DOCS").is_some() {
            self.write(text);
            return;
        }
        assert_eq!(
            self.text,
            text,
            "{} says otherwise; LATCHKEY_UPDATE_DOCS=1 writes it anew",
            self.file.display()
        );
    }
}
