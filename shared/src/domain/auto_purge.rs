//! The lifetimes that a token can have.

use jiff::{SignedDuration, Timestamp};

use super::string_enum::string_enum;

string_enum! {
    /// The lifetime of a token, counted from the moment it is set. No other values are possible.
    pub enum AutoPurge {
        /// The token exists until it is deleted. Integration App tokens can't have this lifetime.
        Never = "never",
        /// One hour. The only lifetime that needs no API Management licence.
        OneHour = "1h",
        /// Four hours.
        FourHours = "4h",
        /// One day.
        OneDay = "1d",
        /// Four days.
        FourDays = "4d",
        /// Ten days.
        TenDays = "10d",
        /// Thirty days.
        ThirtyDays = "30d",
    }
}

impl AutoPurge {
    /// The lifetime; `None` for [`AutoPurge::Never`].
    pub fn duration(self) -> Option<SignedDuration> {
        let hours = match self {
            Self::Never => return None,
            Self::OneHour => 1,
            Self::FourHours => 4,
            Self::OneDay => 24,
            Self::FourDays => 4 * 24,
            Self::TenDays => 10 * 24,
            Self::ThirtyDays => 30 * 24,
        };
        Some(SignedDuration::from_hours(hours))
    }

    /// The lifetime for people.
    pub fn in_words(self) -> &'static str {
        match self {
            Self::Never => "never",
            Self::OneHour => "1 hour",
            Self::FourHours => "4 hours",
            Self::OneDay => "1 day",
            Self::FourDays => "4 days",
            Self::TenDays => "10 days",
            Self::ThirtyDays => "30 days",
        }
    }

    /// The instant at which a token with this lifetime, set at `chosen_at`, is purged; `None` for
    /// [`AutoPurge::Never`].
    pub fn purge_at(self, chosen_at: Timestamp) -> Option<Timestamp> {
        self.duration()
            .map(|duration| chosen_at.checked_add(duration).unwrap_or(Timestamp::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_round_trip_and_agree_with_json() {
        for choice in AutoPurge::ALL {
            assert_eq!(AutoPurge::parse(choice.as_str()), Some(choice));
            assert_eq!(
                serde_json::to_value(choice).unwrap(),
                serde_json::json!(choice.as_str())
            );
        }
        assert_eq!(AutoPurge::parse("2h"), None);
    }

    #[test]
    fn purge_time_is_the_choice_plus_its_duration() {
        let chosen: Timestamp = "2026-11-23T10:00:00Z".parse().unwrap();
        let expected = [
            None,
            Some("2026-11-23T11:00:00Z"),
            Some("2026-11-23T14:00:00Z"),
            Some("2026-11-24T10:00:00Z"),
            Some("2026-11-27T10:00:00Z"),
            Some("2026-12-03T10:00:00Z"),
            Some("2026-12-23T10:00:00Z"),
        ];
        for (choice, expected) in AutoPurge::ALL.into_iter().zip(expected) {
            assert_eq!(
                choice.purge_at(chosen),
                expected.map(|e| e.parse().unwrap())
            );
        }
    }
}
