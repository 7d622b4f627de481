//! The start of a function: builds its clients from the environment, and serves its events.

use aws_config::SdkConfig;
use jiff::Timestamp;
use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;

use crate::aws::aws_config;
use crate::config::{ConfigError, Tables, brand, require};
use crate::mail::{Console, Mailer, Notifier};
use crate::schedule::until;
use crate::store::{Store, Vault};
use crate::telemetry;

/// A started function: logging is on, and AWS is configured.
#[derive(Debug)]
pub struct Start {
    aws: SdkConfig,
}

impl Start {
    /// Starts logging and reads the AWS configuration. `function` is the crate's name: `module_path!()` in `main`.
    pub async fn new(function: &'static str) -> Self {
        telemetry::init(function);
        Self {
            aws: aws_config().await,
        }
    }

    /// Returns the AWS configuration, for the function's own clients.
    pub fn aws(&self) -> &SdkConfig {
        &self.aws
    }

    /// Returns the store of the tables.
    ///
    /// # Errors
    /// When a variable of [`Tables`] is missing or invalid.
    pub fn store(&self) -> Result<Store, ConfigError> {
        Ok(Store::new(&self.aws, Tables::from_env()?))
    }

    /// Returns the vault that encrypts secrets with the KMS key in `SECRETS_KEY_ID`.
    ///
    /// # Errors
    /// When the variable is missing.
    pub fn vault(&self) -> Result<Vault, ConfigError> {
        Ok(Vault::new(&self.aws, require("SECRETS_KEY_ID")?))
    }

    /// Returns the notifier. It sends mails from `MAIL_FROM` with the configuration set `MAIL_CONFIGURATION_SET`, with
    /// links to the API tokens page at `CONSOLE_URL`, and with the [`brand`].
    ///
    /// # Errors
    /// When a variable is missing or invalid.
    pub fn notifier(&self) -> Result<Notifier<Mailer>, ConfigError> {
        let console = Console::new(require("CONSOLE_URL")?);
        let (from, set) = (require("MAIL_FROM")?, require("MAIL_CONFIGURATION_SET")?);
        let brand = brand()?;
        let mailer = Mailer::new(&self.aws, from, set).branded(&brand);
        Ok(Notifier::new(mailer, console, brand))
    }
}

/// Serves events that aren't HTTP requests. The handler receives the event and the time until which it may start new
/// work.
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
    run(service_fn(|event: LambdaEvent<Unquoted<E>>| async move {
        let until = until(event.context.deadline);
        handler(event.payload.0, until).await.map_err(Error::from)
    }))
    .await
}

/// An event that, if it doesn't parse, isn't quoted. The runtime logs the error and answers with it, and serde's errors
/// have values of the event: somebody's secret may be one.
struct Unquoted<E>(E);

impl<'de, E: DeserializeOwned> Deserialize<'de> for Unquoted<E> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // First as a text: the runtime also notes the names of the members on the way to the failure.
        let event = Box::<RawValue>::deserialize(deserializer)?;
        serde_json::from_str(event.get())
            .map(Self)
            .map_err(|error| {
                let (line, column) = (error.line(), error.column());
                D::Error::custom(format!(
                    "the event does not have the expected form: line {line}, column {column}"
                ))
            })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    #[derive(Debug, Deserialize)]
    struct Event {
        #[expect(dead_code, reason = "only whether it parses matters")]
        tags: HashMap<String, Vec<u8>>,
    }

    fn parsed(event: &str) -> Result<Event, serde_json::Error> {
        serde_json::from_str::<Unquoted<Event>>(event).map(|event| event.0)
    }

    #[test]
    fn an_event_that_does_not_parse_is_not_quoted() {
        parsed(r#"{"tags": {"a": [1, 2]}}"#).unwrap();
        for event in [
            r#""lka_secret""#,
            r#"{"tags": "lka_secret"}"#,
            r#"{"tags": {"lka_secret": "lka_secret"}}"#,
            r#"{"tags": {"lka_secret": ["lka_secret"]}}"#,
            r#"{"lka_secret": {}}"#,
        ] {
            let error = parsed(event).unwrap_err();
            for text in [error.to_string(), format!("{error:?}")] {
                assert!(text.contains("the expected form"), "{text}");
                assert!(!text.contains("secret"), "{text}");
            }
        }
    }
}
