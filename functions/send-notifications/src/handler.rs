//! Mails every audit record to the account's owner and administrators; what is over their budgets is kept for
//! a digest.

use aws_lambda_events::dynamodb::{Event, EventRecord};
use aws_lambda_events::streams::{DynamoDbBatchItemFailure, DynamoDbEventResponse};
use jiff::Timestamp;
use latchkey::domain::ports::{
    ClaimMail, Clock, GetAddressMark, GetRecipients, HoldMail, PortError, RefundBudget, SendMail,
    SpendBudget,
};
use latchkey::mail::Notifier;
use latchkey::store::audit_record;

/// Sends the mails of a batch of the stream in its order, and begins none after `until`. Stops at the first
/// failure and answers where that is: Lambda goes on from there.
pub async fn handle(
    store: &(impl GetRecipients + ClaimMail + GetAddressMark + SpendBudget + RefundBudget + HoldMail),
    notifier: &Notifier<impl SendMail>,
    clock: &impl Clock,
    until: Timestamp,
    event: Event,
) -> DynamoDbEventResponse {
    let mut response = DynamoDbEventResponse::default();
    for record in event.records {
        let sequence_number = record.change.sequence_number.clone();
        if let Err(error) = notify(store, notifier, clock, until, record).await {
            tracing::warn!(%error, sequence_number, "could not notify");
            let mut failure = DynamoDbBatchItemFailure::default();
            failure.item_identifier = sequence_number;
            response.batch_item_failures.push(failure);
            break;
        }
    }
    response
}

async fn notify(
    store: &(impl GetRecipients + ClaimMail + GetAddressMark + SpendBudget + RefundBudget + HoldMail),
    notifier: &Notifier<impl SendMail>,
    clock: &impl Clock,
    until: Timestamp,
    record: EventRecord,
) -> Result<(), PortError> {
    if record.event_name != "INSERT" {
        return Ok(());
    }
    let record = audit_record(record.change.new_image)?;
    notifier.notify(store, clock, &record, until).await
}

#[cfg(test)]
mod tests;
