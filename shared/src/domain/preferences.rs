//! Which mails a member gets at once, and which in a digest of the day.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::action::Action;
use super::audit::AuditRecord;
use super::mailing::never_waits;
use super::string_enum::string_enum;

string_enum! {
    /// When a member gets the mails of a group.
    pub enum MailTiming {
        /// At once, one mail for each event.
        Immediate = "immediate",
        /// In one mail after the end of the day, in UTC.
        Daily = "daily",
    }
}

/// The groups of events whose mails may wait for the end of the day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MailGroup {
    /// A token was created, deleted or purged.
    Create,
    /// A token was used, or a secret of it was refused.
    Access,
    /// A token was edited, revoked by a member or the system, reactivated, or got or lost a secret.
    Change,
}

impl MailGroup {
    /// The group of a record; `None` if its mails never wait for the end of the day. These are the mails about secrets
    /// that were shown or that others know, about changed audit records, and the warnings before a token's end.
    pub fn of(record: &AuditRecord) -> Option<Self> {
        if never_waits(record) {
            return None;
        }
        match record.action {
            Action::Create | Action::Delete | Action::Purge => Some(Self::Create),
            Action::Access | Action::Refused => Some(Self::Access),
            Action::Update
            | Action::Revoke
            | Action::Reactivate
            | Action::Regenerate
            | Action::Retire => Some(Self::Change),
            Action::Remind | Action::View | Action::Leak | Action::Tamper => None,
        }
    }
}

/// A member's choice of mails about an account, for each group of events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct MailPreferences {
    /// A token was created, deleted or purged.
    pub create: MailTiming,
    /// A token was used, or a secret of it was refused.
    pub access: MailTiming,
    /// A token was edited, revoked or reactivated, or got or lost a secret.
    pub change: MailTiming,
}

impl Default for MailPreferences {
    /// Every mail at once.
    fn default() -> Self {
        Self {
            create: MailTiming::Immediate,
            access: MailTiming::Immediate,
            change: MailTiming::Immediate,
        }
    }
}

impl MailPreferences {
    /// When the mail about a record is sent.
    pub fn timing(&self, record: &AuditRecord) -> MailTiming {
        match MailGroup::of(record) {
            None => MailTiming::Immediate,
            Some(MailGroup::Create) => self.create,
            Some(MailGroup::Access) => self.access,
            Some(MailGroup::Change) => self.change,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::actor::Actor;
    use crate::testing::{audit, now, token};

    fn daily(action: Action) -> bool {
        let all = MailPreferences {
            create: MailTiming::Daily,
            access: MailTiming::Daily,
            change: MailTiming::Daily,
        };
        all.timing(&audit(action, &token(), now(), 1)) == MailTiming::Daily
    }

    #[test]
    fn what_is_urgent_comes_at_once_whatever_a_member_chose() {
        let urgent: Vec<_> = Action::ALL.into_iter().filter(|it| !daily(*it)).collect();
        assert_eq!(
            urgent,
            [Action::View, Action::Remind, Action::Leak, Action::Tamper]
        );
        let mut record = audit(Action::Revoke, &token(), now(), 1);
        assert_eq!(MailGroup::of(&record), Some(MailGroup::Change));
        record.origin.actor = Actor::token(&record.token_id, &record.token_name);
        assert_eq!(MailGroup::of(&record), None);
    }

    #[test]
    fn without_a_choice_everything_comes_at_once() {
        let default = MailPreferences::default();
        for action in Action::ALL {
            let record = audit(action, &token(), now(), 1);
            assert_eq!(default.timing(&record), MailTiming::Immediate, "{action:?}");
        }
    }

    #[test]
    fn each_group_has_a_choice_of_its_own() {
        let daily = MailTiming::Daily;
        let none = MailPreferences::default();
        for (preferences, expected) in [
            (
                MailPreferences {
                    create: daily,
                    ..none
                },
                &[Action::Create, Action::Delete, Action::Purge][..],
            ),
            (
                MailPreferences {
                    access: daily,
                    ..none
                },
                &[Action::Access, Action::Refused],
            ),
            (
                MailPreferences {
                    change: daily,
                    ..none
                },
                &[
                    Action::Update,
                    Action::Revoke,
                    Action::Reactivate,
                    Action::Regenerate,
                    Action::Retire,
                ],
            ),
        ] {
            let waits =
                |action: &Action| preferences.timing(&audit(*action, &token(), now(), 1)) == daily;
            let waiting: Vec<_> = Action::ALL.into_iter().filter(waits).collect();
            assert_eq!(waiting, expected);
        }
    }
}
