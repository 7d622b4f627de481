//! The audit log. Records are only ever put.

use std::collections::BTreeSet;

use aws_sdk_dynamodb::error::ProvideErrorMetadata;
use aws_sdk_dynamodb::types::{Put, TransactWriteItem};
use futures_util::future::try_join;
use jiff::Timestamp;

use super::items::{AuditItem, account_key, audit_token_key, is_use, to_item, use_key};
use super::paging::{collect, position};
use super::table::{Item, Store, built, parse, text};
use crate::aws::port_error;
use crate::domain::audit::{AuditRecord, Change};
use crate::domain::id::{AccountId, AuditId};
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
            // Only this means that the record is there. A collision doesn't: the other one may fail.
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

    /// The write of an audit record, as a part of a transaction. It never overwrites one.
    pub(super) fn put_audit(&self, record: &AuditRecord) -> Result<TransactWriteItem, PortError> {
        let put = Put::builder()
            .table_name(&self.tables.audit)
            .set_item(Some(self.audit_item(record)?))
            .condition_expression("attribute_not_exists(pk)");
        Ok(TransactWriteItem::builder()
            .put(built(put.build())?)
            .build())
    }

    /// Up to `limit` records behind one, newest first, and where to go on.
    async fn read_audit(
        &self,
        account: &AccountId,
        query: &AuditQuery,
        after: Option<AuditId>,
        limit: usize,
    ) -> Result<(Vec<AuditRecord>, Option<AuditId>), PortError> {
        // A cursor and `to` are both upper ends; ids sort by time, so the lower of the two counts.
        let to = query.to.map(AuditId::first_of);
        let before = match (after, to) {
            (Some(after), Some(to)) => Some(after.min(to)),
            (after, to) => after.or(to),
        };
        // `BETWEEN` includes its ends: the cursor's own record is dropped below.
        let low = query
            .from
            .map_or_else(|| "aud_".to_owned(), |from| AuditId::first_of(from).into());
        let high = before
            .as_ref()
            .map_or_else(|| "aud_~".to_owned(), ToString::to_string);
        if low > high {
            // Nothing is in a range that ends before it starts; DynamoDB refuses to be asked.
            return Ok((Vec::new(), None));
        }
        let range = (low.as_str(), high.as_str());
        let limit = limit.saturating_add(1);
        let (mut records, position) = match &query.token_id {
            // The index has both kinds of record. It is eventually consistent, by its nature; the account's
            // log isn't.
            Some(token) => {
                let key = ("tokenKey", audit_token_key(account, token));
                self.query_audit(key, Some("byToken"), range, limit).await?
            }
            // No records of another action are among those of uses.
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

    /// Up to `limit` records of one key, newest first, and where to go on.
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

/// Some records, newest first, and where to go on.
type Part = (Vec<AuditRecord>, Option<AuditId>);

/// Two parts of a log as one. What lies beyond a part's end is left to the next read, since the other part
/// may have more before it.
fn merged((mut records, one): Part, (others, other): Part) -> Part {
    let position = one.max(other);
    records.extend(others);
    records.sort_by(|a, b| b.id.cmp(&a.id));
    if let Some(position) = &position {
        records.retain(|record| record.id >= *position);
    }
    (records, position)
}

/// The record of a stream's image of the audit table.
///
/// # Errors
/// When the image isn't that of an audit record.
pub fn audit_record(image: serde_dynamo::Item) -> Result<AuditRecord, PortError> {
    serde_dynamo::from_item::<_, AuditItem>(image)
        .map(AuditRecord::from)
        .map_err(|error| PortError::broken("an audit record doesn't parse", error))
}

/// The attributes in which two images of an audit record differ, with their values as text.
///
/// # Errors
/// When an image can't be shown as JSON, which is a defect.
pub fn audit_differences(
    old: &serde_dynamo::Item,
    new: &serde_dynamo::Item,
) -> Result<Vec<Change>, PortError> {
    let names: BTreeSet<_> = old.inner().keys().chain(new.inner().keys()).collect();
    let mut changes = Vec::new();
    for name in names {
        let (old, new) = (old.inner().get(name), new.inner().get(name));
        if old != new {
            let (old, new) = (old.map(shown).transpose()?, new.map(shown).transpose()?);
            changes.push(Change::new(&redact(name), old, new));
        }
    }
    Ok(changes)
}

fn shown(value: &serde_dynamo::AttributeValue) -> Result<String, PortError> {
    // Whoever writes to the table may have put anything there.
    match value {
        serde_dynamo::AttributeValue::S(text) => Ok(redact(text)),
        other => serde_json::to_value(other)
            .map(|json| redact_json(json).to_string())
            .map_err(|error| PortError::broken("an attribute is no JSON", error)),
    }
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
    fn whatever_was_put_over_a_record_is_told_without_secrets() {
        let secret = testing::plain(&testing::plain_secret());
        let split = AttributeValue::S(secret.replace("lka_", "lka_\u{1}"));
        let new = serde_dynamo::Item::from(std::collections::HashMap::from([
            (secret.clone(), AttributeValue::S(secret.clone())),
            ("list".to_owned(), AttributeValue::L(vec![split])),
        ]));
        let told = audit_differences(&serde_dynamo::Item::default(), &new).unwrap();
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
