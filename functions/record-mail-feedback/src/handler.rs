//! Learns from SES which addresses take no mail, or want none: no more is sent there, and the others who are
//! responsible for the account are told.

mod event;

use latchkey::mail::Notifier;
use latchkey::ports::{
    ClaimMail, Clock, GetRecipients, GetSuppression, PortError, SendMail, SuppressAddress,
};

pub use event::Feedback;

/// Deals with what SES tells of one mail. What may work later (a full mailbox, say) marks nothing.
///
/// # Errors
/// When an address couldn't be marked, or somebody couldn't be told. What is done is known when the event comes
/// again.
pub async fn handle(
    store: &(impl SuppressAddress + GetSuppression + GetRecipients + ClaimMail),
    notifier: &Notifier<impl SendMail>,
    clock: &impl Clock,
    event: Feedback,
) -> Result<(), PortError> {
    let message = event.message_id();
    let Some(why) = event.undeliverable() else {
        tracing::info!(
            message.id = message,
            "a mail did not arrive, the next one may"
        );
        return Ok(());
    };
    let account = event.account();
    for address in event.addresses() {
        let since = store.suppress_address(address, why, clock.now()).await?;
        let (reason, id) = (why.as_str(), account.as_ref().map(|id| id.as_str()));
        tracing::error!(
            account.id = id,
            message.id = message,
            reason,
            "no more mails to an address"
        );
        if let Some(account) = &account {
            let told = notifier.tell_undeliverable(store, clock, account, address, why, since);
            told.await?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
