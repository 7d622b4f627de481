//! Who calls the management routes of the account in the path, and whether they may.

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
use crate::domain::token::{StoredToken, Token};
use crate::ports::{ChangeToken, Clock, GetAccount, GetToken};

/// The OpenID client of our own console: what comes through it, from a page of the API's own origin, has the
/// source `ui`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsoleClient(String);

impl ConsoleClient {
    /// The client of that id.
    pub fn new(id: impl Into<String>) -> Self {
        Self(id.into())
    }

    /// Reads `CONSOLE_CLIENT_ID`.
    ///
    /// # Errors
    /// When it is missing.
    pub fn from_env() -> Result<Self, ConfigError> {
        require("CONSOLE_CLIENT_ID").map(Self)
    }

    /// Through what a signed-in person sent a request.
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

/// What the gateway's JWT authorizer has verified of the caller.
fn claims(request: &Request) -> Option<&HashMap<String, String>> {
    let Some(RequestContext::ApiGatewayV2(context)) = request.request_context_ref() else {
        return None;
    };
    Some(&context.authorizer.as_ref()?.jwt.as_ref()?.claims)
}

/// Whether a browser says that a page of the API's own origin sent the request. Anybody else can say so too: it
/// tells the page from other clients that mean no harm, and is shown as claimed.
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

/// The person who is signed in.
///
/// # Errors
/// [`ErrorCode::AccessTokenRequired`] without verified claims, or with those of an id token: that one tells
/// a client who signed in and was never meant to be sent to an API.
pub fn signed_in(request: &Request) -> Result<UserId, ApiError> {
    let claims = claims(request).ok_or(ErrorCode::AccessTokenRequired)?;
    let is_access = claims
        .get("token_use")
        .is_none_or(|usage| usage == "access");
    let user = claims.get("sub").filter(|_| is_access);
    let user = user.and_then(|user| user.parse().ok());
    Ok(user.ok_or(ErrorCode::AccessTokenRequired)?)
}

/// The account in the path and the caller's membership in it, for operations that record nothing. The profile is
/// read at every request, so a role that is lost is lost with the next one.
///
/// # Errors
/// As [`signed_in`]. [`ErrorCode::AccountNotFound`] for an unknown account and for a caller who is no member: the
/// two can't be told apart. [`ErrorCode::RoleRequired`] for a member who doesn't administer tokens.
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

/// A member who administers the tokens of the account in the path, and where the request comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// The account.
    pub account: Account,
    /// The caller's membership in it.
    pub member: Member,
    source: Source,
    sender: Sender,
}

impl Caller {
    /// Finds the caller's membership and checks the role.
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

    /// The caller as audit records name them.
    pub fn actor(&self) -> Actor {
        Actor::member(&self.member)
    }

    /// Where the request came from, for its audit record.
    pub fn origin(&self) -> Origin {
        self.sender.origin(self.source, self.actor())
    }

    /// The token in the path, in the version that `If-Match` asks for.
    ///
    /// # Errors
    /// As [`find_token`]. [`ErrorCode::VersionMismatch`] if the token is at another version.
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

    /// Ends a token of the account, or a secret of it, and answers the token. It goes on while the token changes
    /// under it. `end` makes of the token what it is to be, or nothing if it is so already: a repeated request has
    /// its answer, and nothing happens.
    ///
    /// # Errors
    /// What `end` refuses. [`ErrorCode::TokenNotFound`] without such a token, [`ErrorCode::VersionMismatch`] if it
    /// isn't in the version that `If-Match` asks for.
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
