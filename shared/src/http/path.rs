//! The account and the token in a request's path.

use std::str::FromStr;

use jiff::Timestamp;
use lambda_http::http::header::IF_MATCH;
use lambda_http::{Request, RequestExt};

use super::{ApiError, ErrorCode};
use crate::domain::account::Account;
use crate::domain::id::{AccountId, TokenId};
use crate::domain::token::{StoredToken, Token};
use crate::ports::GetToken;

/// Returns the id of the account in the path.
///
/// # Errors
/// [`ErrorCode::AccountNotFound`] if the id is malformed.
pub(super) fn account_id(request: &Request) -> Result<AccountId, ApiError> {
    Ok(id(request, "accountId").ok_or(ErrorCode::AccountNotFound)?)
}

/// Returns the id of the token in the path.
///
/// # Errors
/// [`ErrorCode::TokenNotFound`] if the id is malformed.
pub fn token_id(request: &Request) -> Result<TokenId, ApiError> {
    Ok(id(request, "tokenId").ok_or(ErrorCode::TokenNotFound)?)
}

/// Returns an id in the path; `None` if there is none, or if it is malformed.
pub(super) fn id<T: FromStr>(request: &Request, name: &str) -> Option<T> {
    let path = request.path_parameters_ref()?;
    path.first(name)?.parse().ok()
}

/// Returns the token in the path, of that account, as it is at `now`.
///
/// # Errors
/// [`ErrorCode::TokenNotFound`] if the account has no such token.
pub async fn find_token(
    store: &impl GetToken,
    account: &Account,
    request: &Request,
    now: Timestamp,
) -> Result<StoredToken, ApiError> {
    let id = token_id(request)?;
    let stored = store.get_token(&account.id, &id, now).await?;
    Ok(stored.ok_or(ErrorCode::TokenNotFound)?)
}

/// Checks a request's `If-Match` against a token's version. A request without the header passes.
///
/// # Errors
/// [`ErrorCode::VersionMismatch`] if no tag is that of the version.
pub(super) fn check_if_match(request: &Request, token: &Token) -> Result<(), ApiError> {
    let mut tags = request.headers().get_all(IF_MATCH).iter().peekable();
    if tags.peek().is_none() {
        return Ok(());
    }
    let current = format!("\"{}\"", token.version);
    let matches = tags
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|tag| tag.trim() == "*" || tag.trim() == current);
    if matches {
        Ok(())
    } else {
        Err(ErrorCode::VersionMismatch.into())
    }
}
