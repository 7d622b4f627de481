//! Tests of interruptions at any time.

use std::sync::atomic::Ordering;

use super::*;
use crate::breaking::breaking;

/// Returns all items, without the random parts of audit records.
async fn outcome(engine: &Engine) -> (Vec<Value>, Vec<Value>) {
    let mut records = engine.audit_images().await;
    for record in &mut records {
        record.as_object_mut().unwrap().remove("sk");
    }
    records.sort_by_key(|record| (record["action"].to_string(), record["tokenId"].to_string()));
    let mut items = engine.token_images().await;
    items.sort_by_key(|item| (item["pk"].to_string(), item["sk"].to_string()));
    (items, records)
}

#[tokio::test]
async fn after_any_write_the_next_run_goes_on() {
    let whole = first_engine().await;
    let (store, writes) = breaking(&whole.aws, usize::MAX, false);
    let done = migrate(&store, &system_at(now()), AFTER, |_| {}).await;
    assert_eq!(done.failures, Vec::<String>::new());
    let (expected, writes) = (outcome(&whole).await, writes.load(Ordering::Relaxed));
    // Every run fails after its first write, or without the response to it.
    for (most, unanswered) in [(1, false), (0, true)] {
        let engine = first_engine().await;
        let mut runs = 0;
        loop {
            let (store, _) = breaking(&engine.aws, most, unanswered);
            let broken = migrate(&store, &system_at(now()), AFTER, |_| {}).await;
            runs += 1;
            assert!(runs <= writes + 1, "{broken}");
            if broken.failures.is_empty() {
                break;
            }
        }
        assert_eq!(outcome(&engine).await, expected);
        assert!(runs > writes / 2, "{runs} of {writes}");
    }
    // The next run does everything that is left.
    for most in 0..writes {
        let engine = first_engine().await;
        let (store, _) = breaking(&engine.aws, most, false);
        let broken = migrate(&store, &system_at(now()), AFTER, |_| {}).await;
        assert!(!broken.failures.is_empty(), "{most} of {writes}");
        run(&engine, AFTER).await;
        assert_eq!(outcome(&engine).await, expected, "{most} of {writes}");
    }
}
