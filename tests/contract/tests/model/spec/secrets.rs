//! What happens to secrets: they are used, given up, and found in public.

use super::Model;
use super::state::State;

impl Model {
    /// Somebody else knows a secret: it never works again. If it is the current one, its token is revoked.
    pub(crate) fn compromise(&mut self, t: usize, s: usize, leaked: bool) {
        let (action, source, reason) = match leaked {
            true => ("leak", "leakReport", "leaked"),
            false => ("revoke", "api", "revoked by its holder"),
        };
        let now = self.now;
        let secret = &self.tokens[t].secrets[s];
        if secret.forgotten || secret.state == State::Compromised {
            return;
        }
        let (there, token) = (self.is_there(t), &self.tokens[t]);
        let live = token.previous.filter(|(_, until)| there && now < *until);
        let which = match () {
            () if there && s == token.current() => "current",
            () if live.is_some_and(|(previous, _)| previous == s) => "previous",
            () => "ended",
        };
        let place =
            leaked.then_some([("leakUrl", "https://github.com/a"), ("leakPlace", "commit")]);
        let place = place
            .into_iter()
            .flatten()
            .chain([("compromisedSecret", which)]);
        let told = place.map(|(field, new)| (field.to_owned(), None, Some(new.to_owned())));
        let told: Vec<_> = told.collect();
        if which == "ended" {
            let token = &mut self.tokens[t];
            if there && token.previous.is_some_and(|(previous, _)| previous == s) {
                token.previous = None;
            }
            let name = token.name_at(s);
            token.bury(s, State::Compromised, now);
            self.record_as(t, action, source, name, told);
            return;
        }
        self.change_with(t, action, source, vec![], told, |token| {
            if which == "previous" {
                token.previous = None;
                token.bury(s, State::Compromised, now);
                return;
            }
            token.secrets[s].state = State::Compromised;
            token.compromised = Some(now);
            if token.revoked.is_none() {
                token.revoke(now, Some(reason));
            } else {
                token.end_previous(now);
            }
        });
    }

    /// Whether a secret works, and else why not. The first use of a day is recorded, and the first refusal of a day for
    /// each reason. `asker` is the token of the API that asks, if the bearer doesn't ask itself.
    pub(crate) fn verify(
        &mut self,
        t: usize,
        s: usize,
        asker: Option<usize>,
    ) -> Result<(), &'static str> {
        let verdict = self.verdict(t, s);
        let (now, day) = (self.now, self.now.as_second().div_euclid(86_400));
        let (token, told) = (&mut self.tokens[t], |field: &str, value: String| {
            (field.to_owned(), None, Some(value))
        });
        let name = token.name_at(s);
        let secret = &mut token.secrets[s];
        let (action, mut changes) = match verdict {
            Err("unknown") => return verdict,
            Ok(()) if secret.used == Some(day) => return verdict,
            Ok(()) => {
                secret.used = Some(day);
                token.uses.push(now);
                token.hazy = false;
                ("access", vec![])
            }
            Err(reason) => {
                let (last, days) = secret.refused.entry(reason).or_default();
                if *last == day {
                    return verdict;
                }
                (*last, *days) = (day, *days + 1);
                let days = told("daysRefused", days.to_string());
                ("refused", vec![told("reason", reason.into()), days])
            }
        };
        secret.seen = Some(now);
        changes.extend(asker.map(|asker| told("introspectedBy", format!("#{asker}"))));
        self.record_as(t, action, "api", name, changes);
        verdict
    }

    /// Whether a secret works, and else why not.
    pub(crate) fn verdict(&self, t: usize, s: usize) -> Result<(), &'static str> {
        let (token, secret) = (&self.tokens[t], &self.tokens[t].secrets[s]);
        match secret.state {
            _ if secret.forgotten => Err("unknown"),
            State::Compromised => Err("compromised"),
            State::Ended => Err("ended"),
            _ if token.end_of(s).is_some_and(|end| end <= self.now) => Err("expired"),
            _ if token.revoked.is_some() => Err("revoked"),
            _ => Ok(()),
        }
    }
}
