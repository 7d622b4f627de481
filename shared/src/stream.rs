//! Functions that a table's stream starts.

use aws_lambda_events::dynamodb::{Event, EventRecord};
use aws_lambda_events::streams::{DynamoDbBatchItemFailure, DynamoDbEventResponse};

use crate::ports::PortError;

/// The principal of a removal by the time to live. One by anybody else has none.
const TIME_TO_LIVE: &str = "dynamodb.amazonaws.com";

/// Handles the records of a batch in their order. Stops at the first failure and answers where that is: Lambda goes
/// on from there.
pub async fn for_each_record(
    event: Event,
    handle: impl AsyncFn(EventRecord) -> Result<(), PortError>,
) -> DynamoDbEventResponse {
    let mut response = DynamoDbEventResponse::default();
    for record in event.records {
        let sequence_number = record.change.sequence_number.clone();
        if handle(record).await.is_err() {
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
