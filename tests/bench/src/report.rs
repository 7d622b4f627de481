//! The figures, as a table and as JSON.

use serde::{Deserialize, Serialize};

/// One figure.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Row {
    /// The part of the benchmarks.
    pub part: String,
    /// The measured quantity.
    pub what: String,
    /// The value.
    pub value: f64,
    /// The unit; `x` for a ratio.
    pub unit: String,
    /// The bounds of the middle half of the rounds.
    pub spread: Option<(f64, f64)>,
    /// The maximum that the value should have.
    pub target: Option<f64>,
}

impl Row {
    /// A figure without spread and target.
    pub fn new(part: &str, what: impl Into<String>, value: f64, unit: &str) -> Self {
        Self {
            part: part.into(),
            what: what.into(),
            value,
            unit: unit.into(),
            spread: None,
            target: None,
        }
    }

    /// The median of the rounds, and their spread.
    pub fn of_rounds(part: &str, what: impl Into<String>, rounds: &[f64], unit: &str) -> Self {
        Self {
            spread: Some(crate::stats::middle_half(rounds)),
            ..Self::new(part, what, crate::stats::median(rounds), unit)
        }
    }

    /// The figure with a maximum.
    pub fn at_most(self, target: f64) -> Self {
        Self {
            target: Some(target),
            ..self
        }
    }

    /// Whether the figure exceeds its maximum.
    pub fn misses(&self) -> bool {
        // NaN misses the target too.
        self.target
            .is_some_and(|target| self.value.is_nan() || self.value > target)
    }
}

/// The figures as a Markdown table.
pub fn table(rows: &[Row]) -> String {
    let mut table = String::from(
        "| part | what | median | middle half of the rounds | target | |\n|---|---|---|---|---|---|\n",
    );
    for row in rows {
        let spread = row.spread.map_or_else(String::new, |(low, high)| {
            format!("{}–{}", number(low), number(high))
        });
        let target = row
            .target
            .map_or_else(String::new, |target| format!("≤ {}", number(target)));
        let verdict = match row.target {
            None => "",
            Some(_) if row.misses() => "**miss**",
            Some(_) => "pass",
        };
        table.push_str(&format!(
            "| {} | {} | {} {} | {spread} | {target} | {verdict} |\n",
            row.part,
            row.what,
            number(row.value),
            row.unit,
        ));
    }
    table
}

/// A number with three significant digits.
fn number(value: f64) -> String {
    let digits = match value.abs() {
        size if size >= 100.0 => 0,
        size if size >= 10.0 => 1,
        size if size >= 1.0 => 2,
        _ => 3,
    };
    format!("{value:.digits$}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_figure_above_its_target_is_a_miss() {
        let row = Row::of_rounds("verify", "p50", &[1.0, 1.05, 1.1, 1.15, 1.2], "x");
        assert!(!row.clone().at_most(1.1).misses());
        assert!(row.clone().at_most(1.05).misses());
        assert!(!row.misses());
        assert!(
            Row::new("verify", "p50", f64::NAN, "x")
                .at_most(1.0)
                .misses()
        );
        let table = table(&[row.at_most(1.05)]);
        let last = table.lines().last().unwrap();
        assert_eq!(
            last,
            "| verify | p50 | 1.10 x | 1.05–1.15 | ≤ 1.05 | **miss** |"
        );
    }
}
