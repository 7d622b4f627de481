use aws_config::retry::RetryConfig;
use serde_json::json;

use super::changes::{MAX_RESOURCES, MAX_VALUE, ResourceNames, named_resources};
use super::frame::Frame;
use super::notification;
use super::*;
use crate::domain::account::{Account, Member};
use crate::domain::action::Action;
use crate::domain::audit::{AuditRecord, COMPROMISED, Change, Source};
use crate::domain::resource::{Resource, ResourceType};
use crate::ports::{Mail, PortError, SendMail, SendOutcome};
use crate::testing::{self, Service};

mod gallery;

/// What the tests' mails have in common.
pub(super) fn frame() -> Frame {
    Frame {
        console: Console::new("https://tokens.example/"),
        brand: testing::brand(),
    }
}

/// The mail about a record without names of resources.
fn compose(
    record: &AuditRecord,
    account: &Account,
    recipient: &Member,
    frame: &Frame,
) -> Result<Mail, PortError> {
    notification::compose(record, &ResourceNames::default(), account, recipient, frame)
}

fn mail(action: Action, name: &str) -> Mail {
    let token = crate::domain::token::Token {
        name: name.into(),
        ..testing::token()
    };
    let mut record = testing::audit(action, &token, testing::now(), 1);
    record.changes = vec![Change::new("name", Some("<old>".into()), Some(name.into()))];
    let account = testing::acme();
    compose(&record, &account, &account.members[1], &frame()).unwrap()
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
    let mail = compose(&record, &account, &account.members[0], &frame()).unwrap();
    for part in [&mail.text, &mail.html] {
        for claim in [
            ", from 192.0.2.1, with what claims to be the API tokens page in ",
            "Bearer's address, as claimed by the API that asked: 203.0.113.9",
        ] {
            assert!(part.contains(claim), "{part}");
        }
    }
    assert!(
        mail.text.contains("the API tokens page in tests."),
        "{}",
        mail.text
    );
    assert!(
        mail.html
            .contains("the API tokens page in <bdi>tests</bdi>."),
        "{}",
        mail.html
    );
    let browser = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36";
    for (source, user_agent, told) in [
        (
            Source::Api,
            Some("curl/8.5.0"),
            ", from 192.0.2.1, with what claims to be curl 8.5. ",
        ),
        (
            Source::Ui,
            Some(browser),
            ", with what claims to be the API tokens page in Chrome 126 on Windows. ",
        ),
        (
            Source::Ui,
            None,
            ", with what claims to be the API tokens page. ",
        ),
        (Source::Api, None, ", from 192.0.2.1. "),
        (
            Source::Api,
            Some("!? x"),
            ", with a client that calls itself “!? x”. ",
        ),
    ] {
        record.origin.source = source;
        record.origin.user_agent = user_agent.map(str::to_owned);
        let mail = compose(&record, &account, &account.members[0], &frame()).unwrap();
        assert!(mail.text.contains(told), "{told}: {}", mail.text);
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
    let mail = compose(&record, &account, &account.members[0], &frame()).unwrap();
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
        Change::new("description", Some(old.clone()), Some(new)),
        Change::new("scope.imports", None, Some("imp_1".into())),
    ];
    let account = testing::acme();
    let mail = compose(&record, &account, &account.members[0], &frame()).unwrap();
    assert!(mail.text.contains(&format!(
        "Description: from “\u{2068}{old}\u{2069}” to “\u{2068}{old}…\u{2069}”\n"
    )));
    assert!(mail.text.contains("Imports: added imp_1\n"));
    let line = format!(
        "<strong><bdi>Description</bdi>:</strong> from “<bdi>{old}</bdi>” to “<bdi>{old}…</bdi>”</td>"
    );
    assert!(mail.html.contains(&line));
}

fn resource(kind: ResourceType, id: &str, name: &str) -> Resource {
    Resource {
        account_id: testing::acme().id,
        kind,
        id: id.parse().unwrap(),
        name: name.into(),
        integration_id: None,
    }
}

/// The changes in the mail about an action, in plain text.
fn told_changes(
    action: Action,
    changes: &[(&str, &str, &str)],
    names: &ResourceNames,
) -> Vec<String> {
    let mut record = testing::audit(action, &testing::token(), testing::now(), 1);
    let text = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    let changes = changes.iter();
    let changes = changes.map(|(field, old, new)| Change::new(field, text(old), text(new)));
    record.changes = changes.collect();
    let lines = super::changes::lines(&record, names).into_iter();
    lines
        .map(|line| format!("{}: {}", line.label.text(), line.what.text()))
        .collect()
}

#[test]
fn changes_are_told_in_the_words_of_the_page_and_with_the_names_of_resources() {
    let names = ResourceNames::of(vec![
        resource(ResourceType::Export, "exp_orders", "Orders"),
        resource(
            ResourceType::Export,
            "exp_customers",
            "Customers ” evil.example",
        ),
        // Another type may have the same id.
        resource(ResourceType::Import, "exp_gone", "Not this one"),
    ]);
    let told = told_changes(
        Action::Update,
        &[
            ("name", "Stock sync", "Warehouse sync"),
            ("description", "", "Kept in the vault"),
            ("autoPurge", "30d", "1d"),
            (
                "purgeAt",
                "2026-12-23T13:00:00.000Z",
                "2026-11-24T10:00:00.000Z",
            ),
            ("scope", "full", "custom"),
            (
                "scope.exports",
                "exp_customers, exp_gone, exp_app",
                "exp_app, exp_orders",
            ),
            ("scope.imports", "imp_stock", ""),
            ("allowedCidrs", "192.0.2.0/24", ""),
            ("status", "active", "revoked"),
            ("someday", "a", "b"),
        ],
        &names,
    );
    assert_eq!(
        told,
        [
            "Name: from “Stock sync” to “Warehouse sync”",
            "Description: “Kept in the vault”",
            "Auto purge: from 30 days to 1 day",
            "Purge time: from 23 December 2026 at 13:00 UTC to 24 November 2026 at 10:00 UTC",
            "Scope: from full access to custom",
            "Exports: added “Orders” (exp_orders), removed “Customers \" evil[.]example” (exp_customers), exp_gone",
            "Imports: removed imp_stock",
            "Allowed addresses: from 192.0.2.0/24 to all",
            "Status: from active to revoked",
            "someday: from “a” to “b”",
        ]
    );
    let told = told_changes(
        Action::Update,
        &[
            ("purgeAt", "2026-12-23T13:00:00.000Z", ""),
            ("allowedCidrs", "", "10.0.0.0/8"),
        ],
        &names,
    );
    assert_eq!(
        told,
        [
            "Purge time: from 23 December 2026 at 13:00 UTC to never",
            "Allowed addresses: from all to 10.0.0.0/8",
        ]
    );
    let told = told_changes(
        Action::Create,
        &[
            ("name", "", "Warehouse sync"),
            ("kind", "", "account"),
            ("autoPurge", "", "never"),
            ("scope", "", "custom"),
            ("scope.exports", "", "exp_orders, exp_gone"),
            ("status", "", "active"),
        ],
        &names,
    );
    assert_eq!(
        told,
        [
            "Kind: account token",
            "Auto purge: never",
            "Scope: custom",
            "Exports: “Orders” (exp_orders), exp_gone",
        ]
    );
}

#[test]
fn a_record_that_was_tampered_with_is_told_in_nobodys_words() {
    let names = ResourceNames::of(vec![resource(ResourceType::Export, "exp_orders", "Orders")]);
    let told = told_changes(
        Action::Tamper,
        &[
            ("autoPurge", "30d", ""),
            ("scope.exports", "", "exp_orders"),
            ("Name\n", "x", "y"),
        ],
        &names,
    );
    assert_eq!(
        told,
        [
            "autoPurge: removed, was “30d”",
            "scope[.]exports: “exp_orders”",
            "\u{2068}Name ⏎ \u{2069}: from “x” to “y”",
        ]
    );
}

#[test]
fn a_long_list_names_some_and_counts_the_others_and_only_these_are_looked_up() {
    let ids = |count: usize| {
        let ids: Vec<_> = (0..count)
            .map(|number| format!("exp_{number:04}"))
            .collect();
        ids.join(", ")
    };
    let most = MAX_RESOURCES;
    for (count, end) in [
        (1, "exp_0000"),
        (most, "exp_0009"),
        (most + 1, "exp_0009 and 1 more"),
        (1_000, "exp_0009 and 990 more"),
    ] {
        let mut record = testing::audit(Action::Update, &testing::token(), testing::now(), 1);
        record.changes = vec![Change::new("scope.exports", None, Some(ids(count)))];
        assert_eq!(named_resources(&record).len(), count.min(most));
        let told = told_changes(
            Action::Update,
            &[("scope.exports", "", &ids(count))],
            &ResourceNames::default(),
        );
        assert!(told[0].ends_with(end), "{told:?}");
        assert_eq!(told[0].matches("exp_").count(), count.min(most));
        record.action = Action::Tamper;
        assert_eq!(named_resources(&record), []);
    }
}

#[test]
fn a_mail_leads_to_the_tokens_page_and_to_its_revocation_if_it_may_be_active() {
    let base = "https://tokens.example/#/accounts/acme";
    let token = format!("{base}/tokens/tok_01ARZ3NDEKTSV4RRFFQ69G5FAV");
    let account = testing::acme();
    for action in Action::ALL {
        for which in [None, Some("current"), Some("previous"), Some("ended")] {
            let mut record = testing::audit(action, &testing::token(), testing::now(), 1);
            let which = which.map(|which| Change::new(COMPROMISED, None, Some(which.into())));
            let is_old = which
                .as_ref()
                .is_some_and(|it| it.new.as_deref() != Some("current"));
            record.changes.extend(which);
            let mail = compose(&record, &account, &account.members[0], &frame()).unwrap();
            let gone = matches!(action, Action::Delete | Action::Purge);
            let stops = match action {
                Action::Delete | Action::Purge | Action::Tamper | Action::Refused => false,
                Action::Revoke | Action::Leak => is_old,
                _ => true,
            };
            for (part, end) in [(&mail.text, "\n"), (&mail.html, "\"")] {
                assert_eq!(part.contains(&format!("{token}{end}")), !gone, "{action:?}");
                assert_eq!(part.contains("View token"), !gone, "{action:?}");
                assert!(part.contains(&format!("{token}/audit{end}")), "{action:?}");
                let stop = format!("{token}?do=revoke{end}");
                assert_eq!(part.contains(&stop), stops, "{action:?}: {part}");
                assert!(
                    part.contains(&format!("{base}/notifications")),
                    "{action:?}"
                );
            }
            assert_eq!(
                mail.text.contains("open the page and choose Revoke:\n"),
                stops
            );
        }
    }
}

#[test]
fn the_brand_is_in_every_mail() {
    let brand = crate::domain::brand::Brand::new("A & B", "#0b6b3a".parse().unwrap()).unwrap();
    let brand = brand.with_support("help@a-and-b.example").unwrap();
    let brand = brand
        .with_logo("https://cdn.example/logo.png?a=1&b=2")
        .unwrap();
    let frame = Frame {
        console: Console::new("https://tokens.example"),
        brand,
    };
    let account = testing::acme();
    let record = testing::audit(Action::Create, &testing::token(), testing::now(), 1);
    let mail = compose(&record, &account, &account.members[0], &frame).unwrap();
    for part in [
        "A &#38; B",
        "bgcolor=\"#0b6b3a\"",
        "mailto:help@a-and-b.example",
        "logo.png?a=1&#38;b=2\"",
    ] {
        assert!(mail.html.contains(part), "{part}: {}", mail.html);
    }
    for part in ["A & B\n", "Questions: help@a-and-b.example"] {
        assert!(mail.text.contains(part), "{part}: {}", mail.text);
    }
    assert!(!self::mail(Action::Create, "T").html.contains("<img"));
}

#[test]
fn names_are_escaped_in_html_and_can_add_no_header() {
    let mail = mail(Action::View, "<script>\r\nBcc: all@example.com");
    assert!(!mail.html.contains("<script>"));
    assert!(!mail.subject.contains(['\r', '\n']));
}

/// Sends a mail through an SES that gives this answer, or closes the connection. Also returns the number of requests.
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
    // What SES answers while the sender isn't verified: it may accept the mail later.
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
    let told = |action, which: Option<&str>| {
        let mut record = testing::audit(action, &testing::token(), testing::now(), 1);
        let which = which.map(|which| Change::new(COMPROMISED, None, Some(which.into())));
        record.changes.extend(which);
        let mail = compose(&record, &account, &account.members[0], &frame()).unwrap();
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
        let mail = compose(&record, &account, &account.members[0], &frame()).unwrap();
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
        let plain = compose(&harmless, &account, &account.members[0], &frame()).unwrap();
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
    let mail = compose(&record, &account, &account.members[0], &frame()).unwrap();
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
