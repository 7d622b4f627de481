//! Accounts and their members, and the projection of the platform's events.

use super::error::Result;
use crate::domain::account::Account;
use crate::domain::event_time::EventTime;
use crate::domain::id::{AccountId, IntegrationId, UserId};
use crate::domain::integration::Integration;
use crate::domain::resource::{Resource, ResourceRef};

/// Reads account profiles.
pub trait GetAccount: Sync {
    /// The account, or `None` if no event announced it or it was deleted.
    fn get_account(&self, id: &AccountId) -> impl Future<Output = Result<Option<Account>>> + Send;
}

/// Finds the recipients of mails about an account's events.
pub trait GetRecipients: Sync {
    /// The account; if it was deleted lately, as it was before. The mails about an account's last events still have to
    /// reach its members.
    fn get_recipients(
        &self,
        id: &AccountId,
    ) -> impl Future<Output = Result<Option<Account>>> + Send;
}

/// Finds a person's accounts.
pub trait ListMemberships: Sync {
    /// The ids of the accounts of which the person is a member.
    fn list_memberships(
        &self,
        user: &UserId,
    ) -> impl Future<Output = Result<Vec<AccountId>>> + Send;
}

/// Projects the platform's accounts, members, resources and Integration Apps.
///
/// The time of an event is the version of the state that it carries. An older event must not overwrite a newer state;
/// it is dropped with a warning in the log. A stored state whose time is after [`EventTime::latest`] counts as older
/// than any event.
pub trait ProjectPlatform: Sync {
    /// Stores an account and the memberships of its members.
    fn put_account(
        &self,
        account: &Account,
        event_time: impl Into<EventTime> + Send,
    ) -> impl Future<Output = Result<()>> + Send;

    /// Marks an account as deleted, so that no route finds it any more. Returns whether the event was newer than the
    /// stored state.
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

    /// Deletes a resource.
    fn delete_resource(
        &self,
        account: &AccountId,
        name: &ResourceRef,
        event_time: impl Into<EventTime> + Send,
    ) -> impl Future<Output = Result<()>> + Send;

    /// Stores an Integration App.
    fn put_integration(
        &self,
        integration: &Integration,
        event_time: impl Into<EventTime> + Send,
    ) -> impl Future<Output = Result<()>> + Send;

    /// Deletes an Integration App. Its resources have events of their own.
    fn delete_integration(
        &self,
        account: &AccountId,
        id: &IntegrationId,
        event_time: impl Into<EventTime> + Send,
    ) -> impl Future<Output = Result<()>> + Send;

    /// Deletes all Integration Apps of a deleted account.
    fn delete_integrations(
        &self,
        account: &AccountId,
        event_time: impl Into<EventTime> + Send,
    ) -> impl Future<Output = Result<()>> + Send;
}
