//! Mails every audit record to the account's owner and administrators.

use aws_lambda_events::dynamodb::{Event, EventRecord};
use aws_lambda_events::streams::{DynamoDbBatchItemFailure, DynamoDbEventResponse};
use latchkey::domain::account::Member;
use latchkey::domain::audit::AuditRecord;
use latchkey::domain::ports::{Claim, ClaimMail, Clock, GetRecipients, PortError, SendMail};
use latchkey::mail::{Console, compose};
use latchkey::store::audit_record;

/// Sends the mails of a batch in its order. Stops at the first failure: Lambda goes on from there.
/// Mails the records of one batch of the stream, and answers where to go on from after a failure.
pub async fn handle(
    store: &(impl GetRecipients + ClaimMail),
    mailer: &impl SendMail,
    clock: &impl Clock,
    console: &Console,
    event: Event,
) -> DynamoDbEventResponse {
    let mut response = DynamoDbEventResponse::default();
    for record in event.records {
        let sequence_number = record.change.sequence_number.clone();
        if let Err(error) = notify(store, mailer, clock, console, record).await {
            tracing::error!(%error, sequence_number, "could not notify");
            let mut failure = DynamoDbBatchItemFailure::default();
            failure.item_identifier = sequence_number;
            response.batch_item_failures.push(failure);
            break;
        }
    }
    response
}

async fn notify(
    store: &(impl GetRecipients + ClaimMail),
    mailer: &impl SendMail,
    clock: &impl Clock,
    console: &Console,
    record: EventRecord,
) -> Result<(), PortError> {
    if record.event_name != "INSERT" {
        return Ok(());
    }
    let record = audit_record(record.change.new_image)?;
    let Some(account) = store.get_recipients(&record.account_id).await? else {
        tracing::warn!(account.id = %record.account_id, "an account without people");
        return Ok(());
    };
    // One address that fails doesn't keep the others waiting: all are tried before the retry.
    let mut failed = None;
    for member in account.notified() {
        let mail = compose(&record, &account, member, console)?;
        if let Err(error) = send_once(store, mailer, clock, &record, member, mail).await {
            failed = Some(error);
        }
    }
    failed.map_or(Ok(()), Err)
}

/// Sends a mail unless it was sent before.
async fn send_once(
    store: &impl ClaimMail,
    mailer: &impl SendMail,
    clock: &impl Clock,
    record: &AuditRecord,
    member: &Member,
    mail: latchkey::domain::ports::Mail,
) -> Result<(), PortError> {
    let id = record.id.as_str();
    match store.claim_mail(id, &member.id, clock.now()).await? {
        Claim::Sent => return Ok(()),
        Claim::Held => return Err(PortError::Unavailable(format!("{id} is being sent"))),
        Claim::Granted => {}
    }
    if let Err(error) = mailer.send_mail(&mail).await {
        // If this fails too, the claim runs out by itself.
        let released = store.release_mail(id, &member.id).await;
        if let Err(error) = released {
            tracing::warn!(%error, "could not give a claim back");
        }
        return Err(error);
    }
    store.confirm_mail(id, &member.id, clock.now()).await
}

#[cfg(test)]
mod tests;
