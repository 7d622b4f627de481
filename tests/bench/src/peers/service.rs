//! A service that verifies, and the client that asks it.

use std::cell::RefCell;
use std::error::Error;
use std::io::ErrorKind;
use std::net::TcpListener;
use std::process::Child;
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::io::{AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

use crate::drive::{Answer, Target};
use crate::http::{Message, connect, read};
use crate::usage::processor_time;

/// The longest time until a service listens.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running service. Its process ends when the value is dropped.
pub(super) struct Service {
    process: Child,
    /// The process of its store, if that isn't the service's own.
    store: Option<u32>,
    address: String,
    /// The request of a verification.
    request: String,
    /// A part of the answer that only a successful verification of this credential has.
    proof: String,
    connections: RefCell<Vec<BufReader<TcpStream>>>,
}

impl Service {
    /// Waits until a started process listens at an address.
    pub(super) async fn started(process: Child, address: String) -> Result<Self, Box<dyn Error>> {
        let service = Self {
            process,
            store: None,
            address,
            request: String::new(),
            proof: String::new(),
            connections: RefCell::default(),
        };
        let begin = Instant::now();
        loop {
            match connect(&service.address).await {
                Ok(_) => return Ok(service),
                Err(error) if error.kind() != ErrorKind::ConnectionRefused => {
                    return Err(error.into());
                }
                Err(_) if begin.elapsed() > PATIENCE => return Err("doesn't listen".into()),
                Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        }
    }

    /// Sets the request of a verification, and the part of its answer that proves its success.
    pub(super) fn verified_by(mut self, request: String, proof: String) -> Self {
        self.request = request;
        self.proof = proof;
        self
    }

    /// Sets the process of the store.
    pub(super) fn stored_by(mut self, process: u32) -> Self {
        self.store = Some(process);
        self
    }

    /// Makes a request for JSON with a JSON body or none.
    pub(super) fn request(&self, method: &str, path: &str, headers: &str, body: &str) -> String {
        let (address, length) = (&self.address, body.len());
        format!(
            "{method} {path} HTTP/1.1\r\nhost: {address}\r\ncontent-type: application/json\r\n\
             content-length: {length}\r\n{headers}\r\n{body}"
        )
    }

    /// Sends any request and returns the JSON of the answer.
    pub(super) async fn ask(&self, request: &str) -> Result<Value, Box<dyn Error>> {
        let message = self.send(request).await?;
        if message.status() != 200 {
            return Err(refused(&message).into());
        }
        Ok(serde_json::from_slice(&message.body)?)
    }

    /// Sends a request until it is answered with 200: a service may not be ready yet.
    pub(super) async fn ask_until_ready(&self, request: &str) -> Result<Value, Box<dyn Error>> {
        let begin = Instant::now();
        loop {
            match self.ask(request).await {
                Ok(answer) => return Ok(answer),
                Err(error) if begin.elapsed() > PATIENCE => return Err(error),
                Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
            }
        }
    }

    /// Sends a request on a connection that has no other one at the time. A service may have closed a connection that
    /// was idle, so a request that has no answer on one goes to a new connection.
    async fn send(&self, request: &str) -> Result<Message, Box<dyn Error>> {
        loop {
            let open = self.connections.borrow_mut().pop();
            let is_new = open.is_none();
            let mut stream = match open {
                Some(stream) => stream,
                None => connect(&self.address).await?,
            };
            let answer = match stream.write_all(request.as_bytes()).await {
                Ok(()) => read(&mut stream).await,
                Err(error) => Err(error),
            };
            match answer {
                Ok(Some(message)) => {
                    self.connections.borrow_mut().push(stream);
                    return Ok(message);
                }
                Ok(None) if is_new => return Err("disconnected".into()),
                Err(error) if is_new => return Err(error.into()),
                Ok(None) | Err(_) => {}
            }
        }
    }

    /// The processor times of the service and of its store's process.
    pub(super) fn processor_times(&self) -> Result<(Duration, Duration), Box<dyn Error>> {
        let store = self.store.map_or(Ok(Duration::ZERO), processor_time)?;
        Ok((processor_time(self.process.id())?, store))
    }
}

impl Target for Service {
    async fn call(&self, _: usize) -> Result<Answer, Box<dyn Error>> {
        let message = self.send(&self.request).await?;
        let body = std::str::from_utf8(&message.body)?;
        if message.status() == 200 && body.contains(&self.proof) {
            Ok(Answer::Right("verification"))
        } else {
            Err(refused(&message).into())
        }
    }
}

fn refused(message: &Message) -> String {
    let body = String::from_utf8_lossy(&message.body);
    format!("answered {} {body}", message.status())
}

impl Drop for Service {
    fn drop(&mut self) {
        // The process may have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A port that is free now.
pub(super) fn free_port() -> Result<u16, Box<dyn Error>> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}
