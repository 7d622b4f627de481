//! The reads of verifications, and the records of uses.

use std::collections::HashMap;
use std::time::Duration;

use aws_sdk_dynamodb::operation::batch_get_item::BatchGetItemOutput;
use aws_sdk_dynamodb::types::builders::UpdateBuilder;
use aws_sdk_dynamodb::types::{AttributeValue, KeysAndAttributes, Update};
use jiff::Timestamp;

use super::items::{
    SECRET, SEEN, expiry, read_secret, read_seen, refusal_attribute, secret_key, seen_key,
};
use super::lean::{First, Read};
use super::table::{Cancellation, Item, Store, built, key, text};
use crate::aws::port_error;
use crate::domain::secret::SecretHash;
use crate::domain::token::StoredToken;
use crate::domain::verification::{
    MAX_SEEN_ADDRESSES, SecretRecord, Seen, Sighting, UsedFrom, tombstone_end,
};
use crate::ports::{GetSecret, PortError, Recall, RecallSecret, RecordUse, Use};

/// The maximum number of keys in one `BatchGetItem`.
const BATCH: usize = 100;

/// The pauses in milliseconds before keys are requested again that DynamoDB left unprocessed, as it does with those of a
/// partition without capacity.
const PAUSES: [u64; 5] = [10, 20, 40, 80, 160];

impl GetSecret for Store {
    async fn get_secret(&self, hash: &SecretHash) -> Result<Option<SecretRecord>, PortError> {
        let item = self.get_item(key(secret_key(*hash), SECRET)).await?;
        item.map(|item| read_secret(*hash, item)).transpose()
    }
}

impl RecallSecret for Store {
    async fn recall_secret(
        &self,
        hash: &SecretHash,
        from: UsedFrom,
        now: Timestamp,
    ) -> Result<Option<(SecretRecord, Recall)>, PortError> {
        if self.memory.knows(hash, from, now) {
            let secret = self.get_secret(hash).await?;
            return Ok(secret.map(|secret| (secret, Recall::OnRecord)));
        }
        let keys = vec![key(secret_key(*hash), SECRET), key(seen_key(*hash), SEEN)];
        let (mut secret, mut seen) = (None, Seen::default());
        for item in self.batch_get(keys, true).await? {
            if is_seen(&item) {
                seen = read_seen(item)?;
            } else {
                secret = Some(read_secret(*hash, item)?);
            }
        }
        if seen.use_of(from, now).is_none() {
            let until = seen.on_record_until(from, now);
            self.memory.remember(hash, from, until, now);
        }
        Ok(secret.map(|secret| (secret, Recall::Read(seen))))
    }

    async fn get_seen(&self, hash: &SecretHash) -> Result<Seen, PortError> {
        let keys = vec![key(seen_key(*hash), SEEN)];
        let seen = self.batch_get(keys, true).await?;
        let seen = seen.into_iter().next().map(read_seen).transpose()?;
        Ok(seen.unwrap_or_default())
    }
}

fn is_seen(item: &Item) -> bool {
    matches!(item.get("sk"), Some(AttributeValue::S(sk)) if sk == SEEN)
}

/// The pause before a use that couldn't be recorded is looked up again.
const PAUSE: Duration = Duration::from_millis(20);

impl RecordUse for Store {
    async fn record_use(&self, used: &Use) -> Result<(), PortError> {
        let writes = vec![
            self.update(sighting_of(used))?,
            self.put_audit(&used.audit)?,
        ];
        match self.transact_once(writes).await {
            // Many concurrent first uses conflict, or exhaust the item's partition. All but one of them find the use on
            // record when they look it up again.
            Err(Cancellation::Collision | Cancellation::Throttled(_)) => {
                tokio::time::sleep(PAUSE).await;
                Err(PortError::Conflict)
            }
            done => Ok(done?),
        }
    }
}

/// The attribute with the addresses of a kind.
fn addresses(from: UsedFrom) -> &'static str {
    match from {
        UsedFrom::Seen(_) => "addresses",
        UsedFrom::Asserted(_) => "assertedAddresses",
    }
}

fn number(value: impl ToString) -> AttributeValue {
    AttributeValue::N(value.to_string())
}

/// The update of the recorded uses. Of concurrent updates, one fulfils the condition; the others read again and find
/// the use on record.
fn sighting_of(used: &Use) -> UpdateBuilder {
    let mut set = vec!["expiresAt = :end".to_owned()];
    let mut rest = String::new();
    let end = expiry(tombstone_end(used.audit.time));
    let mut update = Update::builder()
        .set_key(Some(key(seen_key(used.secret), SEEN)))
        .expression_attribute_values(":end", number(end));
    if let Some(last_use) = used.last_use {
        set.push("lastUsedAt = :at, lastUsedIp = :ip, lastActivity = :second".into());
        update = update
            .expression_attribute_values(":at", text(last_use.at.to_string()))
            .expression_attribute_values(":ip", text(last_use.ip.to_string()))
            .expression_attribute_values(":second", number(last_use.at.as_second()));
    }
    let condition = match used.sighting {
        Sighting::Day(day, from) => {
            let [own, other] = match from {
                UsedFrom::Seen(_) => ["addresses", "assertedAddresses"],
                UsedFrom::Asserted(_) => ["assertedAddresses", "addresses"],
            };
            set.push(format!("#day = :day, {own} = :new"));
            rest = format!(" REMOVE {other}");
            update = update
                .expression_attribute_names("#day", "day")
                .expression_attribute_values(":day", text(day.to_string()))
                .expression_attribute_values(
                    ":new",
                    AttributeValue::Ss(vec![from.ip().to_string()]),
                );
            "attribute_not_exists(#day) OR #day < :day".to_owned()
        }
        Sighting::Address(day, from) => {
            let own = addresses(from);
            rest = format!(" ADD {own} :new");
            update = update
                .expression_attribute_names("#day", "day")
                .expression_attribute_values(":day", text(day.to_string()))
                .expression_attribute_values(":address", text(from.ip().to_string()))
                .expression_attribute_values(
                    ":new",
                    AttributeValue::Ss(vec![from.ip().to_string()]),
                )
                .expression_attribute_values(":most", number(MAX_SEEN_ADDRESSES));
            format!(
                "#day = :day AND (attribute_not_exists({own}) OR \
                 (NOT contains({own}, :address) AND size({own}) < :most))"
            )
        }
        Sighting::Crowd(hour) => {
            set.push("crowdedHour = :hour".into());
            update = update.expression_attribute_values(":hour", number(hour));
            "attribute_not_exists(crowdedHour) OR crowdedHour < :hour".to_owned()
        }
        Sighting::Refused(refusal, days) => {
            set.push("#refused = :days".into());
            let map = Item::from([
                ("last".into(), text(days.last.to_string())),
                ("count".into(), number(days.count)),
            ]);
            update = update
                .expression_attribute_names("#refused", refusal_attribute(refusal))
                .expression_attribute_names("#last", "last")
                .expression_attribute_values(":days", AttributeValue::M(map))
                .expression_attribute_values(":today", text(days.last.to_string()));
            "attribute_not_exists(#refused) OR #refused.#last < :today".to_owned()
        }
    };
    update
        .update_expression(format!("SET {}{rest}", set.join(", ")))
        .condition_expression(condition)
}

impl Store {
    /// The same tokens, each with its last use: the latest of its secrets' uses and the one in the token, which may be
    /// that of an ended secret. Uses that aren't read consistently may be slightly out of date, for half the cost. A token
    /// that is then changed needs consistent ones: the change writes the last use, and may end the secret that had it.
    pub(super) async fn with_last_uses(
        &self,
        mut tokens: Vec<StoredToken>,
        consistent: bool,
    ) -> Result<Vec<StoredToken>, PortError> {
        let hashes = tokens.iter().flat_map(StoredToken::secret_hashes);
        let keys = hashes.map(|hash| key(seen_key(hash), SEEN)).collect();
        let mut uses = HashMap::new();
        for item in self.batch_get(keys, consistent).await? {
            let pk = item.get("pk").and_then(|pk| pk.as_s().ok()).cloned();
            if let Some((pk, last_use)) = pk.zip(read_seen(item)?.last_use) {
                uses.insert(pk, last_use);
            }
        }
        for stored in &mut tokens {
            let of_secrets = stored
                .secret_hashes()
                .filter_map(|hash| uses.get(&seen_key(hash)));
            let all = of_secrets.copied().chain(stored.token.last_use);
            stored.token.last_use = all.max_by_key(|last_use| last_use.at);
        }
        Ok(tokens)
    }

    /// The existing items of these keys, in no particular order. Keys that DynamoDB leaves unprocessed are requested
    /// again a few times.
    pub(super) async fn batch_get(
        &self,
        keys: Vec<Item>,
        consistent: bool,
    ) -> Result<Vec<Item>, PortError> {
        let mut found = Vec::new();
        for batch in keys.chunks(BATCH) {
            let mut wanted = Some(built(
                KeysAndAttributes::builder()
                    .set_keys(Some(batch.to_vec()))
                    .consistent_read(consistent)
                    .build(),
            )?);
            let mut pauses = PAUSES.into_iter();
            while let Some(keys) = wanted.take() {
                let output = self.batch_get_once(keys).await?;
                found.extend(output.responses.unwrap_or_default().into_values().flatten());
                wanted = output
                    .unprocessed_keys
                    .unwrap_or_default()
                    .remove(&self.tables.tokens);
                if wanted.is_some() {
                    let pause = pauses.next().map(Duration::from_millis);
                    let pause = pause.ok_or_else(|| {
                        PortError::Unavailable("keys of a batch stay unprocessed".into())
                    })?;
                    // Boxed: hardly any verification comes here, and it would make the future of each larger.
                    Box::pin(tokio::time::sleep(pause)).await;
                }
            }
        }
        Ok(found)
    }

    async fn batch_get_once(
        &self,
        keys: KeysAndAttributes,
    ) -> Result<BatchGetItemOutput, PortError> {
        let table = &self.tables.tokens;
        let read = self.client.batch_get_item().request_items(table, keys);
        let input = built(read.as_input().clone().build())?;
        // Boxed: as in `get_item`.
        let output = match self.lean.first(Read::Batch, input).await {
            First::Answer(output) => Ok(output),
            First::Unsent => Box::pin(read.send()).await,
            First::Failed(config) => {
                Box::pin(read.customize().config_override(*config).send()).await
            }
        };
        output.map_err(port_error)
    }
}
