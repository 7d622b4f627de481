//! Mail through SES.

use std::time::Duration;

use aws_config::SdkConfig;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_sdk_sesv2::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_sesv2::types::{Body, Content, Destination, EmailContent, Message, MessageTag};
use aws_sdk_sesv2::{Client, Config};

use crate::aws::{OPERATION_TIMEOUT, cause, port_error};
use crate::ports::{Mail, PortError, SendMail, SendOutcome};

/// The tag by which a mail's account comes back with what SES tells of it.
pub const ACCOUNT_TAG: &str = "account";

/// Sends mail through SES.
#[derive(Debug, Clone)]
pub struct Mailer {
    client: Client,
    from: String,
    configuration_set: String,
}

impl Mailer {
    /// A mailer with the given sender's address, and the configuration set by which SES tells what became of
    /// the mails.
    pub fn new(config: &SdkConfig, from: String, configuration_set: String) -> Self {
        // SES may have taken the mail of an attempt that ends without an answer, and knows no key by which
        // it would know it again: the SDK makes one attempt, and whoever has the record makes others.
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(Duration::from_secs(1))
            .operation_timeout(OPERATION_TIMEOUT)
            .build();
        let config = Config::from(config).to_builder();
        let config = config
            .timeout_config(timeouts)
            .retry_config(RetryConfig::disabled());
        Self {
            client: Client::from_conf(config.build()),
            from,
            configuration_set,
        }
    }
}

impl SendMail for Mailer {
    async fn send_mail(&self, mail: &Mail) -> Result<SendOutcome, PortError> {
        let content = |text: &str| {
            Content::builder()
                .charset("UTF-8")
                .data(text)
                .build()
                .map_err(|error| PortError::broken("a mail doesn't build", error))
        };
        let body = Body::builder()
            .text(content(&mail.text)?)
            .html(content(&mail.html)?)
            .build();
        let message = Message::builder()
            .subject(content(&mail.subject)?)
            .body(body)
            .build();
        // What SES tells of a mail later, it tells with this.
        let account = MessageTag::builder()
            .name(ACCOUNT_TAG)
            .value(mail.account.as_str())
            .build()
            .map_err(|error| PortError::broken("a tag doesn't build", error))?;
        let sent = self
            .client
            .send_email()
            .configuration_set_name(&self.configuration_set)
            .email_tags(account)
            .from_email_address(&self.from)
            .destination(Destination::builder().to_addresses(&mail.to).build())
            .content(EmailContent::builder().simple(message).build())
            .send()
            .await;
        match sent {
            Ok(_) => Ok(SendOutcome::Accepted),
            Err(
                error @ (SdkError::TimeoutError(_)
                | SdkError::DispatchFailure(_)
                | SdkError::ResponseError(_)),
            ) => Ok(SendOutcome::NoResponse(cause(error))),
            // All else in the request is ours.
            Err(error) if error.code() == Some("BadRequestException") => {
                Ok(SendOutcome::AddressRejected(cause(error)))
            }
            Err(error) => Err(port_error(error)),
        }
    }
}
