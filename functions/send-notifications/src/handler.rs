//! Mails the audit records to the account's owner and administrators. Notifications beyond their hourly budgets, and
//! those that they want once a day, are kept for a digest. Also records changes of audit records themselves.

use aws_lambda_events::dynamodb::{Event, EventRecord};
use aws_lambda_events::streams::DynamoDbEventResponse;
use jiff::Timestamp;
use latchkey::domain::action::Action;
use latchkey::domain::audit::{AuditRecord, Origin};
use latchkey::domain::id::AuditId;
use latchkey::mail::Notifier;
use latchkey::ports::{
    AddToDigest, ClaimMail, Clock, GetRecipients, GetResources, GetSuppression, ListPreferences,
    PortError, RecordAudit, RefundBudget, SendMail, SpendBudget,
};
use latchkey::store::{audit_differences, audit_record};
use latchkey::stream::{for_each_record, is_expiry};

/// Sends the mails for a batch of the audit table's stream, in order. Starts none after `until`. Stops at the first
/// failure. Returns the failed record's sequence number, and Lambda delivers the batch again from there.
pub async fn handle(
    store: &(
         impl GetRecipients
         + GetResources
         + ListPreferences
         + ClaimMail
         + GetSuppression
         + SpendBudget
         + RefundBudget
         + AddToDigest
         + RecordAudit
     ),
    notifier: &Notifier<impl SendMail>,
    clock: &impl Clock,
    until: Timestamp,
    event: Event,
) -> DynamoDbEventResponse {
    for_each_record(event, async |record| {
        let sequence_number = record.change.sequence_number.clone();
        let notified = notify(store, notifier, clock, until, record).await;
        notified.inspect_err(|error| tracing::warn!(%error, sequence_number, "could not notify"))
    })
    .await
}

async fn notify(
    store: &(
         impl GetRecipients
         + GetResources
         + ListPreferences
         + ClaimMail
         + GetSuppression
         + SpendBudget
         + RefundBudget
         + AddToDigest
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
    if is_expiry(&record) {
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
        origin: Origin::system(record.event_id),
        changes,
        ..old
    };
    store.record_audit(&audit).await
}

#[cfg(test)]
mod tests;
