//! Steps through the handlers and through the model, which must agree afterwards.

use contract::Call;
use jiff::SignedDuration;
use latchkey::testing::Answer;
use serde_json::json;

use crate::check::{agree, check, recorded, said};
use crate::delays::{Change, TABLES};
use crate::history::{DAY, Step, Which};
use crate::spec::{LATE, Model, Tag};
use crate::world::{TOKENS, World, random};

/// Takes a step, and compares all that is seen afterwards. `number` counts the steps.
///
/// # Errors
/// How the handlers and the model differ.
pub(crate) async fn take(
    step: &Step,
    number: usize,
    world: &mut World<'_>,
    model: &mut Model,
) -> Result<(), String> {
    world.wait(1);
    model.now += SignedDuration::from_secs(1);
    model.settled = world.delays.lag().await == 0;
    act(step, world, model).await?;
    check(number, number % 4 == 3, world, model).await
}

/// Delivers and settles all that is left, and compares once more. Nothing may be out of date then.
///
/// # Errors
/// How the handlers and the model differ.
pub(crate) async fn finish(world: &mut World<'_>, model: &mut Model) -> Result<(), String> {
    quiet(world, model).await;
    // What is used and refused in the comparison is recorded, too. So it is compared again.
    for number in 0..2 {
        check(number, true, world, model).await?;
        quiet(world, model).await;
    }
    agree("the mails", &world.mails(), &vec![model.mails; 2])
}

/// Delivers and settles all that is left.
async fn quiet(world: &mut World<'_>, model: &mut Model) {
    let mut random = random(0);
    for time in std::mem::take(&mut world.undone) {
        world.platform(true, time).await;
        model.delete_account(time);
    }
    for table in TABLES {
        let changes = world.deliver_all(table, &mut random).await;
        told(&changes, world, model);
    }
    world.delays.settle(usize::MAX, &mut random).await;
    model.settled = true;
}

/// Passes time. Copies and streams lag for less than an hour.
async fn wait(seconds: i64, world: &mut World<'_>, model: &mut Model) {
    if seconds >= 3_600 {
        quiet(world, model).await;
    }
    world.wait(seconds);
    model.now += SignedDuration::from_secs(seconds);
}

/// Tells the model what the streams' readers were told.
fn told(changes: &[Change], world: &World<'_>, model: &mut Model) {
    for change in changes {
        let token = change
            .old
            .as_ref()
            .and_then(|item| world.number(&item["id"]["S"]));
        if let Some(token) = token.filter(|_| change.expired) {
            model.purged(token);
        }
        if change.key.0 == TABLES[1] && change.old.is_none() {
            let changes = change
                .new
                .as_ref()
                .and_then(|item| item["changes"]["L"].as_array());
            let mut changes = changes.into_iter().flatten().map(|change| &change["M"]);
            let days = changes.find(|change| change["field"]["S"] == "daysRefused");
            model.told(days.map(|days| days["new"]["S"].as_str().unwrap()));
        }
    }
}

async fn act(step: &Step, world: &mut World<'_>, model: &mut Model) -> Result<(), String> {
    let count = world.ids.len();
    let pick = |which: &Which| (count > 0).then(|| count - 1 - which % count);
    let of = |token: usize, path: &str| format!("{TOKENS}/{}{path}", world.ids[token]);
    match step {
        Step::Create(life, key) => {
            let body = json!({"name": "New", "autoPurge": life.name(), "scope": {"type": "full"}});
            let call = with_key(Call::new("POST", TOKENS).json(&body), *key);
            let answer = world.ask(call).await;
            world.learn(&answer);
            let wanted = model.create(*life, *key, hint(&answer));
            said(&answer, wanted, world, model)
        }
        Step::Edit(which, name, life, tag) => {
            let Some(token) = pick(which) else {
                return Ok(());
            };
            let name = name.map(|name| format!("Name {name}"));
            let mut body = json!({});
            if let Some(name) = &name {
                body["name"] = json!(name);
            }
            if let Some(life) = life {
                body["autoPurge"] = json!(life.name());
            }
            let call = Call::new("PATCH", &of(token, "")).json(&body);
            let answer = world.ask(tagged(call, model, token, *tag)).await;
            let wanted = model.edit(token, name.as_deref(), *life, *tag);
            said(&answer, wanted, world, model)
        }
        Step::Regenerate(which, grace, key, tag) => {
            let Some(token) = pick(which) else {
                return Ok(());
            };
            let call = Call::new("POST", &of(token, "/regenerate"));
            let call = with_key(call.json(&json!({"gracePeriodSeconds": grace})), *key);
            let answer = world.ask(tagged(call, model, token, *tag)).await;
            world.learn(&answer);
            let wanted = model.regenerate(token, *grace, *key, *tag, hint(&answer));
            said(&answer, wanted, world, model)
        }
        Step::Retire(which, tag) => {
            let Some(token) = pick(which) else {
                return Ok(());
            };
            let call = Call::new("POST", &of(token, "/retire"));
            let answer = world.ask(tagged(call, model, token, *tag)).await;
            let wanted = model.retire(token, *tag);
            said(&answer, wanted, world, model)
        }
        Step::Revoke(which, why, tag) => {
            let Some(token) = pick(which) else {
                return Ok(());
            };
            let reason = why.then_some("no longer needed");
            let mut call = Call::new("POST", &of(token, "/revoke"));
            if let Some(reason) = reason {
                call = call.json(&json!({"reason": reason}));
            }
            let answer = world.ask(tagged(call, model, token, *tag)).await;
            let wanted = model.revoke(token, reason, *tag);
            said(&answer, wanted, world, model)
        }
        Step::Reactivate(which, tag) => {
            let Some(token) = pick(which) else {
                return Ok(());
            };
            let call = Call::new("POST", &of(token, "/reactivate"));
            let answer = world.ask(tagged(call, model, token, *tag)).await;
            let wanted = model.reactivate(token, *tag);
            said(&answer, wanted, world, model)
        }
        Step::Delete(which, tag) => {
            let Some(token) = pick(which) else {
                return Ok(());
            };
            let call = Call::new("DELETE", &of(token, ""));
            let answer = world.ask(tagged(call, model, token, *tag)).await;
            let wanted = model.delete(token, *tag);
            said(&answer, wanted, world, model)
        }
        Step::Reveal(which, tag) => {
            let Some(token) = pick(which) else {
                return Ok(());
            };
            let call = Call::new("POST", &of(token, "/reveal"));
            let answer = world.ask(tagged(call, model, token, *tag)).await;
            let wanted = model.reveal(token, *tag);
            let shown = wanted.ok().and_then(|wanted| wanted.secret);
            if let Some(secret) = shown {
                let secret = &world.secrets[token][secret];
                agree(
                    "the shown secret",
                    answer.json["secret"].as_str().unwrap_or_default(),
                    secret,
                )?;
            }
            said(&answer, wanted, world, model)
        }
        Step::GiveUp(which, secret) | Step::Leak(which, secret) => {
            let Some(token) = pick(which) else {
                return Ok(());
            };
            let secrets = &world.secrets[token];
            let secret = secrets.len() - 1 - secret % secrets.len();
            let text = secrets[secret].clone();
            let is_leak = matches!(step, Step::Leak(..));
            let answer = if is_leak {
                world.report(&text).await
            } else {
                world
                    .ask(Call::new("POST", "/v1/revoke").form(&format!("token={text}")))
                    .await
            };
            agree("the status", &answer.status, &200)?;
            if is_leak {
                let known = !model.tokens[token].secrets[secret].is_forgotten();
                let label = if known {
                    "true_positive"
                } else {
                    "false_positive"
                };
                agree(
                    "the label",
                    answer.json[0]["label"].as_str().unwrap_or_default(),
                    label,
                )?;
            }
            model.compromise(token, secret, is_leak);
            Ok(())
        }
        Step::DeleteAccount => {
            world.platform(true, model.now).await;
            model.delete_account(model.now);
            Ok(())
        }
        Step::DeleteAccountLate(seconds) => {
            let time = model.now - SignedDuration::from_secs(*seconds);
            world.platform(true, time).await;
            model.delete_account(time);
            Ok(())
        }
        Step::DeleteAccountPartly => {
            world.platform_fails(model.now).await;
            model.mark_deleted(model.now);
            Ok(())
        }
        Step::PutAccount(is_late) => {
            let time = if *is_late {
                latchkey::testing::now().max(model.now - LATE)
            } else {
                model.now
            };
            world.platform(false, time).await;
            model.put_account(time);
            Ok(())
        }
        Step::Wait(seconds) => {
            wait(*seconds, world, model).await;
            Ok(())
        }
        Step::RevokeIdle(days) => {
            if *days > 0 {
                wait(days * DAY, world, model).await;
            }
            let wanted = model.idle();
            world.revoke_idle().await;
            let done = recorded("revoke", world).await;
            may_lag("the idle tokens", &done, &wanted, model)?;
            for token in done {
                model.revoke_idle(token);
            }
            Ok(())
        }
        Step::Remind(days) => {
            if *days > 0 {
                wait(days * DAY, world, model).await;
            }
            let wanted = model.ending();
            world.remind().await;
            let done = recorded("remind", world).await;
            let tokens: Vec<_> = wanted.iter().map(|(token, _)| *token).collect();
            may_lag("the ending tokens", &done, &tokens, model)?;
            for (token, days) in wanted {
                if done.contains(&token) {
                    model.warn(token, days);
                }
            }
            Ok(())
        }
        Step::Sweep => {
            // Whoever left the profile's people out would have to know who had been told before.
            quiet(world, model).await;
            world.delays.sweep(model.now).await;
            model.sweep();
            Ok(())
        }
        Step::Deliver(is_audit, seed) => {
            let table = TABLES[usize::from(*is_audit)];
            let changes = world.deliver(table, &mut random(*seed)).await;
            told(&changes, world, model);
            Ok(())
        }
        Step::Settle(count, seed) => {
            world.delays.settle(*count, &mut random(*seed)).await;
            Ok(())
        }
    }
}

/// Compares tokens that an index named with those that it should have named. An index that lags may leave some out.
fn may_lag(what: &str, done: &[usize], wanted: &[usize], model: &Model) -> Result<(), String> {
    if model.settled || done.iter().any(|token| !wanted.contains(token)) {
        return agree(what, done, wanted);
    }
    Ok(())
}

/// Sets the version that the token must have.
fn tagged(call: Call, model: &Model, token: usize, tag: Tag) -> Call {
    let version = model.tokens[token].version;
    match tag {
        Tag::Any => call,
        Tag::Current => call.header("if-match", &format!("\"{version}\"")),
        Tag::Former => call.header("if-match", &format!("\"{}\"", version - 1)),
    }
}

fn with_key(call: Call, key: Option<u8>) -> Call {
    match key {
        Some(key) => call.header("idempotency-key", &format!("key-{key}")),
        None => call,
    }
}

/// The last four characters of the secret in an answer.
fn hint(answer: &Answer) -> &str {
    let secret = answer.json["secret"].as_str().unwrap_or_default();
    &secret[secret.len().saturating_sub(4)..]
}
