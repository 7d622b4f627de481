//! The page's files, compiled into the program, each as plain text and compressed with gzip.

use std::io::{self, Write};

use flate2::Compression;
use flate2::write::GzEncoder;
use sha2::{Digest, Sha256};

/// The page's HTML, with [`PLACEHOLDER`] in the addresses of its files.
const PAGE: &str = include_str!("../assets/index.html");

const PLACEHOLDER: &str = "{version}";

const SCRIPT: &str = "text/javascript; charset=utf-8";
const STYLE: &str = "text/css; charset=utf-8";

/// The files that the page and its scripts refer to: name, content type, content.
const FILES: [(&str, &str, &str); 10] = [
    ("actions.js", SCRIPT, include_str!("../assets/actions.js")),
    ("api.js", SCRIPT, include_str!("../assets/api.js")),
    ("app.js", SCRIPT, include_str!("../assets/app.js")),
    ("audit.js", SCRIPT, include_str!("../assets/audit.js")),
    ("dom.js", SCRIPT, include_str!("../assets/dom.js")),
    ("form.js", SCRIPT, include_str!("../assets/form.js")),
    (
        "icon.svg",
        "image/svg+xml",
        include_str!("../assets/icon.svg"),
    ),
    ("list.js", SCRIPT, include_str!("../assets/list.js")),
    ("session.js", SCRIPT, include_str!("../assets/session.js")),
    ("style.css", STYLE, include_str!("../assets/style.css")),
];

/// A file, plain and compressed.
#[derive(Debug, Clone)]
pub(crate) struct File {
    pub(crate) name: &'static str,
    pub(crate) content_type: &'static str,
    pub(crate) plain: String,
    pub(crate) gzip: Vec<u8>,
    /// The start of the content's SHA-256, in hexadecimal.
    pub(crate) digest: String,
}

impl File {
    pub(crate) fn new(
        name: &'static str,
        content_type: &'static str,
        plain: String,
    ) -> io::Result<Self> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(plain.as_bytes())?;
        let gzip = encoder.finish()?;
        Ok(Self {
            name,
            content_type,
            digest: short(Sha256::new_with_prefix(&plain)),
            plain,
            gzip,
        })
    }
}

/// Returns a digest of the page and of all its files. It is part of the files' addresses. Browsers may therefore keep
/// the files permanently, and never mix files of two versions.
pub(crate) fn version() -> String {
    let mut hash = Sha256::new_with_prefix(PAGE);
    for (name, _, content) in FILES {
        for part in [name, content] {
            hash.update(part.len().to_be_bytes());
            hash.update(part);
        }
    }
    short(hash)
}

/// Returns the first 8 bytes of a digest in hexadecimal: enough to distinguish versions.
fn short(hash: Sha256) -> String {
    let mut digest = hex::encode(hash.finalize());
    digest.truncate(16);
    digest
}

/// Returns the page's HTML with the addresses of that version's files.
pub(crate) fn page(version: &str) -> io::Result<File> {
    let page = PAGE.replace(PLACEHOLDER, version);
    File::new("index.html", "text/html; charset=utf-8", page)
}

/// Returns the files that the page and its scripts refer to.
pub(crate) fn files() -> io::Result<Vec<File>> {
    FILES
        .into_iter()
        .map(|(name, content_type, content)| File::new(name, content_type, content.to_owned()))
        .collect()
}
