//! What must hold after the kills, in what is stored and was mailed.

use std::collections::{BTreeMap, BTreeSet};

use hex::encode;
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::known::{Known, Status};

/// Everything that the check looks at. Planted faults change a copy of it.
#[derive(Clone)]
pub(crate) struct View {
    /// What the clients know.
    pub(crate) known: Vec<Known>,
    /// The account's items of the tokens table: tokens, secrets and idempotency records.
    pub(crate) items: Vec<Value>,
    /// The account's audit records.
    pub(crate) records: Vec<Value>,
    pub(crate) mails: Vec<Value>,
    /// The addresses that get a mail of each record.
    pub(crate) recipients: Vec<String>,
    /// How many of each record's deliveries ended without saying whether SES took the mail.
    pub(crate) unanswered: BTreeMap<String, usize>,
}

impl View {
    /// Returns what is wrong.
    pub(crate) fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        for token in &self.known {
            self.check_token(token, &mut faults);
            self.check_changes(token, &mut faults);
            self.check_uses(token, &mut faults);
        }
        self.check_strangers(&mut faults);
        self.check_secrets(&mut faults);
        self.check_mails(&mut faults);
        faults
    }

    pub(crate) fn token(&self, id: &str) -> Option<&Value> {
        let key = format!("TOKEN#{id}");
        self.items.iter().find(|item| item["sk"]["S"] == key)
    }

    fn secret(&self, hash: &str) -> Option<&Value> {
        let key = format!("SECRET#{hash}");
        self.items.iter().find(|item| item["pk"]["S"] == key)
    }

    /// Every answered change is there.
    fn check_token(&self, known: &Known, faults: &mut Vec<String>) {
        let id = &known.id;
        let Some(item) = self.token(id) else {
            if known.status != Status::Deleted {
                faults.push(format!("{id} is gone"));
            }
            return;
        };
        if known.status == Status::Deleted {
            faults.push(format!("{id} is back after its deletion"));
            return;
        }
        let current = known.secrets.last().map(|secret| hash_of(&secret.text));
        let version = known.version.to_string();
        for (what, stored, expected) in [
            ("name", &item["name"]["S"], known.name.as_str()),
            ("description", &item["description"]["S"], &known.description),
            ("status", &item["status"]["S"], known.status.as_str()),
            ("version", &item["version"]["N"], &version),
            (
                "secret",
                &item["secretHash"]["S"],
                current.as_deref().unwrap_or_default(),
            ),
        ] {
            if stored != expected {
                faults.push(format!(
                    "{id}: the {what} is {stored}, answered was {expected}"
                ));
            }
        }
    }

    /// Every change has one record, in order, and no record is without its change.
    fn check_changes(&self, known: &Known, faults: &mut Vec<String>) {
        let id = &known.id;
        let actions = self.records_of(id).map(|record| text(&record["action"]));
        let actions: Vec<_> = actions.collect();
        let is_change = |action: &&str| !["view", "access", "refused"].contains(action);
        let changes: Vec<_> = actions.iter().copied().filter(is_change).collect();
        if changes != known.changes {
            let expected = &known.changes;
            faults.push(format!(
                "{id}: the changes are {expected:?}, on record are {changes:?}"
            ));
        }
        let views = actions.iter().filter(|action| **action == "view").count();
        let (least, most) = known.views;
        if views < least || views > most {
            faults.push(format!(
                "{id}: {views} viewings on record, not {least} to {most}"
            ));
        }
    }

    /// No call goes on without the record of its use, and no use is recorded twice on a day. An ended secret never
    /// works; the others do.
    fn check_uses(&self, known: &Known, faults: &mut Vec<String>) {
        let id = &known.id;
        for presented in &known.presented {
            if presented.worked != presented.must_work {
                let hint = hint(&presented.secret);
                let worked = if presented.worked {
                    "works"
                } else {
                    "doesn't work"
                };
                faults.push(format!("{id}: the secret …{hint} {worked}"));
            }
        }
        for secret in &known.secrets {
            let hint = hint(&secret.text);
            let mut recorded: BTreeMap<_, usize> = BTreeMap::new();
            for record in self.records_of(id) {
                let action = text(&record["action"]);
                if record["tokenHint"]["S"] == hint && ["access", "refused"].contains(&action) {
                    let day = text(&record["time"]).split('T').next().unwrap_or_default();
                    let key = (action, reason(record), day);
                    *recorded.entry(key).or_default() += 1;
                }
            }
            for (key, count) in &recorded {
                if *count > 1 {
                    faults.push(format!("{id}: {count} records of {key:?} of …{hint}"));
                }
            }
            let has = |wanted| recorded.keys().any(|(action, ..)| *action == wanted);
            let presented: Vec<_> = known
                .presented
                .iter()
                .filter(|presented| presented.secret == secret.text)
                .collect();
            if presented.iter().any(|presented| presented.worked) && !has("access") {
                faults.push(format!("{id}: a use of …{hint} without a record"));
            }
            // While the local cloud ends, a refusal may be answered without its record, as it says. The last one was
            // answered when all was quiet.
            let refused = presented.last().is_some_and(|presented| !presented.worked);
            if refused && !has("refused") {
                faults.push(format!("{id}: a refusal of …{hint} without a record"));
            }
        }
    }

    /// Nothing exists that no client made.
    fn check_strangers(&self, faults: &mut Vec<String>) {
        let known: BTreeSet<_> = self.known.iter().map(|token| token.id.as_str()).collect();
        let all = self.items.iter().chain(&self.records);
        for item in all {
            let id = ["tokenId", "id"]
                .iter()
                .find_map(|name| item[name]["S"].as_str());
            if !id.is_some_and(|id| known.contains(id)) {
                faults.push(format!("of a token that nobody made: {item}"));
            }
        }
    }

    /// No secret without its token, no token without its secrets.
    fn check_secrets(&self, faults: &mut Vec<String>) {
        for token in &self.known {
            for secret in &token.secrets {
                let hash = hash_of(&secret.text);
                let state = self.secret(&hash).map(|item| text(&item["state"]));
                if state != Some(secret.state.as_str()) {
                    let (id, hint, expected) = (&token.id, hint(&secret.text), secret.state);
                    faults.push(format!(
                        "{id}: the secret …{hint} is {state:?}, not {expected:?}"
                    ));
                }
            }
        }
        let of = |kind: &'static str, key: &'static str| {
            self.items.iter().filter(move |item| {
                item[key]["S"]
                    .as_str()
                    .is_some_and(|value| value.starts_with(kind))
            })
        };
        for secret in of("SECRET#", "pk") {
            let live = ["current", "retired"].contains(&text(&secret["state"]));
            let (id, hash) = (text(&secret["tokenId"]), text(&secret["hash"]));
            let names_it = self
                .token(id)
                .is_some_and(|token| hashes(token).contains(&hash));
            if live && !names_it {
                faults.push(format!("{id}: a secret without its token"));
            }
        }
        for token in of("TOKEN#", "sk") {
            for hash in hashes(token) {
                let id = text(&token["id"]);
                if self
                    .secret(hash)
                    .is_none_or(|secret| text(&secret["tokenId"]) != id)
                {
                    faults.push(format!("{id}: a token without its secret"));
                }
            }
        }
    }

    /// Every record is mailed to everybody responsible: once, and once more at most for each delivery that
    /// didn't say whether SES took the mail. There is no mail without a record.
    fn check_mails(&self, faults: &mut Vec<String>) {
        let mut about: BTreeMap<(&str, &str, &str), usize> = BTreeMap::new();
        for mail in &self.mails {
            match self.record_of(mail) {
                Some(record) => {
                    let to = mail["To"][0].as_str().unwrap_or_default();
                    let key = (text(&record["sk"]), text(&record["action"]), to);
                    *about.entry(key).or_default() += 1;
                }
                None => faults.push(format!("a mail without a record: {}", mail["Subject"])),
            }
        }
        for record in &self.records {
            let (id, action) = (text(&record["sk"]), text(&record["action"]));
            let most = 1 + self.unanswered.get(id).copied().unwrap_or_default();
            for recipient in &self.recipients {
                let count = about.get(&(id, action, recipient.as_str())).copied();
                let count = count.unwrap_or_default();
                if count == 0 {
                    faults.push(format!("{id}: no mail about {action} to {recipient}"));
                } else if count > most {
                    faults.push(format!("{id}: {count} mails about {action} to {recipient}"));
                }
            }
        }
    }

    /// The record that a mail tells of.
    pub(crate) fn record_of(&self, mail: &Value) -> Option<&Value> {
        let body = mail["BodyText"].as_str().unwrap_or_default();
        let mut records = self.records.iter();
        records.find(|record| tells_of(body, record))
    }

    /// A token's records, oldest first.
    fn records_of(&self, id: &str) -> impl Iterator<Item = &Value> {
        let mut records: Vec<_> = self.records.iter().collect();
        records.retain(|record| record["tokenId"]["S"] == id);
        records.sort_by_key(|record| text(&record["sk"]).to_owned());
        records.into_iter()
    }

    /// The number of mails beyond one of each record and recipient.
    pub(crate) fn duplicates(&self) -> usize {
        self.mails
            .len()
            .saturating_sub(self.records.len() * self.recipients.len())
    }
}

fn text(attribute: &Value) -> &str {
    attribute["S"].as_str().unwrap_or_default()
}

fn hint(secret: &str) -> &str {
    secret.split_at(secret.len().saturating_sub(4)).1
}

pub(crate) fn hash_of(secret: &str) -> String {
    encode(Sha256::digest(secret))
}

/// The hashes of the secrets that a token's item names.
fn hashes(token: &Value) -> Vec<&str> {
    let previous = token["previousSecret"]["M"]["hash"]["S"].as_str();
    token["secretHash"]["S"]
        .as_str()
        .into_iter()
        .chain(previous)
        .collect()
}

/// Why a secret was refused; an empty text if the record isn't of a refusal.
fn reason(record: &Value) -> &str {
    let changes = record["changes"]["L"].as_array().map(Vec::as_slice);
    let mut changes = changes.unwrap_or_default().iter();
    let reason = changes.find(|change| change["M"]["field"]["S"] == "reason");
    reason.map_or("", |change| text(&change["M"]["new"]))
}

/// Whether a mail tells of this record. No token has two records of the same millisecond.
fn tells_of(body: &str, record: &Value) -> bool {
    let time = milliseconds(text(&record["time"]));
    body.contains(&format!("Recorded at: {time}\n")) && body.contains(text(&record["tokenId"]))
}

/// A time with exactly three digits after the second.
fn milliseconds(time: &str) -> String {
    let time = time.trim_end_matches('Z');
    let (second, fraction) = time.split_once('.').unwrap_or((time, ""));
    let fraction: String = fraction.chars().chain("000".chars()).take(3).collect();
    format!("{second}.{fraction}Z")
}
