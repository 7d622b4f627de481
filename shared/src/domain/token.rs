//! Tokens and their changes.

use ipnet::IpNet;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use std::net::IpAddr;

use super::action::Action;
use super::actor::Actor;
use super::auto_purge::AutoPurge;
use super::id::{AccountId, IntegrationId, TokenId};
use super::kind::Kind;
use super::scope::Scope;
use super::secret::SecretHash;
use super::string_enum::string_enum;

/// The longest name, in characters.
pub const MAX_NAME: usize = 128;
/// The longest description, in characters.
pub const MAX_DESCRIPTION: usize = 1_024;
/// The longest reason for a revocation, in characters.
pub const MAX_REASON: usize = 1_024;
/// The most address ranges of a token.
pub const MAX_CIDRS: usize = 32;

/// The reason in the revocations of a deleted account's tokens.
pub const ACCOUNT_DELETED: &str = "the account was deleted";

/// The longest grace period of a replaced secret, in seconds: one day.
pub const MAX_GRACE_SECONDS: i64 = 86_400;

string_enum! {
    /// Whether a token may be used.
    pub enum Status {
        /// It may be used.
        Active = "active",
        /// It may not be used until it is reactivated.
        Revoked = "revoked",
    }
}

/// When, by whom and why a token was revoked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Revocation {
    /// When.
    pub at: Timestamp,
    /// By whom.
    pub by: Actor,
    /// The reason in the words of the person who revoked it.
    pub reason: Option<String>,
    /// Whether the token ended with its account. Such a token can't be reactivated, even if the platform reuses the
    /// account's id: the new members never had this token.
    pub account_deleted: bool,
}

/// The last recorded use of a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastUse {
    /// When.
    pub at: Timestamp,
    /// From which address.
    pub ip: IpAddr,
}

/// A token without its secret. It holds the hint only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// The id. It never changes.
    pub id: TokenId,
    /// The account.
    pub account_id: AccountId,
    /// What the token acts as.
    pub kind: Kind,
    /// The Integration App of an [`Kind::IntegrationApp`] token.
    pub integration_id: Option<IntegrationId>,
    /// Its name, 1 to [`MAX_NAME`] characters.
    pub name: String,
    /// What it is used for and where it is kept, up to [`MAX_DESCRIPTION`] characters.
    pub description: String,
    /// The chosen lifetime.
    pub auto_purge: AutoPurge,
    /// The instant at which the token is purged.
    pub purge_at: Option<Timestamp>,
    /// What the token may access.
    pub scope: Scope,
    /// The address ranges from which it may be used; empty means from anywhere.
    pub allowed_cidrs: Vec<IpNet>,
    /// The last four characters of the current secret.
    pub hint: String,
    /// The number of changes, counted from 1. It is the `ETag`.
    pub version: u64,
    /// When it was created.
    pub created_at: Timestamp,
    /// By whom.
    pub created_by: Actor,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// By whom.
    pub updated_by: Actor,
    /// Set while it is revoked.
    pub revocation: Option<Revocation>,
    /// Set once the current secret was found in public or given up by its holder. That secret no longer works, and the
    /// token needs a new one before it can be reactivated.
    pub compromised: Option<Ended>,
    /// The secret that the current one replaced, during its grace period.
    pub previous_secret: Option<PreviousSecret>,
    /// Its last recorded use.
    pub last_use: Option<LastUse>,
}

/// When and by what a secret ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ended {
    /// When.
    pub at: Timestamp,
    /// The action that ended it.
    pub by: Action,
}

/// A replaced secret that still works, as people see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PreviousSecret {
    /// The last four characters; empty for a secret that was replaced before hints of replaced secrets were stored.
    pub hint: String,
    /// The instant from which the secret is refused.
    pub valid_until: Timestamp,
}

/// Why a token can't be reactivated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotReactivable {
    /// The token's current secret is compromised.
    #[error("the current secret is compromised")]
    SecretCompromised,
    /// The token ended because its account was deleted.
    #[error("the token ended with its account")]
    AccountDeleted,
}

/// The fields that people choose for a new token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft {
    /// See [`Token::kind`].
    pub kind: Kind,
    /// See [`Token::integration_id`].
    pub integration_id: Option<IntegrationId>,
    /// See [`Token::name`].
    pub name: String,
    /// See [`Token::description`].
    pub description: String,
    /// See [`Token::auto_purge`].
    pub auto_purge: AutoPurge,
    /// See [`Token::scope`].
    pub scope: Scope,
    /// See [`Token::allowed_cidrs`].
    pub allowed_cidrs: Vec<IpNet>,
}

/// The fields that an edit changes. A field that is `None` stays.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Patch {
    /// See [`Token::name`].
    pub name: Option<String>,
    /// See [`Token::description`].
    pub description: Option<String>,
    /// See [`Token::auto_purge`].
    pub auto_purge: Option<AutoPurge>,
    /// See [`Token::scope`].
    pub scope: Option<Scope>,
    /// See [`Token::allowed_cidrs`].
    pub allowed_cidrs: Option<Vec<IpNet>>,
}

impl Token {
    /// A new token with version 1.
    pub fn create(
        id: TokenId,
        account_id: AccountId,
        draft: Draft,
        hint: String,
        by: Actor,
        at: Timestamp,
    ) -> Self {
        Self {
            id,
            account_id,
            kind: draft.kind,
            integration_id: draft.integration_id,
            name: draft.name,
            description: draft.description,
            auto_purge: draft.auto_purge,
            purge_at: draft.auto_purge.purge_at(at),
            scope: draft.scope,
            allowed_cidrs: draft.allowed_cidrs,
            hint,
            version: 1,
            created_at: at,
            created_by: by.clone(),
            updated_at: at,
            updated_by: by,
            revocation: None,
            compromised: None,
            previous_secret: None,
            last_use: None,
        }
    }

    /// Whether the token may be used.
    pub fn status(&self) -> Status {
        if self.revocation.is_some() {
            Status::Revoked
        } else {
            Status::Active
        }
    }

    /// Whether the purge time has been reached. From then on, every route and every verification treats the token as
    /// absent, even if the table still has it.
    pub fn is_purged(&self, now: Timestamp) -> bool {
        self.purge_at.is_some_and(|purge_at| purge_at <= now)
    }

    /// When the token was last created, changed or used.
    pub fn last_activity(&self) -> Timestamp {
        let changed = self.created_at.max(self.updated_at);
        self.last_use.map_or(changed, |used| changed.max(used.at))
    }

    /// The token after its revocation; `None` if it is revoked already.
    pub fn revoke(&self, by: Actor, at: Timestamp, reason: Option<String>) -> Option<Self> {
        if self.revocation.is_some() {
            return None;
        }
        let revocation = Some(Revocation {
            at,
            by: by.clone(),
            reason,
            account_deleted: false,
        });
        Some(Self {
            revocation,
            // The grace period served a change of secrets, which the revocation ends.
            previous_secret: None,
            ..self.changed(by, at)
        })
    }

    /// The token after the deletion of its account; `None` if it ended with an account already. If it was revoked
    /// before, the revocation's time, actor and reason stay.
    pub fn end_with_account(&self, by: Actor, at: Timestamp) -> Option<Self> {
        let revocation = match &self.revocation {
            Some(revocation) if revocation.account_deleted => return None,
            Some(revocation) => revocation.clone(),
            None => Revocation {
                at,
                by: by.clone(),
                reason: Some(ACCOUNT_DELETED.into()),
                account_deleted: true,
            },
        };
        Some(Self {
            revocation: Some(Revocation {
                account_deleted: true,
                ..revocation
            }),
            previous_secret: None,
            ..self.changed(by, at)
        })
    }

    /// The token after its current secret was compromised: revoked for `reason` until it has a new secret. If it was
    /// revoked before, the revocation's time, actor and reason stay.
    pub fn compromise(&self, by: Actor, ended: Ended, reason: &str) -> Self {
        let at = ended.at;
        let revocation = self.revocation.clone().unwrap_or_else(|| Revocation {
            at,
            by: by.clone(),
            reason: Some(reason.into()),
            account_deleted: false,
        });
        Self {
            revocation: Some(revocation),
            compromised: Some(ended),
            previous_secret: None,
            ..self.changed(by, at)
        }
    }

    /// Whether a replaced secret still works, as far as the token's own state says.
    pub fn has_previous_secret(&self, now: Timestamp) -> bool {
        let previous = self.previous_secret.as_ref();
        previous.is_some_and(|previous| now < previous.valid_until)
    }

    /// The token after the end of its replaced secret, before the grace period is over.
    pub fn end_previous_secret(&self, by: Actor, at: Timestamp) -> Self {
        Self {
            previous_secret: None,
            ..self.changed(by, at)
        }
    }

    /// The token after an edit; `None` if the edit changes nothing.
    ///
    /// A given lifetime is set anew: the purge time counts from `at`, even if the lifetime is the same as before.
    pub fn edit(&self, patch: Patch, by: Actor, at: Timestamp) -> Option<Self> {
        let mut edited = self.clone();
        if let Some(auto_purge) = patch.auto_purge {
            edited.auto_purge = auto_purge;
            edited.purge_at = auto_purge.purge_at(at);
            // A replaced secret never outlives the token.
            if let Some((previous, end)) = edited.previous_secret.as_mut().zip(edited.purge_at) {
                previous.valid_until = previous.valid_until.min(end);
            }
        }
        edited.name = patch.name.unwrap_or(edited.name);
        edited.description = patch.description.unwrap_or(edited.description);
        edited.scope = patch.scope.unwrap_or(edited.scope);
        edited.allowed_cidrs = patch.allowed_cidrs.unwrap_or(edited.allowed_cidrs);
        (edited != *self).then(|| edited.changed(by, at))
    }

    /// The token after its revocation is undone; `None` if it isn't revoked. Its purge time stays. A secret that ended
    /// with the revocation stays ended.
    ///
    /// # Errors
    /// The token can't be reactivated.
    pub fn reactivate(&self, by: Actor, at: Timestamp) -> Result<Option<Self>, NotReactivable> {
        let Some(revocation) = &self.revocation else {
            return Ok(None);
        };
        if revocation.account_deleted {
            return Err(NotReactivable::AccountDeleted);
        }
        if self.compromised.is_some() {
            return Err(NotReactivable::SecretCompromised);
        }
        Ok(Some(Self {
            revocation: None,
            ..self.changed(by, at)
        }))
    }

    /// A copy with the next version.
    pub(super) fn changed(&self, by: Actor, at: Timestamp) -> Self {
        Self {
            version: self.version + 1,
            updated_at: at,
            updated_by: by,
            ..self.clone()
        }
    }
}

/// A secret encrypted by KMS, from which it can be shown again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ciphertext(pub Vec<u8>);

/// What is stored of a new secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewSecret {
    /// The secret's hash.
    pub hash: SecretHash,
    /// The secret's hint.
    pub hint: String,
    /// The secret, encrypted.
    pub ciphertext: Ciphertext,
}

/// A token with its secrets, as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredToken {
    /// The token.
    pub token: Token,
    /// The hash of the current secret.
    pub secret_hash: SecretHash,
    /// The current secret, encrypted.
    pub ciphertext: Ciphertext,
    /// The hash of [`Token::previous_secret`].
    pub previous_hash: Option<SecretHash>,
}

impl StoredToken {
    /// The same current secret with a changed token. The previous secret stays if the token still has it and its grace
    /// period isn't over.
    pub fn with(&self, token: Token, now: Timestamp) -> Self {
        let previous_secret = token
            .previous_secret
            .clone()
            .filter(|previous| previous.valid_until > now);
        Self {
            previous_hash: self.previous_hash.filter(|_| previous_secret.is_some()),
            token: Token {
                previous_secret,
                ..token
            },
            ..self.clone()
        }
    }

    /// The same as it is at an instant: without a previous secret whose grace period is over.
    #[must_use]
    pub fn at(&self, now: Timestamp) -> Self {
        self.with(self.token.clone(), now)
    }

    /// The token with a new secret. The old secret ends at once or after the grace period, but never later than the
    /// token. A secret that was replaced before ends now. A compromised secret has no grace period; neither has the
    /// secret of a revoked token.
    pub fn regenerate(
        &self,
        secret: NewSecret,
        grace: SignedDuration,
        by: Actor,
        at: Timestamp,
    ) -> Self {
        let end = at.checked_add(grace).unwrap_or(Timestamp::MAX);
        let valid_until = self
            .token
            .purge_at
            .map_or(end, |purge_at| purge_at.min(end));
        let works = self.token.status() == Status::Active && self.token.compromised.is_none();
        let previous_secret = (works && valid_until > at).then(|| PreviousSecret {
            hint: self.token.hint.clone(),
            valid_until,
        });
        Self {
            previous_hash: previous_secret.as_ref().map(|_| self.secret_hash),
            token: Token {
                hint: secret.hint,
                compromised: None,
                previous_secret,
                ..self.token.changed(by, at)
            },
            secret_hash: secret.hash,
            ciphertext: secret.ciphertext,
        }
    }

    /// The hashes of the token's secrets that haven't ended.
    pub fn secret_hashes(&self) -> impl Iterator<Item = SecretHash> + '_ {
        std::iter::once(self.secret_hash).chain(self.previous_hash)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    #[test]
    fn revoking_keeps_who_when_and_why() {
        let token = testing::token();
        let at = testing::now();
        let revoked = token
            .revoke(testing::owner_actor(), at, Some("lost".into()))
            .unwrap();
        assert_eq!(revoked.status(), Status::Revoked);
        assert_eq!(revoked.version, token.version + 1);
        assert_eq!(
            revoked.revocation,
            Some(Revocation {
                at,
                by: testing::owner_actor(),
                reason: Some("lost".into()),
                account_deleted: false,
            })
        );
        assert_eq!(revoked.updated_at, at);
    }

    #[test]
    fn revoking_a_revoked_token_changes_nothing() {
        let revoked = testing::token()
            .revoke(testing::owner_actor(), testing::now(), None)
            .unwrap();
        assert_eq!(
            revoked.revoke(testing::owner_actor(), testing::now(), None),
            None
        );
    }

    fn ended() -> Ended {
        Ended {
            at: testing::now(),
            by: Action::Leak,
        }
    }

    #[test]
    fn a_compromise_revokes_and_keeps_who_revoked_before() {
        let (token, at) = (testing::token(), testing::now());
        let leaked = token.compromise(Actor::system(), ended(), "leaked");
        assert_eq!(leaked.compromised, Some(ended()));
        let revocation = leaked.revocation.unwrap();
        assert_eq!(revocation.reason.as_deref(), Some("leaked"));
        assert_eq!(revocation.by, Actor::system());
        let owner = testing::owner_actor();
        let revoked = token
            .revoke(owner.clone(), at, Some("lost".into()))
            .unwrap();
        let leaked = revoked.compromise(Actor::system(), ended(), "leaked");
        assert_eq!(leaked.version, revoked.version + 1);
        assert_eq!(leaked.compromised, Some(ended()));
        assert_eq!(leaked.revocation, revoked.revocation);
    }

    #[test]
    fn a_token_with_a_compromised_secret_needs_a_new_one_before_it_is_reactivated() {
        let (by, at) = (testing::owner_actor(), testing::now());
        let stored = testing::stored_token();
        let leaked = stored.token.compromise(Actor::system(), ended(), "leaked");
        assert_eq!(
            leaked.reactivate(by.clone(), at),
            Err(NotReactivable::SecretCompromised)
        );
        let grace = SignedDuration::from_secs(60);
        let replaced = stored
            .with(leaked, at)
            .regenerate(new_secret(), grace, by.clone(), at);
        // The compromised secret gets no grace period.
        assert_eq!(
            (&replaced.token.previous_secret, replaced.previous_hash),
            (&None, None)
        );
        assert_eq!(replaced.token.status(), Status::Revoked);
        let active = replaced.token.reactivate(by, at).unwrap().unwrap();
        assert_eq!(active.status(), Status::Active);
    }

    #[test]
    fn a_token_that_ended_with_its_account_stays_ended() {
        let (by, at) = (testing::owner_actor(), testing::now());
        for token in [
            testing::token(),
            testing::token()
                .revoke(by.clone(), at, Some("lost".into()))
                .unwrap(),
        ] {
            let ended = token.end_with_account(Actor::system(), at).unwrap();
            assert_eq!(ended.end_with_account(Actor::system(), at), None);
            assert_eq!(
                ended.reactivate(by.clone(), at),
                Err(NotReactivable::AccountDeleted)
            );
        }
    }

    #[test]
    fn a_revocation_ends_the_previous_secret_for_good() {
        let (by, at) = (testing::owner_actor(), testing::now());
        let grace = SignedDuration::from_secs(60);
        let stored = testing::stored_token().regenerate(new_secret(), grace, by.clone(), at);
        assert!(stored.previous_hash.is_some());
        let revoked = stored.with(stored.token.revoke(by.clone(), at, None).unwrap(), at);
        assert_eq!(
            (&revoked.token.previous_secret, revoked.previous_hash),
            (&None, None)
        );
        let active = revoked.with(revoked.token.reactivate(by, at).unwrap().unwrap(), at);
        assert_eq!(active.previous_hash, None);
    }

    fn new_secret() -> NewSecret {
        let secret = crate::domain::secret::PlainSecret::generate(
            Kind::Account,
            &testing::FixedEntropy([9; 32]),
        )
        .unwrap();
        NewSecret {
            hash: secret.hash(),
            hint: secret.hint(),
            ciphertext: Ciphertext(vec![9]),
        }
    }

    #[test]
    fn an_edit_leaves_alone_what_it_leaves_out() {
        let token = testing::token();
        let patch = Patch {
            name: Some("renamed".into()),
            ..Patch::default()
        };
        let edited = token
            .edit(patch.clone(), testing::owner_actor(), testing::now())
            .unwrap();
        assert_eq!(
            edited,
            Token {
                name: "renamed".into(),
                version: 2,
                ..token.clone()
            }
        );
        assert_eq!(
            edited.edit(patch, testing::owner_actor(), testing::now()),
            None
        );
    }

    #[test]
    fn a_lifetime_counts_from_its_choice() {
        let choose = |token: &Token, at| {
            let patch = Patch {
                auto_purge: Some(AutoPurge::OneHour),
                ..Patch::default()
            };
            token.edit(patch, testing::owner_actor(), at)
        };
        let hour = SignedDuration::from_hours(1);
        let first = choose(&testing::token(), testing::now()).unwrap();
        assert_eq!(first.purge_at, Some(testing::now() + hour));
        let again = choose(&first, testing::now() + hour / 2).unwrap();
        assert_eq!(again.purge_at, Some(testing::now() + hour + hour / 2));
    }

    #[test]
    fn a_replaced_secret_does_not_outlive_a_lifetime_that_is_chosen_later() {
        let (by, at) = (testing::owner_actor(), testing::now());
        let edit = |grace: i64, auto_purge| {
            let grace = SignedDuration::from_secs(grace);
            let stored = testing::stored_token().regenerate(new_secret(), grace, by.clone(), at);
            let patch = Patch {
                auto_purge: Some(auto_purge),
                ..Patch::default()
            };
            let token = stored.token.edit(patch, by.clone(), at).unwrap();
            token.previous_secret.unwrap().valid_until
        };
        let seconds = |seconds| at + SignedDuration::from_secs(seconds);
        assert_eq!(edit(86_400, AutoPurge::OneHour), seconds(3_600));
        assert_eq!(edit(60, AutoPurge::OneHour), seconds(60));
        assert_eq!(edit(86_400, AutoPurge::TenDays), seconds(86_400));
    }

    #[test]
    fn reactivating_undoes_a_revocation_and_nothing_else() {
        let token = testing::token();
        let by = testing::owner_actor();
        assert_eq!(token.reactivate(by.clone(), testing::now()), Ok(None));
        let revoked = token
            .revoke(by.clone(), testing::now(), Some("oops".into()))
            .unwrap();
        let active = revoked.reactivate(by, testing::now()).unwrap().unwrap();
        assert_eq!(
            active,
            Token {
                version: 3,
                ..token
            }
        );
    }

    #[test]
    fn a_replaced_secret_ends_with_its_grace_but_never_after_its_token() {
        let mut stored = testing::stored_token();
        let now = testing::now();
        let regenerate = |stored: &StoredToken, seconds| {
            let grace = SignedDuration::from_secs(seconds);
            stored.regenerate(new_secret(), grace, testing::owner_actor(), now)
        };
        assert_eq!(regenerate(&stored, 0).token.previous_secret, None);
        let ends = |stored: &StoredToken| {
            let previous = regenerate(stored, 60).token.previous_secret;
            previous.unwrap().valid_until
        };
        assert_eq!(ends(&stored), now + SignedDuration::from_secs(60));
        stored.token.purge_at = Some(now + SignedDuration::from_secs(10));
        assert_eq!(ends(&stored), now + SignedDuration::from_secs(10));
        let twice = regenerate(&regenerate(&stored, 60), 60);
        assert_eq!(twice.token.id, stored.token.id);
        assert!(!twice.secret_hashes().any(|hash| hash == stored.secret_hash));
    }

    #[test]
    fn a_token_is_purged_from_the_very_instant() {
        let mut token = testing::token();
        let at = testing::now();
        token.purge_at = Some(at);
        assert!(token.is_purged(at));
        assert!(!token.is_purged(at - jiff::SignedDuration::from_millis(1)));
        token.purge_at = None;
        assert!(!token.is_purged(Timestamp::MAX));
    }
}
