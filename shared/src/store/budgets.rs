//! The counters of budgets. Each counter is an item in the account's partition of budgets, and each counting is one
//! conditional write. So concurrent calls can't exceed the budget together.

use aws_sdk_dynamodb::error::ProvideErrorMetadata;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValuesOnConditionCheckFailure, Select};
use jiff::{SignedDuration, Timestamp};

use super::items::{TOKEN_PREFIX, account_key, expiry};
use super::mark::Mark;
use super::table::{Item, Store, key};
use crate::aws::port_error;
use crate::domain::budget::{Budget, Budgets, Spending, Window};
use crate::domain::id::{AccountId, UserId};
use crate::ports::{PortError, RefundBudget, SpendBudget};

/// How long the counter of an account's tokens is kept after the last creation. Without a counter, the tokens are
/// counted again.
const COUNT_LIFETIME: SignedDuration = SignedDuration::from_hours(30 * 24);

/// How long after the last count or creation the tokens aren't counted again. It is longer than a function runs, so
/// that no counted creation is still under way and missed.
const SETTLED: SignedDuration = SignedDuration::from_mins(1);

/// The condition that no earlier attempt of a write has changed the counter.
const NOT_YET: &str = "(attribute_not_exists(writtenBy) OR writtenBy <> :mark)";

/// The outcome of raising a counter.
enum Counter {
    /// The counter was below its limit, and is one higher now.
    Raised,
    /// The counter is at its limit, or doesn't exist and wasn't to be created.
    Stuck,
}

impl Store {
    /// A store that counts up to these budgets.
    #[must_use]
    pub fn with_budgets(self, budgets: Budgets) -> Self {
        Self {
            budgets: Some(budgets),
            ..self
        }
    }

    /// Raises a counter that is below the limit. If it doesn't exist, it is created if `starts` is set. An attempt whose
    /// answer is lost isn't counted again, unless another call has raised the counter since.
    async fn raise(
        &self,
        counter: Item,
        limit: u32,
        starts: bool,
        end: Timestamp,
        now: Timestamp,
    ) -> Result<Counter, PortError> {
        let mark = Mark::new()?;
        let condition = if starts {
            "(attribute_not_exists(spent) OR spent < :limit)"
        } else {
            "spent < :limit"
        };
        let sent = self
            .client
            .update_item()
            .table_name(&self.tables.tokens)
            .set_key(Some(counter))
            .update_expression(
                "ADD spent :one SET expiresAt = :end, changedAt = :now, writtenBy = :mark",
            )
            .condition_expression(format!("{condition} AND {NOT_YET}"))
            .expression_attribute_values(":mark", mark.value())
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .expression_attribute_values(":one", number(1))
            .expression_attribute_values(":limit", number(limit))
            .expression_attribute_values(":end", number(expiry(end)))
            .expression_attribute_values(":now", number(now.as_millisecond()))
            .send()
            .await;
        match sent {
            Ok(_) => Ok(Counter::Raised),
            Err(error) => match error.as_service_error() {
                Some(UpdateItemError::ConditionalCheckFailedException(refused)) => {
                    let is_own = mark.is_on(refused.item());
                    Ok(if is_own {
                        Counter::Raised
                    } else {
                        Counter::Stuck
                    })
                }
                _ => Err(port_error(error)),
            },
        }
    }

    /// Counts a token that is about to be created.
    ///
    /// The counter is raised before a creation and never lowered, so there are never more tokens than it says. If it is
    /// at the limit, or doesn't exist, the tokens are counted again, provided that none was created shortly before.
    /// Deleted and purged tokens have made room by then. Until then, the answer says when to ask again, as a creation
    /// that failed is counted too.
    async fn spend_token(
        &self,
        account: &AccountId,
        limit: u32,
        now: Timestamp,
    ) -> Result<Spending, PortError> {
        let counter = key(budget_key(account), "TOKENS");
        let end = now.checked_add(COUNT_LIFETIME).unwrap_or(Timestamp::MAX);
        let full = Spending::Exceeded { until: None };
        // Of concurrent counts, the first one is stored, and the next attempts of the others find it.
        for _ in 0..3 {
            let raised = self.raise(counter.clone(), limit, false, end, now).await?;
            if let Counter::Raised = raised {
                return Ok(Spending::Granted);
            }
            let changed = match self.get_item(counter.clone()).await? {
                // A concurrent call created the counter or counted again.
                Some(item) if spent(&item).is_some_and(|spent| spent < i64::from(limit)) => {
                    continue;
                }
                Some(item) => {
                    let changed = item.get("changedAt").and_then(|at| at.as_n().ok()).cloned();
                    let changed = changed.ok_or_else(|| {
                        PortError::Broken("a budget doesn't say when it was changed".into())
                    })?;
                    // Perhaps the last creations failed, and there is room.
                    if let Some(settled) = settled(&changed).filter(|settled| *settled > now) {
                        return Ok(Spending::Exceeded {
                            until: Some(settled),
                        });
                    }
                    Some(changed)
                }
                None => None,
            };
            let count = self.count_tokens(account, now).await?;
            self.write_count(counter.clone(), count, changed, end, now)
                .await?;
            if count >= i64::from(limit) {
                return Ok(full);
            }
        }
        Ok(full)
    }

    /// The number of an account's tokens. A purged one doesn't count, although the table removes its item only later.
    /// (With a fraction of a second in its purge time, it counts until the second is over. A change that read a token
    /// just before its purge time may still give it a later one. Then there is one token more than counted.)
    pub(super) async fn count_tokens(
        &self,
        account: &AccountId,
        now: Timestamp,
    ) -> Result<i64, PortError> {
        let mut count = 0;
        let mut start = None;
        loop {
            let output = self
                .client
                .query()
                .table_name(&self.tables.tokens)
                .key_condition_expression("pk = :pk AND begins_with(sk, :prefix)")
                .expression_attribute_values(":pk", super::table::text(account_key(account)))
                .expression_attribute_values(":prefix", super::table::text(TOKEN_PREFIX))
                // The purge time itself is a text, and texts with and without a fraction don't sort.
                .filter_expression("attribute_not_exists(expiresAt) OR expiresAt > :now")
                .expression_attribute_values(":now", number(now.as_second()))
                .select(Select::Count)
                .consistent_read(true)
                .set_exclusive_start_key(start)
                .send()
                .await
                .map_err(port_error)?;
            count += i64::from(output.count);
            start = output.last_evaluated_key;
            if start.is_none() {
                return Ok(count);
            }
        }
    }

    /// Stores a new count, unless the counter was changed since it was read.
    async fn write_count(
        &self,
        counter: Item,
        count: i64,
        changed: Option<String>,
        end: Timestamp,
        now: Timestamp,
    ) -> Result<(), PortError> {
        let update = self
            .client
            .update_item()
            .table_name(&self.tables.tokens)
            .set_key(Some(counter))
            .update_expression("SET spent = :count, expiresAt = :end, changedAt = :now")
            .expression_attribute_values(":count", number(count))
            .expression_attribute_values(":end", number(expiry(end)))
            .expression_attribute_values(":now", number(now.as_millisecond()));
        let update = match changed {
            Some(changed) => update
                .condition_expression("changedAt = :changed")
                .expression_attribute_values(":changed", AttributeValue::N(changed)),
            None => update.condition_expression("attribute_not_exists(pk)"),
        };
        match update.send().await {
            Ok(_) => Ok(()),
            Err(error) if error.code() == Some("ConditionalCheckFailedException") => Ok(()),
            Err(error) => Err(port_error(error)),
        }
    }
}

/// The value of a counter.
fn spent(item: &Item) -> Option<i64> {
    item.get("spent")?.as_n().ok()?.parse().ok()
}

/// From when the tokens may be counted again, if the counter was changed at this time, in ms.
fn settled(changed: &str) -> Option<Timestamp> {
    let changed = Timestamp::from_millisecond(changed.parse().ok()?).ok()?;
    changed
        .checked_add(SETTLED + SignedDuration::from_millis(1))
        .ok()
}

fn number(value: impl Into<i64>) -> AttributeValue {
    AttributeValue::N(value.into().to_string())
}

fn budget_key(account: &AccountId) -> String {
    format!("BUDGET#{account}")
}

/// The key of an hourly counter.
fn hourly(account: &AccountId, budget: &Budget, window: Window) -> Item {
    let hour = window.start;
    let counter = match budget {
        Budget::Reveal(member) => format!("REVEALS#{member}#{hour}"),
        Budget::Mail(member) => format!("MAILS#{member}#{hour}"),
        Budget::Change | Budget::Token => format!("CHANGES#{hour}"),
    };
    key(budget_key(account), counter)
}

impl SpendBudget for Store {
    async fn spend_budget(
        &self,
        account: &AccountId,
        budget: &Budget,
        now: Timestamp,
    ) -> Result<Spending, PortError> {
        let limit = self
            .budgets
            .map(|budgets| budgets.limit(budget))
            .ok_or_else(|| PortError::Broken("this store has no budgets".into()))?;
        if *budget == Budget::Token {
            return self.spend_token(account, limit, now).await;
        }
        let window = Window::of(now);
        let counter = hourly(account, budget, window);
        Ok(
            match self.raise(counter, limit, true, window.end, now).await? {
                Counter::Raised => Spending::Granted,
                Counter::Stuck => Spending::Exceeded {
                    until: Some(window.end),
                },
            },
        )
    }
}

impl RefundBudget for Store {
    async fn refund_mail(
        &self,
        account: &AccountId,
        member: &UserId,
        spent: Timestamp,
    ) -> Result<(), PortError> {
        let budget = Budget::Mail(member.clone());
        let sent = self
            .client
            .update_item()
            .table_name(&self.tables.tokens)
            .set_key(Some(hourly(account, &budget, Window::of(spent))))
            .update_expression("ADD spent :less SET writtenBy = :mark")
            .condition_expression(format!("spent > :none AND {NOT_YET}"))
            .expression_attribute_values(":mark", Mark::new()?.value())
            .expression_attribute_values(":less", number(-1))
            .expression_attribute_values(":none", number(0))
            .send()
            .await;
        match sent {
            Ok(_) => Ok(()),
            // The hour is over, and its counter is gone; or an earlier attempt gave the mail back.
            Err(error) if error.code() == Some("ConditionalCheckFailedException") => Ok(()),
            Err(error) => Err(port_error(error)),
        }
    }
}
