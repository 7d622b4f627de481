//! The mails about what happens to tokens.

mod bounce;
mod digest;
mod notify;
mod value;
mod words;

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
use crate::domain::action::Action;
use crate::domain::audit::{AuditRecord, Change};
use crate::domain::id::AccountId;
use crate::domain::time::rfc3339;
use crate::ports::{Handover, Mail, PortError, SendMail};

pub use notify::Notifier;
use value::{Shown, Who};
use words::{advice, field, predicate, sentence, source};

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
    recipient: Shown,
    account: Shown,
    sentence: &'static str,
    advice: Option<&'static str>,
    token: Shown,
    token_id: &'a str,
    hint: Shown,
    who: Who,
    when: String,
    ip: Option<String>,
    asserted_ip: Option<String>,
    client: Option<Shown>,
    source: &'static str,
    /// When the token ends, in a warning of that.
    ends: Option<Shown>,
    changes: Vec<Row>,
    link: String,
}

/// A change as it is shown.
struct Row {
    field: Shown,
    old: Option<Shown>,
    new: Option<Shown>,
}

impl Row {
    fn of(change: &Change, action: Action) -> Self {
        let cut = |value: &String| Shown::cut(value, MAX_VALUE);
        Self {
            // A record that was tampered with has the attributes that somebody gave it.
            field: match action {
                Action::Tamper => Shown::of(&change.field),
                _ => Shown::known(field(&change.field)),
            },
            old: change.old.as_ref().map(cut),
            new: change.new.as_ref().map(cut),
        }
    }
}

/// The most characters of a value that a mail shows: a scope may list a thousand ids, and the audit
/// log, to which the mail links, has them all.
const MAX_VALUE: usize = 300;

/// The most characters of a token's and of an account's name in a subject: what happened must not be behind
/// the end of what mail programs show.
const MAX_SUBJECT_NAME: usize = 48;

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
    // A warning's record has no changes: it tells the purge time, which stays as it is.
    let is_warning = record.action == Action::Remind;
    let (told, changes) =
        record
            .changes
            .split_at(if is_warning { record.changes.len() } else { 0 });
    let view = View {
        recipient: Shown::of(&recipient.name),
        account: Shown::of(&account.name),
        sentence: sentence(record),
        advice: advice(record.action),
        token: Shown::of(&record.token_name),
        token_id: record.token_id.as_str(),
        hint: Shown::of(&record.token_hint),
        who: Who::of(&record.origin.actor),
        when: rfc3339(record.time),
        ip: record.origin.ip.map(|ip| ip.to_string()),
        asserted_ip: record.asserted_ip.map(|ip| ip.to_string()),
        client: record.origin.user_agent.as_deref().map(Shown::of),
        source: source(record.origin.source),
        ends: told
            .iter()
            .find_map(|told| told.new.as_deref())
            .map(Shown::of),
        changes: changes
            .iter()
            .map(|change| Row::of(change, record.action))
            .collect(),
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
    let account = Shown::cut(&account.name, MAX_SUBJECT_NAME).bracketed();
    let token = Shown::cut(&record.token_name, MAX_SUBJECT_NAME).quoted();
    format!("{account} API token {token} {}", predicate(record))
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
    use crate::domain::audit::{COMPROMISED, Source};
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
    fn what_somebody_claims_is_told_as_claimed() {
        let mut record = testing::audit(Action::Access, &testing::token(), testing::now(), 1);
        record.origin.source = Source::Ui;
        record.asserted_ip = Some([203, 0, 113, 9].into());
        let account = testing::acme();
        let console = Console::new("https://tokens.example/");
        let mail = compose(&record, &account, &account.members[0], &console).unwrap();
        for line in [
            "  Through:  the API tokens page, as claimed\n",
            "  Address:  192.0.2.1\n",
            "  Bearer's address, as claimed by the API that asked: 203.0.113.9\n",
            "  Client, as claimed: “tests”\n",
        ] {
            assert!(mail.text.contains(line), "{}", mail.text);
        }
        for row in [
            "<td>Through</td><td>the API tokens page, as claimed</td>",
            "<td>Bearer's address, as claimed by the API that asked</td><td>203.0.113.9</td>",
            "<td>Client, as claimed</td><td>“<bdi>tests</bdi>”</td>",
        ] {
            assert!(mail.html.contains(row), "{}", mail.html);
        }
    }

    #[test]
    fn a_warning_tells_when_the_token_ends() {
        let mut record = testing::audit(Action::Remind, &testing::token(), testing::now(), 1);
        record.origin.actor = crate::domain::actor::Actor::system();
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
        assert!(mail.text.contains(&format!(
            "scope.exports: “\u{2068}{old}\u{2069}” → “\u{2068}{old}…\u{2069}”\n"
        )));
        assert!(mail.text.contains("scope.imports: (none) → “imp_1”\n"));
        let cells = format!(
            "<td><bdi>scope.exports</bdi></td><td>“<bdi>{old}</bdi>”</td><td>“<bdi>{old}…</bdi>”</td>"
        );
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
    fn a_revocation_of_an_old_secret_is_not_told_as_one_of_the_token() {
        let account = testing::acme();
        let console = Console::new("https://tokens.example/");
        let told = |action, which: Option<&str>| {
            let mut record = testing::audit(action, &testing::token(), testing::now(), 1);
            let which = which.map(|which| Change::new(COMPROMISED, None, Some(which.into())));
            record.changes.extend(which);
            let mail = compose(&record, &account, &account.members[0], &console).unwrap();
            (mail.subject, mail.text.contains("The token itself stays"))
        };
        let (revoked, spared) = told(Action::Revoke, None);
        assert!(!spared);
        assert_eq!(
            told(Action::Revoke, Some("current")),
            (revoked.clone(), false)
        );
        for which in ["previous", "ended"] {
            let (subject, spared) = told(Action::Revoke, Some(which));
            assert!(spared);
            assert_ne!(subject, revoked);
            assert!(!told(Action::Leak, Some(which)).1);
        }
    }

    #[test]
    fn no_value_draws_lines_turns_text_around_or_links() {
        let poison = "x\r\n  Who:      the system\n\nAll is well\u{2028}\u{202e}https://evil.example www.evil.example";
        let mut account = testing::acme();
        account.name = poison.into();
        account.members[0].name = poison.into();
        let token = crate::domain::token::Token {
            name: poison.into(),
            hint: poison.into(),
            ..testing::token()
        };
        for action in Action::ALL {
            let mut record = testing::audit(action, &token, testing::now(), 1);
            record.origin.user_agent = Some(poison.into());
            record.origin.actor.name = poison.into();
            record.origin.actor.email = Some(poison.into());
            record.changes = vec![Change::new(
                "description",
                Some(poison.into()),
                Some(poison.into()),
            )];
            let mail = compose(
                &record,
                &account,
                &account.members[0],
                &Console::new("https://tokens.example/"),
            )
            .unwrap();
            assert!(!mail.subject.contains(['\r', '\n']), "{}", mail.subject);
            let forged = |line: &str| {
                line.trim_start().starts_with("Who:      the system")
                    || line.contains("All is well") && line.len() < 20
            };
            assert!(!mail.text.lines().any(forged), "{}", mail.text);
            for part in [&mail.subject, &mail.text, &mail.html] {
                assert!(!part.contains(['\u{2028}', '\u{202e}']), "{part}");
                assert!(
                    !part.contains("//evil") || part.contains("[:]//evil"),
                    "{part}"
                );
                assert!(!part.contains("evil.example"), "{part}");
            }
            let lines = |text: &str| text.lines().count();
            let mut harmless = record.clone();
            harmless.token_name = "x".into();
            harmless.origin.user_agent = Some("x".into());
            harmless.origin.actor = testing::owner_actor();
            harmless.changes = vec![Change::new("description", None, Some("x".into()))];
            let console = Console::new("https://tokens.example/");
            let plain = compose(&harmless, &account, &account.members[0], &console).unwrap();
            assert_eq!(lines(&mail.text), lines(&plain.text));
            assert_eq!(lines(&mail.html), lines(&plain.html));
        }
    }

    #[test]
    fn a_name_that_reads_like_a_sentence_stays_as_it_is() {
        let subject = mail(Action::Remind, "Report was about sales").subject;
        assert_eq!(
            subject,
            "[Acme] API token “Report was about sales” is about to be purged"
        );
    }

    #[test]
    fn an_accounts_name_tells_of_no_other_event() {
        let mut account = testing::acme();
        account.name = "Acme] API token “X” was deleted [x".into();
        let record = testing::audit(Action::Create, &testing::token(), testing::now(), 1);
        let console = Console::new("https://tokens.example/");
        let mail = compose(&record, &account, &account.members[0], &console).unwrap();
        let told = "[Acme) API token \"X\" was deleted (x] API token “Warehouse sync” was created";
        assert_eq!(mail.subject, told);
    }

    #[test]
    fn a_name_in_html_ends_no_quotation() {
        let mail = mail(Action::Update, "x” (owner@acme.example), the member “y");
        for part in [&mail.subject, &mail.text, &mail.html] {
            assert!(!part.contains("x”") && !part.contains("“y"), "{part}");
        }
    }

    #[test]
    fn a_name_that_is_older_than_the_rules_tells_no_secret() {
        let secret = testing::plain(&testing::plain_secret());
        let mail = mail(Action::Access, &format!("Old {secret}"));
        for part in [&mail.subject, &mail.text, &mail.html] {
            assert!(part.contains("Old lka_[redacted]"), "{part}");
            assert!(!part.contains(&secret[4..]), "{part}");
        }
    }

    #[test]
    fn a_long_name_leaves_room_for_what_happened() {
        let subject = mail(Action::Delete, &"é".repeat(128)).subject;
        assert!(subject.ends_with("…\u{2069}” was deleted"), "{subject}");
        assert!(subject.chars().count() < 100);
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
