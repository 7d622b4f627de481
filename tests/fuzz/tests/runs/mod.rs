//! Runs of targets, and the faults that they must find.

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::rc::Rc;

use aws_lambda_events::dynamodb::Event;
use aws_lambda_events::streams::{DynamoDbBatchItemFailure, DynamoDbEventResponse};
use base64::Engine;
use base64::alphabet::URL_SAFE;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use fuzz::corpus::{dictionary, inputs};
use fuzz::{Harness, Mutator, Target, check, targets};
use latchkey::domain::secret::PlainSecret;
use latchkey::http::cursor;
use latchkey::testing::plain;

/// Runs a target on an input. `what` names the input.
///
/// # Panics
/// If the input breaks a promise. The input is stored, and the message says how to run it again.
pub(crate) fn run(target: &Target, data: &[u8], what: &str) {
    if catch_unwind(AssertUnwindSafe(|| target.run(data))).is_err() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/fuzz");
        let file = folder.join(format!("{}.found", target.name));
        fs::create_dir_all(&folder)
            .and_then(|()| fs::write(&file, data))
            .unwrap();
        panic!(
            "{what} breaks a promise of `{name}`. Copy {file} into tests/fuzz/corpus/{name}/ and run `cargo test -p \
             fuzz`: {shown:?}",
            name = target.name,
            file = file.display(),
            shown = String::from_utf8_lossy(data),
        );
    }
}

/// Returns the number of the first run within the bounded form that breaks a promise; 0 for a committed input.
fn first_failure(target: &Target, committed: &str) -> Option<u32> {
    let pool: Vec<_> = inputs(committed)
        .into_iter()
        .map(|(_, data)| data)
        .collect();
    let fails = |data: &[u8]| catch_unwind(AssertUnwindSafe(|| target.run(data))).is_err();
    if pool.iter().any(|data| fails(data)) {
        return Some(0);
    }
    let mut mutator = Mutator::new(0, dictionary());
    (1..=target.mutations).find(|_| fails(&mutator.mutate(&pool)))
}

/// The planted faults, each with the test that the bounded form finds it.
pub(crate) const PLANTED: [(&str, fn()); 7] = [
    (
        "a parser of secrets that panics at one rare prefix",
        panicking_parser,
    ),
    (
        "a parser of secrets that doesn't compare the checksum",
        lenient_parser,
    ),
    (
        "a decoder of cursors that accepts a second form",
        lenient_decoder,
    ),
    (
        "an authorizer that allows a secret that nobody has",
        open_authorizer,
    ),
    ("an operation that answers 503", failing_operation),
    ("an answer that shows a secret", leaking_answer),
    (
        "a handler of a stream that reports another record than the bad one",
        blaming_handler,
    ),
];

fn found(target: &Target, committed: &str) {
    let first = first_failure(target, committed);
    assert!(
        first.is_some(),
        "the planted fault in `{committed}` isn't found"
    );
}

fn text(data: &[u8]) -> String {
    String::from_utf8_lossy(data).into_owned()
}

fn panicking_parser() {
    let parse = |text: &str| {
        assert!(!text.starts_with("lka_0"), "planted");
        PlainSecret::parse(text).ok().map(|secret| plain(&secret))
    };
    found(
        &Target::of_value("planted", move |data| check::secret(parse, &text(data))),
        "secret",
    );
}

fn lenient_parser() {
    let parse = |text: &str| {
        let formed = text.len() == 53 && text.starts_with("lka_");
        (formed && text[4..].bytes().all(|byte| byte.is_ascii_alphanumeric())).then(|| text.into())
    };
    found(
        &Target::of_value("planted", move |data| check::secret(parse, &text(data))),
        "secret",
    );
}

fn lenient_decoder() {
    let config = GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_encode_padding(false)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent);
    let lenient = GeneralPurpose::new(&URL_SAFE, config);
    let decode = move |list: &str, given: &str| {
        let canonical = lenient.encode(lenient.decode(given).ok()?);
        cursor::decode(list, &canonical).ok()
    };
    let target = Target::of_value("planted", move |data| {
        let text = text(data);
        let (list, given) = text.split_once('\n').unwrap_or(("", &text));
        check::cursor(cursor::encode, &decode, list, given);
    });
    found(&target, "cursor");
}

fn broken(name: &str, harness: &Rc<Harness>) {
    let target = targets(harness)
        .into_iter()
        .find(|target| target.name == name);
    found(&target.unwrap(), name);
}

fn open_authorizer() {
    let harness = Harness::with(fuzz::World::accept_unknown);
    broken("authorize-http-api", &harness);
    broken("authorize-rest-api", &harness);
}

fn failing_operation() {
    let harness = Harness::with(|_| {});
    harness.vault.fail();
    broken("reveal-token", &harness);
}

fn leaking_answer() {
    broken("get-account", &Harness::with(fuzz::World::leak));
}

fn blaming_handler() {
    let target = Target::of_value("planted", |data| {
        let Ok(event) = serde_json::from_slice::<Event>(data) else {
            return;
        };
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        runtime.block_on(check::batch(&event, async |event| {
            let mut answer = DynamoDbEventResponse::default();
            let bad = event
                .records
                .iter()
                .any(|record| record.change.new_image.is_empty());
            if let (true, Some(first)) = (bad, event.records.first()) {
                let mut failure = DynamoDbBatchItemFailure::default();
                failure.item_identifier = first.change.sequence_number.clone();
                answer.batch_item_failures.push(failure);
            }
            answer
        }));
    });
    found(&target, "send-notifications");
}
