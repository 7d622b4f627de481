//! The page's files, compiled into the program, each as plain text and compressed with gzip.

use std::io::{self, Write};
use std::sync::LazyLock;

use flate2::Compression;
use flate2::write::GzEncoder;
use include_dir::{Dir, include_dir};
use sha2::{Digest, Sha256};

/// The page's HTML, without the list of its files.
const PAGE: &str = include_str!("../assets/index.html");

/// Everything that the page is made of. A new file needs no entry anywhere.
static ASSETS: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/assets");

/// Stands in the page for the version in the addresses of its files.
const VERSION: &str = "{version}";
/// Stands in the page for its styles and scripts.
const LINKS: &str = "{files}";

/// The files that are served, by extension. Others, such as licences, only lie beside them.
const TYPES: [(&str, &str); 3] = [
    ("css", "text/css; charset=utf-8"),
    ("js", "text/javascript; charset=utf-8"),
    ("svg", "image/svg+xml"),
];

/// Where the libraries that others wrote are: they are served as they were published.
const VENDORED: &str = "vendor/";

/// All styles are served as one file of this name: together they are a third smaller.
const STYLES: &str = "page.css";

/// The files that the page and its scripts refer to, as [`read`] returns them. They are put together once a start.
static SERVED: LazyLock<Vec<(&'static str, &'static str, String)>> = LazyLock::new(read);

/// Returns the files that the page and its scripts refer to, in the order of their paths: path, content type, content.
fn read() -> Vec<(&'static str, &'static str, String)> {
    let mut found = Vec::new();
    let mut folders = vec![&ASSETS];
    while let Some(folder) = folders.pop() {
        folders.extend(folder.dirs());
        found.extend(folder.files().filter_map(|file| {
            let path = file.path().to_str()?;
            let extension = file.path().extension()?;
            let (_, content_type) = TYPES.into_iter().find(|(it, _)| *it == extension)?;
            let content = file.contents_utf8()?;
            let content = if path.starts_with(VENDORED) {
                content.to_owned()
            } else {
                compact(content)
            };
            Some((path, content_type, content))
        }));
    }
    found.sort_unstable();
    let (styles, mut found): (Vec<_>, Vec<_>) = found
        .into_iter()
        .partition(|(_, content_type, _)| content_type.starts_with("text/css"));
    if let Some((_, content_type, _)) = styles.first() {
        let together = styles.iter().map(|(_, _, content)| content.as_str());
        found.insert(0, (STYLES, content_type, together.collect()));
    }
    found
}

/// Returns a script or stylesheet without indentation and comments, which are for those who read the repository: they
/// would be a sixth of what browsers load. Only comments that have their lines for themselves count. No text of the page
/// has line feeds that mean something and blanks behind them.
fn compact(content: &str) -> String {
    let mut kept = String::with_capacity(content.len());
    let mut inside = false;
    for line in content.lines() {
        let text = line.trim();
        let begins = text.starts_with("/*");
        if inside || begins {
            inside = !text.ends_with("*/");
        } else if !text.is_empty() && !text.starts_with("//") {
            kept.push_str(text);
            kept.push('\n');
        }
    }
    kept
}

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
    for (name, _, content) in SERVED.iter() {
        for part in [*name, content.as_str()] {
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

/// Returns the page's HTML with the addresses of that version's files. It names all of them, so that the browser asks
/// for them at once, and not one import after the other. Styles apply in the order of their paths.
pub(crate) fn page(version: &str) -> io::Result<File> {
    let link = |(name, _, _): &(&str, &str, String)| {
        let rel = match name.rsplit_once('.')? {
            (_, "css") => "stylesheet",
            (_, "js") if *name != "app.js" => "modulepreload",
            _ => return None,
        };
        Some(format!(
            r#"<link rel="{rel}" href="assets/{VERSION}/{name}">"#
        ))
    };
    let links: Vec<_> = SERVED.iter().filter_map(link).collect();
    let page = PAGE
        .replace(LINKS, &links.join("\n"))
        .replace(VERSION, version);
    File::new("index.html", "text/html; charset=utf-8", page)
}

/// Returns the files that the page and its scripts refer to.
pub(crate) fn files() -> io::Result<Vec<File>> {
    SERVED
        .iter()
        .map(|(name, content_type, content)| File::new(name, content_type, content.clone()))
        .collect()
}
