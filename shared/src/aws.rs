//! What all clients of AWS have in common: where their configuration comes from, how long they wait, and what
//! becomes of their errors.

use std::fmt;
use std::time::Duration;

use aws_config::environment::EnvironmentVariableCredentialsProvider;
use aws_config::retry::RetryConfig;
use aws_config::stalled_stream_protection::StalledStreamProtectionConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{ConfigLoader, SdkConfig};
use aws_sdk_dynamodb::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};

use crate::ports::{Cause, PortError};

/// The longest that an operation of AWS takes, with its retries. It is below the timeout of every
/// function, so that an unreachable service becomes an answer that can be retried and not a killed
/// sandbox.
pub const OPERATION_TIMEOUT: Duration = Duration::from_secs(5);

/// How AWS is called, with credentials from wherever the SDK finds them: profiles, containers, instances.
pub fn aws_defaults() -> ConfigLoader {
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(Duration::from_secs(1))
        .operation_attempt_timeout(Duration::from_secs(2))
        .operation_timeout(OPERATION_TIMEOUT)
        .build();
    aws_config::defaults(aws_config::BehaviorVersion::v2026_01_12())
        .timeout_config(timeouts)
        // It watches streams. Our answers are short, and the timeouts end what doesn't come.
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
        .retry_config(RetryConfig::standard().with_max_attempts(3))
}

/// The AWS configuration of every function: credentials and region of its environment, and of nothing
/// else. Lambda hands the role's credentials over there, and to build the chain of all other places
/// takes longer than the rest of this, on every cold start.
pub async fn aws_config() -> SdkConfig {
    let credentials = EnvironmentVariableCredentialsProvider::new();
    aws_defaults()
        .credentials_provider(credentials)
        .load()
        .await
}

/// Sorts an SDK error into those worth a retry and those not.
pub fn port_error<E>(error: SdkError<E>) -> PortError
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
{
    let retryable = match &error {
        SdkError::TimeoutError(_) | SdkError::DispatchFailure(_) | SdkError::ResponseError(_) => {
            true
        }
        SdkError::ServiceError(service) => match service.err().code() {
            Some("ConditionalCheckFailedException" | "TransactionConflictException") => {
                return PortError::Conflict;
            }
            Some(code) if RETRYABLE.contains(&code) => true,
            // Whatever answers in the service's place, a proxy say, knows none of its codes.
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

/// An SDK error as the cause of one of ours.
pub fn cause<E: std::error::Error + Send + Sync + 'static>(error: SdkError<E>) -> Cause {
    Box::new(AwsError(error))
}

/// An SDK error that tells all that the SDK knows: by itself, it says no more than that there was one.
#[derive(Debug)]
struct AwsError<E>(SdkError<E>);

impl<E: std::error::Error + 'static> fmt::Display for AwsError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        DisplayErrorContext(&self.0).fmt(f)
    }
}

impl<E: std::error::Error + 'static> std::error::Error for AwsError<E> {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.0)
    }
}

/// The error codes by which DynamoDB, KMS and SES say "later".
const RETRYABLE: [&str; 14] = [
    "InternalFailure",
    "InternalServerError",
    "KMSInternalException",
    "DependencyTimeoutException",
    "KeyUnavailableException",
    "LimitExceededException",
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "ServiceUnavailable",
    "SlowDown",
    "ThrottlingException",
    "Throttling",
    "TooManyRequestsException",
    "TransactionInProgressException",
];
