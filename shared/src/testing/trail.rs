//! Events of CloudTrail, in the form of AWS's published examples, about the stack `latchkey`.

use serde_json::Value;

use crate::domain::trail::{Stack, TrailEvent};

/// Reads a sample of an event.
macro_rules! sample {
    ($name:literal) => {
        ($name, include_str!(concat!("trail/", $name, ".json")))
    };
}

const SAMPLES: [(&str, &str); 7] = [
    sample!("decrypt"),
    sample!("put-key-policy"),
    sample!("create-grant"),
    sample!("update-table"),
    sample!("update-continuous-backups"),
    sample!("update-event-source-mapping"),
    sample!("put-role-policy"),
];

/// A sample by its name.
pub fn trail_sample(name: &str) -> Value {
    let sample = SAMPLES.iter().find(|(known, _)| *known == name).unwrap();
    serde_json::from_str(sample.1).unwrap()
}

/// A sample as an event.
pub fn trail_event(name: &str) -> TrailEvent {
    serde_json::from_value(trail_sample(name)).unwrap()
}

/// The stack of the samples.
pub fn watched_stack() -> Stack {
    let tables = [
        "latchkey-TokensTable-1ABCDEFGHIJKL",
        "latchkey-AuditTable-1ABCDEFGHIJKL",
    ];
    let key = |id: &str| format!("arn:aws:kms:us-east-1:123456789012:key/{id}");
    let (of_tables, of_secrets) = (
        key("0987dcba-09fe-87dc-65ba-ab0987654321"),
        key("1234abcd-12ab-34cd-56ef-1234567890ab"),
    );
    Stack::new("latchkey", tables, &of_tables, &of_secrets)
}
