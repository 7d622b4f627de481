//! Records the purge of a token after the table's time to live has removed it.

use aws_lambda_events::dynamodb::{Event, EventRecord};
use aws_lambda_events::streams::DynamoDbEventResponse;
use latchkey::domain::action::Action;
use latchkey::domain::audit::{AuditRecord, Change, Origin};
use latchkey::domain::id::AuditId;
use latchkey::domain::time::rfc3339;
use latchkey::ports::{PortError, RecordAudit};
use latchkey::store::token_of_image;
use latchkey::stream::{for_each_record, is_expiry};

/// Records the purges in a batch of the token table's stream, in order. Stops at the first failure. Returns the failed
/// record's sequence number, and Lambda delivers the batch again from there.
pub async fn handle(store: &impl RecordAudit, event: Event) -> DynamoDbEventResponse {
    for_each_record(event, async |record| {
        let sequence_number = record.change.sequence_number.clone();
        let recorded = record_purge(store, record).await;
        recorded.inspect_err(|error| {
            tracing::error!(%error, sequence_number, "could not record a purge");
        })
    })
    .await
}

async fn record_purge(store: &impl RecordAudit, record: EventRecord) -> Result<(), PortError> {
    if !is_expiry(&record) {
        return Ok(());
    }
    let Some(stored) = token_of_image(record.change.old_image)? else {
        return Ok(());
    };
    let token = stored.token;
    let missing = || {
        PortError::Broken(format!("a token was removed without a purge time ({})", token.id).into())
    };
    let purged_at = token.purge_at.ok_or_else(missing)?;
    // The token ended at its purge time, even if the table removed it later. The id is derived from the token and that
    // time, so that a retry doesn't record the purge twice.
    let audit = AuditRecord {
        id: AuditId::of_message(purged_at, token.id.as_str()),
        account_id: token.account_id,
        time: purged_at,
        action: Action::Purge,
        origin: Origin::system(record.event_id),
        asserted_ip: None,
        token_id: token.id,
        token_name: token.name,
        token_hint: token.hint,
        changes: vec![Change::new("purgeAt", Some(rfc3339(purged_at)), None)],
    };
    store.record_audit(&audit).await
}

#[cfg(test)]
mod tests;
