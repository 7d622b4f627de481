use std::sync::Mutex;

use jiff::Timestamp;
use latchkey::domain::account::{Account, Member, Role};
use latchkey::domain::action::Action;
use latchkey::domain::actor::Actor;
use latchkey::domain::audit::{AuditRecord, Source};
use latchkey::domain::change::{NewToken, TokenChange};
use latchkey::domain::event_time::EventTime;
use latchkey::domain::id::{AccountId, IntegrationId, TokenId, UserId};
use latchkey::domain::integration::Integration;
use latchkey::domain::paging::{IntegrationQuery, MAX_LIMIT, Page, TokenQuery};
use latchkey::domain::resource::Resource;
use latchkey::domain::token::{NotReactivable, Status, StoredToken, Token};
use latchkey::ports::{
    GetAccount, GetResources, GetSecret, InsertToken, ListIntegrations, ListMemberships,
};
use latchkey::testing::{
    Engine, Logs, acme, audit, globex, now, owner_actor, plain, plain_secret, stored_token,
    system_at, token, token_at,
};
use serde_json::{Value, json};
use tracing::level_filters::LevelFilter;

use super::*;

const SAMPLES: [&str; 6] = [
    include_str!("../../../events/sync-platform/account-upserted.json"),
    include_str!("../../../events/sync-platform/account-deleted.json"),
    include_str!("../../../events/sync-platform/resource-upserted.json"),
    include_str!("../../../events/sync-platform/resource-deleted.json"),
    include_str!("../../../events/sync-platform/integration-upserted.json"),
    include_str!("../../../events/sync-platform/integration-deleted.json"),
];

/// An event of the bus.
#[derive(Clone, Debug)]
struct Bus(Value);

impl Bus {
    fn sample(index: usize) -> Self {
        Self(serde_json::from_str(SAMPLES[index]).unwrap())
    }

    fn account_upserted() -> Self {
        Self::sample(0)
    }

    fn account_deleted() -> Self {
        Self::sample(1)
    }

    fn resource_upserted() -> Self {
        Self::sample(2)
    }

    fn resource_deleted() -> Self {
        Self::sample(3)
    }

    fn integration_upserted() -> Self {
        Self::sample(4)
    }

    fn integration_deleted() -> Self {
        Self::sample(5)
    }

    /// Returns the event some seconds after the samples' time.
    fn at(mut self, seconds: i64) -> Self {
        let time = now() + jiff::SignedDuration::from_secs(seconds);
        self.0["time"] = json!(time.to_string());
        self
    }

    fn detail(mut self, field: &str, value: Value) -> Self {
        self.0["detail"][field] = value;
        self
    }

    fn parse(&self) -> Result<Event, serde_json::Error> {
        serde_json::from_value(self.0.clone())
    }

    async fn on(
        &self,
        store: &(impl ProjectPlatform + ListTokens + GetToken + ChangeToken),
    ) -> Result<(), PortError> {
        let queue = Queue::default();
        let done = handle(store, &queue, &system_at(now()), self.0.clone()).await;
        assert!(queue.take().is_empty(), "{self:?}");
        done
    }

    async fn reach(&self, engine: &Engine) {
        self.on(&engine.store).await.unwrap();
    }

    /// Checks that the event goes to the queue at that time and changes nothing.
    async fn is_set_aside(&self, engine: &Engine, at: Timestamp) {
        let (queue, before) = (Queue::default(), engine.dump().await);
        let done = handle(&engine.store, &queue, &system_at(at), self.0.clone()).await;
        done.unwrap();
        assert_eq!(queue.take(), std::slice::from_ref(&self.0));
        assert_eq!(engine.dump().await, before, "{self:?}");
    }
}

/// A queue in memory. It may refuse messages.
#[derive(Default)]
struct Queue {
    messages: Mutex<Vec<Value>>,
    fails: bool,
}

impl Queue {
    fn take(&self) -> Vec<Value> {
        std::mem::take(&mut self.messages.lock().unwrap())
    }
}

impl SetAside for Queue {
    async fn set_aside(&self, message: String) -> Result<(), PortError> {
        if self.fails {
            return Err(PortError::Unavailable("throttled".into()));
        }
        let message = serde_json::from_str(&message).unwrap();
        self.messages.lock().unwrap().push(message);
        Ok(())
    }
}

async fn account(engine: &Engine) -> Option<Account> {
    engine.store.get_account(&acme().id).await.unwrap()
}

async fn memberships(engine: &Engine, user: &str) -> Vec<AccountId> {
    let user: UserId = user.parse().unwrap();
    engine.store.list_memberships(&user).await.unwrap()
}

async fn resource(engine: &Engine) -> Option<Resource> {
    let name = ResourceRef {
        kind: latchkey::domain::resource::ResourceType::Export,
        id: "exp_returns".parse().unwrap(),
    };
    let found = engine.store.get_resources(&acme().id, &[name]).await;
    found.unwrap().pop()
}

/// Returns the names of an account's Integration Apps.
async fn integrations(engine: &Engine, account: &AccountId) -> Vec<String> {
    let query = IntegrationQuery {
        keywords: None,
        limit: MAX_LIMIT,
        after: None,
    };
    let page = engine.store.list_integrations(account, &query).await;
    let apps = page.unwrap().items.into_iter();
    apps.map(|app| app.name).collect()
}

/// Returns the audit records of revocations.
async fn revocations(engine: &Engine) -> Vec<AuditRecord> {
    let mut log = engine.audit(&acme().id).await;
    log.retain(|record| record.action == Action::Revoke);
    log
}

async fn active(engine: &Engine) -> usize {
    let tokens = engine.tokens(&acme().id).await;
    let active = tokens
        .iter()
        .filter(|token| token.status() == Status::Active);
    active.count()
}

async fn with_tokens(count: usize) -> Engine {
    let engine = Engine::with_accounts().await;
    for _ in 0..count {
        engine.add(token_at(now())).await;
    }
    engine
}

#[tokio::test]
async fn an_account_and_its_members_become_known() {
    let engine = Engine::start().await;
    Bus::account_upserted().reach(&engine).await;
    assert_eq!(account(&engine).await, Some(acme()));
    for member in acme().members {
        let accounts = memberships(&engine, member.id.as_str()).await;
        assert_eq!(accounts, [acme().id]);
    }
}

#[tokio::test]
async fn an_account_changes_with_its_members() {
    let engine = Engine::start().await;
    Bus::account_upserted().reach(&engine).await;
    let members = json!([
        {"id": "admin-1", "email": "ada@acme.example", "name": "Ada", "role": "owner"}
    ]);
    let changed = Bus::account_upserted().at(1).detail("members", members);
    changed
        .detail("plan", json!("premium"))
        .reach(&engine)
        .await;
    let account = account(&engine).await.unwrap();
    assert_eq!(
        account.members,
        [Member {
            id: "admin-1".parse().unwrap(),
            email: "ada@acme.example".into(),
            name: "Ada".into(),
            role: Role::Owner,
            developer_mode: false,
        }]
    );
    assert!(!account.has_api_management());
    assert_eq!(memberships(&engine, "owner-1").await, []);
}

#[tokio::test]
async fn a_resource_becomes_known_and_unknown_again() {
    let engine = Engine::start().await;
    Bus::resource_upserted().reach(&engine).await;
    let known = resource(&engine).await.unwrap();
    assert_eq!(known.name, "Returns");
    assert_eq!(known.integration_id, Some("app1".parse().unwrap()));
    let moved = Bus::resource_upserted().at(1);
    moved
        .detail("integrationId", Value::Null)
        .reach(&engine)
        .await;
    assert_eq!(resource(&engine).await.unwrap().integration_id, None);
    Bus::resource_deleted().reach(&engine).await;
    assert_eq!(resource(&engine).await, None);
}

#[tokio::test]
async fn an_integration_app_becomes_known_and_unknown_again() {
    let engine = Engine::start().await;
    Bus::integration_upserted().reach(&engine).await;
    assert_eq!(
        integrations(&engine, &acme().id).await,
        ["Order management"]
    );
    let renamed = Bus::integration_upserted().at(1);
    renamed.detail("name", json!("Orders")).reach(&engine).await;
    assert_eq!(integrations(&engine, &acme().id).await, ["Orders"]);
    Bus::integration_deleted().reach(&engine).await;
    assert_eq!(integrations(&engine, &acme().id).await, [""; 0]);
}

#[tokio::test]
async fn a_deleted_accounts_integration_apps_are_deleted_unless_they_are_newer() {
    let engine = Engine::with_accounts().await;
    let app = |id: &str| Bus::integration_upserted().detail("id", json!(id));
    // More than a page.
    for number in 0..=MAX_LIMIT {
        app(&format!("app{number}")).reach(&engine).await;
    }
    let newer = app("newer").detail("name", json!("newer")).at(100);
    newer.reach(&engine).await;
    let theirs = app("app1").detail("accountId", json!("globex"));
    theirs.reach(&engine).await;
    Bus::resource_upserted().reach(&engine).await;
    Bus::account_deleted().at(2).reach(&engine).await;
    assert_eq!(integrations(&engine, &acme().id).await, ["newer"]);
    assert_eq!(
        integrations(&engine, &globex().id).await,
        ["Order management"]
    );
    // A late event doesn't bring one back.
    app("app7").at(1).reach(&engine).await;
    assert_eq!(integrations(&engine, &acme().id).await, ["newer"]);
    // The resources have events of their own.
    assert_eq!(resource(&engine).await.unwrap().name, "Returns");
}

#[tokio::test]
async fn the_platforms_names_are_mended_and_never_refused() {
    let engine = Engine::start().await;
    let secret = plain(&plain_secret());
    let name = format!("Cafe\u{301}\n\u{202e}{secret}");
    let kept = "Caf\u{e9} ⏎ [U+202E]lka_[redacted]";
    let member = json!([
        {"id": "admin-1", "email": "ada@acme.example", "name": name, "role": "owner"}
    ]);
    let event = Bus::account_upserted().detail("name", json!(name));
    event.detail("members", member).reach(&engine).await;
    let event = Bus::resource_upserted().detail("name", json!(name));
    event.reach(&engine).await;
    let event = Bus::integration_upserted().detail("name", json!(name));
    event.reach(&engine).await;
    let account = account(&engine).await.unwrap();
    assert_eq!(account.name, kept);
    assert_eq!(account.members[0].name, kept);
    assert_eq!(account.members[0].email, "ada@acme.example");
    assert_eq!(resource(&engine).await.unwrap().name, kept);
    assert_eq!(integrations(&engine, &acme().id).await, [kept]);
}

#[tokio::test]
async fn a_repeated_event_changes_nothing() {
    let engine = with_tokens(3).await;
    for event in SAMPLES.map(|sample| Bus(serde_json::from_str(sample).unwrap())) {
        let event = event.at(1);
        event.reach(&engine).await;
        let before = engine.dump().await;
        event.reach(&engine).await;
        assert_eq!(engine.dump().await, before, "{event:?}");
    }
}

/// All orders of three events.
const ORDERS: [[usize; 3]; 6] = [
    [0, 1, 2],
    [0, 2, 1],
    [1, 0, 2],
    [1, 2, 0],
    [2, 0, 1],
    [2, 1, 0],
];

#[tokio::test]
async fn an_accounts_events_lead_to_the_same_state_in_every_order() {
    let named = |name: &str, second| {
        let event = Bus::account_upserted().detail("name", json!(name));
        event.at(second)
    };
    let ending = [named("a", 1), named("b", 2), Bus::account_deleted().at(3)];
    let returning = [named("a", 1), Bus::account_deleted().at(2), named("c", 3)];
    // The deletion revokes this many tokens before it fails, and is delivered again after the others.
    for (order, most) in ORDERS
        .iter()
        .flat_map(|order| [(order, 0), (order, 1), (order, 9)])
    {
        let engine = with_tokens(3).await;
        reach_in(order, &ending, most, &engine).await;
        ending[2].reach(&engine).await;
        assert_eq!(account(&engine).await, None, "{order:?}");
        assert_eq!(memberships(&engine, "owner-1").await, []);
        assert_eq!(active(&engine).await, 0, "{order:?}, {most}");

        let engine = with_tokens(3).await;
        reach_in(order, &returning, most, &engine).await;
        let later = now() + jiff::SignedDuration::from_hours(1);
        let new = engine.add(token_at(later)).await.token.id;
        returning[1].reach(&engine).await;
        assert_eq!(account(&engine).await.unwrap().name, "c", "{order:?}");
        assert_eq!(memberships(&engine, "owner-1").await, [acme().id]);
        let tokens = engine.tokens(&acme().id).await.into_iter();
        let mut left = tokens.filter(|token| token.status() == Status::Active);
        assert_eq!(left.next().map(|token| token.id), Some(new));
        assert_eq!(left.next(), None, "{order:?}, {most}");
    }
}

/// Delivers events in an order. A deletion fails after some revocations.
async fn reach_in(order: &[usize; 3], events: &[Bus; 3], most: usize, engine: &Engine) {
    for index in order {
        let store = Meanwhile::new(engine, Trouble::Throttling(most));
        let done = events[*index].on(&store).await;
        assert!(!matches!(done, Err(PortError::Broken(_))), "{done:?}");
    }
}

#[tokio::test]
async fn a_resources_events_lead_to_the_same_state_in_every_order() {
    let named = |name: &str, second| {
        let event = Bus::resource_upserted().detail("name", json!(name));
        event.at(second)
    };
    let ending = [named("a", 1), named("b", 2), Bus::resource_deleted().at(3)];
    let returning = [named("a", 1), Bus::resource_deleted().at(2), named("c", 3)];
    for order in ORDERS {
        let engine = Engine::start().await;
        for index in order {
            ending[index].reach(&engine).await;
        }
        assert_eq!(resource(&engine).await, None, "{order:?}");

        let engine = Engine::start().await;
        for index in order {
            returning[index].reach(&engine).await;
        }
        assert_eq!(resource(&engine).await.unwrap().name, "c", "{order:?}");
    }
}

#[tokio::test]
async fn an_integration_apps_events_lead_to_the_same_state_in_every_order() {
    let named = |name: &str, second| {
        let event = Bus::integration_upserted().detail("name", json!(name));
        event.at(second)
    };
    let deleted = |second| Bus::integration_deleted().at(second);
    let ending = [named("a", 1), named("b", 2), deleted(3)];
    let returning = [named("a", 1), deleted(2), named("c", 3)];
    for (events, left) in [(ending, &[][..]), (returning, &["c"])] {
        for order in ORDERS {
            let engine = Engine::start().await;
            for index in order {
                events[index].reach(&engine).await;
            }
            assert_eq!(integrations(&engine, &acme().id).await, left, "{order:?}");
        }
    }
}

#[test]
fn a_malformed_event_does_not_parse() {
    for sample in SAMPLES {
        let event = Bus(serde_json::from_str(sample).unwrap());
        assert!(event.parse().is_ok());
        for field in ["id", "time", "detail-type", "detail"] {
            let mut event = event.clone();
            event.0.as_object_mut().unwrap().remove(field);
            assert!(event.parse().is_err(), "without {field}");
        }
        let mut odd = event.clone();
        odd.0["detail-type"] = json!("SomethingElse");
        assert!(odd.parse().is_err());
        let mut odd = event.clone();
        odd.0["time"] = json!("yesterday");
        assert!(odd.parse().is_err());
        for id in [json!("a#b"), json!(""), json!(7), Value::Null] {
            assert!(event.clone().detail("id", id).parse().is_err());
        }
    }
    let odd_member = json!([{"id": "u", "email": "u@acme.example", "name": "U", "role": "king"}]);
    for (field, value) in [
        ("plan", json!("free")),
        ("members", odd_member),
        ("members", json!({})),
        ("name", Value::Null),
    ] {
        let event = Bus::account_upserted().detail(field, value);
        assert!(event.parse().is_err(), "{event:?}");
    }
    for event in [Bus::integration_upserted(), Bus::integration_deleted()] {
        assert!(event.detail("accountId", json!("a b")).parse().is_err());
    }
    for event in [Bus::resource_upserted(), Bus::resource_deleted()] {
        assert!(event.clone().detail("type", json!("flow")).parse().is_err());
        assert!(event.detail("accountId", json!("a b")).parse().is_err());
    }
}

#[tokio::test]
async fn a_deleted_account_is_unknown_and_its_tokens_are_revoked_one_and_all() {
    let engine = with_tokens(2_000).await;
    let theirs = Token {
        account_id: globex().id,
        ..token()
    };
    engine.add(theirs).await;
    let event = Bus::account_deleted();
    event.reach(&engine).await;
    assert_eq!(account(&engine).await, None);
    assert_eq!(memberships(&engine, "owner-1").await, []);
    assert_eq!(
        (active(&engine).await, engine.count_tokens(&acme().id).await),
        (0, 2_000)
    );
    let records = revocations(&engine).await;
    assert_eq!(records.len(), 2_000);
    let tokens: std::collections::BTreeSet<_> = records.iter().map(|r| &r.token_id).collect();
    assert_eq!(tokens.len(), 2_000);
    for record in &records {
        assert_eq!(record.origin.source, Source::System);
        assert_eq!(record.origin.actor, Actor::system());
        assert_eq!(record.origin.request_id, event.0["id"].as_str().unwrap());
        let reason = record
            .changes
            .iter()
            .find(|c| c.field == "revocationReason");
        let reason = reason.unwrap().new.as_deref();
        assert_eq!(reason, Some("the account was deleted"));
    }
    let neighbour = engine.store.get_account(&globex().id).await.unwrap();
    assert_eq!(neighbour, Some(globex()));
    assert_eq!(engine.audit(&globex().id).await.len(), 1);
}

#[tokio::test]
async fn every_secret_of_a_deleted_account_is_refused() {
    let engine = Engine::with_accounts().await;
    let stored = engine.add(token()).await;
    Bus::account_deleted().reach(&engine).await;
    let secret = engine.store.get_secret(&stored.secret_hash).await.unwrap();
    assert_eq!(secret.unwrap().status, Status::Revoked);
}

#[tokio::test]
async fn purged_tokens_need_no_record() {
    let engine = with_tokens(1).await;
    let mut purged = token_at(now());
    purged.purge_at = Some(now());
    engine.add(purged).await;
    Bus::account_deleted().reach(&engine).await;
    assert_eq!(revocations(&engine).await.len(), 1);
}

#[tokio::test]
async fn a_token_that_was_revoked_before_ends_with_its_account_too_and_keeps_who_revoked_it() {
    let engine = Engine::with_accounts().await;
    let added = engine.add(token()).await;
    let revoked = engine.revoke(added).await;
    let active = engine.add(token_at(now())).await;
    Bus::account_deleted().at(1).reach(&engine).await;
    // One record by the owner, and one for each token by the deletion.
    assert_eq!(revocations(&engine).await.len(), 3);
    let stored = engine.stored(&acme().id, &revoked.token.id).await.unwrap();
    let (before, after) = (revoked.token.revocation, stored.token.revocation);
    let (before, after) = (before.unwrap(), after.unwrap());
    assert_eq!((after.by, after.at), (before.by, before.at));

    // The platform uses the account's id again. People of the new account can't reactivate the tokens.
    Bus::account_upserted().at(2).reach(&engine).await;
    assert_eq!(account(&engine).await, Some(acme()));
    for id in [&revoked.token.id, &active.token.id] {
        let token = engine.stored(&acme().id, id).await.unwrap().token;
        let refused = token.reactivate(owner_actor(), now());
        assert_eq!(refused, Err(NotReactivable::AccountDeleted));
    }
}

#[tokio::test]
async fn a_deletion_after_a_newer_event_ends_what_the_account_had_then_and_nothing_else() {
    let engine = Engine::with_accounts().await;
    let created = async |second| {
        let time = now() + jiff::SignedDuration::from_secs(second);
        engine.add(token_at(time)).await.token.id
    };
    // The platform's clock may be behind.
    let old = [
        created(-86_400).await,
        created(0).await,
        created(AHEAD).await,
    ];
    let new = [created(AHEAD + 1).await, created(86_400).await];
    let app = |id: &str, second| {
        let event = Bus::integration_upserted().detail("id", json!(id));
        event.detail("name", json!(id)).at(second)
    };
    app("old", 0).reach(&engine).await;
    app("new", 50).reach(&engine).await;
    Bus::account_upserted().at(100).reach(&engine).await;
    for _ in 0..2 {
        Bus::account_deleted().at(0).reach(&engine).await;
        assert_eq!(account(&engine).await, Some(acme()));
        assert_eq!(memberships(&engine, "owner-1").await, [acme().id]);
        assert_eq!(integrations(&engine, &acme().id).await, ["new"]);
        for id in &old {
            let token = engine.stored(&acme().id, id).await.unwrap().token;
            assert!(token.revocation.unwrap().account_deleted);
        }
        for id in &new {
            let token = engine.stored(&acme().id, id).await.unwrap().token;
            assert_eq!(token.status(), Status::Active);
        }
        assert_eq!(revocations(&engine).await.len(), old.len());
    }
}

#[tokio::test]
async fn the_deletion_of_an_unknown_account_is_remembered() {
    let engine = Engine::start().await;
    Bus::account_deleted().reach(&engine).await;
    Bus::account_upserted().reach(&engine).await;
    assert_eq!(account(&engine).await, None);
}

#[tokio::test]
async fn without_an_audit_log_nothing_is_revoked_and_the_event_comes_again() {
    let engine = with_tokens(2).await;
    engine.break_audit().await;
    let failed = Bus::account_deleted().on(&engine.store).await;
    assert!(matches!(failed, Err(PortError::Broken(_))));
    assert_eq!(active(&engine).await, 2);
}

/// What happens during a deletion.
#[derive(Clone, Copy)]
enum Trouble {
    /// A token is created whenever the tokens are listed.
    Insertion,
    /// A token is revoked by a person just before the deletion revokes it.
    Revocation,
    /// A token is removed just before it is revoked.
    Removal,
    /// The table is throttled after this number of revocations.
    Throttling(usize),
}

struct Meanwhile<'a> {
    engine: &'a Engine,
    trouble: Trouble,
    insertions: Mutex<Vec<Result<(), PortError>>>,
    changes: Mutex<usize>,
}

impl<'a> Meanwhile<'a> {
    fn new(engine: &'a Engine, trouble: Trouble) -> Self {
        Self {
            engine,
            trouble,
            insertions: Mutex::default(),
            changes: Mutex::default(),
        }
    }
}

impl ProjectPlatform for Meanwhile<'_> {
    async fn put_account(
        &self,
        account: &Account,
        time: impl Into<EventTime> + Send,
    ) -> Result<(), PortError> {
        self.engine.store.put_account(account, time).await
    }

    async fn delete_account(
        &self,
        account: &AccountId,
        time: impl Into<EventTime> + Send,
    ) -> Result<bool, PortError> {
        self.engine.store.delete_account(account, time).await
    }

    async fn put_resource(
        &self,
        resource: &Resource,
        time: impl Into<EventTime> + Send,
    ) -> Result<(), PortError> {
        self.engine.store.put_resource(resource, time).await
    }

    async fn delete_resource(
        &self,
        account: &AccountId,
        name: &ResourceRef,
        time: impl Into<EventTime> + Send,
    ) -> Result<(), PortError> {
        let store = &self.engine.store;
        store.delete_resource(account, name, time).await
    }

    async fn put_integration(
        &self,
        integration: &Integration,
        time: impl Into<EventTime> + Send,
    ) -> Result<(), PortError> {
        self.engine.store.put_integration(integration, time).await
    }

    async fn delete_integration(
        &self,
        account: &AccountId,
        id: &IntegrationId,
        time: impl Into<EventTime> + Send,
    ) -> Result<(), PortError> {
        let store = &self.engine.store;
        store.delete_integration(account, id, time).await
    }

    async fn delete_integrations(
        &self,
        account: &AccountId,
        time: impl Into<EventTime> + Send,
    ) -> Result<(), PortError> {
        self.engine.store.delete_integrations(account, time).await
    }
}

impl ListTokens for Meanwhile<'_> {
    async fn list_tokens(
        &self,
        account: &AccountId,
        query: &TokenQuery,
        now: Timestamp,
    ) -> Result<Page<Token, TokenId>, PortError> {
        let store = &self.engine.store;
        let page = store.list_tokens(account, query, now).await;
        if matches!(self.trouble, Trouble::Insertion) {
            let stored = stored_token();
            let new = NewToken {
                audit: audit(Action::Create, &stored.token, now, 1),
                stored,
                idempotency: None,
            };
            let inserted = store.insert_token(&new).await;
            self.insertions.lock().unwrap().push(inserted);
        }
        page
    }
}

impl GetToken for Meanwhile<'_> {
    async fn get_token(
        &self,
        account: &AccountId,
        id: &TokenId,
        now: Timestamp,
    ) -> Result<Option<StoredToken>, PortError> {
        self.engine.store.get_token(account, id, now).await
    }
}

impl ChangeToken for Meanwhile<'_> {
    async fn change_token(&self, change: &TokenChange) -> Result<(), PortError> {
        let before = &change.before;
        match self.trouble {
            Trouble::Insertion => {}
            Trouble::Revocation if before.token.status() == Status::Active => {
                self.engine.revoke(before.clone()).await;
            }
            Trouble::Revocation => {}
            Trouble::Removal => self.engine.remove(&before.token).await,
            Trouble::Throttling(most) => {
                let mut changes = self.changes.lock().unwrap();
                *changes += 1;
                if *changes > most {
                    return Err(PortError::Unavailable("throttled".into()));
                }
            }
        }
        self.engine.store.change_token(change).await
    }
}

#[tokio::test]
async fn no_token_is_made_while_an_account_is_being_deleted() {
    let engine = with_tokens(2).await;
    let store = Meanwhile::new(&engine, Trouble::Insertion);
    Bus::account_deleted().on(&store).await.unwrap();
    let insertions = store.insertions.into_inner().unwrap();
    assert!(!insertions.is_empty());
    assert!(
        insertions
            .iter()
            .all(|i| matches!(i, Err(PortError::Conflict)))
    );
    assert_eq!(active(&engine).await, 0);
}

#[tokio::test]
async fn a_deletion_that_failed_midway_is_finished_by_its_retry() {
    let engine = with_tokens(20).await;
    let store = Meanwhile::new(&engine, Trouble::Throttling(7));
    let failed = Bus::account_deleted().on(&store).await;
    assert!(matches!(failed, Err(PortError::Unavailable(_))));
    let left = active(&engine).await;
    assert!(left > 0);
    assert_eq!(revocations(&engine).await.len(), 20 - left);
    Bus::account_deleted().reach(&engine).await;
    assert_eq!(active(&engine).await, 0);
    assert_eq!(revocations(&engine).await.len(), 20);
}

#[tokio::test]
async fn a_token_that_somebody_else_revokes_meanwhile_ends_with_its_account_nevertheless() {
    let engine = with_tokens(3).await;
    let store = Meanwhile::new(&engine, Trouble::Revocation);
    let logs = Logs::of("sync_platform", LevelFilter::ERROR);
    Bus::account_deleted().on(&store).await.unwrap();
    assert_eq!(logs.take_measures(), vec![("retried".to_owned(), 1); 3]);
    let records = revocations(&engine).await;
    assert_eq!((active(&engine).await, records.len()), (0, 6));
    let by = |source| {
        let records = records.iter();
        records.filter(|r| r.origin.source == source).count()
    };
    assert_eq!((by(Source::Api), by(Source::System)), (3, 3));
    for token in engine.tokens(&acme().id).await {
        assert!(token.revocation.unwrap().account_deleted);
    }
}

#[tokio::test]
async fn a_token_that_is_removed_meanwhile_needs_no_revocation() {
    let engine = with_tokens(3).await;
    let store = Meanwhile::new(&engine, Trouble::Removal);
    Bus::account_deleted().on(&store).await.unwrap();
    assert_eq!(engine.count_tokens(&acme().id).await, 0);
    assert_eq!(revocations(&engine).await, []);
}

#[tokio::test]
async fn a_dropped_event_is_named_in_the_log() {
    let engine = Engine::start().await;
    Bus::resource_upserted().at(2).reach(&engine).await;
    let event = Bus::resource_upserted().at(1);
    let logs = Logs::start();
    event.reach(&engine).await;
    let mut lines = logs.take();
    lines.retain(|line| line["message"] == "dropped a stale event");
    let line = &lines[0];
    assert_eq!(line["span"]["request.id"], event.0["id"]);
    assert_eq!(line["stored.key"], "export#exp_returns");
    event.reach(&engine).await;
    assert_eq!(logs.take_measures(), [("event_stale".to_owned(), 1)]);
}

#[tokio::test]
async fn a_line_of_the_log_names_a_messages_account_and_id() {
    for sample in SAMPLES {
        let message: Value = serde_json::from_str(sample).unwrap();
        let subject = subject(&message);
        assert_eq!(subject.request_id.as_deref(), message["id"].as_str());
        assert_eq!(subject.account_id, Some(acme().id), "{message}");
    }
    for message in [
        json!(null),
        json!({"detail-type": "ResourceUpserted", "detail": {"id": "exp_returns"}}),
        json!({"detail-type": "AccountUpserted", "detail": {"id": "no id"}}),
    ] {
        assert_eq!(subject(&message), Subject::default());
    }
}

#[tokio::test]
async fn an_event_that_is_set_aside_is_named_in_the_log_without_what_it_says() {
    let engine = Engine::start().await;
    let unknown = Bus::account_upserted().detail("plan", json!("free"));
    for (event, time) in [
        (Bus::account_upserted().at(AHEAD + 1), true),
        (unknown, false),
    ] {
        let logs = Logs::of("sync_platform", LevelFilter::ERROR);
        event.is_set_aside(&engine, now()).await;
        let lines = logs.take();
        assert_eq!(lines.len(), 2);
        assert_eq!(
            (&lines[1]["measure"], &lines[1]["count"]),
            (&json!("event_refused"), &json!(1))
        );
        assert_eq!(lines[0]["level"], "ERROR");
        assert_eq!(lines[0]["event.id"], event.0["id"]);
        assert_eq!(lines[0]["event.type"], "AccountUpserted");
        assert_eq!(lines[0]["event.time"].is_string(), time);
        assert!(!lines[0].to_string().contains("@acme.example"));
    }
}

/// The largest accepted difference to the clock, in seconds.
const AHEAD: i64 = 5 * 60;

#[tokio::test]
async fn an_event_from_the_future_is_set_aside_and_changes_nothing() {
    let engine = with_tokens(1).await;
    for sample in SAMPLES {
        let event = Bus(serde_json::from_str(sample).unwrap());
        event
            .clone()
            .at(AHEAD + 1)
            .is_set_aside(&engine, now())
            .await;
        let mut decades = event.clone();
        decades.0["time"] = json!("2099-01-01T00:00:00Z");
        decades.is_set_aside(&engine, now()).await;
        // A clock that is slightly ahead is accepted.
        event.at(AHEAD).reach(&engine).await;
    }
    assert_eq!(active(&engine).await, 0);
}

#[tokio::test]
async fn an_event_that_does_not_parse_is_set_aside_without_attempts_that_must_fail() {
    let engine = with_tokens(1).await;
    let odd = [
        Bus::account_upserted().detail("plan", json!("free")),
        Bus::account_deleted().detail("id", json!("a#b")),
        Bus(json!({})),
        Bus(json!("text")),
        Bus(Value::Null),
    ];
    for event in odd {
        event.is_set_aside(&engine, now()).await;
    }
}

#[tokio::test]
async fn a_secret_is_no_id_and_is_not_set_aside_with_its_event() {
    let engine = Engine::start().await;
    let secret = plain(&plain_secret());
    let split = secret.replace("lka_", "lka_\u{1}");
    let events = [
        Bus::resource_upserted().detail("id", json!(secret)),
        Bus::account_upserted().detail("plan", json!(split)),
        Bus::account_deleted().detail("id", json!({(split.as_str()): [secret]})),
    ];
    for event in events {
        let queue = Queue::default();
        let system = system_at(now());
        let set_aside = handle(&engine.store, &queue, &system, event.0).await;
        set_aside.unwrap();
        let message = queue.take().remove(0).to_string();
        assert!(message.contains("lka_[redacted]"), "{message}");
        assert!(
            !message.contains(secret.trim_start_matches("lka_")),
            "{message}"
        );
    }
}

#[test]
fn a_message_that_is_set_aside_has_only_characters_that_sqs_takes() {
    let odd = json!({"\u{ffff}": "\u{fffe}\u{fffd}\u{0}\u{10ffff}\u{7f}é"});
    let text = kept(odd.clone());
    let taken = |c| matches!(c, '\t' | '\n' | '\r' | ' '..='\u{fffd}' | '\u{10000}'..);
    assert!(text.chars().all(taken), "{text:?}");
    assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), odd);
}

#[tokio::test]
async fn an_event_that_can_not_be_set_aside_comes_again() {
    let engine = Engine::start().await;
    let queue = Queue {
        fails: true,
        ..Queue::default()
    };
    for event in [Bus::account_deleted().at(AHEAD + 1), Bus(json!({}))] {
        let failed = handle(&engine.store, &queue, &system_at(now()), event.0).await;
        assert!(matches!(failed, Err(PortError::Unavailable(_))));
    }
}

#[tokio::test]
async fn an_account_that_was_frozen_by_an_event_from_the_future_thaws() {
    let engine = with_tokens(2).await;
    let frozen = "2099-01-01T00:00:00Z".parse::<Timestamp>().unwrap();
    engine.store.put_account(&acme(), frozen).await.unwrap();
    let left = json!([
        {"id": "admin-1", "email": "ada@acme.example", "name": "Ada", "role": "owner"}
    ]);
    let removal = Bus::account_upserted().at(1).detail("members", left);
    removal.reach(&engine).await;
    assert_eq!(account(&engine).await.unwrap().members.len(), 1);
    assert_eq!(memberships(&engine, "owner-1").await, []);

    engine.store.put_account(&acme(), frozen).await.unwrap();
    Bus::account_deleted().at(2).reach(&engine).await;
    assert_eq!(account(&engine).await, None);
    assert_eq!(active(&engine).await, 0);
}
