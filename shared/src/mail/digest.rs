//! The mail that lists what was held back.

use askama::Template;

use super::notification::{Console, MAX_SUBJECT_NAME};
use super::value::{ActorLabel, DisplayText};
use super::words::predicate_of;
use crate::domain::account::{Account, Member};
use crate::domain::budget::Window;
use crate::domain::mailing::{Digest, DigestEntry};
use crate::domain::time::rfc3339;
use crate::ports::{Mail, PortError};

/// The maximum number of entries in one mail. It is far below the size limit of SES, and above what an hour usually
/// has.
const MAX_LISTED: usize = 5_000;

#[derive(Template)]
#[template(path = "digest.txt", escape = "none")]
struct DigestText<'a>(&'a DigestView<'a>);

#[derive(Template)]
#[template(path = "digest.html")]
struct DigestHtml<'a>(&'a DigestView<'a>);

struct DigestView<'a> {
    recipient: DisplayText,
    account: DisplayText,
    from: String,
    to: String,
    count: usize,
    part: Option<(usize, usize)>,
    rows: Vec<DigestRow<'a>>,
    link: String,
}

struct DigestRow<'a> {
    when: String,
    what: &'static str,
    token: DisplayText,
    token_id: &'a str,
    hint: DisplayText,
    who: ActorLabel,
    ip: Option<String>,
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
    console: &Console,
) -> Result<Vec<Mail>, PortError> {
    let broken = |error: askama::Error| PortError::broken("a digest doesn't render", error);
    let parts: Vec<_> = held.chunks(MAX_LISTED).collect();
    let mut mails = Vec::with_capacity(parts.len());
    for (number, part) in (1..).zip(&parts) {
        let view = DigestView {
            recipient: DisplayText::of(&recipient.name),
            account: DisplayText::of(&account.name),
            from: rfc3339(digest.hour),
            to: rfc3339(Window::of(digest.hour).end),
            count: held.len(),
            part: (parts.len() > 1).then_some((number, parts.len())),
            rows: part.iter().map(row).collect(),
            link: console.log_link(&account.id),
        };
        mails.push(Mail {
            account: account.id.clone(),
            to: recipient.email.clone(),
            subject: format!(
                "{} {} more events of API tokens",
                DisplayText::cut(&account.name, MAX_SUBJECT_NAME).bracketed(),
                held.len()
            ),
            text: DigestText(&view).render().map_err(broken)?,
            html: DigestHtml(&view).render().map_err(broken)?,
        });
    }
    Ok(mails)
}

fn row(held: &DigestEntry) -> DigestRow<'_> {
    DigestRow {
        when: rfc3339(held.time),
        what: predicate_of(held.action),
        token: DisplayText::of(&held.token_name),
        token_id: held.token_id.as_str(),
        hint: DisplayText::of(&held.token_hint),
        who: ActorLabel::of(&held.who),
        ip: held.ip.map(|ip| ip.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::action::Action;
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
        let digest = Digest::of(&account.id, member, now());
        let console = Console::new("https://tokens.example/");
        compose(&digest, held, &account, member, &console).unwrap()
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
    }
}
