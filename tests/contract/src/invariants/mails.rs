//! Mails about records.

use latchkey::domain::time::rfc3339;
use serde_json::Value;

use super::{Allowance, Evidence, Sent, change, of, time};

/// The roles whose members get the mails.
const NOTIFIED: [&str; 2] = ["owner", "administrator"];

/// The days of refusals that are mailed.
const MAILED_DAYS: [&str; 5] = ["", "1", "2", "7", "30"];

/// Whether the mails about a record cost no budget.
pub(super) fn is_urgent(record: &Value) -> bool {
    let by_token = of(&record["user"]["M"], "type") == "token";
    match of(record, "action") {
        "view" | "leak" | "tamper" => true,
        "revoke" => by_token,
        _ => false,
    }
}

/// Whether a mail is about a record, by its subject.
fn is_about_record(mail: &Sent) -> bool {
    mail.subject.contains(" API token \u{201c}")
}

/// Whether a record is mailed.
fn is_mailed(record: &Value) -> bool {
    of(record, "action") != "refused" || MAILED_DAYS.contains(&change(record, "daysRefused"))
}

/// How many mails about a record were sent to an address. A mail has a link to the token's audit log, and the exact
/// time.
pub(super) fn copies(mails: &[Sent], record: &Value, address: &str) -> usize {
    let at = time(record, "time").map(rfc3339).unwrap_or_default();
    let link = format!("/tokens/{}/audit", of(record, "tokenId"));
    let mails = mails.iter().filter(|mail| mail.to == address);
    mails
        .filter(|mail| mail.text.contains(&link) && mail.text.contains(&at))
        .count()
}

impl Evidence {
    /// The members of an account who get mails, with their addresses.
    pub(super) fn members(&self, account: &str) -> Vec<(&str, &str)> {
        let profile = self.item(&format!("PROFILE#{account}"), "PROFILE");
        let members = profile.and_then(|profile| profile["members"]["L"].as_array());
        let members = members.into_iter().flatten().map(|member| &member["M"]);
        members
            .filter(|member| NOTIFIED.contains(&of(member, "role")))
            .map(|member| (of(member, "id"), of(member, "email")))
            .collect()
    }

    /// Records whose mails are missing or were sent too often, and mails that are about no record.
    pub(super) fn unsent(&self, allowance: Allowance) -> Vec<String> {
        let mut wrong = Vec::new();
        let (mut duplicates, mut explained) = (0, 0);
        // No mail goes to a marked address.
        let is_marked = !self.items("ADDRESS#").is_empty();
        for record in &self.audit {
            let id = of(record, "sk");
            for (user, address) in self.members(of(record, "accountId")) {
                let held = self.items(&format!("DIGEST#{}#{user}", of(record, "accountId")));
                let held = held
                    .iter()
                    .filter(|item| of(item, "sk").ends_with(id))
                    .count();
                let sent = copies(&self.mails, record, address);
                let action = of(record, "action");
                explained += sent;
                if allowance.mailed && is_mailed(record) && !is_marked && sent + held == 0 {
                    wrong.push(format!("{user} got no mail about {action} {id}"));
                }
                if !is_mailed(record) && sent > 0 {
                    wrong.push(format!("{user} got a mail about {action} {id}"));
                }
                duplicates += (sent + held).saturating_sub(1);
                let marker = self.item(&format!("MAIL#{id}"), &format!("USER#{user}"));
                let state = marker.map(|marker| of(marker, "state"));
                if allowance.mailed && is_mailed(record) && state != Some("sent") {
                    wrong.push(format!("the mail of {id} to {user} is noted as {state:?}"));
                }
            }
        }
        let others = self.mails.iter().filter(|mail| !is_about_record(mail));
        let others: Vec<_> = others.collect();
        for (number, mail) in others.iter().enumerate() {
            duplicates += usize::from(others.iter().take(number).any(|other| other == mail));
        }
        if duplicates > allowance.duplicates {
            wrong.push(format!("{duplicates} mails were sent once more"));
        }
        let about_records = self.mails.len() - others.len();
        if about_records > explained {
            wrong.push(format!(
                "{} mails are about no record",
                about_records - explained
            ));
        }
        wrong
    }
}
