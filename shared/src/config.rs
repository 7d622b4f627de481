//! The functions' configuration from environment variables. `main` reads it once. No variable has a hidden default.

use jiff::SignedDuration;

use crate::domain::brand::{Brand, InvalidBrand};
use crate::domain::budget::Budgets;
use crate::domain::step_up::StepUp;
use crate::domain::upkeep::Warnings;
use crate::telemetry::log_start_failure;

/// A variable is missing or invalid.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("environment variable `{name}` {problem}")]
pub struct ConfigError {
    name: &'static str,
    problem: &'static str,
}

impl ConfigError {
    /// Creates the error and logs it, because it ends the function's start.
    fn new(name: &'static str, problem: &'static str) -> Self {
        let error = Self { name, problem };
        log_start_failure(&error);
        error
    }
}

/// Reads a required variable.
///
/// # Errors
/// When the variable is missing or empty. The error names it.
pub fn require(name: &'static str) -> Result<String, ConfigError> {
    check(name, std::env::var(name).ok())
}

/// Reads an optional variable. Returns `None` if it is missing or empty.
pub fn optional(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

fn check(name: &'static str, value: Option<String>) -> Result<String, ConfigError> {
    value
        .filter(|value| !value.is_empty())
        .ok_or_else(|| ConfigError::new(name, "is missing or empty"))
}

/// The names of the DynamoDB tables, and how long audit records are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tables {
    /// `TOKENS_TABLE`: the table of accounts, tokens, secrets and resources.
    pub tokens: String,
    /// `AUDIT_TABLE`: the table of the audit log.
    pub audit: String,
    /// `AUDIT_RETENTION_DAYS`: how long audit records are kept.
    pub audit_retention: SignedDuration,
}

impl Tables {
    /// Reads the configuration from the environment.
    ///
    /// # Errors
    /// When a variable is missing or empty, or the retention isn't a number of days, at least 400.
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
        .ok_or_else(|| {
            ConfigError::new(
                "AUDIT_RETENTION_DAYS",
                "is not a number of days from 400 to 36500",
            )
        })
}

/// Reads `REMIND_DAYS`: how many days before a token's end the warnings are sent, such as `7,3,1`.
///
/// # Errors
/// When the variable is missing or isn't such a list.
pub fn warnings() -> Result<Warnings, ConfigError> {
    parse_warnings(&require("REMIND_DAYS")?)
}

fn parse_warnings(days: &str) -> Result<Warnings, ConfigError> {
    Warnings::parse(days).ok_or_else(|| {
        ConfigError::new(
            "REMIND_DAYS",
            "is not a list of days from 1 to 15, such as 7,3,1",
        )
    })
}

/// Reads `IDLE_DAYS`: how long a token must be unused and unchanged to be revoked. Returns `None` if tokens are never
/// revoked for that.
///
/// # Errors
/// When the variable is missing or isn't a number of days.
pub fn idle_time() -> Result<Option<SignedDuration>, ConfigError> {
    parse_idle_days(&require("IDLE_DAYS")?)
}

fn parse_idle_days(days: &str) -> Result<Option<SignedDuration>, ConfigError> {
    days.parse()
        .ok()
        .filter(|days| (0..=36_500_i64).contains(days))
        .map(|days| (days > 0).then(|| SignedDuration::from_hours(24 * days)))
        .ok_or_else(|| ConfigError::new("IDLE_DAYS", "is not a number of days from 0 to 36500"))
}

/// Reads `STEP_UP_SECONDS` and `AUTH_TIME_CLAIM`: the largest age of a sign-in for operations that hand out secrets, and
/// the claim that has its time. Returns `None` if every age is accepted.
///
/// # Errors
/// When the first variable is missing or isn't a number of seconds, or the second one is missing although it is needed.
pub fn step_up() -> Result<Option<StepUp>, ConfigError> {
    parse_step_up(&require("STEP_UP_SECONDS")?, optional("AUTH_TIME_CLAIM"))
}

fn parse_step_up(seconds: &str, claim: Option<String>) -> Result<Option<StepUp>, ConfigError> {
    let seconds = seconds.parse::<u32>();
    let seconds =
        seconds.map_err(|_| ConfigError::new("STEP_UP_SECONDS", "is not a number of seconds"))?;
    if seconds == 0 {
        return Ok(None);
    }
    let claim = check("AUTH_TIME_CLAIM", claim)?;
    Ok(Some(StepUp::new(seconds, claim)))
}

/// Reads `REVEALS_PER_HOUR`, `CHANGES_PER_HOUR`, `MAX_TOKENS` and `MAILS_PER_HOUR`: the budgets of every account.
///
/// # Errors
/// When a variable is missing or isn't a positive number.
pub fn budgets() -> Result<Budgets, ConfigError> {
    let budget = |name| budget(name, &require(name)?);
    Ok(Budgets {
        reveals: budget("REVEALS_PER_HOUR")?,
        changes: budget("CHANGES_PER_HOUR")?,
        tokens: budget("MAX_TOKENS")?,
        mails: budget("MAILS_PER_HOUR")?,
    })
}

fn budget(name: &'static str, value: &str) -> Result<u32, ConfigError> {
    let budget = value.parse().ok().filter(|budget| *budget > 0);
    budget.ok_or_else(|| ConfigError::new(name, "is not a positive number"))
}

/// Reads `PRODUCT_NAME`, `BRAND_COLOR` and, if they are set, `MAIL_SENDER_NAME`, `SUPPORT_ADDRESS` and `LOGO_URL`: the
/// product's name and look in mails.
///
/// # Errors
/// When one of the first two is missing, or a variable is invalid.
pub fn brand() -> Result<Brand, ConfigError> {
    let (product, color) = (require("PRODUCT_NAME")?, require("BRAND_COLOR")?);
    let color = color.parse().map_err(invalid("BRAND_COLOR"))?;
    let mut brand = Brand::new(&product, color).map_err(invalid("PRODUCT_NAME"))?;
    if let Some(sender) = optional("MAIL_SENDER_NAME") {
        brand = brand
            .with_sender(&sender)
            .map_err(invalid("MAIL_SENDER_NAME"))?;
    }
    if let Some(address) = optional("SUPPORT_ADDRESS") {
        brand = brand
            .with_support(&address)
            .map_err(invalid("SUPPORT_ADDRESS"))?;
    }
    if let Some(url) = optional("LOGO_URL") {
        brand = brand.with_logo(&url).map_err(invalid("LOGO_URL"))?;
    }
    Ok(brand)
}

fn invalid(name: &'static str) -> impl Fn(InvalidBrand) -> ConfigError {
    move |InvalidBrand(problem)| ConfigError::new(name, problem)
}

#[cfg(test)]
mod tests {
    use tracing::level_filters::LevelFilter;

    use super::*;
    use crate::testing::Logs;

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

    #[test]
    fn what_is_no_list_of_days_is_refused() {
        assert!(parse_warnings("7,3,1").is_ok());
        assert!(parse_warnings("7,0").is_err());
    }

    #[test]
    fn no_idle_time_is_never() {
        assert_eq!(parse_idle_days("0"), Ok(None));
        let year = SignedDuration::from_hours(8760);
        assert_eq!(parse_idle_days("365"), Ok(Some(year)));
        for bad in ["-1", "36501", "1.5", ""] {
            assert!(parse_idle_days(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn whatever_is_wrong_is_logged_as_an_error() {
        let mistakes: [fn() -> Option<ConfigError>; 8] = [
            || check("TOKENS_TABLE", None).err(),
            || retention("1").err(),
            || parse_warnings("0").err(),
            || parse_idle_days("x").err(),
            || budget("MAX_TOKENS", "0").err(),
            || parse_step_up("5m", None).err(),
            || parse_step_up("300", None).err(),
            || Some(invalid("LOGO_URL")(InvalidBrand("is not an https URL"))),
        ];
        for mistake in mistakes {
            let logs = Logs::of("authorize", LevelFilter::ERROR);
            let error = mistake().unwrap();
            let lines = logs.take();
            assert_eq!(lines.len(), 1, "{error}");
            assert_eq!(lines[0]["error"], error.to_string());
        }
    }

    #[test]
    fn step_up_is_off_at_zero_and_never_without_its_claim() {
        assert_eq!(parse_step_up("0", None), Ok(None));
        let claim = || Some("auth_time".to_owned());
        let step_up = StepUp::new(300, "auth_time");
        assert_eq!(parse_step_up("300", claim()), Ok(Some(step_up)));
        for (seconds, claim) in [
            ("300", None),
            ("-1", claim()),
            ("1.5", claim()),
            ("", claim()),
        ] {
            assert!(parse_step_up(seconds, claim).is_err(), "{seconds}");
        }
    }

    #[test]
    fn a_budget_of_nothing_is_a_mistake() {
        assert_eq!(budget("MAX_TOKENS", "10000"), Ok(10_000));
        for bad in ["0", "-1", "1.5", "", "many", "4294967296"] {
            assert!(budget("MAX_TOKENS", bad).is_err(), "{bad}");
        }
    }
}
