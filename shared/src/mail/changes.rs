//! The changes of a record, in words and with the names of resources.

use std::collections::{BTreeMap, BTreeSet};

use super::phrase::Phrase;
use super::value::DisplayText;
use super::words::{field, is_plain, value};
use crate::domain::action::Action;
use crate::domain::audit::{AuditRecord, Change};
use crate::domain::resource::{Resource, ResourceRef, ResourceType};

/// The maximum length of a value in a mail, in characters. The audit log, to which the mail links, shows all of it.
pub(super) const MAX_VALUE: usize = 300;

/// The maximum number of resources that a list shows as added, and as removed. A scope may have a thousand. Names are
/// looked up for these only.
pub(super) const MAX_RESOURCES: usize = 10;

/// The names of resources.
#[derive(Debug, Clone, Default)]
pub(super) struct ResourceNames(BTreeMap<ResourceRef, String>);

impl ResourceNames {
    pub(super) fn of(resources: Vec<Resource>) -> Self {
        let named = resources.into_iter();
        Self(
            named
                .map(|resource| (resource.reference(), resource.name))
                .collect(),
        )
    }

    /// Adds a resource to a phrase: its name with the id in brackets, or the id alone.
    fn tell(&self, phrase: Phrase, kind: ResourceType, id: &str) -> Phrase {
        let shown = DisplayText::cut(id, MAX_VALUE);
        let reference = id.parse().ok().map(|id| ResourceRef { kind, id });
        match reference.and_then(|reference| self.0.get(&reference)) {
            Some(name) => phrase
                .quoted(DisplayText::cut(name, MAX_VALUE))
                .own(" (")
                .value(shown)
                .own(")"),
            None => phrase.value(shown),
        }
    }
}

/// The list of a custom scope that a field has.
fn list_of(field: &str) -> Option<ResourceType> {
    let collection = field.strip_prefix("scope.")?;
    let mut kinds = ResourceType::ALL.into_iter();
    kinds.find(|kind| kind.collection() == collection)
}

/// The ids in a list that a record has as text.
fn ids(list: Option<&String>) -> Vec<&str> {
    let ids = list.into_iter().flat_map(|list| list.split(", "));
    ids.filter(|id| !id.is_empty()).collect()
}

/// The ids of a list that another one lacks.
fn without<'a>(these: &[&'a str], those: &[&str]) -> Vec<&'a str> {
    let those: BTreeSet<_> = those.iter().copied().collect();
    let these = these.iter().copied();
    these.filter(|id| !those.contains(id)).collect()
}

/// The ids that a change added to a list, and those that it removed.
fn difference(change: &Change) -> [Vec<&str>; 2] {
    let (old, new) = (ids(change.old.as_ref()), ids(change.new.as_ref()));
    [without(&new, &old), without(&old, &new)]
}

/// The resources that the mail about a record names.
pub(super) fn named_resources(record: &AuditRecord) -> Vec<ResourceRef> {
    if record.action == Action::Tamper {
        return Vec::new();
    }
    let mut named = BTreeSet::new();
    for change in &record.changes {
        let Some(kind) = list_of(&change.field) else {
            continue;
        };
        for side in difference(change) {
            let shown = side.into_iter().take(MAX_RESOURCES);
            named.extend(shown.filter_map(|id| {
                Some(ResourceRef {
                    kind,
                    id: id.parse().ok()?,
                })
            }));
        }
    }
    named.into_iter().collect()
}

/// A change in a mail.
pub(super) struct ChangeLine {
    /// The field.
    pub(super) label: DisplayText,
    /// What became of its value.
    pub(super) what: Phrase,
}

/// The changes of a record that its mail lists.
pub(super) fn lines(record: &AuditRecord, names: &ResourceNames) -> Vec<ChangeLine> {
    let changes = record.changes.iter();
    changes
        .filter(|change| !is_told_elsewhere(record, change))
        .map(|change| ChangeLine::of(change, record.action, names))
        .collect()
}

/// Whether the mail has a change in its sentences: the end in a warning, the name and status of a new token, the status
/// of one that was revoked or reactivated, the end of a replaced secret, and why and when a leaked token was revoked.
fn is_told_elsewhere(record: &AuditRecord, change: &Change) -> bool {
    let field = change.field.as_str();
    match record.action {
        Action::Remind => true,
        Action::Create => ["name", "status"].contains(&field),
        Action::Revoke | Action::Reactivate => field == "status",
        Action::Regenerate => field == "previousSecret.validUntil",
        Action::Leak => ["status", "revocationReason", "compromisedAt"].contains(&field),
        _ => false,
    }
}

impl ChangeLine {
    fn of(change: &Change, action: Action, names: &ResourceNames) -> Self {
        // A changed record of the audit log can have attributes with any name and value.
        let is_raw = action == Action::Tamper;
        let known = field(&change.field).filter(|_| !is_raw);
        let what = match list_of(&change.field).filter(|_| !is_raw) {
            Some(kind) => listed(change, kind, action == Action::Create, names),
            None => turned(change, action),
        };
        Self {
            label: known.map_or_else(|| DisplayText::of(&change.field), DisplayText::known),
            what,
        }
    }
}

/// What became of a list of resources.
fn listed(change: &Change, kind: ResourceType, is_new: bool, names: &ResourceNames) -> Phrase {
    let mut told = Phrase::default();
    let mut begin = "";
    for (what, ids) in ["added ", "removed "].into_iter().zip(difference(change)) {
        if ids.is_empty() {
            continue;
        }
        told = told.own(begin).own(if is_new { "" } else { what });
        for (index, id) in ids.iter().take(MAX_RESOURCES).enumerate() {
            told = told.own(if index == 0 { "" } else { ", " });
            told = names.tell(told, kind, id);
        }
        if let Some(more) = ids
            .len()
            .checked_sub(MAX_RESOURCES)
            .filter(|more| *more > 0)
        {
            told = told.own(format!(" and {more} more"));
        }
        begin = ", ";
    }
    told
}

/// What became of another value.
fn turned(change: &Change, action: Action) -> Phrase {
    let words = |text: &str| value(&change.field, text).filter(|_| action != Action::Tamper);
    let is_plain = is_plain(&change.field) && action != Action::Tamper;
    let shown = |phrase: Phrase, text: &String| match words(text) {
        Some(words) => phrase.own(words),
        None if is_plain => phrase.value(DisplayText::cut(text, MAX_VALUE)),
        None => phrase.quoted(DisplayText::cut(text, MAX_VALUE)),
    };
    // What it means that an edited token has no value.
    let missing = match (action, change.field.as_str()) {
        (Action::Update, "purgeAt") => Some("never"),
        (Action::Update, "allowedCidrs") => Some("all"),
        _ => None,
    };
    match (&change.old, &change.new, missing) {
        (Some(old), Some(new), _) => {
            let from = shown(Phrase::new("from "), old);
            shown(from.own(" to "), new)
        }
        (None, Some(new), Some(missing)) => shown(Phrase::new(format!("from {missing} to ")), new),
        (None, Some(new), None) => shown(Phrase::default(), new),
        (Some(old), None, Some(missing)) => {
            shown(Phrase::new("from "), old).own(format!(" to {missing}"))
        }
        (Some(old), None, None) => shown(Phrase::new("removed, was "), old),
        (None, None, _) => Phrase::new("none"),
    }
}
