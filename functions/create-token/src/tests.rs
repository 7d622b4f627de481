use std::time::Duration;

use latchkey::domain::action::Action;
use latchkey::domain::audit::Source;
use latchkey::domain::auto_purge::AutoPurge;
use latchkey::domain::token::Status;
use latchkey::ports::{DecryptSecret, GetSecret};
use latchkey::testing::{
    Answer, Engine, Event, FakeVault, FixedClock, NoEntropy, acme, globex, now, owner_actor, plain,
    plain_secret, system_at,
};
use serde_json::{Value, json};

use super::*;

async fn call(engine: &Engine, event: &Event) -> Answer {
    call_on(engine, &FakeVault::default(), &system_at(now()), event).await
}

async fn call_on(
    engine: &Engine,
    vault: &FakeVault,
    system: &(impl Clock + Entropy),
    event: &Event,
) -> Answer {
    let console = ConsoleClient::new("console");
    let request = event.request();
    Answer::of(handle(&engine.store, vault, system, &console, None, request).await)
}

/// Calls the function that wants a sign-in of the last 300 seconds.
async fn step_up(engine: &Engine, event: &Event) -> Answer {
    let (vault, system) = (FakeVault::default(), system_at(now()));
    let (console, recent) = (ConsoleClient::new("console"), StepUp::new(300, "auth_time"));
    let request = event.request();
    Answer::of(
        handle(
            &engine.store,
            &vault,
            &system,
            &console,
            Some(&recent),
            request,
        )
        .await,
    )
}

fn custom_scope() -> Event {
    Event::sample(include_str!(
        "../../../events/create-token/custom-scope.json"
    ))
}

fn integration_app() -> Event {
    Event::sample(include_str!(
        "../../../events/create-token/integration-app.json"
    ))
}

/// Returns the body for an account token, with some fields replaced.
fn account_token(fields: Value) -> Value {
    merged(
        json!({"name": "n", "autoPurge": "1h", "scope": {"type": "full"}}),
        fields,
    )
}

/// Returns the body for an Integration App token, with some fields replaced.
fn app_token(fields: Value) -> Value {
    let app = json!({"kind": "integrationApp", "integrationId": "app1"});
    merged(account_token(app), fields)
}

fn merged(mut body: Value, fields: Value) -> Value {
    let fields = fields.as_object().unwrap().clone();
    body.as_object_mut().unwrap().extend(fields);
    body
}

/// Checks that each body is refused for exactly these failures and that nothing is written.
async fn refused_for(cases: &[(Value, &[(&str, &str)])]) {
    let engine = Engine::with_accounts().await;
    let before = engine.dump().await;
    for (body, failures) in cases {
        let answer = call(&engine, &custom_scope().body(body)).await;
        assert_eq!(answer.failures(), *failures, "{body}");
        assert_eq!(answer.outcome(), (422, "validation_failed"), "{body}");
    }
    assert_eq!(engine.dump().await, before);
}

/// Creates a token of each body. Returns that field of each token, in order.
async fn accepted<const N: usize>(bodies: [Value; N], field: &str) -> [Value; N] {
    let engine = Engine::with_accounts().await;
    let mut values = bodies;
    for body in &mut values {
        let answer = call(&engine, &custom_scope().body(body)).await;
        assert_eq!(answer.status, 201, "{body}: {}", answer.text);
        *body = answer.json["token"][field].clone();
    }
    values
}

fn id_of(answer: &Answer) -> TokenId {
    answer.json["token"]["id"]
        .as_str()
        .unwrap()
        .parse()
        .unwrap()
}

#[tokio::test]
async fn an_old_sign_in_makes_no_token_and_repeats_no_answer() {
    let engine = Engine::with_accounts().await;
    let event = custom_scope().header("idempotency-key", "k1");
    let made = step_up(&engine, &event.clone().signed_in_at(now())).await;
    assert_eq!(made.status, 201, "{}", made.text);
    let before = engine.dump().await;
    for event in event.with_old_sign_ins() {
        let answer = step_up(&engine, &event).await;
        assert_eq!(answer.outcome(), (403, "step_up_required"), "{event:?}");
        assert_eq!(answer.json["maxAge"], 300);
        assert!(!answer.text.contains("Warehouse"), "{}", answer.text);
        assert_eq!(engine.dump().await, before);
    }
    let answer = step_up(&engine, &event.by("manage-1")).await;
    assert_eq!(answer.outcome(), (403, "role_required"));
}

#[tokio::test]
async fn a_token_is_answered_with_its_secret_and_where_it_is_found() {
    let engine = Engine::with_accounts().await;
    let answer = call(&engine, &custom_scope()).await;
    assert_eq!(answer.status, 201);
    assert_eq!(answer.header("content-type"), "application/json");
    assert_eq!(answer.header("etag"), "\"1\"");
    let id = id_of(&answer);
    let location = format!("/v1/accounts/acme/tokens/{id}");
    assert_eq!(answer.header("location"), location);
    let plain = PlainSecret::parse(answer.json["secret"].as_str().unwrap()).unwrap();
    let owner = json!({
        "id": "owner-1",
        "type": "member",
        "email": "owner@acme.example",
        "name": "Olive Owner",
    });
    assert_eq!(
        answer.json["token"],
        json!({
            "id": id,
            "accountId": "acme",
            "kind": "account",
            "integrationId": null,
            "name": "Warehouse sync",
            "description": "Kept in the warehouse's vault",
            "autoPurge": "30d",
            "purgeAt": "2026-12-23T10:00:00.000Z",
            "scope": {
                "type": "custom",
                "connections": [],
                "exports": ["exp_orders"],
                "imports": ["imp_stock"],
                "apis": [],
            },
            "allowedCidrs": ["192.0.2.0/24", "2001:db8::/32"],
            "status": "active",
            "hint": plain.hint(),
            "version": 1,
            "createdAt": "2026-11-23T10:00:00.000Z",
            "createdBy": owner,
            "updatedAt": "2026-11-23T10:00:00.000Z",
            "updatedBy": owner,
            "revokedAt": null,
            "revokedBy": null,
            "revocationReason": null,
            "compromisedAt": null,
            "previousSecret": null,
            "lastUsedAt": null,
            "lastUsedIp": null,
        })
    );
}

#[tokio::test]
async fn the_tables_hold_the_hash_and_the_ciphertext_and_nowhere_the_plaintext() {
    let engine = Engine::with_accounts().await;
    let vault = FakeVault::default();
    let event = custom_scope().header("idempotency-key", "k1");
    let answer = call_on(&engine, &vault, &system_at(now()), &event).await;
    let text = answer.json["secret"].as_str().unwrap();
    let plain = PlainSecret::parse(text).unwrap();
    let id = id_of(&answer);

    let stored = engine.stored(&acme().id, &id).await.unwrap();
    assert_eq!(stored.secret_hash, plain.hash());
    let sealed = &stored.ciphertext;
    let opened = vault.decrypt_secret(&acme().id, &id, sealed).await.unwrap();
    assert_eq!(opened.hash(), plain.hash());

    let secret = engine.store.get_secret(&plain.hash()).await.unwrap();
    let secret = secret.unwrap();
    assert_eq!((secret.token_id, secret.status), (id, Status::Active));
    assert_eq!(secret.scope, stored.token.scope);
    assert_eq!(secret.purge_at, stored.token.purge_at);
    assert_eq!(secret.allowed_cidrs, stored.token.allowed_cidrs);

    let dump = engine.dump().await;
    assert!(dump.contains(&plain.hash().to_hex()));
    // The random part alone would be as good as the whole secret.
    let random = text.get(4..47).unwrap();
    assert!(!dump.contains(random));
}

#[tokio::test]
async fn the_creation_is_on_record_with_who_where_and_what() {
    let engine = Engine::with_accounts().await;
    let answer = call(&engine, &custom_scope()).await;
    let [record] = &engine.audit(&acme().id).await[..] else {
        panic!("not one record")
    };
    assert_eq!(record.action, Action::Create);
    assert_eq!(record.time, now());
    assert_eq!(record.token_id, id_of(&answer));
    assert_eq!(record.token_name, "Warehouse sync");
    assert_eq!(record.token_hint, answer.json["token"]["hint"]);
    assert_eq!(record.origin.source, Source::Api);
    assert_eq!(record.origin.actor, owner_actor());
    assert_eq!(record.origin.ip, Some([192, 0, 2, 1].into()));
    assert_eq!(record.origin.user_agent.as_deref(), Some("curl/8.5.0"));
    assert_eq!(record.origin.request_id, "JKJaXmPLvHcESHA=");
    let changes: Vec<_> = record
        .changes
        .iter()
        .map(|change| {
            assert_eq!(change.old, None);
            (change.field.as_str(), change.new.as_deref().unwrap())
        })
        .collect();
    assert_eq!(
        changes,
        [
            ("name", "Warehouse sync"),
            ("kind", "account"),
            ("description", "Kept in the warehouse's vault"),
            ("autoPurge", "30d"),
            ("purgeAt", "2026-12-23T10:00:00.000Z"),
            ("scope", "custom"),
            ("scope.exports", "exp_orders"),
            ("scope.imports", "imp_stock"),
            ("allowedCidrs", "192.0.2.0/24, 2001:db8::/32"),
            ("status", "active"),
        ]
    );
}

#[tokio::test]
async fn the_pages_client_outside_the_page_has_the_source_api() {
    let as_client = || custom_scope().claim("client_id", "console");
    let host = || as_client().header("host", "tokens.example");
    for (event, source) in [
        (as_client(), Source::Api),
        (
            as_client().header("sec-fetch-site", "cross-site"),
            Source::Api,
        ),
        (host().header("origin", "https://evil.example"), Source::Api),
        (
            host().header("origin", "https://tokens.example"),
            Source::Ui,
        ),
        (
            custom_scope().header("sec-fetch-site", "same-origin"),
            Source::Api,
        ),
    ] {
        let engine = Engine::with_accounts().await;
        call(&engine, &event).await;
        assert_eq!(engine.audit(&acme().id).await[0].origin.source, source);
    }
}

#[tokio::test]
async fn what_a_client_calls_itself_is_kept_whatever_bytes_it_has() {
    let engine = Engine::with_accounts().await;
    call(
        &engine,
        &custom_scope().header("user-agent", "caf\u{e9}/1.0 \u{1f980}"),
    )
    .await;
    let record = engine.audit(&acme().id).await.remove(0);
    assert_eq!(
        record.origin.user_agent.as_deref(),
        Some("caf\u{e9}/1.0 \u{1f980}")
    );
}

#[tokio::test]
async fn what_comes_through_the_console_has_the_source_ui() {
    let engine = Engine::with_accounts().await;
    call(&engine, &custom_scope().through_page()).await;
    assert_eq!(engine.audit(&acme().id).await[0].origin.source, Source::Ui);
}

#[tokio::test]
async fn a_long_user_agent_is_cut() {
    let engine = Engine::with_accounts().await;
    let event = custom_scope().header("user-agent", &"x".repeat(5_000));
    call(&engine, &event).await;
    let record = &engine.audit(&acme().id).await[0];
    assert_eq!(record.origin.user_agent, Some("x".repeat(256)));
}

#[tokio::test]
async fn an_integration_app_token_has_a_prefix_of_its_own_and_its_app() {
    let engine = Engine::with_accounts().await;
    let answer = call(&engine, &integration_app()).await;
    assert_eq!(answer.status, 201);
    assert!(answer.json["secret"].as_str().unwrap().starts_with("lki_"));
    assert_eq!(answer.json["token"]["kind"], "integrationApp");
    assert_eq!(answer.json["token"]["integrationId"], "app1");
    let answer = call(&engine, &custom_scope()).await;
    assert!(answer.json["secret"].as_str().unwrap().starts_with("lka_"));
}

#[tokio::test]
async fn an_administrator_creates_tokens_too() {
    let engine = Engine::with_accounts().await;
    let answer = call(&engine, &custom_scope().by("admin-1")).await;
    assert_eq!(answer.status, 201);
    assert_eq!(answer.json["token"]["createdBy"]["id"], "admin-1");
}

#[tokio::test]
async fn nobody_but_owner_and_administrator_creates_tokens() {
    let engine = Engine::with_accounts().await;
    let answer = async |event: Event| call(&engine, &event).await;
    engine
        .refuses(custom_scope().by_the_unauthorized(), answer)
        .await;
}

#[tokio::test]
async fn a_member_of_another_account_gets_the_404_of_an_unknown_account() {
    let engine = Engine::with_accounts().await;
    let foreign = call(&engine, &custom_scope().by("owner-2")).await;
    let unknown = call(&engine, &custom_scope().account("initech")).await;
    assert_eq!(foreign.outcome(), (404, "account_not_found"));
    assert_eq!(foreign.text, unknown.text);
}

#[tokio::test]
async fn an_outsider_learns_nothing_from_how_his_body_is_read() {
    let engine = Engine::with_accounts().await;
    let event = custom_scope().by("owner-2").raw_body("{");
    let answer = call(&engine, &event).await;
    assert_eq!(answer.outcome(), (404, "account_not_found"));
}

#[tokio::test]
async fn what_must_be_given_is_asked_for() {
    let nulls = json!({"name": null, "autoPurge": null, "scope": null});
    let required = ["name", "autoPurge", "scope"].map(|field| (field, "required"));
    refused_for(&[(json!({}), &required), (nulls, &required)]).await;
}

#[tokio::test]
async fn every_failure_is_answered_at_once() {
    let body = json!({
        "nmae": "typing error",
        "description": 1,
        "kind": "bot",
        "autoPurge": "2h",
        "scope": {"type": "custom", "exports": ["exp_orders", "exp_gone"], "flows": []},
        "allowedCidrs": ["192.0.2.0/24", "nonsense"],
    });
    refused_for(&[(
        body,
        &[
            ("name", "required"),
            ("description", "wrong_type"),
            ("kind", "invalid_value"),
            ("autoPurge", "invalid_value"),
            ("scope.flows", "unknown_field"),
            ("allowedCidrs.1", "invalid_cidr"),
            ("nmae", "unknown_field"),
        ],
    )])
    .await;
}

#[tokio::test]
async fn unknown_resources_are_answered_together_with_the_other_failures() {
    let body = account_token(json!({
        "name": "",
        "scope": {"type": "custom", "exports": ["exp_orders", "exp_gone"]},
    }));
    let failures = &[("name", "required"), ("scope.exports", "unknown_resource")];
    refused_for(&[(body, failures)]).await;
}

#[tokio::test]
async fn fields_that_only_the_service_sets_are_unknown() {
    let fields = [
        "id",
        "status",
        "hint",
        "version",
        "purgeAt",
        "createdBy",
        "secret",
    ];
    for field in fields {
        let body = account_token(json!({field: "x"}));
        refused_for(&[(body, &[(field, "unknown_field")])]).await;
    }
}

#[tokio::test]
async fn a_name_is_one_line_of_1_to_128_characters() {
    let body = |name: Value| account_token(json!({"name": name}));
    let long = [json!("x".repeat(129)), json!("x".repeat(10_000))];
    let odd = [
        "two\nlines",
        "a\tb",
        "a\0b",
        "a\u{1b}[31mb",
        "a\u{85}b",
        "a\u{2028}b",
        "a\u{202e}b",
        "a\u{200b}b",
        "a\u{e000}b",
    ];
    for (code, names) in [
        (
            "required",
            &[json!(""), json!(" \t\n "), json!("\u{3164}\u{200b}")][..],
        ),
        ("too_long", &long),
        ("invalid_characters", &odd.map(Value::from)),
        ("wrong_type", &[json!(5), json!(["n"])]),
    ] {
        for name in names {
            refused_for(&[(body(name.clone()), &[("name", code)])]).await;
        }
    }
    // The limit counts characters, not bytes.
    let names = [json!("x"), json!("ä".repeat(128)), json!("🔑".repeat(128))];
    assert_eq!(accepted(names.clone().map(body), "name").await, names);
}

#[tokio::test]
async fn texts_are_kept_in_one_form() {
    let body = |name: &str| account_token(json!({"name": name, "description": name}));
    let kept = accepted([body("Cafe\u{301}")], "name").await;
    assert_eq!(kept, ["Caf\u{e9}"]);
    let body = account_token(json!({"description": "a\r\nb\rc"}));
    assert_eq!(accepted([body], "description").await, ["a\nb\nc"]);
}

#[tokio::test]
async fn no_text_may_hold_a_secret() {
    let secret = plain(&plain_secret());
    let poison = format!("TOKEN_{secret}_prod");
    let (name, description) = (
        account_token(json!({"name": poison})),
        account_token(json!({"description": format!("see\n{poison}")})),
    );
    let scope = json!({"type": "custom", "exports": ["exp_orders", secret]});
    for (body, failure) in [
        (name, "name"),
        (description, "description"),
        (account_token(json!({"kind": poison})), "kind"),
        (account_token(json!({"autoPurge": poison})), "autoPurge"),
        (
            account_token(json!({"integrationId": secret})),
            "integrationId",
        ),
        (account_token(json!({"scope": scope})), "scope.exports.1"),
    ] {
        let engine = Engine::with_accounts().await;
        let answer = call(&engine, &custom_scope().body(&body)).await;
        assert_eq!(
            answer.failures(),
            [(failure, "contains_secret")],
            "{}",
            answer.text
        );
        assert!(
            !answer.text.contains(secret.get(4..).unwrap()),
            "{}",
            answer.text
        );
    }
    // Unread fields aren't quoted either.
    let engine = Engine::with_accounts().await;
    let mut body = account_token(json!({}));
    body[secret.as_str()] = json!(1);
    let answer = call(&engine, &custom_scope().body(&body)).await;
    assert_eq!(answer.status, 422);
    assert!(
        !answer.text.contains(secret.get(4..).unwrap()),
        "{}",
        answer.text
    );
    let event = custom_scope().header("idempotency-key", &secret);
    let answer = call(&engine, &event).await;
    assert_eq!(
        answer.failures(),
        [("Idempotency-Key", "contains_secret")],
        "{}",
        answer.text
    );
}

#[tokio::test]
async fn a_description_has_up_to_1024_characters_and_may_have_lines() {
    let body = |text: Value| account_token(json!({"description": text}));
    refused_for(&[
        (
            body(json!("x".repeat(1_025))),
            &[("description", "too_long")],
        ),
        (
            body(json!("\u{7}")),
            &[("description", "invalid_characters")],
        ),
        (
            body(json!("a\tb")),
            &[("description", "invalid_characters")],
        ),
        (
            body(json!("a\u{2028}b\u{202e}c")),
            &[("description", "invalid_characters")],
        ),
        (body(json!({})), &[("description", "wrong_type")]),
    ])
    .await;
    let texts = [json!(""), json!("ä".repeat(1_024)), json!("a\n\n b")];
    assert_eq!(
        accepted(texts.clone().map(body), "description").await,
        texts
    );
}

#[tokio::test]
async fn kind_and_lifetime_are_of_those_offered() {
    let of = |field: &str, value: Value| account_token(json!({field: value}));
    refused_for(&[
        (of("kind", json!("user")), &[("kind", "invalid_value")]),
        (of("kind", json!(1)), &[("kind", "invalid_value")]),
        (
            of("autoPurge", json!("2h")),
            &[("autoPurge", "invalid_value")],
        ),
        (
            of("autoPurge", json!("1H")),
            &[("autoPurge", "invalid_value")],
        ),
        (of("autoPurge", json!(1)), &[("autoPurge", "invalid_value")]),
    ])
    .await;
    let purges = accepted(
        AutoPurge::ALL.map(|choice| of("autoPurge", json!(choice.as_str()))),
        "purgeAt",
    );
    let expected = [
        Value::Null,
        json!("2026-11-23T11:00:00.000Z"),
        json!("2026-11-23T14:00:00.000Z"),
        json!("2026-11-24T10:00:00.000Z"),
        json!("2026-11-27T10:00:00.000Z"),
        json!("2026-12-03T10:00:00.000Z"),
        json!("2026-12-23T10:00:00.000Z"),
    ];
    assert_eq!(purges.await, expected);
}

#[tokio::test]
async fn the_integration_app_goes_with_its_kind() {
    let scope = |lists: Value| merged(json!({"type": "custom"}), lists);
    refused_for(&[
        (
            account_token(json!({"kind": "integrationApp"})),
            &[("integrationId", "required")],
        ),
        (
            app_token(json!({"integrationId": "a b"})),
            &[("integrationId", "invalid_value")],
        ),
        (
            app_token(json!({"autoPurge": "never"})),
            &[("autoPurge", "not_for_integration_app")],
        ),
        (
            account_token(json!({"integrationId": "app1"})),
            &[("integrationId", "not_for_account")],
        ),
        // With an unknown kind, an app isn't an error.
        (
            app_token(json!({"kind": "bot"})),
            &[("kind", "invalid_value")],
        ),
        (
            app_token(json!({"scope": scope(json!({"exports": ["exp_app", "exp_orders"]}))})),
            &[("scope.exports", "foreign_resource")],
        ),
        (
            app_token(json!({"scope": scope(json!({"connections": ["con_shop"]}))})),
            &[("scope.connections", "not_for_integration_app")],
        ),
        // Without an app, its resources can't be checked.
        (
            account_token(json!({
                "kind": "integrationApp",
                "scope": scope(json!({"exports": ["exp_app", "exp_gone"]})),
            })),
            &[
                ("integrationId", "required"),
                ("scope.exports", "unknown_resource"),
            ],
        ),
    ])
    .await;
    let own = scope(json!({"exports": ["exp_app"], "imports": ["imp_app"]}));
    let [kept] = accepted([app_token(json!({"scope": own}))], "scope").await;
    assert_eq!(kept["imports"], json!(["imp_app"]));
}

#[tokio::test]
async fn a_scope_is_full_or_lists_something() {
    let body = |scope: Value| account_token(json!({"scope": scope}));
    refused_for(&[
        (
            body(json!({"type": "full", "exports": ["exp_orders"]})),
            &[("scope.exports", "scope_conflict")],
        ),
        (body(json!({"type": "custom"})), &[("scope", "required")]),
        (
            body(json!({"type": "custom", "exports": [], "apis": null})),
            &[("scope", "required")],
        ),
        (body(json!({})), &[("scope.type", "required")]),
        (
            body(json!({"exports": ["exp_orders"]})),
            &[("scope.type", "required")],
        ),
        (
            body(json!({"type": "some"})),
            &[("scope.type", "invalid_value")],
        ),
        (body(json!("full")), &[("scope", "wrong_type")]),
        (
            body(json!({"type": "custom", "exports": "exp_orders"})),
            &[("scope.exports", "wrong_type")],
        ),
        (
            body(json!({"type": "custom", "exports": ["exp_orders", 1, "a/b"]})),
            &[
                ("scope.exports.1", "invalid_id"),
                ("scope.exports.2", "invalid_id"),
            ],
        ),
        (
            body(json!({"type": "full", "write": true})),
            &[("scope.write", "unknown_field")],
        ),
    ])
    .await;
    let twice = body(json!({"type": "custom", "exports": ["exp_orders", "exp_orders"]}));
    let [scope] = accepted([twice], "scope").await;
    assert_eq!(scope["exports"], json!(["exp_orders"]));
}

#[tokio::test]
async fn each_resource_that_is_not_the_accounts_is_named_in_one_answer() {
    let scope = json!({
        "type": "custom",
        "connections": ["con_shop", "con_gone"],
        "exports": ["exp_globex", "exp_gone", "exp_orders"],
        // The id of an export isn't the id of an import.
        "imports": ["exp_orders"],
        "apis": ["api_quotes"],
    });
    let failures = &[
        ("scope.connections", "unknown_resource"),
        ("scope.exports", "unknown_resource"),
        ("scope.exports", "unknown_resource"),
        ("scope.imports", "unknown_resource"),
    ];
    let body = account_token(json!({"scope": scope}));
    refused_for(&[(body.clone(), failures)]).await;

    let engine = Engine::with_accounts().await;
    let answer = call(&engine, &custom_scope().body(&body)).await;
    for (error, id) in ["con_gone", "exp_globex", "exp_gone", "exp_orders"]
        .iter()
        .enumerate()
    {
        let message = answer.json["errors"][error]["message"].as_str().unwrap();
        assert!(message.contains(&format!("`{id}`")), "{message}");
    }
}

#[tokio::test]
async fn a_scope_lists_up_to_1000_resources_over_all_types() {
    let listed = |count: usize| {
        let ids: Vec<_> = (0..count).map(|number| format!("r{number}")).collect();
        let (exports, imports) = ids.split_at(500);
        let scope = json!({"type": "custom", "exports": exports, "imports": imports});
        account_token(json!({"scope": scope}))
    };
    refused_for(&[(listed(1_001), &[("scope", "too_many")])]).await;
    let engine = Engine::with_accounts().await;
    let answer = call(&engine, &custom_scope().body(&listed(1_000))).await;
    // None of them exists, so all thousand were looked up.
    assert_eq!(answer.failures().len(), 1_000);
}

#[tokio::test]
async fn address_ranges_are_exact_and_at_most_32() {
    let body = |cidrs: Value| account_token(json!({"allowedCidrs": cidrs}));
    let many = |count: u8| {
        let cidrs: Vec<_> = (0..count).map(|n| format!("10.{n}.0.0/16")).collect();
        body(json!(cidrs))
    };
    let bad = &[("allowedCidrs.0", "invalid_cidr")];
    refused_for(&[
        (body(json!(["nonsense"])), bad),
        (body(json!(["10.0.0.0/33"])), bad),
        (body(json!(["2001:db8::/129"])), bad),
        (body(json!(["10.0.0.1/8"])), bad),
        (body(json!(["2001:db8::1/32"])), bad),
        (body(json!([1])), bad),
        (body(json!("10.0.0.0/8")), &[("allowedCidrs", "wrong_type")]),
        (many(33), &[("allowedCidrs", "too_many")]),
        (
            body(json!(["x", "10.0.0.0/8", "y"])),
            &[
                ("allowedCidrs.0", "invalid_cidr"),
                ("allowedCidrs.2", "invalid_cidr"),
            ],
        ),
    ])
    .await;
    let [all, once, alone] = accepted(
        [
            many(32),
            body(json!([
                "10.0.0.0/8",
                "192.0.2.7",
                "10.0.0.0/8",
                "192.0.2.7/32"
            ])),
            body(json!(["192.0.2.7", "2001:db8::1"])),
        ],
        "allowedCidrs",
    )
    .await;
    assert_eq!(all.as_array().unwrap().len(), 32);
    assert_eq!(once, json!(["10.0.0.0/8", "192.0.2.7/32"]));
    assert_eq!(alone, json!(["192.0.2.7/32", "2001:db8::1/128"]));
}

#[tokio::test]
async fn only_a_json_object_of_up_to_64_kib_is_read() {
    let engine = Engine::with_accounts().await;
    let before = engine.dump().await;
    let event = custom_scope;
    let huge = |length: usize| format!("{{\"name\":\"{}\"}}", "x".repeat(length));
    for (event, outcome) in [
        (event().raw_body("{\"name\""), (400, "malformed_json")),
        (event().raw_body("[]"), (400, "malformed_json")),
        (event().raw_body("null"), (400, "malformed_json")),
        (event().raw_body(""), (400, "malformed_json")),
        (event().without_body(), (400, "malformed_json")),
        (
            event().header("content-type", "text/plain"),
            (415, "unsupported_media_type"),
        ),
        (
            event().without_header("content-type"),
            (415, "unsupported_media_type"),
        ),
        (
            event().raw_body(&huge(64 * 1024 - 10)),
            (413, "body_too_large"),
        ),
        (
            event().raw_body(&huge(64 * 1024 - 11)),
            (422, "validation_failed"),
        ),
    ] {
        assert_eq!(call(&engine, &event).await.outcome(), outcome);
    }
    assert_eq!(engine.dump().await, before);
}

#[tokio::test]
async fn a_content_type_may_have_parameters() {
    let engine = Engine::with_accounts().await;
    let event = custom_scope().header("content-type", "Application/JSON; charset=utf-8");
    assert_eq!(call(&engine, &event).await.status, 201);
}

#[tokio::test]
async fn lifetimes_beyond_an_hour_need_the_licence() {
    let engine = Engine::with_accounts().await;
    for choice in AutoPurge::ALL {
        let body = account_token(json!({"autoPurge": choice.as_str()}));
        let event = custom_scope().account("globex").by("owner-2").body(&body);
        let outcome = if choice == AutoPurge::OneHour {
            (201, "")
        } else {
            (403, "api_management_license_required")
        };
        assert_eq!(call(&engine, &event).await.outcome(), outcome, "{choice:?}");
    }
    assert_eq!(engine.count_tokens(&globex().id).await, 1);
}

#[tokio::test]
async fn no_token_without_its_audit_record() {
    let engine = Engine::with_accounts().await;
    engine.break_audit().await;
    let before = engine.dump().await;
    let answer = call(&engine, &custom_scope()).await;
    assert_eq!(answer.outcome(), (500, "internal_error"));
    assert_eq!(engine.dump().await, before);
}

#[tokio::test]
async fn no_token_when_the_key_service_fails() {
    let engine = Engine::with_accounts().await;
    let before = engine.dump().await;
    let vault = FakeVault::default();
    vault.fail();
    let answer = call_on(&engine, &vault, &system_at(now()), &custom_scope()).await;
    assert_eq!(answer.outcome(), (503, "unavailable"));
    assert_eq!(answer.header("retry-after"), "1");
    assert_eq!(engine.dump().await, before);
}

#[tokio::test]
async fn no_token_without_random_bits() {
    let engine = Engine::with_accounts().await;
    let before = engine.dump().await;
    let system = (FixedClock(now()), NoEntropy);
    let answer = call_on(&engine, &FakeVault::default(), &system, &custom_scope()).await;
    assert_eq!(answer.outcome(), (500, "internal_error"));
    assert_eq!(engine.dump().await, before);
}

#[tokio::test]
async fn a_repeated_request_gets_the_same_token_without_the_secret() {
    let engine = Engine::with_accounts().await;
    let event = custom_scope().header("idempotency-key", "k1");
    let first = call(&engine, &event).await;
    let repeat = call(&engine, &event).await;
    assert_eq!((first.status, repeat.status), (201, 200));
    assert_eq!(repeat.json, json!({"token": first.json["token"]}));
    assert_eq!(repeat.header("location"), first.header("location"));
    assert_eq!(repeat.header("etag"), "\"1\"");
    assert_eq!(engine.count_tokens(&acme().id).await, 1);
    assert_eq!(engine.audit(&acme().id).await.len(), 1);
}

#[tokio::test]
async fn equal_requests_at_the_same_time_make_one_token() {
    let engine = Engine::with_accounts().await;
    let event = custom_scope().header("idempotency-key", "k1");
    let (one, other) = tokio::join!(call(&engine, &event), call(&engine, &event));
    assert_eq!(one.status.min(other.status), 200);
    assert_eq!(one.status.max(other.status), 201);
    assert_eq!(id_of(&one), id_of(&other));
    assert_eq!(engine.count_tokens(&acme().id).await, 1);
}

#[tokio::test]
async fn a_key_is_not_for_two_different_requests() {
    let engine = Engine::with_accounts().await;
    let event = custom_scope().header("idempotency-key", "k1");
    call(&engine, &event).await;
    let other = event.body(&account_token(json!({})));
    let answer = call(&engine, &other).await;
    assert_eq!(answer.outcome(), (422, "idempotency_key_reused"));
    assert_eq!(engine.count_tokens(&acme().id).await, 1);
}

#[tokio::test]
async fn two_people_can_not_meet_in_one_key() {
    let engine = Engine::with_accounts().await;
    let event = custom_scope().header("idempotency-key", "k1");
    let owners = call(&engine, &event).await;
    let administrators = call(&engine, &event.by("admin-1")).await;
    assert_eq!((owners.status, administrators.status), (201, 201));
    assert_ne!(id_of(&owners), id_of(&administrators));
}

#[tokio::test]
async fn a_request_that_failed_may_be_repeated_with_its_key() {
    let engine = Engine::with_accounts().await;
    let event = custom_scope().header("idempotency-key", "k1");
    let vault = FakeVault::default();
    vault.fail();
    let failed = call_on(&engine, &vault, &system_at(now()), &event).await;
    assert_eq!(failed.status, 503);
    assert_eq!(call(&engine, &event).await.status, 201);
}

#[tokio::test]
async fn a_key_is_1_to_255_visible_ascii_characters() {
    let engine = Engine::with_accounts().await;
    for bad in ["", "a b", "ä", &"k".repeat(256)] {
        let answer = call(&engine, &custom_scope().header("idempotency-key", bad)).await;
        assert_eq!(answer.failures(), [("Idempotency-Key", "invalid_header")]);
        assert_eq!(answer.status, 422, "{bad}");
    }
    assert_eq!(engine.count_tokens(&acme().id).await, 0);
    let longest = custom_scope().header("idempotency-key", &"k".repeat(255));
    assert_eq!(call(&engine, &longest).await.status, 201);
}

#[tokio::test]
async fn a_key_is_forgotten_after_a_day() {
    let engine = Engine::with_accounts().await;
    let event = custom_scope().header("idempotency-key", "k1");
    let after = async |time: Duration| {
        let system = system_at(now() + time);
        call_on(&engine, &FakeVault::default(), &system, &event).await
    };
    let day = Duration::from_hours(24);
    let first = after(Duration::ZERO).await;
    let repeat = after(day - Duration::from_secs(1)).await;
    assert_eq!((repeat.status, id_of(&repeat)), (200, id_of(&first)));
    let anew = after(day).await;
    assert_eq!(anew.status, 201);
    assert_ne!(id_of(&anew), id_of(&first));
    // From now on the key belongs to the new token.
    assert_eq!(id_of(&after(day).await), id_of(&anew));
}
