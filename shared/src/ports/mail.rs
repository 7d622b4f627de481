//! Mails: sending, claims, digests and marked addresses.

use jiff::Timestamp;

use super::error::{Cause, Result};
use crate::domain::audit::AuditRecord;
use crate::domain::id::{AccountId, AuditId, TraceId, UserId};
use crate::domain::mailing::{Digest, DigestEntry, Suppression, SuppressionReason};
use crate::domain::preferences::MailPreferences;

/// A mail that is ready to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mail {
    /// The account that the mail is about. The mail service reports the mail's fate together with it.
    pub account: AccountId,
    /// The recipient's address.
    pub to: String,
    /// The subject.
    pub subject: String,
    /// The text version.
    pub text: String,
    /// The HTML version.
    pub html: String,
    /// The record that the mail is about; `None` if it is about several, or none.
    pub record: Option<MailedRecord>,
}

/// An audit record, as a mail's headers name it. From there, one finds the record and the request in the logs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MailedRecord {
    /// The record's id.
    pub id: AuditId,
    /// The id of the request that caused it.
    pub request_id: String,
    /// The trace that the request belongs to, if it is known.
    pub trace_id: Option<TraceId>,
}

impl From<&AuditRecord> for MailedRecord {
    fn from(record: &AuditRecord) -> Self {
        Self {
            id: record.id.clone(),
            request_id: record.origin.request_id.clone(),
            trace_id: record.origin.trace_id.clone(),
        }
    }
}

/// The mail service's answer to a mail.
#[derive(Debug)]
pub enum SendOutcome {
    /// The service accepted the mail.
    Accepted,
    /// The service refuses mails to this address permanently, for this reason.
    AddressRejected(Cause),
    /// No answer arrived. The service may have accepted the mail.
    NoResponse(Cause),
}

/// Sends mail.
pub trait SendMail: Sync {
    /// Hands a mail to the mail service. After an error, the service hasn't accepted it.
    fn send_mail(&self, mail: &Mail) -> impl Future<Output = Result<SendOutcome>> + Send;
}

/// Whether a notification is to be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Claim {
    /// The caller must send it.
    Granted,
    /// It was sent before.
    Sent,
    /// Another caller is sending it at the moment.
    Held,
}

/// Claims the sending of mails, so that a retry doesn't send a mail twice.
pub trait ClaimMail: Sync {
    /// Claims the mail about a record to a recipient at `now`. Of concurrent callers, only one gets [`Claim::Granted`].
    /// A claim that is neither confirmed nor released lapses after some time.
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

    /// Releases a claim after the sending failed.
    fn release_mail(
        &self,
        audit: &str,
        recipient: &UserId,
    ) -> impl Future<Output = Result<()>> + Send;
}

/// Stores what held mails would say, for a digest.
pub trait AddToDigest: Sync {
    /// Adds a record to a digest. Adding the same record again has no effect.
    fn add_to_digest(
        &self,
        digest: &Digest,
        held: &DigestEntry,
        now: Timestamp,
    ) -> impl Future<Output = Result<()>> + Send;
}

/// Reads and removes pending digests.
pub trait ListDigests: Sync {
    /// The pending digests of periods that end with `last_hour`, or earlier.
    fn list_digests(
        &self,
        last_hour: Timestamp,
    ) -> impl Future<Output = Result<Vec<Digest>>> + Send;

    /// All entries of a digest, in the order of the records' ids.
    fn digest_entries(
        &self,
        digest: &Digest,
    ) -> impl Future<Output = Result<Vec<DigestEntry>>> + Send;

    /// Removes a digest from the pending ones.
    fn delete_digest(&self, digest: &Digest) -> impl Future<Output = Result<()>> + Send;
}

/// Reads a member's choice of mails.
pub trait GetPreferences: Sync {
    /// A member's choice in an account; `None` if the member hasn't chosen.
    fn get_preferences(
        &self,
        account: &AccountId,
        user: &UserId,
    ) -> impl Future<Output = Result<Option<MailPreferences>>> + Send;
}

/// Stores a member's choice of mails.
pub trait PutPreferences: Sync {
    /// Replaces a member's choice in an account.
    fn put_preferences(
        &self,
        account: &AccountId,
        user: &UserId,
        preferences: &MailPreferences,
    ) -> impl Future<Output = Result<()>> + Send;
}

/// Reads the choices of all members of an account.
pub trait ListPreferences: Sync {
    /// The choices of those who have chosen, and perhaps of some who are no members any more.
    fn list_preferences(
        &self,
        account: &AccountId,
    ) -> impl Future<Output = Result<Vec<(UserId, MailPreferences)>>> + Send;
}

/// Marks addresses to which no mail is to be sent.
pub trait SuppressAddress: Sync {
    /// Marks an address. Returns since when it is marked; marking it again returns the same time.
    fn suppress_address(
        &self,
        address: &str,
        why: SuppressionReason,
        now: Timestamp,
    ) -> impl Future<Output = Result<Timestamp>> + Send;
}

/// Reads the marks of addresses to which no mail is to be sent.
pub trait GetSuppression: Sync {
    /// The mark of an address, or `None` if it has none.
    fn get_suppression(
        &self,
        address: &str,
    ) -> impl Future<Output = Result<Option<Suppression>>> + Send;
}
