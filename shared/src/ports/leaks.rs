//! Compromised secrets, and the public keys of the scanners that report them.

use jiff::Timestamp;

use super::error::Result;
use crate::domain::audit::AuditRecord;
use crate::domain::change::TokenChange;
use crate::domain::token::Ended;
use crate::domain::verification::SecretRecord;

/// The marking of a secret as compromised.
#[derive(Debug)]
pub enum Compromise {
    /// For a secret that its token still has: the change of the token.
    OfToken(Box<TokenChange>),
    /// For a secret that has ended: the record as it was read, when and by what it was compromised, and the audit
    /// record.
    OfTombstone(Box<SecretRecord>, Ended, Box<AuditRecord>),
}

impl Compromise {
    /// The audit record.
    pub fn into_audit(self) -> AuditRecord {
        match self {
            Self::OfToken(change) => change.audit,
            Self::OfTombstone(_, _, audit) => *audit,
        }
    }
}

/// Marks secrets as compromised, permanently.
pub trait CompromiseSecret: Sync {
    /// Writes secret, token and audit record, or nothing. Errs with
    /// [`PortError::Conflict`](super::PortError::Conflict) if secret or token differ from what was read.
    fn compromise_secret(&self, compromise: &Compromise)
    -> impl Future<Output = Result<()>> + Send;
}

/// A scanner's public keys, as all instances of the function share them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CachedKeys {
    /// The list in the scanner's format, and when it was fetched.
    pub fetched: Option<(String, Timestamp)>,
    /// When the list was last requested, whether or not that succeeded.
    pub asked: Option<Timestamp>,
}

/// Stores a scanner's public keys for all instances of the function. So the scanner is asked once for all of them, and
/// its last answer stays valid while it can't be reached.
pub trait CacheKeys: Sync {
    /// The stored keys.
    fn cached_keys(&self) -> impl Future<Output = Result<CachedKeys>> + Send;

    /// Notes that the list is requested at `now`. Returns `false` and notes nothing if it was requested after `since`.
    fn claim_fetch(
        &self,
        now: Timestamp,
        since: Timestamp,
    ) -> impl Future<Output = Result<bool>> + Send;

    /// Stores a list fetched at `fetched`, unless the stored list was fetched later.
    fn cache_keys(&self, list: &str, fetched: Timestamp)
    -> impl Future<Output = Result<()>> + Send;
}
