//! Receives GitHub's reports of secrets that were found in public, and ends those secrets permanently.

mod finds;
mod github;
mod keys;
mod mails;
mod protocol;
mod signature;

use lambda_http::{Body, Request, Response};
use latchkey::app::measure::{Measure, count};
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

/// Checks the report's signature, compromises every secret in the report that belongs to a token, and mails the people
/// of its account. Returns for each find whether it was the secret of a token. The gateway's limit is the only limit
/// of a report's size: the largest leak is the worst.
///
/// # Errors
/// `invalid_signature`, `malformed_json`, and `unavailable` or `internal_error` if the keys can't be obtained or a part
/// of the report couldn't be processed. The other parts are processed all the same, and a repeated report skips them.
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
    // Malformed secrets cost no reads.
    let finds = matches.iter().filter_map(Match::find);
    let reported = report_all(store, system, finds, &origin, begin).await;
    count(Measure::Leak, reported.records.len());
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

/// Says where the body is malformed without quoting it: the text may hold a secret.
fn malformed(error: serde_json::Error) -> ApiError {
    let (line, column) = (error.line(), error.column());
    ApiError::malformed_json(format!(
        "the body is not a report: line {line}, column {column}"
    ))
}

#[cfg(test)]
mod tests;
