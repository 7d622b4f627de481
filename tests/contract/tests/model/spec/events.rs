//! What happens without a request of people: to the account, on schedules, and in the tables.

use jiff::{SignedDuration, Timestamp};

use super::state::{KEPT, Record, time};
use super::{Model, Profile};

/// How long a deleted account's profile is kept.
const MARKED: SignedDuration = SignedDuration::from_hours(16 * 24);
/// How late an event of the platform may arrive: its tries take a day and six hours, and then it lies for 14 days.
pub(crate) const LATE: SignedDuration = SignedDuration::from_hours(15 * 24 + 6);
/// By how much the platform's clock may be behind.
const BEHIND: SignedDuration = SignedDuration::from_mins(5);
/// How long an unused token stays active. A day comes on top, since not every use is recorded.
pub(crate) const IDLE: SignedDuration = SignedDuration::from_hours(90 * 24);
/// The days before a token's end at which people are warned.
pub(crate) const WARNINGS: [u8; 3] = [7, 3, 1];

impl Model {
    /// The platform says that the account was deleted at a time. What it had then ends, also if a newer event has come
    /// before.
    pub(crate) fn delete_account(&mut self, at: Timestamp) {
        let now = self.now;
        let until = if self.mark_deleted(at) {
            now
        } else {
            at + BEHIND
        };
        for t in 0..self.tokens.len() {
            let token = &self.tokens[t];
            let ended = token.revoked.as_ref();
            if !self.is_there(t)
                || token.created > until
                || ended.is_some_and(|revoked| revoked.with_account)
            {
                continue;
            }
            self.change(t, "revoke", "system", |token| {
                if token.revoked.is_none() {
                    token.revoke(now, Some("the account was deleted"));
                }
                token.end_previous(now);
                token.revoked.as_mut().unwrap().with_account = true;
            });
        }
    }

    /// The account is no longer there, and nothing else has happened yet. Returns whether no newer event has come before.
    pub(crate) fn mark_deleted(&mut self, at: Timestamp) -> bool {
        let is_newest = at >= self.event;
        if is_newest {
            self.event = at;
            if self.profile != Profile::Forgotten {
                self.profile = Profile::Deleted(self.now + MARKED);
            }
        }
        is_newest
    }

    /// The platform says that the account existed at a time. What it says late brings no deleted account back, ever.
    pub(crate) fn put_account(&mut self, at: Timestamp) {
        let is_here = self.profile == Profile::Here;
        if at > self.event || (at == self.event && is_here) {
            (self.profile, self.event) = (Profile::Here, at);
        }
    }

    /// The tokens that are idle. They must be revoked, unless an index lags: then some may be left to the next day.
    pub(crate) fn idle(&self) -> Vec<usize> {
        let since = self.now - IDLE - SignedDuration::from_hours(24);
        let idle = |t: &usize| {
            let token = &self.tokens[*t];
            let last = token.uses.iter().copied().chain([token.updated]).max();
            self.is_there(*t) && token.revoked.is_none() && last.unwrap() <= since
        };
        (0..self.tokens.len()).filter(idle).collect()
    }

    pub(crate) fn revoke_idle(&mut self, t: usize) {
        let now = self.now;
        self.change(t, "revoke", "system", |token| {
            token.revoke(now, Some("idle"))
        });
    }

    /// The tokens of whose end a warning is due. A warning is given from a day before its own day, in the second half of
    /// a lifetime, and of several the latest.
    pub(crate) fn ending(&self) -> Vec<(usize, u8)> {
        let day = SignedDuration::from_hours(24);
        let due = |t: usize| {
            let token = &self.tokens[t];
            let (hours, end) = (token.lifetime.0?, token.purge_at?);
            let left = end.duration_since(self.now);
            let is_due =
                |days: &u8| i64::from(*days) * 48 <= hours && left < day * (i32::from(*days) + 1);
            let days = WARNINGS.into_iter().filter(is_due).min()?;
            let given = token
                .warned
                .is_some_and(|(of, given)| of == end && given <= days);
            (self.is_there(t) && token.revoked.is_none() && !given).then_some((t, days))
        };
        (0..self.tokens.len()).filter_map(due).collect()
    }

    pub(crate) fn warn(&mut self, t: usize, days: u8) {
        let end = self.tokens[t].purge_at.unwrap();
        self.tokens[t].warned = Some((end, days));
        let end = Some(time(end));
        self.record(
            t,
            "remind",
            "system",
            vec![("purgeAt".into(), end.clone(), end)],
        );
    }

    /// The time to live removes what is over.
    pub(crate) fn sweep(&mut self) {
        let now = self.now;
        if matches!(self.profile, Profile::Deleted(until) if until <= now) {
            self.profile = Profile::Forgotten;
        }
        for token in &mut self.tokens {
            token.exists &= token.purge_at.is_none_or(|end| now < end);
            for s in 0..token.secrets.len() {
                let end = token.end_of(s).map(|end| end + KEPT);
                let secret = &mut token.secrets[s];
                let kept = secret
                    .buried
                    .as_ref()
                    .map_or(end, |(_, until)| Some(*until));
                secret.forgotten |= kept.is_some_and(|kept| kept <= now);
                if secret.seen.is_some_and(|seen| seen + KEPT <= now) {
                    (secret.seen, secret.used) = (None, None);
                    secret.refused.clear();
                    token.hazy = true;
                }
            }
        }
        let records = std::mem::take(&mut self.records).into_iter();
        let (kept, removed) = records.partition(|record| now < record.time + KEPT);
        self.records = kept;
        self.removed = [std::mem::take(&mut self.removed), removed].concat();
    }

    /// The removal of a token by the time to live was told. It ended at its purge time, whenever the removal is told.
    pub(crate) fn purged(&mut self, t: usize) {
        let token = &mut self.tokens[t];
        if std::mem::replace(&mut token.purge_recorded, true) {
            return;
        }
        let end = token.purge_at.unwrap();
        self.records.push(Record {
            time: end,
            action: "purge".into(),
            source: "system".into(),
            token: t,
            name: self.tokens[t].name.clone(),
            changes: vec![("purgeAt".into(), Some(time(end)), None)],
        });
    }

    /// A new record was told, for the first time. People get a mail about everything, but not about every day of the same
    /// refusal. `days` counts these days.
    pub(crate) fn told(&mut self, days: Option<&str>) {
        let is_mailed = days.is_none_or(|days| ["1", "2", "7", "30"].contains(&days));
        if is_mailed && self.profile != Profile::Forgotten {
            self.mails += 1;
        }
    }
}
