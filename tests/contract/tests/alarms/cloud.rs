//! CloudWatch, as its documentation describes it: metric filters count lines, and alarms look at periods.
//!
//! - An alarm looks every minute at its last periods, in a window that slides:
//!   <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarm-evaluation-window.html>.
//! - It rings if `DatapointsToAlarm` of `EvaluationPeriods` periods are beyond the threshold. A period without data is
//!   one of them with `breaching`, and none with `notBreaching`; with `ignore` the state stays:
//!   <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/AlarmThatSendsEmail.html>.
//! - A filter's dimensions are members of the line, three at the most, and such a filter has no default value:
//!   <https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntaxForMetricFilters.html>.
//!
//! AWS looks at some more periods than `EvaluationPeriods` if some have no data. No alarm here depends on that.

use std::collections::BTreeMap;

use contract::Template;
use serde_json::Value;

use crate::math::evaluate;
use crate::pattern::{Pattern, member};

/// The name of the stack in the expanded template, which is the namespace of its metrics.
pub(crate) const STACK: &str = "local";

/// A metric: namespace, name, and dimensions. The value of a dimension that refers to a resource is the resource's id.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Metric {
    pub(crate) namespace: String,
    pub(crate) name: String,
    pub(crate) dimensions: Vec<(String, String)>,
}

impl Metric {
    pub(crate) fn new(namespace: &str, name: &str, dimensions: &[(&str, &str)]) -> Self {
        let owned = dimensions
            .iter()
            .map(|(key, value)| ((*key).into(), (*value).into()));
        Self {
            namespace: namespace.into(),
            name: name.into(),
            dimensions: owned.collect(),
        }
    }

    /// The metric of an alarm, or of a part of its expression.
    pub(crate) fn of(metric: &Value) -> Self {
        let dimensions = metric["Dimensions"].as_array().into_iter().flatten();
        let dimensions: Vec<_> = dimensions
            .map(|it| (it["Name"].as_str().unwrap(), resource(&it["Value"])))
            .collect();
        let [namespace, name] =
            ["Namespace", "MetricName"].map(|key| metric[key].as_str().unwrap());
        Self::new(namespace, name, &dimensions)
    }
}

/// The id of a resource that a template refers to, or a plain text.
fn resource(value: &Value) -> &str {
    [value, &value["Ref"], &value["Fn::GetAtt"][0]]
        .into_iter()
        .find_map(Value::as_str)
        .unwrap_or_else(|| panic!("{value}"))
}

/// A filter of a log group.
pub(crate) struct Filter {
    pub(crate) id: String,
    pub(crate) group: String,
    pub(crate) pattern: Pattern,
    pub(crate) metric: String,
    /// Dimensions: their names, and the members of the line that have their values.
    pub(crate) dimensions: Vec<(String, String)>,
    value: String,
}

impl Filter {
    /// The template's filters.
    pub(crate) fn all(template: &Template) -> Vec<Self> {
        let filters = template.of_type("AWS::Logs::MetricFilter");
        filters.map(|(id, filter)| Self::of(id, filter)).collect()
    }

    fn of(id: &str, filter: &Value) -> Self {
        let made = &filter["MetricTransformations"][0];
        assert_eq!(made["MetricNamespace"], STACK, "{id}");
        let dimensions = made["Dimensions"].as_array().into_iter().flatten();
        let selector = |value: &Value| {
            value
                .as_str()
                .unwrap()
                .strip_prefix("$.")
                .unwrap()
                .to_owned()
        };
        Self {
            id: id.into(),
            group: resource(&filter["LogGroupName"]).into(),
            pattern: Pattern::parse(filter["FilterPattern"].as_str().unwrap()),
            metric: made["MetricName"].as_str().unwrap().into(),
            dimensions: dimensions
                .map(|it| {
                    (
                        it["Key"].as_str().unwrap().to_owned(),
                        selector(&it["Value"]),
                    )
                })
                .collect(),
            value: made["MetricValue"].as_str().unwrap().into(),
        }
    }

    /// What it makes of a line: a metric and its value.
    pub(crate) fn count(&self, line: &Value) -> Option<(Metric, f64)> {
        if !self.pattern.matches(line) {
            return None;
        }
        let text = |key: &String| member(line, key).and_then(Value::as_str).unwrap();
        let dimensions: Vec<_> = self
            .dimensions
            .iter()
            .map(|(name, key)| (name.as_str(), text(key)))
            .collect();
        let value = match self.value.strip_prefix("$.") {
            Some(key) => member(line, key).and_then(Value::as_f64).unwrap(),
            None => self.value.parse().unwrap(),
        };
        Some((Metric::new(STACK, &self.metric, &dimensions), value))
    }
}

/// A state of an alarm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    Ok,
    Alarm,
}

/// The data of metrics, and the states of alarms.
pub(crate) struct Cloud<'a> {
    alarms: BTreeMap<&'a str, &'a Value>,
    filters: Vec<Filter>,
    /// Values with their times in seconds.
    data: BTreeMap<Metric, Vec<(i64, f64)>>,
    states: BTreeMap<&'a str, State>,
}

impl<'a> Cloud<'a> {
    pub(crate) fn new(template: &'a Template) -> Self {
        let kinds = ["AWS::CloudWatch::Alarm", "AWS::CloudWatch::CompositeAlarm"];
        let alarms = kinds
            .into_iter()
            .flat_map(|kind| template.of_type(kind))
            .collect();
        Self {
            alarms,
            filters: Filter::all(template),
            data: BTreeMap::new(),
            states: BTreeMap::new(),
        }
    }

    /// Takes a value of a metric.
    pub(crate) fn put(&mut self, second: i64, metric: Metric, value: f64) {
        self.data.entry(metric).or_default().push((second, value));
    }

    /// Takes a line of a function's log.
    pub(crate) fn log(&mut self, second: i64, function: &str, line: &Value) {
        let group = format!("{function}LogGroup");
        let filters = self.filters.iter().filter(|filter| filter.group == group);
        let counted: Vec<_> = filters.filter_map(|filter| filter.count(line)).collect();
        for (metric, value) in counted {
            self.put(second, metric, value);
        }
    }

    /// Looks at an alarm, and at those that it is composed of.
    pub(crate) fn look(&mut self, id: &str, second: i64) -> State {
        let (&id, &alarm) = self
            .alarms
            .get_key_value(id)
            .unwrap_or_else(|| panic!("no {id}"));
        let state = match alarm["AlarmRule"].as_str() {
            Some(rule) => self.rule(rule, second),
            None => self.metric_alarm(id, alarm, second),
        };
        self.states.insert(id, state);
        state
    }

    /// `(ALARM("${a}") AND ALARM("${b}")) OR (…)`: the only form of rules in the template.
    fn rule(&mut self, rule: &str, second: i64) -> State {
        let pairs = rule.trim().split(" OR ").map(|pair| {
            let pair = pair
                .trim()
                .strip_prefix('(')
                .and_then(|it| it.strip_suffix(')'));
            let ids = pair.unwrap_or_else(|| panic!("{rule}")).split(" AND ");
            let id = |part: &str| {
                let id = part
                    .strip_prefix("ALARM(\"${")
                    .and_then(|it| it.strip_suffix("}\")"));
                id.unwrap_or_else(|| panic!("{rule}")).to_owned()
            };
            ids.map(id).collect::<Vec<_>>()
        });
        let mut rings = false;
        for pair in pairs.collect::<Vec<_>>() {
            let states: Vec<_> = pair.iter().map(|id| self.look(id, second)).collect();
            rings |= states.iter().all(|state| *state == State::Alarm);
        }
        if rings { State::Alarm } else { State::Ok }
    }

    fn metric_alarm(&self, id: &str, alarm: &Value, second: i64) -> State {
        let threshold = alarm["Threshold"]
            .as_f64()
            .unwrap_or_else(|| panic!("{id}: {alarm}"));
        let periods = alarm["EvaluationPeriods"].as_i64().unwrap();
        let needed = alarm["DatapointsToAlarm"].as_i64().unwrap_or(periods);
        let seconds = period(alarm);
        let points = (0..periods).map(|back| {
            let end = second - back * seconds;
            self.point(alarm, end - seconds, end)
        });
        let points: Vec<_> = points.collect();
        if alarm["TreatMissingData"] == "ignore" && points.iter().all(Option::is_none) {
            return self.states.get(id).copied().unwrap_or(State::Ok);
        }
        let is_beyond = |point: Option<f64>| match (point, alarm["ComparisonOperator"].as_str()) {
            (None, _) => alarm["TreatMissingData"] == "breaching",
            (Some(point), Some("GreaterThanThreshold")) => point > threshold,
            (Some(point), Some("LessThanThreshold")) => point < threshold,
            (_, operator) => panic!("{id}: {operator:?}"),
        };
        let beyond = points.into_iter().filter(|point| is_beyond(*point));
        let rings = i64::try_from(beyond.count()).unwrap() >= needed;
        if rings { State::Alarm } else { State::Ok }
    }

    /// What the alarm compares, of the time from `start` to before `end`.
    fn point(&self, alarm: &Value, start: i64, end: i64) -> Option<f64> {
        let Some(queries) = alarm["Metrics"].as_array() else {
            let statistic = alarm["Statistic"].as_str().unwrap();
            return self.statistic(&Metric::of(alarm), statistic, start, end);
        };
        let stats = queries
            .iter()
            .filter(|query| !query["MetricStat"].is_null());
        let stats: BTreeMap<_, _> = stats
            .map(|query| {
                let stat = &query["MetricStat"];
                let metric = Metric::of(&stat["Metric"]);
                let value = self.statistic(&metric, stat["Stat"].as_str().unwrap(), start, end);
                (query["Id"].as_str().unwrap(), value)
            })
            .collect();
        // There is no point in time for which `FILL` could stand in.
        stats.values().find(|value| value.is_some())?;
        let expression = |id: &str| {
            let query = queries.iter().find(|query| query["Id"] == id);
            query
                .and_then(|query| query["Expression"].as_str())
                .unwrap_or_else(|| panic!("{id}"))
        };
        let direct = |id: &str| stats.get(id).copied();
        // An expression may use another one, which uses metrics only.
        let inner = |id: &str| {
            direct(id).unwrap_or_else(|| {
                evaluate(expression(id), &|id| {
                    direct(id).unwrap_or_else(|| panic!("{id}"))
                })
            })
        };
        let returned = queries
            .iter()
            .find(|query| query["ReturnData"] == true)
            .unwrap();
        evaluate(returned["Expression"].as_str().unwrap(), &inner)
    }

    fn statistic(&self, metric: &Metric, name: &str, start: i64, end: i64) -> Option<f64> {
        let data = self.data.get(metric).into_iter().flatten();
        let within = data.filter(|(second, _)| (start..end).contains(second));
        let mut values: Vec<f64> = within.map(|(_, value)| *value).collect();
        values.sort_by(f64::total_cmp);
        let last = *values.last()?;
        Some(match name.strip_prefix('p') {
            Some(percentile) => {
                let share: f64 = percentile.parse::<f64>().unwrap() / 100.0;
                // The smallest value that this share of the values doesn't exceed.
                let count = u32::try_from(values.len()).unwrap();
                let below = (1..=count).find(|rank| f64::from(*rank) >= share * f64::from(count));
                values[usize::try_from(below.unwrap() - 1).unwrap()]
            }
            None if name == "Sum" => values.iter().sum(),
            None if name == "Maximum" => last,
            None => panic!("{name}"),
        })
    }
}

/// The period of an alarm in seconds, which all of its metrics have.
pub(crate) fn period(alarm: &Value) -> i64 {
    let queries = alarm["Metrics"].as_array().into_iter().flatten();
    let mut periods = queries.filter_map(|query| query["MetricStat"]["Period"].as_i64());
    let first = alarm["Period"].as_i64().or_else(|| periods.next()).unwrap();
    assert!(periods.all(|other| other == first), "{alarm}");
    first
}
