//! Tests on real engines: random histories whose tables are restored to a random point, and single cases.

use latchkey::domain::mailing::{Digest, DigestPeriod};
use latchkey::domain::upkeep::SentReminder;
use latchkey::domain::verification::{SecretState, standing};
use latchkey::ports::GetSecret;
use latchkey::testing::{Engine, FakeVault, acme, now, plain_secret, system_at, token_at};

use super::*;

mod histories;
mod single;

/// Returns an engine with the tables as they are now, and without streams, as a restore makes them.
async fn restored(engine: &Engine) -> Engine {
    let restored = Engine::start().await;
    restored.stop_stream().await;
    restored.load_tokens(&engine.token_images().await);
    restored.load_audit(&engine.audit_images().await);
    restored
}

/// Replays the log of one engine over the other's tables, at a time.
async fn run(
    (source, restored): (&Engine, &Engine),
    since: Timestamp,
    at: Timestamp,
    dry_run: bool,
) -> Summary {
    let stores = Stores {
        source: &source.store,
        restored: &restored.store,
    };
    let options = Options { since, dry_run };
    replay(
        stores,
        &FakeVault::default(),
        &system_at(at),
        options,
        |_| {},
    )
    .await
}

/// Replays and returns the summary, after a dry run that said the same and changed nothing.
async fn told_and_done(engines: (&Engine, &Engine), since: Timestamp, at: Timestamp) -> Summary {
    let before = engines.1.dump().await;
    let told = run(engines, since, at, true).await;
    assert_eq!(engines.1.dump().await, before);
    let done = run(engines, since, at, false).await;
    assert_eq!(done.failures, [""; 0]);
    assert_eq!((&told.done, &told.lost), (&done.done, &done.lost));
    done
}
