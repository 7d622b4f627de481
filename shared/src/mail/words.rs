//! The sentences of mails about each action. Every action has whole sentences of its own.

use crate::domain::action::Action;
use crate::domain::audit::{AuditRecord, COMPROMISED, Source};

/// The predicate after the token's name, in subjects and lists.
pub(super) fn predicate(record: &AuditRecord) -> &'static str {
    if spares_token(record) {
        return "had an old secret revoked";
    }
    predicate_of(record.action)
}

/// Like [`predicate`], if only the action is known.
pub(super) fn predicate_of(action: Action) -> &'static str {
    match action {
        Action::Create => "was created",
        Action::Update => "was changed",
        Action::View => "was shown in plain text",
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

/// The first sentence of a mail.
pub(super) fn sentence(record: &AuditRecord) -> &'static str {
    if spares_token(record) {
        return "A secret of an API token that was replaced or had ended was revoked by its holder. It never works again. The token itself stays as it is.";
    }
    match record.action {
        Action::Create => "An API token was created.",
        Action::Update => "An API token was changed.",
        Action::View => "The secret of an API token was shown in plain text.",
        Action::Revoke => "An API token was revoked. Calls with it are refused from now on.",
        Action::Reactivate => "A revoked API token was reactivated. Calls with it work again.",
        Action::Regenerate => "An API token was given a new secret.",
        Action::Delete => "An API token was deleted.",
        Action::Access => {
            "An API token was used for the first time, or for the first time today from this address."
        }
        Action::Purge => "An API token was purged. Calls with it are refused from now on.",
        Action::Remind => "An API token will be purged soon. Calls with it are refused after that.",
        Action::Leak => {
            "A secret of an API token was reported as leaked. It never works again. If it was the current one, the token is revoked."
        }
        Action::Retire => {
            "The replaced secret of an API token was ended before its grace period was over."
        }
        Action::Refused => "A secret of an API token was tried and refused.",
        Action::Tamper => {
            "A record of an API token was changed in the audit log, or removed from it."
        }
    }
}

/// Whether a holder's revocation ended only the presented secret, and not the token.
fn spares_token(record: &AuditRecord) -> bool {
    let which = record.changes.iter().find(|it| it.field == COMPROMISED);
    let which = which.and_then(|which| which.new.as_deref());
    record.action == Action::Revoke && matches!(which, Some("previous" | "ended"))
}

/// What the recipient should do, if anything.
pub(super) fn advice(action: Action) -> Option<&'static str> {
    match action {
        Action::Create
        | Action::Update
        | Action::View
        | Action::Reactivate
        | Action::Regenerate
        | Action::Access => {
            Some("If you don't recognise this, revoke the token and talk to whoever did it.")
        }
        Action::Leak => Some("Create a new token and find out where the old one was published."),
        Action::Remind => {
            Some("Before that, set its auto purge again, or replace it with a new token.")
        }
        Action::Refused => Some(
            "Something still uses this secret. If it isn't one of your own systems, find out where it got the secret.",
        ),
        Action::Tamper => {
            Some("The service never does this. Ask its operator who can write to its tables.")
        }
        Action::Revoke | Action::Delete | Action::Purge | Action::Retire => None,
    }
}

/// The label of a change's field. Values that an outsider supplied are labelled as claimed.
pub(super) fn field(name: &str) -> &str {
    match name {
        "leakUrl" => "leakUrl, as claimed by the report",
        "leakPlace" => "leakPlace, as claimed by the report",
        name => name,
    }
}

/// The label of a source. Any client can claim to be the page.
pub(super) fn source(source: Source) -> &'static str {
    match source {
        Source::Ui => "the API tokens page, as claimed",
        Source::Api => "the API",
        Source::System => "the system",
        Source::LeakReport => "a secret scanner's report",
    }
}
