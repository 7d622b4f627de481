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

/// The figures as Markdown tables with a line for each subject and a column for each quantity: `what` has both, with a
/// colon between them. Subjects with the same quantities share a table.
pub fn tables(rows: &[Row]) -> String {
    let mut subjects: Vec<(&str, Vec<String>, Vec<String>)> = Vec::new();
    for row in rows {
        let (subject, quantity) = row.what.rsplit_once(": ").unwrap_or((&row.what, ""));
        if subjects.last().is_none_or(|(last, ..)| *last != subject) {
            subjects.push((subject, vec![], vec![]));
        }
        let target = match row.target {
            None => String::new(),
            Some(target) if row.misses() => format!(" (**miss**, ≤ {})", number(target)),
            Some(target) => format!(" (≤ {})", number(target)),
        };
        if let Some((_, columns, cells)) = subjects.last_mut() {
            columns.push(format!("{quantity}, {}", row.unit));
            cells.push(format!("{}{target}", number(row.value)));
        }
    }
    let mut tables: Vec<(Vec<String>, String)> = Vec::new();
    for (subject, columns, cells) in subjects {
        let line = format!("| {subject} | {} |\n", cells.join(" | "));
        match tables.iter_mut().find(|(known, _)| *known == columns) {
            Some((_, text)) => text.push_str(&line),
            None => {
                let head = format!(
                    "| | {} |\n|---{}|\n",
                    columns.join(" | "),
                    "|---".repeat(columns.len())
                );
                tables.push((columns, head + &line));
            }
        }
    }
    let texts: Vec<_> = tables.into_iter().map(|(_, text)| text).collect();
    texts.join("\n")
}

/// Replaces the part of a document between its two marks with the name.
///
/// # Errors
/// The document has no such part.
pub fn with_part(document: &str, name: &str, text: &str) -> Result<String, String> {
    let begin = format!("<!-- {name}: written by `make bench` -->\n");
    let end = format!("<!-- /{name} -->\n");
    let found = document.split_once(&begin).and_then(|(before, rest)| {
        let (_, after) = rest.split_once(&end)?;
        Some([before, &begin, text, &end, after].concat())
    });
    found.ok_or_else(|| format!("the document has no part {name}"))
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

    #[test]
    fn subjects_with_the_same_quantities_share_a_table() {
        let row = |what, value| Row::new("load", what, value, "ms");
        let rows = [
            row("1 caller: p50", 1.5),
            row("1 caller: p99", 20.25),
            row("memory: growth", 3.0).at_most(2.0),
            row("8 callers: p50", 2.0),
            row("8 callers: p99", 100.0),
        ];
        let expected = "\
| | p50, ms | p99, ms |
|---|---|---|
| 1 caller | 1.50 | 20.2 |
| 8 callers | 2.00 | 100 |

| | growth, ms |
|---|---|
| memory | 3.00 (**miss**, ≤ 2.00) |
";
        assert_eq!(tables(&rows), expected);
    }

    #[test]
    fn a_part_of_a_document_is_replaced_between_its_marks() {
        let old = "a\n<!-- load: written by `make bench` -->\nold\n<!-- /load -->\nb\n";
        let new = with_part(old, "load", "new\n").unwrap();
        assert_eq!(new, old.replace("old", "new"));
        assert!(with_part(old, "peers", "new\n").is_err());
    }
}
