//! Random histories of several concurrent clients, holders of secrets and scanners. They check that a secret never
//! works after the answer that ended it, in particular a compromised one; that nothing changes without a record; that
//! no secret exists without its token; that no repeated request acts twice; and that a new token is in the next list.
//!
//! Every call of the store is one transaction or one read, so only the order of the calls matters for concurrency. A
//! scheduler lets one client at a time make one call, chosen by the seed. So a seed determines a history and can be
//! replayed: `LATCHKEY_SEED=<seed> cargo test -p contract --test histories` runs a single one.
//!
//! The checks find planted faults: a lost record and a lost secret.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Mutex, MutexGuard};

use assurance::{Report, Rounds, SEED};
use aws_sdk_dynamodb::types::AttributeValue;
use contract::{Call, Gate, Gated, answer};
use futures_util::future::{join, join_all};
use jiff::{SignedDuration, Timestamp};
use latchkey::app::compromise::{Evidence, compromise};
use latchkey::domain::action::Action;
use latchkey::domain::actor::Actor;
use latchkey::domain::audit::{Change, Origin, Source};
use latchkey::domain::entropy::{Entropy, EntropyError};
use latchkey::domain::secret::PlainSecret;
use latchkey::domain::token::StoredToken;
use latchkey::domain::verification::SecretRecord;
use latchkey::ports::{Clock, PortError};
use latchkey::store::Store;
use latchkey::testing::{Answer, Engine, FakeVault, Random, now};
use serde_json::{Value, json};
use tokio::sync::Mutex as AsyncMutex;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

const SEEDS: u64 = 40;
const CLIENTS: usize = 5;
const OPERATIONS: usize = 12;
const TOKENS: &str = "/v1/accounts/acme/tokens";

/// A clock that the scheduler advances, and random bits derived from the seed.
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

/// A client's access to the store. Every call waits for its turn.
struct Turns<'a> {
    store: &'a Store,
    client: usize,
    ready: UnboundedSender<Option<usize>>,
    grants: AsyncMutex<UnboundedReceiver<()>>,
}

impl Gate for Turns<'_> {
    async fn pass(&self) -> Result<&Store, PortError> {
        self.ready.send(Some(self.client)).unwrap();
        self.grants.lock().await.recv().await.unwrap();
        Ok(self.store)
    }
}

/// A secret as an answer contained it.
#[derive(Clone)]
struct Secret {
    text: String,
    /// The version of the token with which the secret began.
    version: u64,
}

/// What the clients know about a token.
#[derive(Default)]
struct Known {
    secrets: Vec<Secret>,
    /// Every answered replacement: the version that it made, and until when the secret before it remains valid.
    replaced: BTreeMap<u64, Timestamp>,
    /// A revocation was answered, and no later reactivation is possible.
    revoked: bool,
    /// The number of reactivations that were begun, and of those among them that aren't answered yet.
    reactivations: usize,
    reactivating: usize,
    /// A deletion was answered.
    deleted: bool,
    /// Secrets whose end was answered: the holder gave them up, or they were found in public.
    compromised: BTreeSet<String>,
    /// A request was begun that may end the token or one of its secrets.
    ending: bool,
    deleting: bool,
}

impl Known {
    /// Whether a secret has ended permanently.
    fn is_over(&self, secret: &Secret, now: Timestamp) -> bool {
        self.compromised.contains(&secret.text) || self.is_replaced(secret, now)
    }

    /// Notes that the secret replaced last, as of a version, has ended.
    fn end_previous(&mut self, version: u64, now: Timestamp) {
        if let Some((_, end)) = self.replaced.range_mut(..=version).next_back() {
            *end = now.min(*end);
        }
    }

    /// Whether a secret was replaced and no longer works.
    fn is_replaced(&self, secret: &Secret, now: Timestamp) -> bool {
        let mut later = self.replaced.range(secret.version + 1..);
        match (later.next(), later.next()) {
            // A second replacement ends the grace period of the first one.
            (Some(_), Some(_)) => true,
            (Some((_, end)), None) => *end <= now,
            _ => self.deleted,
        }
    }
}

/// The answers that the clients got.
#[derive(Default)]
struct Answers {
    tokens: BTreeMap<String, Known>,
    /// The token of an idempotency key.
    keys: BTreeMap<String, String>,
    /// The requests that changed something, with their outcomes.
    requests: BTreeMap<String, u16>,
}

/// One history.
struct History<'a> {
    world: &'a World,
    vault: &'a FakeVault,
    answers: Mutex<Answers>,
    seed: u64,
}

/// A client in a history.
struct Client<'a> {
    history: &'a History<'a>,
    store: Gated<Turns<'a>>,
    random: Random,
    requests: usize,
}

impl Client<'_> {
    async fn run(mut self) {
        for _ in 0..OPERATIONS {
            match self.random.below(22) {
                0 => self.create().await,
                1 => self.edit().await,
                2 | 3 => self.revoke().await,
                4 | 5 => self.reactivate().await,
                6 => self.regenerate(0).await,
                7 => self.regenerate(2).await,
                8 => self.regenerate(30).await,
                9 => self.delete().await,
                10 => self.list().await,
                11 => self.reveal().await,
                12..=14 => self.retire().await,
                15 => self.give_up().await,
                16 => self.leak().await,
                _ => self.verify().await,
            }
        }
        self.store.0.ready.send(None).unwrap();
    }

    fn answers(&self) -> MutexGuard<'_, Answers> {
        self.history.answers.lock().unwrap()
    }

    /// Sends a request and remembers its outcome.
    async fn ask(&mut self, call: Call) -> Answer {
        self.requests += 1;
        let id = format!("{}-{}", self.store.0.client, self.requests);
        let call = call.by("owner-1").request_id(&id);
        let history = self.history;
        let answer = answer(&self.store, history.vault, history.world, &call).await;
        let allowed = [200, 201, 204, 401, 403, 404, 409, 422, 503];
        let seed = history.seed;
        assert!(
            allowed.contains(&answer.status),
            "seed {seed}: {}",
            answer.text
        );
        self.answers().requests.insert(id, answer.status);
        answer
    }

    /// A token that a client knows, one of the two newest, so that the clients use the same ones. `None` if there is
    /// none yet.
    async fn any_token(&mut self) -> Option<String> {
        let index = self.random.below(2);
        if self.answers().tokens.is_empty() {
            self.create().await;
        }
        let answers = self.answers();
        let index = index.min(answers.tokens.len().saturating_sub(1));
        answers.tokens.keys().rev().nth(index).cloned()
    }

    /// Updates the knowledge about a token.
    fn know<T>(&self, token: &str, learn: impl FnOnce(&mut Known) -> T) -> T {
        learn(self.answers().tokens.entry(token.to_owned()).or_default())
    }

    async fn create(&mut self) {
        let mut call = Call::new("POST", TOKENS)
            .json(&json!({"name": "New", "autoPurge": "never", "scope": {"type": "full"}}));
        let key = (self.random.below(2) == 0).then(|| format!("key-{}", self.random.below(3)));
        if let Some(key) = &key {
            call = call.header("idempotency-key", key);
        }
        let answer = self.ask(call).await;
        let Some(id) = answer.json["token"]["id"].as_str() else {
            return;
        };
        if let Some(key) = key {
            let mut answers = self.answers();
            let first = answers.keys.entry(key).or_insert_with(|| id.to_owned());
            assert_eq!(
                first, id,
                "seed {}: a repeat made a second token",
                self.history.seed
            );
        }
        if answer.status == 201 {
            self.learn_secret(id, &answer);
        }
    }

    fn learn_secret(&self, id: &str, answer: &Answer) {
        let text = answer.json["secret"].as_str().unwrap().to_owned();
        let version = answer.json["token"]["version"].as_u64().unwrap();
        self.know(id, |known| known.secrets.push(Secret { text, version }));
    }

    async fn edit(&mut self) {
        let Some(id) = self.any_token().await else {
            return;
        };
        let body = json!({"name": format!("name {}", self.random.below(1_000))});
        self.ask(Call::new("PATCH", &format!("{TOKENS}/{id}")).json(&body))
            .await;
    }

    async fn revoke(&mut self) {
        let Some(id) = self.any_token().await else {
            return;
        };
        let (begun, running) = self.know(&id, |known| {
            known.ending = true;
            (known.reactivations, known.reactivating)
        });
        let began = self.history.world.now();
        let answer = self
            .ask(Call::new("POST", &format!("{TOKENS}/{id}/revoke")))
            .await;
        if answer.status == 200 {
            let version = answer.json["version"].as_u64().unwrap();
            self.know(&id, |known| {
                known.revoked = running == 0 && known.reactivations == begun;
                // A reactivation doesn't restore it.
                known.end_previous(version, began);
            });
        }
    }

    async fn reactivate(&mut self) {
        let Some(id) = self.any_token().await else {
            return;
        };
        self.know(&id, |known| {
            known.revoked = false;
            known.reactivations += 1;
            known.reactivating += 1;
        });
        self.ask(Call::new("POST", &format!("{TOKENS}/{id}/reactivate")))
            .await;
        self.know(&id, |known| known.reactivating -= 1);
    }

    async fn regenerate(&mut self, grace: i64) {
        let Some(id) = self.any_token().await else {
            return;
        };
        self.know(&id, |known| known.ending = true);
        let call = Call::new("POST", &format!("{TOKENS}/{id}/regenerate"))
            .json(&json!({"gracePeriodSeconds": grace}));
        let answer = self.ask(call).await;
        if answer.status == 200 {
            let at: Timestamp = text(&answer.json["token"]["updatedAt"]).parse().unwrap();
            let version = answer.json["token"]["version"].as_u64().unwrap();
            let end = at + SignedDuration::from_secs(grace);
            self.know(&id, |known| known.replaced.insert(version, end));
            self.learn_secret(&id, &answer);
        }
    }

    async fn retire(&mut self) {
        let Some(id) = self.any_token().await else {
            return;
        };
        self.know(&id, |known| known.ending = true);
        let began = self.history.world.now();
        let answer = self
            .ask(Call::new("POST", &format!("{TOKENS}/{id}/retire")))
            .await;
        if answer.status == 200 {
            let version = answer.json["version"].as_u64().unwrap();
            self.know(&id, |known| known.end_previous(version, began));
        }
    }

    /// Any secret that an answer contained, valid or not.
    async fn any_secret(&mut self) -> Option<(String, String)> {
        let id = self.any_token().await?;
        let secrets = self.know(&id, |known| known.secrets.clone());
        if secrets.is_empty() {
            return None;
        }
        let secret = secrets[self.random.below(secrets.len())].text.clone();
        self.know(&id, |known| known.ending = true);
        Some((id, secret))
    }

    /// A holder of a secret revokes it.
    async fn give_up(&mut self) {
        let Some((id, secret)) = self.any_secret().await else {
            return;
        };
        let call = Call::new("POST", "/v1/revoke").form(&format!("token={secret}"));
        if self.ask(call).await.status == 200 {
            self.know(&id, |known| known.compromised.insert(secret));
        }
    }

    /// A scanner finds a secret, perhaps long after its end.
    async fn leak(&mut self) {
        let Some((id, secret)) = self.any_secret().await else {
            return;
        };
        self.requests += 1;
        let request = format!("{}-{}", self.store.0.client, self.requests);
        let found = Found(request.clone());
        let hash = PlainSecret::parse(&secret).unwrap().hash();
        let done = compromise(&self.store, self.history.world, &hash, &found).await;
        let status = if done.is_ok() { 200 } else { 503 };
        self.answers().requests.insert(request, status);
        if done.is_ok() {
            self.know(&id, |known| known.compromised.insert(secret));
        }
    }

    async fn delete(&mut self) {
        let Some(id) = self.any_token().await else {
            return;
        };
        self.know(&id, |known| (known.ending, known.deleting) = (true, true));
        let answer = self
            .ask(Call::new("DELETE", &format!("{TOKENS}/{id}")))
            .await;
        if answer.status == 204 {
            self.know(&id, |known| known.deleted = true);
        }
    }

    async fn reveal(&mut self) {
        let Some(id) = self.any_token().await else {
            return;
        };
        let secrets = self.know(&id, |known| known.secrets.clone());
        let began = self.history.world.now();
        let over: Vec<_> = self.know(&id, |known| {
            let over = secrets
                .iter()
                .filter(|secret| known.is_replaced(secret, began));
            over.map(|secret| secret.text.clone()).collect()
        });
        let answer = self
            .ask(Call::new("POST", &format!("{TOKENS}/{id}/reveal")))
            .await;
        if answer.status == 200 {
            let shown = text(&answer.json["secret"]).to_owned();
            assert!(
                !over.contains(&shown),
                "seed {}: an old secret is shown",
                self.history.seed
            );
        }
    }

    async fn list(&mut self) {
        let (there, gone): (Vec<_>, Vec<_>) = {
            let answers = self.answers();
            let ids = |wanted: &dyn Fn(&Known) -> bool| {
                let tokens = answers.tokens.iter().filter(|(_, known)| wanted(known));
                tokens.map(|(id, _)| id.clone()).collect()
            };
            (ids(&|known| !known.deleting), ids(&|known| known.deleted))
        };
        let answer = self
            .ask(Call::new("GET", &format!("{TOKENS}?limit=100")))
            .await;
        let listed: BTreeSet<_> = answer.json["tokens"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|token| text(&token["id"]))
            .collect();
        let seed = self.history.seed;
        for id in there {
            let deleting = self.know(&id, |known| known.deleting);
            assert!(
                deleting || listed.contains(&*id),
                "seed {seed}: a token isn't listed"
            );
        }
        for id in gone {
            assert!(
                !listed.contains(&*id),
                "seed {seed}: a deleted token is listed"
            );
        }
    }

    async fn verify(&mut self) {
        let Some(id) = self.any_token().await else {
            return;
        };
        let secrets = self.know(&id, |known| known.secrets.clone());
        if secrets.is_empty() {
            return;
        }
        let secret = &secrets[self.random.below(secrets.len())];
        let began = self.history.world.now();
        let (over, revoked, begun) = self.know(&id, |known| {
            (
                known.is_over(secret, began),
                known.revoked,
                known.reactivations,
            )
        });
        let answer = self
            .ask(Call::new("GET", "/v1/tokenInfo").bearer(&secret.text))
            .await;
        let (again, ending) = self.know(&id, |known| (known.reactivations != begun, known.ending));
        let seed = self.history.seed;
        if answer.status == 200 {
            assert!(!over, "seed {seed}: an ended secret works");
            assert!(!revoked || again, "seed {seed}: a revoked secret works");
            assert_eq!(
                answer.json["id"], *id,
                "seed {seed}: another token's secret"
            );
        } else if answer.status == 401 {
            // No request has ended it.
            assert!(ending, "seed {seed}: a good secret is refused");
        }
    }
}

/// A scanner's find, with the id of its report's request.
struct Found(String);

impl Evidence for Found {
    fn action(&self) -> Action {
        Action::Leak
    }

    fn reason(&self) -> &str {
        "leaked"
    }

    fn origin(&self, _: &SecretRecord) -> Origin {
        Origin {
            source: Source::LeakReport,
            actor: Actor::github(),
            request_id: self.0.clone(),
            ..latchkey::testing::origin()
        }
    }

    fn changes(&self) -> Vec<Change> {
        vec![]
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

/// Lets one client at a time make one call, until all have finished.
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
            // The runtime decides who comes first at the start. Sorted, the choice depends on the seed only.
            waiting.sort_unstable();
            let next = waiting.remove(random.below(waiting.len()));
            let step = i64::try_from(random.below(400)).unwrap();
            world.milliseconds.fetch_add(step, Ordering::SeqCst);
            grants[next].send(()).unwrap();
            running = 1;
        }
    }
}

/// How often each event happened, over all histories.
type Counts = BTreeMap<&'static str, usize>;

async fn history(seed: u64, plant: Plant) -> (String, Counts) {
    let engine = Engine::with_accounts().await;
    let world = World {
        milliseconds: AtomicI64::new(0),
        random: Mutex::new(Random(seed)),
    };
    let history = History {
        world: &world,
        vault: &FakeVault::default(),
        answers: Mutex::default(),
        seed,
    };
    let (ready, readies) = unbounded_channel();
    let (mut grants, mut clients) = (Vec::new(), Vec::new());
    for client in 0..CLIENTS {
        let (grant, granted) = unbounded_channel();
        grants.push(grant);
        let turns = Turns {
            store: &engine.store,
            client,
            ready: ready.clone(),
            grants: AsyncMutex::new(granted),
        };
        let number = u64::try_from(client).unwrap() + 1;
        let client = Client {
            history: &history,
            store: Gated(turns),
            random: Random(seed.wrapping_mul(1_000) + number),
            requests: 0,
        };
        clients.push(client.run());
    }
    join(
        join_all(clients),
        schedule(readies, grants, Random(!seed), &world),
    )
    .await;
    let answers = history.answers.into_inner().unwrap();
    plant.lose(&engine).await;
    let counts = check_records(&engine, &answers, seed).await;
    check_secrets(&engine, &answers, seed).await;
    (engine.dump().await, counts)
}

/// Every change has its record, and every record has the answer of its change.
async fn check_records(engine: &Engine, answers: &Answers, seed: u64) -> Counts {
    let acme = "acme".parse().unwrap();
    let records = engine.audit(&acme).await;
    let mut counts = Counts::new();
    let mut changes: BTreeMap<String, u64> = BTreeMap::new();
    for record in &records {
        *counts.entry(record.action.as_str()).or_default() += 1;
        let status = answers.requests[&record.origin.request_id];
        assert!(
            (status < 300) == (record.action != Action::Refused),
            "seed {seed}: {status}, but on record: {record:?}"
        );
        // The compromise of an ended secret changes only that secret.
        let of_ended = record.changes.iter().any(|change| {
            change.field == "compromisedSecret" && change.new.as_deref() == Some("ended")
        });
        let changed = !of_ended
            && !matches!(
                record.action,
                Action::Access | Action::Refused | Action::View | Action::Delete
            );
        *changes.entry(record.token_id.to_string()).or_default() += u64::from(changed);
    }
    let of_requests: BTreeSet<_> = records
        .iter()
        .map(|record| &record.origin.request_id)
        .collect();
    assert_eq!(
        of_requests.len(),
        records.len(),
        "seed {seed}: a request was recorded twice"
    );
    for (id, known) in &answers.tokens {
        let stored = engine.stored(&acme, &id.parse().unwrap()).await;
        assert_eq!(stored.is_none(), known.deleted, "seed {seed}: {id}");
        // Every change makes one version.
        if let Some(stored) = stored {
            let recorded = changes.get(id).copied().unwrap_or_default();
            assert_eq!(
                stored.token.version, recorded,
                "seed {seed}: changes without a record"
            );
        }
    }
    counts
}

/// A fault that the checks must find.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Plant {
    Nothing,
    LostRecord,
    LostSecret,
}

impl Plant {
    /// Removes an item, as if its write had been lost.
    async fn lose(self, engine: &Engine) {
        let tables = Engine::tables();
        let (table, images) = match self {
            Self::Nothing => return,
            Self::LostRecord => (tables.audit, engine.audit_images().await),
            Self::LostSecret => (tables.tokens, engine.token_images().await),
        };
        let lost = images.iter().find(|image| match self {
            Self::LostRecord => {
                let deleted = images.iter().any(|other| {
                    other["action"]["S"] == "delete" && other["tokenId"] == image["tokenId"]
                });
                image["action"]["S"] == "create" && !deleted
            }
            _ => text(&image["pk"]["S"]).starts_with("SECRET#") && image["state"]["S"] == "current",
        });
        let key = |name: &str| {
            let value = text(&lost.expect("an item to lose")[name]["S"]).to_owned();
            Some((name.to_owned(), AttributeValue::S(value)))
        };
        let request = engine.client.delete_item().table_name(table);
        let key = ["pk", "sk"].into_iter().filter_map(key).collect();
        request.set_key(Some(key)).send().await.unwrap();
    }
}

/// Every secret has its token and every token its secrets, and their items agree.
async fn check_secrets(engine: &Engine, answers: &Answers, seed: u64) {
    let acme = "acme".parse().unwrap();
    let mut expected = BTreeMap::new();
    for id in answers.tokens.keys() {
        if let Some(stored) = engine.stored(&acme, &id.parse().unwrap()).await {
            for hash in StoredToken::secret_hashes(&stored) {
                expected.insert(format!("SECRET#{}", hash.to_hex()), stored.token.clone());
            }
        }
    }
    let mut found = BTreeSet::new();
    for image in engine.token_images().await {
        let key = text(&image["pk"]["S"]).to_owned();
        if key.starts_with("SECRET#") {
            let state = text(&image["state"]["S"]);
            let Some(token) = expected.get(&key) else {
                let over = ["ended", "compromised"].contains(&state);
                assert!(over, "seed {seed}: a secret without its token is {state}");
                assert_eq!(text(&image["status"]["S"]), "revoked", "seed {seed}");
                continue;
            };
            assert_eq!(
                text(&image["status"]["S"]),
                token.status().as_str(),
                "seed {seed}"
            );
            let is_current = state != "retired";
            assert_eq!(
                state == "compromised",
                is_current && token.compromised.is_some(),
                "seed {seed}: {state}"
            );
            assert_eq!(text(&image["tokenName"]["S"]), token.name, "seed {seed}");
            found.insert(key);
        }
    }
    assert_eq!(
        found.len(),
        expected.len(),
        "seed {seed}: a token without its secret"
    );
}

/// Checks that a history with a planted fault is found to be wrong, by a message about it.
fn find(plant: Plant, message: &str) {
    let runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = { runtime }.enable_all().build().unwrap();
    let found = catch_unwind(AssertUnwindSafe(|| runtime.block_on(history(1, plant))));
    let panic = found.map(drop).expect_err("the planted fault isn't found");
    let told = panic.downcast_ref::<String>().unwrap();
    assert!(told.contains(message), "{plant:?}: {told}");
}

#[test]
fn in_no_history_does_a_secret_outlive_the_answer_that_ended_it() {
    let report = Report::of("histories", "cargo test -p contract --test histories");
    find(Plant::LostRecord, "changes without a record");
    find(Plant::LostSecret, "a token without its secret");
    let runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = { runtime }.enable_all().build().unwrap();
    let (mut counts, mut histories) = (Counts::new(), 0);
    for seed in Rounds::of(SEEDS) {
        histories += 1;
        for (action, count) in runtime.block_on(history(seed, Plant::Nothing)).1 {
            *counts.entry(action).or_default() += count;
        }
    }
    // An event that never happens in any history would prove nothing.
    if std::env::var_os(SEED).is_none() {
        let actions = [
            "access",
            "create",
            "delete",
            "leak",
            "reactivate",
            "refused",
            "regenerate",
            "retire",
            "revoke",
            "update",
            "view",
        ];
        assert!(counts.keys().eq(&actions), "{counts:?}");
        assert!(counts.values().all(|count| *count > 5), "{counts:?}");
    }
    report
        .figure("histories of five clients", histories)
        .figure("records", counts.values().map(|count| *count as u64).sum())
        .planted("a lost record")
        .planted("a lost secret")
        .write();
}

#[tokio::test]
async fn a_seed_replays() {
    // All ids and times come from the history's own clock and random bits.
    let [one, again] = [
        history(1, Plant::Nothing).await,
        history(1, Plant::Nothing).await,
    ];
    assert_eq!(one.0, again.0);
}
