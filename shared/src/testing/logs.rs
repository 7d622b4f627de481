use std::io;
use std::sync::{Arc, Mutex, Once};

use serde_json::Value;
use tracing::level_filters::LevelFilter;
use tracing::subscriber::{DefaultGuard, set_default, set_global_default};
use tracing_subscriber::filter::dynamic_filter_fn;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;

use crate::telemetry::subscriber;

/// The log lines of the test's thread, as a function would write them.
pub struct Logs {
    written: Written,
    _guard: DefaultGuard,
}

#[derive(Clone, Default)]
struct Written(Arc<Mutex<Vec<u8>>>);

impl io::Write for Written {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Written {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

/// Makes every event ask for its subscriber each time. A call site otherwise caches at its first event whether anybody
/// listens. With tests in parallel, that event may occur in another test, which doesn't listen.
pub(super) fn ask_always() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let nobody = tracing_subscriber::registry().with(dynamic_filter_fn(|_, _| false));
        // A default that is set already works too, since it was there before any event.
        let _ = set_global_default(nobody);
    });
}

impl Logs {
    /// Starts to collect what the function of that crate logs, up to that level.
    pub fn of(function: &'static str, level: LevelFilter) -> Self {
        ask_always();
        let written = Written::default();
        let subscriber = subscriber(function, level, written.clone());
        Self {
            written,
            _guard: set_default(subscriber),
        }
    }

    /// Starts to collect what the shared crate logs.
    pub fn start() -> Self {
        Self::of("latchkey", LevelFilter::INFO)
    }

    /// Takes the lines so far.
    pub fn take(&self) -> Vec<Value> {
        let lines = self.take_lines();
        let lines = lines.iter().map(|line| serde_json::from_str(line));
        lines.collect::<Result<_, _>>().unwrap()
    }

    /// Takes the lines so far as text.
    pub fn take_lines(&self) -> Vec<String> {
        let written = std::mem::take(&mut *self.written.0.lock().unwrap());
        let written = String::from_utf8(written).unwrap();
        written.lines().map(str::to_owned).collect()
    }

    /// Takes the measures so far, each with its count. Other lines are dropped.
    pub fn take_measures(&self) -> Vec<(String, u64)> {
        let lines = self.take().into_iter();
        lines
            .filter_map(|line| {
                Some((
                    line["measure"].as_str()?.to_owned(),
                    line["count"].as_u64()?,
                ))
            })
            .collect()
    }

    /// Takes the decisions so far, each as outcome, action, resource and secret. A missing value is the empty text.
    /// Other lines are dropped.
    pub fn take_decisions(&self) -> Vec<[String; 4]> {
        let mut lines = self.take();
        lines.retain(|line| line.get("sequence").is_some());
        let told = |line: &Value| {
            ["outcome", "action", "resource", "secret"]
                .map(|member| line[member].as_str().unwrap_or_default().to_owned())
        };
        lines.iter().map(told).collect()
    }
}
