//! The mix of verifications: of 16 requests, 13 ask the authorizer, of which three must be refused, two are for
//! `GET /v1/tokenInfo`, and one introspects.

use std::error::Error;

use serde_json::{Value, json};

use super::functions::{Functions, Said, wrong};
use super::management::create;
use super::{ACCOUNTS, account};
use crate::drive::{Answer, Target};
use crate::fixture::{EVENT, SECRET};

const INFO: &str = include_str!("../../../../events/token-info/info.json");
const INTROSPECT: &str = include_str!("../../../../events/introspect-token/bearer.json");
/// The secret in both, which no token has.
const NOBODYS: &str = "lka_0000000000000000000000000000000000000000000000000";
/// The body of the introspection, encoded as the gateway does.
const FORM: &str = "dG9rZW49bGthXzAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAmdG9rZW5fdHlwZV9oaW50PWFjY2Vzc190b2tlbg==";
/// A well-formed secret that no token has.
const UNKNOWN: &str = "lki_yhjskwdA6OZ1AL1YmHWZWm8LLG7HjnuCA2j5rOw8Xp12wQaHq";

/// A token with a custom scope, and the secret of another one of its account with full access.
struct Known {
    id: String,
    secret: String,
    asker: String,
}

/// Verifications of many tokens.
pub(super) struct Verification<'a> {
    functions: &'a Functions,
    tokens: Vec<Known>,
}

impl<'a> Verification<'a> {
    /// Creates the tokens.
    pub(super) async fn prepare(functions: &'a Functions) -> Result<Self, Box<dyn Error>> {
        let mut tokens = Vec::new();
        for number in 0..ACCOUNTS {
            let account = account(number);
            let (id, secret) = create(functions, &account, false).await?.ok_or("refused")?;
            let (_, asker) = create(functions, &account, true).await?.ok_or("refused")?;
            tokens.push(Known { id, secret, asker });
        }
        Ok(Self { functions, tokens })
    }

    async fn info(&self, known: &Known) -> Result<Answer, Box<dyn Error>> {
        let event = INFO.replace(NOBODYS, &known.secret);
        match self.functions.ask("token-info", event).await? {
            Said::Unavailable => Ok(Answer::Refused),
            Said::Status(200, body) if body.get("id") == Some(&json!(known.id)) => {
                Ok(Answer::Right("token-info"))
            }
            Said::Status(status, body) => Err(wrong("token-info", status, &body)),
        }
    }

    async fn introspect(&self, known: &Known, active: bool) -> Result<Answer, Box<dyn Error>> {
        let asked = if active { &known.secret } else { UNKNOWN };
        let event = INTROSPECT
            .replace(NOBODYS, &known.asker)
            .replace(FORM, &format!("token={asked}&client_ip=192.0.2.1"))
            .replace(r#""isBase64Encoded": true"#, r#""isBase64Encoded": false"#);
        let expected = active.then(|| json!(known.id));
        match self.functions.ask("introspect-token", event).await? {
            Said::Unavailable => Ok(Answer::Refused),
            Said::Status(200, body)
                if body.get("active") == Some(&Value::Bool(active))
                    && body.get("tokenId") == expected.as_ref() =>
            {
                Ok(Answer::Right("introspect-token"))
            }
            Said::Status(status, body) => Err(wrong("introspect-token", status, &body)),
        }
    }
}

impl Target for Verification<'_> {
    async fn call(&self, number: usize) -> Result<Answer, Box<dyn Error>> {
        let known = self.tokens.get(number / 16 % self.tokens.len());
        let known = known.ok_or("there are no tokens")?;
        let as_token = || EVENT.replace(SECRET, &known.secret);
        let authorize = |event, allowed| self.functions.authorize(event, allowed);
        match number % 16 {
            3 | 11 => self.info(known).await,
            7 => {
                self.introspect(known, !(number / 16).is_multiple_of(4))
                    .await
            }
            5 => authorize(as_token().replace("exp_orders", "exp_other"), None).await,
            9 => authorize(EVENT.replace(SECRET, UNKNOWN), None).await,
            13 => authorize(EVENT.replace(SECRET, "lka_not-a-secret"), None).await,
            _ => authorize(as_token(), Some(&known.id)).await,
        }
    }
}

/// The event of a call that a secret's token may do.
pub(super) fn call_with(secret: &str) -> String {
    EVENT.replace(SECRET, secret)
}
