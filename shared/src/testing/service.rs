use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use aws_config::retry::RetryConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_dynamodb::config::{Credentials, SharedCredentialsProvider};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// An HTTP service that gives prepared answers in turn and stores the requests.
#[derive(Debug, Clone, Default)]
pub(crate) struct Service {
    answers: Arc<Mutex<VecDeque<(u16, String)>>>,
    requests: Arc<Mutex<Vec<Value>>>,
}

impl Service {
    pub(crate) async fn answering(
        answers: impl IntoIterator<Item = (u16, Value)>,
    ) -> (Self, SdkConfig) {
        let texts = answers
            .into_iter()
            .map(|(status, body)| (status, body.to_string()));
        Self::answering_with(texts).await
    }

    pub(crate) async fn answering_with(
        answers: impl IntoIterator<Item = (u16, String)>,
    ) -> (Self, SdkConfig) {
        let service = Self::default();
        service.answers.lock().unwrap().extend(answers);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let config = service_config(&listener.local_addr().unwrap().to_string());
        let listening = service.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(listening.clone().serve(stream));
            }
        });
        (service, config)
    }

    /// The JSON bodies of the requests so far.
    pub(crate) fn requests(&self) -> Vec<Value> {
        self.requests.lock().unwrap().clone()
    }

    async fn serve(self, mut stream: TcpStream) {
        while let Some(body) = read_request(&mut stream).await {
            self.requests.lock().unwrap().push(body);
            let next = self.answers.lock().unwrap().pop_front();
            // Without an answer, the connection is closed.
            let Some((status, body)) = next else { return };
            let answer = format!(
                "HTTP/1.1 {status} Prepared\r\ncontent-type: application/x-amz-json-1.0\r\n\
                 content-length: {}\r\n\r\n{body}",
                body.len()
            );
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
    }
}

/// Reads a request's body; `None` at the end of the connection.
async fn read_request(stream: &mut TcpStream) -> Option<Value> {
    let mut read = Vec::new();
    loop {
        if let Some(end) = read.windows(4).position(|four| four == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&read[..end]).to_lowercase();
            let length = head
                .lines()
                .find_map(|line| line.strip_prefix("content-length:"))
                .map_or(0, |length| length.trim().parse().unwrap());
            let body = end + 4;
            if read.len() >= body + length {
                return Some(serde_json::from_slice(&read[body..body + length]).unwrap());
            }
        }
        if stream.read_buf(&mut read).await.ok()? == 0 {
            return None;
        }
    }
}

/// An AWS configuration for that address, without retries.
pub(crate) fn service_config(address: &str) -> SdkConfig {
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .region(Region::from_static("us-east-1"))
        .endpoint_url(format!("http://{address}"))
        .credentials_provider(SharedCredentialsProvider::new(Credentials::for_tests()))
        .retry_config(RetryConfig::disabled())
        .build()
}
