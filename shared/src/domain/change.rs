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
        let after = before.with(token, now);
        let changes = changes(Some(&before.at(now).token), &after.token);
        let audit = AuditRecord::new(action, &after.token, changes, origin, now, entropy)?;
        Ok(Self {
            after,
            before,
            compromised: None,
            audit,
            idempotency: None,
        })
    }
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;
    use crate::domain::token::{Patch, PreviousSecret};
    use crate::testing::{FixedEntropy, now, origin, owner_actor, stored_token};

    #[test]
    fn a_replaced_secret_that_is_over_is_no_part_of_a_later_change() {
        let mut before = stored_token();
        let hint = "ab12".into();
        let valid_until = now() + SignedDuration::from_secs(60);
        before.previous_hash = Some(before.secret_hash);
        before.token.previous_secret = Some(PreviousSecret { hint, valid_until });
        let fields = |token: Token, at| {
            let entropy = &FixedEntropy([1; 32]);
            let change =
                TokenChange::new(before.clone(), token, Action::Update, origin(), at, entropy);
            let changes = change.unwrap().audit.changes.into_iter();
            changes.map(|change| change.field).collect::<Vec<_>>()
        };
        let revoked = before.token.revoke(owner_actor(), now(), None).unwrap();
        let patch = Patch {
            name: Some("Renamed".into()),
            ..Patch::default()
        };
        let renamed = before.token.edit(patch, owner_actor(), now()).unwrap();
        let ends = ["previousSecret.hint", "previousSecret.validUntil"];
        assert_eq!(fields(revoked.clone(), now()), ["status", ends[0], ends[1]]);
        assert_eq!(fields(renamed.clone(), now()), ["name"]);
        assert_eq!(fields(revoked, valid_until), ["status"]);
        assert_eq!(fields(renamed, valid_until), ["name"]);
    }
}
