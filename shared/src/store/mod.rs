//! The domain's ports on DynamoDB and KMS.

mod accounts;
mod audit;
mod expression;
mod items;
mod leaks;
mod mails;
mod paging;
mod platform;
mod resources;
mod secrets;
mod tokens;
mod upkeep;
mod user_agent;
mod vault;

use std::collections::HashMap;
use std::time::Duration;

use aws_config::environment::EnvironmentVariableCredentialsProvider;
use aws_config::retry::RetryConfig;
use aws_config::stalled_stream_protection::StalledStreamProtectionConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{ConfigLoader, SdkConfig};
use aws_sdk_dynamodb::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{AttributeValue, CancellationReason, TransactWriteItem};
use aws_sdk_dynamodb::{Client, Config};
use serde::de::DeserializeOwned;

use crate::config::Tables;
use crate::domain::ports::PortError;

pub use audit::audit_record;
pub use tokens::token_of_image;
pub use vault::Vault;

type Item = HashMap<String, AttributeValue>;

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

/// The two tables.
#[derive(Debug, Clone)]
pub struct Store {
    client: Client,
    tables: Tables,
}

impl Store {
    /// A store on the given tables.
    pub fn new(config: &SdkConfig, tables: Tables) -> Self {
        let config = Config::from(config).to_builder();
        let config = config.interceptor(user_agent::UserAgent).build();
        Self {
            client: Client::from_conf(config),
            tables,
        }
    }

    /// Opens the connection by reading a key that can't exist, so that the first request doesn't pay
    /// for it.
    ///
    /// # Errors
    /// When the table can't be read.
    pub async fn warm(&self) -> Result<(), PortError> {
        self.get_item(key("SECRET#warm", "SECRET")).await.map(drop)
    }

    /// One strongly consistent read.
    async fn get_item(&self, key: Item) -> Result<Option<Item>, PortError> {
        let output = self
            .client
            .get_item()
            .table_name(&self.tables.tokens)
            .set_key(Some(key))
            .consistent_read(true)
            .send()
            .await
            .map_err(port_error)?;
        Ok(output.item)
    }

    /// Writes all or nothing.
    ///
    /// A collision with another transaction on the same item is tried again a few times: that one may
    /// be about something else (two tokens of one account). A condition that doesn't hold isn't.
    async fn transact(&self, writes: Vec<TransactWriteItem>) -> Result<(), PortError> {
        for pause in [20, 40, 80].map(Duration::from_millis) {
            match self.transact_once(writes.clone()).await {
                Err(Cancellation::Collision) => tokio::time::sleep(pause).await,
                done => return Ok(done?),
            }
        }
        Ok(self.transact_once(writes).await?)
    }

    /// Writes all or nothing, or says why not.
    async fn transact_once(&self, writes: Vec<TransactWriteItem>) -> Result<(), Cancellation> {
        let sent = self
            .client
            .transact_write_items()
            .set_transact_items(Some(writes))
            .send()
            .await;
        sent.map(drop).map_err(cancellation)
    }
}

/// Why a transaction wrote nothing.
enum Cancellation {
    /// A condition doesn't hold.
    Condition,
    /// Another transaction was at one of the items.
    Collision,
    /// An item's partition has no capacity left at the moment.
    Throttled(String),
    /// Anything else.
    Other(PortError),
}

impl From<Cancellation> for PortError {
    fn from(cancellation: Cancellation) -> Self {
        match cancellation {
            Cancellation::Condition | Cancellation::Collision => Self::Conflict,
            Cancellation::Throttled(text) => Self::Unavailable(text),
            Cancellation::Other(error) => error,
        }
    }
}

fn cancellation(error: SdkError<TransactWriteItemsError>) -> Cancellation {
    let Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) =
        error.as_service_error()
    else {
        return Cancellation::Other(port_error(error));
    };
    let codes: Vec<_> = cancelled
        .cancellation_reasons()
        .iter()
        .filter_map(CancellationReason::code)
        .collect();
    let any = |code: &str| codes.contains(&code);
    if any("ConditionalCheckFailed") {
        Cancellation::Condition
    } else if any("TransactionConflict") {
        Cancellation::Collision
    } else if any("ThrottlingError") || any("ProvisionedThroughputExceeded") {
        Cancellation::Throttled(DisplayErrorContext(error).to_string())
    } else {
        Cancellation::Other(port_error(error))
    }
}

/// Sorts an SDK error into those worth a retry and those not.
pub(crate) fn port_error<E>(error: SdkError<E>) -> PortError
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
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
    let text = DisplayErrorContext(error).to_string();
    if retryable {
        PortError::Unavailable(text)
    } else {
        PortError::Broken(text)
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

fn text(value: impl Into<String>) -> AttributeValue {
    AttributeValue::S(value.into())
}

fn key(pk: impl Into<String>, sk: impl Into<String>) -> Item {
    HashMap::from([("pk".into(), text(pk)), ("sk".into(), text(sk))])
}

/// Reads an item; one that doesn't parse is an error, never left out.
fn parse<T: DeserializeOwned>(item: Item) -> Result<T, PortError> {
    serde_dynamo::from_item(item)
        .map_err(|error| PortError::Broken(format!("an item doesn't parse: {error}")))
}

fn built<T>(built: Result<T, aws_sdk_dynamodb::error::BuildError>) -> Result<T, PortError> {
    built.map_err(|error| PortError::Broken(format!("a request doesn't build: {error}")))
}

#[cfg(test)]
mod tests;
