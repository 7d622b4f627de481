//! `POST /v1/leaks/github`

use latchkey::config::Tables;
use latchkey::http::serve;
use latchkey::store::{Store, aws_config};
use latchkey::system::System;
use latchkey::telemetry;
use receive_leak_report::{GitHub, Keys};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    telemetry::init(module_path!());
    let keys = Keys::new(GitHub::from_env()?);
    let tables = Tables::from_env()?;
    let store = Store::new(&aws_config().await, tables);
    serve(|request| receive_leak_report::handle(&store, &keys, &System, request)).await
}
