#![expect(clippy::disallowed_methods, reason = "presents secrets")]

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use http::header::{AUTHORIZATION, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::request::Parts;
use http::{Request, Response};
use jiff::{SignedDuration, Timestamp};
use latchkey::domain::action::Action;
use latchkey::domain::change::{NewToken, TokenChange};
use latchkey::domain::id::AccountId;
use latchkey::domain::kind::Kind;
use latchkey::domain::policy::Obligation;
use latchkey::domain::resource::{Resource, ResourceRef};
use latchkey::domain::scope::{ResourceLists, Scope};
use latchkey::domain::secret::{PlainSecret, SecretHash};
use latchkey::domain::token::{Patch, PreviousSecret, StoredToken, Token};
use latchkey::domain::verification::{SecretRecord, Seen, UsedFrom};
use latchkey::ports::{
    ChangeToken, Clock, EncryptSecret, GetResources, InsertToken, PortError, Recall, RecallSecret,
    RecordUse, Use,
};
use latchkey::store::Store;
use latchkey::system::System;
use latchkey::testing::{Engine, FakeVault, Logs, acme, audit, now, origin, owner_actor, token_at};
use secrecy::ExposeSecret;
use serde_json::Value;
use tower::ServiceExt;
use tower_layer::Layer;
use tower_service::Service;

use crate::cache::MAX_ENTRIES;
use crate::{Grant, LatchkeyLayer};

/// A clock that the test sets.
#[derive(Clone)]
struct Hand(Arc<Mutex<Timestamp>>);

impl Hand {
    fn advance(&self, by: SignedDuration) {
        *self.0.lock().unwrap() += by;
    }
}

impl Clock for Hand {
    fn now(&self) -> Timestamp {
        *self.0.lock().unwrap()
    }
}

/// A store that counts the reads of secrets, and fails on demand.
#[derive(Clone)]
struct Counting {
    store: Store,
    reads: Arc<AtomicUsize>,
    fails: Arc<AtomicBool>,
}

impl RecallSecret for Counting {
    async fn recall_secret(
        &self,
        hash: &SecretHash,
        from: UsedFrom,
        now: Timestamp,
    ) -> Result<Option<(SecretRecord, Recall)>, PortError> {
        self.reads.fetch_add(1, Ordering::Relaxed);
        if self.fails.load(Ordering::Relaxed) {
            return Err(PortError::Unavailable("throttled, in detail".into()));
        }
        self.store.recall_secret(hash, from, now).await
    }

    async fn get_seen(&self, hash: &SecretHash) -> Result<Seen, PortError> {
        self.store.get_seen(hash).await
    }
}

impl GetResources for Counting {
    async fn get_resources(
        &self,
        account: &AccountId,
        names: &[ResourceRef],
    ) -> Result<Vec<Resource>, PortError> {
        self.store.get_resources(account, names).await
    }
}

impl RecordUse for Counting {
    async fn record_use(&self, used: &Use) -> Result<(), PortError> {
        self.store.record_use(used).await
    }
}

/// A service that returns its request's grant and checks that there is no `Authorization` header.
#[derive(Clone)]
struct Echo;

impl Service<Request<()>> for Echo {
    type Response = Response<String>;
    type Error = Infallible;
    type Future = Ready<Result<Response<String>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<()>) -> Self::Future {
        assert!(request.headers().get(AUTHORIZATION).is_none());
        let mut response = Response::new("served".to_owned());
        let grant = request.extensions().get::<Grant>().unwrap().clone();
        response.extensions_mut().insert(grant);
        ready(Ok(response))
    }
}

fn address(parts: &Parts) -> Option<IpAddr> {
    parts.extensions.get::<IpAddr>().copied()
}

type TestLayer = LatchkeyLayer<Counting, (Hand, System), fn(&Parts) -> Option<IpAddr>>;

/// A token with its secret, and the layer before a service.
struct Bench {
    engine: Engine,
    clock: Hand,
    store: Counting,
    layer: TestLayer,
}

impl Bench {
    /// Creates it with a cache of that many seconds; zero means none.
    async fn new(seconds: u64) -> Self {
        let engine = Engine::with_accounts().await;
        let store = Counting {
            store: engine.store.clone(),
            reads: Arc::default(),
            fails: Arc::default(),
        };
        let clock = Hand(Arc::new(Mutex::new(now())));
        let system = (clock.clone(), System);
        let bound = Duration::from_secs(seconds);
        let layer = LatchkeyLayer::with_cache(store.clone(), system, address as _, bound);
        Self {
            engine,
            clock,
            store,
            layer,
        }
    }

    async fn token(&self, change: impl FnOnce(&mut Token)) -> (StoredToken, PlainSecret) {
        let mut token = token_at(now());
        token.scope = Scope::Full;
        change(&mut token);
        let secret = PlainSecret::generate(token.kind, &System).unwrap();
        let vault = FakeVault::default();
        let ciphertext = vault.encrypt_secret(&token.account_id, &token.id, &secret);
        let stored = StoredToken {
            secret_hash: secret.hash(),
            ciphertext: ciphertext.await.unwrap(),
            previous_hash: None,
            token,
        };
        let new = NewToken {
            audit: audit(Action::Create, &stored.token, now(), rand()),
            stored,
            idempotency: None,
        };
        self.engine.store.insert_token(&new).await.unwrap();
        (new.stored, secret)
    }

    async fn change(&self, before: StoredToken, token: Token) -> StoredToken {
        let change = TokenChange::new(before, token, Action::Update, origin(), now(), &System);
        let change = change.unwrap();
        self.engine.store.change_token(&change).await.unwrap();
        change.after
    }

    async fn revoke(&self, before: StoredToken) -> StoredToken {
        let token = before.token.revoke(owner_actor(), now(), None).unwrap();
        self.change(before, token).await
    }

    async fn send(&self, request: Request<()>) -> Response<String> {
        self.layer.layer(Echo).oneshot(request).await.unwrap()
    }

    /// Returns the status of `GET /v1/exports/exp_orders` with a secret.
    async fn get(&self, secret: &PlainSecret) -> u16 {
        self.send(request("GET", "/v1/exports/exp_orders", Some(secret)))
            .await
            .status()
            .as_u16()
    }

    /// Returns the number of reads of secrets since the last call.
    fn reads(&self) -> usize {
        self.store.reads.swap(0, Ordering::Relaxed)
    }
}

fn rand() -> u8 {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    u8::try_from(NEXT.fetch_add(1, Ordering::Relaxed) % 256).unwrap()
}

fn request(method: &str, path: &str, secret: Option<&PlainSecret>) -> Request<()> {
    let mut request = Request::builder()
        .method(method)
        .uri(path)
        .header("user-agent", "tests")
        .header("x-request-id", "req-7")
        .extension(IpAddr::from([192, 0, 2, 1]));
    if let Some(secret) = secret {
        request = request.header(AUTHORIZATION, format!("Bearer {}", secret.expose_secret()));
    }
    request.body(()).unwrap()
}

/// Returns status, code and challenge of a response, and checks that it is a problem document.
fn problem(response: &Response<String>) -> (u16, String, Option<&str>) {
    assert_eq!(response.headers()[CONTENT_TYPE], "application/problem+json");
    let body: Value = serde_json::from_str(response.body()).unwrap();
    let status = response.status().as_u16();
    assert_eq!(body["status"], status);
    let challenge = response.headers().get(WWW_AUTHENTICATE);
    let challenge = challenge.map(|challenge| challenge.to_str().unwrap());
    (status, body["code"].as_str().unwrap().to_owned(), challenge)
}

#[tokio::test]
async fn a_good_token_reaches_the_service_as_a_grant_and_without_its_secret() {
    let bench = Bench::new(0).await;
    let (stored, secret) = bench.token(|_| {}).await;
    let answer = bench
        .send(request("PATCH", "/v1/exports/exp_app", Some(&secret)))
        .await;
    assert_eq!(answer.body(), "served");
    let expected = Grant {
        account_id: acme().id,
        token_id: stored.token.id.clone(),
        kind: Kind::Account,
        integration_id: None,
        scope: Scope::Full,
        obligations: vec![Obligation::AllowedFields {
            fields: vec!["name", "description"],
        }],
    };
    assert_eq!(answer.extensions().get::<Grant>(), Some(&expected));
    // Its first use is recorded, as with the authorizer.
    let log = bench.engine.audit(&acme().id).await;
    let access = log.iter().find(|record| record.action == Action::Access);
    let access = access.unwrap();
    assert_eq!(access.token_id, stored.token.id);
    assert_eq!(access.origin.ip, Some([192, 0, 2, 1].into()));
    assert_eq!(access.origin.user_agent.as_deref(), Some("tests"));
    assert_eq!(access.origin.request_id, "req-7");
}

#[tokio::test]
async fn what_is_not_let_through_is_answered_with_a_problem() {
    let bench = Bench::new(0).await;
    let (_, secret) = bench
        .token(|token| {
            let mut lists = ResourceLists::default();
            lists.exports.insert("exp_orders".parse().unwrap());
            token.scope = Scope::Custom(lists);
        })
        .await;
    let (_, elsewhere) = bench
        .token(|token| token.allowed_cidrs = vec!["198.51.100.0/24".parse().unwrap()])
        .await;
    let unknown = PlainSecret::generate(Kind::Account, &System).unwrap();
    let path = "/v1/exports/exp_orders";
    let mut basic = request("GET", path, None);
    let header = basic.headers_mut();
    header.insert(AUTHORIZATION, "Basic bGthXw==".parse().unwrap());
    for missing in [request("GET", path, None), basic] {
        let required = (401, "token_required".to_owned(), Some("Bearer"));
        assert_eq!(problem(&bench.send(missing).await), required);
    }

    let mut twice = request("GET", path, Some(&secret));
    let again = twice.headers()[AUTHORIZATION].clone();
    twice.headers_mut().append(AUTHORIZATION, again);
    for bad in [
        request("GET", path, Some(&unknown)),
        request("GET", path, Some(&elsewhere)),
        twice,
    ] {
        let answer = bench.send(bad).await;
        let challenge = Some("Bearer error=\"invalid_token\"");
        let invalid = (401, "invalid_token".to_owned(), challenge);
        assert_eq!(problem(&answer), invalid);
    }
    for (method, path) in [
        ("DELETE", path),
        ("GET", "/v1/exports/exp_app"),
        ("GET", "/elsewhere"),
        ("GET", "/v1/exports//exp_orders"),
    ] {
        let answer = bench.send(request(method, path, Some(&secret))).await;
        let challenge = Some("Bearer error=\"insufficient_scope\"");
        let forbidden = (403, "insufficient_scope".to_owned(), challenge);
        assert_eq!(problem(&answer), forbidden, "{method} {path}");
    }
}

#[tokio::test]
async fn without_a_decision_nobody_gets_through() {
    let bench = Bench::new(0).await;
    let (_, secret) = bench.token(|_| {}).await;
    let mut nowhere = request("GET", "/v1/exports", Some(&secret));
    nowhere.extensions_mut().remove::<IpAddr>();
    let answer = bench.send(nowhere).await;
    assert_eq!(problem(&answer), (500, "internal_error".into(), None));
    bench.store.fails.store(true, Ordering::Relaxed);
    let answer = bench
        .send(request("GET", "/v1/exports", Some(&secret)))
        .await;
    assert_eq!(problem(&answer), (503, "unavailable".into(), None));
    assert_eq!(answer.headers()[RETRY_AFTER], "1");
    assert!(!answer.body().contains("in detail"));
    bench.store.fails.store(false, Ordering::Relaxed);
    bench.engine.break_audit().await;
    // A use that can't be recorded must be refused.
    assert_ne!(bench.get(&secret).await, 200);
}

#[tokio::test]
async fn without_a_cache_a_revoked_token_is_refused_by_the_next_request() {
    let bench = Bench::new(0).await;
    assert!(bench.layer.cache().is_none());
    let (stored, secret) = bench.token(|_| {}).await;
    for _ in 0..3 {
        assert_eq!(bench.get(&secret).await, 200);
    }
    assert_eq!(bench.reads(), 3);
    bench.revoke(stored).await;
    assert_eq!(bench.get(&secret).await, 401);
}

#[tokio::test]
async fn the_bound_is_kept_to_the_instant() {
    let bench = Bench::new(30).await;
    let (stored, secret) = bench.token(|_| {}).await;
    // Recording the first use changes the item, so the second use reads it again.
    assert_eq!(bench.get(&secret).await, 200);
    assert_eq!(bench.get(&secret).await, 200);
    bench.reads();
    bench.revoke(stored).await;
    bench.clock.advance(SignedDuration::from_millis(29_999));
    assert_eq!(bench.get(&secret).await, 200);
    assert_eq!(bench.reads(), 0);
    bench.clock.advance(SignedDuration::from_millis(1));
    assert_eq!(bench.get(&secret).await, 401);
    assert_eq!(bench.reads(), 1);
    assert_eq!(bench.layer.cache().unwrap().len(), 0);
}

#[tokio::test]
async fn use_does_not_prolong_an_entry() {
    let bench = Bench::new(30).await;
    let (stored, secret) = bench.token(|_| {}).await;
    bench.get(&secret).await;
    bench.get(&secret).await;
    bench.revoke(stored).await;
    let mut accepted = 0;
    while bench.get(&secret).await == 200 {
        accepted += 1;
        bench.clock.advance(SignedDuration::from_secs(1));
    }
    assert_eq!(accepted, 30);
}

#[tokio::test]
async fn a_clock_that_is_set_back_prolongs_nothing() {
    let bench = Bench::new(30).await;
    let (stored, secret) = bench.token(|_| {}).await;
    bench.get(&secret).await;
    bench.get(&secret).await;
    bench.revoke(stored).await;
    bench.clock.advance(SignedDuration::from_secs(-1));
    assert_eq!(bench.get(&secret).await, 401);
}

#[tokio::test]
async fn a_token_and_a_grace_period_end_at_their_instant_inside_the_bound() {
    let bench = Bench::new(3600).await;
    let ten = SignedDuration::from_secs(10);
    let (_, purged) = bench
        .token(|token| token.purge_at = Some(now() + ten))
        .await;
    let (stored, current) = bench.token(|_| {}).await;
    let retired = PlainSecret::generate(Kind::Account, &System).unwrap();
    let mut after = stored.clone();
    after.token.version += 1;
    after.previous_hash = Some(retired.hash());
    after.token.previous_secret = Some(PreviousSecret {
        hint: retired.hint(),
        valid_until: now() + ten,
    });
    let change = TokenChange {
        compromised: None,
        audit: audit(Action::Regenerate, &stored.token, now(), rand()),
        before: stored,
        after,
        idempotency: None,
    };
    bench.engine.store.change_token(&change).await.unwrap();
    for _ in 0..2 {
        for secret in [&purged, &current, &retired] {
            assert_eq!(bench.get(secret).await, 200);
        }
    }
    bench.clock.advance(ten - SignedDuration::from_nanos(1));
    bench.reads();
    assert_eq!(bench.get(&purged).await, 200);
    assert_eq!(bench.get(&retired).await, 200);
    assert_eq!(bench.reads(), 0);
    bench.clock.advance(SignedDuration::from_nanos(1));
    assert_eq!(bench.get(&purged).await, 401);
    assert_eq!(bench.get(&retired).await, 401);
    assert_eq!(bench.get(&current).await, 200);
}

#[tokio::test]
async fn addresses_and_operations_are_decided_for_each_request() {
    let bench = Bench::new(3600).await;
    let (_, secret) = bench
        .token(|token| {
            token.allowed_cidrs = vec!["192.0.2.0/24".parse().unwrap()];
            let mut lists = ResourceLists::default();
            lists.exports.insert("exp_orders".parse().unwrap());
            token.scope = Scope::Custom(lists);
        })
        .await;
    assert_eq!(bench.get(&secret).await, 200);
    assert_eq!(bench.get(&secret).await, 200);
    let mut elsewhere = request("GET", "/v1/exports/exp_orders", Some(&secret));
    elsewhere
        .extensions_mut()
        .insert(IpAddr::from([198, 51, 100, 1]));
    assert_eq!(bench.send(elsewhere).await.status(), 401);
    for (method, path, status) in [
        ("DELETE", "/v1/exports/exp_orders", 403),
        ("GET", "/v1/exports/exp_app", 403),
        ("POST", "/v1/exports/exp_orders/invoke", 200),
    ] {
        let answer = bench.send(request(method, path, Some(&secret))).await;
        assert_eq!(answer.status(), status, "{method} {path}");
    }
    // Another address is another first use, with or without a cache.
    let mut other = request("GET", "/v1/exports/exp_orders", Some(&secret));
    other.extensions_mut().insert(IpAddr::from([192, 0, 2, 9]));
    assert_eq!(bench.send(other).await.status(), 200);
    let log = bench.engine.audit(&acme().id).await;
    let uses = log.iter().filter(|record| record.action == Action::Access);
    assert_eq!(uses.count(), 2);
}

#[tokio::test]
async fn nobody_is_refused_on_the_caches_word() {
    let bench = Bench::new(3600).await;
    let (stored, secret) = bench
        .token(|token| token.allowed_cidrs = vec!["198.51.100.0/24".parse().unwrap()])
        .await;
    assert_eq!(bench.get(&secret).await, 401);
    let patch = Patch {
        allowed_cidrs: Some(vec![]),
        ..Patch::default()
    };
    let token = stored.token.edit(patch, owner_actor(), now()).unwrap();
    let stored = bench.change(stored, token).await;
    assert_eq!(bench.get(&secret).await, 200);
    let revoked = bench.revoke(stored).await;
    bench.clock.advance(SignedDuration::from_secs(3600));
    assert_eq!(bench.get(&secret).await, 401);
    let token = revoked.token.reactivate(owner_actor(), now()).unwrap();
    bench.change(revoked, token.unwrap()).await;
    assert_eq!(bench.get(&secret).await, 200);
}

#[tokio::test]
async fn what_only_the_cache_would_refuse_is_neither_recorded_nor_logged_as_refused() {
    let bench = Bench::new(3600).await;
    let ten = SignedDuration::from_secs(10);
    let (stored, secret) = bench
        .token(|token| token.purge_at = Some(now() + ten))
        .await;
    for _ in 0..2 {
        assert_eq!(bench.get(&secret).await, 200);
    }
    let token = Token {
        purge_at: None,
        version: stored.token.version + 1,
        ..stored.token.clone()
    };
    bench.change(stored, token).await;
    let logs = Logs::start();
    let allowed = ["allowed", "read", "exports/exp_orders", "current"];
    bench.reads();
    assert_eq!(bench.get(&secret).await, 200);
    assert_eq!(
        (bench.reads(), logs.take_decisions()),
        (0, vec![allowed.map(Into::into)])
    );
    // The cached item says that the token has ended.
    bench.clock.advance(ten);
    assert_eq!(bench.get(&secret).await, 200);
    let lines = logs.take();
    assert_eq!(bench.reads(), 1);
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert_eq!(lines[0]["outcome"], "allowed");
    let log = bench.engine.audit(&acme().id).await;
    assert!(log.iter().all(|record| record.action != Action::Refused));
}

#[tokio::test]
async fn a_refusal_that_is_read_ends_what_is_kept() {
    let bench = Bench::new(3600).await;
    let (stored, secret) = bench.token(|_| {}).await;
    bench.get(&secret).await;
    bench.get(&secret).await;
    bench.revoke(stored).await;
    assert_eq!(bench.get(&secret).await, 200);
    // A refusal for another reason reads the item, and finds the revocation.
    let answer = bench
        .send(request("GET", "/elsewhere", Some(&secret)))
        .await;
    assert_eq!(answer.status(), 401);
    assert_eq!(bench.get(&secret).await, 401);
}

#[tokio::test]
async fn unknown_secrets_are_not_kept_and_work_as_soon_as_they_exist() {
    let bench = Bench::new(3600).await;
    for _ in 0..3 {
        let unknown = PlainSecret::generate(Kind::Account, &System).unwrap();
        assert_eq!(bench.get(&unknown).await, 401);
    }
    let malformed = Request::get("/v1/exports")
        .header(AUTHORIZATION, "Bearer lka_")
        .extension(IpAddr::from([192, 0, 2, 1]));
    bench.reads();
    let answer = bench.send(malformed.body(()).unwrap()).await;
    assert_eq!((answer.status().as_u16(), bench.reads()), (401, 0));
    assert_eq!(bench.layer.cache().unwrap().len(), 0);
}

/// A fake store in which every hash is that of an active secret.
#[derive(Clone)]
struct Everything(SecretRecord);

impl RecallSecret for Everything {
    async fn recall_secret(
        &self,
        hash: &SecretHash,
        _: UsedFrom,
        _: Timestamp,
    ) -> Result<Option<(SecretRecord, Recall)>, PortError> {
        let record = SecretRecord {
            hash: *hash,
            ..self.0.clone()
        };
        // An unrecorded use isn't cached.
        Ok(Some((record, Recall::OnRecord)))
    }

    async fn get_seen(&self, _: &SecretHash) -> Result<Seen, PortError> {
        Ok(Seen::default())
    }
}

impl GetResources for Everything {
    async fn get_resources(
        &self,
        _: &AccountId,
        _: &[ResourceRef],
    ) -> Result<Vec<Resource>, PortError> {
        Ok(vec![])
    }
}

impl RecordUse for Everything {
    async fn record_use(&self, _: &Use) -> Result<(), PortError> {
        Ok(())
    }
}

#[tokio::test]
async fn however_many_secrets_come_the_number_kept_is_limited() {
    let mut record = latchkey::testing::secret_record();
    record.scope = Scope::Full;
    let clock = Hand(Arc::new(Mutex::new(now())));
    let layer: LatchkeyLayer<_, _, fn(&Parts) -> Option<IpAddr>> = LatchkeyLayer::with_cache(
        Everything(record),
        (clock.clone(), System),
        address as _,
        Duration::from_secs(60),
    );
    let get = async |secret: &PlainSecret| {
        let request = request("GET", "/v1/exports", Some(secret));
        let answer = layer.layer(Echo).oneshot(request).await.unwrap();
        assert_eq!(answer.status(), 200);
    };
    for _ in 0..MAX_ENTRIES + 500 {
        get(&PlainSecret::generate(Kind::Account, &System).unwrap()).await;
    }
    assert_eq!(layer.cache().unwrap().len(), MAX_ENTRIES);
    // Old items are removed when a new one is added.
    clock.advance(SignedDuration::from_secs(60));
    get(&PlainSecret::generate(Kind::Account, &System).unwrap()).await;
    assert_eq!(layer.cache().unwrap().len(), 1);
}

/// A store whose responses take some time after the read.
#[derive(Clone)]
struct Slow {
    store: Store,
    clock: Hand,
    takes: Arc<Mutex<SignedDuration>>,
}

impl RecallSecret for Slow {
    async fn recall_secret(
        &self,
        hash: &SecretHash,
        from: UsedFrom,
        now: Timestamp,
    ) -> Result<Option<(SecretRecord, Recall)>, PortError> {
        let found = self.store.recall_secret(hash, from, now).await;
        self.clock.advance(*self.takes.lock().unwrap());
        found
    }

    async fn get_seen(&self, hash: &SecretHash) -> Result<Seen, PortError> {
        self.store.get_seen(hash).await
    }
}

impl GetResources for Slow {
    async fn get_resources(
        &self,
        account: &AccountId,
        names: &[ResourceRef],
    ) -> Result<Vec<Resource>, PortError> {
        self.store.get_resources(account, names).await
    }
}

impl RecordUse for Slow {
    async fn record_use(&self, used: &Use) -> Result<(), PortError> {
        self.store.record_use(used).await
    }
}

#[tokio::test]
async fn the_bound_counts_from_before_the_read() {
    let bench = Bench::new(0).await;
    let (stored, secret) = bench.token(|_| {}).await;
    let slow = Slow {
        store: bench.engine.store.clone(),
        clock: bench.clock.clone(),
        takes: Arc::default(),
    };
    let layer = LatchkeyLayer::with_cache(
        slow.clone(),
        (bench.clock.clone(), System),
        address,
        Duration::from_secs(30),
    );
    let get = async || {
        let request = request("GET", "/v1/exports/exp_orders", Some(&secret));
        let answer = layer.layer(Echo).oneshot(request).await.unwrap();
        answer.status().as_u16()
    };
    assert_eq!(get().await, 200);
    // The response arrives twenty seconds after the read, and the token was revoked right after the read.
    *slow.takes.lock().unwrap() = SignedDuration::from_secs(20);
    assert_eq!(get().await, 200);
    bench.revoke(stored).await;
    bench.clock.advance(SignedDuration::from_secs(9));
    assert_eq!(get().await, 200);
    bench.clock.advance(SignedDuration::from_secs(1));
    assert_eq!(get().await, 401);
}

#[tokio::test]
async fn what_another_instance_has_recorded_is_not_recorded_again() {
    let bench = Bench::new(48 * 3600).await;
    let (_, secret) = bench.token(|_| {}).await;
    let other = LatchkeyLayer::with_cache(
        bench.store.clone(),
        (bench.clock.clone(), System),
        address,
        Duration::from_secs(48 * 3600),
    );
    let get = async || {
        let request = request("GET", "/v1/exports/exp_orders", Some(&secret));
        other.layer(Echo).oneshot(request).await.unwrap().status()
    };
    // Both cache the secret as it is today.
    for _ in 0..2 {
        assert_eq!(bench.get(&secret).await, 200);
        assert_eq!(get().await, 200);
    }
    bench.clock.advance(SignedDuration::from_hours(24));
    assert_eq!(bench.get(&secret).await, 200);
    assert_eq!(get().await, 200);
    let log = bench.engine.audit(&acme().id).await;
    let uses = log.iter().filter(|record| record.action == Action::Access);
    assert_eq!(uses.count(), 2);
}
