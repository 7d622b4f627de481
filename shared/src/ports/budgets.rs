//! Counters of budgets.

use jiff::Timestamp;

use super::error::Result;
use crate::domain::budget::{Budget, Spending};
use crate::domain::id::{AccountId, UserId};

/// Counts actions that have a budget.
pub trait SpendBudget: Sync {
    /// Counts one more action, unless the budget is spent. The action stays counted even if the request fails later.
    /// Concurrent calls must not exceed the budget together.
    fn spend_budget(
        &self,
        account: &AccountId,
        budget: &Budget,
        now: Timestamp,
    ) -> impl Future<Output = Result<Spending>> + Send;
}

/// Gives back what was counted for an action that didn't happen.
pub trait RefundBudget: Sync {
    /// Gives back one mail to `member` that was counted at `spent` and couldn't be sent.
    fn refund_mail(
        &self,
        account: &AccountId,
        member: &UserId,
        spent: Timestamp,
    ) -> impl Future<Output = Result<()>> + Send;
}
