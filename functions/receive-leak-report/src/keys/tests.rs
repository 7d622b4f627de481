use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use latchkey::ports::{CachedKeys, PortError};
use latchkey::testing::{Engine as Tables, now};

use super::*;

/// From GitHub's documentation: a key, a message and its signature.
const DOCUMENTED_KEY: &str = "-----BEGIN PUBLIC KEY-----\n\
    MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE9MJJHnMfn2+H4xL4YaPDA4RpJqUq\n\
    kCmRCBnYERxZanmcpzQSXs1X/AljlKkbJ8qpVIW4clayyef9gWhFbNHWAA==\n\
    -----END PUBLIC KEY-----\n";
const DOCUMENTED_MESSAGE: &str = r#"[{"token":"some_token","type":"some_type","url":"some_url"}]"#;
const DOCUMENTED_SIGNATURE: &str = "MEUCIQDKZokqnCjrRtw0tni+2Ltvl/uiMJ1EGumEsp1BsNr32AIgQY1YXD2nlj+XNfGK4rBfkMJ1JDOQcYXxa2sY8FNkrKc=";

fn list(keys: &[(&str, &str, bool)]) -> Vec<PublicKey> {
    current_keys(published(keys).as_bytes()).unwrap()
}

fn published(keys: &[(&str, &str, bool)]) -> String {
    let keys: Vec<_> = keys
        .iter()
        .map(|(id, key, current)| {
            serde_json::json!({"key_identifier": id, "key": key, "is_current": current})
        })
        .collect();
    serde_json::json!({"public_keys": keys}).to_string()
}

#[test]
fn the_documented_signature_is_good_and_nothing_near_it() {
    let keys = list(&[("k", DOCUMENTED_KEY, true)]);
    let signature = STANDARD.decode(DOCUMENTED_SIGNATURE).unwrap();
    let message = DOCUMENTED_MESSAGE.as_bytes();
    assert!(keys[0].has_signed(message, &signature));
    assert!(!keys[0].has_signed(format!("{DOCUMENTED_MESSAGE}\n").as_bytes(), &signature));
    assert!(!keys[0].has_signed(message, &signature[1..]));
    assert!(!keys[0].has_signed(message, &[]));
    let mut other = signature.clone();
    *other.last_mut().unwrap() ^= 1;
    assert!(!keys[0].has_signed(message, &other));
    let windows = DOCUMENTED_KEY.replace('\n', "\r\n");
    assert!(list(&[("k", &windows, true)])[0].has_signed(message, &signature));
}

#[test]
fn only_current_keys_that_can_be_read_count() {
    let keys = list(&[
        ("old", DOCUMENTED_KEY, false),
        ("new", DOCUMENTED_KEY, true),
        (
            "broken",
            "-----BEGIN PUBLIC KEY-----\n?\n-----END PUBLIC KEY-----",
            true,
        ),
    ]);
    let ids: Vec<_> = keys.iter().map(|key| key.id.as_str()).collect();
    assert_eq!(ids, ["new"]);
    assert!(current_keys(b"{}").is_err());
    assert!(current_keys(b"<html>").is_err());
}

/// A source with a settable answer that counts its requests.
#[derive(Default)]
struct Source {
    answer: Mutex<Option<String>>,
    asked: AtomicUsize,
}

impl Source {
    fn has(&self, ids: &[&str]) {
        let keys: Vec<_> = ids.iter().map(|id| (*id, DOCUMENTED_KEY, true)).collect();
        *self.answer.lock().unwrap() = Some(published(&keys));
    }

    fn fails(&self) {
        *self.answer.lock().unwrap() = None;
    }
}

impl FetchKeys for &Source {
    async fn fetch_keys(&self) -> Result<String, String> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let answer = self.answer.lock().unwrap().clone();
        answer.ok_or_else(|| "out of order".into())
    }
}

/// An instance of the function, with a table that other instances may share.
struct Instance<'a> {
    keys: Keys<&'a Source>,
    engine: &'a Tables,
}

impl<'a> Instance<'a> {
    fn new(source: &'a Source, engine: &'a Tables) -> Self {
        let keys = Keys::new(source);
        Self { keys, engine }
    }
}

/// Returns whether a key is found some seconds after the start, and how many requests the source had by then.
async fn find(
    instance: &Instance<'_>,
    id: &str,
    seconds: i64,
) -> (Result<bool, Unavailable>, usize) {
    let at = now() + SignedDuration::from_secs(seconds);
    let found = instance.keys.find(&instance.engine.store, id, at).await;
    let asked = instance.keys.source.asked.load(Ordering::SeqCst);
    (found.map(|key| key.is_some()), asked)
}

const HOUR: i64 = 3_600;

#[tokio::test]
async fn keys_are_fetched_once_an_hour() {
    let source = Source::default();
    source.has(&["a", "b"]);
    let engine = Tables::start().await;
    let keys = Instance::new(&source, &engine);
    assert_eq!(find(&keys, "a", 0).await, (Ok(true), 1));
    assert_eq!(find(&keys, "b", 1).await, (Ok(true), 1));
    assert_eq!(find(&keys, "a", HOUR - 1).await, (Ok(true), 1));
    assert_eq!(find(&keys, "a", HOUR).await, (Ok(true), 2));
}

#[tokio::test]
async fn an_unknown_key_may_be_new_but_is_looked_for_once_a_minute_at_most() {
    let source = Source::default();
    source.has(&["a"]);
    let engine = Tables::start().await;
    let keys = Instance::new(&source, &engine);
    assert_eq!(find(&keys, "a", 0).await, (Ok(true), 1));
    for second in 1..60 {
        assert_eq!(
            find(&keys, &format!("forged-{second}"), second).await,
            (Ok(false), 1)
        );
    }
    source.has(&["b"]);
    assert_eq!(find(&keys, "b", 60).await, (Ok(true), 2));
    // The key that was rotated out is gone.
    assert_eq!(find(&keys, "a", 61).await, (Ok(false), 2));
    assert_eq!(find(&keys, "a", 120).await, (Ok(false), 3));
}

#[tokio::test]
async fn while_the_source_fails_the_known_keys_count_for_a_day_and_nothing_is_said_of_others() {
    let source = Source::default();
    let engine = Tables::start().await;
    let keys = Instance::new(&source, &engine);
    assert_eq!(find(&keys, "a", 0).await, (Err(Unavailable), 1));
    assert_eq!(find(&keys, "a", 59).await, (Err(Unavailable), 1));
    source.has(&["a"]);
    assert_eq!(find(&keys, "a", 60).await, (Ok(true), 2));
    source.fails();
    assert_eq!(find(&keys, "b", 120).await, (Err(Unavailable), 3));
    assert_eq!(find(&keys, "a", 121).await, (Ok(true), 3));
    assert_eq!(find(&keys, "a", 60 + HOUR).await, (Ok(true), 4));
    assert_eq!(find(&keys, "a", 60 + 24 * HOUR - 1).await, (Ok(true), 5));
    assert_eq!(
        find(&keys, "a", 60 + 24 * HOUR + 60).await,
        (Err(Unavailable), 6)
    );
}

#[tokio::test]
async fn all_instances_ask_as_one_and_know_what_one_was_told() {
    let (source, engine) = (Source::default(), Tables::start().await);
    source.has(&["a"]);
    let instance = || Instance::new(&source, &engine);
    assert_eq!(find(&instance(), "a", 0).await, (Ok(true), 1));
    // A new instance finds the list in the table. It doesn't fetch the list again for an unknown key.
    assert_eq!(find(&instance(), "a", 1).await, (Ok(true), 1));
    assert_eq!(find(&instance(), "forged", 59).await, (Ok(false), 1));
    source.has(&["b"]);
    assert_eq!(find(&instance(), "b", 60).await, (Ok(true), 2));
    // The list is still used when the source fails.
    source.fails();
    assert_eq!(find(&instance(), "b", 60 + HOUR).await, (Ok(true), 3));
    assert_eq!(
        find(&instance(), "c", 61 + HOUR).await,
        (Err(Unavailable), 3)
    );
}

#[tokio::test]
async fn of_two_instances_that_need_a_new_list_one_asks() {
    let (source, engine) = (Source::default(), Tables::start().await);
    source.has(&["a"]);
    let (one, other) = (
        Instance::new(&source, &engine),
        Instance::new(&source, &engine),
    );
    let (one, other) = tokio::join!(find(&one, "a", 0), find(&other, "a", 0));
    // The other instance may be too early for the answer. It then says nothing about the key.
    assert!([one.0, other.0].contains(&Ok(true)));
    assert!(![one.0, other.0].contains(&Ok(false)));
    assert_eq!(source.asked.load(Ordering::SeqCst), 1);
}

/// A table that can't be reached.
struct Nowhere;

impl Nowhere {
    fn error<T>() -> Result<T, PortError> {
        Err(PortError::Unavailable("throttled".into()))
    }
}

impl CacheKeys for Nowhere {
    async fn cached_keys(&self) -> Result<CachedKeys, PortError> {
        Self::error()
    }

    async fn claim_fetch(&self, _: Timestamp, _: Timestamp) -> Result<bool, PortError> {
        Self::error()
    }

    async fn cache_keys(&self, _: &str, _: Timestamp) -> Result<(), PortError> {
        Self::error()
    }
}

#[tokio::test]
async fn without_the_table_nothing_is_said_of_a_key() {
    let source = Source::default();
    source.has(&["a"]);
    let keys = Keys::new(&source);
    assert_eq!(keys.find(&Nowhere, "a", now()).await, Err(Unavailable));
    assert_eq!(source.asked.load(Ordering::SeqCst), 0);
}
