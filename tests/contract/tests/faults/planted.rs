//! Faults of the product that are planted, to see that the suite finds them.

use std::collections::BTreeMap;

use aws_sdk_dynamodb::types::AttributeValue;
use contract::{Fault, Planned, Reach};
use latchkey::testing::Engine;

use crate::run::Stage;
use crate::scenario::Scenario;
use crate::world::{Sandbox, World};

/// A planted fault.
struct Plant {
    /// What is wrong with the product.
    name: &'static str,
    /// The scenario in which it shows.
    scenario: Scenario,
    /// What the services do.
    faults: Vec<Planned>,
    /// What the suite must say.
    finding: &'static str,
}

/// Finds the scenario of an operation or function.
fn scenario(function: &str, name: &str) -> Scenario {
    let mut all = crate::scenarios().into_iter();
    let found = all.find(|it| it.function == function && it.name == name);
    found.unwrap_or_else(|| panic!("no scenario {function} ({name})"))
}

/// The items of the tables that were written by the last request, by the kind of their keys.
async fn last(
    sandbox: &Sandbox<'_>,
    table: &str,
    pk: &str,
    sk: &str,
) -> Vec<BTreeMap<String, String>> {
    let scan = sandbox
        .world
        .engine
        .client
        .scan()
        .table_name(table)
        .send()
        .await
        .unwrap();
    let text = |value: &AttributeValue| value.as_s().cloned().unwrap_or_default();
    let mut found: Vec<BTreeMap<_, _>> = scan
        .items
        .unwrap_or_default()
        .iter()
        .map(|item| {
            item.iter()
                .map(|(name, value)| (name.clone(), text(value)))
                .collect()
        })
        .collect();
    found.retain(|item: &BTreeMap<String, String>| {
        item["pk"].starts_with(pk) && item["sk"].starts_with(sk)
    });
    found.sort_by(|one, other| one["sk"].cmp(&other["sk"]));
    found
}

/// Removes the last of these items.
async fn remove(sandbox: &Sandbox<'_>, table: &str, pk: &str, sk: &str) {
    let item = last(sandbox, table, pk, sk).await.pop().unwrap();
    let key = |name: &str| AttributeValue::S(item[name].clone());
    let delete = sandbox.world.engine.client.delete_item().table_name(table);
    delete
        .key("pk", key("pk"))
        .key("sk", key("sk"))
        .send()
        .await
        .unwrap();
}

/// Sets an attribute of the last of these items.
async fn set(sandbox: &Sandbox<'_>, pk: &str, sk: &str, attribute: &str, value: AttributeValue) {
    let table = Engine::tables().tokens;
    let item = last(sandbox, &table, pk, sk).await.pop().unwrap();
    let key = |name: &str| AttributeValue::S(item[name].clone());
    let update = sandbox.world.engine.client.update_item().table_name(table);
    let update = update.key("pk", key("pk")).key("sk", key("sk"));
    let update = update.update_expression("SET #name = :value");
    let update = update.expression_attribute_names("#name", attribute);
    update
        .expression_attribute_values(":value", value)
        .send()
        .await
        .unwrap();
}

fn table_of_audit() -> String {
    Engine::tables().audit
}

fn table_of_tokens() -> String {
    Engine::tables().tokens
}

/// A scenario whose request is followed by damage.
macro_rules! damaged {
    ($function:literal, $name:literal, |$sandbox:ident| $damage:expr) => {
        Scenario {
            ask: |$sandbox, given| {
                Box::pin(async move {
                    let outcome = (scenario($function, $name).ask)($sandbox, given).await;
                    $damage;
                    outcome
                })
            },
            ..scenario($function, $name)
        }
    };
}

/// A scenario whose answer is replaced.
macro_rules! answered {
    ($function:literal, $name:literal, |$outcome:ident| $change:expr) => {
        Scenario {
            ask: |sandbox, given| {
                Box::pin(async move {
                    #[allow(unused_mut, reason = "not every change is in place")]
                    let mut $outcome = (scenario($function, $name).ask)(sandbox, given).await;
                    $change;
                    $outcome
                })
            },
            ..scenario($function, $name)
        }
    };
}

/// All attempts of a call fail.
fn failing(at: usize) -> Vec<Planned> {
    let (fault, reach) = (Fault::Cut, Reach::Call);
    vec![Planned { at, fault, reach }]
}

#[rustfmt::skip]
fn plants() -> Vec<Plant> {
    let plant = |name, scenario, faults, finding| Plant { name, scenario, faults, finding };
    vec![
        plant("a store that answers success without writing", scenario("revoke-token", ""),
            vec![Planned { at: 3, fault: Fault::Forged, reach: Reach::Call }], "but it isn't done"),
        plant("an answer of success after a failure", answered!("update-token", "", |outcome| if outcome.status == 503 { outcome.status = 200; }),
            failing(4), "but it isn't done"),
        plant("a 503 that doesn't say when to repeat", answered!("update-token", "", |outcome| outcome.repeats = false), failing(4), "answer 1 is 503"),
        plant("a 500 for a service that fails", answered!("update-token", "", |outcome| if outcome.status == 503 { outcome.status = 500; }),
            failing(4), "answer 1 is 500"),
        plant("a 409 for a service that fails", answered!("create-token", "", |outcome| if outcome.status == 503 { outcome.status = 409; }),
            failing(1), "answer 1 is 409"),
        plant("a change without its record", damaged!("update-token", "", |sandbox| {
            remove(sandbox, &table_of_audit(), "ACCOUNT#", "aud_").await;
        }), vec![], "records"),
        plant("a token without its secret", damaged!("update-token", "", |sandbox| {
            remove(sandbox, &table_of_tokens(), "SECRET#", "SECRET").await;
        }), vec![], "is without its secret"),
        plant("a secret without its token", damaged!("update-token", "", |sandbox| {
            remove(sandbox, &table_of_tokens(), "ACCOUNT#", "TOKEN#").await;
        }), vec![], "is without it"),
        plant("a secret in another state than its token", damaged!("update-token", "", |sandbox| {
            set(sandbox, "SECRET#", "SECRET", "status", AttributeValue::S("revoked".into())).await;
        }), vec![], "status is"),
        plant("a request that is recognized without its token", damaged!("create-token", "with a key", |sandbox| {
            set(sandbox, "ACCOUNT#", "IDEMPOTENCY#", "tokenId", AttributeValue::S("tok_1".into())).await;
        }), vec![], "would find tok_1"),
        plant("a use without its record", damaged!("token-info", "", |sandbox| {
            remove(sandbox, &table_of_audit(), "USE#", "aud_").await;
        }), vec![], "without a record"),
        plant("a unit of a budget that is counted twice", damaged!("update-token", "", |sandbox| {
            set(sandbox, "BUDGET#", "CHANGES#", "spent", AttributeValue::N("9".into())).await;
        }), vec![], "is 9 after"),
        plant("a mail's claim that is never released", damaged!("update-token", "", |sandbox| {
            let audit = last(sandbox, &table_of_audit(), "ACCOUNT#", "aud_").await.pop().unwrap();
            let claim = sandbox.world.engine.client.put_item().table_name(table_of_tokens());
            let claim = claim.item("pk", AttributeValue::S(format!("MAIL#{}", audit["sk"])));
            let claim = claim.item("sk", AttributeValue::S("USER#owner-1".into()));
            let claim = claim.item("state", AttributeValue::S("sending".into()));
            let never = AttributeValue::N("9999999999999".into());
            claim.item("claimedAt", never).send().await.unwrap();
        }), vec![], "got no mail"),
        plant("a mail that is sent twice", damaged!("send-notifications", "", |sandbox| {
            remove(sandbox, &table_of_tokens(), "MAIL#", "USER#").await;
        }), vec![], "sent once more"),
    ]
}

/// Plants every fault, and returns the names of those that were found: all of them.
pub(crate) fn find_all() -> Vec<&'static str> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.unwrap().block_on(async {
        let world = World::start().await;
        let empty = world.snapshot().await;
        let mut found = Vec::new();
        for plant in plants() {
            let stage = Stage::planted(&world, &empty, &plant.scenario).await;
            let wrong = stage.run(&plant.faults, &[]).await.wrong;
            let is_found = wrong.iter().any(|wrong| wrong.contains(plant.finding));
            assert!(is_found, "{} isn't found: {wrong:#?}", plant.name);
            found.push(plant.name);
        }
        found
    })
}
