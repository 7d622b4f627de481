//! Changes of tokens, each written in one transaction.

use jiff::Timestamp;

use super::action::Action;
use super::audit::{AuditRecord, Origin, changes};
use super::entropy::{Entropy, EntropyError};
use super::id::TokenId;
use super::secret::SecretHash;
use super::token::{StoredToken, Token};

/// A token to be created.
#[derive(Debug)]
pub struct NewToken {
    /// The token with its encrypted secret.
    pub stored: StoredToken,
    /// The record of its creation.
    pub audit: AuditRecord,
    /// Makes a repeated request recognisable.
    pub idempotency: Option<IdempotencyRecord>,
}

/// What is stored about a request with an `Idempotency-Key`. It is kept for one day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdempotencyRecord {
    /// The SHA-256 of operation, caller and key, as hexadecimal digits.
    pub key: String,
    /// The SHA-256 of the request, as hexadecimal digits. A repeated request has the same fingerprint.
    pub fingerprint: String,
    /// The token that the request created or changed.
    pub token_id: TokenId,
}

/// A change of a token and of all its secrets.
#[derive(Debug)]
pub struct TokenChange {
    /// The token as it was read. The change fails if the stored token differs.
    pub before: StoredToken,
    /// The token after the change.
    pub after: StoredToken,
    /// The secret of the token that this change marks as compromised. Any other secret that `after` no longer has
    /// becomes ended.
    pub compromised: Option<SecretHash>,
    /// The record of the change.
    pub audit: AuditRecord,
    /// Makes a repeated request recognisable.
    pub idempotency: Option<IdempotencyRecord>,
}

impl TokenChange {
    /// A change of the token's fields that keeps its secrets. The audit record lists the fields that differ.
    ///
    /// # Errors
    /// The system's random generator failed.
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
