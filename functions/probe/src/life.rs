//! A token's life, step by step.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::request::Caller;
use crate::service::{Answer, Operation, Service};

/// The name of the probe's tokens.
const NAME: &str = "Probe";

/// The age of a token that an earlier run left behind. No run takes longer: it is ended after a minute.
const LEFTOVER: SignedDuration = SignedDuration::from_mins(2);

/// What the service did wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{step} ({problem})")]
pub struct Wrong {
    /// What the probe was doing.
    pub step: &'static str,
    /// What was wrong with it. It has no secret.
    pub problem: String,
}

/// Leads a token through its life. First deletes what earlier runs left behind.
pub(crate) async fn life(
    service: &impl Service,
    caller: &Caller<'_>,
    now: Timestamp,
) -> Result<(), Wrong> {
    remove_leftovers(service, caller, now).await?;

    let step = "creating a token";
    let draft = json!({"name": NAME, "autoPurge": "1h", "scope": {"type": "full"}});
    let create = caller.event(Operation::CreateToken, "", Some(&draft));
    let created = invoke(service, step, Operation::CreateToken, &create, 201).await?;
    let id = text(step, &created, "/token/id")?;
    let secret = text(step, &created, "/secret")?;

    let step = "using the token";
    let used = ask(service, step, secret, 200).await?;
    same(step, &used, "/id", id)?;

    let step = "reading the token";
    let event = caller.event(Operation::GetToken, id, None);
    let read = invoke(service, step, Operation::GetToken, &event, 200).await?;
    same(step, &read, "/status", "active")?;
    // The use that was just answered is recorded.
    text(step, &read, "/lastUsedAt")?;

    show(service, caller, id, secret).await?;
    revoke_and_delete(service, caller, id, "revoking the token", || async {
        ask(service, "using the revoked token", secret, 401)
            .await
            .map(drop)
    })
    .await
}

/// Has the secret shown. Where an operator allows fewer views an hour than there are runs, it may be refused.
async fn show(
    service: &impl Service,
    caller: &Caller<'_>,
    id: &str,
    secret: &str,
) -> Result<(), Wrong> {
    let step = "showing the secret";
    let event = caller.event(Operation::RevealToken, id, None);
    let answer = service.invoke(Operation::RevealToken, &event).await;
    if let Ok(Answer { status: 429, body }) = &answer
        && body.pointer("/code").and_then(Value::as_str) == Some("budget_exceeded")
    {
        tracing::info!("the budget of views is spent");
        return Ok(());
    }
    let shown = expect(step, answer, 200)?;
    same(step, &shown, "/secret", secret)
}

/// Deletes tokens of earlier runs that ended half-way.
async fn remove_leftovers(
    service: &impl Service,
    caller: &Caller<'_>,
    now: Timestamp,
) -> Result<(), Wrong> {
    let step = "listing what earlier runs left behind";
    let event = caller.event(Operation::ListTokens, "", None);
    let list = invoke(service, step, Operation::ListTokens, &event, 200).await?;
    let tokens = list.body.pointer("/tokens").and_then(Value::as_array);
    let tokens = tokens.ok_or_else(|| wrong(step, "the answer has no list"))?;
    for token in tokens {
        let created = token.pointer("/createdAt").and_then(Value::as_str);
        let created: Option<Timestamp> = created.and_then(|time| time.parse().ok());
        let created = created.ok_or_else(|| wrong(step, "a token has no time of creation"))?;
        // A younger one is another run's.
        if now.duration_since(created) < LEFTOVER {
            continue;
        }
        let id = token.pointer("/id").and_then(Value::as_str);
        let id = id.ok_or_else(|| wrong(step, "a token has no id"))?;
        tracing::warn!(token.id = id, "an earlier run left a token behind");
        let nothing = || async { Ok(()) };
        revoke_and_delete(service, caller, id, "revoking a leftover", nothing).await?;
    }
    Ok(())
}

async fn revoke_and_delete<F: Future<Output = Result<(), Wrong>>>(
    service: &impl Service,
    caller: &Caller<'_>,
    id: &str,
    step: &'static str,
    between: impl FnOnce() -> F,
) -> Result<(), Wrong> {
    let reason = json!({"reason": "Created by the probe"});
    let event = caller.event(Operation::RevokeToken, id, Some(&reason));
    let revoked = invoke(service, step, Operation::RevokeToken, &event, 200).await?;
    same(step, &revoked, "/status", "revoked")?;
    between().await?;
    let event = caller.event(Operation::DeleteToken, id, None);
    let step = "deleting the token";
    invoke(service, step, Operation::DeleteToken, &event, 204).await?;
    let step = "reading the deleted token";
    let event = caller.event(Operation::GetToken, id, None);
    invoke(service, step, Operation::GetToken, &event, 404).await?;
    Ok(())
}

async fn invoke(
    service: &impl Service,
    step: &'static str,
    operation: Operation,
    event: &Value,
    status: u16,
) -> Result<Answer, Wrong> {
    expect(step, service.invoke(operation, event).await, status)
}

async fn ask(
    service: &impl Service,
    step: &'static str,
    secret: &str,
    status: u16,
) -> Result<Answer, Wrong> {
    expect(step, service.token_info(secret).await, status)
}

fn expect(
    step: &'static str,
    answer: Result<Answer, String>,
    status: u16,
) -> Result<Answer, Wrong> {
    let answer = answer.map_err(|problem| Wrong { step, problem })?;
    if answer.status == status {
        Ok(answer)
    } else {
        Err(wrong(
            step,
            &format!("the answer is {answer}, and not {status}"),
        ))
    }
}

/// Returns a text in an answer's body.
fn text<'a>(step: &'static str, answer: &'a Answer, pointer: &str) -> Result<&'a str, Wrong> {
    let text = answer.body.pointer(pointer).and_then(Value::as_str);
    text.ok_or_else(|| wrong(step, &format!("the answer has no {pointer}")))
}

fn same(step: &'static str, answer: &Answer, pointer: &str, value: &str) -> Result<(), Wrong> {
    if text(step, answer, pointer)? == value {
        Ok(())
    } else {
        Err(wrong(step, &format!("the answer has another {pointer}")))
    }
}

fn wrong(step: &'static str, problem: &str) -> Wrong {
    let problem = problem.to_owned();
    Wrong { step, problem }
}
