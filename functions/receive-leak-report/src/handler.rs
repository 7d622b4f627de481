//! Takes GitHub's reports of secrets that its secret scanning found in public, and revokes their tokens.

mod github;
mod keys;
mod protocol;
mod signature;

use std::collections::{BTreeMap, BTreeSet};

use futures_util::{StreamExt, TryStreamExt, future, stream};
use lambda_http::{Body, Request, Response};
use latchkey::domain::audit::{Actor, Origin, Source};
use latchkey::domain::leak::{Find, report};
use latchkey::domain::ports::{Clock, Entropy, GetSecret, GetToken, PortError, RecordLeak};
use latchkey::domain::secret::{PlainSecret, SecretHash};
use latchkey::http::sender::Sender;
use latchkey::http::{ApiError, response};
use sha2::{Digest, Sha256};

use protocol::Match;
use signature::check_signature;

pub use github::GitHub;
pub use keys::{FetchKeys, Keys, PublicKey, current_keys};

/// The largest report, in bytes. GitHub sends what it found together, which may be a lot.
const MAX_REPORT: usize = 1024 * 1024;

/// The most finds of a report.
const MAX_FINDS: usize = 1_000;

/// How many secrets are dealt with at the same time.
const CONCURRENCY: usize = 16;

/// How many further finds of each of them, at the same time.
const CONCURRENT_FINDS: usize = 4;

/// Answers one request.
///
/// # Errors
/// What the caller is answered instead. If a part of a report fails, the rest of it is dealt with
/// nevertheless; reported again, that part is known.
pub async fn handle(
    store: &(impl GetSecret + GetToken + RecordLeak),
    keys: &Keys<impl FetchKeys>,
    system: &(impl Clock + Entropy),
    request: Request,
) -> Result<Response<Body>, ApiError> {
    let body: &[u8] = request.body();
    if body.len() > MAX_REPORT {
        return Err(ApiError::ReportTooLarge);
    }
    check_signature(keys, system, &request).await?;
    let matches: Vec<Match> = serde_json::from_slice(body).map_err(malformed)?;
    if matches.len() > MAX_FINDS {
        return Err(ApiError::ReportTooLarge);
    }
    let origin = &Sender::of(&request)?.origin(Source::LeakReport, Actor::github());

    // What isn't well-formed costs no I/O. The finds of one secret belong together: they change the
    // same token.
    let digest = Sha256::digest(body).into();
    let mut secrets = BTreeMap::<SecretHash, Vec<Find>>::new();
    for found in &matches {
        if let Some(find) = found.find(digest) {
            secrets.entry(find.secret).or_default().push(find);
        }
    }
    let mut reported = stream::iter(secrets)
        .map(|(secret, finds)| async move {
            let known = report_all(store, system, finds, origin).await;
            (secret, known)
        })
        .buffer_unordered(CONCURRENCY);
    let (mut known, mut failure) = (BTreeSet::new(), None);
    while let Some((secret, result)) = reported.next().await {
        match result {
            Ok(true) => {
                known.insert(secret);
            }
            Ok(false) => {}
            Err(error) => failure = Some(worse(failure, error)),
        }
    }
    tracing::info!(finds = matches.len(), secrets = known.len(), "leak report");
    if let Some(error) = failure {
        return Err(error.into());
    }
    let feedback = matches.iter().map(|found| {
        let secret = PlainSecret::parse(&found.token);
        found.feedback(secret.is_ok_and(|secret| known.contains(&secret.hash())))
    });
    response::json(200, &feedback.collect::<Vec<_>>())
}

/// Reports the finds of one secret. Answers whether it is one of a token.
async fn report_all(
    store: &(impl GetSecret + GetToken + RecordLeak),
    system: &(impl Clock + Entropy),
    finds: Vec<Find>,
    origin: &Origin,
) -> Result<bool, PortError> {
    let mut finds = finds.into_iter();
    let Some(first) = finds.next() else {
        return Ok(false);
    };
    let known = report(store, system, &first, origin).await?;
    // Most often the first one has revoked the token, and the others are only to be remembered.
    stream::iter(finds)
        .map(|find| async move { report(store, system, &find, origin).await })
        .buffer_unordered(CONCURRENT_FINDS)
        .try_fold(known, |known, other| future::ready(Ok(known || other)))
        .await
}

/// Where the body isn't what it should be, without its words: they may be a secret's.
fn malformed(error: serde_json::Error) -> ApiError {
    let (line, column) = (error.line(), error.column());
    ApiError::MalformedJson(format!(
        "the body is not a report: line {line}, column {column}"
    ))
}

/// Of two failures the one that isn't hopeless doesn't hide the one that is.
fn worse(one: Option<PortError>, other: PortError) -> PortError {
    match one {
        Some(broken @ PortError::Broken(_)) => broken,
        _ => other,
    }
}

#[cfg(test)]
mod tests;
