//! The harness: runs the parts that the arguments name, or all parts that have no table of their own, and prints the
//! figures. With `--write`, it also writes the tables of the others into the document.

#![allow(clippy::print_stdout, reason = "prints what it measured")]

use std::collections::BTreeMap;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use latchkey_bench::cold_start::{self, Contestant, Part};
use latchkey_bench::fixture::{Engine, Transport, seed, seed_load, seed_peers};
use latchkey_bench::report::{Row, table, tables, with_part};
use latchkey_bench::{cost, line, load, memory, peers, verification};
use serde::Deserialize;
use serde::de::DeserializeOwned;

/// The parts, in the order in which they run.
const PARTS: [&str; 8] = [
    "verify",
    "malformed",
    "cold-start",
    "memory",
    "size",
    "cost",
    "load",
    "peers",
];

/// The parts with tables of their own in the document. They take minutes, and run only if they are named.
const WRITTEN: [&str; 2] = ["load", "peers"];
const DOCUMENT: &str = "docs/benchmarks.md";

/// The variable with what a part needs to know, as JSON.
const SETUP: &str = "LATCHKEY_BENCH_SETUP";

/// The paths of the programs, from `.local/bench/programs.json`, which `make bench` writes.
#[derive(Deserialize)]
struct Programs {
    engine: String,
    authorize: String,
    authorize_without_warming: String,
    authorize_other_entropy: Option<String>,
    empty_function: String,
    reading_function: String,
    node: Option<Vec<String>>,
    python: Option<Vec<String>>,
    /// The functions under load by name.
    #[serde(default)]
    load: BTreeMap<String, String>,
    latchkey_tower: Option<String>,
    openbao: Option<String>,
    rusty_vault: Option<String>,
    better_auth: Option<Vec<String>>,
    /// The package for arm64.
    package: Option<PathBuf>,
}

impl Programs {
    fn peers(&self, engine: &Engine, directory: &Path) -> Result<peers::Setup, Box<dyn Error>> {
        let tower = self.latchkey_tower.clone();
        Ok(peers::Setup {
            latchkey_tower: tower.ok_or("the example server was not built")?,
            openbao: self.openbao.clone(),
            rusty_vault: self.rusty_vault.clone(),
            better_auth: self.better_auth.clone(),
            engine: engine.id(),
            folder: directory.join("peers"),
        })
    }
}

/// Reads what a part needs to know.
fn setup<T: DeserializeOwned>() -> Result<T, Box<dyn Error>> {
    Ok(serde_json::from_str(&std::env::var(SETUP)?)?)
}

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let arguments: Vec<_> = std::env::args()
        .skip(1)
        .filter(|a| a != "--bench")
        .collect();
    if let [inside, part] = &arguments[..]
        && inside == "--inside"
    {
        return inside_of(part);
    }
    let has = |option: &str| arguments.iter().any(|argument| argument == option);
    let (strict, write) = (has("--strict"), has("--write"));
    let named: Vec<_> = arguments
        .iter()
        .filter(|argument| !["--strict", "--write"].contains(&argument.as_str()))
        .collect();
    if let Some(unknown) = named.iter().find(|part| !PARTS.contains(&part.as_str())) {
        return Err(format!("there is no part {unknown}; there are {}", PARTS.join(", ")).into());
    }
    let directory = PathBuf::from(std::env::var("LATCHKEY_BENCH")?);
    let programs = std::fs::read_to_string(directory.join("programs.json"))?;
    let programs: Programs = serde_json::from_str(&programs)?;
    // Parts that aren't measured this time keep their last figures.
    let file = directory.join("../bench.json");
    let mut all: Vec<Row> = match std::fs::read(&file) {
        Ok(bytes) => serde_json::from_slice(&bytes)?,
        Err(_) => vec![],
    };
    let wanted = |part: &&str| match &named[..] {
        [] => !WRITTEN.contains(part),
        named => named.iter().any(|name| name == part),
    };
    let mut rows = Vec::new();
    for part in PARTS.into_iter().filter(|part| wanted(part)) {
        println!("{part} …");
        let measured = match part {
            "cost" => {
                let rows = cost::compute(&all);
                if rows.is_empty() {
                    println!("Nothing was measured yet from which the cost follows.");
                }
                rows
            }
            part => run(part, &programs, &directory)?,
        };
        if let Some(row) = measured.iter().find(|row| row.value.is_nan()) {
            return Err(format!("{part}: {} was not measured", row.what).into());
        }
        all.retain(|row| row.part != part);
        all.extend(measured.iter().cloned());
        rows.extend(measured);
        std::fs::write(&file, serde_json::to_vec_pretty(&all)?)?;
    }
    let listed: Vec<_> = rows
        .iter()
        .filter(|row| !WRITTEN.contains(&row.part.as_str()))
        .cloned()
        .collect();
    if !listed.is_empty() {
        println!("\n{}", table(&listed));
    }
    for part in WRITTEN {
        let of_part: Vec<_> = rows
            .iter()
            .filter(|row| row.part == part)
            .cloned()
            .collect();
        if of_part.is_empty() {
            continue;
        }
        let tables = tables(&of_part);
        println!("{part}\n\n{tables}");
        if write {
            let document = std::fs::read_to_string(DOCUMENT)?;
            std::fs::write(DOCUMENT, with_part(&document, part, &tables)?)?;
        }
    }
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    println!("Load averages: {}", load.trim());
    let missed = rows.iter().filter(|row| row.misses()).count();
    let judged = rows.iter().filter(|row| row.target.is_some()).count();
    println!("{missed} of {judged} targets missed.");
    Ok(if strict && missed > 0 {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}

/// Runs one part. A part that measures this process runs in a process with the functions' environment.
fn run(part: &str, programs: &Programs, directory: &Path) -> Result<Vec<Row>, Box<dyn Error>> {
    if part == "size" {
        return size(programs.package.as_deref());
    }
    let engine = Engine::start(&programs.engine)?;
    let mut http = engine.environment(Transport::Http, directory)?;
    match part {
        "load" => {
            inside("seed", &http)?;
            inside("seed-load", &http)?;
            let setup = load::Setup {
                functions: programs.load.clone(),
                engine: engine.id(),
            };
            http.push((SETUP.into(), serde_json::to_string(&setup)?));
            return inside(part, &http);
        }
        "peers" => {
            inside("seed-peers", &http)?;
            let setup = programs.peers(&engine, directory)?;
            http.push((SETUP.into(), serde_json::to_string(&setup)?));
            return inside(part, &http);
        }
        _ => inside("seed", &http)?,
    };
    let https = engine.environment(Transport::Https, directory)?;
    match part {
        "cold-start" => cold_start::measure(30, &contestants(programs, &http, &https)),
        "memory" => {
            let mut rows = Vec::new();
            for contestant in contestants(programs, &http, &https) {
                if contestant.in_memory {
                    rows.extend(memory::measure(&contestant, 20_000)?);
                }
            }
            Ok(rows)
        }
        part => inside(part, &http),
    }
}

/// Starts this program again for one part, in the given environment.
fn inside(part: &str, environment: &[(String, String)]) -> Result<Vec<Row>, Box<dyn Error>> {
    let output = Command::new(std::env::current_exe()?)
        .args(["--inside", part])
        .env_clear()
        .envs(environment.iter().cloned())
        .stderr(Stdio::inherit())
        .output()?;
    if !output.status.success() {
        return Err(format!("{part} failed").into());
    }
    Ok(serde_json::from_slice(&output.stdout)?)
}

/// The started process of [`inside`]: runs the part on a runtime like the functions'.
#[tokio::main(flavor = "current_thread")]
async fn inside_of(part: &str) -> Result<ExitCode, Box<dyn Error>> {
    let rows = match part {
        "seed" => seed().await.map(|()| vec![])?,
        "seed-load" => seed_load().await.map(|()| vec![])?,
        "seed-peers" => seed_peers().await.map(|()| vec![])?,
        "load" => load::measure(&setup()?).await?,
        "peers" => peers::measure(&setup()?).await?,
        "verify" => [verification::measure().await?, line::measure().await?].concat(),
        "malformed" => verification::measure_malformed().await?,
        _ => return Err(format!("{part} doesn't run inside").into()),
    };
    println!("{}", serde_json::to_string(&rows)?);
    Ok(ExitCode::SUCCESS)
}

fn contestants(
    programs: &Programs,
    http: &[(String, String)],
    https: &[(String, String)],
) -> Vec<Contestant> {
    let contestant = |name, program: Option<Vec<String>>| {
        program.map(|program| Contestant {
            name,
            program,
            environment: https.to_vec(),
            part: Part::Other,
            in_memory: false,
        })
    };
    let rust = |program: &String| Some(vec![program.clone()]);
    let other = programs.authorize_other_entropy.as_ref();
    let all = [
        contestant("empty function", rust(&programs.empty_function)).map(|one| Contestant {
            part: Part::Empty,
            in_memory: true,
            ..one
        }),
        contestant("reading function", rust(&programs.reading_function)).map(|one| Contestant {
            part: Part::Reading,
            ..one
        }),
        contestant("authorize", rust(&programs.authorize)).map(|one| Contestant {
            part: Part::Authorize,
            in_memory: true,
            ..one
        }),
        contestant("authorize without TLS", rust(&programs.authorize)).map(|one| Contestant {
            environment: http.to_vec(),
            ..one
        }),
        contestant(
            "authorize without warming",
            rust(&programs.authorize_without_warming),
        ),
        contestant("authorize with jitter entropy", other.and_then(rust)),
        contestant("Node.js (its SDK unbundled)", programs.node.clone()).map(|one| Contestant {
            in_memory: true,
            ..one
        }),
        contestant("Python", programs.python.clone()).map(|one| Contestant {
            in_memory: true,
            ..one
        }),
    ];
    all.into_iter().flatten().collect()
}

/// The size of the package that `make deploy` uploads.
fn size(package: Option<&Path>) -> Result<Vec<Row>, Box<dyn Error>> {
    let Some(package) = package else {
        return Ok(vec![]);
    };
    let bytes = u32::try_from(std::fs::metadata(package)?.len())?;
    let mib = f64::from(bytes) / 1024.0 / 1024.0;
    Ok(vec![
        Row::new("size", "authorize, arm64, zipped", mib, "MiB").at_most(5.0),
    ])
}
