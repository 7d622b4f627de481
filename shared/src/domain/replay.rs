//! What happened to a token after the point to which its table was restored, replayed over the token as it was then.
//!
//! The audit log holds all that is needed to end again what ended, and to edit again what was edited. It holds no hash of
//! a secret, so a secret that was made after the point is lost.

use std::collections::BTreeMap;

use ipnet::IpNet;
use jiff::Timestamp;

use super::action::Action;
use super::actor::{Actor, ActorType};
use super::audit::{AuditRecord, COMPROMISED};
use super::auto_purge::AutoPurge;
use super::leak::LEAKED;
use super::resource::ResourceType;
use super::scope::{ResourceLists, Scope};
use super::secret::SecretHash;
use super::time::parse_rfc3339;
use super::token::{
    ACCOUNT_DELETED, Ended, LastUse, NewSecret, Patch, PreviousSecret, Status, StoredToken, Token,
};
use super::upkeep::SentReminder;
use super::verification::SecretState;

/// A record says what this version doesn't understand.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the record {record} can't be replayed: its change of `{field}` has another form")]
pub struct Unreadable {
    record: String,
    field: String,
}

/// A restored token, while records are replayed over it.
#[derive(Debug, Clone)]
pub struct Replay {
    before: StoredToken,
    reminded_before: Option<SentReminder>,
    token: Token,
    /// `None` once the current secret is one that the restored table doesn't have.
    current: Option<SecretHash>,
    /// The previous secret, if the restored table has it.
    previous: Option<SecretHash>,
    /// How the restored secrets ended that the token no longer has.
    ended: BTreeMap<SecretHash, (SecretState, Ended)>,
    reminded: Option<SentReminder>,
    /// The last action that changed the token.
    changed: Option<Action>,
    is_deleted: bool,
}

/// What a replay made of a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replayed {
    /// The token; `None` if it was deleted.
    pub after: Option<StoredToken>,
    /// How the secrets ended that it no longer has.
    pub ended: BTreeMap<SecretHash, (SecretState, Ended)>,
    /// The last warning of its end.
    pub reminded: Option<SentReminder>,
    /// The last action that changed it; `None` if only its uses and warnings were replayed, which aren't recorded again.
    pub changed: Option<Action>,
}

impl Replay {
    /// Begins with a token as the restored table has it, and the last warning of its end there.
    pub fn new(before: StoredToken, reminded: Option<SentReminder>) -> Self {
        Self {
            token: before.token.clone(),
            current: Some(before.secret_hash),
            previous: before.previous_hash,
            ended: BTreeMap::new(),
            reminded_before: reminded,
            reminded,
            changed: None,
            is_deleted: false,
            before,
        }
    }

    /// Replays a record of the token. The records have to come in the order of their times. One that the restored token
    /// already includes changes nothing.
    ///
    /// # Errors
    /// The record says what this version doesn't understand.
    pub fn apply(&mut self, record: &AuditRecord) -> Result<(), Unreadable> {
        match record.action {
            // What they tell isn't a state of the token. A token's purge time is: its creation or an edit set it.
            Action::Create | Action::View | Action::Refused | Action::Tamper | Action::Purge => {}
            Action::Access => self.use_again(record),
            Action::Remind => self.remind_again(record)?,
            // Each of these sets the time of the token's last change to its own. Those of the same millisecond may be
            // in the restored token or not: they come again, which changes nothing if they are.
            _ if record.time < self.before.token.updated_at => {}
            Action::Update => self.edit_again(record)?,
            Action::Revoke => self.revoke_again(record)?,
            Action::Leak => self.compromise_again(record)?,
            Action::Retire => {
                if self.token.has_previous_secret(record.time) {
                    let token = self.token.end_previous_secret(by(record), record.time);
                    self.advance(token, record);
                }
            }
            Action::Reactivate => {
                if let Ok(Some(token)) = self.token.reactivate(by(record), record.time) {
                    self.advance(token, record);
                }
            }
            Action::Regenerate => self.regenerate_again(record)?,
            Action::Delete => {
                self.end_previous(record);
                self.end_current(record);
                (self.is_deleted, self.changed) = (true, Some(Action::Delete));
            }
        }
        Ok(())
    }

    /// Whether the token now has a secret that is lost, so that it needs a new one.
    pub fn needs_secret(&self, now: Timestamp) -> bool {
        self.current.is_none() && !self.is_deleted && !self.token.is_purged(now)
    }

    /// The result; `None` if the restored token is as it should be. `fresh` is the secret that takes the place of a lost
    /// one.
    pub fn finish(self, fresh: Option<NewSecret>, now: Timestamp) -> Option<Replayed> {
        let is_used = self.token.last_use != self.before.token.last_use;
        if self.changed.is_none() && !is_used && self.reminded == self.reminded_before {
            return None;
        }
        let mut changed = self.changed;
        let is_lost = self.current.is_none();
        let after = (!self.is_deleted).then(|| {
            let mut after = StoredToken {
                previous_hash: self.previous,
                token: self.token,
                ..self.before
            };
            if let Some(fresh) = fresh {
                changed = Some(Action::Regenerate);
                after.token = Token {
                    hint: fresh.hint,
                    // The lost secret had this version. The time says that all until now is replayed.
                    ..after.token.changed(Actor::system(), now)
                };
                (after.secret_hash, after.ciphertext) = (fresh.hash, fresh.ciphertext);
            } else if is_lost {
                // The token is purged. It keeps a secret until the table removes it, and none of its secrets works.
                (after.previous_hash, after.token.previous_secret) = (None, None);
            }
            after
        });
        Some(Replayed {
            after,
            ended: self.ended,
            reminded: self.reminded,
            changed,
        })
    }

    /// Takes the next state of the token, and ends the previous secret if the token no longer has it.
    fn advance(&mut self, token: Token, record: &AuditRecord) {
        self.token = token;
        self.changed = Some(record.action);
        if self.token.previous_secret.is_none() {
            self.end_previous(record);
        }
    }

    fn end_previous(&mut self, record: &AuditRecord) {
        self.token.previous_secret = None;
        if let Some(hash) = self.previous.take() {
            let end = (SecretState::Ended, ended(record));
            self.ended.entry(hash).or_insert(end);
        }
    }

    fn end_current(&mut self, record: &AuditRecord) {
        if let Some(hash) = self.current.take() {
            let end = match self.token.compromised {
                Some(compromised) => (SecretState::Compromised, compromised),
                None => (SecretState::Ended, ended(record)),
            };
            self.ended.insert(hash, end);
        }
    }

    fn use_again(&mut self, record: &AuditRecord) {
        if let Some(ip) = record.asserted_ip.or(record.origin.ip) {
            let used = LastUse {
                at: record.time,
                ip,
            };
            let last = self.token.last_use.filter(|last| last.at >= used.at);
            self.token.last_use = last.or(Some(used));
        }
    }

    /// The record doesn't have the warning's number of days. The whole days that were left are at most that, and more
    /// than the next warning's.
    fn remind_again(&mut self, record: &AuditRecord) -> Result<(), Unreadable> {
        let Some(purge_at) = time(record, "purgeAt")? else {
            return Ok(());
        };
        let left = purge_at.duration_since(record.time).as_hours() / 24;
        let days = u8::try_from(left).unwrap_or_default();
        let given = self.reminded.filter(|given| given.purge_at == purge_at);
        let days = given.map_or(days, |given| given.days.min(days));
        self.reminded = Some(SentReminder { purge_at, days });
        Ok(())
    }

    fn edit_again(&mut self, record: &AuditRecord) -> Result<(), Unreadable> {
        let mut patch = Patch::default();
        for change in &record.changes {
            let unreadable = || unreadable(record, &change.field);
            let text = change.new.as_deref().unwrap_or_default();
            match change.field.as_str() {
                "name" => patch.name = Some(text.into()),
                "description" => patch.description = Some(text.into()),
                "autoPurge" => {
                    patch.auto_purge = Some(AutoPurge::parse(text).ok_or_else(unreadable)?);
                }
                // The lifetime was chosen again. Its end follows from the time of the choice.
                "purgeAt" => patch.auto_purge = patch.auto_purge.or(Some(self.token.auto_purge)),
                "scope" => {
                    patch.scope = Some(match text {
                        "full" => Scope::Full,
                        "custom" => Scope::Custom(ResourceLists::default()),
                        _ => return Err(unreadable()),
                    });
                }
                "allowedCidrs" => {
                    let cidrs = listed(text).map(|cidr| cidr.parse::<IpNet>());
                    let cidrs = cidrs.collect::<Result<_, _>>().map_err(|_| unreadable())?;
                    patch.allowed_cidrs = Some(cidrs);
                }
                // It follows from the token's end.
                "previousSecret.validUntil" => {}
                // A grace period was over, and the token forgets that secret.
                "previousSecret.hint" if change.new.is_none() => {}
                field => {
                    let kind = list_of(field).ok_or_else(unreadable)?;
                    let scope = patch.scope.take();
                    let mut scope = scope.unwrap_or_else(|| self.token.scope.clone());
                    if let Scope::Custom(lists) = &mut scope {
                        let ids = listed(text).map(str::parse);
                        *lists.of_mut(kind) =
                            ids.collect::<Result<_, _>>().map_err(|_| unreadable())?;
                    }
                    patch.scope = Some(scope);
                }
            }
        }
        if let Some(token) = self.token.edit(patch, by(record), record.time) {
            self.advance(token, record);
        }
        Ok(())
    }

    fn revoke_again(&mut self, record: &AuditRecord) -> Result<(), Unreadable> {
        if new(record, COMPROMISED).is_some() {
            return self.compromise_again(record);
        }
        let reason = new(record, "revocationReason");
        let has_status = record.changes.iter().any(|it| it.field == "status");
        // Only the end of an account is recorded as a revocation of what was revoked before.
        let with_account = record.origin.actor.kind == ActorType::System
            && (!has_status || reason == Some(ACCOUNT_DELETED));
        let token = if with_account {
            self.token.end_with_account(by(record), record.time)
        } else {
            let reason = reason.map(str::to_owned);
            self.token.revoke(by(record), record.time, reason)
        };
        if let Some(token) = token {
            self.advance(token, record);
        }
        Ok(())
    }

    fn compromise_again(&mut self, record: &AuditRecord) -> Result<(), Unreadable> {
        match new(record, COMPROMISED) {
            Some("current") if self.token.compromised.is_none() => {
                let reason = new(record, "revocationReason").unwrap_or(LEAKED);
                let token = self.token.compromise(by(record), ended(record), reason);
                self.advance(token, record);
            }
            Some("previous") => {
                if let Some(hash) = self.previous {
                    let end = (SecretState::Compromised, ended(record));
                    self.ended.insert(hash, end);
                }
                if self.token.previous_secret.is_some() {
                    let token = self.token.end_previous_secret(by(record), record.time);
                    self.advance(token, record);
                }
            }
            // It had ended before, and the record doesn't say which one it was. It is refused in either state.
            Some("current" | "ended") => {}
            _ => return Err(unreadable(record, COMPROMISED)),
        }
        Ok(())
    }

    fn regenerate_again(&mut self, record: &AuditRecord) -> Result<(), Unreadable> {
        let hint = new(record, "hint").ok_or_else(|| unreadable(record, "hint"))?;
        if record.time == self.before.token.updated_at && self.token.hint == hint {
            return Ok(());
        }
        let field = "previousSecret.validUntil";
        let valid_until = if record.changes.iter().any(|it| it.field == field) {
            time(record, field)?
        } else {
            // The grace period of the secret before ended at the same time: that of the token.
            let previous = self.token.previous_secret.as_ref();
            previous.map(|previous| previous.valid_until)
        };
        let works = self.token.status() == Status::Active && self.token.compromised.is_none();
        let valid_until = valid_until.filter(|end| works && *end > record.time);
        let replaced = self.current.filter(|_| valid_until.is_some());
        self.end_previous(record);
        if replaced.is_some() {
            self.current = None;
        } else {
            self.end_current(record);
        }
        self.previous = replaced;
        let previous_secret = replaced.and(valid_until).map(|valid_until| PreviousSecret {
            hint: self.token.hint.clone(),
            valid_until,
        });
        self.token = Token {
            hint: hint.into(),
            compromised: None,
            previous_secret,
            ..self.token.changed(by(record), record.time)
        };
        self.changed = Some(Action::Regenerate);
        Ok(())
    }
}

/// The creation of a token that the restored table doesn't have, if the token still existed at `now`. `records` are the
/// token's, in the order of their times.
pub fn lost_token(records: &[AuditRecord], now: Timestamp) -> Option<&AuditRecord> {
    let created = records.iter().find(|it| it.action == Action::Create)?;
    let is_over = |it: &AuditRecord| matches!(it.action, Action::Delete | Action::Purge);
    let chosen = records.iter().rev().find(|it| {
        let chooses = matches!(it.action, Action::Create | Action::Update);
        chooses && it.changes.iter().any(|change| change.field == "purgeAt")
    });
    let end = chosen.and_then(|chosen| parse_rfc3339(new(chosen, "purgeAt")?));
    let is_purged = end.is_some_and(|end| end <= now);
    (!is_purged && !records.iter().any(is_over)).then_some(created)
}

fn by(record: &AuditRecord) -> Actor {
    record.origin.actor.clone()
}

fn ended(record: &AuditRecord) -> Ended {
    Ended {
        at: record.time,
        by: record.action,
    }
}

/// The new value of a field that a record changes.
fn new<'a>(record: &'a AuditRecord, field: &str) -> Option<&'a str> {
    let change = record.changes.iter().find(|it| it.field == field);
    change.and_then(|change| change.new.as_deref())
}

fn time(record: &AuditRecord, field: &str) -> Result<Option<Timestamp>, Unreadable> {
    let text = new(record, field);
    text.map(|text| parse_rfc3339(text).ok_or_else(|| unreadable(record, field)))
        .transpose()
}

fn unreadable(record: &AuditRecord, field: &str) -> Unreadable {
    Unreadable {
        record: record.id.to_string(),
        field: field.into(),
    }
}

/// The entries of a list in a record.
fn listed(text: &str) -> impl Iterator<Item = &str> {
    text.split(", ").filter(|entry| !entry.is_empty())
}

/// The type of the resources in a list of a scope.
fn list_of(field: &str) -> Option<ResourceType> {
    let collection = field.strip_prefix("scope.")?;
    let mut kinds = ResourceType::ALL.into_iter();
    kinds.find(|kind| kind.collection() == collection)
}
