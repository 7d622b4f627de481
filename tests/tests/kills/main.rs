//! Function processes and the local cloud are killed at random under a running load. Afterwards, what was answered is
//! there, what wasn't is there wholly or not at all, and everything is recorded and mailed.
//!
//! `LATCHKEY_SEED=<seed> make test ARGS="-p end-to-end --test kills"` runs one round again: with the same operations and
//! the same choices of what is killed, but not to the microsecond.
//!
//! # How it kills
//!
//! - **Functions** are ended by SIGKILL during a call. They run in slices of a few milliseconds and stand still in
//!   between. Half of the kills come as soon as an effect is seen, and so before its answer: after the transaction of a
//!   change, after the record of a use, after SES took a mail. The others come anywhere. This is what a crash of ours is
//!   on AWS. The client gets a 5xx, as from API Gateway.
//! - **The local cloud** is ended while it serves, and started again with its data. It keeps its tables in memory and
//!   writes them when it is asked to end (SIGTERM), so SIGKILL would lose what the tables had: its loss, and not ours.
//!   The connections break, and the functions are killed.
//!
//! # What stays unproven
//!
//! - The local cloud forgets its streams and its mailbox when it ends. The suite keeps both: it reads the mailbox before,
//!   takes records that it had not read from the table, and is the stream's reader itself (`deliveries.rs`). That AWS
//!   keeps them isn't shown here.
//! - The two minutes after which a claimed mail is sent again pass by setting back the claims' times.
//! - Stores that are killed: DynamoDB's, KMS's and SES's durability is AWS's.
//! - [`OUTSIDE`] says which functions aren't killed, and why.

mod answers;
mod check;
mod client;
mod cloud;
mod deliveries;
mod known;
mod plants;
mod probe;
mod random;
mod tally;

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::path::Path;
use std::thread::panicking;
use std::time::Duration;

use assurance::{Report, Rounds};
use end_to_end::{Account, eventually};
use futures_util::future::{join, join_all};
use serde_json::json;

use check::View;
use client::Client;
use cloud::Cloud;
use deliveries::Deliveries;
use known::{Known, Secret, State};
use random::Random;
use tally::Tally;

/// The number of rounds of the bounded form.
const ROUNDS: u64 = 1;

/// The clients of a round that choose their operations. One more goes through all of them.
const CLIENTS: usize = 3;

/// How many operations such a client chooses.
const OPERATIONS: usize = 6;

/// Every operation of the load after `create-token`, in an order in which each is possible.
const SCRIPT: [&str; 12] = [
    "update-token",
    "reveal-token",
    "regenerate-token",
    "retire-secret",
    "regenerate-token",
    "revoke-token",
    "reactivate-token",
    "revoke-by-secret",
    "regenerate-token",
    "reactivate-token",
    "revoke-token",
    "delete-token",
];

/// The functions that write, and that the load calls and kills.
const KILLED: [&str; 13] = [
    "authorize",
    "create-token",
    "delete-token",
    "introspect-token",
    "reactivate-token",
    "regenerate-token",
    "retire-secret",
    "reveal-token",
    "revoke-by-secret",
    "revoke-token",
    "send-notifications",
    "token-info",
    "update-token",
];

/// The functions that write, and that this suite doesn't kill.
const OUTSIDE: [(&str, &str); 9] = [
    (
        "receive-leak-report",
        "writes by the workflow that revoke-by-secret has",
    ),
    (
        "record-mail-feedback",
        "the local cloud's SES reports nothing, and its EventBridge delivers an event once",
    ),
    (
        "record-purges",
        "the local cloud's time to live writes no stream record",
    ),
    (
        "remind-expiring",
        "what it does depends on the date; the next day's run finds what it left",
    ),
    (
        "revoke-idle",
        "what it does depends on the date; the next day's run finds what it left",
    ),
    (
        "send-digests",
        "the hour of a digest must be over; it sends by the markers that send-notifications has",
    ),
    (
        "sync-platform",
        "the local cloud's EventBridge delivers an event once",
    ),
    (
        "update-preferences",
        "writes one item that the same request writes again; nothing is recorded or mailed",
    ),
    (
        "watch-trail",
        "the next two hours' runs read the same events; a finding is told before it is noted",
    ),
];

/// What a round counts.
#[derive(Default)]
struct Figures {
    changes: u64,
    unanswered: u64,
    effects: u64,
    verifications: usize,
    records: usize,
    mails: usize,
    duplicates: usize,
}

#[tokio::test]
async fn nothing_is_lost_and_nothing_happens_twice_when_processes_are_killed() {
    let report = Report::of("kills", "make test ARGS=\"-p end-to-end --test kills\"");
    let cloud = Cloud::start().await;
    cloud.restart().await;
    let mut total = Figures::default();
    let mut planted = Vec::new();
    for seed in Rounds::of(ROUNDS) {
        let _named = Named(seed);
        let (view, account, figures) = round(&cloud, seed).await;
        let faults = view.faults();
        assert!(faults.is_empty(), "{faults:#?}");
        if planted.is_empty() {
            planted = plants::find_all(&view);
            planted.push(plants::find_repetition(&cloud, &account, &Tally::default()).await);
        }
        total.changes += figures.changes;
        total.unanswered += figures.unanswered;
        total.effects += figures.effects;
        total.verifications += figures.verifications;
        total.records += figures.records;
        total.mails += figures.mails;
        total.duplicates += figures.duplicates;
    }
    // Otherwise nothing was tried. That kills hit before an answer, `plants::find_repetition` shows.
    assert!(cloud.kills.get() > 0 && cloud.restarts.get() > 1 && total.unanswered > 0);
    let count = |number: usize| u64::try_from(number).expect("a number");
    let mut report = report
        .figure("processes killed", cloud.kills.get())
        .figure("restarts of the local cloud", cloud.restarts.get())
        .figure("changes", total.changes)
        .figure("calls without an answer", total.unanswered)
        .figure("of them with their effect", total.effects)
        .figure("verifications", count(total.verifications))
        .figure("audit records", count(total.records))
        .figure("mails", count(total.mails))
        .figure("of them duplicates", count(total.duplicates));
    for fault in planted {
        report = report.planted(fault);
    }
    report.write();
}

/// A round that names its seed if it fails, wherever that is.
struct Named(u64);

impl Drop for Named {
    fn drop(&mut self) {
        if panicking() {
            let text = format!("\nLATCHKEY_SEED={} runs this round again.\n", self.0);
            // Unlike `println!`, this isn't captured by the test runner.
            let _ = std::io::stderr().write_all(text.as_bytes());
        }
    }
}

/// Runs a load with kills on an account of its own, and returns what it left.
async fn round(cloud: &Cloud, seed: u64) -> (View, Account, Figures) {
    let stack = &cloud.stack;
    let account = Account::create(stack, &format!("kills-{seed}"), "standard").await;
    let body = json!({"name": "Asker", "autoPurge": "1h", "scope": {"type": "full"}});
    let (id, secret) = account.create_token(body).await;
    let mut asker = Known::created(&id, "Asker");
    asker.secrets.push(Secret {
        text: secret.clone(),
        state: State::Current,
    });
    if cloud.restarts.get() == 1 {
        // Until a round reads the stream itself, the local cloud does, after a restart too.
        eventually("a mail after the restart", async || {
            let mails = account.mails_to(&account.owner).await;
            (!mails.is_empty()).then_some(())
        })
        .await;
    }

    let tally = Tally::default();
    let client = |number: usize| Client {
        cloud,
        account: &account,
        asker: &secret,
        tally: &tally,
        choices: Random::of(seed, 10 + u64::try_from(number).expect("a number")),
        kills: Random::of(seed, 100 + u64::try_from(number).expect("a number")),
        calm: false,
        label: format!("Client-{number}"),
    };
    let mut clients: Vec<_> = (0..=CLIENTS).map(client).collect();
    let lives = clients.iter_mut().enumerate().map(|(number, client)| {
        let script: &[&str] = if number == 0 { &SCRIPT } else { &[] };
        let random = if number == 0 { 0 } else { OPERATIONS };
        client.live(script, random)
    });
    let random = Random::of(seed, 1);
    let mut deliveries = Deliveries::take_over(cloud, &account, &tally, random).await;
    let mut random = Random::of(seed, 2);
    // The local cloud is ended after so many changes, somewhere in the middle.
    let restart_at = 8 + u64::try_from(random.below(16)).expect("a number");
    let conduct = async {
        let mut restarted = false;
        while tally.done.get() <= CLIENTS {
            deliveries.read().await;
            deliveries.deliver(true).await;
            if !restarted && tally.changes.get() >= restart_at {
                deliveries.restart().await;
                restarted = true;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        if !restarted {
            deliveries.restart().await;
        }
    };
    let (mut known, ()) = join(join_all(lives), conduct).await;
    known.push(asker);

    // All is quiet: every secret is presented once more, and the rest of the mails goes out.
    let mut last = client(CLIENTS + 1);
    last.calm = true;
    for token in &mut known {
        last.present_all(token).await;
    }
    deliveries.drain().await;
    for function in KILLED {
        let called = tally.calls.borrow().contains_key(function);
        assert!(called, "{function} was not called");
    }

    let mut items = stack.scan(stack.get("tokensTable")).await;
    let partition = format!("ACCOUNT#{}", account.id);
    items.retain(|item| {
        let is_secret = item["sk"]["S"] == "SECRET" && item["accountId"]["S"] == account.id;
        is_secret || item["pk"]["S"] == partition
    });
    let view = View {
        items,
        records: deliveries.records().await,
        mails: deliveries.all_mails().await,
        recipients: vec![
            account.owner.email.clone(),
            account.administrator.email.clone(),
        ],
        unanswered: deliveries.unanswered.clone(),
        known,
    };
    let figures = Figures {
        changes: tally.changes.get(),
        unanswered: tally.unanswered.get(),
        effects: tally.effects.get(),
        verifications: view.known.iter().map(|token| token.presented.len()).sum(),
        records: view.records.len(),
        mails: view.mails.len(),
        duplicates: view.duplicates(),
    };
    (view, account, figures)
}

#[test]
fn every_function_that_writes_is_killed_or_left_out_for_a_reason() {
    let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../functions"));
    let mut writing = BTreeSet::new();
    for entry in fs::read_dir(folder).expect("the functions") {
        let path = entry.expect("a function").path();
        let text = fs::read_to_string(path.join("operation.toml")).expect("an operation");
        let operation: toml::Table = text.parse().expect("TOML");
        let rights = operation.get("rights").and_then(|rights| rights.as_table());
        let tables = rights.into_iter().flat_map(|rights| rights.values());
        let mut actions = tables
            .filter_map(|table| table.as_table())
            .flat_map(|table| table.keys());
        let reads = ["GetItem", "BatchGetItem", "Query", "ConditionCheckItem"];
        if actions.any(|action| !reads.contains(&action.as_str())) {
            let name = path.file_name().expect("a name").to_string_lossy();
            writing.insert(name.into_owned());
        }
    }
    let named = KILLED
        .into_iter()
        .chain(OUTSIDE.map(|(function, _)| function));
    let named: BTreeSet<_> = named.map(str::to_owned).collect();
    assert_eq!(writing, named);
    assert_eq!(named.len(), KILLED.len() + OUTSIDE.len());
}
