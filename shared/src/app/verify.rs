//! Verifies presented secrets, and records their uses and refusals.

use std::net::IpAddr;

use jiff::Timestamp;

use super::decision::{self, Recorded};
use super::retry::{retry_on_conflict, unavailable_for_now, unless_conflict};
use crate::domain::action::Action;
use crate::domain::actor::Actor;
use crate::domain::audit::{AuditRecord, Change, DAYS_REFUSED, Origin, Source, kept_user_agent};
use crate::domain::entropy::Entropy;
use crate::domain::id::{AccountId, AuditId};
use crate::domain::policy::{Obligation, Owner};
use crate::domain::resource::ResourceRef;
use crate::domain::secret::PlainSecret;
use crate::domain::text::recorded;
use crate::domain::token::LastUse;
use crate::domain::verification::{
    Decision, Introspection, MAX_SEEN_ADDRESSES, Purpose, Refusal, SecretRecord, Seen, Sighting,
    UsedFrom, decide,
};
use crate::ports::{Clock, GetResources, PortError, Recall, RecallSecret, RecordUse, Use};

/// The result of a verification.
#[derive(Debug)]
pub enum Verified {
    /// The secret is valid for its purpose.
    Granted {
        /// The record of the secret.
        secret: Box<SecretRecord>,
        /// The obligations that the API must enforce.
        obligations: Vec<Obligation>,
    },
    /// The secret was refused.
    Refused {
        /// The reason.
        refusal: Refusal,
        /// The record of the secret, if it is known.
        secret: Option<Box<SecretRecord>>,
    },
}

impl Verified {
    /// A refusal without a record.
    fn unknown(refusal: Refusal) -> Self {
        let secret = None;
        Self::Refused { refusal, secret }
    }

    fn refused(refusal: Refusal, secret: SecretRecord) -> Self {
        let secret = Some(Box::new(secret));
        Self::Refused { refusal, secret }
    }

    /// Logs the decision with the record that it caused, and returns the result.
    fn logged(
        self,
        system: &impl Entropy,
        purpose: &Purpose<'_>,
        recorded: Option<Recorded>,
    ) -> Self {
        let (secret, refusal) = match &self {
            Self::Granted { secret, .. } => (Some(secret.as_ref()), None),
            Self::Refused { refusal, secret } => (secret.as_deref(), Some(*refusal)),
        };
        decision::log(system, secret, purpose, refusal, recorded);
        self
    }
}

/// The client that sends a secret, for the decision and the audit record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Client<'a> {
    /// The address of the connection.
    pub ip: IpAddr,
    /// The name that the client gives itself, of any length.
    pub user_agent: Option<&'a str>,
    /// The request's id, for finding it in the logs.
    pub request_id: &'a str,
}

/// The maximum length of a request's id in a record, in characters. Behind the tower layer, callers choose it.
const MAX_REQUEST_ID: usize = 256;

/// How often a verification is attempted if its record conflicts with that of another use of the same secret.
const ATTEMPTS: usize = 8;

/// The purpose of a secret and the client that presents it.
struct Presentation<'a> {
    purpose: Purpose<'a>,
    client: Client<'a>,
}

impl Presentation<'_> {
    /// The introspection, if the secret is introspected and not presented by its bearer.
    fn introspection(&self) -> Option<&Introspection<'_>> {
        match &self.purpose {
            Purpose::Introspected(introspection) => Some(introspection),
            _ => None,
        }
    }

    /// The bearer's address as an introspecting API asserts it.
    fn asserted_ip(&self) -> Option<IpAddr> {
        self.introspection()?.bearer_ip
    }

    /// The bearer's address, if it is known.
    fn bearer_ip(&self) -> Option<IpAddr> {
        match self.introspection() {
            Some(introspection) => introspection.bearer_ip,
            None => Some(self.client.ip),
        }
    }

    fn used_from(&self) -> UsedFrom {
        self.asserted_ip()
            .map_or(UsedFrom::Seen(self.client.ip), UsedFrom::Asserted)
    }

    /// Whether the introspecting API may learn about the secret.
    fn may_learn_of(&self, secret: &SecretRecord) -> bool {
        self.introspection()
            .is_none_or(|it| it.asker.account_id == secret.account_id)
    }
}

/// Verifies a secret that its bearer presents, and records its use or its refusal unless that is on record.
///
/// A malformed string costs no I/O; a use that is on record costs one read. If the record of a use can't be written,
/// the verification fails: no call may go on without its audit record. A refusal stays a refusal.
///
/// # Errors
/// The table can't be read, or the use can't be recorded.
pub async fn verify(
    store: &(impl RecallSecret + GetResources + RecordUse),
    system: &(impl Clock + Entropy),
    text: &str,
    purpose: Purpose<'_>,
    client: Client<'_>,
) -> Result<Verified, PortError> {
    let owner_of = |account, resource| owner_of(store, account, resource);
    let presentation = Presentation { purpose, client };
    let (verified, recorded) = present(store, system, text, &presentation, owner_of).await?;
    Ok(verified.logged(system, &presentation.purpose, recorded))
}

/// Refuses a request that presents no secret.
pub fn refuse(system: &impl Entropy, purpose: &Purpose<'_>) -> Verified {
    Verified::unknown(Refusal::Malformed).logged(system, purpose, None)
}

/// Answers an API's question about a secret, and records the use unless that is on record: a bearer uses its token at
/// an introspecting API as it uses it at an API behind the authorizer. `client` is the API.
///
/// The record has the API's address, the bearer's asserted address if the API gives it, and the token that asked. A
/// malformed string costs no I/O. There is no answer without the record.
///
/// # Errors
/// The table can't be read, or the use can't be recorded.
pub async fn introspect(
    store: &(impl RecallSecret + RecordUse),
    system: &(impl Clock + Entropy),
    text: &str,
    introspection: Introspection<'_>,
    client: Client<'_>,
) -> Result<Verified, PortError> {
    let purpose = Purpose::Introspected(introspection);
    let presentation = Presentation { purpose, client };
    let (verified, recorded) = present(store, system, text, &presentation, no_owner).await?;
    Ok(verified.logged(system, &presentation.purpose, recorded))
}

/// Verifies the secret with which an API asks about another one, and records the use like [`verify`]. `may_ask` says
/// whether a valid token may ask; otherwise the result is [`Refusal::Forbidden`].
///
/// # Errors
/// The table can't be read, or the use can't be recorded.
pub async fn authenticate(
    store: &(impl RecallSecret + RecordUse),
    system: &(impl Clock + Entropy),
    text: &str,
    client: Client<'_>,
    may_ask: impl Fn(&SecretRecord) -> bool + Send,
) -> Result<Verified, PortError> {
    let purpose = Purpose::Introspect;
    let presentation = Presentation { purpose, client };
    let (verified, recorded) = present(store, system, text, &presentation, no_owner).await?;
    let verified = match verified {
        Verified::Granted { secret, .. } if !may_ask(&secret) => {
            Verified::refused(Refusal::Forbidden, *secret)
        }
        verified => verified,
    };
    Ok(verified.logged(system, &presentation.purpose, recorded))
}

/// Looks up the owner of a resource.
pub(super) async fn owner_of(
    store: &impl GetResources,
    account: AccountId,
    resource: ResourceRef,
) -> Result<Owner, PortError> {
    let names = std::slice::from_ref(&resource);
    let found = store.get_resources(&account, names).await?;
    Ok(match found.into_iter().next() {
        None => Owner::Unknown,
        Some(resource) => resource.integration_id.map_or(Owner::Account, Owner::App),
    })
}

/// The owner's lookup for purposes that access no resource.
async fn no_owner(_: AccountId, _: ResourceRef) -> Result<Owner, PortError> {
    Ok(Owner::NotRead)
}

/// Decides on a presented secret, and records its use or its refusal. `owner_of` looks up the owner of a resource. Returns
/// the result, and the record that was written.
async fn present<F: Future<Output = Result<Owner, PortError>>>(
    store: &(impl RecallSecret + RecordUse),
    system: &(impl Clock + Entropy),
    text: &str,
    presentation: &Presentation<'_>,
    owner_of: impl Fn(AccountId, ResourceRef) -> F,
) -> Result<(Verified, Option<Recorded>), PortError> {
    let Ok(plain) = PlainSecret::parse(text) else {
        return Ok((Verified::unknown(Refusal::Malformed), None));
    };
    let hash = plain.hash();
    let from = presentation.used_from();
    // What not every verification does is boxed: it would make the future of each as large as its own.
    let attempt = || async {
        let found = store.recall_secret(&hash, from, system.now()).await?;
        let found = found.filter(|(secret, _)| presentation.may_learn_of(secret));
        let Some((secret, recall)) = found else {
            return Ok(Some((Verified::unknown(Refusal::Unknown), None)));
        };
        let (ip, purpose, now) = (
            presentation.bearer_ip(),
            &presentation.purpose,
            system.now(),
        );
        let decision = match decide(Some(&secret), ip, purpose, &Owner::NotRead, now) {
            Decision::NeedsOwner(resource) => {
                let owner = Box::pin(owner_of(secret.account_id.clone(), resource)).await?;
                decide(Some(&secret), ip, purpose, &owner, now)
            }
            decision => decision,
        };
        match decision {
            Decision::Allow(obligations) => {
                let recorded = match recall {
                    Recall::Read(seen) => {
                        Box::pin(record_use(store, system, &secret, seen, presentation, now)).await
                    }
                    Recall::OnRecord | Recall::Kept => Ok(None),
                };
                Ok(unless_conflict(recorded)?.map(|recorded| {
                    let secret = Box::new(secret);
                    let granted = Verified::Granted {
                        secret,
                        obligations,
                    };
                    (granted, recorded)
                }))
            }
            // Only a grant may be based on a remembered use. The next attempt reads the secret again.
            _ if matches!(recall, Recall::Kept) => Ok(None),
            Decision::Refuse(refusal) => {
                let recorded =
                    record_refusal(store, system, &secret, recall, refusal, presentation, now);
                let recorded = Box::pin(recorded).await;
                Ok(Some((Verified::refused(refusal, secret), recorded)))
            }
            Decision::NeedsOwner(_) => {
                Ok(Some((Verified::refused(Refusal::Forbidden, secret), None)))
            }
        }
    };
    retry_on_conflict(ATTEMPTS, attempt)
        .await
        .map_err(|error| unavailable_for_now(error, "what is on record of a secret"))
}

/// Records a use, unless `seen` says that it is on record. Returns the record that it wrote.
///
/// The transaction doesn't check the secret again. If it is revoked between the read and this write, it was valid when
/// it was read; the call goes on and must be logged, and the next one is refused. A check would close no gap, since the
/// call itself happens later still. It would also need a permission on the secrets' items that verifiers don't have.
async fn record_use(
    store: &impl RecordUse,
    system: &impl Entropy,
    secret: &SecretRecord,
    seen: Seen,
    presentation: &Presentation<'_>,
    now: Timestamp,
) -> Result<Option<Recorded>, PortError> {
    let Some(sighting) = seen.use_of(presentation.used_from(), now) else {
        return Ok(None);
    };
    let mut changes = Vec::new();
    let last = matches!(sighting, Sighting::Address(_, from) if seen.alike(from) + 1 == MAX_SEEN_ADDRESSES);
    if last || matches!(sighting, Sighting::Crowd(_)) {
        let note = format!(
            "{MAX_SEEN_ADDRESSES} or more; of further ones, one use an hour is recorded today"
        );
        changes.push(Change::new("addressesToday", None, Some(note)));
    }
    let audit = record(Action::Access, secret, changes, presentation, system, now)?;
    let last_use = LastUse {
        at: now,
        ip: presentation.client.ip.to_canonical(),
    };
    store
        .record_use(&Use {
            secret: secret.hash,
            sighting,
            last_use: Some(last_use),
            audit,
        })
        .await?;
    Ok(Some(Recorded::Use))
}

/// Records the refusal of a known secret, unless one is on record today. If it can't be recorded, the refusal still
/// stands. Returns the record that it wrote.
async fn record_refusal(
    store: &(impl RecallSecret + RecordUse),
    system: &impl Entropy,
    secret: &SecretRecord,
    recall: Recall,
    refusal: Refusal,
    presentation: &Presentation<'_>,
    now: Timestamp,
) -> Option<Recorded> {
    if !refusal.is_recorded() {
        return None;
    }
    tracing::warn!(
        account.id = %secret.account_id,
        token.id = %secret.token_id,
        ip = %presentation.client.ip,
        asserted_ip = presentation.asserted_ip().map(tracing::field::display),
        request_id = recorded(presentation.client.request_id, MAX_REQUEST_ID),
        refusal = refusal.as_str(),
        "a known secret was refused"
    );
    let recorded = async {
        let seen = match recall {
            Recall::Read(seen) => seen,
            // A remembered use says nothing about refusals, so read these.
            Recall::OnRecord | Recall::Kept => store.get_seen(&secret.hash).await?,
        };
        let Some(sighting) = seen.refusal_of(refusal, now) else {
            return Ok(None);
        };
        let mut changes = vec![Change::new("reason", None, Some(refusal.as_str().into()))];
        if let Sighting::Refused(_, days) = sighting {
            changes.push(Change::new(
                DAYS_REFUSED,
                None,
                Some(days.count.to_string()),
            ));
        }
        let audit = record(Action::Refused, secret, changes, presentation, system, now)?;
        let used = Use {
            secret: secret.hash,
            sighting,
            last_use: None,
            audit,
        };
        match store.record_use(&used).await {
            // A concurrent call recorded it.
            Err(PortError::Conflict) => Ok(None),
            done => done.map(|()| Some(Recorded::Refusal)),
        }
    };
    recorded.await.unwrap_or_else(|error: PortError| {
        tracing::error!(%error, token.id = %secret.token_id, "a refusal could not be recorded");
        None
    })
}

fn record(
    action: Action,
    secret: &SecretRecord,
    mut changes: Vec<Change>,
    presentation: &Presentation<'_>,
    system: &impl Entropy,
    now: Timestamp,
) -> Result<AuditRecord, PortError> {
    if let Some(introspection) = presentation.introspection() {
        let asker = introspection.asker.token_id.to_string();
        changes.push(Change::new("introspectedBy", None, Some(asker)));
    }
    Ok(AuditRecord {
        id: AuditId::generate(now, system)?,
        account_id: secret.account_id.clone(),
        time: now,
        action,
        origin: Origin {
            source: Source::Api,
            actor: Actor::token(&secret.token_id, &secret.token_name),
            ip: Some(presentation.client.ip.to_canonical()),
            user_agent: presentation.client.user_agent.map(kept_user_agent),
            request_id: recorded(presentation.client.request_id, MAX_REQUEST_ID),
            trace_id: None,
        },
        asserted_ip: presentation.asserted_ip().map(|ip| ip.to_canonical()),
        token_id: secret.token_id.clone(),
        token_name: secret.token_name.clone(),
        token_hint: secret.token_hint.clone(),
        changes,
    })
}
