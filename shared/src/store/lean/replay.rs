//! Continues a failed first attempt in the SDK's client.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use aws_runtime::invocation_id::{InvocationId, InvocationIdGenerator};
use aws_sdk_dynamodb::error::BoxError;
use aws_smithy_runtime_api::client::connection::CaptureSmithyConnection;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;

/// What came of a request: the answer with its body, or none.
pub(super) type Outcome = Result<HttpResponse, ConnectorError>;

/// An HTTP client that answers the first request with what came of an earlier one, and sends all others.
///
/// The SDK's client takes the outcome for that of its own first attempt. Thus it alone decides what is retried, when
/// and how often, and what the error is.
#[derive(Clone)]
pub(super) struct Replay {
    first: Arc<Mutex<Option<Outcome>>>,
    connection: CaptureSmithyConnection,
    then: SharedHttpConnector,
}

impl Replay {
    /// `connection` knows the connection of the first request, which the SDK closes after a transient error.
    pub(super) fn new(
        first: Outcome,
        connection: CaptureSmithyConnection,
        then: SharedHttpConnector,
    ) -> Self {
        Self {
            first: Arc::new(Mutex::new(Some(first))),
            connection,
            then,
        }
    }
}

impl fmt::Debug for Replay {
    /// Leaves out the answer, which has items.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Replay").finish_non_exhaustive()
    }
}

impl HttpClient for Replay {
    fn http_connector(
        &self,
        _: &HttpConnectorSettings,
        _: &RuntimeComponents,
    ) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

impl HttpConnector for Replay {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let mut first = self.first.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(outcome) = first.take() else {
            return self.then.call(request);
        };
        if let Some(capture) = request.extension::<CaptureSmithyConnection>() {
            let connection = self.connection.clone();
            capture.set_connection_retriever(move || connection.get());
        }
        HttpConnectorFuture::ready(outcome)
    }
}

/// Gives a continued invocation the id of its first attempt.
#[derive(Debug)]
pub(super) struct Continued(pub(super) String);

impl InvocationIdGenerator for Continued {
    fn generate(&self) -> Result<Option<InvocationId>, BoxError> {
        Ok(Some(InvocationId::new(self.0.clone())))
    }
}
