use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use latchkey::testing::now;

use super::*;

/// From GitHub's documentation of its protocol: a key, a message and its signature.
const DOCUMENTED_KEY: &str = "-----BEGIN PUBLIC KEY-----\n\
    MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE9MJJHnMfn2+H4xL4YaPDA4RpJqUq\n\
    kCmRCBnYERxZanmcpzQSXs1X/AljlKkbJ8qpVIW4clayyef9gWhFbNHWAA==\n\
    -----END PUBLIC KEY-----\n";
const DOCUMENTED_MESSAGE: &str = r#"[{"token":"some_token","type":"some_type","url":"some_url"}]"#;
const DOCUMENTED_SIGNATURE: &str = "MEUCIQDKZokqnCjrRtw0tni+2Ltvl/uiMJ1EGumEsp1BsNr32AIgQY1YXD2nlj+XNfGK4rBfkMJ1JDOQcYXxa2sY8FNkrKc=";

fn list(keys: &[(&str, &str, bool)]) -> Vec<PublicKey> {
    let keys: Vec<_> = keys
        .iter()
        .map(|(id, key, current)| {
            serde_json::json!({"key_identifier": id, "key": key, "is_current": current})
        })
        .collect();
    let list = serde_json::json!({"public_keys": keys}).to_string();
    current_keys(list.as_bytes()).unwrap()
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

/// A source that answers with what the test wants, and counts how often it is asked.
#[derive(Default)]
struct Source {
    answer: Mutex<Option<Vec<PublicKey>>>,
    asked: AtomicUsize,
}

impl Source {
    fn has(&self, ids: &[&str]) {
        let keys: Vec<_> = ids.iter().map(|id| (*id, DOCUMENTED_KEY, true)).collect();
        *self.answer.lock().unwrap() = Some(list(&keys));
    }

    fn fails(&self) {
        *self.answer.lock().unwrap() = None;
    }
}

impl FetchKeys for &Source {
    async fn fetch_keys(&self) -> Result<Vec<PublicKey>, String> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let answer = self.answer.lock().unwrap().clone();
        answer.ok_or_else(|| "out of order".into())
    }
}

/// Whether a key is found so many seconds after the start, and how often the source was asked by then.
async fn find(keys: &Keys<&Source>, id: &str, seconds: i64) -> (Result<bool, Unavailable>, usize) {
    let at = now() + SignedDuration::from_secs(seconds);
    let found = keys.find(id, at).await.map(|key| key.is_some());
    (found, keys.source.asked.load(Ordering::SeqCst))
}

const HOUR: i64 = 3_600;

#[tokio::test]
async fn keys_are_fetched_once_an_hour() {
    let source = Source::default();
    source.has(&["a", "b"]);
    let keys = Keys::new(&source);
    assert_eq!(find(&keys, "a", 0).await, (Ok(true), 1));
    assert_eq!(find(&keys, "b", 1).await, (Ok(true), 1));
    assert_eq!(find(&keys, "a", HOUR - 1).await, (Ok(true), 1));
    assert_eq!(find(&keys, "a", HOUR).await, (Ok(true), 2));
}

#[tokio::test]
async fn an_unknown_key_may_be_new_but_is_looked_for_once_a_minute_at_most() {
    let source = Source::default();
    source.has(&["a"]);
    let keys = Keys::new(&source);
    assert_eq!(find(&keys, "a", 0).await, (Ok(true), 1));
    for second in 1..60 {
        assert_eq!(
            find(&keys, &format!("forged-{second}"), second).await,
            (Ok(false), 1)
        );
    }
    source.has(&["b"]);
    assert_eq!(find(&keys, "b", 60).await, (Ok(true), 2));
    // What was rotated out is gone with it.
    assert_eq!(find(&keys, "a", 61).await, (Ok(false), 2));
    assert_eq!(find(&keys, "a", 120).await, (Ok(false), 3));
}

#[tokio::test]
async fn while_the_source_fails_the_known_keys_count_for_a_day_and_nothing_is_said_of_others() {
    let source = Source::default();
    let keys = Keys::new(&source);
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
