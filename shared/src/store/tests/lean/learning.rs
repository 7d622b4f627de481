//! What the lean way learns, when it is off, and how it signs.

use std::time::{Duration, SystemTime};

use aws_config::stalled_stream_protection::StalledStreamProtectionConfig;
use aws_credential_types::Credentials;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider, future};
use aws_sdk_dynamodb::config::retry::RetryConfig;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4::SigningParams;
use aws_smithy_async::time::TimeSource;

use super::script::{Hands, Request, Script, configuration, credentials};
use super::{Call, PATIENT, call, error, store};
use crate::store::Store;

/// The header `authorization` that the SDK's own crate computes for a request.
fn signature(request: &Request, key: &str, region: &str, at: SystemTime) -> String {
    let token = Some(format!("token-of-{key}"));
    let identity = Credentials::new(key, "hush-hush", token, None, "tests").into();
    let params = SigningParams::builder()
        .identity(&identity)
        .region(region)
        .name("dynamodb")
        .time(at)
        .settings(SigningSettings::default())
        .build()
        .unwrap()
        .into();
    let uri = format!("http://{}/", request.header("host"));
    let own = [
        "authorization",
        "x-amz-date",
        "x-amz-security-token",
        "host",
        "amz-sdk-invocation-id",
        "amz-sdk-request",
    ];
    let headers = request.headers.iter();
    let headers = headers.filter(|(name, _)| !own.contains(&name.as_str()));
    let headers = headers.map(|(name, value)| (name.as_str(), value.as_str()));
    let body = SignableBody::Bytes(request.body.as_bytes());
    let request = SignableRequest::new("POST", uri, headers, body).unwrap();
    let (instructions, _) = sign(request, &params).unwrap().into_parts();
    let found = instructions
        .headers()
        .find(|(name, _)| *name == "authorization");
    found.unwrap().1.to_owned()
}

#[tokio::test]
async fn lean_requests_are_signed_as_the_sdk_signs() {
    let (script, address) = Script::start().await;
    let clock = Hands::new();
    let config = configuration(
        &address,
        "signed",
        credentials("AKID", None),
        Some(&clock),
        PATIENT,
    );
    let store = store(&config);
    store.warm().await.unwrap();
    script.take();
    for which in [Call::Item, Call::Batch, Call::Item] {
        clock.forward(Duration::from_secs(7));
        call(&store, which).await;
        let [request] = &script.take()[..] else {
            panic!("one request")
        };
        assert!(!request.is_of_the_client());
        let expected = signature(request, "AKID", "signed", clock.now());
        assert_eq!(request.header("authorization"), expected);
        assert_eq!(request.header("x-amz-security-token"), "token-of-AKID");
        assert_eq!(
            request.header("user-agent"),
            concat!("latchkey/", env!("CARGO_PKG_VERSION"))
        );
    }
}

/// Whether the next read is lean.
async fn reads_lean(store: &Store, script: &Script) -> bool {
    call(store, Call::Item).await;
    let requests = script.take();
    assert_eq!(requests.len(), 1);
    !requests[0].is_of_the_client()
}

#[tokio::test]
async fn the_client_reads_now_and_then_and_on_each_new_day() {
    let (script, address) = Script::start().await;
    let clock = Hands::new();
    let config = configuration(
        &address,
        "days",
        credentials("AKID", None),
        Some(&clock),
        PATIENT,
    );
    let store = store(&config);
    let mut leans = Vec::new();
    for minutes in [0, 0, 4, 1, 0, 719, 0, 0] {
        clock.forward(Duration::from_mins(minutes));
        leans.push(reads_lean(&store, &script).await);
    }
    assert_eq!(leans, [false, true, true, false, true, false, true, true]);
    // What was learned at 23:58 doesn't hold on the next day.
    let mut leans = Vec::new();
    for minutes in [1_434, 0, 3, 0] {
        clock.forward(Duration::from_mins(minutes));
        leans.push(reads_lean(&store, &script).await);
    }
    assert_eq!(leans, [false, true, false, true]);
}

/// Credentials that are exchanged at every call.
#[derive(Debug, Default)]
struct Changing(std::sync::atomic::AtomicUsize);

impl ProvideCredentials for Changing {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        let number = self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let key = format!("AKID{number}");
        future::ProvideCredentials::ready(Ok(Credentials::new(key, "x", None, None, "tests")))
    }
}

#[tokio::test]
async fn other_credentials_signatures_and_retries_are_left_to_the_client() {
    let clock = Hands::new();
    let soon = Some(SystemTime::UNIX_EPOCH + Duration::from_secs(20_000 * 86_400 + 43_230));
    let expiring = || credentials("AKID", soon);
    let cases = ["expiring", "changing", "adaptive", "guarded", "lean"];
    for name in cases {
        let (script, address) = Script::start().await;
        let known = credentials("AKID", None);
        let config = configuration(&address, name, known, Some(&clock), PATIENT).into_builder();
        let config = match name {
            "expiring" => config.credentials_provider(expiring()),
            "changing" => {
                config.credentials_provider(SharedCredentialsProvider::new(Changing::default()))
            }
            "adaptive" => config.retry_config(RetryConfig::adaptive()),
            "guarded" => {
                config.stalled_stream_protection(StalledStreamProtectionConfig::enabled().build())
            }
            _ => config,
        };
        let store = store(&config.build());
        let mut leans = Vec::new();
        for _ in 0..3 {
            leans.push(reads_lean(&store, &script).await);
        }
        assert_eq!(leans, [false, name == "lean", name == "lean"], "{name}");
    }
}

#[tokio::test]
async fn a_refused_key_is_replaced_by_the_clients() {
    let (script, address) = Script::start().await;
    let store = store(&configuration(
        &address,
        "refused",
        credentials("AKID", None),
        None,
        PATIENT,
    ));
    store.warm().await.unwrap();
    assert!(script.take().len() == 1 && reads_lean(&store, &script).await);
    script.then(&[error(400, "UnrecognizedClientException")]);
    assert!(
        call(&store, Call::Item)
            .await
            .contains("UnrecognizedClientException")
    );
    // One request, and what was learned is learned anew.
    assert_eq!(script.take().len(), 1);
    assert!(reads_lean(&store, &script).await);
}

#[tokio::test]
async fn nothing_shows_keys_and_tokens() {
    let (_, address) = Script::start().await;
    let store = store(&configuration(
        &address,
        "shown",
        credentials("AKID", None),
        None,
        PATIENT,
    ));
    for _ in 0..2 {
        store.warm().await.unwrap();
        let shown = format!("{store:?}");
        assert!(
            !shown.contains("hush-hush") && !shown.contains("token-of"),
            "{shown}"
        );
    }
}
