//! A real DynamoDB engine in the test's process, with the tables of the template.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use aws_config::stalled_stream_protection::StalledStreamProtectionConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::{Credentials, SharedCredentialsProvider};
use aws_sdk_dynamodb::types::{
    AttributeDefinition, AttributeValue, BillingMode, GlobalSecondaryIndex, KeySchemaElement,
    KeyType, Projection, ProjectionType, ScalarAttributeType, StreamSpecification, StreamViewType,
    TimeToLiveSpecification,
};
use dynoxide::storage_backend::ManualClock;
use dynoxide::{Database, ImportOptions};
use jiff::{SignedDuration, Timestamp};
use secrecy::ExposeSecret;
use serde::Deserialize;
use serde_json::Value;
use tokio::net::TcpListener;

use super::answer::Answer;
use super::event::Event;
use super::logs;
use super::samples::{now, origin, owner_actor, token, token_at};
use crate::config::Tables;
use crate::domain::account::{Account, Member, Plan, Role};
use crate::domain::action::Action;
use crate::domain::audit::AuditRecord;
use crate::domain::budget::Budgets;
use crate::domain::change::{NewToken, TokenChange};
use crate::domain::id::{AccountId, TokenId};
use crate::domain::paging::{AuditFilter, AuditQuery, TokenFilter, TokenOrder, TokenQuery};
use crate::domain::resource::{Resource, ResourceType};
use crate::domain::secret::PlainSecret;
use crate::domain::token::{Ciphertext, StoredToken, Token};
use crate::ports::{
    ChangeToken, DecryptSecret, EncryptSecret, GetToken, InsertToken, ListAudit, ListTokens,
    PortError, ProjectPlatform,
};
use crate::store::Store;
use crate::system::System;

const TOKENS: &str = "Tokens";
const AUDIT: &str = "Audit";

/// An engine with the tables. It stops with the test's runtime.
pub struct Engine {
    /// A store on the tables.
    pub store: Store,
    /// A client, for inspecting the tables.
    pub client: Client,
    /// The engine's address, for other clients.
    pub aws: SdkConfig,
    database: Database,
    /// The clock of the tables' time to live.
    clock: ManualClock,
}

impl Engine {
    /// Starts an engine with the two tables.
    pub async fn start() -> Self {
        logs::ask_always();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let clock = ManualClock::new(0);
        let database = Database::memory_with_clock(std::sync::Arc::new(clock.clone())).unwrap();
        tokio::spawn(dynoxide::server::serve_on(listener, database.clone()));
        let credentials = Credentials::for_tests();
        // On a busy machine, a thousand concurrent calls take longer to connect than the SDK's default allows.
        let patient = TimeoutConfig::builder().connect_timeout(Duration::from_mins(2));
        let config = SdkConfig::builder()
            .behavior_version(BehaviorVersion::v2026_01_12())
            .region(Region::from_static("us-east-1"))
            .endpoint_url(endpoint)
            .timeout_config(patient.build())
            // As in production. Also, a busy machine may stall a stream.
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .sleep_impl(aws_sdk_dynamodb::config::SharedAsyncSleep::new(Sleep))
            .build();
        let client = Client::new(&config);
        create_tokens(&client).await;
        create_audit(&client).await;
        Self {
            store: Store::new(&config, Self::tables()).with_budgets(Self::budgets()),
            client,
            aws: config,
            database,
            clock,
        }
    }

    /// The names of the tables.
    pub fn tables() -> Tables {
        Tables {
            tokens: TOKENS.into(),
            audit: AUDIT.into(),
            audit_retention: SignedDuration::from_hours(400 * 24),
        }
    }

    /// Budgets that no test exceeds by accident, although the tests' clock stands still.
    pub fn budgets() -> Budgets {
        Budgets {
            reveals: 1_000_000,
            changes: 1_000_000,
            tokens: 1_000_000,
            mails: 1_000_000,
        }
    }

    /// Removes the items whose time to live is over at `at`, and returns their number.
    pub fn sweep(&self, at: Timestamp) -> usize {
        self.clock.set(u64::try_from(at.as_second()).unwrap());
        self.database.sweep_ttl().unwrap()
    }

    /// An engine with the account `acme` (enterprise) and its members `owner-1` (developer mode), `admin-1`, `manage-1`
    /// and `monitor-1`; the account `globex` (standard, no licence) and its owner `owner-2`; and some resources of
    /// each, of which `exp_app` and `imp_app` belong to `app1`.
    pub async fn with_accounts() -> Self {
        let engine = Self::start().await;
        for account in [acme(), globex()] {
            engine.store.put_account(&account, now()).await.unwrap();
            for (kind, id, app) in [
                (ResourceType::Connection, "con_shop", None),
                (ResourceType::Export, "exp_orders", None),
                (ResourceType::Export, "exp_app", Some("app1")),
                (ResourceType::Import, "imp_stock", None),
                (ResourceType::Import, "imp_app", Some("app1")),
                (ResourceType::Api, "api_quotes", None),
            ] {
                let resource = Resource {
                    account_id: account.id.clone(),
                    kind,
                    id: id.parse().unwrap(),
                    name: format!("The {id}"),
                    integration_id: app.map(|app| app.parse().unwrap()),
                };
                engine.store.put_resource(&resource, now()).await.unwrap();
            }
        }
        let only_globex = Resource {
            account_id: globex().id,
            kind: ResourceType::Export,
            id: "exp_globex".parse().unwrap(),
            name: "Nobody else's".into(),
            integration_id: None,
        };
        engine
            .store
            .put_resource(&only_globex, now())
            .await
            .unwrap();
        engine
    }

    /// The audit table's items in the form of stream images, in the order of their ids.
    pub async fn audit_images(&self) -> Vec<Value> {
        self.images(AUDIT).await
    }

    /// The token table's items in the form of stream images, in the order of their sort keys.
    pub async fn token_images(&self) -> Vec<Value> {
        self.images(TOKENS).await
    }

    /// Puts items into the token table, many at a time and unchanged.
    pub fn load_tokens(&self, images: &[Value]) {
        self.load(TOKENS, images);
    }

    /// Puts items into the audit table, many at a time and unchanged.
    pub fn load_audit(&self, images: &[Value]) {
        self.load(AUDIT, images);
    }

    fn load(&self, table: &str, images: &[Value]) {
        let items = images.iter().map(Deserialize::deserialize);
        let items = items.collect::<Result<_, _>>().unwrap();
        let options = ImportOptions::default();
        self.database.import_items(table, items, options).unwrap();
    }

    /// Makes the tables hold these items and no others. What they hold already isn't written.
    pub async fn hold(&self, tokens: &[Value], audit: &[Value]) {
        let key =
            |image: &Value| ["pk", "sk"].map(|name| image[name]["S"].as_str().unwrap().to_owned());
        for (table, wanted) in [(TOKENS, tokens), (AUDIT, audit)] {
            let found = self.images(table).await;
            let kept: BTreeSet<_> = wanted.iter().map(key).collect();
            for [pk, sk] in found.iter().map(key).filter(|key| !kept.contains(key)) {
                let delete = self.client.delete_item().table_name(table);
                let delete = delete.key("pk", s(pk)).key("sk", s(sk));
                delete.send().await.unwrap();
            }
            let new = wanted.iter().filter(|image| !found.contains(image));
            self.load(table, &new.cloned().collect::<Vec<_>>());
        }
    }

    async fn images(&self, table: &str) -> Vec<Value> {
        let scan = self.client.scan().table_name(table).send().await.unwrap();
        let items = scan.items.unwrap_or_default().into_iter();
        let mut images: Vec<_> = items
            .map(|item| serde_json::to_value(serde_dynamo::Item::from(item)).unwrap())
            .collect();
        images.sort_by_key(|image| image["sk"]["S"].to_string());
        images
    }

    /// Switches the token table's stream off. A restored table has none.
    pub async fn stop_stream(&self) {
        let off = StreamSpecification::builder().stream_enabled(false);
        self.client
            .update_table()
            .table_name(TOKENS)
            .stream_specification(off.build().unwrap())
            .send()
            .await
            .unwrap();
    }

    /// Deletes the audit table, so that no record can be written.
    pub async fn break_audit(&self) {
        self.client
            .delete_table()
            .table_name(AUDIT)
            .send()
            .await
            .unwrap();
    }

    /// All items of the tables as text, which is the same for the same items. Counters are left out, since they stay
    /// raised whatever becomes of a request.
    pub async fn dump(&self) -> String {
        let mut dump = Vec::new();
        for table in [TOKENS, AUDIT] {
            // A deleted table has no items.
            let scan = self.client.scan().table_name(table).send().await;
            let items = scan.ok().and_then(|output| output.items);
            let items = items.into_iter().flatten().map(|item| render_map(&item));
            dump.extend(items.filter(|item| !item.contains("BUDGET#")));
        }
        dump.sort();
        dump.join("\n")
    }

    /// Creates a token with a new secret that a [`FakeVault`] encrypted.
    pub async fn add(&self, token: Token) -> StoredToken {
        let plain = PlainSecret::generate(token.kind, &System).unwrap();
        let vault = FakeVault::default();
        let sealed = vault.encrypt_secret(&token.account_id, &token.id, &plain);
        let stored = StoredToken {
            secret_hash: plain.hash(),
            ciphertext: sealed.await.unwrap(),
            previous_hash: None,
            token: Token {
                hint: plain.hint(),
                ..token
            },
        };
        self.insert(stored).await
    }

    /// Creates a token with these secrets.
    pub async fn insert(&self, stored: StoredToken) -> StoredToken {
        let (token, at) = (&stored.token, stored.token.created_at);
        let new = NewToken {
            audit: AuditRecord::new(Action::Create, token, vec![], origin(), at, &System).unwrap(),
            stored: stored.clone(),
            idempotency: None,
        };
        self.store.insert_token(&new).await.unwrap();
        stored
    }

    /// Revokes a token as its owner.
    pub async fn revoke(&self, before: StoredToken) -> StoredToken {
        let token = before.token.revoke(owner_actor(), now(), None).unwrap();
        let audit = AuditRecord::new(Action::Revoke, &token, vec![], origin(), now(), &System);
        let change = TokenChange {
            after: before.with(token, now()),
            before,
            compromised: None,
            audit: audit.unwrap(),
            idempotency: None,
        };
        self.store.change_token(&change).await.unwrap();
        change.after
    }

    /// Sends events and asserts that each gets its status and code and changes nothing.
    pub async fn refuses(
        &self,
        refusals: impl IntoIterator<Item = (Event, (u16, &str))>,
        answer: impl AsyncFn(Event) -> Answer,
    ) {
        let before = self.dump().await;
        for (event, outcome) in refusals {
            let what = format!("{event:?}");
            assert_eq!(answer(event).await.outcome(), outcome, "{what}");
        }
        assert_eq!(self.dump().await, before);
    }

    /// Events with a token that the account `acme` doesn't have, derived from one with [`token`]: the first token
    /// belongs to another account, the second to nobody, and the third is purged. Each comes with the status and code
    /// that it must get. `revoked` is for operations that accept revoked tokens.
    pub async fn out_of_reach(
        &self,
        event: &Event,
        revoked: bool,
    ) -> [(Event, (u16, &'static str)); 3] {
        let foreign = Token {
            account_id: globex().id,
            ..token()
        };
        let mortal = Token {
            purge_at: Some(now()),
            ..token_at(now())
        };
        let (foreign, purged) = (self.add(foreign).await, self.add(mortal).await);
        let id = purged.token.id.clone();
        if revoked {
            self.revoke(foreign).await;
            self.revoke(purged).await;
        }
        let of = |id: &str| event.clone().token(id);
        [event.clone(), of("tok_1"), of(id.as_str())].map(|event| (event, (404, "token_not_found")))
    }

    /// Removes the budgets' counters, so that a test can count the other items that are removed.
    pub async fn forget_counters(&self) {
        for image in self.token_images().await {
            let [pk, sk] = ["pk", "sk"].map(|name| image[name]["S"].as_str().unwrap());
            if pk.starts_with("BUDGET#") {
                let delete = self.client.delete_item().table_name(TOKENS);
                let delete = delete.key("pk", s(pk)).key("sk", s(sk));
                delete.send().await.unwrap();
            }
        }
    }

    /// Removes a token's item, as the time to live does.
    pub async fn remove(&self, token: &Token) {
        self.client
            .delete_item()
            .table_name(TOKENS)
            .key("pk", s(format!("ACCOUNT#{}", token.account_id)))
            .key("sk", s(format!("TOKEN#{}", token.id)))
            .send()
            .await
            .unwrap();
    }

    /// Adds a person's membership in an account, whether or not the account's profile has that member.
    pub async fn put_membership(&self, user: &str, account: &str) {
        self.client
            .put_item()
            .table_name(TOKENS)
            .item("pk", s(format!("USER#{user}")))
            .item("sk", s(format!("ACCOUNT#{account}")))
            .item("accountId", s(account))
            .send()
            .await
            .unwrap();
    }

    /// The stored token, if there is one.
    pub async fn stored(&self, account: &AccountId, id: &TokenId) -> Option<StoredToken> {
        self.store
            .get_token(account, id, Timestamp::MIN)
            .await
            .unwrap()
    }

    /// An account's tokens, purged ones included, newest first.
    pub async fn tokens(&self, account: &AccountId) -> Vec<Token> {
        let mut tokens = Vec::new();
        let mut query = TokenQuery {
            filter: TokenFilter::default(),
            order: TokenOrder::Newest,
            limit: 1_000,
            after: None,
        };
        loop {
            let page = self.store.list_tokens(account, &query, Timestamp::MIN);
            let page = page.await.unwrap();
            tokens.extend(page.items);
            match page.next {
                Some(next) => query.after = Some(next),
                None => return tokens,
            }
        }
    }

    /// The number of an account's tokens.
    pub async fn count_tokens(&self, account: &AccountId) -> usize {
        self.tokens(account).await.len()
    }

    /// The audit log of an account, newest first.
    pub async fn audit(&self, account: &AccountId) -> Vec<AuditRecord> {
        let mut records = Vec::new();
        let mut query = AuditQuery {
            token_id: None,
            filter: AuditFilter::default(),
            from: None,
            to: None,
            limit: 1_000,
            after: None,
        };
        loop {
            let page = self.store.list_audit(account, &query).await.unwrap();
            records.extend(page.items);
            match page.next {
                Some(next) => query.after = Some(next),
                None => return records,
            }
        }
    }
}

#[derive(Debug)]
struct Sleep;

impl aws_sdk_dynamodb::config::AsyncSleep for Sleep {
    fn sleep(&self, duration: std::time::Duration) -> aws_sdk_dynamodb::config::Sleep {
        aws_sdk_dynamodb::config::Sleep::new(tokio::time::sleep(duration))
    }
}

fn s(text: impl Into<String>) -> AttributeValue {
    AttributeValue::S(text.into())
}

/// An attribute as text. Maps are sorted, and bytes are decoded as the text that they may contain.
fn render(value: &AttributeValue) -> String {
    match value {
        AttributeValue::M(map) => render_map(map),
        AttributeValue::L(list) => format!("{:?}", list.iter().map(render).collect::<Vec<_>>()),
        AttributeValue::Ss(set) => format!("{:?}", set.iter().collect::<BTreeSet<_>>()),
        AttributeValue::B(bytes) => String::from_utf8_lossy(bytes.as_ref()).into_owned(),
        other => format!("{other:?}"),
    }
}

fn render_map(map: &HashMap<String, AttributeValue>) -> String {
    let map: BTreeMap<_, _> = map
        .iter()
        .map(|(name, value)| (name, render(value)))
        .collect();
    format!("{map:?}")
}

fn member(id: &str, name: &str, account: &str, role: Role, developer_mode: bool) -> Member {
    let user = id.split('-').next().unwrap_or_default();
    Member {
        id: id.parse().unwrap(),
        email: format!("{user}@{account}.example"),
        name: name.into(),
        role,
        developer_mode,
    }
}

/// The account with the enterprise plan.
pub fn acme() -> Account {
    Account {
        id: "acme".parse().unwrap(),
        name: "Acme".into(),
        plan: Plan::Enterprise,
        api_management: false,
        members: vec![
            member("owner-1", "Olive Owner", "acme", Role::Owner, true),
            member("admin-1", "Ada Admin", "acme", Role::Administrator, false),
            member("manage-1", "Max Manage", "acme", Role::Manage, true),
            member("monitor-1", "Mona Monitor", "acme", Role::Monitor, true),
        ],
    }
}

/// The account without a licence for longer lifetimes.
pub fn globex() -> Account {
    Account {
        id: "globex".parse().unwrap(),
        name: "Globex".into(),
        plan: Plan::Standard,
        api_management: false,
        members: vec![member("owner-2", "Otto Owner", "globex", Role::Owner, true)],
    }
}

fn number(name: &str) -> AttributeDefinition {
    AttributeDefinition::builder()
        .attribute_name(name)
        .attribute_type(ScalarAttributeType::N)
        .build()
        .unwrap()
}

/// An index over the active tokens of all accounts.
fn active_tokens(name: &str, range: &str, included: &[&str]) -> GlobalSecondaryIndex {
    let projection = if included.is_empty() {
        Projection::builder().projection_type(ProjectionType::KeysOnly)
    } else {
        let included = included.iter().map(ToString::to_string).collect();
        Projection::builder()
            .projection_type(ProjectionType::Include)
            .set_non_key_attributes(Some(included))
    };
    GlobalSecondaryIndex::builder()
        .index_name(name)
        .key_schema(element("activeShard", KeyType::Hash))
        .key_schema(element(range, KeyType::Range))
        .projection(projection.build())
        .build()
        .unwrap()
}

fn attribute(name: &str) -> AttributeDefinition {
    AttributeDefinition::builder()
        .attribute_name(name)
        .attribute_type(ScalarAttributeType::S)
        .build()
        .unwrap()
}

fn element(name: &str, kind: KeyType) -> KeySchemaElement {
    KeySchemaElement::builder()
        .attribute_name(name)
        .key_type(kind)
        .build()
        .unwrap()
}

async fn create_tokens(client: &Client) {
    let stream = StreamSpecification::builder()
        .stream_enabled(true)
        .stream_view_type(StreamViewType::NewAndOldImages)
        .build()
        .unwrap();
    client
        .create_table()
        .table_name(TOKENS)
        .billing_mode(BillingMode::PayPerRequest)
        .attribute_definitions(attribute("pk"))
        .attribute_definitions(attribute("sk"))
        .key_schema(element("pk", KeyType::Hash))
        .key_schema(element("sk", KeyType::Range))
        .attribute_definitions(attribute("activeShard"))
        .attribute_definitions(number("expiresAt"))
        .attribute_definitions(number("lastActivity"))
        .global_secondary_indexes(active_tokens(
            "byEnd",
            "expiresAt",
            &["autoPurge", "purgeAt", "reminded"],
        ))
        .global_secondary_indexes(active_tokens("byActivity", "lastActivity", &[]))
        .stream_specification(stream)
        .send()
        .await
        .unwrap();
    expire(client, TOKENS).await;
}

async fn expire(client: &Client, table: &str) {
    let ttl = TimeToLiveSpecification::builder()
        .enabled(true)
        .attribute_name("expiresAt")
        .build()
        .unwrap();
    client
        .update_time_to_live()
        .table_name(table)
        .time_to_live_specification(ttl)
        .send()
        .await
        .unwrap();
}

async fn create_audit(client: &Client) {
    let index = GlobalSecondaryIndex::builder()
        .index_name("byToken")
        .key_schema(element("tokenKey", KeyType::Hash))
        .key_schema(element("sk", KeyType::Range))
        .projection(
            Projection::builder()
                .projection_type(ProjectionType::All)
                .build(),
        )
        .build()
        .unwrap();
    client
        .create_table()
        .table_name(AUDIT)
        .billing_mode(BillingMode::PayPerRequest)
        .attribute_definitions(attribute("pk"))
        .attribute_definitions(attribute("sk"))
        .attribute_definitions(attribute("tokenKey"))
        .key_schema(element("pk", KeyType::Hash))
        .key_schema(element("sk", KeyType::Range))
        .global_secondary_indexes(index)
        .send()
        .await
        .unwrap();
    expire(client, AUDIT).await;
}

/// A key service in memory. It checks the encryption context, and fails on demand.
#[derive(Debug, Default)]
pub struct FakeVault {
    fails: AtomicBool,
}

impl FakeVault {
    /// Makes every further call fail like a throttled KMS.
    pub fn fail(&self) {
        self.fails.store(true, Ordering::Relaxed);
    }

    fn check(&self) -> Result<(), PortError> {
        if self.fails.load(Ordering::Relaxed) {
            return Err(PortError::Unavailable(
                "the key service is throttled".into(),
            ));
        }
        Ok(())
    }
}

/// Reverses the bytes, so that the plaintext can't be found in a table by accident.
fn scramble(text: &[u8]) -> Vec<u8> {
    text.iter().rev().map(|byte| byte ^ 0x5a).collect()
}

impl EncryptSecret for FakeVault {
    #[expect(clippy::disallowed_methods, reason = "stands in for KMS")]
    async fn encrypt_secret(
        &self,
        account: &AccountId,
        token: &TokenId,
        secret: &PlainSecret,
    ) -> Result<Ciphertext, PortError> {
        self.check()?;
        let text = format!("{account} {token} {}", secret.expose_secret());
        Ok(Ciphertext(scramble(text.as_bytes())))
    }
}

impl DecryptSecret for FakeVault {
    async fn decrypt_secret(
        &self,
        account: &AccountId,
        token: &TokenId,
        ciphertext: &Ciphertext,
    ) -> Result<PlainSecret, PortError> {
        self.check()?;
        let text = String::from_utf8(scramble(&ciphertext.0)).unwrap();
        let wrong = || PortError::Broken("the encryption context is wrong".into());
        let secret = text
            .strip_prefix(&format!("{account} {token} "))
            .ok_or_else(wrong)?;
        PlainSecret::parse(secret).map_err(|_| wrong())
    }
}
