//! A function's program, run as Lambda runs it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use serde_json::Value;

/// The running program, with a fake of Lambda's Runtime API and without AWS.
pub struct Program {
    process: Child,
    events: Sender<String>,
    answers: Receiver<String>,
}

impl Program {
    /// The trace of every event.
    pub const TRACE: &str = "1-5e66d96f-7491f09e0a79d18acf3d0505";

    /// Starts the program in that file, with Lambda's log level and further variables.
    pub fn start(file: &str, level: &str, variables: &[(&str, &str)]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let (events, event) = channel();
        let (answer, answers) = channel();
        let event = Arc::new(Mutex::new(event));
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (answer, event) = (answer.clone(), Arc::clone(&event));
                thread::spawn(move || serve(&stream, &answer, &event));
            }
        });
        let process = Command::new(file)
            .env_clear()
            .envs([
                ("AWS_LAMBDA_RUNTIME_API", address.as_str()),
                ("AWS_LAMBDA_FUNCTION_NAME", "function"),
                ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
                ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "512"),
                ("AWS_LAMBDA_LOG_FORMAT", "JSON"),
                ("AWS_LAMBDA_LOG_LEVEL", level),
                ("AWS_REGION", "us-east-1"),
                ("AWS_ACCESS_KEY_ID", "test"),
                ("AWS_SECRET_ACCESS_KEY", "test"),
                ("AWS_ENDPOINT_URL", "http://127.0.0.1:9"),
                ("TOKENS_TABLE", "Tokens"),
                ("AUDIT_TABLE", "Audit"),
                ("AUDIT_RETENTION_DAYS", "400"),
            ])
            .envs(variables.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        Self {
            process,
            events,
            answers,
        }
    }

    /// Sends an event. Returns what the program reports to Lambda: an answer, or an error with `errorMessage`.
    pub fn send(&self, event: &str) -> Value {
        self.events.send(event.to_owned()).unwrap();
        let answer = self.answers.recv_timeout(Duration::from_secs(60)).unwrap();
        serde_json::from_str(&answer).unwrap()
    }

    /// Ends the program and returns the lines that it wrote.
    pub fn lines(mut self) -> Vec<Value> {
        self.process.kill().unwrap();
        let (mut out, mut err) = (String::new(), String::new());
        let stdout = self.process.stdout.as_mut().unwrap();
        stdout.read_to_string(&mut out).unwrap();
        let stderr = self.process.stderr.as_mut().unwrap();
        stderr.read_to_string(&mut err).unwrap();
        self.process.wait().unwrap();
        assert_eq!(err, "", "Lambda takes that for INFO");
        let lines = out.lines().map(serde_json::from_str);
        lines.collect::<Result<_, _>>().unwrap()
    }
}

/// Serves the requests of one connection until the program ends.
fn serve(stream: &TcpStream, answers: &Sender<String>, events: &Mutex<Receiver<String>>) {
    let (mut reader, mut writer) = (BufReader::new(stream), stream);
    while let Some((line, body)) = request(&mut reader) {
        let answer = if line.starts_with("GET") {
            let Ok(event) = events.lock().unwrap().recv() else {
                return;
            };
            let (length, trace) = (event.len(), Program::TRACE);
            format!(
                "HTTP/1.1 200 OK\r\nlambda-runtime-aws-request-id: r\r\n\
                 lambda-runtime-deadline-ms: 4000000000000\r\n\
                 lambda-runtime-invoked-function-arn: arn:aws:lambda:us-east-1:123456789012:function:function\r\n\
                 lambda-runtime-trace-id: Root={trace};Parent=53995c3f42cd8ad8;Sampled=0\r\n\
                 content-length: {length}\r\n\r\n{event}"
            )
        } else {
            answers.send(body).unwrap();
            "HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n".into()
        };
        writer.write_all(answer.as_bytes()).unwrap();
    }
}

fn request(reader: &mut impl BufRead) -> Option<(String, String)> {
    let mut first = String::new();
    if reader.read_line(&mut first).ok()? == 0 {
        return None;
    }
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let line = line.trim().to_ascii_lowercase();
        if line.is_empty() {
            break;
        }
        if let Some(value) = line.strip_prefix("content-length:") {
            length = value.trim().parse().ok()?;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some((first, String::from_utf8(body).ok()?))
}
