//! Who calls, and whether he may use the management routes of the account in the path.

use std::net::IpAddr;

use lambda_http::http::header::{HOST, ORIGIN};
use lambda_http::request::RequestContext;
use lambda_http::{Request, RequestExt};

use super::sender::user_agent;
use super::{ApiError, ErrorCode, request_id};
use crate::config::{ConfigError, require};
use crate::domain::account::{Account, Member};
use crate::domain::actor::Actor;
use crate::domain::audit::{Origin, Source};
use crate::domain::id::{AccountId, TokenId, UserId};
use crate::ports::GetAccount;

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
}

/// A signed-in person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedIn {
    /// The person.
    pub user: UserId,
    client: Option<String>,
    /// Whether it says to be a page of the API's own origin.
    same_origin: bool,
    ip: Option<IpAddr>,
    user_agent: Option<String>,
    request_id: String,
}

impl SignedIn {
    /// Reads the claims that the gateway's JWT authorizer has verified.
    ///
    /// # Errors
    /// [`ErrorCode::AccessTokenRequired`] without claims, or with those of an id token: that one tells
    /// a client who signed in and was never meant to be sent to an API.
    pub fn of(request: &Request) -> Result<Self, ApiError> {
        let Some(RequestContext::ApiGatewayV2(context)) = request.request_context_ref() else {
            return Err(ErrorCode::AccessTokenRequired.into());
        };
        let claims = context
            .authorizer
            .as_ref()
            .and_then(|authorizer| authorizer.jwt.as_ref())
            .map(|jwt| &jwt.claims)
            .ok_or(ErrorCode::AccessTokenRequired)?;
        if claims
            .get("token_use")
            .is_some_and(|usage| usage != "access")
        {
            return Err(ErrorCode::AccessTokenRequired.into());
        }
        let user = claims.get("sub").and_then(|sub| sub.parse().ok());
        Ok(Self {
            user: user.ok_or(ErrorCode::AccessTokenRequired)?,
            client: claims
                .get("client_id")
                .or_else(|| claims.get("azp"))
                .cloned(),
            ip: context
                .http
                .source_ip
                .as_deref()
                .and_then(|ip| ip.parse().ok()),
            same_origin: is_same_origin(request),
            user_agent: user_agent(request),
            request_id: request_id(request),
        })
    }
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

/// A member who administers the tokens of the account in the path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// The account.
    pub account: Account,
    /// The caller's membership in it.
    pub member: Member,
    signed_in: SignedIn,
}

impl Caller {
    /// Finds the caller's membership and checks the role. The profile is read at every request, so a
    /// role that is lost is lost with the next one.
    ///
    /// # Errors
    /// [`ErrorCode::AccountNotFound`] for an unknown account and for a caller who is no member: the two
    /// can't be told apart. [`ErrorCode::RoleRequired`] for a member who may not.
    pub async fn authorize(store: &impl GetAccount, request: &Request) -> Result<Self, ApiError> {
        let signed_in = SignedIn::of(request)?;
        let id: AccountId = path_id(request, "accountId").ok_or(ErrorCode::AccountNotFound)?;
        let account = store
            .get_account(&id)
            .await?
            .ok_or(ErrorCode::AccountNotFound)?;
        let member = account
            .member(&signed_in.user)
            .cloned()
            .ok_or(ErrorCode::AccountNotFound)?;
        if !member.role.administers_tokens() {
            return Err(ErrorCode::RoleRequired.into());
        }
        Ok(Self {
            account,
            member,
            signed_in,
        })
    }

    /// The caller as audit records name them.
    pub fn actor(&self) -> Actor {
        Actor::member(&self.member)
    }

    /// Where the request came from, for its audit record.
    pub fn origin(&self, console: &ConsoleClient) -> Origin {
        let client_is_console = self.signed_in.client.as_ref() == Some(&console.0);
        let through_console = client_is_console && self.signed_in.same_origin;
        Origin {
            source: if through_console {
                Source::Ui
            } else {
                Source::Api
            },
            actor: self.actor(),
            ip: self.signed_in.ip,
            user_agent: self.signed_in.user_agent.clone(),
            request_id: self.signed_in.request_id.clone(),
        }
    }
}

/// The token that the path names.
///
/// # Errors
/// [`ErrorCode::TokenNotFound`] if it can't be the id of one.
pub fn token_id(request: &Request) -> Result<TokenId, ApiError> {
    path_id(request, "tokenId").ok_or_else(|| ErrorCode::TokenNotFound.into())
}

fn path_id<T: std::str::FromStr>(request: &Request, name: &str) -> Option<T> {
    request
        .path_parameters_ref()
        .and_then(|parameters| parameters.first(name))?
        .parse()
        .ok()
}
