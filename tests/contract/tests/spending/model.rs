//! What a stack costs in a month, from what is counted, what is measured, and what is assumed.

use contract::policies;
use contract::watching::Watching;
use latchkey_planning::Load;
use latchkey_planning::prices::{
    ALARMS, API_CALLS, COMPOSITE_ALARMS, DASHBOARDS, DECISION_LINE, EVENTS, KMS_KEYS, KMS_REQUESTS,
    LAMBDA_DURATION, LAMBDA_REQUESTS, LOG_METRICS, LOG_STORAGE, LOGS, MAILS, MEMORY, READ_UNITS,
    RECOVERY, TABLE_STORAGE, WRITE_UNITS,
};
use latchkey_planning::quotas::{MANAGEMENT_MS, VERIFICATION_MS};

use crate::counts::{Counts, Sizes, page};

pub(crate) const DAYS: f64 = 30.0;
const SECONDS: f64 = DAYS * 86_400.0;
const GB: f64 = 1_073_741_824.0;

/// What DynamoDB adds to each stored item, in bytes.
pub(crate) const ITEM_OVERHEAD: f64 = 100.0;
/// An entry of a token in an index, in bytes.
pub(crate) const INDEX_ENTRY: f64 = 200.0;
/// The mark of a mail to one recipient, in bytes, and the days that it is kept.
pub(crate) const MARK: f64 = 300.0;
pub(crate) const MARK_DAYS: f64 = 16.0;
/// An account's profile, members, resources and Integration Apps, in bytes.
pub(crate) const ACCOUNT: f64 = 32_768.0;
/// The days for which an ended secret is kept.
const ENDED_DAYS: f64 = 400.0;
/// The milliseconds that a record with two recipients takes.
pub(crate) const RECORD_MS: f64 = 150.0;
/// The milliseconds of a run of a schedule.
pub(crate) const RUN_MS: f64 = 1_000.0;
/// The milliseconds of a run of the watch: a pause before each of its 28 requests.
pub(crate) const WATCH_MS: f64 = 70_000.0;
/// The log lines of any call that isn't a verification, with their overhead, in bytes.
pub(crate) const OTHER_LINES: f64 = 800.0;
/// What is left of a kept log line after compression.
pub(crate) const COMPRESSED: f64 = 0.15;
/// The runs of schedules in a month: every quarter of an hour, every hour, and two once a day.
const DIGEST_RUNS: f64 = 96.0 * DAYS;
const WATCH_RUNS: f64 = 24.0 * DAYS;
const DAILY_RUNS: f64 = DAYS;
/// The runs of the probe in a month, and the records of a run: a creation, a use, a view, a revocation, a refusal, a
/// deletion.
const PROBE_RUNS: f64 = 288.0 * DAYS;
const PROBE_RECORDS: f64 = 6.0;
/// DynamoDB asks KMS again after five minutes, for each function and table.
const KEY_REQUESTS: f64 = 2.0 * SECONDS / 300.0;
/// The line of the bill with all that the probe costs.
pub(crate) const PROBE: &str = "the probe, every five minutes";
/// The busiest second compared with the mean.
pub(crate) const PEAK: u32 = 5;

/// A platform, and how it is used.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Platform {
    pub(crate) name: &'static str,
    pub(crate) accounts: u32,
    pub(crate) tokens: u32,
    /// Verifications a second, on average.
    pub(crate) verifications: u32,
    /// First uses of a token and address in a day.
    pub(crate) first_uses: f64,
    /// Owners and administrators of an account.
    pub(crate) recipients: f64,
    /// Whether these get the mails about uses once a day.
    pub(crate) once_a_day: bool,
    /// The share of verifications that a cache answers.
    pub(crate) cached: f64,
    /// Of an account in a day: pages of tokens, pages of the audit log, single tokens, and the files of the page.
    pub(crate) pages: f64,
    pub(crate) audit_pages: f64,
    pub(crate) views: f64,
    pub(crate) files: f64,
    /// Of an account in a day: tokens created, tokens deleted, and secrets shown.
    pub(crate) changes: f64,
    /// The platform's events about an account in a day.
    pub(crate) events: f64,
    pub(crate) log_days: f64,
    /// Days for which the lines of decisions are kept.
    pub(crate) decision_days: f64,
    pub(crate) audit_days: f64,
}

impl Platform {
    const fn of(name: &'static str, accounts: u32, tokens: u32, verifications: u32) -> Self {
        Self {
            name,
            accounts,
            tokens,
            verifications,
            first_uses: 1.0,
            recipients: 2.0,
            once_a_day: false,
            cached: 0.0,
            pages: 10.0,
            audit_pages: 5.0,
            views: 5.0,
            files: 10.0,
            changes: 0.1,
            events: 1.0,
            log_days: 90.0,
            decision_days: 7.0,
            audit_days: 400.0,
        }
    }

    /// First uses in a month.
    fn used(&self) -> f64 {
        f64::from(self.tokens) * self.first_uses * DAYS
    }

    /// Something of every account and day, in a month.
    fn of_accounts(&self, in_a_day: f64) -> f64 {
        f64::from(self.accounts) * in_a_day * DAYS
    }

    /// Records of tokens created, tokens deleted and secrets shown, in a month.
    fn changed(&self) -> f64 {
        self.of_accounts(3.0 * self.changes)
    }

    /// Mails in a month.
    pub(crate) fn mails(&self) -> f64 {
        let at_once = if self.once_a_day {
            self.of_accounts(1.0) + self.changed()
        } else {
            self.used() + self.changed()
        };
        at_once * self.recipients
    }

    /// Calls of the management API in a month.
    fn calls(&self) -> f64 {
        self.of_accounts(self.pages + self.audit_pages + self.views + self.files) + self.changed()
    }

    /// What the platform needs in its busiest second, and on a usual day.
    pub(crate) fn load(&self) -> Load {
        let management = if self.accounts == 0 { 0 } else { 100 };
        let (verifications, accounts) = (self.verifications * PEAK, self.accounts);
        Load {
            mails_per_day: (self.mails() / DAYS).ceil() as u64,
            ..Load::even(
                verifications.into(),
                management,
                accounts.into(),
                self.tokens.into(),
            )
        }
    }
}

pub(crate) const IDLE: Platform = Platform::of("idle", 0, 0, 0);
pub(crate) const SMALL: Platform = Platform::of("small", 50, 500, 10);
pub(crate) const LARGE: Platform = Platform::of("large", 10_000, 1_000_000, 1_000);
pub(crate) const PLATFORMS: [Platform; 3] = [IDLE, SMALL, LARGE];

/// The lines of a month's bill, each with its US dollars.
pub(crate) type Bill = Vec<(&'static str, f64)>;

pub(crate) fn total(bill: &Bill) -> f64 {
    bill.iter().map(|(_, usd)| usd).sum()
}

/// What DynamoDB reads and writes in a month, in units.
fn units(platform: &Platform) -> (f64, f64) {
    let verified = f64::from(platform.verifications) * SECONDS * (1.0 - platform.cached);
    let (used, changes) = (platform.used(), platform.of_accounts(platform.changes));
    let held = if platform.once_a_day { used } else { 0.0 };
    let at_once = used + platform.changed() - held;
    let two = platform.recipients / 2.0;
    let (mut reads, mut writes) = (0.0, 0.0);
    let mut add = |times: f64, function: &str, when: &str| {
        let counts = Counts::of(function, when);
        reads += times * counts.reads;
        writes += times * counts.write_units();
    };
    add(verified - used, "authorize", "any later use");
    add(
        used,
        "authorize",
        "first use, or first of an address and day",
    );
    add(changes, "create-token", "full access");
    add(changes, "delete-token", "");
    add(changes, "reveal-token", "");
    add(
        at_once * two,
        "send-notifications",
        "per record with two recipients",
    );
    add(
        held * two,
        "send-notifications",
        "… over the budget of both",
    );
    if platform.once_a_day {
        add(
            platform.of_accounts(1.0) * two,
            "send-digests",
            "two digests",
        );
    }
    add(
        platform.of_accounts(platform.events),
        "sync-platform",
        "`AccountUpserted`, four members as before",
    );
    add(DIGEST_RUNS, "send-digests", "none");
    add(WATCH_RUNS, "watch-trail", "nothing found");
    add(DAILY_RUNS, "remind-expiring", "every shard, and none");
    add(DAILY_RUNS, "revoke-idle", "every shard, and none");
    reads += platform.of_accounts(platform.pages) * page("a page of 50 tokens")
        + platform.of_accounts(platform.audit_pages)
            * page("a page of 50 audit records of the account")
        + platform.of_accounts(platform.views) * page("one token");
    // Each audit record is also in `byToken`. A token enters and leaves two indexes.
    writes += used + platform.changed() + 4.0 * changes;
    (reads, writes)
}

/// The bytes that are stored in tables, and in their indexes.
fn stored(platform: &Platform, sizes: &Sizes) -> (f64, f64) {
    let tokens = f64::from(platform.tokens);
    let ended = platform.of_accounts(platform.changes) / DAYS * ENDED_DAYS;
    let secret = sizes.secret + sizes.seen + 2.0 * ITEM_OVERHEAD;
    let marks = (platform.used() + platform.changed()) / DAYS * MARK_DAYS * platform.recipients;
    let records = platform.audit_days / DAYS
        * (platform.used() * (sizes.used + ITEM_OVERHEAD)
            + platform.changed() * (sizes.created + ITEM_OVERHEAD));
    let tables = tokens * (sizes.token + ITEM_OVERHEAD + secret)
        + ended * secret
        + marks * (MARK + ITEM_OVERHEAD)
        + f64::from(platform.accounts) * ACCOUNT
        + records;
    let indexes = tokens * 2.0 * (INDEX_ENTRY + ITEM_OVERHEAD) + records;
    (tables, indexes)
}

/// What the probe costs in a month.
fn probe(platform: &Platform, sizes: &Sizes) -> f64 {
    let called = [
        ("list-tokens", "per page without filters"),
        ("create-token", "full access"),
        ("token-info", "first use, or first of an address and day"),
        ("get-token", ""),
        ("reveal-token", ""),
        ("revoke-token", ""),
        // The refusal is recorded as a use is.
        ("token-info", "first use, or first of an address and day"),
        ("delete-token", ""),
        ("get-token", ""),
    ]
    .map(|(function, when)| Counts::of(function, when));
    let sum = |part: fn(&Counts) -> f64| called.iter().map(part).sum::<f64>();
    // Each record is also in `byToken`. The token enters and leaves two indexes.
    let writes = sum(Counts::write_units) + PROBE_RECORDS + 4.0;
    // The run itself, and a batch for each record.
    let invocations = called.len() as f64 + 1.0 + PROBE_RECORDS;
    let call = f64::from(u32::try_from(MANAGEMENT_MS).unwrap());
    let days = platform.audit_days / DAYS;
    let records = PROBE_RUNS * PROBE_RECORDS * days * (sizes.created + ITEM_OVERHEAD);
    let secrets =
        PROBE_RUNS / DAYS * ENDED_DAYS * (sizes.secret + sizes.seen + 2.0 * ITEM_OVERHEAD);
    // The called functions, and the one that reads the records. Where others call too, they ask KMS in any case.
    let functions = if platform.accounts == 0 { 8.0 } else { 0.0 };
    LAMBDA_REQUESTS.of(PROBE_RUNS * invocations)
        + LAMBDA_DURATION.of(PROBE_RUNS * invocations * call / 1e3 * MEMORY)
        + API_CALLS.of(PROBE_RUNS * 2.0)
        + READ_UNITS.of(PROBE_RUNS * sum(|counts| counts.reads))
        + WRITE_UNITS.of(PROBE_RUNS * writes)
        + TABLE_STORAGE.of((2.0 * records + secrets) / GB)
        + RECOVERY.of((records + secrets) / GB)
        + KMS_REQUESTS.of(functions * KEY_REQUESTS + PROBE_RUNS * sum(|counts| counts.kms))
        + LOGS.of(PROBE_RUNS * invocations * OTHER_LINES / GB)
}

/// The bill of a month.
pub(crate) fn month(platform: &Platform, sizes: &Sizes, watching: Watching) -> Bill {
    let verified = f64::from(platform.verifications) * SECONDS * (1.0 - platform.cached);
    let records = platform.used() + platform.changed();
    let events = platform.of_accounts(platform.events);
    let short_runs = DIGEST_RUNS + 2.0 * DAILY_RUNS;
    let runs = short_runs + WATCH_RUNS;
    let calls = platform.calls();
    let (reads, writes) = units(platform);
    let (tables, indexes) = stored(platform, sizes);

    let [verification, call] = [VERIFICATION_MS, MANAGEMENT_MS]
        .map(|milliseconds| f64::from(u32::try_from(milliseconds).unwrap()));
    let seconds = (verified * verification
        + (calls + events) * call
        + records * RECORD_MS * platform.recipients / 2.0
        + short_runs * RUN_MS
        + WATCH_RUNS * WATCH_MS)
        / 1e3;
    // A batch of one record each.
    let invocations = verified + calls + events + records + runs;
    let decisions = verified * f64::from(DECISION_LINE) / GB;
    let others = (calls + events + records + runs) * OTHER_LINES / GB;
    let kept = decisions * platform.decision_days + others * platform.log_days;
    let functions = f64::from(u32::try_from(policies().len()).unwrap());
    let table_key = if platform.accounts == 0 {
        runs
    } else {
        functions * KEY_REQUESTS
    };
    let with_secrets = ["create-token", "reveal-token"].map(|function| {
        let when = if function == "create-token" {
            "full access"
        } else {
            ""
        };
        Counts::of(function, when).kms
    });
    let secrets = platform.of_accounts(platform.changes) * with_secrets.iter().sum::<f64>();

    vec![
        (
            "Lambda",
            LAMBDA_REQUESTS.of(invocations) + LAMBDA_DURATION.of(seconds * MEMORY),
        ),
        (
            "API Gateway: the management API's calls",
            API_CALLS.of(calls),
        ),
        ("DynamoDB: reads", READ_UNITS.of(reads)),
        ("DynamoDB: writes", WRITE_UNITS.of(writes)),
        (
            "DynamoDB: storage",
            TABLE_STORAGE.of((tables + indexes) / GB),
        ),
        ("DynamoDB: point-in-time recovery", RECOVERY.of(tables / GB)),
        ("DynamoDB: streams, which only Lambda reads", 0.0),
        ("KMS: keys", KMS_KEYS.of(2.0)),
        ("KMS: requests", KMS_REQUESTS.of(table_key + secrets)),
        ("SES", MAILS.of(platform.mails())),
        ("CloudWatch: logs taken in", LOGS.of(decisions + others)),
        (
            "CloudWatch: logs kept",
            LOG_STORAGE.of(kept * COMPRESSED / DAYS),
        ),
        (
            "CloudWatch: alarms",
            ALARMS.of(watching.alarm_metrics.into())
                + COMPOSITE_ALARMS.of(watching.composite_alarms.into()),
        ),
        (
            "CloudWatch: metrics of log lines, at the most",
            // Nothing is written of nothing.
            if platform.accounts == 0 {
                0.0
            } else {
                LOG_METRICS.of(watching.log_metrics.into())
            },
        ),
        (
            "CloudWatch: dashboard",
            DASHBOARDS.of(watching.dashboards.into()),
        ),
        ("EventBridge: the platform's events", EVENTS.of(events)),
        (PROBE, probe(platform, sizes)),
        ("SQS and S3: nothing is given up", 0.0),
    ]
}
