//! The tables of `docs/cost.md`: what a month costs, and which quotas it needs.
//!
//! The reads and writes of each function are those of the table in `docs/benchmarks.md`, which `tests/operations.rs`
//! counts at the wire and holds against the code; they are read there. Sizes of items are measured here. Prices and the
//! arithmetic of quotas are in `latchkey-planning`. Everything else is assumed, and the document's table says so.
//!
//! `make generate` writes the tables anew. This suite's name is later in the alphabet than those that write the
//! benchmarks' tables, so their new numbers are used in the same run.

mod counts;
mod model;

use std::fmt::Write;
use std::path::Path;

use assurance::grouped;
use contract::watching::Watching;
use contract::{Section, Template};
use latchkey_planning::{Remedy, needs, prices, quotas};

use counts::{Counts, Sizes, page};
use model::{
    ACCOUNT, Bill, COMPRESSED, IDLE, INDEX_ENTRY, LARGE, MARK, OTHER_LINES, PEAK, PLATFORMS,
    Platform, RECORD_MS, RUN_MS, SMALL, WATCH_MS, month, total,
};

const DOCUMENT: &str = "docs/cost.md";

fn read(path: &str) -> String {
    std::fs::read_to_string(
        Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../..")
            .join(path),
    )
    .unwrap()
}

/// What the template has CloudWatch watch.
fn watching() -> Watching {
    Watching::of(&Template::expanded())
}

fn whole(number: f64) -> String {
    // The numbers of the tables are far below the limit of exact integers.
    grouped(format!("{:.0}", number.abs()))
}

/// US dollars: with cents below a hundred.
fn usd(amount: f64) -> String {
    if amount == 0.0 {
        "0".to_owned()
    } else if amount < 0.01 {
        "< 0.01".to_owned()
    } else if amount < 99.995 {
        format!("{amount:.2}")
    } else {
        whole(amount)
    }
}

fn months(bills: &[Bill]) -> String {
    let mut rows = "| USD a month | idle | small | large |\n|---|---|---|---|\n".to_owned();
    for (line, (what, idle)) in bills[0].iter().enumerate() {
        let [small, large] = [1, 2].map(|bill| usd(bills[bill][line].1));
        writeln!(rows, "| {what} | {} | {small} | {large} |", usd(*idle)).unwrap();
    }
    let [idle, small, large] = [0, 1, 2].map(|bill| usd(total(&bills[bill])));
    writeln!(rows, "| **all** | **{idle}** | **{small}** | **{large}** |").unwrap();
    rows
}

fn platforms() -> String {
    let mut rows = "| | idle | small | large |\n|---|---|---|---|\n".to_owned();
    let mut row = |what: &str, of: &dyn Fn(&Platform) -> f64| {
        let [idle, small, large] = PLATFORMS.map(|platform| whole(of(&platform)));
        writeln!(rows, "| {what} | {idle} | {small} | {large} |").unwrap();
    };
    row("accounts", &|it| it.accounts.into());
    row("active tokens", &|it| it.tokens.into());
    row("verifications a second, on average", &|it| {
        it.verifications.into()
    });
    row("… in the busiest second", &|it| {
        f64::from(it.verifications * PEAK)
    });
    row("mails a day", &|it| it.mails() / model::DAYS);
    rows
}

fn assumptions(sizes: &Sizes) -> String {
    let mut rows = "| what | in all three |\n|---|---|\n".to_owned();
    let usual = SMALL;
    let mut same = |what: &str, value: String| writeln!(rows, "| {what} | {value} |").unwrap();
    same(
        "first uses of a token and address in a day",
        whole(usual.first_uses),
    );
    same("recipients of each record's mail", whole(usual.recipients));
    same("an account's pages of 50 tokens a day", whole(usual.pages));
    same("… pages of 50 audit records", whole(usual.audit_pages));
    same("… single tokens", whole(usual.views));
    same("… files of the API tokens page", whole(usual.files));
    same(
        "… tokens created, tokens deleted, and secrets shown, each",
        usual.changes.to_string(),
    );
    same("… events of the platform", whole(usual.events));
    same("`LogRetentionDays`", whole(usual.log_days));
    same("`VerificationLogRetentionDays`", whole(usual.decision_days));
    same("`AuditRetentionDays`", whole(usual.audit_days));
    let mut bytes = |what: &str, bytes: f64| same(what, format!("{} bytes", whole(bytes)));
    bytes("a decision's log line", f64::from(prices::DECISION_LINE));
    bytes("the log lines of any other call", OTHER_LINES);
    bytes("the record of a first use (measured)", sizes.used);
    bytes(
        "a token, its secret and its recorded uses (measured)",
        sizes.token + sizes.secret + sizes.seen,
    );
    bytes("an entry of an index of tokens", INDEX_ENTRY);
    bytes("the mark of a mail, for 16 days", MARK);
    bytes("an account's profile, members and resources", ACCOUNT);
    same(
        "a kept log line, compressed",
        format!("{} %", whole(COMPRESSED * 100.0)),
    );
    same("a verification", format!("{} ms", quotas::VERIFICATION_MS));
    same(
        "a call of the management API, or an event",
        format!("{} ms", quotas::MANAGEMENT_MS),
    );
    same("a record's mails", format!("{} ms", whole(RECORD_MS)));
    same("a run of a schedule", format!("{} ms", whole(RUN_MS)));
    same("… of `watch-trail`", format!("{} ms", whole(WATCH_MS)));
    rows
}

fn levers(sizes: &Sizes, watching: Watching) -> String {
    let mut rows =
        "| what | USD a month | what it costs in safety or visibility |\n|---|---|---|\n"
            .to_owned();
    let before = total(&month(&LARGE, sizes, watching));
    for (what, platform, costs) in [
        (
            "all members get the mails about uses [once a day](mails.md#each-members-choice)",
            Platform {
                once_a_day: true,
                ..LARGE
            },
            "a stranger's first use of a token is mailed up to a day later. Mails about leaked, shown and tampered \
             things still come at once",
        ),
        (
            "each account has one owner or administrator less",
            Platform {
                recipients: 1.0,
                ..LARGE
            },
            "nobody reads the mail while that person is away",
        ),
        (
            "[the gateway's cache](../examples/protected-api/README.md#what-a-cache-costs) answers half of the verifications",
            Platform {
                cached: 0.5,
                ..LARGE
            },
            "a revoked secret works until its entry ends, and what the cache answers has no line of a decision",
        ),
        (
            "`VerificationLogRetentionDays` 90 instead of 7",
            Platform {
                decision_days: 90.0,
                ..LARGE
            },
            "none: decisions and refusals of the last 90 days can be counted. They hold refused callers' addresses",
        ),
        (
            "clients call from five addresses a day instead of one",
            Platform {
                first_uses: 5.0,
                ..LARGE
            },
            "more records and mails, in which a stranger's is harder to see. Give clients a fixed address",
        ),
        (
            "`AuditRetentionDays` 800 instead of 400",
            Platform {
                audit_days: 800.0,
                ..LARGE
            },
            "none; 400 is the least",
        ),
    ] {
        let change = total(&month(&platform, sizes, watching)) - before;
        let sign = if change < 0.0 { "−" } else { "+" };
        writeln!(rows, "| {what} | {sign} {} | {costs} |", usd(change.abs())).unwrap();
    }
    rows
}

fn list_prices() -> String {
    let mut rows = "| what | USD | for each |\n|---|---|---|\n".to_owned();
    for price in prices::ALL {
        writeln!(
            rows,
            "| [{}]({}) | {} | {} |",
            price.what, price.page, price.usd, price.unit
        )
        .unwrap();
    }
    rows
}

fn needed() -> String {
    let mut rows =
        "| limit | by default | idle | small | large | to get more |\n|---|---|---|---|---|---|\n"
            .to_owned();
    let all = PLATFORMS.map(|platform| needs(&platform.load()));
    for (line, need) in all[0].iter().enumerate() {
        let [idle, small, large] = [0, 1, 2].map(|of: usize| {
            let need = &all[of][line];
            let needed = grouped(need.needed);
            if need.is_met() {
                needed
            } else {
                format!("**{needed}**")
            }
        });
        let remedy = match need.remedy {
            Remedy::Ask { service, code } => format!("`{service}` `{code}`"),
            Remedy::Warm => "warm throughput".to_owned(),
            Remedy::Set(parameter) => format!("`{parameter}`"),
            Remedy::Change(what) => format!("nobody can: {what}"),
        };
        let default = grouped(need.default);
        let limit = need.limit;
        writeln!(
            rows,
            "| {limit} | {default} | {idle} | {small} | {large} | {remedy} |"
        )
        .unwrap();
    }
    rows
}

/// The tables are one test, since each writes the whole document.
#[tokio::test]
async fn the_document_says_what_a_month_costs_and_which_quotas_it_needs() {
    let (sizes, watching) = (Sizes::measured().await, watching());
    let bills = PLATFORMS.map(|platform| month(&platform, &sizes, watching));
    for (name, rows) in [
        ("platforms", platforms()),
        ("assumptions", assumptions(&sizes)),
        ("months", months(&bills)),
        ("levers", levers(&sizes, watching)),
        ("prices", list_prices()),
        ("quotas", needed()),
    ] {
        Section::of(DOCUMENT, name).must_be(&rows);
    }
}

#[tokio::test]
async fn tables_of_larger_items_or_more_alarms_are_not_the_documents() {
    let (sizes, watching) = (Sizes::measured().await, watching());
    let section = |name| Section::of(DOCUMENT, name).text().to_owned();
    let larger = Sizes {
        used: sizes.used + 100.0,
        ..sizes
    };
    let more = Watching {
        alarm_metrics: watching.alarm_metrics + 1,
        ..watching
    };
    for (sizes, watching) in [(larger, watching), (sizes, more)] {
        let bills = PLATFORMS.map(|platform| month(&platform, &sizes, watching));
        assert_ne!(months(&bills), section("months"));
    }
    assert_ne!(assumptions(&larger), section("assumptions"));
    assert_ne!(levers(&larger, watching), section("levers"));
}

#[tokio::test]
async fn more_of_anything_never_costs_less() {
    let (sizes, watching) = (Sizes::measured().await, watching());
    for pair in PLATFORMS.windows(2) {
        let (smaller, larger) = (
            month(&pair[0], &sizes, watching),
            month(&pair[1], &sizes, watching),
        );
        for ((what, less), (same, more)) in smaller.iter().zip(&larger) {
            assert_eq!(what, same);
            if *what == model::PROBE {
                // The requests for the tables' key are the probe's own only where no one else makes them.
                continue;
            }
            assert!(
                less <= more,
                "{what}: {} and {}",
                pair[0].name,
                pair[1].name
            );
        }
    }
    // A verification costs what the benchmarks say: 0.04 + 0.20 + 0.125 + 0.15 a million.
    let busier = Platform {
        verifications: LARGE.verifications + 1,
        ..LARGE
    };
    let more = total(&month(&busier, &sizes, watching)) - total(&month(&LARGE, &sizes, watching));
    let million = more / (model::DAYS * 86_400.0) * 1e6;
    assert!((million - 0.52).abs() < 0.01, "{million}");
}

#[tokio::test]
async fn an_idle_stack_costs_what_the_guide_to_deploying_says() {
    let watching = watching();
    let guide = read("docs/deploying.md");
    let (_, said) = guide.split_once("That is about $").unwrap();
    let said: f64 = said.split_once(' ').unwrap().0.parse().unwrap();
    let bill = month(&IDLE, &Sizes::measured().await, watching);
    let all = total(&bill);
    let (_, probe) = bill.iter().find(|(what, _)| *what == model::PROBE).unwrap();
    let told = format!("that is some ${probe:.2} a month more");
    assert!(guide.contains(&told), "{told}");
    // The guide leaves out what is below a few cents.
    assert!(
        (said..said + 0.05).contains(&(all - probe)),
        "{all}: {bill:?}"
    );
}

/// The arithmetic of quotas has numbers of its own, since the operators' command has no tables to read.
#[tokio::test]
async fn the_quotas_are_computed_with_what_is_counted() {
    let exactly = |number: u64| f64::from(u32::try_from(number).unwrap());
    let record = Counts::of("send-notifications", "per record with two recipients");
    assert_eq!(record.mails, 2.0);
    assert_eq!(record.reads, exactly(quotas::MAIL_READS) * record.mails);
    assert_eq!(record.writes, exactly(quotas::MAIL_WRITES) * record.mails);
    assert_eq!(
        page("a page of 50 tokens"),
        exactly(quotas::MANAGEMENT_READS)
    );
    let first = Counts::of("authorize", "first use, or first of an address and day");
    assert_eq!(first.write_units(), 2.0 * exactly(quotas::FIRST_USE));
    let changes = Counts::of_calls()
        .into_iter()
        .filter(|it| it.kms > 0.0 || it.in_transactions > 0.0);
    let most = changes.map(|it| it.write_units()).fold(0.0, f64::max);
    assert!(most <= exactly(quotas::MANAGEMENT_WRITES), "{most}");
    let sizes = Sizes::measured().await;
    for size in [
        sizes.token,
        sizes.secret,
        sizes.seen,
        sizes.used,
        sizes.created,
    ] {
        assert!(size <= 1_024.0, "{sizes:?}");
    }
}
