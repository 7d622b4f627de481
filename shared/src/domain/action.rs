//! What happens to tokens.

use super::string_enum::string_enum;

string_enum! {
    /// The action that was recorded.
    pub enum Action {
        /// The token was created.
        Create = "create",
        /// It was edited.
        Update = "update",
        /// Its secret was shown in plain text.
        View = "view",
        /// It was revoked.
        Revoke = "revoke",
        /// Its revocation was undone.
        Reactivate = "reactivate",
        /// Its secret was replaced.
        Regenerate = "regenerate",
        /// It was deleted.
        Delete = "delete",
        /// It was used for the first time, or for the first time on that day from an address.
        Access = "access",
        /// Its purge time was reached.
        Purge = "purge",
        /// Its purge time is near.
        Remind = "remind",
        /// A secret of it was reported as leaked.
        Leak = "leak",
        /// Its replaced secret was ended before its grace period was over.
        Retire = "retire",
        /// One of its secrets was refused. Recorded once per secret, reason and day.
        Refused = "refused",
        /// A record of its audit log was changed, or removed before its time.
        Tamper = "tamper",
    }
}
