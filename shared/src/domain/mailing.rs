//! Which mails are sent at once, which wait for a digest, and which addresses get none.

use std::net::IpAddr;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::account::Member;
use super::action::Action;
use super::actor::{Actor, ActorType};
use super::audit::AuditRecord;
use super::budget::Window;
use super::id::{AccountId, AuditId, TokenId, UserId};
use super::string_enum::string_enum;

/// How long after its hour a digest is sent. It is longer than the function that holds mails back can run, so that
/// every held mail is stored before its digest is sent.
const GRACE: SignedDuration = SignedDuration::from_mins(5);

/// Whether the mail about a record is sent at once, whatever the budget. This holds for records of a secret that was
/// shown or is known to others: such a mail must not be delayed by many others.
pub fn never_waits(record: &AuditRecord) -> bool {
    match record.action {
        Action::View | Action::Leak | Action::Tamper => true,
        // A revocation by the token itself: a holder of the secret ended it, not a member.
        Action::Revoke => record.origin.actor.kind == ActorType::Token,
        Action::Create
        | Action::Update
        | Action::Reactivate
        | Action::Regenerate
        | Action::Delete
        | Action::Access
        | Action::Purge
        | Action::Remind
        | Action::Retire
        | Action::Refused => false,
    }
}

/// The digest of a member's held mails of one hour.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Digest {
    /// The account that the mails are about.
    pub account_id: AccountId,
    /// The member.
    pub user_id: UserId,
    /// The first instant of the hour.
    pub hour: Timestamp,
}

impl Digest {
    /// The digest that a mail belongs to if it is held back at `now`.
    pub fn of(account: &AccountId, member: &Member, now: Timestamp) -> Self {
        Self {
            account_id: account.clone(),
            user_id: member.id.clone(),
            hour: Window::of(now).start,
        }
    }

    /// The start of the last hour whose digests are due at `now`.
    pub fn last_due(now: Timestamp) -> Timestamp {
        let settled = now.checked_sub(GRACE).unwrap_or(Timestamp::MIN);
        let begun = Window::of(settled).start;
        Window::of(
            begun
                .checked_sub(SignedDuration::from_secs(1))
                .unwrap_or(begun),
        )
        .start
    }
}

/// What a digest says about a record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DigestEntry {
    /// The id of the record.
    pub audit_id: AuditId,
    /// When it happened.
    pub time: Timestamp,
    /// What happened.
    pub action: Action,
    /// The token.
    pub token_id: TokenId,
    /// The token's name.
    pub token_name: String,
    /// The last characters of the token's secret.
    pub token_hint: String,
    /// Who did it.
    pub who: Actor,
    /// The address from which it was done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ip: Option<IpAddr>,
}

impl From<&AuditRecord> for DigestEntry {
    fn from(record: &AuditRecord) -> Self {
        Self {
            audit_id: record.id.clone(),
            time: record.time,
            action: record.action,
            token_id: record.token_id.clone(),
            token_name: record.token_name.clone(),
            token_hint: record.token_hint.clone(),
            who: record.origin.actor.clone(),
            ip: record.origin.ip,
        }
    }
}

string_enum! {
    /// Why no more mail is sent to an address.
    pub enum SuppressionReason {
        /// The recipient's mail server reports permanently that there is no such address.
        Bounced = "bounced",
        /// The recipient marked one of our mails as spam.
        Complained = "complained",
    }
}

/// The mark of an address to which no more mail is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Suppression {
    /// Why.
    pub why: SuppressionReason,
    /// Since when.
    pub since: Timestamp,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{audit, now, token};

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn what_tells_that_a_secret_is_known_never_waits() {
        for action in Action::ALL {
            let record = audit(action, &token(), now(), 1);
            let at_once = matches!(action, Action::View | Action::Leak | Action::Tamper);
            assert_eq!(never_waits(&record), at_once, "{action:?}");
        }
        let mut record = audit(Action::Revoke, &token(), now(), 1);
        record.origin.actor = Actor::token(&record.token_id, &record.token_name);
        assert!(never_waits(&record));
        // A member whose user id equals the token's id is still a member.
        record.origin.actor.kind = ActorType::Member;
        assert!(!never_waits(&record));
    }

    #[test]
    fn a_digest_is_due_when_nothing_more_can_come_into_it() {
        let ten = at("2026-11-23T10:00:00Z");
        for (now, due) in [
            ("2026-11-23T11:04:59Z", "2026-11-23T09:00:00Z"),
            ("2026-11-23T11:05:00Z", "2026-11-23T10:00:00Z"),
            ("2026-11-23T12:04:59Z", "2026-11-23T10:00:00Z"),
        ] {
            assert_eq!(Digest::last_due(at(now)), at(due), "{now}");
            assert_eq!(
                Digest::last_due(at(now)) >= ten,
                due == "2026-11-23T10:00:00Z"
            );
        }
    }
}
