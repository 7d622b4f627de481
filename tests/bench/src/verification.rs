//! A verification compared with a bare read of the same item, in one warm process.

use std::error::Error;
use std::hint::black_box;
use std::time::{Duration, Instant};

use aws_config::BehaviorVersion;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::AttributeValue;
use futures_util::future::try_join_all;
use latchkey::aws::aws_config;
use latchkey::config::Tables;
use latchkey::domain::secret::PlainSecret;
use latchkey::store::Store;
use latchkey::system::System;
use rustix::time::{ClockId, clock_gettime};

use crate::fixture::{EVENT, SECRET, granted};
use crate::report::Row;
use crate::stats::{median, quantile};

/// The numbers of concurrent callers.
const CALLERS: [usize; 3] = [1, 8, 32];
/// The number of reads and of verifications per round.
const CALLS: usize = 960;
/// The number of rounds. Reads and verifications alternate in coming first.
const ROUNDS: usize = 40;

/// The two sides of the comparison: the SDK with its defaults, and our store. The environment names their engine.
struct Contest {
    client: Client,
    store: Store,
    table: String,
    key: String,
}

impl Contest {
    async fn new() -> Result<Self, Box<dyn Error>> {
        let config = aws_config().await;
        let tables = Tables::from_env()?;
        let bare = aws_config::load_defaults(BehaviorVersion::v2026_01_12()).await;
        Ok(Self {
            client: Client::new(&bare),
            table: tables.tokens.clone(),
            store: Store::new(&config, tables),
            key: format!("SECRET#{}", PlainSecret::parse(SECRET)?.hash().to_hex()),
        })
    }

    /// A bare read through the SDK.
    async fn read(&self) -> Result<(), Box<dyn Error>> {
        let output = self
            .client
            .get_item()
            .table_name(&self.table)
            .key("pk", AttributeValue::S(self.key.clone()))
            .key("sk", AttributeValue::S("SECRET".into()))
            .consistent_read(true)
            .send()
            .await?;
        output.item.map(drop).ok_or_else(|| "no item".into())
    }

    /// Everything that the function does with an event, from its bytes to the bytes of the answer. Returns the duration
    /// of parsing and serialising, which the runtime does.
    async fn verify(&self) -> Result<Duration, Box<dyn Error>> {
        let begin = Instant::now();
        let event = serde_json::from_slice(EVENT.as_bytes())?;
        let read = begin.elapsed();
        let answer = authorize::handle(&self.store, &System, event).await;
        let answer = answer.map_err(|error| error.to_string())?;
        let begin = Instant::now();
        granted(black_box(&serde_json::to_vec(&answer)?))?;
        Ok(read + begin.elapsed())
    }

    /// Runs one side of a round.
    async fn side(&self, callers: usize, verify: bool) -> Result<Side, Box<dyn Error>> {
        let before = processor_time();
        let calls = (0..callers).map(async |_| {
            let mut took = Vec::with_capacity(CALLS / callers);
            for _ in 0..CALLS / callers {
                let begin = Instant::now();
                let json = if verify {
                    self.verify().await?
                } else {
                    self.read().await?;
                    Duration::ZERO
                };
                let whole = begin.elapsed();
                took.push((micros(whole), micros(whole.saturating_sub(json))));
            }
            Ok::<_, Box<dyn Error>>(took)
        });
        let took = try_join_all(calls).await?.concat();
        let spent = micros(processor_time().saturating_sub(before));
        let count = f64::from(u32::try_from(took.len())?);
        let (whole, handler) = took.into_iter().unzip();
        Ok(Side {
            whole,
            handler,
            processor: spent / count,
        })
    }
}

/// The durations of one side of a round, in µs.
struct Side {
    /// The duration of each call.
    whole: Vec<f64>,
    /// The duration of each call without JSON.
    handler: Vec<f64>,
    /// The processor time per call.
    processor: f64,
}

/// The figures of verifications compared with reads.
///
/// # Errors
/// The engine gives an unexpected answer.
pub async fn measure() -> Result<Vec<Row>, Box<dyn Error>> {
    let contest = Contest::new().await?;
    let mut rows = Vec::new();
    for callers in CALLERS {
        for verify in [false, true] {
            contest.side(callers, verify).await?;
        }
        let mut rounds = Rounds::default();
        for round in 0..ROUNDS {
            let first = round % 2 == 0;
            let (one, other) = (
                contest.side(callers, first).await?,
                contest.side(callers, !first).await?,
            );
            let (verifications, reads) = if first { (one, other) } else { (other, one) };
            rounds.add(&reads, &verifications);
        }
        rows.extend(rounds.rows(callers));
    }
    Ok(rows)
}

#[derive(Default)]
struct Rounds {
    read: Vec<f64>,
    verification: Vec<f64>,
    handler: Vec<f64>,
    p50: Vec<f64>,
    p99: Vec<f64>,
    processor: Vec<f64>,
    read_processor: Vec<f64>,
    processor_ratio: Vec<f64>,
}

impl Rounds {
    fn add(&mut self, reads: &Side, verifications: &Side) {
        let read = median(&reads.whole);
        self.read.push(read);
        self.verification.push(median(&verifications.whole));
        self.handler.push(median(&verifications.handler) / read);
        self.p50.push(median(&verifications.whole) / read);
        let last = |side: &Side| quantile(&side.whole, 0.99);
        self.p99.push(last(verifications) / last(reads));
        self.processor
            .push(verifications.processor - reads.processor);
        self.read_processor.push(reads.processor);
        self.processor_ratio
            .push(verifications.processor / reads.processor);
    }

    fn rows(&self, callers: usize) -> [Row; 8] {
        let row = |what: &str, rounds: &[f64], unit| {
            let plural = if callers == 1 { "caller" } else { "callers" };
            Row::of_rounds(
                "verify",
                format!("{what}, {callers} {plural}"),
                rounds,
                unit,
            )
        };
        [
            row("bare `GetItem`, p50", &self.read, "µs"),
            row("verification, p50", &self.verification, "µs"),
            row("verification / `GetItem`, p50", &self.p50, "x").at_most(1.05),
            row("… without its JSON, p50", &self.handler, "x"),
            row("verification / `GetItem`, p99", &self.p99, "x").at_most(1.2),
            row(
                "processor time of the `GetItem`",
                &self.read_processor,
                "µs",
            ),
            row("processor time beyond the `GetItem`", &self.processor, "µs").at_most(20.0),
            row(
                "processor time of a verification / of the `GetItem`",
                &self.processor_ratio,
                "x",
            )
            .at_most(0.6),
        ]
    }
}

/// The figures of malformed secrets.
///
/// # Errors
/// A malformed secret is accepted.
pub async fn measure_malformed() -> Result<Vec<Row>, Box<dyn Error>> {
    const CALLS: u32 = 2_000;
    let contest = Contest::new().await?;
    let mut rows = Vec::new();
    for (what, secret) in [
        ("malformed secret", "lka_not-a-secret".to_owned()),
        ("wrongly summed secret", SECRET.replace("1Y", "1Z")),
    ] {
        let text = EVENT.replace(SECRET, &secret);
        let mut decision = Vec::new();
        let mut whole = Vec::new();
        for _ in 0..100 {
            let mut events = Vec::new();
            for _ in 0..CALLS {
                events.push(serde_json::from_str(&text)?);
            }
            let begin = Instant::now();
            for event in events {
                let answer = authorize::handle(&contest.store, &System, event).await;
                black_box(answer.map_err(|error| error.to_string())?);
            }
            decision.push(micros(begin.elapsed() / CALLS));
            let begin = Instant::now();
            for _ in 0..CALLS {
                let event = serde_json::from_str(&text)?;
                let answer = authorize::handle(&contest.store, &System, event).await;
                let answer = answer.map_err(|error| error.to_string())?;
                if granted(black_box(&serde_json::to_vec(&answer)?)).is_ok() {
                    return Err("a malformed secret was let through".into());
                }
            }
            whole.push(micros(begin.elapsed() / CALLS));
        }
        rows.push(
            Row::of_rounds("malformed", format!("{what}: refusal"), &decision, "µs").at_most(2.0),
        );
        rows.push(Row::of_rounds(
            "malformed",
            format!("{what}: from the event's bytes to the answer's"),
            &whole,
            "µs",
        ));
    }
    Ok(rows)
}

fn micros(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e6
}

/// The processor time of all threads of this process.
fn processor_time() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::try_from(time).unwrap_or_default()
}
