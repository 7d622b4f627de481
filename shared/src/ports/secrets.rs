//! Secrets: their lookup, the records of their uses, and their encryption.

use jiff::Timestamp;

use super::error::Result;
use crate::domain::audit::AuditRecord;
use crate::domain::id::{AccountId, TokenId};
use crate::domain::secret::{PlainSecret, SecretHash};
use crate::domain::token::{Ciphertext, LastUse};
use crate::domain::verification::{SecretRecord, Seen, Sighting, UsedFrom};

/// Reads what a verification needs.
pub trait GetSecret: Sync {
    /// The record of a secret, read with strong consistency; `None` if there is none.
    fn get_secret(
        &self,
        hash: &SecretHash,
    ) -> impl Future<Output = Result<Option<SecretRecord>>> + Send;
}

/// What is known about the uses of a secret.
#[derive(Debug)]
pub enum Recall {
    /// The use in question is on record.
    OnRecord,
    /// The use is on record, but the secret comes from an earlier read. Only a grant may be based on it. Before a
    /// refusal, the caller must recall again, and that call reads the table.
    Kept,
    /// The recorded state, in which the use has to be looked up.
    Read(Seen),
}

/// Reads what a verification needs, together with the recorded uses.
pub trait RecallSecret: Sync {
    /// The record of a secret, read with strong consistency, and what is known about a use from `from` at `now`. `None`
    /// if there is no such secret.
    fn recall_secret(
        &self,
        hash: &SecretHash,
        from: UsedFrom,
        now: Timestamp,
    ) -> impl Future<Output = Result<Option<(SecretRecord, Recall)>>> + Send;

    /// The recorded uses and refusals of a secret.
    fn get_seen(&self, hash: &SecretHash) -> impl Future<Output = Result<Seen>> + Send;
}

/// A use or a refusal to be recorded.
#[derive(Debug)]
pub struct Use {
    /// The hash of the secret.
    pub secret: SecretHash,
    /// What it adds to the recorded state.
    pub sighting: Sighting,
    /// The secret's new last use; `None` for a refusal.
    pub last_use: Option<LastUse>,
    /// The audit record.
    pub audit: AuditRecord,
}

/// Records uses and refusals of secrets.
pub trait RecordUse: Sync {
    /// Writes the recorded state and the audit record, or nothing. Errs with
    /// [`PortError::Conflict`](super::PortError::Conflict) if the use is on record by now, or if concurrent calls
    /// record uses of the same secret. The state has to be read again then.
    fn record_use(&self, used: &Use) -> impl Future<Output = Result<()>> + Send;
}

/// Encrypts secrets.
pub trait EncryptSecret: Sync {
    /// Encrypts a secret. The ciphertext can be decrypted for this token of this account only.
    fn encrypt_secret(
        &self,
        account: &AccountId,
        token: &TokenId,
        secret: &PlainSecret,
    ) -> impl Future<Output = Result<Ciphertext>> + Send;
}

/// Decrypts secrets.
pub trait DecryptSecret: Sync {
    /// Decrypts a secret that was encrypted for this token of this account.
    fn decrypt_secret(
        &self,
        account: &AccountId,
        token: &TokenId,
        ciphertext: &Ciphertext,
    ) -> impl Future<Output = Result<PlainSecret>> + Send;
}
