//! The lifetimes that a token can have.

use jiff::{SignedDuration, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The lifetime of a token, counted from the moment it is set. No other values are possible.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum AutoPurge {
    /// The token exists until it is deleted. Integration App tokens can't have this lifetime.
    #[serde(rename = "never")]
    Never,
    /// One hour. The only lifetime that needs no API Management licence.
    #[serde(rename = "1h")]
    OneHour,
    /// Four hours.
    #[serde(rename = "4h")]
    FourHours,
    /// One day.
    #[serde(rename = "1d")]
    OneDay,
    /// Four days.
    #[serde(rename = "4d")]
    FourDays,
    /// Ten days.
    #[serde(rename = "10d")]
    TenDays,
    /// Thirty days.
    #[serde(rename = "30d")]
    ThirtyDays,
}

impl AutoPurge {
    /// Every choice, in the order in which they are offered.
    pub const ALL: [Self; 7] = [
        Self::Never,
        Self::OneHour,
        Self::FourHours,
        Self::OneDay,
        Self::FourDays,
        Self::TenDays,
        Self::ThirtyDays,
    ];

    /// The name used in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Never => "never",
            Self::OneHour => "1h",
            Self::FourHours => "4h",
            Self::OneDay => "1d",
            Self::FourDays => "4d",
            Self::TenDays => "10d",
            Self::ThirtyDays => "30d",
        }
    }

    /// The choice with that name, or `None` if there is none.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|choice| choice.as_str() == name)
    }

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
