//! HTTP between a client and an engine, no more than DynamoDB's protocol takes.

use aws_config::SdkConfig;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

/// An error that the SDK doesn't try again.
pub(crate) fn refused() -> (String, Vec<u8>) {
    let body = json!({"__type": "ResourceNotFoundException"}).to_string();
    let length = body.len();
    let head = format!("HTTP/1.1 400 Bad Request\r\ncontent-length: {length}\r\n\r\n");
    (head, body.into_bytes())
}

/// The operation that a request's head names.
pub(crate) fn operation(head: &str) -> &str {
    let target = header(head, "x-amz-target").and_then(|target| target.split_once('.'));
    target.map_or("", |(_, operation)| operation)
}

/// The head of a request for another operation.
pub(crate) fn for_operation(head: &str, other: &str) -> String {
    head.replace(
        &format!(".{}\r\n", operation(head)),
        &format!(".{other}\r\n"),
    )
}

/// A connection to or from an HTTP server.
pub(crate) struct Connection(BufReader<TcpStream>);

impl Connection {
    pub(crate) async fn to(aws: &SdkConfig) -> Self {
        let address = aws.endpoint_url().unwrap();
        let address = address.strip_prefix("http://").unwrap();
        Self::of(TcpStream::connect(address).await.unwrap())
    }

    pub(crate) fn of(stream: TcpStream) -> Self {
        stream.set_nodelay(true).unwrap();
        Self(BufReader::new(stream))
    }

    /// Sends a request and returns the answer.
    pub(crate) async fn ask(&mut self, head: &str, request: &Value) -> (String, Vec<u8>) {
        let body = request.to_string().into_bytes();
        let lines = head.split_inclusive("\r\n").map(|line| {
            let is_length = line.to_ascii_lowercase().starts_with("content-length:");
            let length = format!("content-length: {}\r\n", body.len());
            if is_length { length } else { line.to_owned() }
        });
        self.write(&lines.collect::<String>(), &body).await;
        self.read().await.unwrap()
    }

    pub(crate) async fn write(&mut self, head: &str, body: &[u8]) {
        let message = [head.as_bytes(), body].concat();
        // A client may have given up.
        let _ = self.0.write_all(&message).await;
    }

    /// Reads the head, including the empty line, and the body; `None` at the end of the connection.
    pub(crate) async fn read(&mut self) -> Option<(String, Vec<u8>)> {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if self.0.read_line(&mut head).await.ok()? == 0 {
                return None;
            }
        }
        let length = header(&head, "content-length").map_or(0, |length| length.parse().unwrap());
        let mut body = vec![0; length];
        self.0.read_exact(&mut body).await.ok()?;
        Some((head, body))
    }
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    let lines = head.lines().filter_map(|line| line.split_once(':'));
    let mut lines = lines.filter(|(given, _)| given.eq_ignore_ascii_case(name));
    lines.next().map(|(_, value)| value.trim())
}
