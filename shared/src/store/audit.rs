//! The audit log. Records are only ever put.

use aws_sdk_dynamodb::types::{Put, TransactWriteItem};
use jiff::Timestamp;

use super::items::{AuditItem, account_key, audit_token_key, to_item};
use super::{Store, built, parse, port_error, text};
use crate::domain::audit::AuditRecord;
use crate::domain::id::{AccountId, AuditId};
use crate::domain::paging::{AuditFilter, AuditQuery, Page};
use crate::domain::ports::{ListAudit, PortError};

/// How many records a filtered list reads for one page at the most.
const MAX_READ_PER_PAGE: usize = 1_000;

/// How many records a filtered list reads at a time at the least.
const SEARCH_READ: usize = 100;

impl ListAudit for Store {
    async fn list_audit(
        &self,
        account: &AccountId,
        query: &AuditQuery,
    ) -> Result<Page<AuditRecord, AuditId>, PortError> {
        let searching = query.filter != AuditFilter::default();
        let mut items = Vec::new();
        let mut after = query.after.clone();
        let mut read = 0;
        loop {
            let missing = query.limit.saturating_add(1).saturating_sub(items.len());
            let wanted = if searching {
                missing.max(SEARCH_READ)
            } else {
                missing
            };
            let (records, more) = self
                .read_audit(account, query, after.as_ref(), wanted)
                .await?;
            for record in records {
                read += 1;
                after = Some(record.id.clone());
                if query.filter.matches(&record) {
                    if items.len() == query.limit {
                        let next = items.last().map(|record: &AuditRecord| record.id.clone());
                        return Ok(Page { items, next });
                    }
                    items.push(record);
                }
            }
            if !more {
                return Ok(Page { items, next: None });
            }
            if read >= MAX_READ_PER_PAGE {
                return Ok(Page { items, next: after });
            }
        }
    }
}

impl Store {
    /// The write of an audit record, as a part of a transaction. It never overwrites one.
    pub(super) fn put_audit(&self, record: &AuditRecord) -> Result<TransactWriteItem, PortError> {
        let expires = record
            .time
            .checked_add(self.tables.audit_retention)
            .unwrap_or(Timestamp::MAX);
        let put = Put::builder()
            .table_name(&self.tables.audit)
            .set_item(Some(to_item(&AuditItem::new(record, expires))?))
            .condition_expression("attribute_not_exists(pk)");
        Ok(TransactWriteItem::builder()
            .put(built(put.build())?)
            .build())
    }

    /// Up to `limit` records behind one, newest first, and whether there may be more.
    async fn read_audit(
        &self,
        account: &AccountId,
        query: &AuditQuery,
        after: Option<&AuditId>,
        limit: usize,
    ) -> Result<(Vec<AuditRecord>, bool), PortError> {
        // A cursor and `to` are both upper ends; ids sort by time, so the lower of the two counts.
        let to = query.to.map(AuditId::first_of);
        let before = match (after.cloned(), to) {
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
            return Ok((Vec::new(), false));
        }
        let request = self
            .client
            .query()
            .table_name(&self.tables.audit)
            .expression_attribute_values(":low", text(low))
            .expression_attribute_values(":high", text(high))
            .scan_index_forward(false)
            .limit(i32::try_from(limit.saturating_add(1)).unwrap_or(i32::MAX));
        let request = match &query.token_id {
            // The index is eventually consistent, by its nature; the account's log isn't.
            Some(token) => request
                .index_name("byToken")
                .key_condition_expression("tokenKey = :pk AND sk BETWEEN :low AND :high")
                .expression_attribute_values(":pk", text(audit_token_key(account, token))),
            None => request
                .key_condition_expression("pk = :pk AND sk BETWEEN :low AND :high")
                .expression_attribute_values(":pk", text(account_key(account)))
                .consistent_read(true),
        };
        let output = request.send().await.map_err(port_error)?;
        let more = output.last_evaluated_key.is_some();
        let mut records = output
            .items
            .unwrap_or_default()
            .into_iter()
            .map(|item| parse::<AuditItem>(item).map(AuditRecord::from))
            .collect::<Result<Vec<_>, _>>()?;
        records.retain(|record| before.as_ref() != Some(&record.id));
        Ok((records, more))
    }
}

/// The record of a stream's image of the audit table.
///
/// # Errors
/// When the image isn't that of an audit record.
pub fn audit_record(image: serde_dynamo::Item) -> Result<AuditRecord, PortError> {
    serde_dynamo::from_item::<_, AuditItem>(image)
        .map(AuditRecord::from)
        .map_err(|error| PortError::Broken(format!("an audit record doesn't parse: {error}")))
}
