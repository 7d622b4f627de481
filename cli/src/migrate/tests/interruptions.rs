//! Tests of interruptions at any time.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use aws_config::SdkConfig;
use aws_config::retry::RetryConfig;
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::result::ConnectorError;

use super::*;

/// A connection that fails after a number of writes.
#[derive(Debug)]
struct Breaking {
    inner: SharedHttpConnector,
    writes: Arc<AtomicUsize>,
    most: usize,
    /// Whether one more write arrives, but not its response.
    unanswered: bool,
}

fn is_write(request: &HttpRequest) -> bool {
    let target = request.headers().get("x-amz-target").unwrap_or_default();
    ["PutItem", "DeleteItem", "UpdateItem", "TransactWriteItems"]
        .iter()
        .any(|write| target.ends_with(write))
}

fn broken() -> ConnectorError {
    ConnectorError::io("the connection broke".into())
}

impl HttpConnector for Breaking {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        if !is_write(&request) {
            return self.inner.call(request);
        }
        let before = self.writes.fetch_add(1, Ordering::Relaxed);
        if before < self.most {
            return self.inner.call(request);
        }
        if before > self.most || !self.unanswered {
            return HttpConnectorFuture::ready(Err(broken()));
        }
        let sent = self.inner.call(request);
        HttpConnectorFuture::new(async move {
            sent.await?;
            Err(broken())
        })
    }
}

/// Returns a store on the engine whose connection fails, and the number of its writes.
fn breaking(aws: &SdkConfig, most: usize, unanswered: bool) -> (Store, Arc<AtomicUsize>) {
    let writes = Arc::<AtomicUsize>::default();
    let plain = aws_smithy_http_client::Builder::new().build_http();
    let counted = Arc::clone(&writes);
    let client = http_client_fn(move |settings, components| {
        use aws_smithy_runtime_api::client::http::HttpClient;
        SharedHttpConnector::new(Breaking {
            inner: plain.http_connector(settings, components),
            writes: Arc::clone(&counted),
            most,
            unanswered,
        })
    });
    let config = aws
        .to_builder()
        .http_client(client)
        .retry_config(RetryConfig::disabled())
        .build();
    (Store::new(&config, Engine::tables()), writes)
}

/// Returns all items, without the random parts of audit records.
async fn outcome(engine: &Engine) -> (Vec<Value>, Vec<Value>) {
    let mut records = engine.audit_images().await;
    for record in &mut records {
        record.as_object_mut().unwrap().remove("sk");
    }
    records.sort_by_key(|record| (record["action"].to_string(), record["tokenId"].to_string()));
    let mut items = engine.token_images().await;
    items.sort_by_key(|item| (item["pk"].to_string(), item["sk"].to_string()));
    (items, records)
}

#[tokio::test]
async fn after_any_write_the_next_run_goes_on() {
    let whole = first_engine().await;
    let (store, writes) = breaking(&whole.aws, usize::MAX, false);
    let done = migrate(&store, &system_at(now()), AFTER, |_| {}).await;
    assert_eq!(done.failures, Vec::<String>::new());
    let (expected, writes) = (outcome(&whole).await, writes.load(Ordering::Relaxed));
    // Every run fails after its first write, or without the response to it.
    for (most, unanswered) in [(1, false), (0, true)] {
        let engine = first_engine().await;
        let mut runs = 0;
        loop {
            let (store, _) = breaking(&engine.aws, most, unanswered);
            let broken = migrate(&store, &system_at(now()), AFTER, |_| {}).await;
            runs += 1;
            assert!(runs <= writes + 1, "{broken}");
            if broken.failures.is_empty() {
                break;
            }
        }
        assert_eq!(outcome(&engine).await, expected);
        assert!(runs > writes / 2, "{runs} of {writes}");
    }
    // The next run does everything that is left.
    for most in 0..writes {
        let engine = first_engine().await;
        let (store, _) = breaking(&engine.aws, most, false);
        let broken = migrate(&store, &system_at(now()), AFTER, |_| {}).await;
        assert!(!broken.failures.is_empty(), "{most} of {writes}");
        run(&engine, AFTER).await;
        assert_eq!(outcome(&engine).await, expected, "{most} of {writes}");
    }
}
