//! What the targets look for, written without the code that they check.

use aws_lambda_events::dynamodb::Event;
use aws_lambda_events::streams::DynamoDbEventResponse;
use serde_json::Value;

/// The fewest letters and digits after `lka_` or `lki_` that count as a secret's form.
const LEAST: usize = 32;

/// Whether a text has something of a secret's form.
pub fn shows_secret(text: &str) -> bool {
    let starts = text.match_indices("lka_").chain(text.match_indices("lki_"));
    starts.into_iter().any(|(start, prefix)| {
        let rest = text[start + prefix.len()..].bytes();
        rest.take_while(u8::is_ascii_alphanumeric).count() >= LEAST
    })
}

/// Returns all texts in a JSON value, names of members included.
pub fn texts(value: &Value) -> Vec<String> {
    match value {
        Value::String(text) => vec![text.clone()],
        Value::Array(items) => items.iter().flat_map(texts).collect(),
        Value::Object(members) => members
            .iter()
            .flat_map(|(name, value)| [vec![name.clone()], texts(value)].concat())
            .collect(),
        _ => vec![],
    }
}

/// Checks a parser of secrets: what it accepts has the documented form, and what has that form is accepted. `parse`
/// returns the secret as it prints itself.
///
/// # Panics
/// If the parser breaks that.
pub fn secret(parse: impl Fn(&str) -> Option<String>, text: &str) {
    let accepted = parse(text);
    assert_eq!(accepted.is_some(), is_secret(text), "{text:?}");
    if let Some(printed) = accepted {
        assert_eq!(printed, text);
    }
}

/// Whether a text is a secret by its documented form: prefix, length, alphabet, and the CRC-32 in six digits of base62.
pub fn is_secret(text: &str) -> bool {
    const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let (Some(summed), Some(checksum)) = (text.get(..47), text.get(47..)) else {
        return false;
    };
    if checksum.len() != 6 {
        return false;
    }
    let formed = ["lka_", "lki_"]
        .iter()
        .any(|prefix| text.starts_with(prefix))
        && text[4..].bytes().all(|byte| byte.is_ascii_alphanumeric());
    let number = checksum.bytes().try_fold(0_u64, |number, byte| {
        let digit = DIGITS.iter().position(|digit| *digit == byte)?;
        Some(number * 62 + digit as u64)
    });
    formed && number == Some(u64::from(crc32(summed.as_bytes())))
}

/// The CRC-32 of IEEE 802.3, bit by bit.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg())
        })
    })
}

/// Checks a decoder of cursors: what it accepts is exactly what encodes to it.
///
/// # Panics
/// If the decoder breaks that.
pub fn cursor(
    encode: impl Fn(&str, &str) -> String,
    decode: impl Fn(&str, &str) -> Option<String>,
    list: &str,
    cursor: &str,
) {
    if let Some(position) = decode(list, cursor) {
        assert_eq!(encode(list, &position), cursor, "{list:?}: {position:?}");
    }
    // The other way around, with the same text as the position.
    let position = cursor;
    let encoded = encode(list, position);
    assert_eq!(decode(list, &encoded).as_deref(), Some(position));
    assert_eq!(decode(&format!("{list} "), &encoded), None);
}

/// Checks that the handler of a stream stops at a batch's first bad record and reports exactly that one. Lambda then
/// goes on from there, and gives a record up that fails too often. So a bad record holds up none before it.
///
/// # Panics
/// If the handler reports another record, or none.
pub async fn batch(event: &Event, handle: impl AsyncFn(Event) -> DynamoDbEventResponse) {
    let mut failures = handle(event.clone()).await.batch_item_failures;
    assert!(failures.len() <= 1, "{failures:?}");
    let mut first = None;
    for record in &event.records {
        let mut alone = event.clone();
        alone.records = vec![record.clone()];
        if !handle(alone).await.batch_item_failures.is_empty() {
            first = Some(record.change.sequence_number.clone());
            break;
        }
    }
    assert_eq!(
        failures.pop().map(|failure| failure.item_identifier),
        first,
        "the reported record, and the first that is bad"
    );
}
