//! What the line of a decision adds to a verification. There is no network, and the line is written to a file that
//! drops it.

use std::error::Error;
use std::fs::OpenOptions;
use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use jiff::Timestamp;
use latchkey::domain::id::AccountId;
use latchkey::domain::resource::{Resource, ResourceRef};
use latchkey::domain::secret::SecretHash;
use latchkey::domain::verification::{SecretRecord, Seen, UsedFrom};
use latchkey::ports::{GetResources, PortError, Recall, RecallSecret, RecordUse, Use};
use latchkey::system::System;
use latchkey::telemetry::subscriber;
use tracing::level_filters::LevelFilter;
use tracing::subscriber::{DefaultGuard, set_default};

use crate::fixture::{EVENT, granted, secret_record};
use crate::report::Row;

/// The number of verifications per round and side.
const CALLS: u32 = 2_000;
/// The number of rounds. The sides alternate in coming first.
const ROUNDS: usize = 100;

/// A store that knows a secret whose use is on record.
struct Known(SecretRecord);

/// What no verification of such a secret asks for.
fn unasked<T>() -> Result<T, PortError> {
    Err(PortError::Broken("nobody asks for that".into()))
}

impl RecallSecret for Known {
    async fn recall_secret(
        &self,
        _: &SecretHash,
        _: UsedFrom,
        _: Timestamp,
    ) -> Result<Option<(SecretRecord, Recall)>, PortError> {
        Ok(Some((self.0.clone(), Recall::OnRecord)))
    }

    async fn get_seen(&self, _: &SecretHash) -> Result<Seen, PortError> {
        unasked()
    }
}

impl GetResources for Known {
    async fn get_resources(
        &self,
        _: &AccountId,
        _: &[ResourceRef],
    ) -> Result<Vec<Resource>, PortError> {
        unasked()
    }
}

impl RecordUse for Known {
    async fn record_use(&self, _: &Use) -> Result<(), PortError> {
        unasked()
    }
}

/// Returns the duration of a verification, in µs. `logs` are those that get the line.
async fn side(store: &Known, logs: Option<DefaultGuard>) -> Result<f64, Box<dyn Error>> {
    let mut events = Vec::new();
    for _ in 0..CALLS {
        events.push(serde_json::from_str(EVENT)?);
    }
    let mut last = None;
    let begin = Instant::now();
    for event in events {
        let answer = authorize::handle(store, &System, event).await;
        last = Some(black_box(answer.map_err(|error| error.to_string())?));
    }
    let took = begin.elapsed() / CALLS;
    drop(logs);
    granted(&serde_json::to_vec(&last)?)?;
    Ok(took.as_secs_f64() * 1e6)
}

/// The figures of a verification with and without the line.
///
/// # Errors
/// The verification is refused, or there is no file that drops what is written.
pub async fn measure() -> Result<Vec<Row>, Box<dyn Error>> {
    let store = Known(secret_record()?);
    let file = Arc::new(OpenOptions::new().write(true).open("/dev/null")?);
    let logs = || {
        set_default(subscriber(
            "authorize",
            LevelFilter::INFO,
            Arc::clone(&file),
        ))
    };
    let (mut without, mut added) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        let first = round % 2 == 0;
        let one = side(&store, first.then(logs)).await?;
        let other = side(&store, (!first).then(logs)).await?;
        let (logged, bare) = if first { (one, other) } else { (other, one) };
        without.push(bare);
        added.push(logged - bare);
    }
    Ok(vec![
        Row::of_rounds(
            "verify",
            "verification without network and line",
            &without,
            "µs",
        ),
        Row::of_rounds("verify", "the decision line", &added, "µs").at_most(2.0),
    ])
}
