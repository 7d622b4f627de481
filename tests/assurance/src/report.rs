//! What a suite did.

use std::fs;
use std::path::Path;
use std::time::Instant;

use serde::{Deserialize, Serialize};

use crate::rounds::minutes;

/// The folder of the reports, from the repository's root.
pub const FOLDER: &str = "target/assurance";

/// What a suite did, as stored.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Suite {
    /// The suite's name, and its place in the table.
    pub name: String,
    /// How to run it again.
    pub command: String,
    /// Whether it was the long form.
    pub long: bool,
    /// How long it took.
    pub seconds: u64,
    /// What was counted, in the order of the table.
    pub figures: Vec<(String, u64)>,
    /// The planted faults that it found. A suite that finds none proves nothing.
    pub planted: Vec<String>,
}

/// A suite that runs.
#[derive(Debug)]
pub struct Report {
    suite: Suite,
    begun: Instant,
}

impl Report {
    /// Begins the report of a suite. `command` runs the suite alone.
    pub fn of(name: &str, command: &str) -> Self {
        Self {
            suite: Suite {
                name: name.into(),
                command: command.into(),
                long: minutes().is_some(),
                seconds: 0,
                figures: vec![],
                planted: vec![],
            },
            begun: Instant::now(),
        }
    }

    /// Adds a figure.
    #[must_use]
    pub fn figure(mut self, what: &str, count: u64) -> Self {
        self.suite.figures.push((what.into(), count));
        self
    }

    /// Adds a planted fault that the suite found in this run.
    #[must_use]
    pub fn planted(mut self, fault: &str) -> Self {
        self.suite.planted.push(fault.into());
        self
    }

    /// Stores the report. Call it after every assertion of the suite.
    ///
    /// # Panics
    /// If it can't be stored.
    pub fn write(mut self) {
        self.suite.seconds = self.begun.elapsed().as_secs();
        let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../..")
            .join(FOLDER);
        let text = serde_json::to_string_pretty(&self.suite);
        let text = text.unwrap_or_else(|error| panic!("{}: {error}", self.suite.name));
        let file = folder.join(format!("{}.json", self.suite.name));
        let done = fs::create_dir_all(&folder).and_then(|()| fs::write(&file, text));
        done.unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    }
}
