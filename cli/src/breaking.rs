//! A connection that breaks, for tests of interruptions.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use aws_config::SdkConfig;
use aws_config::retry::RetryConfig;
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::result::ConnectorError;

use latchkey::store::Store;
use latchkey::testing::Engine;

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
pub(crate) fn breaking(
    aws: &SdkConfig,
    most: usize,
    unanswered: bool,
) -> (Store, Arc<AtomicUsize>) {
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
