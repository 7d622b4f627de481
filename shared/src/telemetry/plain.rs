//! The form of the lines that are counted: short and uniform, without spans and targets.

use std::fmt::{self, Debug};

use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::FormatTime;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

use crate::app::decision;

/// Writes an event as a JSON object: the time, the level, the event's fields, and the operation unless the event names
/// one. A decision's line has no operation.
pub(super) struct Plain<T> {
    /// The operation of the function.
    operation: String,
    timer: T,
}

impl<T> Plain<T> {
    /// The form of the lines of a function. `function` is its crate's name, which is its operation's with underscores.
    pub(super) fn of(function: &str, timer: T) -> Self {
        Self {
            operation: function.replace('_', "-"),
            timer,
        }
    }
}

impl<T, S, N> FormatEvent<S, N> for Plain<T>
where
    T: FormatTime,
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        _: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let metadata = event.metadata();
        writer.write_str("{\"timestamp\":\"")?;
        self.timer.format_time(&mut writer)?;
        write!(writer, "\",\"level\":\"{}\"", metadata.level())?;
        let mut members = Members {
            writer,
            names_operation: metadata.target() == decision::TARGET,
            done: Ok(()),
        };
        event.record(&mut members);
        if !members.names_operation {
            members.text("operation", &self.operation);
        }
        members.done?;
        members.writer.write_str("}\n")
    }
}

/// Writes fields as the members of an object.
struct Members<'w> {
    writer: Writer<'w>,
    /// Whether no operation is to be added.
    names_operation: bool,
    done: fmt::Result,
}

impl Members<'_> {
    /// Writes a member with a value that is JSON. Field names need no escapes.
    fn json(&mut self, name: &str, value: impl fmt::Display) {
        self.done = self
            .done
            .and_then(|()| write!(self.writer, ",\"{name}\":{value}"));
    }

    fn text(&mut self, name: &str, value: &str) {
        let is_plain = |byte: &u8| (b' '..=b'~').contains(byte) && !b"\"\\".contains(byte);
        if value.as_bytes().iter().all(is_plain) {
            self.json(name, format_args!("\"{value}\""));
        } else {
            self.json(name, serde_json::Value::from(value));
        }
    }
}

impl Visit for Members<'_> {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.json(field.name(), serde_json::Value::from(value));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.json(field.name(), value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.json(field.name(), value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.json(field.name(), value);
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.names_operation |= field.name() == "operation";
        self.text(field.name(), value);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.text(field.name(), &format!("{value:?}"));
    }
}
