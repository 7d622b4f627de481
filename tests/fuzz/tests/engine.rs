//! The committed requests on a real engine, whose tables know more rules than a store in memory: about keys, about
//! sizes, and about what an expression may say.

use contract::{Description, operations};
use fuzz::corpus::inputs;
use fuzz::{Input, World, answer, call};
use latchkey::testing::{Engine, FakeVault, now, system_at};

#[tokio::test]
async fn no_committed_request_makes_a_real_store_fail() {
    let engine = Engine::with_accounts().await;
    let description = Description::new(Description::of_the_code());
    for stored in World::new().await.stored() {
        engine.insert(stored.clone()).await;
    }
    // With the same random bits again and again, two records would have the same id.
    let (vault, system) = (FakeVault::default(), system_at(now()));
    for operation in operations() {
        for (_, data) in inputs(operation.name()) {
            let call = call(&operation, &Input::of(&data));
            let answer = answer(&engine.store, &vault, &system, &call).await;
            description.check(operation.name(), &answer);
        }
    }
}
