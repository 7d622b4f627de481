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

/// The console, for the links in mails.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Console(String);

impl Console {
    /// The console at that address.
    pub fn new(url: impl Into<String>) -> Self {
        Self(url.into())
    }

    /// Where an account's audit log is shown.
    pub(super) fn log_link(&self, account: &AccountId) -> String {
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
struct NotificationText<'a>(&'a NotificationView<'a>);

#[derive(Template)]
#[template(path = "notification.html")]
struct NotificationHtml<'a>(&'a NotificationView<'a>);

/// What a mail says.
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
    /// When the token ends, in a warning of that.
    ends: Option<DisplayText>,
    changes: Vec<ChangeRow>,
    link: String,
}

/// A change as it is shown.
struct ChangeRow {
    field: DisplayText,
    old: Option<DisplayText>,
    new: Option<DisplayText>,
}

impl ChangeRow {
    fn of(change: &Change, action: Action) -> Self {
        let cut = |value: &String| DisplayText::cut(value, MAX_VALUE);
        Self {
            // A record that was tampered with has the attributes that somebody gave it.
            field: match action {
                Action::Tamper => DisplayText::of(&change.field),
                _ => DisplayText::known(field(&change.field)),
            },
            old: change.old.as_ref().map(cut),
            new: change.new.as_ref().map(cut),
        }
    }
}

/// The most characters of a value that a mail shows: a scope may list a thousand ids, and the audit
/// log, to which the mail links, has them all.
pub(super) const MAX_VALUE: usize = 300;

/// The most characters of a token's and of an account's name in a subject: what happened must not be behind
/// the end of what mail programs show.
pub(super) const MAX_SUBJECT_NAME: usize = 48;

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
    let broken = |error: askama::Error| PortError::broken("a mail doesn't render", error);
    // A warning's record has no changes: it tells the purge time, which stays as it is.
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

/// One line, whatever is in the names.
fn subject(record: &AuditRecord, account: &Account) -> String {
    let account = DisplayText::cut(&account.name, MAX_SUBJECT_NAME).bracketed();
    let token = DisplayText::cut(&record.token_name, MAX_SUBJECT_NAME).quoted();
    format!("{account} API token {token} {}", predicate(record))
}
