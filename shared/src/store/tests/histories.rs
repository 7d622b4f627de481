//! Random histories of several clients at once: no secret works after the answer that ended it, nothing
//! changes without its record, no secret is left without its token.
//!
//! Every call of the store is one transaction or one read, so that what matters about concurrency is the
//! order of the calls. A scheduler lets one client at a time make one call, chosen by the seed: a seed
//! is a history, and replays. `LATCHKEY_SEED=<seed> cargo test -p latchkey histories` runs one alone.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::sync::atomic::{AtomicI64, Ordering};

use futures_util::future::join_all;
use tokio::sync::Mutex as AsyncMutex;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::*;
use crate::domain::audit::Action;
use crate::domain::id::AccountId;
use crate::domain::policy::Owner;
use crate::domain::ports::{
    Clock, DeleteToken, Entropy, EntropyError, GetResources, GetToken, RecordUse, Use,
};
use crate::domain::resource::{Resource, ResourceRef};
use crate::domain::token::{Ciphertext, NewSecret, Patch, Status};
use crate::domain::verification::{Client, Outcome, Presentation, verify};
use crate::store::Store;

const SEEDS: u64 = 40;
const CLIENTS: usize = 5;
const OPERATIONS: usize = 10;

/// SplitMix64: small, and the same on every machine.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ (z >> 31)) % u64::try_from(bound).unwrap()).unwrap()
    }
}

/// A clock that the scheduler moves, and random bits that follow from the seed.
struct World {
    milliseconds: AtomicI64,
    random: Mutex<Random>,
}

impl Clock for World {
    fn now(&self) -> Timestamp {
        now() + SignedDuration::from_millis(self.milliseconds.load(Ordering::SeqCst))
    }
}

impl Entropy for World {
    fn fill(&self, buffer: &mut [u8]) -> Result<(), EntropyError> {
        let mut random = self.random.lock().unwrap();
        buffer.fill_with(|| u8::try_from(random.below(256)).unwrap());
        Ok(())
    }
}

/// What the clients know of a secret.
#[derive(Default)]
struct Known {
    text: String,
    /// An answer has ended it for good.
    ended: bool,
    /// From this moment on it is over.
    valid_until: Option<Timestamp>,
}

/// What the clients have been answered.
#[derive(Default)]
struct Answers {
    secrets: BTreeMap<SecretHash, Known>,
    /// A revocation was answered, and no reactivation has begun since.
    revoked: bool,
    deleted: bool,
    reactivations: usize,
    records: BTreeSet<String>,
}

/// A client's way to the store: every call waits for its turn.
struct Turns<'a> {
    store: &'a Store,
    client: usize,
    ready: UnboundedSender<Option<usize>>,
    grants: AsyncMutex<UnboundedReceiver<()>>,
}

impl Turns<'_> {
    async fn turn(&self) -> &Store {
        self.ready.send(Some(self.client)).unwrap();
        self.grants.lock().await.recv().await.unwrap();
        self.store
    }
}

impl GetToken for Turns<'_> {
    async fn get_token(
        &self,
        account: &AccountId,
        id: &TokenId,
        now: Timestamp,
    ) -> Result<Option<StoredToken>, PortError> {
        self.turn().await.get_token(account, id, now).await
    }
}

impl ChangeToken for Turns<'_> {
    async fn change_token(&self, change: &TokenChange) -> Result<(), PortError> {
        self.turn().await.change_token(change).await
    }
}

impl DeleteToken for Turns<'_> {
    async fn delete_token(
        &self,
        deleted: &StoredToken,
        audit: &AuditRecord,
    ) -> Result<(), PortError> {
        self.turn().await.delete_token(deleted, audit).await
    }
}

impl GetSecret for Turns<'_> {
    async fn get_secret(&self, hash: &SecretHash) -> Result<Option<SecretRecord>, PortError> {
        self.turn().await.get_secret(hash).await
    }
}

impl GetResources for Turns<'_> {
    async fn get_resources(
        &self,
        account: &AccountId,
        names: &[ResourceRef],
    ) -> Result<Vec<Resource>, PortError> {
        self.turn().await.get_resources(account, names).await
    }
}

impl RecordUse for Turns<'_> {
    async fn record_use(&self, used: &Use) -> Result<(), PortError> {
        self.turn().await.record_use(used).await
    }
}

/// One history.
struct History<'a> {
    token: &'a Token,
    world: &'a World,
    answers: &'a Mutex<Answers>,
    seed: u64,
}

impl History<'_> {
    async fn client(&self, store: &Turns<'_>, mut random: Random) {
        for _ in 0..OPERATIONS {
            match random.below(10) {
                0 => self.edit(store, &mut random).await,
                1 => self.revoke(store).await,
                2 | 3 => self.reactivate(store).await,
                4 => self.regenerate(store, 0).await,
                5 => self.regenerate(store, 2).await,
                6 if random.below(4) == 0 => self.delete(store).await,
                _ => self.verify(store, &mut random).await,
            }
        }
        store.ready.send(None).unwrap();
    }

    async fn read(&self, store: &Turns<'_>) -> Option<StoredToken> {
        let token = self.token;
        store
            .get_token(&token.account_id, &token.id, self.world.now())
            .await
            .unwrap()
    }

    /// Makes a change; answers whether it was made.
    async fn change(&self, store: &Turns<'_>, change: TokenChange) -> bool {
        match store.change_token(&change).await {
            Ok(()) => {
                let mut answers = self.answers.lock().unwrap();
                assert!(
                    answers.records.insert(change.audit.id.to_string()),
                    "seed {}",
                    self.seed
                );
                true
            }
            Err(PortError::Conflict) => false,
            Err(error) => panic!("seed {}: {error}", self.seed),
        }
    }

    fn changed(&self, before: StoredToken, token: Token, action: Action) -> TokenChange {
        let at = token.updated_at;
        TokenChange::new(before, token, action, origin(), at, self.world).unwrap()
    }

    async fn edit(&self, store: &Turns<'_>, random: &mut Random) {
        let Some(before) = self.read(store).await else {
            return;
        };
        let name = Some(format!("name {}", random.below(1_000)));
        let patch = Patch {
            name,
            ..Patch::default()
        };
        let edited = before.token.edit(patch, owner_actor(), self.world.now());
        if let Some(token) = edited {
            self.change(store, self.changed(before, token, Action::Update))
                .await;
        }
    }

    async fn revoke(&self, store: &Turns<'_>) {
        let Some(before) = self.read(store).await else {
            return;
        };
        let revoked = before.token.revoke(owner_actor(), self.world.now(), None);
        let Some(token) = revoked else { return };
        let reactivations = self.answers.lock().unwrap().reactivations;
        if self
            .change(store, self.changed(before, token, Action::Revoke))
            .await
        {
            let mut answers = self.answers.lock().unwrap();
            // One that began meanwhile may have come after it.
            answers.revoked = answers.reactivations == reactivations;
        }
    }

    async fn reactivate(&self, store: &Turns<'_>) {
        let Some(before) = self.read(store).await else {
            return;
        };
        let Some(token) = before.token.reactivate(owner_actor(), self.world.now()) else {
            return;
        };
        {
            let mut answers = self.answers.lock().unwrap();
            answers.reactivations += 1;
            answers.revoked = false;
        }
        self.change(store, self.changed(before, token, Action::Reactivate))
            .await;
    }

    async fn regenerate(&self, store: &Turns<'_>, grace: i64) {
        let Some(before) = self.read(store).await else {
            return;
        };
        if grace > 0 && before.token.status() == Status::Revoked {
            return;
        }
        let plain = PlainSecret::generate(Kind::Account, self.world).unwrap();
        let (hash, hint, at) = (plain.hash(), plain.hint(), self.world.now());
        let new = NewSecret {
            hash,
            hint,
            ciphertext: Ciphertext(vec![1]),
        };
        let grace = SignedDuration::from_secs(grace);
        let after = before.regenerate(new, grace, owner_actor(), at);
        let audit = AuditRecord::new(
            Action::Regenerate,
            &after.token,
            vec![],
            origin(),
            at,
            self.world,
        );
        let known = Known {
            text: text(&plain),
            ..Known::default()
        };
        self.answers.lock().unwrap().secrets.insert(hash, known);
        let (old, retired) = (before.clone(), after.retired.clone());
        let change = TokenChange {
            before,
            after,
            audit: audit.unwrap(),
            idempotency: None,
        };
        let made = self.change(store, change).await;
        let mut answers = self.answers.lock().unwrap();
        if !made {
            // A secret that was never handed over never works.
            answers.secrets.get_mut(&hash).unwrap().ended = true;
            return;
        }
        for ended in old.secret_hashes() {
            let known = answers.secrets.get_mut(&ended).unwrap();
            match retired.as_ref().filter(|retired| retired.hash == ended) {
                Some(retired) => known.valid_until = Some(retired.valid_until),
                None => known.ended = true,
            }
        }
    }

    async fn delete(&self, store: &Turns<'_>) {
        let Some(stored) = self.read(store).await else {
            return;
        };
        if stored.token.status() == Status::Active {
            return;
        }
        let (token, at) = (&stored.token, self.world.now());
        let audit = AuditRecord::new(Action::Delete, token, vec![], origin(), at, self.world);
        let audit = audit.unwrap();
        match store.delete_token(&stored, &audit).await {
            Ok(()) => {
                let mut answers = self.answers.lock().unwrap();
                answers.deleted = true;
                assert!(
                    answers.records.insert(audit.id.to_string()),
                    "seed {}",
                    self.seed
                );
            }
            Err(PortError::Conflict) => {}
            Err(error) => panic!("seed {}: {error}", self.seed),
        }
    }

    async fn verify(&self, store: &Turns<'_>, random: &mut Random) {
        let (secret, over, revoked, reactivations) = {
            let answers = self.answers.lock().unwrap();
            let index = random.below(answers.secrets.len());
            let known = answers.secrets.values().nth(index).unwrap();
            let now = self.world.now();
            let expired = known.valid_until.is_some_and(|end| end <= now);
            let over = known.ended || expired || answers.deleted;
            (
                known.text.clone(),
                over,
                answers.revoked,
                answers.reactivations,
            )
        };
        let ip = [192, 0, 2, u8::try_from(random.below(3)).unwrap()].into();
        let presentation = Presentation {
            ip,
            operation: None,
            owner: Owner::NotRead,
        };
        let client = Client {
            user_agent: None,
            request_id: "history".into(),
        };
        let outcome = verify(store, self.world, &secret, presentation, &client).await;
        let granted = match outcome {
            Ok(outcome) => matches!(outcome, Outcome::Granted { .. }),
            // Too many collisions: refused for now.
            Err(PortError::Unavailable(_)) => false,
            Err(error) => panic!("seed {}: {error}", self.seed),
        };
        let again = self.answers.lock().unwrap().reactivations != reactivations;
        let refused = over || (revoked && !again);
        assert!(
            !(granted && refused),
            "seed {}: an ended secret works",
            self.seed
        );
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a test's client knows its secret"
)]
fn text(secret: &PlainSecret) -> String {
    use secrecy::ExposeSecret;
    secret.expose_secret().to_owned()
}

/// Lets one client at a time make one call, until all are done.
async fn schedule(
    mut ready: UnboundedReceiver<Option<usize>>,
    grants: Vec<UnboundedSender<()>>,
    mut random: Random,
    world: &World,
) {
    let mut waiting = Vec::new();
    let (mut running, mut alive) = (CLIENTS, CLIENTS);
    while alive > 0 {
        while running > 0 {
            match ready.recv().await.unwrap() {
                Some(client) => waiting.push(client),
                None => alive -= 1,
            }
            running -= 1;
        }
        if !waiting.is_empty() {
            // Who came first at the start is up to the runtime; who is next isn't.
            waiting.sort_unstable();
            let next = waiting.remove(random.below(waiting.len()));
            let step = i64::try_from(random.below(400)).unwrap();
            world.milliseconds.fetch_add(step, Ordering::SeqCst);
            grants.get(next).unwrap().send(()).unwrap();
            running = 1;
        }
    }
}

async fn history(seed: u64) -> BTreeSet<String> {
    let engine = Engine::with_accounts().await;
    let world = World {
        milliseconds: AtomicI64::new(0),
        random: Mutex::new(Random(seed)),
    };
    let plain = PlainSecret::generate(Kind::Account, &world).unwrap();
    let mut stored = stored_token();
    stored.secret_hash = plain.hash();
    engine.store.insert_token(&creation(&stored)).await.unwrap();
    let mut answers = Answers::default();
    let known = Known {
        text: text(&plain),
        ..Known::default()
    };
    answers.secrets.insert(plain.hash(), known);
    let answers = Mutex::new(answers);
    let history = History {
        token: &stored.token,
        world: &world,
        answers: &answers,
        seed,
    };

    let (ready, readies) = unbounded_channel();
    let mut grants = Vec::new();
    let mut turns = Vec::new();
    for client in 0..CLIENTS {
        let (grant, granted) = unbounded_channel();
        grants.push(grant);
        let (ready, grants) = (ready.clone(), AsyncMutex::new(granted));
        turns.push(Turns {
            store: &engine.store,
            client,
            ready,
            grants,
        });
    }
    let clients = turns
        .iter()
        .zip(1..)
        .map(|(turns, number)| history.client(turns, Random(seed.wrapping_mul(1_000) + number)));
    let scheduler = schedule(readies, grants, Random(!seed), &world);
    futures_util::future::join(join_all(clients), scheduler).await;

    check_leftovers(&engine, &stored.token, &answers.into_inner().unwrap(), seed).await
}

/// What the tables hold in the end; answers the ids of the records of all changes.
async fn check_leftovers(
    engine: &Engine,
    token: &Token,
    answers: &Answers,
    seed: u64,
) -> BTreeSet<String> {
    let logged = engine.audit(&token.account_id).await;
    let changes: BTreeSet<_> = logged
        .iter()
        .filter(|record| !matches!(record.action, Action::Create | Action::Access))
        .map(|record| record.id.to_string())
        .collect();
    assert_eq!(
        changes, answers.records,
        "seed {seed}: changes and records differ"
    );

    let left = engine.stored(&token.account_id, &token.id).await;
    let expected: BTreeSet<_> = left.iter().flat_map(StoredToken::secret_hashes).collect();
    let mut found = BTreeSet::new();
    for hash in answers.secrets.keys() {
        if let Some(secret) = engine.store.get_secret(hash).await.unwrap() {
            let token = &left.as_ref().unwrap().token;
            assert_eq!(
                secret.status,
                token.status(),
                "seed {seed}: a status differs"
            );
            assert_eq!(secret.token_name, token.name, "seed {seed}: a name differs");
            found.insert(*hash);
        }
    }
    assert_eq!(
        found, expected,
        "seed {seed}: a secret without its token, or the other way round"
    );
    changes
}

#[tokio::test]
async fn in_no_history_does_a_secret_outlive_the_answer_that_ended_it() {
    let one = std::env::var("LATCHKEY_SEED")
        .ok()
        .map(|seed| seed.parse().unwrap());
    let seeds = one.map_or(1..=SEEDS, |seed: u64| seed..=seed);
    let mut changes = 0;
    for seed in seeds {
        changes += history(seed).await.len();
    }
    // Histories in which nothing happens would prove nothing.
    assert!(changes > 0, "no history changed anything");
}

#[tokio::test]
async fn a_seed_replays() {
    // The records' ids come from the history's own clock and random bits.
    assert_eq!(history(1).await, history(1).await);
}
