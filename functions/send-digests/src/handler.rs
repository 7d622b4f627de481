//! Sends digests: one mail that lists an hour's notifications beyond the recipient's number of mails, or a day's
//! notifications that the recipient wants once a day.

use jiff::Timestamp;
use latchkey::domain::mailing::Digest;
use latchkey::mail::Notifier;
use latchkey::ports::{
    ClaimMail, Clock, GetRecipients, GetSuppression, ListDigests, PortError, SendMail,
};

/// Sends every digest whose hour or day is over. Starts none after `until`. A digest that fails doesn't hold up the others.
///
/// # Errors
/// When a digest couldn't be sent. The next attempt sends the others.
pub async fn handle(
    store: &(impl ListDigests + GetRecipients + ClaimMail + GetSuppression),
    notifier: &Notifier<impl SendMail>,
    clock: &impl Clock,
    until: Timestamp,
) -> Result<(), PortError> {
    let digests = store.list_digests(Digest::last_due(clock.now())).await?;
    let (mut sent, mut left) = (0, 0);
    for digest in &digests {
        if clock.now() >= until {
            left = digests.len() - sent;
            break;
        }
        match notifier.send_digest(store, clock, digest).await {
            Ok(()) => sent += 1,
            Err(error) => {
                let (account, user) = (&digest.account_id, &digest.user_id);
                tracing::warn!(%error, account.id = %account, user.id = %user, "a digest is left");
                left += 1;
            }
        }
    }
    tracing::info!(sent, left, "sent digests");
    if left > 0 {
        return Err(PortError::Unavailable(
            format!("digests are left to the next attempt ({left} left, {sent} sent)").into(),
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
