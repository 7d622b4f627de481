use std::time::Duration;

use latchkey::domain::audit::{Change, Source};
use latchkey::domain::scope::{ResourceLists, Scope};
use latchkey::domain::time::rfc3339;
use latchkey::domain::token::StoredToken;
use latchkey::domain::verification::SecretRecord;
use latchkey::ports::{ChangeToken, GetSecret};
use latchkey::testing::{
    Answer, Engine, Event, FixedClock, NoEntropy, acme, globex, now, owner_actor, plain,
    plain_secret, system_at, token,
};
use serde_json::{Value, json};

use super::*;

async fn call(engine: &Engine, event: &Event) -> Answer {
    call_on(engine, &system_at(now()), event).await
}

async fn call_on(engine: &Engine, system: &(impl Clock + Entropy), event: &Event) -> Answer {
    let console = ConsoleClient::new("console");
    Answer::of(handle(&engine.store, system, &console, event.request()).await)
}

fn rename() -> Event {
    Event::sample(include_str!("../../../events/update-token/rename.json"))
}

fn patch(body: Value) -> Event {
    rename().body(&body)
}

/// Returns [`token`] as it was an hour ago, with a value in every field that an edit can change.
fn aged() -> Token {
    let earlier = now() - Duration::from_hours(1);
    let mut lists = ResourceLists::default();
    lists.exports.insert("exp_orders".parse().unwrap());
    lists.imports.insert("imp_stock".parse().unwrap());
    Token {
        created_at: earlier,
        updated_at: earlier,
        auto_purge: AutoPurge::FourHours,
        purge_at: Some(now() + Duration::from_hours(3)),
        scope: Scope::Custom(lists),
        allowed_cidrs: vec!["192.0.2.0/24".parse().unwrap()],
        ..token()
    }
}

fn app_token() -> Token {
    let mut lists = ResourceLists::default();
    lists.exports.insert("exp_app".parse().unwrap());
    Token {
        kind: Kind::IntegrationApp,
        integration_id: Some("app1".parse().unwrap()),
        scope: Scope::Custom(lists),
        ..aged()
    }
}

async fn engine_with(token: Token) -> Engine {
    let engine = Engine::with_accounts().await;
    engine.add(token).await;
    engine
}

async fn stored(engine: &Engine) -> StoredToken {
    engine.stored(&acme().id, &token().id).await.unwrap()
}

async fn secret(engine: &Engine) -> SecretRecord {
    let hash = stored(engine).await.secret_hash;
    engine.store.get_secret(&hash).await.unwrap().unwrap()
}

/// Edits a token. Returns that field of the answer.
async fn edited(token: Token, body: Value, field: &str) -> Value {
    let engine = engine_with(token).await;
    let answer = call(&engine, &patch(body.clone())).await;
    assert_eq!(answer.status, 200, "{body}: {}", answer.text);
    answer.json[field].clone()
}

/// Checks that each edit is refused for exactly these failures and that nothing is written.
async fn refused_for(token: Token, cases: &[(Value, &[(&str, &str)])]) {
    let engine = engine_with(token).await;
    let before = engine.dump().await;
    for (body, failures) in cases {
        let answer = call(&engine, &patch(body.clone())).await;
        assert_eq!(answer.failures(), *failures, "{body}");
        assert_eq!(answer.outcome(), (422, "validation_failed"), "{body}");
    }
    assert_eq!(engine.dump().await, before);
}

#[tokio::test]
async fn what_an_edit_leaves_out_stays() {
    let engine = engine_with(aged()).await;
    let before = stored(&engine).await;
    let answer = call(&engine, &rename().by("admin-1")).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("etag"), "\"2\"");
    assert_eq!(answer.json["name"], "Warehouse sync 2");
    assert_eq!(answer.json["updatedBy"]["id"], "admin-1");
    let after = stored(&engine).await;
    let expected = Token {
        name: "Warehouse sync 2".into(),
        version: 2,
        updated_at: now(),
        updated_by: after.token.updated_by.clone(),
        ..before.token
    };
    assert_eq!(after.token, expected);
    assert_eq!(after.secret_hash, before.secret_hash);
    assert_eq!(after.ciphertext, before.ciphertext);
    assert_eq!(secret(&engine).await.token_name, "Warehouse sync 2");
}

#[tokio::test]
async fn lists_of_a_scope_stay_unless_they_are_given() {
    let scope = |connections: Value, exports: Value, imports: Value| {
        json!({
            "type": "custom",
            "connections": connections,
            "exports": exports,
            "imports": imports,
            "apis": [],
        })
    };
    for (given, expected) in [
        (
            json!({"connections": ["con_shop"]}),
            scope(
                json!(["con_shop"]),
                json!(["exp_orders"]),
                json!(["imp_stock"]),
            ),
        ),
        (
            json!({"type": "custom", "exports": ["exp_app"]}),
            scope(json!([]), json!(["exp_app"]), json!(["imp_stock"])),
        ),
        (
            json!({"exports": []}),
            scope(json!([]), json!([]), json!(["imp_stock"])),
        ),
        (
            json!({"imports": null}),
            scope(json!([]), json!(["exp_orders"]), json!([])),
        ),
        (json!({"type": "full"}), json!({"type": "full"})),
        (
            json!({"type": "full", "exports": null}),
            json!({"type": "full"}),
        ),
    ] {
        let body = json!({"scope": given});
        assert_eq!(edited(aged(), body, "scope").await, expected, "{given}");
    }
}

#[tokio::test]
async fn full_access_becomes_lists_by_naming_the_type() {
    let full = || Token {
        scope: Scope::Full,
        ..aged()
    };
    let lists = json!({"scope": {"type": "custom", "apis": ["api_quotes"]}});
    let scope = edited(full(), lists, "scope").await;
    assert_eq!(scope["type"], "custom");
    assert_eq!(scope["apis"], json!(["api_quotes"]));
    assert_eq!(scope["exports"], json!([]));
    let without = json!({"scope": {"apis": ["api_quotes"]}});
    refused_for(full(), &[(without, &[("scope.type", "required")])]).await;
}

#[tokio::test]
async fn an_empty_patch_of_a_scope_changes_nothing() {
    let full = Token {
        scope: Scope::Full,
        ..aged()
    };
    let scope = edited(full, json!({"scope": {}, "name": "n"}), "scope").await;
    assert_eq!(scope, json!({"type": "full"}));
    let lists = edited(aged(), json!({"scope": {}, "name": "n"}), "scope").await;
    assert_eq!(lists["type"], "custom");
    assert_eq!(lists["exports"], json!(["exp_orders"]));
}

#[tokio::test]
async fn a_scope_is_either_full_or_lists_something() {
    refused_for(
        aged(),
        &[
            (
                json!({"scope": {"type": "full", "exports": ["exp_orders"]}}),
                &[("scope.exports", "scope_conflict")],
            ),
            (
                json!({"scope": {"type": "full", "exports": []}}),
                &[("scope.exports", "scope_conflict")],
            ),
            (
                json!({"scope": {"exports": [], "imports": null}}),
                &[("scope", "required")],
            ),
            (
                json!({"scope": {"type": null}}),
                &[("scope.type", "required")],
            ),
            (
                json!({"scope": {"type": "some"}}),
                &[("scope.type", "invalid_value")],
            ),
            (json!({"scope": "full"}), &[("scope", "wrong_type")]),
            (json!({"scope": null}), &[("scope", "required")]),
        ],
    )
    .await;
}

#[tokio::test]
async fn every_resource_that_does_not_fit_is_a_failure_among_the_others() {
    refused_for(
        aged(),
        &[
            (
                json!({
                    "name": " ",
                    "status": "revoked",
                    "scope": {"exports": ["exp_orders", "exp_gone", "exp_globex"], "apis": ["a b"]},
                }),
                &[
                    ("name", "required"),
                    ("scope.apis.0", "invalid_id"),
                    ("status", "unknown_field"),
                ],
            ),
            (
                json!({
                    "name": " ",
                    "status": "revoked",
                    "scope": {"exports": ["exp_orders", "exp_gone", "exp_globex"]},
                }),
                &[
                    ("name", "required"),
                    ("scope.exports", "unknown_resource"),
                    ("scope.exports", "unknown_resource"),
                    ("status", "unknown_field"),
                ],
            ),
        ],
    )
    .await;
    refused_for(
        app_token(),
        &[(
            json!({"scope": {
                "connections": ["con_shop"],
                "exports": ["exp_app", "exp_orders"],
                "imports": ["imp_app", "imp_gone"],
            }}),
            &[
                ("scope.connections", "not_for_integration_app"),
                ("scope.exports", "foreign_resource"),
                ("scope.imports", "unknown_resource"),
            ],
        )],
    )
    .await;
}

#[tokio::test]
async fn a_scope_that_stays_may_name_what_is_gone_by_now() {
    let mut lists = ResourceLists::default();
    lists.exports.insert("exp_gone".parse().unwrap());
    let outdated = || Token {
        scope: Scope::Custom(lists.clone()),
        ..aged()
    };
    let body = json!({"name": "n", "scope": {"exports": ["exp_gone"]}});
    assert_eq!(edited(outdated(), body, "name").await, "n");
    let body = json!({"scope": {"imports": ["imp_stock"]}});
    refused_for(
        outdated(),
        &[(body, &[("scope.exports", "unknown_resource")])],
    )
    .await;
}

#[tokio::test]
async fn null_removes_what_may_be_missing() {
    let body = json!({"description": null, "allowedCidrs": null});
    assert_eq!(edited(aged(), body.clone(), "description").await, "");
    assert_eq!(edited(aged(), body, "allowedCidrs").await, json!([]));
    let nulls = json!({"name": null, "autoPurge": null, "scope": null});
    let required = ["name", "autoPurge", "scope"].map(|field| (field, "required"));
    refused_for(aged(), &[(nulls, &required)]).await;
}

#[tokio::test]
async fn fields_that_only_the_service_sets_are_unknown() {
    for field in [
        "id",
        "kind",
        "integrationId",
        "status",
        "hint",
        "version",
        "purgeAt",
        "secret",
        "revocationReason",
    ] {
        let body = json!({"name": "n", field: null});
        refused_for(aged(), &[(body, &[(field, "unknown_field")])]).await;
    }
}

#[tokio::test]
async fn fields_are_checked_as_at_the_creation() {
    refused_for(
        aged(),
        &[
            (
                json!({
                    "name": "x".repeat(129),
                    "description": "x".repeat(1_025),
                    "autoPurge": "2h",
                    "allowedCidrs": ["192.0.2.1/24"],
                }),
                &[
                    ("name", "too_long"),
                    ("description", "too_long"),
                    ("autoPurge", "invalid_value"),
                    ("allowedCidrs.0", "invalid_cidr"),
                ],
            ),
            (
                json!({"name": "a\nb", "allowedCidrs": "192.0.2.0/24"}),
                &[
                    ("name", "invalid_characters"),
                    ("allowedCidrs", "wrong_type"),
                ],
            ),
        ],
    )
    .await;
}

#[tokio::test]
async fn an_integration_app_token_never_lives_forever() {
    let failures = &[
        ("autoPurge", "not_for_integration_app"),
        ("autopurge", "unknown_field"),
    ];
    let body = json!({"autoPurge": "never", "autopurge": "never"});
    refused_for(app_token(), &[(body, failures)]).await;
    let body = json!({"autoPurge": "1h"});
    let purge_at = edited(app_token(), body, "purgeAt").await;
    assert_eq!(purge_at, "2026-11-23T11:00:00.000Z");
}

#[tokio::test]
async fn the_licence_counts_only_for_a_lifetime_that_is_chosen_now() {
    let engine = Engine::with_accounts().await;
    let foreign = Token {
        account_id: globex().id,
        scope: Scope::Full,
        ..aged()
    };
    engine.add(foreign).await;
    let event = |body| patch(body).account("globex").by("owner-2");
    let before = engine.dump().await;
    for choice in ["never", "4h", "30d"] {
        let answer = call(&engine, &event(json!({"autoPurge": choice}))).await;
        assert_eq!(answer.outcome(), (403, "api_management_license_required"));
    }
    assert_eq!(engine.dump().await, before);
    for body in [json!({"name": "n"}), json!({"autoPurge": "1h"})] {
        assert_eq!(call(&engine, &event(body)).await.status, 200);
    }
}

#[tokio::test]
async fn a_lifetime_that_is_given_counts_from_now() {
    for (choice, purge_at) in [
        ("1h", json!("2026-11-23T11:00:00.000Z")),
        // The current lifetime, chosen again.
        ("4h", json!("2026-11-23T14:00:00.000Z")),
        ("never", Value::Null),
    ] {
        let engine = engine_with(aged()).await;
        let answer = call(&engine, &patch(json!({"autoPurge": choice}))).await;
        assert_eq!(answer.json["purgeAt"], purge_at);
        assert_eq!(answer.json["autoPurge"], choice);
        let after = stored(&engine).await.token.purge_at;
        assert_eq!(json!(after.map(rfc3339)), purge_at);
        assert_eq!(secret(&engine).await.purge_at, after);
        // The table's time to live has moved with the purge time: the secret is remembered after it.
        if let Some(end) = after {
            engine.forget_counters().await;
            assert_eq!(engine.sweep(end - Duration::from_secs(1)), 0);
            let hash = stored(&engine).await.secret_hash;
            assert_eq!(engine.sweep(end + Duration::from_secs(1)), 1);
            let known = engine.store.get_secret(&hash).await.unwrap();
            assert_eq!(known.unwrap().purge_at, after);
        } else {
            engine.forget_counters().await;
            assert_eq!(engine.sweep(now() + Duration::from_hours(24 * 365)), 0);
        }
    }
}

#[tokio::test]
async fn an_edit_holds_for_a_replaced_secret_too_which_never_outlives_the_token() {
    let engine = engine_with(aged()).await;
    let before = stored(&engine).await;
    let old = before.secret_hash;
    let plain = latchkey::testing::plain_secret();
    let new = latchkey::domain::token::NewSecret {
        hash: plain.hash(),
        hint: plain.hint(),
        ciphertext: before.ciphertext.clone(),
    };
    let grace = jiff::SignedDuration::from_hours(3);
    let after = before.regenerate(new, grace, owner_actor(), now());
    let change = TokenChange {
        audit: latchkey::testing::audit(Action::Regenerate, &after.token, now(), 7),
        before,
        after,
        compromised: None,
        idempotency: None,
    };
    engine.store.change_token(&change).await.unwrap();
    let body = json!({"autoPurge": "1h", "allowedCidrs": ["192.0.2.0/24"]});
    let answer = call(&engine, &patch(body)).await;
    let end = json!("2026-11-23T11:00:00.000Z");
    assert_eq!(answer.json["purgeAt"], end);
    assert_eq!(answer.json["previousSecret"]["validUntil"], end);
    let record = engine.store.get_secret(&old).await.unwrap().unwrap();
    assert_eq!(json!(record.last_instant().map(rfc3339)), end);
    assert_eq!(record.allowed_cidrs.len(), 1);
}

#[tokio::test]
async fn a_text_that_is_older_than_the_rules_stands_in_the_way_of_nothing() {
    let old = "a\u{202e}b\n";
    let token = Token {
        name: old.into(),
        description: "a\tb".into(),
        ..aged()
    };
    let engine = engine_with(token).await;
    let body = json!({"name": old, "description": "a\tb", "allowedCidrs": ["10.0.0.0/8"]});
    let answer = call(&engine, &patch(body)).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert_eq!(answer.json["name"], old);
    assert_eq!(answer.json["allowedCidrs"], json!(["10.0.0.0/8"]));
    let failures = &[("name", "invalid_characters")];
    let changed = json!({"name": "a\u{202e}c"});
    let answer = call(&engine, &patch(changed)).await;
    assert_eq!(answer.failures(), failures);
    let poison = json!({"description": format!("x{}", plain(&plain_secret()))});
    let answer = call(&engine, &patch(poison)).await;
    assert_eq!(answer.failures(), [("description", "contains_secret")]);
}

#[tokio::test]
async fn an_edit_that_changes_nothing_writes_nothing() {
    let forever = Token {
        auto_purge: AutoPurge::Never,
        purge_at: None,
        ..aged()
    };
    let engine = engine_with(forever).await;
    let before = engine.dump().await;
    for body in [
        json!({}),
        json!({"name": "Warehouse sync"}),
        json!({"autoPurge": "never", "allowedCidrs": ["192.0.2.0/24", "192.0.2.0/24"]}),
        json!({"scope": {}}),
        json!({"scope": {"exports": ["exp_orders", "exp_orders"]}}),
    ] {
        let answer = call(&engine, &patch(body.clone())).await;
        assert_eq!(answer.status, 200, "{body}");
        assert_eq!(answer.header("etag"), "\"1\"");
        assert_eq!(answer.json["updatedAt"], "2026-11-23T09:00:00.000Z");
    }
    assert_eq!(engine.dump().await, before);
}

#[tokio::test]
async fn verifications_follow_the_edit() {
    let engine = engine_with(aged()).await;
    let body = json!({
        "autoPurge": "1d",
        "scope": {"exports": ["exp_app"]},
        "allowedCidrs": ["2001:db8::/32", "198.51.100.7"],
    });
    assert_eq!(call(&engine, &patch(body)).await.status, 200);
    let (token, secret) = (stored(&engine).await.token, secret(&engine).await);
    assert_eq!(secret.scope, token.scope);
    assert_eq!(secret.purge_at, Some(now() + Duration::from_hours(24)));
    let cidrs = ["2001:db8::/32", "198.51.100.7/32"].map(|cidr| cidr.parse().unwrap());
    assert_eq!(secret.allowed_cidrs, cidrs);
    assert_eq!(token.allowed_cidrs, cidrs);
}

#[tokio::test]
async fn a_revoked_token_is_edited_and_stays_revoked() {
    let engine = engine_with(aged()).await;
    engine.revoke(stored(&engine).await).await;
    let answer = call(&engine, &rename()).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.json["status"], "revoked");
    assert_eq!(answer.json["revokedAt"], rfc3339(now()));
    let secret = secret(&engine).await;
    assert_eq!(json!(secret.status), "revoked");
    assert_eq!(secret.token_name, "Warehouse sync 2");
}

#[tokio::test]
async fn the_record_has_each_field_with_its_old_and_new_value() {
    let engine = engine_with(aged()).await;
    let body = json!({
        "name": "n",
        "description": null,
        "autoPurge": "1h",
        "scope": {"connections": ["con_shop"], "imports": []},
        "allowedCidrs": ["10.0.0.0/8"],
    });
    call(&engine, &patch(body).through_page()).await;
    let log = engine.audit(&acme().id).await;
    assert_eq!(log.len(), 2);
    let record = &log[0];
    assert_eq!(record.action, Action::Update);
    assert_eq!(record.token_name, "n");
    assert_eq!(record.origin.source, Source::Ui);
    assert_eq!(record.origin.actor, owner_actor());
    let change = |field, old: &str, new: &str| {
        let text = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        Change::new(field, text(old), text(new))
    };
    assert_eq!(
        record.changes,
        [
            change("name", "Warehouse sync", "n"),
            change("description", "Kept in the warehouse's vault", ""),
            change("autoPurge", "4h", "1h"),
            change(
                "purgeAt",
                "2026-11-23T13:00:00.000Z",
                "2026-11-23T11:00:00.000Z"
            ),
            change("scope.connections", "", "con_shop"),
            change("scope.imports", "imp_stock", ""),
            change("allowedCidrs", "192.0.2.0/24", "10.0.0.0/8"),
        ]
    );
}

#[tokio::test]
async fn if_match_names_the_version_to_be_edited() {
    let engine = engine_with(aged()).await;
    let answer = async |event: Event| call(&engine, &event).await;
    engine.refuses(rename().for_other_versions(1), answer).await;
    let answer = call(&engine, &rename().header("if-match", "\"1\"")).await;
    assert_eq!(answer.status, 200);
}

#[tokio::test]
async fn edits_at_the_same_time_do_not_overwrite_each_other() {
    let engine = engine_with(aged()).await;
    let (first, second) = (
        patch(json!({"name": "n"})),
        patch(json!({"description": "d"})),
    );
    let (one, other) = tokio::join!(call(&engine, &first), call(&engine, &second));
    let token = stored(&engine).await.token;
    let edits = [&one, &other].map(|answer| u64::from(answer.status == 200));
    assert_eq!(token.version, 1 + edits[0] + edits[1]);
    for answer in [&one, &other] {
        assert!(matches!(answer.outcome(), (200, "") | (409, "conflict")));
    }
    assert_eq!(token.name == "n", one.status == 200);
    assert_eq!(token.description == "d", other.status == 200);
}

#[tokio::test]
async fn nothing_is_edited_without_its_audit_record() {
    let engine = engine_with(aged()).await;
    let before = engine.dump().await;
    let broken = (FixedClock(now()), NoEntropy);
    let answer = call_on(&engine, &broken, &rename()).await;
    assert_eq!(answer.outcome(), (500, "internal_error"));
    assert_eq!(engine.dump().await, before);
    engine.break_audit().await;
    let before = engine.dump().await;
    let answer = call(&engine, &rename()).await;
    assert_eq!(answer.outcome(), (500, "internal_error"));
    assert_eq!(engine.dump().await, before);
}

#[tokio::test]
async fn a_body_that_is_no_json_object_edits_nothing() {
    let engine = engine_with(aged()).await;
    for (event, outcome) in [
        (rename().raw_body("[]"), (400, "malformed_json")),
        (rename().raw_body("{"), (400, "malformed_json")),
        (rename().without_body(), (400, "malformed_json")),
        (
            rename().header("content-type", "text/plain"),
            (415, "unsupported_media_type"),
        ),
    ] {
        assert_eq!(call(&engine, &event).await.outcome(), outcome);
    }
    let json = rename().header("content-type", "application/json");
    assert_eq!(call(&engine, &json).await.status, 200);
}

#[tokio::test]
async fn a_token_that_the_account_has_not_is_not_found() {
    let engine = Engine::with_accounts().await;
    let events = engine.out_of_reach(&rename(), false).await;
    let answer = async |event: Event| call(&engine, &event).await;
    engine.refuses(events, answer).await;
}

#[tokio::test]
async fn nobody_but_owner_and_administrator_edits() {
    let engine = engine_with(aged()).await;
    let answer = async |event: Event| call(&engine, &event).await;
    engine.refuses(rename().by_the_unauthorized(), answer).await;
    assert_eq!(call(&engine, &rename().by("admin-1")).await.status, 200);
}
