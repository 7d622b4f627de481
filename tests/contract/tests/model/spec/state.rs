//! Tokens and secrets, and how they end.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

/// How long the record of an ended secret, of its uses, and an audit record are kept.
pub(super) const KEPT: SignedDuration = SignedDuration::from_hours(400 * 24);

/// The chosen lifetime of a token, in hours; none for ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Lifetime(pub Option<i64>);

impl Lifetime {
    pub(crate) fn name(self) -> String {
        match self.0 {
            None => "never".into(),
            Some(hours) if hours % 24 == 0 => format!("{}d", hours / 24),
            Some(hours) => format!("{hours}h"),
        }
    }

    pub(super) fn end(self, chosen: Timestamp) -> Option<Timestamp> {
        Some(chosen + SignedDuration::from_hours(self.0?))
    }
}

/// A change of a field: its name, old and new value.
pub(crate) type Field = (String, Option<String>, Option<String>);

/// An audit record.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Record {
    pub(crate) time: Timestamp,
    pub(crate) action: String,
    pub(crate) source: String,
    pub(crate) token: usize,
    pub(crate) name: String,
    pub(crate) changes: Vec<Field>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    Current,
    Retired,
    Ended,
    Compromised,
}

#[derive(Debug, Clone)]
pub(crate) struct Secret {
    pub(crate) hint: String,
    pub(super) state: State,
    /// The token's name when the secret ended, and until when this is kept. None while the token has the secret.
    pub(super) buried: Option<(String, Timestamp)>,
    /// The time to live removed it.
    pub(super) forgotten: bool,
    /// The last use or refusal on record, and the day of the last recorded use.
    pub(super) seen: Option<Timestamp>,
    pub(super) used: Option<i64>,
    /// For each reason, the day of the last refusal, and the number of such days.
    pub(super) refused: BTreeMap<&'static str, (i64, u32)>,
}

#[derive(Debug, Clone)]
pub(super) struct Revocation {
    pub(super) at: Timestamp,
    pub(super) reason: Option<&'static str>,
    pub(super) with_account: bool,
}

#[derive(Debug, Clone)]
pub(crate) struct Token {
    pub(super) name: String,
    pub(super) lifetime: Lifetime,
    pub(super) purge_at: Option<Timestamp>,
    pub(crate) version: u64,
    pub(super) created: Timestamp,
    pub(super) updated: Timestamp,
    pub(super) revoked: Option<Revocation>,
    pub(super) compromised: Option<Timestamp>,
    /// The last one is the current one.
    pub(crate) secrets: Vec<Secret>,
    /// The replaced secret, and until when it works. It stays here after that time, until the next change.
    pub(super) previous: Option<(usize, Timestamp)>,
    /// Neither deleted nor removed by the time to live.
    pub(super) exists: bool,
    pub(super) purge_recorded: bool,
    /// The end of which people were warned last, with its number of days.
    pub(super) warned: Option<(Timestamp, u8)>,
    /// The recorded uses.
    pub(crate) uses: Vec<Timestamp>,
    /// Whether the last use may be missing for good: the time to live removed what was on record of a secret's uses, and
    /// whether the token itself has them depends on when it was changed.
    pub(crate) hazy: bool,
}

impl Secret {
    pub(crate) fn is_forgotten(&self) -> bool {
        self.forgotten
    }

    pub(super) fn new(hint: &str) -> Self {
        Self {
            hint: hint.into(),
            state: State::Current,
            buried: None,
            forgotten: false,
            seen: None,
            used: None,
            refused: BTreeMap::new(),
        }
    }
}

impl Token {
    pub(crate) fn current(&self) -> usize {
        self.secrets.len() - 1
    }

    pub(super) fn status(&self) -> &'static str {
        self.revoked.as_ref().map_or("active", |_| "revoked")
    }

    /// When a secret is over by itself.
    pub(super) fn end_of(&self, s: usize) -> Option<Timestamp> {
        let grace = self.previous.filter(|(previous, _)| *previous == s);
        let ends = [self.purge_at, grace.map(|(_, until)| until)];
        ends.into_iter().flatten().min()
    }

    /// The token's name, as a secret's record has it.
    pub(super) fn name_at(&self, s: usize) -> String {
        let buried = self.secrets[s].buried.as_ref();
        buried.map_or(&self.name, |(name, _)| name).clone()
    }

    pub(super) fn revoke(&mut self, at: Timestamp, reason: Option<&'static str>) {
        self.revoked = Some(Revocation {
            at,
            reason,
            with_account: false,
        });
        self.end_previous(at);
    }

    pub(super) fn end_previous(&mut self, now: Timestamp) {
        if let Some((s, _)) = self.previous.take() {
            self.bury(s, State::Ended, now);
        }
    }

    /// Ends a secret. What is compromised stays so.
    pub(super) fn bury(&mut self, s: usize, state: State, now: Timestamp) {
        let name = self.name_at(s);
        let secret = &mut self.secrets[s];
        if secret.state != State::Compromised {
            secret.state = state;
        }
        // The change that takes a secret from its token writes its record anew, even if that was removed long ago.
        secret.forgotten = false;
        secret.buried = Some((name, now + KEPT));
    }

    /// The fields in which this token differs from an earlier state of it, as people see both.
    pub(super) fn differences(&self, before: Option<&Self>, now: Timestamp) -> Vec<Field> {
        let after = self.fields(now);
        let before = before.map_or(vec![None; after.len()], |before| {
            before
                .fields(now)
                .into_iter()
                .map(|(_, value)| value)
                .collect()
        });
        let fields = after.into_iter().zip(before);
        let fields = fields.map(|((field, new), old)| (field.to_owned(), old, new));
        fields.filter(|(_, old, new)| old != new).collect()
    }

    fn fields(&self, now: Timestamp) -> Vec<(&'static str, Option<String>)> {
        let previous = self.previous.filter(|(_, until)| now < *until);
        let reason = self.revoked.as_ref().and_then(|revoked| revoked.reason);
        vec![
            ("name", Some(self.name.clone())),
            ("kind", Some("account".into())),
            ("autoPurge", Some(self.lifetime.name())),
            ("purgeAt", self.purge_at.map(time)),
            ("scope", Some("full".into())),
            ("status", Some(self.status().into())),
            ("revocationReason", reason.map(Into::into)),
            ("compromisedAt", self.compromised.map(time)),
            (
                "previousSecret.hint",
                previous.map(|(s, _)| self.secrets[s].hint.clone()),
            ),
            (
                "previousSecret.validUntil",
                previous.map(|(_, until)| time(until)),
            ),
        ]
    }
}

/// A time as the API writes it.
pub(super) fn time(moment: Timestamp) -> String {
    format!("{moment:.3}")
}
