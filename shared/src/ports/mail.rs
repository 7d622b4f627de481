//! Mails, and who gets them.

use jiff::Timestamp;

use super::error::{Cause, Result};
use crate::domain::id::{AccountId, UserId};
use crate::domain::mailing::{Digest, DigestEntry, Suppression, SuppressionReason};

/// A mail ready to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mail {
    /// The account that it is about: what becomes of the mail is told with it.
    pub account: AccountId,
    /// The recipient's address.
    pub to: String,
    /// The subject.
    pub subject: String,
    /// The text version.
    pub text: String,
    /// The HTML version.
    pub html: String,
}

/// What the mail service answered to a mail.
#[derive(Debug)]
pub enum SendOutcome {
    /// It took the mail.
    Accepted,
    /// It takes no mail to this address, now or later, for this reason.
    AddressRejected(Cause),
    /// No answer came: it may have taken the mail.
    NoResponse(Cause),
}

/// Sends mail.
pub trait SendMail: Sync {
    /// Hands a mail to the mail service. After an error the service hasn't taken it.
    fn send_mail(&self, mail: &Mail) -> impl Future<Output = Result<SendOutcome>> + Send;
}

/// Whether a notification has to be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Claim {
    /// It has, by whoever got this answer.
    Granted,
    /// It was sent already.
    Sent,
    /// Somebody else is sending it right now.
    Held,
}

/// Sees to it that a retry doesn't mail twice.
pub trait ClaimMail: Sync {
    /// Claims the sending of a record's mail to a recipient.
    fn claim_mail(
        &self,
        audit: &str,
        recipient: &UserId,
        now: Timestamp,
    ) -> impl Future<Output = Result<Claim>> + Send;

    /// Marks a claimed mail as sent.
    fn confirm_mail(
        &self,
        audit: &str,
        recipient: &UserId,
        now: Timestamp,
    ) -> impl Future<Output = Result<()>> + Send;

    /// Gives a claim back after the sending failed.
    fn release_mail(
        &self,
        audit: &str,
        recipient: &UserId,
    ) -> impl Future<Output = Result<()>> + Send;
}

/// Keeps what mails would tell that are over their recipient's budget.
pub trait AddToDigest: Sync {
    /// Puts a record into a digest. The same record is in it once, however often it is put there.
    fn add_to_digest(
        &self,
        digest: &Digest,
        held: &DigestEntry,
        now: Timestamp,
    ) -> impl Future<Output = Result<()>> + Send;
}

/// Finds the digests that are to be sent.
pub trait ListDigests: Sync {
    /// Those that are to be sent, of hours up to that one.
    fn list_digests(
        &self,
        last_hour: Timestamp,
    ) -> impl Future<Output = Result<Vec<Digest>>> + Send;

    /// All that a digest tells, in the order of the records.
    fn digest_entries(
        &self,
        digest: &Digest,
    ) -> impl Future<Output = Result<Vec<DigestEntry>>> + Send;

    /// Takes a digest off the list.
    fn delete_digest(&self, digest: &Digest) -> impl Future<Output = Result<()>> + Send;
}

/// Marks addresses to which no mail is to be sent.
pub trait SuppressAddress: Sync {
    /// Marks an address. Answers since when it is marked: whoever marks it again gets the same answer.
    fn suppress_address(
        &self,
        address: &str,
        why: SuppressionReason,
        now: Timestamp,
    ) -> impl Future<Output = Result<Timestamp>> + Send;
}

/// Knows the addresses to which no mail is to be sent.
pub trait GetSuppression: Sync {
    /// The mark of an address, if it has one.
    fn get_suppression(
        &self,
        address: &str,
    ) -> impl Future<Output = Result<Option<Suppression>>> + Send;
}
