//! The standard OAuth endpoints: introspection (RFC 7662) and revocation (RFC 7009).

use std::io::Write;
use std::process::{Command, Stdio};

use end_to_end::{Account, Answer, Stack, USER_AGENT, eventually, send, tool};
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

/// An account with a token that asks and one to ask about, each as an id and a secret.
struct Two {
    account: Account,
    asker: (String, String),
    asked: (String, String),
}

async fn two(name: &str) -> Two {
    let stack = Stack::from_env();
    let account = Account::create(&stack, name, "standard").await;
    account.add_resource("export", "exp", None).await;
    let full = json!({"name": "The API's own", "autoPurge": "1h", "scope": {"type": "full"}});
    let asker = account.create_token(full).await;
    let scope = json!({"type": "custom", "exports": ["exp"]});
    let custom = json!({"name": "The caller's", "autoPurge": "1h", "scope": scope});
    let asked = account.create_token(custom).await;
    Two {
        account,
        asker,
        asked,
    }
}

fn introspect(stack: &Stack, form: &[(&str, &str)]) -> RequestBuilder {
    stack.api(Method::POST, "/v1/introspect").form(form)
}

fn revoke(stack: &Stack, form: &[(&str, &str)]) -> RequestBuilder {
    stack.api(Method::POST, "/v1/revoke").form(form)
}

/// The answer that Authlib gets. It runs as a separate program.
fn authlib(stack: &Stack, operation: &str, client: &Value, token: &str) -> Answer {
    let task = json!({
        "operation": operation,
        "url": format!("{}/v1/{operation}", stack.get("apiUrl")),
        "client": client,
        "token": token,
    });
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/clients/oauth_client.py");
    let mut child = Command::new(tool("authlib", "python"))
        .arg(script)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("a process");
    let mut input = child.stdin.take().expect("an input");
    input
        .write_all(task.to_string().as_bytes())
        .expect("written");
    drop(input);
    let output = child.wait_with_output().expect("an end");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    let answer: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    Answer {
        status: answer["status"]
            .as_u64()
            .and_then(|n| n.try_into().ok())
            .expect("a status"),
        headers: Default::default(),
        text: answer["text"].as_str().expect("a text").to_owned(),
    }
}

#[tokio::test]
async fn an_api_learns_of_its_callers_token_until_that_is_revoked() {
    let two = two("introspected").await;
    let (account, stack) = (&two.account, &two.account.stack);
    let form = [
        ("token", two.asked.1.as_str()),
        ("token_type_hint", "access_token"),
        ("client_ip", "203.0.113.9"),
    ];
    let ask = || introspect(stack, &form).bearer_auth(&two.asker.1);
    let answer = send(ask()).await;
    let body = answer.expect(200);
    assert_eq!(answer.header("cache-control"), "no-store");
    assert_eq!(answer.header("content-type"), "application/json");
    let shown = send(account.get(&account.owner, &format!("/tokens/{}", two.asked.0))).await;
    let shown = shown.expect(200);
    assert_eq!(body["active"], true);
    assert_eq!(body["scope"], "exports:exp");
    assert_eq!(body["scopeDetail"], shown["scope"]);
    for (member, value) in [
        ("client_id", &two.asked.0),
        ("jti", &two.asked.0),
        ("tokenId", &two.asked.0),
        ("sub", &account.id),
        ("accountId", &account.id),
    ] {
        assert_eq!(body[member], json!(value), "{member}");
    }
    assert_eq!(
        body["exp"].as_i64().unwrap() - body["iat"].as_i64().unwrap(),
        3_600
    );
    assert!(!answer.text.contains(&two.asked.1[4..]));

    // The introspected use is recorded with the bearer's address and the asking token, and all responsible members
    // get a mail.
    let mut records = account.audit("action=access").await;
    records.retain(|record| record["resource"]["id"] == json!(two.asked.0));
    let [record] = &records[..] else {
        panic!("{records:?}");
    };
    // The API's address, and the bearer's as the API asserts it.
    assert_eq!(record["ip"], "127.0.0.1");
    assert_eq!(record["assertedIp"], "203.0.113.9");
    assert_eq!(record["user"]["id"], json!(two.asked.0));
    assert_eq!(
        record["changes"],
        json!([{"field": "introspectedBy", "old": null, "new": two.asker.0}])
    );
    let used = send(account.get(&account.owner, &format!("/tokens/{}", two.asked.0))).await;
    assert_eq!(used.expect(200)["lastUsedIp"], "127.0.0.1");
    for person in [&account.owner, &account.administrator] {
        eventually("the mail about the use", async || {
            let mails = account.mails_to(person).await;
            let subject = "[End-to-end] API token “The caller's” was used";
            let mut about = mails.iter().filter(|mail| mail["Subject"] == subject);
            about
                .any(|mail| mail["BodyText"].as_str().unwrap().contains("203.0.113.9"))
                .then_some(())
        })
        .await;
    }

    let traces = stack.traces().await;
    assert!(traces.contains(&two.asked.0) && traces.contains(&two.asker.0));
    for secret in [&two.asked.1, &two.asker.1] {
        assert!(!traces.contains(&secret[4..47]));
    }

    let path = format!("/tokens/{}/revoke", two.asked.0);
    send(account.post(&account.owner, &path)).await.expect(200);
    assert_eq!(send(ask()).await.text, "{\"active\":false}");
    let path = format!("/tokens/{}/revoke", two.asker.0);
    send(account.post(&account.owner, &path)).await.expect(200);
    let refused = send(ask()).await;
    refused.expect(401);
    assert_eq!(refused.json()["error"], "invalid_token");
    assert!(refused.header("www-authenticate").starts_with("Bearer "));
}

#[tokio::test]
async fn nobody_learns_of_another_accounts_tokens_and_nobody_asks_without_a_token_of_his_own() {
    let two = two("introspecting").await;
    let stack = &two.account.stack;
    let other = self::two("introspected-not").await;
    let asked = [("token", two.asked.1.as_str())];
    let foreign = send(introspect(stack, &asked).bearer_auth(&other.asker.1)).await;
    assert_eq!(
        (foreign.status, foreign.text.as_str()),
        (200, "{\"active\":false}")
    );
    for token in [
        "nonsense",
        "lka_9zuQWWzsuUItctynUYyncDlKI5ZTuPizoWXgXaviRS63nAJ1Y",
    ] {
        let answer = send(introspect(stack, &[("token", token)]).bearer_auth(&two.asker.1)).await;
        assert_eq!(answer.text, "{\"active\":false}");
    }
    let (id, secret) = (two.asker.0.as_str(), two.asker.1.as_str());
    let posted = [asked[0], ("client_id", id), ("client_secret", secret)];
    assert_eq!(
        send(introspect(stack, &posted)).await.expect(200)["active"],
        true
    );
    let own = introspect(stack, &asked).basic_auth(id, Some(secret));
    assert_eq!(send(own).await.expect(200)["active"], true);
    let person = introspect(stack, &asked).bearer_auth(&two.account.owner.access);
    for (request, status, code) in [
        (introspect(stack, &asked), 401, "invalid_client"),
        (
            introspect(stack, &asked).basic_auth(&two.asked.0, Some(secret)),
            401,
            "invalid_client",
        ),
        (
            introspect(stack, &asked).bearer_auth(&two.asked.1),
            401,
            "insufficient_scope",
        ),
        (person, 401, "invalid_token"),
        (
            introspect(stack, &[]).bearer_auth(secret),
            400,
            "invalid_request",
        ),
    ] {
        let answer = send(request).await;
        let problem = answer.expect(status);
        assert_eq!(
            (&problem["code"], &problem["error"]),
            (&json!(code), &json!(code))
        );
        assert!(answer.is_declared(), "{:?}", answer.headers);
    }
    let accesses = two.account.audit("action=access").await;
    let of_asked = accesses
        .iter()
        .filter(|record| record["resource"]["id"] == json!(two.asked.0));
    assert!(of_asked.count() >= 1);
    assert!(other.account.audit("action=access").await.len() == 1);
}

#[tokio::test]
async fn who_holds_a_secret_revokes_its_token_and_everybody_responsible_hears_of_it() {
    let two = two("revoked-by-holder").await;
    let (account, stack) = (&two.account, &two.account.stack);
    let (token, secret) = (two.asked.0.as_str(), two.asked.1.as_str());
    let call = || {
        stack
            .protected(Method::GET, "/v1/exports/exp")
            .bearer_auth(secret)
    };
    send(call()).await.expect(200);
    let form = [("token", secret), ("token_type_hint", "access_token")];
    let answer = send(revoke(stack, &form)).await;
    assert_eq!((answer.status, answer.text.as_str()), (200, ""));
    assert_eq!(answer.header("cache-control"), "no-store");
    assert_eq!(send(call()).await.status, 403);

    let records = account.audit("action=revoke").await;
    let [record] = &records[..] else {
        panic!("{records:?}");
    };
    assert_eq!(record["source"], "api");
    assert_eq!(
        record["user"],
        json!({"id": token, "type": "token", "email": null, "name": "The caller's"})
    );
    assert_eq!(
        (&record["ip"], &record["userAgent"]),
        (&json!("127.0.0.1"), &json!(USER_AGENT))
    );
    assert_eq!(
        record["changes"],
        json!([
            {"field": "status", "old": "active", "new": "revoked"},
            {"field": "revocationReason", "old": null, "new": "revoked by its holder"},
            {"field": "compromisedAt", "old": null, "new": record["time"]},
            {"field": "compromisedSecret", "old": null, "new": "current"},
        ])
    );
    for person in [&account.owner, &account.administrator] {
        let mail = eventually("the mail about the revocation", async || {
            let mails = account.mails_to(person).await;
            let subject = "[End-to-end] API token “The caller's” was revoked";
            mails.into_iter().find(|mail| mail["Subject"] == subject)
        })
        .await;
        let body = mail["BodyText"].as_str().unwrap();
        assert!(
            body.contains("revoked by its holder") && !body.contains(&secret[4..]),
            "{body}"
        );
    }

    // A repeated request, or one without a valid secret, gets the same answer and has no effect.
    let nobodys = "lka_9zuQWWzsuUItctynUYyncDlKI5ZTuPizoWXgXaviRS63nAJ1Y";
    for text in [secret, nobodys, "nonsense"] {
        let answer = send(revoke(stack, &[("token", text)])).await;
        assert_eq!((answer.status, answer.text.as_str()), (200, ""), "{text}");
    }
    let answer = send(revoke(stack, &[("token", "")])).await;
    assert_eq!(answer.expect(400)["error"], "invalid_request");
    assert_eq!(account.audit("action=revoke").await.len(), 1);
}

#[tokio::test]
async fn a_replaced_secret_that_its_holder_revokes_ends_alone() {
    let two = two("revoked-by-retired").await;
    let (account, stack) = (&two.account, &two.account.stack);
    let path = format!("/tokens/{}/regenerate", two.asked.0);
    let regenerate = account
        .post(&account.owner, &path)
        .json(&json!({"gracePeriodSeconds": 600}));
    let new = send(regenerate).await.expect(200)["secret"]
        .as_str()
        .unwrap()
        .to_owned();
    let call = async |secret: &str| {
        let request = stack.protected(Method::GET, "/v1/exports/exp");
        send(request.bearer_auth(secret)).await.status
    };
    assert_eq!((call(&new).await, call(&two.asked.1).await), (200, 200));
    send(revoke(stack, &[("token", &two.asked.1)]))
        .await
        .expect(200);
    assert_eq!((call(&new).await, call(&two.asked.1).await), (200, 403));
}

#[tokio::test]
async fn authlibs_client_introspects_and_revokes_as_it_is() {
    let two = two("authlib").await;
    let stack = &two.account.stack;
    let (id, secret) = (two.asker.0.as_str(), two.asker.1.as_str());
    let ask = |client: &Value| authlib(stack, "introspect", client, &two.asked.1);
    for method in ["client_secret_basic", "client_secret_post"] {
        let client = json!({
            "client_id": id,
            "client_secret": secret,
            "token_endpoint_auth_method": method,
        });
        let active = ask(&client).expect(200);
        assert_eq!(
            (&active["active"], &active["client_id"]),
            (&json!(true), &json!(two.asked.0))
        );
    }
    let wrong = json!({"client_id": id, "client_secret": two.asked.1});
    assert_eq!(ask(&wrong).expect(401)["error"], "invalid_client");

    // A client that has only the token, and one that also authenticates, which isn't required.
    let client = json!({"client_id": id, "client_secret": secret});
    let revoked = authlib(
        stack,
        "revoke",
        &json!({"client_id": "anybody"}),
        &two.asked.1,
    );
    assert_eq!((revoked.status, revoked.text.as_str()), (200, ""));
    assert_eq!(ask(&client).text, "{\"active\":false}");
    assert_eq!(authlib(stack, "revoke", &client, "nonsense").status, 200);
    assert_eq!(authlib(stack, "revoke", &client, secret).status, 200);
    assert_eq!(ask(&client).expect(401)["error"], "invalid_client");
    assert_eq!(two.account.audit("action=revoke").await.len(), 2);
}

#[tokio::test]
async fn a_secret_whose_grace_period_is_over_leaves_the_new_one() {
    let two = two("revoked-by-nobody").await;
    let (account, stack) = (&two.account, &two.account.stack);
    let path = format!("/tokens/{}/regenerate", two.asked.0);
    let regenerate = account
        .post(&account.owner, &path)
        .json(&json!({"gracePeriodSeconds": 1}));
    let answer = send(regenerate).await.expect(200);
    let new = answer["secret"].as_str().unwrap();
    let call = async |secret: &str| {
        let request = stack.protected(Method::GET, "/v1/exports/exp");
        send(request.bearer_auth(secret)).await.status
    };
    eventually("the end of the grace period", async || {
        (call(&two.asked.1).await == 403).then_some(())
    })
    .await;
    let old = [("token", two.asked.1.as_str())];
    send(revoke(stack, &old)).await.expect(200);
    assert_eq!(call(new).await, 200);
    send(revoke(stack, &[("token", new)])).await.expect(200);
    assert_eq!(call(new).await, 403);
}
