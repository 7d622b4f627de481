//! Tries a change again that another one was in the way of.

use std::fmt::Display;

use crate::ports::PortError;

/// How often the change of a token is attempted.
pub const ATTEMPTS: usize = 5;

/// Attempts a change until it is through. An attempt reads what it goes by, and writes; it answers `None` if that
/// was changed in between ([`unless_conflict`]), and is made again.
///
/// # Errors
/// The first error of an attempt. [`PortError::Conflict`] after `attempts` that all met another change.
pub async fn retry_on_conflict<T, E, F>(attempts: usize, attempt: impl Fn() -> F) -> Result<T, E>
where
    E: From<PortError>,
    F: Future<Output = Result<Option<T>, E>>,
{
    for _ in 0..attempts {
        if let Some(done) = attempt().await? {
            return Ok(done);
        }
    }
    Err(PortError::Conflict.into())
}

/// The same error, but a conflict that didn't end as something to come back for: `what` changes all the time, and
/// may be at rest later.
pub fn unavailable_for_now(error: PortError, what: impl Display) -> PortError {
    match error {
        PortError::Conflict => {
            PortError::Unavailable(format!("{what} changes again and again").into())
        }
        error => error,
    }
}

/// What a write answered, or `None` if it met another change.
///
/// # Errors
/// Every other error of the write.
pub fn unless_conflict<T>(written: Result<T, PortError>) -> Result<Option<T>, PortError> {
    match written {
        Ok(done) => Ok(Some(done)),
        Err(PortError::Conflict) => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    type Answer = fn() -> Result<u8, PortError>;

    /// How often a change is attempted whose writes answer this, each in its turn, and what comes of it.
    async fn attempt(answers: &[Answer]) -> (usize, Result<u8, PortError>) {
        let made = Cell::new(0);
        let done = retry_on_conflict(3, || async {
            let number = made.replace(made.get() + 1);
            unless_conflict(answers[number]())
        });
        let done = done.await;
        (made.get(), done)
    }

    #[tokio::test]
    async fn only_conflicts_are_tried_again_and_not_for_ever() {
        let conflict: Answer = || Err(PortError::Conflict);
        let broken: Answer = || Err(PortError::Broken("no".into()));
        let done = attempt(&[conflict, conflict, || Ok(7)]).await;
        assert!(matches!(done, (3, Ok(7))), "{done:?}");
        let done = attempt(&[conflict, broken]).await;
        assert!(matches!(done, (2, Err(PortError::Broken(_)))), "{done:?}");
        let done = attempt(&[conflict; 3]).await;
        assert!(matches!(done, (3, Err(PortError::Conflict))), "{done:?}");
        let given_up = unavailable_for_now(PortError::Conflict, "a token");
        assert!(matches!(given_up, PortError::Unavailable(_)));
    }
}
