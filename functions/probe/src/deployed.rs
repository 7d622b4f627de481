//! The deployed service: functions by Lambda's API, and the API by HTTP.

use std::time::{Duration, UNIX_EPOCH};

use aws_config::SdkConfig;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use aws_smithy_http_client::default_connector;
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::byte_stream::ByteStream;
use latchkey::config::{ConfigError, require};
use latchkey::ports::Clock;
use latchkey::system::System;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use serde_json::Value;
use tokio::time::timeout;

use crate::service::{Answer, Operation, Service};

/// The longest time for one call, cold start included.
const TIMEOUT: Duration = Duration::from_secs(10);

/// The largest answer that is read, in bytes.
const MAX_ANSWER: usize = 1024 * 1024;

/// The header with which Lambda says that a function failed.
const FUNCTION_ERROR: &str = "x-amz-function-error";

/// The deployed service. It is called with the HTTP client of the AWS SDK and without the SDK's client of Lambda, which
/// would link what it needs for streams into every function.
#[derive(Debug)]
pub struct Deployed {
    /// The API's address, ending with a slash.
    api: String,
    /// The address of Lambda's API.
    lambda: String,
    region: String,
    credentials: Option<SharedCredentialsProvider>,
    /// The ARNs of the functions' aliases for the probe.
    functions: [(Operation, String); 6],
    connector: Option<SharedHttpConnector>,
}

/// What a function answers to the gateway.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Returned {
    status_code: u16,
    #[serde(default)]
    body: Option<String>,
}

impl Deployed {
    /// Creates it from the environment.
    ///
    /// # Errors
    /// When a variable is missing.
    pub fn from_env(aws: &SdkConfig) -> Result<Self, ConfigError> {
        let lambda = match aws.endpoint_url() {
            Some(url) => url.trim_end_matches('/').to_owned(),
            None => require("LAMBDA_ENDPOINT")?,
        };
        let functions = [
            (Operation::CreateToken, require("CREATE_TOKEN")?),
            (Operation::DeleteToken, require("DELETE_TOKEN")?),
            (Operation::GetToken, require("GET_TOKEN")?),
            (Operation::ListTokens, require("LIST_TOKENS")?),
            (Operation::RevealToken, require("REVEAL_TOKEN")?),
            (Operation::RevokeToken, require("REVOKE_TOKEN")?),
        ];
        Ok(Self::new(
            require("CONSOLE_URL")?,
            lambda,
            require("AWS_REGION")?,
            aws.credentials_provider(),
            functions,
        ))
    }

    /// Creates it for the API at `api`, which ends with a slash, and for the functions with these ARNs, at Lambda's
    /// address `lambda`.
    pub fn new(
        api: String,
        lambda: String,
        region: String,
        credentials: Option<SharedCredentialsProvider>,
        functions: [(Operation, String); 6],
    ) -> Self {
        // `TIMEOUT` covers the whole call, so the connector needs no timeouts.
        let settings = HttpConnectorSettings::builder().build();
        Self {
            api,
            lambda,
            region,
            credentials,
            functions,
            connector: default_connector(&settings, None),
        }
    }

    /// Returns the request that invokes a function, signed.
    async fn invocation(&self, arn: &str, event: &Value) -> Result<HttpRequest, String> {
        let credentials = self.credentials.as_ref();
        let credentials = credentials.ok_or("there are no credentials")?;
        let identity = credentials.provide_credentials().await;
        let identity = identity.map_err(|error| error.to_string())?.into();
        let arn = utf8_percent_encode(arn, NON_ALPHANUMERIC);
        let url = format!("{}/2015-03-31/functions/{arn}/invocations", self.lambda);
        let body = event.to_string();
        let now = u64::try_from(System.now().as_millisecond()).unwrap_or_default();
        let parameters = v4::SigningParams::builder()
            .identity(&identity)
            .region(&self.region)
            .name("lambda")
            .time(UNIX_EPOCH + Duration::from_millis(now))
            .settings(SigningSettings::default())
            .build()
            .map_err(|error| error.to_string())?
            .into();
        let content = [("content-type", "application/json")];
        let signable = SignableRequest::new(
            "POST",
            &url,
            content.into_iter(),
            SignableBody::Bytes(body.as_bytes()),
        );
        let signable = signable.map_err(|error| error.to_string())?;
        let signature = sign(signable, &parameters).map_err(|error| error.to_string())?;
        let mut request = request("POST", &url, body)?;
        let headers = request.headers_mut();
        headers.insert("content-type", "application/json");
        for (name, value) in signature.output().headers() {
            headers.insert(name.to_owned(), value.to_owned());
        }
        Ok(request)
    }

    /// Sends a request. Returns the answer's status, whether it says that a function failed, and its body.
    async fn send(&self, request: HttpRequest) -> Result<(u16, bool, Vec<u8>), String> {
        let connector = self.connector.as_ref().ok_or("there is no HTTP client")?;
        let exchange = async {
            let response: HttpResponse = connector
                .call(request)
                .await
                .map_err(|error| format!("no answer: {error:?}"))?;
            let status = response.status().as_u16();
            let has_failed = response.headers().get(FUNCTION_ERROR).is_some();
            let mut stream = ByteStream::new(response.into_body());
            let mut body = Vec::new();
            while let Some(chunk) = stream.try_next().await.map_err(|error| error.to_string())? {
                body.extend_from_slice(&chunk);
                if body.len() > MAX_ANSWER {
                    return Err("the answer is too large".to_owned());
                }
            }
            Ok((status, has_failed, body))
        };
        match timeout(TIMEOUT, exchange).await {
            Ok(done) => done,
            Err(_) => Err(format!("no answer in {} s", TIMEOUT.as_secs())),
        }
    }
}

impl Service for Deployed {
    async fn invoke(&self, operation: Operation, event: &Value) -> Result<Answer, String> {
        let function = self.functions.iter().find(|(of, _)| *of == operation);
        let (_, arn) = function.ok_or("the function is unknown")?;
        let request = self.invocation(arn, event).await?;
        let (status, has_failed, body) = self.send(request).await?;
        if status != 200 {
            return Err(format!("Lambda answers {status}"));
        }
        if has_failed {
            return Err("the function crashed or took too long".into());
        }
        // Without the error's text, which could quote the body.
        let returned: Returned = serde_json::from_slice(&body)
            .map_err(|_| "the function's answer isn't one to the gateway".to_owned())?;
        Ok(Answer {
            status: returned.status_code,
            body: json_of(returned.body.unwrap_or_default().as_bytes()),
        })
    }

    async fn token_info(&self, secret: &str) -> Result<Answer, String> {
        let url = format!("{}v1/tokenInfo", self.api);
        let mut request = request("GET", &url, String::new())?;
        let headers = request.headers_mut();
        headers.insert("accept", "application/json");
        headers.insert("authorization", format!("Bearer {secret}"));
        headers.insert("user-agent", "latchkey-probe");
        let (status, _, body) = self.send(request).await?;
        let body = json_of(&body);
        Ok(Answer { status, body })
    }
}

fn request(method: &str, url: &str, body: String) -> Result<HttpRequest, String> {
    let mut request = HttpRequest::new(SdkBody::from(body));
    request
        .set_method(method)
        .map_err(|error| error.to_string())?;
    request.set_uri(url).map_err(|error| error.to_string())?;
    Ok(request)
}

/// Returns the JSON in a body; `null` if it is none.
fn json_of(body: &[u8]) -> Value {
    serde_json::from_slice(body).unwrap_or_default()
}

#[cfg(test)]
mod tests;
