//! Sends mail through SES.

use std::time::Duration;

use aws_config::SdkConfig;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_sdk_sesv2::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_sesv2::types::{Body, Content, Destination, EmailContent, Message, MessageTag};
use aws_sdk_sesv2::{Client, Config};

use crate::aws::{OPERATION_TIMEOUT, cause, port_error};
use crate::ports::{Mail, PortError, SendMail, SendOutcome};

/// The message tag with the mail's account. SES includes it in its events about the mail.
pub const ACCOUNT_TAG: &str = "account";

/// A client of SES.
#[derive(Debug, Clone)]
pub struct Mailer {
    client: Client,
    from: String,
    configuration_set: String,
}

impl Mailer {
    /// A mailer that sends from the address `from`. SES publishes its events about the mails as `configuration_set`
    /// says.
    pub fn new(config: &SdkConfig, from: String, configuration_set: String) -> Self {
        // If an attempt ends without an answer, SES may have accepted the mail, and it has no idempotency key. So the
        // SDK makes one attempt only, and the caller, who stores the claim, decides on others.
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
        // SES includes this tag in its later events about the mail.
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
            // Only the address can be wrong: everything else in the request is fixed.
            Err(error) if error.code() == Some("BadRequestException") => {
                Ok(SendOutcome::AddressRejected(cause(error)))
            }
            Err(error) => Err(port_error(error)),
        }
    }
}
