//! A scenario for every alarm: what it must not ring at, what it must ring at, and when it must be silent again.
//!
//! Metrics of log lines get the lines of real handlers. AWS's own metrics get the values that AWS's documentation says:
//!
//! - Lambda: <https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html>
//! - SQS: <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-available-cloudwatch-metrics.html>
//! - DynamoDB: <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/metrics-dimensions.html>
//! - HTTP APIs: <https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-metrics.html>
//! - SES: <https://docs.aws.amazon.com/ses/latest/dg/reputationdashboard-cloudwatch-alarm.html>

use crate::cloud::{Cloud, Metric, State};
use crate::lines::{Logged, World};

/// What CloudWatch gets.
#[derive(Debug, Clone)]
pub(crate) enum Datum {
    Value(Metric, f64),
    Line(Logged),
}

/// What happens in each minute of a time.
type Minute = Box<dyn Fn(i64) -> Vec<Datum>>;

/// A scenario: three times, one after another.
pub(crate) struct Scenario {
    /// What is usual, and the number of minutes that it lasts.
    quiet: (i64, Minute),
    /// What the alarm must ring at, and within how many minutes.
    trouble: (i64, Minute),
    /// What comes after it, and after how many minutes the alarm must be silent.
    calm: (i64, Minute),
}

impl Scenario {
    /// Plays it, and checks the alarm every minute.
    pub(crate) fn play(&self, cloud: &mut Cloud<'_>, alarm: &str) {
        let mut minute = 0;
        for (minutes, what, phase) in [
            (self.quiet.0, &self.quiet.1, "quiet"),
            (self.trouble.0, &self.trouble.1, "trouble"),
            (self.calm.0, &self.calm.1, "calm"),
        ] {
            let mut state = State::Ok;
            for elapsed in 0..minutes {
                for datum in what(elapsed) {
                    match datum {
                        Datum::Value(metric, value) => cloud.put(minute * 60, metric, value),
                        Datum::Line((function, line)) => cloud.log(minute * 60, function, &line),
                    }
                }
                minute += 1;
                state = cloud.look(alarm, minute * 60);
                if phase == "trouble" && state == State::Alarm {
                    break;
                }
                assert!(
                    phase != "quiet" || state == State::Ok,
                    "{alarm} rings in minute {elapsed}"
                );
            }
            let expected = if phase == "trouble" {
                State::Alarm
            } else {
                State::Ok
            };
            assert_eq!(state, expected, "{alarm}, {phase}");
        }
    }
}

fn always(data: Vec<Datum>) -> Minute {
    Box::new(move |_| data.clone())
}

fn once(data: Vec<Datum>) -> Minute {
    Box::new(move |minute| {
        if minute == 0 {
            data.clone()
        } else {
            Vec::new()
        }
    })
}

fn lines(logged: Vec<Logged>) -> Vec<Datum> {
    logged.into_iter().map(Datum::Line).collect()
}

fn times(count: usize, data: &[Datum]) -> Vec<Datum> {
    data.iter()
        .cycle()
        .take(count * data.len())
        .cloned()
        .collect()
}

fn lambda(name: &str, function: &str, value: f64) -> Datum {
    let function = format!("{function}Function");
    Datum::Value(
        Metric::new("AWS/Lambda", name, &[("FunctionName", &function)]),
        value,
    )
}

fn aws(namespace: &str, name: &str, dimensions: &[(&str, &str)], value: f64) -> Datum {
    Datum::Value(Metric::new(namespace, name, dimensions), value)
}

/// A value that is beyond the threshold, and one that isn't.
fn single(usual: Datum, trouble: Datum) -> Scenario {
    Scenario {
        quiet: (30, always(vec![usual.clone()])),
        trouble: (1, always(vec![trouble])),
        calm: (2, always(vec![usual])),
    }
}

/// Lines that the alarm rings at, after lines that it doesn't ring at.
fn logged(usual: Vec<Logged>, trouble: Vec<Logged>, minutes: i64) -> Scenario {
    Scenario {
        quiet: (30, always(lines(usual))),
        trouble: (1, once(lines(trouble))),
        calm: (minutes, always(Vec::new())),
    }
}

/// The scenario of an alarm; `None` if nobody has thought of one.
pub(crate) async fn scenario(alarm: &str) -> Option<Scenario> {
    if let Some(queue) = alarm
        .strip_suffix("Alarm")
        .filter(|it| it.ends_with("DeadLetters"))
    {
        let depth = |value| {
            let (name, key) = ("ApproximateNumberOfMessagesVisible", "QueueName");
            aws("AWS/SQS", name, &[(key, queue)], value)
        };
        return Some(single(depth(0.0), depth(1.0)));
    }
    if let Some(function) = alarm.strip_suffix("DelayAlarm") {
        let age = |milliseconds| lambda("IteratorAge", function, milliseconds);
        return Some(single(age(900_000.0), age(900_001.0)));
    }
    if let Some(stream) = alarm.strip_suffix("UnreadAlarm") {
        return Some(unread(stream));
    }
    if let Some(objective) = alarm.strip_suffix("ObjectiveAlarm") {
        return objective_scenario(objective).await;
    }
    if let Some(table) = alarm
        .strip_suffix("ThrottlesAlarm")
        .filter(|it| it.ends_with("Table"))
    {
        return Some(throttled(table));
    }
    if let Some(function) = alarm.strip_suffix("ThrottlesAlarm") {
        return Some(single(
            lambda("Invocations", function, 10.0),
            lambda("Throttles", function, 1.0),
        ));
    }
    if alarm == "AuthorizeFailuresAlarm" {
        // Lambda counts the refusal of a REST API's call as an error, and the runtime logs it.
        let refused = World::start().await.authorize(Some("lka_none")).await;
        let mut usual = lines(refused);
        usual.push(lambda("Errors", "Authorize", 1.0));
        return Some(Scenario {
            quiet: (30, always(usual)),
            trouble: (2, always(vec![lambda("Errors", "Authorize", 1.0)])),
            calm: (4, always(Vec::new())),
        });
    }
    if let Some(function) = alarm.strip_suffix("FailuresAlarm") {
        return Some(single(
            lambda("Errors", function, 0.0),
            lambda("Errors", function, 1.0),
        ));
    }
    let world = World::start().await;
    Some(match alarm {
        "ReceiveLeakReportErrorsAlarm" => logged(vec![], world.lost_leak().await, 2),
        "RecordMailFeedbackErrorsAlarm" => logged(vec![], world.bounce().await, 2),
        "SendDigestsErrorsAlarm" => logged(vec![], world.refused_digest().await, 2),
        "SendNotificationsErrorsAlarm" => {
            logged(world.notify(None).await, world.tampering().await, 2)
        }
        "WatchTrailErrorsAlarm" => logged(world.failed_trail().await, world.intrusion().await, 2),
        // The function runs every hour. Data that is missing is what the alarm is about.
        "WatchTrailSilentAlarm" => {
            let run = lambda("Invocations", "WatchTrail", 1.0);
            let hourly = move |minute| {
                if minute % 60 == 0 {
                    vec![run.clone()]
                } else {
                    vec![]
                }
            };
            let again = hourly.clone();
            Scenario {
                quiet: (300, Box::new(hourly)),
                trouble: (180, always(Vec::new())),
                calm: (2, Box::new(again)),
            }
        }
        "ApiServerErrorsAlarm" => {
            let api = |value| aws("AWS/ApiGateway", "5xx", &[("ApiId", "Api")], value);
            Scenario {
                quiet: (30, always(vec![api(0.0)])),
                trouble: (1, always(vec![api(1.0)])),
                calm: (6, always(vec![api(0.0)])),
            }
        }
        "SecretsKeyAlarm" => {
            let usual = world.reveal(None).await;
            logged(usual, world.reveal(Some("DisabledException")).await, 6)
        }
        "RevealsAlarm" => surge(lines(world.reveal(None).await)),
        "FirstRefusalsAlarm" => {
            world.revoke().await;
            surge(lines(world.authorize(None).await))
        }
        "RefusedEventsAlarm" => logged(vec![], world.unreadable_event().await, 16),
        "RejectedMailsAlarm" => {
            let usual = world.notify(None).await;
            let rejected = lines(world.notify(Some("SendingPausedException")).await);
            Scenario {
                quiet: (30, always(lines(usual))),
                trouble: (1, once(times(3, &rejected))),
                calm: (16, always(Vec::new())),
            }
        }
        "BounceRateAlarm" => rate("Reputation.BounceRate", 0.05),
        "ComplaintRateAlarm" => rate("Reputation.ComplaintRate", 0.001),
        _ => return None,
    })
}

/// As many as the parameter's default in an hour, and then one more.
fn surge(one: Vec<Datum>) -> Scenario {
    let hundred = times(100, &one);
    Scenario {
        quiet: (59, once(hundred)),
        trouble: (1, once(one)),
        calm: (61, always(Vec::new())),
    }
}

/// SES's rates stay as they are while SES reports nothing.
fn rate(name: &str, limit: f64) -> Scenario {
    let value = |value| aws("AWS/SES", name, &[], value);
    let good = value(limit / 2.0);
    Scenario {
        quiet: (120, always(vec![value(limit)])),
        trouble: (1, once(vec![value(limit * 1.01)])),
        // Silence for two hours isn't the end; a good value is.
        calm: (
            240,
            Box::new(move |minute| {
                if minute > 120 {
                    vec![good.clone()]
                } else {
                    vec![]
                }
            }),
        ),
    }
}

fn throttled(table: &str) -> Scenario {
    let value = |name, value| aws("AWS/DynamoDB", name, &[("TableName", table)], value);
    let now_and_then = value("WriteThrottleEvents", 1.0);
    Scenario {
        quiet: (
            30,
            Box::new(move |minute| {
                if minute % 3 == 0 {
                    vec![now_and_then.clone()]
                } else {
                    vec![]
                }
            }),
        ),
        trouble: (3, always(vec![value("ReadThrottleEvents", 5.0)])),
        calm: (5, always(Vec::new())),
    }
}

/// A table is written to, and its stream isn't read.
fn unread(stream: &str) -> Scenario {
    let table = stream.strip_suffix("Stream").unwrap();
    let name = format!("{table}Table");
    let written = aws(
        "AWS/DynamoDB",
        "ConsumedWriteCapacityUnits",
        &[("TableName", &name)],
        1.0,
    );
    let read = aws(
        "AWS/Lambda",
        "PolledEventCount",
        &[("EventSourceMappingUUID", stream)],
        1.0,
    );
    Scenario {
        quiet: (120, always(vec![written.clone(), read.clone()])),
        trouble: (60, always(vec![written.clone()])),
        calm: (2, always(vec![written, read])),
    }
}

/// An objective: a usual day with some failures, a failure of everything, and its end.
async fn objective_scenario(objective: &str) -> Option<Scenario> {
    let (usual, some, all) = match objective {
        "Verification" => {
            let world = World::start().await;
            let decided = lines(world.authorize(None).await);
            // Refusals are no failures.
            let mut usual = times(9, &decided);
            usual.extend(lines(world.authorize(Some("lka_none")).await));
            usual.push(lambda("Errors", "Authorize", 1.0));
            // The authorizer fails; the others answer 503.
            let mut failed = vec![lambda("Errors", "Authorize", 3.0)];
            failed.extend(times(
                2,
                &lines(World::start().await.failed_token_info().await),
            ));
            (usual, vec![lambda("Errors", "Authorize", 1.0)], failed)
        }
        "Latency" => {
            let calls = |milliseconds: f64| {
                let mut calls = times(10, &[lambda("Duration", "Authorize", milliseconds)]);
                calls.push(lambda("Invocations", "Authorize", 10.0));
                calls
            };
            (
                calls(20.0),
                vec![lambda("Duration", "Authorize", 400.0)],
                calls(400.0),
            )
        }
        "Management" => {
            let api = |name, value| aws("AWS/ApiGateway", name, &[("ApiId", "Api")], value);
            let usual = vec![api("Count", 2.0), api("5xx", 0.0)];
            (
                usual,
                vec![api("5xx", 1.0)],
                vec![api("Count", 2.0), api("5xx", 2.0)],
            )
        }
        _ => return None,
    };
    let quiet = usual.clone();
    Some(Scenario {
        // Half of what a month may have.
        quiet: (
            420,
            Box::new(move |minute| {
                let mut data = quiet.clone();
                if minute % 200 == 199 {
                    data.extend(some.clone());
                }
                data
            }),
        ),
        trouble: (10, always(all)),
        calm: (35, always(usual)),
    })
}
