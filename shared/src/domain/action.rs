//! What happens to tokens.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The action that was recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Action {
    /// The token was created.
    Create,
    /// It was edited.
    Update,
    /// Its secret was shown in plain text.
    View,
    /// It was revoked.
    Revoke,
    /// Its revocation was undone.
    Reactivate,
    /// Its secret was replaced.
    Regenerate,
    /// It was deleted.
    Delete,
    /// It was used for the first time, or for the first time on that day from an address.
    Access,
    /// Its purge time was reached.
    Purge,
    /// Its purge time is near.
    Remind,
    /// A secret of it was reported as leaked.
    Leak,
    /// Its replaced secret was ended before its grace period was over.
    Retire,
    /// One of its secrets was refused. Recorded once per secret, reason and day.
    Refused,
    /// A record of its audit log was changed, or removed before its time.
    Tamper,
}

impl Action {
    /// Every action.
    pub const ALL: [Self; 14] = [
        Self::Create,
        Self::Update,
        Self::View,
        Self::Revoke,
        Self::Reactivate,
        Self::Regenerate,
        Self::Delete,
        Self::Access,
        Self::Purge,
        Self::Remind,
        Self::Leak,
        Self::Retire,
        Self::Refused,
        Self::Tamper,
    ];

    /// The name used in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Update => "update",
            Self::View => "view",
            Self::Revoke => "revoke",
            Self::Reactivate => "reactivate",
            Self::Regenerate => "regenerate",
            Self::Delete => "delete",
            Self::Access => "access",
            Self::Purge => "purge",
            Self::Remind => "remind",
            Self::Leak => "leak",
            Self::Retire => "retire",
            Self::Refused => "refused",
            Self::Tamper => "tamper",
        }
    }

    /// The action of that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|action| action.as_str() == name)
    }
}
