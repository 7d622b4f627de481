//! The actions that the audit log records.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The recorded action.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Action {
    /// The token was created.
    Create,
    /// The token was edited.
    Update,
    /// The token's secret was shown in plain text.
    View,
    /// The token was revoked.
    Revoke,
    /// The token's revocation was undone.
    Reactivate,
    /// The token's secret was replaced.
    Regenerate,
    /// The token was deleted.
    Delete,
    /// The token was used for the first time, or for the first time that day from an address.
    Access,
    /// The token's purge time was reached.
    Purge,
    /// The token's purge time is near.
    Remind,
    /// A secret of the token was reported as leaked.
    Leak,
    /// The token's replaced secret was ended before its grace period was over.
    Retire,
    /// A secret of the token was refused. Recorded once per secret, reason and day.
    Refused,
    /// A record of the token's audit log was changed, or removed before its time.
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

    /// The action with that name, or `None` if there is none.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|action| action.as_str() == name)
    }
}
