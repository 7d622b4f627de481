//! The parts of documents that tests write.

use std::path::{Path, PathBuf};

/// A part of a document between two marks with its name.
pub struct Section {
    file: PathBuf,
    before: String,
    text: String,
    after: String,
}

impl Section {
    /// Finds a part of a document. `document` is the path from the repository's root.
    ///
    /// # Panics
    /// If the document has no such part.
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

    /// Returns the part's text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Replaces the part's text.
    ///
    /// # Panics
    /// If the document can't be written.
    pub fn write(&self, text: &str) {
        std::fs::write(&self.file, [&self.before, text, &self.after].concat()).unwrap();
    }

    /// Checks that the part has this text. With `LATCHKEY_UPDATE=1`, writes it instead.
    ///
    /// # Panics
    /// If the part has another text.
    pub fn must_be(&self, text: &str) {
        if std::env::var_os("LATCHKEY_UPDATE").is_some() {
            self.write(text);
            return;
        }
        assert_eq!(
            self.text,
            text,
            "{} says otherwise; `make generate` writes it anew",
            self.file.display()
        );
    }
}
