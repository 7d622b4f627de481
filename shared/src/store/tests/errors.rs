//! The mapping of AWS errors that the engine can't produce.

use std::error::Error;

use aws_config::SdkConfig;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::*;
use crate::config::Tables;
use crate::ports::{GetAccount, GetToken, RecordUse};
use crate::store::Store;
use crate::testing::{Logs, Service, acme, service_config, token};

fn store(config: &SdkConfig) -> Store {
    let tables = Tables {
        tokens: "Tokens".into(),
        audit: "Audit".into(),
        audit_retention: SignedDuration::from_hours(400 * 24),
    };
    Store::new(config, tables)
}

fn error(code: &str) -> Value {
    json!({"__type": format!("com.amazonaws.dynamodb.v20120810#{code}"), "message": "no"})
}

/// The answer to a transaction that was cancelled for these reasons, one per item.
fn cancelled(reasons: &[&str]) -> (u16, Value) {
    let reasons: Vec<_> = reasons.iter().map(|code| json!({"Code": code})).collect();
    let mut body = error("TransactionCanceledException");
    body["CancellationReasons"] = json!(reasons);
    (400, body)
}

/// Reads from a service that gives this answer.
async fn read(status: u16, body: String) -> PortError {
    let (_, config) = Service::answering_with([(status, body)]).await;
    let read = store(&config).get_account(&acme().id).await;
    read.unwrap_err()
}

/// Writes to a service that gives these answers. Also returns the number of requests.
async fn write(answers: Vec<(u16, Value)>) -> (Result<(), PortError>, usize) {
    let (service, config) = Service::answering(answers).await;
    let stored = stored_token();
    let written = store(&config).insert_token(&creation(&stored)).await;
    (written, service.requests().len())
}

#[tokio::test]
async fn what_may_work_later_is_unavailable() {
    for (status, code) in [
        (400, "ThrottlingException"),
        (400, "ProvisionedThroughputExceededException"),
        (400, "RequestLimitExceeded"),
        (400, "LimitExceededException"),
        (400, "TransactionInProgressException"),
        (400, "RequestTimeoutException"),
        (400, "KeyUnavailableException"),
        // Those of SQS.
        (403, "RequestThrottled"),
        (400, "KmsThrottled"),
        (500, "InternalServerError"),
        (503, "ServiceUnavailable"),
    ] {
        let error = read(status, error(code).to_string()).await;
        assert!(
            matches!(error, PortError::Unavailable(_)),
            "{code}: {error}"
        );
    }
}

#[tokio::test]
async fn what_will_never_work_is_broken() {
    for code in [
        "AccessDeniedException",
        "ResourceNotFoundException",
        "ValidationException",
        "UnrecognizedClientException",
        "NobodyKnowsException",
    ] {
        let error = read(400, error(code).to_string()).await;
        assert!(matches!(error, PortError::Broken(_)), "{code}: {error}");
    }
}

#[tokio::test]
async fn a_proxys_failure_is_unavailable() {
    for body in ["", "<html>Bad gateway</html>"] {
        let error = read(502, body.into()).await;
        assert!(matches!(error, PortError::Unavailable(_)), "{error}");
    }
}

#[tokio::test]
async fn a_service_that_cannot_be_reached_is_unavailable() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let config = service_config(&listener.local_addr().unwrap().to_string());
    drop(listener);
    let read = store(&config)
        .get_token(&acme().id, &token().id, now())
        .await;
    let error = read.unwrap_err();
    assert!(matches!(error, PortError::Unavailable(_)), "{error}");
    let text = error.to_string();
    let (reason, details) = text.split_once(" (").unwrap();
    assert_eq!(reason, "unavailable: dynamodb:GetItem dispatch failure");
    assert!(details.contains("Connection refused"), "{details}");
    // Callers can inspect the SDK's own error.
    let cause = error.source().unwrap();
    assert!(cause.source().is_some_and(|sdk| sdk.source().is_some()));
}

/// The log has the text, and is counted by what comes before the parenthesis.
#[tokio::test]
async fn an_error_names_the_call_and_the_reason_before_what_differs() {
    for (status, body, expected) in [
        (
            400,
            error("AccessDeniedException").to_string(),
            "failed: dynamodb:GetItem AccessDeniedException (no; request without an id)",
        ),
        (
            502,
            "<html>Bad gateway</html>".to_owned(),
            "unavailable: dynamodb:GetItem status 502 (no message; request without an id)",
        ),
    ] {
        assert_eq!(read(status, body).await.to_string(), expected);
    }
}

#[tokio::test]
async fn a_condition_that_does_not_hold_is_a_conflict_at_once() {
    for reasons in [
        &["None", "ConditionalCheckFailed", "None"],
        &["TransactionConflict", "ConditionalCheckFailed", "None"],
    ] {
        let (written, asked) = write(vec![cancelled(reasons)]).await;
        assert!(is_conflict(written));
        assert_eq!(asked, 1);
    }
}

#[tokio::test]
async fn a_collision_is_tried_again() {
    let collision = || cancelled(&["None", "TransactionConflict", "None"]);
    let logs = Logs::start();
    let (written, asked) = write(vec![collision(), collision(), (200, json!({}))]).await;
    assert!(written.is_ok());
    assert_eq!(asked, 3);
    assert_eq!(logs.take_measures(), vec![("retried".to_owned(), 1); 2]);
}

#[tokio::test]
async fn a_collision_that_does_not_end_is_a_conflict() {
    let collision = cancelled(&["None", "TransactionConflict", "None"]);
    let (written, asked) = write(vec![collision; 5]).await;
    assert!(is_conflict(written));
    assert_eq!(asked, 5);
}

#[tokio::test]
async fn a_throttled_transaction_is_unavailable() {
    for code in ["ThrottlingError", "ProvisionedThroughputExceeded"] {
        let (written, asked) = write(vec![cancelled(&["None", code])]).await;
        assert!(matches!(written, Err(PortError::Unavailable(_))), "{code}");
        assert_eq!(asked, 1);
    }
}

/// Concurrent first uses exhaust the partition of a large secret, and one of them is recorded.
#[tokio::test]
async fn a_use_that_is_not_the_only_one_is_to_be_looked_at_again_at_once() {
    for code in [
        "TransactionConflict",
        "ThrottlingError",
        "ProvisionedThroughputExceeded",
        "ConditionalCheckFailed",
    ] {
        let (service, config) = Service::answering([cancelled(&[code, "None", "None"])]).await;
        let used = super::uses::first_use();
        assert!(
            is_conflict(store(&config).record_use(&used).await),
            "{code}"
        );
        assert_eq!(service.requests().len(), 1);
    }
}

#[tokio::test]
async fn a_transaction_that_is_wrong_is_broken() {
    let reasons = ["ValidationError", "ItemCollectionSizeLimitExceeded"];
    for code in reasons {
        let (written, asked) = write(vec![cancelled(&["None", code])]).await;
        assert!(matches!(written, Err(PortError::Broken(_))), "{code}");
        assert_eq!(asked, 1);
    }
}

#[tokio::test]
async fn keys_that_a_batch_left_out_are_asked_for_again() {
    use crate::ports::GetResources;
    let names = ["exp_1", "exp_2"].map(|id| super::platform::name("export", id));
    let item = |id: &str| json!({"accountId": {"S": "acme"}, "type": {"S": "export"}, "id": {"S": id}, "name": {"S": id}});
    let left = json!({"Tokens": {"ConsistentRead": true, "Keys": [
        {"pk": {"S": "RESOURCE#acme"}, "sk": {"S": "export#exp_2"}}
    ]}});
    let (service, config) = Service::answering([
        (
            200,
            json!({"Responses": {"Tokens": [item("exp_1")]}, "UnprocessedKeys": left}),
        ),
        (
            200,
            json!({"Responses": {"Tokens": [item("exp_2")]}, "UnprocessedKeys": {}}),
        ),
    ])
    .await;
    let found = store(&config).get_resources(&acme().id, &names).await;
    let found: Vec<_> = found.unwrap().iter().map(|r| r.reference()).collect();
    assert_eq!(found, names);
    assert_eq!(service.requests()[1]["RequestItems"], left);
}

#[tokio::test]
async fn keys_that_stay_left_out_are_not_asked_for_without_end() {
    use crate::ports::GetResources;
    let names = ["exp_1", "exp_2"].map(|id| super::platform::name("export", id));
    let left =
        json!({"Tokens": {"Keys": [{"pk": {"S": "RESOURCE#acme"}, "sk": {"S": "export#exp_2"}}]}});
    let answer = (200, json!({"Responses": {}, "UnprocessedKeys": left}));
    let (service, config) = Service::answering(vec![answer; 10]).await;
    let found = store(&config).get_resources(&acme().id, &names).await;
    assert!(matches!(found, Err(PortError::Unavailable(_))), "{found:?}");
    assert_eq!(service.requests().len(), 6);
}
