//! The mix of changes: lives of tokens. Each request is the next step of a life, and every account has one life at a
//! time.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::error::Error;

use serde_json::{Value, json};
use tokio::sync::Semaphore;

use super::functions::{Functions, Said, event, wrong};
use super::verification::call_with;
use super::{ACCOUNTS, account};
use crate::drive::{Answer, Target};

const CREATE: &str = include_str!("../../../../events/create-token/custom-scope.json");
const GET: &str = include_str!("../../../../events/get-token/get.json");
const LIST: &str = include_str!("../../../../events/list-tokens/first-page.json");
const UPDATE: &str = include_str!("../../../../events/update-token/rename.json");
const REVEAL: &str = include_str!("../../../../events/reveal-token/reveal.json");
const REGENERATE: &str = include_str!("../../../../events/regenerate-token/with-grace-period.json");
const REVOKE: &str = include_str!("../../../../events/revoke-token/with-reason.json");
const DELETE: &str = include_str!("../../../../events/delete-token/delete.json");

/// The scope in the event that creates a token, and the one that takes its place.
const CUSTOM: &str =
    r#"{\"type\": \"custom\", \"exports\": [\"exp_orders\"], \"imports\": [\"imp_stock\"]}"#;
const FULL: &str = r#"{\"type\": \"full\"}"#;

/// Creates a token and returns its id and secret; `None` if that was refused.
pub(super) async fn create(
    functions: &Functions,
    account: &str,
    full: bool,
) -> Result<Option<(String, String)>, Box<dyn Error>> {
    let mut event = event(CREATE, account, "");
    if full {
        event = event.replace(CUSTOM, FULL);
    }
    match functions.ask("create-token", event).await? {
        Said::Unavailable => Ok(None),
        Said::Status(201, body) => {
            let text = |path| {
                body.pointer(path)
                    .and_then(Value::as_str)
                    .map(str::to_owned)
            };
            let found = text("/token/id").zip(text("/secret"));
            found
                .map(Some)
                .ok_or_else(|| wrong("create-token", 201, &body))
        }
        Said::Status(status, body) => Err(wrong("create-token", status, &body)),
    }
}

/// The next step of a life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Create,
    Use,
    Get,
    List,
    Update,
    Reveal,
    Regenerate,
    Revoke,
    UseRevoked,
    Delete,
    GetDeleted,
}

impl Step {
    /// All steps, in the order of a life.
    const ALL: [Self; 11] = [
        Self::Create,
        Self::Use,
        Self::Get,
        Self::List,
        Self::Update,
        Self::Reveal,
        Self::Regenerate,
        Self::Revoke,
        Self::UseRevoked,
        Self::Delete,
        Self::GetDeleted,
    ];

    /// The step after this one; the first one at the end.
    fn next(self) -> Self {
        let mut steps = Self::ALL.into_iter().skip_while(|step| *step != self);
        steps.nth(1).unwrap_or(Self::Create)
    }
}

/// A token's life in an account.
struct Life {
    account: String,
    step: Step,
    id: String,
    secret: String,
}

impl Life {
    /// Takes the next step and checks its answer. A refused life starts over: nobody knows whether the step was taken.
    async fn go_on(&mut self, functions: &Functions) -> Result<Answer, Box<dyn Error>> {
        let answer = self.take_step(functions).await?;
        self.step = match answer {
            Answer::Right(_) => self.step.next(),
            Answer::Refused => Step::Create,
        };
        Ok(answer)
    }

    async fn take_step(&mut self, functions: &Functions) -> Result<Answer, Box<dyn Error>> {
        match self.step {
            Step::Create => {
                let Some(created) = create(functions, &self.account, false).await? else {
                    return Ok(Answer::Refused);
                };
                (self.id, self.secret) = created;
                Ok(Answer::Right("create-token"))
            }
            Step::Use => {
                let call = call_with(&self.secret);
                functions.authorize(call, Some(&self.id)).await
            }
            Step::UseRevoked => functions.authorize(call_with(&self.secret), None).await,
            Step::Get => {
                let is = |body: &Value| body.get("id") == Some(&json!(self.id));
                self.ask(functions, "get-token", GET, 200, is).await
            }
            // The newest come first. Older ones are those of lives that were refused.
            Step::List => {
                let is = |body: &Value| {
                    let tokens = body.get("tokens").and_then(Value::as_array);
                    let mut ids = tokens.into_iter().flatten().map(|token| token.get("id"));
                    ids.next() == Some(Some(&json!(self.id)))
                };
                self.ask(functions, "list-tokens", LIST, 200, is).await
            }
            Step::Update => {
                let is = |body: &Value| body.get("name") == Some(&json!("Warehouse sync 2"));
                self.ask(functions, "update-token", UPDATE, 200, is).await
            }
            Step::Reveal => {
                let is = |body: &Value| body.get("secret") == Some(&json!(self.secret));
                self.ask(functions, "reveal-token", REVEAL, 200, is).await
            }
            Step::Regenerate => {
                let mut secret = None;
                let is = |body: &Value| {
                    let found = body.get("secret").and_then(Value::as_str);
                    secret = found.map(str::to_owned);
                    secret.as_ref().is_some_and(|secret| *secret != self.secret)
                };
                let name = "regenerate-token";
                let answer = self.ask(functions, name, REGENERATE, 200, is).await?;
                self.secret = secret.unwrap_or_default();
                Ok(answer)
            }
            Step::Revoke => {
                let is = |body: &Value| body.get("status") == Some(&json!("revoked"));
                self.ask(functions, "revoke-token", REVOKE, 200, is).await
            }
            Step::Delete => {
                self.ask(functions, "delete-token", DELETE, 204, Value::is_null)
                    .await
            }
            Step::GetDeleted => {
                let is = |body: &Value| body.get("code") == Some(&json!("token_not_found"));
                self.ask(functions, "get-token", GET, 404, is).await
            }
        }
    }

    async fn ask(
        &self,
        functions: &Functions,
        name: &'static str,
        sample: &str,
        status: u16,
        is: impl FnOnce(&Value) -> bool,
    ) -> Result<Answer, Box<dyn Error>> {
        let event = event(sample, &self.account, &self.id);
        match functions.ask(name, event).await? {
            Said::Unavailable => Ok(Answer::Refused),
            Said::Status(given, body) if given == status && is(&body) => Ok(Answer::Right(name)),
            Said::Status(given, body) => Err(wrong(name, given, &body)),
        }
    }
}

/// Many lives at once, one in each account. A request that finds all of them busy waits for one.
pub(super) struct Management<'a> {
    functions: &'a Functions,
    /// The lives that wait for their next step. The one that has waited longest is next.
    lives: RefCell<VecDeque<Life>>,
    free: Semaphore,
}

impl<'a> Management<'a> {
    /// Begins the lives. Each is a step further than the one before, so that every step is equally frequent at any time.
    pub(super) async fn prepare(functions: &'a Functions) -> Result<Self, Box<dyn Error>> {
        let mut lives = VecDeque::new();
        for number in 0..ACCOUNTS {
            let mut life = Life {
                account: account(number),
                step: Step::Create,
                id: String::new(),
                secret: String::new(),
            };
            for _ in 0..number % Step::ALL.len() {
                life.go_on(functions).await?;
            }
            lives.push_back(life);
        }
        Ok(Self {
            functions,
            free: Semaphore::new(lives.len()),
            lives: RefCell::new(lives),
        })
    }
}

impl Target for Management<'_> {
    async fn call(&self, _: usize) -> Result<Answer, Box<dyn Error>> {
        let _free = self.free.acquire().await?;
        let life = self.lives.borrow_mut().pop_front();
        let mut life = life.ok_or("no life is free")?;
        let answer = life.go_on(self.functions).await?;
        self.lives.borrow_mut().push_back(life);
        Ok(answer)
    }
}
