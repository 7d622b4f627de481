//! Verifies presented secrets, and records their uses and refusals.

use std::net::IpAddr;

use jiff::Timestamp;

use super::decision::{self, Purpose};
use crate::domain::action::Action;
use crate::domain::actor::Actor;
use crate::domain::audit::{AuditRecord, Change, DAYS_REFUSED, Origin, Source, kept_user_agent};
use crate::domain::entropy::Entropy;
use crate::domain::id::{AuditId, TokenId};
use crate::domain::policy::{AccessRequest, Obligation, Owner};
use crate::domain::secret::PlainSecret;
use crate::domain::text::recorded;
use crate::domain::token::LastUse;
use crate::domain::verification::{
    Decision, MAX_SEEN_ADDRESSES, Presentation, Refusal, SecretRecord, Sighting, UsedFrom, decide,
    standing,
};
use crate::ports::{Clock, GetResources, PortError, Recall, RecallSecret, RecordUse, Use};

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

/// How much of a request's id a record keeps, in characters: behind the tower layer, strangers choose it.
const MAX_REQUEST_ID: usize = 256;

/// How often a use is tried again that collides with another one of the same secret.
const ATTEMPTS: usize = 8;

/// Where a use or a refusal comes from, for its record.
#[derive(Clone, Copy)]
struct Bearer<'a> {
    /// The address of the connection.
    ip: IpAddr,
    /// The bearer's address, if somebody asserts one.
    asserted: Option<IpAddr>,
    /// The token that asked about the bearer's.
    asker: Option<&'a TokenId>,
    client: Client<'a>,
}

impl Bearer<'_> {
    fn used_from(&self) -> UsedFrom {
        self.asserted
            .map_or(UsedFrom::Seen(self.ip), UsedFrom::Asserted)
    }
}

/// What was decided on a secret, and which one it was, if it is known.
enum Verdict {
    Granted(Box<SecretRecord>, Vec<Obligation>),
    Refused(Refusal, Option<Box<SecretRecord>>),
}

impl Verdict {
    /// A refusal of what isn't known.
    fn guess(refusal: Refusal) -> Self {
        Self::Refused(refusal, None)
    }

    fn refused(refusal: Refusal, secret: SecretRecord) -> Self {
        Self::Refused(refusal, Some(Box::new(secret)))
    }

    /// Writes the decision's line.
    fn log(&self, system: &impl Entropy, purpose: Purpose<'_>) {
        let (secret, refusal) = match self {
            Self::Granted(secret, _) => (Some(secret.as_ref()), None),
            Self::Refused(refusal, secret) => (secret.as_deref(), Some(*refusal)),
        };
        decision::log(system, secret, purpose, refusal);
    }
}

impl From<Verdict> for Result<SecretRecord, Refusal> {
    fn from(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Granted(secret, _) => Ok(*secret),
            Verdict::Refused(refusal, _) => Err(refusal),
        }
    }
}

/// Verifies a presented secret, and records its use or its refusal if that isn't on record.
///
/// A malformed string costs no I/O, a use that is on record one read. If the record of a use can't be
/// written the call can't go on: nothing happens without its audit record. A refusal stays a refusal.
///
/// # Errors
/// When the table can't be read or the use can't be recorded.
pub async fn verify(
    store: &(impl RecallSecret + GetResources + RecordUse),
    system: &(impl Clock + Entropy),
    text: &str,
    mut presentation: Presentation,
    client: Client<'_>,
) -> Result<Outcome, PortError> {
    let verdict = judge(store, system, text, &mut presentation, client).await?;
    let purpose = match &presentation.access {
        None => Purpose::TokenInfo,
        Some(access) => Purpose::Request(access.as_ref()),
    };
    verdict.log(system, purpose);
    Ok(match verdict {
        Verdict::Granted(secret, obligations) => Outcome::Granted {
            secret,
            obligations,
        },
        Verdict::Refused(refusal, _) => Outcome::Refused(refusal),
    })
}

/// Refuses a request that presents no secret. `access` is what it asks for, if it means anything.
pub fn refuse(system: &impl Entropy, access: Option<&AccessRequest>) -> Outcome {
    let refusal = Refusal::Malformed;
    Verdict::guess(refusal).log(system, Purpose::Request(access));
    Outcome::Refused(refusal)
}

async fn judge(
    store: &(impl RecallSecret + GetResources + RecordUse),
    system: &(impl Clock + Entropy),
    text: &str,
    presentation: &mut Presentation,
    client: Client<'_>,
) -> Result<Verdict, PortError> {
    let Ok(plain) = PlainSecret::parse(text) else {
        return Ok(Verdict::guess(Refusal::Malformed));
    };
    let hash = plain.hash();
    let bearer = Bearer {
        ip: presentation.ip,
        asserted: None,
        asker: None,
        client,
    };
    for _ in 0..ATTEMPTS {
        let now = system.now();
        let Some((secret, recall)) = store.recall_secret(&hash, bearer.used_from(), now).await?
        else {
            return Ok(Verdict::guess(Refusal::Unknown));
        };
        let now = system.now();
        let mut decision = decide(Some(&secret), presentation, now);
        if let Decision::NeedsOwner(resource) = &decision {
            let found = store
                .get_resources(&secret.account_id, std::slice::from_ref(resource))
                .await?;
            presentation.owner = match found.into_iter().next() {
                None => Owner::Unknown,
                Some(resource) => resource.integration_id.map_or(Owner::Account, Owner::App),
            };
            decision = decide(Some(&secret), presentation, now);
        }
        let obligations = match decision {
            Decision::Allow(obligations) => obligations,
            _ if matches!(recall, Recall::Kept) => continue,
            Decision::Refuse(refusal) => {
                record_refusal(store, system, &secret, recall, refusal, bearer, now).await;
                return Ok(Verdict::refused(refusal, secret));
            }
            Decision::NeedsOwner(_) => return Ok(Verdict::refused(Refusal::Forbidden, secret)),
        };
        match record_use(store, system, &secret, recall, bearer, now).await {
            Ok(()) => return Ok(Verdict::Granted(Box::new(secret), obligations)),
            // Another call recorded it: read again and decide again.
            Err(PortError::Conflict) => {}
            Err(error) => return Err(error),
        }
    }
    Err(collides())
}

/// A question about a secret by somebody who isn't its bearer: an API asks on behalf of its caller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Introspection<'a> {
    /// The token with which the API asks. It learns of tokens of its own account only.
    pub asker: &'a SecretRecord,
    /// The API's address.
    pub asker_ip: IpAddr,
    /// The bearer's address, if the API tells it. It is only asserted.
    pub bearer_ip: Option<IpAddr>,
}

/// Answers a question about a secret, and records the use behind it if that isn't on record: a bearer
/// uses its token at the API that asks, as it uses it at an API behind the authorizer.
///
/// The record has the address of the API, the bearer's as asserted if the API tells it, and the token
/// that asked. A malformed string costs no I/O; no answer without the record.
///
/// # Errors
/// When the table can't be read or the use can't be recorded.
pub async fn introspect(
    store: &(impl RecallSecret + RecordUse),
    system: &(impl Clock + Entropy),
    text: &str,
    introspection: &Introspection<'_>,
    client: Client<'_>,
) -> Result<Result<SecretRecord, Refusal>, PortError> {
    let bearer = Bearer {
        ip: introspection.asker_ip,
        asserted: introspection.bearer_ip,
        asker: Some(&introspection.asker.token_id),
        client,
    };
    let account = Some(introspection.asker);
    let verdict = check(
        store,
        system,
        text,
        introspection.bearer_ip,
        bearer,
        account,
    )
    .await?;
    verdict.log(system, Purpose::Introspected);
    Ok(verdict.into())
}

/// Verifies the secret of whoever asks about another one, and records the use as [`verify`] does. `may_ask`
/// says whether a token that is good may do that; else it is [`Refusal::Forbidden`].
///
/// # Errors
/// When the table can't be read or the use can't be recorded.
pub async fn authenticate(
    store: &(impl RecallSecret + RecordUse),
    system: &(impl Clock + Entropy),
    text: &str,
    ip: IpAddr,
    client: Client<'_>,
    may_ask: impl Fn(&SecretRecord) -> bool + Send,
) -> Result<Result<SecretRecord, Refusal>, PortError> {
    let bearer = Bearer {
        ip,
        asserted: None,
        asker: None,
        client,
    };
    let verdict = match check(store, system, text, Some(ip), bearer, None).await? {
        Verdict::Granted(secret, _) if !may_ask(&secret) => {
            Verdict::Refused(Refusal::Forbidden, Some(secret))
        }
        verdict => verdict,
    };
    verdict.log(system, Purpose::Introspect);
    Ok(verdict.into())
}

/// Decides on a secret alone and records its use or its refusal. `ip` is the bearer's address, as far as
/// it is known.
async fn check(
    store: &(impl RecallSecret + RecordUse),
    system: &(impl Clock + Entropy),
    text: &str,
    ip: Option<IpAddr>,
    bearer: Bearer<'_>,
    asker: Option<&SecretRecord>,
) -> Result<Verdict, PortError> {
    let Ok(plain) = PlainSecret::parse(text) else {
        return Ok(Verdict::guess(Refusal::Malformed));
    };
    let hash = plain.hash();
    let visible =
        |secret: &SecretRecord| asker.is_none_or(|asker| asker.account_id == secret.account_id);
    for _ in 0..ATTEMPTS {
        let now = system.now();
        let found = store.recall_secret(&hash, bearer.used_from(), now).await?;
        let Some((secret, recall)) = found.filter(|(secret, _)| visible(secret)) else {
            return Ok(Verdict::guess(Refusal::Unknown));
        };
        let now = system.now();
        if let Err(refusal) = standing(Some(&secret), ip, now) {
            if matches!(recall, Recall::Kept) {
                continue;
            }
            record_refusal(store, system, &secret, recall, refusal, bearer, now).await;
            return Ok(Verdict::refused(refusal, secret));
        }
        match record_use(store, system, &secret, recall, bearer, now).await {
            Ok(()) => return Ok(Verdict::Granted(Box::new(secret), vec![])),
            Err(PortError::Conflict) => {}
            Err(error) => return Err(error),
        }
    }
    Err(collides())
}

fn collides() -> PortError {
    PortError::Unavailable("the use of a secret collides again and again".into())
}

/// Records a use, unless it is on record.
///
/// It doesn't look at the secret again. One that is revoked between the read and this write was good when it was
/// read, its call goes on, and that call belongs into the log; the next one is refused. To look would close no
/// gap, since the call itself comes later still, and would need a right to the secrets' items that what merely
/// verifies doesn't have.
async fn record_use(
    store: &impl RecordUse,
    system: &impl Entropy,
    secret: &SecretRecord,
    recall: Recall,
    bearer: Bearer<'_>,
    now: Timestamp,
) -> Result<(), PortError> {
    let Recall::Read(seen) = recall else {
        return Ok(());
    };
    let Some(sighting) = seen.use_of(bearer.used_from(), now) else {
        return Ok(());
    };
    let mut changes = Vec::new();
    let last = matches!(sighting, Sighting::Address(_, from) if seen.alike(from) + 1 == MAX_SEEN_ADDRESSES);
    if last || matches!(sighting, Sighting::Crowd(_)) {
        let note = format!(
            "{MAX_SEEN_ADDRESSES} or more; of further ones, one use an hour is recorded today"
        );
        changes.push(Change::new("addressesToday", None, Some(note)));
    }
    let audit = record(Action::Access, secret, changes, bearer, system, now)?;
    let last_use = LastUse {
        at: now,
        ip: bearer.ip.to_canonical(),
    };
    store
        .record_use(&Use {
            secret: secret.hash,
            sighting,
            last_use: Some(last_use),
            audit,
        })
        .await
}

/// Records that a known secret was refused, unless that is on record today. It is a refusal all the same
/// if it can't be recorded.
async fn record_refusal(
    store: &(impl RecallSecret + RecordUse),
    system: &impl Entropy,
    secret: &SecretRecord,
    recall: Recall,
    refusal: Refusal,
    bearer: Bearer<'_>,
    now: Timestamp,
) {
    if !refusal.is_recorded() {
        return;
    }
    tracing::warn!(
        account.id = %secret.account_id,
        token.id = %secret.token_id,
        ip = %bearer.ip,
        asserted_ip = bearer.asserted.map(tracing::field::display),
        request_id = recorded(bearer.client.request_id, MAX_REQUEST_ID),
        refusal = refusal.as_str(),
        "a known secret was refused"
    );
    let recorded = async {
        let seen = match recall {
            Recall::Read(seen) => seen,
            // It was good from there when that was remembered.
            Recall::OnRecord | Recall::Kept => store.get_seen(&secret.hash).await?,
        };
        let Some(sighting) = seen.refusal_of(refusal, now) else {
            return Ok(());
        };
        let mut changes = vec![Change::new("reason", None, Some(refusal.as_str().into()))];
        if let Sighting::Refused(_, days) = sighting {
            changes.push(Change::new(
                DAYS_REFUSED,
                None,
                Some(days.count.to_string()),
            ));
        }
        let audit = record(Action::Refused, secret, changes, bearer, system, now)?;
        let used = Use {
            secret: secret.hash,
            sighting,
            last_use: None,
            audit,
        };
        match store.record_use(&used).await {
            // Another call recorded it.
            Err(PortError::Conflict) => Ok(()),
            done => done,
        }
    };
    if let Err(error) = recorded.await {
        tracing::error!(%error, token.id = %secret.token_id, "a refusal could not be recorded");
    }
}

fn record(
    action: Action,
    secret: &SecretRecord,
    mut changes: Vec<Change>,
    bearer: Bearer<'_>,
    system: &impl Entropy,
    now: Timestamp,
) -> Result<AuditRecord, PortError> {
    if let Some(asker) = bearer.asker {
        changes.push(Change::new("introspectedBy", None, Some(asker.to_string())));
    }
    Ok(AuditRecord {
        id: AuditId::generate(now, system)?,
        account_id: secret.account_id.clone(),
        time: now,
        action,
        origin: Origin {
            source: Source::Api,
            actor: Actor::token(&secret.token_id, &secret.token_name),
            ip: Some(bearer.ip.to_canonical()),
            user_agent: bearer.client.user_agent.map(kept_user_agent),
            request_id: recorded(bearer.client.request_id, MAX_REQUEST_ID),
        },
        asserted_ip: bearer.asserted.map(|ip| ip.to_canonical()),
        token_id: secret.token_id.clone(),
        token_name: secret.token_name.clone(),
        token_hint: secret.token_hint.clone(),
        changes,
    })
}
