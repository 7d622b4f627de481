//! Faults that are planted into what a round left, to show that the check finds them.

use end_to_end::Account;
use serde_json::{Value, json};

use crate::check::{View, hash_of};
use crate::cloud::{Cloud, When};
use crate::known::{Known, Secret, State, Status};
use crate::probe::Probe;
use crate::tally::Tally;

/// A fault, how it is planted, and a part of what the check must say.
type Plant = (&'static str, fn(&mut View), &'static str);

const PLANTS: [Plant; 11] = [
    (
        "a mail that was lost",
        |view| drop(view.mails.remove(0)),
        "no mail about",
    ),
    (
        "a mail twice without a reason",
        |view| {
            let unexplained = |mail: &&Value| {
                let record = view.record_of(mail).map(|record| &record["sk"]["S"]);
                let id = record.and_then(Value::as_str).unwrap_or_default();
                !view.unanswered.contains_key(id)
            };
            let copy = view.mails.iter().find(unexplained).cloned();
            view.mails.extend(copy);
        },
        "mails about",
    ),
    (
        "a mail about nothing",
        |view| {
            view.mails
                .push(json!({"To": ["x"], "BodyText": "", "Subject": ""}))
        },
        "a mail without a record",
    ),
    (
        "a change without its record",
        |view| {
            view.records
                .retain(|record| record["action"]["S"] != "update")
        },
        "on record are",
    ),
    (
        "a record without its change",
        |view| {
            let record = view.records.iter().find(|it| it["action"]["S"] == "update");
            view.records.extend(record.cloned());
        },
        "on record are",
    ),
    (
        "a use without its record",
        |view| {
            view.records
                .retain(|record| record["action"]["S"] != "access")
        },
        "without a record",
    ),
    (
        "an answered change that is lost",
        |view| {
            let id = living(view).id.clone();
            change(view, &id, "version", json!({"N": "0"}));
        },
        "the version is",
    ),
    (
        "a secret without its token",
        |view| {
            let key = format!("TOKEN#{}", living(view).id);
            view.items.retain(|item| item["sk"]["S"] != key);
        },
        "a secret without its token",
    ),
    (
        "a token without its secret",
        |view| {
            let current = living(view)
                .secrets
                .iter()
                .find(|it| it.state == State::Current);
            let hash = current
                .map(|secret| hash_of(&secret.text))
                .unwrap_or_default();
            view.items.retain(|item| item["hash"]["S"] != hash);
        },
        "a token without its secret",
    ),
    (
        "a change that was made twice",
        |view| {
            let item = view.token(&living(view).id).cloned();
            let mut item = item.expect("a token");
            item["id"] = json!({"S": "tok_twice"});
            item["sk"] = json!({"S": "TOKEN#tok_twice"});
            view.items.push(item);
        },
        "that nobody made",
    ),
    (
        "an ended secret that works",
        |view| {
            let presented = view.known.iter_mut().flat_map(|token| &mut token.presented);
            let ended = presented.filter(|presented| !presented.must_work).last();
            ended.expect("an ended secret").worked = true;
        },
        " works",
    ),
];

/// Plants every fault into a copy of what was found. Returns the faults that the check found.
///
/// # Panics
/// If it doesn't find one.
pub(crate) fn find_all(view: &View) -> Vec<&'static str> {
    for (fault, plant, said) in PLANTS {
        let mut view = view.clone();
        plant(&mut view);
        let faults = view.faults();
        let found = faults.iter().any(|found| found.contains(said));
        assert!(found, "{fault} was not found: {faults:?}");
    }
    PLANTS.map(|(fault, ..)| fault).into()
}

/// Plants a client that repeats a creation without an `Idempotency-Key` after the function was killed: that makes two
/// tokens. Nothing is changed by hand here, so this also shows that kills hit between the change and its answer.
///
/// # Panics
/// If the check doesn't find it.
pub(crate) async fn find_repetition(
    cloud: &Cloud,
    account: &Account,
    tally: &Tally,
) -> &'static str {
    // On a busy machine, few kills come in time.
    for number in 0..50 {
        let name = format!("Twice-{number}");
        let body = json!({"name": name, "autoPurge": "1h", "scope": {"type": "full"}});
        let request = || account.post(&account.owner, "/tokens").json(&body);
        let probe = || Probe::token_named(&account.id, &name);
        let first = tally.call(
            cloud,
            "create-token",
            request(),
            Some(When::Effect),
            probe(),
        );
        if first.await.is_some() {
            // The answer was faster.
            continue;
        }
        let second = tally
            .call(cloud, "create-token", request(), None, probe())
            .await;
        let created = second.expect("an answer").expect(201);
        let text = |value: &Value| value.as_str().expect("a text").to_owned();
        let mut known = Known::created(&text(&created["token"]["id"]), &name);
        let (text, state) = (text(&created["secret"]), State::Current);
        known.secrets.push(Secret { text, state });
        let mut items = cloud.stack.scan(cloud.stack.get("tokensTable")).await;
        let partition = format!("ACCOUNT#{}", account.id);
        items.retain(|item| item["pk"]["S"] == partition && item["name"]["S"] == name);
        let view = View {
            known: vec![known],
            items,
            records: vec![],
            mails: vec![],
            recipients: vec![],
            unanswered: [].into(),
        };
        let faults = view.faults();
        let found = faults
            .iter()
            .any(|fault| fault.contains("that nobody made"));
        assert!(found, "two creations made one token: {faults:?}");
        return "a client that repeats without an Idempotency-Key";
    }
    panic!("no kill hit between a change and its answer")
}

/// A token that exists and has a current secret.
fn living(view: &View) -> &Known {
    let mut tokens = view.known.iter();
    let living = tokens.find(|token| token.status != Status::Deleted && token.has(State::Current));
    living.expect("a token")
}

fn change(view: &mut View, id: &str, attribute: &str, value: Value) {
    let key = format!("TOKEN#{id}");
    let mut items = view.items.iter_mut();
    let item = items.find(|item| item["sk"]["S"] == key);
    item.expect("a token")[attribute] = value;
}
