//! The held mails: the entries of each digest, in one partition per recipient, and a list of pending digests, so that
//! no partition has to be scanned.

use aws_sdk_dynamodb::types::AttributeValue;
use jiff::{SignedDuration, Timestamp};

use super::items::{expiry, to_item};
use super::paging::read_all;
use super::table::{Item, Store, key, parse, text};
use crate::aws::port_error;
use crate::domain::mailing::{Digest, DigestEntry, DigestPeriod};
use crate::ports::{AddToDigest, ListDigests, PortError};

/// How long held mails are kept. It is longer than the retries of a failing digest can take.
const LIFETIME: SignedDuration = SignedDuration::from_hours(15 * 24);

/// The partition of pending digests. There is at most one an hour and one a day for each recipient, so one partition
/// suffices.
const PENDING: &str = "DIGESTS";

/// The end of a day's key in that list.
const DAY: &str = "day";

/// The sort key in the list of pending digests. It starts with the period's last hour, so that a digest is found when
/// that hour is over.
fn pending_key(digest: &Digest) -> String {
    let hour = digest.period.last_hour();
    let key = format!("{hour}#{}#{}", digest.account_id, digest.user_id);
    match digest.period {
        DigestPeriod::Hour(_) => key,
        DigestPeriod::Day(_) => format!("{key}#{DAY}"),
    }
}

/// The digest of a sort key of the list. No part of the key contains a `#`.
fn digest_of_key(key: &str) -> Option<Digest> {
    let mut parts = key.split('#');
    let hour: Timestamp = parts.next()?.parse().ok()?;
    let account_id = parts.next()?.parse().ok()?;
    let user_id = parts.next()?.parse().ok()?;
    let period = match (parts.next(), parts.next()) {
        (None, _) => DigestPeriod::Hour(hour),
        (Some(DAY), None) => DigestPeriod::day_of(hour),
        _ => return None,
    };
    Some(Digest {
        account_id,
        user_id,
        period,
    })
}

/// The start of the sort keys of a digest's entries.
fn entries_prefix(digest: &Digest) -> String {
    match digest.period {
        DigestPeriod::Hour(start) => format!("{start}#"),
        DigestPeriod::Day(day) => format!("{day}#"),
    }
}

fn held_key(digest: &Digest) -> String {
    format!("DIGEST#{}#{}", digest.account_id, digest.user_id)
}

impl Store {
    async fn put_with_end(&self, mut item: Item, now: Timestamp) -> Result<(), PortError> {
        let end = now.checked_add(LIFETIME).unwrap_or(Timestamp::MAX);
        item.insert(
            "expiresAt".into(),
            AttributeValue::N(expiry(end).to_string()),
        );
        self.client
            .put_item()
            .table_name(&self.tables.tokens)
            .set_item(Some(item))
            .send()
            .await
            .map(drop)
            .map_err(port_error)
    }
}

impl AddToDigest for Store {
    async fn add_to_digest(
        &self,
        digest: &Digest,
        held: &DigestEntry,
        now: Timestamp,
    ) -> Result<(), PortError> {
        // The entry is written before the list, so that no listed digest lacks it.
        let mut item = key(
            held_key(digest),
            format!("{}{}", entries_prefix(digest), held.audit_id),
        );
        item.extend(to_item(held)?);
        self.put_with_end(item, now).await?;
        self.put_with_end(key(PENDING, pending_key(digest)), now)
            .await
    }
}

impl ListDigests for Store {
    async fn list_digests(&self, last_hour: Timestamp) -> Result<Vec<Digest>, PortError> {
        // Everything after the hour's `#` sorts before `$`.
        let end = format!("{last_hour}$");
        let query = self
            .client
            .query()
            .table_name(&self.tables.tokens)
            .key_condition_expression("pk = :pk AND sk < :end")
            .expression_attribute_values(":pk", text(PENDING))
            .expression_attribute_values(":end", text(end))
            .consistent_read(true);
        read_all(query, |item| {
            let key = item.get("sk").and_then(|sk| sk.as_s().ok());
            let digest = key.and_then(|key| digest_of_key(key));
            digest
                .ok_or_else(|| PortError::Broken("the list of digests holds something else".into()))
        })
        .await
    }

    async fn digest_entries(&self, digest: &Digest) -> Result<Vec<DigestEntry>, PortError> {
        let query = self
            .client
            .query()
            .table_name(&self.tables.tokens)
            .key_condition_expression("pk = :pk AND begins_with(sk, :period)")
            .expression_attribute_values(":pk", text(held_key(digest)))
            .expression_attribute_values(":period", text(entries_prefix(digest)))
            .consistent_read(true);
        read_all(query, parse).await
    }

    async fn delete_digest(&self, digest: &Digest) -> Result<(), PortError> {
        self.client
            .delete_item()
            .table_name(&self.tables.tokens)
            .set_key(Some(key(PENDING, pending_key(digest))))
            .send()
            .await
            .map(drop)
            .map_err(port_error)
    }
}
