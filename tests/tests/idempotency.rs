//! `Idempotency-Key`: a repeated request gets the same answer and has no second effect.

use end_to_end::{Account, Answer, Person, Stack, send};
use futures_util::future::join_all;
use serde_json::{Value, json};

async fn create(account: &Account, person: &Person, key: &str, body: &Value) -> Answer {
    let request = account.post(person, "/tokens").json(body);
    send(request.header("idempotency-key", key)).await
}

fn body(name: &str) -> Value {
    json!({"name": name, "autoPurge": "1h", "scope": {"type": "full"}})
}

#[tokio::test]
async fn a_repeated_creation_answers_the_same_token_without_its_secret() {
    let stack = Stack::from_env();
    let account = Account::create(&stack, "idempotency", "standard").await;
    let first = create(&account, &account.owner, "key-1", &body("Once")).await;
    let created = first.expect(201);
    assert!(created["secret"].is_string());

    let again = create(&account, &account.owner, "key-1", &body("Once")).await;
    let repeated = again.expect(200);
    assert_eq!(repeated["token"], created["token"]);
    assert!(repeated["secret"].is_null(), "{repeated}");
    assert_eq!(again.header("location"), first.header("location"));

    let other = create(&account, &account.owner, "key-1", &body("Another")).await;
    other.expect(422);
    assert_eq!(other.code(), "idempotency_key_reused");
    let invalid = create(&account, &account.owner, "not one key", &body("Spaces")).await;
    invalid.expect(422);
    assert_eq!(invalid.code(), "validation_failed");

    // Keys of different callers are independent.
    let theirs = create(&account, &account.administrator, "key-1", &body("Once")).await;
    assert_ne!(theirs.expect(201)["token"]["id"], created["token"]["id"]);
    assert_eq!(account.audit("action=create").await.len(), 2);
}

#[tokio::test]
async fn the_same_creation_many_times_at_once_makes_one_token() {
    let stack = Stack::from_env();
    let account = Account::create(&stack, "idempotency-race", "standard").await;
    let body = body("Raced");
    let calls = (0..10).map(|_| create(&account, &account.owner, "key", &body));
    let answers = join_all(calls).await;
    let mut statuses: Vec<_> = answers.iter().map(|answer| answer.status).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 200, 200, 200, 200, 200, 200, 200, 200, 201]);
    let list = send(account.get(&account.owner, "/tokens"))
        .await
        .expect(200);
    assert_eq!(list["tokens"].as_array().unwrap().len(), 1, "{list}");
    assert_eq!(account.audit("action=create").await.len(), 1);
}
