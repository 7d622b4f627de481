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
    /// The token with its last use, or `None` if there is none or it is purged at `now`.
    fn get_token(
        &self,
        account: &AccountId,
        id: &TokenId,
        now: Timestamp,
    ) -> impl Future<Output = Result<Option<StoredToken>>> + Send;
}

/// Lists tokens.
pub trait ListTokens: Sync {
    /// A page of an account's tokens, newest first, without those purged at `now`.
    fn list_tokens(
        &self,
        account: &AccountId,
        query: &TokenQuery,
        now: Timestamp,
    ) -> impl Future<Output = Result<Page<Token, TokenId>>> + Send;
}

/// Creates tokens.
pub trait InsertToken: Sync {
    /// Writes token, secret, audit record and idempotency record, or nothing.
    fn insert_token(&self, new: &NewToken) -> impl Future<Output = Result<()>> + Send;
}

/// Recognises repeated requests.
pub trait GetIdempotency: Sync {
    /// What is remembered under the key.
    fn get_idempotency(
        &self,
        account: &AccountId,
        key: &str,
        now: Timestamp,
    ) -> impl Future<Output = Result<Option<IdempotencyRecord>>> + Send;
}

/// Changes tokens.
pub trait ChangeToken: Sync {
    /// Writes token, every secret and audit record, or nothing. [`PortError::Conflict`](super::PortError::Conflict) if the token is
    /// no more as it was read.
    fn change_token(&self, change: &TokenChange) -> impl Future<Output = Result<()>> + Send;
}

/// Deletes tokens.
pub trait DeleteToken: Sync {
    /// Deletes a token with every secret and writes the audit record, or nothing.
    /// [`PortError::Conflict`](super::PortError::Conflict) if the token is no more as it was read.
    fn delete_token(
        &self,
        deleted: &StoredToken,
        audit: &AuditRecord,
    ) -> impl Future<Output = Result<()>> + Send;
}

/// Records a viewing.
pub trait RecordView: Sync {
    /// Writes the audit record, provided that the token still is as it was read.
    fn record_view(
        &self,
        viewed: &StoredToken,
        audit: &AuditRecord,
    ) -> impl Future<Output = Result<()>> + Send;
}
