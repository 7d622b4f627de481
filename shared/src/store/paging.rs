//! Pages of queries, and of lists with filters that DynamoDB can't apply.

use aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder;

use super::table::{Item, Store, text};
use crate::aws::port_error;
use crate::domain::paging::Page;
use crate::ports::PortError;

/// The maximum number of items that a filtered list reads for one page. It bounds a page's cost, whatever the filter.
const MAX_READ: usize = 1_000;

/// The minimum of items that a filtered list reads at a time, since most of them won't be shown.
const SEARCH_READ: usize = 100;

impl Store {
    /// A query for up to `limit` items of a partition after a position, of those whose sort keys have the prefix.
    pub(super) fn query_partition(
        &self,
        partition: String,
        prefix: &str,
        start: Option<Item>,
        limit: usize,
    ) -> QueryFluentBuilder {
        let mut values = Item::from([(":pk".into(), text(partition))]);
        if !prefix.is_empty() {
            values.insert(":prefix".into(), text(prefix));
        }
        self.client
            .query()
            .table_name(&self.tables.tokens)
            .key_condition_expression(if prefix.is_empty() {
                "pk = :pk"
            } else {
                "pk = :pk AND begins_with(sk, :prefix)"
            })
            .set_expression_attribute_values(Some(values))
            .set_exclusive_start_key(start)
            .consistent_read(true)
            .limit(i32::try_from(limit).unwrap_or(i32::MAX))
    }
}

/// Reads all pages of a query.
pub(super) async fn read_all<T>(
    query: QueryFluentBuilder,
    parse: impl Fn(Item) -> Result<T, PortError>,
) -> Result<Vec<T>, PortError> {
    let mut all = Vec::new();
    let mut start = None;
    loop {
        let page = query.clone().set_exclusive_start_key(start).send();
        let page = page.await.map_err(port_error)?;
        for item in page.items.unwrap_or_default() {
            all.push(parse(item)?);
        }
        start = page.last_evaluated_key;
        if start.is_none() {
            return Ok(all);
        }
    }
}

/// Reads on from `after` until `limit` items are kept, no items are left, or [`MAX_READ`] items were read. `read`
/// returns up to the given number of items after a position, and the position from which to continue, if there may be
/// more.
pub(super) async fn collect<T, K: Clone, F>(
    limit: usize,
    searching: bool,
    mut after: Option<K>,
    read: impl Fn(Option<K>, usize) -> F,
    id: impl Fn(&T) -> K,
    keep: impl Fn(&T) -> bool,
) -> Result<Page<T, K>, PortError>
where
    F: Future<Output = Result<(Vec<T>, Option<K>), PortError>>,
{
    let mut items: Vec<T> = Vec::new();
    let mut count = 0;
    loop {
        // One item more than wanted shows whether there is a next page. A search reads more at a time, and so does a
        // list after an item that it doesn't show (a purged one).
        let missing = limit.saturating_add(1).saturating_sub(items.len());
        let wanted = if searching || count > 0 {
            missing.max(SEARCH_READ)
        } else {
            missing
        };
        let (batch, position) = read(after.clone(), wanted).await?;
        count += wanted;
        for item in batch {
            if keep(&item) {
                if items.len() == limit {
                    let next = items.last().map(&id);
                    return Ok(Page { items, next });
                }
                items.push(item);
            }
        }
        if position.is_none() || count >= MAX_READ {
            return Ok(Page {
                items,
                next: position,
            });
        }
        after = position;
    }
}

/// The position after a query: the id in the sort key of the last item that was read; `None` if the query is complete.
pub(super) fn position<K>(
    last: Option<Item>,
    id: impl FnOnce(&str) -> Option<K>,
) -> Result<Option<K>, PortError> {
    let Some(last) = last else { return Ok(None) };
    let sort_key = last.get("sk").and_then(|value| value.as_s().ok());
    let id = sort_key.and_then(|sort_key| id(sort_key));
    let unknown = || PortError::Broken("a query ended at an item without an id".into());
    id.ok_or_else(unknown).map(Some)
}
