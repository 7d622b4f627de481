//! A scripted DynamoDB, and the configuration of clients that use it.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use aws_config::retry::RetryConfig;
use aws_config::stalled_stream_protection::StalledStreamProtectionConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_dynamodb::config::SharedAsyncSleep;
use aws_smithy_async::time::TimeSource;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// What the service does with a request.
#[derive(Debug, Clone)]
pub(super) enum Answer {
    /// Answers with this status, these headers and this body.
    Send(u16, Vec<(&'static str, String)>, Vec<u8>),
    /// Closes the connection.
    Cut,
    /// Closes the connection within the answer's body.
    CutWithin,
    /// Never answers.
    Stall,
    /// Never ends the answer.
    StallWithin,
}

/// A request, as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Request {
    /// The number of the connection, from 0.
    pub(super) connection: usize,
    pub(super) headers: BTreeMap<String, String>,
    pub(super) body: String,
}

impl Request {
    /// Whether the SDK's client began it, and not the lean way, whose ids end with a number.
    pub(super) fn is_of_the_client(&self) -> bool {
        let (_, end) = self.invocation().rsplit_once('-').unwrap();
        !end.starts_with("00000000")
    }

    /// The id that all attempts of an invocation have.
    pub(super) fn invocation(&self) -> &str {
        self.header("amz-sdk-invocation-id")
    }

    pub(super) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }
}

/// A service that follows a script, and then answers that there is no item.
#[derive(Clone, Default)]
pub(super) struct Script {
    answers: Arc<Mutex<VecDeque<Answer>>>,
    requests: Arc<Mutex<Vec<Request>>>,
}

impl Script {
    /// Starts the service. Also returns its address.
    pub(super) async fn start() -> (Self, String) {
        let script = Self::default();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let listening = script.clone();
        tokio::spawn(async move {
            let mut connection = 0;
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(listening.clone().serve(stream, connection));
                connection += 1;
            }
        });
        (script, address)
    }

    pub(super) fn then(&self, answers: &[Answer]) {
        self.answers.lock().unwrap().extend(answers.iter().cloned());
    }

    /// Takes the requests so far.
    pub(super) fn take(&self) -> Vec<Request> {
        std::mem::take(&mut self.requests.lock().unwrap())
    }

    async fn serve(self, stream: TcpStream, connection: usize) {
        let mut stream = BufReader::new(stream);
        while let Some(request) = read(&mut stream, connection).await {
            self.requests.lock().unwrap().push(request);
            let next = self.answers.lock().unwrap().pop_front();
            let (status, headers, body) = match &next {
                None | Some(Answer::CutWithin | Answer::StallWithin) => {
                    (200, vec![], b"{}".to_vec())
                }
                Some(Answer::Send(status, headers, body)) => {
                    (*status, headers.clone(), body.clone())
                }
                Some(Answer::Cut) => return,
                Some(Answer::Stall) => std::future::pending().await,
            };
            let whole = !matches!(next, Some(Answer::CutWithin | Answer::StallWithin));
            let mut head = format!("HTTP/1.1 {status} Scripted\r\n");
            for (name, value) in headers {
                head.push_str(&format!("{name}: {value}\r\n"));
            }
            let length = body.len() + if whole { 0 } else { 10 };
            head.push_str(&format!(
                "content-type: application/x-amz-json-1.0\r\ncontent-length: {length}\r\n\r\n"
            ));
            let bytes = [head.into_bytes(), body].concat();
            if stream.write_all(&bytes).await.is_err() {
                return;
            }
            match next {
                Some(Answer::CutWithin) => return,
                Some(Answer::StallWithin) => std::future::pending().await,
                _ => {}
            }
        }
    }
}

async fn read(stream: &mut BufReader<TcpStream>, connection: usize) -> Option<Request> {
    let mut line = String::new();
    if stream.read_line(&mut line).await.ok()? == 0 {
        return None;
    }
    assert_eq!(line, "POST / HTTP/1.1\r\n");
    let mut headers = BTreeMap::new();
    loop {
        line.clear();
        stream.read_line(&mut line).await.ok()?;
        let Some((name, value)) = line.trim_end().split_once(": ") else {
            break;
        };
        let double = headers.insert(name.to_ascii_lowercase(), value.to_owned());
        assert_eq!(double, None, "{name}");
    }
    let mut body = vec![0; headers.get("content-length")?.parse().ok()?];
    stream.read_exact(&mut body).await.ok()?;
    Some(Request {
        connection,
        headers,
        body: String::from_utf8(body).unwrap(),
    })
}

/// A clock that is set by hand.
#[derive(Debug, Clone)]
pub(super) struct Hands(Arc<Mutex<SystemTime>>);

impl Hands {
    /// At 12:00 UTC of a day.
    pub(super) fn new() -> Self {
        let time = SystemTime::UNIX_EPOCH + Duration::from_secs(20_000 * 86_400 + 43_200);
        Self(Arc::new(Mutex::new(time)))
    }

    pub(super) fn forward(&self, by: Duration) {
        *self.0.lock().unwrap() += by;
    }
}

impl TimeSource for Hands {
    fn now(&self) -> SystemTime {
        *self.0.lock().unwrap()
    }
}

#[derive(Debug)]
struct Sleep;

impl aws_sdk_dynamodb::config::AsyncSleep for Sleep {
    fn sleep(&self, duration: Duration) -> aws_sdk_dynamodb::config::Sleep {
        aws_sdk_dynamodb::config::Sleep::new(tokio::time::sleep(duration))
    }
}

/// Credentials as Lambda has them.
pub(super) fn credentials(key: &str, expiry: Option<SystemTime>) -> SharedCredentialsProvider {
    let token = Some(format!("token-of-{key}"));
    SharedCredentialsProvider::new(Credentials::new(key, "hush-hush", token, expiry, "tests"))
}

/// The configuration of a client in this region. The SDK keeps one budget of retries for each region.
pub(super) fn configuration(
    address: &str,
    region: &str,
    credentials: SharedCredentialsProvider,
    clock: Option<&Hands>,
    attempt: Duration,
) -> SdkConfig {
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(Duration::from_mins(2))
        .operation_attempt_timeout(attempt)
        .operation_timeout(Duration::from_mins(2));
    let retries = RetryConfig::standard()
        .with_max_attempts(3)
        .with_initial_backoff(Duration::from_millis(1));
    let mut config = SdkConfig::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .region(Region::new(region.to_owned()))
        .endpoint_url(address)
        .timeout_config(timeouts.build())
        .retry_config(retries)
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
        .credentials_provider(credentials)
        .sleep_impl(SharedAsyncSleep::new(Sleep));
    if let Some(clock) = clock {
        config = config.time_source(clock.clone());
    }
    config.build()
}
