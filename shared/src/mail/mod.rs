//! The mails about what happens to tokens.

mod bounce;
mod digest;
mod notify;

use std::borrow::Cow;
use std::time::Duration;

use askama::Template;
use aws_config::SdkConfig;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_sdk_sesv2::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};
use aws_sdk_sesv2::types::{Body, Content, Destination, EmailContent, Message, MessageTag};
use aws_sdk_sesv2::{Client, Config};

use crate::aws::{OPERATION_TIMEOUT, port_error};
use crate::domain::account::{Account, Member};
use crate::domain::audit::{Action, AuditRecord, Change, Source};
use crate::domain::id::AccountId;
use crate::domain::ports::{Handover, Mail, PortError, SendMail};

pub use notify::Notifier;

/// The console, for the links in mails.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Console(String);

impl Console {
    /// The console at that address.
    pub fn new(url: impl Into<String>) -> Self {
        Self(url.into())
    }

    /// Where an account's audit log is shown.
    fn log_link(&self, account: &AccountId) -> String {
        let base = self.0.trim_end_matches('/');
        format!("{base}/#/accounts/{account}/audit")
    }

    /// Where the audit log of a record's token is shown.
    fn audit_link(&self, record: &AuditRecord) -> String {
        let base = self.0.trim_end_matches('/');
        format!(
            "{base}/#/accounts/{}/tokens/{}/audit",
            record.account_id, record.token_id
        )
    }
}

#[derive(Template)]
#[template(path = "notification.txt", escape = "none")]
struct Text<'a>(&'a View<'a>);

#[derive(Template)]
#[template(path = "notification.html")]
struct Html<'a>(&'a View<'a>);

/// What a mail says.
struct View<'a> {
    recipient: &'a str,
    account: &'a str,
    sentence: &'static str,
    advice: Option<&'static str>,
    token: &'a str,
    token_id: &'a str,
    hint: &'a str,
    who: String,
    when: String,
    ip: Option<String>,
    client: Option<&'a str>,
    source: &'static str,
    /// When the token ends, in a warning of that.
    ends: Option<&'a str>,
    changes: Vec<Row<'a>>,
    link: String,
}

/// A change as it is shown.
struct Row<'a> {
    field: &'a str,
    old: Cow<'a, str>,
    new: Cow<'a, str>,
}

impl<'a> From<&'a Change> for Row<'a> {
    fn from(change: &'a Change) -> Self {
        Self {
            field: &change.field,
            old: shown(change.old.as_deref()),
            new: shown(change.new.as_deref()),
        }
    }
}

/// The most characters of a value that a mail shows: a scope may list a thousand ids, and the audit
/// log, to which the mail links, has them all.
const MAX_VALUE: usize = 300;

fn shown(value: Option<&str>) -> Cow<'_, str> {
    let Some(value) = value else {
        return Cow::Borrowed("(none)");
    };
    if value.chars().nth(MAX_VALUE).is_none() {
        return Cow::Borrowed(value);
    }
    let start = value.chars().take(MAX_VALUE);
    Cow::Owned(start.chain(['…']).collect())
}

/// The mail about an audit record to a member of its account. It can't hold the secret, because the
/// record doesn't.
///
/// # Errors
/// When the template doesn't render, which is a defect.
pub fn compose(
    record: &AuditRecord,
    account: &Account,
    recipient: &Member,
    console: &Console,
) -> Result<Mail, PortError> {
    let broken =
        |error: askama::Error| PortError::Broken(format!("a mail doesn't render: {error}"));
    let actor = &record.origin.actor;
    let who = match &actor.email {
        Some(email) => format!("{} <{email}>", actor.name),
        None => actor.name.clone(),
    };
    // A warning's record has no changes: it tells the purge time, which stays as it is.
    let is_warning = record.action == Action::Remind;
    let (told, changes) =
        record
            .changes
            .split_at(if is_warning { record.changes.len() } else { 0 });
    let view = View {
        recipient: &recipient.name,
        account: &account.name,
        sentence: sentence(record.action),
        advice: advice(record.action),
        token: &record.token_name,
        token_id: record.token_id.as_str(),
        hint: &record.token_hint,
        who,
        when: record.time.to_string(),
        ip: record.origin.ip.map(|ip| ip.to_string()),
        client: record.origin.user_agent.as_deref(),
        source: source(record.origin.source),
        ends: told.iter().find_map(|told| told.new.as_deref()),
        changes: changes.iter().map(Row::from).collect(),
        link: console.audit_link(record),
    };
    Ok(Mail {
        account: account.id.clone(),
        to: recipient.email.clone(),
        subject: subject(record, account),
        text: Text(&view).render().map_err(broken)?,
        html: Html(&view).render().map_err(broken)?,
    })
}

/// One line, whatever is in the names.
fn subject(record: &AuditRecord, account: &Account) -> String {
    let what = match record.action {
        Action::Create => "created",
        Action::Update => "changed",
        Action::View => "shown in plain text",
        Action::Revoke => "revoked",
        Action::Reactivate => "reactivated",
        Action::Regenerate => "given a new secret",
        Action::Delete => "deleted",
        Action::Access => "used",
        Action::Purge => "purged",
        Action::Remind => "about to be purged",
        Action::Leak => "reported as leaked",
    };
    let subject = format!(
        "[{}] API token “{}” was {what}",
        account.name, record.token_name
    );
    let subject = if record.action == Action::Remind {
        subject.replace(" was about", " is about")
    } else {
        subject
    };
    subject
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect()
}

fn sentence(action: Action) -> &'static str {
    match action {
        Action::Create => "An API token was created.",
        Action::Update => "An API token was changed.",
        Action::View => "The secret of an API token was shown in plain text.",
        Action::Revoke => "An API token was revoked. Calls with it are refused from now on.",
        Action::Reactivate => "A revoked API token was reactivated. Calls with it work again.",
        Action::Regenerate => "An API token was given a new secret.",
        Action::Delete => "An API token was deleted.",
        Action::Access => {
            "An API token was used for the first time, or for the first time today from this address."
        }
        Action::Purge => "An API token has reached its purge time and is gone.",
        Action::Remind => "An API token will reach its purge time soon. From then on it is gone.",
        Action::Leak => "The secret of an API token was reported as leaked. The token is revoked.",
    }
}

fn advice(action: Action) -> Option<&'static str> {
    match action {
        Action::Create
        | Action::Update
        | Action::View
        | Action::Reactivate
        | Action::Regenerate
        | Action::Access => {
            Some("If you don't recognise this, revoke the token and talk to whoever did it.")
        }
        Action::Leak => Some("Create a new token and find out where the old one was published."),
        Action::Remind => Some(
            "Whatever still uses it fails from then on. Choose its lifetime anew, or put a new token in \
             its place, before that.",
        ),
        Action::Revoke | Action::Delete | Action::Purge => None,
    }
}

fn source(source: Source) -> &'static str {
    match source {
        Source::Ui => "the API tokens page",
        Source::Api => "the API",
        Source::System => "the system",
        Source::LeakReport => "a secret scanner's report",
    }
}

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
    async fn send_mail(&self, mail: &Mail) -> Result<Handover, PortError> {
        let content = |text: &str| {
            Content::builder()
                .charset("UTF-8")
                .data(text)
                .build()
                .map_err(|error| PortError::Broken(format!("a mail doesn't build: {error}")))
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
            .map_err(|error| PortError::Broken(format!("a tag doesn't build: {error}")))?;
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
            Ok(_) => Ok(Handover::Taken),
            Err(
                error @ (SdkError::TimeoutError(_)
                | SdkError::DispatchFailure(_)
                | SdkError::ResponseError(_)),
            ) => Ok(Handover::Unanswered(DisplayErrorContext(error).to_string())),
            // All else in the request is ours.
            Err(error) if error.code() == Some("BadRequestException") => {
                Ok(Handover::NoAddress(DisplayErrorContext(error).to_string()))
            }
            Err(error) => Err(port_error(error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::testing::{self, Service};

    fn mail(action: Action, name: &str) -> Mail {
        let token = crate::domain::token::Token {
            name: name.into(),
            ..testing::token()
        };
        let mut record = testing::audit(action, &token, testing::now(), 1);
        record.changes = vec![Change::new("name", Some("<old>".into()), Some(name.into()))];
        let account = testing::acme();
        let console = Console::new("https://tokens.example/");
        compose(&record, &account, &account.members[1], &console).unwrap()
    }

    #[test]
    fn a_mail_tells_what_which_who_when_and_from_where() {
        let mail = mail(Action::Update, "Warehouse sync");
        insta::assert_snapshot!(format!(
            "To: {}\nSubject: {}\n\n{}\n-----\n{}",
            mail.to, mail.subject, mail.text, mail.html
        ));
    }

    #[test]
    fn a_warning_tells_when_the_token_ends() {
        let mut record = testing::audit(Action::Remind, &testing::token(), testing::now(), 1);
        record.origin.actor = crate::domain::audit::Actor::system();
        record.origin.source = Source::System;
        (record.origin.ip, record.origin.user_agent) = (None, None);
        let end = Some("2026-11-30T10:00:00Z".to_owned());
        record.changes = vec![Change::new("purgeAt", end.clone(), end)];
        let account = testing::acme();
        let console = Console::new("https://tokens.example/");
        let mail = compose(&record, &account, &account.members[0], &console).unwrap();
        insta::assert_snapshot!(format!(
            "To: {}\nSubject: {}\n\n{}\n-----\n{}",
            mail.to, mail.subject, mail.text, mail.html
        ));
    }

    #[test]
    fn a_long_value_is_cut_and_one_that_just_fits_is_not() {
        let old = "é".repeat(MAX_VALUE);
        let new = format!("{old}é");
        let mut record = testing::audit(Action::Update, &testing::token(), testing::now(), 1);
        record.changes = vec![
            Change::new("scope.exports", Some(old.clone()), Some(new)),
            Change::new("scope.imports", None, Some("imp_1".into())),
        ];
        let account = testing::acme();
        let console = Console::new("https://tokens.example/");
        let mail = compose(&record, &account, &account.members[0], &console).unwrap();
        assert!(
            mail.text
                .contains(&format!("scope.exports: {old} → {old}…\n"))
        );
        assert!(mail.text.contains("scope.imports: (none) → imp_1\n"));
        let cells = format!("<td>scope.exports</td><td>{old}</td><td>{old}…</td>");
        assert!(mail.html.contains(&cells));
    }

    #[test]
    fn names_are_escaped_in_html_and_can_add_no_header() {
        let mail = mail(Action::View, "<script>\r\nBcc: all@example.com");
        assert!(!mail.html.contains("<script>"));
        assert!(!mail.subject.contains(['\r', '\n']));
    }

    /// Sends a mail through an SES that answers so, or closes the connection; also says how often it was
    /// asked.
    async fn send(answer: Option<(u16, &str)>) -> (Result<Handover, PortError>, usize) {
        let answer = answer.map(|(status, code)| (status, json!({"code": code})));
        let (service, config) = Service::answering(answer).await;
        let config = config.into_builder().retry_config(RetryConfig::standard());
        let mailer = Mailer::new(&config.build(), "tokens@example.com".into(), "mails".into());
        let sent = mailer.send_mail(&mail(Action::View, "T")).await;
        (sent, service.requests().len())
    }

    #[tokio::test]
    async fn what_ses_answers_tells_what_became_of_a_mail() {
        let of = |status, code| async move { send(Some((status, code))).await.0 };
        assert_eq!(of(200, "").await, Ok(Handover::Taken));
        // “Domain contains illegal character”, for example.
        let refused = of(400, "BadRequestException").await;
        assert!(matches!(refused, Ok(Handover::NoAddress(_))), "{refused:?}");
        // What SES says while the sender isn't confirmed: it may take the mail later.
        for code in [
            "MessageRejected",
            "AccountSuspendedException",
            "SendingPausedException",
        ] {
            let refused = of(400, code).await;
            assert!(matches!(refused, Err(PortError::Broken(_))), "{refused:?}");
        }
        let busy = of(429, "TooManyRequestsException").await;
        assert!(matches!(busy, Err(PortError::Unavailable(_))), "{busy:?}");
    }

    #[tokio::test]
    async fn a_mail_without_an_answer_is_not_sent_again_at_once() {
        let (sent, asked) = send(None).await;
        assert!(matches!(sent, Ok(Handover::Unanswered(_))), "{sent:?}");
        assert_eq!(asked, 1);
    }

    #[test]
    fn every_action_has_a_subject_of_its_own() {
        let subjects: std::collections::BTreeSet<_> = Action::ALL
            .into_iter()
            .map(|action| mail(action, "T").subject)
            .collect();
        assert_eq!(subjects.len(), Action::ALL.len());
        insta::assert_debug_snapshot!(subjects);
    }
}
