//! Time-based rules for tokens: warnings before a token's end, and the end of unused tokens.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::auto_purge::AutoPurge;
use super::id::{AccountId, TokenId};
use super::token::{Status, Token};

/// The maximum number of days before its end at which a warning about a token can be given. Warnings are given in the
/// second half of a lifetime, and the longest lifetime is thirty days.
pub const MAX_WARNING_DAYS: u8 = 15;

fn days(days: u8) -> SignedDuration {
    SignedDuration::from_hours(24 * i64::from(days))
}

/// What warnings need to know about a token with an end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExpiringToken {
    /// The token's account.
    pub account_id: AccountId,
    /// The token.
    pub token_id: TokenId,
    /// The chosen lifetime.
    pub auto_purge: AutoPurge,
    /// The instant at which the token is purged.
    pub purge_at: Timestamp,
    /// The last warning that was given.
    pub reminded: Option<SentReminder>,
}

impl ExpiringToken {
    /// The end of a token; `None` if it has none or isn't active.
    pub fn of(token: &Token, reminded: Option<SentReminder>) -> Option<Self> {
        let purge_at = token
            .purge_at
            .filter(|_| token.status() == Status::Active)?;
        Some(Self {
            account_id: token.account_id.clone(),
            token_id: token.id.clone(),
            auto_purge: token.auto_purge,
            purge_at,
            reminded,
        })
    }
}

/// A warning that was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SentReminder {
    /// The end that the warning was about. A newly chosen lifetime has an end, and warnings, of its own.
    pub purge_at: Timestamp,
    /// The warning's number of days before the end.
    pub days: u8,
}

/// The numbers of days before a token's end at which people get a warning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warnings(Vec<u8>);

impl Warnings {
    /// Parses numbers of days separated by commas, such as `7,3,1`. `None` unless each is from 1 to
    /// [`MAX_WARNING_DAYS`].
    pub fn parse(text: &str) -> Option<Self> {
        text.split(',')
            .map(|days| days.trim().parse().ok())
            .map(|days| days.filter(|days| (1..=MAX_WARNING_DAYS).contains(days)))
            .collect::<Option<_>>()
            .map(Self)
    }

    /// The latest end of a token for which a warning may be due at `now`.
    pub fn horizon(&self, now: Timestamp) -> Timestamp {
        let most = self.0.iter().copied().max().unwrap_or_default();
        now.checked_add(days(most + 1)).unwrap_or(Timestamp::MAX)
    }

    /// The warning that is due at `now`, as its number of days before the end; `None` if none is due.
    ///
    /// A warning is due from one day before its own day, so that a run once a day warns in time and not up to a day
    /// late. Of missed warnings only the latest is given. No warning is given in the first half of a token's lifetime,
    /// since its end was chosen not long before.
    pub fn due(&self, ending: &ExpiringToken, now: Timestamp) -> Option<u8> {
        let lifetime = ending.auto_purge.duration()?;
        let left = ending.purge_at.duration_since(now);
        if left <= SignedDuration::ZERO {
            return None;
        }
        let warning = self
            .0
            .iter()
            .copied()
            .filter(|warning| days(2 * warning) <= lifetime && left < days(warning + 1))
            .min()?;
        let given = ending
            .reminded
            .filter(|reminded| reminded.purge_at == ending.purge_at)
            .is_some_and(|reminded| reminded.days <= warning);
        (!given).then_some(warning)
    }
}

/// A position in a list over all accounts, from which the list continues.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShardPosition {
    /// The shard of the index.
    pub shard: u8,
    /// The position of the last entry that was read; `None` before the shard's first entry.
    pub last: Option<(i64, AccountId, TokenId)>,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::testing::{now, token};

    fn ending(auto_purge: AutoPurge) -> ExpiringToken {
        let token = Token {
            auto_purge,
            purge_at: Some(auto_purge.purge_at(now()).unwrap_or(Timestamp::MAX)),
            ..token()
        };
        ExpiringToken::of(&token, None).unwrap()
    }

    fn standard() -> Warnings {
        Warnings::parse("7,3,1").unwrap()
    }

    /// The warnings that a run every `every` hours gives, each with the hours left until the end.
    fn given(
        warnings: &Warnings,
        mut ending: ExpiringToken,
        first: i64,
        every: i64,
    ) -> Vec<(u8, i64)> {
        let mut given = Vec::new();
        let mut time = now() + SignedDuration::from_hours(first);
        while time < ending.purge_at {
            if let Some(days) = warnings.due(&ending, time) {
                given.push((days, ending.purge_at.duration_since(time).as_hours()));
                ending.reminded = Some(SentReminder {
                    purge_at: ending.purge_at,
                    days,
                });
            }
            time += SignedDuration::from_hours(every);
        }
        given
    }

    #[test]
    fn days_are_numbers_of_a_range_with_commas_between_them() {
        assert_eq!(Warnings::parse("7, 3,1"), Some(Warnings(vec![7, 3, 1])));
        assert_eq!(Warnings::parse("15"), Some(Warnings(vec![15])));
        for bad in ["", "0", "16", "7,,1", "7;3", "-1", "seven", "300"] {
            assert_eq!(Warnings::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_long_life_has_every_warning_in_time_and_a_short_one_those_of_its_second_half() {
        let days = |auto_purge| given(&standard(), ending(auto_purge), 5, 24);
        // The first run is five hours after the creation, the next ones once a day.
        let expected = vec![(7, 187), (3, 91), (1, 43)];
        assert_eq!(days(AutoPurge::ThirtyDays), expected);
        assert_eq!(days(AutoPurge::TenDays), [(3, 91), (1, 43)]);
        assert_eq!(days(AutoPurge::FourDays), [(1, 43)]);
        for short in [AutoPurge::OneDay, AutoPurge::FourHours, AutoPurge::OneHour] {
            assert_eq!(given(&standard(), ending(short), 0, 1), [], "{short:?}");
        }
        let endless = ending(AutoPurge::Never);
        assert_eq!(standard().due(&endless, now()), None);
    }

    #[test]
    fn a_missed_warning_is_made_up_for_and_two_are_one() {
        let ending = ending(AutoPurge::ThirtyDays);
        let left = |days: i64| ending.purge_at - SignedDuration::from_hours(24 * days);
        assert_eq!(standard().due(&ending, left(8)), None);
        assert_eq!(standard().due(&ending, left(6)), Some(7));
        // Nothing ran for five days: the warning of seven days is skipped.
        assert_eq!(standard().due(&ending, left(3)), Some(3));
        assert_eq!(standard().due(&ending, left(1)), Some(1));
        assert_eq!(standard().due(&ending, left(0)), None);
    }

    #[test]
    fn another_end_has_warnings_of_its_own() {
        let mut ending = ending(AutoPurge::ThirtyDays);
        let time = ending.purge_at - SignedDuration::from_hours(20);
        ending.reminded = Some(SentReminder {
            purge_at: ending.purge_at,
            days: 1,
        });
        assert_eq!(standard().due(&ending, time), None);
        ending.purge_at += SignedDuration::from_secs(1);
        assert_eq!(standard().due(&ending, time), Some(1));
    }

    #[test]
    fn a_revoked_token_has_no_end_to_be_warned_of() {
        let token = Token {
            purge_at: Some(now()),
            ..token()
        };
        assert!(ExpiringToken::of(&token, None).is_some());
        let revoked = token.revoke(crate::testing::owner_actor(), now(), None);
        assert_eq!(ExpiringToken::of(&revoked.unwrap(), None), None);
    }

    proptest! {
        #[test]
        fn however_often_it_runs_each_warning_is_given_once_and_they_only_get_shorter(
            first in 0_i64..48,
            every in 1_i64..200,
            chosen in proptest::collection::vec(1_u8..=MAX_WARNING_DAYS, 1..5),
        ) {
            let warnings = Warnings(chosen.clone());
            let given = given(&warnings, ending(AutoPurge::ThirtyDays), first, every);
            for pair in given.windows(2) {
                prop_assert!(pair[0].0 > pair[1].0);
            }
            for (days, left) in &given {
                prop_assert!(chosen.contains(days));
                prop_assert!(*left < 24 * (i64::from(*days) + 1));
            }
            if every <= 24 {
                let distinct: std::collections::BTreeSet<_> = chosen.into_iter().collect();
                prop_assert_eq!(given.len(), distinct.len());
                for (days, left) in &given {
                    prop_assert!(*left >= 24 * i64::from(*days));
                }
            }
        }
    }
}
