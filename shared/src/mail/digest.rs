//! The mail that lists what was held back.

use askama::Template;

use super::frame::{Frame, FrameView};
use super::notification::MAX_SUBJECT_NAME;
use super::phrase::{Phrase, Piece};
use super::value::DisplayText;
use super::words::{entry, has_page};
use crate::domain::account::{Account, Member};
use crate::domain::budget::Window;
use crate::domain::mailing::{Digest, DigestEntry, DigestPeriod};
use crate::domain::time::{date_in_words, in_words, time_in_words};
use crate::ports::{Mail, PortError};

/// The maximum number of entries in one mail. Gmail hides what is beyond some 102 KB of a mail's HTML, and the links and
/// the advice are at its end.
const MAX_LISTED: usize = 200;

#[derive(Template)]
#[template(path = "digest.txt", escape = "none")]
struct DigestText<'a>(&'a DigestView<'a>);

#[derive(Template)]
#[template(path = "digest.html")]
struct DigestHtml<'a>(&'a DigestView<'a>);

struct DigestView<'a> {
    frame: FrameView<'a>,
    /// The period, and why its events come together.
    reason: String,
    rows: Vec<DigestRow>,
    /// The link to the account's audit log.
    audit: String,
}

struct DigestRow {
    when: String,
    what: Phrase,
    /// What the link says, and where it leads.
    link: (&'static str, String),
}

/// The mails of a digest: more than one if it has more entries than one mail may list.
///
/// # Errors
/// The template doesn't render, which is a defect.
pub(super) fn compose(
    digest: &Digest,
    held: &[DigestEntry],
    account: &Account,
    recipient: &Member,
    frame: &Frame,
) -> Result<Vec<Mail>, PortError> {
    let broken = |error: askama::Error| PortError::broken("a digest doesn't render", error);
    let parts: Vec<_> = held.chunks(MAX_LISTED).collect();
    let mut mails = Vec::with_capacity(parts.len());
    let title = title(digest.period, held.len());
    for (number, part) in (1..).zip(&parts) {
        let mut reason = reason(digest.period, held.len());
        if parts.len() > 1 {
            reason = format!("{reason} (part {number} of {})", parts.len());
        }
        let view = DigestView {
            frame: frame.view(account, recipient, title.clone(), format!("{reason}.")),
            reason,
            rows: part
                .iter()
                .map(|held| row(held, digest.period, account, frame))
                .collect(),
            audit: frame.console.audit(&account.id),
        };
        mails.push(Mail {
            account: account.id.clone(),
            to: recipient.email.clone(),
            subject: format!(
                "{} {title}",
                DisplayText::cut(&account.name, MAX_SUBJECT_NAME).bracketed(),
            ),
            text: DigestText(&view).render().map_err(broken)?,
            html: DigestHtml(&view).render().map_err(broken)?,
            record: None,
        });
    }
    Ok(mails)
}

fn events(count: usize) -> String {
    match count {
        1 => "1 event".to_owned(),
        count => format!("{count} events"),
    }
}

/// What the mail is, for its subject and as its heading.
fn title(period: DigestPeriod, count: usize) -> String {
    match period {
        DigestPeriod::Hour(_) => match count {
            1 => "1 more event of API tokens".to_owned(),
            count => format!("{count} more events of API tokens"),
        },
        DigestPeriod::Day(_) => format!(
            "{} of API tokens on {}",
            events(count),
            date_in_words(period.last_hour())
        ),
    }
}

/// The beginning of the sentence that says which events the mail lists, and why it does so.
fn reason(period: DigestPeriod, count: usize) -> String {
    let had = if count == 1 { "This event" } else { "These" };
    let number = if count == 1 {
        String::new()
    } else {
        format!(" {}", events(count))
    };
    match period {
        DigestPeriod::Hour(start) => format!(
            "From {} to {}, there were more events than can be mailed to you one by one. {had}{number} had no mail of {}",
            in_words(start),
            time_in_words(Window::of(start).end),
            if count == 1 { "its own" } else { "their own" },
        ),
        DigestPeriod::Day(_) => format!(
            "{had}{number} of {} {} among those that you chose to get once a day",
            date_in_words(period.last_hour()),
            if count == 1 { "is" } else { "are" },
        ),
    }
}

fn row(held: &DigestEntry, period: DigestPeriod, account: &Account, frame: &Frame) -> DigestRow {
    let day = DigestPeriod::day_of(period.last_hour());
    DigestRow {
        // A retried mail may be about an event of another day.
        when: if DigestPeriod::day_of(held.time) == day {
            time_in_words(held.time)
        } else {
            in_words(held.time)
        },
        what: entry(held),
        link: if has_page(held.action) {
            let token = frame.console.token(&account.id, &held.token_id);
            ("View token", token)
        } else {
            let audit = frame.console.token_audit(&account.id, &held.token_id);
            ("View audit log", audit)
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::action::Action;
    use crate::mail::tests::frame;
    use crate::testing::{acme, audit, now, token};

    fn held(count: u8, name: &str) -> Vec<DigestEntry> {
        let token = crate::domain::token::Token {
            name: name.into(),
            ..token()
        };
        (0..count)
            .map(|number| DigestEntry::from(&audit(Action::Update, &token, now(), number)))
            .collect()
    }

    fn digest_of(held: &[DigestEntry]) -> Vec<Mail> {
        let account = acme();
        let member = &account.members[1];
        let digest = Digest::of(&account.id, member, DigestPeriod::hour_of(now()));
        compose(&digest, held, &account, member, &frame()).unwrap()
    }

    #[test]
    fn a_digest_lists_what_which_who_and_when() {
        let mut held = held(2, "Warehouse sync");
        held[1].action = Action::Delete;
        held[1].who = crate::domain::actor::Actor::system();
        held[1].ip = None;
        let mails = digest_of(&held);
        assert_eq!(mails.len(), 1);
        insta::assert_snapshot!(format!(
            "To: {}\nSubject: {}\n\n{}\n-----\n{}",
            mails[0].to, mails[0].subject, mails[0].text, mails[0].html
        ));
    }

    #[test]
    fn names_are_one_line_each_and_no_markup() {
        let name = "<script>\n  2026-11-23 Nothing else happened\u{2028}\u{202e}";
        let mail = digest_of(&held(1, name)).remove(0);
        assert!(!mail.html.contains("<script>"));
        let forged = |line: &str| line.trim_start().starts_with("2026-11-23 Nothing");
        assert!(!mail.text.lines().any(forged));
        for part in [&mail.subject, &mail.text, &mail.html] {
            assert!(!part.contains(['\u{2028}', '\u{202e}']));
        }
    }

    #[test]
    fn what_is_too_much_for_one_mail_is_in_several_and_all_of_it() {
        let mut many = Vec::new();
        for _ in 0..=(MAX_LISTED / 50) {
            many.extend(held(50, "Warehouse sync"));
        }
        let mails = digest_of(&many);
        assert_eq!(mails.len(), 2);
        let listed = |mail: &Mail| mail.text.matches("Warehouse sync").count();
        assert_eq!(mails.iter().map(listed).sum::<usize>(), many.len());
        assert!(mails[1].text.contains("part 2 of 2"));
        // Gmail's limit.
        assert!(mails[0].html.len() < 102_000, "{}", mails[0].html.len());
    }
}
