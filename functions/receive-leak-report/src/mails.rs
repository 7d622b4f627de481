//! The mails about the secrets that a report compromised.

use std::time::Duration;

use futures_util::{StreamExt, stream};
use jiff::Timestamp;
use latchkey::domain::audit::AuditRecord;
use latchkey::mail::Notifier;
use latchkey::ports::{ClaimMail, Clock, GetRecipients, GetSuppression, SendMail};
use tokio::time::timeout;

/// The number of tokens whose mails are sent at the same time.
const CONCURRENCY: usize = 16;

/// How long after the request's arrival mails may start.
const MAILING: Duration = Duration::from_secs(10);

/// How long after the request's arrival the function waits for mails that have started. The claim of a mail that may
/// be on its way expires by itself.
const WAITING: Duration = Duration::from_secs(20);

/// Mails the people of each leaked token's account within the request, so that these mails don't wait behind others in
/// the audit log's stream. The stream has the same records and sends the mails that fail here or come too late.
pub(crate) async fn mail_all(
    store: &(impl GetRecipients + ClaimMail + GetSuppression),
    notifier: &Notifier<impl SendMail>,
    system: &impl Clock,
    records: &[AuditRecord],
    begin: Timestamp,
) {
    let until = begin.saturating_add(MAILING).unwrap_or(Timestamp::MAX);
    let mails = stream::iter(records).for_each_concurrent(CONCURRENCY, |record| async move {
        match notifier.notify_now(store, system, record, until).await {
            Ok(()) => tracing::info!(audit.id = %record.id, "mailed"),
            Err(error) => {
                tracing::warn!(%error, audit.id = %record.id, "a mail is left to the stream");
            }
        }
    });
    let end = begin.saturating_add(WAITING).unwrap_or(Timestamp::MAX);
    let left = Duration::try_from(end.duration_since(system.now())).unwrap_or_default();
    if timeout(left, mails).await.is_err() {
        tracing::warn!("the mails that were begun are left to the stream");
    }
}
