//! The functions under load, and what they answer.

use std::collections::BTreeMap;
use std::error::Error;
use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;

use super::{FUNCTIONS, Setup};
use crate::drive::Answer;
use crate::kms;
use crate::sandbox::{Function, Outcome};
use crate::usage::processor_times;

/// The account and the token of the sample events.
const ACCOUNT: &str = "acme";
const TOKEN: &str = "tok_01ARZ3NDEKTSV4RRFFQ69G5FAV";

/// The functions by name.
pub(super) struct Functions(BTreeMap<&'static str, Function>);

/// An answer of the management API.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct HttpAnswer {
    status_code: u16,
    body: Option<String>,
}

/// The answer to a request.
#[derive(Debug, PartialEq)]
pub(super) enum Said {
    /// A status and a JSON body.
    Status(u16, Value),
    /// The service says that it can't answer now.
    Unavailable,
}

impl Functions {
    /// Starts the sandboxes of all functions, with this process's environment.
    pub(super) async fn start(setup: &Setup, sandboxes: usize) -> Result<Self, Box<dyn Error>> {
        let mut environment: Vec<_> = std::env::vars().collect();
        let kms = kms::start().await?;
        let most = u32::MAX.to_string();
        for (name, value) in [
            ("AWS_ENDPOINT_URL_KMS", kms.as_str()),
            (
                "SECRETS_KEY_ID",
                "arn:aws:kms:us-east-1:123456789012:key/bench",
            ),
            ("CONSOLE_CLIENT_ID", "console"),
            ("STEP_UP_SECONDS", "0"),
            ("REVEALS_PER_HOUR", &most),
            ("CHANGES_PER_HOUR", &most),
            ("MAX_TOKENS", &most),
            ("MAILS_PER_HOUR", &most),
        ] {
            environment.push((name.into(), value.into()));
        }
        let mut functions = BTreeMap::new();
        for name in FUNCTIONS {
            let program = setup.functions.get(name);
            let program = program.ok_or_else(|| format!("there is no program {name}"))?;
            let function = Function::start(program, &environment, sandboxes).await?;
            functions.insert(name, function);
        }
        Ok(Self(functions))
    }

    async fn invoke(&self, name: &str, event: String) -> Result<Outcome, Box<dyn Error>> {
        let function = self.0.get(name).ok_or("no such function")?;
        let outcome = function.invoke(event).await;
        outcome.map_err(|error| format!("{name}: {error}").into())
    }

    /// Sends a request to a function of the API.
    pub(super) async fn ask(&self, name: &str, event: String) -> Result<Said, Box<dyn Error>> {
        match self.invoke(name, event).await? {
            Outcome::Answered(text) => said(&text),
            Outcome::Failed(error) => Err(format!("{name} failed: {error}").into()),
        }
    }

    /// Asks the authorizer about the call of its sample event, and checks the decision. `allowed` is the token that must
    /// be let through; `None` if none may be.
    pub(super) async fn authorize(
        &self,
        event: String,
        allowed: Option<&str>,
    ) -> Result<Answer, Box<dyn Error>> {
        match self.invoke("authorize", event).await? {
            Outcome::Answered(text) if decides(&text, allowed)? => Ok(Answer::Right("authorize")),
            Outcome::Answered(text) => {
                Err(format!("authorize said {text} where {allowed:?} may call").into())
            }
            // The gateway lets nobody through.
            Outcome::Failed(_) => Ok(Answer::Refused),
        }
    }

    /// The ids of all sandboxes' processes.
    pub(super) fn processes(&self) -> impl Iterator<Item = u32> {
        let all = self.0.values().flat_map(Function::processes);
        all.copied()
    }

    /// The processor time of each function's sandboxes.
    pub(super) fn processor_times(
        &self,
    ) -> Result<BTreeMap<&'static str, Duration>, Box<dyn Error>> {
        let each = self.0.iter().map(|(name, function)| {
            let time = processor_times(function.processes())?;
            Ok((*name, time))
        });
        each.collect()
    }
}

/// Reads an answer of the API.
fn said(text: &str) -> Result<Said, Box<dyn Error>> {
    let answer: HttpAnswer = serde_json::from_str(text)?;
    let body = answer.body.filter(|body| !body.is_empty());
    let body = body.map_or(Ok(Value::Null), |body| serde_json::from_str(&body))?;
    let code = body.get("code").and_then(Value::as_str);
    Ok(match (answer.status_code, code) {
        (503, Some("unavailable")) | (429, Some(_)) => Said::Unavailable,
        (status, _) => Said::Status(status, body),
    })
}

/// Whether an answer of the authorizer lets exactly this token through; with `None`, whether it lets nobody through.
fn decides(text: &str, allowed: Option<&str>) -> Result<bool, Box<dyn Error>> {
    let answer: Value = serde_json::from_str(text)?;
    let decided = answer.get("isAuthorized").and_then(Value::as_bool);
    let token = answer.pointer("/context/tokenId").and_then(Value::as_str);
    Ok(match allowed {
        Some(_) => decided == Some(true) && token == allowed,
        None => decided == Some(false),
    })
}

/// A sample event with another account and token.
pub(super) fn event(sample: &str, account: &str, token: &str) -> String {
    sample.replace(ACCOUNT, account).replace(TOKEN, token)
}

/// The error of a wrong answer.
pub(super) fn wrong(operation: &str, status: u16, body: &Value) -> Box<dyn Error> {
    format!("{operation} answered {status} {body}").into()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_the_right_decision_is_one() {
        let granted = r#"{"isAuthorized": true, "context": {"tokenId": "tok_1"}}"#;
        let denied = r#"{"isAuthorized": false, "context": {}}"#;
        assert!(decides(granted, Some("tok_1")).unwrap());
        assert!(decides(denied, None).unwrap());
        for (text, allowed) in [
            (granted, Some("tok_2")),
            (granted, None),
            (denied, Some("tok_1")),
            ("{}", None),
            ("{}", Some("tok_1")),
        ] {
            assert!(!decides(text, allowed).unwrap(), "{text} for {allowed:?}");
        }
        assert!(decides("", None).is_err());
    }

    #[test]
    fn only_an_honest_refusal_is_one() {
        let answer = |status, body: Value| {
            said(&json!({"statusCode": status, "body": body.to_string()}).to_string()).unwrap()
        };
        let code = |code: &str| json!({"code": code});
        assert_eq!(answer(503, code("unavailable")), Said::Unavailable);
        assert_eq!(answer(429, code("budget_exceeded")), Said::Unavailable);
        for (status, body) in [
            (500, code("internal_error")),
            (503, json!({"message": "Service Unavailable"})),
            (409, code("conflict")),
            (200, code("unavailable")),
        ] {
            assert_eq!(answer(status, body.clone()), Said::Status(status, body));
        }
        let empty = said(r#"{"statusCode": 204, "body": ""}"#).unwrap();
        assert_eq!(empty, Said::Status(204, Value::Null));
    }
}
