//! The callers of the management routes, and their rights in the account in the path.

use std::collections::HashMap;

use jiff::Timestamp;
use lambda_http::http::header::{HOST, ORIGIN};
use lambda_http::request::RequestContext;
use lambda_http::{Body, Request, RequestExt, Response};

use super::path::{account_id, check_if_match, find_token};
use super::sender::Sender;
use super::{ApiError, ErrorCode, response};
use crate::app::revoke::{Revoked, revoke};
use crate::config::{ConfigError, require};
use crate::domain::account::{Account, Member};
use crate::domain::action::Action;
use crate::domain::actor::Actor;
use crate::domain::audit::{Origin, Source};
use crate::domain::entropy::Entropy;
use crate::domain::id::{TokenId, UserId};
use crate::domain::step_up::StepUp;
use crate::domain::token::{StoredToken, Token};
use crate::ports::{ChangeToken, Clock, GetAccount, GetToken};

/// The OpenID client of the API tokens page. A request through this client, from a page of the API's own origin, has
/// the source `ui`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsoleClient(String);

impl ConsoleClient {
    /// Creates it with the client's id.
    pub fn new(id: impl Into<String>) -> Self {
        Self(id.into())
    }

    /// Reads the client's id from `CONSOLE_CLIENT_ID`.
    ///
    /// # Errors
    /// When the variable is missing.
    pub fn from_env() -> Result<Self, ConfigError> {
        require("CONSOLE_CLIENT_ID").map(Self)
    }

    /// Returns the source of a signed-in person's request: the page, or any other client of the API.
    fn source(&self, request: &Request) -> Source {
        let client =
            claims(request).and_then(|claims| claims.get("client_id").or(claims.get("azp")));
        if client == Some(&self.0) && is_same_origin(request) {
            Source::Ui
        } else {
            Source::Api
        }
    }
}

/// Returns the claims that the gateway's JWT authorizer has verified; `None` without an authorizer.
fn claims(request: &Request) -> Option<&HashMap<String, String>> {
    let Some(RequestContext::ApiGatewayV2(context)) = request.request_context_ref() else {
        return None;
    };
    Some(&context.authorizer.as_ref()?.jwt.as_ref()?.claims)
}

/// Whether the browser's headers say that a page of the API's own origin sent the request. Any client can send these
/// headers. They only distinguish the page from other well-meaning clients, so the source is shown as claimed.
fn is_same_origin(request: &Request) -> bool {
    let header = |name: &str| request.headers().get(name)?.to_str().ok();
    let host = |origin: &str| {
        let (_, host) = origin.split_once("://")?;
        Some(header(HOST.as_str())?.eq_ignore_ascii_case(host))
    };
    match header("sec-fetch-site") {
        Some(site) => site == "same-origin",
        None => header(ORIGIN.as_str()).and_then(host).unwrap_or(false),
    }
}

/// Returns the signed-in person.
///
/// # Errors
/// [`ErrorCode::AccessTokenRequired`] if there are no verified claims, or if they are those of an id token. An id
/// token is for the client, and must not be sent to an API.
pub fn signed_in(request: &Request) -> Result<UserId, ApiError> {
    let claims = claims(request).ok_or(ErrorCode::AccessTokenRequired)?;
    let is_access = claims
        .get("token_use")
        .is_none_or(|usage| usage == "access");
    let user = claims.get("sub").filter(|_| is_access);
    let user = user.and_then(|user| user.parse().ok());
    Ok(user.ok_or(ErrorCode::AccessTokenRequired)?)
}

/// Checks that the caller's sign-in is recent. Without a `step_up`, every sign-in is. Call it when the caller may do
/// what the request asks for, and before anything else: a sign-in doesn't help those who may not.
///
/// # Errors
/// [`ErrorCode::StepUpRequired`] if the sign-in is too old, or the access token doesn't say when it was.
pub fn check_sign_in(
    request: &Request,
    step_up: Option<&StepUp>,
    now: Timestamp,
) -> Result<(), ApiError> {
    let Some(step_up) = step_up else {
        return Ok(());
    };
    let time = claims(request).and_then(|claims| claims.get(step_up.claim()));
    if step_up.is_recent(time.map(String::as_str), now) {
        Ok(())
    } else {
        Err(ApiError::step_up_required(step_up.max_age()))
    }
}

/// Returns the account in the path and the caller's membership. For operations that write no audit record; others use
/// [`Caller`]. The profile is read at every request, so a lost role takes effect at the next one.
///
/// # Errors
/// As [`signed_in`]. [`ErrorCode::AccountNotFound`] if the account doesn't exist or the caller isn't a member; the
/// response doesn't tell which. [`ErrorCode::RoleRequired`] if the member doesn't administer tokens.
pub async fn authorize(
    store: &impl GetAccount,
    request: &Request,
) -> Result<(Account, Member), ApiError> {
    let user = signed_in(request)?;
    let id = account_id(request)?;
    let account = store.get_account(&id).await?;
    let account = account.ok_or(ErrorCode::AccountNotFound)?;
    let member = account.member(&user).cloned();
    let member = member.ok_or(ErrorCode::AccountNotFound)?;
    if !member.role.administers_tokens() {
        return Err(ErrorCode::RoleRequired.into());
    }
    Ok((account, member))
}

/// A member who administers the tokens of the account in the path, and the origin of the request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// The account in the path.
    pub account: Account,
    /// The caller's membership in it.
    pub member: Member,
    source: Source,
    sender: Sender,
}

impl Caller {
    /// Returns the caller of a request after checking the membership and the role.
    ///
    /// # Errors
    /// As [`authorize`] and [`Sender::of`].
    pub async fn authorize(
        store: &impl GetAccount,
        console: &ConsoleClient,
        request: &Request,
    ) -> Result<Self, ApiError> {
        let (account, member) = authorize(store, request).await?;
        Ok(Self {
            account,
            member,
            source: console.source(request),
            sender: Sender::of(request)?,
        })
    }

    /// Returns the caller as the actor of an audit record.
    pub fn actor(&self) -> Actor {
        Actor::member(&self.member)
    }

    /// Returns the request's origin for an audit record.
    pub fn origin(&self) -> Origin {
        self.sender.origin(self.source, self.actor())
    }

    /// Returns the token in the path.
    ///
    /// # Errors
    /// As [`find_token`]. [`ErrorCode::VersionMismatch`] if the token doesn't have the version in `If-Match`.
    pub async fn token(
        &self,
        store: &impl GetToken,
        request: &Request,
        now: Timestamp,
    ) -> Result<StoredToken, ApiError> {
        let stored = find_token(store, &self.account, request, now).await?;
        check_if_match(request, &stored.token)?;
        Ok(stored)
    }

    /// Ends a token of the account, or a secret of it, and returns the token as the response. Tries again if the token
    /// changes at the same time. `end` returns the changed token, or `None` if there is nothing to change: a repeated
    /// request succeeds and changes nothing.
    ///
    /// # Errors
    /// Those of `end`. [`ErrorCode::TokenNotFound`] if there is no such token, [`ErrorCode::VersionMismatch`] if it
    /// doesn't have the version in `If-Match`, and [`ErrorCode::Conflict`] if it changes too often.
    pub async fn end_token(
        &self,
        store: &(impl GetToken + ChangeToken),
        system: &(impl Clock + Entropy),
        id: &TokenId,
        request: &Request,
        action: Action,
        end: impl Fn(&Token, Timestamp) -> Result<Option<Token>, ApiError>,
    ) -> Result<Response<Body>, ApiError> {
        let token = (&self.account.id, id);
        let origin = self.origin();
        let ended = revoke(store, system, token, &origin, action, |before, now| {
            check_if_match(request, &before.token)?;
            end(&before.token, now)
        });
        match ended.await? {
            Revoked::NotFound => Err(ErrorCode::TokenNotFound.into()),
            Revoked::Unchanged(token) => response::token(&token.token, system.now()),
            Revoked::Changed(change) => response::token(&change.after.token, system.now()),
        }
    }
}
