//! The operations of the API. Each input is a request.

use contract::{Call, Ports};
use latchkey::domain::entropy::Entropy;
use latchkey::http::openapi::Operation;
use latchkey::ports::Clock;
use latchkey::testing::{Answer, FakeVault};
use serde_json::{Map, Value, json};

use super::{DESCRIPTION, Harness};
use crate::check::shows_secret;
use crate::input::Input;

/// The operations whose success has a secret.
const WITH_SECRET: [&str; 3] = ["create-token", "regenerate-token", "reveal-token"];

/// Runs an operation on an input.
pub(super) fn operation(harness: &Harness, operation: &Operation, data: &[u8]) {
    let call = call(operation, &Input::of(data));
    harness.take_written();
    let answer = harness.ask(&call);
    DESCRIPTION.check(operation.name(), &answer);
    let success = answer.status < 400;
    let told = shows_secret(&answer.text)
        || ["link", "location", "www-authenticate"]
            .iter()
            .any(|name| shows_secret(answer.header(name)));
    let may_tell = success && WITH_SECRET.contains(&operation.name());
    assert!(may_tell || !told, "{call:?}: {answer:?}");
    for written in harness.take_written() {
        assert!(!shows_secret(&written), "{call:?} writes {written:?}");
    }
    if success {
        repeat(harness, operation, call, &answer);
    }
}

/// Sends a request to a store, and checks what holds for each answer.
///
/// # Panics
/// If the answer is an error of the server.
pub async fn answer(
    store: &impl Ports,
    vault: &FakeVault,
    system: &(impl Clock + Entropy),
    call: &Call,
) -> Answer {
    let answer = Box::pin(contract::answer(store, vault, system, call)).await;
    assert!(answer.status < 500, "{call:?}: {answer:?}");
    answer
}

/// Makes the request of an input. A path that isn't the operation's is replaced by one that is: the gateway would have
/// sent it elsewhere.
///
/// # Panics
/// If the operation has no route.
pub fn call(operation: &Operation, input: &Input<'_>) -> Call {
    let method = operation.method();
    let own = |path: &str| {
        let target = format!("{path}?{}", input.query);
        Call::find(method, &target).filter(|call| call.operation() == operation.name())
    };
    let sample = operation
        .path()
        .replace("{accountId}", "acme")
        .replace("{tokenId}", "tok_01ARZ3NDEKTSV4RRFFQ69G5FAV");
    let call = own(&input.path).or_else(|| own(&sample)).unwrap();
    let mut call = call.by("owner-1").bytes(input.body);
    for (name, value) in &input.headers {
        call = call.header(name, value);
    }
    call
}

/// Sends what an operation accepted and answered once more. The fields must not change by that.
fn repeat(harness: &Harness, operation: &Operation, call: Call, answer: &Answer) {
    let (token, fields): (_, &[&str]) = match operation.name() {
        "create-token" => (
            &answer.json["token"],
            &[
                "name",
                "description",
                "kind",
                "integrationId",
                "autoPurge",
                "scope",
                "allowedCidrs",
            ],
        ),
        "update-token" => (
            &answer.json,
            &["name", "description", "scope", "allowedCidrs"],
        ),
        "update-preferences" => (&answer.json, &["create", "access", "change"]),
        _ => return,
    };
    let members = fields
        .iter()
        .map(|name| ((*name).to_owned(), token[*name].clone()));
    let body: Map<_, _> = members.collect();
    let call = call.json(&json!(body));
    let again = harness.ask(&call);
    assert_eq!(again.status, answer.status, "{call:?}: {}", again.text);
    let token: &Value = match operation.name() {
        "create-token" => &again.json["token"],
        _ => &again.json,
    };
    for name in fields {
        assert_eq!(token[*name], body[*name], "{call:?}: {name}");
    }
}
