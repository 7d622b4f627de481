use std::io;
use std::sync::{Arc, Mutex};

use serde_json::Value;
use tracing::level_filters::LevelFilter;
use tracing::subscriber::{DefaultGuard, set_default};
use tracing_subscriber::fmt::MakeWriter;

use crate::telemetry::subscriber;

/// What is logged in the test's thread from now on, as a function would log it.
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

impl Logs {
    /// Starts to keep what the function of that crate logs at that level.
    pub fn of(function: &'static str, level: LevelFilter) -> Self {
        let written = Written::default();
        let subscriber = subscriber(function, level, written.clone());
        Self {
            written,
            _guard: set_default(subscriber),
        }
    }

    /// Starts to keep what the shared crate logs.
    pub fn start() -> Self {
        Self::of("latchkey", LevelFilter::INFO)
    }

    /// The lines so far.
    pub fn take(&self) -> Vec<Value> {
        let written = std::mem::take(&mut *self.written.0.lock().unwrap());
        let written = String::from_utf8(written).unwrap();
        let lines = written.lines().map(serde_json::from_str);
        lines.collect::<Result<_, _>>().unwrap()
    }
}
