//! The audit log. Records are put and never changed.

use std::collections::{BTreeSet, HashMap};

use aws_sdk_dynamodb::error::ProvideErrorMetadata;
use aws_sdk_dynamodb::types::{Put, TransactWriteItem};
use futures_util::future::try_join;
use jiff::Timestamp;
use sha2::{Digest as _, Sha256};

use super::items::{
    AUDIT_ATTRIBUTES, AuditItem, account_key, audit_token_key, is_use, to_item, token_of_audit_key,
    use_key,
};
use super::paging::{collect, position};
use super::table::{Item, Store, built, parse, text};
use crate::aws::port_error;
use crate::domain::audit::{AuditRecord, Change};
use crate::domain::id::{AccountId, AuditId, TokenId};
use crate::domain::paging::{AuditFilter, AuditQuery, Page};
use crate::domain::text::{redact, redact_json};
use crate::ports::{ListAudit, PortError, RecordAudit};

impl ListAudit for Store {
    async fn list_audit(
        &self,
        account: &AccountId,
        query: &AuditQuery,
    ) -> Result<Page<AuditRecord, AuditId>, PortError> {
        collect(
            query.limit,
            query.filter != AuditFilter::default(),
            query.after.clone(),
            |after, limit| self.read_audit(account, query, after, limit),
            |record| record.id.clone(),
            |record| query.filter.matches(record),
        )
        .await
    }
}

impl RecordAudit for Store {
    async fn record_audit(&self, audit: &AuditRecord) -> Result<(), PortError> {
        let sent = self
            .client
            .put_item()
            .table_name(&self.tables.audit)
            .set_item(Some(self.audit_item(audit)?))
            .condition_expression("attribute_not_exists(pk)")
            .send()
            .await;
        match sent {
            Ok(_) => Ok(()),
            // Only this code means that the record exists. After a conflict of transactions, the other one may still
            // fail.
            Err(error) if error.code() == Some("ConditionalCheckFailedException") => Ok(()),
            Err(error) => Err(port_error(error)),
        }
    }
}

impl Store {
    fn audit_item(&self, record: &AuditRecord) -> Result<Item, PortError> {
        let expires = record
            .time
            .checked_add(self.tables.audit_retention)
            .unwrap_or(Timestamp::MAX);
        to_item(&AuditItem::new(record, expires))
    }

    /// The write of an audit record in a transaction. It never overwrites a record.
    pub(super) fn put_audit(&self, record: &AuditRecord) -> Result<TransactWriteItem, PortError> {
        let put = Put::builder()
            .table_name(&self.tables.audit)
            .set_item(Some(self.audit_item(record)?))
            .condition_expression("attribute_not_exists(pk)");
        Ok(TransactWriteItem::builder()
            .put(built(put.build())?)
            .build())
    }

    /// Up to `limit` records after `after`, newest first, and the position from which to continue, if there may be
    /// more.
    async fn read_audit(
        &self,
        account: &AccountId,
        query: &AuditQuery,
        after: Option<AuditId>,
        limit: usize,
    ) -> Result<(Vec<AuditRecord>, Option<AuditId>), PortError> {
        // Both the cursor and `to` are upper bounds. Ids sort by time, so the lower bound of the two counts.
        let to = query.to.map(AuditId::first_of);
        let before = match (after, to) {
            (Some(after), Some(to)) => Some(after.min(to)),
            (after, to) => after.or(to),
        };
        // `BETWEEN` includes both bounds: the cursor's own record is dropped below.
        let low = query
            .from
            .map_or_else(|| "aud_".to_owned(), |from| AuditId::first_of(from).into());
        let high = before
            .as_ref()
            .map_or_else(|| "aud_~".to_owned(), ToString::to_string);
        if low > high {
            // The range is empty. DynamoDB refuses such a query.
            return Ok((Vec::new(), None));
        }
        let range = (low.as_str(), high.as_str());
        let limit = limit.saturating_add(1);
        let (mut records, position) = match &query.token_id {
            // The index has records of both kinds. It is only eventually consistent, unlike the account's log.
            Some(token) => {
                let key = ("tokenKey", audit_token_key(account, token));
                self.query_audit(key, Some("byToken"), range, limit).await?
            }
            // The records of uses have no other actions.
            None if query.filter.action.is_some_and(|action| !is_use(action)) => {
                let key = ("pk", account_key(account));
                self.query_audit(key, None, range, limit).await?
            }
            None => {
                let changes = ("pk", account_key(account));
                let uses = ("pk", use_key(account));
                let (changes, uses) = try_join(
                    self.query_audit(changes, None, range, limit),
                    self.query_audit(uses, None, range, limit),
                )
                .await?;
                merged(changes, uses)
            }
        };
        records.retain(|record| before.as_ref() != Some(&record.id));
        Ok((records, position))
    }

    /// Up to `limit` records of one key, newest first, and the position from which to continue, if there may be more.
    async fn query_audit(
        &self,
        (name, value): (&str, String),
        index: Option<&str>,
        (low, high): (&str, &str),
        limit: usize,
    ) -> Result<Part, PortError> {
        let output = self
            .client
            .query()
            .table_name(&self.tables.audit)
            .set_index_name(index.map(Into::into))
            .key_condition_expression("#key = :key AND sk BETWEEN :low AND :high")
            .expression_attribute_names("#key", name)
            .expression_attribute_values(":key", text(value))
            .expression_attribute_values(":low", text(low))
            .expression_attribute_values(":high", text(high))
            .consistent_read(index.is_none())
            .scan_index_forward(false)
            .limit(i32::try_from(limit).unwrap_or(i32::MAX))
            .send()
            .await
            .map_err(port_error)?;
        let position = position(output.last_evaluated_key, |sort_key| sort_key.parse().ok())?;
        let records = output
            .items
            .unwrap_or_default()
            .into_iter()
            .map(|item| parse::<AuditItem>(item).map(AuditRecord::from))
            .collect::<Result<Vec<_>, _>>()?;
        Ok((records, position))
    }
}

/// Records, newest first, and the position from which to continue, if there may be more.
type Part = (Vec<AuditRecord>, Option<AuditId>);

/// Merges parts of two logs. Records beyond the end of either part are left to the next read, since the other part may
/// have more records before them.
fn merged((mut records, one): Part, (others, other): Part) -> Part {
    let position = one.max(other);
    records.extend(others);
    records.sort_by(|a, b| b.id.cmp(&a.id));
    if let Some(position) = &position {
        records.retain(|record| record.id >= *position);
    }
    (records, position)
}

/// The audit record of a stream image of the audit table.
///
/// # Errors
/// The image isn't that of an audit record.
pub fn audit_record(image: serde_dynamo::Item) -> Result<AuditRecord, PortError> {
    serde_dynamo::from_item::<_, AuditItem>(image)
        .map(AuditRecord::from)
        .map_err(|error| PortError::broken("an audit record doesn't parse", error))
}

/// Whether an item with these keys is of a form that a version of the service writes into the audit table. Somebody may
/// have put another one by hand.
pub fn is_record_key(keys: &serde_dynamo::Item) -> bool {
    let is_id = string(keys, "sk").is_some_and(|id| id.parse::<AuditId>().is_ok());
    is_id && account_of(keys).is_some()
}

/// The length to which a token's name and hint are cut, in characters. Those of ours are no longer.
const MAX_NAME: usize = 128;
const MAX_HINT: usize = 4;

/// What is told of an audit record that somebody changed or removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tampered {
    /// The account in whose log the record is or was. It is that of the key, which can't be changed.
    pub account_id: AccountId,
    /// The token; [`TokenId::unknown`] if the record names none.
    pub token_id: TokenId,
    /// The token's name.
    pub token_name: String,
    /// The token's hint.
    pub token_hint: String,
    /// The attributes that differ, with their values as text.
    pub changes: Vec<Change>,
}

impl Tampered {
    /// Compares two images of an audit record; one that was removed has no new image. Neither needs to parse: somebody
    /// may have put anything there. `None` if the key names no account.
    pub fn of(
        keys: &serde_dynamo::Item,
        old: &serde_dynamo::Item,
        new: &serde_dynamo::Item,
    ) -> Option<Self> {
        let account_id = account_of(keys)?;
        let token_id = [old, new].into_iter().find_map(|image| {
            let key =
                string(image, "tokenKey").and_then(|key| token_of_audit_key(&account_id, key));
            key.or_else(|| string(image, "tokenId")?.parse().ok())
        });
        let text = |name, most| {
            let text = [old, new].into_iter().find_map(|image| string(image, name));
            redact(text.unwrap_or("?")).chars().take(most).collect()
        };
        Some(Self {
            token_id: token_id.unwrap_or_else(TokenId::unknown),
            token_name: text("tokenName", MAX_NAME),
            token_hint: text("tokenHint", MAX_HINT),
            changes: differences(old, new),
            account_id,
        })
    }
}

/// The account of a key of the audit table.
fn account_of(keys: &serde_dynamo::Item) -> Option<AccountId> {
    let pk = string(keys, "pk")?;
    let mut kinds = ["ACCOUNT#", "USE#"].into_iter();
    kinds.find_map(|kind| pk.strip_prefix(kind)?.parse().ok())
}

fn string<'a>(item: &'a serde_dynamo::Item, name: &str) -> Option<&'a str> {
    match item.inner().get(name) {
        Some(serde_dynamo::AttributeValue::S(text)) => Some(text),
        _ => None,
    }
}

/// The size up to which a value is told whole, in bytes.
const MAX_VALUE: usize = 2_000;

/// The size up to which an attribute's name is told whole, in bytes.
const MAX_ATTRIBUTE: usize = 200;

/// How many attributes are told one by one. A record has half as many. The record that tells of them must fit into an
/// item (400 KB), although the one that was changed may have been as large.
const MOST_ATTRIBUTES: usize = 40;

/// The attributes in which two images differ, with their values as text. Those that records have come first, so that no
/// number of others hides them.
fn differences(old: &serde_dynamo::Item, new: &serde_dynamo::Item) -> Vec<Change> {
    let names: BTreeSet<_> = old.inner().keys().chain(new.inner().keys()).collect();
    let differ = |name: &&String| old.inner().get(*name) != new.inner().get(*name);
    let mut names: Vec<_> = names.into_iter().filter(differ).collect();
    names.sort_by_key(|name| !AUDIT_ATTRIBUTES.contains(&name.as_str()));
    let rest = names.split_off(names.len().min(MOST_ATTRIBUTES));
    let told = |value: Option<&serde_dynamo::AttributeValue>| value.map(told);
    let mut changes: Vec<_> = names
        .into_iter()
        .map(|name| {
            let [old, new] = [old, new].map(|image| told(image.inner().get(name)));
            Change::new(&cut(redact(name), name, MAX_ATTRIBUTE), old, new)
        })
        .collect();
    if !rest.is_empty() {
        let together = |image: &serde_dynamo::Item| {
            let values = rest.iter().filter_map(|name| {
                let value = image.inner().get(*name)?.clone();
                Some(((*name).clone(), value))
            });
            let values: HashMap<_, _> = values.collect();
            (!values.is_empty()).then_some(serde_dynamo::AttributeValue::M(values))
        };
        let [old, new] = [old, new].map(|image| told(together(image).as_ref()));
        changes.push(Change::new(&format!("{} more", rest.len()), old, new));
    }
    changes
}

/// A value as text: redacted, and cut.
fn told(value: &serde_dynamo::AttributeValue) -> String {
    match value {
        serde_dynamo::AttributeValue::S(text) => cut(redact(text), text, MAX_VALUE),
        other => match serde_json::to_value(other) {
            Ok(mut json) => {
                // In one order, so that the hash can be computed again.
                json.sort_all_objects();
                let whole = json.to_string();
                cut(redact_json(json).to_string(), &whole, MAX_VALUE)
            }
            // Nothing may keep a change from being told.
            Err(error) => error.to_string(),
        },
    }
}

/// The beginning of a text that is too long, with the size and the hash of the whole: so a copy of the table proves what
/// was cut off. The text is redacted before, since neither half of a secret may look like one.
fn cut(redacted: String, whole: &str, most: usize) -> String {
    if redacted.len() <= most {
        return redacted;
    }
    let start = redacted.get(..redacted.floor_char_boundary(most));
    let (start, size) = (start.unwrap_or_default(), whole.len());
    let hash = hex::encode(Sha256::digest(whole));
    format!("{start}… ({size} bytes, SHA-256 {hash})")
}

#[cfg(test)]
mod tests {
    use serde_dynamo::AttributeValue;

    use super::*;
    use crate::domain::action::Action;
    use crate::testing;

    #[test]
    fn what_is_older_than_the_rules_is_recorded_without_secrets() {
        let secret = testing::plain(&testing::plain_secret());
        let mut record = testing::audit(Action::Update, &testing::token(), testing::now(), 1);
        record.token_name = format!("Old {secret}");
        record.origin.actor.name.clone_from(&record.token_name);
        record.changes = vec![Change::new(
            "name",
            Some(record.token_name.clone()),
            Some("New".into()),
        )];
        let item = AuditItem::new(&record, testing::now());
        let kept = AuditRecord::from(item);
        assert_eq!(kept.token_name, "Old lka_[redacted]");
        assert_eq!(kept.origin.actor.name, "Old lka_[redacted]");
        let change = Change::new(
            "name",
            Some("Old lka_[redacted]".into()),
            Some("New".into()),
        );
        assert_eq!(kept.changes, [change]);
    }

    #[test]
    fn the_attributes_of_a_record_are_told_first() {
        let mut record = testing::audit(Action::Refused, &testing::token(), testing::now(), 1);
        record.asserted_ip = Some([192, 0, 2, 1].into());
        record.origin.ip = record.asserted_ip;
        record.origin.user_agent = Some("curl".into());
        record.origin.trace_id = "1-5e66d96f-7491f09e0a79d18acf3d0505".parse().ok();
        let item = to_item(&AuditItem::new(&record, testing::now())).unwrap();
        let mut names: Vec<_> = item.keys().map(String::as_str).collect();
        let mut listed = AUDIT_ATTRIBUTES.to_vec();
        names.sort_unstable();
        listed.sort_unstable();
        assert_eq!(names, listed);
        let text = AttributeValue::S("x".repeat(3_000));
        let mut image: HashMap<_, _> = (0..5_000)
            .map(|number| (format!("a{number:04}"), text.clone()))
            .collect();
        image.insert("userAgent".into(), text);
        let told = differences(&image.into(), &serde_dynamo::Item::default());
        assert_eq!(told.len(), MOST_ATTRIBUTES + 1);
        assert_eq!(told[0].field, "userAgent");
        assert_eq!(told[MOST_ATTRIBUTES].field, "4961 more");
        let hash = "e1630f843370f402870799e14abbf2b06af2d23b0153658e1211dffabc61ad8f";
        let old = told[0].old.as_deref().unwrap();
        assert!(
            old.ends_with(&format!("… (3000 bytes, SHA-256 {hash})")),
            "{old}"
        );
    }

    #[test]
    fn whatever_was_put_over_a_record_is_told_without_secrets() {
        let secret = testing::plain(&testing::plain_secret());
        let split = AttributeValue::S(secret.replace("lka_", "lka_\u{1}"));
        let new = serde_dynamo::Item::from(std::collections::HashMap::from([
            (secret.clone(), AttributeValue::S(secret.clone())),
            ("list".to_owned(), AttributeValue::L(vec![split])),
        ]));
        let told = differences(&serde_dynamo::Item::default(), &new);
        assert_eq!(
            told,
            [
                Change::new(
                    "list",
                    None,
                    Some(r#"{"L":[{"S":"lka_[redacted]"}]}"#.into())
                ),
                Change::new("lka_[redacted]", None, Some("lka_[redacted]".into())),
            ]
        );
    }
}
