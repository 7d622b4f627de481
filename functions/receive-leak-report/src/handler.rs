//! Takes GitHub's reports of secrets that its secret scanning found in public, and ends them for ever.

mod finds;
mod github;
mod keys;
mod mails;
mod protocol;
mod signature;

use lambda_http::{Body, Request, Response};
use latchkey::domain::actor::Actor;
use latchkey::domain::audit::Source;
use latchkey::domain::entropy::Entropy;
use latchkey::domain::secret::PlainSecret;
use latchkey::http::sender::Sender;
use latchkey::http::{ApiError, response};
use latchkey::mail::Notifier;
use latchkey::ports::{
    CacheKeys, ClaimMail, Clock, CompromiseSecret, GetRecipients, GetSecret, GetSuppression,
    GetToken, SendMail,
};

use finds::report_all;
use mails::mail_all;
use protocol::Match;
use signature::check_signature;

pub use github::GitHub;
pub use keys::{FetchKeys, Keys};

/// Answers one request. A report may be as large as the gateway lets through: the largest leak is the worst.
///
/// # Errors
/// What the caller is answered instead. If a part of a report fails, the rest of it is dealt with
/// nevertheless; reported again, that part is known.
pub async fn handle(
    store: &(
         impl CacheKeys
         + GetSecret
         + GetToken
         + CompromiseSecret
         + GetRecipients
         + ClaimMail
         + GetSuppression
     ),
    keys: &Keys<impl FetchKeys>,
    notifier: &Notifier<impl SendMail>,
    system: &(impl Clock + Entropy),
    request: Request,
) -> Result<Response<Body>, ApiError> {
    let begin = system.now();
    let body: &[u8] = request.body();
    check_signature(store, keys, system, &request).await?;
    let matches: Vec<Match> = serde_json::from_slice(body).map_err(malformed)?;
    let origin = Sender::of(&request)?.origin(Source::LeakReport, Actor::github());
    // What isn't well-formed costs no I/O.
    let finds = matches.iter().filter_map(Match::find);
    let reported = report_all(store, system, finds, &origin, begin).await;
    mail_all(store, notifier, system, &reported.records, begin).await;
    tracing::info!(
        finds = matches.len(),
        secrets = reported.known.len(),
        "leak report"
    );
    if let Some(error) = reported.failure {
        return Err(error.into());
    }
    let feedback = matches.iter().map(|found| {
        let secret = PlainSecret::parse(&found.token);
        found.feedback(secret.is_ok_and(|secret| reported.known.contains(&secret.hash())))
    });
    response::json(200, &feedback.collect::<Vec<_>>())
}

/// Where the body isn't what it should be, without its words: they may be a secret's.
fn malformed(error: serde_json::Error) -> ApiError {
    let (line, column) = (error.line(), error.column());
    ApiError::malformed_json(format!(
        "the body is not a report: line {line}, column {column}"
    ))
}

#[cfg(test)]
mod tests;
