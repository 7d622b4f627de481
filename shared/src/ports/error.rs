//! Why the world didn't do what was asked.

use crate::domain::entropy::EntropyError;

/// Why a table or the key service didn't do what was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PortError {
    /// Somebody else changed the same thing at the same time; nothing was written.
    #[error("changed by another request at the same time")]
    Conflict,
    /// Too busy, timed out or not reachable; may work later. Nothing was written, or it isn't known.
    #[error("unavailable: {0}")]
    Unavailable(String),
    /// It will not work later either: a defect or a lack of rights.
    #[error("failed: {0}")]
    Broken(String),
}

impl From<EntropyError> for PortError {
    fn from(error: EntropyError) -> Self {
        Self::Broken(error.to_string())
    }
}

/// What a port answers.
pub(super) type Result<T, E = PortError> = std::result::Result<T, E>;
