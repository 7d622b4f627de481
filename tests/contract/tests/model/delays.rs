//! What DynamoDB may do between a store and the tables: it answers eventually consistent reads from a copy that lags, and
//! delivers the records of changes late.
//!
//! A proxy passes every request to the engine with the tables. It notes each changed item, with its old and its new
//! image. A second engine is the copy: [`Delays::settle`] lets it catch up by some items. Changes of one item keep their
//! order, those of different items don't. So an index may have a later change and still lack an earlier one.

use std::collections::BTreeMap;
use std::sync::Arc;

use aws_config::SdkConfig;
use jiff::{SignedDuration, Timestamp};
use latchkey::testing::Engine;
use proptest::prelude::RngExt;
use proptest::test_runner::TestRng;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::Mutex;

use crate::http::{Connection, for_operation, operation, refused};
use crate::planted::Fault;

/// The tables of the engines.
pub(crate) const TABLES: [&str; 2] = ["Tokens", "Audit"];

/// The key of an item: table, partition key, sort key.
pub(crate) type Key = (String, String, String);

/// A change of one item, as a table's stream tells it.
#[derive(Debug, Clone)]
pub(crate) struct Change {
    pub(crate) key: Key,
    pub(crate) old: Option<Value>,
    pub(crate) new: Option<Value>,
    /// Whether the time to live removed the item.
    pub(crate) expired: bool,
    /// The number of the change, counted over both tables.
    pub(crate) number: u64,
}

impl Change {
    /// The change as a record of the stream, with both images.
    pub(crate) fn record(&self) -> Value {
        let name = match (&self.old, &self.new) {
            (None, _) => "INSERT",
            (_, None) => "REMOVE",
            _ => "MODIFY",
        };
        let mut change = json!({
            "ApproximateCreationDateTime": 1_795_431_900,
            "Keys": {"pk": {"S": self.key.1}, "sk": {"S": self.key.2}},
            "SequenceNumber": self.number.to_string(),
            "SizeBytes": 700,
            "StreamViewType": "NEW_AND_OLD_IMAGES",
        });
        for (image, item) in [("OldImage", &self.old), ("NewImage", &self.new)] {
            if let Some(item) = item {
                change[image] = item.clone();
            }
        }
        let mut record = json!({
            "eventID": format!("event-{}", self.number),
            "eventName": name,
            "eventVersion": "1.1",
            "eventSource": "aws:dynamodb",
            "awsRegion": "us-east-1",
            "dynamodb": change,
        });
        if self.expired {
            record["userIdentity"] =
                json!({"type": "Service", "principalId": "dynamodb.amazonaws.com"});
        }
        record
    }
}

/// A proxy between stores and two engines.
pub(crate) struct Delays {
    /// The configuration of clients that use the proxy.
    pub(crate) aws: SdkConfig,
    tables: Engine,
    state: Arc<Mutex<State>>,
    /// The copy stops with its engine.
    _copy: Engine,
}

struct State {
    tables: Connection,
    copy: Connection,
    /// The head of a request, from which others are made.
    head: String,
    images: BTreeMap<Key, Value>,
    /// The changes that the copy lacks.
    lag: Vec<Change>,
    /// The changes that the streams' readers haven't handled.
    streams: Vec<Change>,
    numbers: u64,
    fault: Option<Fault>,
    /// After how many further `PutItem` one is refused.
    refuse: Option<usize>,
    /// Whether every transaction is refused.
    refuses_transactions: bool,
}

impl Delays {
    /// Starts two engines and the proxy. `fault` is planted into what passes.
    pub(crate) async fn start(fault: Option<Fault>) -> Self {
        let (tables, copy) = (Engine::start().await, Engine::start().await);
        let state = State {
            tables: Connection::to(&tables.aws).await,
            copy: Connection::to(&copy.aws).await,
            head: String::new(),
            images: BTreeMap::new(),
            lag: vec![],
            streams: vec![],
            numbers: 0,
            fault,
            refuse: None,
            refuses_transactions: false,
        };
        let state = Arc::new(Mutex::new(state));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let own = format!("http://{}", listener.local_addr().unwrap());
        let shared = Arc::clone(&state);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let state = Arc::clone(&shared);
                tokio::spawn(async move {
                    let mut client = Connection::of(client);
                    while let Some((head, body)) = client.read().await {
                        let request = serde_json::from_slice(&body).unwrap();
                        let (head, body) = state.lock().await.answer(&head, request).await;
                        client.write(&head, &body).await;
                    }
                });
            }
        });
        Self {
            aws: tables.aws.to_builder().endpoint_url(own).build(),
            tables,
            state,
            _copy: copy,
        }
    }

    /// How many changes the copy lacks.
    pub(crate) async fn lag(&self) -> usize {
        self.state.lock().await.lag.len()
    }

    /// Lets the copy catch up by this many changes, in any order that keeps that of each item.
    pub(crate) async fn settle(&self, count: usize, random: &mut TestRng) {
        let mut state = self.state.lock().await;
        for _ in 0..count.min(state.lag.len()) {
            let change = take_any(&mut state.lag, random, |_| true).unwrap();
            state.copy_change(&change).await;
        }
    }

    /// Removes what the time to live removes at `now`.
    pub(crate) async fn sweep(&self, now: Timestamp) {
        // The engine keeps an item for the second in which it expires.
        self.tables.sweep(now + SignedDuration::from_secs(1));
        let mut left = Vec::new();
        let (tokens, audit) = (self.tables.token_images(), self.tables.audit_images());
        for (table, images) in TABLES.iter().zip([tokens.await, audit.await]) {
            left.extend(images.iter().map(|image| key_of(table, image)));
        }
        let mut state = self.state.lock().await;
        let known = state.images.keys().cloned();
        let gone: Vec<_> = known.filter(|key| !left.contains(key)).collect();
        for key in gone {
            state.note(key, None, true);
        }
    }

    /// Takes up to `count` changes from a table's stream, in any order that keeps that of each item.
    pub(crate) async fn take(
        &self,
        table: &str,
        count: usize,
        random: &mut TestRng,
    ) -> Vec<Change> {
        let mut state = self.state.lock().await;
        let next = |_| take_any(&mut state.streams, random, |change| change.key.0 == table);
        (0..count).map_while(next).collect()
    }

    /// Gives changes back to the streams, to be delivered again.
    pub(crate) async fn give_back(&self, changes: Vec<Change>) {
        let mut state = self.state.lock().await;
        state.streams.extend(changes);
        state.streams.sort_by_key(|change| change.number);
    }

    /// Refuses the `PutItem` that follows this many others; `None` refuses none any more.
    pub(crate) async fn refuse_put(&self, after: Option<usize>) {
        self.state.lock().await.refuse = after;
    }

    /// Refuses every transaction from now on, or none any more.
    pub(crate) async fn refuse_transactions(&self, all: bool) {
        self.state.lock().await.refuses_transactions = all;
    }
}

/// Takes any change that is wanted, or rather the first one of the same item.
fn take_any(
    changes: &mut Vec<Change>,
    random: &mut TestRng,
    is_wanted: impl Fn(&Change) -> bool,
) -> Option<Change> {
    let wanted: Vec<_> = changes.iter().filter(|change| is_wanted(change)).collect();
    if wanted.is_empty() {
        return None;
    }
    let key = wanted[random.random_range(0..wanted.len())].key.clone();
    let first = changes.iter().position(|change| change.key == key)?;
    Some(changes.remove(first))
}

impl State {
    /// Answers a request.
    async fn answer(&mut self, head: &str, mut request: Value) -> (String, Vec<u8>) {
        let operation = operation(head).to_owned();
        head.clone_into(&mut self.head);
        let mut from_copy = is_eventual(&operation, &request);
        if let Some(fault) = &mut self.fault {
            fault.alter(&operation, &mut request);
            from_copy |= fault.reads_copy(&operation, &request);
        }
        if operation == "TransactWriteItems" && self.refuses_transactions {
            return refused();
        }
        if operation == "PutItem" {
            match &mut self.refuse {
                Some(0) => {
                    self.refuse = None;
                    return refused();
                }
                Some(left) => *left -= 1,
                None => {}
            }
        }
        if from_copy {
            return self.copy.ask(head, &request).await;
        }
        let answer = self.tables.ask(head, &request).await;
        if answer.0.starts_with("HTTP/1.1 200") {
            self.note_written(&written(&operation, &request)).await;
        }
        answer
    }

    /// Reads items that a request wrote, and notes how they changed.
    async fn note_written(&mut self, keys: &[Key]) {
        if keys.is_empty() {
            return;
        }
        let mut wanted = json!({});
        for table in TABLES {
            let of_table = keys.iter().filter(|key| key.0 == table);
            let of_table = of_table.map(|(_, pk, sk)| json!({"pk": {"S": pk}, "sk": {"S": sk}}));
            let of_table: Vec<_> = of_table.collect();
            if !of_table.is_empty() {
                wanted[table] = json!({"Keys": of_table, "ConsistentRead": true});
            }
        }
        let head = for_operation(&self.head, "BatchGetItem");
        let read = json!({"RequestItems": wanted});
        let (_, answer) = self.tables.ask(&head, &read).await;
        let answer: Value = serde_json::from_slice(&answer).unwrap();
        for key in keys {
            let items = answer["Responses"][&key.0].as_array();
            let found = items.into_iter().flatten();
            let mut found = found.filter(|item| key_of(&key.0, item) == *key);
            self.note(key.clone(), found.next().cloned(), false);
        }
    }

    fn note(&mut self, key: Key, new: Option<Value>, expired: bool) {
        let old = match &new {
            Some(item) => self.images.insert(key.clone(), item.clone()),
            None => self.images.remove(&key),
        };
        if old == new {
            return;
        }
        self.numbers += 1;
        let number = self.numbers;
        let change = Change {
            key,
            old,
            new,
            expired,
            number,
        };
        self.lag.push(change.clone());
        self.streams.push(change);
    }

    async fn copy_change(&mut self, change: &Change) {
        let (table, pk, sk) = &change.key;
        let (operation, request) = match &change.new {
            Some(item) => ("PutItem", json!({"TableName": table, "Item": item})),
            None => {
                let key = json!({"pk": {"S": pk}, "sk": {"S": sk}});
                ("DeleteItem", json!({"TableName": table, "Key": key}))
            }
        };
        let head = for_operation(&self.head, operation);
        let (head, body) = self.copy.ask(&head, &request).await;
        let text = String::from_utf8_lossy(&body);
        assert!(head.starts_with("HTTP/1.1 200"), "{text}");
    }
}

/// Whether DynamoDB may answer a request with a state that is out of date.
fn is_eventual(operation: &str, request: &Value) -> bool {
    match operation {
        "GetItem" | "Query" => request["ConsistentRead"] != true,
        "BatchGetItem" => {
            let tables = request["RequestItems"].as_object().unwrap();
            tables.values().any(|keys| keys["ConsistentRead"] != true)
        }
        _ => false,
    }
}

/// The keys of the items that a request writes.
fn written(operation: &str, request: &Value) -> Vec<Key> {
    let one = |write: &Value| {
        let table = write["TableName"].as_str().unwrap();
        let item = write.get("Item").unwrap_or(&write["Key"]);
        key_of(table, item)
    };
    match operation {
        "PutItem" | "UpdateItem" | "DeleteItem" => vec![one(request)],
        "TransactWriteItems" => {
            let writes = request["TransactItems"].as_array().unwrap();
            let writes = writes.iter().flat_map(|write| write.as_object().unwrap());
            let writes = writes.filter(|(kind, _)| *kind != "ConditionCheck");
            writes.map(|(_, write)| one(write)).collect()
        }
        _ => vec![],
    }
}

fn key_of(table: &str, item: &Value) -> Key {
    let text = |name: &str| item[name]["S"].as_str().unwrap().to_owned();
    (table.to_owned(), text("pk"), text("sk"))
}
