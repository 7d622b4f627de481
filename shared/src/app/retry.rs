//! Retries of changes that met a concurrent one.

use std::fmt::Display;

use super::measure::{Measure, count};
use crate::ports::PortError;

/// How often the change of a token is attempted.
pub const ATTEMPTS: usize = 5;

/// Attempts a change until it succeeds. An attempt reads the current state and writes. It returns `None` if the state
/// was changed in between (see [`unless_conflict`]), and is repeated then.
///
/// # Errors
/// The first error of an attempt. [`PortError::Conflict`] if all of `attempts` met a concurrent change.
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

/// Turns a conflict that remained after all attempts into [`PortError::Unavailable`]: `what` changes all the time, but
/// a later request may succeed. Other errors stay as they are.
pub fn unavailable_for_now(error: PortError, what: impl Display) -> PortError {
    match error {
        PortError::Conflict => {
            PortError::Unavailable(format!("{what} changes again and again").into())
        }
        error => error,
    }
}

/// The result of a write, or `None` if it met a concurrent change. That is counted.
///
/// # Errors
/// Every other error of the write.
pub fn unless_conflict<T>(written: Result<T, PortError>) -> Result<Option<T>, PortError> {
    match written {
        Ok(done) => Ok(Some(done)),
        Err(PortError::Conflict) => {
            count(Measure::Retried, 1);
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;
    use crate::testing::Logs;

    type Answer = fn() -> Result<u8, PortError>;

    /// Runs a change whose writes return these answers in turn. Returns the number of attempts and the result.
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
        let logs = Logs::start();
        let conflict: Answer = || Err(PortError::Conflict);
        let broken: Answer = || Err(PortError::Broken("no".into()));
        let done = attempt(&[conflict, conflict, || Ok(7)]).await;
        assert!(matches!(done, (3, Ok(7))), "{done:?}");
        let done = attempt(&[conflict, broken]).await;
        assert!(matches!(done, (2, Err(PortError::Broken(_)))), "{done:?}");
        let done = attempt(&[conflict; 3]).await;
        assert!(matches!(done, (3, Err(PortError::Conflict))), "{done:?}");
        let lines = logs.take();
        assert_eq!(lines.len(), 2 + 1 + 3);
        assert!(lines.iter().all(|line| line["measure"] == "retried"));
        let given_up = unavailable_for_now(PortError::Conflict, "a token");
        assert!(matches!(given_up, PortError::Unavailable(_)));
    }
}
