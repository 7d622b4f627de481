//! The cost of a million verifications at the list prices of `latchkey-planning`.

use latchkey_planning::prices::{
    API_CALLS, DECISION_LINE, LAMBDA_DURATION, LAMBDA_REQUESTS, LOGS, MEMORY, READ_UNITS,
};

use crate::report::Row;

/// USD per million verifications at Clerk (0.00001 each), announced with its API keys in beta. Published at
/// clerk.com/changelog, as quoted in November 2026.
const CLERK: f64 = 10.0;

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
    let duration = LAMBDA_DURATION.of(1e6 * billed / 1e3 * MEMORY);
    let logs = LOGS.of(1e6 * f64::from(DECISION_LINE) / f64::from(1 << 30));
    let invocations = LAMBDA_REQUESTS.of(1e6);
    let reads = READ_UNITS.of(1e6);
    let ours = duration + invocations + reads + logs;
    let row = |what: String, value| Row::new("cost", what, value, "USD per million");
    vec![
        row(format!("Lambda, {billed} ms at 512 MB each"), duration),
        row("Lambda, invocations".into(), invocations),
        row("DynamoDB, one consistent read each".into(), reads),
        row("CloudWatch Logs, a line each".into(), logs),
        row("**verifications**".into(), ours),
        row(
            "API Gateway, the calls themselves".into(),
            API_CALLS.of(1e6),
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
