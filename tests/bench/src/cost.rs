//! The cost of a million verifications at list prices: on-demand, us-east-1, without free tiers. Check a price on its
//! page before you rely on it.

use crate::report::Row;

/// USD per GB-second of Lambda on arm64, first tier. Published at aws.amazon.com/lambda/pricing, as quoted in
/// November 2026.
const LAMBDA_GB_SECOND: f64 = 0.000_013_333_4;
/// USD per million invocations of Lambda. Published on the same page.
const LAMBDA_REQUESTS: f64 = 0.20;
/// USD per million read request units of DynamoDB. A strongly consistent read of up to 4 KB takes one unit.
/// Published at aws.amazon.com/dynamodb/pricing/on-demand, as quoted in November 2026.
const DYNAMODB_READS: f64 = 0.125;
/// USD per GB that CloudWatch Logs ingests of a function's lines, first tier. Published at
/// aws.amazon.com/cloudwatch/pricing, as quoted in November 2026.
const LOGS_GB: f64 = 0.50;
/// The longest line of a decision, and the overhead of CloudWatch Logs per line, in bytes.
const LINE: f64 = 300.0 + 26.0;
/// USD per million calls of an HTTP API, first tier, which the protected API pays with and without an
/// authorizer. Published at aws.amazon.com/api-gateway/pricing, as quoted in November 2026.
const API_GATEWAY_CALLS: f64 = 1.00;
/// USD per million verifications at Clerk (0.00001 each), announced with its API keys in beta. Published at
/// clerk.com/changelog, as quoted in November 2026.
const CLERK: f64 = 10.0;

/// The memory of the function in the template, in GB.
const MEMORY: f64 = 0.5;
/// DynamoDB's latency on AWS, in ms. AWS promises single-digit milliseconds; the engine here takes a fraction of one.
const DYNAMODB_LATENCY: f64 = 5.0;

/// The cost, computed from the last measured duration of a warm invocation. Empty if the part `cold-start` has never
/// measured it.
pub fn compute(measured: &[Row]) -> Vec<Row> {
    let warm = measured
        .iter()
        .find(|row| row.part == "cold-start" && row.what == "authorize: a later event");
    let Some(warm) = warm else {
        return vec![];
    };
    // Lambda bills whole milliseconds.
    let billed = (warm.value + DYNAMODB_LATENCY).ceil();
    let duration = 1e6 * billed / 1e3 * MEMORY * LAMBDA_GB_SECOND;
    let logs = 1e6 * LINE / f64::from(1 << 30) * LOGS_GB;
    let ours = duration + LAMBDA_REQUESTS + DYNAMODB_READS + logs;
    let row = |what: String, value| Row::new("cost", what, value, "USD per million");
    vec![
        row(format!("Lambda, {billed} ms at 512 MB each"), duration),
        row("Lambda, invocations".into(), LAMBDA_REQUESTS),
        row("DynamoDB, one consistent read each".into(), DYNAMODB_READS),
        row("CloudWatch Logs, a line each".into(), logs),
        row("**verifications**".into(), ours),
        row(
            "API Gateway, the calls themselves".into(),
            API_GATEWAY_CALLS,
        ),
        row("Clerk, verifications of API keys".into(), CLERK),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_add_up() {
        let warm = Row::new("cold-start", "authorize: a later event", 0.6, "ms");
        let rows = compute(&[warm]);
        let values: Vec<_> = rows.iter().map(|row| row.value).collect();
        assert!((values[0] - 0.04).abs() < 1e-4, "6 ms at half a GB");
        assert!((values[..4].iter().sum::<f64>() - values[4]).abs() < 1e-9);
        assert!(compute(&[]).is_empty());
    }
}
