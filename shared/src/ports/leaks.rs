//! Compromised secrets, and the scanners that report them.

use jiff::Timestamp;

use super::error::Result;
use crate::domain::audit::AuditRecord;
use crate::domain::change::TokenChange;
use crate::domain::token::Ended;
use crate::domain::verification::SecretRecord;

/// A compromise of a secret.
#[derive(Debug)]
pub enum Compromise {
    /// Of one of a token's secrets: the change that it brings about.
    OfToken(Box<TokenChange>),
    /// Of one that has ended already, as it was read: when and by what it is compromised, and the record of
    /// that.
    OfTombstone(Box<SecretRecord>, Ended, Box<AuditRecord>),
}

impl Compromise {
    /// The record of it.
    pub fn into_audit(self) -> AuditRecord {
        match self {
            Self::OfToken(change) => change.audit,
            Self::OfTombstone(_, _, audit) => *audit,
        }
    }
}

/// Marks secrets as compromised, for ever.
pub trait CompromiseSecret: Sync {
    /// Writes secret, token and audit record, or nothing. [`PortError::Conflict`](super::PortError::Conflict) if secret or token are no
    /// more as they were read.
    fn compromise_secret(&self, compromise: &Compromise)
    -> impl Future<Output = Result<()>> + Send;
}

/// A scanner's public keys, as all instances of the function know them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CachedKeys {
    /// The list, in the scanner's form, and when it was fetched.
    pub fetched: Option<(String, Timestamp)>,
    /// When it was last asked for, with whatever success.
    pub asked: Option<Timestamp>,
}

/// Keeps a scanner's public keys for all instances of the function, so that the scanner is asked once for
/// all of them, and that what it said still counts when it can't be asked.
pub trait CacheKeys: Sync {
    /// What is kept.
    fn cached_keys(&self) -> impl Future<Output = Result<CachedKeys>> + Send;

    /// Notes that the list is asked for now. `false`, and nothing is noted, if it was asked for after
    /// `since`.
    fn claim_fetch(
        &self,
        now: Timestamp,
        since: Timestamp,
    ) -> impl Future<Output = Result<bool>> + Send;

    /// Keeps a list, unless one is kept that was fetched later.
    fn cache_keys(&self, list: &str, fetched: Timestamp)
    -> impl Future<Output = Result<()>> + Send;
}
