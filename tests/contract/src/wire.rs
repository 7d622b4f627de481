//! A proxy between a function and AWS that counts requests.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Arc, Mutex};

use aws_config::SdkConfig;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

use crate::access::{Touched, Written, touched, written};
use crate::iam::Ask;

/// A proxy that passes requests to DynamoDB to an engine, and answers those to KMS and SES itself. It ends with its
/// runtime.
pub struct Wire {
    /// The configuration of clients that use the proxy.
    pub aws: SdkConfig,
    counts: Arc<Mutex<Counts>>,
    refusals: Arc<Mutex<Refusals>>,
}

/// Operations whose next request is refused, each with an error code.
type Refusals = Vec<(&'static str, &'static str)>;

/// What passed through a proxy.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Counts {
    /// The number of calls that read. Each page of a query is one.
    pub reads: usize,
    /// The number of items in each transaction, including condition checks.
    pub transactions: Vec<usize>,
    /// The number of calls that write one item.
    pub writes: usize,
    /// The number of calls to KMS.
    pub kms: usize,
    /// The number of mails sent through SES.
    pub mails: usize,
    /// The read units that DynamoDB charges, in halves: an eventually consistent read of 4 KB is one half.
    pub half_read_units: usize,
    /// The partitions that each request to DynamoDB touches.
    pub touched: Vec<Touched>,
    /// The requests to KMS and SES, as IAM sees them. The resources are written as the requests name them.
    pub asked: Vec<Ask>,
    /// The attributes that each request to DynamoDB writes.
    pub written: Vec<Written>,
}

impl fmt::Display for Counts {
    /// Writes the cells of a table's row, without those that aren't counted.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let transactions = match &self.transactions[..] {
            [] => "0".to_owned(),
            [items] => format!("1 of {items}"),
            all => format!("{} of {}", all.len(), all.iter().sum::<usize>()),
        };
        let (reads, writes) = (self.reads, self.writes);
        write!(
            f,
            "{reads} | {transactions} | {writes} | {} | {}",
            self.kms, self.mails
        )
    }
}

impl Wire {
    /// Creates a proxy to the engine in a configuration.
    ///
    /// # Panics
    /// If there is no free port on 127.0.0.1.
    pub async fn to(aws: &SdkConfig) -> Self {
        let engine = aws.endpoint_url().unwrap();
        let engine = engine.strip_prefix("http://").unwrap().to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let own = format!("http://{}", listener.local_addr().unwrap());
        let counts = Arc::<Mutex<Counts>>::default();
        let refusals = Arc::<Mutex<Refusals>>::default();
        let shared = (Arc::clone(&counts), Arc::clone(&refusals));
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let ((counts, refusals), engine) = (shared.clone(), engine.clone());
                tokio::spawn(async move { carry(client, &engine, &counts, &refusals).await });
            }
        });
        Self {
            aws: aws.to_builder().endpoint_url(own).build(),
            counts,
            refusals,
        }
    }

    /// Refuses the next request of an operation with an error code.
    ///
    /// # Panics
    /// Never: no code panics while it holds the lock.
    pub fn refuse_next(&self, operation: &'static str, code: &'static str) {
        self.refusals.lock().unwrap().push((operation, code));
    }

    /// Returns what passed through since the last call.
    ///
    /// # Panics
    /// If an unknown request passed through.
    pub fn take(&self) -> Counts {
        std::mem::take(&mut self.counts.lock().unwrap())
    }
}

/// DynamoDB's operations that read.
const READS: [&str; 3] = ["GetItem", "BatchGetItem", "Query"];

/// Serves one client until it disconnects.
async fn carry(
    client: TcpStream,
    engine: &str,
    counts: &Mutex<Counts>,
    refusals: &Mutex<Refusals>,
) {
    let mut client = BufReader::new(client);
    let mut engine = BufReader::new(TcpStream::connect(engine).await.unwrap());
    while let Some((head, body)) = read_message(&mut client).await {
        let mut request: Value = serde_json::from_slice(&body).unwrap();
        let target = operation(&head).to_owned();
        let answered = count(&head, &request, counts).map(|answer| ("200 OK", answer));
        let refused = {
            let mut refusals = refusals.lock().unwrap();
            let next = refusals.iter().position(|(name, _)| *name == target);
            next.map(|next| refusals.remove(next))
        };
        let refused = refused.map(|(_, code)| ("400 Bad Request", json!({"__type": code})));
        match refused.or(answered) {
            Some((status, answer)) => {
                let answer = answer.to_string();
                let length = answer.len();
                let head = format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\n\r\n{answer}");
                client.write_all(head.as_bytes()).await.unwrap();
            }
            None => {
                request["ReturnConsumedCapacity"] = json!("TOTAL");
                let body = request.to_string();
                engine
                    .write_all(resized(&head, body.len()).as_bytes())
                    .await
                    .unwrap();
                engine.write_all(body.as_bytes()).await.unwrap();
                let (head, body) = read_message(&mut engine).await.unwrap();
                if READS.contains(&target.as_str()) {
                    counts.lock().unwrap().half_read_units += half_units(&body);
                }
                client.write_all(head.as_bytes()).await.unwrap();
                client.write_all(&body).await.unwrap();
            }
        }
    }
}

/// Counts a request. Returns the response, or `None` if the engine must answer.
fn count(head: &str, request: &Value, counts: &Mutex<Counts>) -> Option<Value> {
    let mut counts = counts.lock().unwrap();
    let named = operation(head);
    if header(head, "x-amz-target").is_some_and(|target| target.starts_with("DynamoDB")) {
        counts.touched.push(touched(named, request));
        counts.written.append(&mut written(named, request));
    }
    match named {
        operation if READS.contains(&operation) => counts.reads += 1,
        "PutItem" | "UpdateItem" | "DeleteItem" => counts.writes += 1,
        "TransactWriteItems" => {
            let items = request["TransactItems"].as_array().unwrap();
            counts.transactions.push(items.len());
        }
        "SendEmail" => {
            counts.mails += 1;
            counts.asked.extend(mail(request));
            return Some(json!({"MessageId": "1"}));
        }
        // The encryption hides nothing: the tables only have test data.
        "Encrypt" => {
            counts.kms += 1;
            counts.asked.push(cipher(named, request));
            return Some(json!({"CiphertextBlob": request["Plaintext"]}));
        }
        "Decrypt" => {
            counts.kms += 1;
            counts.asked.push(cipher(named, request));
            return Some(json!({"Plaintext": request["CiphertextBlob"]}));
        }
        other => panic!("{other} is neither a read nor a write"),
    }
    None
}

/// A request to KMS: IAM knows the names in its encryption context, and each value.
fn cipher(operation: &str, request: &Value) -> Ask {
    let key = request["KeyId"].as_str().unwrap();
    let context = request["EncryptionContext"].as_object().unwrap();
    // In a fixed order, since the request's is by chance.
    let names: BTreeSet<_> = context.keys().collect();
    let names: Vec<_> = names.into_iter().collect();
    let ask = Ask::new(&format!("kms:{operation}"), key);
    let ask = ask.with("kms:EncryptionContextKeys", &names);
    context.iter().fold(ask, |ask, (name, value)| {
        let key = format!("kms:EncryptionContext:{name}");
        ask.with(&key, &[value.as_str().unwrap()])
    })
}

/// A mail: it needs rights on the identity that sends it, on those of the recipients while SES is in its sandbox, and
/// on the configuration set.
fn mail(request: &Value) -> Vec<Ask> {
    let from = request["FromEmailAddress"].as_str().unwrap();
    // With raw content it would be another action.
    assert!(request["Content"]["Simple"].is_object(), "{request}");
    let to = request["Destination"]["ToAddresses"].as_array().unwrap();
    let to = to.iter().map(|address| address.as_str().unwrap());
    let identities = to
        .chain([from])
        .map(|address| format!("identity/{address}"));
    let set = request["ConfigurationSetName"].as_str().unwrap();
    let resources = identities.chain([format!("configuration-set/{set}")]);
    resources
        .map(|resource| Ask::new("ses:SendEmail", &resource).with("ses:FromAddress", &[from]))
        .collect()
}

/// Returns the operation of a request, from AWS's JSON protocol or from SES's path.
fn operation(head: &str) -> &str {
    if head.starts_with("POST /v2/email/outbound-emails ") {
        return "SendEmail";
    }
    let target = header(head, "x-amz-target").and_then(|target| target.split_once('.'));
    target.map_or("", |(_, operation)| operation)
}

/// Returns a head with another body length.
fn resized(head: &str, length: usize) -> String {
    head.split_inclusive("\r\n")
        .map(|line| match line.split_once(':') {
            Some((name, _)) if name.eq_ignore_ascii_case("content-length") => {
                format!("{name}: {length}\r\n")
            }
            _ => line.to_owned(),
        })
        .collect()
}

/// Returns the read units that a response reports, in halves.
#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a small multiple of a half"
)]
fn half_units(answer: &[u8]) -> usize {
    let answer: Value = serde_json::from_slice(answer).unwrap();
    let capacities = match &answer["ConsumedCapacity"] {
        Value::Array(of_tables) => of_tables.clone(),
        of_table => vec![of_table.clone()],
    };
    let units = capacities
        .iter()
        .filter_map(|capacity| capacity["CapacityUnits"].as_f64());
    (units.sum::<f64>() * 2.0) as usize
}

/// Reads the head, including the empty line, and the body; returns `None` at the end of the connection.
async fn read_message(stream: &mut BufReader<TcpStream>) -> Option<(String, Vec<u8>)> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if stream.read_line(&mut head).await.ok()? == 0 {
            return None;
        }
    }
    let length = header(&head, "content-length").map_or(0, |length| length.parse().unwrap());
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.ok()?;
    Some((head, body))
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(given, _)| given.eq_ignore_ascii_case(name))
        .map(|(_, value)| value.trim())
}
