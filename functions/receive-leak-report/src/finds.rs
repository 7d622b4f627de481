//! The finds of a report: what they revoke.

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

/// How many secrets are dealt with at the same time.
const CONCURRENCY: usize = 16;

/// For how long after the request's arrival finds are begun. GitHub waits for half a minute.
const REPORTING: Duration = Duration::from_secs(15);

/// The pauses before further attempts at a find: nobody says that GitHub reports it again.
const PAUSES: [Duration; 3] = [
    Duration::from_millis(50),
    Duration::from_millis(200),
    Duration::from_millis(800),
];

/// What became of a report.
#[derive(Debug, Default)]
pub(crate) struct Report {
    /// The secrets that are those of tokens.
    pub(crate) known: BTreeSet<SecretHash>,
    /// The records of those that weren't known as compromised.
    pub(crate) records: Vec<AuditRecord>,
    /// Why a part of it is to be reported again.
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
                // A failure that is hopeless isn't hidden by one that isn't.
                if !matches!(self.failure, Some(PortError::Broken(_))) {
                    self.failure = Some(error);
                }
            }
        }
    }
}

/// Reports all finds of a request that arrived at `begin`. Of those of one secret the first one counts: it is
/// compromised once and for all.
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

/// A find that a scanner reports.
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

/// Reports a find, several times if need be; after `until` it begins no attempt.
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
