use jiff::Timestamp;

use super::notification::{Console, compose};
use super::{bounce, digest};
use crate::domain::account::{Account, Member};
use crate::domain::audit::AuditRecord;
use crate::domain::budget::{Budget, Spending};
use crate::domain::id::AccountId;
use crate::domain::mailing::{Digest, DigestEntry, Suppression, SuppressionReason, never_waits};
use crate::ports::{
    AddToDigest, Cause, Claim, ClaimMail, Clock, GetRecipients, GetSuppression, ListDigests, Mail,
    PortError, RefundBudget, SendMail, SendOutcome, SpendBudget,
};

/// Sends mails about audit records to the responsible members, each record to each member once.
#[derive(Debug, Clone)]
pub struct Notifier<M> {
    mailer: M,
    console: Console,
}

/// A mail and the id that it is claimed by.
struct OutgoingMail<'a> {
    id: &'a str,
    account: &'a AccountId,
    member: &'a Member,
    mail: Mail,
    /// The record that the mail is about, if the mail may wait for a digest.
    record: Option<&'a AuditRecord>,
}

/// The result of sending a mail.
enum Delivery {
    /// It was sent, is held for a digest, or will never be sent.
    Settled,
    /// The mail will never be sent, because of its address.
    Suppressed(Suppression),
    /// It may have been sent.
    Unknown(Cause),
}

/// Decides whether a mail may be sent now.
trait SendLimit: Sync {
    /// Returns whether the mail may be sent. If not, its entry is in a digest.
    fn admits(
        &self,
        outgoing: &OutgoingMail<'_>,
        now: Timestamp,
    ) -> impl Future<Output = Result<bool, PortError>> + Send;

    /// Gives a mail that wasn't sent back to the budget.
    fn refund(
        &self,
        outgoing: &OutgoingMail<'_>,
        sent: Timestamp,
    ) -> impl Future<Output = ()> + Send;
}

/// Lets every mail be sent.
struct Unlimited;

impl SendLimit for Unlimited {
    async fn admits(&self, _: &OutgoingMail<'_>, _: Timestamp) -> Result<bool, PortError> {
        Ok(true)
    }

    async fn refund(&self, _: &OutgoingMail<'_>, _: Timestamp) {}
}

/// Admits as many mails as the recipient's budget allows, and adds the others to a digest.
struct Budgeted<'a, S>(&'a S);

impl<S: SpendBudget + RefundBudget + AddToDigest> SendLimit for Budgeted<'_, S> {
    async fn admits(&self, outgoing: &OutgoingMail<'_>, now: Timestamp) -> Result<bool, PortError> {
        let Some(record) = outgoing.record else {
            return Ok(true);
        };
        let budget = Budget::Mail(outgoing.member.id.clone());
        match self.0.spend_budget(outgoing.account, &budget, now).await? {
            Spending::Granted => Ok(true),
            Spending::Exceeded { .. } => {
                let digest = Digest::of(outgoing.account, outgoing.member, now);
                let held = DigestEntry::from(record);
                self.0.add_to_digest(&digest, &held, now).await?;
                Ok(false)
            }
        }
    }

    async fn refund(&self, outgoing: &OutgoingMail<'_>, sent: Timestamp) {
        let member = &outgoing.member.id;
        // If this fails, the recipient gets one mail less in this hour; the digest has what isn't sent at once.
        if let Err(error) = self.0.refund_mail(outgoing.account, member, sent).await {
            tracing::warn!(%error, "could not give a mail back to its budget");
        }
    }
}

impl<M: SendMail> Notifier<M> {
    /// A notifier that sends with the mailer and links to the console.
    pub fn new(mailer: M, console: Console) -> Self {
        Self { mailer, console }
    }

    /// Sends the mail about a record to the account's owner and administrators, except to those who have had it. No
    /// mail is begun after `until`. Mails over a recipient's budget are held for a digest, unless they never wait. An
    /// address that the mail service refuses permanently is given up and logged as an error, so that it doesn't delay
    /// the mails to others.
    ///
    /// # Errors
    /// A mail couldn't be sent, or another caller is sending it. Another call sends the missing mails.
    pub async fn notify(
        &self,
        store: &(
             impl GetRecipients + ClaimMail + GetSuppression + SpendBudget + RefundBudget + AddToDigest
         ),
        clock: &impl Clock,
        record: &AuditRecord,
        until: Timestamp,
    ) -> Result<(), PortError> {
        if never_waits(record) {
            return self.notify_now(store, clock, record, until).await;
        }
        // Boxed, as futures of futures of the SDK's are nested too deep for the compiler.
        let budget = Budgeted(store);
        Box::pin(self.notify_all(store, &budget, clock, record, until)).await
    }

    /// Like [`Notifier::notify`], for a record whose mails never wait.
    ///
    /// # Errors
    /// As [`Notifier::notify`].
    pub async fn notify_now(
        &self,
        store: &(impl GetRecipients + ClaimMail + GetSuppression),
        clock: &impl Clock,
        record: &AuditRecord,
        until: Timestamp,
    ) -> Result<(), PortError> {
        Box::pin(self.notify_all(store, &Unlimited, clock, record, until)).await
    }

    async fn notify_all(
        &self,
        store: &(impl GetRecipients + ClaimMail + GetSuppression),
        limit: &impl SendLimit,
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
        // A failing address doesn't delay the others: all are tried before a retry.
        let mut failed = None;
        for member in account.notified() {
            if clock.now() >= until {
                return Err(PortError::Unavailable("the time is up".into()));
            }
            let outgoing = OutgoingMail {
                id: record.id.as_str(),
                account: &account.id,
                member,
                mail: compose(record, &account, member, &self.console)?,
                record: Some(record),
            };
            let done = match self.send_once(store, limit, clock, outgoing).await {
                // Another account may have been notified, and this one not.
                Ok(Some(mark)) => {
                    Box::pin(self.tell_others(store, clock, &account, member, mark)).await
                }
                done => done.map(drop),
            };
            if let Err(error) = done {
                failed = Some(error);
            }
        }
        failed.map_or(Ok(()), Err)
    }

    /// Sends a digest to its member, provided that the member still gets mails about the account's events. Removes the
    /// digest from the pending ones.
    ///
    /// # Errors
    /// A mail couldn't be sent, or another caller is sending it.
    pub async fn send_digest(
        &self,
        store: &(impl GetRecipients + ClaimMail + GetSuppression + ListDigests),
        clock: &impl Clock,
        digest: &Digest,
    ) -> Result<(), PortError> {
        let account = store.get_recipients(&digest.account_id).await?;
        let member = account.as_ref().and_then(|account| {
            let mut notified = account.notified();
            Some((
                account,
                notified.find(|member| member.id == digest.user_id)?,
            ))
        });
        if let Some((account, member)) = member {
            let held = store.digest_entries(digest).await?;
            let mails = digest::compose(digest, &held, account, member, &self.console)?;
            for (part, mail) in (1..).zip(mails) {
                let outgoing = OutgoingMail {
                    id: &format!("digest-{}-{}-{part}", digest.account_id, digest.hour),
                    account: &account.id,
                    member,
                    mail,
                    record: None,
                };
                self.send_once(store, &Unlimited, clock, outgoing).await?;
            }
        }
        store.delete_digest(digest).await
    }

    /// Tells an account's owner and administrators that no more mail is sent to the address of one of them. The mail
    /// isn't sent to that address itself. Each member gets it once.
    ///
    /// # Errors
    /// A mail couldn't be sent, or another caller is sending it.
    pub async fn tell_undeliverable(
        &self,
        store: &(impl GetRecipients + ClaimMail + GetSuppression),
        clock: &impl Clock,
        account: &AccountId,
        address: &str,
        why: SuppressionReason,
        since: Timestamp,
    ) -> Result<(), PortError> {
        let Some(account) = store.get_recipients(account).await? else {
            return Ok(());
        };
        let is_it = |member: &&Member| member.email.eq_ignore_ascii_case(address);
        let Some(concerned) = account.notified().find(is_it) else {
            return Ok(());
        };
        let mark = Suppression { why, since };
        self.tell_others(store, clock, &account, concerned, mark)
            .await
    }

    async fn tell_others(
        &self,
        store: &(impl ClaimMail + GetSuppression),
        clock: &impl Clock,
        account: &Account,
        concerned: &Member,
        mark: Suppression,
    ) -> Result<(), PortError> {
        let id = format!(
            "undeliverable-{}-{}-{}",
            account.id, concerned.id, mark.since
        );
        let address = concerned.email.as_str();
        let others = account
            .notified()
            .filter(|member| !member.email.eq_ignore_ascii_case(address));
        let mut failed = None;
        for member in others {
            let outgoing = OutgoingMail {
                id: &id,
                account: &account.id,
                member,
                mail: bounce::compose(concerned, mark.why, account, member)?,
                record: None,
            };
            if let Err(error) = self.send_once(store, &Unlimited, clock, outgoing).await {
                failed = Some(error);
            }
        }
        failed.map_or(Ok(()), Err)
    }

    /// Sends a mail, unless it was sent before. Returns the mark of an address to which mail is no longer sent.
    async fn send_once(
        &self,
        store: &(impl ClaimMail + GetSuppression),
        limit: &impl SendLimit,
        clock: &impl Clock,
        outgoing: OutgoingMail<'_>,
    ) -> Result<Option<Suppression>, PortError> {
        let (id, member) = (outgoing.id, &outgoing.member.id);
        match store.claim_mail(id, member, clock.now()).await? {
            Claim::Sent => return Ok(None),
            Claim::Held => {
                return Err(PortError::Unavailable(format!("{id} is being sent").into()));
            }
            Claim::Granted => {}
        }
        match self.settle(store, limit, clock, &outgoing).await {
            Ok(Delivery::Settled) => {
                store.confirm_mail(id, member, clock.now()).await?;
                Ok(None)
            }
            Ok(Delivery::Suppressed(mark)) => {
                store.confirm_mail(id, member, clock.now()).await?;
                Ok(Some(mark))
            }
            // The claim lapses, and then the mail is sent again.
            Ok(Delivery::Unknown(reason)) => Err(PortError::Unavailable(reason)),
            Err(error) => {
                let released = store.release_mail(id, member).await;
                if let Err(error) = released {
                    tracing::warn!(%error, "could not give a claim back");
                }
                Err(error)
            }
        }
    }

    async fn settle(
        &self,
        store: &impl GetSuppression,
        limit: &impl SendLimit,
        clock: &impl Clock,
        outgoing: &OutgoingMail<'_>,
    ) -> Result<Delivery, PortError> {
        let (account, user, id) = (outgoing.account, &outgoing.member.id, outgoing.id);
        if let Some(mark) = store.get_suppression(&outgoing.mail.to).await? {
            tracing::warn!(account.id = %account, user.id = %user, mail.id = id, "no mail to a marked address");
            return Ok(Delivery::Suppressed(mark));
        }
        let spent = clock.now();
        if !limit.admits(outgoing, spent).await? {
            return Ok(Delivery::Settled);
        }
        match self.mailer.send_mail(&outgoing.mail).await {
            Ok(SendOutcome::Accepted) => Ok(Delivery::Settled),
            Ok(SendOutcome::AddressRejected(reason)) => {
                tracing::error!(account.id = %account, user.id = %user, mail.id = id, %reason, "no address for mails");
                Ok(Delivery::Settled)
            }
            Ok(SendOutcome::NoResponse(reason)) => Ok(Delivery::Unknown(reason)),
            Err(error) => {
                limit.refund(outgoing, spent).await;
                Err(error)
            }
        }
    }
}
