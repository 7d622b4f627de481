//! A stand-in for AWS Lambda: starts a function and serves it the Runtime API, one event after another.

use std::error::Error;
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

/// A step of a function.
enum Step {
    /// The function asked for an event.
    Ready(Instant),
    /// The function answered an event.
    Answered(Instant, String),
    /// The function failed.
    Failed(String),
}

/// A running function. It ends when the value is dropped.
pub struct Function {
    process: Child,
    started: Instant,
    events: Sender<String>,
    steps: Receiver<Step>,
}

/// The maximal duration of one step.
const PATIENCE: Duration = Duration::from_secs(30);

impl Function {
    /// Starts a program whose environment consists of Lambda's variables and `environment`.
    ///
    /// # Errors
    /// There is no free port, or the program doesn't start.
    pub fn start(
        program: &[String],
        environment: &[(String, String)],
    ) -> Result<Self, Box<dyn Error>> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?.to_string();
        let (step, steps) = channel();
        let (events, event) = channel();
        let event = Arc::new(Mutex::new(event));
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (step, event) = (step.clone(), Arc::clone(&event));
                thread::spawn(move || {
                    if let Err(error) = serve(stream, &step, &event) {
                        // Nobody receives this any more if the function was ended.
                        let _ = step.send(Step::Failed(error.to_string()));
                    }
                });
            }
        });
        let (name, arguments) = program.split_first().ok_or("no program")?;
        let mut command = Command::new(name);
        command
            .args(arguments)
            .env_clear()
            .envs(environment.iter().cloned())
            .env("AWS_LAMBDA_RUNTIME_API", address)
            .env("AWS_LAMBDA_FUNCTION_NAME", "bench")
            .env("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
            .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "512")
            .env("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand")
            .stdin(Stdio::null())
            .stdout(Stdio::null());
        let started = Instant::now();
        let process = command.spawn()?;
        Ok(Self {
            process,
            started,
            events,
            steps,
        })
    }

    /// Waits until the function is initialized, and returns the time since its start.
    ///
    /// # Errors
    /// The function fails before that.
    pub fn ready(&mut self) -> Result<Duration, Box<dyn Error>> {
        match self.steps.recv_timeout(PATIENCE)? {
            Step::Ready(at) => Ok(at - self.started),
            Step::Answered(_, answer) => Err(format!("answered without an event: {answer}").into()),
            Step::Failed(error) => Err(error.into()),
        }
    }

    /// Sends the function an event and waits until it asks for the next one. Returns the time until the answer, and the
    /// answer.
    ///
    /// # Errors
    /// The function fails.
    pub fn invoke(&mut self, event: &str) -> Result<(Duration, String), Box<dyn Error>> {
        let sent = Instant::now();
        self.events.send(event.into())?;
        match self.steps.recv_timeout(PATIENCE)? {
            Step::Answered(at, answer) => {
                self.ready()?;
                Ok((at - sent, answer))
            }
            Step::Ready(_) => Err("asked for another event without an answer".into()),
            Step::Failed(error) => Err(error.into()),
        }
    }

    /// The id of the process.
    pub fn id(&self) -> u32 {
        self.process.id()
    }
}

impl Drop for Function {
    fn drop(&mut self) {
        // The process may have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Serves the requests of one connection.
fn serve(
    stream: TcpStream,
    steps: &Sender<Step>,
    events: &Mutex<Receiver<String>>,
) -> Result<(), Box<dyn Error>> {
    stream.set_nodelay(true)?;
    let mut writer = stream.try_clone()?;
    let mut reader = BufReader::new(stream);
    while let Some((line, body)) = read_request(&mut reader)? {
        let mut words = line.split(' ');
        let (method, path) = (
            words.next().unwrap_or_default(),
            words.next().unwrap_or_default(),
        );
        if method == "GET" && path.ends_with("/invocation/next") {
            steps.send(Step::Ready(Instant::now()))?;
            let event = events.lock().map_err(|_| "poisoned")?.recv();
            // The function was ended.
            let Ok(event) = event else { return Ok(()) };
            writer.write_all(next(&event).as_bytes())?;
        } else if method == "POST" && path.ends_with("/response") {
            steps.send(Step::Answered(Instant::now(), body))?;
            writer.write_all(ACCEPTED.as_bytes())?;
        } else {
            steps.send(Step::Failed(format!("{line}: {body}")))?;
            writer.write_all(ACCEPTED.as_bytes())?;
        }
    }
    Ok(())
}

const ACCEPTED: &str =
    "HTTP/1.1 202 Accepted\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}";

fn next(event: &str) -> String {
    format!(
        "HTTP/1.1 200 OK\r\n\
         content-type: application/json\r\n\
         lambda-runtime-aws-request-id: 8476a536-e9f4-11e8-9739-2dfe598c3fcd\r\n\
         lambda-runtime-deadline-ms: 4102444800000\r\n\
         lambda-runtime-invoked-function-arn: arn:aws:lambda:us-east-1:123456789012:function:bench\r\n\
         content-length: {}\r\n\r\n{event}",
        event.len()
    )
}

/// The first line and the body of the next request; `None` if the client has disconnected.
fn read_request(
    reader: &mut BufReader<TcpStream>,
) -> Result<Option<(String, String)>, Box<dyn Error>> {
    let mut first = String::new();
    match reader.read_line(&mut first) {
        Ok(0) => return Ok(None),
        Ok(_) => {}
        Err(error) if error.kind() == ErrorKind::ConnectionReset => return Ok(None),
        Err(error) => return Err(error.into()),
    }
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let line = line.trim_end();
        if line.is_empty() {
            break;
        }
        let Some((name, value)) = line.split_once(':') else {
            return Err("a header without a value".into());
        };
        if name.eq_ignore_ascii_case("content-length") {
            length = value.trim().parse()?;
        } else if name.eq_ignore_ascii_case("transfer-encoding") {
            return Err("an answer of unknown length".into());
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    Ok(Some((
        first.trim_end().to_owned(),
        String::from_utf8(body)?,
    )))
}
