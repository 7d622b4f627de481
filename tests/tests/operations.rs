//! Operations on a token after its creation: their effect on the next request, and the mails about them.

use std::collections::BTreeSet;

use end_to_end::{Account, Answer, Person, Stack, USER_AGENT, eventually, send};
use reqwest::Method;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// Calls the example API for the export `exp`, and returns the status.
async fn call(account: &Account, secret: &str) -> u16 {
    let request = account.stack.protected(Method::GET, "/v1/exports/exp");
    send(request.bearer_auth(secret)).await.status
}

/// The answer that a token gets about itself.
async fn token_info(stack: &Stack, secret: &str) -> Answer {
    let request = stack.api(Method::GET, "/v1/tokenInfo");
    send(request.bearer_auth(secret)).await
}

/// Changes a token: `PATCH` of the token itself, or `POST` to the path after its id.
async fn change(
    account: &Account,
    by: &Person,
    token: &str,
    operation: &str,
    body: Value,
) -> Answer {
    let method = if operation.is_empty() {
        Method::PATCH
    } else {
        Method::POST
    };
    let path = format!("/tokens/{token}{operation}");
    send(account.request(method, by, &path).json(&body)).await
}

async fn delete(account: &Account, token: &str) -> Answer {
    let path = format!("/tokens/{token}");
    send(account.request(Method::DELETE, &account.owner, &path)).await
}

/// Gives a token a new secret, and returns it with the answer.
async fn regenerate(account: &Account, token: &str, grace: u64) -> (String, Value) {
    let body = json!({"gracePeriodSeconds": grace});
    let answer = change(account, &account.owner, token, "/regenerate", body).await;
    let answer = answer.expect(200);
    (text(&answer["secret"]), answer)
}

fn text(value: &Value) -> String {
    value.as_str().expect("a string").to_owned()
}

fn full(name: &str) -> Value {
    json!({"name": name, "autoPurge": "1h", "scope": {"type": "full"}})
}

/// Whether the table has only the tombstone of a secret.
async fn is_over(stack: &Stack, secret: &str) -> bool {
    let digest = hex::encode(Sha256::digest(secret));
    let item = stack.item(&format!("SECRET#{digest}"), "SECRET").await;
    let state = item["state"]["S"].as_str().expect("a state");
    ["ended", "compromised"].contains(&state)
}

/// An operation that must be recorded.
struct Told<'a> {
    action: &'a str,
    /// The actor; `None` for the system.
    by: Option<&'a Person>,
    changes: Value,
}

impl<'a> Told<'a> {
    fn new(action: &'a str, by: &'a Person, changes: Value) -> Self {
        let by = Some(by);
        Self {
            action,
            by,
            changes,
        }
    }
}

/// The operations on a token after its creation are recorded in this order, and no others; owner and administrator got
/// a mail about each. Uses and refusals are left out, since other tests cover them.
async fn check_told(account: &Account, token: &str, told: &[Told<'_>]) {
    let mut records = account.audit("").await;
    records.retain(|record| {
        record["resource"]["id"] == token
            && record["action"] != "create"
            && record["action"] != "access"
            && record["action"] != "refused"
    });
    let actions: Vec<_> = records.iter().map(|record| &record["action"]).collect();
    let expected: Vec<_> = told.iter().map(|told| told.action).collect();
    assert_eq!(actions, expected);
    for (record, told) in records.iter().zip(told) {
        assert_eq!(record["changes"], told.changes, "{record}");
        let who = told.by.map_or("system", |person| &person.id);
        assert_eq!(record["user"]["id"], who, "{record}");
        let source = if told.by.is_some() { "ui" } else { "system" };
        assert_eq!(record["source"], source, "{record}");
        if told.by.is_some() {
            assert_eq!(record["ip"], "127.0.0.1", "{record}");
            assert_eq!(record["userAgent"], USER_AGENT, "{record}");
        }
        for recipient in [&account.owner, &account.administrator] {
            check_mail(account, recipient, record).await;
        }
    }
}

/// There is exactly one mail about a record. It names the action, the token, the actor, the time and the changes.
async fn check_mail(account: &Account, recipient: &Person, record: &Value) {
    let what = match record["action"].as_str().expect("an action") {
        "update" => "changed",
        "view" => "shown in plain text",
        "revoke" => "revoked",
        "reactivate" => "reactivated",
        "regenerate" => "given a new secret",
        "delete" => "deleted",
        "purge" => "purged",
        action => panic!("no mail is expected about {action}"),
    };
    let name = text(&record["resource"]["name"]);
    let subject = format!("[End-to-end] API token “{name}” was {what}");
    let id = text(&record["resource"]["id"]);
    let when = format!("Recorded at: {}\n", text(&record["time"]));
    let about = eventually("the mail", async || {
        let mut mails = account.mails_to(recipient).await;
        mails.retain(|mail| {
            let body = text(&mail["BodyText"]);
            mail["Subject"] == subject && body.contains(&id) && body.contains(&when)
        });
        (!mails.is_empty()).then_some(mails)
    })
    .await;
    let [mail] = &about[..] else {
        panic!("{} mails about {record}", about.len());
    };
    let body = text(&mail["BodyText"]);
    // The system's doings have no subject: "The token was purged".
    if record["user"]["type"] != "system" {
        let who = format!("“{}”", text(&record["user"]["name"]));
        assert!(body.contains(&who), "no {who} in {body}");
    }
    for change in record["changes"].as_array().expect("changes") {
        let (field, old, new) = (text(&change["field"]), &change["old"], &change["new"]);
        let label = match field.as_str() {
            // The mail's sentences say these.
            "status" => continue,
            "previousSecret.validUntil" if record["action"] == "regenerate" => continue,
            "name" => "Name",
            "description" => "Description",
            "autoPurge" => "Auto purge",
            "purgeAt" => "Purge time",
            "scope" => "Scope",
            "scope.connections" => "Connections",
            "scope.exports" => "Exports",
            "scope.imports" => "Imports",
            "scope.apis" => "My APIs",
            "allowedCidrs" => "Allowed addresses",
            "revocationReason" => "Reason",
            "hint" => "Ends in",
            "previousSecret.hint" => "Old secret ends in",
            "previousSecret.validUntil" => "Old secret works until",
            "compromisedAt" => "Secret compromised",
            field => panic!("a mail has no word for {field}"),
        };
        let line = body
            .lines()
            .find_map(|line| line.strip_prefix(&format!("  {label}: ")));
        let line = line.unwrap_or_else(|| panic!("no {label} in {body}"));
        match field.as_str() {
            "name" | "description" | "revocationReason" => {
                for value in [old, new] {
                    let quoted = value.as_str().map(|value| format!("“{value}”"));
                    assert!(
                        line.contains(&quoted.unwrap_or_default()),
                        "{change}: {line}"
                    );
                }
            }
            // Of a list, the mail has what was added and removed.
            list if list.starts_with("scope.") => {
                let ids = |list: &Value| {
                    let ids = list
                        .as_str()
                        .unwrap_or_default()
                        .split(", ")
                        .map(str::to_owned);
                    ids.filter(|id| !id.is_empty())
                        .collect::<std::collections::BTreeSet<_>>()
                };
                for id in ids(old).symmetric_difference(&ids(new)) {
                    assert!(line.contains(id), "{change}: {line}");
                }
            }
            "hint" | "previousSecret.hint" => {
                for value in [old, new] {
                    assert!(
                        line.contains(value.as_str().unwrap_or_default()),
                        "{change}: {line}"
                    );
                }
            }
            _ => {}
        }
    }
}

#[tokio::test]
async fn an_edit_counts_for_the_next_call_and_names_what_it_changed() {
    let stack = Stack::from_env();
    let account = Account::create(&stack, "update", "enterprise").await;
    account.add_resource("export", "exp", None).await;
    account.add_resource("import", "imp", None).await;
    let (owner, administrator) = (&account.owner, &account.administrator);
    let scope = json!({"type": "custom", "imports": ["imp"]});
    let body = json!({"name": "Before", "autoPurge": "never", "scope": scope});
    let (token, secret) = account.create_token(body).await;

    let rename = || {
        let path = format!("/tokens/{token}");
        let request = account.request(Method::PATCH, administrator, &path);
        let request = request.header("content-type", "application/merge-patch+json");
        request.body(json!({"name": "After"}).to_string())
    };
    let renamed = send(rename().header("if-match", "\"1\"")).await;
    let renamed_token = renamed.expect(200);
    assert_eq!(renamed_token["name"], "After");
    assert_eq!(renamed_token["version"], 2);
    assert_eq!(renamed_token["updatedBy"]["email"], administrator.email);
    assert_eq!(renamed.header("etag"), "\"2\"");
    let outdated = send(rename().header("if-match", "\"1\"")).await;
    outdated.expect(412);
    // The same change again has no effect, and isn't recorded.
    assert_eq!(send(rename()).await.expect(200), renamed_token);

    // A merge patch keeps a list that it leaves out.
    assert_eq!(call(&account, &secret).await, 403);
    let add = json!({"scope": {"exports": ["exp"]}});
    let added = change(&account, owner, &token, "", add).await.expect(200);
    assert_eq!(added["scope"]["imports"], json!(["imp"]));
    assert_eq!(added["scope"]["exports"], json!(["exp"]));
    assert_eq!(call(&account, &secret).await, 200);
    let list = || stack.protected(Method::GET, "/v1/exports");
    send(list().bearer_auth(&secret)).await.expect(403);
    let widen = json!({"scope": {"type": "full"}});
    let widened = change(&account, owner, &token, "", widen).await;
    assert_eq!(widened.expect(200)["scope"], json!({"type": "full"}));
    send(list().bearer_auth(&secret)).await.expect(200);

    let ended = change(&account, owner, &token, "", json!({"autoPurge": "4h"})).await;
    let purge_at = ended.expect(200)["purgeAt"].take();
    let narrow = json!({"description": "For the ERP", "allowedCidrs": ["10.0.0.0/8"]});
    change(&account, owner, &token, "", narrow)
        .await
        .expect(200);
    assert_eq!(call(&account, &secret).await, 403);
    let undone = json!({"description": null, "allowedCidrs": null});
    change(&account, owner, &token, "", undone)
        .await
        .expect(200);
    assert_eq!(call(&account, &secret).await, 200);

    let info = token_info(&stack, &secret).await.expect(200);
    assert_eq!(info["name"], "After");
    assert_eq!(info["scope"], json!({"type": "full"}));
    assert_eq!(info["purgeAt"], purge_at);
    let told = [
        (
            administrator,
            json!([{"field": "name", "old": "Before", "new": "After"}]),
        ),
        (
            owner,
            json!([{"field": "scope.exports", "old": null, "new": "exp"}]),
        ),
        (
            owner,
            json!([
                {"field": "scope", "old": "custom", "new": "full"},
                {"field": "scope.exports", "old": "exp", "new": null},
                {"field": "scope.imports", "old": "imp", "new": null},
            ]),
        ),
        (
            owner,
            json!([
                {"field": "autoPurge", "old": "never", "new": "4h"},
                {"field": "purgeAt", "old": null, "new": purge_at},
            ]),
        ),
        (
            owner,
            json!([
                {"field": "description", "old": null, "new": "For the ERP"},
                {"field": "allowedCidrs", "old": null, "new": "10.0.0.0/8"},
            ]),
        ),
        (
            owner,
            json!([
                {"field": "description", "old": "For the ERP", "new": null},
                {"field": "allowedCidrs", "old": "10.0.0.0/8", "new": null},
            ]),
        ),
    ];
    let told = told.map(|(by, changes)| Told::new("update", by, changes));
    check_told(&account, &token, &told).await;
}

#[tokio::test]
async fn a_reactivated_token_works_again_with_the_next_call() {
    let stack = Stack::from_env();
    let account = Account::create(&stack, "reactivate", "standard").await;
    account.add_resource("export", "exp", None).await;
    let (owner, administrator) = (&account.owner, &account.administrator);
    let (token, secret) = account.create_token(full("Paused")).await;
    let lost = json!({"reason": "lost"});
    change(&account, owner, &token, "/revoke", lost)
        .await
        .expect(200);
    assert_eq!(call(&account, &secret).await, 403);

    let reactivate = || account.post(administrator, &format!("/tokens/{token}/reactivate"));
    let reactivated = send(reactivate()).await.expect(200);
    assert_eq!(reactivated["status"], "active");
    for field in ["revokedAt", "revokedBy", "revocationReason"] {
        assert!(reactivated[field].is_null(), "{reactivated}");
    }
    assert_eq!(call(&account, &secret).await, 200);
    let again = send(reactivate()).await.expect(200);
    assert_eq!(again["version"], reactivated["version"]);

    let revoked = json!([
        {"field": "status", "old": "active", "new": "revoked"},
        {"field": "revocationReason", "old": null, "new": "lost"},
    ]);
    let undone = json!([
        {"field": "status", "old": "revoked", "new": "active"},
        {"field": "revocationReason", "old": "lost", "new": null},
    ]);
    let told = [
        Told::new("revoke", owner, revoked),
        Told::new("reactivate", administrator, undone),
    ];
    check_told(&account, &token, &told).await;
}

#[tokio::test]
async fn a_replaced_secret_ends_at_once_or_after_its_grace_period() {
    let stack = Stack::from_env();
    let account = Account::create(&stack, "regenerate", "standard").await;
    account.add_resource("export", "exp", None).await;
    let owner = &account.owner;
    let (token, first) = account.create_token(full("Rotated")).await;
    assert_eq!(call(&account, &first).await, 200);
    assert!(!is_over(&stack, &first).await);
    let mut hints = vec![first[49..].to_owned()];
    let mut ends = Vec::new();

    // Without a grace period, by a request that is sent twice.
    let request = || {
        let request = account.post(owner, &format!("/tokens/{token}/regenerate"));
        request.header("idempotency-key", "rotation")
    };
    let answer = send(request()).await.expect(200);
    let second = text(&answer["secret"]);
    assert_eq!(answer["token"]["id"], json!(token));
    assert_eq!(answer["token"]["hint"], second[49..]);
    hints.push(second[49..].to_owned());
    ends.push(Value::Null);
    assert_eq!(call(&account, &first).await, 403);
    assert_eq!(call(&account, &second).await, 200);
    assert!(is_over(&stack, &first).await);
    let repeated = send(request()).await.expect(200);
    assert_eq!(repeated, json!({"token": repeated["token"]}));
    assert_eq!(call(&account, &second).await, 200);

    // With a grace period, both secrets work. A second regeneration ends the oldest one at once.
    let mut current = second;
    let mut retired: Option<String> = None;
    for grace in [600, 600, 0, 600] {
        let (new, _) = regenerate(&account, &token, grace).await;
        hints.push(new[49..].to_owned());
        if let Some(oldest) = retired.take() {
            assert_eq!(call(&account, &oldest).await, 403);
            assert!(is_over(&stack, &oldest).await);
        }
        let replaced = std::mem::replace(&mut current, new);
        assert_eq!(call(&account, &current).await, 200);
        let info = token_info(&stack, &current).await.expect(200);
        assert!(info["secretValidUntil"].is_null(), "{info}");
        if grace == 0 {
            assert_eq!(call(&account, &replaced).await, 403);
            assert!(is_over(&stack, &replaced).await);
            ends.push(Value::Null);
            continue;
        }
        assert_eq!(call(&account, &replaced).await, 200);
        let mut info = token_info(&stack, &replaced).await.expect(200);
        assert!(info["secretValidUntil"].is_string(), "{info}");
        ends.push(info["secretValidUntil"].take());
        retired = Some(replaced);
    }
    let reveal = account.post(owner, &format!("/tokens/{token}/reveal"));
    assert_eq!(send(reveal).await.expect(200)["secret"], json!(current));

    // A revocation ends both.
    let retired = retired.expect("a secret in its grace period");
    change(&account, owner, &token, "/revoke", json!({}))
        .await
        .expect(200);
    for secret in [&current, &retired] {
        assert_eq!(call(&account, secret).await, 403);
        token_info(&stack, secret).await.expect(401);
    }

    let mut told = Vec::new();
    let mut previous = (Value::Null, Value::Null);
    for (hints, end) in hints.windows(2).zip(&ends) {
        let mut changes = vec![json!({"field": "hint", "old": hints[0], "new": hints[1]})];
        let hint = end.as_str().map(|_| hints[0].clone());
        let next = (json!(hint), end.clone());
        changes.extend(of_previous(&previous, &next));
        previous = next;
        told.push(Told::new("regenerate", owner, json!(changes)));
    }
    told.push(Told::new("view", owner, json!([])));
    let mut changes = vec![json!({"field": "status", "old": "active", "new": "revoked"})];
    changes.extend(of_previous(&previous, &(Value::Null, Value::Null)));
    told.push(Told::new("revoke", owner, json!(changes)));
    check_told(&account, &token, &told).await;
}

/// The changes of the replaced secret's hint and end.
fn of_previous(old: &(Value, Value), new: &(Value, Value)) -> Vec<Value> {
    if old == new {
        return vec![];
    }
    vec![
        json!({"field": "previousSecret.hint", "old": old.0, "new": new.0}),
        json!({"field": "previousSecret.validUntil", "old": old.1, "new": new.1}),
    ]
}

/// The next change after its grace period removes a replaced secret.
#[tokio::test]
async fn a_secret_is_gone_with_the_first_change_after_its_grace_period() {
    let stack = Stack::from_env();
    let account = Account::create(&stack, "grace-ends", "standard").await;
    account.add_resource("export", "exp", None).await;
    let owner = &account.owner;
    let (edited, edited_old) = account.create_token(full("Edited")).await;
    let (revoked, revoked_old) = account.create_token(full("Revoked")).await;
    let (back, back_old) = account.create_token(full("Back")).await;
    let (orphan, orphan_old) = account.create_token(full("Orphan")).await;
    for token in [&back, &edited, &revoked, &orphan] {
        regenerate(&account, token, 2).await;
        if token == &back {
            change(&account, owner, token, "/revoke", json!({}))
                .await
                .expect(200);
        }
    }
    assert!(!is_over(&stack, &orphan_old).await);
    // The grace period that began last also ends last.
    eventually("the end of the grace periods", async || {
        (call(&account, &orphan_old).await == 403).then_some(())
    })
    .await;
    token_info(&stack, &orphan_old).await.expect(401);

    change(&account, owner, &edited, "", json!({"name": "New"}))
        .await
        .expect(200);
    assert!(is_over(&stack, &edited_old).await);
    change(&account, owner, &revoked, "/revoke", json!({}))
        .await
        .expect(200);
    assert!(is_over(&stack, &revoked_old).await);
    change(&account, owner, &back, "/reactivate", json!({}))
        .await
        .expect(200);
    assert!(is_over(&stack, &back_old).await);
    assert_eq!(call(&account, &back_old).await, 403);
    stack
        .publish("AccountDeleted", json!({"id": account.id}))
        .await;
    eventually("the account's deletion", async || {
        (is_over(&stack, &orphan_old).await).then_some(())
    })
    .await;
}

#[tokio::test]
async fn only_a_revoked_token_is_deleted_and_its_audit_log_stays() {
    let stack = Stack::from_env();
    let account = Account::create(&stack, "delete", "standard").await;
    account.add_resource("export", "exp", None).await;
    let owner = &account.owner;
    let (token, old) = account.create_token(full("Done with")).await;
    let (secret, _) = regenerate(&account, &token, 600).await;
    let active = delete(&account, &token).await;
    active.expect(409);
    assert_eq!(active.code(), "token_active");
    assert_eq!(call(&account, &secret).await, 200);

    change(&account, owner, &token, "/revoke", json!({}))
        .await
        .expect(200);
    let deleted = delete(&account, &token).await;
    assert_eq!((deleted.status, deleted.text.as_str()), (204, ""));
    for path in ["", "/reveal", "/revoke", "/reactivate", "/regenerate"] {
        let answer = change(&account, owner, &token, path, json!({})).await;
        answer.expect(404);
        assert_eq!(answer.code(), "token_not_found", "{path}");
    }
    delete(&account, &token).await.expect(404);
    let list = send(account.get(owner, "/tokens")).await.expect(200);
    assert_eq!(list["tokens"], json!([]));
    for secret in [&secret, &old] {
        assert_eq!(call(&account, secret).await, 403);
        assert!(is_over(&stack, secret).await);
    }

    let end = account.audit("action=regenerate").await[0]["changes"][2]["new"].take();
    let regenerated = json!([
        {"field": "hint", "old": old[49..], "new": secret[49..]},
        {"field": "previousSecret.hint", "old": null, "new": old[49..]},
        {"field": "previousSecret.validUntil", "old": null, "new": end},
    ]);
    let mut revoked = vec![json!({"field": "status", "old": "active", "new": "revoked"})];
    let previous = (json!(old[49..]), regenerated[2]["new"].clone());
    revoked.extend(of_previous(&previous, &(Value::Null, Value::Null)));
    let revoked = json!(revoked);
    let told = [
        Told::new("regenerate", owner, regenerated),
        Told::new("revoke", owner, revoked),
        Told::new("delete", owner, json!([])),
    ];
    check_told(&account, &token, &told).await;
    eventually("the token's log", async || {
        let log = send(account.get(owner, &format!("/tokens/{token}/audit"))).await;
        let records = log.expect(200)["records"].take();
        let mut actions = records
            .as_array()?
            .iter()
            .map(|record| record["action"].clone())
            .collect::<Vec<_>>();
        actions.reverse();
        // Both secrets were tried after the deletion: a deleted token is still known.
        let expected = [
            "create",
            "regenerate",
            "access",
            "revoke",
            "delete",
            "refused",
            "refused",
        ];
        (actions == expected).then_some(())
    })
    .await;
}

#[tokio::test]
async fn resources_are_listed_by_type_app_and_words_page_by_page() {
    let stack = Stack::from_env();
    let account = Account::create(&stack, "resources", "standard").await;
    let owner = &account.owner;
    for (kind, id, app) in [
        ("export", "orders-1", None),
        ("export", "orders-2", Some("app-1")),
        ("export", "stock-1", None),
        ("import", "orders-1", None),
        ("connection", "shop", Some("app-1")),
        ("api", "orders-api", None),
    ] {
        account.add_resource(kind, id, app).await;
    }
    let read = async |query: &str| {
        let answer = send(account.get(owner, &format!("/resources?{query}"))).await;
        let page = answer.expect(200);
        assert!(page["nextCursor"].is_null(), "{query}: {page}");
        assert_eq!(answer.header("link"), "");
        names(&page)
    };
    let export = |id: &str| ("export".to_owned(), id.to_owned());
    assert_eq!(
        read("type=export").await,
        [export("orders-1"), export("orders-2"), export("stock-1")]
    );
    assert_eq!(
        read("type=export&q=ORDERS").await,
        [export("orders-1"), export("orders-2")]
    );
    assert_eq!(read("type=export&q=shop").await, []);
    let in_app: BTreeSet<_> = read("integrationId=app-1").await.into_iter().collect();
    let shop = ("connection".to_owned(), "shop".to_owned());
    assert_eq!(in_app, BTreeSet::from([shop, export("orders-2")]));
    let exact = send(account.get(owner, "/resources?type=export&integrationId=app-1")).await;
    let resource = json!({
        "type": "export", "id": "orders-2", "name": "orders-2", "integrationId": "app-1",
    });
    let page = json!({"resources": [resource], "nextCursor": null});
    assert_eq!(exact.expect(200), page);
    assert_eq!(exact.header("cache-control"), "no-store");

    // Paging by cursor and by link gives the same pages, with every match once.
    let all = read("q=orders").await;
    assert_eq!(all.len(), 4, "{all:?}");
    let (mut paged, mut path) = (Vec::new(), "/resources?q=orders&limit=2".to_owned());
    loop {
        let answer = send(account.get(owner, &path)).await;
        let page = answer.expect(200);
        assert!(names(&page).len() <= 2, "{page}");
        paged.extend(names(&page));
        let Some(cursor) = page["nextCursor"].as_str() else {
            assert_eq!(answer.header("link"), "");
            break;
        };
        path = format!("/resources?q=orders&limit=2&cursor={cursor}");
        let link = answer.header("link").strip_prefix('<');
        let link = link.and_then(|link| link.strip_suffix(">; rel=\"next\""));
        let next = stack.api(Method::GET, link.expect("a link"));
        let by_link = send(next.bearer_auth(&owner.access)).await.expect(200);
        let by_cursor = send(account.get(owner, &path)).await.expect(200);
        assert_eq!(by_link, by_cursor);
    }
    assert_eq!(paged, all);
}

/// The types and ids of a page of resources.
fn names(page: &Value) -> Vec<(String, String)> {
    let resources = page["resources"].as_array().expect("resources").iter();
    resources
        .map(|resource| (text(&resource["type"]), text(&resource["id"])))
        .collect()
}

#[tokio::test]
async fn a_token_is_told_about_itself_while_it_is_good() {
    let stack = Stack::from_env();
    let account = Account::create(&stack, "token-info", "standard").await;
    account.add_resource("export", "exp", None).await;
    let owner = &account.owner;
    let scope = json!({"type": "custom", "exports": ["exp"]});
    let body = json!({
        "name": "Curious", "autoPurge": "1h", "scope": scope, "allowedCidrs": ["127.0.0.0/8"],
    });
    let (token, secret) = account.create_token(body).await;
    let shown = send(account.get(owner, &format!("/tokens/{token}"))).await;
    let shown = shown.expect(200);

    let informed = token_info(&stack, &secret).await;
    let expected = json!({
        "accountId": account.id,
        "id": token,
        "name": "Curious",
        "kind": "account",
        "integrationId": null,
        "scope": shown["scope"],
        "allowedCidrs": ["127.0.0.0/8"],
        "purgeAt": shown["purgeAt"],
        "secretValidUntil": null,
    });
    assert_eq!(informed.expect(200), expected);
    assert_eq!(informed.header("cache-control"), "no-store");
    // The first question of the day from this address is recorded as a use; the next one isn't.
    assert_eq!(call(&account, &secret).await, 200);
    let uses = account.audit("action=access").await;
    assert_eq!(uses.len(), 1, "{uses:?}");
    assert_eq!(uses[0]["user"]["id"], json!(token));

    change(&account, owner, &token, "/revoke", json!({}))
        .await
        .expect(200);
    let mut elsewhere = full("Elsewhere");
    elsewhere["allowedCidrs"] = json!(["10.0.0.0/8"]);
    let (_, elsewhere) = account.create_token(elsewhere).await;
    for (what, bad) in [
        ("revoked", &secret[..]),
        ("from elsewhere", &elsewhere),
        ("no secret", "lka_"),
        ("a person's", &owner.access),
    ] {
        let refused = token_info(&stack, bad).await;
        assert_eq!(refused.status, 401, "{what}: {}", refused.text);
        assert_eq!(refused.code(), "invalid_token", "{what}");
        let challenge = refused.header("www-authenticate");
        assert!(challenge.starts_with("Bearer"), "{what}: {challenge}");
    }
    send(stack.api(Method::GET, "/v1/tokenInfo"))
        .await
        .expect(401);
}

#[tokio::test]
async fn a_refused_caller_is_told_why() {
    let stack = Stack::from_env();
    let account = Account::create(&stack, "told-why", "standard").await;
    account.add_resource("export", "exp", None).await;
    let app = Some("app-1");
    account.add_resource("export", "exp-app", app).await;
    let custom = json!({"type": "custom", "exports": ["exp"]});
    let body = json!({"name": "Narrow", "autoPurge": "1h", "scope": custom});
    let (token, narrow) = account.create_token(body).await;
    let (_, wide) = account.create_token(full("Wide")).await;
    for (secret, method, path, code) in [
        (&narrow, Method::GET, "/v1/exports/exp", Value::Null),
        (
            &narrow,
            Method::GET,
            "/v1/exports/exp-app",
            json!("resource_not_in_scope"),
        ),
        (
            &narrow,
            Method::DELETE,
            "/v1/exports/exp",
            json!("action_not_allowed"),
        ),
        // The rule needs the resource's owner.
        (
            &wide,
            Method::DELETE,
            "/v1/exports/exp-app",
            json!("integration_app_data"),
        ),
    ] {
        let called = send(stack.protected(method.clone(), path).bearer_auth(secret)).await;
        let allowed = called.status != 403;
        let question = format!("/v1/tokenInfo?method={method}&path={path}");
        let told = send(stack.api(Method::GET, &question).bearer_auth(secret)).await;
        let decision = told.expect(200)["decision"].clone();
        assert_eq!(
            decision["allowed"],
            json!(allowed),
            "{method} {path}: {decision}"
        );
        assert_eq!(decision["code"], code, "{method} {path}");
    }
    change(&account, &account.owner, &token, "/revoke", json!({}))
        .await
        .expect(200);
    let refused = token_info(&stack, &narrow).await;
    let refused = refused.expect(401);
    assert_eq!(refused["detail"], json!("the token is revoked"));
}

#[tokio::test]
async fn whoever_was_handed_a_token_finds_out_how_to_use_it() {
    let stack = Stack::from_env();
    let page = send(stack.api(Method::GET, "/docs")).await;
    assert_eq!(page.status, 200);
    assert_eq!(page.header("content-type"), "text/html; charset=utf-8");
    assert!(
        page.header("content-security-policy")
            .starts_with("default-src 'none'")
    );
    let call = format!(
        "{}/v1/tokenInfo",
        stack.get("consoleUrl").trim_end_matches('/')
    );
    assert!(page.text.contains(&call), "{}", page.text);
    let style = send(stack.api(Method::GET, "/docs/style.css")).await;
    assert_eq!(style.status, 200);
    assert_eq!(style.header("content-type"), "text/css; charset=utf-8");
}

#[tokio::test]
async fn an_integration_apps_token_stays_inside_its_app_whatever_is_changed() {
    let stack = Stack::from_env();
    let account = Account::create(&stack, "app-changes", "enterprise").await;
    account
        .add_resource("export", "exp-app", Some("app-1"))
        .await;
    account
        .add_resource("export", "exp-foreign", Some("app-2"))
        .await;
    let owner = &account.owner;
    let of_app = |app: &str| {
        let mut body = full(app);
        body["kind"] = json!("integrationApp");
        body["integrationId"] = json!(app);
        body
    };
    let (token, secret) = account.create_token(of_app("app-1")).await;
    let (other, _) = account.create_token(of_app("app-2")).await;
    let (own, _) = account.create_token(full("The account's")).await;
    assert!(secret.starts_with("lki_"));
    let list = async |query: &str| {
        let answer = send(account.get(owner, &format!("/tokens?{query}"))).await;
        let tokens = answer.expect(200)["tokens"].take();
        let ids = tokens.as_array().expect("tokens").iter();
        ids.map(|token| text(&token["id"])).collect::<Vec<_>>()
    };
    let ids = |ids: &[&String]| ids.iter().copied().cloned().collect::<Vec<_>>();
    assert_eq!(list("integrationId=app-1").await, ids(&[&token]));
    assert_eq!(list("kind=integrationApp").await, ids(&[&other, &token]));
    assert_eq!(list("kind=account").await, ids(&[&own]));
    let info = token_info(&stack, &secret).await.expect(200);
    assert_eq!(info["kind"], "integrationApp");
    assert_eq!(info["integrationId"], "app-1");

    for (patch, field) in [
        (json!({"autoPurge": "never"}), "autoPurge"),
        (json!({"integrationId": "app-2"}), "integrationId"),
        (
            json!({"scope": {"type": "custom", "exports": ["exp-foreign"]}}),
            "scope.exports",
        ),
    ] {
        let refused = change(&account, owner, &token, "", patch).await;
        let errors = refused.expect(422)["errors"].take();
        assert_eq!(errors[0]["field"], field, "{errors}");
        assert_eq!(errors.as_array().map(Vec::len), Some(1), "{errors}");
    }
    let narrow = json!({"scope": {"type": "custom", "exports": ["exp-app"]}});
    change(&account, owner, &token, "", narrow)
        .await
        .expect(200);
    let (new, answer) = regenerate(&account, &token, 0).await;
    assert!(new.starts_with("lki_"));
    assert_eq!(answer["token"]["integrationId"], "app-1");
    let changes = json!([
        {"field": "scope", "old": "full", "new": "custom"},
        {"field": "scope.exports", "old": null, "new": "exp-app"},
    ]);
    let hint = json!([{"field": "hint", "old": secret[49..], "new": new[49..]}]);
    let told = [
        Told::new("update", owner, changes),
        Told::new("regenerate", owner, hint),
    ];
    check_told(&account, &token, &told).await;
    check_told(&account, &other, &[]).await;
}

/// The local cloud's time to live removes items without a stream record, so the test makes the record from the token's
/// image in the stream.
#[tokio::test]
async fn a_purge_is_recorded_once_and_a_deletion_is_none() {
    let stack = Stack::from_env();
    let account = Account::create(&stack, "purge", "standard").await;
    let owner = &account.owner;
    let (purged, _) = account.create_token(full("Short-lived")).await;
    let (deleted, _) = account.create_token(full("Deleted")).await;
    change(&account, owner, &deleted, "/revoke", json!({}))
        .await
        .expect(200);
    delete(&account, &deleted).await.expect(204);

    let records = async |token: &str, event: &str| {
        let sk = format!("TOKEN#{token}");
        eventually("the stream's record", async || {
            let mut records = stack.stream(stack.get("tokensTable")).await;
            records.retain(|record| {
                record["dynamodb"]["Keys"]["sk"]["S"] == sk && record["eventName"] == event
            });
            records.pop()
        })
        .await
    };
    let mut removal = records(&purged, "INSERT").await;
    removal["eventName"] = json!("REMOVE");
    removal["dynamodb"]["OldImage"] = removal["dynamodb"]["NewImage"].take();
    removal["dynamodb"]
        .as_object_mut()
        .expect("an object")
        .remove("NewImage");
    let by_someone = removal.clone();
    removal["userIdentity"] = json!({"type": "Service", "principalId": "dynamodb.amazonaws.com"});
    let deletion = records(&deleted, "REMOVE").await;
    // The secret's removal has a record too, and isn't a purge.
    let mut of_secret = removal.clone();
    of_secret["dynamodb"]["OldImage"]["sk"] = json!({"S": "SECRET"});

    let record = async |records: Value| {
        let answer = stack
            .invoke("RecordPurges", json!({"Records": records}))
            .await;
        assert_eq!(answer["batchItemFailures"], json!([]), "{answer}");
    };
    record(json!([by_someone, deletion, of_secret])).await;
    assert_eq!(account.audit("action=purge").await, [] as [Value; 0]);
    record(json!([removal])).await;
    // Lambda may deliver the record again.
    record(json!([removal])).await;

    let shown = send(account.get(owner, &format!("/tokens/{purged}"))).await;
    let purge_at = shown.expect(200)["purgeAt"].take();
    let changes = json!([{"field": "purgeAt", "old": purge_at, "new": null}]);
    let told = Told {
        action: "purge",
        by: None,
        changes,
    };
    check_told(&account, &purged, &[told]).await;
    let recorded = account.audit("action=purge").await;
    assert_eq!(recorded[0]["time"], purge_at);
    assert_eq!(recorded[0]["resource"]["id"], json!(purged));
}

#[tokio::test]
async fn the_api_describes_itself_to_everybody() {
    let stack = Stack::from_env();
    let answer = send(stack.api(Method::GET, "/v1/openapi.json")).await;
    assert_eq!(answer.status, 200);
    let committed = include_str!("../../functions/describe-api/openapi.json");
    assert_eq!(answer.text, committed);
}
