//! Sample times, systems, tokens and records.

use std::net::{IpAddr, Ipv4Addr};

use jiff::Timestamp;
use secrecy::ExposeSecret;

use crate::domain::action::Action;
use crate::domain::actor::{Actor, ActorType};
use crate::domain::audit::{AuditRecord, Origin, Source};
use crate::domain::auto_purge::AutoPurge;
use crate::domain::brand::Brand;
use crate::domain::entropy::{Entropy, EntropyError};
use crate::domain::id::TokenId;
use crate::domain::kind::Kind;
use crate::domain::scope::{ResourceLists, Scope};
use crate::domain::secret::PlainSecret;
use crate::domain::token::{Ciphertext, StoredToken, Token};
use crate::domain::verification::SecretRecord;
use crate::ports::Clock;
use crate::system::System;

/// The current time in tests.
pub fn now() -> Timestamp {
    "2026-11-23T10:00:00Z".parse().unwrap()
}

/// A clock that stands still.
#[derive(Debug, Clone, Copy)]
pub struct FixedClock(pub Timestamp);

impl Clock for FixedClock {
    fn now(&self) -> Timestamp {
        self.0
    }
}

/// An entropy source that always gives the same bytes.
#[derive(Debug, Clone, Copy)]
pub struct FixedEntropy(pub [u8; 32]);

impl Entropy for FixedEntropy {
    fn fill(&self, buffer: &mut [u8]) -> Result<(), EntropyError> {
        for (byte, fixed) in buffer.iter_mut().zip(self.0.iter().cycle()) {
            *byte = *fixed;
        }
        Ok(())
    }
}

/// An entropy source that fails.
#[derive(Debug, Clone, Copy)]
pub struct NoEntropy;

impl Entropy for NoEntropy {
    fn fill(&self, _: &mut [u8]) -> Result<(), EntropyError> {
        Err(EntropyError)
    }
}

/// A pair of a clock and an entropy source is a system.
impl<C: Clock, E: Sync> Clock for (C, E) {
    fn now(&self) -> Timestamp {
        self.0.now()
    }
}

impl<C: Sync, E: Entropy> Entropy for (C, E) {
    fn fill(&self, buffer: &mut [u8]) -> Result<(), EntropyError> {
        self.1.fill(buffer)
    }
}

/// A system whose clock stands still at `time`, with real random bits.
pub fn system_at(time: Timestamp) -> (FixedClock, System) {
    (FixedClock(time), System)
}

/// The owner of the test account as an actor.
pub fn owner_actor() -> Actor {
    Actor {
        id: "owner-1".into(),
        kind: ActorType::Member,
        email: Some("owner@acme.example".into()),
        name: "Olive Owner".into(),
    }
}

/// A brand without a logo and a support address.
pub fn brand() -> Brand {
    Brand::new("Latchkey", "#2b5dd0".parse().unwrap()).unwrap()
}

/// A token with a custom scope.
pub fn token() -> Token {
    let mut lists = ResourceLists::default();
    lists.exports.insert("exp_orders".parse().unwrap());
    Token {
        id: "tok_01ARZ3NDEKTSV4RRFFQ69G5FAV".parse().unwrap(),
        account_id: "acme".parse().unwrap(),
        kind: Kind::Account,
        integration_id: None,
        name: "Warehouse sync".into(),
        description: "Kept in the warehouse's vault".into(),
        auto_purge: AutoPurge::Never,
        purge_at: None,
        scope: Scope::Custom(lists),
        allowed_cidrs: vec![],
        hint: "ab12".into(),
        version: 1,
        created_at: now(),
        created_by: owner_actor(),
        updated_at: now(),
        updated_by: owner_actor(),
        revocation: None,
        compromised: None,
        previous_secret: None,
        last_use: None,
    }
}

/// [`token`] as if it had been created at `time`, with an id of that time.
pub fn token_at(time: Timestamp) -> Token {
    Token {
        id: TokenId::generate(time, &System).unwrap(),
        created_at: time,
        updated_at: time,
        ..token()
    }
}

/// The secret of [`stored_token`].
pub fn plain_secret() -> PlainSecret {
    PlainSecret::generate(Kind::Account, &FixedEntropy([42; 32])).unwrap()
}

/// The text of a secret.
#[expect(clippy::disallowed_methods, reason = "a test looks at what it made")]
pub fn plain(secret: &PlainSecret) -> String {
    secret.expose_secret().to_owned()
}

/// [`token`] with its secret.
pub fn stored_token() -> StoredToken {
    let secret = plain_secret();
    StoredToken {
        token: Token {
            hint: secret.hint(),
            ..token()
        },
        secret_hash: secret.hash(),
        ciphertext: Ciphertext(b"sealed".to_vec()),
        previous_hash: None,
    }
}

/// The verification record of [`stored_token`].
pub fn secret_record() -> SecretRecord {
    SecretRecord::of(&stored_token().token, stored_token().secret_hash)
}

/// The origin of a test's request.
pub fn origin() -> Origin {
    Origin {
        source: Source::Api,
        actor: owner_actor(),
        ip: Some(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1))),
        user_agent: Some("tests".into()),
        request_id: "req-1".into(),
        trace_id: None,
    }
}

/// An audit record of the token.
pub fn audit(action: Action, token: &Token, now: Timestamp, seed: u8) -> AuditRecord {
    AuditRecord::new(
        action,
        token,
        vec![],
        origin(),
        now,
        &FixedEntropy([seed; 32]),
    )
    .unwrap()
}
