//! Requests that spend a budget.

use jiff::Timestamp;

use super::ApiError;
use crate::domain::account::Account;
use crate::domain::budget::{Budget, Spending, seconds_until};
use crate::ports::SpendBudget;

/// Counts one more, when the request is known to be good and is about to be done. If it can't be counted, it
/// isn't done.
///
/// # Errors
/// [`super::ErrorCode::BudgetExceeded`] if the budget is spent.
pub async fn spend(
    store: &impl SpendBudget,
    account: &Account,
    budget: Budget,
    now: Timestamp,
) -> Result<(), ApiError> {
    match store.spend_budget(&account.id, &budget, now).await? {
        Spending::Granted => Ok(()),
        Spending::Exceeded { until } => {
            // Whoever exports secrets or floods the log is worth a look.
            tracing::warn!(account.id = %account.id, ?budget, "a budget is spent");
            let seconds = until.map(|until| seconds_until(until, now));
            Err(ApiError::budget_exceeded(seconds))
        }
    }
}
