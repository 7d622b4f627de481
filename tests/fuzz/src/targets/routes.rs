//! The routes that the API's description doesn't have: the page, the description itself, and leak reports.

use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use console::Site;
use lambda_http::{Body, Response};
use latchkey::testing::{Answer, Event};
use receive_leak_report::{FetchKeys, Keys};
use serde::de::IgnoredAny;
use serde_json::json;

use super::Harness;
use crate::check::shows_secret;
use crate::input::Input;
use crate::world::system;

/// Changes a sample event so that it carries an input's path, query, headers and body.
fn event(sample: &str, input: &Input<'_>) -> Event {
    let mut sample: serde_json::Value = serde_json::from_str(sample).unwrap();
    sample["rawPath"] = json!(input.path);
    sample["requestContext"]["http"]["path"] = json!(input.path);
    sample["headers"] = json!({"host": "api.latchkey.example", "x-forwarded-proto": "https"});
    let event = Event::sample(&sample.to_string()).query(&input.query);
    let mut event = event.encoded_body(input.body);
    for (name, value) in &input.headers {
        event = event.header(name, value);
    }
    event
}

fn check(response: &Response<Body>, statuses: &[u16], input: &Input<'_>) {
    let status = response.status().as_u16();
    assert!(
        statuses.contains(&status),
        "{status}: {}?{}",
        input.path,
        input.query
    );
    for value in response.headers().values() {
        assert!(!shows_secret(&String::from_utf8_lossy(value.as_bytes())));
    }
    assert!(response.headers().contains_key("cache-control"));
}

/// The word that stands for the current version in the path of a file.
const VERSION: &str = "VERSION";

/// Returns the version of the page's files, as the page names it.
pub(super) fn version(site: &Site) -> String {
    let page = Event::sample(PAGE)
        .without_header("accept-encoding")
        .request();
    let page = console::handle(site, &page).unwrap();
    let Body::Text(page) = page.body() else {
        panic!("no text");
    };
    let (_, rest) = page.split_once("assets/").unwrap();
    rest.split('/').next().unwrap_or_default().to_owned()
}

const PAGE: &str = include_str!("../../../../events/console/page.json");

/// The page and its files.
pub(super) fn console(harness: &Harness, data: &[u8]) {
    let input = Input::of(data);
    let mut event = event(PAGE, &input);
    if let Some(asset) = input.path.strip_prefix("/assets/")
        && let Some((version, file)) = asset.split_once('/')
    {
        let current = version == VERSION;
        let version = if current {
            harness.version.as_str()
        } else {
            version
        };
        event = event.path("version", version).path("file", file);
    }
    let response = console::handle(&harness.site, &event.request()).unwrap();
    check(&response, &[200, 304, 404], &input);
    let empty = matches!(response.body(), Body::Empty);
    assert_eq!(empty, response.status() == 304);
}

/// The description and its page.
pub(super) fn describe_api(harness: &Harness, data: &[u8]) {
    let input = Input::of(data);
    let event = event(
        include_str!("../../../../events/describe-api/describe.json"),
        &input,
    );
    let response = describe_api::answer(&harness.docs, &event.request()).unwrap();
    check(&response, &[200], &input);
}

/// A scanner with a key of its own.
pub(super) struct Scanner {
    pair: EcdsaKeyPair,
    published: String,
}

/// The header whose value says that the scanner signs the body.
const SIGNATURE: &str = "github-public-key-signature";

/// The value.
const SIGNED: &str = "@";

impl Scanner {
    pub(super) fn new() -> Self {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).unwrap();
        let key = STANDARD.encode(pair.public_key().as_der().unwrap().as_ref());
        let key = format!("-----BEGIN PUBLIC KEY-----\n{key}\n-----END PUBLIC KEY-----\n");
        let key = json!({"key_identifier": "key-1", "key": key, "is_current": true});
        Self {
            pair,
            published: json!({"public_keys": [key]}).to_string(),
        }
    }

    fn sign(&self, body: &[u8]) -> String {
        let signature = self.pair.sign(&SystemRandom::new(), body).unwrap();
        STANDARD.encode(signature.as_ref())
    }
}

struct Published<'a>(&'a str);

impl FetchKeys for Published<'_> {
    async fn fetch_keys(&self) -> Result<String, String> {
        Ok(self.0.into())
    }
}

/// Leak reports. An input whose signature is `@` is signed by the scanner, so that its body is read.
pub(super) fn leak_report(harness: &Harness, data: &[u8]) {
    let input = Input::of(data);
    let sample = include_str!("../../../../events/receive-leak-report/found.json");
    let mut event = event(sample, &input);
    let signed = input.header(SIGNATURE) == Some(SIGNED)
        && input.header("github-public-key-identifier") == Some("key-1");
    if signed {
        event = event.header(SIGNATURE, &harness.scanner.sign(input.body));
    }
    harness.take_written();
    let keys = Keys::new(Published(&harness.scanner.published));
    let system = system();
    let (world, notifier) = (&harness.world, &harness.notifier);
    let answer = receive_leak_report::handle(world, &keys, notifier, &system, event.request());
    let mut answer = Answer::of(harness.runtime.block_on(Box::pin(answer)));
    for feedback in answer.json.as_array_mut().into_iter().flatten() {
        // The feedback must name the type as the scanner does.
        feedback["token_type"].take();
    }
    assert!(
        !shows_secret(&answer.json.to_string()),
        "{event:?}: {answer:?}"
    );
    for written in harness.take_written() {
        assert!(!shows_secret(&written), "{event:?} writes {written:?}");
    }
    let expected: &[u16] = if signed { &[200, 400] } else { &[403] };
    assert!(expected.contains(&answer.status), "{event:?}: {answer:?}");
    if answer.status == 200 {
        // What else a find has isn't read, and so needn't be UTF-8.
        let finds: Vec<IgnoredAny> = serde_json::from_slice(input.body).unwrap();
        assert_eq!(answer.json.as_array().map(Vec::len), Some(finds.len()));
    }
}
