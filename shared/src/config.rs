//! What the environment tells a function. Read once, in `main`; nothing has a silent default.

use jiff::SignedDuration;

/// A variable that is missing or can't be understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("environment variable `{name}` {problem}")]
pub struct ConfigError {
    name: &'static str,
    problem: &'static str,
}

/// Reads a variable that must be there.
///
/// # Errors
/// When it is missing or empty; the error names it.
pub fn require(name: &'static str) -> Result<String, ConfigError> {
    check(name, std::env::var(name).ok())
}

fn check(name: &'static str, value: Option<String>) -> Result<String, ConfigError> {
    value.filter(|value| !value.is_empty()).ok_or(ConfigError {
        name,
        problem: "is missing or empty",
    })
}

/// The tables of the service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tables {
    /// `TOKENS_TABLE`: the table of accounts, tokens, secrets and resources.
    pub tokens: String,
    /// `AUDIT_TABLE`: the table of the audit log.
    pub audit: String,
    /// `AUDIT_RETENTION_DAYS`: how long an audit record is kept.
    pub audit_retention: SignedDuration,
}

impl Tables {
    /// Reads the variables.
    ///
    /// # Errors
    /// When one is missing or the retention isn't a number of days, at least 400.
    pub fn from_env() -> Result<Self, ConfigError> {
        Ok(Self {
            tokens: require("TOKENS_TABLE")?,
            audit: require("AUDIT_TABLE")?,
            audit_retention: retention(&require("AUDIT_RETENTION_DAYS")?)?,
        })
    }
}

fn retention(days: &str) -> Result<SignedDuration, ConfigError> {
    days.parse()
        .ok()
        .filter(|days| (400..=36_500_i64).contains(days))
        .map(|days| SignedDuration::from_hours(24 * days))
        .ok_or(ConfigError {
            name: "AUDIT_RETENTION_DAYS",
            problem: "is not a number of days from 400 to 36500",
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_variable_is_named() {
        let error = check("TOKENS_TABLE", None).unwrap_err();
        assert_eq!(
            error.to_string(),
            "environment variable `TOKENS_TABLE` is missing or empty"
        );
        assert!(check("TOKENS_TABLE", Some(String::new())).is_err());
    }

    #[test]
    fn the_audit_log_is_kept_at_least_400_days() {
        assert_eq!(retention("400"), Ok(SignedDuration::from_hours(9600)));
        for bad in ["399", "-1", "x", "", "99999999999999999999"] {
            assert!(retention(bad).is_err(), "{bad}");
        }
    }
}
