use jiff::Timestamp;

use super::{Console, compose};
use crate::domain::account::Member;
use crate::domain::audit::AuditRecord;
use crate::domain::ports::{
    Claim, ClaimMail, Clock, GetRecipients, Handover, Mail, PortError, SendMail,
};

/// Mails audit records to those who are responsible, each record to each of them once.
#[derive(Debug, Clone)]
pub struct Notifier<M> {
    mailer: M,
    console: Console,
}

impl<M: SendMail> Notifier<M> {
    /// A notifier that sends with the mailer and links to the console.
    pub fn new(mailer: M, console: Console) -> Self {
        Self { mailer, console }
    }

    /// Mails a record to the account's owner and administrators, except to whom it was mailed before.
    /// It begins no mail after `until`. An address that the mail service will never take is given up,
    /// and logged as an error: it must not hold up the mails to others.
    ///
    /// # Errors
    /// When the mail to somebody couldn't be sent, or is being sent by somebody else. Another call
    /// sends what is missing.
    pub async fn notify(
        &self,
        store: &(impl GetRecipients + ClaimMail),
        clock: &impl Clock,
        record: &AuditRecord,
        until: Timestamp,
    ) -> Result<(), PortError> {
        if !record.is_mailed() {
            return Ok(());
        }
        let Some(account) = store.get_recipients(&record.account_id).await? else {
            tracing::warn!(account.id = %record.account_id, "an account without people");
            return Ok(());
        };
        // One address that fails doesn't keep the others waiting: all are tried before the retry.
        let mut failed = None;
        for member in account.notified() {
            if clock.now() >= until {
                return Err(PortError::Unavailable("the time is up".into()));
            }
            let mail = compose(record, &account, member, &self.console)?;
            if let Err(error) = self.send_once(store, clock, record, member, mail).await {
                failed = Some(error);
            }
        }
        failed.map_or(Ok(()), Err)
    }

    async fn send_once(
        &self,
        store: &impl ClaimMail,
        clock: &impl Clock,
        record: &AuditRecord,
        member: &Member,
        mail: Mail,
    ) -> Result<(), PortError> {
        let id = record.id.as_str();
        match store.claim_mail(id, &member.id, clock.now()).await? {
            Claim::Sent => return Ok(()),
            Claim::Held => return Err(PortError::Unavailable(format!("{id} is being sent"))),
            Claim::Granted => {}
        }
        match self.mailer.send_mail(&mail).await {
            Ok(Handover::Taken) => {}
            Ok(Handover::NoAddress(reason)) => {
                let (account, user) = (&record.account_id, &member.id);
                tracing::error!(account.id = %account, user.id = %user, audit.id = id, reason, "no address for mails");
            }
            // It may be on its way. The claim runs out by itself, and then it is sent again.
            Ok(Handover::Unanswered(reason)) => return Err(PortError::Unavailable(reason)),
            Err(error) => {
                let released = store.release_mail(id, &member.id).await;
                if let Err(error) = released {
                    tracing::warn!(%error, "could not give a claim back");
                }
                return Err(error);
            }
        }
        store.confirm_mail(id, &member.id, clock.now()).await
    }
}
