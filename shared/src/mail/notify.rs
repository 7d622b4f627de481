use jiff::Timestamp;

use super::changes::{ResourceNames, named_resources};
use super::frame::{Console, Frame};
use super::notification::compose;
use super::{bounce, digest};
use crate::app::measure::{Measure, count};
use crate::domain::account::{Account, Member};
use crate::domain::audit::AuditRecord;
use crate::domain::brand::Brand;
use crate::domain::budget::{Budget, Spending};
use crate::domain::id::{AccountId, UserId};
use crate::domain::mailing::{
    Digest, DigestEntry, DigestPeriod, Suppression, SuppressionReason, never_waits,
};
use crate::domain::preferences::{MailGroup, MailPreferences, MailTiming};
use crate::ports::{
    AddToDigest, Cause, Claim, ClaimMail, Clock, GetRecipients, GetResources, GetSuppression,
    ListDigests, ListPreferences, Mail, PortError, RefundBudget, SendMail, SendOutcome,
    SpendBudget,
};

/// Sends mails about audit records to the responsible members, each record to each member once.
#[derive(Debug, Clone)]
pub struct Notifier<M> {
    mailer: M,
    frame: Frame,
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

/// Admits as many mails as the recipient's budget allows, and adds the others to a digest of the hour. Mails that the
/// recipient wants once a day go to a digest of the day, and cost no budget.
struct Budgeted<'a, S> {
    store: &'a S,
    preferences: Vec<(UserId, MailPreferences)>,
}

impl<S> Budgeted<'_, S> {
    fn timing(&self, member: &Member, record: &AuditRecord) -> MailTiming {
        let mut chosen = self.preferences.iter();
        let chosen = chosen.find(|(user, _)| *user == member.id);
        chosen
            .map(|(_, preferences)| *preferences)
            .unwrap_or_default()
            .timing(record)
    }
}

impl<S: SpendBudget + RefundBudget + AddToDigest> SendLimit for Budgeted<'_, S> {
    async fn admits(&self, outgoing: &OutgoingMail<'_>, now: Timestamp) -> Result<bool, PortError> {
        let Some(record) = outgoing.record else {
            return Ok(true);
        };
        let (account, member) = (outgoing.account, outgoing.member);
        let period = if self.timing(member, record) == MailTiming::Daily {
            DigestPeriod::day_of(now)
        } else {
            let budget = Budget::Mail(member.id.clone());
            match self.store.spend_budget(account, &budget, now).await? {
                Spending::Granted => return Ok(true),
                Spending::Exceeded { .. } => DigestPeriod::hour_of(now),
            }
        };
        let digest = Digest::of(account, member, period);
        let held = DigestEntry::from(record);
        self.store.add_to_digest(&digest, &held, now).await?;
        Ok(false)
    }

    async fn refund(&self, outgoing: &OutgoingMail<'_>, sent: Timestamp) {
        let member = &outgoing.member.id;
        // If this fails, the recipient gets one mail less in this hour; the digest has what isn't sent at once.
        if let Err(error) = self.store.refund_mail(outgoing.account, member, sent).await {
            tracing::warn!(%error, "could not give a mail back to its budget");
        }
    }
}

/// The names of the resources that the mail about a record names.
async fn resource_names(store: &impl GetResources, record: &AuditRecord) -> ResourceNames {
    let named = named_resources(record);
    if named.is_empty() {
        return ResourceNames::default();
    }
    match store.get_resources(&record.account_id, &named).await {
        Ok(resources) => ResourceNames::of(resources),
        Err(error) => {
            tracing::warn!(%error, audit.id = %record.id, "a mail goes without names of resources");
            ResourceNames::default()
        }
    }
}

/// The choices of the account's members, if the mails about a record may wait for them.
async fn preferences(
    store: &impl ListPreferences,
    record: &AuditRecord,
) -> Vec<(UserId, MailPreferences)> {
    if MailGroup::of(record).is_none() {
        return Vec::new();
    }
    match store.list_preferences(&record.account_id).await {
        Ok(preferences) => preferences,
        Err(error) => {
            tracing::warn!(%error, audit.id = %record.id, "a mail goes out whatever its recipients chose");
            Vec::new()
        }
    }
}

impl<M: SendMail> Notifier<M> {
    /// A notifier that sends with the mailer, links to the console, and shows the brand.
    pub fn new(mailer: M, console: Console, brand: Brand) -> Self {
        let frame = Frame { console, brand };
        Self { mailer, frame }
    }

    /// Sends the mail about a record to the account's owner and administrators, except to those who have had it. No
    /// mail is begun after `until`. Mails over a recipient's budget, and those that a recipient wants once a day, are held
    /// for a digest, unless they never wait. An address that the mail service refuses permanently is given up and logged
    /// as an error, so that it doesn't delay the mails to others.
    ///
    /// If the recipients' choices can't be read, the mails are sent at once. If the names of resources can't be read, the
    /// mails have the ids only.
    ///
    /// # Errors
    /// A mail couldn't be sent, or another caller is sending it. Another call sends the missing mails.
    pub async fn notify(
        &self,
        store: &(
             impl GetRecipients
             + GetResources
             + ListPreferences
             + ClaimMail
             + GetSuppression
             + SpendBudget
             + RefundBudget
             + AddToDigest
         ),
        clock: &impl Clock,
        record: &AuditRecord,
        until: Timestamp,
    ) -> Result<(), PortError> {
        if !record.is_mailed() {
            return Ok(());
        }
        if never_waits(record) {
            return self.notify_now(store, clock, record, until).await;
        }
        let names = resource_names(store, record).await;
        let preferences = preferences(store, record).await;
        let budget = Budgeted { store, preferences };
        // Boxed, as futures of futures of the SDK's are nested too deep for the compiler.
        Box::pin(self.notify_all(store, &budget, clock, record, &names, until)).await
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
        // Such records list no resources.
        let names = ResourceNames::default();
        Box::pin(self.notify_all(store, &Unlimited, clock, record, &names, until)).await
    }

    async fn notify_all(
        &self,
        store: &(impl GetRecipients + ClaimMail + GetSuppression),
        limit: &impl SendLimit,
        clock: &impl Clock,
        record: &AuditRecord,
        names: &ResourceNames,
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
                mail: compose(record, names, &account, member, &self.frame)?,
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
            let mails = digest::compose(digest, &held, account, member, &self.frame)?;
            let period = match digest.period {
                DigestPeriod::Hour(start) => start.to_string(),
                DigestPeriod::Day(day) => day.to_string(),
            };
            for (part, mail) in (1..).zip(mails) {
                let outgoing = OutgoingMail {
                    id: &format!("digest-{}-{period}-{part}", digest.account_id),
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
                mail: bounce::compose(concerned, mark.why, account, member, &self.frame)?,
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
                return Err(PortError::Unavailable(
                    format!("a mail is being sent ({id})").into(),
                ));
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
            count(Measure::MailHeld, 1);
            return Ok(Delivery::Settled);
        }
        match self.mailer.send_mail(&outgoing.mail).await {
            Ok(SendOutcome::Accepted) => {
                count(Measure::MailAccepted, 1);
                Ok(Delivery::Settled)
            }
            Ok(SendOutcome::AddressRejected(reason)) => {
                count(Measure::MailRejected, 1);
                tracing::error!(account.id = %account, user.id = %user, mail.id = id, %reason, "no address for mails");
                Ok(Delivery::Settled)
            }
            Ok(SendOutcome::NoResponse(reason)) => Ok(Delivery::Unknown(reason)),
            Err(error) => {
                count(Measure::MailRejected, 1);
                limit.refund(outgoing, spent).await;
                Err(error)
            }
        }
    }
}
