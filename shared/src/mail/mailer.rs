//! Sends mail through SES.

use std::time::Duration;

use aws_config::SdkConfig;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_sdk_sesv2::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_sesv2::types::{Body, Content, Destination, EmailContent, Message, MessageTag};
use aws_sdk_sesv2::{Client, Config};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::aws::{OPERATION_TIMEOUT, cause, port_error};
use crate::domain::brand::Brand;
use crate::ports::{Mail, PortError, SendMail, SendOutcome};

/// The message tag with the mail's account. SES includes it in its events about the mail.
pub const ACCOUNT_TAG: &str = "account";

/// A client of SES.
#[derive(Debug, Clone)]
pub struct Mailer {
    client: Client,
    from: String,
    reply_to: Option<String>,
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
            reply_to: None,
            configuration_set,
        }
    }

    /// The mailer with the brand's sender name, and with its support address for answers.
    #[must_use]
    pub fn branded(mut self, brand: &Brand) -> Self {
        self.from = named_address(brand.sender(), &self.from);
        self.reply_to = brand.support().map(str::to_owned);
        self
    }
}

/// An address with a name, as a header has it: a quoted string of RFC 5322, or encoded words of RFC 2047.
fn named_address(name: &str, address: &str) -> String {
    if name.is_ascii() {
        let quoted = name.replace('\\', "\\\\").replace('"', "\\\"");
        return format!("\"{quoted}\" <{address}>");
    }
    let mut words = vec![String::new()];
    for c in name.chars() {
        match words.last_mut() {
            Some(word) if word.len() + c.len_utf8() <= MAX_ENCODED => word.push(c),
            _ => words.push(c.into()),
        }
    }
    let words = words.iter();
    let words: Vec<_> = words
        .map(|word| format!("=?utf-8?B?{}?=", STANDARD.encode(word)))
        .collect();
    format!("{} <{address}>", words.join(" "))
}

/// The maximum length of the text in an encoded word, in bytes. The word itself may have 75 characters.
const MAX_ENCODED: usize = 45;

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
            .set_reply_to_addresses(self.reply_to.clone().map(|address| vec![address]))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sender_has_a_name_that_ends_neither_its_quotes_nor_its_line() {
        let named = |name| named_address(name, "tokens@acme.example");
        assert_eq!(named("Latchkey"), "\"Latchkey\" <tokens@acme.example>");
        assert_eq!(
            named("A \"B\" \\ C <x@y.example>, D"),
            "\"A \\\"B\\\" \\\\ C <x@y.example>, D\" <tokens@acme.example>"
        );
        assert_eq!(
            named("Prüfer"),
            "=?utf-8?B?UHLDvGZlcg==?= <tokens@acme.example>"
        );
        let long = named(&"ü".repeat(64));
        let words: Vec<_> = long.split(' ').collect();
        assert_eq!(words.len(), 4);
        assert!(words.iter().all(|word| word.len() <= 75), "{long}");
    }
}
