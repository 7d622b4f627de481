use std::sync::Mutex;

use jiff::Timestamp;
use latchkey::domain::account::{Account, Plan};
use latchkey::domain::action::Action;
use latchkey::domain::actor::Actor;
use latchkey::domain::audit::AuditRecord;
use latchkey::domain::change::{NewToken, TokenChange};
use latchkey::domain::id::AccountId;
use latchkey::domain::kind::Kind;
use latchkey::domain::resource::{Resource, ResourceRef};
use latchkey::domain::scope::Scope;
use latchkey::domain::secret::{PlainSecret, SecretHash};
use latchkey::domain::token::{Ended, PreviousSecret, StoredToken, Token};
use latchkey::domain::verification::{SecretRecord, Seen, UsedFrom};
use latchkey::ports::{
    ChangeToken, DeleteToken, InsertToken, PortError, ProjectPlatform, Recall, Use,
};
use latchkey::testing::{
    Engine, FixedEntropy, Logs, acme, audit, now, plain, stored_token, system_at, token,
};
use serde_json::{Value, json};

use super::*;

/// The secret of the sample events and of [`stored_token`].
const SECRET: &str = "lka_9zuQWWzsuUItctynUYyncDlKI5ZTuPizoWXgXaviRS63nAJ1Y";

/// A gateway's event.
#[derive(Clone)]
struct Call(Value);

impl Call {
    /// `POST /v1/exports/exp_orders/invoke` through an HTTP API.
    fn http() -> Self {
        let sample = include_str!("../../../events/authorize/http-api.json");
        Self(serde_json::from_str(sample).unwrap())
    }

    /// The same through a REST API.
    fn rest() -> Self {
        let sample = include_str!("../../../events/authorize/rest-api.json");
        Self(serde_json::from_str(sample).unwrap())
    }

    fn is_rest(&self) -> bool {
        self.0["methodArn"].is_string()
    }

    fn to(mut self, method: &str, path: &str) -> Self {
        if self.is_rest() {
            self.0["httpMethod"] = json!(method);
            self.0["path"] = json!(path);
        } else {
            self.0["requestContext"]["http"]["method"] = json!(method);
            self.0["requestContext"]["http"]["path"] = json!(path);
            self.0["rawPath"] = json!(path);
        }
        self
    }

    fn from(mut self, ip: &str) -> Self {
        let of = if self.is_rest() { "identity" } else { "http" };
        self.0["requestContext"][of]["sourceIp"] = json!(ip);
        self
    }

    fn stage(mut self, stage: &str) -> Self {
        self.0["requestContext"]["stage"] = json!(stage);
        self
    }

    fn authorization(mut self, value: &str) -> Self {
        let headers = self.0["headers"].as_object_mut().unwrap();
        let name = headers
            .keys()
            .find(|name| name.eq_ignore_ascii_case("authorization"));
        let name = name.unwrap().clone();
        headers.insert(name, json!(value));
        self
    }

    fn without_authorization(mut self) -> Self {
        let headers = self.0["headers"].as_object_mut().unwrap();
        headers.retain(|name, _| !name.eq_ignore_ascii_case("authorization"));
        self
    }

    async fn on(
        &self,
        store: &(impl RecallSecret + GetResources + RecordUse),
    ) -> Result<Value, NoAnswer> {
        self.on_at(store, now()).await
    }

    async fn on_at(
        &self,
        store: &(impl RecallSecret + GetResources + RecordUse),
        time: Timestamp,
    ) -> Result<Value, NoAnswer> {
        let event = serde_json::from_value(self.0.clone()).unwrap();
        let answer = handle(store, &system_at(time), event).await;
        let answer = answer.map(|answer| serde_json::to_value(answer).unwrap());
        let told = match &answer {
            Ok(answer) => answer.to_string(),
            Err(error) => format!("{error} {error:?}"),
        };
        assert!(!told.contains(SECRET));
        assert!(!told.contains(&stored_token().secret_hash.to_hex()));
        answer
    }

    /// Returns the obligations with which the gateway lets the call through; `None` if it doesn't.
    async fn obligations(&self, engine: &Engine) -> Option<Value> {
        let answer = self.on(&engine.store).await.ok()?;
        let allowed = if self.is_rest() {
            answer["policyDocument"]["Statement"][0]["Effect"] == "Allow"
        } else {
            answer["isAuthorized"] == true
        };
        let obligations = answer["context"]["obligations"].as_str();
        assert_eq!(allowed, obligations.is_some());
        obligations.map(|text| serde_json::from_str(text).unwrap())
    }

    async fn is_allowed(&self, engine: &Engine) -> bool {
        self.obligations(engine).await.is_some()
    }
}

/// The status of a REST API's response.
#[derive(Debug, PartialEq)]
enum Status {
    Unauthorized,
    Forbidden,
}

fn refused() -> Value {
    json!({"isAuthorized": false, "context": {}})
}

/// Checks that both gateways refuse the call, that nothing is written, and that the log has only the two decisions:
/// such a refusal has no audit record.
async fn refuse(engine: &Engine, change: impl Fn(Call) -> Call, status: Status) {
    for line in refuse_silently(engine, change, status).await {
        assert_eq!(line["level"], "INFO", "{line}");
        assert!(line["outcome"].is_string(), "{line}");
    }
}

/// Checks that both gateways refuse the call and that nothing is written. Returns the log's lines.
async fn refuse_silently(
    engine: &Engine,
    change: impl Fn(Call) -> Call,
    status: Status,
) -> Vec<Value> {
    let before = engine.dump().await;
    let logs = Logs::start();
    let answer = change(Call::http()).on(&engine.store).await.unwrap();
    assert_eq!(answer, refused());
    let answer = match change(Call::rest()).on(&engine.store).await {
        Err(error) if error.to_string() == "Unauthorized" => Status::Unauthorized,
        Err(error) => panic!("{error}"),
        Ok(policy) => {
            assert_eq!(policy["policyDocument"]["Statement"][0]["Effect"], "Deny");
            assert_eq!(policy["context"], json!({}));
            Status::Forbidden
        }
    };
    assert_eq!(answer, status);
    assert_eq!(engine.dump().await, before);
    let lines = logs.take();
    let decisions = lines.iter().filter(|line| line["outcome"].is_string());
    assert_eq!(decisions.count(), 2);
    lines
}

/// Checks that both gateways refuse a call with a secret of the token, that the log has each refusal, and that there
/// is one audit record, with that reason.
async fn refuse_known(engine: &Engine, change: impl Fn(Call) -> Call, reason: &str) {
    let before = refusals(engine).await.len();
    let logs = Logs::start();
    let answer = change(Call::http()).on(&engine.store).await.unwrap();
    assert_eq!(answer, refused());
    let mut lines = logs.take();
    drop(logs);
    let log = refusals(engine).await;
    assert_eq!(log.len(), before + 1);
    let first_day = |record: &&AuditRecord| told(record) == [reason, "1"];
    let record = log.iter().find(first_day).unwrap();
    assert_eq!(record.account_id, acme().id);
    assert_eq!(record.token_id, token().id);
    assert_eq!(record.time, now());
    assert_eq!(
        record.origin.actor,
        Actor::token(&token().id, "Warehouse sync")
    );
    assert!(record.origin.ip.is_some());
    assert_eq!(record.asserted_ip, None);
    // The next refusal of the day has a line in the log, but no audit record.
    lines.extend(refuse_silently(engine, &change, Status::Unauthorized).await);
    let [http, rest] = [Call::http(), Call::rest()].map(|call| change(call).0);
    let [http, rest] = [(&http, "http"), (&rest, "identity")].map(|(call, of)| {
        let context = &call["requestContext"];
        (
            context["requestId"].clone(),
            context[of]["sourceIp"].clone(),
        )
    });
    let (known, decisions): (Vec<_>, Vec<_>) =
        lines.iter().partition(|line| line["outcome"].is_null());
    assert_eq!((known.len(), decisions.len()), (3, 3));
    for (line, (request, ip)) in known.into_iter().zip([&http, &http, &rest]) {
        assert_eq!(line["message"], "a known secret was refused");
        assert_eq!(line["level"], "WARN");
        assert_eq!(line["account.id"], json!(acme().id));
        assert_eq!(line["token.id"], json!(token().id));
        assert_eq!((&line["request_id"], &line["ip"]), (request, ip));
        assert_eq!(line["refusal"], reason);
    }
    for line in decisions {
        assert_eq!(line["level"], "INFO");
        assert_eq!(line["outcome"], reason);
        assert_eq!(line["account"], json!(acme().id));
        assert_eq!(line["token"], json!(token().id));
    }
    let told = json!(lines).to_string();
    assert!(
        !told.contains(SECRET) && !told.contains("Warehouse sync"),
        "{told}"
    );
}

/// Returns the audit records of refusals.
async fn refusals(engine: &Engine) -> Vec<AuditRecord> {
    let mut log = engine.audit(&acme().id).await;
    log.retain(|record| record.action == Action::Refused);
    log
}

/// Returns a refusal's reason and the number of days with such refusals.
fn told(record: &AuditRecord) -> [&str; 2] {
    ["reason", "daysRefused"].map(|field| {
        let change = record.changes.iter().find(|change| change.field == field);
        change.unwrap().new.as_deref().unwrap()
    })
}

async fn seed(engine: &Engine, stored: StoredToken) -> StoredToken {
    let new = NewToken {
        audit: audit(Action::Create, &stored.token, now(), 1),
        stored,
        idempotency: None,
    };
    engine.store.insert_token(&new).await.unwrap();
    new.stored
}

/// Creates an engine with the sample events' token, changed by `change`.
async fn with(change: impl FnOnce(&mut Token)) -> (Engine, StoredToken) {
    let engine = Engine::with_accounts().await;
    let mut stored = stored_token();
    change(&mut stored.token);
    let stored = seed(&engine, stored).await;
    (engine, stored)
}

async fn custom() -> (Engine, StoredToken) {
    with(|_| {}).await
}

async fn full() -> (Engine, StoredToken) {
    with(|token| token.scope = Scope::Full).await
}

async fn app() -> (Engine, StoredToken) {
    with(|token| {
        token.scope = Scope::Full;
        token.kind = Kind::IntegrationApp;
        token.integration_id = Some("app1".parse().unwrap());
    })
    .await
}

/// Returns the number of audit records of uses.
async fn uses(engine: &Engine) -> usize {
    let log = engine.audit(&acme().id).await;
    log.iter()
        .filter(|record| record.action == Action::Access)
        .count()
}

fn context(kind: &str, app: &str, scope: &str, obligations: &str) -> Value {
    json!({
        "accountId": "acme",
        "tokenId": token().id.as_str(),
        "kind": kind,
        "integrationId": app,
        "scope": scope,
        "obligations": obligations,
    })
}

#[tokio::test]
async fn an_http_api_is_told_who_calls_and_that_the_call_may_go_on() {
    let (engine, _) = custom().await;
    assert_eq!(
        Call::http().on(&engine.store).await.unwrap(),
        json!({"isAuthorized": true, "context": context("account", "", "custom", "[]")})
    );
}

#[tokio::test]
async fn a_rest_api_gets_a_policy_for_exactly_what_it_asked() {
    let (engine, _) = custom().await;
    let call = Call::rest();
    let policy = |effect: &str| {
        json!({
            "Version": "2012-10-17",
            "Statement": [{
                "Action": "execute-api:Invoke",
                "Effect": effect,
                "Resource": call.0["methodArn"],
            }],
        })
    };
    assert_eq!(
        call.on(&engine.store).await.unwrap(),
        json!({
            "principalId": token().id.as_str(),
            "policyDocument": policy("Allow"),
            "context": context("account", "", "custom", "[]"),
        })
    );
    let elsewhere = call.clone().to("GET", "/v1/imports/imp_stock");
    assert_eq!(
        elsewhere.on(&engine.store).await.unwrap(),
        json!({"principalId": "anonymous", "policyDocument": policy("Deny"), "context": {}})
    );
}

#[tokio::test]
async fn obligations_are_told_as_json_in_a_string() {
    let (engine, _) = full().await;
    let fields = r#"[{"type":"allowedFields","fields":["name","description"]}]"#;
    for call in [Call::http(), Call::rest()] {
        let call = call.to("PUT", "/v1/exports/exp_app");
        let answer = call.on(&engine.store).await.unwrap();
        assert_eq!(answer["context"], context("account", "", "full", fields));
    }
}

#[tokio::test]
async fn an_integration_apps_token_is_told_with_its_app() {
    let (engine, _) = app().await;
    let call = Call::http().to("POST", "/v1/imports/imp_app/invoke");
    let answer = call.on(&engine.store).await.unwrap();
    let expected = context("integrationApp", "app1", "full", "[]");
    assert_eq!(answer["context"], expected);
}

#[tokio::test]
async fn full_access_spares_integration_app_data() {
    let (engine, _) = full().await;
    let fields = json!([{"type": "allowedFields", "fields": ["name", "description"]}]);
    let guarded = json!([{"type": "denyIntegrationAppData"}]);
    for (method, path, expected) in [
        ("GET", "/v1/exports/exp_app", Some(json!([]))),
        ("POST", "/v1/exports/exp_app/invoke", Some(json!([]))),
        ("PATCH", "/v1/exports/exp_app", Some(fields)),
        ("DELETE", "/v1/exports/exp_app", None),
        ("POST", "/v1/exports/exp_app/clone", None),
        ("DELETE", "/v1/exports/exp_orders", Some(guarded.clone())),
        ("PUT", "/v1/exports/exp_unheard_of", Some(guarded.clone())),
        ("POST", "/v1/exports", Some(guarded.clone())),
        ("GET", "/v1/flows", Some(json!([]))),
        ("POST", "/v1/flows", Some(guarded)),
    ] {
        for call in [Call::http(), Call::rest()] {
            let obligations = call.to(method, path).obligations(&engine).await;
            assert_eq!(obligations, expected, "{method} {path}");
        }
    }
}

#[tokio::test]
async fn an_integration_apps_token_stays_inside_its_app() {
    let (engine, _) = app().await;
    for (method, path, allowed) in [
        ("POST", "/v1/exports/exp_app/invoke", true),
        ("GET", "/v1/exports/exp_app/debug", true),
        ("POST", "/v1/exports/exp_orders/invoke", false),
        ("POST", "/v1/exports/exp_unheard_of/invoke", false),
        ("GET", "/v1/exports/exp_app", false),
        ("PUT", "/v1/exports/exp_app", false),
        ("POST", "/v1/exports", false),
    ] {
        let call = Call::http().to(method, path);
        assert_eq!(call.is_allowed(&engine).await, allowed, "{method} {path}");
    }
}

#[tokio::test]
async fn a_call_without_a_bearer_secret_is_refused() {
    let (engine, _) = custom().await;
    refuse(&engine, Call::without_authorization, Status::Unauthorized).await;
    let without_headers = |mut call: Call| {
        call.0["headers"] = Value::Null;
        call
    };
    refuse(&engine, without_headers, Status::Unauthorized).await;
    for value in [
        "",
        "Bearer",
        "Bearer ",
        SECRET,
        &format!("Basic {SECRET}"),
        &format!("Token {SECRET}"),
        &format!("Bearer{SECRET}"),
    ] {
        let change = |call: Call| call.authorization(value);
        refuse(&engine, change, Status::Unauthorized).await;
    }
}

#[tokio::test]
async fn the_schemes_case_and_the_space_around_the_secret_mean_nothing() {
    let (engine, _) = custom().await;
    for value in [
        format!("bearer {SECRET}"),
        format!("BEARER {SECRET}"),
        format!("Bearer   {SECRET} "),
    ] {
        let call = Call::http().authorization(&value);
        assert!(call.is_allowed(&engine).await, "{value}");
    }
}

#[tokio::test]
async fn a_malformed_secret_is_refused() {
    let (engine, _) = custom().await;
    let cut: String = SECRET.chars().take(SECRET.len() - 1).collect();
    for secret in [
        format!("{SECRET}0"),
        format!("{cut}0"),
        cut,
        SECRET.replacen("lka_", "lkb_", 1),
        format!("{SECRET},Bearer {SECRET}"),
        format!("{SECRET} {SECRET}"),
    ] {
        let change = |call: Call| call.authorization(&format!("Bearer {secret}"));
        refuse(&engine, change, Status::Unauthorized).await;
    }
}

#[tokio::test]
async fn an_unknown_secret_is_refused() {
    let engine = Engine::with_accounts().await;
    refuse(&engine, |call| call, Status::Unauthorized).await;
}

#[tokio::test]
async fn a_revoked_secret_is_refused_by_the_next_request() {
    let (engine, stored) = custom().await;
    assert!(Call::http().is_allowed(&engine).await);
    // The sandbox remembers earlier uses. That doesn't let a revoked token through.
    assert!(Call::http().is_allowed(&engine).await);
    engine.revoke(stored).await;
    refuse_known(&engine, |call| call, "revoked").await;
}

#[tokio::test]
async fn a_replaced_secret_is_refused_by_the_next_request() {
    let (engine, before) = custom().await;
    assert!(Call::http().is_allowed(&engine).await);
    let mut after = before.clone();
    after.token.version += 1;
    let text = "5e".repeat(32);
    after.secret_hash = SecretHash::try_from(text).unwrap();
    let change = TokenChange {
        audit: audit(Action::Regenerate, &after.token, now(), 2),
        before,
        after,
        compromised: None,
        idempotency: None,
    };
    engine.store.change_token(&change).await.unwrap();
    refuse_known(&engine, |call| call, "ended").await;
}

#[tokio::test]
async fn a_purged_secret_is_refused_though_the_table_still_has_it() {
    let (engine, _) = with(|token| token.purge_at = Some(now())).await;
    refuse_known(&engine, |call| call, "expired").await;
}

#[tokio::test]
async fn a_retired_secret_works_until_its_grace_period_ends() {
    let later = now() + jiff::SignedDuration::from_secs(1);
    for (valid_until, works) in [(later, true), (now(), false)] {
        let engine = Engine::with_accounts().await;
        let mut stored = stored_token();
        stored.previous_hash = Some(stored.secret_hash);
        stored.token.previous_secret = Some(PreviousSecret {
            hint: stored.token.hint.clone(),
            valid_until,
        });
        stored.secret_hash = SecretHash::try_from("5e".repeat(32)).unwrap();
        seed(&engine, stored).await;
        let logs = Logs::start();
        assert_eq!(Call::http().is_allowed(&engine).await, works);
        let [[outcome, .., secret]] = &logs.take_decisions()[..] else {
            panic!("one decision");
        };
        let expected = if works { "allowed" } else { "expired" };
        assert_eq!((outcome.as_str(), secret.as_str()), (expected, "retired"));
        if !works {
            drop(logs);
            refuse_silently(&engine, |call| call, Status::Unauthorized).await;
        }
    }
}

#[tokio::test]
async fn an_address_outside_the_ranges_is_refused() {
    let (engine, _) = with(|token| {
        token.allowed_cidrs = vec![
            "198.51.100.0/24".parse().unwrap(),
            "2001:db8::/32".parse().unwrap(),
        ];
    })
    .await;
    refuse_known(&engine, |call| call, "address").await;
    let v6 = |call: Call| call.from("2001:db9::1");
    refuse_silently(&engine, v6, Status::Unauthorized).await;
    for ip in ["198.51.100.255", "2001:db8::1", "::ffff:198.51.100.1"] {
        assert!(Call::http().from(ip).is_allowed(&engine).await, "{ip}");
        assert!(Call::rest().from(ip).is_allowed(&engine).await, "{ip}");
    }
}

#[tokio::test]
async fn a_header_does_not_change_the_callers_address() {
    let (engine, _) =
        with(|token| token.allowed_cidrs = vec!["198.51.100.0/24".parse().unwrap()]).await;
    let pretend = |mut call: Call| {
        call.0["headers"]["x-forwarded-for"] = json!("198.51.100.1");
        call.0["headers"]["X-Forwarded-For"] = json!("198.51.100.1");
        call
    };
    refuse_known(&engine, pretend, "address").await;
}

#[tokio::test]
async fn what_the_scope_does_not_list_is_forbidden() {
    let (engine, _) = custom().await;
    for (method, path) in [
        ("GET", "/v1/exports"),
        ("GET", "/v1/exports/exp_app"),
        ("GET", "/v1/imports/exp_orders"),
        ("PUT", "/v1/exports/exp_orders"),
        ("DELETE", "/v1/exports/exp_orders"),
        ("GET", "/v1/flows"),
    ] {
        let change = |call: Call| call.to(method, path);
        refuse(&engine, change, Status::Forbidden).await;
    }
}

#[tokio::test]
async fn head_is_decided_as_get_and_what_no_gateway_passes_on_is_forbidden() {
    let (engine, _) = custom().await;
    for call in [Call::http(), Call::rest()] {
        for (path, allowed) in [
            ("/v1/exports/exp_orders", true),
            ("/v1/exports/exp_orders/audit", true),
            ("/v1/exports/exp_orders/unheard-of", false),
            ("/v1/exports/exp_app", false),
            ("/v1/exports", false),
        ] {
            for method in ["HEAD", "GET"] {
                let call = call.clone().to(method, path);
                assert_eq!(call.is_allowed(&engine).await, allowed, "{method} {path}");
            }
        }
    }
    for method in ["TRACE", "CONNECT", "OPTIONS", "head", "ANY", ""] {
        let change = |call: Call| call.to(method, "/v1/exports/exp_orders");
        refuse(&engine, change, Status::Forbidden).await;
    }
}

#[tokio::test]
async fn a_path_that_can_be_read_in_two_ways_is_forbidden() {
    let (engine, _) = full().await;
    for path in [
        "/",
        "/v1/",
        "/v2/exports/exp_orders",
        "//v1/exports/exp_orders",
        "/v1//exports/exp_orders",
        "/v1/exports/exp_orders/",
        "/v1/exports/exp%5Forders",
        "/v1/exports/../exports/exp_orders",
        "/v1/exports/exp_orders/..",
        "/V1/exports/exp_orders",
    ] {
        let change = |call: Call| call.to("GET", path);
        refuse(&engine, change, Status::Forbidden).await;
    }
}

/// As documented: the path that both gateways send starts with the mapping key of a custom domain.
#[tokio::test]
async fn behind_a_mapping_key_every_call_is_refused() {
    let (engine, _) = full().await;
    for path in ["/v1/exports", "/v1/exports/exp_orders", "/v1/flows"] {
        for call in [Call::http(), Call::rest()] {
            assert!(call.to("GET", path).is_allowed(&engine).await, "{path}");
        }
        for key in ["/api", "/public/platform", "/v2"] {
            let change = |call: Call| call.to("GET", &format!("{key}{path}"));
            refuse(&engine, change, Status::Forbidden).await;
        }
    }
}

#[tokio::test]
async fn an_http_apis_stage_is_no_part_of_the_path() {
    let (engine, _) = custom().await;
    let own = "/v1/exports/exp_orders";
    for (stage, path, allowed) in [
        ("prod", format!("/prod{own}"), true),
        ("v1", format!("/v1{own}"), true),
        // Behind a custom domain, the path doesn't contain the stage.
        ("prod", own.to_owned(), true),
        ("v", own.to_owned(), true),
        ("v1", own.to_owned(), true),
        ("prod", format!("/prod/prod{own}"), false),
        ("prod", format!("/production{own}"), false),
        ("$default", format!("/$default{own}"), false),
        ("$default", format!("/prod{own}"), false),
    ] {
        let call = Call::http().stage(stage).to("GET", &path);
        assert_eq!(call.is_allowed(&engine).await, allowed, "{stage} {path}");
    }
}

#[tokio::test]
async fn the_first_use_is_recorded_and_the_second_writes_nothing() {
    for call in [Call::http(), Call::rest()] {
        let (engine, stored) = custom().await;
        assert!(call.is_allowed(&engine).await);
        let log = engine.audit(&acme().id).await;
        let used = log.iter().find(|record| record.action == Action::Access);
        let used = used.unwrap();
        assert_eq!(used.token_id, stored.token.id);
        assert_eq!(used.origin.ip, Some([192, 0, 2, 1].into()));
        assert_eq!(used.origin.user_agent.as_deref(), Some("curl/8.5.0"));
        let request = call.0["requestContext"]["requestId"].as_str();
        assert_eq!(Some(used.origin.request_id.as_str()), request);
        let token = engine.stored(&acme().id, &stored.token.id).await.unwrap();
        assert_eq!(token.token.last_use.map(|used| used.ip), used.origin.ip);

        let before = engine.dump().await;
        assert!(call.is_allowed(&engine).await);
        let elsewhere = call.to("GET", "/v1/exports/exp_orders");
        assert!(elsewhere.is_allowed(&engine).await);
        assert_eq!(engine.dump().await, before);
    }
}

#[tokio::test]
async fn a_long_name_of_a_client_is_cut() {
    let (engine, _) = custom().await;
    let mut call = Call::http();
    call.0["headers"]["user-agent"] = json!("é".repeat(5_000));
    assert!(call.is_allowed(&engine).await);
    let log = engine.audit(&acme().id).await;
    let used = log.iter().find(|record| record.action == Action::Access);
    let name = used.unwrap().origin.user_agent.as_ref().unwrap();
    assert_eq!(name.chars().count(), 256);
}

#[tokio::test]
async fn a_use_that_cannot_be_recorded_is_an_error_and_not_allowed() {
    for call in [Call::http(), Call::rest()] {
        let (engine, _) = custom().await;
        engine.break_audit().await;
        let before = engine.dump().await;
        let error = call.on(&engine.store).await.unwrap_err();
        // A gateway turns this error into a 500. A 401 would say that the secret is invalid.
        assert_ne!(error.to_string(), "Unauthorized");
        assert_eq!(engine.dump().await, before);
    }
}

/// A store in which something changes right before a use is recorded.
struct Meanwhile<'a> {
    engine: &'a Engine,
    revoked: Mutex<Option<StoredToken>>,
    calls: Mutex<Vec<&'static str>>,
}

impl<'a> Meanwhile<'a> {
    fn new(engine: &'a Engine, revoked: Option<StoredToken>) -> Self {
        Self {
            engine,
            revoked: Mutex::new(revoked),
            calls: Mutex::default(),
        }
    }

    fn note(&self, call: &'static str) {
        self.calls.lock().unwrap().push(call);
    }

    fn calls(&self) -> Vec<&'static str> {
        std::mem::take(&mut self.calls.lock().unwrap())
    }
}

impl RecallSecret for Meanwhile<'_> {
    async fn recall_secret(
        &self,
        hash: &SecretHash,
        from: UsedFrom,
        now: Timestamp,
    ) -> Result<Option<(SecretRecord, Recall)>, PortError> {
        self.note("secret");
        self.engine.store.recall_secret(hash, from, now).await
    }

    async fn get_seen(&self, hash: &SecretHash) -> Result<Seen, PortError> {
        self.note("seen");
        self.engine.store.get_seen(hash).await
    }
}

impl GetResources for Meanwhile<'_> {
    async fn get_resources(
        &self,
        account: &AccountId,
        names: &[ResourceRef],
    ) -> Result<Vec<Resource>, PortError> {
        self.note("resources");
        self.engine.store.get_resources(account, names).await
    }
}

impl RecordUse for Meanwhile<'_> {
    async fn record_use(&self, used: &Use) -> Result<(), PortError> {
        self.note("use");
        let revoked = self.revoked.lock().unwrap().take();
        if let Some(token) = revoked {
            self.engine.revoke(token).await;
        }
        self.engine.store.record_use(used).await
    }
}

#[tokio::test]
async fn a_revocation_between_the_read_and_the_record_counts_from_the_next_call() {
    let (engine, stored) = custom().await;
    let store = Meanwhile::new(&engine, Some(stored));
    let answer = Call::http().on(&store).await.unwrap();
    assert_eq!(answer["isAuthorized"], true);
    assert_eq!(store.calls(), ["secret", "use"]);
    assert_eq!(uses(&engine).await, 1);
    assert_eq!(Call::http().on(&store).await.unwrap(), refused());
    let error = Call::rest().on(&store).await.unwrap_err();
    assert_eq!(error.to_string(), "Unauthorized");
}

/// Returns `now` plus a number of days.
fn day(days: i64) -> Timestamp {
    now() + jiff::SignedDuration::from_hours(24 * days)
}

#[tokio::test]
async fn refusals_are_recorded_once_a_day_and_reason_and_mailed_ever_less_often() {
    let (engine, stored) = custom().await;
    engine.revoke(stored).await;
    for days in 0..31 {
        for _ in 0..2 {
            let answer = Call::http().on_at(&engine.store, day(days)).await;
            assert_eq!(answer.unwrap(), refused());
        }
    }
    let mut log = refusals(&engine).await;
    log.sort_by_key(|record| record.time);
    assert_eq!(log.len(), 31);
    let mut mailed = Vec::new();
    for (days, record) in (0..).zip(&log) {
        assert_eq!(record.time, day(days));
        assert_eq!(told(record), ["revoked", &(days + 1).to_string()]);
        if record.is_mailed() {
            mailed.push(days + 1);
        }
    }
    assert_eq!(mailed, [1, 2, 7, 30]);
}

#[tokio::test]
async fn each_reason_has_a_record_of_its_own() {
    let (engine, stored) =
        with(|token| token.allowed_cidrs = vec!["198.51.100.0/24".parse().unwrap()]).await;
    refuse_known(&engine, |call| call, "address").await;
    engine.revoke(stored).await;
    refuse_known(&engine, |call| call, "revoked").await;
    assert_eq!(refusals(&engine).await.len(), 2);
}

#[tokio::test]
async fn a_compromised_secret_is_refused_as_one() {
    let (engine, before) = custom().await;
    let (at, by) = (now(), Action::Leak);
    let leaked = before
        .token
        .compromise(Actor::github(), Ended { at, by }, "leaked");
    let change = TokenChange {
        audit: audit(Action::Leak, &leaked, now(), 2),
        compromised: Some(before.secret_hash),
        after: before.with(leaked, now()),
        before,
        idempotency: None,
    };
    engine.store.change_token(&change).await.unwrap();
    refuse_known(&engine, |call| call, "compromised").await;
}

#[tokio::test]
async fn the_token_of_a_deleted_account_is_refused() {
    let (engine, before) = custom().await;
    let ended = before.token.end_with_account(Actor::system(), now());
    let change = TokenChange {
        audit: audit(Action::Revoke, ended.as_ref().unwrap(), now(), 2),
        after: before.with(ended.unwrap(), now()),
        before,
        compromised: None,
        idempotency: None,
    };
    engine.store.change_token(&change).await.unwrap();
    refuse_known(&engine, |call| call, "revoked").await;
}

#[tokio::test]
async fn a_deleted_tokens_secret_is_refused() {
    let (engine, stored) = custom().await;
    let revoked = engine.revoke(stored).await;
    let deletion = audit(Action::Delete, &revoked.token, now(), 3);
    let deleted = engine.store.delete_token(&revoked, &deletion).await;
    deleted.unwrap();
    refuse_known(&engine, |call| call, "ended").await;
}

#[tokio::test]
async fn a_licence_that_lapses_ends_no_token() {
    let (engine, _) = custom().await;
    let without = Account {
        plan: Plan::Standard,
        api_management: false,
        ..acme()
    };
    let later = now() + jiff::SignedDuration::from_secs(1);
    engine.store.put_account(&without, later).await.unwrap();
    assert!(Call::http().is_allowed(&engine).await);
}

#[tokio::test]
async fn a_decisions_line_says_which_record_it_caused() {
    let (engine, stored) = custom().await;
    let logs = Logs::start();
    let recorded = async || {
        drop(Call::http().on(&engine.store).await);
        let mut lines = logs.take();
        lines.retain(|line| line.get("sequence").is_some());
        let [line] = &lines[..] else {
            panic!("one decision")
        };
        line.get("recorded").cloned()
    };
    assert_eq!(
        [recorded().await, recorded().await],
        [Some(json!("use")), None]
    );
    engine.revoke(stored).await;
    assert_eq!(
        [recorded().await, recorded().await],
        [Some(json!("refusal")), None]
    );
    let mut actions: Vec<_> = engine.audit(&acme().id).await;
    actions.retain(|record| matches!(record.action, Action::Access | Action::Refused));
    assert_eq!(actions.len(), 2);
}

#[tokio::test]
async fn every_decision_has_a_line_in_the_log() {
    let (engine, _) = custom().await;
    let invoke = ["invoke", "exports/exp_orders"];
    for call in [Call::http(), Call::rest()] {
        let logs = Logs::start();
        let decide = async |call: Call| {
            drop(call.on(&engine.store).await);
            let told = logs.take_decisions();
            assert_eq!(told.len(), 1);
            told[0].clone()
        };
        let [invoked, on] = invoke;
        let known = decide(call.clone()).await;
        assert_eq!(known, ["allowed", invoked, on, "current"]);
        for (method, path, action, resource) in [
            ("GET", "/v1/imports/imp_stock", "read", "imports/imp_stock"),
            (
                "GET",
                "/v1/exports/exp_orders/x",
                "readUnknown",
                "exports/exp_orders",
            ),
            (
                "GET",
                "/v1/exports/exp_app/debug",
                "viewDebugLog",
                "exports/exp_app",
            ),
            ("POST", "/v1/connections", "create", "connections"),
            ("PUT", "/v1/apis/api_1", "update", "apis/api_1"),
            // An unknown collection may have any name.
            ("DELETE", "/v1/Olive.Owner/flow_1", "delete", "other/flow_1"),
            ("GET", "/v1/exports/..", "", ""),
        ] {
            let told = decide(call.clone().to(method, path)).await;
            assert_eq!(told, ["forbidden", action, resource, "current"], "{path}");
        }
        let malformed = decide(call.clone().authorization("Bearer lka_short")).await;
        assert_eq!(malformed, ["malformed", invoked, on, ""]);
        let none = decide(call.clone().without_authorization()).await;
        assert_eq!(none, ["malformed", invoked, on, ""]);
        let secret = PlainSecret::generate(Kind::Account, &FixedEntropy([9; 32]));
        let bearer = format!("Bearer {}", plain(&secret.unwrap()));
        let unknown = decide(call.clone().authorization(&bearer)).await;
        assert_eq!(unknown, ["unknown", invoked, on, ""]);
        // A secret isn't an id.
        let leaked = decide(call.to("GET", &format!("/v1/exports/{SECRET}"))).await;
        assert_eq!(leaked, ["forbidden", "", "", "current"]);
    }
}

#[tokio::test]
async fn refusals_at_the_same_time_are_recorded_once() {
    let (engine, stored) = custom().await;
    engine.revoke(stored).await;
    let call = Call::http();
    let store = &engine.store;
    let (one, two, three, four) = tokio::join!(
        call.on(store),
        call.on(store),
        call.on(store),
        call.on(store)
    );
    for answer in [one, two, three, four] {
        assert_eq!(answer.unwrap(), refused());
    }
    assert_eq!(refusals(&engine).await.len(), 1);
}

#[tokio::test]
async fn a_refusal_stays_one_when_it_cannot_be_recorded() {
    let (engine, stored) = custom().await;
    engine.revoke(stored).await;
    engine.break_audit().await;
    let lines = refuse_silently(&engine, |call| call, Status::Unauthorized).await;
    let unrecorded = lines.iter().filter(|line| line["level"] == "ERROR");
    assert_eq!(unrecorded.count(), 2);
}

#[tokio::test]
async fn a_call_asks_for_no_more_than_its_decision_needs() {
    let (engine, _) = full().await;
    let store = Meanwhile::new(&engine, None);
    let malformed = Call::http().authorization("Bearer lka_short");
    malformed.on(&store).await.unwrap();
    assert!(store.calls().is_empty());
    Call::http().on(&store).await.unwrap();
    assert_eq!(store.calls(), ["secret", "use"]);
    Call::http().on(&store).await.unwrap();
    assert_eq!(store.calls(), ["secret"]);
    let delete = Call::http().to("DELETE", "/v1/exports/exp_orders");
    delete.on(&store).await.unwrap();
    assert_eq!(store.calls(), ["secret", "resources"]);
}

#[tokio::test]
async fn a_resource_that_moves_into_an_app_is_spared_from_then_on() {
    let (engine, _) = full().await;
    let delete = Call::http().to("DELETE", "/v1/exports/exp_orders");
    assert!(delete.is_allowed(&engine).await);
    let moved = Resource {
        account_id: acme().id,
        kind: latchkey::domain::resource::ResourceType::Export,
        id: "exp_orders".parse().unwrap(),
        name: "Orders".into(),
        integration_id: Some("app1".parse().unwrap()),
    };
    let time = now() + jiff::SignedDuration::from_secs(1);
    engine.store.put_resource(&moved, time).await.unwrap();
    assert!(!delete.is_allowed(&engine).await);
}
