//! A lean first attempt of the reads of items.
//!
//! The SDK's client composes each request anew from some thirty interceptors, plugins and rules, and derives the
//! signing key of the day each time. This takes two thirds of the processor time of a read. Here, one request of the
//! client is observed. Later reads are sent like it: over the client's connections, to its endpoint, with its user
//! agent, credentials and timeouts, and a signature that was compared with the client's own. The SDK's code writes
//! the request's body and reads the answer.
//!
//! Everything but a successful first attempt is left to the SDK's client: it gets the outcome as that of its own first
//! attempt, and classifies, waits, retries and reports as always. It also makes all reads while its budget of retries
//! isn't full, and those for which nothing is learned (other credentials, signatures, headers, or modes of retry).

mod learn;
mod replay;
mod sign;

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, SystemTime};

use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_dynamodb::config::timeout::TimeoutConfig;
use aws_sdk_dynamodb::config::{Builder, ConfigBag, Intercept};
use aws_sdk_dynamodb::operation::batch_get_item::BatchGetItem;
use aws_sdk_dynamodb::operation::get_item::GetItem;
use aws_smithy_async::future::timeout::Timeout;
use aws_smithy_async::rt::sleep::AsyncSleep;
use aws_smithy_runtime_api::client::connection::CaptureSmithyConnection;
use aws_smithy_runtime_api::client::http::HttpConnector;
use aws_smithy_runtime_api::client::interceptors::context::Input;
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_plugin::RuntimePlugin;
use aws_smithy_runtime_api::client::ser_de::{
    DeserializeResponse, SerializeRequest, SharedRequestSerializer, SharedResponseDeserializer,
};
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::byte_stream::ByteStream;
use aws_smithy_types::config_bag::FrozenLayer;
use aws_smithy_types::date_time::{DateTime, Format};
use learn::{Observer, Pattern, SIGNED, Unlearned, signing_stamp};
use replay::{Continued, Outcome, Replay};

/// The lean way of a client. It is off until a request of the client has been observed.
#[derive(Clone, Default)]
pub(super) struct Lean(Option<Arc<Shared>>);

struct Shared {
    observer: Observer,
    credentials: SharedCredentialsProvider,
    pattern: RwLock<Option<Arc<Pattern>>>,
    /// Whether the client's requests are of a form that can't be learned.
    off: AtomicBool,
    /// How far the service's clock is ahead of ours, in ms, by the last answer.
    skew: AtomicI64,
    /// The number of invocations, with which the id of each ends.
    invocations: AtomicU64,
    get_item: Operation,
    batch_get_item: Operation,
}

/// The SDK's code that writes and reads an operation.
struct Operation(FrozenLayer);

impl Operation {
    fn of(plugin: &impl RuntimePlugin) -> Option<Self> {
        plugin.config().map(Self)
    }
}

/// An operation that has a lean first attempt.
#[derive(Debug, Clone, Copy)]
pub(super) enum Read {
    /// `GetItem`.
    Item,
    /// `BatchGetItem`.
    Batch,
}

/// What the first attempt came to.
pub(super) enum First<T> {
    /// The answer.
    Answer(T),
    /// There was no attempt. The SDK's client makes it.
    Unsent,
    /// It failed. The SDK's client continues with this configuration.
    Failed(Box<Builder>),
}

impl Lean {
    /// The lean way of a client with these credentials, and the part of it to add to the client's interceptors.
    pub(super) fn new(
        credentials: Option<SharedCredentialsProvider>,
    ) -> (Self, impl Intercept + 'static) {
        let observer = Observer::default();
        let shared = credentials.and_then(|credentials| {
            Some(Arc::new(Shared {
                observer: observer.clone(),
                credentials,
                pattern: RwLock::default(),
                off: AtomicBool::new(false),
                skew: AtomicI64::new(0),
                invocations: AtomicU64::new(0),
                get_item: Operation::of(&GetItem::new())?,
                batch_get_item: Operation::of(&BatchGetItem::new())?,
            }))
        });
        (Self(shared), observer)
    }

    /// Learns from a request that the client has made, so that the next read needn't.
    pub(super) async fn learn(&self) {
        if let Some(shared) = &self.0 {
            shared.pattern().await;
        }
    }

    /// Makes the first attempt. The input must be that of the operation, and so must `T`, its output.
    pub(super) async fn first<T: fmt::Debug + Send + Sync + 'static>(
        &self,
        read: Read,
        input: impl fmt::Debug + Send + Sync + 'static,
    ) -> First<T> {
        let Some(shared) = &self.0 else {
            return First::Unsent;
        };
        let Some(pattern) = shared.pattern().await else {
            return First::Unsent;
        };
        let operation = match read {
            Read::Item => &shared.get_item,
            Read::Batch => &shared.batch_get_item,
        };
        let Some(request) = shared.request(operation, &pattern, Input::erase(input)) else {
            return First::Unsent;
        };
        shared.attempt(operation, &pattern, request).await
    }
}

impl Shared {
    /// How to send now, if it is known and allowed.
    async fn pattern(&self) -> Option<Arc<Pattern>> {
        if self.off.load(Ordering::Relaxed) {
            return None;
        }
        if let Some(pattern) = self.known() {
            if pattern.clock.now() >= pattern.until {
                self.forget();
                return None;
            }
            // A success gives a token back to the client's budget of retries. That of a lean read can't.
            return pattern.bucket.is_full().then_some(pattern);
        }
        let observed = self.observer.take()?;
        match Box::pin(observed.learn(&self.credentials)).await {
            Ok(pattern) => {
                self.skew.store(pattern.skew, Ordering::Relaxed);
                let pattern = Arc::new(pattern);
                self.keep(Some(Arc::clone(&pattern)));
                pattern.bucket.is_full().then_some(pattern)
            }
            Err(Unlearned::Never) => {
                self.off.store(true, Ordering::Relaxed);
                None
            }
            Err(Unlearned::Now) => None,
        }
    }

    /// Forgets how to send, so that it is learned anew from the client's next request.
    fn forget(&self) {
        self.observer.take();
        self.keep(None);
    }

    fn known(&self) -> Option<Arc<Pattern>> {
        let known = self.pattern.read().unwrap_or_else(PoisonError::into_inner);
        known.clone()
    }

    fn keep(&self, pattern: Option<Arc<Pattern>>) {
        let mut known = self.pattern.write().unwrap_or_else(PoisonError::into_inner);
        *known = pattern;
    }

    /// A signed request. `None` if the SDK's client must send it.
    fn request(
        &self,
        operation: &Operation,
        pattern: &Pattern,
        input: Input,
    ) -> Option<HttpRequest> {
        let serializer = operation.0.load::<SharedRequestSerializer>()?;
        let request = serializer.serialize_input(input, &mut ConfigBag::base());
        let mut request = request.ok()?;
        request.set_uri(pattern.uri.as_str()).ok()?;
        let signer = &pattern.signer;
        let skew = self.skew.load(Ordering::Relaxed);
        let stamp = signing_stamp(pattern.clock.now(), skew)?;
        if !signer.is_of(&stamp) {
            self.forget();
            return None;
        }
        let headers = request.headers();
        let mut signed = [("", ""); SIGNED.len()];
        let mut count = 0;
        for name in SIGNED {
            let value = match name {
                "host" => Some(pattern.host.as_str()),
                "x-amz-date" => Some(stamp.as_str()),
                "x-amz-security-token" => signer.session_token.as_deref(),
                name => Some(headers.get(name)?),
            };
            if let Some(value) = value {
                *signed.get_mut(count)? = (name, value);
                count += 1;
            }
        }
        let body = request.body().bytes()?;
        let authorization = signer.authorization(signed.get(..count)?, body, &stamp);
        let headers = request.headers_mut();
        headers.insert("user-agent", pattern.user_agent.clone());
        headers.insert("x-amz-date", stamp);
        headers.insert("authorization", authorization);
        if let Some(token) = &signer.session_token {
            headers.insert("x-amz-security-token", token.clone());
        }
        Some(request)
    }

    async fn attempt<T: fmt::Debug + Send + Sync + 'static>(
        &self,
        operation: &Operation,
        pattern: &Pattern,
        mut request: HttpRequest,
    ) -> First<T> {
        let number = self.invocations.fetch_add(1, Ordering::Relaxed);
        let invocation = format!("{}-{number:012x}", pattern.invocation);
        let headers = request.headers_mut();
        headers.insert("amz-sdk-invocation-id", invocation.clone());
        headers.insert("amz-sdk-request", pattern.first_of.clone());
        let connection = CaptureSmithyConnection::new();
        request.add_extension(connection.clone());
        let begin = pattern.clock.now();
        let timeouts = &pattern.timeouts;
        let limits = [
            timeouts.operation_attempt_timeout(),
            timeouts.operation_timeout(),
        ];
        let answer = send(pattern, request);
        let outcome = match limits.into_iter().flatten().min() {
            Some(limit) => match Timeout::new(answer, pattern.sleep.sleep(limit)).await {
                Ok(outcome) => outcome,
                Err(elapsed) => Err(ConnectorError::timeout(elapsed.into())),
            },
            None => answer.await,
        };
        let end = pattern.clock.now();
        let took = end.duration_since(begin).unwrap_or_default();
        if let Ok(response) = &outcome {
            self.measure_skew(response, begin + took / 2);
            if response.status().as_u16() == 200
                && let Some(deserializer) = operation.0.load::<SharedResponseDeserializer>()
            {
                let config = ConfigBag::base();
                let output = deserializer.deserialize_nonstreaming_with_config(response, &config);
                if let Ok(Ok(output)) = output.map(|output| output.downcast::<T>()) {
                    return First::Answer(output);
                }
            }
        }
        self.forget();
        let replay = Replay::new(outcome, connection, pattern.connector.clone());
        First::Failed(Box::new(continuation(pattern, replay, invocation, took)))
    }

    /// Notes how far the service's clock is ahead, as the SDK's client does.
    fn measure_skew(&self, response: &HttpResponse, at: SystemTime) {
        let headers = response.headers();
        // A cache's answer has the time of its first delivery.
        if headers.contains_key("age") {
            return;
        }
        let date = headers.get("date").and_then(|date| {
            let date = DateTime::from_str(date, Format::HttpDate).ok()?;
            SystemTime::try_from(date).ok()
        });
        let skew = date.and_then(|date| match date.duration_since(at) {
            Ok(ahead) => i64::try_from(ahead.as_millis()).ok(),
            Err(behind) => i64::try_from(behind.duration().as_millis())
                .ok()
                .map(|ms| -ms),
        });
        if let Some(skew) = skew {
            self.skew.store(skew, Ordering::Relaxed);
        }
    }
}

/// Sends a request and awaits the whole answer.
async fn send(pattern: &Pattern, request: HttpRequest) -> Outcome {
    let mut response = pattern.connector.call(request).await?;
    let body = std::mem::replace(response.body_mut(), SdkBody::taken());
    let body = ByteStream::new(body).collect().await;
    let body = body.map_err(|error| ConnectorError::io(error.into()))?;
    *response.body_mut() = SdkBody::from(body.into_bytes());
    Ok(response)
}

/// The configuration with which the SDK's client continues.
fn continuation(pattern: &Pattern, replay: Replay, invocation: String, took: Duration) -> Builder {
    let mut config = Builder::new()
        .http_client(replay)
        .invocation_id_generator(Continued(invocation));
    if let Some(whole) = pattern.timeouts.operation_timeout() {
        let rest = TimeoutConfig::builder().operation_timeout(whole.saturating_sub(took));
        config = config.timeout_config(rest.build());
    }
    config
}

impl fmt::Debug for Lean {
    /// Leaves out the signing key and the session's token.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lean").finish_non_exhaustive()
    }
}
