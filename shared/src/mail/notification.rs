//! The mail about one event.

use askama::Template;

use super::value::{ActorLabel, DisplayText};
use super::words::{advice, field, predicate, sentence, source};
use crate::domain::account::{Account, Member};
use crate::domain::action::Action;
use crate::domain::audit::{AuditRecord, Change};
use crate::domain::id::AccountId;
use crate::domain::time::rfc3339;
use crate::ports::{Mail, PortError};

/// The address of the console, for the links in mails.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Console(String);

impl Console {
    /// A console at that URL.
    pub fn new(url: impl Into<String>) -> Self {
        Self(url.into())
    }

    /// The link to an account's audit log.
    pub(super) fn log_link(&self, account: &AccountId) -> String {
        let base = self.0.trim_end_matches('/');
        format!("{base}/#/accounts/{account}/audit")
    }

    /// The link to the audit log of a record's token.
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
struct NotificationText<'a>(&'a NotificationView<'a>);

#[derive(Template)]
#[template(path = "notification.html")]
struct NotificationHtml<'a>(&'a NotificationView<'a>);

/// The values in a notification's templates.
struct NotificationView<'a> {
    recipient: DisplayText,
    account: DisplayText,
    sentence: &'static str,
    advice: Option<&'static str>,
    token: DisplayText,
    token_id: &'a str,
    hint: DisplayText,
    who: ActorLabel,
    when: String,
    ip: Option<String>,
    asserted_ip: Option<String>,
    client: Option<DisplayText>,
    source: &'static str,
    /// The token's purge time, in a warning about it.
    ends: Option<DisplayText>,
    changes: Vec<ChangeRow>,
    link: String,
}

/// A change in a mail.
struct ChangeRow {
    field: DisplayText,
    old: Option<DisplayText>,
    new: Option<DisplayText>,
}

impl ChangeRow {
    fn of(change: &Change, action: Action) -> Self {
        let cut = |value: &String| DisplayText::cut(value, MAX_VALUE);
        Self {
            // A changed record of the audit log can have attributes with any name.
            field: match action {
                Action::Tamper => DisplayText::of(&change.field),
                _ => DisplayText::known(field(&change.field)),
            },
            old: change.old.as_ref().map(cut),
            new: change.new.as_ref().map(cut),
        }
    }
}

/// The maximum length of a value in a mail, in characters. A scope may list a thousand ids; the audit log, to which the
/// mail links, shows all of them.
pub(super) const MAX_VALUE: usize = 300;

/// The maximum length of a token's and of an account's name in a subject, in characters. Mail programs cut subjects,
/// and the event must still be visible.
pub(super) const MAX_SUBJECT_NAME: usize = 48;

/// The mail about an audit record to a member of its account. It can't contain the secret, since the record doesn't.
///
/// # Errors
/// The template doesn't render, which is a defect.
pub fn compose(
    record: &AuditRecord,
    account: &Account,
    recipient: &Member,
    console: &Console,
) -> Result<Mail, PortError> {
    let broken = |error: askama::Error| PortError::broken("a mail doesn't render", error);
    // The record of a warning has no changes, only the purge time, which the mail shows elsewhere.
    let is_warning = record.action == Action::Remind;
    let (told, changes) =
        record
            .changes
            .split_at(if is_warning { record.changes.len() } else { 0 });
    let view = NotificationView {
        recipient: DisplayText::of(&recipient.name),
        account: DisplayText::of(&account.name),
        sentence: sentence(record),
        advice: advice(record.action),
        token: DisplayText::of(&record.token_name),
        token_id: record.token_id.as_str(),
        hint: DisplayText::of(&record.token_hint),
        who: ActorLabel::of(&record.origin.actor),
        when: rfc3339(record.time),
        ip: record.origin.ip.map(|ip| ip.to_string()),
        asserted_ip: record.asserted_ip.map(|ip| ip.to_string()),
        client: record.origin.user_agent.as_deref().map(DisplayText::of),
        source: source(record.origin.source),
        ends: told
            .iter()
            .find_map(|told| told.new.as_deref())
            .map(DisplayText::of),
        changes: changes
            .iter()
            .map(|change| ChangeRow::of(change, record.action))
            .collect(),
        link: console.audit_link(record),
    };
    Ok(Mail {
        account: account.id.clone(),
        to: recipient.email.clone(),
        subject: subject(record, account),
        text: NotificationText(&view).render().map_err(broken)?,
        html: NotificationHtml(&view).render().map_err(broken)?,
    })
}

/// The subject, which is always one line.
fn subject(record: &AuditRecord, account: &Account) -> String {
    let account = DisplayText::cut(&account.name, MAX_SUBJECT_NAME).bracketed();
    let token = DisplayText::cut(&record.token_name, MAX_SUBJECT_NAME).quoted();
    format!("{account} API token {token} {}", predicate(record))
}
