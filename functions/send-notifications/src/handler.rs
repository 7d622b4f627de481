//! Mails every audit record to the account's owner and administrators. Notifications beyond their hourly budgets are
//! kept for a digest. Also records changes of audit records themselves.

use aws_lambda_events::dynamodb::{Event, EventRecord};
use aws_lambda_events::streams::{DynamoDbBatchItemFailure, DynamoDbEventResponse};
use jiff::Timestamp;
use latchkey::domain::action::Action;
use latchkey::domain::actor::Actor;
use latchkey::domain::audit::{AuditRecord, Origin, Source};
use latchkey::domain::id::AuditId;
use latchkey::mail::Notifier;
use latchkey::ports::{
    ClaimMail, Clock, GetAddressMark, GetRecipients, HoldMail, PortError, RecordAudit,
    RefundBudget, SendMail, SpendBudget,
};
use latchkey::store::{audit_differences, audit_record};

/// The principal of a removal by the time to live. Any other removal has no principal.
const TIME_TO_LIVE: &str = "dynamodb.amazonaws.com";

/// Sends the mails for a batch of the audit table's stream, in order. Starts none after `until`. Stops at the first
/// failure. Returns the failed record's sequence number, and Lambda delivers the batch again from there.
pub async fn handle(
    store: &(
         impl GetRecipients
         + ClaimMail
         + GetAddressMark
         + SpendBudget
         + RefundBudget
         + HoldMail
         + RecordAudit
     ),
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
    store: &(
         impl GetRecipients
         + ClaimMail
         + GetAddressMark
         + SpendBudget
         + RefundBudget
         + HoldMail
         + RecordAudit
     ),
    notifier: &Notifier<impl SendMail>,
    clock: &impl Clock,
    until: Timestamp,
    record: EventRecord,
) -> Result<(), PortError> {
    if record.event_name != "INSERT" {
        return record_tampering(store, record).await;
    }
    let record = audit_record(record.change.new_image)?;
    notifier.notify(store, clock, &record, until).await
}

/// Records that an audit record was changed, or was removed other than by the table's time to live. The new record is
/// mailed like any other. Its id is derived from the stream record's id, so that a retry doesn't record it twice.
async fn record_tampering(store: &impl RecordAudit, record: EventRecord) -> Result<(), PortError> {
    let identity = record.user_identity.as_ref();
    let remover = identity.map(|identity| identity.principal_id.as_str());
    if record.event_name == "REMOVE" && remover == Some(TIME_TO_LIVE) {
        return Ok(());
    }
    let changes = audit_differences(&record.change.old_image, &record.change.new_image)?;
    let old = audit_record(record.change.old_image)?;
    let seconds = record.change.approximate_creation_date_time.timestamp();
    let time = Timestamp::from_second(seconds).unwrap_or(old.time);
    tracing::error!(
        account.id = %old.account_id,
        audit.id = %old.id,
        event.name = record.event_name,
        "an audit record was tampered with",
    );
    let audit = AuditRecord {
        id: AuditId::of_message(time, &record.event_id),
        time,
        action: Action::Tamper,
        origin: Origin {
            source: Source::System,
            actor: Actor::system(),
            ip: None,
            user_agent: None,
            request_id: record.event_id,
        },
        changes,
        ..old
    };
    store.record_audit(&audit).await
}

#[cfg(test)]
mod tests;
