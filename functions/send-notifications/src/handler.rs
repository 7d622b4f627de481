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
use latchkey::store::{Tampered, audit_record, is_record_key};
use latchkey::stream::{for_each_record, is_expiry, key_text};

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
    mut record: EventRecord,
) -> Result<(), PortError> {
    if record.event_name != "INSERT" {
        return record_tampering(store, record).await;
    }
    let image = std::mem::take(&mut record.change.new_image);
    let is_foreign = !image.inner().is_empty() && !is_record_key(&image);
    match audit_record(image) {
        Ok(record) => notifier.notify(store, clock, &record, until).await,
        Err(_) if is_foreign => {
            tell_foreign(&record);
            Ok(())
        }
        // A newer version may have written it, before a rollback.
        Err(error) => Err(error),
    }
}

/// Records that an audit record was changed, or was removed other than by the table's time to live. The new record is
/// mailed like any other. Its id is derived from the stream record's id, so that a retry doesn't record it twice.
///
/// This never fails for what an image has: somebody may have put anything there, and the stream would wait for it.
async fn record_tampering(store: &impl RecordAudit, record: EventRecord) -> Result<(), PortError> {
    if is_expiry(&record) {
        return Ok(());
    }
    let change = &record.change;
    let Some(tampered) = Tampered::of(&change.keys, &change.old_image, &change.new_image) else {
        tell_foreign(&record);
        return Ok(());
    };
    let seconds = change.approximate_creation_date_time.timestamp();
    let time = Timestamp::from_second(seconds).unwrap_or_default();
    tracing::error!(
        account.id = %tampered.account_id,
        audit.id = key_text(&record, "sk"),
        event.name = record.event_name,
        "an audit record was tampered with",
    );
    let audit = AuditRecord {
        id: AuditId::of_message(time, &record.event_id),
        account_id: tampered.account_id,
        time,
        action: Action::Tamper,
        origin: Origin::system(record.event_id),
        asserted_ip: None,
        token_id: tampered.token_id,
        token_name: tampered.token_name,
        token_hint: tampered.token_hint,
        changes: tampered.changes,
    };
    store.record_audit(&audit).await
}

/// Tells the operator of an item whose keys no version of the service writes: somebody put it by hand. It is of no
/// account, so there is no log for it and nobody to mail.
fn tell_foreign(record: &EventRecord) {
    tracing::error!(
        event.name = record.event_name,
        event.id = record.event_id,
        item.pk = key_text(record, "pk"),
        item.sk = key_text(record, "sk"),
        "the audit table has an item that is no record",
    );
}

#[cfg(test)]
mod tests;
