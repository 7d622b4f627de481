//! Tokens and the changes that they can go through.

use ipnet::IpNet;
use jiff::{SignedDuration, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::net::IpAddr;

use super::audit::Actor;
use super::auto_purge::AutoPurge;
use super::id::{AccountId, IntegrationId, TokenId};
use super::scope::Scope;
use super::secret::SecretHash;

/// The longest name, in characters.
pub const MAX_NAME: usize = 128;
/// The longest description, in characters.
pub const MAX_DESCRIPTION: usize = 1_024;
/// The longest reason for a revocation, in characters.
pub const MAX_REASON: usize = 1_024;
/// The reason of a revocation because of a leak.
pub const LEAKED: &str = "leaked";
/// The most address ranges of a token.
pub const MAX_CIDRS: usize = 32;

/// The longest grace period of a replaced secret, in seconds: one day.
pub const MAX_GRACE_SECONDS: i64 = 86_400;

/// What a token acts as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Kind {
    /// Acts for the account.
    Account,
    /// Acts inside one Integration App.
    IntegrationApp,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 2] = [Self::Account, Self::IntegrationApp];

    /// The name used in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Account => "account",
            Self::IntegrationApp => "integrationApp",
        }
    }

    /// The kind of that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }
}

/// Whether a token may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Status {
    /// It may.
    Active,
    /// It may not, until it is reactivated.
    Revoked,
}

impl Status {
    /// Every status.
    pub const ALL: [Self; 2] = [Self::Active, Self::Revoked];

    /// The name used in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Revoked => "revoked",
        }
    }

    /// The status of that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == name)
    }
}

/// When, by whom and why a token was revoked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Revocation {
    /// When.
    pub at: Timestamp,
    /// By whom.
    pub by: Actor,
    /// Why, in the words of whoever did it.
    pub reason: Option<String>,
    /// Whether a scanner reported the secret as leaked. The reason doesn't tell: anybody may give that one.
    pub leak_reported: bool,
}

/// The last recorded use of a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastUse {
    /// When.
    pub at: Timestamp,
    /// From which address.
    pub ip: IpAddr,
}

/// A token as people see it. It can't hold the secret, only the hint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// Which token; stays the same for its whole life.
    pub id: TokenId,
    /// Whose token.
    pub account_id: AccountId,
    /// What it acts as.
    pub kind: Kind,
    /// The Integration App of an [`Kind::IntegrationApp`] token.
    pub integration_id: Option<IntegrationId>,
    /// Its name, 1 to [`MAX_NAME`] characters.
    pub name: String,
    /// What it is used for and where it is kept, up to [`MAX_DESCRIPTION`] characters.
    pub description: String,
    /// The chosen lifetime.
    pub auto_purge: AutoPurge,
    /// The instant from which it is gone.
    pub purge_at: Option<Timestamp>,
    /// What it may touch.
    pub scope: Scope,
    /// From where it may be used; empty means from anywhere.
    pub allowed_cidrs: Vec<IpNet>,
    /// The last four characters of the current secret.
    pub hint: String,
    /// Counts the changes, from 1. The `ETag`.
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
    /// Its last recorded use.
    pub last_use: Option<LastUse>,
}

/// What people choose about a new token.
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

/// What an edit changes about a token; what it leaves out stays.
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
    /// A new token.
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
            last_use: None,
        }
    }

    /// Whether it may be used.
    pub fn status(&self) -> Status {
        if self.revocation.is_some() {
            Status::Revoked
        } else {
            Status::Active
        }
    }

    /// Whether its purge time has come: from that instant it is gone for every route and every
    /// verification, whether or not the table still has it.
    pub fn is_purged(&self, now: Timestamp) -> bool {
        self.purge_at.is_some_and(|purge_at| purge_at <= now)
    }

    /// When something last happened to it: it was created, changed or used.
    pub fn last_activity(&self) -> Timestamp {
        let changed = self.created_at.max(self.updated_at);
        self.last_use.map_or(changed, |used| changed.max(used.at))
    }

    /// The token after its revocation; `None` if it is revoked already, which needs no change.
    pub fn revoke(&self, by: Actor, at: Timestamp, reason: Option<String>) -> Option<Self> {
        if self.revocation.is_some() {
            return None;
        }
        let revocation = Some(Revocation {
            at,
            by: by.clone(),
            reason,
            leak_reported: false,
        });
        Some(Self {
            revocation,
            ..self.changed(by, at)
        })
    }

    /// The token after its secret was found in public: revoked, with [`LEAKED`] for a reason. `None` if
    /// it is so already. Who revoked it before, and when, stays.
    pub fn leak(&self, by: Actor, at: Timestamp) -> Option<Self> {
        let revocation = match &self.revocation {
            Some(revocation) if revocation.leak_reported => return None,
            Some(revocation) => revocation.clone(),
            None => Revocation {
                at,
                by: by.clone(),
                reason: None,
                leak_reported: false,
            },
        };
        let revocation = Some(Revocation {
            reason: Some(LEAKED.into()),
            leak_reported: true,
            ..revocation
        });
        Some(Self {
            revocation,
            ..self.changed(by, at)
        })
    }

    /// The token after an edit; `None` if the edit changes nothing.
    ///
    /// A lifetime that is given is chosen anew: the purge time counts from now, also if it is the same
    /// lifetime as before.
    pub fn edit(&self, patch: Patch, by: Actor, at: Timestamp) -> Option<Self> {
        let mut edited = self.clone();
        if let Some(auto_purge) = patch.auto_purge {
            edited.auto_purge = auto_purge;
            edited.purge_at = auto_purge.purge_at(at);
        }
        edited.name = patch.name.unwrap_or(edited.name);
        edited.description = patch.description.unwrap_or(edited.description);
        edited.scope = patch.scope.unwrap_or(edited.scope);
        edited.allowed_cidrs = patch.allowed_cidrs.unwrap_or(edited.allowed_cidrs);
        (edited != *self).then(|| edited.changed(by, at))
    }

    /// The token after its revocation is undone; `None` if it isn't revoked. Its purge time stays.
    pub fn reactivate(&self, by: Actor, at: Timestamp) -> Option<Self> {
        self.revocation.as_ref()?;
        Some(Self {
            revocation: None,
            ..self.changed(by, at)
        })
    }

    /// A copy that counts as one change more.
    fn changed(&self, by: Actor, at: Timestamp) -> Self {
        Self {
            version: self.version + 1,
            updated_at: at,
            updated_by: by,
            ..self.clone()
        }
    }
}

/// The secret encrypted by KMS, for showing it again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ciphertext(pub Vec<u8>);

/// What is kept of a newly made secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewSecret {
    /// Its key.
    pub hash: SecretHash,
    /// Its hint.
    pub hint: String,
    /// The secret, encrypted.
    pub ciphertext: Ciphertext,
}

/// An earlier secret that still works until its grace period ends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RetiredSecret {
    /// Which secret.
    pub hash: SecretHash,
    /// The instant from which it is refused.
    pub valid_until: Timestamp,
}

/// What is stored of a token beside what people see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredToken {
    /// What people see.
    pub token: Token,
    /// The key of the current secret.
    pub secret_hash: SecretHash,
    /// The current secret, encrypted.
    pub ciphertext: Ciphertext,
    /// The secret that the current one replaced, while its grace period lasts.
    pub retired: Option<RetiredSecret>,
}

impl StoredToken {
    /// The same secrets under a changed token. A retired secret whose grace period is over is let go.
    pub fn with(&self, token: Token, now: Timestamp) -> Self {
        let retired = self
            .retired
            .clone()
            .filter(|retired| retired.valid_until > now);
        Self {
            token,
            retired,
            ..self.clone()
        }
    }

    /// The token under a new secret. The old one ends at once or after the grace period, never later
    /// than the token itself; one that was retired before ends now.
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
        let retired = (grace > SignedDuration::ZERO).then_some(RetiredSecret {
            hash: self.secret_hash,
            valid_until,
        });
        Self {
            token: Token {
                hint: secret.hint,
                ..self.token.changed(by, at)
            },
            secret_hash: secret.hash,
            ciphertext: secret.ciphertext,
            retired,
        }
    }

    /// The keys of every secret that may still have an item in the table.
    pub fn secret_hashes(&self) -> impl Iterator<Item = SecretHash> + '_ {
        std::iter::once(self.secret_hash).chain(self.retired.iter().map(|retired| retired.hash))
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
                leak_reported: false,
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

    #[test]
    fn a_leak_revokes_once_and_says_so_of_what_was_revoked_before() {
        let (token, at) = (testing::token(), testing::now());
        let leaked = token.leak(Actor::system(), at).unwrap();
        let revocation = leaked.revocation.clone().unwrap();
        assert_eq!(revocation.reason.as_deref(), Some(LEAKED));
        assert_eq!(revocation.by, Actor::system());
        assert_eq!(leaked.leak(Actor::system(), at), None);
        let owner = testing::owner_actor();
        // Also if whoever revoked it gave that reason.
        for reason in ["lost", LEAKED] {
            let revoked = token
                .revoke(owner.clone(), at, Some(reason.into()))
                .unwrap();
            let leaked = revoked.leak(Actor::system(), at).unwrap();
            assert_eq!(leaked.version, revoked.version + 1);
            assert_eq!(leaked.leak(Actor::system(), at), None);
            let revocation = leaked.revocation.unwrap();
            assert_eq!(revocation.reason.as_deref(), Some(LEAKED));
            assert_eq!(revocation.by, owner);
        }
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
    fn reactivating_undoes_a_revocation_and_nothing_else() {
        let token = testing::token();
        let by = testing::owner_actor();
        assert_eq!(token.reactivate(by.clone(), testing::now()), None);
        let revoked = token
            .revoke(by.clone(), testing::now(), Some("oops".into()))
            .unwrap();
        let active = revoked.reactivate(by, testing::now()).unwrap();
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
        assert_eq!(regenerate(&stored, 0).retired, None);
        let ends = |stored: &StoredToken| regenerate(stored, 60).retired.unwrap().valid_until;
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
