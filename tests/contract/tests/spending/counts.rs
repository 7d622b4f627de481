//! What the other tests counted: reads and writes of each function, read units of pages, and sizes of items.

use contract::sizes::size;
use contract::{Call, Section, answer};
use latchkey::store::Store;
use latchkey::testing::{Engine, FakeVault, now, system_at};
use serde_json::{Value, json};

const DOCUMENT: &str = "docs/benchmarks.md";

/// The cells of a table's rows, without its head.
fn rows(section: &str) -> Vec<Vec<String>> {
    let section = Section::of(DOCUMENT, section);
    let rows = section.text().lines().skip(2);
    rows.map(|row| {
        let cells = row.trim_matches('|').split('|');
        cells.map(|cell| cell.trim().to_owned()).collect()
    })
    .collect()
}

/// What one call of a function reads and writes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Counts {
    pub(crate) reads: f64,
    /// The number of items in transactions.
    pub(crate) in_transactions: f64,
    pub(crate) writes: f64,
    pub(crate) kms: f64,
    pub(crate) mails: f64,
}

impl Counts {
    /// Takes a row of the table that `tests/operations.rs` counts at the wire, and holds against the code.
    pub(crate) fn of(function: &str, when: &str) -> Self {
        let found: Vec<_> = rows("operations")
            .into_iter()
            .filter(|row| row[..2] == [function, when])
            .collect();
        let [row] = &found[..] else {
            panic!("{function}, {when}: {found:?}")
        };
        Self::from_cells(&row[2..])
    }

    /// Every row of the table but those of the platform's events, which grow with the account.
    pub(crate) fn of_calls() -> Vec<Self> {
        let rows = rows("operations").into_iter();
        let calls = rows.filter(|row| row[0] != "sync-platform");
        calls.map(|row| Self::from_cells(&row[2..])).collect()
    }

    fn from_cells(cells: &[String]) -> Self {
        // "1 of 4" is one transaction with four items.
        let [reads, in_transactions, writes, kms, mails] = [0, 1, 2, 3, 4].map(|cell| {
            let cell = &cells[cell];
            let number = cell.split_once(" of ").map_or(cell.as_str(), |it| it.1);
            number.parse().unwrap()
        });
        Self {
            reads,
            in_transactions,
            writes,
            kms,
            mails,
        }
    }

    /// The write units, if each item has at most a KB.
    pub(crate) fn write_units(&self) -> f64 {
        2.0 * self.in_transactions + self.writes
    }
}

/// The read units of a page of a large account, as `tests/pages.rs` measures them.
pub(crate) fn page(what: &str) -> f64 {
    let rows = rows("pages");
    let row = rows.iter().find(|row| row[0] == what);
    row.unwrap().last().unwrap().parse().unwrap()
}

/// The sizes of usual items in bytes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sizes {
    pub(crate) token: f64,
    pub(crate) secret: f64,
    /// What is on record of a secret.
    pub(crate) seen: f64,
    /// The audit record of a first use.
    pub(crate) used: f64,
    /// The audit record of a creation.
    pub(crate) created: f64,
}

impl Sizes {
    /// Creates a token of full access and uses it, and measures the items.
    pub(crate) async fn measured() -> Self {
        let engine = Engine::with_accounts().await;
        let store = Store::new(&engine.aws, Engine::tables()).with_budgets(Engine::budgets());
        let vault = FakeVault::default();
        let create =
            json!({"name": "Warehouse sync", "autoPurge": "never", "scope": {"type": "full"}});
        let call = Call::new("POST", "/v1/accounts/acme/tokens").by("owner-1");
        let created = answer(&store, &vault, &system_at(now()), &call.json(&create)).await;
        assert_eq!(created.status, 201, "{}", created.text);
        let secret = created.json["secret"].as_str().unwrap();
        let info = Call::new("GET", "/v1/tokenInfo").bearer(secret);
        let info = info.header("user-agent", "warehouse/1.2");
        let used = answer(&store, &vault, &system_at(now()), &info).await;
        assert_eq!(used.status, 200, "{}", used.text);

        let token = created.json["token"]["id"].as_str().unwrap();
        let (tokens, audit) = (engine.token_images().await, engine.audit_images().await);
        Self {
            token: only(&tokens, "ACCOUNT#", &format!("TOKEN#{token}")),
            secret: only(&tokens, "SECRET#", token),
            seen: only(&tokens, "SEEN#", ""),
            used: only(&audit, "USE#", token),
            created: only(&audit, "ACCOUNT#", token),
        }
    }
}

/// The size of the only item of that kind of partition whose text has `part`.
fn only(images: &[Value], prefix: &str, part: &str) -> f64 {
    let found: Vec<_> = images
        .iter()
        .filter(|image| {
            let partition = image["pk"]["S"].as_str().unwrap();
            partition.starts_with(prefix) && image.to_string().contains(part)
        })
        .map(size)
        .collect();
    let [size] = found[..] else {
        panic!("{prefix} {part}: {found:?}")
    };
    let size: u32 = size.try_into().unwrap();
    size.into()
}

#[test]
fn a_row_of_the_table_is_read() {
    let counts = Counts::of("create-token", "full access");
    assert_eq!(counts.in_transactions, 4.0);
    assert_eq!((counts.writes, counts.kms, counts.mails), (2.0, 1.0, 0.0));
    assert_eq!(counts.write_units(), 10.0);
    assert!(Counts::of_calls().contains(&counts));
}
