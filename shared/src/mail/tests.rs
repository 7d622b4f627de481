use aws_config::retry::RetryConfig;
use serde_json::json;

use super::notification::MAX_VALUE;
use super::*;
use crate::domain::action::Action;
use crate::domain::audit::{COMPROMISED, Change, Source};
use crate::ports::{Mail, PortError, SendMail, SendOutcome};
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
async fn send(answer: Option<(u16, &str)>) -> (Result<SendOutcome, PortError>, usize) {
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
    assert!(matches!(of(200, "").await, Ok(SendOutcome::Accepted)));
    // “Domain contains illegal character”, for example.
    let refused = of(400, "BadRequestException").await;
    assert!(
        matches!(refused, Ok(SendOutcome::AddressRejected(_))),
        "{refused:?}"
    );
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
    assert!(matches!(sent, Ok(SendOutcome::NoResponse(_))), "{sent:?}");
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
