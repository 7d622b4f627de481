//! Faults at the wire: what a service, or the network before it, may do to a request.
//!
//! A [`Faults`] sees every request that passes a [`Wire`](crate::Wire). It counts them, and disturbs those that it was
//! told to. Timeouts take no time: the clients sleep on [`Timers`], and a request that is to be late lets the shortest
//! pending timeout end. Pauses between the SDK's attempts end at once.

use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_sdk_dynamodb::config::{AsyncSleep, Sleep};
use latchkey::aws::{OPERATION_TIMEOUT, timeouts};
use serde_json::{Value, json};
use tokio::sync::oneshot;

/// What happens to a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// It is refused, since there are too many.
    Throttled,
    /// A batch is answered without any of its items, since there are too many requests.
    Unprocessed,
    /// A transaction is cancelled, since there are too many requests for one of its items.
    Cancelled,
    /// It gets no answer before the client's timeout, and doesn't arrive.
    Late,
    /// The connection is closed before it arrives.
    Cut,
    /// It is answered 500, and nothing is done.
    Failed,
    /// It is done, but the answer comes after the client's timeout.
    DoneLate,
    /// It is done, but the connection is closed before the answer.
    DoneCut,
    /// It is done, but answered 500.
    DoneFailed,
    /// It is answered as if it was done, but isn't. No service does that: a suite plants it, to see that it finds it.
    Forged,
}

impl Fault {
    /// All faults but the planted one.
    pub const ALL: [Self; 9] = [
        Self::Throttled,
        Self::Unprocessed,
        Self::Cancelled,
        Self::Late,
        Self::Cut,
        Self::Failed,
        Self::DoneLate,
        Self::DoneCut,
        Self::DoneFailed,
    ];

    /// Whether the request is done although its answer doesn't arrive.
    pub fn is_done(self) -> bool {
        matches!(self, Self::DoneLate | Self::DoneCut | Self::DoneFailed)
    }

    /// Whether it can happen to a request.
    pub fn befalls(self, request: &Passed) -> bool {
        match self {
            Self::Unprocessed => request.operation == "BatchGetItem",
            Self::Cancelled => request.operation == "TransactWriteItems",
            _ => !self.is_done() || request.is_write(),
        }
    }
}

/// How many requests a fault meets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reach {
    /// One. The SDK's next attempt gets through.
    Attempt,
    /// All attempts of one call.
    Call,
    /// All requests to the service from then on.
    Outage,
}

impl Reach {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Attempt, Self::Call, Self::Outage];
}

/// A fault that is to happen to the request with a number, counted from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Planned {
    /// The request's number.
    pub at: usize,
    /// What happens.
    pub fault: Fault,
    /// To which requests.
    pub reach: Reach,
}

/// A request that passed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Passed {
    /// The service.
    pub service: String,
    /// The operation.
    pub operation: String,
    /// The kind of item that it is about, such as `MAIL#`; of the first, if there are several.
    pub kind: String,
    /// Whether it has a condition of its own.
    pub is_conditional: bool,
    /// The SDK's id of the call. All attempts have the same.
    pub invocation: String,
    /// What happened to it.
    pub fault: Option<Fault>,
}

impl Passed {
    /// Whether it may change something.
    pub fn is_write(&self) -> bool {
        let reads = [
            "GetItem",
            "BatchGetItem",
            "Query",
            "Encrypt",
            "Decrypt",
            "GetKeys",
            "LookupEvents",
        ];
        !reads.contains(&self.operation.as_str())
    }
}

impl fmt::Display for Passed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.operation, self.kind)
    }
}

/// The faults that are to happen, and the requests that have passed since they were planned.
#[derive(Debug, Clone, Default)]
pub struct Faults(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    planned: Vec<(Planned, Option<Passed>)>,
    passed: Vec<Passed>,
}

impl Faults {
    /// Plans faults and starts to count from 0. Returns what has passed since the last plan.
    ///
    /// # Panics
    /// Never: no code panics while it holds the lock.
    pub fn plan(&self, faults: &[Planned]) -> Vec<Passed> {
        let mut state = self.0.lock().unwrap();
        state.planned = faults.iter().map(|planned| (*planned, None)).collect();
        std::mem::take(&mut state.passed)
    }

    /// Notes a request, and says what happens to it.
    pub(crate) fn meet(&self, mut request: Passed) -> Option<Fault> {
        let mut state = self.0.lock().unwrap();
        let number = state.passed.len();
        for (planned, first) in &mut state.planned {
            if planned.at == number {
                *first = Some(request.clone());
            }
            let Some(first) = first else { continue };
            let is_met = match planned.reach {
                Reach::Attempt => planned.at == number,
                Reach::Call => planned.at == number || first.invocation == request.invocation,
                Reach::Outage => first.service == request.service,
            };
            if is_met && planned.fault.befalls(&request) {
                request.fault = Some(planned.fault);
                break;
            }
            // An outage of a kind of request is one of all others too.
            if is_met && planned.reach == Reach::Outage {
                request.fault = Some(Fault::Cut);
                break;
            }
        }
        let fault = request.fault;
        state.passed.push(request);
        fault
    }
}

/// The response of a service that refuses a request, or fails: status, further headers, body.
pub(crate) fn refusal(fault: Fault, request: &Passed, body: &Value) -> (u16, String, Value) {
    let coded = |status, code: &str| {
        let header = format!("x-amzn-errortype: {code}\r\n");
        (status, header, json!({"__type": code, "message": code}))
    };
    match (fault, request.service.as_str()) {
        (Fault::Forged, _) => (200, String::new(), json!({})),
        (Fault::Unprocessed, _) => {
            let answer = json!({"Responses": {}, "UnprocessedKeys": body["RequestItems"]});
            (200, String::new(), answer)
        }
        (Fault::Cancelled, _) => {
            let items = body["TransactItems"].as_array().map_or(1, Vec::len);
            let mut reasons = vec![json!({"Code": "None"}); items];
            reasons[items - 1] = json!({"Code": "ThrottlingError", "Message": "throttled"});
            let (status, header, mut answer) = coded(400, "TransactionCanceledException");
            answer["CancellationReasons"] = json!(reasons);
            (status, header, answer)
        }
        (Fault::Throttled, "ses") => coded(429, "TooManyRequestsException"),
        (Fault::Throttled, "sqs") => coded(400, "RequestThrottled"),
        (Fault::Throttled, "github") => coded(429, "TooManyRequests"),
        (Fault::Throttled, _) => coded(400, "ThrottlingException"),
        (_, "kms") => coded(500, "KMSInternalException"),
        (_, "ses") => coded(500, "InternalServiceErrorException"),
        (_, "sqs") => coded(500, "InternalFailure"),
        _ => coded(500, "InternalServerError"),
    }
}

/// A timeout that a client waits for: how long it is, and what ends it.
type Timer = (Duration, oneshot::Sender<()>);

/// The clock of the clients' timeouts and pauses.
#[derive(Debug, Clone, Default)]
pub struct Timers(Arc<Mutex<Vec<Timer>>>);

impl Timers {
    /// Ends the shortest timeouts that clients wait for.
    pub(crate) fn expire(&self) {
        let mut waiting = self.0.lock().unwrap();
        waiting.retain(|(_, timer)| !timer.is_closed());
        let shortest = waiting.iter().map(|(duration, _)| *duration).min();
        let all = std::mem::take(&mut *waiting);
        let (due, later) = all
            .into_iter()
            .partition(|(duration, _)| Some(*duration) == shortest);
        *waiting = later;
        for (_, timer) in due {
            // Nobody waits for the timeout of a call that has just ended.
            let _ = timer.send(());
        }
    }
}

impl AsyncSleep for Timers {
    fn sleep(&self, duration: Duration) -> Sleep {
        let timeouts = timeouts();
        let attempt = timeouts.operation_attempt_timeout();
        if timeouts.connect_timeout() == Some(duration) {
            // The proxy accepts every connection.
            return Sleep::new(std::future::pending());
        }
        if attempt != Some(duration) && duration != OPERATION_TIMEOUT {
            return Sleep::new(std::future::ready(()));
        }
        let (timer, over) = oneshot::channel();
        let mut waiting = self.0.lock().unwrap();
        waiting.retain(|(_, timer)| !timer.is_closed());
        waiting.push((duration, timer));
        Sleep::new(async move {
            if over.await.is_err() {
                std::future::pending::<()>().await;
            }
        })
    }
}
