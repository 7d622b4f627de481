//! `PUT /v1/accounts/{accountId}/preferences`

use latchkey::http::serve;
use latchkey::start::Start;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    let start = Start::new(module_path!()).await;
    let store = start.store()?;
    serve(|request| update_preferences::handle(&store, request)).await
}
