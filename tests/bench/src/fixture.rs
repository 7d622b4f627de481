//! The measured setup: an engine with the two tables, an account and a token that was used today.

use std::collections::BTreeSet;
use std::error::Error;
use std::io::{BufRead, BufReader};
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, GlobalSecondaryIndex, KeySchemaElement, KeyType, Projection,
    ProjectionType, ScalarAttributeType,
};
use jiff::Timestamp;
use latchkey::aws::aws_config;
use latchkey::config::Tables;
use latchkey::domain::account::{Account, Member, Plan, Role};
use latchkey::domain::action::Action;
use latchkey::domain::actor::Actor;
use latchkey::domain::audit::{AuditRecord, Origin, Source};
use latchkey::domain::auto_purge::AutoPurge;
use latchkey::domain::change::NewToken;
use latchkey::domain::id::TokenId;
use latchkey::domain::kind::Kind;
use latchkey::domain::resource::{Resource, ResourceType};
use latchkey::domain::scope::{ResourceLists, Scope};
use latchkey::domain::secret::PlainSecret;
use latchkey::domain::token::{Ciphertext, Draft, StoredToken, Token};
use latchkey::domain::verification::SecretRecord;
use latchkey::ports::{Clock, InsertToken, ProjectPlatform};
use latchkey::store::Store;
use latchkey::system::System;
use serde::Deserialize;

use crate::load;

/// A gateway event that presents [`SECRET`]: `POST /v1/exports/exp_orders/invoke`.
pub const EVENT: &str = include_str!("../../../events/authorize/http-api.json");

/// The secret of the event.
pub const SECRET: &str = "lka_9zuQWWzsuUItctynUYyncDlKI5ZTuPizoWXgXaviRS63nAJ1Y";

/// An engine in a separate process. It stops when the value is dropped.
pub struct Engine {
    process: Child,
    address: Address,
}

#[derive(Deserialize)]
struct Address {
    http: String,
    https: String,
    authority: String,
}

/// The transport between a client and the engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// Without TLS, so that only the engine's own time adds to the client's.
    Http,
    /// With TLS, as on AWS.
    Https,
}

impl Engine {
    /// Starts the program of `bench-engine`.
    ///
    /// # Errors
    /// The program doesn't start.
    pub fn start(program: &str) -> Result<Self, Box<dyn Error>> {
        let mut process = Command::new(program)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut line = String::new();
        let output = process.stdout.take().ok_or("no output")?;
        BufReader::new(output).read_line(&mut line)?;
        Ok(Self {
            process,
            address: serde_json::from_str(&line)?,
        })
    }

    /// The id of the process.
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// The environment of a function, as Lambda and the template set it. The trusted certificate authorities are those
    /// of this machine, which are as many as on Lambda, and the engine's.
    ///
    /// # Errors
    /// The authorities can't be written to `directory`.
    pub fn environment(
        &self,
        transport: Transport,
        directory: &Path,
    ) -> Result<Vec<(String, String)>, Box<dyn Error>> {
        let all = directory.join("authorities.pem");
        let own = directory.join("authority.pem");
        let system = AUTHORITIES
            .iter()
            .find_map(|path| std::fs::read_to_string(path).ok());
        let system = system.unwrap_or_default();
        std::fs::write(&all, format!("{system}\n{}", self.address.authority))?;
        std::fs::write(&own, &self.address.authority)?;
        let endpoint = match transport {
            Transport::Http => &self.address.http,
            Transport::Https => &self.address.https,
        };
        let (all, own) = (all.display().to_string(), own.display().to_string());
        let variables = [
            ("PATH", std::env::var("PATH").unwrap_or_default()),
            ("TZ", ":UTC".into()),
            ("AWS_ENDPOINT_URL", endpoint.clone()),
            ("AWS_REGION", "us-east-1".into()),
            ("AWS_DEFAULT_REGION", "us-east-1".into()),
            ("AWS_ACCESS_KEY_ID", "bench".into()),
            ("AWS_SECRET_ACCESS_KEY", "bench".into()),
            ("AWS_SESSION_TOKEN", "bench".into()),
            // For Rust, Python and Node.js. Node.js has built-in public authorities.
            ("SSL_CERT_FILE", all.clone()),
            ("AWS_CA_BUNDLE", all),
            ("NODE_EXTRA_CA_CERTS", own),
            // Otherwise it would warn about its own age.
            ("NODE_NO_WARNINGS", "1".into()),
            ("TOKENS_TABLE", TOKENS.into()),
            ("AUDIT_TABLE", AUDIT.into()),
            ("AUDIT_RETENTION_DAYS", "400".into()),
        ];
        Ok(variables
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value))
            .collect())
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The files in which distributions keep the authorities.
const AUTHORITIES: [&str; 2] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
];

const TOKENS: &str = "Tokens";
const AUDIT: &str = "Audit";

/// Fills the engine that the environment names: the tables, an account, and a token whose use today is on record
/// already, as in all calls but the first ones.
///
/// # Errors
/// The engine refuses a write.
pub async fn seed() -> Result<(), Box<dyn Error>> {
    let store = fill(&["192.0.2.0/24"]).await?;
    let answer = authorize::handle(&store, &System, serde_json::from_str(EVENT)?).await;
    let answer = answer.map_err(|error| error.to_string())?;
    granted(&serde_json::to_vec(&answer)?)
}

/// As [`seed`], with a token that may be used from this machine, and without a use.
///
/// # Errors
/// The engine refuses a write.
pub async fn seed_peers() -> Result<(), Box<dyn Error>> {
    fill(&[]).await.map(drop)
}

/// Fills the engine with the tables, the account, and the token with these address ranges.
async fn fill(ranges: &[&str]) -> Result<Store, Box<dyn Error>> {
    let config = aws_config().await;
    let client = Client::new(&config);
    // The template's indexes, because the engine spends time on them. There, the first has three more attributes.
    let keys = || ProjectionType::KeysOnly;
    let by_end = ("byEnd", "activeShard", "expiresAt", keys());
    let by_activity = ("byActivity", "activeShard", "lastActivity", keys());
    create_table(&client, TOKENS, &[by_end, by_activity]).await?;
    let by_token = ("byToken", "tokenKey", "sk", ProjectionType::All);
    create_table(&client, AUDIT, &[by_token]).await?;
    let store = Store::new(&config, Tables::from_env()?);
    let account = account("acme")?;
    store.put_account(&account, System.now()).await?;
    let stored = token(&account, ranges, System.now())?;
    let origin = Origin {
        source: Source::Api,
        actor: Actor::system(),
        ip: Some(IpAddr::V4(Ipv4Addr::LOCALHOST)),
        user_agent: None,
        request_id: "bench".into(),
        trace_id: None,
    };
    let audit = AuditRecord::new(
        Action::Create,
        &stored.token,
        vec![],
        origin,
        System.now(),
        &System,
    )?;
    let new = NewToken {
        stored,
        audit,
        idempotency: None,
    };
    store.insert_token(&new).await?;
    Ok(store)
}

/// Adds the accounts under load, with the resources that the sample events name.
///
/// # Errors
/// The engine refuses a write.
pub async fn seed_load() -> Result<(), Box<dyn Error>> {
    let store = Store::new(&aws_config().await, Tables::from_env()?);
    for number in 0..load::ACCOUNTS {
        let account = account(&load::account(number))?;
        store.put_account(&account, System.now()).await?;
        for (kind, id) in [
            (ResourceType::Export, "exp_orders"),
            (ResourceType::Import, "imp_stock"),
        ] {
            let resource = Resource {
                account_id: account.id.clone(),
                kind,
                id: id.parse()?,
                name: format!("The {id}"),
                integration_id: None,
            };
            store.put_resource(&resource, System.now()).await?;
        }
    }
    Ok(())
}

fn account(id: &str) -> Result<Account, Box<dyn Error>> {
    Ok(Account {
        id: id.parse()?,
        name: "Acme".into(),
        plan: Plan::Enterprise,
        api_management: true,
        members: vec![Member {
            id: "owner-1".parse()?,
            email: "owner@acme.example".into(),
            name: "Olive Owner".into(),
            role: Role::Owner,
            developer_mode: true,
        }],
    })
}

/// Checks that a function allowed the call.
///
/// # Errors
/// The function didn't allow it.
pub fn granted(answer: &[u8]) -> Result<(), Box<dyn Error>> {
    // Searched without parsing, since this takes measured time too. Python adds a space.
    let yes: [&[u8]; 2] = [br#"{"isAuthorized":true"#, br#"{"isAuthorized": true"#];
    if yes.iter().any(|yes| answer.starts_with(yes)) {
        return Ok(());
    }
    Err(format!("not let through: {}", String::from_utf8_lossy(answer)).into())
}

/// The record of the event's secret.
///
/// # Errors
/// The secret is malformed.
pub fn secret_record() -> Result<SecretRecord, Box<dyn Error>> {
    let stored = token(&account("acme")?, &["192.0.2.0/24"], System.now())?;
    Ok(SecretRecord::of(&stored.token, stored.secret_hash))
}

fn token(
    account: &Account,
    ranges: &[&str],
    now: Timestamp,
) -> Result<StoredToken, Box<dyn Error>> {
    let plain = PlainSecret::parse(SECRET)?;
    let mut lists = ResourceLists::default();
    lists.exports.insert("exp_orders".parse()?);
    let draft = Draft {
        kind: Kind::Account,
        integration_id: None,
        name: "Warehouse sync".into(),
        description: "Kept in the warehouse's vault".into(),
        auto_purge: AutoPurge::ThirtyDays,
        scope: Scope::Custom(lists),
        allowed_cidrs: ranges
            .iter()
            .map(|range| range.parse())
            .collect::<Result<_, _>>()?,
    };
    let id = TokenId::generate(now, &System)?;
    let owner = Actor::system();
    Ok(StoredToken {
        token: Token::create(id, account.id.clone(), draft, plain.hint(), owner, now),
        secret_hash: plain.hash(),
        ciphertext: Ciphertext(b"sealed".to_vec()),
        previous_hash: None,
    })
}

/// Creates a table with indexes. Each index is a name, the attribute of its partitions, that of its order, and what it
/// has of an item.
async fn create_table(
    client: &Client,
    name: &str,
    indexes: &[(&str, &str, &str, ProjectionType)],
) -> Result<(), Box<dyn Error>> {
    let mut table = client
        .create_table()
        .table_name(name)
        .billing_mode(BillingMode::PayPerRequest)
        .set_key_schema(Some(key("pk", "sk")?));
    let mut attributes = BTreeSet::from(["pk", "sk"]);
    for (index, partition, order, projection) in indexes {
        attributes.extend([*partition, *order]);
        let projection = Projection::builder().projection_type(projection.clone());
        let index = GlobalSecondaryIndex::builder()
            .index_name(*index)
            .set_key_schema(Some(key(partition, order)?))
            .projection(projection.build());
        table = table.global_secondary_indexes(index.build()?);
    }
    for attribute in attributes {
        let number = ["expiresAt", "lastActivity"].contains(&attribute);
        let kind = if number {
            ScalarAttributeType::N
        } else {
            ScalarAttributeType::S
        };
        let attribute = AttributeDefinition::builder()
            .attribute_name(attribute)
            .attribute_type(kind);
        table = table.attribute_definitions(attribute.build()?);
    }
    table.send().await?;
    Ok(())
}

fn key(partition: &str, order: &str) -> Result<Vec<KeySchemaElement>, Box<dyn Error>> {
    let element = |name, kind| {
        let element = KeySchemaElement::builder().attribute_name(name);
        element.key_type(kind).build()
    };
    Ok(vec![
        element(partition, KeyType::Hash)?,
        element(order, KeyType::Range)?,
    ])
}
