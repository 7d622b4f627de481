//! What is compared after each step: the answers, the lists, the audit log, and what each secret does now.

use std::fmt::Debug;

use contract::Call;
use jiff::Timestamp;
use latchkey::ports::Clock;
use latchkey::testing::Answer;
use serde_json::Value;

use crate::spec::{Model, Record, Said};
use crate::world::{TOKENS, World};

/// Compares what was found with what the model says.
///
/// # Errors
/// The difference.
pub(crate) fn agree<T: PartialEq + Debug + ?Sized>(
    what: &str,
    found: &T,
    wanted: &T,
) -> Result<(), String> {
    if found == wanted {
        return Ok(());
    }
    Err(format!("{what}: {found:?}, but the model says {wanted:?}"))
}

/// Compares the answer to a request.
///
/// # Errors
/// The difference.
pub(crate) fn said(
    answer: &Answer,
    wanted: Result<Said, Said>,
    world: &World<'_>,
    model: &Model,
) -> Result<(), String> {
    let wanted = wanted.unwrap_or_else(|refused| refused);
    agree(
        "the answer",
        &answer.outcome(),
        &(wanted.status, wanted.code),
    )?;
    let has_secret = answer.json["secret"].is_string();
    agree(
        "whether there is a secret",
        &has_secret,
        &wanted.secret.is_some(),
    )?;
    let Some(token) = wanted.token else {
        return Ok(());
    };
    let version = format!("\"{}\"", model.tokens[token].version);
    agree("the ETag", answer.header("etag"), &*version)?;
    let shown = answer.json.get("token").unwrap_or(&answer.json);
    agree("the token", &world.number(&shown["id"]), &Some(token))?;
    agree_on(token, shown, true, model)
}

/// Compares a token's JSON. A list's last uses are read from a copy, and may be out of date until all is settled.
fn agree_on(token: usize, shown: &Value, is_fresh: bool, model: &Model) -> Result<(), String> {
    for (field, wanted) in model.shown(token).as_object().unwrap() {
        agree(
            &format!("`{field}` of token #{token}"),
            &shown[field],
            wanted,
        )?;
    }
    let uses = &model.tokens[token].uses;
    let last: Option<Timestamp> = shown["lastUsedAt"]
        .as_str()
        .map(|time| time.parse().unwrap());
    let what = format!("`lastUsedAt` of token #{token}");
    if (is_fresh || model.settled) && !model.tokens[token].hazy {
        return agree(&what, &last, &uses.last().copied());
    }
    // It may be an earlier one, but is never made up.
    match last {
        Some(last) if !uses.contains(&last) => agree(&what, &Some(last), &uses.last().copied()),
        _ => Ok(()),
    }
}

/// Compares what each secret does, the list of tokens, and the audit log: all of it, or only what is new. `number` decides
/// who asks about which secret.
///
/// # Errors
/// The difference.
pub(crate) async fn check(
    number: usize,
    is_all: bool,
    world: &mut World<'_>,
    model: &mut Model,
) -> Result<(), String> {
    for token in 0..world.secrets.len() {
        for secret in 0..world.secrets[token].len() {
            verify(number + token + secret, (token, secret), world, model).await?;
        }
    }
    model.settled = world.delays.lag().await == 0;
    let tokens = list(world, model).await?;
    if is_all && !world.ids.is_empty() {
        let token = number % world.ids.len();
        let answer = world
            .ask(Call::new("GET", &format!("{TOKENS}/{}", world.ids[token])))
            .await;
        said(&answer, model.get(token), world, model)?;
        if tokens {
            log_of(token, world, model).await?;
        }
    }
    if tokens {
        let from = if is_all { Timestamp::MIN } else { model.now };
        log(from, world, model).await?;
    }
    Ok(())
}

/// Compares what a secret does now with what the model says. Who asks alternates.
async fn verify(
    turn: usize,
    (token, secret): (usize, usize),
    world: &mut World<'_>,
    model: &mut Model,
) -> Result<(), String> {
    let text = world.secrets[token][secret].clone();
    let what = format!("secret {secret} of token #{token}");
    let works = |token: &usize| {
        model
            .verdict(*token, model.tokens[*token].current())
            .is_ok()
    };
    let asker = (0..world.ids.len()).rev().find(works);
    match (turn % 3, asker) {
        (0, _) => {
            let wanted = model.verify(token, secret, None);
            let allowed = world.authorize(&text).await;
            agree(&format!("authorize with {what}"), &allowed, &wanted.is_ok())
        }
        (1, Some(asker)) => {
            let current = model.tokens[asker].current();
            let own = model.verify(asker, current, None);
            agree("whether the asker's secret works", &own, &Ok(()))?;
            let wanted = model.verify(token, secret, Some(asker));
            let own = world.secrets[asker][current].clone();
            let call = Call::new("POST", "/v1/introspect").form(&format!("token={text}"));
            let answer = world.ask(call.bearer(&own)).await;
            agree("the answer", &answer.outcome(), &(200, ""))?;
            let active = answer.json["active"] == true;
            agree(&format!("introspect {what}"), &active, &wanted.is_ok())
        }
        _ => {
            let wanted = model.verify(token, secret, None);
            let answer = world
                .ask(Call::new("GET", "/v1/tokenInfo").bearer(&text))
                .await;
            let outcome = if wanted.is_ok() {
                (200, "")
            } else {
                (401, "invalid_token")
            };
            agree(
                &format!("token-info of {what}"),
                &answer.outcome(),
                &outcome,
            )?;
            let told = world.number(&answer.json["id"]);
            agree("the token", &told, &wanted.is_ok().then_some(token))
        }
    }
}

/// Compares the list of tokens. Returns whether there is one.
async fn list(world: &mut World<'_>, model: &Model) -> Result<bool, String> {
    let answer = world
        .ask(Call::new("GET", &format!("{TOKENS}?limit=100")))
        .await;
    let wanted = match model.list() {
        Ok(wanted) => wanted,
        Err(refused) => {
            agree(
                "the list",
                &answer.outcome(),
                &(refused.status, refused.code),
            )?;
            return Ok(false);
        }
    };
    let listed = answer.json["tokens"].as_array().into_iter().flatten();
    let listed: Vec<_> = listed.collect();
    let numbers: Vec<_> = listed
        .iter()
        .map(|token| world.number(&token["id"]))
        .collect();
    let wanted_numbers: Vec<_> = wanted.iter().copied().map(Some).collect();
    agree("the list", &numbers, &wanted_numbers)?;
    for (token, shown) in wanted.into_iter().zip(listed) {
        agree_on(token, shown, false, model)?;
    }
    Ok(true)
}

/// Compares the account's audit log from a time on. It is never out of date.
async fn log(from: Timestamp, world: &mut World<'_>, model: &Model) -> Result<(), String> {
    let path = "/v1/accounts/acme/audit";
    let query = if from == Timestamp::MIN {
        String::new()
    } else {
        format!("&from={from}")
    };
    let mut found = records(path, &query, world).await;
    let wanted = model.records.iter().filter(|record| record.time >= from);
    let mut wanted: Vec<_> = wanted.cloned().collect();
    found.sort();
    wanted.sort();
    differ("the audit log", &found, &wanted)
}

/// Compares a token's audit log. It may lack records for a while, but has none that isn't one.
async fn log_of(token: usize, world: &mut World<'_>, model: &Model) -> Result<(), String> {
    let path = format!("{TOKENS}/{}/audit", world.ids[token]);
    let mut found = records(&path, "", world).await;
    let wanted = model.records.iter().filter(|record| record.token == token);
    let mut wanted: Vec<_> = wanted.cloned().collect();
    if !model.settled {
        found.retain(|record| !model.removed.contains(record));
        // Two records may be alike, and the log may have only one of them yet.
        let mut left = found.clone();
        wanted.retain(|record| {
            let at = left.iter().position(|it| it == record);
            at.map(|at| left.swap_remove(at)).is_some()
        });
    }
    found.sort();
    wanted.sort();
    differ(&format!("the log of token #{token}"), &found, &wanted)
}

/// Names the records that only one of two logs has.
fn differ(what: &str, found: &[Record], wanted: &[Record]) -> Result<(), String> {
    if found == wanted {
        return Ok(());
    }
    let only = |of: &[Record], other: &[Record]| -> Vec<Record> {
        of.iter()
            .filter(|record| !other.contains(record))
            .cloned()
            .collect()
    };
    let (more, less) = (only(found, wanted), only(wanted, found));
    let counts = (found.len(), wanted.len());
    Err(format!(
        "{what} has {more:?} and lacks {less:?}, with {counts:?} records"
    ))
}

/// The tokens that have a record of an action of the system at this moment.
pub(crate) async fn recorded(action: &str, world: &mut World<'_>) -> Vec<usize> {
    let now = world.system.now();
    let query = format!("&from={now}");
    let mut records = records("/v1/accounts/acme/audit", &query, world).await;
    records.retain(|it| it.time == now && it.action == action && it.source == "system");
    let mut tokens: Vec<_> = records.into_iter().map(|record| record.token).collect();
    tokens.sort_unstable();
    tokens
}

/// All records of a log; none if there is no log.
async fn records(path: &str, filter: &str, world: &mut World<'_>) -> Vec<Record> {
    let mut records = Vec::new();
    let mut query = format!("limit=100{filter}");
    loop {
        let answer = world
            .ask(Call::new("GET", &format!("{path}?{query}")))
            .await;
        let page = answer.json["records"].as_array().into_iter().flatten();
        records.extend(page.map(|record| world.record(record)));
        match answer.next() {
            Some(next) => query = next.to_owned(),
            None => return records,
        }
    }
}
