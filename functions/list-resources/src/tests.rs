use latchkey::ports::ProjectPlatform;
use latchkey::testing::{Answer, Engine, Event, acme, globex, now};
use serde_json::{Value, json};

use super::*;

async fn call(engine: &Engine, event: &Event) -> Answer {
    Answer::of(handle(&engine.store, event.request()).await)
}

fn exports() -> Event {
    Event::sample(include_str!("../../../events/list-resources/exports.json"))
}

fn list(query: &str) -> Event {
    exports().query(query)
}

fn ids(answer: &Answer) -> Vec<&str> {
    assert_eq!(answer.status, 200, "{}", answer.text);
    let resources = answer.json["resources"].as_array().unwrap();
    resources
        .iter()
        .map(|resource| resource["id"].as_str().unwrap())
        .collect()
}

/// The resources in the list's order: by type and id.
const ALL: [&str; 6] = [
    "api_quotes",
    "con_shop",
    "exp_app",
    "exp_orders",
    "imp_app",
    "imp_stock",
];

fn export(id: &str) -> Resource {
    Resource {
        account_id: acme().id,
        kind: ResourceType::Export,
        id: id.parse().unwrap(),
        name: format!("The {id}"),
        integration_id: None,
    }
}

#[tokio::test]
async fn a_type_lists_its_resources_with_what_the_picker_shows() {
    let engine = Engine::with_accounts().await;
    let answer = call(&engine, &exports()).await;
    assert_eq!(
        answer.json,
        json!({
            "resources": [
                {
                    "type": "export",
                    "id": "exp_app",
                    "name": "The exp_app",
                    "integrationId": "app1",
                },
                {
                    "type": "export",
                    "id": "exp_orders",
                    "name": "The exp_orders",
                    "integrationId": null,
                },
            ],
            "nextCursor": null,
        })
    );
    assert_eq!(answer.header("link"), "");
}

#[tokio::test]
async fn a_list_shows_only_what_was_asked_for() {
    let engine = Engine::with_accounts().await;
    for (query, expected) in [
        ("", &ALL[..]),
        ("type=&integrationId=&q=", &ALL),
        ("type=connection", &["con_shop"]),
        ("type=export", &["exp_app", "exp_orders"]),
        ("type=import", &["imp_app", "imp_stock"]),
        ("type=api", &["api_quotes"]),
        ("integrationId=app1", &["exp_app", "imp_app"]),
        ("integrationId=app1&type=import", &["imp_app"]),
        ("integrationId=app9", &[]),
        ("q=ORDERS", &["exp_orders"]),
        ("q=the+app", &["exp_app", "imp_app"]),
        ("q=app&type=export", &["exp_app"]),
        ("q=orders%20stock", &[]),
    ] {
        let answer = call(&engine, &list(query)).await;
        assert_eq!(ids(&answer), expected, "{query}");
    }
}

#[tokio::test]
async fn references_find_exactly_those_that_exist_in_their_order() {
    let engine = Engine::with_accounts().await;
    let (account, gone) = (acme().id, export("exp_orders").reference());
    let later = now() + std::time::Duration::from_secs(1);
    let deleted = engine.store.delete_resource(&account, &gone, later);
    deleted.await.unwrap();
    for (query, expected) in [
        ("ids=imports/imp_stock", &["imp_stock"][..]),
        (
            "ids=imports/imp_stock,apis/api_quotes,exports/exp_app",
            &["imp_stock", "api_quotes", "exp_app"],
        ),
        // Each once.
        (
            "ids=exports/exp_app,connections/con_shop,exports/exp_app",
            &["exp_app", "con_shop"],
        ),
        // Deleted, unknown, of another type and of another account.
        ("ids=exports/exp_orders", &[]),
        (
            "ids=exports/exp_orders,exports/no,imports/exp_app,exports/exp_globex,imports/imp_app",
            &["imp_app"],
        ),
    ] {
        let answer = call(&engine, &list(query)).await;
        assert_eq!(ids(&answer), expected, "{query}");
        assert_eq!(answer.json["nextCursor"], Value::Null);
        assert_eq!(answer.header("link"), "");
    }
    let answer = call(&engine, &list("ids=exports/exp_app")).await;
    let app = json!(
        {"type": "export", "id": "exp_app", "name": "The exp_app", "integrationId": "app1"}
    );
    assert_eq!(answer.json["resources"], json!([app]));
}

#[tokio::test]
async fn a_hundred_references_are_one_answer() {
    let engine = Engine::with_accounts().await;
    let names: Vec<_> = (0..100).map(|number| format!("exp_{number}")).collect();
    for name in &names {
        let resource = export(name);
        engine.store.put_resource(&resource, now()).await.unwrap();
    }
    let references: Vec<_> = names.iter().map(|name| format!("exports/{name}")).collect();
    let references = references.join(",");
    let answer = call(&engine, &list(&format!("ids={references}"))).await;
    assert_eq!(ids(&answer), names);
    let more = call(&engine, &list(&format!("ids={references},exports/exp_app"))).await;
    assert_eq!(more.outcome(), (422, "validation_failed"));
    assert_eq!(more.failures(), [("ids", "invalid_parameter")]);
}

#[tokio::test]
async fn references_are_understood_as_a_whole_and_go_with_nothing_else() {
    let engine = Engine::with_accounts().await;
    for query in [
        "ids=exp_app",
        "ids=export/exp_app",
        "ids=exports/",
        "ids=exports/exp_app,",
        "ids=,",
        "ids=exports/exp_app,%20imports/imp_app",
        "ids=exports/exp_app&type=export",
        "ids=exports/exp_app&integrationId=app1",
        "ids=exports/exp_app&q=app",
        "ids=exports/exp_app&limit=10",
    ] {
        let answer = call(&engine, &list(query)).await;
        assert_eq!(answer.outcome(), (422, "validation_failed"), "{query}");
        assert_eq!(answer.failures(), [("ids", "invalid_parameter")], "{query}");
    }
    let empty = call(&engine, &list("ids=exports/exp_app&type=&q=")).await;
    assert_eq!(ids(&empty), ["exp_app"]);
}

#[tokio::test]
async fn pages_together_are_the_list() {
    let engine = Engine::with_accounts().await;
    for filter in ["", "q=the&"] {
        for limit in 1..=7 {
            let mut event = list(&format!("{filter}limit={limit}"));
            let mut seen: Vec<String> = Vec::new();
            loop {
                let answer = call(&engine, &event).await;
                let page = ids(&answer);
                assert!(page.len() <= limit);
                seen.extend(page.into_iter().map(str::to_owned));
                let Some(next) = answer.next() else {
                    assert_eq!(answer.json["nextCursor"], Value::Null);
                    break;
                };
                let cursor = answer.json["nextCursor"].as_str().unwrap();
                assert!(next.contains("cursor="));
                event = list(&format!("{filter}limit={limit}&cursor={cursor}"));
            }
            assert_eq!(seen, ALL, "{filter}{limit}");
        }
    }
}

#[tokio::test]
async fn a_cursor_is_for_the_list_that_gave_it_out() {
    let engine = Engine::with_accounts().await;
    let answer = call(&engine, &list("type=export&limit=1")).await;
    let cursor = answer.json["nextCursor"].as_str().unwrap();
    for event in [
        list(&format!("type=import&cursor={cursor}")),
        list(&format!("cursor={cursor}")),
        list(&format!("type=export&cursor={cursor}"))
            .account("globex")
            .by("owner-2"),
        list("type=export&cursor=nonsense"),
    ] {
        let answer = call(&engine, &event).await;
        assert_eq!(answer.outcome(), (400, "invalid_cursor"), "{event:?}");
    }
    let next = list(&format!("type=export&limit=5&cursor={cursor}"));
    assert_eq!(ids(&call(&engine, &next).await), ["exp_orders"]);
}

#[tokio::test]
async fn deleted_resources_are_not_shown_and_take_up_no_room() {
    let engine = Engine::with_accounts().await;
    for id in ["exp_b", "exp_c", "exp_d"] {
        engine.store.put_resource(&export(id), now()).await.unwrap();
    }
    for id in ["exp_app", "exp_b", "exp_d"] {
        let (account, name) = (acme().id, export(id).reference());
        let later = now() + std::time::Duration::from_secs(1);
        let deleted = engine.store.delete_resource(&account, &name, later);
        deleted.await.unwrap();
    }
    let answer = call(&engine, &list("type=export&limit=2")).await;
    assert_eq!(ids(&answer), ["exp_c", "exp_orders"]);
    let first = call(&engine, &list("type=export&limit=1")).await;
    assert_eq!(ids(&first), ["exp_c"]);
    assert_eq!(ids(&call(&engine, &list("q=exp_b")).await), [""; 0]);
}

#[tokio::test]
async fn another_accounts_resources_are_never_shown() {
    let engine = Engine::with_accounts().await;
    assert_eq!(ids(&call(&engine, &list("q=globex")).await), [""; 0]);
    let answer = call(&engine, &list("").account("globex").by("owner-2")).await;
    let foreign = ids(&answer);
    assert_eq!(foreign.len(), ALL.len() + 1);
    assert!(foreign.contains(&"exp_globex"));
    let only = Resource {
        account_id: globex().id,
        ..export("exp_more")
    };
    engine.store.put_resource(&only, now()).await.unwrap();
    assert_eq!(ids(&call(&engine, &list("")).await), ALL);
}

#[tokio::test]
async fn parameters_that_are_not_understood_are_answered_all_at_once() {
    let engine = Engine::with_accounts().await;
    for query in [
        "type=exports",
        "type=flow",
        "limit=0",
        "limit=101",
        "limit=x",
    ] {
        let name = query.split_once('=').unwrap().0;
        let answer = call(&engine, &list(query)).await;
        assert_eq!(answer.outcome(), (422, "validation_failed"), "{query}");
        assert_eq!(answer.failures(), [(name, "invalid_parameter")], "{query}");
    }
    let answer = call(&engine, &list("type=x&integrationId=a%20b&limit=0&kind=y")).await;
    let mut failures = answer.failures();
    failures.sort_unstable();
    assert_eq!(
        failures,
        [
            ("integrationId", "invalid_parameter"),
            ("kind", "unknown_parameter"),
            ("limit", "invalid_parameter"),
            ("type", "invalid_parameter"),
        ]
    );
}

#[tokio::test]
async fn nobody_but_owner_and_administrator_lists_resources() {
    let engine = Engine::with_accounts().await;
    let answer = async |event: Event| call(&engine, &event).await;
    engine
        .refuses(exports().by_the_unauthorized(), answer)
        .await;
    assert_eq!(call(&engine, &exports().by("admin-1")).await.status, 200);
}
