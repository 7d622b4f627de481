//! Planted faults: secrets in every form, in a place of every kind. They show that the search would find a real one.
//!
//! These secrets are no token's, and the real search doesn't look for them.

use std::collections::BTreeSet;
use std::io::Write;
use std::process;

use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use end_to_end::Stack;
use flate2::Compression;
use flate2::write::GzEncoder;
use reqwest::Method;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::forms::forms;
use crate::search::{Find, Search};

/// The name of what is planted. A local cloud from an earlier run may have what that run left.
fn name() -> String {
    format!("canary-planted-{}", process::id())
}

/// The planted item's time to live, in seconds since 1970: the year 2100.
const FAR: &str = "4102444800";

/// A secret of the right form that no token has.
pub(crate) fn nobodys() -> String {
    const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let mut random = [0; 49];
    SystemRandom::new().fill(&mut random).expect("random bits");
    let digits = random.map(|byte| char::from(DIGITS[usize::from(byte) % DIGITS.len()]));
    format!("lka_{}", String::from_iter(digits))
}

/// Text with a secret in each form, and the search for it.
pub(crate) struct Faults {
    pub(crate) text: String,
    pub(crate) search: Search,
    /// What is in the text.
    pub(crate) planted: BTreeSet<String>,
}

impl Faults {
    pub(crate) fn new() -> Self {
        let mut faults = Self {
            text: String::new(),
            search: Search::default(),
            planted: BTreeSet::new(),
        };
        for form in forms(&nobodys()) {
            let secret = nobodys();
            let lies = |name: &str| {
                let lies = forms(&secret).into_iter().find(|each| each.name == name)?;
                Some(String::from_utf8(lies.bytes).expect("text"))
            };
            // Base64 as it is: with what stands before and behind the secret.
            let text = match form.name {
                "in base64" => STANDARD.encode(format!("{secret} and more")),
                "in base64, after one byte" => STANDARD.encode(format!(":{secret} and more")),
                "in base64, after two bytes" => STANDARD.encode(format!("x:{secret} and more")),
                "in base64url" => URL_SAFE.encode(format!("{secret} and more")),
                name => lies(name).unwrap_or_else(|| secret.clone()),
            };
            faults.plant(form.name, &secret, &text);
        }
        let parts = [nobodys(), nobodys(), nobodys()];
        faults.plant("first half", &parts[0], &parts[0][..26]);
        faults.plant("second half", &parts[1], &parts[1][27..]);
        faults.plant("sixteen characters", &parts[2], &parts[2][21..37]);
        faults
    }

    fn plant(&mut self, what: &str, secret: &str, text: &str) {
        self.search.add(what, secret);
        self.planted.insert(what.to_owned());
        self.text.push_str(&format!("{what}: {text}\n"));
    }

    /// A text with the hash of one more secret, which belongs into the tables only.
    pub(crate) fn hash(&mut self) -> String {
        let secret = nobodys();
        self.search.add("hash", &secret);
        hex::encode(Sha256::digest(&secret))
    }

    /// The planted secrets that weren't found in a place of that kind whose name contains `name`. A queue can't have all.
    pub(crate) fn missing(&self, found: &BTreeSet<Find>, kind: &str, name: &str) -> Vec<&str> {
        let at = |what: &&String| {
            found
                .iter()
                .any(|find| find.kind == kind && find.place.contains(name) && find.secret == **what)
        };
        let can_be = |what: &&String| kind != "queue" || *what != "in UTF-16";
        let missing = self.planted.iter().filter(can_be);
        let missing = missing.filter(|what| !at(what));
        missing.map(String::as_str).collect()
    }
}

fn gzip(text: &str) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(text.as_bytes()).expect("compressed");
    encoder.finish().expect("compressed")
}

/// The places of the stack where faults are planted: their kinds, and what their names contain.
pub(crate) fn places() -> Vec<(&'static str, String)> {
    let name = name();
    let mut places: Vec<_> = ["text", "inner", "binary", "gzip", "indexed"]
        .map(|sk| ("table", format!("{name} {sk}")))
        .into();
    places.extend([
        ("index", format!("byEnd {name} indexed")),
        ("stream", "Tokens".to_owned()),
        ("object", format!("{name}/plain")),
        ("object", format!("{name}/gzip")),
        ("queue", String::new()),
    ]);
    places.extend(["log", "mail", "file"].map(|kind| (kind, name.clone())));
    places
}

/// Plants faults in places of the stack.
pub(crate) async fn plant(stack: &Stack, faults: &mut Faults) {
    let name = name();
    let text = faults.text.clone();
    let with_hash = format!("{text}{}", faults.hash());
    for (operation, body) in [
        ("CreateLogGroup", json!({"logGroupName": name})),
        (
            "CreateLogStream",
            json!({"logGroupName": name, "logStreamName": "planted"}),
        ),
    ] {
        stack.logs_call(operation, body).await;
    }
    let event = json!({"timestamp": 1_000, "message": with_hash});
    let put = json!({"logGroupName": name, "logStreamName": "planted", "logEvents": [event]});
    stack.logs_call("PutLogEvents", put).await;
    let binary = STANDARD.encode(&text);
    let packed = STANDARD.encode(gzip(&text));
    for (sk, attribute) in [
        ("text", json!({"S": with_hash})),
        ("inner", json!({"M": {"a": {"L": [{"S": text}]}}})),
        ("binary", json!({"B": binary})),
        ("gzip", json!({"B": packed})),
        ("indexed", json!({"S": text})),
    ] {
        let mut item = json!({"pk": {"S": name}, "sk": {"S": sk}, "planted": attribute});
        if sk == "indexed" {
            item["activeShard"] = json!({"S": name});
            item["expiresAt"] = json!({"N": FAR});
            item["autoPurge"] = item["planted"].take();
            item["planted"] = json!({"S": "in the index"});
        }
        stack.put_item(stack.get("tokensTable"), item).await;
    }
    let (status, _) = stack.s3(Method::PUT, &format!("/{name}"), vec![]).await;
    assert_eq!(status, 200);
    for (key, body) in [("plain", text.clone().into_bytes()), ("gzip", gzip(&text))] {
        let (status, _) = stack.s3(Method::PUT, &format!("/{name}/{key}"), body).await;
        assert_eq!(status, 200);
    }
    let html = format!("<p>{with_hash}</p>");
    let from = "latchkey@latchkey.example";
    stack
        .send_mail(from, "planted@canary.example", &name, "Nothing", &html)
        .await;
    let queue = stack
        .queues_call("CreateQueue", json!({"QueueName": name}))
        .await;
    // Queues refuse the character between those of UTF-16.
    let message = text.replace('\0', "");
    let message = json!({"QueueUrl": queue["QueueUrl"], "MessageBody": message});
    stack.queues_call("SendMessage", message).await;
    std::fs::write(stack.folder().join(name), &text).expect("a file");
}

/// Removes what can be removed. Mails and the records of streams stay.
pub(crate) async fn remove(stack: &Stack) {
    let name = name();
    stack
        .logs_call("DeleteLogGroup", json!({"logGroupName": name}))
        .await;
    for sk in ["text", "inner", "binary", "gzip", "indexed"] {
        stack.delete_item(stack.get("tokensTable"), &name, sk).await;
    }
    for path in ["/plain", "/gzip", ""] {
        let (status, _) = stack
            .s3(Method::DELETE, &format!("/{name}{path}"), vec![])
            .await;
        assert_eq!(status, 204, "{path}");
    }
    let queue = stack
        .queues_call("GetQueueUrl", json!({"QueueName": name}))
        .await;
    let queue: Value = json!({"QueueUrl": queue["QueueUrl"]});
    stack.queues_call("DeleteQueue", queue).await;
    std::fs::remove_file(stack.folder().join(name)).expect("removed");
}
