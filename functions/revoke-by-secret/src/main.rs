//! `POST /v1/revoke`

use latchkey::aws::aws_config;
use latchkey::config::Tables;
use latchkey::http::serve;
use latchkey::store::Store;
use latchkey::system::System;
use latchkey::telemetry;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    telemetry::init(module_path!());
    let tables = Tables::from_env()?;
    let store = Store::new(&aws_config().await, tables);
    serve(|request| revoke_by_secret::handle(&store, &System, request)).await
}
