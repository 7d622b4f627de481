//! The service as the probe sees it.

use std::fmt;

use serde_json::Value;

/// The operations that the probe invokes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Operation {
    /// Creates a token.
    CreateToken,
    /// Deletes a revoked token.
    DeleteToken,
    /// Returns a token, without its secret.
    GetToken,
    /// Lists an account's tokens.
    ListTokens,
    /// Returns a token's secret again.
    RevealToken,
    /// Revokes a token.
    RevokeToken,
}

/// An answer of the service. Its body may hold a secret: it must be neither logged nor told.
#[derive(Clone)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The body; `null` if it isn't JSON.
    pub body: Value,
}

/// Names the status, and of the body only an error's code.
impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.status)?;
        match self.body.get("code").and_then(Value::as_str) {
            Some(code) => write!(f, " {code}"),
            None => Ok(()),
        }
    }
}

/// The deployed service.
pub trait Service: Sync {
    /// Invokes an operation's function with a gateway's event.
    ///
    /// # Errors
    /// When the function can't be invoked, or fails. The text has nothing of the answer.
    fn invoke(
        &self,
        operation: Operation,
        event: &Value,
    ) -> impl Future<Output = Result<Answer, String>> + Send;

    /// Asks `GET /v1/tokenInfo` with a secret.
    ///
    /// # Errors
    /// When the API can't be reached.
    fn token_info(&self, secret: &str) -> impl Future<Output = Result<Answer, String>> + Send;
}
