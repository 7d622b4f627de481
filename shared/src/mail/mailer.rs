//! Sends mail through SES.

use std::iter;
use std::time::Duration;

use aws_config::SdkConfig;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_sdk_sesv2::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_sesv2::types::{
    Body, Content, Destination, EmailContent, Message, MessageHeader, MessageTag,
};
use aws_sdk_sesv2::{Client, Config};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::aws::{OPERATION_TIMEOUT, cause, port_error};
use crate::domain::brand::Brand;
use crate::ports::{Mail, MailedRecord, PortError, SendMail, SendOutcome};

/// The message tag with the mail's account. SES includes it in its events about the mail.
pub const ACCOUNT_TAG: &str = "account";

/// The headers that name the record that a mail is about: its id, the id of its request, and the request's trace.
const RECORD_HEADERS: [&str; 3] = [
    "X-Latchkey-Audit-Id",
    "X-Latchkey-Request-Id",
    "X-Latchkey-Trace-Id",
];

/// The maximum length of a header's value, in characters. SES takes names and values of 996 characters together.
const MAX_HEADER: usize = 870;

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

/// The header by which mail servers know that nobody waits for an answer, such as a notice of absence (RFC 3834).
const AUTOMATIC: (&str, &str) = ("Auto-Submitted", "auto-generated");

/// The headers of a mail. SES takes printable ASCII only (`MessageHeader` in its API reference), and refuses the whole
/// mail otherwise. A request's id may be a stranger's text; one that SES wouldn't take is left out.
fn headers(record: Option<&MailedRecord>) -> Result<Vec<MessageHeader>, PortError> {
    let values = record.map(|record| {
        [
            Some(record.id.as_str()),
            Some(record.request_id.as_str()),
            record.trace_id.as_ref().map(|trace| trace.as_str()),
        ]
    });
    let named = RECORD_HEADERS.into_iter().zip(values.into_iter().flatten());
    let is_taken = |value: &str| {
        (1..=MAX_HEADER).contains(&value.len()) && value.bytes().all(|b| (b' '..=b'~').contains(&b))
    };
    let of_record =
        named.filter_map(|(name, value)| Some((name, value.filter(|value| is_taken(value))?)));
    iter::once(AUTOMATIC)
        .chain(of_record)
        .map(|(name, value)| MessageHeader::builder().name(name).value(value).build())
        .collect::<Result<_, _>>()
        .map_err(|error| PortError::broken("a header doesn't build", error))
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
        let headers = headers(mail.record.as_ref())?;
        let message = Message::builder()
            .subject(content(&mail.subject)?)
            .body(body)
            .set_headers(Some(headers))
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
            // Only the address can be wrong: everything else in the request is fixed, or of a form that SES takes.
            Err(error) if error.code() == Some("BadRequestException") => {
                Ok(SendOutcome::AddressRejected(cause(error)))
            }
            Err(error) => Err(port_error(error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::domain::action::Action;
    use crate::testing::{Service, audit, now, token};

    #[tokio::test]
    async fn a_mail_names_its_record_request_and_trace_in_headers_that_ses_takes() {
        let mut record = audit(Action::View, &token(), now(), 7);
        record.origin.trace_id = "1-5e66d96f-7491f09e0a79d18acf3d0505".parse().ok();
        let all = json!([
            {"Name": "Auto-Submitted", "Value": "auto-generated"},
            {"Name": "X-Latchkey-Audit-Id", "Value": record.id},
            {"Name": "X-Latchkey-Request-Id", "Value": "req-1"},
            {"Name": "X-Latchkey-Trace-Id", "Value": "1-5e66d96f-7491f09e0a79d18acf3d0505"},
        ]);
        let mut mails = vec![(Some(MailedRecord::from(&record)), all.clone())];
        record.origin.trace_id = None;
        for strange in [
            "",
            "Prüfung",
            "a\r\nBcc: x@y.example",
            &"r".repeat(MAX_HEADER + 1),
        ] {
            record.origin.request_id = strange.into();
            mails.push((Some(MailedRecord::from(&record)), json!([all[0], all[1]])));
        }
        mails.push((None, json!([all[0]])));
        let answer = (200, json!({"MessageId": "1"}));
        let (service, config) = Service::answering(vec![answer; mails.len()]).await;
        let mailer = Mailer::new(&config, "tokens@acme.example".into(), "set".into());
        for (record, _) in &mails {
            let mail = Mail {
                account: token().account_id,
                to: "owner@acme.example".into(),
                subject: String::new(),
                text: String::new(),
                html: String::new(),
                record: record.clone(),
            };
            let sent = mailer.send_mail(&mail).await;
            assert!(matches!(sent, Ok(SendOutcome::Accepted)), "{sent:?}");
        }
        let requests = service.requests().into_iter();
        let sent: Vec<_> = requests
            .map(|mut request| request["Content"]["Simple"]["Headers"].take())
            .collect();
        let expected: Vec<_> = mails.into_iter().map(|(_, headers)| headers).collect();
        assert_eq!(sent, expected);
    }

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
