//! The markers of claimed and sent mails, so that a retry doesn't send a mail twice.

use aws_sdk_dynamodb::error::ProvideErrorMetadata;
use aws_sdk_dynamodb::types::AttributeValue;
use jiff::{SignedDuration, Timestamp};

use super::items::expiry;
use super::mark::{Mark, WRITTEN_BY};
use super::table::{Store, key, text};
use crate::aws::port_error;
use crate::domain::id::UserId;
use crate::domain::redelivery::MARK_LIFETIME;
use crate::ports::{Claim, ClaimMail, PortError};

/// How long a claim lasts before it lapses. It is longer than the function's timeout.
const LEASE: SignedDuration = SignedDuration::from_mins(2);

fn marker(audit: &str, recipient: &UserId) -> super::table::Item {
    key(format!("MAIL#{audit}"), format!("USER#{recipient}"))
}

fn end(now: Timestamp) -> AttributeValue {
    AttributeValue::N(expiry(now.checked_add(MARK_LIFETIME).unwrap_or(Timestamp::MAX)).to_string())
}

impl ClaimMail for Store {
    async fn claim_mail(
        &self,
        audit: &str,
        recipient: &UserId,
        now: Timestamp,
    ) -> Result<Claim, PortError> {
        let abandoned = now.checked_sub(LEASE).unwrap_or(Timestamp::MIN);
        let mark = Mark::new()?;
        let mut item = marker(audit, recipient);
        item.insert("state".into(), text("sending"));
        item.insert(WRITTEN_BY.into(), mark.value());
        item.insert(
            "claimedAt".into(),
            AttributeValue::N(now.as_millisecond().to_string()),
        );
        item.insert("expiresAt".into(), end(now));
        let put = self
            .client
            .put_item()
            .table_name(&self.tables.tokens)
            .set_item(Some(item))
            .condition_expression(
                "attribute_not_exists(pk) OR (#state = :sending AND claimedAt < :abandoned)",
            )
            .expression_attribute_names("#state", "state")
            .expression_attribute_values(":sending", text("sending"))
            .expression_attribute_values(
                ":abandoned",
                AttributeValue::N(abandoned.as_millisecond().to_string()),
            )
            .send()
            .await;
        match put {
            Ok(_) => Ok(Claim::Granted),
            Err(error) if error.code() == Some("ConditionalCheckFailedException") => {
                let held = self.get_item(marker(audit, recipient)).await?;
                if mark.is_on(held.as_ref()) {
                    // An earlier attempt got the claim, but its answer was lost.
                    return Ok(Claim::Granted);
                }
                let sent = held.is_some_and(|item| item.get("state") == Some(&text("sent")));
                Ok(if sent { Claim::Sent } else { Claim::Held })
            }
            Err(error) => Err(port_error(error)),
        }
    }

    async fn confirm_mail(
        &self,
        audit: &str,
        recipient: &UserId,
        now: Timestamp,
    ) -> Result<(), PortError> {
        let mut item = marker(audit, recipient);
        item.insert("state".into(), text("sent"));
        item.insert("expiresAt".into(), end(now));
        self.client
            .put_item()
            .table_name(&self.tables.tokens)
            .set_item(Some(item))
            .send()
            .await
            .map(drop)
            .map_err(port_error)
    }

    async fn release_mail(&self, audit: &str, recipient: &UserId) -> Result<(), PortError> {
        self.client
            .delete_item()
            .table_name(&self.tables.tokens)
            .set_key(Some(marker(audit, recipient)))
            .send()
            .await
            .map(drop)
            .map_err(port_error)
    }
}
