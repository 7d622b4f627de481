//! Sizes of items and DynamoDB's units.

use serde_json::{Value, json};

const KB: usize = 1_024;

/// The size of an item by DynamoDB's rules. `tests/scale.rs` holds it against the engine.
///
/// # Panics
/// If it isn't an item in the form of stream images.
pub fn size(item: &Value) -> usize {
    let attributes = item.as_object().unwrap().iter();
    attributes
        .map(|(name, value)| name.len() + value_size(value))
        .sum()
}

fn value_size(value: &Value) -> usize {
    let (kind, value) = value.as_object().unwrap().iter().next().unwrap();
    match (kind.as_str(), value) {
        ("S", Value::String(text)) => text.len(),
        ("N", Value::String(number)) => number.trim_matches('0').len().div_ceil(2) + 1,
        // Each three bytes are four letters of base64.
        ("B", Value::String(base64)) => base64.len() / 4 * 3,
        ("B", Value::Array(bytes)) => bytes.len(),
        ("BOOL" | "NULL", _) => 1,
        ("SS", Value::Array(texts)) => texts.iter().map(|text| text.as_str().unwrap().len()).sum(),
        ("L", Value::Array(values)) => {
            3 + values
                .iter()
                .map(|value| 1 + value_size(value))
                .sum::<usize>()
        }
        ("M", Value::Object(values)) => 3 + values.len() + size(&json!(values)),
        other => panic!("{other:?}"),
    }
}

/// A consistent read takes a unit for each 4 KB.
pub fn read_units(item: usize) -> usize {
    item.div_ceil(4 * KB)
}

/// A write within a transaction takes two units for each KB.
pub fn transaction_units(item: usize) -> usize {
    2 * item.div_ceil(KB)
}
