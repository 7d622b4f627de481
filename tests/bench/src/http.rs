//! Just enough of HTTP/1.1 for the stand-ins and for the client of the load: bodies of known length, on connections that
//! stay open. The measured services lack what the client takes of the processors, so it is small.

use std::io::{Error, ErrorKind, Result};

use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::net::TcpStream;

/// A request or an answer.
#[derive(Debug)]
pub struct Message {
    /// The first line and the headers.
    head: String,
    /// The body.
    pub body: Vec<u8>,
}

impl Message {
    /// The first line.
    pub fn first(&self) -> &str {
        self.head.lines().next().unwrap_or_default()
    }

    /// The status of an answer; 0 if the first line has none.
    pub fn status(&self) -> u16 {
        let status = self.first().split(' ').nth(1);
        status.and_then(|text| text.parse().ok()).unwrap_or(0)
    }

    /// The first header with that name.
    pub fn header(&self, name: &str) -> Option<&str> {
        header(&self.head, name)
    }
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(given, _)| given.eq_ignore_ascii_case(name))
        .map(|(_, value)| value.trim())
}

/// Reads the next message; `None` if the other side has disconnected between two messages.
///
/// # Errors
/// The connection breaks within a message, or the message has no known length.
pub async fn read(stream: &mut (impl AsyncBufRead + Unpin)) -> Result<Option<Message>> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        match stream.read_line(&mut head).await {
            Ok(0) if head.is_empty() => return Ok(None),
            Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
            Ok(_) => {}
            Err(error) if head.is_empty() && error.kind() == ErrorKind::ConnectionReset => {
                return Ok(None);
            }
            Err(error) => return Err(error),
        }
    }
    if header(&head, "transfer-encoding").is_some() {
        return Err(Error::other("a body of unknown length"));
    }
    let length = header(&head, "content-length").map_or(Ok(0), str::parse);
    let mut body = vec![0; length.map_err(Error::other)?];
    stream.read_exact(&mut body).await?;
    Ok(Some(Message { head, body }))
}

/// Connects to a server on this machine.
///
/// # Errors
/// Nobody listens there.
pub async fn connect(address: &str) -> Result<BufReader<TcpStream>> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    Ok(BufReader::new(stream))
}

/// An answer with a JSON body.
pub fn answer(status: &str, body: &str) -> String {
    format!(
        "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn messages_follow_one_another_on_a_connection() {
        let text = answer("200 OK", r#"{"a":1}"#) + &answer("503 Service Unavailable", "");
        let mut stream = text.as_bytes();
        let first = read(&mut stream).await.unwrap().unwrap();
        assert_eq!((first.status(), &first.body[..]), (200, &br#"{"a":1}"#[..]));
        assert_eq!(first.header("Content-Type"), Some("application/json"));
        let second = read(&mut stream).await.unwrap().unwrap();
        assert_eq!((second.status(), second.body.len()), (503, 0));
        assert!(read(&mut stream).await.unwrap().is_none());
    }

    #[tokio::test]
    async fn a_torn_message_is_an_error() {
        for torn in [
            "HTTP/1.1 200 OK\r\ncontent-le",
            "HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nab",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        ] {
            assert!(read(&mut torn.as_bytes()).await.is_err(), "{torn}");
        }
    }
}
