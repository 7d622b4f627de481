//! `POST /v1/leaks/github`

use latchkey::aws::aws_config;
use latchkey::config::{Tables, require};
use latchkey::http::serve;
use latchkey::mail::{Console, Mailer, Notifier};
use latchkey::store::Store;
use latchkey::system::System;
use latchkey::telemetry;
use receive_leak_report::{GitHub, Keys};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    telemetry::init(module_path!());
    let keys = Keys::new(GitHub::from_env()?);
    let console = Console::new(require("CONSOLE_URL")?);
    let (tables, from) = (Tables::from_env()?, require("MAIL_FROM")?);
    let set = require("MAIL_CONFIGURATION_SET")?;
    let aws = aws_config().await;
    let (store, notifier) = (
        Store::new(&aws, tables),
        Notifier::new(Mailer::new(&aws, from, set), console),
    );
    serve(|request| receive_leak_report::handle(&store, &keys, &notifier, &System, request)).await
}
