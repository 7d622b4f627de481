//! The mail about a member whose address gets no more mail.

use askama::Template;

use super::frame::{Frame, FrameView};
use super::notification::MAX_SUBJECT_NAME;
use super::phrase::{Phrase, Piece};
use super::value::{ActorLabel, DisplayText};
use crate::domain::account::{Account, Member};
use crate::domain::mailing::SuppressionReason;
use crate::ports::{Mail, PortError};

#[derive(Template)]
#[template(path = "undeliverable.txt", escape = "none")]
struct SuppressionText<'a>(&'a SuppressionView<'a>);

#[derive(Template)]
#[template(path = "undeliverable.html")]
struct SuppressionHtml<'a>(&'a SuppressionView<'a>);

struct SuppressionView<'a> {
    frame: FrameView<'a>,
    sentence: Phrase,
    reason: &'static str,
    /// The link to the account's tokens.
    tokens: String,
}

/// The mail's title, which is also in its subject.
const TITLE: &str = "A colleague gets no mails about API tokens any more";

/// The mail about a member, to another member.
///
/// # Errors
/// The template doesn't render, which is a defect.
pub(super) fn compose(
    concerned: &Member,
    why: SuppressionReason,
    account: &Account,
    recipient: &Member,
    frame: &Frame,
) -> Result<Mail, PortError> {
    let broken = |error: askama::Error| PortError::broken("a mail doesn't render", error);
    let sentence = Phrase::new("Mails don't reach ")
        .actor(ActorLabel::member(concerned))
        .own(", and no more mails about API tokens are sent to that address.");
    let view = SuppressionView {
        frame: frame.view(account, recipient, TITLE.into(), sentence.text()),
        sentence,
        reason: match why {
            SuppressionReason::Bounced => {
                "The mail server of this address says that there is no such address."
            }
            SuppressionReason::Complained => "A mail to this address was reported as spam.",
        },
        tokens: frame.console.account(&account.id),
    };
    Ok(Mail {
        account: account.id.clone(),
        to: recipient.email.clone(),
        subject: format!(
            "{} {TITLE}",
            DisplayText::cut(&account.name, MAX_SUBJECT_NAME).bracketed()
        ),
        text: SuppressionText(&view).render().map_err(broken)?,
        html: SuppressionHtml(&view).render().map_err(broken)?,
        record: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mail::tests::frame;
    use crate::testing::acme;

    #[test]
    fn the_mail_says_who_is_not_reached_and_why() {
        let account = acme();
        let [owner, admin, ..] = &account.members[..] else {
            panic!("two members")
        };
        let of = |why| compose(admin, why, &account, owner, &frame()).unwrap();
        let mail = of(SuppressionReason::Bounced);
        insta::assert_snapshot!(format!(
            "To: {}\nSubject: {}\n\n{}\n-----\n{}",
            mail.to, mail.subject, mail.text, mail.html
        ));
        let mail = of(SuppressionReason::Complained);
        assert!(mail.text.contains("reported as spam"));
    }
}
