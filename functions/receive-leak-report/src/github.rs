//! Fetches the keys with which GitHub signs its reports.

use std::time::Duration;

use aws_smithy_http_client::default_connector;
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::byte_stream::ByteStream;
use latchkey::config::{ConfigError, require};
use tokio::time::timeout;

use crate::keys::FetchKeys;

/// The longest time for one attempt. GitHub waits for the answer to its own request meanwhile.
const TIMEOUT: Duration = Duration::from_millis(2_500);

/// The number of attempts.
const ATTEMPTS: usize = 2;

/// The largest response that is read, in bytes. GitHub's has two keys and 500 bytes.
const MAX_LIST: usize = 64 * 1024;

/// GitHub's endpoint for keys. It uses the HTTP client of the AWS SDK, so that the program has no second one.
#[derive(Debug)]
pub struct GitHub {
    url: String,
    connector: Option<SharedHttpConnector>,
}

impl GitHub {
    /// Creates a client of the endpoint in `LEAK_REPORT_KEYS_URL`.
    ///
    /// # Errors
    /// When the variable is missing.
    pub fn from_env() -> Result<Self, ConfigError> {
        require("LEAK_REPORT_KEYS_URL").map(Self::new)
    }

    /// Creates a client of the endpoint at `url`.
    pub fn new(url: String) -> Self {
        // `TIMEOUT` covers the whole request, so the connector needs no timeouts.
        let settings = HttpConnectorSettings::builder().build();
        Self {
            url,
            connector: default_connector(&settings, None),
        }
    }

    async fn get(&self) -> Result<Vec<u8>, String> {
        let connector = self.connector.as_ref().ok_or("there is no HTTP client")?;
        let mut request = HttpRequest::new(SdkBody::empty());
        request
            .set_uri(self.url.as_str())
            .map_err(|error| error.to_string())?;
        let headers = request.headers_mut();
        headers.insert("accept", "application/json");
        // GitHub refuses requests without a user agent.
        headers.insert("user-agent", "latchkey");
        let response = connector.call(request).await;
        let response = response.map_err(|error| format!("{error:?}"))?;
        let status = response.status().as_u16();
        if status != 200 {
            return Err(format!("the answer has the status {status}"));
        }
        let mut stream = ByteStream::new(response.into_body());
        let mut list = Vec::new();
        while let Some(chunk) = stream.try_next().await.map_err(|error| error.to_string())? {
            list.extend_from_slice(&chunk);
            if list.len() > MAX_LIST {
                return Err("the answer is too large".into());
            }
        }
        Ok(list)
    }
}

impl FetchKeys for GitHub {
    async fn fetch_keys(&self) -> Result<String, String> {
        let mut failure = String::new();
        for _ in 0..ATTEMPTS {
            match timeout(TIMEOUT, self.get()).await {
                Ok(Ok(list)) => return String::from_utf8(list).map_err(|error| error.to_string()),
                Ok(Err(error)) => failure = error,
                Err(_) => failure = "no answer in time".into(),
            }
        }
        Err(failure)
    }
}
