//! The parts of the documents that tests write.

use std::path::{Path, PathBuf};

/// A part of a document between two marks, which bear its name.
pub struct Section {
    file: PathBuf,
    before: String,
    text: String,
    after: String,
}

impl Section {
    /// Finds a part of a document, which is named from the root of the repository.
    ///
    /// # Panics
    /// When the document has no such part.
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

    /// What it says.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Has it say something else.
    ///
    /// # Panics
    /// When the document can't be written.
    pub fn write(&self, text: &str) {
        std::fs::write(&self.file, [&self.before, text, &self.after].concat()).unwrap();
    }

    /// Makes sure that it says this; with `LATCHKEY_UPDATE=1`, has it say so.
    ///
    /// # Panics
    /// When it says something else.
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
