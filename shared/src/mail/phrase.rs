//! Sentences of our own words and of other people's values. Templates write the values isolated, in text and HTML.

use std::slice::Iter;

use super::value::{ActorLabel, DisplayText};

/// A part of a phrase.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Piece {
    /// Our own words.
    Own(String),
    /// A value.
    Value(DisplayText),
    /// A value in quotation marks.
    Quoted(DisplayText),
}

/// A sentence, or a part of one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Phrase(Vec<Piece>);

impl Phrase {
    /// A phrase that starts with our own words.
    pub(super) fn new(words: impl Into<String>) -> Self {
        Self::default().own(words)
    }

    /// Adds our own words.
    #[must_use]
    pub(super) fn own(mut self, words: impl Into<String>) -> Self {
        self.0.push(Piece::Own(words.into()));
        self
    }

    /// Adds a value.
    #[must_use]
    pub(super) fn value(mut self, value: DisplayText) -> Self {
        self.0.push(Piece::Value(value));
        self
    }

    /// Adds a value in quotation marks, which it can't end.
    #[must_use]
    pub(super) fn quoted(mut self, value: DisplayText) -> Self {
        self.0.push(Piece::Quoted(value));
        self
    }

    /// Adds an actor.
    #[must_use]
    pub(super) fn actor(self, actor: ActorLabel) -> Self {
        let phrase = self.own(actor.what);
        match actor.called {
            Some((name, id)) => phrase.own(" ").quoted(name).own(" (").value(id).own(")"),
            None => phrase,
        }
    }

    /// Adds another phrase.
    #[must_use]
    pub(super) fn and(mut self, other: Self) -> Self {
        self.0.extend(other.0);
        self
    }

    /// The phrase with a capital letter at its start.
    #[must_use]
    pub(super) fn capitalized(mut self) -> Self {
        if let Some(Piece::Own(first)) = self.0.first_mut() {
            let mut letters = first.chars();
            if let Some(letter) = letters.next() {
                *first = letter.to_uppercase().chain(letters).collect();
            }
        }
        self
    }

    /// The parts, for HTML.
    pub(super) fn pieces(&self) -> Iter<'_, Piece> {
        self.0.iter()
    }

    /// The phrase for plain text.
    pub(super) fn text(&self) -> String {
        let pieces = self.0.iter().map(|piece| match piece {
            Piece::Own(words) => words.clone(),
            Piece::Value(value) => value.text(),
            Piece::Quoted(value) => value.quoted(),
        });
        pieces.collect()
    }
}
