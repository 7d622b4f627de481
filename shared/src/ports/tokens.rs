//! Tokens.

use jiff::Timestamp;

use super::error::Result;
use crate::domain::audit::AuditRecord;
use crate::domain::change::{IdempotencyRecord, NewToken, TokenChange};
use crate::domain::id::{AccountId, TokenId};
use crate::domain::paging::{Page, TokenQuery};
use crate::domain::token::{StoredToken, Token};

/// Reads one token.
pub trait GetToken: Sync {
    /// The token with its last use; `None` if there is none or it is purged at `now`.
    fn get_token(
        &self,
        account: &AccountId,
        id: &TokenId,
        now: Timestamp,
    ) -> impl Future<Output = Result<Option<StoredToken>>> + Send;
}

/// Lists tokens.
pub trait ListTokens: Sync {
    /// A page of an account's tokens in the query's order, without those that are purged at `now`.
    fn list_tokens(
        &self,
        account: &AccountId,
        query: &TokenQuery,
        now: Timestamp,
    ) -> impl Future<Output = Result<Page<Token, TokenId>>> + Send;
}

/// Creates tokens.
pub trait InsertToken: Sync {
    /// Writes token, secret, audit record and idempotency record, or nothing. Errs with
    /// [`PortError::Conflict`](super::PortError::Conflict) if one of them exists already.
    fn insert_token(&self, new: &NewToken) -> impl Future<Output = Result<()>> + Send;
}

/// Recognises repeated requests.
pub trait GetIdempotency: Sync {
    /// What is stored under the key; `None` if there is nothing or it has expired at `now`.
    fn get_idempotency(
        &self,
        account: &AccountId,
        key: &str,
        now: Timestamp,
    ) -> impl Future<Output = Result<Option<IdempotencyRecord>>> + Send;
}

/// Changes tokens.
pub trait ChangeToken: Sync {
    /// Writes token, all its secrets and the audit record, or nothing. Errs with
    /// [`PortError::Conflict`](super::PortError::Conflict) if the token differs from what was read.
    fn change_token(&self, change: &TokenChange) -> impl Future<Output = Result<()>> + Send;
}

/// Deletes tokens.
pub trait DeleteToken: Sync {
    /// Deletes a token, ends all its secrets and writes the audit record, or does nothing. Errs with
    /// [`PortError::Conflict`](super::PortError::Conflict) if the token differs from what was read.
    fn delete_token(
        &self,
        deleted: &StoredToken,
        audit: &AuditRecord,
    ) -> impl Future<Output = Result<()>> + Send;
}

/// Records that a secret was shown.
pub trait RecordView: Sync {
    /// Writes the audit record. Errs with [`PortError::Conflict`](super::PortError::Conflict) if the token differs from
    /// what was read.
    fn record_view(
        &self,
        viewed: &StoredToken,
        audit: &AuditRecord,
    ) -> impl Future<Output = Result<()>> + Send;
}
