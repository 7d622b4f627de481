//! The lines that the program writes when it fails, as Lambda and the metric filter of its alarm read them.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use latchkey::testing::counts;
use serde_json::Value;

const TEMPLATE: &str = include_str!("../../../infra/template.yaml");
const SAMPLE: &str = include_str!("../../../events/authorize/rest-api.json");

/// Returns the pattern of the errors that the alarm ignores.
fn refusals() -> &'static str {
    let (_, filter) = TEMPLATE.split_once("\n  AuthorizeRefusals:\n").unwrap();
    let (_, pattern) = filter.split_once("FilterPattern: '").unwrap();
    pattern.split_once('\'').unwrap().0
}

/// The running program, with a fake of Lambda's Runtime API and without DynamoDB.
struct Function {
    process: Child,
    events: Sender<String>,
    errors: Receiver<String>,
}

impl Function {
    fn start(level: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let (events, event) = channel();
        let (error, errors) = channel();
        let event = Arc::new(Mutex::new(event));
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (error, event) = (error.clone(), Arc::clone(&event));
                thread::spawn(move || serve(&stream, &error, &event));
            }
        });
        let process = Command::new(env!("CARGO_BIN_EXE_authorize"))
            .env_clear()
            .envs([
                ("AWS_LAMBDA_RUNTIME_API", address.as_str()),
                ("AWS_LAMBDA_FUNCTION_NAME", "authorize"),
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
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        Self {
            process,
            events,
            errors,
        }
    }

    /// Sends an event that fails. Returns the error that the program reports to Lambda.
    fn fail(&self, event: String) -> String {
        self.events.send(event).unwrap();
        let error = self.errors.recv_timeout(Duration::from_secs(60)).unwrap();
        let error: Value = serde_json::from_str(&error).unwrap();
        error["errorMessage"].as_str().unwrap().to_owned()
    }

    /// Ends the program and returns the lines that it wrote.
    fn lines(mut self) -> Vec<Value> {
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
fn serve(stream: &TcpStream, errors: &Sender<String>, events: &Mutex<Receiver<String>>) {
    let (mut reader, mut writer) = (BufReader::new(stream), stream);
    while let Some((line, body)) = request(&mut reader) {
        let answer = if line.starts_with("GET") {
            let Ok(event) = events.lock().unwrap().recv() else {
                return;
            };
            let length = event.len();
            format!(
                "HTTP/1.1 200 OK\r\nlambda-runtime-aws-request-id: r\r\n\
                 lambda-runtime-deadline-ms: 4000000000000\r\n\
                 lambda-runtime-invoked-function-arn: arn:aws:lambda:us-east-1:123456789012:function:authorize\r\n\
                 lambda-runtime-trace-id: Root=1-5e66d96f-7491f09xmpl79d18acf3d050\r\n\
                 content-length: {length}\r\n\r\n{event}"
            )
        } else {
            errors.send(body).unwrap();
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

/// Calls with invalid tokens must neither raise the alarm nor keep it from being raised.
#[test]
fn refusals_are_told_from_failures_at_every_level() {
    for level in ["INFO", "WARN", "ERROR"] {
        let function = Function::start(level);
        let refused = function.fail(SAMPLE.replace("Bearer lka_", "Bearer lka_9"));
        assert_eq!(refused, "Unauthorized");
        let failed = function.fail(SAMPLE.into());
        assert_ne!(failed, "Unauthorized");
        let mut lines = function.lines();
        // One decision was made. The log has it at every level.
        let decided = lines.iter().filter_map(|line| line["outcome"].as_str());
        assert_eq!(decided.collect::<Vec<_>>(), ["malformed"], "{lines:?}");
        lines.retain(|line| line["level"] == "ERROR");
        let kept = |line: &Value| {
            let time = line["timestamp"].as_str().unwrap();
            time.parse::<jiff::Timestamp>().is_ok()
        };
        assert!(lines.iter().all(kept), "{lines:?}");
        let counted = lines.iter().map(|line| counts(refusals(), line));
        let counted: Vec<_> = counted.collect();
        // Each of the two has one line. Otherwise their difference wouldn't be the number of failures.
        assert_eq!(counted, [true, false], "{lines:?}");
    }
}
