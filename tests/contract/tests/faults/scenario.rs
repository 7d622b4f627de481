//! What a scenario is.

use contract::{Call, Evidence};
use latchkey::domain::budget::Budgets;
use latchkey::ports::PortError;
use latchkey::testing::{Answer, Engine};
use serde_json::{Value, json};

use crate::world::{Sandbox, Step};

pub(crate) const TOKENS: &str = "/v1/accounts/acme/tokens";

/// What a scenario's preparation leaves behind.
#[derive(Debug, Clone, Default)]
pub(crate) struct Given {
    /// A token's id.
    pub(crate) token: String,
    /// A secret.
    pub(crate) secret: String,
    /// Another secret.
    pub(crate) other: String,
    /// An event that is to be delivered.
    pub(crate) event: Value,
}

/// The answer to a request, or to an event.
#[derive(Debug, Clone)]
pub(crate) struct Outcome {
    /// The HTTP status. An event that is done is a 200, and one that is delivered again is a 503.
    pub(crate) status: u16,
    /// The problem's code.
    pub(crate) code: String,
    /// Whether the client is told when to repeat the request.
    pub(crate) repeats: bool,
    /// What the client was told.
    pub(crate) told: String,
}

impl From<Answer> for Outcome {
    fn from(answer: Answer) -> Self {
        Self {
            status: answer.status,
            code: answer.outcome().1.to_owned(),
            repeats: !answer.header("retry-after").is_empty(),
            told: answer.text,
        }
    }
}

impl From<Result<(), PortError>> for Outcome {
    fn from(done: Result<(), PortError>) -> Self {
        let status = match &done {
            Ok(()) => 200,
            Err(PortError::Broken(_)) => 500,
            Err(_) => 503,
        };
        Self {
            status,
            code: String::new(),
            repeats: true,
            told: format!("{done:?}"),
        }
    }
}

impl From<bool> for Outcome {
    /// Whether all records of a stream's batch are settled.
    fn from(settled: bool) -> Self {
        let error = PortError::Unavailable("a record is left".into());
        if settled { Ok(()) } else { Err(error) }.into()
    }
}

/// What a request must have done when its answer says so.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Effect {
    /// Nothing changes.
    None,
    /// One record of this action, however often it is repeated.
    Once(&'static str),
    /// A record of this action each time.
    Each(&'static str),
    /// At most one record of this action. The answer doesn't depend on it.
    AtMost(&'static str),
    /// Something else.
    State(fn(&Evidence, &Given) -> bool),
}

/// A request or an event, and what it does.
#[derive(Clone, Copy)]
pub(crate) struct Scenario {
    /// What happens, for people.
    pub(crate) name: &'static str,
    /// The operation's name, or the function's if it serves none.
    pub(crate) function: &'static str,
    /// What happens before, without faults.
    pub(crate) prepare: for<'a> fn(&'a Sandbox<'_>) -> Step<'a, Given>,
    /// The request or the event.
    pub(crate) ask: for<'a> fn(&'a Sandbox<'_>, &'a Given) -> Step<'a, Outcome>,
    pub(crate) effect: Effect,
    /// The status of the answer without faults.
    pub(crate) done: u16,
    /// The answer to a repeat of a request that was done without an answer, if it isn't the same.
    pub(crate) again: Option<(u16, &'static str)>,
    /// How long after a failure it is repeated, in seconds.
    pub(crate) pause: i64,
    pub(crate) budgets: fn() -> Budgets,
    /// Whether the request spends the last unit of a budget, so that its repeat may be refused.
    pub(crate) spends_last: bool,
}

impl Scenario {
    /// A request that changes nothing.
    pub(crate) const fn new(
        function: &'static str,
        name: &'static str,
        ask: for<'a> fn(&'a Sandbox<'_>, &'a Given) -> Step<'a, Outcome>,
    ) -> Self {
        Self {
            name,
            function,
            prepare: nothing,
            ask,
            effect: Effect::None,
            done: 200,
            again: None,
            pause: 1,
            budgets: Engine::budgets,
            spends_last: false,
        }
    }

    /// Its whole name.
    pub(crate) fn title(&self) -> String {
        match self.name {
            "" => self.function.to_owned(),
            name => format!("{} ({name})", self.function),
        }
    }

    pub(crate) const fn after(
        self,
        prepare: for<'a> fn(&'a Sandbox<'_>) -> Step<'a, Given>,
    ) -> Self {
        Self { prepare, ..self }
    }

    pub(crate) const fn does(self, effect: Effect) -> Self {
        Self { effect, ..self }
    }

    pub(crate) const fn answers(self, done: u16) -> Self {
        Self { done, ..self }
    }

    pub(crate) const fn then(self, status: u16, code: &'static str) -> Self {
        Self {
            again: Some((status, code)),
            ..self
        }
    }

    /// Delivered again by Lambda or EventBridge, which wait for minutes.
    pub(crate) const fn delivered(self) -> Self {
        Self { pause: 180, ..self }
    }

    pub(crate) const fn with_budgets(self, budgets: fn() -> Budgets) -> Self {
        Self { budgets, ..self }
    }

    pub(crate) const fn spending_the_last(self) -> Self {
        Self {
            spends_last: true,
            ..self
        }
    }
}

/// Nothing happened before.
fn nothing<'a>(_: &'a Sandbox<'_>) -> Step<'a, Given> {
    Box::pin(async { Given::default() })
}

/// A request that creates a token with full access.
pub(crate) fn creation() -> Call {
    let body = json!({"name": "New", "autoPurge": "never", "scope": {"type": "full"}});
    Call::new("POST", TOKENS).json(&body)
}

/// A request about a token.
pub(crate) fn about(method: &str, token: &str, path: &str) -> Call {
    Call::new(method, &format!("{TOKENS}/{token}{path}"))
}

/// Creates a token with full access.
pub(crate) async fn created(sandbox: &Sandbox<'_>) -> Given {
    let answer = sandbox.done(creation()).await;
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    Given {
        token: text(&answer.json["token"]["id"]),
        secret: text(&answer.json["secret"]),
        ..Given::default()
    }
}

/// A token.
pub(crate) fn token<'a>(sandbox: &'a Sandbox<'_>) -> Step<'a, Given> {
    Box::pin(created(sandbox))
}

/// A revoked token.
pub(crate) fn revoked<'a>(sandbox: &'a Sandbox<'_>) -> Step<'a, Given> {
    Box::pin(async {
        let given = created(sandbox).await;
        sandbox.world.wait(jiff::SignedDuration::from_secs(1));
        sandbox.done(about("POST", &given.token, "/revoke")).await;
        given
    })
}

/// A token whose secret was replaced; the old one, which still works, is the other.
pub(crate) fn replaced<'a>(sandbox: &'a Sandbox<'_>) -> Step<'a, Given> {
    Box::pin(async { replace(sandbox, 600).await })
}

/// A token whose secret was replaced; the old one, which has ended, is the other.
pub(crate) fn ended<'a>(sandbox: &'a Sandbox<'_>) -> Step<'a, Given> {
    Box::pin(async { replace(sandbox, 0).await })
}

async fn replace(sandbox: &Sandbox<'_>, grace: u32) -> Given {
    let given = created(sandbox).await;
    sandbox.world.wait(jiff::SignedDuration::from_secs(1));
    let call = about("POST", &given.token, "/regenerate");
    let answer = sandbox
        .done(call.json(&json!({"gracePeriodSeconds": grace})))
        .await;
    Given {
        other: given.secret,
        secret: answer.json["secret"].as_str().unwrap().to_owned(),
        ..given
    }
}
