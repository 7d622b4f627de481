//! The mails about what a report revoked.

use std::time::Duration;

use futures_util::{StreamExt, stream};
use jiff::Timestamp;
use latchkey::domain::audit::AuditRecord;
use latchkey::mail::Notifier;
use latchkey::ports::{ClaimMail, Clock, GetRecipients, GetSuppression, SendMail};
use tokio::time::timeout;

/// How many tokens' mails are sent at the same time.
const CONCURRENCY: usize = 16;

/// For how long after the request's arrival mails are begun.
const MAILING: Duration = Duration::from_secs(10);

/// When mails that were begun are waited for no longer. A claim to one that may be on its way runs out by
/// itself.
const WAITING: Duration = Duration::from_secs(20);

/// Mails the leaks within the request: such a mail must not wait behind the others of the audit log's
/// stream. What fails or comes too late is left to the stream, which has the same records.
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
