//! Budgets of requests.

use jiff::Timestamp;

use super::ApiError;
use crate::domain::account::Account;
use crate::domain::budget::{Budget, Spending, seconds_until};
use crate::ports::SpendBudget;

/// Spends one unit of a budget. Call it when the request is valid, right before its work. If the unit can't be
/// counted, the work must not be done.
///
/// # Errors
/// [`super::ErrorCode::BudgetExceeded`] if the budget is spent, [`super::ErrorCode::Unavailable`] if the table can't
/// be reached.
pub async fn spend(
    store: &impl SpendBudget,
    account: &Account,
    budget: Budget,
    now: Timestamp,
) -> Result<(), ApiError> {
    match store.spend_budget(&account.id, &budget, now).await? {
        Spending::Granted => Ok(()),
        Spending::Exceeded { until } => {
            // A spent budget may mean that somebody exports secrets or floods the log.
            tracing::warn!(account.id = %account.id, ?budget, "a budget is spent");
            let seconds = until.map(|until| seconds_until(until, now));
            Err(ApiError::budget_exceeded(seconds))
        }
    }
}
