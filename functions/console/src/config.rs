//! The page's configuration: where people sign in (OpenID Connect's authorization code flow, in the browser), and where
//! the tokens are used.

use lambda_http::http::Uri;
use latchkey::config::{ConfigError, optional, require};
use serde::Serialize;

/// What the page needs to know about its surroundings. Nothing in it is secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Config {
    /// `CONSOLE_CLIENT_ID`: the client id of the page, a public client.
    pub client_id: String,
    /// `AUTHORIZATION_ENDPOINT`: where the browser is sent to sign in.
    pub authorization_endpoint: String,
    /// `TOKEN_ENDPOINT`: where the page exchanges the code.
    pub token_endpoint: String,
    /// `REVOCATION_ENDPOINT`: where the page revokes its refresh token at sign-out (RFC 7009); `None` if the provider
    /// has no such endpoint.
    pub revocation_endpoint: Option<String>,
    /// `END_SESSION_ENDPOINT`: where the browser is sent to sign out; `None` if the provider has no such endpoint.
    pub end_session_endpoint: Option<String>,
    /// `SIGN_IN_SCOPES`: the scopes to ask for, separated by spaces. The variable may separate them with commas or
    /// spaces.
    pub scopes: String,
    /// `PLATFORM_API_URL`: the base address of the API that accepts the tokens, for examples; `None` if it isn't known.
    pub platform_api_url: Option<String>,
    /// `MCP_URL`: the address of the platform's MCP server, for examples; `None` if it has none.
    pub mcp_url: Option<String>,
}

impl Config {
    /// Reads the configuration from the environment.
    ///
    /// # Errors
    /// When a variable is missing or empty. Only `REVOCATION_ENDPOINT`, `END_SESSION_ENDPOINT`, `PLATFORM_API_URL` and
    /// `MCP_URL` may be empty.
    pub fn from_env() -> Result<Self, ConfigError> {
        Ok(Self {
            client_id: require("CONSOLE_CLIENT_ID")?,
            authorization_endpoint: require("AUTHORIZATION_ENDPOINT")?,
            token_endpoint: require("TOKEN_ENDPOINT")?,
            revocation_endpoint: optional("REVOCATION_ENDPOINT"),
            end_session_endpoint: optional("END_SESSION_ENDPOINT"),
            scopes: scopes(&require("SIGN_IN_SCOPES")?),
            platform_api_url: optional("PLATFORM_API_URL"),
            mcp_url: optional("MCP_URL"),
        })
    }

    /// Returns the other origins to which the page sends requests, for its content security policy: those of the token
    /// endpoint and of the revocation endpoint.
    ///
    /// # Errors
    /// When any address isn't an absolute HTTP URL. This includes those that the page only navigates to or shows:
    /// otherwise the mistake would only show when somebody signs in or out, or uses a token.
    pub(crate) fn origins(&self) -> Result<String, InvalidEndpoint> {
        origin("AUTHORIZATION_ENDPOINT", &self.authorization_endpoint)?;
        for (name, url) in [
            ("END_SESSION_ENDPOINT", &self.end_session_endpoint),
            ("PLATFORM_API_URL", &self.platform_api_url),
            ("MCP_URL", &self.mcp_url),
        ] {
            if let Some(url) = url {
                origin(name, url)?;
            }
        }
        let token = origin("TOKEN_ENDPOINT", &self.token_endpoint)?;
        let revocation = self.revocation_endpoint.as_deref();
        match revocation
            .map(|url| origin("REVOCATION_ENDPOINT", url))
            .transpose()?
        {
            Some(revocation) if revocation != token => Ok(format!("{token} {revocation}")),
            _ => Ok(token),
        }
    }
}

fn origin(name: &'static str, url: &str) -> Result<String, InvalidEndpoint> {
    let url: Uri = url.parse().map_err(|_| InvalidEndpoint(name))?;
    match (url.scheme_str(), url.authority()) {
        (Some(scheme @ ("http" | "https")), Some(authority)) if is_host(authority.as_str()) => {
            Ok(format!("{scheme}://{authority}"))
        }
        _ => Err(InvalidEndpoint(name)),
    }
}

/// Returns the scopes separated by spaces, as OAuth expects them. Commas are accepted because deployment tools split a
/// parameter at spaces.
fn scopes(given: &str) -> String {
    let scopes = given.split([',', ' ']).filter(|scope| !scope.is_empty());
    scopes.collect::<Vec<_>>().join(" ")
}

/// Whether a policy can contain the host and port literally. Other characters would end the source, or would be
/// credentials.
fn is_host(authority: &str) -> bool {
    authority
        .bytes()
        .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b':' | b'[' | b']'))
}

/// An endpoint that isn't an absolute HTTP URL, by its variable's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InvalidEndpoint(&'static str);

impl std::fmt::Display for InvalidEndpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "environment variable `{}` is not an absolute HTTP URL",
            self.0
        )
    }
}

impl std::error::Error for InvalidEndpoint {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_may_be_given_with_commas_or_spaces() {
        for given in [
            "openid,email,https://api.example/tokens",
            "openid email https://api.example/tokens",
            " openid, email,,https://api.example/tokens ",
        ] {
            assert_eq!(scopes(given), "openid email https://api.example/tokens");
        }
        assert_eq!(scopes("openid"), "openid");
    }
}
