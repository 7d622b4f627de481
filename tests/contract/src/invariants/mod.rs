//! What must be true of both tables and of the sent mails, whatever failed before.
//!
//! [`Evidence::violations`] names everything that isn't. It knows no operation: it reads items as DynamoDB shows them in
//! stream images, so that it doesn't repeat a mistake of the code that wrote them.

mod budgets;
mod mails;
mod tokens;
mod uses;

use std::collections::BTreeMap;

use jiff::Timestamp;
use latchkey::testing::Engine;
use serde_json::Value;

/// A mail that the service accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sent {
    /// The recipient's address.
    pub to: String,
    /// The subject.
    pub subject: String,
    /// The text without markup.
    pub text: String,
}

impl Sent {
    /// Reads a request to SES.
    pub fn of(request: &Value) -> Self {
        let content = &request["Content"]["Simple"];
        Self {
            to: text(&request["Destination"]["ToAddresses"][0]).to_owned(),
            subject: text(&content["Subject"]["Data"]).to_owned(),
            text: text(&content["Body"]["Text"]["Data"]).to_owned(),
        }
    }
}

/// What may differ from the ideal, because of the faults that happened.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Allowance {
    /// How many mails may have been sent once more: SES may have accepted a mail without an answer, and the note that a
    /// mail was sent may have failed.
    pub duplicates: usize,
    /// How many units of budgets may have been counted without a change: one for each request that failed.
    pub units: usize,
    /// Whether the audit table's stream has been read to its end, so that every record has its mails.
    pub mailed: bool,
}

/// Both tables and the sent mails.
#[derive(Debug, Clone, Default)]
pub struct Evidence {
    /// The items of the tokens table.
    pub tokens: Vec<Value>,
    /// The items of the audit table, in the order of their ids.
    pub audit: Vec<Value>,
    /// The sent mails.
    pub mails: Vec<Sent>,
}

impl Evidence {
    /// Reads both tables. `mails` are the requests that SES accepted.
    pub async fn of(engine: &Engine, mails: &[Value]) -> Self {
        Self {
            tokens: engine.token_images().await,
            audit: engine.audit_images().await,
            mails: mails.iter().map(Sent::of).collect(),
        }
    }

    /// Names everything that must not be.
    pub fn violations(&self, allowance: Allowance) -> Vec<String> {
        [
            self.half_tokens(),
            self.unrecorded_states(),
            self.lost_idempotency(),
            self.unrecorded_uses(),
            self.miscounted(allowance),
            self.unsent(allowance),
        ]
        .concat()
    }

    /// The audit records of an action.
    pub fn records(&self, action: &str) -> Vec<&Value> {
        let records = self.audit.iter();
        records
            .filter(|record| of(record, "action") == action)
            .collect()
    }

    /// The items whose partition begins like this.
    pub fn items(&self, partition: &str) -> Vec<&Value> {
        let items = self.tokens.iter();
        items
            .filter(|item| of(item, "pk").starts_with(partition))
            .collect()
    }

    /// The item with that key.
    pub fn item(&self, pk: &str, sk: &str) -> Option<&Value> {
        let mut items = self.tokens.iter();
        items.find(|item| of(item, "pk") == pk && of(item, "sk") == sk)
    }

    /// The item of a token.
    pub fn token(&self, id: &str) -> Option<&Value> {
        self.token_items().find(|item| of(item, "id") == id)
    }

    fn token_items(&self) -> impl Iterator<Item = &Value> {
        let items = self.tokens.iter();
        items.filter(|item| of(item, "sk").starts_with("TOKEN#"))
    }

    /// The records of each token, in the order of their ids.
    fn histories(&self) -> BTreeMap<&str, Vec<&Value>> {
        let mut histories = BTreeMap::<_, Vec<_>>::new();
        for record in &self.audit {
            histories
                .entry(of(record, "tokenId"))
                .or_default()
                .push(record);
        }
        histories
    }
}

/// The text of a JSON value; empty if it is none.
fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// The text of an attribute; empty if there is none.
pub(crate) fn of<'a>(item: &'a Value, attribute: &str) -> &'a str {
    text(&item[attribute]["S"])
}

/// The number of an attribute.
fn number(item: &Value, attribute: &str) -> Option<i64> {
    text(&item[attribute]["N"]).parse().ok()
}

/// The time of an attribute.
fn time(item: &Value, attribute: &str) -> Option<Timestamp> {
    of(item, attribute).parse().ok()
}

/// The new value of a record's change; empty if there is no such change.
fn change<'a>(record: &'a Value, field: &str) -> &'a str {
    let changes = record["changes"]["L"].as_array().into_iter().flatten();
    let mut changes = changes.map(|change| &change["M"]);
    let change = changes.find(|change| of(change, "field") == field);
    change.map_or("", |change| of(change, "new"))
}
