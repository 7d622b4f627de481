//! Random histories of tokens. At a random moment the tables are kept, as a restore to that moment brings them. The
//! replay then has to make of them what the history made, but for the secrets that the kept tables don't have.
//!
//! `LATCHKEY_SEED=<seed> cargo test -p latchkey-admin histories` runs a single one.

use latchkey::app::compromise::{Evidence, compromise};
use latchkey::app::revoke::revoke;
use latchkey::domain::actor::Actor;
use latchkey::domain::auto_purge::AutoPurge;
use latchkey::domain::change::{NewToken, TokenChange};
use latchkey::domain::scope::{ResourceLists, Scope};
use latchkey::domain::secret::SecretHash;
use latchkey::domain::token::{Patch, Status};
use latchkey::domain::verification::SecretRecord;
use latchkey::ports::{ChangeToken, DeleteToken, GetToken, InsertToken, ProjectPlatform};
use latchkey::system::System;
use latchkey::testing::{Random, globex, origin, owner_actor};

use super::*;

const SEEDS: u64 = 16;
const OPERATIONS: usize = 40;
/// As many tokens at most have a history at a time.
const TOKENS: usize = 3;

/// Somebody's evidence that a secret is known to others.
struct Found(Action);

impl Evidence for Found {
    fn action(&self) -> Action {
        self.0
    }

    fn reason(&self) -> &str {
        "found"
    }

    fn origin(&self, secret: &SecretRecord) -> Origin {
        Origin {
            actor: Actor::token(&secret.token_id, &secret.token_name),
            ..origin()
        }
    }

    fn changes(&self) -> Vec<Change> {
        vec![]
    }
}

struct History<'a> {
    engine: &'a Engine,
    random: Random,
    vault: FakeVault,
    now: Timestamp,
    tokens: Vec<(AccountId, TokenId)>,
    /// Every secret that there ever was.
    secrets: Vec<SecretHash>,
}

impl History<'_> {
    async fn step(&mut self) {
        let pause = self
            .random
            .of(&[1, 500, 40_000, 900_000, 900_000, 5_000_000]);
        self.now += SignedDuration::from_millis(pause);
        if self.tokens.len() < TOKENS {
            return self.create().await;
        }
        let chosen = self.random.below(TOKENS);
        let (account, id) = self.tokens[self.tokens.len() - TOKENS + chosen].clone();
        let stored = self.engine.store.get_token(&account, &id, self.now).await;
        let Some(before) = stored.unwrap() else {
            return self.create().await;
        };
        let (by, now) = (owner_actor(), self.now);
        let token = &before.token;
        match self.random.below(20) {
            0 => self.create().await,
            1 | 2 => {
                let edited = token.edit(self.patch(), by, now);
                self.change(&before, edited, Action::Update, owner_actor())
                    .await;
            }
            3 | 4 => {
                let revoked = token.revoke(by, now, Some("no longer needed".into()));
                self.change(&before, revoked, Action::Revoke, owner_actor())
                    .await;
            }
            5 => {
                let revoked = token.revoke(Actor::system(), now, Some("idle".into()));
                self.change(&before, revoked, Action::Revoke, Actor::system())
                    .await;
            }
            6..=8 => {
                let active = token.reactivate(by, now).unwrap_or_default();
                self.change(&before, active, Action::Reactivate, owner_actor())
                    .await;
            }
            9..=12 => self.regenerate(before).await,
            13 => {
                let ended = token.end_previous_secret(by, now);
                let ended = token.has_previous_secret(now).then_some(ended);
                self.change(&before, ended, Action::Retire, owner_actor())
                    .await;
            }
            14 | 15 => self.find().await,
            16 | 17 if token.status() == Status::Revoked => {
                let audit = AuditRecord::new(Action::Delete, token, vec![], origin(), now, &System);
                let audit = audit.unwrap();
                let deleted = self.engine.store.delete_token(&before, &audit);
                deleted.await.unwrap();
            }
            18 if self.random.below(4) == 0 => self.delete_account(&account).await,
            _ => {}
        }
    }

    fn patch(&mut self) -> Patch {
        let mut patch = Patch::default();
        match self.random.below(8) {
            0 => patch.name = Some(format!("Name, {}", self.random.below(100))),
            1 => patch.description = Some(self.random.of(&["", "Kept, in the vault"]).into()),
            2 => patch.scope = Some(Scope::Full),
            3 => {
                let mut lists = ResourceLists::default();
                for _ in 0..self.random.below(3) {
                    let id = self.random.of(&["exp_orders", "exp_app"]);
                    lists.exports.insert(id.parse().unwrap());
                    lists.apis.insert("api_quotes".parse().unwrap());
                }
                patch.scope = Some(Scope::Custom(lists));
            }
            4 => {
                let ranges = self
                    .random
                    .of(&["", "192.0.2.0/24", "192.0.2.0/24 2001:db8::/32"]);
                let ranges = ranges.split_whitespace().map(|it| it.parse().unwrap());
                patch.allowed_cidrs = Some(ranges.collect());
            }
            _ => {
                let lifetimes = [
                    AutoPurge::OneHour,
                    AutoPurge::TenDays,
                    AutoPurge::TenDays,
                    AutoPurge::Never,
                ];
                patch.auto_purge = Some(self.random.of(&lifetimes));
            }
        }
        patch
    }

    async fn new_secret(&mut self, token: &Token) -> NewSecret {
        let plain = PlainSecret::generate(token.kind, &System).unwrap();
        self.secrets.push(plain.hash());
        let sealed = self
            .vault
            .encrypt_secret(&token.account_id, &token.id, &plain);
        NewSecret {
            hash: plain.hash(),
            hint: plain.hint(),
            ciphertext: sealed.await.unwrap(),
        }
    }

    async fn create(&mut self) {
        let auto_purge =
            self.random
                .of(&[AutoPurge::Never, AutoPurge::TenDays, AutoPurge::OneHour]);
        let token = Token {
            account_id: self.random.of(&["acme", "globex"]).parse().unwrap(),
            auto_purge,
            purge_at: auto_purge.purge_at(self.now),
            ..token_at(self.now)
        };
        let secret = self.new_secret(&token).await;
        let stored = StoredToken {
            token: Token {
                hint: secret.hint,
                ..token
            },
            secret_hash: secret.hash,
            ciphertext: secret.ciphertext,
            previous_hash: None,
        };
        let token = &stored.token;
        let listed = changes(None, token);
        let audit = AuditRecord::new(Action::Create, token, listed, origin(), self.now, &System);
        let place = (token.account_id.clone(), token.id.clone());
        let new = NewToken {
            audit: audit.unwrap(),
            stored,
            idempotency: None,
        };
        // There may be no such account any more.
        if self.engine.store.insert_token(&new).await.is_ok() {
            self.tokens.push(place);
        }
    }

    async fn change(
        &mut self,
        before: &StoredToken,
        token: Option<Token>,
        action: Action,
        actor: Actor,
    ) {
        let Some(token) = token else { return };
        let origin = Origin { actor, ..origin() };
        let change = TokenChange::new(before.clone(), token, action, origin, self.now, &System);
        self.write(change.unwrap()).await;
    }

    async fn write(&self, change: TokenChange) {
        let written = self.engine.store.change_token(&change).await;
        // A token can't become active, or stay so, without its account.
        assert!(matches!(written, Ok(()) | Err(PortError::Conflict)));
    }

    async fn regenerate(&mut self, before: StoredToken) {
        let secret = self.new_secret(&before.token).await;
        let grace = SignedDuration::from_secs(self.random.of(&[0, 40_000, 86_400]));
        let after = before.regenerate(secret, grace, owner_actor(), self.now);
        let told = recorded(&before.at(self.now).token, &after.token);
        let audit = AuditRecord::new(
            Action::Regenerate,
            &after.token,
            told,
            origin(),
            self.now,
            &System,
        );
        let change = TokenChange {
            before,
            after,
            compromised: None,
            audit: audit.unwrap(),
            idempotency: None,
        };
        self.write(change).await;
    }

    /// Somebody finds or gives up one of the newest secrets, in whatever state it is.
    async fn find(&mut self) {
        let newest = self.random.below(self.secrets.len().min(6));
        let hash = self.secrets[self.secrets.len() - 1 - newest];
        let found = Found(self.random.of(&[Action::Leak, Action::Revoke]));
        let system = system_at(self.now);
        compromise(&self.engine.store, &system, &hash, &found)
            .await
            .unwrap();
    }

    /// The platform deletes an account.
    async fn delete_account(&mut self, account: &AccountId) {
        self.engine
            .store
            .delete_account(account, self.now)
            .await
            .unwrap();
        let origin = Origin {
            actor: Actor::system(),
            ..origin()
        };
        let system = system_at(self.now);
        for (_, id) in self.tokens.iter().filter(|(of, _)| of == account) {
            let ended = revoke(
                &self.engine.store,
                &system,
                (account, id),
                &origin,
                Action::Revoke,
                |before, now| {
                    Ok::<_, PortError>(before.token.end_with_account(Actor::system(), now))
                },
            );
            ended.await.unwrap();
        }
    }
}

/// The secret as the engine has it, and whether it works from the address of the tests.
async fn look(engine: &Engine, hash: SecretHash, at: Timestamp) -> (Option<SecretRecord>, bool) {
    let secret = engine.store.get_secret(&hash).await.unwrap();
    let ip = "192.0.2.1".parse().ok();
    let works = standing(secret.as_ref(), ip, at).is_ok();
    (secret, works)
}

/// Runs a history and checks what a replay makes of it. Returns how many secrets had come to life again before the
/// replay, and how much is lost.
async fn check(seed: u64) -> (usize, usize) {
    let engine = &Engine::with_accounts().await;
    let mut random = Random(seed);
    let point = random.below(OPERATIONS);
    let mut history = History {
        engine,
        random,
        vault: FakeVault::default(),
        now: now(),
        tokens: Vec::new(),
        secrets: Vec::new(),
    };
    for _ in 0..point {
        history.step().await;
    }
    let since = history.now;
    let new = &restored(engine).await;
    for _ in point..OPERATIONS {
        history.step().await;
    }
    let at = history.now + SignedDuration::from_secs(1);

    let mut kept = Vec::new();
    let mut revived = 0;
    for hash in &history.secrets {
        let works = look(engine, *hash, at).await.1;
        let (secret, lives) = look(new, *hash, at).await;
        kept.extend(secret.map(|_| *hash));
        revived += usize::from(lives && !works);
    }
    let mut lost = BTreeSet::new();
    for (account, id) in &history.tokens {
        let Some(token) = engine.store.get_token(account, id, at).await.unwrap() else {
            continue;
        };
        let what = match new.stored(account, id).await {
            None => Lost::Token,
            Some(_) if !kept.contains(&token.secret_hash) => Lost::Secret,
            Some(_) => continue,
        };
        let name = token.token.name;
        lost.insert((account.clone(), id.clone(), what, name));
    }

    let done = told_and_done((engine, new), since, at).await;
    let without_names = |lost: &BTreeSet<(AccountId, TokenId, Lost, String)>| {
        let lost = lost
            .iter()
            .map(|(account, id, what, _)| (account.clone(), id.clone(), what.clone()));
        lost.collect::<Vec<_>>()
    };
    assert_eq!(
        without_names(&done.lost),
        without_names(&lost),
        "seed {seed}"
    );
    for hash in &history.secrets {
        let (was, worked) = look(engine, *hash, at).await;
        let (is, works) = look(new, *hash, at).await;
        if kept.contains(hash) && worked {
            assert_eq!(was, is, "seed {seed}");
        } else {
            assert!(!works, "seed {seed}: {is:?} works, and was {was:?}");
        }
    }
    for (account, id) in &history.tokens {
        let was = engine.store.get_token(account, id, at).await.unwrap();
        let is = new.store.get_token(account, id, at).await.unwrap();
        let about = |what| lost.iter().any(|it| it.1 == *id && it.2 == what);
        match (was, is) {
            (Some(_), None) => assert!(about(Lost::Token), "seed {seed}: {id}"),
            (Some(was), Some(is)) if about(Lost::Secret) => {
                assert_eq!(was.token.status(), is.token.status(), "seed {seed}");
                assert_eq!(was.token.scope, is.token.scope, "seed {seed}");
                assert_eq!(was.token.purge_at, is.token.purge_at, "seed {seed}");
                // Another token than the one that has this version elsewhere.
                assert!(is.token.version > was.token.version, "seed {seed}");
                let fresh = look(new, is.secret_hash, at).await.0.unwrap();
                let compromised = was.token.compromised.is_some();
                let state = if compromised {
                    SecretState::Compromised
                } else {
                    SecretState::Current
                };
                assert_eq!(fresh.state, state, "seed {seed}");
            }
            (was, is) => {
                let at_end = |it: Option<StoredToken>| it.map(|it| it.at(at));
                assert_eq!(at_end(was), at_end(is), "seed {seed}");
            }
        }
    }
    let log = new.audit_images().await;
    for record in engine.audit_images().await {
        assert!(log.contains(&record), "seed {seed}: {record}");
    }
    let before = new.dump().await;
    let again = run(
        (engine, new),
        since,
        at + SignedDuration::from_secs(1),
        false,
    )
    .await;
    assert_eq!(again.done, BTreeMap::new(), "seed {seed}");
    assert_eq!(new.dump().await, before, "seed {seed}");
    (revived, lost.len())
}

#[tokio::test]
async fn whatever_happened_after_the_point_a_secret_that_was_refused_is_refused() {
    let one = std::env::var("LATCHKEY_SEED").ok();
    let one = one.map(|seed| seed.parse::<u64>().unwrap());
    let seeds = one.map_or(0..SEEDS, |seed| seed..seed + 1);
    let (mut revived, mut lost) = (0, 0);
    for seed in seeds.clone() {
        let (of_revived, of_lost) = check(seed).await;
        (revived, lost) = (revived + of_revived, lost + of_lost);
    }
    // Otherwise the histories show nothing.
    assert!(
        one.is_some() || (revived > 5 && lost > 5),
        "{revived} {lost}"
    );
    // Both accounts have had tokens.
    assert_ne!(acme().id, globex().id);
}
