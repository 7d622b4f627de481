//! The public keys with which GitHub signs reports.

use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1, UnparsedPublicKey};
use jiff::{SignedDuration, Timestamp};
use latchkey::ports::CacheKeys;
use rustls_pki_types::SubjectPublicKeyInfoDer;
use rustls_pki_types::pem::PemObject;
use serde::Deserialize;
use tokio::sync::Mutex;

/// How long a list of keys is used before it is fetched again.
const FRESH: SignedDuration = SignedDuration::from_hours(1);

/// How long a list of keys is used while no newer list can be fetched.
const USABLE: SignedDuration = SignedDuration::from_hours(24);

/// The least time between two requests for the keys. It keeps invented key identifiers from causing many requests.
const PAUSE: SignedDuration = SignedDuration::from_secs(60);

/// A public key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PublicKey {
    id: String,
    info: SubjectPublicKeyInfoDer<'static>,
}

impl PublicKey {
    /// Whether this key has signed a message: ECDSA on P-256 with SHA-256, in ASN.1.
    pub(crate) fn has_signed(&self, message: &[u8], signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, &*self.info)
            .verify(message, signature)
            .is_ok()
    }
}

/// The list as GitHub sends it.
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

/// Returns the current keys of the list. GitHub goes on listing a rotated key, but doesn't sign with it. A key that
/// isn't in PEM form is left out.
///
/// # Errors
/// When `list` isn't JSON of that form.
fn current_keys(list: &[u8]) -> Result<Vec<PublicKey>, serde_json::Error> {
    let list: KeyList = serde_json::from_slice(list)?;
    let keys = list.public_keys.into_iter().filter(|key| key.is_current);
    let keys = keys.filter_map(|key| {
        let info = SubjectPublicKeyInfoDer::from_pem_slice(key.key.as_bytes()).ok()?;
        let id = key.key_identifier;
        Some(PublicKey { id, info })
    });
    Ok(keys.collect())
}

/// Fetches the keys.
pub trait FetchKeys: Sync {
    /// Returns the list as JSON. The error is a text for the log.
    fn fetch_keys(&self) -> impl Future<Output = Result<String, String>> + Send;
}

/// The keys can't be fetched at the moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Unavailable;

/// The keys. The process keeps them in memory, and the table keeps them for all processes.
#[derive(Debug)]
pub struct Keys<F> {
    source: F,
    list: Mutex<List>,
}

#[derive(Debug, Default)]
struct List {
    keys: Vec<PublicKey>,
    fetched: Option<Timestamp>,
    asked: Option<Timestamp>,
}

impl List {
    fn find(&self, id: &str, max_age: SignedDuration, now: Timestamp) -> Option<PublicKey> {
        let age = now.duration_since(self.fetched?);
        let key = self.keys.iter().find(|key| key.id == id)?;
        (age < max_age).then(|| key.clone())
    }

    /// Replaces the keys with those of `list`, which was fetched at `fetched`.
    ///
    /// # Errors
    /// When `list` isn't JSON of GitHub's form.
    fn take(&mut self, list: &str, fetched: Timestamp) -> Result<(), serde_json::Error> {
        self.keys = current_keys(list.as_bytes())?;
        self.fetched = Some(fetched);
        Ok(())
    }
}

impl<F: FetchKeys> Keys<F> {
    /// Starts without keys. They are read from the table or from the source when they are needed.
    pub fn new(source: F) -> Self {
        Self {
            source,
            list: Mutex::default(),
        }
    }

    /// Returns the current key with an identifier; `None` if there is none. An identifier that isn't in the list may
    /// be new: the list is then fetched again, but at most once a minute.
    ///
    /// # Errors
    /// When the key isn't in the list and the last request for a list had no answer.
    pub(crate) async fn find(
        &self,
        store: &impl CacheKeys,
        id: &str,
        now: Timestamp,
    ) -> Result<Option<PublicKey>, Unavailable> {
        let mut list = self.list.lock().await;
        if let Some(key) = list.find(id, FRESH, now) {
            return Ok(Some(key));
        }
        let refreshed = self.refresh(store, &mut list, id, now).await;
        if let Err(error) = &refreshed {
            tracing::warn!(error, "could not get the scanner's keys");
        }
        match list.find(id, USABLE, now) {
            // The last list is complete, unless the last request for it had no answer.
            None if refreshed.is_err() || list.asked != list.fetched => Err(Unavailable),
            found => Ok(found),
        }
    }

    /// Reads the list from the table, or fetches it from the source.
    async fn refresh(
        &self,
        store: &impl CacheKeys,
        list: &mut List,
        id: &str,
        now: Timestamp,
    ) -> Result<(), String> {
        let since = now.checked_sub(PAUSE).unwrap_or(Timestamp::MIN);
        let kept = store
            .cached_keys()
            .await
            .map_err(|error| error.to_string())?;
        list.asked = kept.asked;
        if let Some((kept, fetched)) = kept.fetched {
            list.take(&kept, fetched)
                .map_err(|error| error.to_string())?;
        }
        if list.find(id, FRESH, now).is_some() || list.asked.is_some_and(|asked| asked > since) {
            return Ok(());
        }
        // Until the answer comes, nothing is known about keys that aren't in the list.
        list.asked = Some(now);
        let noted = store.claim_fetch(now, since).await;
        if !noted.map_err(|error| error.to_string())? {
            return Err("somebody else is asking for them".into());
        }
        let fetched = self.source.fetch_keys().await?;
        list.take(&fetched, now)
            .map_err(|error| error.to_string())?;
        let kept = store.cache_keys(&fetched, now).await;
        kept.map_err(|error| error.to_string())
    }
}

#[cfg(test)]
mod tests;
