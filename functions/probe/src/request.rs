//! The events of the gateway that the probe makes.

use jiff::Timestamp;
use latchkey::http::probe::ACCOUNT;
use serde_json::{Value, json};

use crate::service::Operation;

/// The probe's member, signed in.
pub(crate) struct Caller<'a> {
    auth_time: Option<&'a str>,
    now: Timestamp,
}

impl<'a> Caller<'a> {
    /// Creates it, with the claim for the time of the sign-in. It signs in `now`.
    pub(crate) fn new(auth_time: Option<&'a str>, now: Timestamp) -> Self {
        Self { auth_time, now }
    }

    /// Returns the event of a request to an operation.
    pub(crate) fn event(&self, operation: Operation, token: &str, body: Option<&Value>) -> Value {
        let (method, rest) = match operation {
            Operation::CreateToken => ("POST", ""),
            Operation::ListTokens => ("GET", ""),
            Operation::GetToken => ("GET", "/{tokenId}"),
            Operation::DeleteToken => ("DELETE", "/{tokenId}"),
            Operation::RevealToken => ("POST", "/{tokenId}/reveal"),
            Operation::RevokeToken => ("POST", "/{tokenId}/revoke"),
        };
        let route = format!("/v1/accounts/{{accountId}}/tokens{rest}");
        let path = route.replace("{accountId}", ACCOUNT);
        let path = path.replace("{tokenId}", token);
        let mut claims = json!({"sub": ACCOUNT, "token_use": "access"});
        let mut parameters = json!({"accountId": ACCOUNT});
        if let (Some(claim), Some(claims)) = (self.auth_time, claims.as_object_mut()) {
            claims.insert(claim.into(), self.now.as_second().to_string().into());
        }
        if let (false, Some(parameters)) = (rest.is_empty(), parameters.as_object_mut()) {
            parameters.insert("tokenId".into(), token.into());
        }
        let key = format!("{method} {route}");
        json!({
            "version": "2.0",
            "routeKey": key,
            "rawPath": path,
            "rawQueryString": "",
            "headers": {
                "accept": "application/json",
                "content-type": "application/json",
                "user-agent": ACCOUNT,
            },
            "requestContext": {
                "authorizer": {"jwt": {"claims": claims, "scopes": []}},
                "http": {
                    "method": method,
                    "path": path,
                    "protocol": "HTTP/1.1",
                    "sourceIp": "127.0.0.1",
                    "userAgent": ACCOUNT,
                },
                "requestId": format!("probe-{}", self.now.as_millisecond()),
                "routeKey": key,
                "stage": "$default",
                "timeEpoch": self.now.as_millisecond(),
            },
            "pathParameters": parameters,
            "body": body.map(Value::to_string),
            "isBase64Encoded": false,
        })
    }
}
