//! AWS's list prices: on-demand, us-east-1, without free tiers and discounts, as quoted in November 2026. Each is that
//! of the first tier. Check a price on its page before you rely on it.

/// The price of a service's use.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Price {
    /// What is paid for.
    pub what: &'static str,
    /// US dollars.
    pub usd: f64,
    /// The amount that costs so much.
    pub per: f64,
    /// The same amount in words.
    pub unit: &'static str,
    /// The page that publishes it.
    pub page: &'static str,
}

impl Price {
    /// Returns the US dollars for an amount.
    pub fn of(&self, amount: f64) -> f64 {
        amount / self.per * self.usd
    }
}

const fn price(
    what: &'static str,
    usd: f64,
    per: f64,
    unit: &'static str,
    page: &'static str,
) -> Price {
    Price {
        what,
        usd,
        per,
        unit,
        page,
    }
}

const MILLION: f64 = 1e6;

const LAMBDA: &str = "https://aws.amazon.com/lambda/pricing/";
const DYNAMODB: &str = "https://aws.amazon.com/dynamodb/pricing/on-demand/";
const CLOUDWATCH: &str = "https://aws.amazon.com/cloudwatch/pricing/";
const KMS: &str = "https://aws.amazon.com/kms/pricing/";

/// Duration of Lambda on arm64.
pub const LAMBDA_DURATION: Price = price(
    "Lambda on arm64, duration",
    0.000_013_333_4,
    1.0,
    "GB-second",
    LAMBDA,
);
/// Invocations of Lambda.
pub const LAMBDA_REQUESTS: Price = price(
    "Lambda, invocations",
    0.20,
    MILLION,
    "million invocations",
    LAMBDA,
);
/// Calls of an HTTP API.
pub const API_CALLS: Price = price(
    "API Gateway, HTTP API",
    1.00,
    MILLION,
    "million requests",
    "https://aws.amazon.com/api-gateway/pricing/",
);
/// Read request units of DynamoDB. A strongly consistent read takes one for each 4 KB.
pub const READ_UNITS: Price = price(
    "DynamoDB, reads",
    0.125,
    MILLION,
    "million read request units",
    DYNAMODB,
);
/// Write request units of DynamoDB. A write takes one for each KB, and two within a transaction.
pub const WRITE_UNITS: Price = price(
    "DynamoDB, writes",
    0.625,
    MILLION,
    "million write request units",
    DYNAMODB,
);
/// Storage of DynamoDB's tables and indexes.
pub const TABLE_STORAGE: Price = price("DynamoDB, storage", 0.25, 1.0, "GB and month", DYNAMODB);
/// Point-in-time recovery, by the size of the tables without their global indexes.
pub const RECOVERY: Price = price(
    "DynamoDB, point-in-time recovery",
    0.20,
    1.0,
    "GB and month",
    DYNAMODB,
);
/// A key of KMS, before its first rotation.
pub const KMS_KEYS: Price = price("KMS, keys", 1.00, 1.0, "key and month", KMS);
/// Requests to KMS with a symmetric key.
pub const KMS_REQUESTS: Price = price("KMS, requests", 0.03, 1e4, "10,000 requests", KMS);
/// Mails that SES sends.
pub const MAILS: Price = price(
    "SES, mails",
    0.10,
    1e3,
    "thousand mails",
    "https://aws.amazon.com/ses/pricing/",
);
/// Log lines that CloudWatch takes in.
pub const LOGS: Price = price("CloudWatch Logs, taken in", 0.50, 1.0, "GB", CLOUDWATCH);
/// Log lines that CloudWatch keeps, compressed.
pub const LOG_STORAGE: Price = price(
    "CloudWatch Logs, kept",
    0.03,
    1.0,
    "compressed GB and month",
    CLOUDWATCH,
);
/// Alarms, by the metrics that they read.
pub const ALARMS: Price = price(
    "CloudWatch, alarms",
    0.10,
    1.0,
    "metric of an alarm and month",
    CLOUDWATCH,
);
/// Alarms that are composed of other alarms.
pub const COMPOSITE_ALARMS: Price = price(
    "CloudWatch, composite alarms",
    0.50,
    1.0,
    "alarm and month",
    CLOUDWATCH,
);
/// Metrics of one's own, in the hours in which they have data.
pub const LOG_METRICS: Price = price(
    "CloudWatch, metrics of log lines",
    0.30,
    1.0,
    "metric and month",
    CLOUDWATCH,
);
/// Dashboards of more than three in an AWS account.
pub const DASHBOARDS: Price = price(
    "CloudWatch, dashboards",
    3.00,
    1.0,
    "dashboard and month",
    CLOUDWATCH,
);
/// Events on a bus of one's own.
pub const EVENTS: Price = price(
    "EventBridge, the platform's events",
    1.00,
    MILLION,
    "million events of up to 64 KB",
    "https://aws.amazon.com/eventbridge/pricing/",
);

/// The longest line of a decision, and the overhead of CloudWatch Logs for each line, in bytes.
pub const DECISION_LINE: u32 = 300 + 26;
/// The memory of the functions in the template, in GB.
pub const MEMORY: f64 = 0.5;

/// All prices, by service.
pub const ALL: [Price; 17] = [
    LAMBDA_REQUESTS,
    LAMBDA_DURATION,
    API_CALLS,
    READ_UNITS,
    WRITE_UNITS,
    TABLE_STORAGE,
    RECOVERY,
    KMS_KEYS,
    KMS_REQUESTS,
    MAILS,
    LOGS,
    LOG_STORAGE,
    ALARMS,
    COMPOSITE_ALARMS,
    LOG_METRICS,
    DASHBOARDS,
    EVENTS,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_amount_costs_its_share_of_the_price() {
        assert!((KMS_REQUESTS.of(20_000.0) - 0.06).abs() < 1e-12);
        assert!((MAILS.of(62_000.0) - 6.2).abs() < 1e-9);
    }

    #[test]
    fn every_price_says_what_it_is_and_where_it_is_published() {
        for price in ALL {
            assert!(price.usd > 0.0 && price.per > 0.0, "{price:?}");
            assert!(
                price.page.starts_with("https://aws.amazon.com/"),
                "{price:?}"
            );
            let same = ALL.iter().filter(|other| other.what == price.what);
            assert_eq!(same.count(), 1, "{price:?}");
        }
    }
}
