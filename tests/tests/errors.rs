//! Every refusal of the management API, with its status and stable code.

use end_to_end::{Account, Answer, Person, Stack, send};
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

/// A request and the expected refusal.
struct Case {
    what: &'static str,
    request: RequestBuilder,
    status: u16,
    /// The problem's code; empty if the gateway answers itself.
    code: &'static str,
    /// The failed fields with their codes, in any order.
    fields: &'static [(&'static str, &'static str)],
}

impl Case {
    fn new(what: &'static str, request: RequestBuilder, status: u16, code: &'static str) -> Self {
        Self {
            what,
            request,
            status,
            code,
            fields: &[],
        }
    }

    fn invalid(
        what: &'static str,
        request: RequestBuilder,
        fields: &'static [(&'static str, &'static str)],
    ) -> Self {
        let case = Self::new(what, request, 422, "validation_failed");
        Self { fields, ..case }
    }

    async fn check(self) {
        let what = self.what;
        let answer = send(self.request).await;
        let Answer { status, text, .. } = &answer;
        assert_eq!(
            (*status, answer.code().as_str()),
            (self.status, self.code),
            "{what}: {text}"
        );
        if self.code.is_empty() {
            return;
        }
        let problem = answer.json();
        assert_eq!(problem["status"], self.status, "{what}: {text}");
        assert_ne!(problem["requestId"], "", "{what}: {text}");
        assert!(answer.is_declared(), "{what}: {:?}", answer.headers);
        assert_eq!(answer.header("cache-control"), "no-store", "{what}");
        let mut failed: Vec<_> = problem["errors"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|error| {
                (
                    error["field"].as_str().unwrap(),
                    error["code"].as_str().unwrap(),
                )
            })
            .collect();
        failed.sort_unstable();
        let mut expected = self.fields.to_vec();
        expected.sort_unstable();
        assert_eq!(failed, expected, "{what}: {text}");
    }
}

fn body(name: &str) -> Value {
    json!({"name": name, "autoPurge": "1h", "scope": {"type": "full"}})
}

fn with(field: &str, value: Value) -> Value {
    let mut body = body("Token");
    body[field] = value;
    body
}

fn without(field: &str) -> Value {
    let mut body = body("Token");
    body.as_object_mut().unwrap().remove(field);
    body
}

#[tokio::test]
async fn every_refusal_has_its_status_and_its_code() {
    let stack = Stack::from_env();
    let account = Account::create(&stack, "errors", "standard").await;
    let other = Account::create(&stack, "errors-other", "enterprise").await;
    account.add_resource("export", "exp", None).await;
    let (token, _) = account.create_token(body("Token")).await;
    account.create_token(body("Second")).await;
    let (foreign, _) = other.create_token(body("Foreign")).await;
    let (owner, administrator) = (&account.owner, &account.administrator);

    let tokens = |person: &Person| account.get(person, "/tokens");
    let list = |query: &str| account.get(owner, &format!("/tokens?{query}"));
    let create = |body: Value| account.post(owner, "/tokens").json(&body);
    let raw = |kind: &str, body: &str| {
        let request = account.post(owner, "/tokens").body(body.to_owned());
        request.header("content-type", kind)
    };
    let of = |method: Method, token: &str, rest: &str| {
        account.request(method, owner, &format!("/tokens/{token}{rest}"))
    };
    let anonymous = || stack.api(Method::GET, &format!("/v1/accounts/{}/tokens", account.id));
    let unknown_account = stack.api(Method::GET, "/v1/accounts/nobody/tokens");
    let impossible_account = stack.api(Method::GET, "/v1/accounts/no.id/tokens");
    let page = send(list("limit=1")).await.expect(200);
    let cursor = page["nextCursor"].as_str().unwrap().to_owned();
    let flipped = if cursor.ends_with('A') { "B" } else { "A" };
    let tampered = format!("{}{flipped}", &cursor[..cursor.len() - 1]);
    let nobody = "tok_01ARZ3NDEKTSV4RRFFQ69G5FAV";
    let patch = |body: Value| of(Method::PATCH, &token, "").json(&body);
    let regenerate = |body: Value| of(Method::POST, &token, "/regenerate").json(&body);
    let info = || stack.api(Method::GET, "/v1/tokenInfo");
    let ids: Vec<_> = (0..1001).map(|id| format!("exp-{id}")).collect();

    let cases = [
        // The caller.
        Case::new("no token", anonymous(), 401, ""),
        Case::new("no JWT", anonymous().bearer_auth("lka_x"), 401, ""),
        Case::new(
            "an id token",
            anonymous().bearer_auth(&owner.id_token),
            401,
            "access_token_required",
        ),
        Case::new(
            "the owner of another account",
            tokens(&other.owner),
            404,
            "account_not_found",
        ),
        Case::new(
            "a manage member",
            tokens(&account.manage),
            403,
            "role_required",
        ),
        Case::new(
            "a monitor member",
            tokens(&account.monitor),
            403,
            "role_required",
        ),
        Case::new(
            "an unknown account",
            unknown_account.bearer_auth(&owner.access),
            404,
            "account_not_found",
        ),
        Case::new(
            "an account's id that can't be one",
            impossible_account.bearer_auth(&owner.access),
            404,
            "account_not_found",
        ),
        Case::new(
            "a role that may, without developer mode",
            account.post(administrator, &format!("/tokens/{token}/reveal")),
            403,
            "developer_mode_required",
        ),
        Case::new(
            "four hours on the standard plan",
            create(with("autoPurge", json!("4h"))),
            403,
            "api_management_license_required",
        ),
        Case::new(
            "no end on the standard plan",
            create(with("autoPurge", json!("never"))),
            403,
            "api_management_license_required",
        ),
        Case::new(
            "a manage member who edits",
            account.request(Method::PATCH, &account.manage, &format!("/tokens/{token}")),
            403,
            "role_required",
        ),
        Case::new(
            "a monitor member who reactivates",
            account.post(&account.monitor, &format!("/tokens/{token}/reactivate")),
            403,
            "role_required",
        ),
        Case::new(
            "a manage member who regenerates",
            account.post(&account.manage, &format!("/tokens/{token}/regenerate")),
            403,
            "role_required",
        ),
        Case::new(
            "a manage member who deletes",
            account.request(Method::DELETE, &account.manage, &format!("/tokens/{token}")),
            403,
            "role_required",
        ),
        Case::new(
            "a monitor member who asks for resources",
            account.get(&account.monitor, "/resources"),
            403,
            "role_required",
        ),
        Case::new(
            "another account's resources",
            account.get(&other.owner, "/resources"),
            404,
            "account_not_found",
        ),
        Case::new(
            "four hours by an edit",
            patch(json!({"autoPurge": "4h"})),
            403,
            "api_management_license_required",
        ),
        Case::new(
            "a token's info without a token",
            info(),
            401,
            "token_required",
        ),
        Case::new(
            "with a person's token",
            info().bearer_auth(&owner.access),
            401,
            "invalid_token",
        ),
        // The resource.
        Case::new(
            "an unknown token",
            of(Method::GET, nobody, ""),
            404,
            "token_not_found",
        ),
        Case::new(
            "no token's id",
            of(Method::GET, "nonsense", ""),
            404,
            "token_not_found",
        ),
        Case::new(
            "another account's token",
            of(Method::GET, &foreign, ""),
            404,
            "token_not_found",
        ),
        Case::new(
            "to show it",
            of(Method::POST, &foreign, "/reveal"),
            404,
            "token_not_found",
        ),
        Case::new(
            "to revoke it",
            of(Method::POST, &foreign, "/revoke"),
            404,
            "token_not_found",
        ),
        Case::new(
            "to edit it",
            of(Method::PATCH, &foreign, "").json(&json!({"name": "Mine"})),
            404,
            "token_not_found",
        ),
        Case::new(
            "to reactivate it",
            of(Method::POST, &foreign, "/reactivate"),
            404,
            "token_not_found",
        ),
        Case::new(
            "to regenerate it",
            of(Method::POST, &foreign, "/regenerate"),
            404,
            "token_not_found",
        ),
        Case::new(
            "to delete it",
            of(Method::DELETE, &foreign, ""),
            404,
            "token_not_found",
        ),
        Case::new(
            "to delete a token that is active",
            of(Method::DELETE, &token, ""),
            409,
            "token_active",
        ),
        Case::new(
            "an edit of a version that isn't the token's",
            patch(json!({"name": "New"})).header("if-match", "\"7\""),
            412,
            "version_mismatch",
        ),
        Case::new(
            "the same at reactivate",
            of(Method::POST, &token, "/reactivate").header("if-match", "\"7\""),
            412,
            "version_mismatch",
        ),
        Case::new(
            "the same at regenerate",
            of(Method::POST, &token, "/regenerate").header("if-match", "\"7\""),
            412,
            "version_mismatch",
        ),
        Case::new(
            "the same at delete",
            of(Method::DELETE, &token, "").header("if-match", "\"7\""),
            412,
            "version_mismatch",
        ),
        Case::new(
            "a version that isn't the token's",
            of(Method::POST, &token, "/revoke").header("if-match", "\"7\""),
            412,
            "version_mismatch",
        ),
        Case::new(
            "the same at reveal",
            of(Method::POST, &token, "/reveal").header("if-match", "\"7\""),
            412,
            "version_mismatch",
        ),
        // The form of the request.
        Case::new(
            "a torn body",
            raw("application/json", "{"),
            400,
            "malformed_json",
        ),
        Case::new(
            "an array",
            raw("application/json", "[]"),
            400,
            "malformed_json",
        ),
        Case::new(
            "no body",
            account.post(owner, "/tokens"),
            415,
            "unsupported_media_type",
        ),
        Case::new(
            "a text",
            raw("text/plain", "{}"),
            415,
            "unsupported_media_type",
        ),
        Case::new(
            "a form",
            raw("application/x-www-form-urlencoded", "name=x"),
            415,
            "unsupported_media_type",
        ),
        Case::new(
            "too large a body",
            create(with("description", json!("x".repeat(65 * 1024)))),
            413,
            "body_too_large",
        ),
        Case::invalid(
            "nothing in the body",
            create(json!({})),
            &[
                ("name", "required"),
                ("autoPurge", "required"),
                ("scope", "required"),
            ],
        ),
        Case::invalid("no name", create(without("name")), &[("name", "required")]),
        Case::invalid(
            "a blank name",
            create(with("name", json!("  "))),
            &[("name", "required")],
        ),
        Case::invalid(
            "a number for a name",
            create(with("name", json!(7))),
            &[("name", "wrong_type")],
        ),
        Case::invalid(
            "a name of 10,000 characters",
            create(with("name", json!("x".repeat(10_000)))),
            &[("name", "too_long")],
        ),
        Case::invalid(
            "two lines of a name",
            create(with("name", json!("a\nb"))),
            &[("name", "invalid_characters")],
        ),
        Case::invalid(
            "fields that there aren't",
            create(with("secret", json!("mine"))),
            &[("secret", "unknown_field")],
        ),
        Case::invalid(
            "everything wrong at once",
            create(json!({"name": "", "autoPurge": "2h", "scope": {"type": "some"}, "x": 1})),
            &[
                ("name", "required"),
                ("autoPurge", "invalid_value"),
                ("scope.type", "invalid_value"),
                ("x", "unknown_field"),
            ],
        ),
        Case::invalid(
            "full access and a list",
            create(with("scope", json!({"type": "full", "exports": ["exp"]}))),
            &[("scope.exports", "scope_conflict")],
        ),
        Case::invalid(
            "an empty custom scope",
            create(with("scope", json!({"type": "custom"}))),
            &[("scope", "required")],
        ),
        Case::invalid(
            "a resource that isn't the account's",
            create(with(
                "scope",
                json!({"type": "custom", "exports": ["exp", "exp-2"]}),
            )),
            &[("scope.exports", "unknown_resource")],
        ),
        Case::invalid(
            "a resource under another type",
            create(with("scope", json!({"type": "custom", "imports": ["exp"]}))),
            &[("scope.imports", "unknown_resource")],
        ),
        Case::invalid(
            "too many resources",
            create(with("scope", json!({"type": "custom", "exports": ids}))),
            &[("scope", "too_many")],
        ),
        Case::invalid(
            "an Integration App token without its app, and without end",
            create(json!({
                "name": "App", "kind": "integrationApp", "autoPurge": "never", "scope": {"type": "full"},
            })),
            &[
                ("integrationId", "required"),
                ("autoPurge", "not_for_integration_app"),
            ],
        ),
        Case::invalid(
            "an account token with an app",
            create(with("integrationId", json!("app-1"))),
            &[("integrationId", "not_for_account")],
        ),
        Case::invalid(
            "no address ranges",
            create(with("allowedCidrs", json!(["10.0.0.1/8", "home", 7]))),
            &[
                ("allowedCidrs.0", "invalid_cidr"),
                ("allowedCidrs.1", "invalid_cidr"),
                ("allowedCidrs.2", "invalid_cidr"),
            ],
        ),
        Case::invalid(
            "an unknown field of a revocation",
            of(Method::POST, &token, "/revoke").json(&json!({"why": "so"})),
            &[("why", "unknown_field")],
        ),
        Case::new(
            "an edit without a body",
            of(Method::PATCH, &token, ""),
            415,
            "unsupported_media_type",
        ),
        Case::invalid(
            "an edit that removes what has to be",
            patch(json!({"name": null, "autoPurge": null, "scope": null})),
            &[
                ("name", "required"),
                ("autoPurge", "required"),
                ("scope", "required"),
            ],
        ),
        Case::invalid(
            "an edit of what can't be edited",
            patch(json!({"status": "revoked", "kind": "account", "name": ""})),
            &[
                ("status", "unknown_field"),
                ("kind", "unknown_field"),
                ("name", "required"),
            ],
        ),
        Case::invalid(
            "an edit to a resource that isn't the account's",
            patch(json!({"scope": {"type": "custom", "exports": ["exp-2"]}})),
            &[("scope.exports", "unknown_resource")],
        ),
        Case::invalid(
            "a grace period beyond a day",
            regenerate(json!({"gracePeriodSeconds": 86_401})),
            &[("gracePeriodSeconds", "invalid_value")],
        ),
        Case::invalid(
            "a negative one",
            regenerate(json!({"gracePeriodSeconds": -1})),
            &[("gracePeriodSeconds", "invalid_value")],
        ),
        Case::invalid(
            "one in words",
            regenerate(json!({"gracePeriodSeconds": "60"})),
            &[("gracePeriodSeconds", "invalid_value")],
        ),
        Case::invalid(
            "an unknown field of a regeneration",
            regenerate(json!({"grace": 60})),
            &[("grace", "unknown_field")],
        ),
        Case::invalid(
            "an unknown field of a reactivation",
            of(Method::POST, &token, "/reactivate").json(&json!({"why": "so"})),
            &[("why", "unknown_field")],
        ),
        // Lists.
        Case::invalid(
            "resources of a type that there isn't",
            account.get(owner, "/resources?type=flow&limit=0&sort=name"),
            &[
                ("type", "invalid_parameter"),
                ("limit", "invalid_parameter"),
                ("sort", "unknown_parameter"),
            ],
        ),
        Case::new(
            "a cursor of the tokens for resources",
            account.get(owner, &format!("/resources?limit=1&cursor={cursor}")),
            400,
            "invalid_cursor",
        ),
        Case::invalid(
            "no page",
            list("limit=0"),
            &[("limit", "invalid_parameter")],
        ),
        Case::invalid(
            "too long a page",
            list("limit=101"),
            &[("limit", "invalid_parameter")],
        ),
        Case::invalid(
            "no number",
            list("limit=many"),
            &[("limit", "invalid_parameter")],
        ),
        Case::invalid(
            "an unknown parameter",
            list("sorted=asc"),
            &[("sorted", "unknown_parameter")],
        ),
        Case::invalid(
            "an unknown status",
            list("status=lost"),
            &[("status", "invalid_parameter")],
        ),
        Case::invalid(
            "unknown filters of the audit log",
            account.get(owner, "/audit?action=party&from=yesterday"),
            &[
                ("action", "invalid_parameter"),
                ("from", "invalid_parameter"),
            ],
        ),
        Case::new(
            "a tampered cursor",
            list(&format!("limit=1&cursor={tampered}")),
            400,
            "invalid_cursor",
        ),
        Case::new(
            "a cursor of other filters",
            list(&format!("limit=1&status=active&cursor={cursor}")),
            400,
            "invalid_cursor",
        ),
        Case::new(
            "a cursor of another list",
            account.get(owner, &format!("/audit?limit=1&cursor={cursor}")),
            400,
            "invalid_cursor",
        ),
        Case::new(
            "a cursor of another account",
            other.get(&other.owner, &format!("/tokens?limit=1&cursor={cursor}")),
            400,
            "invalid_cursor",
        ),
    ];
    for case in cases {
        case.check().await;
    }

    // None of these requests has changed anything.
    let actions = account.audit("").await;
    assert_eq!(actions.len(), 2, "{actions:?}");
    let next = send(list(&format!("limit=1&cursor={cursor}")))
        .await
        .expect(200);
    assert_eq!(next["tokens"][0]["id"], json!(token));
    let current = of(Method::POST, &token, "/revoke").header("if-match", "\"1\"");
    send(current).await.expect(200);
    let grace = Case::invalid(
        "a grace period for a revoked token",
        regenerate(json!({"gracePeriodSeconds": 60})),
        &[("gracePeriodSeconds", "token_revoked")],
    );
    grace.check().await;
}

/// API Gateway forwards only requests that have a route. A `GET` route doesn't accept `HEAD`.
#[tokio::test]
async fn a_method_without_a_route_reaches_no_function() {
    let stack = Stack::from_env();
    let account = Account::create(&stack, "methods", "enterprise").await;
    for path in ["/", "/config.json", "/v1/tokenInfo"] {
        for method in [Method::HEAD, Method::TRACE, Method::PUT] {
            let answer = send(stack.api(method.clone(), path)).await;
            assert_eq!(answer.status, 404, "{method} {path}: {}", answer.text);
            assert_eq!(answer.code(), "", "{method} {path}");
        }
    }
    for path in ["", "/tokens", "/audit", "/resources"] {
        for method in [Method::HEAD, Method::TRACE, Method::PUT] {
            let request = account.request(method.clone(), &account.owner, path);
            let answer = send(request).await;
            assert_eq!(answer.status, 404, "{method} {path}: {}", answer.text);
            assert_eq!(answer.code(), "", "{method} {path}");
        }
    }
}
