//! The interfaces to the outside world, one trait per capability. An operation's signature thus shows what it may do,
//! as its IAM policy does.

mod accounts;
mod audit;
mod budgets;
mod clock;
mod error;
mod leaks;
mod mail;
mod resources;
mod secrets;
mod tokens;
mod trail;
mod upkeep;

pub use accounts::{GetAccount, GetRecipients, ListMemberships, ProjectPlatform};
pub use audit::{ListAudit, RecordAudit};
pub use budgets::{RefundBudget, SpendBudget};
pub use clock::Clock;
pub use error::{Cause, PortError};
pub use leaks::{CacheKeys, CachedKeys, Compromise, CompromiseSecret};
pub use mail::{
    AddToDigest, Claim, ClaimMail, GetPreferences, GetSuppression, ListDigests, ListPreferences,
    Mail, MailedRecord, PutPreferences, SendMail, SendOutcome, SuppressAddress,
};
pub use resources::{GetResources, ListIntegrations, ListResources};
pub use secrets::{DecryptSecret, EncryptSecret, GetSecret, Recall, RecallSecret, RecordUse, Use};
pub use tokens::{
    ChangeToken, DeleteToken, GetIdempotency, GetToken, InsertToken, ListTokens, RecordView,
};
pub use trail::{NoteFinding, ReadTrail};
pub use upkeep::{ListExpiring, RecordReminder, Reminder, RevokeIdle};
