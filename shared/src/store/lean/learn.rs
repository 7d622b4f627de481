//! Learns from a request of the SDK's client how requests are sent.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use aws_runtime::service_clock_skew::DisableClockSkewCorrection;
use aws_sdk_dynamodb::config::interceptors::BeforeTransmitInterceptorContextRef;
use aws_sdk_dynamodb::config::retry::{RetryConfig, RetryMode};
use aws_sdk_dynamodb::config::timeout::TimeoutConfig;
use aws_sdk_dynamodb::config::{
    ConfigBag, Intercept, RuntimeComponents, StalledStreamProtectionConfig,
};
use aws_sdk_dynamodb::error::BoxError;
use aws_smithy_async::rt::sleep::SharedAsyncSleep;
use aws_smithy_async::time::SharedTimeSource;
use aws_smithy_runtime::client::retries::TokenBucket;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;

use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use super::sign::{Claim, Signer, stamp};

/// The longest use of what was learned. Afterwards the SDK's client sends a request again, with whatever credentials
/// and endpoint it then has.
const KEPT: Duration = Duration::from_mins(5);

/// The time before the credentials' end from which they aren't used.
const MARGIN: Duration = Duration::from_mins(1);

/// The headers that requests of the SDK may have. One with another header isn't understood, and nothing is learned.
const KNOWN: [&str; 10] = [
    "amz-sdk-invocation-id",
    "amz-sdk-request",
    "authorization",
    "content-length",
    "content-type",
    "user-agent",
    "x-amz-date",
    "x-amz-security-token",
    "x-amz-target",
    "x-amzn-trace-id",
];

/// The headers that are sent and signed, in the signature's order.
pub(super) const SIGNED: [&str; 6] = [
    "content-length",
    "content-type",
    "host",
    "x-amz-date",
    "x-amz-security-token",
    "x-amz-target",
];

/// A request of the SDK's client, as it was sent, and the client's parts and settings.
pub(super) struct Observed {
    request: HttpRequest,
    connector: SharedHttpConnector,
    bucket: TokenBucket,
    timeouts: TimeoutConfig,
    sleep: SharedAsyncSleep,
    clock: SharedTimeSource,
    /// When it was sent, by our clock.
    at: SystemTime,
}

/// How requests are sent.
pub(super) struct Pattern {
    pub(super) uri: String,
    pub(super) host: String,
    pub(super) user_agent: String,
    /// The beginning of the ids of invocations: a random one without its last part.
    pub(super) invocation: String,
    /// The header `amz-sdk-request` of a first attempt.
    pub(super) first_of: String,
    pub(super) signer: Signer,
    /// The client's connections.
    pub(super) connector: SharedHttpConnector,
    /// The client's budget of retries.
    pub(super) bucket: TokenBucket,
    pub(super) timeouts: TimeoutConfig,
    /// What ends the client's timeouts.
    pub(super) sleep: SharedAsyncSleep,
    pub(super) clock: SharedTimeSource,
    /// How far the service's clock is ahead of ours in the observed request, in ms, as the SDK saw it.
    pub(super) skew: i64,
    /// When to learn anew.
    pub(super) until: SystemTime,
}

/// Why there is no pattern.
pub(super) enum Unlearned {
    /// Requests are of another form than this module knows.
    Never,
    /// The credentials are about to end, or can't be had.
    Now,
}

impl Observed {
    pub(super) async fn learn(
        self,
        provider: &SharedCredentialsProvider,
    ) -> Result<Pattern, Unlearned> {
        let Ok(credentials) = provider.provide_credentials().await else {
            return Err(Unlearned::Now);
        };
        let now = self.clock.now();
        let mut until = self.at + KEPT;
        if let Some(expiry) = credentials.expiry() {
            until = until.min(expiry.checked_sub(MARGIN).unwrap_or(now));
        }
        if until <= now {
            return Err(Unlearned::Now);
        }
        let headers = self.request.headers();
        let learned = || {
            let uri = self.request.uri();
            let (_, rest) = uri.split_once("://")?;
            let host = rest.strip_suffix('/')?;
            if host.contains('/') {
                return None;
            }
            let claim = Claim::of(headers.get("authorization")?)?;
            let date = headers.get("x-amz-date")?;
            let sent = time_of(date)?;
            let signer = Signer::new(&credentials, sent, claim.region, claim.service)?;
            let value = |name: &&str| match *name {
                "host" => Some(host),
                name => headers.get(name),
            };
            let token = signer.session_token.as_deref();
            let understood = headers.iter().all(|(name, _)| KNOWN.contains(&name))
                && headers.get("x-amz-security-token") == token
                && SIGNED.iter().all(|name| {
                    claim.names.contains(name) || *name == "x-amz-security-token" && token.is_none()
                });
            let signed = claim.names.iter();
            let signed: Option<Vec<_>> = signed.map(|name| Some((*name, value(name)?))).collect();
            let own = signer.authorization(&signed?, self.request.body().bytes()?, date);
            // Proves that signatures are composed as the SDK does it, and that the credentials are the SDK's.
            let alike = understood && headers.get("authorization") == Some(&own);
            let ahead = Duration::from_secs(2);
            let skew = match sent.duration_since(self.at) {
                Ok(skew) if skew > ahead => i64::try_from(skew.as_millis()).ok()?,
                Err(behind) if behind.duration() > ahead => {
                    -i64::try_from(behind.duration().as_millis()).ok()?
                }
                _ => 0,
            };
            let (invocation, _) = headers.get("amz-sdk-invocation-id")?.rsplit_once('-')?;
            let (_, most) = headers.get("amz-sdk-request")?.split_once("max=")?;
            alike.then(|| Pattern {
                uri: uri.to_owned(),
                host: host.to_owned(),
                user_agent: headers.get("user-agent").unwrap_or_default().to_owned(),
                invocation: invocation.to_owned(),
                first_of: format!("attempt=1; max={most}"),
                signer,
                connector: self.connector.clone(),
                bucket: self.bucket.clone(),
                timeouts: self.timeouts.clone(),
                sleep: self.sleep.clone(),
                clock: self.clock.clone(),
                skew,
                until,
            })
        };
        learned().ok_or(Unlearned::Never)
    }
}

/// Reads the header `x-amz-date`.
fn time_of(stamp: &str) -> Option<SystemTime> {
    let time = DateTime::strptime("%Y%m%dT%H%M%SZ", stamp).ok()?;
    let time = TimeZone::UTC.to_timestamp(time).ok()?;
    let seconds = u64::try_from(time.as_second()).ok()?;
    Some(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds))
}

/// Notes the SDK's next request if none is noted.
#[derive(Debug, Clone, Default)]
pub(super) struct Observer(Arc<Mutex<Seen>>);

#[derive(Default)]
struct Seen {
    next: Option<Observed>,
    /// The connections of the first request. A later one may be the continuation of a failed read, with connections
    /// that stand in for these.
    connector: Option<SharedHttpConnector>,
}

impl std::fmt::Debug for Seen {
    /// Leaves out the request, which has the session's token.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Seen").finish_non_exhaustive()
    }
}

impl Observer {
    pub(super) fn take(&self) -> Option<Observed> {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        seen.next.take()
    }
}

impl Intercept for Observer {
    fn name(&self) -> &'static str {
        "Observer"
    }

    fn read_before_transmit(
        &self,
        context: &BeforeTransmitInterceptorContextRef<'_>,
        components: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (Some(timeouts), Some(sleep), Some(clock)) = (
            config.load::<TimeoutConfig>(),
            components.sleep_impl(),
            components.time_source(),
        ) else {
            return Ok(());
        };
        let at = clock.now();
        if seen.next.as_ref().is_some_and(|next| at < next.at + KEPT) {
            return Ok(());
        }
        if seen.connector.is_none() {
            let mut settings = HttpConnectorSettings::builder();
            settings.set_connect_timeout(timeouts.connect_timeout());
            settings.set_read_timeout(timeouts.read_timeout());
            let client = components.http_client();
            seen.connector =
                client.map(|client| client.http_connector(&settings.build(), components));
        }
        let standard = config
            .load::<RetryConfig>()
            .is_some_and(|retries| retries.mode() == RetryMode::Standard);
        let guarded = config
            .load::<StalledStreamProtectionConfig>()
            .is_some_and(StalledStreamProtectionConfig::is_enabled);
        let uncorrected = config
            .load::<DisableClockSkewCorrection>()
            .is_some_and(DisableClockSkewCorrection::is_disabled);
        let parts = (
            config.load::<TokenBucket>(),
            context.request().try_clone(),
            &seen.connector,
        );
        if let (Some(bucket), Some(request), Some(connector)) = parts
            && standard
            && !guarded
            && !uncorrected
        {
            seen.next = Some(Observed {
                request,
                connector: connector.clone(),
                bucket: bucket.clone(),
                timeouts: timeouts.clone(),
                sleep,
                clock,
                at,
            });
        }
        Ok(())
    }
}

/// The text of a signed time, `ahead` ms later than `now`.
pub(super) fn signing_stamp(now: SystemTime, ahead: i64) -> Option<String> {
    let by = Duration::from_millis(ahead.unsigned_abs());
    stamp(if ahead < 0 { now - by } else { now + by })
}
