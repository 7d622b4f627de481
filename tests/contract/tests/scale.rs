//! The tables of `docs/scale.md`: the sizes of items as the code writes them, and what follows from AWS's limits.
//!
//! `make generate` writes the tables anew. The limits are constants here and in `latchkey-planning`; the
//! document names their sources.

use std::fmt::Write;
use std::sync::{Mutex, PoisonError};

use assurance::grouped;
use contract::sizes::{read_units, size, transaction_units};
use contract::{Call, Section, Wire, answer};
use latchkey::domain::account::{Account, Member, Role};
use latchkey::ports::{GetAccount, PortError, ProjectPlatform};
use latchkey::store::Store;
use latchkey::testing::{Answer, Engine, FakeVault, acme, now, system_at};
use latchkey_planning::{prices, quotas};
use serde_json::{Value, json};
use sync_platform::SetAside;

const DOCUMENT: &str = "docs/scale.md";

const KB: usize = 1_024;
/// DynamoDB's limit of an item.
const ITEM: usize = 400 * KB;
/// DynamoDB's limit of a transaction.
const TRANSACTION: usize = 4 * KB * KB;
/// EventBridge's limit of an event.
const EVENT: usize = KB * KB;
/// The read units of a partition in a second.
const PARTITION_READS: usize = quotas::PARTITION_READS as usize;
/// The write units of a partition in a second.
const PARTITION_WRITES: usize = quotas::PARTITION_WRITES as usize;
/// The default quota of a table's write units in a second, and that of its read units.
const TABLE: usize = quotas::TABLE as usize;
/// The write units in a second that a new table takes.
const NEW_TABLE_WRITES: usize = quotas::NEW_TABLE_WRITES as usize;
/// The requests in a second for each concurrent execution of Lambda's quota.
const REQUESTS_PER_EXECUTION: usize = quotas::REQUESTS_PER_EXECUTION as usize;
/// The duration of a verification in milliseconds that `docs/benchmarks.md` assumes on AWS.
const VERIFICATION: usize = quotas::VERIFICATION_MS as usize;
/// The longest line of a decision, and the overhead of CloudWatch Logs for each line.
const LINE: usize = prices::DECISION_LINE as usize;

/// The name of the tokens.
const NAME: &str = "Warehouse sync";

const ACCOUNTS: usize = 10_000;
const TOKENS: usize = 1_000;
const RATES: [usize; 3] = [10, 1_000, 100_000];

/// Checks a table of the document, or writes it. The tests run at the same time, and each writes the whole document.
fn table(name: &str, rows: &str) {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    Section::of(DOCUMENT, name).must_be(rows);
}

/// A size in KB with one digit after the point.
fn kb(bytes: usize) -> String {
    let tenths = (bytes * 10).div_ceil(KB);
    format!("{}.{} KB", grouped(tenths / 10), tenths % 10)
}

/// A stack with an account.
struct Stack {
    engine: Engine,
    wire: Wire,
    store: Store,
    vault: FakeVault,
}

impl Stack {
    /// Starts a stack whose account has, for each length, a thousand exports with ids of that length. A body of 64 KiB
    /// takes no thousand ids of more than 62 characters.
    async fn with_exports(lengths: &[usize]) -> Self {
        let engine = Engine::with_accounts().await;
        let images = engine.token_images().await;
        let template = images.iter().find(|image| {
            image["pk"]["S"] == "RESOURCE#acme" && image["sk"]["S"] == "export#exp_orders"
        });
        let template = template.unwrap().to_string();
        for length in lengths {
            let copies: Vec<Value> = exports(1_000, *length)
                .iter()
                .map(|id| serde_json::from_str(&template.replace("exp_orders", id)).unwrap())
                .collect();
            engine.load_tokens(&copies);
        }
        let wire = Wire::to(&engine.aws).await;
        Self {
            store: Store::new(&wire.aws, Engine::tables()).with_budgets(Engine::budgets()),
            vault: FakeVault::default(),
            engine,
            wire,
        }
    }

    async fn send(&self, call: &Call) -> Answer {
        let answer = answer(&self.store, &self.vault, &system_at(now()), call).await;
        assert!(answer.status < 300, "{call:?}: {}", answer.text);
        answer
    }

    /// Creates a token with that scope. Returns its id and its secret.
    async fn create(&self, name: &str, scope: &Value) -> (String, String) {
        let create = json!({"name": name, "autoPurge": "never", "scope": scope});
        let call = Call::new("POST", "/v1/accounts/acme/tokens").by("owner-1");
        let created = self.send(&call.json(&create)).await;
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        (
            text(&created.json["token"]["id"]),
            text(&created.json["secret"]),
        )
    }

    /// The sizes of the items of the tokens table whose text has `part`, and whose partition has that prefix.
    async fn sizes(&self, prefix: &str, part: &str) -> Vec<usize> {
        sizes(&self.engine.token_images().await, prefix, part)
    }

    /// The sizes of the audit records of an action.
    async fn records(&self, prefix: &str, action: &str) -> Vec<usize> {
        let part = json!({"action": {"S": action}}).to_string();
        sizes(
            &self.engine.audit_images().await,
            prefix,
            part.trim_matches(['{', '}']),
        )
    }
}

fn sizes(images: &[Value], prefix: &str, part: &str) -> Vec<usize> {
    let images = images.iter().filter(|image| {
        image["pk"]["S"].as_str().unwrap().starts_with(prefix) && image.to_string().contains(part)
    });
    images.map(size).collect()
}

fn only(sizes: &[usize]) -> usize {
    let [size] = sizes else { panic!("{sizes:?}") };
    *size
}

fn exports(count: usize, length: usize) -> Vec<String> {
    let ids = (0..count).map(|number| format!("{number:0length$}"));
    ids.collect()
}

fn custom(count: usize, length: usize) -> Value {
    json!({"type": "custom", "exports": exports(count, length)})
}

#[tokio::test]
async fn a_secret_takes_as_many_verifications_as_its_partition_has_read_units() {
    let mut rows =
        "| the secret's scope | item | read units of a verification | verifications a second |\n\
                    |---|---|---|---|\n"
            .to_owned();
    let stack = Stack::with_exports(&[24, 62]).await;
    for (what, scope) in [
        ("full access", json!({"type": "full"})),
        ("100 ids of 24 characters", custom(100, 24)),
        ("1,000 ids of 24 characters", custom(1_000, 24)),
        ("1,000 ids of 62 characters", custom(1_000, 62)),
    ] {
        let (token, secret) = stack.create(NAME, &scope).await;
        let info = Call::new("GET", "/v1/tokenInfo").bearer(&secret);
        // The first call records the use, and the second one finds it on record.
        for _ in 0..3 {
            stack.wire.take();
            stack.send(&info).await;
        }
        let item = only(&stack.sizes("SECRET#", &token).await);
        let units = read_units(item);
        assert_eq!(stack.wire.take().half_read_units, 2 * units, "{what}");
        let most = grouped(PARTITION_READS / units);
        writeln!(rows, "| {what} | {} | {units} | {most} |", kb(item)).unwrap();
    }
    table("secrets", &rows);
}

#[tokio::test]
async fn an_account_takes_as_many_first_uses_as_its_partition_has_write_units() {
    let mut rows = "| first use | record | what is on record of the secret | write units of the record | first uses \
                    of an account a second |\n|---|---|---|---|---|\n"
        .to_owned();
    let mut units_of_records = vec![];
    for (what, name, user_agent) in [
        (
            "of a usual token and client",
            NAME.to_owned(),
            "warehouse/1.2".to_owned(),
        ),
        (
            "with the longest name and user agent",
            "\u{1f511}".repeat(128),
            "w".repeat(256),
        ),
    ] {
        let stack = Stack::with_exports(&[]).await;
        let (_, secret) = stack.create(&name, &json!({"type": "full"})).await;
        let info = Call::new("GET", "/v1/tokenInfo").bearer(&secret);
        stack.send(&info.header("user-agent", &user_agent)).await;
        let record = only(&stack.records("USE#", "access").await);
        let seen = only(&stack.sizes("SEEN#", "").await);
        let units = transaction_units(record);
        units_of_records.push(units);
        assert_eq!(transaction_units(seen), FIRST_USE);
        let most = grouped(PARTITION_WRITES / units);
        writeln!(
            rows,
            "| {what} | {} | {} | {units} | {most} |",
            kb(record),
            kb(seen)
        )
        .unwrap();
    }
    // The simulation of midnight is of usual ones.
    assert_eq!(units_of_records[0], FIRST_USE);
    table("first uses", &rows);
}

/// The write units of a first use in each table.
const FIRST_USE: usize = quotas::FIRST_USE as usize;

/// What becomes of the calls in the hour after midnight, when each token's next use is a first one.
struct Midnight {
    /// The write units in the first second that the audit table would have to take.
    wanted: usize,
    /// The seconds until no call is refused.
    seconds: usize,
    /// The number of refused calls.
    refused: usize,
    /// The number of calls in those seconds.
    calls: usize,
}

/// Simulates the hour second by second. Every token is as likely to call as any other. A first use that the table
/// doesn't take is refused, and the token tries again with its next call.
fn midnight(rate: usize, tokens: usize, write_units: usize) -> Midnight {
    let (mut unused, mut refused, mut seconds) = (tokens, 0, 0);
    let mut in_those = 0;
    for second in 1..=3_600 {
        let first = (rate * unused).div_ceil(tokens);
        let taken = first.min(write_units / FIRST_USE);
        unused -= taken;
        if first > taken {
            refused += first - taken;
            seconds = second;
            in_those = rate * second;
        }
    }
    Midnight {
        wanted: rate * FIRST_USE,
        seconds,
        refused,
        calls: in_those,
    }
}

#[test]
fn the_first_uses_after_midnight_are_simulated() {
    let mut rows = "| verifications a second | write units wanted at 0:00 | table's write units | seconds with refusals \
                    | refused of their calls |\n|---|---|---|---|---|\n"
        .to_owned();
    for rate in RATES {
        for table in [NEW_TABLE_WRITES, TABLE] {
            let night = midnight(rate, ACCOUNTS * TOKENS, table);
            let share = (night.refused * 100).checked_div(night.calls).unwrap_or(0);
            let [rate, wanted, table, seconds] =
                [rate, night.wanted, table, night.seconds].map(grouped);
            writeln!(
                rows,
                "| {rate} | {wanted} | {table} | {seconds} | {share} % |"
            )
            .unwrap();
        }
    }
    table("midnight", &rows);
}

#[test]
fn a_rate_needs_concurrency_reads_and_log_volume() {
    let mut rows = "| verifications a second | Lambda: executions at once | … that the quota must have | DynamoDB: \
                    read units a second | decision lines a day |\n|---|---|---|---|---|\n"
        .to_owned();
    for rate in RATES {
        let busy = (rate * VERIFICATION).div_ceil(1_000);
        let quota = busy.max(rate.div_ceil(REQUESTS_PER_EXECUTION));
        let [at_once, quota, reads] = [busy, quota, rate].map(grouped);
        let megabytes = (rate * LINE * 86_400).div_ceil(KB * KB);
        let (rate, lines) = (grouped(rate), grouped(megabytes));
        writeln!(
            rows,
            "| {rate} | {at_once} | {quota} | {reads} | {lines} MB |"
        )
        .unwrap();
    }
    table("rates", &rows);
}

#[test]
fn the_mails_about_first_uses_are_counted() {
    // The default of MailsPerHour, and an owner and one administrator for each account.
    let (budget, recipients) = (100, 2);
    let mut rows = "| every token is used once a day | mails at once, a day | digests a day | mails a second in the \
                    busiest hour |\n|---|---|---|---|\n"
        .to_owned();
    for (what, hours) in [("within one hour", 1), ("evenly over 24 hours", 24)] {
        let of_hour = TOKENS.div_ceil(hours);
        let at_once = of_hour.min(budget);
        let mails = ACCOUNTS * recipients * at_once * hours;
        let digests = if of_hour > budget {
            ACCOUNTS * recipients * hours
        } else {
            0
        };
        let [mails, digests, second] = [mails, digests, mails.div_ceil(hours * 3_600)].map(grouped);
        writeln!(rows, "| {what} | {mails} | {digests} | {second} |").unwrap();
    }
    table("mails", &rows);
}

fn with_members(count: usize) -> Account {
    let members = (0..count).map(|number| Member {
        id: format!("0f9a2b1c-6a53-4d0b-8c3f-{number:012}")
            .parse()
            .unwrap(),
        email: format!("person-{number:05}@acme.example"),
        name: format!("Person Number {number:05}"),
        role: if number == 0 {
            Role::Owner
        } else {
            Role::Monitor
        },
        developer_mode: false,
    });
    Account {
        members: members.collect(),
        ..acme()
    }
}

/// The event of an account, as the platform sends it.
fn event(account: &Account) -> Value {
    let event = include_str!("../../../events/sync-platform/account-upserted.json");
    let mut event: Value = serde_json::from_str(event).unwrap();
    event["detail"] = json!(account);
    event
}

/// A queue of dead letters.
#[derive(Default)]
struct Queue(Mutex<Vec<String>>);

impl SetAside for Queue {
    async fn set_aside(&self, message: String) -> Result<(), PortError> {
        self.0.lock().unwrap().push(message);
        Ok(())
    }
}

async fn profile(engine: &Engine) -> Value {
    let images = engine.token_images().await;
    let profile = images
        .into_iter()
        .find(|image| image["pk"]["S"] == "PROFILE#acme");
    profile.unwrap()
}

#[tokio::test]
async fn a_profile_holds_so_many_members_and_an_event_of_more_changes_nothing() {
    let engine = Engine::with_accounts().await;
    let mut sizes = vec![];
    for count in [10, 11] {
        engine
            .store
            .put_account(&with_members(count), now())
            .await
            .unwrap();
        sizes.push(size(&profile(&engine).await));
    }
    let member = sizes[1] - sizes[0];
    let of = |count: usize| sizes[0] + count * member - 10 * member;
    let most = 10 + (ITEM - sizes[0]) / member;

    // The engine has the same limit: it takes the largest profile, and none with one member more.
    let mut image = profile(&engine).await;
    let members = image["members"]["L"].as_array_mut().unwrap();
    members.resize(most, members[1].clone());
    assert_eq!(size(&image), of(most));
    engine.load_tokens(&[image]);
    let system = system_at(now());
    let queue = Queue::default();
    let before = profile(&engine).await;
    let larger = sync_platform::handle(
        &engine.store,
        &queue,
        &system,
        event(&with_members(most + 1)),
    );
    assert!(matches!(larger.await, Err(PortError::Broken(_))));
    assert_eq!(profile(&engine).await, before);
    assert!(queue.0.lock().unwrap().is_empty());
    let account = engine.store.get_account(&acme().id).await.unwrap();
    assert_eq!(account.unwrap().members.len(), most);

    let bytes = |count: usize| event(&with_members(count)).to_string().len();
    let of_event = bytes(11) - bytes(10);
    let in_event = 10 + (EVENT - bytes(10)) / of_event;
    let mut rows = "| members | profile | event | read units of a management call | management calls of the account a \
                    second |\n|---|---|---|---|---|\n"
        .to_owned();
    for count in [10, 100, 1_000, most] {
        let units = read_units(of(count));
        let [members, calls] = [count, PARTITION_READS / units].map(grouped);
        let sent = kb(bytes(count));
        writeln!(
            rows,
            "| {members} | {} | {sent} | {units} | {calls} |",
            kb(of(count))
        )
        .unwrap();
    }
    let most = grouped(most);
    writeln!(
        rows,
        "\nThe largest profile has {most} members. An event could have {}.",
        grouped(in_event)
    )
    .unwrap();
    table("profiles", &rows);
}

#[tokio::test]
async fn the_largest_change_fits_into_a_transaction() {
    let stack = Stack::with_exports(&[62]).await;
    let (token, _) = stack.create(NAME, &custom(1_000, 62)).await;
    let path = format!("/v1/accounts/acme/tokens/{token}");
    let create = stack.records("ACCOUNT#", "create").await;
    let created = [
        stack.sizes("ACCOUNT#acme", &token).await,
        stack.sizes("SECRET#", &token).await,
        create,
    ];
    let regenerate = Call::new("POST", &format!("{path}/regenerate")).by("owner-1");
    stack
        .send(&regenerate.json(&json!({"gracePeriodSeconds": 86_400})))
        .await;
    // All ids but one: the record has both lists.
    let update = Call::new("PATCH", &path).by("owner-1");
    stack
        .send(&update.json(&json!({"scope": custom(999, 62)})))
        .await;
    let record = only(&stack.records("ACCOUNT#", "update").await);
    let updated = [
        stack.sizes("ACCOUNT#acme", &token).await,
        stack.sizes("SECRET#", &token).await,
        vec![record],
    ];
    let mut rows = "| transaction | its items | of 4 MB | its largest item | of 400 KB |\n|---|---|---|---|---|\n".to_owned();
    for (what, items) in [
        (
            "create a token with 1,000 ids of 62 characters",
            created.concat(),
        ),
        (
            "replace those ids, with a secret in its grace period",
            updated.concat(),
        ),
    ] {
        let (sum, largest) = (items.iter().sum(), *items.iter().max().unwrap());
        let (of_all, of_one) = (sum * 100 / TRANSACTION, largest * 100 / ITEM);
        assert!(of_all < 100 && of_one < 100);
        let [sum, largest] = [sum, largest].map(kb);
        writeln!(
            rows,
            "| {what} | {sum} | {of_all} % | {largest} | {of_one} % |"
        )
        .unwrap();
    }
    table("transactions", &rows);
}

#[tokio::test]
async fn what_concerns_all_tokens_of_an_account_takes_as_long_as_its_partition_allows() {
    let mut rows = "| tokens of the account | scope of each | write units to revoke all | seconds at least | read \
                    units to count all | seconds at least |\n|---|---|---|---|---|---|\n"
        .to_owned();
    for (what, scope) in [
        ("full access", json!({"type": "full"})),
        ("1,000 ids of 24 characters", custom(1_000, 24)),
    ] {
        let stack = Stack::with_exports(&[24]).await;
        let (token, _) = stack.create(NAME, &scope).await;
        let mut deleted: Value = serde_json::from_str(include_str!(
            "../../../events/sync-platform/account-deleted.json"
        ))
        .unwrap();
        deleted["time"] = json!(now().to_string());
        let (queue, system) = (Queue::default(), system_at(now()));
        let done = sync_platform::handle(&stack.store, &queue, &system, deleted);
        done.await.unwrap();
        let token = only(&stack.sizes("ACCOUNT#acme", &token).await);
        let record = only(&stack.records("ACCOUNT#", "revoke").await);
        // Tokens and records are in partitions of different tables.
        let of_one = transaction_units(token.max(record));
        for tokens in [1_000, 10_000] {
            let (writes, reads) = (tokens * of_one, read_units(tokens * token));
            let seconds = [
                writes.div_ceil(PARTITION_WRITES),
                reads.div_ceil(PARTITION_READS),
            ];
            let [tokens, writes, reads] = [tokens, writes, reads].map(grouped);
            let [to_revoke, to_count] = seconds.map(grouped);
            writeln!(
                rows,
                "| {tokens} | {what} | {writes} | {to_revoke} | {reads} | {to_count} |"
            )
            .unwrap();
        }
    }
    table("whole accounts", &rows);
}
