//! Time-based work on tokens.

use jiff::Timestamp;

use super::error::Result;
use crate::domain::audit::AuditRecord;
use crate::domain::change::TokenChange;
use crate::domain::id::{AccountId, TokenId};
use crate::domain::paging::Page;
use crate::domain::token::{StoredToken, Token};
use crate::domain::upkeep::{ExpiringToken, SentReminder, ShardPosition};

/// Finds tokens of all accounts that will end soon.
pub trait ListExpiring: Sync {
    /// A page of the active tokens that end after `now` and at `until` at the latest. The list may be slightly out of
    /// date.
    fn list_expiring(
        &self,
        now: Timestamp,
        until: Timestamp,
        position: Option<ShardPosition>,
    ) -> impl Future<Output = Result<Page<ExpiringToken, ShardPosition>>> + Send;

    /// The token with the last warning about it; `None` if there is none or it is purged at `now`. The read is up to
    /// date.
    fn get_expiring(
        &self,
        account: &AccountId,
        id: &TokenId,
        now: Timestamp,
    ) -> impl Future<Output = Result<Option<(Token, Option<SentReminder>)>>> + Send;
}

/// A warning about a token's end.
#[derive(Debug)]
pub struct Reminder {
    /// The warning.
    pub reminded: SentReminder,
    /// The audit record, which names the token.
    pub audit: AuditRecord,
}

/// Records warnings.
pub trait RecordReminder: Sync {
    /// Writes the warning and its audit record, or nothing. Errs with
    /// [`PortError::Conflict`](super::PortError::Conflict) if the token isn't active any more, ends at another time, or
    /// has had this or a later warning.
    fn record_reminder(&self, reminder: &Reminder) -> impl Future<Output = Result<()>> + Send;
}

/// Ends unused tokens.
pub trait RevokeIdle: Sync {
    /// A page of the active tokens of all accounts without any activity after `since`. The list may be slightly out of
    /// date.
    fn list_idle(
        &self,
        since: Timestamp,
        position: Option<ShardPosition>,
    ) -> impl Future<Output = Result<Page<(AccountId, TokenId), ShardPosition>>> + Send;

    /// Writes a change like [`ChangeToken`](super::ChangeToken). Errs with
    /// [`PortError::Conflict`](super::PortError::Conflict) also if one of the token's secrets was used after `since`.
    fn change_idle(
        &self,
        change: &TokenChange,
        since: Timestamp,
    ) -> impl Future<Output = Result<()>> + Send;

    /// Copies a token's last use to the index of idle tokens, so that the token isn't listed as idle. Does nothing if
    /// the token has changed since it was read.
    fn record_activity(&self, used: &StoredToken) -> impl Future<Output = Result<()>> + Send;
}
