//! The parts of the README that tests write.

use std::path::{Path, PathBuf};

/// A part of the README between two marks, which bear its name.
pub struct ReadmeSection {
    file: PathBuf,
    before: String,
    text: String,
    after: String,
}

impl ReadmeSection {
    /// Finds a part.
    ///
    /// # Panics
    /// When the README has no such part.
    pub fn named(name: &str) -> Self {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../README.md");
        let readme = std::fs::read_to_string(&file).unwrap();
        let begin = format!("<!-- {name}: written by tests/contract -->\n");
        let end = format!("<!-- /{name} -->\n");
        let (before, rest) = readme.split_once(&begin).unwrap();
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
    /// When the README can't be written.
    pub fn write(&self, text: &str) {
        std::fs::write(&self.file, [&self.before, text, &self.after].concat()).unwrap();
    }

    /// Makes sure that it says this; with `LATCHKEY_UPDATE_README=1`, has it say so.
    ///
    /// # Panics
    /// When it says something else.
    pub fn must_be(&self, text: &str) {
        if std::env::var_os("LATCHKEY_UPDATE_README").is_some() {
            self.write(text);
            return;
        }
        assert_eq!(
            self.text, text,
            "the README says otherwise; LATCHKEY_UPDATE_README=1 writes it anew"
        );
    }
}
