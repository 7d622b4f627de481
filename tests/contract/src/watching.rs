//! What the template has CloudWatch watch, as it is billed.

use std::collections::BTreeSet;

use latchkey::app::measure::Measure;
use latchkey::domain::verification::Refusal;

use crate::Template;

/// Numbers of what is billed by the month.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Watching {
    /// The metrics that alarms read.
    pub alarm_metrics: u32,
    /// Alarms that are composed of others.
    pub composite_alarms: u32,
    /// Dashboards.
    pub dashboards: u32,
    /// The metrics of log lines, if every line is written that is counted.
    pub log_metrics: u32,
}

impl Watching {
    /// Counts what a template has.
    ///
    /// # Panics
    /// If an alarm has another form.
    pub fn of(template: &Template) -> Self {
        let count = |kind| u32::try_from(template.of_type(kind).count()).unwrap();
        let alarms = template.of_type("AWS::CloudWatch::Alarm");
        let read = alarms.map(|(_, alarm)| match alarm["Metrics"].as_array() {
            None => 1,
            Some(parts) => {
                let stats = parts.iter().filter(|part| !part["MetricStat"].is_null());
                u32::try_from(stats.count()).unwrap()
            }
        });
        Self {
            alarm_metrics: read.sum(),
            composite_alarms: count("AWS::CloudWatch::CompositeAlarm"),
            dashboards: count("AWS::CloudWatch::Dashboard"),
            log_metrics: u32::try_from(log_metrics(template).len()).unwrap(),
        }
    }
}

/// The metrics that the template's filters can make: each name, with every value of its dimension.
///
/// # Panics
/// If a dimension is unknown.
pub fn log_metrics(template: &Template) -> BTreeSet<String> {
    let mut metrics = BTreeSet::new();
    for (id, filter) in template.of_type("AWS::Logs::MetricFilter") {
        let made = &filter["MetricTransformations"][0];
        let name = made["MetricName"].as_str().unwrap();
        let dimensions = made["Dimensions"].as_array().map_or(&[][..], Vec::as_slice);
        match dimensions {
            [] => {
                metrics.insert(name.to_owned());
            }
            [dimension] => {
                let key = dimension["Key"].as_str().unwrap();
                metrics.extend(
                    values(key)
                        .iter()
                        .map(|value| format!("{name} {key} {value}")),
                );
            }
            _ => panic!("{id} has several dimensions"),
        }
    }
    metrics
}

/// The values of a dimension.
fn values(key: &str) -> Vec<&'static str> {
    match key {
        "outcome" => Refusal::ALL
            .iter()
            .map(|it| it.as_str())
            .chain(["allowed"])
            .collect(),
        "recorded" => vec!["use", "refusal"],
        "measure" => Measure::ALL.iter().map(|it| it.as_str()).collect(),
        other => panic!("{other}"),
    }
}
