use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use super::*;
use crate::resource::{Changes, Resource};
use crate::store::{DEBUG_LOG_LENGTH, DebugEntry, StoreError};

/// A store in memory that keeps the port's promises.
#[derive(Default)]
struct MemoryStore {
    items: RefCell<BTreeMap<Key, (Resource, Vec<DebugEntry>)>>,
    /// Every id counts as taken.
    full: bool,
    /// Every resource is deleted between its read and its write.
    vanishing: bool,
}

impl MemoryStore {
    fn with(resources: &[(&str, ResourceType, &str, Option<&str>, Value)]) -> Self {
        let store = Self::default();
        for (account_id, kind, id, integration_id, settings) in resources {
            let key = Key {
                account_id: (*account_id).to_owned(),
                kind: *kind,
                id: (*id).to_owned(),
            };
            let resource = Resource {
                id: (*id).to_owned(),
                kind: *kind,
                name: format!("{id} of {account_id}"),
                description: "as it was".to_owned(),
                integration_id: integration_id.map(str::to_owned),
                settings: settings.as_object().unwrap().clone(),
            };
            store.items.borrow_mut().insert(key, (resource, Vec::new()));
        }
        store
    }

    fn writable(&self, key: &Key) -> bool {
        !self.vanishing && self.items.borrow().contains_key(key)
    }
}

impl ResourceStore for MemoryStore {
    async fn list(
        &self,
        account_id: &str,
        kind: ResourceType,
        limit: i32,
        after: Option<String>,
    ) -> Result<(Vec<Resource>, bool), StoreError> {
        let items = self.items.borrow();
        let mut all = items
            .iter()
            .filter(|(key, _)| {
                key.account_id == account_id
                    && key.kind == kind
                    && after.as_ref().is_none_or(|after| key.id > *after)
            })
            .map(|(_, (resource, _))| resource.clone());
        let page = all.by_ref().take(usize::try_from(limit).unwrap()).collect();
        Ok((page, all.next().is_some()))
    }

    async fn get(&self, key: &Key) -> Result<Option<Resource>, StoreError> {
        Ok(self
            .items
            .borrow()
            .get(key)
            .map(|(resource, _)| resource.clone()))
    }

    async fn create(&self, account_id: &str, resource: &Resource) -> Result<bool, StoreError> {
        let key = Key {
            account_id: account_id.to_owned(),
            kind: resource.kind,
            id: resource.id.clone(),
        };
        let free = !self.full && !self.items.borrow().contains_key(&key);
        if free {
            self.items
                .borrow_mut()
                .insert(key, (resource.clone(), Vec::new()));
        }
        Ok(free)
    }

    async fn update(&self, key: &Key, changes: Changes) -> Result<Option<Resource>, StoreError> {
        if !self.writable(key) {
            return Ok(None);
        }
        let mut items = self.items.borrow_mut();
        let (resource, _) = items.get_mut(key).unwrap();
        if let Some(name) = changes.name {
            resource.name = name;
        }
        if let Some(description) = changes.description {
            resource.description = description;
        }
        if let Some(settings) = changes.settings {
            resource.settings = settings;
        }
        Ok(Some(resource.clone()))
    }

    async fn delete(&self, key: &Key) -> Result<bool, StoreError> {
        Ok(self.items.borrow_mut().remove(key).is_some())
    }

    async fn record(&self, key: &Key, entry: &DebugEntry) -> Result<bool, StoreError> {
        if !self.writable(key) {
            return Ok(false);
        }
        let mut items = self.items.borrow_mut();
        let (_, log) = items.get_mut(key).unwrap();
        log.insert(0, entry.clone());
        log.truncate(DEBUG_LOG_LENGTH);
        Ok(true)
    }

    async fn debug_log(&self, key: &Key) -> Result<Option<Vec<DebugEntry>>, StoreError> {
        Ok(self.items.borrow().get(key).map(|(_, log)| log.clone()))
    }
}

fn platform() -> MemoryStore {
    MemoryStore::with(&[
        ("acme", ResourceType::Connection, "shop", None, json!({})),
        (
            "acme",
            ResourceType::Connection,
            "attic",
            None,
            json!({ "offline": true }),
        ),
        (
            "acme",
            ResourceType::Export,
            "app-orders",
            Some("app1"),
            json!({ "records": [] }),
        ),
        (
            "acme",
            ResourceType::Export,
            "orders",
            None,
            json!({ "records": [{ "id": 1 }] }),
        ),
        ("acme", ResourceType::Export, "returns", None, json!({})),
        ("acme", ResourceType::Import, "invoices", None, json!({})),
        (
            "acme",
            ResourceType::Api,
            "stock",
            None,
            json!({ "response": { "left": 3 } }),
        ),
        (
            "globex",
            ResourceType::Export,
            "secret-plans",
            None,
            json!({}),
        ),
    ])
}

fn event(name: &str) -> Value {
    let file = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../events")
        .join(name)
        .with_extension("json");
    serde_json::from_str(&fs::read_to_string(file).unwrap()).unwrap()
}

fn with_body(mut event: Value, body: &Value) -> Value {
    event["body"] = json!(body.to_string());
    event
}

fn with_path(mut event: Value, parameters: Value) -> Value {
    event["pathParameters"] = parameters;
    event
}

fn with_obligations(mut event: Value, obligations: &Value) -> Value {
    event["requestContext"]["authorizer"]["lambda"]["obligations"] = json!(obligations.to_string());
    event
}

fn without_obligations(event: Value) -> Value {
    with_obligations(event, &json!([]))
}

struct Answer {
    status: u16,
    headers: lambda_http::http::HeaderMap,
    body: Value,
}

async fn send(store: &MemoryStore, event: &Value) -> Answer {
    let request = lambda_http::request::from_str(&event.to_string()).unwrap();
    let (parts, body) = handle(store, request).await.into_parts();
    assert_eq!(parts.headers["cache-control"], "no-store");
    Answer {
        status: parts.status.as_u16(),
        headers: parts.headers,
        body: if body.is_empty() {
            Value::Null
        } else {
            serde_json::from_slice(&body).unwrap()
        },
    }
}

/// Sends the event and checks for this problem.
async fn refused(store: &MemoryStore, event: &Value, status: u16, code: &str) -> Value {
    let answer = send(store, event).await;
    assert_eq!(answer.headers["content-type"], "application/problem+json");
    assert_eq!(
        (answer.status, answer.body["code"].as_str().unwrap()),
        (status, code),
        "{}",
        answer.body
    );
    assert_eq!(answer.body["status"], status);
    assert_eq!(answer.body["type"], "about:blank");
    answer.body
}

/// Returns the failures' codes and fields, sorted. Their order is that of the body and doesn't matter.
fn codes(problem: &Value) -> Vec<(String, Option<String>)> {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let errors = problem["errors"].as_array().unwrap().iter();
    let mut codes: Vec<_> = errors
        .map(|error| (text(&error["code"]).unwrap(), text(&error["field"])))
        .collect();
    codes.sort();
    codes
}

fn named(expected: &[(&str, &str)]) -> Vec<(String, Option<String>)> {
    let mut codes: Vec<_> = expected
        .iter()
        .map(|(code, field)| ((*code).to_owned(), Some((*field).to_owned())))
        .collect();
    codes.sort();
    codes
}

#[tokio::test]
async fn a_list_is_paged_and_stays_inside_the_account() {
    let store = platform();
    let first = send(&store, &event("list-exports")).await;
    assert_eq!(first.status, 200);
    assert_eq!(first.body["exports"].as_array().unwrap().len(), 2);
    assert_eq!(first.body["nextCursor"], "orders");

    let mut next = event("list-exports");
    next["rawQueryString"] = json!("limit=2&cursor=orders");
    let second = send(&store, &next).await;
    assert_eq!(second.body["exports"][0]["id"], "returns");
    assert_eq!(second.body["exports"].as_array().unwrap().len(), 1);
    assert_eq!(second.body["nextCursor"], Value::Null);
}

#[tokio::test]
async fn a_list_says_everything_that_is_wrong_with_its_query() {
    for query in [
        "limit=0&cursor=export%23x",
        "limit=101&cursor=%20",
        "limit=many&cursor=/",
    ] {
        let mut list = event("list-exports");
        list["rawQueryString"] = json!(query);
        let problem = refused(&platform(), &list, 422, "validation_failed").await;
        assert_eq!(
            codes(&problem),
            named(&[("invalid", "limit"), ("invalid", "cursor")])
        );
    }
}

#[tokio::test]
async fn a_rest_api_hands_over_the_same() {
    let store = platform();
    let update = event("rest-update-export-of-integration-app");
    let renamed = send(&store, &update).await;
    assert_eq!(
        (renamed.status, &renamed.body["name"]),
        (200, &json!("Renamed"))
    );
    let settings = with_body(update.clone(), &json!({ "settings": {} }));
    refused(&store, &settings, 403, "field_not_allowed").await;
    let create = event("rest-create-export");
    let into_app = with_body(
        create.clone(),
        &json!({ "name": "New", "integrationId": "app1" }),
    );
    refused(&store, &into_app, 403, "integration_app_data").await;
    let created = send(&store, &create).await;
    assert_eq!(created.status, 201);
    let id = created.body["id"].as_str().unwrap();
    assert_eq!(
        created.headers["location"],
        format!("/live/v1/exports/{id}")
    );

    // Claims of another kind of authorizer are no valid context.
    let mut claims = update;
    claims["requestContext"]["authorizer"] =
        json!({ "claims": { "accountId": "acme", "tokenId": "tok_1", "obligations": "[]" } });
    refused(&store, &claims, 500, "authorizer_context_missing").await;
}

#[tokio::test]
async fn a_created_resource_can_be_read_at_its_location() {
    let store = platform();
    let created = send(&store, &event("create-export")).await;
    assert_eq!(created.status, 201);
    let id = created.body["id"].as_str().unwrap();
    assert_eq!(created.headers["location"], format!("/v1/exports/{id}"));
    assert_eq!(
        created.body,
        json!({ "id": id, "type": "export", "name": "Orders", "description": "Every order", "integrationId": null, "settings": { "records": [{ "id": 1 }] } })
    );

    let read = send(
        &store,
        &with_path(
            event("get-export"),
            json!({ "collection": "exports", "id": id }),
        ),
    )
    .await;
    assert_eq!((read.status, read.body), (200, created.body));
}

#[tokio::test]
async fn a_creation_never_overwrites() {
    let store = MemoryStore {
        full: true,
        ..platform()
    };
    refused(&store, &event("create-export"), 409, "resource_exists").await;
    refused(&store, &event("clone-export"), 409, "resource_exists").await;
}

#[tokio::test]
async fn a_bad_body_gets_every_failure_at_once() {
    let body = json!({ "name": " ", "description": 7, "settings": [], "integrationId": "a b", "id": "mine", "accountId": "globex" });
    let problem = refused(
        &platform(),
        &without_obligations(with_body(event("create-export"), &body)),
        422,
        "validation_failed",
    )
    .await;
    let found = codes(&problem);
    let expected = [
        ("invalid", "description"),
        ("invalid", "integrationId"),
        ("invalid", "settings"),
        ("required", "name"),
        ("unknown_field", "accountId"),
        ("unknown_field", "id"),
    ];
    assert_eq!(found, named(&expected));

    let body = json!({ "name": "x".repeat(129), "description": "x".repeat(1025) });
    let problem = refused(
        &platform(),
        &with_body(event("create-export"), &body),
        422,
        "validation_failed",
    )
    .await;
    assert_eq!(
        codes(&problem),
        named(&[("too_long", "description"), ("too_long", "name")])
    );

    let problem = refused(
        &platform(),
        &with_body(event("create-export"), &json!({})),
        422,
        "validation_failed",
    )
    .await;
    assert_eq!(codes(&problem), named(&[("required", "name")]));
}

#[tokio::test]
async fn a_body_that_is_no_json_object_is_refused() {
    for name in [
        "create-export",
        "replace-export",
        "update-export",
        "clone-export",
    ] {
        for body in ["{", "[]", "7"] {
            let mut event = event(name);
            event["body"] = json!(body);
            let problem = refused(&platform(), &event, 422, "validation_failed").await;
            assert_eq!(codes(&problem), [("invalid_body".to_owned(), None)]);
        }
    }
}

#[tokio::test]
async fn a_body_over_64_kib_is_refused() {
    let body = json!({ "name": "big", "settings": { "text": "x".repeat(64 * 1024) } });
    refused(
        &platform(),
        &with_body(event("create-export"), &body),
        413,
        "body_too_large",
    )
    .await;
}

#[tokio::test]
async fn a_replacement_resets_what_it_leaves_out_and_a_patch_keeps_it() {
    let store = platform();
    let patched = send(&store, &event("update-export")).await;
    assert_eq!(
        (patched.status, &patched.body["name"]),
        (200, &json!("orders of acme"))
    );
    assert_eq!(patched.body["description"], "Every order of a day");
    assert_eq!(
        patched.body["settings"],
        json!({ "records": [{ "id": 1 }] })
    );

    let replaced = send(&store, &event("replace-export")).await;
    assert_eq!(
        (replaced.status, &replaced.body["name"]),
        (200, &json!("All orders"))
    );
    assert_eq!(
        (&replaced.body["description"], &replaced.body["settings"]),
        (&json!(""), &json!({}))
    );
}

#[tokio::test]
async fn a_resource_can_be_put_back_as_it_was_read() {
    let store = platform();
    let read = send(&store, &event("get-export")).await.body;
    let put = send(&store, &with_body(event("replace-export"), &read)).await;
    assert_eq!((put.status, put.body), (200, read));
}

#[tokio::test]
async fn a_replacement_needs_a_name() {
    let problem = refused(
        &platform(),
        &with_body(event("replace-export"), &json!({ "settings": {} })),
        422,
        "validation_failed",
    )
    .await;
    assert_eq!(codes(&problem), named(&[("required", "name")]));
}

#[tokio::test]
async fn an_update_can_not_move_a_resource_to_another_app_or_change_its_identity() {
    let body = json!({ "id": "other", "type": "import", "integrationId": "app1", "owner": "me" });
    let problem = refused(
        &platform(),
        &with_body(event("update-export"), &body),
        422,
        "validation_failed",
    )
    .await;
    assert_eq!(
        codes(&problem),
        named(&[
            ("read_only", "id"),
            ("read_only", "integrationId"),
            ("unknown_field", "owner"),
            ("read_only", "type")
        ])
    );
}

#[tokio::test]
async fn a_write_to_a_resource_that_vanished_creates_nothing() {
    let store = MemoryStore {
        vanishing: true,
        ..platform()
    };
    refused(&store, &event("update-export"), 404, "resource_not_found").await;
    refused(&store, &event("invoke-export"), 404, "resource_not_found").await;
}

#[tokio::test]
async fn a_deleted_resource_is_gone() {
    let store = platform();
    let deleted = send(&store, &event("delete-export")).await;
    assert_eq!((deleted.status, deleted.body), (204, Value::Null));
    for name in [
        "delete-export",
        "get-export",
        "replace-export",
        "update-export",
        "invoke-export",
        "clone-export",
        "debug-export",
    ] {
        refused(&store, &event(name), 404, "resource_not_found").await;
    }
}

#[tokio::test]
async fn another_accounts_resource_looks_like_none() {
    let store = platform();
    let target = json!({ "collection": "exports", "id": "secret-plans" });
    for name in [
        "get-export",
        "replace-export",
        "update-export",
        "delete-export",
    ] {
        let mut event = with_path(event(name), target.clone());
        event["headers"]["x-account-id"] = json!("globex");
        event["rawQueryString"] = json!("accountId=globex");
        refused(&store, &event, 404, "resource_not_found").await;
    }
    assert_eq!(store.items.borrow().len(), 8);
}

#[tokio::test]
async fn an_id_the_platform_can_not_have_issued_is_not_found() {
    for id in ["export#orders", "a/b", "..", &"x".repeat(65)] {
        let event = with_path(
            event("get-export"),
            json!({ "collection": "exports", "id": id }),
        );
        refused(&platform(), &event, 404, "resource_not_found").await;
    }
}

#[tokio::test]
async fn an_unknown_route_is_not_found() {
    for (method, path) in [
        ("GET", json!({ "collection": "flows" })),
        ("DELETE", json!({ "collection": "exports" })),
        ("POST", json!({ "collection": "exports", "id": "orders" })),
        (
            "POST",
            json!({ "collection": "exports", "id": "orders", "sub": "explode" }),
        ),
        (
            "POST",
            json!({ "collection": "exports", "id": "orders", "sub": "ping" }),
        ),
        (
            "GET",
            json!({ "collection": "exports", "id": "orders", "sub": "invoke" }),
        ),
        (
            "GET",
            json!({ "collection": "exports", "id": "orders", "sub": "clone" }),
        ),
        (
            "POST",
            json!({ "collection": "exports", "id": "orders", "sub": "debug" }),
        ),
        (
            "POST",
            json!({ "collection": "connections", "id": "shop", "sub": "invoke" }),
        ),
        (
            "POST",
            json!({ "collection": "apis", "id": "stock", "sub": "invoke" }),
        ),
    ] {
        let mut event = with_path(event("get-export"), path);
        event["requestContext"]["http"]["method"] = json!(method);
        refused(&platform(), &event, 404, "route_not_found").await;
    }
}

#[tokio::test]
async fn every_kind_of_resource_can_be_invoked() {
    let store = platform();
    assert_eq!(
        send(&store, &event("ping-connection")).await.body,
        json!({ "id": "shop", "online": true })
    );
    let attic = with_path(
        event("ping-connection"),
        json!({ "collection": "connections", "id": "attic", "sub": "ping" }),
    );
    assert_eq!(
        send(&store, &attic).await.body,
        json!({ "id": "attic", "online": false })
    );
    assert_eq!(
        send(&store, &event("invoke-export")).await.body,
        json!({ "id": "orders", "records": [{ "id": 1 }] })
    );
    assert_eq!(
        send(&store, &event("invoke-import")).await.body,
        json!({ "id": "invoices", "accepted": 2 })
    );
    assert_eq!(
        send(&store, &event("request-api")).await.body,
        json!({ "id": "stock", "method": "PUT", "query": "warehouse=7", "response": { "left": 3 } })
    );
}

#[tokio::test]
async fn every_invocation_is_in_the_debug_log_also_a_failed_one() {
    let store = platform();
    send(&store, &event("invoke-import")).await;
    refused(
        &store,
        &with_body(event("invoke-import"), &json!({ "not": "records" })),
        422,
        "validation_failed",
    )
    .await;

    let log = with_path(
        event("debug-export"),
        json!({ "collection": "imports", "id": "invoices", "sub": "debug" }),
    );
    let log = send(&store, &log).await;
    let entry = |status: u16| json!({ "time": "2026-03-02T09:30:00Z", "requestId": "JKJaXmPLvHcESHA=", "tokenId": "tok_01JQ0000000000000000000001", "action": "invoke", "status": status });
    assert_eq!(
        (log.status, log.body),
        (200, json!({ "entries": [entry(422), entry(200)] }))
    );
}

#[tokio::test]
async fn a_clone_has_its_own_id_and_the_same_settings() {
    let store = platform();
    let clone = send(&store, &event("clone-export")).await;
    assert_eq!(
        (clone.status, &clone.body["name"]),
        (201, &json!("Orders, again"))
    );
    assert_ne!(clone.body["id"], "orders");
    assert_eq!(clone.body["settings"], json!({ "records": [{ "id": 1 }] }));

    let mut unnamed = event("clone-export");
    unnamed["body"] = Value::Null;
    assert_eq!(
        send(&store, &unnamed).await.body["name"],
        "Clone - orders of acme"
    );

    let problem = refused(
        &store,
        &with_body(
            event("clone-export"),
            &json!({ "integrationId": "app1", "name": "" }),
        ),
        422,
        "validation_failed",
    )
    .await;
    assert_eq!(
        codes(&problem),
        named(&[("unknown_field", "integrationId"), ("required", "name")])
    );
}

#[tokio::test]
async fn allowed_fields_may_change() {
    let renamed = send(&platform(), &event("update-export-of-integration-app")).await;
    assert_eq!(
        (renamed.status, &renamed.body["name"]),
        (200, &json!("Renamed"))
    );
    assert_eq!(renamed.body["integrationId"], "app1");
}

#[tokio::test]
async fn other_fields_are_refused_by_name_and_nothing_is_written() {
    let store = platform();
    let body = json!({ "name": "Renamed", "settings": { "records": [1] }, "integrationId": null, "surprise": 1 });
    let problem = refused(
        &store,
        &with_body(event("update-export-of-integration-app"), &body),
        403,
        "field_not_allowed",
    )
    .await;
    assert_eq!(
        codes(&problem),
        named(&[
            ("field_not_allowed", "integrationId"),
            ("field_not_allowed", "settings"),
            ("field_not_allowed", "surprise")
        ])
    );
    let read = with_path(
        event("get-export"),
        json!({ "collection": "exports", "id": "app-orders" }),
    );
    assert_eq!(send(&store, &read).await.body["name"], "app-orders of acme");
}

#[tokio::test]
async fn a_field_that_keeps_its_value_is_no_change() {
    let body = json!({ "name": "Renamed", "settings": { "records": [] }, "integrationId": "app1", "id": "app-orders" });
    let answer = send(
        &platform(),
        &with_body(event("update-export-of-integration-app"), &body),
    )
    .await;
    assert_eq!(answer.status, 200, "{}", answer.body);
}

#[tokio::test]
async fn a_replacement_may_not_reset_a_field_it_may_not_change() {
    let mut event = with_body(
        event("update-export-of-integration-app"),
        &json!({ "name": "Renamed" }),
    );
    event["requestContext"]["http"]["method"] = json!("PUT");
    let narrow = with_obligations(
        event.clone(),
        &json!([{ "type": "allowedFields", "fields": ["name"] }]),
    );
    let problem = refused(&platform(), &narrow, 403, "field_not_allowed").await;
    assert_eq!(
        codes(&problem),
        named(&[
            ("field_not_allowed", "description"),
            ("field_not_allowed", "settings")
        ])
    );
}

#[tokio::test]
async fn several_lists_of_allowed_fields_all_hold() {
    let obligations = json!([
        { "type": "allowedFields", "fields": ["name", "description"] },
        { "type": "allowedFields", "fields": ["description"] },
    ]);
    let event = with_obligations(event("update-export-of-integration-app"), &obligations);
    let problem = refused(&platform(), &event, 403, "field_not_allowed").await;
    assert_eq!(codes(&problem), named(&[("field_not_allowed", "name")]));
}

#[tokio::test]
async fn integration_app_data_can_not_be_created_where_it_is_denied() {
    let store = platform();
    let create = event("create-export-of-integration-app");
    refused(&store, &create, 403, "integration_app_data").await;
    // The value doesn't matter: the call is refused before the body is checked.
    refused(
        &store,
        &with_body(create.clone(), &json!({ "integrationId": 7 })),
        403,
        "integration_app_data",
    )
    .await;
    let target = json!({ "collection": "exports", "id": "app-orders", "sub": "clone" });
    let clone = with_path(event("clone-export"), target);
    refused(&store, &clone, 403, "integration_app_data").await;
    let deny = json!([{ "type": "denyIntegrationAppData" }]);
    let adopt = with_obligations(
        with_body(event("update-export"), &json!({ "integrationId": "app1" })),
        &deny,
    );
    refused(&store, &adopt, 403, "integration_app_data").await;
    assert_eq!(store.items.borrow().len(), 8);

    let created = send(
        &store,
        &with_body(
            create.clone(),
            &json!({ "name": "Plain", "integrationId": null }),
        ),
    )
    .await;
    assert_eq!(created.status, 201);
    let created = send(&store, &without_obligations(create)).await;
    assert_eq!(
        (created.status, &created.body["integrationId"]),
        (201, &json!("app1"))
    );
    let cloned = send(&store, &without_obligations(clone)).await;
    assert_eq!(
        (cloned.status, &cloned.body["integrationId"]),
        (201, &json!("app1"))
    );
}

#[tokio::test]
async fn integration_app_data_can_not_be_changed_or_deleted_where_it_is_denied() {
    let deny = json!([{ "type": "denyIntegrationAppData" }]);
    let calls = ["update-export", "replace-export", "delete-export"];
    let of_app = json!({ "collection": "exports", "id": "app-orders" });
    let store = platform();
    for name in calls {
        let call = with_obligations(event(name), &deny);
        let call = with_path(call, of_app.clone());
        refused(&store, &call, 403, "integration_app_data").await;
    }
    let read = with_path(event("get-export"), of_app);
    assert_eq!(send(&store, &read).await.body["name"], "app-orders of acme");
    for name in calls {
        let answer = send(&store, &with_obligations(event(name), &deny)).await;
        assert!(answer.status < 300, "{name}: {}", answer.body);
    }
}

#[tokio::test]
async fn an_obligation_that_is_not_understood_refuses_every_call() {
    refused(
        &platform(),
        &event("unknown-obligation"),
        403,
        "unknown_obligation",
    )
    .await;
    for obligation in [
        json!({ "type": "allowedFields" }),
        json!({ "type": "allowedFields", "fields": "name" }),
        json!({ "type": "allowedFields", "fields": ["name"], "until": "noon" }),
        json!({ "type": "denyIntegrationAppData", "except": "app1" }),
        json!({ "fields": ["name"] }),
        json!("denyIntegrationAppData"),
        json!(null),
    ] {
        let obligations = json!([{ "type": "denyIntegrationAppData" }, obligation]);
        for name in [
            "list-exports",
            "get-export",
            "update-export",
            "delete-export",
            "invoke-export",
        ] {
            refused(
                &platform(),
                &with_obligations(event(name), &obligations),
                403,
                "unknown_obligation",
            )
            .await;
        }
    }
}

#[tokio::test]
async fn a_request_without_an_authorizers_context_is_never_served() {
    let store = platform();
    refused(
        &store,
        &event("without-authorizer-context"),
        500,
        "authorizer_context_missing",
    )
    .await;
    let mut jwt = event("get-export");
    jwt["requestContext"]["authorizer"] =
        json!({ "jwt": { "claims": { "accountId": "acme" }, "scopes": [] } });
    refused(&store, &jwt, 500, "authorizer_context_missing").await;
    for (name, value) in [
        ("accountId", json!(null)),
        ("accountId", json!("")),
        ("accountId", json!("acme#export")),
        ("accountId", json!(7)),
        ("tokenId", json!("")),
        ("tokenId", json!(null)),
        ("obligations", json!(null)),
        ("obligations", json!("")),
        ("obligations", json!("{}")),
        ("obligations", json!([])),
    ] {
        let mut event = event("get-export");
        event["requestContext"]["authorizer"]["lambda"][name] = value;
        refused(&store, &event, 500, "authorizer_context_missing").await;
    }
}

#[tokio::test]
async fn a_failure_of_the_store_says_nothing_about_itself() {
    let error: ApiError = StoreError::new("table Resources is on fire").into();
    let response = error.into_response();
    assert_eq!(response.status(), 500);
    let text = String::from_utf8(response.body().to_vec()).unwrap();
    assert!(
        text.contains("internal_error") && !text.contains("fire"),
        "{text}"
    );
}
