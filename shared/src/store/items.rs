//! The stored form of the tables' items.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::str::FromStr;

use aws_sdk_dynamodb::types::AttributeValue;
use ipnet::IpNet;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

use super::table::Item;
use crate::domain::action::Action;
use crate::domain::actor::Actor;
use crate::domain::audit::{AuditRecord, Change, Origin, Source};
use crate::domain::auto_purge::AutoPurge;
use crate::domain::id::{AccountId, AuditId, IntegrationId, TokenId, TraceId, UserId};
use crate::domain::kind::Kind;
use crate::domain::resource::{ResourceRef, ResourceType};
use crate::domain::scope::{ResourceLists, Scope};
use crate::domain::secret::SecretHash;
use crate::domain::text::redact;
use crate::domain::token::{
    Ciphertext, Ended, LastUse, PreviousSecret, Revocation, Status, StoredToken, Token,
};
use crate::domain::verification::{
    Refusal, RefusedDays, SecretRecord, SecretState, Seen, UsedFrom, tombstone_end,
};
use crate::ports::PortError;

pub(super) fn account_key(account: &AccountId) -> String {
    format!("ACCOUNT#{account}")
}

pub(super) fn user_key(user: &UserId) -> String {
    format!("USER#{user}")
}

/// The partition of an account's profile. Only the projection of the platform writes to it.
pub(super) fn profile_key(account: &AccountId) -> String {
    format!("PROFILE#{account}")
}

/// The partition of an account's resources and Integration Apps. Only the projection of the platform writes to it.
pub(super) fn resources_key(account: &AccountId) -> String {
    format!("RESOURCE#{account}")
}

/// The partition of the choices of mails of an account's members.
pub(super) fn preferences_key(account: &AccountId) -> String {
    format!("PREFERENCES#{account}")
}

/// The partition of a secret's recorded uses. Verifications write to no other partition of this table.
pub(super) fn seen_key(hash: SecretHash) -> String {
    format!("SEEN#{}", hash.to_hex())
}

/// The partition of an account's records of uses and refusals. Verifications write to no other partition of the audit
/// table.
pub(super) fn use_key(account: &AccountId) -> String {
    format!("USE#{account}")
}

/// Whether verifications write records of this action.
pub(super) fn is_use(action: Action) -> bool {
    matches!(action, Action::Access | Action::Refused)
}

pub(super) const PROFILE: &str = "PROFILE";

pub(super) const SEEN: &str = "SEEN";

pub(super) const TOKEN_PREFIX: &str = "TOKEN#";

pub(super) fn token_key(token: &TokenId) -> String {
    format!("{TOKEN_PREFIX}{token}")
}

pub(super) fn resource_key(name: &ResourceRef) -> String {
    format!("{}#{}", name.kind.as_str(), name.id)
}

/// The resource of a sort key.
pub(super) fn resource_of_key(key: &str) -> Option<ResourceRef> {
    let (kind, id) = key.split_once('#')?;
    Some(ResourceRef {
        kind: ResourceType::parse(kind)?,
        id: id.parse().ok()?,
    })
}

/// The common prefix of the sort keys of a type's resources.
pub(super) fn resource_prefix(kind: ResourceType) -> String {
    format!("{}#", kind.as_str())
}

/// The common prefix of the sort keys of Integration Apps. They are before all resources, whose types are in lower case.
pub(super) const INTEGRATION_PREFIX: &str = "INTEGRATION#";

/// Sorts after all Integration Apps and before all resources: `$` follows `#`.
pub(super) const AFTER_INTEGRATIONS: &str = "INTEGRATION$";

pub(super) fn integration_key(id: &IntegrationId) -> String {
    format!("{INTEGRATION_PREFIX}{id}")
}

/// The Integration App of a sort key.
pub(super) fn integration_of_key(key: &str) -> Option<IntegrationId> {
    key.strip_prefix(INTEGRATION_PREFIX)?.parse().ok()
}

pub(super) fn idempotency_key(key: &str) -> String {
    format!("IDEMPOTENCY#{key}")
}

pub(super) fn secret_key(hash: SecretHash) -> String {
    format!("SECRET#{}", hash.to_hex())
}

pub(super) const SECRET: &str = "SECRET";

/// The key of the audit index. It contains the account, so that the id of another account's token finds nothing.
pub(super) fn audit_token_key(account: &AccountId, token: &TokenId) -> String {
    format!("ACCOUNT#{account}#TOKEN#{token}")
}

/// The time to live for an instant, in seconds since 1970, rounded up.
pub(super) fn expiry(instant: Timestamp) -> i64 {
    let second = instant.as_second();
    if instant.subsec_nanosecond() > 0 {
        second.saturating_add(1)
    } else {
        second
    }
}

pub(super) fn to_item(item: &impl Serialize) -> Result<Item, PortError> {
    serde_dynamo::to_item(item)
        .map_err(|error| PortError::broken("an item doesn't serialize", error))
}

/// The attributes of an item that aren't null.
pub(super) fn without_nulls(mut item: Item) -> Item {
    item.retain(|_, value| !value.is_null());
    item
}

/// Attributes of tokens that only earlier versions store. An update removes them.
pub(super) const FORMER_TOKEN_ATTRIBUTES: [&str; 1] = ["retired"];

/// The number of shards of the indexes over all active tokens. It is large enough that writes don't reach a partition's
/// limit, and small enough that each shard can be queried every day.
pub(super) const SHARDS: u8 = 32;

/// The key of a shard of these indexes.
pub(super) fn shard_key(shard: u8) -> String {
    format!("ACTIVE#{shard:02}")
}

/// The shard of a token. The end of its id is random.
fn shard_of(token: &TokenId) -> u8 {
    let last = token.as_str().bytes().last();
    last.map_or(0, |byte| byte % SHARDS)
}

/// The account and the token of a token's keys.
pub(super) fn token_of_keys(pk: &str, sk: &str) -> Option<(AccountId, TokenId)> {
    let account = pk.strip_prefix("ACCOUNT#")?.parse().ok()?;
    let token = sk.strip_prefix(TOKEN_PREFIX)?.parse().ok()?;
    Some((account, token))
}

/// A token. In what is written, an attribute that it lacks is null.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct TokenItem {
    pk: String,
    sk: String,
    id: TokenId,
    account_id: AccountId,
    kind: Kind,
    integration_id: Option<IntegrationId>,
    name: String,
    description: String,
    auto_purge: AutoPurge,
    purge_at: Option<Timestamp>,
    scope: Scope,
    allowed_cidrs: Vec<IpNet>,
    status: Status,
    hint: String,
    version: u64,
    created_at: Timestamp,
    created_by: Actor,
    updated_at: Timestamp,
    updated_by: Actor,
    revoked_at: Option<Timestamp>,
    revoked_by: Option<Actor>,
    revocation_reason: Option<String>,
    account_deleted: Option<bool>,
    compromised_at: Option<Timestamp>,
    compromised_by: Option<Action>,
    /// The first version's mark of a reported leak.
    leak_reported: Option<bool>,
    last_used_at: Option<Timestamp>,
    last_used_ip: Option<IpAddr>,
    secret_hash: SecretHash,
    ciphertext: ByteBuf,
    #[serde(alias = "retired")]
    previous_secret: Option<PreviousSecretItem>,
    expires_at: Option<i64>,
    /// For the index of idle tokens, in seconds.
    #[serde(skip_deserializing)]
    last_activity: i64,
    /// Set for active tokens only, since only these are in the indexes.
    #[serde(skip_deserializing)]
    active_shard: Option<String>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct PreviousSecretItem {
    hash: SecretHash,
    /// Empty if the first version stored the item.
    #[serde(default)]
    hint: String,
    #[serde(alias = "valid_until")]
    valid_until: Timestamp,
}

impl From<&StoredToken> for TokenItem {
    fn from(stored: &StoredToken) -> Self {
        let token = stored.token.clone();
        let status = token.status();
        let last_activity = token.last_activity().as_second();
        let active_shard = (status == Status::Active).then(|| shard_key(shard_of(&token.id)));
        let account_deleted = token.revocation.as_ref().map(|it| it.account_deleted);
        let previous = stored.previous_hash.zip(token.previous_secret);
        let previous_secret = previous.map(|(hash, previous)| PreviousSecretItem {
            hash,
            hint: previous.hint,
            valid_until: previous.valid_until,
        });
        let (revoked_at, revoked_by, revocation_reason) = match token.revocation {
            Some(revocation) => (Some(revocation.at), Some(revocation.by), revocation.reason),
            None => (None, None, None),
        };
        Self {
            pk: account_key(&token.account_id),
            sk: token_key(&token.id),
            id: token.id,
            account_id: token.account_id,
            kind: token.kind,
            integration_id: token.integration_id,
            name: token.name,
            description: token.description,
            auto_purge: token.auto_purge,
            purge_at: token.purge_at,
            scope: token.scope,
            allowed_cidrs: token.allowed_cidrs,
            status,
            hint: token.hint,
            version: token.version,
            created_at: token.created_at,
            created_by: token.created_by,
            updated_at: token.updated_at,
            updated_by: token.updated_by,
            revoked_at,
            revoked_by,
            revocation_reason,
            account_deleted: account_deleted.filter(|deleted| *deleted),
            compromised_at: token.compromised.map(|ended| ended.at),
            compromised_by: token.compromised.map(|ended| ended.by),
            leak_reported: None,
            last_used_at: token.last_use.map(|used| used.at),
            last_used_ip: token.last_use.map(|used| used.ip),
            secret_hash: stored.secret_hash,
            ciphertext: ByteBuf::from(stored.ciphertext.0.clone()),
            previous_secret,
            expires_at: token.purge_at.map(expiry),
            last_activity,
            active_shard,
        }
    }
}

impl From<TokenItem> for StoredToken {
    fn from(item: TokenItem) -> Self {
        let revocation = match (item.revoked_at, item.revoked_by) {
            (Some(at), Some(by)) => Some(Revocation {
                at,
                by,
                reason: item.revocation_reason,
                account_deleted: item.account_deleted.unwrap_or_default(),
            }),
            _ => None,
        };
        let last_use = match (item.last_used_at, item.last_used_ip) {
            (Some(at), Some(ip)) => Some(LastUse { at, ip }),
            _ => None,
        };
        let leaked = item.leak_reported.unwrap_or_default();
        let compromised = item
            .compromised_at
            .or(item.revoked_at.filter(|_| leaked))
            .map(|at| Ended {
                at,
                by: item.compromised_by.unwrap_or(Action::Leak),
            });
        let (previous_hash, previous_secret) = item
            .previous_secret
            .map(|previous| {
                let (hint, valid_until) = (previous.hint, previous.valid_until);
                (previous.hash, PreviousSecret { hint, valid_until })
            })
            .unzip();
        Self {
            token: Token {
                id: item.id,
                account_id: item.account_id,
                kind: item.kind,
                integration_id: item.integration_id,
                name: item.name,
                description: item.description,
                auto_purge: item.auto_purge,
                purge_at: item.purge_at,
                scope: item.scope,
                allowed_cidrs: item.allowed_cidrs,
                hint: item.hint,
                version: item.version,
                created_at: item.created_at,
                created_by: item.created_by,
                updated_at: item.updated_at,
                updated_by: item.updated_by,
                revocation,
                compromised,
                previous_secret,
                last_use,
            },
            secret_hash: item.secret_hash,
            ciphertext: Ciphertext(item.ciphertext.into_vec()),
            previous_hash,
        }
    }
}

/// Attributes of secrets that only earlier versions store. An update removes them.
pub(super) const FORMER_SECRET_ATTRIBUTES: [&str; 2] = ["seenDay", "seenAddresses"];

/// A secret, as it is written: an attribute that it lacks is null.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SecretItem {
    pk: String,
    sk: String,
    hash: SecretHash,
    account_id: AccountId,
    token_id: TokenId,
    token_name: String,
    token_hint: String,
    kind: Kind,
    integration_id: Option<IntegrationId>,
    status: Status,
    scope: Scope,
    purge_at: Option<Timestamp>,
    valid_until: Option<Timestamp>,
    allowed_cidrs: Vec<IpNet>,
    state: SecretState,
    ended_at: Option<Timestamp>,
    ended_by: Option<Action>,
    expires_at: Option<i64>,
}

impl SecretItem {
    /// The item of a secret that its token still has.
    pub(super) fn of(record: SecretRecord) -> Self {
        let kept_until = record.kept_until();
        Self::new(record, kept_until)
    }

    /// The item of a secret that its token no longer has.
    pub(super) fn tombstone(record: SecretRecord, ended: Timestamp) -> Self {
        Self::new(record, Some(tombstone_end(ended)))
    }

    fn new(record: SecretRecord, kept_until: Option<Timestamp>) -> Self {
        Self {
            pk: secret_key(record.hash),
            sk: SECRET.into(),
            hash: record.hash,
            account_id: record.account_id,
            token_id: record.token_id,
            token_name: record.token_name,
            token_hint: record.token_hint,
            kind: record.kind,
            integration_id: record.integration_id,
            status: record.status,
            scope: record.scope,
            purge_at: record.purge_at,
            valid_until: record.valid_until,
            allowed_cidrs: record.allowed_cidrs,
            state: record.state,
            ended_at: record.ended.map(|ended| ended.at),
            ended_by: record.ended.map(|ended| ended.by),
            expires_at: kept_until.map(expiry),
        }
    }
}

/// Reads a [`SecretItem`] attribute by attribute. Every call to the platform waits for this, and serde's data model
/// would take several times as long.
///
/// Unknown values fail closed: a status, a state or a scope that this version doesn't know is read as one that is
/// refused.
pub(super) fn read_secret(hash: SecretHash, item: Item) -> Result<SecretRecord, PortError> {
    let mut item = Attributes(item);
    let valid_until = item.take("validUntil", |text| text.parse().ok())?;
    let state = item.text("state")?;
    // The first version stored no states.
    let implied = if valid_until.is_some() {
        SecretState::Retired
    } else {
        SecretState::Current
    };
    let ended_at = item.take("endedAt", |text| text.parse().ok())?;
    let ended_by = item.take("endedBy", |text| Action::parse(&text))?;
    let (scope, is_known) = item.scope()?;
    let status = item.need("status", |text| {
        Some(Status::parse(&text).unwrap_or(Status::Revoked))
    })?;
    Ok(SecretRecord {
        hash,
        account_id: item.need("accountId", |text| text.try_into().ok())?,
        token_id: item.need("tokenId", |text| text.try_into().ok())?,
        token_name: item.need("tokenName", Some)?,
        token_hint: item.need("tokenHint", Some)?,
        kind: item.need("kind", |text| Kind::parse(&text))?,
        integration_id: item.take("integrationId", |text| text.try_into().ok())?,
        status: if is_known { status } else { Status::Revoked },
        state: state.map_or(implied, |state| SecretState::of_stored(&state)),
        scope,
        purge_at: item.take("purgeAt", |text| text.parse().ok())?,
        valid_until,
        allowed_cidrs: item.list("allowedCidrs")?,
        ended: ended_at.zip(ended_by).map(|(at, by)| Ended { at, by }),
    })
}

/// The name of the attribute that counts a secret's refusals for a reason.
pub(super) fn refusal_attribute(refusal: Refusal) -> String {
    format!("refused:{}", refusal.as_str())
}

/// Reads a secret's recorded uses.
pub(super) fn read_seen(item: Item) -> Result<Seen, PortError> {
    let mut item = Attributes(item);
    let seen: BTreeSet<IpAddr> = item.set("addresses")?;
    let asserted: BTreeSet<IpAddr> = item.set("assertedAddresses")?;
    let last_used = item.take("lastUsedAt", |text| text.parse().ok())?;
    let last_ip = item.take("lastUsedIp", |text| text.parse().ok())?;
    let mut refusals = BTreeMap::new();
    for refusal in Refusal::ALL {
        let name = refusal_attribute(refusal);
        let Some(AttributeValue::M(days)) = item.0.remove(&name) else {
            continue;
        };
        let mut days = Attributes(days);
        let last = days.need("last", |text| text.parse().ok())?;
        let count = days.number("count")?.ok_or_else(|| broken(&name))?;
        refusals.insert(refusal, RefusedDays { last, count });
    }
    Ok(Seen {
        day: item.take("day", |text| text.parse().ok())?,
        addresses: seen
            .into_iter()
            .map(UsedFrom::Seen)
            .chain(asserted.into_iter().map(UsedFrom::Asserted))
            .collect(),
        crowded_hour: item.number("crowdedHour")?,
        refusals,
        last_use: last_used.zip(last_ip).map(|(at, ip)| LastUse { at, ip }),
    })
}

fn broken(name: &str) -> PortError {
    PortError::Broken(format!("an item doesn't parse: `{name}`").into())
}

/// An item whose attributes are being read.
struct Attributes(Item);

impl Attributes {
    /// Reads an optional text.
    fn take<T>(
        &mut self,
        name: &str,
        read: fn(String) -> Option<T>,
    ) -> Result<Option<T>, PortError> {
        let text = self.text(name)?;
        text.map(|text| read(text).ok_or_else(|| broken(name)))
            .transpose()
    }

    /// Reads a required text.
    fn need<T>(&mut self, name: &str, read: fn(String) -> Option<T>) -> Result<T, PortError> {
        self.take(name, read)?.ok_or_else(|| broken(name))
    }

    fn text(&mut self, name: &str) -> Result<Option<String>, PortError> {
        match self.0.remove(name) {
            None => Ok(None),
            Some(AttributeValue::S(text)) => Ok(Some(text)),
            Some(_) => Err(broken(name)),
        }
    }

    fn number<T: FromStr>(&mut self, name: &str) -> Result<Option<T>, PortError> {
        match self.0.remove(name) {
            None => Ok(None),
            Some(AttributeValue::N(number)) => number.parse().map(Some).map_err(|_| broken(name)),
            Some(_) => Err(broken(name)),
        }
    }

    /// Reads a required list of texts.
    fn list<T: FromStr, L: FromIterator<T>>(&mut self, name: &str) -> Result<L, PortError> {
        let Some(AttributeValue::L(values)) = self.0.remove(name) else {
            return Err(broken(name));
        };
        let texts = values.into_iter().map(|value| match value {
            AttributeValue::S(text) => text.parse().map_err(|_| broken(name)),
            _ => Err(broken(name)),
        });
        texts.collect()
    }

    /// Reads an optional set of texts; empty if it is absent.
    fn set<T: FromStr + Ord>(&mut self, name: &str) -> Result<BTreeSet<T>, PortError> {
        match self.0.remove(name) {
            None => Ok(BTreeSet::new()),
            Some(AttributeValue::Ss(texts)) => {
                let texts = texts.into_iter().map(|text| text.parse());
                texts.collect::<Result<_, _>>().map_err(|_| broken(name))
            }
            Some(_) => Err(broken(name)),
        }
    }

    /// Reads the required scope, and whether this version knows its type. An unknown type is read as a scope without
    /// resources.
    fn scope(&mut self) -> Result<(Scope, bool), PortError> {
        let Some(AttributeValue::M(scope)) = self.0.remove("scope") else {
            return Err(broken("scope"));
        };
        let mut scope = Self(scope);
        match scope.text("type")?.as_deref() {
            Some("full") => Ok((Scope::Full, true)),
            Some("custom") => {
                let mut lists = ResourceLists::default();
                for kind in ResourceType::ALL {
                    *lists.of_mut(kind) = scope.list(kind.collection())?;
                }
                Ok((Scope::Custom(lists), true))
            }
            _ => Ok((Scope::Custom(ResourceLists::default()), false)),
        }
    }
}

/// The token of a key of the audit index, if it is of this account.
pub(super) fn token_of_audit_key(account: &AccountId, key: &str) -> Option<TokenId> {
    let rest = key.strip_prefix(&account_key(account))?;
    rest.strip_prefix('#')?
        .strip_prefix(TOKEN_PREFIX)?
        .parse()
        .ok()
}

/// The names of the attributes of [`AuditItem`].
pub(super) const AUDIT_ATTRIBUTES: [&str; 18] = [
    "pk",
    "sk",
    "tokenKey",
    "accountId",
    "time",
    "action",
    "source",
    "user",
    "tokenId",
    "tokenName",
    "tokenHint",
    "changes",
    "ip",
    "assertedIp",
    "userAgent",
    "requestId",
    "traceId",
    "expiresAt",
];

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct AuditItem {
    pk: String,
    sk: AuditId,
    token_key: String,
    account_id: AccountId,
    time: Timestamp,
    action: Action,
    source: Source,
    user: Actor,
    token_id: TokenId,
    token_name: String,
    token_hint: String,
    changes: Vec<Change>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ip: Option<IpAddr>,
    #[serde(skip_serializing_if = "Option::is_none")]
    asserted_ip: Option<IpAddr>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_agent: Option<String>,
    request_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    trace_id: Option<TraceId>,
    expires_at: i64,
}

impl AuditItem {
    /// The item of a record. Names from tokens and profiles are redacted here, since they may be older than the rules
    /// for texts: a token that is named like its secret must not have that name on record.
    pub(super) fn new(record: &AuditRecord, expires: Timestamp) -> Self {
        let mut record = record.clone();
        let values = record.changes.iter_mut();
        let values = values.flat_map(|change| [&mut change.old, &mut change.new]);
        let names = [&mut record.token_name, &mut record.origin.actor.name];
        for text in values.flatten().chain(names) {
            *text = redact(text);
        }
        Self {
            pk: if is_use(record.action) {
                use_key(&record.account_id)
            } else {
                account_key(&record.account_id)
            },
            token_key: audit_token_key(&record.account_id, &record.token_id),
            sk: record.id,
            account_id: record.account_id,
            time: record.time,
            action: record.action,
            source: record.origin.source,
            user: record.origin.actor,
            token_id: record.token_id,
            token_name: record.token_name,
            token_hint: record.token_hint,
            changes: record.changes,
            ip: record.origin.ip,
            asserted_ip: record.asserted_ip,
            user_agent: record.origin.user_agent,
            request_id: record.origin.request_id,
            trace_id: record.origin.trace_id,
            expires_at: expiry(expires),
        }
    }
}

impl From<AuditItem> for AuditRecord {
    fn from(item: AuditItem) -> Self {
        Self {
            id: item.sk,
            account_id: item.account_id,
            time: item.time,
            action: item.action,
            origin: Origin {
                source: item.source,
                actor: item.user,
                ip: item.ip,
                user_agent: item.user_agent,
                request_id: item.request_id,
                trace_id: item.trace_id,
            },
            asserted_ip: item.asserted_ip,
            token_id: item.token_id,
            token_name: item.token_name,
            token_hint: item.token_hint,
            changes: item.changes,
        }
    }
}
