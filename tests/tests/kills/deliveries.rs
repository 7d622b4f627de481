//! Hands the audit table's stream to `send-notifications`, as Lambda does on AWS, and collects the mails.
//!
//! The local cloud's own reader ignores which records a function reports as failed, and goes on: a mail whose sender was
//! killed would be lost there, and isn't on AWS. This reader goes on only behind the records that the function reports
//! as done, and delivers the others again. Its position outlives the local cloud, as that of AWS does.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use end_to_end::Account;
use serde_json::{Value, json};

use crate::cloud::Cloud;
use crate::probe::Probe;
use crate::random::Random;
use crate::tally::{Tally, when};

const FUNCTION: &str = "send-notifications";

/// The size of a batch, as in the template.
const BATCH: usize = 10;

/// In so many of a hundred deliveries, the function is killed.
const KILLED: usize = 60;

/// How long there may be no progress.
const PATIENCE: Duration = Duration::from_secs(60);

/// Longer than the claim of a mail lasts, in milliseconds.
const LEASE: i64 = 125_000;

/// The stream of an account's records, and the reader's position in it.
pub(crate) struct Deliveries<'a> {
    cloud: &'a Cloud,
    account: &'a Account,
    tally: &'a Tally,
    random: Random,
    /// The function's full name.
    name: String,
    /// The stream's records, oldest first. The local cloud forgets them when it ends.
    stream: Vec<Value>,
    /// The ids of these records.
    known: BTreeSet<String>,
    /// The number of records that are done.
    position: usize,
    /// How many of each audit record's deliveries ended without saying whether SES took the mail.
    pub(crate) unanswered: BTreeMap<String, usize>,
    /// Deliveries without an answer.
    pub(crate) killed: Cell<u64>,
    /// The mails that were in the local cloud's mailbox before it ended.
    mails: Vec<Value>,
}

impl<'a> Deliveries<'a> {
    /// Takes the stream over from the local cloud.
    pub(crate) async fn take_over(
        cloud: &'a Cloud,
        account: &'a Account,
        tally: &'a Tally,
        random: Random,
    ) -> Self {
        let function = cloud.stack.function("SendNotifications").await;
        let name = function["FunctionName"]
            .as_str()
            .expect("a name")
            .to_owned();
        cloud.stack.stop_reading(&name).await;
        Self {
            cloud,
            account,
            tally,
            random,
            name,
            stream: vec![],
            known: BTreeSet::new(),
            position: 0,
            unanswered: BTreeMap::new(),
            killed: Cell::new(0),
            mails: vec![],
        }
    }

    /// Reads what is new in the stream.
    pub(crate) async fn read(&mut self) {
        let stack = &self.cloud.stack;
        for record in stack.stream(stack.get("auditTable")).await {
            let image = &record["dynamodb"]["NewImage"];
            if image["accountId"]["S"] != self.account.id {
                continue;
            }
            assert_eq!(
                record["eventName"], "INSERT",
                "a record was changed: {record}"
            );
            let id = text(&image["sk"]["S"]);
            if self.known.insert(id) {
                self.stream.push(record);
            }
        }
    }

    /// Delivers one batch, if there is one. Kills the function in some deliveries if `kill` is set, but no record's
    /// twice: each kill may cost a duplicate of a mail.
    pub(crate) async fn deliver(&mut self, kill: bool) {
        let end = self.stream.len().min(self.position + BATCH);
        let batch = self.stream[self.position..end].to_vec();
        if batch.is_empty() {
            return;
        }
        let ids: Vec<_> = batch.iter().map(id).collect();
        let spared = ids.iter().any(|id| self.unanswered.contains_key(id));
        let when = when(&mut self.random, KILLED).filter(|_| kill && !spared);
        let event = json!({"Records": batch});
        let request = self.cloud.stack.invocation(&self.name, &event);
        // Everything that is sent is sent by this delivery.
        let call = self
            .tally
            .call(self.cloud, FUNCTION, request, when, Probe::Mails);
        let answer = call.await;
        let served = answer.filter(|answer| answer.header("x-amz-function-error").is_empty());
        let Some(answer) = served else {
            for id in ids {
                *self.unanswered.entry(id).or_default() += 1;
            }
            self.killed.set(self.killed.get() + 1);
            return;
        };
        let failures = answer.expect(200)["batchItemFailures"].take();
        let failures = failures.as_array().expect("the failures").clone();
        let failed = batch.iter().position(|record| {
            let number = &record["dynamodb"]["SequenceNumber"];
            failures
                .iter()
                .any(|failure| failure["itemIdentifier"] == *number)
        });
        assert!(failed.is_some() || failures.is_empty(), "{failures:?}");
        self.position += failed.unwrap_or(batch.len());
        if let Some(failed) = failed {
            // SES may not have answered in time. If an earlier delivery was killed, this one found its claim.
            let id = id(&batch[failed]);
            self.unanswered.entry(id).or_insert(1);
            self.let_claims_lapse().await;
        }
    }

    /// Makes two minutes pass for the claims of mails, by setting back their times. Their senders are gone, since no
    /// delivery is under way.
    async fn let_claims_lapse(&self) {
        let stack = &self.cloud.stack;
        for marker in self.markers().await {
            let time = marker["claimedAt"]["N"].as_str();
            let Some(time) = time.and_then(|time| time.parse::<i64>().ok()) else {
                continue;
            };
            let update = json!({
                "TableName": stack.get("tokensTable"),
                "Key": {"pk": marker["pk"], "sk": marker["sk"]},
                "UpdateExpression": "SET claimedAt = :earlier",
                "ExpressionAttributeValues": {":earlier": {"N": (time - LEASE).to_string()}},
            });
            let target = "DynamoDB_20120810.UpdateItem";
            stack.aws("dynamodb", target, update).await;
        }
    }

    /// The markers of mails that are claimed and not sent.
    async fn markers(&self) -> Vec<Value> {
        let mut items = self
            .cloud
            .stack
            .scan(self.cloud.stack.get("tokensTable"))
            .await;
        items.retain(|item| {
            let record = item["pk"]["S"]
                .as_str()
                .and_then(|pk| pk.strip_prefix("MAIL#"));
            record.is_some_and(|record| self.known.contains(record))
                && item["state"]["S"] == "sending"
        });
        items
    }

    /// Ends the local cloud under load, and starts it again. It forgets its mailbox and its streams, which AWS doesn't:
    /// the mails are read before, and the records that were in no batch yet are read from the table after.
    pub(crate) async fn restart(&mut self) {
        self.mails.extend(self.mailbox().await);
        self.cloud.restart().await;
        // What is written from now on is in the new stream, too.
        let mut lost = self.records().await;
        lost.retain(|item| self.known.insert(text(&item["sk"]["S"])));
        lost.sort_by_key(|item| text(&item["sk"]["S"]));
        self.stream.extend(lost.into_iter().map(inserted));
    }

    /// Delivers until every record is done.
    pub(crate) async fn drain(&mut self) {
        let mut progress = (self.position, Instant::now());
        loop {
            self.read().await;
            self.deliver(false).await;
            if self.position == self.stream.len() && self.records().await.len() == self.position {
                return;
            }
            if progress.0 != self.position {
                progress = (self.position, Instant::now());
            }
            let waited = progress.1.elapsed();
            assert!(
                waited < PATIENCE,
                "no mail goes out any more: {:?}",
                self.stream.get(self.position)
            );
        }
    }

    /// The account's audit records, as stored.
    pub(crate) async fn records(&self) -> Vec<Value> {
        let mut items = self
            .cloud
            .stack
            .scan(self.cloud.stack.get("auditTable"))
            .await;
        items.retain(|item| item["accountId"]["S"] == self.account.id);
        items
    }

    /// All mails to the account's people.
    pub(crate) async fn all_mails(&self) -> Vec<Value> {
        let mut mails = self.mails.clone();
        mails.extend(self.mailbox().await);
        mails
    }

    async fn mailbox(&self) -> Vec<Value> {
        let domain = format!("@{}.example", self.account.id);
        let mut mails = self.cloud.stack.mails().await;
        mails.retain(|mail| {
            mail["To"][0]
                .as_str()
                .is_some_and(|to| to.ends_with(&domain))
        });
        mails
    }
}

fn text(value: &Value) -> String {
    value.as_str().expect("a text").to_owned()
}

/// The id of the audit record in a stream's record.
fn id(record: &Value) -> String {
    text(&record["dynamodb"]["NewImage"]["sk"]["S"])
}

/// The stream's record of an item that was inserted.
fn inserted(item: Value) -> Value {
    json!({
        "eventID": item["sk"]["S"],
        "eventName": "INSERT",
        "eventVersion": "1.1",
        "eventSource": "aws:dynamodb",
        "awsRegion": "us-east-1",
        "dynamodb": {
            "ApproximateCreationDateTime": 0,
            "Keys": {"pk": item["pk"], "sk": item["sk"]},
            "SequenceNumber": item["sk"]["S"],
            "SizeBytes": 0,
            "StreamViewType": "NEW_AND_OLD_IMAGES",
            "NewImage": item,
        },
    })
}
