//! A stand-in for AWS Lambda under load: several sandboxes of each function, each with one event at a time. An event
//! that finds no free sandbox waits in line. Lambda would start another sandbox instead, or refuse the event.

use std::collections::VecDeque;
use std::error::Error;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc};
use tokio::time::timeout;

use crate::http::{answer, read};

/// The longest time for one event. The functions give up on AWS after five seconds.
const PATIENCE: Duration = Duration::from_secs(60);

/// The sandboxes of a function.
pub struct Function {
    /// Those without an event. The one that has waited longest is next.
    idle: Mutex<VecDeque<Sandbox>>,
    free: Semaphore,
    processes: Vec<u32>,
}

/// What a function made of an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It answered.
    Answered(String),
    /// It told Lambda that it failed. A gateway answers 500.
    Failed(String),
}

impl Function {
    /// Starts the sandboxes of a program with Lambda's variables and `environment`.
    ///
    /// # Errors
    /// There is no free port, or the program doesn't start.
    pub async fn start(
        program: &str,
        environment: &[(String, String)],
        sandboxes: usize,
    ) -> Result<Self, Box<dyn Error>> {
        let mut idle = VecDeque::new();
        for _ in 0..sandboxes {
            idle.push_back(Sandbox::start(program, environment).await?);
        }
        Ok(Self {
            processes: idle.iter().map(|sandbox| sandbox.process.id()).collect(),
            idle: Mutex::new(idle),
            free: Semaphore::new(sandboxes),
        })
    }

    /// Waits for a free sandbox and gives it an event.
    ///
    /// # Errors
    /// The sandbox crashes or doesn't answer.
    pub async fn invoke(&self, event: String) -> Result<Outcome, Box<dyn Error>> {
        let _free = self.free.acquire().await?;
        let idle = || self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let mut sandbox = idle().pop_front().ok_or("no sandbox is free")?;
        let outcome = sandbox.invoke(event).await?;
        idle().push_back(sandbox);
        Ok(outcome)
    }

    /// The ids of the sandboxes' processes.
    pub fn processes(&self) -> &[u32] {
        &self.processes
    }
}

/// A process of a function. It ends when the value is dropped.
struct Sandbox {
    process: Child,
    events: mpsc::Sender<String>,
    outcomes: mpsc::Receiver<Result<Outcome, String>>,
}

impl Sandbox {
    async fn start(
        program: &str,
        environment: &[(String, String)],
    ) -> Result<Self, Box<dyn Error>> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?.to_string();
        let (events, next) = mpsc::channel(1);
        let (outcome, outcomes) = mpsc::channel(1);
        let next = Arc::new(tokio::sync::Mutex::new(next));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (outcome, next) = (outcome.clone(), Arc::clone(&next));
                tokio::spawn(async move {
                    if let Err(error) = serve(stream, &outcome, &next).await {
                        // Nobody receives this any more if the sandbox was ended.
                        let _ = outcome.send(Err(error.to_string())).await;
                    }
                });
            }
        });
        let process = Command::new(program)
            .env_clear()
            .envs(environment.iter().cloned())
            .env("AWS_LAMBDA_RUNTIME_API", address)
            .env("AWS_LAMBDA_FUNCTION_NAME", "bench")
            .env("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
            .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "512")
            .env("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()?;
        Ok(Self {
            process,
            events,
            outcomes,
        })
    }

    async fn invoke(&mut self, event: String) -> Result<Outcome, Box<dyn Error>> {
        self.events.send(event).await?;
        let outcome = timeout(PATIENCE, self.outcomes.recv()).await;
        let outcome = outcome.map_err(|_| "a sandbox doesn't answer")?;
        Ok(outcome.ok_or("a sandbox has ended")??)
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        // The process may have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Serves the Runtime API on one connection.
async fn serve(
    stream: TcpStream,
    outcomes: &mpsc::Sender<Result<Outcome, String>>,
    events: &tokio::sync::Mutex<mpsc::Receiver<String>>,
) -> Result<(), Box<dyn Error + Send + Sync>> {
    stream.set_nodelay(true)?;
    let mut stream = BufReader::new(stream);
    while let Some(request) = read(&mut stream).await? {
        let path = request.first().split(' ').nth(1).unwrap_or_default();
        if path.ends_with("/invocation/next") {
            // The sandbox was ended.
            let Some(event) = events.lock().await.recv().await else {
                return Ok(());
            };
            stream.write_all(next(&event).as_bytes()).await?;
            continue;
        }
        let body = String::from_utf8_lossy(&request.body).into_owned();
        let outcome = if path.ends_with("/response") {
            Ok(Outcome::Answered(body))
        } else if path.ends_with("/error") {
            Ok(Outcome::Failed(body))
        } else {
            Err(format!("an unknown request: {}", request.first()))
        };
        outcomes.send(outcome).await?;
        let accepted = answer("202 Accepted", "{}");
        stream.write_all(accepted.as_bytes()).await?;
    }
    Ok(())
}

fn next(event: &str) -> String {
    let lambda = "lambda-runtime-aws-request-id: 8476a536-e9f4-11e8-9739-2dfe598c3fcd\r\n\
                  lambda-runtime-deadline-ms: 4102444800000\r\n\
                  lambda-runtime-invoked-function-arn: arn:aws:lambda:us-east-1:123456789012:function:bench";
    answer(&format!("200 OK\r\n{lambda}"), event)
}
