//! What functions that read a table's stream share.

use aws_lambda_events::dynamodb::{Event, EventRecord};
use aws_lambda_events::streams::{DynamoDbBatchItemFailure, DynamoDbEventResponse};

use serde_dynamo::AttributeValue;

use crate::domain::text::redact;
use crate::ports::PortError;

/// The principal of a removal by the time to live. Any other removal has no principal.
const TIME_TO_LIVE: &str = "dynamodb.amazonaws.com";

/// Handles the records of a batch in order. Stops at the first failure. Returns the failed record's sequence number, and
/// Lambda delivers the batch again from there.
pub async fn for_each_record(
    event: Event,
    handle: impl AsyncFn(EventRecord) -> Result<(), PortError>,
) -> DynamoDbEventResponse {
    let mut response = DynamoDbEventResponse::default();
    for record in event.records {
        let sequence_number = record.change.sequence_number.clone();
        // Without the box, the nested types of the futures become too deep for the compiler.
        if Box::pin(handle(record)).await.is_err() {
            let mut failure = DynamoDbBatchItemFailure::default();
            failure.item_identifier = sequence_number;
            response.batch_item_failures.push(failure);
            break;
        }
    }
    response
}

/// Whether the record is of a removal by the table's time to live.
pub fn is_expiry(record: &EventRecord) -> bool {
    let remover = record.user_identity.as_ref();
    let principal = remover.map(|identity| identity.principal_id.as_str());
    record.event_name == "REMOVE" && principal == Some(TIME_TO_LIVE)
}

/// A part of the key of a record's item, for logs. Somebody may have put any key there.
pub fn key_text(record: &EventRecord, name: &str) -> Option<String> {
    match record.change.keys.inner().get(name) {
        Some(AttributeValue::S(text)) => Some(redact(text)),
        _ => None,
    }
}
