//! `GET /`, `GET /config.json` and `GET /assets/{version}/{file}`

use std::future::ready;

use console::Site;
use console::config::Config;
use latchkey::http::serve;
use latchkey::telemetry;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    telemetry::init(module_path!());
    let site = Site::new(&Config::from_env()?).inspect_err(telemetry::log_start_failure)?;
    serve(|request| ready(console::handle(&site, &request))).await
}
