//! What the watch of the trail has told.

use aws_sdk_dynamodb::types::AttributeValue;
use jiff::Timestamp;

use super::table::{Store, key};
use crate::aws::port_error;
use crate::ports::{NoteFinding, PortError};

fn finding_key(event: &str) -> super::table::Item {
    key(format!("FINDING#{event}"), "FINDING")
}

impl NoteFinding for Store {
    async fn is_noted(&self, event: &str) -> Result<bool, PortError> {
        Ok(self.get_item(finding_key(event)).await?.is_some())
    }

    async fn note_finding(&self, event: &str, until: Timestamp) -> Result<(), PortError> {
        let mut item = finding_key(event);
        let expires = AttributeValue::N(until.as_second().to_string());
        item.insert("expiresAt".into(), expires);
        let put = self.client.put_item().table_name(&self.tables.tokens);
        // It says the same however often it is written.
        let sent = put.set_item(Some(item)).send().await;
        sent.map(drop).map_err(port_error)
    }
}
