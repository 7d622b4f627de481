//! The queue for events that can't be processed.

use std::future::Future;

use aws_sdk_sqs::Client;
use latchkey::aws::port_error;
use latchkey::ports::PortError;

/// Keeps messages that can't be processed, for a person to look at.
pub trait SetAside: Sync {
    /// Keeps a message.
    ///
    /// # Errors
    /// When the message couldn't be stored.
    fn set_aside(&self, message: String) -> impl Future<Output = Result<(), PortError>> + Send;
}

/// The dead-letter queue. Lambda puts events there too, after the function's last failed attempt.
#[derive(Debug, Clone)]
pub struct DeadLetters {
    client: Client,
    queue_url: String,
}

impl DeadLetters {
    /// Creates a client of the queue at `queue_url`.
    pub fn new(client: Client, queue_url: String) -> Self {
        Self { client, queue_url }
    }
}

impl SetAside for DeadLetters {
    async fn set_aside(&self, message: String) -> Result<(), PortError> {
        let send = self.client.send_message().queue_url(&self.queue_url);
        let sent = send.message_body(message).send().await;
        sent.map(drop).map_err(port_error)
    }
}
