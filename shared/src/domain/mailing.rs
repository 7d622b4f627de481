//! Which mails are sent at once, which wait for a digest, and which addresses get none.

use std::net::IpAddr;

use jiff::civil::Date;
use jiff::tz::Offset;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::account::Member;
use super::action::Action;
use super::actor::{Actor, ActorType};
use super::audit::AuditRecord;
use super::budget::Window;
use super::id::{AccountId, AuditId, TokenId, UserId};
use super::string_enum::string_enum;

/// How long after its period a digest is sent. It is longer than the function that holds mails back can run, so that
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

/// The time whose held mails a digest lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum DigestPeriod {
    /// An hour: the mails beyond the recipient's budget. It has its first instant.
    Hour(Timestamp),
    /// A day in UTC: the mails that the recipient wants once a day.
    Day(Date),
}

impl DigestPeriod {
    /// The hour that contains an instant.
    pub fn hour_of(instant: Timestamp) -> Self {
        Self::Hour(Window::of(instant).start)
    }

    /// The day that contains an instant.
    pub fn day_of(instant: Timestamp) -> Self {
        Self::Day(utc(instant))
    }

    /// The first instant of its last hour. The digest is due when that hour is.
    pub fn last_hour(self) -> Timestamp {
        match self {
            Self::Hour(start) => start,
            Self::Day(day) => {
                let last = day.at(23, 0, 0, 0);
                Offset::UTC.to_timestamp(last).unwrap_or(Timestamp::MAX)
            }
        }
    }
}

/// The date of an instant in UTC.
fn utc(instant: Timestamp) -> Date {
    Offset::UTC.to_datetime(instant).date()
}

/// The digest of a member's held mails of a period.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Digest {
    /// The account that the mails are about.
    pub account_id: AccountId,
    /// The member.
    pub user_id: UserId,
    /// The period.
    pub period: DigestPeriod,
}

impl Digest {
    /// The digest of a period that a mail to a member belongs to.
    pub fn of(account: &AccountId, member: &Member, period: DigestPeriod) -> Self {
        Self {
            account_id: account.clone(),
            user_id: member.id.clone(),
            period,
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
    fn a_days_digest_is_due_with_the_days_last_hour() {
        let day = DigestPeriod::day_of(at("2026-11-23T23:59:59.9Z"));
        assert_eq!(day, DigestPeriod::day_of(at("2026-11-23T00:00:00Z")));
        for (now, due) in [
            ("2026-11-23T23:59:59Z", false),
            ("2026-11-24T00:04:59Z", false),
            ("2026-11-24T00:05:00Z", true),
        ] {
            assert_eq!(day.last_hour() <= Digest::last_due(at(now)), due, "{now}");
        }
        assert_ne!(day, DigestPeriod::day_of(at("2026-11-24T00:00:00Z")));
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
