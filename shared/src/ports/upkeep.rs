//! What time does to tokens.

use jiff::Timestamp;

use super::error::Result;
use crate::domain::audit::AuditRecord;
use crate::domain::change::TokenChange;
use crate::domain::id::{AccountId, TokenId};
use crate::domain::paging::Page;
use crate::domain::token::{StoredToken, Token};
use crate::domain::upkeep::{ExpiringToken, SentReminder, ShardPosition};

/// Finds the tokens, of all accounts, that will end soon.
pub trait ListExpiring: Sync {
    /// A page of the active tokens that end after `now` and not after `until`. They may be shown as
    /// they were a moment ago.
    fn list_expiring(
        &self,
        now: Timestamp,
        until: Timestamp,
        position: Option<ShardPosition>,
    ) -> impl Future<Output = Result<Page<ExpiringToken, ShardPosition>>> + Send;

    /// The token as it is, with the last warning that was given; `None` if there is none or it is
    /// purged at `now`.
    fn get_expiring(
        &self,
        account: &AccountId,
        id: &TokenId,
        now: Timestamp,
    ) -> impl Future<Output = Result<Option<(Token, Option<SentReminder>)>>> + Send;
}

/// A warning of a token's end.
#[derive(Debug)]
pub struct Reminder {
    /// The warning.
    pub reminded: SentReminder,
    /// Its record, which names the token.
    pub audit: AuditRecord,
}

/// Records warnings.
pub trait RecordReminder: Sync {
    /// Writes that the warning was given, and its record, or nothing. [`PortError::Conflict`](super::PortError::Conflict) if the
    /// token isn't active any more, ends at another time, or had this or a later warning already.
    fn record_reminder(&self, reminder: &Reminder) -> impl Future<Output = Result<()>> + Send;
}

/// Ends tokens that nobody uses.
pub trait RevokeIdle: Sync {
    /// A page of the active tokens, of all accounts, to which nothing has happened after `since`. They
    /// may be shown as they were a moment ago.
    fn list_idle(
        &self,
        since: Timestamp,
        position: Option<ShardPosition>,
    ) -> impl Future<Output = Result<Page<(AccountId, TokenId), ShardPosition>>> + Send;

    /// Writes a change as [`ChangeToken`](super::ChangeToken) does, provided that none of its secrets was used after `since`.
    fn change_idle(
        &self,
        change: &TokenChange,
        since: Timestamp,
    ) -> impl Future<Output = Result<()>> + Send;

    /// Notes on a token that it was used lately, so that it isn't among the idle ones until that is long
    /// ago. Nothing is noted if the token has changed meanwhile.
    fn record_activity(&self, used: &StoredToken) -> impl Future<Output = Result<()>> + Send;
}
