//! Secrets that a scanner found in public: their tokens are revoked, once per find.

use sha2::{Digest, Sha256};

use super::audit::{Action, Actor, AuditRecord, Change, Origin};
use super::ports::{Clock, Entropy, GetSecret, GetToken, PortError, RecordLeak, TokenChange};
use super::secret::{SecretHash, redact};

/// How much of a find's URL an audit record keeps, in characters.
pub const MAX_URL: usize = 2_048;

/// How much of the name of a find's kind of place an audit record keeps, in characters.
pub const MAX_PLACE: usize = 64;

/// How often a revocation is tried again when the token changes under it.
const ATTEMPTS: usize = 5;

/// A secret that was found in public.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Find {
    /// Which secret.
    pub secret: SecretHash,
    /// Where, as a link; empty if the scanner doesn't tell.
    pub url: String,
    /// In what kind of place, in the scanner's words.
    pub place: String,
    /// The SHA-256 of the report, which stands for the place if the scanner doesn't tell that.
    pub report: [u8; 32],
}

/// What tells one find from another: the secret and its place. The same find reported again, by the
/// scanner or by whoever replays its report, has the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FindId {
    secret: SecretHash,
    place: String,
}

impl FindId {
    /// The found secret.
    pub fn secret(&self) -> SecretHash {
        self.secret
    }

    /// The place, as 64 hexadecimal digits: it may have whatever somebody named a file.
    pub fn place(&self) -> &str {
        &self.place
    }
}

impl Find {
    /// What tells this find from another.
    pub fn id(&self) -> FindId {
        let mut digest = Sha256::new();
        let place = if self.url.is_empty() {
            &self.report[..]
        } else {
            self.url.as_bytes()
        };
        for part in [self.place.as_bytes(), place] {
            // With the length, so that no two finds run together to the same bytes.
            digest.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
            digest.update(part);
        }
        FindId {
            secret: self.secret,
            place: digest
                .finalize()
                .iter()
                .map(|byte| format!("{byte:02x}"))
                .collect(),
        }
    }

    /// What the audit record says of it, beside what changed.
    fn changes(&self) -> Vec<Change> {
        [
            ("leakUrl", &self.url, MAX_URL),
            ("leakPlace", &self.place, MAX_PLACE),
        ]
        .into_iter()
        .filter(|(_, text, _)| !text.is_empty())
        .map(|(field, text, most)| {
            // In this order: without its control characters a text may have a secret that it had not before.
            let text: String = text.chars().filter(|c| !c.is_control()).collect();
            let text = redact(&text).chars().take(most).collect();
            Change::new(field, None, Some(text))
        })
        .collect()
    }
}

/// What a find turned out to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reported {
    /// The secret isn't one of a token.
    Unknown,
    /// It is, and there was nothing left to do.
    Known,
    /// It is, and its token is revoked now. This is the record of that.
    Revoked(Box<AuditRecord>),
}

/// Revokes the token of a found secret, with every secret of it, and records the leak.
///
/// One transaction and one record, a `leak` that says what it changed. A token that is known as leaked
/// is left alone, and so is one whose owner reactivated it after this very find.
///
/// # Errors
/// When the tables can't be read or written; the find is to be reported again then.
pub async fn report(
    store: &(impl GetSecret + GetToken + RecordLeak),
    system: &(impl Clock + Entropy),
    find: &Find,
    origin: &Origin,
) -> Result<Reported, PortError> {
    let id = find.id();
    for _ in 0..ATTEMPTS {
        let now = system.now();
        let secret = store.get_secret(&find.secret).await?;
        let Some(secret) = secret.filter(|secret| !secret.is_over(now)) else {
            return Ok(Reported::Unknown);
        };
        if store.is_known(&id, now).await? {
            return Ok(Reported::Known);
        }
        let (account, token) = (&secret.account_id, &secret.token_id);
        let before = store.get_token(account, token, now).await?;
        let has_secret = |hash| hash == find.secret;
        let Some(before) = before.filter(|token| token.secret_hashes().any(has_secret)) else {
            // Deleted or replaced just now: the next read tells.
            continue;
        };
        let Some(token) = before.token.leak(Actor::github(), now) else {
            store.remember_find(&id, now).await?;
            return Ok(Reported::Known);
        };
        let mut change =
            TokenChange::new(before, token, Action::Leak, origin.clone(), now, system)?;
        change.audit.changes.extend(find.changes());
        match store.record_leak(&id, &change).await {
            Ok(()) => return Ok(Reported::Revoked(Box::new(change.audit))),
            Err(PortError::Conflict) => {}
            Err(error) => return Err(error),
        }
    }
    Err(PortError::Unavailable(
        "a leaked token changes again and again".into(),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    fn find(url: &str, place: &str) -> Find {
        Find {
            secret: testing::stored_token().secret_hash,
            url: url.into(),
            place: place.into(),
            report: [1; 32],
        }
    }

    #[test]
    fn a_find_is_told_by_its_secret_and_its_place() {
        let one = find("https://example.com/a", "commit");
        assert_eq!(one.id(), one.clone().id());
        let elsewhere = Find {
            report: [2; 32],
            ..one.clone()
        };
        assert_eq!(one.id(), elsewhere.id());
        for other in [
            find("https://example.com/b", "commit"),
            find("https://example.com/a", "content"),
            find("https://example.com/", "acommit"),
            find("", "commit"),
        ] {
            assert_ne!(one.id(), other.id(), "{other:?}");
        }
        let nowhere = find("", "");
        let again = Find {
            report: [2; 32],
            ..nowhere.clone()
        };
        assert_ne!(nowhere.id(), again.id());
    }

    #[test]
    fn the_record_keeps_a_bounded_place_without_secrets() {
        let secret = "lka_9zuQWWzsuUItctynUYyncDlKI5ZTuPizoWXgXaviRS63nAJ1Y";
        let url = format!("https://example.com/{secret}\r\n{}", "é".repeat(3_000));
        let changes = find(&url, &"c".repeat(100)).changes();
        let of = |index: usize| changes[index].new.clone().unwrap();
        assert!(
            of(0).starts_with("https://example.com/lka_[redacted]éé"),
            "{}",
            of(0)
        );
        let broken = url.replace("lka_", "lk\u{1}a_");
        assert_eq!(find(&broken, "").changes()[0].new, Some(of(0)));
        assert_eq!(of(0).chars().count(), MAX_URL);
        assert_eq!(of(1).len(), MAX_PLACE);
        assert_eq!(find("", "").changes(), []);
    }
}
