//! Records the purge of a token after the table's time to live has removed it.

use aws_lambda_events::dynamodb::{Event, EventRecord};
use aws_lambda_events::streams::{DynamoDbBatchItemFailure, DynamoDbEventResponse};
use latchkey::domain::action::Action;
use latchkey::domain::actor::Actor;
use latchkey::domain::audit::{AuditRecord, Change, Origin, Source};
use latchkey::domain::id::AuditId;
use latchkey::domain::time::rfc3339;
use latchkey::ports::{PortError, RecordAudit};
use latchkey::store::token_of_image;

/// The principal of a removal by the time to live. A removal by a function has no principal.
const TIME_TO_LIVE: &str = "dynamodb.amazonaws.com";

/// Records the purges in a batch of the token table's stream, in order. Stops at the first failure. Returns the failed
/// record's sequence number, and Lambda delivers the batch again from there.
pub async fn handle(store: &impl RecordAudit, event: Event) -> DynamoDbEventResponse {
    let mut response = DynamoDbEventResponse::default();
    for record in event.records {
        let sequence_number = record.change.sequence_number.clone();
        if let Err(error) = record_purge(store, record).await {
            tracing::error!(%error, sequence_number, "could not record a purge");
            let mut failure = DynamoDbBatchItemFailure::default();
            failure.item_identifier = sequence_number;
            response.batch_item_failures.push(failure);
            break;
        }
    }
    response
}

async fn record_purge(store: &impl RecordAudit, record: EventRecord) -> Result<(), PortError> {
    let remover = record
        .user_identity
        .as_ref()
        .map(|identity| identity.principal_id.as_str());
    if record.event_name != "REMOVE" || remover != Some(TIME_TO_LIVE) {
        return Ok(());
    }
    let Some(stored) = token_of_image(record.change.old_image)? else {
        return Ok(());
    };
    let token = stored.token;
    let missing =
        || PortError::Broken(format!("{} was removed without a purge time", token.id).into());
    let purged_at = token.purge_at.ok_or_else(missing)?;
    // The token ended at its purge time, even if the table removed it later. The id is derived from the token and that
    // time, so that a retry doesn't record the purge twice.
    let audit = AuditRecord {
        id: AuditId::of_message(purged_at, token.id.as_str()),
        account_id: token.account_id,
        time: purged_at,
        action: Action::Purge,
        origin: Origin {
            source: Source::System,
            actor: Actor::system(),
            ip: None,
            user_agent: None,
            request_id: record.event_id,
        },
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
