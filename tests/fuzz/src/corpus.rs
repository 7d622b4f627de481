//! The committed inputs, and the dictionary.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use contract::Description;
use serde_json::Value;

use crate::check::texts;

/// Returns the folder of the committed inputs.
pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus")
}

/// Returns the committed inputs of a target, by the names of their files.
///
/// # Panics
/// If the target has none.
pub fn inputs(target: &str) -> Vec<(String, Vec<u8>)> {
    let folder = folder().join(target);
    let files = fs::read_dir(&folder).unwrap_or_else(|error| {
        panic!("`{target}` has no inputs in {}: {error}", folder.display())
    });
    let mut inputs: Vec<_> = files
        .map(|file| {
            let file = file.unwrap();
            let name = file.file_name().into_string().unwrap();
            (name, fs::read(file.path()).unwrap())
        })
        .collect();
    inputs.sort();
    assert!(!inputs.is_empty(), "{} is empty", folder.display());
    inputs
}

/// Words that the description of the API doesn't have.
#[rustfmt::skip]
const WORDS: &[&str] = &[
    "lka_9zuQWWzsuUItctynUYyncDlKI5ZTuPizoWXgXaviRS63nAJ1Y",
    "lka_9zuQWWzsuUItctynUYyncDlKI5ZTuPizoWXg",
    "lka_", "lki_", "Bearer ", "Basic ", "tok_", "aud_", "\\u0000", "\\ud800", "%00", "%2f", "%25", "\u{202e}",
    "\u{200b}", "\u{feff}", "\u{fffd}", "ﷺ", "🏴", "é", "null", "true", "[]", "{}", "\"\"", "-0", "1e999", "1.0",
    "9223372036854775807", "18446744073709551616", "0x10", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999Z",
    "-9999-01-01T00:00:00Z", "2026-11-23T10:00:00Z", "2026-13-45T25:61:61Z", "0.0.0.0/0", "::/0", "192.0.2.1/33",
    "::ffff:192.0.2.1", "W/\"1\"", "\"1\"", "*", ";q=0", ";q=1.5", ";charset=utf-8", ";charset=\"", "text/csv",
    "application/json", "application/merge-patch+json", "application/x-www-form-urlencoded", "\nif-match: ",
    "\nif-none-match: ", "\nidempotency-key: ", "\naccept: ", "\naccept-language: ", "\naccept-encoding: ",
    "\nuser-agent: ", "\nauthorization: ", "\ncontent-type: ", "\nhost: ", "\norigin: ", "\nsec-fetch-site: ",
    "\nx-forwarded-proto: ", "&token=", "&client_ip=", "&client_id=", "&client_secret=", "?cursor=", "&limit=", "/v1/",
    "/..", "//", "=cmd|'/c'!A1", "\r\n", "Mozilla/5.0 (", "Chrome/126.0",
];

/// Returns the dictionary: every name and word in the API's description, and some that parsers take specially.
pub fn dictionary() -> Vec<Vec<u8>> {
    let mut words: BTreeSet<Vec<u8>> = WORDS.iter().map(|word| word.as_bytes().into()).collect();
    let described = Description::of_the_code();
    for part in ["components", "paths"] {
        collect(&described[part], &mut words);
    }
    words.into_iter().collect()
}

/// Collects the names of properties and parameters, and the words of enumerations.
fn collect(described: &Value, words: &mut BTreeSet<Vec<u8>>) {
    match described {
        Value::Object(members) => {
            for name in described["properties"].as_object().into_iter().flatten() {
                words.insert(format!("\"{}\":", name.0).into());
            }
            for word in texts(&described["enum"]) {
                words.insert(word.into());
            }
            if let (Some(name), true) = (described["name"].as_str(), described["in"].is_string()) {
                words.insert(format!("&{name}=").into());
            }
            members.values().for_each(|member| collect(member, words));
        }
        Value::Array(items) => items.iter().for_each(|item| collect(item, words)),
        _ => {}
    }
}
