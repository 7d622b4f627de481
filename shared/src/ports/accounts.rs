//! Accounts, their members, and what the platform tells of them.

use super::error::Result;
use crate::domain::account::Account;
use crate::domain::event_time::EventTime;
use crate::domain::id::{AccountId, UserId};
use crate::domain::resource::{Resource, ResourceRef};

/// Reads an account's profile.
pub trait GetAccount: Sync {
    /// The account, or `None` if the platform never told of it or has deleted it.
    fn get_account(&self, id: &AccountId) -> impl Future<Output = Result<Option<Account>>> + Send;
}

/// Finds out who hears of an account's events.
pub trait GetRecipients: Sync {
    /// The account as it is or, if it was deleted of late, as it was: the last events of an account
    /// still have to reach its people.
    fn get_recipients(
        &self,
        id: &AccountId,
    ) -> impl Future<Output = Result<Option<Account>>> + Send;
}

/// Finds a person's accounts.
pub trait ListMemberships: Sync {
    /// The accounts of which the person is a member.
    fn list_memberships(
        &self,
        user: &UserId,
    ) -> impl Future<Output = Result<Vec<AccountId>>> + Send;
}

/// Projects the platform's accounts, members and resources. Every state is versioned by its event's
/// time: an older event never overwrites a newer state, and is dropped with a warning in the log. A state
/// from a future that isn't believed counts as older.
pub trait ProjectPlatform: Sync {
    /// Stores an account and the memberships of its members.
    fn put_account(
        &self,
        account: &Account,
        event_time: impl Into<EventTime> + Send,
    ) -> impl Future<Output = Result<()>> + Send;

    /// Marks an account as deleted: from then on no route knows it. Answers whether the event was news.
    fn delete_account(
        &self,
        account: &AccountId,
        event_time: impl Into<EventTime> + Send,
    ) -> impl Future<Output = Result<bool>> + Send;

    /// Stores a resource.
    fn put_resource(
        &self,
        resource: &Resource,
        event_time: impl Into<EventTime> + Send,
    ) -> impl Future<Output = Result<()>> + Send;

    /// Forgets a resource.
    fn delete_resource(
        &self,
        account: &AccountId,
        name: &ResourceRef,
        event_time: impl Into<EventTime> + Send,
    ) -> impl Future<Output = Result<()>> + Send;
}
