//! The errors of ports.

use std::error::Error;

use crate::domain::entropy::EntropyError;
use crate::domain::text::redact;

/// The cause of an error. Its `Display` includes its own causes.
pub type Cause = Box<dyn Error + Send + Sync>;

/// Why a table or the key service didn't do what was requested.
#[derive(Debug, thiserror::Error)]
pub enum PortError {
    /// The same item was changed concurrently, or isn't as it was read. Nothing was written.
    #[error("changed by another request at the same time")]
    Conflict,
    /// The service is busy, timed out or isn't reachable. A later attempt may succeed. Nothing was written, or that
    /// isn't known.
    #[error("unavailable: {0}")]
    Unavailable(#[source] Cause),
    /// A later attempt will fail too: this is a defect or a missing permission.
    #[error("failed: {0}")]
    Broken(#[source] Cause),
}

impl PortError {
    /// A defect: `what` failed because of `cause`. Errors of parsers quote what they parsed, and logs have the error:
    /// its text is redacted.
    pub fn broken(what: &'static str, cause: impl Into<Cause>) -> Self {
        let cause = redact(&cause.into().to_string());
        Self::Broken(Box::new(Defect { what, cause }))
    }
}

/// A failure and the text of its cause.
#[derive(Debug, thiserror::Error)]
#[error("{what}: {cause}")]
struct Defect {
    what: &'static str,
    cause: String,
}

impl From<EntropyError> for PortError {
    fn from(error: EntropyError) -> Self {
        Self::Broken(Box::new(error))
    }
}

/// The result of a port's method.
pub(super) type Result<T, E = PortError> = std::result::Result<T, E>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_defect_quotes_no_secret() {
        let secret = "lka_9zuQWWzsuUItctynUYyncDlKI5ZTuPizoWXgXaviRS63nAJ1Y";
        let quoted = format!("unknown variant `{secret}`");
        let error = PortError::broken("an item doesn't parse", quoted);
        let told = "failed: an item doesn't parse: unknown variant `lka_[redacted]`";
        assert_eq!(error.to_string(), told);
        assert!(!format!("{error:?}").contains(secret));
    }
}
