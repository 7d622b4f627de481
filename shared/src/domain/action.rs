//! The actions that the audit log records.

use super::string_enum::string_enum;

string_enum! {
    /// The recorded action.
    pub enum Action {
        /// The token was created.
        Create = "create",
        /// The token was edited.
        Update = "update",
        /// The token's secret was shown in plain text.
        View = "view",
        /// The token was revoked.
        Revoke = "revoke",
        /// The token's revocation was undone.
        Reactivate = "reactivate",
        /// The token's secret was replaced.
        Regenerate = "regenerate",
        /// The token was deleted.
        Delete = "delete",
        /// The token was used for the first time, or for the first time that day from an address.
        Access = "access",
        /// The token's purge time was reached.
        Purge = "purge",
        /// The token's purge time is near.
        Remind = "remind",
        /// A secret of the token was reported as leaked.
        Leak = "leak",
        /// The token's replaced secret was ended before its grace period was over.
        Retire = "retire",
        /// A secret of the token was refused. Recorded once per secret, reason and day.
        Refused = "refused",
        /// A record of the token's audit log was changed, or removed before its time.
        Tamper = "tamper",
    }
}
