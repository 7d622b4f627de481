//! A proxy between a function and AWS that counts requests.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_config::{Region, SdkConfig};
use aws_sdk_dynamodb::config::SharedHttpClient;
use latchkey::aws::{retries, timeouts};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::oneshot;

use crate::access::{Touched, Written, touched, written};
use crate::faults::{Fault, Faults, Passed, Timers, refusal};
use crate::iam::Ask;
use crate::trail::lookup;

/// A proxy that passes requests to DynamoDB to an engine, and answers those to KMS, SES, SQS and CloudTrail itself. It
/// ends with its runtime.
pub struct Wire {
    /// The configuration of clients that use the proxy.
    pub aws: SdkConfig,
    /// The faults of the services and of the network.
    pub faults: Faults,
    state: State,
    /// One for all sandboxes, as a client with TLS takes long to build.
    http: SharedHttpClient,
}

/// What the connections of a proxy share.
#[derive(Clone, Default)]
struct State {
    counts: Arc<Mutex<Counts>>,
    refusals: Arc<Mutex<Refusals>>,
    faults: Faults,
    timers: Timers,
    mails: Arc<Mutex<Vec<Value>>>,
    keys: Arc<Mutex<String>>,
    trail: Arc<Mutex<Vec<Value>>>,
    turns: Arc<Mutex<Option<UnboundedSender<Turn>>>>,
}

/// Lets a waiting request through.
pub type Turn = oneshot::Sender<()>;

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
        let state = State::default();
        let shared = state.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (state, engine) = (shared.clone(), engine.clone());
                tokio::spawn(async move { carry(client, &engine, &state).await });
            }
        });
        Self {
            aws: aws.to_builder().endpoint_url(own).build(),
            faults: state.faults.clone(),
            state,
            http: aws_smithy_http_client::Builder::new().build_http(),
        }
    }

    /// Returns the configuration of clients with the timeouts and attempts of production, whose waiting takes no time.
    /// `sandbox` names a process: the SDK limits the attempts of all clients in a process together.
    pub fn prompt(&self, sandbox: &str) -> SdkConfig {
        // Pauses are as short as no timeout is, so that the timers can tell them apart.
        let retries = retries().with_initial_backoff(Duration::from_millis(1));
        self.aws
            .to_builder()
            .region(Region::new(sandbox.to_owned()))
            .timeout_config(timeouts())
            .retry_config(retries)
            .sleep_impl(self.state.timers.clone())
            .http_client(self.http.clone())
            .build()
    }

    /// Sets the scanner's list of keys, which is at `/keys`.
    ///
    /// # Panics
    /// Never: no code panics while it holds the lock.
    pub fn publish_keys(&self, list: &str) {
        *self.state.keys.lock().unwrap() = list.to_owned();
    }

    /// Sets the events of CloudTrail's history.
    ///
    /// # Panics
    /// Never: no code panics while it holds the lock.
    pub fn publish_trail(&self, events: &[Value]) {
        *self.state.trail.lock().unwrap() = events.to_vec();
    }

    /// Takes the mails that were sent since the last call, as SES got them.
    ///
    /// # Panics
    /// Never: no code panics while it holds the lock.
    pub fn take_mails(&self) -> Vec<Value> {
        std::mem::take(&mut self.state.mails.lock().unwrap())
    }

    /// Refuses the next request of an operation with an error code.
    ///
    /// # Panics
    /// Never: no code panics while it holds the lock.
    pub fn refuse_next(&self, operation: &'static str, code: &'static str) {
        let mut refusals = self.state.refusals.lock().unwrap();
        refusals.push((operation, code));
    }

    /// Lets each request wait for its turn from now on. Those that wait are in the queue; without it, none waits.
    ///
    /// # Panics
    /// Never: no code panics while it holds the lock.
    pub fn by_turns(&self) -> UnboundedReceiver<Turn> {
        let (turns, queue) = unbounded_channel();
        *self.state.turns.lock().unwrap() = Some(turns);
        queue
    }

    /// Returns what passed through since the last call.
    ///
    /// # Panics
    /// If an unknown request passed through.
    pub fn take(&self) -> Counts {
        std::mem::take(&mut self.state.counts.lock().unwrap())
    }
}

/// DynamoDB's operations that read.
const READS: [&str; 3] = ["GetItem", "BatchGetItem", "Query"];

/// Serves one client until it disconnects, or until a fault ends the connection.
async fn carry(client: TcpStream, engine: &str, state: &State) {
    let engine = TcpStream::connect(engine).await.unwrap();
    // Otherwise, the kernel delays small messages.
    engine.set_nodelay(true).unwrap();
    client.set_nodelay(true).unwrap();
    let mut client = BufReader::new(client);
    let mut engine = BufReader::new(engine);
    while let Some((head, body)) = read_message(&mut client).await {
        state.wait().await;
        // A request for the scanner's keys has no body.
        let request: Value = serde_json::from_slice(&body).unwrap_or_default();
        let passed = passed(&head, &request);
        let fault = state.faults.meet(passed.clone());
        let done = if fault.is_none_or(Fault::is_done) {
            state.perform(&mut engine, &head, &request).await
        } else {
            Vec::new()
        };
        let answer = match fault {
            None => done,
            Some(Fault::Cut | Fault::DoneCut) => return,
            Some(Fault::Late | Fault::DoneLate) => {
                state.timers.expire();
                // The client gives up and disconnects.
                read_message(&mut client).await;
                return;
            }
            Some(fault) => {
                let (status, headers, answer) = refusal(fault, &passed, &request);
                response(&format!("{status} No"), &headers, &answer.to_string())
            }
        };
        if client.write_all(&answer).await.is_err() {
            return;
        }
    }
}

impl State {
    /// Waits for a request's turn.
    async fn wait(&self) {
        let turns = self.turns.lock().unwrap().clone();
        let (turn, granted) = oneshot::channel();
        if turns.is_some_and(|turns| turns.send(turn).is_ok()) {
            let _ = granted.await;
        }
    }

    /// Does what a request asks for, and returns the response.
    async fn perform(
        &self,
        engine: &mut BufReader<TcpStream>,
        head: &str,
        request: &Value,
    ) -> Vec<u8> {
        let target = operation(head);
        let answered = self.answer(head, request);
        let refused = {
            let mut refusals = self.refusals.lock().unwrap();
            let next = refusals.iter().position(|(name, _)| *name == target);
            next.map(|next| refusals.remove(next))
        };
        if let Some((_, code)) = refused {
            let answer = json!({"__type": code}).to_string();
            return response("400 Bad Request", "", &answer);
        }
        if let Some(answer) = answered {
            return response("200 OK", "", &answer);
        }
        let mut request = request.clone();
        request["ReturnConsumedCapacity"] = json!("TOTAL");
        let body = request.to_string();
        let head = resized(head, body.len());
        let message = [head.as_bytes(), body.as_bytes()].concat();
        engine.write_all(&message).await.unwrap();
        let (head, body) = read_message(engine).await.unwrap();
        if READS.contains(&target) {
            self.counts.lock().unwrap().half_read_units += half_units(&body);
        }
        [head.as_bytes(), &body].concat()
    }

    /// Counts a request. Returns the answer, or `None` if the engine must answer.
    fn answer(&self, head: &str, request: &Value) -> Option<String> {
        match operation(head) {
            "GetKeys" => return Some(self.keys.lock().unwrap().clone()),
            "SendEmail" => self.mails.lock().unwrap().push(request.clone()),
            "LookupEvents" => {
                let ask = Ask::new("cloudtrail:LookupEvents", "*");
                self.counts.lock().unwrap().asked.push(ask);
                return Some(lookup(&self.trail.lock().unwrap(), request).to_string());
            }
            _ => {}
        }
        count(head, request, &self.counts).map(|answer| answer.to_string())
    }
}

/// Returns a response.
fn response(status: &str, headers: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!("HTTP/1.1 {status}\r\n{headers}content-length: {length}\r\n\r\n{body}").into_bytes()
}

/// Returns what a fault has to know of a request.
fn passed(head: &str, request: &Value) -> Passed {
    let operation = operation(head);
    let service = match operation {
        "SendEmail" => "ses",
        "SendMessage" => "sqs",
        "GetKeys" => "github",
        "Encrypt" | "Decrypt" => "kms",
        "LookupEvents" => "cloudtrail",
        _ => "dynamodb",
    };
    let kinds = if service == "dynamodb" {
        touched(operation, request)
    } else {
        Touched::new()
    };
    let kind = kinds.values().flatten().next().map(String::as_str);
    let kind = kind.and_then(|key| key.split_inclusive('#').next());
    Passed {
        service: service.to_owned(),
        operation: operation.to_owned(),
        kind: kind.unwrap_or_default().to_owned(),
        is_conditional: request["ConditionExpression"].is_string(),
        invocation: header(head, "amz-sdk-invocation-id")
            .unwrap_or_default()
            .to_owned(),
        fault: None,
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
        "SendMessage" => return Some(json!({"MessageId": "1", "MD5OfMessageBody": "1"})),
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

/// Returns the operation of a request, from AWS's JSON protocol or from the path.
fn operation(head: &str) -> &str {
    if head.starts_with("GET /keys ") {
        return "GetKeys";
    }
    if head.starts_with("POST /v2/email/outbound-emails ") {
        return "SendEmail";
    }
    let target = header(head, "x-amz-target").and_then(|target| target.rsplit_once('.'));
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
