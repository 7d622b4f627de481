//! Verifications by other services, on the same processors and from the same client: over HTTP, the service looks a
//! credential up in a store outside of its heap, decides, and answers with JSON.

mod latchkey;
mod others;
mod service;

use std::error::Error;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::drive::{closed, count};
use crate::report::Row;
use service::Service;

/// What the part needs to know.
#[derive(Debug, Serialize, Deserialize)]
pub struct Setup {
    /// The program of `tower/examples/serve.rs`.
    pub latchkey_tower: String,
    /// The program of OpenBao, if it is installed.
    pub openbao: Option<String>,
    /// The program of RustyVault, if it is installed.
    pub rusty_vault: Option<String>,
    /// The command of better-auth's server, if it is installed.
    pub better_auth: Option<Vec<String>>,
    /// The process of the engine.
    pub engine: u32,
    /// A folder for the services' files.
    pub folder: PathBuf,
}

/// The numbers of callers, in closed loops.
const CALLERS: [usize; 3] = [1, 8, 32];
/// The durations of the first loop, which isn't counted, and of each other loop.
const WARMING: Duration = Duration::from_secs(3);
const LOOP: Duration = Duration::from_secs(8);

/// The figures of all services. Each runs alone. One that doesn't start is said, and has no figures.
///
/// # Errors
/// The example server doesn't start, or an answer is no successful verification.
pub async fn measure(setup: &Setup) -> Result<Vec<Row>, Box<dyn Error>> {
    let mut rows = Vec::new();
    for cached in [Duration::ZERO, latchkey::CACHED] {
        let service = latchkey::start(setup, cached).await?;
        rows.extend(verify(latchkey::name(cached), &service).await?);
    }
    let folder = |name: &str| setup.folder.join(name.replace([' ', ','], "-"));
    if let Some(program) = &setup.openbao {
        for cached in [false, true] {
            let name = others::openbao_name(cached);
            let service = others::openbao(program, &folder(name), cached).await;
            rows.extend(verify_started(name, service).await?);
        }
    }
    if let Some(program) = &setup.rusty_vault {
        let name = "RustyVault";
        let service = others::rusty_vault(program, &folder(name)).await;
        rows.extend(verify_started(name, service).await?);
    }
    if let Some(command) = &setup.better_auth {
        let name = "better-auth";
        let service = others::better_auth(command, &folder(name)).await;
        rows.extend(verify_started(name, service).await?);
    }
    Ok(rows)
}

/// The figures of another service; none if it didn't start.
#[expect(clippy::print_stderr, reason = "says what is missing")]
async fn verify_started(
    name: &str,
    service: Result<Service, Box<dyn Error>>,
) -> Result<Vec<Row>, Box<dyn Error>> {
    match service {
        Ok(service) => verify(name, &service).await,
        Err(error) => {
            eprintln!("{name} doesn't start: {error}");
            Ok(vec![])
        }
    }
}

/// The figures of a service.
async fn verify(name: &str, service: &Service) -> Result<Vec<Row>, Box<dyn Error>> {
    let mut rows = Vec::new();
    let failed = |error| format!("{name}: {error}");
    closed(service, 32, WARMING).await.map_err(failed)?;
    for callers in CALLERS {
        let (before, store_before) = service.processor_times()?;
        let run = closed(service, callers, LOOP).await.map_err(failed)?;
        let (after, store_after) = service.processor_times()?;
        let each = |time: Duration| time.as_secs_f64() * 1e6 / count(run.right());
        let (own, store) = (
            each(after.saturating_sub(before)),
            each(store_after.saturating_sub(store_before)),
        );
        let plural = if callers == 1 { "caller" } else { "callers" };
        let row = |what: &str, value, unit| {
            let what = format!("{name}, {callers} {plural}: {what}");
            Row::new("peers", what, value, unit)
        };
        let [p50, p99] = run.latencies([0.5, 0.99]);
        rows.extend([
            row("verifications", run.throughput(), "/s"),
            row("p50", p50, "ms"),
            row("p99", p99, "ms"),
            row("service and store", own + store, "core-µs"),
            row("of which the store's process", store, "core-µs"),
        ]);
    }
    Ok(rows)
}
