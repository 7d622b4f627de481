//! What a client knows about its token from the answers that it got.

/// A token's status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Status {
    Active,
    Revoked,
    Deleted,
}

impl Status {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Revoked => "revoked",
            Self::Deleted => "deleted",
        }
    }
}

/// A secret's state, as the table names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    Current,
    Retired,
    Ended,
    Compromised,
}

impl State {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Current => "current",
            Self::Retired => "retired",
            Self::Ended => "ended",
            Self::Compromised => "compromised",
        }
    }
}

/// A secret that a client was given.
#[derive(Debug, Clone)]
pub(crate) struct Secret {
    pub(crate) text: String,
    pub(crate) state: State,
}

/// An answered verification.
#[derive(Debug, Clone)]
pub(crate) struct Presented {
    pub(crate) secret: String,
    /// Whether it had to work, by all that was answered before it was sent.
    pub(crate) must_work: bool,
    pub(crate) worked: bool,
}

/// A token as its only client knows it.
#[derive(Debug, Clone)]
pub(crate) struct Known {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) description: String,
    pub(crate) status: Status,
    pub(crate) version: u64,
    /// The actions of the changes, in order. Each has a record.
    pub(crate) changes: Vec<&'static str>,
    /// How often the secret was shown at least, and at most: a viewing without an answer may be on record.
    pub(crate) views: (usize, usize),
    /// Oldest first.
    pub(crate) secrets: Vec<Secret>,
    pub(crate) presented: Vec<Presented>,
}

impl Known {
    /// A token that was created.
    pub(crate) fn created(id: &str, name: &str) -> Self {
        Self {
            id: id.into(),
            name: name.into(),
            description: String::new(),
            status: Status::Active,
            version: 1,
            changes: vec!["create"],
            views: (0, 0),
            secrets: vec![],
            presented: vec![],
        }
    }

    /// Whether a secret must work now.
    pub(crate) fn works(&self, secret: &Secret) -> bool {
        self.status == Status::Active && matches!(secret.state, State::Current | State::Retired)
    }

    pub(crate) fn has(&self, state: State) -> bool {
        self.secrets.iter().any(|secret| secret.state == state)
    }

    /// The token after a change.
    pub(crate) fn changed(&self, action: &'static str) -> Self {
        let mut after = self.clone();
        after.version += 1;
        after.changes.push(action);
        after
    }

    /// Moves all secrets from a state to another one.
    pub(crate) fn turn(mut self, from: State, to: State) -> Self {
        for secret in &mut self.secrets {
            if secret.state == from {
                secret.state = to;
            }
        }
        self
    }

    pub(crate) fn with_status(mut self, status: Status) -> Self {
        self.status = status;
        self
    }
}
