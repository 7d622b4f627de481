//! How a function starts: what each `main` puts together from the environment, and how it serves events.

use aws_config::SdkConfig;
use jiff::Timestamp;
use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::aws::aws_config;
use crate::config::{ConfigError, Tables, require};
use crate::mail::{Console, Mailer, Notifier};
use crate::schedule::until;
use crate::store::{Store, Vault};
use crate::telemetry;

/// A function that starts: logging is on, and AWS can be called.
#[derive(Debug)]
pub struct Start {
    aws: SdkConfig,
}

impl Start {
    /// Starts logging for a function (its crate's name, `module_path!()` in `main`) and reads AWS's configuration.
    pub async fn new(function: &'static str) -> Self {
        telemetry::init(function);
        Self {
            aws: aws_config().await,
        }
    }

    /// AWS's configuration, for clients of the function's own.
    pub fn aws(&self) -> &SdkConfig {
        &self.aws
    }

    /// The tables.
    ///
    /// # Errors
    /// When a variable of [`Tables`] is missing or wrong.
    pub fn store(&self) -> Result<Store, ConfigError> {
        Ok(Store::new(&self.aws, Tables::from_env()?))
    }

    /// The key `SECRETS_KEY_ID`, which seals secrets.
    ///
    /// # Errors
    /// When the variable is missing.
    pub fn vault(&self) -> Result<Vault, ConfigError> {
        Ok(Vault::new(&self.aws, require("SECRETS_KEY_ID")?))
    }

    /// What mails, from `MAIL_FROM` by the configuration set `MAIL_CONFIGURATION_SET`, with links to the API tokens
    /// page at `CONSOLE_URL`.
    ///
    /// # Errors
    /// When a variable is missing.
    pub fn notifier(&self) -> Result<Notifier<Mailer>, ConfigError> {
        let console = Console::new(require("CONSOLE_URL")?);
        let (from, set) = (require("MAIL_FROM")?, require("MAIL_CONFIGURATION_SET")?);
        Ok(Notifier::new(Mailer::new(&self.aws, from, set), console))
    }
}

/// Serves events that aren't HTTP requests. The handler gets the event, and until when it may begin something.
///
/// # Errors
/// When the Lambda runtime can't be reached.
pub async fn serve_events<E, A, X, F>(handler: impl Fn(E, Timestamp) -> F) -> Result<(), Error>
where
    E: DeserializeOwned,
    A: Serialize,
    Error: From<X>,
    F: Future<Output = Result<A, X>>,
{
    let handler = &handler;
    run(service_fn(|event: LambdaEvent<E>| async move {
        let until = until(event.context.deadline);
        // On the heap, or the types of the futures within each other become too deep for the compiler.
        let answer = Box::pin(handler(event.payload, until));
        answer.await.map_err(Error::from)
    }))
    .await
}
