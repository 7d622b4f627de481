//! What is counted of everything that has a budget.

use jiff::Timestamp;

use super::error::Result;
use crate::domain::budget::{Budget, Spending};
use crate::domain::id::{AccountId, UserId};

/// Counts what an account and its members do of what has a budget.
pub trait SpendBudget: Sync {
    /// Counts one more, unless the budget is spent. What is counted here stays counted, whatever becomes of
    /// the request.
    fn spend_budget(
        &self,
        account: &AccountId,
        budget: &Budget,
        now: Timestamp,
    ) -> impl Future<Output = Result<Spending>> + Send;
}

/// Gives back what was counted for nothing.
pub trait RefundBudget: Sync {
    /// Gives a mail back that was counted at `spent` and could not be sent.
    fn refund_mail(
        &self,
        account: &AccountId,
        member: &UserId,
        spent: Timestamp,
    ) -> impl Future<Output = Result<()>> + Send;
}
