//! The finds of a report: what they revoke.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures_util::{StreamExt, stream};
use jiff::Timestamp;
use latchkey::domain::audit::{AuditRecord, Origin};
use latchkey::domain::leak::{Find, Reported, report};
use latchkey::domain::ports::{Clock, Entropy, GetSecret, GetToken, PortError, RecordLeak};
use latchkey::domain::secret::SecretHash;
use tokio::time::sleep;

/// How many secrets are dealt with at the same time.
const CONCURRENCY: usize = 16;

/// How many further finds of each of them, at the same time.
const CONCURRENT_FINDS: usize = 4;

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
    /// The records of the tokens that were revoked.
    pub(crate) records: Vec<AuditRecord>,
    /// Why a part of it is to be reported again.
    pub(crate) failure: Option<PortError>,
}

impl Report {
    fn add(&mut self, secret: SecretHash, result: Result<Reported, PortError>) {
        match result {
            Ok(Reported::Unknown) => {}
            Ok(Reported::Known) => {
                self.known.insert(secret);
            }
            Ok(Reported::Revoked(record)) => {
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

/// Reports all finds of a request that arrived at `begin`. Those of one secret belong together: they change
/// the same token.
pub(crate) async fn report_all(
    store: &(impl GetSecret + GetToken + RecordLeak),
    system: &(impl Clock + Entropy),
    finds: impl Iterator<Item = Find>,
    origin: &Origin,
    begin: Timestamp,
) -> Report {
    let until = begin.saturating_add(REPORTING).unwrap_or(Timestamp::MAX);
    let mut secrets = BTreeMap::<SecretHash, Vec<Find>>::new();
    for find in finds {
        secrets.entry(find.secret).or_default().push(find);
    }
    let mut results = stream::iter(secrets)
        .map(|(secret, finds)| async move {
            let results = report_secret(store, system, finds, origin, until).await;
            (secret, results)
        })
        .buffer_unordered(CONCURRENCY);
    let mut report = Report::default();
    while let Some((secret, results)) = results.next().await {
        for result in results {
            report.add(secret, result);
        }
    }
    report
}

/// Reports the finds of one secret.
async fn report_secret(
    store: &(impl GetSecret + GetToken + RecordLeak),
    system: &(impl Clock + Entropy),
    finds: Vec<Find>,
    origin: &Origin,
    until: Timestamp,
) -> Vec<Result<Reported, PortError>> {
    let mut finds = finds.into_iter();
    let Some(first) = finds.next() else {
        return vec![];
    };
    let first = report_one(store, system, &first, origin, until).await;
    if matches!(first, Err(_) | Ok(Reported::Unknown)) {
        return vec![first];
    }
    // The first one has revoked the token, and the others are only to be remembered.
    let further = stream::iter(finds)
        .map(|find| async move { report_one(store, system, &find, origin, until).await })
        .buffer_unordered(CONCURRENT_FINDS);
    stream::iter([first]).chain(further).collect().await
}

/// Reports a find, several times if need be; after `until` it begins no attempt.
async fn report_one(
    store: &(impl GetSecret + GetToken + RecordLeak),
    system: &(impl Clock + Entropy),
    find: &Find,
    origin: &Origin,
    until: Timestamp,
) -> Result<Reported, PortError> {
    let mut pauses = PAUSES.into_iter();
    loop {
        if system.now() >= until {
            return Err(PortError::Unavailable("the time is up".into()));
        }
        match (report(store, system, find, origin).await, pauses.next()) {
            (Err(PortError::Unavailable(error)), Some(pause)) => {
                tracing::warn!(error, "a find is tried again");
                sleep(pause).await;
            }
            (reported, _) => return reported,
        }
    }
}
