//! The life of tokens and secrets, as the design has it: what each request must answer, and what each secret must do now.
//!
//! The model knows neither the tables nor the product's own rules. Tokens and secrets are numbers, in the order in which
//! they were made. Times are whole seconds.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

mod events;
mod secrets;
mod state;

pub(crate) use events::{IDLE, LATE, WARNINGS};
use state::{Field, Secret, State, Token, time};
pub(crate) use state::{Lifetime, Record};

/// How long a repeated request is recognised.
const REPEATABLE: SignedDuration = SignedDuration::from_hours(24);

/// The version that a request wants the token to have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tag {
    Any,
    Current,
    Former,
}

/// An answer: its status, the problem's code, and the token and secret that it must show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Said {
    pub(crate) status: u16,
    pub(crate) code: &'static str,
    pub(crate) token: Option<usize>,
    pub(crate) secret: Option<usize>,
}

type Answer = Result<Said, Said>;

fn done(status: u16, token: impl Into<Option<usize>>, secret: Option<usize>) -> Answer {
    let (code, token) = ("", token.into());
    Ok(Said {
        status,
        code,
        token,
        secret,
    })
}

fn refuse<T>(status: u16, code: &'static str) -> Result<T, Said> {
    let (token, secret) = (None, None);
    Err(Said {
        status,
        code,
        token,
        secret,
    })
}

/// The account's profile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Profile {
    Here,
    /// Deleted, and its people are known until then.
    Deleted(Timestamp),
    /// Deleted, and nobody knows whom to tell.
    Forgotten,
}

/// What a key for repeated requests stands for: the request, its token, and until when.
type Repeat = (String, usize, Timestamp);

#[derive(Debug, Clone)]
pub(crate) struct Model {
    pub(crate) now: Timestamp,
    profile: Profile,
    /// The time of the newest event of the platform.
    event: Timestamp,
    pub(crate) tokens: Vec<Token>,
    repeats: BTreeMap<String, Repeat>,
    pub(crate) records: Vec<Record>,
    /// The records that the time to live removed.
    pub(crate) removed: Vec<Record>,
    /// The mails that each person must have got by now.
    pub(crate) mails: usize,
    /// Whether every read is up to date.
    pub(crate) settled: bool,
}

impl Model {
    pub(crate) fn new(now: Timestamp) -> Self {
        Self {
            now,
            profile: Profile::Here,
            event: now,
            tokens: vec![],
            repeats: BTreeMap::new(),
            records: vec![],
            removed: vec![],
            mails: 0,
            settled: true,
        }
    }

    pub(crate) fn create(&mut self, lifetime: Lifetime, key: Option<u8>, hint: &str) -> Answer {
        self.administered()?;
        let (key, body) = (key.map(|key| format!("create {key}")), lifetime.name());
        if let Some(token) = self.repeated(key.as_ref(), &body)? {
            return done(200, token, None);
        }
        let (token, now) = (self.tokens.len(), self.now);
        self.tokens.push(Token {
            name: "New".into(),
            lifetime,
            purge_at: lifetime.end(now),
            version: 1,
            created: now,
            updated: now,
            revoked: None,
            compromised: None,
            secrets: vec![Secret::new(hint)],
            previous: None,
            exists: true,
            purge_recorded: false,
            warned: None,
            uses: vec![],
            hazy: false,
        });
        self.repeatable(key, body, token);
        let changes = self.tokens[token].differences(None, now);
        self.record(token, "create", "api", changes);
        done(201, token, Some(0))
    }

    pub(crate) fn get(&self, token: usize) -> Answer {
        self.found(token, Tag::Any)?;
        done(200, token, None)
    }

    pub(crate) fn edit(
        &mut self,
        t: usize,
        name: Option<&str>,
        life: Option<Lifetime>,
        tag: Tag,
    ) -> Answer {
        self.found(t, tag)?;
        let (now, before) = (self.now, self.tokens[t].clone());
        let purge_at = life.map_or(before.purge_at, |life| life.end(now));
        let same_name = name.is_none_or(|name| name == before.name);
        if same_name
            && life.unwrap_or(before.lifetime) == before.lifetime
            && purge_at == before.purge_at
        {
            return done(200, t, None);
        }
        self.change(t, "update", "api", |token| {
            token.name = name.unwrap_or(&before.name).into();
            token.lifetime = life.unwrap_or(before.lifetime);
            token.purge_at = purge_at;
            // A replaced secret never outlives its token.
            if let (Some((_, until)), Some(end)) = (&mut token.previous, purge_at) {
                *until = end.min(*until);
            }
        });
        done(200, t, None)
    }

    pub(crate) fn regenerate(
        &mut self,
        t: usize,
        grace: i64,
        key: Option<u8>,
        tag: Tag,
        hint: &str,
    ) -> Answer {
        self.administered()?;
        let (key, body) = (
            key.map(|key| format!("regenerate {t} {key}")),
            grace.to_string(),
        );
        if let Some(token) = self.repeated(key.as_ref(), &body)? {
            return done(200, token, None);
        }
        self.found(t, tag)?;
        let now = self.now;
        // A leaked secret can be replaced while its token is revoked, but works no longer for that.
        if self.tokens[t].revoked.is_some() && grace > 0 {
            return refuse(422, "validation_failed");
        }
        let old = self.tokens[t].current();
        let hints = [&*self.tokens[t].secrets[old].hint, hint].map(|hint| Some(hint.to_owned()));
        let [from, to] = hints;
        let hint_change = ("hint".to_owned(), from, to);
        self.change_with(t, "regenerate", "api", vec![hint_change], vec![], |token| {
            let end = now + SignedDuration::from_secs(grace);
            let until = token.purge_at.map_or(end, |purge_at| purge_at.min(end));
            token.end_previous(now);
            if token.revoked.is_none() && until > now {
                token.secrets[old].state = State::Retired;
                token.previous = Some((old, until));
            } else {
                token.bury(old, State::Ended, now);
            }
            token.compromised = None;
            token.secrets.push(Secret::new(hint));
        });
        self.repeatable(key, body, t);
        done(200, t, Some(old + 1))
    }

    pub(crate) fn retire(&mut self, t: usize, tag: Tag) -> Answer {
        self.found(t, tag)?;
        let now = self.now;
        if self.tokens[t]
            .previous
            .is_none_or(|(_, until)| until <= now)
        {
            return refuse(409, "no_previous_secret");
        }
        self.change(t, "retire", "api", |token| token.end_previous(now));
        done(200, t, None)
    }

    pub(crate) fn revoke(&mut self, t: usize, reason: Option<&'static str>, tag: Tag) -> Answer {
        self.found(t, tag)?;
        if self.tokens[t].revoked.is_none() {
            let now = self.now;
            self.change(t, "revoke", "api", |token| token.revoke(now, reason));
        }
        done(200, t, None)
    }

    pub(crate) fn reactivate(&mut self, t: usize, tag: Tag) -> Answer {
        self.found(t, tag)?;
        let token = &self.tokens[t];
        match &token.revoked {
            None => return done(200, t, None),
            Some(revoked) if revoked.with_account => return refuse(409, "account_deleted"),
            Some(_) if token.compromised.is_some() => return refuse(409, "secret_compromised"),
            Some(_) => {}
        }
        // The current secret works again. A replaced one ended with the revocation, for ever.
        self.change(t, "reactivate", "api", |token| token.revoked = None);
        done(200, t, None)
    }

    pub(crate) fn delete(&mut self, t: usize, tag: Tag) -> Answer {
        self.found(t, tag)?;
        if self.tokens[t].revoked.is_none() {
            return refuse(409, "token_active");
        }
        self.record(t, "delete", "api", vec![]);
        let now = self.now;
        let token = &mut self.tokens[t];
        token.end_previous(now);
        token.bury(token.current(), State::Ended, now);
        token.exists = false;
        done(204, None, None)
    }

    pub(crate) fn reveal(&mut self, t: usize, tag: Tag) -> Answer {
        self.found(t, tag)?;
        self.record(t, "view", "api", vec![]);
        done(200, None, Some(self.tokens[t].current()))
    }

    /// The tokens, newest first.
    pub(crate) fn list(&self) -> Result<Vec<usize>, Said> {
        self.administered()?;
        Ok((0..self.tokens.len())
            .rev()
            .filter(|t| self.is_there(*t))
            .collect())
    }

    pub(crate) fn is_there(&self, t: usize) -> bool {
        let token = &self.tokens[t];
        token.exists && token.purge_at.is_none_or(|end| self.now < end)
    }

    /// The token's JSON, without what identifies it and without its last use.
    pub(crate) fn shown(&self, t: usize) -> Value {
        let token = &self.tokens[t];
        let previous = token.previous.filter(|(_, until)| self.now < *until);
        let previous = previous
            .map(|(s, until)| json!({"hint": token.secrets[s].hint, "validUntil": time(until)}));
        json!({
            "name": token.name,
            "kind": "account",
            "autoPurge": token.lifetime.name(),
            "purgeAt": token.purge_at.map(time),
            "scope": {"type": "full"},
            "status": token.status(),
            "hint": token.secrets[token.current()].hint,
            "version": token.version,
            "createdAt": time(token.created),
            "updatedAt": time(token.updated),
            "revokedAt": token.revoked.as_ref().map(|revoked| time(revoked.at)),
            "revocationReason": token.revoked.as_ref().and_then(|revoked| revoked.reason),
            "compromisedAt": token.compromised.map(time),
            "previousSecret": previous,
        })
    }

    fn administered(&self) -> Result<(), Said> {
        match self.profile {
            Profile::Here => Ok(()),
            _ => refuse(404, "account_not_found"),
        }
    }

    fn found(&self, t: usize, tag: Tag) -> Result<(), Said> {
        self.administered()?;
        match tag {
            _ if !self.is_there(t) => refuse(404, "token_not_found"),
            Tag::Former => refuse(412, "version_mismatch"),
            _ => Ok(()),
        }
    }

    fn repeated(&self, key: Option<&String>, body: &str) -> Result<Option<usize>, Said> {
        let repeat = key.and_then(|key| self.repeats.get(key));
        let repeat = repeat.filter(|(.., until)| self.now < *until);
        match repeat {
            None => Ok(None),
            Some((first, ..)) if first != body => refuse(422, "idempotency_key_reused"),
            Some((_, token, _)) if !self.is_there(*token) => refuse(404, "token_not_found"),
            Some((_, token, _)) => Ok(Some(*token)),
        }
    }

    fn repeatable(&mut self, key: Option<String>, body: String, token: usize) {
        let repeat = (body, token, self.now + REPEATABLE);
        self.repeats.extend(key.map(|key| (key, repeat)));
    }

    /// Changes a token, with the record of every field that differs.
    fn change(&mut self, t: usize, action: &str, source: &str, change: impl FnOnce(&mut Token)) {
        self.change_with(t, action, source, vec![], vec![], change);
    }

    fn change_with(
        &mut self,
        t: usize,
        action: &str,
        source: &str,
        first: Vec<Field>,
        last: Vec<Field>,
        change: impl FnOnce(&mut Token),
    ) {
        let now = self.now;
        let token = &mut self.tokens[t];
        let before = token.clone();
        if token.previous.is_some_and(|(_, until)| until <= now) {
            token.end_previous(now);
        }
        change(token);
        token.version += 1;
        token.updated = now;
        let changes = token.differences(Some(&before), now);
        let changes = [first, changes, last].concat();
        self.record(t, action, source, changes);
    }

    fn record(&mut self, t: usize, action: &str, source: &str, changes: Vec<Field>) {
        let name = self.tokens[t].name.clone();
        self.record_as(t, action, source, name, changes);
    }

    fn record_as(
        &mut self,
        t: usize,
        action: &str,
        source: &str,
        name: String,
        changes: Vec<Field>,
    ) {
        self.records.push(Record {
            time: self.now,
            action: action.into(),
            source: source.into(),
            token: t,
            name,
            changes,
        });
    }
}
