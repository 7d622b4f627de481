//! The page's files, compiled in, each as it is and compressed.

use std::io::{self, Write};

use flate2::Compression;
use flate2::write::GzEncoder;
use sha2::{Digest, Sha256};

/// The page itself, with [`PLACEHOLDER`] in the addresses of its files.
const PAGE: &str = include_str!("../assets/index.html");

const PLACEHOLDER: &str = "{version}";

const SCRIPT: &str = "text/javascript; charset=utf-8";
const STYLE: &str = "text/css; charset=utf-8";

/// What the page names: file, content type, content. The scripts import each other.
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

/// A file in both of its forms.
#[derive(Debug, Clone)]
pub(crate) struct File {
    pub(crate) name: &'static str,
    pub(crate) content_type: &'static str,
    pub(crate) plain: String,
    pub(crate) gzip: Vec<u8>,
    /// A digest of the content.
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

/// A digest of the page and everything it names. It is part of the files' addresses, so browsers may
/// keep them for good, and files of two versions never meet.
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

/// The beginning of a digest: enough to tell one version from another.
fn short(hash: Sha256) -> String {
    let mut digest = hex::encode(hash.finalize());
    digest.truncate(16);
    digest
}

/// The page, naming the files of that version.
pub(crate) fn page(version: &str) -> io::Result<File> {
    let page = PAGE.replace(PLACEHOLDER, version);
    File::new("index.html", "text/html; charset=utf-8", page)
}

/// What the page names.
pub(crate) fn files() -> io::Result<Vec<File>> {
    FILES
        .into_iter()
        .map(|(name, content_type, content)| File::new(name, content_type, content.to_owned()))
        .collect()
}
