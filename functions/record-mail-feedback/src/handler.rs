//! Marks addresses that bounce or complain, so that they get no more mails, and tells the other people who are
//! responsible for the account.

mod event;

use latchkey::mail::Notifier;
use latchkey::ports::{
    ClaimMail, Clock, GetRecipients, GetSuppression, PortError, SendMail, SuppressAddress,
};

pub use event::Feedback;

/// Processes one event of SES. Marks the recipient's address if it bounced for good or complained, and tells the
/// account's other people. A temporary failure, such as a full mailbox, marks nothing.
///
/// # Errors
/// When an address couldn't be marked, or a mail couldn't be sent. The event is delivered again then, and what is done
/// isn't done twice.
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
