//! The mail that lists what was held back.

use askama::Template;

use super::notification::{Console, MAX_SUBJECT_NAME};
use super::value::{Shown, Who};
use super::words::predicate_of;
use crate::domain::account::{Account, Member};
use crate::domain::budget::Window;
use crate::domain::mailing::{Digest, HeldMail};
use crate::domain::time::rfc3339;
use crate::ports::{Mail, PortError};

/// The maximum number of entries in one mail. It is far below the size limit of SES, and above what an hour usually
/// has.
const MAX_LISTED: usize = 5_000;

#[derive(Template)]
#[template(path = "digest.txt", escape = "none")]
struct Text<'a>(&'a View<'a>);

#[derive(Template)]
#[template(path = "digest.html")]
struct Html<'a>(&'a View<'a>);

struct View<'a> {
    recipient: Shown,
    account: Shown,
    from: String,
    to: String,
    count: usize,
    part: Option<(usize, usize)>,
    rows: Vec<Row<'a>>,
    link: String,
}

struct Row<'a> {
    when: String,
    what: &'static str,
    token: Shown,
    token_id: &'a str,
    hint: Shown,
    who: Who,
    ip: Option<String>,
}

/// The mails of a digest: more than one if it has more entries than one mail may list.
///
/// # Errors
/// The template doesn't render, which is a defect.
pub(super) fn compose(
    digest: &Digest,
    held: &[HeldMail],
    account: &Account,
    recipient: &Member,
    console: &Console,
) -> Result<Vec<Mail>, PortError> {
    let broken = |error: askama::Error| PortError::broken("a digest doesn't render", error);
    let parts: Vec<_> = held.chunks(MAX_LISTED).collect();
    let mut mails = Vec::with_capacity(parts.len());
    for (number, part) in (1..).zip(&parts) {
        let view = View {
            recipient: Shown::of(&recipient.name),
            account: Shown::of(&account.name),
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
                Shown::cut(&account.name, MAX_SUBJECT_NAME).bracketed(),
                held.len()
            ),
            text: Text(&view).render().map_err(broken)?,
            html: Html(&view).render().map_err(broken)?,
        });
    }
    Ok(mails)
}

fn row(held: &HeldMail) -> Row<'_> {
    Row {
        when: rfc3339(held.time),
        what: predicate_of(held.action),
        token: Shown::of(&held.token_name),
        token_id: held.token_id.as_str(),
        hint: Shown::of(&held.token_hint),
        who: Who::of(&held.who),
        ip: held.ip.map(|ip| ip.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::action::Action;
    use crate::testing::{acme, audit, now, token};

    fn held(count: u8, name: &str) -> Vec<HeldMail> {
        let token = crate::domain::token::Token {
            name: name.into(),
            ..token()
        };
        (0..count)
            .map(|number| HeldMail::from(&audit(Action::Update, &token, now(), number)))
            .collect()
    }

    fn digest_of(held: &[HeldMail]) -> Vec<Mail> {
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
