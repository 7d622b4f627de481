//! `GET /v1/openapi.json`, `GET /docs` and `GET /docs/style.css`

use std::future::ready;

use latchkey::config::require;
use latchkey::http::serve;
use latchkey::telemetry;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    telemetry::init(module_path!());
    let address = require("CONSOLE_URL").inspect_err(telemetry::log_start_failure)?;
    let docs = describe_api::docs(&address).inspect_err(telemetry::log_start_failure)?;
    serve(|request| ready(describe_api::answer(&docs, &request))).await
}
