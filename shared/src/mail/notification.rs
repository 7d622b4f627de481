//! The mail about one event.

use askama::Template;

use super::changes::{ChangeLine, ResourceNames, lines};
use super::frame::{Frame, FrameView};
use super::phrase::{Phrase, Piece};
use super::value::DisplayText;
use super::words::{advice, can_be_stopped, consequence, has_page, heading, predicate, sentence};
use crate::domain::account::{Account, Member};
use crate::domain::audit::AuditRecord;
use crate::domain::time::rfc3339;
use crate::ports::{Mail, PortError};

#[derive(Template)]
#[template(path = "notification.txt", escape = "none")]
struct NotificationText<'a>(&'a NotificationView<'a>);

#[derive(Template)]
#[template(path = "notification.html")]
struct NotificationHtml<'a>(&'a NotificationView<'a>);

/// The values in a notification's templates.
struct NotificationView<'a> {
    frame: FrameView<'a>,
    sentence: Phrase,
    consequence: Option<String>,
    changes: Vec<ChangeLine>,
    /// What the button says, and where it leads.
    button: (&'static str, String),
    /// The link to the question whether to revoke the token, if it may be active.
    stop: Option<String>,
    advice: Option<&'static str>,
    token_id: &'a str,
    hint: DisplayText,
    time: String,
    asserted_ip: Option<String>,
    audit: String,
}

/// The maximum length of a token's and of an account's name in a subject, in characters. Mail programs cut subjects,
/// and the event must still be visible.
pub(super) const MAX_SUBJECT_NAME: usize = 48;

/// The mail about an audit record to a member of its account. It can't contain the secret, since the record doesn't.
///
/// # Errors
/// The template doesn't render, which is a defect.
pub(super) fn compose(
    record: &AuditRecord,
    names: &ResourceNames,
    account: &Account,
    recipient: &Member,
    frame: &Frame,
) -> Result<Mail, PortError> {
    let broken = |error: askama::Error| PortError::broken("a mail doesn't render", error);
    let (console, token) = (&frame.console, &record.token_id);
    let audit = console.token_audit(&record.account_id, token);
    let sentence = sentence(record);
    let view = NotificationView {
        frame: frame.view(account, recipient, heading(record).into(), sentence.text()),
        sentence,
        consequence: consequence(record),
        changes: lines(record, names),
        button: if has_page(record.action) {
            ("View token", console.token(&record.account_id, token))
        } else {
            ("View audit log", audit.clone())
        },
        stop: can_be_stopped(record).then(|| console.revoke(&record.account_id, token)),
        advice: advice(record),
        token_id: token.as_str(),
        hint: DisplayText::of(&record.token_hint),
        time: rfc3339(record.time),
        asserted_ip: record.asserted_ip.map(|ip| ip.to_string()),
        audit,
    };
    Ok(Mail {
        account: account.id.clone(),
        to: recipient.email.clone(),
        subject: subject(record, account),
        text: NotificationText(&view).render().map_err(broken)?,
        html: NotificationHtml(&view).render().map_err(broken)?,
        record: Some(record.into()),
    })
}

/// The subject, which is always one line.
fn subject(record: &AuditRecord, account: &Account) -> String {
    let account = DisplayText::cut(&account.name, MAX_SUBJECT_NAME).bracketed();
    let token = DisplayText::cut(&record.token_name, MAX_SUBJECT_NAME).quoted();
    format!("{account} API token {token} {}", predicate(record))
}
