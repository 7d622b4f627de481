//! Where events go that nothing can be done with.

use std::future::Future;

use aws_sdk_sqs::Client;
use latchkey::aws::port_error;
use latchkey::ports::PortError;

/// Keeps what can't be processed for a person to look at.
pub trait SetAside: Sync {
    /// Keeps a message.
    fn set_aside(&self, message: String) -> impl Future<Output = Result<(), PortError>> + Send;
}

/// The queue that Lambda, too, puts events into on which the function has failed for good.
#[derive(Debug, Clone)]
pub struct DeadLetters {
    client: Client,
    queue_url: String,
}

impl DeadLetters {
    /// The queue at that address.
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
