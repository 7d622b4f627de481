//! The dashboard: <https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/CloudWatch-Dashboard-Body-Structure.html>.

use std::collections::BTreeSet;

use contract::watching::log_metrics;
use serde_json::Value;

use crate::TEMPLATE;
use crate::cloud::STACK;

/// The metrics of AWS that the dashboard may name: namespace, name, dimension, and the type of the resource that is its
/// value. From AWS's pages, as named in `scenarios.rs`, and for logs
/// <https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/CloudWatch-Logs-Monitoring-CloudWatch-Metrics.html>.
const OF_AWS: &str = "
AWS/Lambda Invocations FunctionName AWS::Lambda::Function
AWS/Lambda Errors FunctionName AWS::Lambda::Function
AWS/Lambda Duration FunctionName AWS::Lambda::Function
AWS/Lambda IteratorAge FunctionName AWS::Lambda::Function
AWS/Lambda ConcurrentExecutions FunctionName AWS::Lambda::Function
AWS/Lambda ConcurrentExecutions
AWS/ApiGateway Count ApiId AWS::ApiGatewayV2::Api
AWS/ApiGateway 4xx ApiId AWS::ApiGatewayV2::Api
AWS/ApiGateway 5xx ApiId AWS::ApiGatewayV2::Api
AWS/ApiGateway Latency ApiId AWS::ApiGatewayV2::Api
AWS/SES Reputation.BounceRate
AWS/SES Reputation.ComplaintRate
AWS/SQS ApproximateNumberOfMessagesVisible QueueName AWS::SQS::Queue
AWS/DynamoDB ConsumedReadCapacityUnits TableName AWS::DynamoDB::Table
AWS/DynamoDB ConsumedWriteCapacityUnits TableName AWS::DynamoDB::Table
AWS/DynamoDB ReadThrottleEvents TableName AWS::DynamoDB::Table
AWS/DynamoDB WriteThrottleEvents TableName AWS::DynamoDB::Table
AWS/Logs IncomingBytes LogGroupName AWS::Logs::LogGroup
";

fn body() -> Value {
    let dashboards: Vec<_> = TEMPLATE.of_type("AWS::CloudWatch::Dashboard").collect();
    let [(_, dashboard)] = &dashboards[..] else {
        panic!("{dashboards:?}")
    };
    serde_json::from_str(dashboard["DashboardBody"].as_str().unwrap()).unwrap()
}

/// The metrics of a graph, each without its options.
fn metrics(widget: &Value) -> Vec<Vec<&str>> {
    let metrics = widget["properties"]["metrics"].as_array().unwrap().iter();
    metrics
        .map(|metric| {
            metric
                .as_array()
                .unwrap()
                .iter()
                .filter_map(Value::as_str)
                .collect()
        })
        .collect()
}

#[test]
fn every_graph_shows_metrics_that_exist() {
    let body = body();
    let own = log_metrics(&TEMPLATE);
    let mut shown = 0;
    for widget in body["widgets"].as_array().unwrap() {
        assert_eq!(widget["type"], "metric");
        let (x, width) = (
            widget["x"].as_u64().unwrap(),
            widget["width"].as_u64().unwrap(),
        );
        assert!(x + width <= 24, "{widget}");
        assert_eq!(
            widget["properties"]["region"], "us-east-1",
            "that of the expansion"
        );
        for metric in metrics(widget) {
            shown += 1;
            let exists = match metric[..] {
                [STACK, ..] => own.contains(&metric[1..].join(" ")),
                [namespace, name] => OF_AWS.contains(&format!("\n{namespace} {name}\n")),
                [namespace, name, key, value] => {
                    let id = value
                        .trim_start_matches("${")
                        .split(['}', '.'])
                        .next()
                        .unwrap();
                    let kind = TEMPLATE.type_of(id);
                    OF_AWS.contains(&format!("\n{namespace} {name} {key} {kind}\n"))
                }
                _ => false,
            };
            assert!(exists, "{metric:?}");
        }
    }
    // Dashboards of more metrics are none of the free ones.
    assert!((30..=50).contains(&shown), "{shown}");
}

/// A metric that nobody looks at needn't be paid for.
#[test]
fn every_metric_of_log_lines_is_on_the_dashboard_or_read_by_an_alarm() {
    let body = body();
    let widgets = body["widgets"].as_array().unwrap();
    let graphs = widgets.iter().flat_map(metrics);
    let mut seen: BTreeSet<String> = graphs
        .filter(|metric| metric[0] == STACK)
        .map(|metric| metric[1..].join(" "))
        .collect();
    for (_, alarm) in crate::alarms() {
        let queries = alarm["Metrics"].as_array().into_iter().flatten();
        let metrics = queries
            .map(|query| &query["MetricStat"]["Metric"])
            .chain([alarm]);
        for metric in metrics.filter(|metric| metric["Namespace"] == STACK) {
            let metric = crate::Metric::of(metric);
            let dimensions = metric
                .dimensions
                .iter()
                .map(|(key, value)| format!(" {key} {value}"));
            seen.insert(metric.name + &dimensions.collect::<String>());
        }
    }
    assert_eq!(seen, log_metrics(&TEMPLATE));
}
