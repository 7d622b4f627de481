use std::sync::{Arc, Mutex};

use aws_sdk_dynamodb::operation::delete_item::DeleteItemError;
use aws_sdk_dynamodb::operation::get_item::GetItemOutput;
use aws_sdk_dynamodb::operation::put_item::{PutItemError, PutItemOutput};
use aws_sdk_dynamodb::operation::query::QueryOutput;
use aws_sdk_dynamodb::operation::update_item::{
    UpdateItemError, UpdateItemInput, UpdateItemOutput,
};
use aws_sdk_dynamodb::types::error::ConditionalCheckFailedException;
use aws_smithy_mocks::{RuleMode, mock, mock_client};
use serde_json::json;

use super::*;

fn store(client: Client) -> DynamoStore {
    DynamoStore::new(client, "Resources".to_owned())
}

fn key() -> Key {
    Key {
        account_id: "acme".to_owned(),
        kind: ResourceType::Export,
        id: "orders".to_owned(),
    }
}

fn text(value: &str) -> AttributeValue {
    AttributeValue::S(value.to_owned())
}

fn orders() -> Resource {
    Resource {
        id: "orders".to_owned(),
        kind: ResourceType::Export,
        name: "Orders".to_owned(),
        description: String::new(),
        integration_id: None,
        settings: json!({ "": [1.0, 1, 123456789012345678u64, 1e300, null] })
            .as_object()
            .unwrap()
            .clone(),
    }
}

fn entry() -> DebugEntry {
    DebugEntry {
        time: "2026-03-02T09:30:00Z".to_owned(),
        request_id: "r1".to_owned(),
        token_id: "tok_1".to_owned(),
        action: "invoke".to_owned(),
        status: 200,
    }
}

/// Whether a write with `input` is to the account's item, and only if it exists.
fn is_for_the_existing_item(input: &UpdateItemInput) -> bool {
    input.key() == Some(&item_key(&key()))
        && input.condition_expression() == Some("attribute_exists(pk)")
}

fn condition_failed() -> ConditionalCheckFailedException {
    ConditionalCheckFailedException::builder()
        .message("The conditional request failed")
        .build()
}

#[tokio::test]
async fn a_resource_is_read_as_it_was_created() {
    let item = Arc::new(Mutex::new(None));
    let written = Arc::clone(&item);
    let put = mock!(Client::put_item)
        .match_requests(|input| {
            input.table_name() == Some("Resources")
                && input.condition_expression() == Some("attribute_not_exists(pk)")
        })
        .then_compute_output(move |input| {
            *written.lock().unwrap() = input.item().cloned();
            PutItemOutput::builder().build()
        });
    let stored = Arc::clone(&item);
    let get = mock!(Client::get_item)
        .match_requests(|input| {
            input.key() == Some(&item_key(&key())) && input.consistent_read() == Some(true)
        })
        .then_compute_output(move |_| {
            GetItemOutput::builder()
                .set_item(stored.lock().unwrap().clone())
                .build()
        });
    let store = store(mock_client!(
        aws_sdk_dynamodb,
        RuleMode::Sequential,
        [&put, &get]
    ));

    assert!(store.create("acme", &orders()).await.unwrap());
    let attributes = item.lock().unwrap().clone().unwrap();
    for (name, value) in [
        ("pk", "ACCOUNT#acme"),
        ("sk", "export#orders"),
        ("accountId", "acme"),
        ("type", "export"),
    ] {
        assert_eq!(attributes.get(name), Some(&text(value)));
    }
    assert!(!attributes.contains_key("integrationId"));
    assert_eq!(store.get(&key()).await.unwrap(), Some(orders()));
}

#[tokio::test]
async fn an_item_with_only_a_name_is_a_resource() {
    let get = mock!(Client::get_item).then_output(|| {
        let item = GetItemOutput::builder()
            .item("id", text("orders"))
            .item("type", text("export"));
        item.item("name", text("Orders")).build()
    });
    let resource = store(mock_client!(aws_sdk_dynamodb, [&get]))
        .get(&key())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        (resource.name.as_str(), resource.settings.len()),
        ("Orders", 0)
    );
}

#[tokio::test]
async fn a_page_begins_after_the_cursor_inside_the_account() {
    let query = mock!(Client::query)
        .match_requests(|input| {
            let values = input.expression_attribute_values().unwrap();
            input.key_condition_expression() == Some("pk = :pk AND begins_with(sk, :type)")
                && values.get(":pk") == Some(&text("ACCOUNT#acme"))
                && values.get(":type") == Some(&text("export#"))
                && input.exclusive_start_key() == Some(&item_key(&key()))
                && input.limit() == Some(2)
                && input.consistent_read() == Some(true)
        })
        .then_output(|| {
            QueryOutput::builder()
                .last_evaluated_key("pk", text("ACCOUNT#acme"))
                .build()
        });
    let store = store(mock_client!(aws_sdk_dynamodb, [&query]));
    let (resources, more) = store
        .list("acme", ResourceType::Export, 2, Some("orders".to_owned()))
        .await
        .unwrap();
    assert!(resources.is_empty() && more);
}

#[tokio::test]
async fn an_update_writes_what_changes_and_nothing_else() {
    let update = mock!(Client::update_item)
        .match_requests(|input| {
            is_for_the_existing_item(input)
                && input.update_expression() == Some("SET #name = :name, #settings = :settings")
                && input
                    .expression_attribute_values()
                    .unwrap()
                    .get(":settings")
                    == Some(&text(r#"{"a":1}"#))
        })
        .then_output(|| {
            let output = UpdateItemOutput::builder().attributes("id", text("orders"));
            output
                .attributes("type", text("export"))
                .attributes("name", text("New"))
                .build()
        });
    let changes = Changes {
        name: Some("New".to_owned()),
        description: None,
        settings: json!({ "a": 1 }).as_object().cloned(),
    };
    let updated = store(mock_client!(aws_sdk_dynamodb, [&update]))
        .update(&key(), changes)
        .await
        .unwrap();
    assert_eq!(updated.unwrap().name, "New");
}

#[tokio::test]
async fn a_write_whose_condition_fails_says_so() {
    let put = mock!(Client::put_item)
        .then_error(|| PutItemError::ConditionalCheckFailedException(condition_failed()));
    let update = mock!(Client::update_item)
        .match_requests(is_for_the_existing_item)
        .then_error(|| UpdateItemError::ConditionalCheckFailedException(condition_failed()));
    let delete = mock!(Client::delete_item)
        .match_requests(|input| {
            input.key() == Some(&item_key(&key()))
                && input.condition_expression() == Some("attribute_exists(pk)")
        })
        .then_error(|| DeleteItemError::ConditionalCheckFailedException(condition_failed()));
    let store = store(mock_client!(
        aws_sdk_dynamodb,
        RuleMode::MatchAny,
        [&put, &update, &delete]
    ));

    assert!(!store.create("acme", &orders()).await.unwrap());
    let changes = Changes {
        name: Some("New".to_owned()),
        ..Changes::default()
    };
    assert_eq!(store.update(&key(), changes).await.unwrap(), None);
    assert!(!store.delete(&key()).await.unwrap());
    assert!(!store.record(&key(), &entry()).await.unwrap());
}

#[tokio::test]
async fn another_failure_of_a_write_is_an_error() {
    let update =
        mock!(Client::update_item).then_error(|| UpdateItemError::unhandled("no permission"));
    let store = store(mock_client!(aws_sdk_dynamodb, [&update]));
    assert!(store.record(&key(), &entry()).await.is_err());
}

#[tokio::test]
async fn the_debug_log_is_trimmed_from_its_old_end() {
    let append = |length: usize| {
        mock!(Client::update_item)
            .match_requests(|input| {
                is_for_the_existing_item(input)
                    && input.update_expression()
                        == Some(
                            "SET debugLog = list_append(:entry, if_not_exists(debugLog, :empty))",
                        )
            })
            .then_output(move || {
                let log = AttributeValue::L(vec![text("entry"); length]);
                UpdateItemOutput::builder()
                    .attributes("debugLog", log)
                    .build()
            })
    };
    let trim = mock!(Client::update_item)
        .match_requests(|input| {
            let expression = input.update_expression().unwrap();
            is_for_the_existing_item(input)
                && expression.starts_with("REMOVE debugLog[20], ")
                && expression.ends_with(", debugLog[40]")
        })
        .then_output(|| UpdateItemOutput::builder().build());
    let (short, long) = (
        append(2 * DEBUG_LOG_LENGTH),
        append(2 * DEBUG_LOG_LENGTH + 1),
    );
    let store = store(mock_client!(
        aws_sdk_dynamodb,
        RuleMode::Sequential,
        [&short, &long, &trim]
    ));

    assert!(store.record(&key(), &entry()).await.unwrap());
    assert_eq!(trim.num_calls(), 0);
    assert!(store.record(&key(), &entry()).await.unwrap());
    assert_eq!(trim.num_calls(), 1);
}

#[tokio::test]
async fn the_newest_entries_of_the_debug_log_are_read() {
    let get = mock!(Client::get_item).then_output(|| {
        let entry: AttributeValue = serde_dynamo::to_attribute_value(entry()).unwrap();
        GetItemOutput::builder()
            .item(
                "debugLog",
                AttributeValue::L(vec![entry; DEBUG_LOG_LENGTH + 5]),
            )
            .build()
    });
    let log = store(mock_client!(aws_sdk_dynamodb, [&get]))
        .debug_log(&key())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(log, vec![entry(); DEBUG_LOG_LENGTH]);

    let none = mock!(Client::get_item).then_output(|| GetItemOutput::builder().build());
    assert_eq!(
        store(mock_client!(aws_sdk_dynamodb, [&none]))
            .debug_log(&key())
            .await
            .unwrap(),
        None
    );
}
