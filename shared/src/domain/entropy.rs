//! Random bits.

/// Random bits.
pub trait Entropy: Sync {
    /// Fills a buffer with random bits fit for secrets.
    ///
    /// # Errors
    /// When the source fails; the buffer must not be used then.
    fn fill(&self, buffer: &mut [u8]) -> Result<(), EntropyError>;
}

/// The random generator failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the random generator failed")]
pub struct EntropyError;
