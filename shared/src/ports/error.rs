//! Why the world didn't do what was asked.

use std::error::Error;

use crate::domain::entropy::EntropyError;

/// What an error comes from. Its `Display` tells its own causes too.
pub type Cause = Box<dyn Error + Send + Sync>;

/// Why a table or the key service didn't do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum PortError {
    /// Somebody else changed the same thing at the same time; nothing was written.
    #[error("changed by another request at the same time")]
    Conflict,
    /// Too busy, timed out or not reachable; may work later. Nothing was written, or it isn't known.
    #[error("unavailable: {0}")]
    Unavailable(#[source] Cause),
    /// It will not work later either: a defect or a lack of rights.
    #[error("failed: {0}")]
    Broken(#[source] Cause),
}

impl PortError {
    /// A defect: `what` went wrong, and `cause` says why.
    pub fn broken(what: &'static str, cause: impl Into<Cause>) -> Self {
        let cause = cause.into();
        Self::Broken(Box::new(Defect { what, cause }))
    }
}

/// What went wrong, and why.
#[derive(Debug, thiserror::Error)]
#[error("{what}: {cause}")]
struct Defect {
    what: &'static str,
    #[source]
    cause: Cause,
}

impl From<EntropyError> for PortError {
    fn from(error: EntropyError) -> Self {
        Self::Broken(Box::new(error))
    }
}

/// What a port answers.
pub(super) type Result<T, E = PortError> = std::result::Result<T, E>;
