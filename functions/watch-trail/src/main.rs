//! An hourly schedule → findings in CloudTrail's event history.

use latchkey::config::{Tables, require};
use latchkey::domain::trail::Stack;
use latchkey::start::{Start, serve_events};
use latchkey::system::System;
use watch_trail::{CloudTrail, PAUSE};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    let start = Start::new(module_path!()).await;
    let (store, trail) = (&start.store()?, &CloudTrail::new(start.aws(), PAUSE));
    let tables = Tables::from_env()?;
    let (name, tables_key) = (require("STACK_NAME")?, require("TABLES_KEY_ID")?);
    let secrets_key = require("SECRETS_KEY_ID")?;
    let tables = [tables.tokens.as_str(), tables.audit.as_str()];
    let stack = &Stack::new(&name, tables, &tables_key, &secrets_key);
    serve_events(|event, until| watch_trail::handle(trail, store, &System, stack, until, event))
        .await
}
