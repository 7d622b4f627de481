//! The addresses to which no more mail is sent. They are stored as hashes, since their owners want no mail and the
//! table needn't list them.

use aws_sdk_dynamodb::types::{AttributeValue, ReturnValue};
use jiff::{SignedDuration, Timestamp};
use sha2::{Digest as _, Sha256};

use super::items::expiry;
use super::table::{Item, Store, key, text};
use crate::aws::port_error;
use crate::domain::mailing::{Suppression, SuppressionReason};
use crate::ports::{GetSuppression, PortError, SuppressAddress};

/// How long an address stays marked after it was last marked.
const LIFETIME: SignedDuration = SignedDuration::from_hours(400 * 24);

/// The key of an address in lower case. In practice, mail servers ignore the case of the part before the `@` too.
fn address_key(address: &str) -> Item {
    let digest = hex::encode(Sha256::digest(address.trim().to_lowercase()));
    key(format!("ADDRESS#{digest}"), "MARK")
}

fn seconds(instant: Timestamp) -> AttributeValue {
    AttributeValue::N(instant.as_second().to_string())
}

fn mark(item: &Item) -> Result<Suppression, PortError> {
    let why = item.get("reason").and_then(|why| why.as_s().ok());
    let why = why.and_then(|why| SuppressionReason::parse(why));
    let since = item.get("markedAt").and_then(|at| at.as_n().ok());
    let since = since.and_then(|at| Timestamp::from_second(at.parse().ok()?).ok());
    let unclear = || PortError::Broken("a mark doesn't say why and since when".into());
    why.zip(since)
        .map(|(why, since)| Suppression { why, since })
        .ok_or_else(unclear)
}

impl SuppressAddress for Store {
    async fn suppress_address(
        &self,
        address: &str,
        why: SuppressionReason,
        now: Timestamp,
    ) -> Result<Timestamp, PortError> {
        let end = now.checked_add(LIFETIME).unwrap_or(Timestamp::MAX);
        let output = self
            .client
            .update_item()
            .table_name(&self.tables.tokens)
            .set_key(Some(address_key(address)))
            .update_expression(
                "SET #why = :why, markedAt = if_not_exists(markedAt, :now), expiresAt = :end",
            )
            .expression_attribute_names("#why", "reason")
            .expression_attribute_values(":why", text(why.as_str()))
            .expression_attribute_values(":now", seconds(now))
            .expression_attribute_values(":end", AttributeValue::N(expiry(end).to_string()))
            .return_values(ReturnValue::AllNew)
            .send()
            .await
            .map_err(port_error)?;
        Ok(mark(&output.attributes.unwrap_or_default())?.since)
    }
}

impl GetSuppression for Store {
    async fn get_suppression(&self, address: &str) -> Result<Option<Suppression>, PortError> {
        let item = self.get_item(address_key(address)).await?;
        item.as_ref().map(mark).transpose()
    }
}
