//! The log lines that count what happens inside a request or an event. Metrics are counted from these lines.

use crate::domain::string_enum::string_enum;

/// The target of these lines. The functions log this target at every log level, and add the operation's name.
pub const TARGET: &str = "latchkey::measure";

string_enum! {
    /// What is counted.
    pub enum Measure {
        /// The mail service accepted a mail.
        MailAccepted = "mail_accepted",
        /// The mail service refused a mail: for good, because of its address, or for now. The latter is tried again.
        MailRejected = "mail_rejected",
        /// A mail waits for a digest.
        MailHeld = "mail_held",
        /// A transaction met another one that was in progress, or that had changed what was read. It is attempted
        /// again, a few times at most.
        Retried = "retried",
        /// An event of the platform was older than the stored state, and was dropped.
        EventStale = "event_stale",
        /// An event of the platform can never be applied, and was set aside.
        EventRefused = "event_refused",
        /// A call of a REST API was refused with the error that its gateway turns into a 401. Lambda counts it as an
        /// error.
        Unauthorized = "unauthorized",
        /// A scanner reported a secret that is, or was, a token's, for the first time.
        Leak = "leak",
    }
}

/// Writes the line: `what` happened `number` times. Writes nothing for 0.
pub fn count(what: Measure, number: usize) {
    if number > 0 {
        tracing::info!(target: TARGET, measure = what.as_str(), count = number);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use tracing::level_filters::LevelFilter;

    use super::*;
    use crate::testing::Logs;

    #[test]
    fn a_line_says_what_happened_how_often_and_in_which_operation() {
        let logs = Logs::of("sync_platform", LevelFilter::ERROR);
        count(Measure::Leak, 0);
        for measure in Measure::ALL {
            count(measure, 2);
        }
        let mut lines = logs.take();
        for line in &mut lines {
            line["timestamp"].take();
        }
        let expected = Measure::ALL.map(|measure| {
            json!({
                "timestamp": null,
                "level": "INFO",
                "measure": measure.as_str(),
                "count": 2,
                "operation": "sync-platform",
            })
        });
        assert_eq!(lines, expected);
    }
}
