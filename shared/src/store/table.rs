//! The two tables, and the parts that all requests share.

use std::collections::HashMap;
use std::time::Duration;

use aws_config::SdkConfig;
use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::get_item::GetItemOutput;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{AttributeValue, CancellationReason, TransactWriteItem};
use aws_sdk_dynamodb::{Client, Config};
use serde::de::DeserializeOwned;

use super::lean::{First, Lean, Read};
use super::memory::Memory;
use super::user_agent::UserAgent;
use crate::app::measure::{Measure, count};
use crate::aws::{cause, port_error};
use crate::config::Tables;
use crate::domain::budget::Budgets;
use crate::domain::entropy::Entropy;
use crate::ports::{Cause, PortError};
use crate::system::System;

pub(super) type Item = HashMap<String, AttributeValue>;

/// The client of the two tables.
#[derive(Debug, Clone)]
pub struct Store {
    pub(super) client: Client,
    /// The first attempts of the client's reads of items.
    pub(super) lean: Lean,
    pub(super) tables: Tables,
    pub(super) memory: Memory,
    /// The budgets; `None` in functions that count nothing.
    pub(super) budgets: Option<Budgets>,
}

impl Store {
    /// A store on the given tables.
    pub fn new(config: &SdkConfig, tables: Tables) -> Self {
        // The endpoint of a table that is named by its ARN may depend on the request.
        let named = !tables.tokens.contains(':');
        let credentials = config.credentials_provider().filter(|_| named);
        let (lean, observer) = Lean::new(credentials);
        let config = Config::from(config).to_builder();
        let config = config.interceptor(UserAgent).interceptor(observer);
        Self {
            client: Client::from_conf(config.build()),
            lean,
            tables,
            memory: Memory::default(),
            budgets: None,
        }
    }

    /// Opens the connection by reading a key that can't exist, so that the first request needn't wait for it. Later
    /// reads are sent like this one.
    ///
    /// # Errors
    /// The table can't be read.
    pub async fn warm(&self) -> Result<(), PortError> {
        self.get_item(key("SECRET#warm", "SECRET")).await?;
        self.lean.learn().await;
        Ok(())
    }

    /// Reads an item with strong consistency.
    pub(super) async fn get_item(&self, key: Item) -> Result<Option<Item>, PortError> {
        let read = self
            .client
            .get_item()
            .table_name(&self.tables.tokens)
            .set_key(Some(key))
            .consistent_read(true);
        let input = built(read.as_input().clone().build())?;
        let output = match self.lean.first(Read::Item, input).await {
            First::Answer(output) => output,
            // Boxed: hardly any read comes here, and it would make the future of each larger.
            First::Unsent => Box::pin(read.send()).await.map_err(port_error)?,
            First::Failed(config) => {
                let read = read.customize().config_override(*config);
                Box::pin(read.send()).await.map_err(port_error)?
            }
        };
        let output: GetItemOutput = output;
        Ok(output.item)
    }

    /// Writes everything or nothing.
    ///
    /// A conflict with another transaction on the same item is retried a few times, since the other transaction may be
    /// about something else (two tokens of one account). A condition that doesn't hold isn't retried.
    pub(super) async fn transact(&self, writes: Vec<TransactWriteItem>) -> Result<(), PortError> {
        Ok(self.transact_patiently(writes).await?)
    }

    /// Does the same, and says why the transaction was cancelled.
    pub(super) async fn transact_patiently(
        &self,
        writes: Vec<TransactWriteItem>,
    ) -> Result<(), Cancellation> {
        for longest in [40, 80, 160, 320].map(Duration::from_millis) {
            match self.transact_once(writes.clone()).await {
                Err(Cancellation::Collision) => {
                    count(Measure::Retried, 1);
                    let pause = part_of(longest).map_err(Cancellation::Other)?;
                    tokio::time::sleep(pause).await;
                }
                done => return done,
            }
        }
        self.transact_once(writes).await
    }

    /// Writes everything or nothing, in one attempt.
    pub(super) async fn transact_once(
        &self,
        writes: Vec<TransactWriteItem>,
    ) -> Result<(), Cancellation> {
        let sent = self
            .client
            .transact_write_items()
            .set_transact_items(Some(writes))
            .send()
            .await;
        sent.map(drop).map_err(cancellation)
    }
}

/// A random part of a pause. Transactions that collided would collide again if they came back at the same time.
fn part_of(longest: Duration) -> Result<Duration, PortError> {
    let mut part = [0; 2];
    System.fill(&mut part)?;
    Ok(longest * u32::from(u16::from_le_bytes(part)) / (1 << 16))
}

/// Why a transaction was cancelled.
pub(super) enum Cancellation {
    /// A condition doesn't hold.
    Condition,
    /// Another transaction was in progress on one of the items.
    Collision,
    /// An item's partition has no capacity left at the moment.
    Throttled(Cause),
    /// Any other error.
    Other(PortError),
}

impl From<Cancellation> for PortError {
    fn from(cancellation: Cancellation) -> Self {
        match cancellation {
            Cancellation::Condition | Cancellation::Collision => Self::Conflict,
            Cancellation::Throttled(cause) => Self::Unavailable(cause),
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
        Cancellation::Throttled(cause(error))
    } else {
        Cancellation::Other(port_error(error))
    }
}

pub(super) fn text(value: impl Into<String>) -> AttributeValue {
    AttributeValue::S(value.into())
}

pub(super) fn key(pk: impl Into<String>, sk: impl Into<String>) -> Item {
    HashMap::from([("pk".into(), text(pk)), ("sk".into(), text(sk))])
}

/// Parses an item. An item that doesn't parse is an error and is never skipped.
pub(super) fn parse<T: DeserializeOwned>(item: Item) -> Result<T, PortError> {
    serde_dynamo::from_item(item).map_err(|error| PortError::broken("an item doesn't parse", error))
}

pub(super) fn built<T>(
    built: Result<T, aws_sdk_dynamodb::error::BuildError>,
) -> Result<T, PortError> {
    built.map_err(|error| PortError::broken("a request doesn't build", error))
}
