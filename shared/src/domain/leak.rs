//! Secrets that a scanner found in a public place.

use super::audit::Change;
use super::secret::SecretHash;
use super::text::recorded;

/// The maximum length of a find's URL in an audit record, in characters.
pub const MAX_URL: usize = 2_048;

/// The maximum length of a find's kind of place in an audit record, in characters.
pub const MAX_SOURCE_KIND: usize = 64;

/// The reason of a revocation after a leak.
pub const LEAKED: &str = "leaked";

/// A secret that was found in a public place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Find {
    /// The hash of the secret.
    pub secret: SecretHash,
    /// The link to the place; empty if the scanner gives none.
    pub url: String,
    /// The kind of place, as the scanner names it.
    pub source_kind: String,
}

impl Find {
    /// The entries that the find adds to the audit record's changes.
    pub fn changes(&self) -> Vec<Change> {
        [
            ("leakUrl", &self.url, MAX_URL),
            ("leakPlace", &self.source_kind, MAX_SOURCE_KIND),
        ]
        .into_iter()
        .filter(|(_, text, _)| !text.is_empty())
        .map(|(field, text, most)| Change::new(field, None, Some(recorded(text, most))))
        .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    fn find(url: &str, source_kind: &str) -> Find {
        Find {
            secret: testing::stored_token().secret_hash,
            url: url.into(),
            source_kind: source_kind.into(),
        }
    }

    #[test]
    fn the_record_keeps_a_bounded_place_without_secrets() {
        let secret = "lka_9zuQWWzsuUItctynUYyncDlKI5ZTuPizoWXgXaviRS63nAJ1Y";
        let url = format!("https://example.com/{secret}\r\n{}", "é".repeat(3_000));
        let changes = find(&url, &"c".repeat(100)).changes();
        let of = |index: usize| changes[index].new.clone().unwrap();
        assert!(
            of(0).starts_with(r"https://example.com/lka_[redacted]\r\néé"),
            "{}",
            of(0)
        );
        let broken = url.replace("lka_", "lk\u{1}a_");
        assert_eq!(find(&broken, "").changes()[0].new, Some(of(0)));
        assert_eq!(of(0).chars().count(), MAX_URL);
        assert_eq!(of(1).len(), MAX_SOURCE_KIND);
        assert_eq!(find("", "").changes(), []);
    }
}
