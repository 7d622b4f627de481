//! `GET /v1/openapi.json`

use latchkey::http::serve;
use latchkey::telemetry;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    telemetry::init(module_path!());
    serve(async |_| describe_api::handle()).await
}
