//! A store that never fails: it reads from a few accounts and tokens that never change, and keeps what is written only
//! for the checks. So each input meets the same state, and no input waits for an engine.

use std::collections::BTreeMap;
use std::sync::Mutex;

use jiff::{SignedDuration, Timestamp};
use latchkey::domain::account::Account;
use latchkey::domain::action::Action;
use latchkey::domain::audit::{AuditRecord, Change};
use latchkey::domain::auto_purge::AutoPurge;
use latchkey::domain::id::{AccountId, TokenId};
use latchkey::domain::integration::Integration;
use latchkey::domain::kind::Kind;
use latchkey::domain::resource::{Resource, ResourceType};
use latchkey::domain::scope::Scope;
use latchkey::domain::secret::{PlainSecret, SecretHash};
use latchkey::domain::token::{PreviousSecret, StoredToken, Token};
use latchkey::domain::verification::SecretRecord;
use latchkey::http::audit::AuditBody;
use latchkey::ports::{CachedKeys, EncryptSecret};
use latchkey::testing::{
    FakeVault, FixedClock, FixedEntropy, acme, globex, now, owner_actor, plain, plain_secret, token,
};

use crate::check::texts;

mod ports;

/// Returns the clock and the random bits of every input.
pub fn system() -> (FixedClock, FixedEntropy) {
    (FixedClock(now()), FixedEntropy([7; 32]))
}

/// The store.
#[derive(Debug, Default)]
pub struct World {
    accounts: BTreeMap<AccountId, Account>,
    tokens: Vec<StoredToken>,
    secrets: BTreeMap<SecretHash, SecretRecord>,
    /// The secrets in plain text.
    pub known: Vec<String>,
    resources: Vec<Resource>,
    integrations: Vec<Integration>,
    audit: Vec<AuditRecord>,
    /// GitHub's keys, as the store has them.
    pub keys: Mutex<CachedKeys>,
    written: Mutex<Vec<String>>,
}

impl World {
    /// Creates the store. The first token of `acme` has the secret of the sample events and a custom scope, the second
    /// is revoked, the third has full access and a replaced secret, and the fourth is an Integration App's.
    pub async fn new() -> Self {
        let mut world = Self::default();
        for account in [acme(), globex()] {
            world.accounts.insert(account.id.clone(), account);
        }
        for (kind, id, app) in [
            (ResourceType::Connection, "con_shop", None),
            (ResourceType::Export, "exp_orders", None),
            (ResourceType::Export, "exp_app", Some("app1")),
            (ResourceType::Import, "imp_stock", None),
            (ResourceType::Api, "api_quotes", None),
        ] {
            world.resources.push(Resource {
                account_id: acme().id,
                kind,
                id: id.parse().unwrap(),
                name: format!("The {id}"),
                integration_id: app.map(|app| app.parse().unwrap()),
            });
        }
        world.integrations.push(Integration {
            account_id: acme().id,
            id: "app1".parse().unwrap(),
            name: "Shop".into(),
        });
        world.add(token(), plain_secret(), None).await;
        let revoked = numbered(2).revoke(owner_actor(), now(), Some("lost".into()));
        world.add(revoked.unwrap(), secret(43), None).await;
        let replaced = Token {
            scope: Scope::Full,
            previous_secret: Some(PreviousSecret {
                hint: secret(45).hint(),
                valid_until: now() + SignedDuration::from_hours(1),
            }),
            ..numbered(3)
        };
        world.add(replaced, secret(44), Some(secret(45))).await;
        let app = Token {
            kind: Kind::IntegrationApp,
            integration_id: Some("app1".parse().unwrap()),
            scope: Scope::Full,
            auto_purge: AutoPurge::ThirtyDays,
            purge_at: Some(now() + SignedDuration::from_hours(720)),
            ..numbered(4)
        };
        let app_secret = PlainSecret::generate(app.kind, &FixedEntropy([46; 32]));
        world.add(app, app_secret.unwrap(), None).await;
        let change = Change::new("name", Some("Stock".into()), Some("=1+1, \"x\"".into()));
        for (seed, action, changes) in [
            (1, Action::Create, vec![]),
            (2, Action::Update, vec![change]),
            (3, Action::Access, vec![]),
        ] {
            let mut record = latchkey::testing::audit(action, &token(), now(), seed);
            record.changes = changes;
            world.audit.push(record);
        }
        world
    }

    async fn add(&mut self, token: Token, plain_text: PlainSecret, previous: Option<PlainSecret>) {
        let vault = FakeVault::default();
        let sealed = vault.encrypt_secret(&token.account_id, &token.id, &plain_text);
        let stored = StoredToken {
            secret_hash: plain_text.hash(),
            ciphertext: sealed.await.unwrap(),
            previous_hash: previous.as_ref().map(PlainSecret::hash),
            token: Token {
                hint: plain_text.hint(),
                ..token
            },
        };
        for record in SecretRecord::all_of(&stored) {
            self.secrets.insert(record.hash, record);
        }
        let both = [Some(plain_text), previous];
        self.known.extend(both.iter().flatten().map(plain));
        self.tokens.push(stored);
    }

    /// Returns every token with its secrets, for an engine.
    pub fn stored(&self) -> &[StoredToken] {
        &self.tokens
    }

    /// Plants a fault: accepts secrets that nobody was given.
    pub fn accept_unknown(&mut self) {
        self.known.clear();
    }

    /// Plants a fault: the accounts' names hold a secret.
    pub fn leak(&mut self) {
        for account in self.accounts.values_mut() {
            account.name = plain(&secret(99));
        }
    }

    fn find(&self, account: &AccountId, id: &TokenId, now: Timestamp) -> Option<StoredToken> {
        let mut tokens = self.tokens.iter();
        let found = tokens.find(|stored| {
            stored.token.account_id == *account
                && stored.token.id == *id
                && !stored.token.is_purged(now)
        });
        found.cloned()
    }

    /// Keeps texts that are written.
    fn write(&self, texts: impl IntoIterator<Item = String>) {
        self.written.lock().unwrap().extend(texts);
    }

    fn write_token(&self, token: &Token) {
        let reason = token
            .revocation
            .as_ref()
            .and_then(|ended| ended.reason.clone());
        self.write([token.name.clone(), token.description.clone()]);
        self.write(reason);
    }

    fn write_audit(&self, record: &AuditRecord) {
        self.write(texts(
            &serde_json::to_value(AuditBody::from(record)).unwrap(),
        ));
    }

    /// Takes the texts that were written since the last call.
    pub fn take_written(&self) -> Vec<String> {
        std::mem::take(&mut self.written.lock().unwrap())
    }
}

/// An account token's secret that only its number tells apart.
pub fn secret(number: u8) -> PlainSecret {
    PlainSecret::generate(Kind::Account, &FixedEntropy([number; 32])).unwrap()
}

/// The sample token with the id `tok_0000000000000000000000000N`.
fn numbered(number: u8) -> Token {
    Token {
        id: format!("tok_{number:026}").parse().unwrap(),
        ..token()
    }
}
