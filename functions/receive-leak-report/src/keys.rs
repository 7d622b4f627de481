//! The scanner's public keys, as GitHub publishes them, and what they have signed.

use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1, UnparsedPublicKey};
use jiff::{SignedDuration, Timestamp};
use latchkey::ports::CacheKeys;
use rustls_pki_types::SubjectPublicKeyInfoDer;
use rustls_pki_types::pem::PemObject;
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
pub(crate) struct PublicKey {
    id: String,
    info: SubjectPublicKeyInfoDer<'static>,
}

impl PublicKey {
    /// Whether it has signed a message: ECDSA on P-256 with SHA-256, as ASN.1.
    pub(crate) fn has_signed(&self, message: &[u8], signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, &*self.info)
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

/// Asks for the keys.
pub trait FetchKeys: Sync {
    /// GitHub's list. The error is a text for the log.
    fn fetch_keys(&self) -> impl Future<Output = Result<String, String>> + Send;
}

/// The keys can't be had at the moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Unavailable;

/// The keys, remembered for as long as the process lives, and kept in the table for all the others.
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

    /// Takes a list over; says so if it isn't one.
    fn take(&mut self, list: &str, fetched: Timestamp) -> Result<(), serde_json::Error> {
        self.keys = current_keys(list.as_bytes())?;
        self.fetched = Some(fetched);
        Ok(())
    }
}

impl<F: FetchKeys> Keys<F> {
    /// No keys yet; they come from the table or from the source when they are needed.
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
            // What was answered last is the whole truth, unless the last request got no answer.
            None if refreshed.is_err() || list.asked != list.fetched => Err(Unavailable),
            found => Ok(found),
        }
    }

    /// Brings the list up to date, from the table or from the source.
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
        // From here on nothing is known of the keys that aren't in the list, until an answer comes.
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
