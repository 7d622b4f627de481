//! The mail that tells whom no mail reaches any more.

use askama::Template;

use super::notification::MAX_SUBJECT_NAME;
use super::value::{Shown, Who};
use crate::domain::account::{Account, Member};
use crate::domain::mailing::Undeliverable;
use crate::ports::{Mail, PortError};

#[derive(Template)]
#[template(path = "undeliverable.txt", escape = "none")]
struct Text<'a>(&'a View);

#[derive(Template)]
#[template(path = "undeliverable.html")]
struct Html<'a>(&'a View);

struct View {
    recipient: Shown,
    account: Shown,
    who: Who,
    reason: &'static str,
}

/// The mail about a member to another one.
///
/// # Errors
/// When the template doesn't render, which is a defect.
pub(super) fn compose(
    concerned: &Member,
    why: Undeliverable,
    account: &Account,
    recipient: &Member,
) -> Result<Mail, PortError> {
    let broken = |error: askama::Error| PortError::broken("a mail doesn't render", error);
    let view = View {
        recipient: Shown::of(&recipient.name),
        account: Shown::of(&account.name),
        who: Who::member(concerned),
        reason: match why {
            Undeliverable::Bounced => {
                "The mail server of this address says that there is no such address."
            }
            Undeliverable::Complained => "A mail to this address was reported as spam.",
        },
    };
    Ok(Mail {
        account: account.id.clone(),
        to: recipient.email.clone(),
        subject: format!(
            "{} A colleague gets no mails about API tokens any more",
            Shown::cut(&account.name, MAX_SUBJECT_NAME).bracketed()
        ),
        text: Text(&view).render().map_err(broken)?,
        html: Html(&view).render().map_err(broken)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::acme;

    #[test]
    fn the_mail_says_who_is_not_reached_and_why() {
        let account = acme();
        let [owner, admin, ..] = &account.members[..] else {
            panic!("two members")
        };
        let of = |why| compose(admin, why, &account, owner).unwrap();
        let mail = of(Undeliverable::Bounced);
        insta::assert_snapshot!(format!(
            "To: {}\nSubject: {}\n\n{}\n-----\n{}",
            mail.to, mail.subject, mail.text, mail.html
        ));
        let mail = of(Undeliverable::Complained);
        assert!(mail.text.contains("reported as spam"));
    }
}
