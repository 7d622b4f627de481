//! What all AWS clients share: configuration, timeouts, and the translation of errors.

use std::any::type_name;
use std::error::Error;
use std::fmt;
use std::iter::successors;
use std::time::Duration;

use aws_config::environment::EnvironmentVariableCredentialsProvider;
use aws_config::retry::RetryConfig;
use aws_config::stalled_stream_protection::StalledStreamProtectionConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{ConfigLoader, SdkConfig};
use aws_runtime::retries::classifiers::{THROTTLING_ERRORS, TRANSIENT_ERRORS};
use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_dynamodb::operation::RequestId;

use crate::ports::{Cause, PortError};

/// The longest duration of an AWS operation, including retries. It is below the timeout of every function. An
/// unreachable service therefore causes an error response that the caller can retry, and not a killed sandbox.
pub const OPERATION_TIMEOUT: Duration = Duration::from_secs(5);

/// Returns a loader of AWS configuration with timeouts and retries, and with credentials from wherever the SDK finds
/// them: profiles, containers, instances.
pub fn aws_defaults() -> ConfigLoader {
    aws_config::defaults(aws_config::BehaviorVersion::v2026_01_12())
        .timeout_config(timeouts())
        // This protection watches streams. Latchkey's responses are short, and the timeouts end those that don't
        // arrive.
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
        .retry_config(retries())
}

/// Returns the timeouts of all operations but the sending of mails.
pub fn timeouts() -> TimeoutConfig {
    TimeoutConfig::builder()
        .connect_timeout(Duration::from_secs(1))
        .operation_attempt_timeout(Duration::from_secs(2))
        .operation_timeout(OPERATION_TIMEOUT)
        .build()
}

/// Returns how often all operations but the sending of mails are attempted.
pub fn retries() -> RetryConfig {
    RetryConfig::standard().with_max_attempts(3)
}

/// Returns the AWS configuration of a function: credentials and region from its environment variables, where Lambda
/// puts the role's credentials. The chain of all other sources would take longer to build than everything else in a
/// cold start.
pub async fn aws_config() -> SdkConfig {
    let credentials = EnvironmentVariableCredentialsProvider::new();
    aws_defaults()
        .credentials_provider(credentials)
        .load()
        .await
}

/// Translates an SDK error: [`PortError::Unavailable`] if a retry may succeed, otherwise [`PortError::Broken`].
pub fn port_error<E>(error: SdkError<E>) -> PortError
where
    E: ProvideErrorMetadata + Error + Send + Sync + 'static,
{
    let retryable = match &error {
        SdkError::TimeoutError(_) | SdkError::DispatchFailure(_) | SdkError::ResponseError(_) => {
            true
        }
        SdkError::ServiceError(service) => match service.err().code() {
            Some("ConditionalCheckFailedException" | "TransactionConflictException") => {
                return PortError::Conflict;
            }
            Some(code) if is_retryable(code) => true,
            // If a proxy answers instead of the service, there is none of the service's codes.
            _ => service.raw().status().is_server_error(),
        },
        _ => false,
    };
    let cause = cause(error);
    if retryable {
        PortError::Unavailable(cause)
    } else {
        PortError::Broken(cause)
    }
}

/// An SDK error, as the source of a [`PortError`]. Its text is a reason, which is the same for all errors of that kind,
/// and in parentheses what differs from one to the next: `kms:Decrypt DisabledException (… is disabled; request …)`.
pub fn cause<E>(error: SdkError<E>) -> Cause
where
    E: ProvideErrorMetadata + Error + Send + Sync + 'static,
{
    Box::new(AwsError {
        text: text(&error),
        error,
    })
}

fn text<E: ProvideErrorMetadata + Error + 'static>(error: &SdkError<E>) -> String {
    let call = call::<E>();
    let Some(service) = error.as_service_error() else {
        let causes = successors(error.source(), |&cause| cause.source());
        let causes: Vec<_> = causes.map(ToString::to_string).collect();
        return format!("{call} {error} ({})", causes.join(": "));
    };
    let status = || error.raw_response().map(|raw| raw.status().as_u16());
    let reason = match service.code() {
        Some(code) => code.to_owned(),
        None => format!("status {}", status().unwrap_or_default()),
    };
    let message = service.message().unwrap_or("no message");
    let request = error.request_id().unwrap_or("without an id");
    format!("{call} {reason} ({message}; request {request})")
}

/// The name of the operation that has this error, as IAM has it: `kms:Decrypt`. The SDK's types are named
/// `aws_sdk_kms::operation::decrypt::DecryptError`.
fn call<E>() -> String {
    let path = type_name::<E>();
    let service = path.strip_prefix("aws_sdk_").unwrap_or(path);
    let service = service.split("::").next().unwrap_or_default();
    let operation = path.rsplit("::").next().unwrap_or_default();
    let operation = operation.strip_suffix("Error").unwrap_or(operation);
    format!("{service}:{operation}")
}

/// An SDK error with a text for the log. The SDK's own only names the kind of error.
#[derive(Debug)]
struct AwsError<E> {
    text: String,
    error: SdkError<E>,
}

impl<E> fmt::Display for AwsError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl<E: Error + 'static> Error for AwsError<E> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.error)
    }
}

/// Whether a call that was refused with this error code may succeed later: whatever the SDK tries again, and what isn't
/// over by its next attempt.
fn is_retryable(code: &str) -> bool {
    [THROTTLING_ERRORS, TRANSIENT_ERRORS, LATER]
        .iter()
        .any(|codes| codes.contains(&code))
}

/// The error codes of DynamoDB, KMS, SES and SQS after which a later call may succeed, beside the SDK's own. A key that
/// is disabled, or is to be deleted, may be enabled again.
const LATER: &[&str] = &[
    "DependencyTimeoutException",
    "DisabledException",
    "InternalFailure",
    "InternalServerError",
    "KMSInternalException",
    "KMSInvalidStateException",
    "KeyUnavailableException",
    "KmsThrottled",
    "ServiceUnavailable",
];
