//! Ends compromised secrets permanently.

use super::retry::{ATTEMPTS, retry_on_conflict, unavailable_for_now, unless_conflict};
use crate::domain::action::Action;
use crate::domain::audit::{AuditRecord, COMPROMISED, Change, Origin};
use crate::domain::change::TokenChange;
use crate::domain::entropy::Entropy;
use crate::domain::id::AuditId;
use crate::domain::secret::SecretHash;
use crate::domain::token::{Ended, Token};
use crate::domain::verification::{SecretRecord, SecretState};
use crate::ports::{Clock, Compromise, CompromiseSecret, GetSecret, GetToken, PortError};

/// The outcome for a reported secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Compromised {
    /// The secret belongs to no token.
    Unknown,
    /// The secret was marked as compromised before.
    Known,
    /// The secret is marked as compromised from now on. This is the audit record.
    Recorded(Box<AuditRecord>),
}

/// How a compromise became known. It determines the audit record.
pub trait Evidence: Sync {
    /// The recorded action.
    fn action(&self) -> Action;
    /// The reason of the token's revocation.
    fn reason(&self) -> &str;
    /// The origin of the report.
    fn origin(&self, secret: &SecretRecord) -> Origin;
    /// The entries that the record's changes get in addition.
    fn changes(&self) -> Vec<Change>;
}

/// Marks a secret as compromised and writes the audit record in one transaction, whatever state the secret is in. If
/// it is the token's current secret, the token is revoked. If it was replaced and is in its grace period, only that
/// secret ends: an owner who has replaced a leaked secret must keep the new one. If it has ended, the mark is recorded
/// only.
///
/// # Errors
/// The tables can't be read or written. The secret has to be reported again then.
pub async fn compromise(
    store: &(impl GetSecret + GetToken + CompromiseSecret),
    system: &(impl Clock + Entropy),
    hash: &SecretHash,
    evidence: &impl Evidence,
) -> Result<Compromised, PortError> {
    let attempt = || async {
        let now = system.now();
        let Some(secret) = store.get_secret(hash).await? else {
            return Ok(Some(Compromised::Unknown));
        };
        if secret.state == SecretState::Compromised {
            return Ok(Some(Compromised::Known));
        }
        let (account, id) = (&secret.account_id, &secret.token_id);
        let before = store.get_token(account, id, now).await?;
        let before = before.filter(|token| token.secret_hashes().any(|other| other == *hash));
        if before.is_none() && secret.state_at(now) != SecretState::Ended {
            // Deleted or replaced concurrently: the next attempt reads it again.
            return Ok(None);
        }
        let ended = Ended {
            at: now,
            by: evidence.action(),
        };
        let origin = evidence.origin(&secret);
        let mut told = evidence.changes();
        let compromise = match before {
            Some(before) => {
                let by = origin.actor.clone();
                let (token, which) = if before.secret_hash == *hash {
                    let token = before.token.compromise(by, ended, evidence.reason());
                    (token, "current")
                } else if before.token.has_previous_secret(now) {
                    (before.token.end_previous_secret(by, now), "previous")
                } else {
                    // Its grace period is over. The token only forgets it, and is no other one for anybody.
                    let token = Token {
                        previous_secret: None,
                        ..before.token.clone()
                    };
                    (token, "ended")
                };
                told.push(Change::new(COMPROMISED, None, Some(which.into())));
                let mut change =
                    TokenChange::new(before, token, evidence.action(), origin, now, system)?;
                change.compromised = Some(secret.hash);
                change.audit.changes.extend(told);
                Compromise::OfToken(Box::new(change))
            }
            None => {
                told.push(Change::new(COMPROMISED, None, Some("ended".into())));
                let audit = AuditRecord {
                    id: AuditId::generate(now, system)?,
                    account_id: secret.account_id.clone(),
                    time: now,
                    action: evidence.action(),
                    origin,
                    asserted_ip: None,
                    token_id: secret.token_id.clone(),
                    token_name: secret.token_name.clone(),
                    token_hint: secret.token_hint.clone(),
                    changes: told,
                };
                Compromise::OfTombstone(Box::new(secret), ended, Box::new(audit))
            }
        };
        let written = unless_conflict(store.compromise_secret(&compromise).await)?;
        Ok(written.map(|()| Compromised::Recorded(Box::new(compromise.into_audit()))))
    };
    retry_on_conflict(ATTEMPTS, attempt)
        .await
        .map_err(|error| unavailable_for_now(error, "a compromised token"))
}
