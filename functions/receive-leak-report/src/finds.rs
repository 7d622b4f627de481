//! Revokes the secrets that a report names.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures_util::{StreamExt, stream};
use jiff::Timestamp;
use latchkey::app::compromise::{Compromised, Evidence, compromise};
use latchkey::domain::action::Action;
use latchkey::domain::audit::{AuditRecord, Change, Origin};
use latchkey::domain::entropy::Entropy;
use latchkey::domain::leak::{Find, LEAKED};
use latchkey::domain::secret::SecretHash;
use latchkey::domain::verification::SecretRecord;
use latchkey::ports::{Clock, CompromiseSecret, GetSecret, GetToken, PortError};
use tokio::time::sleep;

/// The number of secrets that are processed at the same time.
const CONCURRENCY: usize = 16;

/// How long after the request's arrival attempts may start. GitHub waits for 30 seconds.
const REPORTING: Duration = Duration::from_secs(15);

/// The pauses before further attempts at a secret. GitHub doesn't promise to report a secret again.
const PAUSES: [Duration; 3] = [
    Duration::from_millis(50),
    Duration::from_millis(200),
    Duration::from_millis(800),
];

/// The result of a report.
#[derive(Debug, Default)]
pub(crate) struct Report {
    /// The hashes of the secrets that are, or were, those of tokens.
    pub(crate) known: BTreeSet<SecretHash>,
    /// The audit records of the secrets that are compromised since this report.
    pub(crate) records: Vec<AuditRecord>,
    /// Why a part of the report must be sent again.
    pub(crate) failure: Option<PortError>,
}

impl Report {
    fn add(&mut self, secret: SecretHash, result: Result<Compromised, PortError>) {
        match result {
            Ok(Compromised::Unknown) => {}
            Ok(Compromised::Known) => {
                self.known.insert(secret);
            }
            Ok(Compromised::Recorded(record)) => {
                self.known.insert(secret);
                self.records.push(*record);
            }
            Err(error) => {
                // A permanent failure isn't hidden by a temporary one.
                if !matches!(self.failure, Some(PortError::Broken(_))) {
                    self.failure = Some(error);
                }
            }
        }
    }
}

/// Compromises every secret in `finds`, for a request that arrived at `begin`. If a secret occurs more than once, only
/// the first find counts.
pub(crate) async fn report_all(
    store: &(impl GetSecret + GetToken + CompromiseSecret),
    system: &(impl Clock + Entropy),
    finds: impl Iterator<Item = Find>,
    origin: &Origin,
    begin: Timestamp,
) -> Report {
    let until = begin.saturating_add(REPORTING).unwrap_or(Timestamp::MAX);
    let mut secrets = BTreeMap::<SecretHash, Find>::new();
    for find in finds {
        secrets.entry(find.secret).or_insert(find);
    }
    let mut results = stream::iter(secrets)
        .map(|(secret, find)| async move {
            let result = report_one(store, system, &find, origin, until).await;
            (secret, result)
        })
        .buffer_unordered(CONCURRENCY);
    let mut report = Report::default();
    while let Some((secret, result)) = results.next().await {
        report.add(secret, result);
    }
    report
}

/// A find, as evidence that a secret is compromised.
struct Reported<'a> {
    find: &'a Find,
    origin: &'a Origin,
}

impl Evidence for Reported<'_> {
    fn action(&self) -> Action {
        Action::Leak
    }

    fn reason(&self) -> &str {
        LEAKED
    }

    fn origin(&self, _: &SecretRecord) -> Origin {
        self.origin.clone()
    }

    fn changes(&self) -> Vec<Change> {
        self.find.changes()
    }
}

/// Compromises the secret of one find, with several attempts if need be. No attempt starts after `until`.
async fn report_one(
    store: &(impl GetSecret + GetToken + CompromiseSecret),
    system: &(impl Clock + Entropy),
    find: &Find,
    origin: &Origin,
    until: Timestamp,
) -> Result<Compromised, PortError> {
    let mut pauses = PAUSES.into_iter();
    loop {
        if system.now() >= until {
            return Err(PortError::Unavailable("the time is up".into()));
        }
        let reported = Reported { find, origin };
        let reported = compromise(store, system, &find.secret, &reported).await;
        match (reported, pauses.next()) {
            (Err(PortError::Unavailable(error)), Some(pause)) => {
                tracing::warn!(%error, "a find is tried again");
                sleep(pause).await;
            }
            (reported, _) => return reported,
        }
    }
}
