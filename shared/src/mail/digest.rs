//! The mail that tells what was held back.

use askama::Template;

use super::Console;
use crate::domain::account::{Account, Member};
use crate::domain::audit::Action;
use crate::domain::budget::Window;
use crate::domain::mailing::{Digest, HeldMail};
use crate::domain::ports::{Mail, PortError};

/// The most that one mail lists: far below what SES takes, and more than an hour has as a rule.
const MAX_LISTED: usize = 5_000;

#[derive(Template)]
#[template(path = "digest.txt", escape = "none")]
struct Text<'a>(&'a View<'a>);

#[derive(Template)]
#[template(path = "digest.html")]
struct Html<'a>(&'a View<'a>);

struct View<'a> {
    recipient: String,
    account: String,
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
    token: String,
    token_id: &'a str,
    hint: &'a str,
    who: String,
    ip: Option<String>,
}

/// The mails of a digest: one, or several if there is more in it than one mail can list.
///
/// # Errors
/// When the template doesn't render, which is a defect.
pub(super) fn compose(
    digest: &Digest,
    held: &[HeldMail],
    account: &Account,
    recipient: &Member,
    console: &Console,
) -> Result<Vec<Mail>, PortError> {
    let broken =
        |error: askama::Error| PortError::Broken(format!("a digest doesn't render: {error}"));
    let parts: Vec<_> = held.chunks(MAX_LISTED).collect();
    let mut mails = Vec::with_capacity(parts.len());
    for (number, part) in (1..).zip(&parts) {
        let view = View {
            recipient: one_line(&recipient.name),
            account: one_line(&account.name),
            from: digest.hour.to_string(),
            to: Window::of(digest.hour).end.to_string(),
            count: held.len(),
            part: (parts.len() > 1).then_some((number, parts.len())),
            rows: part.iter().map(row).collect(),
            link: console.log_link(&account.id),
        };
        mails.push(Mail {
            account: account.id.clone(),
            to: recipient.email.clone(),
            subject: format!(
                "[{}] {} more events of API tokens",
                view.account,
                held.len()
            ),
            text: Text(&view).render().map_err(broken)?,
            html: Html(&view).render().map_err(broken)?,
        });
    }
    Ok(mails)
}

fn row(held: &HeldMail) -> Row<'_> {
    let name = one_line(&held.who.name);
    Row {
        when: held.time.to_string(),
        what: what(held.action),
        token: one_line(&held.token_name),
        token_id: held.token_id.as_str(),
        hint: &held.token_hint,
        who: match &held.who.email {
            Some(email) => format!("{name} <{}>", one_line(email)),
            None => name,
        },
        ip: held.ip.map(|ip| ip.to_string()),
    }
}

fn what(action: Action) -> &'static str {
    match action {
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
    }
}

/// A text that adds no line, and turns no other around.
pub(super) fn one_line(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            c if c.is_control() => ' ',
            '\u{2028}' | '\u{2029}' | '\u{200e}' | '\u{200f}' => ' ',
            '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => ' ',
            c => c,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
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
        held[1].who = crate::domain::audit::Actor::system();
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
