//! The source of random bits.

/// A source of random bits.
pub trait Entropy: Sync {
    /// Fills a buffer with random bits that are fit for secrets.
    ///
    /// # Errors
    /// The source failed. The buffer's content must not be used then.
    fn fill(&self, buffer: &mut [u8]) -> Result<(), EntropyError>;
}

/// The random generator failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the random generator failed")]
pub struct EntropyError;
