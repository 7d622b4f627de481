//! The words of mails about each action. The names of fields and values are those of the API tokens page.

use crate::domain::action::Action;
use crate::domain::actor::{Actor, ActorType};
use crate::domain::audit::{AuditRecord, COMPROMISED, Source};
use crate::domain::auto_purge::AutoPurge;
use crate::domain::id::TokenId;
use crate::domain::mailing::DigestEntry;
use crate::domain::time::in_words;

use super::phrase::Phrase;
use super::value::{ActorLabel, DisplayText};

/// The field of a record that has the reason of a refusal.
const REASON: &str = "reason";

/// The value of a record's field after the change.
pub(super) fn new_value<'a>(record: &'a AuditRecord, field: &str) -> Option<&'a str> {
    let change = record.changes.iter().find(|change| change.field == field)?;
    change.new.as_deref()
}

/// A time of a record in words; `None` if it isn't one.
pub(super) fn moment(value: &str) -> Option<String> {
    value.parse().ok().map(in_words)
}

/// Whether a record is about a secret that had been replaced or had ended.
fn is_of_old_secret(record: &AuditRecord) -> bool {
    matches!(new_value(record, COMPROMISED), Some("previous" | "ended"))
}

/// Whether a holder's revocation ended only the presented secret, and not the token.
fn spares_token(record: &AuditRecord) -> bool {
    record.action == Action::Revoke && is_of_old_secret(record)
}

/// The predicate after the token's name, in subjects.
pub(super) fn predicate(record: &AuditRecord) -> &'static str {
    match record.action {
        Action::Create => "was created",
        Action::Update => "was changed",
        Action::View => "was shown in plain text",
        Action::Revoke if spares_token(record) => "had an old secret revoked",
        Action::Revoke => "was revoked",
        Action::Reactivate => "was reactivated",
        Action::Regenerate => "was given a new secret",
        Action::Delete => "was deleted",
        Action::Access => "was used",
        Action::Purge => "was purged",
        Action::Remind => "is about to be purged",
        Action::Leak => "was reported as leaked",
        Action::Retire => "had its old secret ended",
        Action::Refused => "was refused",
        Action::Tamper => "was tampered with in the audit log",
    }
}

/// The heading of a mail.
pub(super) fn heading(record: &AuditRecord) -> &'static str {
    match record.action {
        Action::Create => "API token created",
        Action::Update => "API token changed",
        Action::View => "API token shown in plain text",
        Action::Revoke if spares_token(record) => "Old secret revoked",
        Action::Revoke => "API token revoked",
        Action::Reactivate => "API token reactivated",
        Action::Regenerate => "New secret generated",
        Action::Delete => "API token deleted",
        Action::Access => "API token used",
        Action::Purge => "API token purged",
        Action::Remind => "API token ends soon",
        Action::Leak => "API token reported as leaked",
        Action::Retire => "Old secret ended",
        Action::Refused => "API token refused",
        Action::Tamper => "Audit log tampered with",
    }
}

/// What happened to a token.
struct Deed<'a> {
    action: Action,
    /// Whether only an old secret of the token was revoked.
    spares_token: bool,
    actor: &'a Actor,
    token_id: &'a TokenId,
    token: &'a str,
}

impl Deed<'_> {
    /// Who did what to which token, as the beginning of a sentence.
    fn told(&self) -> Phrase {
        let named = |phrase: Phrase| phrase.quoted(DisplayText::of(self.token));
        let done = |what: &str| {
            let who = Phrase::default().actor(ActorLabel::of(self.actor));
            named(who.capitalized().own(format!(" {what} the API token ")))
        };
        let by_holder =
            self.actor.kind == ActorType::Token && self.actor.id == self.token_id.as_str();
        match self.action {
            Action::Access if by_holder => {
                named(Phrase::new("Whoever holds the API token ")).own(" used it")
            }
            Action::Revoke if self.spares_token && by_holder => {
                named(Phrase::new("Whoever holds an old secret of the API token "))
                    .own(" revoked that secret")
            }
            Action::Revoke if by_holder => {
                named(Phrase::new("Whoever holds the API token ")).own(" revoked it")
            }
            Action::Refused if by_holder => {
                named(Phrase::new("Whoever holds a secret of the API token "))
                    .own(" tried it and was refused")
            }
            Action::Create => done("created"),
            Action::Update => done("changed"),
            Action::View => done("displayed the secret of").own(" in plain text"),
            Action::Revoke if self.spares_token => done("revoked an old secret of"),
            Action::Revoke => done("revoked"),
            Action::Reactivate => done("reactivated"),
            Action::Regenerate => done("generated a new secret for"),
            Action::Delete => done("deleted"),
            Action::Access => done("used"),
            Action::Purge => named(Phrase::new("The purge time of the API token "))
                .own(" was reached, and the token was purged"),
            Action::Remind => named(Phrase::new("The API token ")).own(" will be purged"),
            Action::Leak => done("reported a secret of").own(" as leaked"),
            Action::Retire => done("ended the replaced secret of").own(" early"),
            Action::Refused => done("tried a secret of").own(" and was refused"),
            Action::Tamper => named(Phrase::new("A record of the API token "))
                .own(" in the audit log was changed or removed"),
        }
    }
}

/// The sentence of a mail: who did what to which token, when, from where, and with which client.
pub(super) fn sentence(record: &AuditRecord) -> Phrase {
    let origin = &record.origin;
    let deed = Deed {
        action: record.action,
        spares_token: spares_token(record),
        actor: &origin.actor,
        token_id: &record.token_id,
        token: &record.token_name,
    };
    // A warning tells when the token ends, and not when the warning was recorded.
    let when = match record.action {
        Action::Remind => new_value(record, "purgeAt").and_then(moment),
        _ => Some(in_words(record.time)),
    };
    let mut told = deed.told();
    if let Some(when) = when {
        told = told.own(format!(" on {when}"));
    }
    if let Some(ip) = origin.ip {
        told = told.own(format!(", from {ip}"));
    }
    told.and(client(record)).own(".")
}

/// The client in words. It is what the caller says it is. A scanner is known by its signature.
fn client(record: &AuditRecord) -> Phrase {
    let user_agent = record.origin.user_agent.as_deref();
    let name = user_agent.and_then(crate::domain::client::client_name);
    let name = name.map(|name| DisplayText::of(&name));
    match (record.origin.source, name) {
        (Source::LeakReport | Source::System, _) => Phrase::default(),
        (Source::Ui, Some(name)) => {
            Phrase::new(", with what claims to be the API tokens page in ").value(name)
        }
        (Source::Ui, None) => Phrase::new(", with what claims to be the API tokens page"),
        (_, Some(name)) => Phrase::new(", with what claims to be ").value(name),
        (_, None) => match user_agent {
            Some(name) => Phrase::new(", with a client that calls itself ")
                .quoted(DisplayText::cut(name, MAX_CLIENT)),
            None => Phrase::default(),
        },
    }
}

/// The maximum length of a client's own name, in characters, if it can't be told in words.
const MAX_CLIENT: usize = 60;

/// The sentence of an entry in a digest, without the time.
pub(super) fn entry(held: &DigestEntry) -> Phrase {
    let deed = Deed {
        action: held.action,
        spares_token: false,
        actor: &held.who,
        token_id: &held.token_id,
        token: &held.token_name,
    };
    let told = deed.told();
    match held.ip {
        Some(ip) => told.own(format!(", from {ip}.")),
        None => told.own("."),
    }
}

/// What follows from an event, in one or two sentences.
pub(super) fn consequence(record: &AuditRecord) -> Option<String> {
    let known = match record.action {
        Action::Create | Action::Update => return None,
        Action::View => "Whoever saw it can use the token.",
        Action::Revoke if spares_token(record) => {
            "That secret never works again. The token itself stays as it is."
        }
        Action::Revoke => "The token was revoked: calls with it are refused from now on.",
        Action::Reactivate => "Calls with it work again.",
        Action::Regenerate => {
            let end = new_value(record, "previousSecret.validUntil").and_then(moment);
            return Some(match end {
                Some(end) => format!("Its old secret works until {end}."),
                None => "Its old secret doesn't work any more.".to_owned(),
            });
        }
        Action::Delete => "It can't be brought back. Its audit log stays.",
        Action::Access => {
            "It is the first use of this secret, or the first one of the day from this address."
        }
        Action::Purge => "Calls with it are refused from now on. Its audit log stays.",
        Action::Remind => "Calls with it are refused after that.",
        Action::Leak => match new_value(record, COMPROMISED) {
            Some("current") => "That secret never works again, and the token is revoked.",
            Some(_) => "It is an old secret, which never works again. The token keeps its new one.",
            None => {
                "That secret never works again. If it was the current one, the token is revoked."
            }
        },
        Action::Retire => "Its grace period was not over yet. The token keeps its new secret.",
        Action::Refused => "The call was not let through.",
        Action::Tamper => "The service never does this.",
    };
    Some(known.to_owned())
}

/// Whether the token may be active after an event, so that it can be revoked.
pub(super) fn can_be_stopped(record: &AuditRecord) -> bool {
    match record.action {
        Action::Create
        | Action::Update
        | Action::View
        | Action::Reactivate
        | Action::Regenerate
        | Action::Access
        | Action::Remind
        | Action::Retire => true,
        Action::Revoke => spares_token(record),
        Action::Leak => is_of_old_secret(record),
        // A secret of an active token, which somebody uses from elsewhere or has kept.
        Action::Refused => matches!(new_value(record, REASON), Some("address" | "ended")),
        Action::Delete | Action::Purge | Action::Tamper => false,
    }
}

/// Whether the token has a page after an event.
pub(super) fn has_page(action: Action) -> bool {
    !matches!(action, Action::Delete | Action::Purge)
}

/// What the recipient should do, if anything.
pub(super) fn advice(record: &AuditRecord) -> Option<&'static str> {
    Some(match record.action {
        Action::Create
        | Action::Update
        | Action::View
        | Action::Reactivate
        | Action::Regenerate => {
            "If you don't recognise this, revoke the token and talk to whoever did it. If it wasn't them, somebody is using their session: they should sign out everywhere and change their password."
        }
        Action::Access => {
            "If you don't recognise this, revoke the token: somebody else may have its secret."
        }
        Action::Leak if is_of_old_secret(record) => {
            "Find out where the old secret was published, and whether the new one is kept in the same place."
        }
        Action::Leak => "Create a new token and find out where the old one was published.",
        Action::Remind => {
            "Before that, set its auto purge again, or replace it with a new token. If nobody needs it any more, there is nothing to do."
        }
        Action::Refused => {
            "Something still uses this secret. If it isn't one of your own systems, find out where it got the secret."
        }
        Action::Tamper => "Ask the service's operator who can write to its tables.",
        Action::Delete | Action::Retire => {
            "If you don't recognise this, talk to whoever did it. If it wasn't them, somebody is using their session: they should sign out everywhere and change their password."
        }
        Action::Revoke if record.origin.actor.kind == ActorType::Token => {
            "Whoever revokes a secret by showing it has it. Find out where they got it."
        }
        Action::Revoke if record.origin.actor.kind == ActorType::Member => {
            "If you don't recognise this, talk to whoever did it. The token can be reactivated on its page."
        }
        Action::Revoke | Action::Purge => return None,
    })
}

/// The label of a change's field; `None` if it isn't known. Values that an outsider supplied are labelled as claimed.
pub(super) fn field(name: &str) -> Option<&'static str> {
    Some(match name {
        "name" => "Name",
        "kind" => "Kind",
        "integrationId" => "Integration App",
        "description" => "Description",
        "autoPurge" => "Auto purge",
        "purgeAt" => "Purge time",
        "scope" => "Scope",
        "scope.connections" => "Connections",
        "scope.exports" => "Exports",
        "scope.imports" => "Imports",
        "scope.apis" => "My APIs",
        "allowedCidrs" => "Allowed addresses",
        "status" => "Status",
        "revocationReason" => "Reason",
        "compromisedAt" => "Secret compromised",
        COMPROMISED => "Which secret",
        "hint" => "Ends in",
        "previousSecret.hint" => "Old secret ends in",
        // The second one is the name in the first records.
        "previousSecret.validUntil" | "previousSecretValidUntil" => "Old secret works until",
        REASON => "Why",
        "daysRefused" => "Days with this refusal",
        "addressesToday" => "Addresses today",
        "introspectedBy" => "Asked about by the token",
        "leakUrl" => "Where, as claimed by the report",
        "leakPlace" => "Kind of place, as claimed by the report",
        _ => return None,
    })
}

/// Whether a field's values are ids, numbers or addresses of the service's own making, which need no quotation marks.
pub(super) fn is_plain(field: &str) -> bool {
    [
        "integrationId",
        "allowedCidrs",
        "hint",
        "previousSecret.hint",
        "daysRefused",
        "addressesToday",
        "introspectedBy",
    ]
    .contains(&field)
}

/// A field's value in words; `None` if it is to be shown as it is.
pub(super) fn value(field: &str, value: &str) -> Option<String> {
    let word = match (field, value) {
        (
            "purgeAt" | "compromisedAt" | "previousSecret.validUntil" | "previousSecretValidUntil",
            _,
        ) => {
            return moment(value);
        }
        ("autoPurge", _) => return AutoPurge::parse(value).map(|it| it.in_words().to_owned()),
        ("scope", "full") => "full access",
        ("scope", "custom") => "custom",
        ("status", "active") => "active",
        ("status", "revoked") => "revoked",
        ("kind", "account") => "account token",
        ("kind", "integrationApp") => "Integration App token",
        (COMPROMISED, "current") => "the current one, so the token is revoked",
        (COMPROMISED, "previous") => "the old one, during its grace period",
        (COMPROMISED, "ended") => "one that had ended before",
        (REASON, "revoked") => "the token is revoked",
        (REASON, "expired") => "the time of the token or the secret is over",
        (REASON, "ended") => "the secret was replaced or ended",
        (REASON, "compromised") => "the secret is compromised",
        (REASON, "address") => "the address is not an allowed one",
        _ => return None,
    };
    Some(word.to_owned())
}
