//! Whether a presented secret is good for a request: one pure function for every verifier.

use std::collections::BTreeSet;
use std::net::IpAddr;

use ipnet::IpNet;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::audit::{Action, Actor, AuditRecord, Change, Origin, Source, kept_user_agent};
use super::id::{AccountId, IntegrationId, TokenId};
use super::policy::{self, Obligation, Operation, Owner, Permission};
use super::ports::{Clock, Entropy, GetResources, GetSecret, PortError, RecordUse, Use};
use super::resource::ResourceRef;
use super::scope::Scope;
use super::secret::{PlainSecret, SecretHash, redact};
use super::token::{Kind, LastUse, Status, StoredToken, Token};

/// The most addresses a secret remembers of a day. Further ones go unrecorded until the next day, so
/// that whoever calls from wherever can neither grow the item nor flood the mailboxes.
pub const MAX_SEEN_ADDRESSES: usize = 32;

/// Everything a verification needs, found by the secret's hash in one read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretRecord {
    /// The key.
    pub hash: SecretHash,
    /// The token's account.
    pub account_id: AccountId,
    /// The token.
    pub token_id: TokenId,
    /// Its name, for the audit record of a use.
    pub token_name: String,
    /// Its hint, for the same.
    pub token_hint: String,
    /// What it acts as.
    pub kind: Kind,
    /// Its Integration App.
    pub integration_id: Option<IntegrationId>,
    /// Whether it may be used.
    pub status: Status,
    /// What it may touch.
    pub scope: Scope,
    /// The instant from which the token is gone.
    pub purge_at: Option<Timestamp>,
    /// The end of a grace period, for a secret that has been replaced.
    pub valid_until: Option<Timestamp>,
    /// From where it may be used; empty means from anywhere.
    pub allowed_cidrs: Vec<IpNet>,
    /// The uses that are on record.
    pub seen: Seen,
}

impl SecretRecord {
    /// The record that belongs to a token's current secret.
    pub fn of(token: &Token, hash: SecretHash) -> Self {
        Self {
            hash,
            account_id: token.account_id.clone(),
            token_id: token.id.clone(),
            token_name: token.name.clone(),
            token_hint: token.hint.clone(),
            kind: token.kind,
            integration_id: token.integration_id.clone(),
            status: token.status(),
            scope: token.scope.clone(),
            purge_at: token.purge_at,
            valid_until: None,
            allowed_cidrs: token.allowed_cidrs.clone(),
            seen: Seen::default(),
        }
    }

    /// Whether its purge time or its grace period is over: it is gone for everybody, whether or not
    /// the table still has it.
    pub fn is_over(&self, now: Timestamp) -> bool {
        self.end().is_some_and(|end| end <= now)
    }

    /// The instant from which it is gone; `None` for never.
    pub fn end(&self) -> Option<Timestamp> {
        [self.purge_at, self.valid_until]
            .into_iter()
            .flatten()
            .min()
    }

    /// The records that belong to all of a token's secrets.
    pub fn all_of(stored: &StoredToken) -> Vec<Self> {
        let retired = stored.retired.iter().map(|retired| Self {
            valid_until: Some(retired.valid_until),
            ..Self::of(&stored.token, retired.hash)
        });
        std::iter::once(Self::of(&stored.token, stored.secret_hash))
            .chain(retired)
            .collect()
    }
}

/// Which uses of a secret are on record: those of its last recorded day.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Seen {
    /// The day, in UTC; `None` before the first use.
    pub day: Option<Date>,
    /// The addresses of that day, at most [`MAX_SEEN_ADDRESSES`].
    pub addresses: BTreeSet<IpAddr>,
}

impl Seen {
    /// What is to be remembered after a use, or `None` if the use is on record already: the first use
    /// of a secret is recorded, and the first per address and day.
    pub fn after_use(&self, ip: IpAddr, now: Timestamp) -> Option<Self> {
        let today = now.to_zoned_datetime(TimeZone::UTC).date();
        // Around midnight another verifier's clock may have begun a day that hasn't come here yet: the
        // use counts to that day, since the recorded one never goes back.
        if self.day.is_none_or(|day| day < today) {
            return Some(Self {
                day: Some(today),
                addresses: BTreeSet::from([ip]),
            });
        }
        if self.addresses.contains(&ip) || self.addresses.len() >= MAX_SEEN_ADDRESSES {
            return None;
        }
        let mut addresses = self.addresses.clone();
        addresses.insert(ip);
        Some(Self {
            day: self.day,
            addresses,
        })
    }
}

/// Why a secret isn't good for a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// The string isn't a secret of ours.
    Malformed,
    /// No such secret: never made, replaced, or its token deleted.
    Unknown,
    /// The token is revoked.
    Revoked,
    /// Its purge time or the secret's grace period is over.
    Expired,
    /// The caller's address isn't in the token's ranges.
    Address,
    /// The token is good, but not for this.
    Forbidden,
}

impl Refusal {
    /// A name for logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::Unknown => "unknown",
            Self::Revoked => "revoked",
            Self::Expired => "expired",
            Self::Address => "address",
            Self::Forbidden => "forbidden",
        }
    }
}

/// The answer to a verification.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// The call may go on, under these obligations.
    Allow(Vec<Obligation>),
    /// Decide again with the owner of this resource: the rule needs it.
    NeedsOwner(ResourceRef),
    /// It may not.
    Refuse(Refusal),
}

/// A request in which a secret is presented.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Presentation {
    /// The caller's address.
    pub ip: IpAddr,
    /// What the caller wants to do; `None` asks about the token alone, `Some(None)` is a path that
    /// has no meaning and is refused.
    pub operation: Option<Option<Operation>>,
    /// The owner of the operation's resource, as far as it was looked up.
    pub owner: Owner,
}

/// Decides on a secret alone, whatever its bearer wants to do with it.
///
/// `ip` is the bearer's address; `None` if whoever asks on his behalf doesn't tell it. Then only a
/// token that may be used from anywhere is good.
///
/// # Errors
/// Why it isn't good.
pub fn standing(
    secret: Option<&SecretRecord>,
    ip: Option<IpAddr>,
    now: Timestamp,
) -> Result<&SecretRecord, Refusal> {
    let secret = secret.ok_or(Refusal::Unknown)?;
    if secret.is_over(now) {
        return Err(Refusal::Expired);
    }
    if secret.status == Status::Revoked {
        return Err(Refusal::Revoked);
    }
    let allowed = secret.allowed_cidrs.is_empty()
        || ip.is_some_and(|ip| is_allowed(&secret.allowed_cidrs, ip));
    if allowed {
        Ok(secret)
    } else {
        Err(Refusal::Address)
    }
}

/// Decides on a presented secret.
pub fn decide(
    secret: Option<&SecretRecord>,
    presentation: &Presentation,
    now: Timestamp,
) -> Decision {
    let secret = match standing(secret, Some(presentation.ip), now) {
        Ok(secret) => secret,
        Err(refusal) => return Decision::Refuse(refusal),
    };
    let operation = match &presentation.operation {
        None => return Decision::Allow(vec![]),
        Some(None) => return Decision::Refuse(Refusal::Forbidden),
        Some(Some(operation)) => operation,
    };
    let app = secret.integration_id.as_ref();
    match policy::permission(
        secret.kind,
        app,
        &secret.scope,
        operation,
        &presentation.owner,
    ) {
        Permission::Granted(obligations) => Decision::Allow(obligations),
        Permission::NeedsOwner(resource) => Decision::NeedsOwner(resource),
        Permission::Denied => Decision::Refuse(Refusal::Forbidden),
    }
}

/// Whether an address is in one of the ranges. An IPv4 address that arrives mapped into IPv6 counts
/// as the IPv4 address that it is.
fn is_allowed(cidrs: &[IpNet], ip: IpAddr) -> bool {
    let ip = ip.to_canonical();
    cidrs.iter().any(|cidr| cidr.contains(&ip))
}

/// A verification's outcome.
#[derive(Debug)]
pub enum Outcome {
    /// The call may go on.
    Granted {
        /// What the secret stands for.
        secret: Box<SecretRecord>,
        /// What the API must see to.
        obligations: Vec<Obligation>,
    },
    /// It may not.
    Refused(Refusal),
}

/// The client that presents a secret, for the record of its use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Client<'a> {
    /// What it calls itself, of whatever length.
    pub user_agent: Option<&'a str>,
    /// The request, for finding it in the logs.
    pub request_id: &'a str,
}

/// How often a use is tried again that collides with another one of the same secret.
const ATTEMPTS: usize = 8;

/// Verifies a presented secret, and records its use if it isn't on record.
///
/// A malformed string costs no I/O, a use that is on record one read. If the record can't be written
/// the call can't go on: nothing happens without its audit record.
///
/// # Errors
/// When the table can't be read or the use can't be recorded.
pub async fn verify(
    store: &(impl GetSecret + GetResources + RecordUse),
    system: &(impl Clock + Entropy),
    text: &str,
    presentation: Presentation,
    client: Client<'_>,
) -> Result<Outcome, PortError> {
    let Ok(plain) = PlainSecret::parse(text) else {
        return Ok(Outcome::Refused(Refusal::Malformed));
    };
    let hash = plain.hash();
    let mut presentation = presentation;
    for _ in 0..ATTEMPTS {
        let secret = store.get_secret(&hash).await?;
        let now = system.now();
        let mut decision = decide(secret.as_ref(), &presentation, now);
        if let (Decision::NeedsOwner(resource), Some(secret)) = (&decision, &secret) {
            let found = store
                .get_resources(&secret.account_id, std::slice::from_ref(resource))
                .await?;
            presentation.owner = match found.into_iter().next() {
                None => Owner::Unknown,
                Some(resource) => resource.integration_id.map_or(Owner::Account, Owner::App),
            };
            decision = decide(Some(secret), &presentation, now);
        }
        let (secret, obligations) = match (decision, secret) {
            (Decision::Allow(obligations), Some(secret)) => (secret, obligations),
            (Decision::Refuse(refusal), _) => return Ok(Outcome::Refused(refusal)),
            (Decision::NeedsOwner(_), _) | (Decision::Allow(_), None) => {
                return Ok(Outcome::Refused(Refusal::Forbidden));
            }
        };
        match record(store, system, &secret, presentation.ip, client, None, now).await {
            Ok(()) => {
                return Ok(Outcome::Granted {
                    secret: Box::new(secret),
                    obligations,
                });
            }
            // Another call recorded it, or the token changed: read again and decide again.
            Err(PortError::Conflict) => {}
            Err(error) => return Err(error),
        }
    }
    Err(PortError::Unavailable(
        "the use of a secret collides again and again".into(),
    ))
}

/// A question about a secret by somebody who isn't its bearer: an API asks on behalf of its caller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Introspection<'a> {
    /// The token with which the API asks. It learns of tokens of its own account only.
    pub asker: &'a SecretRecord,
    /// The API's address.
    pub asker_ip: IpAddr,
    /// The bearer's address, if the API tells it.
    pub bearer_ip: Option<IpAddr>,
}

/// Answers a question about a secret, and records the use behind it if that isn't on record: a bearer
/// uses his token at the API that asks, as he uses it at an API behind the authorizer.
///
/// Without the bearer's address the use is recorded with that of the API. Either way the record names
/// the token that asked. A malformed string costs no I/O; no answer without the record.
///
/// # Errors
/// When the table can't be read or the use can't be recorded.
pub async fn introspect(
    store: &(impl GetSecret + RecordUse),
    system: &(impl Clock + Entropy),
    text: &str,
    introspection: &Introspection<'_>,
    client: Client<'_>,
) -> Result<Result<SecretRecord, Refusal>, PortError> {
    let bearer_ip = introspection.bearer_ip;
    let from = (bearer_ip, bearer_ip.unwrap_or(introspection.asker_ip));
    let asker = Some(introspection.asker);
    check(store, system, text, from, client, asker).await
}

/// Verifies a secret that its bearer presents, whatever he wants to do with it, and records the use as
/// [`verify`] does.
///
/// # Errors
/// When the table can't be read or the use can't be recorded.
pub async fn authenticate(
    store: &(impl GetSecret + RecordUse),
    system: &(impl Clock + Entropy),
    text: &str,
    ip: IpAddr,
    client: Client<'_>,
) -> Result<Result<SecretRecord, Refusal>, PortError> {
    check(store, system, text, (Some(ip), ip), client, None).await
}

/// Decides on a secret alone and records its use. The addresses are the bearer's, as far as it is
/// known, and the one to be recorded.
async fn check(
    store: &(impl GetSecret + RecordUse),
    system: &(impl Clock + Entropy),
    text: &str,
    (bearer_ip, recorded_ip): (Option<IpAddr>, IpAddr),
    client: Client<'_>,
    asker: Option<&SecretRecord>,
) -> Result<Result<SecretRecord, Refusal>, PortError> {
    let Ok(plain) = PlainSecret::parse(text) else {
        return Ok(Err(Refusal::Malformed));
    };
    let hash = plain.hash();
    let visible =
        |secret: &SecretRecord| asker.is_none_or(|asker| asker.account_id == secret.account_id);
    for _ in 0..ATTEMPTS {
        let secret = store.get_secret(&hash).await?.filter(visible);
        let now = system.now();
        let secret = match standing(secret.as_ref(), bearer_ip, now) {
            Ok(secret) => secret,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let asker = asker.map(|asker| &asker.token_id);
        match record(store, system, secret, recorded_ip, client, asker, now).await {
            Ok(()) => return Ok(Ok(secret.clone())),
            Err(PortError::Conflict) => {}
            Err(error) => return Err(error),
        }
    }
    Err(PortError::Unavailable(
        "the use of a secret collides again and again".into(),
    ))
}

/// Records a use, unless it is on record.
async fn record(
    store: &impl RecordUse,
    system: &(impl Clock + Entropy),
    secret: &SecretRecord,
    ip: IpAddr,
    client: Client<'_>,
    asker: Option<&TokenId>,
    now: Timestamp,
) -> Result<(), PortError> {
    // A server of both families sees IPv4 callers mapped into IPv6: the same caller, seen elsewhere or here.
    let ip = ip.to_canonical();
    let Some(seen) = secret.seen.after_use(ip, now) else {
        return Ok(());
    };
    let mut used = first_use(secret, seen, ip, client, system, now)?;
    if let Some(asker) = asker {
        let asker = Change::new("introspectedBy", None, Some(asker.to_string()));
        used.audit.changes.push(asker);
    }
    store.record_use(&used).await
}

fn first_use(
    secret: &SecretRecord,
    seen: Seen,
    ip: IpAddr,
    client: Client<'_>,
    system: &(impl Clock + Entropy),
    now: Timestamp,
) -> Result<Use, PortError> {
    let id = super::id::AuditId::generate(now, system)?;
    let changes = if seen.addresses.len() < MAX_SEEN_ADDRESSES {
        vec![]
    } else {
        let note = format!("{MAX_SEEN_ADDRESSES}; further ones go unrecorded today");
        vec![Change::new("addressesToday", None, Some(note))]
    };
    let audit = AuditRecord {
        id,
        account_id: secret.account_id.clone(),
        time: now,
        action: Action::Access,
        origin: Origin {
            source: Source::Api,
            actor: Actor::token(&secret.token_id, &secret.token_name),
            ip: Some(ip),
            user_agent: client.user_agent.map(kept_user_agent),
            request_id: redact(client.request_id),
        },
        token_id: secret.token_id.clone(),
        token_name: secret.token_name.clone(),
        token_hint: secret.token_hint.clone(),
        changes,
    };
    Ok(Use {
        secret: secret.clone(),
        seen,
        last_use: LastUse { at: now, ip },
        audit,
    })
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;
    use proptest::prelude::*;

    use super::*;
    use crate::testing;

    fn ask(secret: &SecretRecord, ip: &str, now: Timestamp) -> Decision {
        let presentation = Presentation {
            ip: ip.parse().unwrap(),
            operation: None,
            owner: Owner::NotRead,
        };
        decide(Some(secret), &presentation, now)
    }

    const ALLOWED: Decision = Decision::Allow(vec![]);

    #[test]
    fn an_unknown_secret_is_refused() {
        let presentation = Presentation {
            ip: [127, 0, 0, 1].into(),
            operation: None,
            owner: Owner::NotRead,
        };
        assert_eq!(
            decide(None, &presentation, testing::now()),
            Decision::Refuse(Refusal::Unknown)
        );
    }

    #[test]
    fn a_revoked_secret_is_refused() {
        let mut secret = testing::secret_record();
        assert_eq!(ask(&secret, "192.0.2.1", testing::now()), ALLOWED);
        secret.status = Status::Revoked;
        let refused = Decision::Refuse(Refusal::Revoked);
        assert_eq!(ask(&secret, "192.0.2.1", testing::now()), refused);
    }

    #[test]
    fn a_secret_ends_at_the_instant_of_its_purge_or_grace() {
        let now = testing::now();
        let just_before = now - SignedDuration::from_nanos(1);
        let ends = |secret: &SecretRecord| {
            assert_eq!(ask(secret, "192.0.2.1", just_before), ALLOWED);
            assert_eq!(
                ask(secret, "192.0.2.1", now),
                Decision::Refuse(Refusal::Expired)
            );
        };
        ends(&SecretRecord {
            purge_at: Some(now),
            ..testing::secret_record()
        });
        ends(&SecretRecord {
            valid_until: Some(now),
            ..testing::secret_record()
        });
    }

    #[test]
    fn address_ranges_of_both_families_are_kept() {
        let mut secret = testing::secret_record();
        secret.allowed_cidrs = vec![
            "192.0.2.0/24".parse().unwrap(),
            "2001:db8::/32".parse().unwrap(),
        ];
        for ip in ["192.0.2.255", "::ffff:192.0.2.1", "2001:db8:1::1"] {
            assert_eq!(ask(&secret, ip, testing::now()), ALLOWED, "{ip}");
        }
        for ip in ["192.0.3.1", "2001:db9::1", "::1"] {
            let refused = Decision::Refuse(Refusal::Address);
            assert_eq!(ask(&secret, ip, testing::now()), refused, "{ip}");
        }
    }

    #[test]
    fn without_the_bearers_address_only_a_token_from_anywhere_is_good() {
        let mut secret = testing::secret_record();
        let ask = |secret: &SecretRecord, ip: Option<&str>| {
            let ip = ip.map(|ip| ip.parse().unwrap());
            standing(Some(secret), ip, testing::now()).map(drop)
        };
        assert_eq!(ask(&secret, None), Ok(()));
        secret.allowed_cidrs = vec!["0.0.0.0/0".parse().unwrap(), "::/0".parse().unwrap()];
        assert_eq!(ask(&secret, None), Err(Refusal::Address));
        assert_eq!(ask(&secret, Some("192.0.2.1")), Ok(()));
    }

    #[test]
    fn a_path_without_meaning_is_refused_even_to_full_access() {
        let presentation = Presentation {
            ip: [127, 0, 0, 1].into(),
            operation: Some(Operation::of_request("GET", "/v1/exports//")),
            owner: Owner::NotRead,
        };
        let secret = SecretRecord {
            scope: Scope::Full,
            ..testing::secret_record()
        };
        assert_eq!(
            decide(Some(&secret), &presentation, testing::now()),
            Decision::Refuse(Refusal::Forbidden)
        );
    }

    #[test]
    fn a_use_is_recorded_once_per_address_and_day() {
        let now = testing::now();
        let ip: IpAddr = [192, 0, 2, 1].into();
        let first = Seen::default().after_use(ip, now).unwrap();
        assert_eq!(first.after_use(ip, now), None);
        let second = first.after_use([192, 0, 2, 2].into(), now).unwrap();
        assert_eq!(second.addresses.len(), 2);
        let tomorrow = second
            .after_use(ip, now + SignedDuration::from_hours(24))
            .unwrap();
        assert_eq!(tomorrow.addresses, BTreeSet::from([ip]));
        // By a clock that is behind it is still today.
        assert_eq!(tomorrow.after_use(ip, now), None);
        let behind = tomorrow.after_use([192, 0, 2, 3].into(), now).unwrap();
        assert_eq!(behind.day, tomorrow.day);
        assert_eq!(behind.addresses.len(), 2);
    }

    proptest! {
        #[test]
        fn what_a_secret_remembers_is_bounded(ips: Vec<std::net::Ipv4Addr>, hours: Vec<u8>) {
            let mut seen = Seen::default();
            for (ip, hour) in ips.into_iter().zip(hours.into_iter().cycle().chain([0])) {
                let at = testing::now() + SignedDuration::from_hours(i64::from(hour % 48));
                if let Some(after) = seen.after_use(ip.into(), at) {
                    seen = after;
                }
                prop_assert!(seen.addresses.len() <= MAX_SEEN_ADDRESSES);
            }
        }
    }
}
