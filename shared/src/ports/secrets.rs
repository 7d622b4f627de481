//! Secrets: what verifies them, and what encrypts them.

use jiff::Timestamp;

use super::error::Result;
use crate::domain::audit::AuditRecord;
use crate::domain::id::{AccountId, TokenId};
use crate::domain::secret::{PlainSecret, SecretHash};
use crate::domain::token::{Ciphertext, LastUse};
use crate::domain::verification::{SecretRecord, Seen, Sighting, UsedFrom};

/// Finds what a verification needs.
pub trait GetSecret: Sync {
    /// The record of a secret, by one strongly consistent read.
    fn get_secret(
        &self,
        hash: &SecretHash,
    ) -> impl Future<Output = Result<Option<SecretRecord>>> + Send;
}

/// What is known of the uses of a secret.
#[derive(Debug)]
pub enum Recall {
    /// The use that was asked about is on record.
    OnRecord,
    /// It is, but the secret was read a while ago. Only a grant may rest on it: whoever would refuse recalls
    /// again, and what comes then is read.
    Kept,
    /// What is on record.
    Read(Seen),
}

/// Finds what a verification needs, and what is on record of the secret's uses.
pub trait RecallSecret: Sync {
    /// The record of a secret and what is known of its uses, by one strongly consistent read.
    fn recall_secret(
        &self,
        hash: &SecretHash,
        from: UsedFrom,
        now: Timestamp,
    ) -> impl Future<Output = Result<Option<(SecretRecord, Recall)>>> + Send;

    /// What is on record of a secret's uses.
    fn get_seen(&self, hash: &SecretHash) -> impl Future<Output = Result<Seen>> + Send;
}

/// A use or a refusal of a secret that is worth a record.
#[derive(Debug)]
pub struct Use {
    /// The secret.
    pub secret: SecretHash,
    /// What it adds to what is on record.
    pub sighting: Sighting,
    /// The secret's last use, if it is one.
    pub last_use: Option<LastUse>,
    /// The record of it.
    pub audit: AuditRecord,
}

/// Records uses and refusals.
pub trait RecordUse: Sync {
    /// Writes what is remembered and the audit record, or nothing. [`PortError::Conflict`](super::PortError::Conflict) if that is on
    /// record by now, or others are at it at the same time: it is to be read again.
    fn record_use(&self, used: &Use) -> impl Future<Output = Result<()>> + Send;
}

/// Encrypts secrets.
pub trait EncryptSecret: Sync {
    /// The secret, encrypted for this token of this account only.
    fn encrypt_secret(
        &self,
        account: &AccountId,
        token: &TokenId,
        secret: &PlainSecret,
    ) -> impl Future<Output = Result<Ciphertext>> + Send;
}

/// Decrypts secrets.
pub trait DecryptSecret: Sync {
    /// The secret that was encrypted for this token of this account.
    fn decrypt_secret(
        &self,
        account: &AccountId,
        token: &TokenId,
        ciphertext: &Ciphertext,
    ) -> impl Future<Output = Result<PlainSecret>> + Send;
}
