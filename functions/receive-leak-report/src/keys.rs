//! The scanner's public keys, as GitHub publishes them, and what they have signed.

use std::sync::Arc;

use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1, UnparsedPublicKey};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use tokio::sync::Mutex;

/// How long a list of keys counts without being asked for again.
const FRESH: SignedDuration = SignedDuration::from_hours(1);

/// How long a list of keys counts while no newer one can be had.
const USABLE: SignedDuration = SignedDuration::from_hours(24);

/// The least time between two requests for the keys: whoever makes up key identifiers can't have us
/// ask more often.
const PAUSE: SignedDuration = SignedDuration::from_secs(60);

/// A public key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKey {
    id: String,
    /// The X.509 `SubjectPublicKeyInfo`.
    der: Vec<u8>,
}

impl PublicKey {
    /// Whether it has signed a message: ECDSA on P-256 with SHA-256, as ASN.1.
    pub(crate) fn has_signed(&self, message: &[u8], signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, &self.der)
            .verify(message, signature)
            .is_ok()
    }
}

/// GitHub's list.
#[derive(Deserialize)]
struct KeyList {
    public_keys: Vec<ListedKey>,
}

#[derive(Deserialize)]
struct ListedKey {
    key_identifier: String,
    key: String,
    is_current: bool,
}

/// The current keys of GitHub's list: a rotated one is listed for a while, but signs no more. One that
/// isn't in PEM is left out.
///
/// # Errors
/// When it isn't such a list.
pub fn current_keys(list: &[u8]) -> Result<Vec<PublicKey>, serde_json::Error> {
    let list: KeyList = serde_json::from_slice(list)?;
    let keys = list.public_keys.into_iter().filter(|key| key.is_current);
    let keys = keys.filter_map(|key| {
        let lines = key.key.lines().map(str::trim);
        let base64: String = lines.filter(|line| !line.starts_with("-----")).collect();
        let der = STANDARD.decode(base64).ok()?;
        let id = key.key_identifier;
        Some(PublicKey { id, der })
    });
    Ok(keys.collect())
}

/// Asks for the keys.
pub trait FetchKeys: Sync {
    /// The keys that are current. The error is a text for the log.
    fn fetch_keys(&self) -> impl Future<Output = Result<Vec<PublicKey>, String>> + Send;
}

/// The keys can't be had at the moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Unavailable;

/// The keys, remembered for as long as the process lives.
#[derive(Debug)]
pub struct Keys<F> {
    source: F,
    list: Mutex<List>,
}

#[derive(Debug, Default)]
struct List {
    keys: Arc<[PublicKey]>,
    fetched: Option<Timestamp>,
    asked: Option<Timestamp>,
}

impl List {
    fn find(&self, id: &str, max_age: SignedDuration, now: Timestamp) -> Option<PublicKey> {
        let age = now.duration_since(self.fetched?);
        let key = self.keys.iter().find(|key| key.id == id)?;
        (age < max_age).then(|| key.clone())
    }
}

impl<F: FetchKeys> Keys<F> {
    /// No keys yet; they come from the source when they are needed.
    pub fn new(source: F) -> Self {
        Self {
            source,
            list: Mutex::default(),
        }
    }

    /// The current key of an identifier, `None` if there is none. One that isn't in the list may be
    /// new: the list is asked for again, though not more than once a minute.
    pub(crate) async fn find(
        &self,
        id: &str,
        now: Timestamp,
    ) -> Result<Option<PublicKey>, Unavailable> {
        let mut list = self.list.lock().await;
        if let Some(key) = list.find(id, FRESH, now) {
            return Ok(Some(key));
        }
        let may_ask = list
            .asked
            .is_none_or(|asked| now.duration_since(asked) >= PAUSE);
        if may_ask {
            list.asked = Some(now);
            match self.source.fetch_keys().await {
                Ok(keys) => {
                    list.keys = keys.into();
                    list.fetched = Some(now);
                }
                Err(error) => tracing::warn!(error, "could not get the scanner's keys"),
            }
        }
        match list.find(id, USABLE, now) {
            // What was answered last is the whole truth, unless the last request got no answer.
            None if list.asked != list.fetched => Err(Unavailable),
            found => Ok(found),
        }
    }
}

#[cfg(test)]
mod tests;
