//! Every kind of mail, as a snapshot. If `LATCHKEY_MAILS` names a folder, each is also written there as HTML and as
//! text, to be looked at.

use std::path::PathBuf;

use jiff::SignedDuration;

use super::*;
use crate::domain::actor::Actor;
use crate::domain::mailing::{Digest, DigestEntry, DigestPeriod, SuppressionReason};
use crate::domain::token::Token;
use crate::mail::{bounce, digest};

const CHROME: &str = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36";

fn text(text: &str) -> Option<String> {
    Some(text.to_owned())
}

fn names() -> ResourceNames {
    ResourceNames::of(vec![
        resource(ResourceType::Export, "exp_orders", "Orders"),
        resource(ResourceType::Export, "exp_customers", "Customers"),
        resource(
            ResourceType::Import,
            "imp_stock",
            "Stock levels of all warehouses",
        ),
    ])
}

/// The record of an action as it usually is.
fn record(action: Action, name: &str) -> AuditRecord {
    let token = Token {
        name: name.into(),
        ..testing::token()
    };
    let mut record = testing::audit(action, &token, testing::now(), 1);
    record.origin.source = Source::Ui;
    record.origin.user_agent = text(CHROME);
    let holder = Actor::token(&token.id, &token.name);
    match action {
        Action::Access | Action::Refused => {
            record.origin.actor = holder;
            record.origin.source = Source::Api;
            record.origin.user_agent = text("curl/8.5.0");
        }
        Action::Leak => {
            record.origin.actor = Actor::github();
            record.origin.source = Source::LeakReport;
            record.origin.user_agent = text("GitHub-Hookshot/6a1b2c");
        }
        Action::Purge | Action::Remind | Action::Tamper => {
            record.origin.actor = Actor::system();
            record.origin.source = Source::System;
            (record.origin.ip, record.origin.user_agent) = (None, None);
        }
        _ => {}
    }
    record.changes = changes(action);
    record
}

fn changes(action: Action) -> Vec<Change> {
    let (soon, later) = ("2026-11-24T10:00:00.000Z", "2026-12-23T10:00:00.000Z");
    match action {
        Action::Create => vec![
            Change::new("name", None, text("Warehouse sync")),
            Change::new("kind", None, text("account")),
            Change::new("description", None, text("Kept in the warehouse's vault")),
            Change::new("autoPurge", None, text("30d")),
            Change::new("purgeAt", None, text(later)),
            Change::new("scope", None, text("custom")),
            Change::new("scope.exports", None, text("exp_orders, exp_invoices")),
            Change::new("scope.imports", None, text("imp_stock")),
            Change::new("status", None, text("active")),
        ],
        Action::Update => vec![
            Change::new("name", text("Stock sync"), text("Warehouse sync")),
            Change::new("autoPurge", text("30d"), text("1d")),
            Change::new("purgeAt", text(later), text(soon)),
            Change::new("scope.exports", text("exp_customers"), text("exp_orders")),
            Change::new("allowedCidrs", None, text("192.0.2.0/24, 2001:db8::/32")),
        ],
        Action::Revoke => vec![
            Change::new("status", text("active"), text("revoked")),
            Change::new("revocationReason", None, text("The warehouse moved")),
        ],
        Action::Reactivate => vec![
            Change::new("status", text("revoked"), text("active")),
            Change::new("revocationReason", text("The warehouse moved"), None),
        ],
        Action::Regenerate => vec![
            Change::new("hint", text("ab12"), text("cd34")),
            Change::new("previousSecret.hint", None, text("ab12")),
            Change::new("previousSecret.validUntil", None, text(soon)),
        ],
        Action::Remind => vec![Change::new("purgeAt", text(soon), text(soon))],
        Action::Leak => vec![
            Change::new("status", text("active"), text("revoked")),
            Change::new("revocationReason", None, text("leaked")),
            Change::new("compromisedAt", None, text("2026-11-23T10:00:00.000Z")),
            Change::new(COMPROMISED, None, text("current")),
            Change::new(
                "leakUrl",
                None,
                text("https://github.com/octocat/hello/blob/1a2b3c/config.yml"),
            ),
            Change::new("leakPlace", None, text("content")),
        ],
        Action::Retire => vec![
            Change::new("previousSecret.hint", text("ab12"), None),
            Change::new("previousSecret.validUntil", text(soon), None),
        ],
        Action::Refused => vec![
            Change::new("reason", None, text("address")),
            Change::new("daysRefused", None, text("2")),
        ],
        Action::Tamper => vec![Change::new(
            "user",
            text("{\"name\":\"Olive Owner\"}"),
            None,
        )],
        Action::View | Action::Delete | Action::Access | Action::Purge => vec![],
    }
}

fn notified(record: &AuditRecord) -> Mail {
    let account = testing::acme();
    notification::compose(record, &names(), &account, &account.members[1], &frame()).unwrap()
}

fn digested(period: DigestPeriod) -> Mail {
    let account = testing::acme();
    let member = &account.members[1];
    let held: Vec<_> = [
        (Action::Create, "Warehouse sync"),
        (Action::Update, "Warehouse sync"),
        (Action::Access, "Invoices to the tax office"),
        (Action::Refused, "Warehouse sync"),
        (Action::Purge, "For an hour"),
    ]
    .map(|(action, name)| record(action, name))
    .into_iter()
    .zip([0, 7, 20, 21, 58])
    .map(|(record, minutes)| {
        let time = testing::now() + SignedDuration::from_mins(minutes);
        DigestEntry::from(&AuditRecord { time, ..record })
    })
    .collect();
    let digest = Digest::of(&account.id, member, period);
    let mut mails = digest::compose(&digest, &held, &account, member, &frame()).unwrap();
    mails.remove(0)
}

/// Every kind of mail with its name.
fn kinds() -> Vec<(String, Mail)> {
    let mut kinds: Vec<_> = Action::ALL
        .into_iter()
        .map(|action| {
            (
                action.as_str().to_owned(),
                notified(&record(action, "Warehouse sync")),
            )
        })
        .collect();
    let mut add = |name: &str, mail| kinds.push((name.to_owned(), mail));
    let mut by_holder = record(Action::Revoke, "Warehouse sync");
    by_holder.origin.actor = Actor::token(&by_holder.token_id, "Warehouse sync");
    by_holder.origin.source = Source::Api;
    by_holder
        .changes
        .push(Change::new(COMPROMISED, None, text("current")));
    add("revoke-by-holder", notified(&by_holder));
    by_holder.changes = vec![Change::new(COMPROMISED, None, text("previous"))];
    add("revoke-old-by-holder", notified(&by_holder));
    let mut old = record(Action::Leak, "Warehouse sync");
    old.changes.drain(..3);
    old.changes[0] = Change::new(COMPROMISED, None, text("ended"));
    add("leak-of-old", notified(&old));
    let mut asserted = record(Action::Access, "Warehouse sync");
    asserted.asserted_ip = Some([203, 0, 113, 9].into());
    asserted.changes = vec![Change::new(
        "introspectedBy",
        None,
        text("tok_01ARZ3NDEKTSV4RRFFQ69G5FB1"),
    )];
    add("access-asked-about", notified(&asserted));
    add(
        "digest-hourly",
        digested(DigestPeriod::hour_of(testing::now())),
    );
    add(
        "digest-daily",
        digested(DigestPeriod::day_of(testing::now())),
    );
    let account = testing::acme();
    let [owner, admin, ..] = &account.members[..] else {
        panic!("two members")
    };
    for (name, why) in [
        ("undeliverable-bounced", SuppressionReason::Bounced),
        ("undeliverable-complained", SuppressionReason::Complained),
    ] {
        add(
            name,
            bounce::compose(admin, why, &account, owner, &frame()).unwrap(),
        );
    }
    kinds
}

/// Mails with values that are hard to show. They are only looked at.
fn extremes() -> Vec<(String, Mail)> {
    let long = "Wartungsvertragsverwaltungsschnittstelle_".repeat(3);
    let mut wide = record(Action::Update, &long);
    wide.origin.actor.name =
        "A person whose name is so long that it leaves room for nothing else".into();
    let ids: Vec<_> = (0..40)
        .map(|number| format!("exp_{}{number}", "x".repeat(50)))
        .collect();
    wide.changes = vec![
        Change::new("name", text(&"M".repeat(128)), text(&long)),
        Change::new(
            "scope.exports",
            text("exp_customers"),
            text(&ids.join(", ")),
        ),
        Change::new(
            "description",
            text("short"),
            text(&"Kept in the vault of the warehouse. ".repeat(12)),
        ),
    ];
    let mut hebrew = record(Action::View, "סנכרון מחסן");
    hebrew.origin.actor.name = "עולב בעלים".into();
    vec![
        ("extreme-long".into(), notified(&wide)),
        ("extreme-right-to-left".into(), notified(&hebrew)),
    ]
}

#[test]
fn every_kind_of_mail_is_as_kept() {
    let folder = std::env::var_os("LATCHKEY_MAILS").map(PathBuf::from);
    let kinds = kinds();
    for (name, mail) in kinds.iter().cloned().chain(extremes()) {
        if let Some(folder) = &folder {
            std::fs::create_dir_all(folder).unwrap();
            std::fs::write(folder.join(format!("{name}.html")), &mail.html).unwrap();
            let text = format!("{}\n\n{}", mail.subject, mail.text);
            std::fs::write(folder.join(format!("{name}.txt")), text).unwrap();
        }
    }
    for (name, mail) in kinds {
        let (to, subject) = (&mail.to, &mail.subject);
        insta::assert_snapshot!(
            name,
            format!(
                "To: {to}\nSubject: {subject}\n\n{}\n-----\n{}",
                mail.text, mail.html
            )
        );
    }
}
