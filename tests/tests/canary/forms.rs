//! The forms in which a secret may lie somewhere.

use std::collections::BTreeSet;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use sha2::{Digest, Sha256};

/// A run of this many of a secret's characters is a find. With 15 known characters, 28 random ones are unknown, which
/// can't be guessed.
pub(crate) const LEAST: usize = 16;

/// One form of a secret.
#[derive(Debug, Clone)]
pub(crate) struct Form {
    /// What the form is called.
    pub(crate) name: &'static str,
    /// The bytes of the whole secret in that form.
    pub(crate) bytes: Vec<u8>,
    /// How many of these bytes in a row are a find.
    pub(crate) least: usize,
}

impl Form {
    fn new(name: &'static str, bytes: impl Into<Vec<u8>>, least: usize) -> Self {
        let bytes = bytes.into();
        Self { name, bytes, least }
    }
}

/// Returns the forms of a secret.
pub(crate) fn forms(secret: &str) -> Vec<Form> {
    let each = |form: &dyn Fn(char) -> String| secret.chars().map(form).collect::<String>();
    let reversed: String = secret.chars().rev().collect();
    let full_width =
        |c: char| char::from_u32(u32::from(c) + 0xfee0).map_or_else(String::new, String::from);
    let mut forms = vec![
        Form::new("as it is", secret, LEAST),
        Form::new("reversed", reversed, LEAST),
        Form::new("in lower case", secret.to_lowercase(), LEAST),
        Form::new("in upper case", secret.to_uppercase(), LEAST),
        Form::new("in hex", hex::encode(secret), 2 * LEAST),
        Form::new("in hex, upper case", hex::encode_upper(secret), 2 * LEAST),
        Form::new(
            "percent-encoded",
            each(&|c| format!("%{:02X}", u32::from(c))),
            3 * LEAST,
        ),
        Form::new(
            "percent-encoded, lower case",
            each(&|c| format!("%{:02x}", u32::from(c))),
            3 * LEAST,
        ),
        Form::new(
            "in JSON's escapes",
            each(&|c| format!("\\u{:04x}", u32::from(c))),
            6 * LEAST,
        ),
        // The bytes of big and of little endian, apart from the first and the last one.
        Form::new("in UTF-16", each(&|c| format!("{c}\0")), 2 * LEAST),
        Form::new(
            "in UTF-16, in JSON",
            each(&|c| format!("{c}\\u0000")),
            7 * LEAST,
        ),
        Form::new("in full width", each(&full_width), 3 * LEAST),
    ];
    for (name, text) in base64(secret) {
        // Four characters of base64 are three of the secret.
        forms.push(Form::new(name, text, LEAST / 3 * 4));
    }
    forms
}

/// Returns the base64 of a secret at each of the three places within a group, without the characters that depend on
/// what stands before and behind it.
pub(crate) fn base64(secret: &str) -> Vec<(&'static str, String)> {
    let mut found = Vec::new();
    let mut known = BTreeSet::new();
    for (before, names) in [
        (0, ["in base64", "in base64url"]),
        (
            1,
            ["in base64, after one byte", "in base64url, after one byte"],
        ),
        (
            2,
            [
                "in base64, after two bytes",
                "in base64url, after two bytes",
            ],
        ),
    ] {
        let text = format!("{}{secret}", &"\0\0"[..before]);
        let whole = text.len() / 3 * 4;
        let first = (before * 8).div_ceil(6);
        for (name, engine) in names.into_iter().zip([&STANDARD, &URL_SAFE]) {
            let digits = engine.encode(&text)[first..whole].to_owned();
            // Both alphabets write most secrets alike.
            if known.insert(digits.clone()) {
                found.push((name, digits));
            }
        }
    }
    found
}

/// Returns the forms of a secret's hash, under which the tables know it.
pub(crate) fn hashes(secret: &str) -> Vec<Form> {
    let digest = Sha256::digest(secret);
    let whole = |name, text: String| {
        let least = text.len();
        Form::new(name, text, least)
    };
    vec![
        whole("as its hash", hex::encode(digest)),
        whole("as its hash, upper case", hex::encode_upper(digest)),
        whole(
            "as its hash in base64",
            STANDARD.encode(digest)[..42].to_owned(),
        ),
        whole(
            "as its hash in base64url",
            URL_SAFE.encode(digest)[..42].to_owned(),
        ),
    ]
}
