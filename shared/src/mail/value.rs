//! Values in the form in which mails show them.
//!
//! Anyone who names a token, an account or themselves, or who calls the API, can put text into mails that others
//! trust. So a value stays on its line, doesn't change the direction of the text around it, ends no quotation and
//! becomes no link. Mail programs turn anything that looks like an address into a link, in subjects and HTML too, and
//! a security mail is a good place for phishing. What would become a link is written with brackets, as in
//! `https[:]//example[.]com`. The brackets are visible, so nobody takes them for the original, and they work in every
//! mail program. The audit log, to which every mail links, has the value itself.

use std::fmt;

use crate::domain::account::Member;
use crate::domain::actor::{Actor, ActorType};
use crate::domain::text::{isolate, line, redact};

/// A value on one line. Its `Display` is for HTML, in a `<bdi>`; [`DisplayText::text`] is for plain text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct DisplayText(String);

impl DisplayText {
    /// A whole value.
    pub(super) fn of(value: &str) -> Self {
        // The value may be put in quotation marks, in text and HTML, and must not end them.
        let line = line(value).replace(['“', '”', '„', '‟'], "\"");
        Self(unlinked(&line))
    }

    /// At most `most` characters of a value.
    pub(super) fn cut(value: &str, most: usize) -> Self {
        // Redacted before the cut, since neither half of a secret may look like one.
        let value = redact(value);
        if value.chars().nth(most).is_none() {
            return Self::of(&value);
        }
        let start: String = value.chars().take(most).collect();
        Self(Self::of(&start).0 + "…")
    }

    /// A text of our own.
    pub(super) fn known(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// A person's mail address. It may become a link, if it is nothing but an address.
    fn address(address: &str) -> Self {
        let is_plain = address.chars().filter(|c| *c == '@').count() == 1
            && address
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || "@._+-".contains(c));
        if is_plain {
            Self(address.to_owned())
        } else {
            Self::of(address)
        }
    }

    /// The value for plain text.
    pub(super) fn text(&self) -> String {
        isolate(&self.0)
    }

    /// The value for plain text, in quotation marks that it can't end.
    pub(super) fn quoted(&self) -> String {
        format!("“{}”", self.text())
    }

    /// The value for plain text, in brackets that it can't end.
    pub(super) fn bracketed(&self) -> String {
        let inner = self.0.replace('[', "(").replace(']', ")");
        format!("[{}]", isolate(&inner))
    }
}

impl fmt::Display for DisplayText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// An actor and its type, since a name alone doesn't show the type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ActorLabel {
    /// The type.
    pub(super) what: &'static str,
    /// The name, and what tells the actor apart from others with that name.
    pub(super) called: Option<(DisplayText, DisplayText)>,
}

impl ActorLabel {
    /// A member whom a mail is about.
    pub(super) fn member(member: &Member) -> Self {
        Self::of(&Actor::member(member))
    }

    /// An actor.
    pub(super) fn of(actor: &Actor) -> Self {
        let (name, id) = (DisplayText::of(&actor.name), DisplayText::of(&actor.id));
        let (what, called) = match actor.kind {
            ActorType::Member => {
                let address = actor.email.as_deref().map(DisplayText::address);
                ("the member", Some((name, address.unwrap_or(id))))
            }
            ActorType::Token => ("whoever holds the token", Some((name, id))),
            ActorType::Scanner => ("the secret scanner", Some((name, id))),
            ActorType::System => ("the system", None),
        };
        Self { what, called }
    }
}

/// The text, written so that no mail program makes a link of it.
fn unlinked(text: &str) -> String {
    let characters: Vec<_> = text.chars().collect();
    let mut unlinked = String::with_capacity(text.len());
    for (index, c) in characters.iter().enumerate() {
        let (before, rest) = characters.split_at(index);
        let after = rest.get(1..).unwrap_or_default();
        let links = match c {
            ':' => after.starts_with(&['/', '/']),
            '@' => {
                before.last().is_some_and(|c| !c.is_whitespace())
                    && after.first().is_some_and(|c| !c.is_whitespace())
            }
            '.' | '\u{3002}' | '\u{ff0e}' | '\u{ff61}' => is_in_domain(before, after),
            _ => false,
        };
        if links {
            unlinked.extend(['[', *c, ']']);
        } else {
            unlinked.push(*c);
        }
    }
    unlinked
}

/// Whether a dot between `before` and `after` looks like one of a domain: after `www`, or before something that could
/// be a label. Numbers stay as they are: versions, times, addresses.
fn is_in_domain(before: &[char], after: &[char]) -> bool {
    let is_www = before.len() >= 3
        && before
            .iter()
            .rev()
            .zip(['w'; 3])
            .all(|(c, w)| c.eq_ignore_ascii_case(&w));
    let label = after
        .iter()
        .take_while(|c| c.is_alphanumeric() || **c == '-');
    let is_label = after.first().is_some_and(|c| c.is_alphabetic()) && label.count() >= 2;
    // Not only letters and digits: programs also accept pictographs and underscores, for example, in domains.
    let follows = before.last().is_some_and(|c| {
        !c.is_whitespace() && (!c.is_ascii_punctuation() || matches!(c, '-' | '_'))
    });
    follows && (is_www && !after.is_empty() || is_label)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mail::phrase::Phrase;

    #[test]
    fn no_value_becomes_a_link() {
        for (value, shown) in [
            ("https://evil.example/x", "https[:]//evil[.]example/x"),
            ("WWW.1.de", "WWW[.]1[.]de"),
            ("evil.com", "evil[.]com"),
            ("a@evil.com", "a[@]evil[.]com"),
            ("пример.рф", "пример[.]рф"),
            ("例え。テスト", "例え[。]テスト"),
            ("evil．com", "evil[．]com"),
            ("x.xn--p1ai", "x[.]xn--p1ai"),
            ("http://192.0.2.1/", "http[:]//192.0.2.1/"),
            ("i❤.ws", "i❤[.]ws"),
            ("evil_.com", "evil_[.]com"),
        ] {
            assert_eq!(DisplayText::of(value).to_string(), shown);
        }
        for value in [
            "v1.2 sync",
            "10.0.0.0/8, 2001:db8::/32",
            "2026-11-23T10:00:00.000Z",
            "Done. And then",
            "@here",
            "curl/8.5.0",
            "and so on ...then",
            "(.net)",
            "a: b",
        ] {
            assert_eq!(DisplayText::of(value).to_string(), value);
        }
    }

    #[test]
    fn a_value_ends_no_quotation_and_turns_nothing_around() {
        assert_eq!(
            DisplayText::of("T” was deleted “").quoted(),
            "“T\" was deleted \"”"
        );
        assert_eq!(DisplayText::of("T” by “x").to_string(), "T\" by \"x");
        assert_eq!(
            DisplayText::of("Acme] API token “X” was deleted [").bracketed(),
            "[Acme) API token \"X\" was deleted (]"
        );
        assert_eq!(
            DisplayText::of("אבג\u{202e}\n").quoted(),
            "“\u{2068}אבג[U+202E] ⏎ \u{2069}”"
        );
        assert_eq!(DisplayText::cut("ééé", 2).to_string(), "éé…");
        assert_eq!(DisplayText::cut("ééé", 3).to_string(), "ééé");
        let secret = crate::testing::plain(&crate::testing::plain_secret());
        assert_eq!(
            DisplayText::cut(&format!("x {secret}"), 30).to_string(),
            "x lka_[redacted]"
        );
    }

    #[test]
    fn a_token_is_not_taken_for_the_person_it_is_called_like() {
        let member = crate::testing::owner_actor();
        let token = Actor::token(&crate::testing::token().id, &member.name);
        let told = |actor| Phrase::default().actor(ActorLabel::of(&actor)).text();
        assert_eq!(
            told(member),
            "the member “Olive Owner” (owner@acme.example)"
        );
        assert_eq!(
            told(token),
            "whoever holds the token “Olive Owner” (tok_01ARZ3NDEKTSV4RRFFQ69G5FAV)"
        );
        assert_eq!(
            told(Actor::github()),
            "the secret scanner “GitHub secret scanning” (github)"
        );
        assert_eq!(told(Actor::system()), "the system");
    }
}
