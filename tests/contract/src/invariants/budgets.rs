//! Budgets: what was counted and what was done.

use super::mails::{copies, is_urgent};
use super::{Allowance, Evidence, number, of};

/// The actions that cost a change.
const CHANGES: [&str; 4] = ["create", "update", "reactivate", "regenerate"];

/// The request id of what tests write without a function, and so without a budget.
const GIVEN: &str = "req-1";

impl Evidence {
    /// Counters that differ from what was done by more than the failed requests.
    pub(super) fn miscounted(&self, allowance: Allowance) -> Vec<String> {
        let mut wrong = Vec::new();
        for counter in self.items("BUDGET#") {
            let account = of(counter, "pk").trim_start_matches("BUDGET#");
            let name = of(counter, "sk");
            let spent = number(counter, "spent").and_then(|spent| usize::try_from(spent).ok());
            let Some(spent) = spent else {
                wrong.push(format!("{account}: {name} counts nothing"));
                continue;
            };
            let (done, slack) = match name.split('#').next() {
                Some("TOKENS") => (self.made_tokens(account), allowance.units),
                Some("CHANGES") => (self.budgeted(account, &CHANGES), allowance.units),
                Some("REVEALS") => (self.budgeted(account, &["view"]), allowance.units),
                // A mail that is sent once more is counted once more, and one that may have been sent is given back.
                Some("MAILS") => {
                    let slack = allowance.units + allowance.duplicates;
                    let user = name.split('#').nth(1).unwrap_or_default();
                    let mails = self.limited_mails(account, user);
                    if mails > spent + slack {
                        wrong.push(format!("{account}: {name} is {spent} after {mails} mails"));
                    }
                    (mails.min(spent), slack)
                }
                _ => continue,
            };
            if spent < done || spent > done + slack {
                wrong.push(format!("{account}: {name} is {spent} after {done}"));
            }
        }
        wrong
    }

    /// How many tokens an account has had, deleted ones included.
    fn made_tokens(&self, account: &str) -> usize {
        let mut made = self.records("create");
        made.retain(|record| of(record, "accountId") == account);
        made.len()
    }

    /// How many records of these actions a budget paid for.
    fn budgeted(&self, account: &str, actions: &[&str]) -> usize {
        let records = self.audit.iter();
        let records = records.filter(|record| of(record, "accountId") == account);
        let records = records.filter(|record| of(record, "requestId") != GIVEN);
        records
            .filter(|record| actions.contains(&of(record, "action")))
            .count()
    }

    /// How many mails a member got that the budget limits.
    fn limited_mails(&self, account: &str, user: &str) -> usize {
        let records = self.audit.iter();
        let records = records.filter(|record| of(record, "accountId") == account);
        let records = records.filter(|record| !is_urgent(record));
        let member = self
            .members(account)
            .into_iter()
            .find(|(id, _)| *id == user);
        let Some((_, address)) = member else { return 0 };
        records
            .map(|record| copies(&self.mails, record, address))
            .sum()
    }
}
