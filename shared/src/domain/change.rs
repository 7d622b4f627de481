//! What is written of a token in one go.

use jiff::Timestamp;

use super::action::Action;
use super::audit::{AuditRecord, Origin, changes};
use super::entropy::{Entropy, EntropyError};
use super::id::TokenId;
use super::secret::SecretHash;
use super::token::{StoredToken, Token};

/// A token that is about to exist.
#[derive(Debug)]
pub struct NewToken {
    /// The token with its encrypted secret.
    pub stored: StoredToken,
    /// The record of its creation.
    pub audit: AuditRecord,
    /// Makes a repeat of the request recognisable.
    pub idempotency: Option<IdempotencyRecord>,
}

/// What is remembered of a request that carried an `Idempotency-Key`, for one day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdempotencyRecord {
    /// SHA-256 of operation, caller and key, as hexadecimal digits.
    pub key: String,
    /// SHA-256 of the request, as hexadecimal digits: a repeat has the same.
    pub fingerprint: String,
    /// The token that the request made or changed.
    pub token_id: TokenId,
}

/// A change of a token and of all its secrets.
#[derive(Debug)]
pub struct TokenChange {
    /// The token as it was read; the change fails if it isn't so any more.
    pub before: StoredToken,
    /// The token as it is to be.
    pub after: StoredToken,
    /// The secret of it that is compromised from now on. Any other that it has no more has ended.
    pub compromised: Option<SecretHash>,
    /// The record of the change.
    pub audit: AuditRecord,
    /// Makes a repeat of the request recognisable.
    pub idempotency: Option<IdempotencyRecord>,
}

impl TokenChange {
    /// The change of a token that keeps its secrets, with the record of what differs.
    ///
    /// # Errors
    /// When the system's random generator fails.
    pub fn new(
        before: StoredToken,
        token: Token,
        action: Action,
        origin: Origin,
        now: Timestamp,
        entropy: &impl Entropy,
    ) -> Result<Self, EntropyError> {
        let changes = changes(Some(&before.token), &token);
        let audit = AuditRecord::new(action, &token, changes, origin, now, entropy)?;
        Ok(Self {
            after: before.with(token, now),
            before,
            compromised: None,
            audit,
            idempotency: None,
        })
    }
}
