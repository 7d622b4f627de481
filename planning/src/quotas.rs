//! The quotas of AWS that a load needs. Defaults are those of AWS's documents in 2025 and 2026; `docs/scale.md` names
//! the pages.

#[cfg(test)]
mod tests;

/// What a stack has to carry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Load {
    /// Verifications in the busiest second.
    pub verifications: u64,
    /// Requests to the management API in the busiest second.
    pub management: u64,
    /// Accounts that have tokens.
    pub accounts: u64,
    /// Active tokens.
    pub tokens: u64,
    /// Mails on the busiest day.
    pub mails_per_day: u64,
    /// Read units of one verification: one for each 4 KB of the secret's item.
    pub read_units: u64,
    /// Verifications of the busiest secret in a second.
    pub busiest_secret: u64,
    /// First uses in the busiest account in a second.
    pub busiest_account: u64,
}

impl Load {
    /// Returns a load that is spread evenly: each secret and each account is as busy as any other, every secret's item
    /// has at most 4 KB, and each first use of a token's day is mailed to two people.
    pub const fn even(verifications: u64, management: u64, accounts: u64, tokens: u64) -> Self {
        Self {
            verifications,
            management,
            accounts,
            tokens,
            mails_per_day: tokens.saturating_mul(2),
            read_units: 1,
            busiest_secret: share(verifications, tokens),
            busiest_account: share(verifications, accounts),
        }
    }

    /// The mails in the busiest second, if the busiest hour has an eighth of the day's.
    const fn mails(&self) -> u64 {
        self.mails_per_day.div_ceil(MAIL_SECONDS)
    }
}

/// Returns an even share; all of it if there is nobody to share it with.
const fn share(total: u64, among: u64) -> u64 {
    if among == 0 {
        total
    } else {
        total.div_ceil(among)
    }
}

/// How a limit is raised.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Remedy {
    /// AWS raises the quota on request. The codes are those of Service Quotas.
    Ask {
        /// The service's code.
        service: &'static str,
        /// The quota's code.
        code: &'static str,
    },
    /// The table's warm throughput is set beforehand.
    Warm,
    /// A parameter of the stack is set.
    Set(&'static str),
    /// Nobody can raise it; the load must change.
    Change(&'static str),
}

/// A limit, and what a load needs of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Need {
    /// The limit, by the quota's name if it is a quota.
    pub limit: &'static str,
    /// What the load needs.
    pub needed: u64,
    /// What there is without doing anything.
    pub default: u64,
    /// How there is more.
    pub remedy: Remedy,
}

impl Need {
    /// Whether the default is enough.
    pub const fn is_met(&self) -> bool {
        self.needed <= self.default
    }
}

/// Requests a second for each of Lambda's concurrent executions.
pub const REQUESTS_PER_EXECUTION: u64 = 10;
/// The concurrent executions that Lambda demands beside reserved ones.
pub const UNRESERVED: u64 = 100;
/// The read units of a partition in a second.
pub const PARTITION_READS: u64 = 3_000;
/// The write units of a partition in a second.
pub const PARTITION_WRITES: u64 = 1_000;
/// The default quota of a table's read units in a second, and that of its write units.
pub const TABLE: u64 = 40_000;
/// The read units in a second that a new table takes.
pub const NEW_TABLE_READS: u64 = 12_000;
/// The write units in a second that a new table takes.
pub const NEW_TABLE_WRITES: u64 = 4_000;
/// The duration of a verification in milliseconds that `docs/benchmarks.md` assumes on AWS.
pub const VERIFICATION_MS: u64 = 6;

/// The write units of a first use in each table: an item of up to a KB in a transaction.
pub const FIRST_USE: u64 = 2;
/// The reads and writes of a mail: half of those of a record with two recipients.
pub const MAIL_READS: u64 = 2;
/// See [`MAIL_READS`].
pub const MAIL_WRITES: u64 = 3;
/// The read units of the management call that reads most, a page of 50 tokens.
pub const MANAGEMENT_READS: u64 = 34;
/// The write units of a change in the tokens table, if each item has at most a KB: transactions of up to seven items,
/// and two writes of budgets.
pub const MANAGEMENT_WRITES: u64 = 16;
/// The duration of a management call in milliseconds, assumed.
pub const MANAGEMENT_MS: u64 = 50;
/// The executions of streams and schedules at once, assumed.
const BACKGROUND: u64 = 10;
/// The day's mails go out within so many seconds, assumed.
const MAIL_SECONDS: u64 = 8 * 3_600;
/// The requests to KMS in a second that DynamoDB makes for the tables' key, with keys that it caches, assumed.
const TABLE_KEY: u64 = 1;

/// Returns what a load needs of each limit.
pub fn needs(load: &Load) -> Vec<Need> {
    let requests = load.verifications.saturating_add(load.management);
    let mails = load.mails();
    // At midnight UTC, each secret's next use is a first one.
    let first_uses = load.verifications.min(load.tokens);
    let token_reads = load
        .verifications
        .saturating_mul(load.read_units)
        .saturating_add(load.management.saturating_mul(MANAGEMENT_READS))
        .saturating_add(mails.saturating_mul(MAIL_READS));
    let token_writes = first_uses
        .saturating_mul(FIRST_USE)
        .saturating_add(load.management.saturating_mul(MANAGEMENT_WRITES))
        .saturating_add(mails.saturating_mul(MAIL_WRITES));
    let audit_writes = first_uses
        .saturating_add(load.management)
        .saturating_mul(FIRST_USE);
    let most_writes = token_writes.max(audit_writes);
    vec![
        ask(
            "Lambda: Concurrent executions",
            executions(load),
            1_000,
            "lambda",
            "L-B99A9384",
        ),
        Need {
            limit: "Latchkey: executions reserved for the authorizer",
            needed: authorizer(load),
            default: 0,
            remedy: Remedy::Set("AuthorizeConcurrency"),
        },
        ask(
            "API Gateway: Throttle rate",
            requests,
            10_000,
            "apigateway",
            "L-8A5B8E43",
        ),
        Need {
            limit: "Latchkey: requests a second to the management API",
            needed: load.management,
            default: 100,
            remedy: Remedy::Set("ThrottlingRateLimit"),
        },
        ask(
            "DynamoDB: Table-level read throughput limit",
            token_reads,
            TABLE,
            "dynamodb",
            "L-CF0CBE56",
        ),
        ask(
            "DynamoDB: Table-level write throughput limit",
            most_writes,
            TABLE,
            "dynamodb",
            "L-AB614373",
        ),
        warm(
            "DynamoDB: reads a second of a new tokens table",
            token_reads,
            NEW_TABLE_READS,
        ),
        warm(
            "DynamoDB: writes a second of a new tokens table",
            token_writes,
            NEW_TABLE_WRITES,
        ),
        warm(
            "DynamoDB: writes a second of a new audit table",
            audit_writes,
            NEW_TABLE_WRITES,
        ),
        Need {
            limit: "DynamoDB: read units of a partition, by the busiest secret",
            needed: load.busiest_secret.saturating_mul(load.read_units),
            default: PARTITION_READS,
            remedy: Remedy::Change("several tokens, or a shorter scope"),
        },
        Need {
            limit: "DynamoDB: write units of a partition, by the busiest account's first uses",
            needed: load.busiest_account.saturating_mul(FIRST_USE),
            default: PARTITION_WRITES,
            remedy: Remedy::Change("spread the first calls after midnight UTC"),
        },
        ask(
            "KMS: Cryptographic operations (symmetric) request rate",
            load.management.saturating_add(TABLE_KEY),
            10_000,
            "kms",
            "L-6E3AF000",
        ),
        ask(
            "SES: Sending quota",
            load.mails_per_day,
            200,
            "ses",
            "L-804C8AE8",
        ),
        ask("SES: Sending rate", mails, 1, "ses", "L-CDEF9B6B"),
    ]
}

/// The concurrent executions that the authorizer needs: by its requests, and by its work.
fn authorizer(load: &Load) -> u64 {
    let by_requests = load.verifications.div_ceil(REQUESTS_PER_EXECUTION);
    by_requests.max(
        load.verifications
            .saturating_mul(VERIFICATION_MS)
            .div_ceil(1_000),
    )
}

/// The concurrent executions of the AWS account. If the authorizer has some reserved, Lambda demands others beside.
fn executions(load: &Load) -> u64 {
    let by_requests = load.management.div_ceil(REQUESTS_PER_EXECUTION);
    let by_work = load
        .management
        .saturating_mul(MANAGEMENT_MS)
        .div_ceil(1_000);
    let others = by_requests.max(by_work).saturating_add(BACKGROUND);
    match authorizer(load) {
        0 => others,
        reserved => reserved.saturating_add(others.max(UNRESERVED)),
    }
}

const fn ask(
    limit: &'static str,
    needed: u64,
    default: u64,
    service: &'static str,
    code: &'static str,
) -> Need {
    Need {
        limit,
        needed,
        default,
        remedy: Remedy::Ask { service, code },
    }
}

const fn warm(limit: &'static str, needed: u64, default: u64) -> Need {
    Need {
        limit,
        needed,
        default,
        remedy: Remedy::Warm,
    }
}
