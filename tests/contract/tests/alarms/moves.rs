//! Every metric of log lines moves by a line that a handler writes.

use std::collections::BTreeSet;

use contract::Call;
use contract::watching::log_metrics;
use jiff::SignedDuration;
use latchkey::app::measure::{Measure, count};
use latchkey::domain::budget::Budgets;
use latchkey::testing::{Engine, Logs, now};
use serde_json::{Value, json};
use tracing::level_filters::LevelFilter;

use crate::TEMPLATE;
use crate::cloud::Filter;
use crate::lines::{Logged, World};

/// A token of full access with that one difference.
fn token(key: &str, value: Value) -> Value {
    let mut token = json!({"name": "Sync", "autoPurge": "never", "scope": {"type": "full"}});
    token[key] = value;
    token
}

/// The lines of decisions with every outcome.
pub(crate) async fn decisions() -> Vec<Logged> {
    let world = World::start().await;
    let mut lines = world.authorize(None).await;
    lines.extend(world.authorize(Some("lka_none")).await);
    // That of the sample, which no token has.
    let unknown = "lka_9zuQWWzsuUItctynUYyncDlKI5ZTuPizoWXgXaviRS63nAJ1Y";
    lines.extend(world.authorize(Some(unknown)).await);
    world.call(world.about_token("POST", "/regenerate")).await;
    lines.extend(world.authorize(None).await);
    let world = world
        .with(&token(
            "scope",
            json!({"type": "custom", "exports": ["exp_app"]}),
        ))
        .await;
    lines.extend(world.authorize(None).await);
    let world = world
        .with(&token("allowedCidrs", json!(["198.51.100.0/24"])))
        .await;
    lines.extend(world.authorize(None).await);
    let world = world.with(&token("autoPurge", json!("1h"))).await;
    let later = now() + SignedDuration::from_hours(2);
    lines.extend(world.authorize_at(None, later).await);
    let world = world.with(&token("name", json!("Leaked"))).await;
    let leaked = world.secret.clone();
    world
        .call(Call::new("POST", "/v1/revoke").form(&format!("token={leaked}")))
        .await;
    lines.extend(world.authorize(None).await);
    let world = world.with(&token("name", json!("Revoked"))).await;
    world.revoke().await;
    lines.extend(world.authorize(None).await);
    lines.extend(World::start().await.failed_token_info().await);
    lines
}

/// The lines of functions that fail, and of an authorizer whose transaction met another one.
pub(crate) async fn failures() -> Vec<Logged> {
    let world = World::start().await;
    let mut lines = world.failed_trail().await;
    let second = token("name", json!("Second"));
    let create = Call::new("POST", "/v1/accounts/acme/tokens").json(&second);
    let regenerate = world.about_token("POST", "/regenerate");
    let introspect = Call::new("POST", "/v1/introspect").bearer(&world.secret);
    let introspect = introspect.form(&format!("token={}", world.secret));
    for (function, call, operation) in [
        ("CreateToken", create, "Encrypt"),
        ("RegenerateToken", regenerate, "Encrypt"),
        ("IntrospectToken", introspect, "TransactWriteItems"),
    ] {
        lines.extend(world.fail(function, call, operation).await);
    }
    let logs = Logs::of("authorize", LevelFilter::ERROR);
    count(Measure::Retried, 1);
    lines.extend(logs.take().into_iter().map(|line| ("Authorize", line)));
    drop(logs);
    world.engine.break_audit().await;
    lines.extend(world.authorize(None).await);
    lines
}

/// The lines of everything else.
pub(crate) async fn others() -> Vec<Logged> {
    let world = World::start().await;
    let mut lines = world.reveal(None).await;
    lines.extend(world.reveal(Some("KMSInvalidStateException")).await);
    let one = Budgets {
        reveals: 1,
        ..Engine::budgets()
    };
    for expected in [200, 429] {
        // What was shown before was counted too.
        let fresh = if expected == 200 {
            Engine::budgets()
        } else {
            one
        };
        let (status, revealed) = world
            .reveal_with(&world.store.clone().with_budgets(fresh))
            .await;
        assert_eq!(status, expected);
        lines.extend(revealed);
    }
    lines.extend(world.notify(None).await);
    lines.extend(world.notify(Some("SendingPausedException")).await);
    lines.extend(world.tampering().await);
    lines.extend(world.bounce().await);
    lines.extend(world.unreadable_event().await);
    lines.extend(world.intrusion().await);
    let sample = include_str!("../../../../events/sync-platform/account-upserted.json");
    let mut stale: Value = serde_json::from_str(sample).unwrap();
    stale["time"] = json!("2026-11-01T10:00:00Z");
    lines.extend(world.publish(stale).await);
    // Two transactions that meet are in the tests of the store, which writes this line.
    let logs = Logs::of("revoke_token", LevelFilter::ERROR);
    count(Measure::Retried, 1);
    lines.extend(logs.take().into_iter().map(|line| ("RevokeToken", line)));
    drop(logs);
    let (status, leak) = world.leak().await;
    assert_eq!(status, 200, "{leak:?}");
    lines.extend(leak);
    lines.extend(World::start().await.refused_digest().await);
    lines.extend(World::start().await.lost_leak().await);
    lines
}

/// Otherwise the probe's runs would be a surge where few secrets are shown.
#[tokio::test]
async fn what_the_probe_is_shown_is_not_counted() {
    let world = World::start().await;
    let filters = Filter::all(&TEMPLATE);
    let filter = filters.iter().find(|filter| filter.metric == "Reveals");
    let filter = filter.unwrap();
    let lines = world.reveal(None).await;
    let counted = |line: &Value| filter.count(line).is_some();
    let (_, shown) = lines.iter().find(|(_, line)| counted(line)).unwrap();
    let mut probed = shown.clone();
    probed["account_id"] = json!(latchkey::http::probe::ACCOUNT);
    assert!(!counted(&probed), "{probed}");
}

#[tokio::test]
async fn every_metric_of_log_lines_moves_by_a_handlers_line() {
    let mut lines = decisions().await;
    lines.extend(others().await);
    let filters = Filter::all(&TEMPLATE);
    let mut moved = BTreeSet::new();
    for (function, line) in &lines {
        let group = format!("{function}LogGroup");
        for filter in filters.iter().filter(|filter| filter.group == group) {
            if let Some((metric, value)) = filter.count(line) {
                assert!(value > 0.0, "{line}");
                let dimensions = metric.dimensions.iter();
                let dimensions = dimensions.map(|(key, value)| format!(" {key} {value}"));
                moved.insert(metric.name + &dimensions.collect::<String>());
            }
        }
    }
    assert_eq!(moved, log_metrics(&TEMPLATE));
}
