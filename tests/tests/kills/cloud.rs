//! A local cloud of the suite's own, and the ends of its processes.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread::panicking;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use end_to_end::{Answer, Stack};
use reqwest::RequestBuilder;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::probe::Probe;

/// The one place of start-up code.
const CLOUD: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../infra/local/cloud.py");

/// The cloud's name.
const NAME: &str = "kills";

/// How long a call may take. The longest timeout of a function that is called is 60 seconds.
const PATIENCE: Duration = Duration::from_secs(70);

/// How long a function runs between two looks at what it did.
const SLICE: Duration = Duration::from_millis(3);

/// After so many slices, a function is killed whatever it did: it may have had nothing to change.
const SLICES: usize = 90;

/// When a function is killed.
#[derive(Debug, Clone, Copy)]
pub(crate) enum When {
    /// After so many slices, wherever it is then.
    Slices(usize),
    /// As soon as what it changes has changed: it has had no time to say so.
    Effect,
}

/// Processes that stand still until this value ends.
struct Stopped(Vec<Pid>);

impl Stopped {
    /// Returns the number of processes that got the signal. One may have ended by itself.
    fn send(&self, signal: Signal) -> u64 {
        let sent = self.0.iter().map(|id| kill_process(*id, signal));
        sent.filter(Result::is_ok).map(|_| 1).sum()
    }
}

impl Drop for Stopped {
    fn drop(&mut self) {
        self.send(Signal::CONT);
    }
}

/// A local cloud that ends with this value. If the test has failed, its log and data stay.
pub(crate) struct Cloud {
    pub(crate) stack: Stack,
    log: PathBuf,
    /// The hexadecimal SHA-256 of each function's package, by the crate's name. It is part of the program's path.
    packages: BTreeMap<String, String>,
    /// The number of processes that were killed.
    pub(crate) kills: Cell<u64>,
    /// The number of times that the cloud was ended and started again.
    pub(crate) restarts: Cell<u64>,
}

impl Cloud {
    /// Starts a cloud with the functions as `make test` built them.
    pub(crate) async fn start() -> Self {
        // Without `make test`, the functions may be older than the code.
        let _built = Stack::from_env();
        run(&["--stop", "--purge"]).await;
        let description = PathBuf::from(description(&run(&[]).await));
        let stack = Stack::of(&description);
        let mut cloud = Self {
            stack,
            log: description.with_file_name("cloud.log"),
            packages: BTreeMap::new(),
            kills: Cell::new(0),
            restarts: Cell::new(0),
        };
        for function in cloud.stack.functions().await {
            let text = |name: &str| function[name].as_str().unwrap_or_default().to_owned();
            let (name, digest) = (text("FunctionName"), text("CodeSha256"));
            let Some(name) = name.strip_prefix("latchkey-") else {
                continue;
            };
            let logical = name.split("Function").next().unwrap_or_default();
            let digest = STANDARD.decode(digest).expect("a digest in Base64");
            cloud.packages.insert(kebab(logical), hex::encode(digest));
        }
        cloud
    }

    /// Ends the processes of a function with SIGKILL when it is time.
    ///
    /// Until then, the function runs in slices of a few milliseconds and stands still in between, so that what it sent
    /// takes effect and nothing else happens. The probe is made in the pauses; `before` is what it said before the call.
    pub(crate) async fn kill(&self, function: &str, when: When, probe: &Probe, before: &Value) {
        let mut slices = 0;
        loop {
            let stopped = Stopped(self.processes(function));
            stopped.send(Signal::STOP);
            let now = self.probe(probe).await;
            let due = match when {
                When::Slices(number) => slices >= number,
                When::Effect => now.is_some_and(|now| now != *before),
            };
            if (due || slices >= SLICES) && !stopped.0.is_empty() {
                let ended = stopped.send(Signal::KILL);
                self.kills.set(self.kills.get() + ended);
                return;
            }
            slices += usize::from(!stopped.0.is_empty());
            drop(stopped);
            tokio::time::sleep(SLICE).await;
        }
    }

    /// Reads what a probe reads; `None` if there is no local cloud at the moment.
    pub(crate) async fn probe(&self, probe: &Probe) -> Option<Value> {
        let answer = attempt(probe.request(&self.stack)).await.ok()?.json();
        // The rest of an answer may change with what others do.
        Some(json!([
            answer["Item"],
            answer["Items"],
            answer["SendQuota"]
        ]))
    }

    /// The processes of a function.
    fn processes(&self, function: &str) -> Vec<Pid> {
        let package = self.packages.get(function);
        let package = package.unwrap_or_else(|| panic!("no function {function}"));
        // The local cloud's port keeps the processes of other clouds apart.
        let (_, port) = self
            .stack
            .get("endpointUrl")
            .rsplit_once(':')
            .expect("a port");
        let program = format!("ministack-provided-code-{port}/{package}/bootstrap");
        let all = processes().into_iter();
        let own = all.filter(|(_, command)| command.contains(&program));
        own.filter_map(|(id, _)| Pid::from_raw(id.parse().ok()?))
            .collect()
    }

    /// Ends the local cloud while it serves, and starts it again with its data. It writes its state only when it is asked
    /// to end; the processes of its functions are killed after that.
    pub(crate) async fn restart(&self) {
        run(&["--stop"]).await;
        let log = fs::read_to_string(&self.log).expect("the local cloud's log");
        let lost = log.lines().find(|line| {
            line.contains("Persistence: failed") || line.contains("Persistence: error")
        });
        assert_eq!(
            lost, None,
            "the local cloud lost what it stored, which is its own fault"
        );
        let again = Stack::of(Path::new(&description(&run(&[]).await)));
        for member in ["endpointUrl", "apiUrl", "tokensTable", "auditTable"] {
            assert_eq!(again.get(member), self.stack.get(member), "another stack");
        }
        self.restarts.set(self.restarts.get() + 1);
    }
}

impl Drop for Cloud {
    fn drop(&mut self) {
        let mut command = Command::new("python3");
        command.args([CLOUD, "own", NAME, "--stop"]);
        if !panicking() {
            command.arg("--purge");
        }
        // A failure here must not hide that of the test. `make test` stops what is left.
        let _ = command.status();
    }
}

async fn run(arguments: &[&str]) -> String {
    let done = tokio::process::Command::new("python3")
        .args([CLOUD, "own", NAME])
        .args(arguments)
        .output()
        .await
        .expect("Python");
    let (text, error) = (&done.stdout, &done.stderr);
    let [text, error] = [text, error].map(|bytes| String::from_utf8_lossy(bytes).into_owned());
    assert!(done.status.success(), "{text}{error}");
    text
}

/// The path of the stack's description. It is in the last line.
fn description(output: &str) -> String {
    let line = output.lines().last().unwrap_or_default();
    let value: Value = serde_json::from_str(line).unwrap_or_default();
    value["description"].as_str().expect("a path").to_owned()
}

/// The ids and commands of all processes.
fn processes() -> Vec<(String, String)> {
    let Ok(folder) = fs::read_dir("/proc") else {
        let done = Command::new("ps")
            .args(["-axww", "-o", "pid=,command="])
            .output();
        let text = String::from_utf8_lossy(&done.expect("ps").stdout).into_owned();
        let lines = text.lines().filter_map(|line| line.trim().split_once(' '));
        return lines.map(|(id, rest)| (id.into(), rest.into())).collect();
    };
    let ids = folder
        .flatten()
        .filter_map(|entry| entry.file_name().into_string().ok());
    let ids = ids.filter(|id| id.bytes().all(|byte| byte.is_ascii_digit()));
    // A process may end meanwhile.
    let commands = ids.filter_map(|id| {
        let command = fs::read(format!("/proc/{id}/cmdline")).ok()?;
        Some((id, String::from_utf8_lossy(&command).into_owned()))
    });
    commands.collect()
}

/// The name of a crate whose function has this name in the template.
fn kebab(logical: &str) -> String {
    let mut name = String::new();
    for letter in logical.chars() {
        if letter.is_uppercase() && !name.is_empty() {
            name.push('-');
        }
        name.extend(letter.to_lowercase());
    }
    name
}

/// Why there is no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Silence {
    /// There is no local cloud at the moment.
    NotReached,
    /// The connection broke, or what answered wasn't the function.
    Cut,
}

/// Sends a request once.
pub(crate) async fn attempt(request: RequestBuilder) -> Result<Answer, Silence> {
    let silence = |error: reqwest::Error| {
        if error.is_connect() {
            Silence::NotReached
        } else {
            Silence::Cut
        }
    };
    let response = request.timeout(PATIENCE).send().await.map_err(silence)?;
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let text = response.text().await.map_err(silence)?;
    let answer = Answer {
        status,
        headers,
        text,
    };
    if status < 500 {
        Ok(answer)
    } else {
        Err(Silence::Cut)
    }
}
