//! Every alarm of the template rings once and falls silent again; the dashboard names metrics that exist; the runbook
//! has a heading for each alarm, and queries that ask for what lines have.
//!
//! # What this doesn't prove
//!
//! CloudWatch is played here, by its documentation (see `cloud.rs`). That AWS's own metrics get the values of the
//! scenarios, is AWS's word: that Lambda counts a timeout as an error, that SQS reports a queue's depth, that an idle
//! mapping has no iterator age. How late a line becomes a metric, isn't played.

#[path = "../faults/leaks.rs"]
mod leaks;

mod cloud;
mod dashboard;
mod lines;
mod math;
mod moves;
mod pattern;
mod runbook;
mod scenarios;

use std::collections::BTreeSet;
use std::sync::LazyLock;

use contract::Template;
use serde_json::Value;

use cloud::{Cloud, Filter, Metric, State, period};
use scenarios::scenario;

static TEMPLATE: LazyLock<Template> = LazyLock::new(Template::expanded);

/// The alarms of the template: their ids and properties. Those of a single metric or expression come first.
fn alarms() -> Vec<(&'static str, &'static Value)> {
    let kinds = ["AWS::CloudWatch::Alarm", "AWS::CloudWatch::CompositeAlarm"];
    kinds
        .into_iter()
        .flat_map(|kind| TEMPLATE.of_type(kind))
        .collect()
}

/// The alarms that somebody hears. The others are parts of composite alarms.
fn heard() -> Vec<(&'static str, &'static Value)> {
    let parts: BTreeSet<&str> = alarms()
        .iter()
        .filter_map(|(_, alarm)| alarm["AlarmRule"].as_str())
        .flat_map(|rule| {
            rule.split("${")
                .skip(1)
                .map(|rest| rest.split_once('}').unwrap().0)
        })
        .collect();
    let all = alarms();
    assert!(
        parts
            .iter()
            .all(|part| all.iter().any(|(id, _)| id == part)),
        "{parts:?}"
    );
    all.into_iter()
        .filter(|(id, _)| !parts.contains(id))
        .collect()
}

#[tokio::test]
async fn every_alarm_rings_and_falls_silent() {
    let mut played = 0;
    for (id, _) in heard() {
        let scenario = scenario(id)
            .await
            .unwrap_or_else(|| panic!("no scenario for {id}"));
        scenario.play(&mut Cloud::new(&TEMPLATE), id);
        played += 1;
    }
    assert!(played >= 30, "{played}");
}

#[tokio::test]
#[should_panic(expected = "RevealsAlarm, trouble")]
async fn an_alarm_that_does_not_ring_is_noticed() {
    let of_another = scenario("FirstRefusalsAlarm").await.unwrap();
    of_another.play(&mut Cloud::new(&TEMPLATE), "RevealsAlarm");
}

#[tokio::test]
#[should_panic(expected = "SyncPlatformDeadLettersAlarm, calm")]
async fn an_alarm_that_rings_for_ever_is_noticed() {
    let mut cloud = Cloud::new(&TEMPLATE);
    let queue = [("QueueName", "SyncPlatformDeadLetters")];
    let depth = Metric::new("AWS/SQS", "ApproximateNumberOfMessagesVisible", &queue);
    for minute in 31..60 {
        cloud.put(minute * 60, depth.clone(), 1.0);
    }
    let id = "SyncPlatformDeadLettersAlarm";
    scenario(id).await.unwrap().play(&mut cloud, id);
}

/// The authorizer decides 1,000 times a minute, six hours without a failure, and then with that many. Returns the minute
/// in which the alarm rings.
fn burn(failures: f64, minutes: i64) -> Option<i64> {
    let mut cloud = Cloud::new(&TEMPLATE);
    let errors = Metric::new(
        "AWS/Lambda",
        "Errors",
        &[("FunctionName", "AuthorizeFunction")],
    );
    let decided = Metric::new(cloud::STACK, "Verifications", &[]);
    (-359..=minutes).find(|minute| {
        let failures = if *minute > 0 { failures } else { 0.0 };
        cloud.put(minute * 60 - 30, errors.clone(), failures);
        cloud.put(minute * 60 - 30, decided.clone(), 1_000.0 - failures);
        cloud.look("VerificationObjectiveAlarm", minute * 60) == State::Alarm
    })
}

/// The objective allows 0.1 %. The fast windows ring at 1.44 % of an hour, the slow ones at 0.6 % of six hours.
#[test]
fn an_objective_rings_the_sooner_the_faster_it_burns() {
    assert_eq!(burn(1_000.0, 60), Some(1));
    assert_eq!(burn(150.0, 60), Some(6));
    assert_eq!(burn(20.0, 60), Some(44));
    assert_eq!(burn(7.0, 360), Some(309));
    // Five times what a month may have isn't heard.
    assert_eq!(burn(5.0, 720), None);
}

/// The alarm of single failures rings then.
#[test]
fn a_single_failure_among_few_calls_is_no_burning_objective() {
    let mut cloud = Cloud::new(&TEMPLATE);
    let errors = Metric::new(
        "AWS/Lambda",
        "Errors",
        &[("FunctionName", "AuthorizeFunction")],
    );
    cloud.put(30, errors, 1.0);
    for minute in 1..=400 {
        cloud.put(
            minute * 600,
            Metric::new(cloud::STACK, "Verifications", &[]),
            1.0,
        );
        assert_eq!(
            cloud.look("VerificationObjectiveAlarm", minute * 600 + 1),
            State::Ok
        );
    }
}

/// Otherwise CloudFormation or CloudWatch refuses the alarm:
/// <https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html>.
#[test]
fn every_alarm_has_a_form_that_cloudwatch_takes() {
    const DAY: i64 = 86_400;
    for (id, alarm) in alarms()
        .into_iter()
        .filter(|(_, alarm)| alarm["AlarmRule"].is_null())
    {
        let seconds = period(alarm);
        let whole = seconds * alarm["EvaluationPeriods"].as_i64().unwrap();
        assert_eq!(seconds % 60, 0, "{id}");
        assert!(whole <= if seconds < 3_600 { DAY } else { 7 * DAY }, "{id}");
        let Some(queries) = alarm["Metrics"].as_array() else {
            continue;
        };
        let (stats, expressions): (Vec<_>, Vec<_>) = queries
            .iter()
            .partition(|query| query["Expression"].is_null());
        assert!(stats.len() <= 10 && expressions.len() <= 10, "{id}");
        let ids: BTreeSet<_> = queries
            .iter()
            .map(|query| query["Id"].as_str().unwrap())
            .collect();
        assert_eq!(ids.len(), queries.len(), "{id}");
        let used = expressions
            .iter()
            .flat_map(|query| math::names(query["Expression"].as_str().unwrap()));
        let used: BTreeSet<_> = used.collect();
        let returned = queries
            .iter()
            .find(|query| query["ReturnData"] == true)
            .unwrap();
        let unused = ids.iter().filter(|name| !used.contains(*name));
        assert_eq!(
            unused.collect::<Vec<_>>(),
            [&returned["Id"].as_str().unwrap()],
            "{id}"
        );
        assert!(used.is_subset(&ids), "{id}: {used:?}");
    }
}

/// The composite alarm takes at most 100 of them, and their states are not heard.
#[test]
fn the_windows_of_an_objective_are_heard_through_it_only() {
    let heard: BTreeSet<_> = heard().into_iter().map(|(id, _)| id).collect();
    for (id, alarm) in alarms() {
        let is_heard = heard.contains(id);
        let text = alarm["AlarmDescription"].as_str().unwrap().trim();
        if is_heard {
            assert!(text.ends_with(&format!("Runbook: {id}.")), "{id}: {text}");
        } else {
            assert!(
                alarm["AlarmActions"].is_null() && alarm["OKActions"].is_null(),
                "{id}"
            );
            let named = text.trim_end_matches('.').rsplit(' ').next().unwrap();
            assert!(heard.contains(named), "{id}: {text}");
        }
    }
}

/// A value of a dimension is a metric of its own, and billed.
#[test]
fn filters_with_dimensions_have_few_fixed_values_and_no_default() {
    let filters = Filter::all(&TEMPLATE);
    assert!(filters.len() > 40, "{}", filters.len());
    for filter in &filters {
        let keys = filter.pattern.keys();
        for (name, key) in &filter.dimensions {
            assert_eq!(name, key, "{}", filter.id);
            assert!(
                ["outcome", "recorded", "measure"].contains(&key.as_str()),
                "{}",
                filter.id
            );
            // A line without the dimension isn't counted, so that nothing depends on what AWS does with it.
            assert!(keys.contains(&key.as_str()), "{}", filter.id);
        }
    }
    for (id, filter) in TEMPLATE.of_type("AWS::Logs::MetricFilter") {
        let made = filter["MetricTransformations"].as_array().unwrap();
        assert_eq!(made.len(), 1, "{id}");
        assert!(made[0]["DefaultValue"].is_null(), "{id}");
        let pattern = filter["FilterPattern"].as_str().unwrap();
        assert!(pattern.len() <= 1_024, "{id}");
    }
}
