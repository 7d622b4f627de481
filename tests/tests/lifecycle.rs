//! The life of a token from creation to revocation, and its traces.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use end_to_end::{Account, Answer, Stack, USER_AGENT, eventually, send};
use reqwest::Method;
use serde_json::{Value, json};

/// A token that was created, used, shown and revoked.
struct Walk {
    account: Account,
    token: String,
    secret: String,
}

/// Creates a token for `exp-listed`, uses it, shows its secret, revokes it and tries it again.
async fn walk(name: &str) -> Walk {
    let stack = Stack::from_env();
    let account = Account::create(&stack, name, "enterprise").await;
    account.add_resource("export", "exp-listed", None).await;
    account.add_resource("export", "exp-other", None).await;
    let call = async |resource: &str, secret: &str| -> Answer {
        let path = format!("/v1/exports/{resource}");
        send(stack.protected(Method::GET, &path).bearer_auth(secret)).await
    };

    let (token, secret) = account
        .create_token(json!({
            "name": "Warehouse",
            "autoPurge": "never",
            "scope": {"type": "custom", "exports": ["exp-listed"]},
        }))
        .await;
    let read = call("exp-listed", &secret).await.expect(200);
    assert_eq!(read["id"], "exp-listed");
    call("exp-other", &secret).await.expect(403);

    let reveal = account.post(&account.owner, &format!("/tokens/{token}/reveal"));
    let revealed = send(reveal).await;
    assert_eq!(revealed.expect(200), json!({"id": token, "secret": secret}));
    assert_eq!(revealed.header("cache-control"), "no-store");

    call("exp-listed", &secret).await.expect(200);
    let revoke = account
        .post(&account.administrator, &format!("/tokens/{token}/revoke"))
        .json(&json!({"reason": "the walk is over"}));
    assert_eq!(send(revoke).await.expect(200)["status"], "revoked");
    call("exp-listed", &secret).await.expect(403);
    Walk {
        account,
        token,
        secret,
    }
}

#[tokio::test]
async fn a_token_is_created_used_shown_and_revoked_and_everybody_responsible_hears_of_it() {
    let Walk { account, token, .. } = walk("walk").await;

    let records = account.audit("").await;
    let actions: Vec<_> = records.iter().map(|record| &record["action"]).collect();
    assert_eq!(actions, ["create", "access", "view", "revoke", "refused"]);
    let who: Vec<_> = records.iter().map(|record| &record["user"]["id"]).collect();
    let (owner, administrator) = (&account.owner, &account.administrator);
    assert_eq!(
        who,
        [&owner.id, &token, &owner.id, &administrator.id, &token,]
    );
    let through: Vec<_> = records.iter().map(|record| &record["source"]).collect();
    assert_eq!(through, ["ui", "api", "ui", "ui", "api"]);
    for record in &records {
        assert_eq!(record["ip"], "127.0.0.1", "{record}");
        assert_eq!(record["userAgent"], USER_AGENT, "{record}");
        assert_ne!(record["requestId"], "", "{record}");
        assert_eq!(
            record["resource"],
            json!({"type": "apiToken", "id": token, "name": "Warehouse"})
        );
    }
    let times: Vec<_> = records
        .iter()
        .map(|record| record["time"].as_str().unwrap())
        .collect();
    let shown = send(account.get(owner, &format!("/tokens/{token}"))).await;
    let shown = shown.expect(200);
    assert_eq!(shown["createdAt"], times[0]);
    assert_eq!(shown["lastUsedAt"], times[1]);
    assert_eq!(shown["lastUsedIp"], "127.0.0.1");
    assert_eq!(shown["revokedAt"], times[3]);
    assert_eq!(shown["revokedBy"]["email"], administrator.email);
    let revoked = json!([
        {"field": "status", "old": "active", "new": "revoked"},
        {"field": "revocationReason", "old": null, "new": "the walk is over"},
    ]);
    assert_eq!(records[3]["changes"], revoked);

    // The token's log is an index of the same records.
    let of_token = format!("/tokens/{token}/audit");
    eventually("the token's log", async || {
        let answer = send(account.get(owner, &of_token)).await.expect(200);
        let newest_first: Vec<_> = records.iter().rev().cloned().collect();
        (answer["records"] == json!(newest_first)).then_some(())
    })
    .await;
    for path in ["/audit", &of_token] {
        let download = account.get(owner, path).header("accept", "text/csv");
        check_csv(&send(download).await, &records);
    }

    check_mails(&account, &token, &records).await;
}

/// The download has a row for every change of every record, newest first.
fn check_csv(answer: &Answer, records: &[Value]) {
    answer.expect(200);
    assert!(answer.header("content-type").starts_with("text/csv"));
    assert!(
        answer
            .header("content-disposition")
            .starts_with("attachment")
    );
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let mut expected = Vec::new();
    for record in records.iter().rev() {
        let changes = record["changes"].as_array().unwrap();
        let none = [Value::Null];
        for change in if changes.is_empty() {
            &none[..]
        } else {
            changes
        } {
            expected.push(BTreeMap::from([
                ("Time", text(&record["time"])),
                ("Source", text(&record["source"])),
                ("User", text(&record["user"]["name"])),
                ("E-mail", text(&record["user"]["email"])),
                ("Resource", "apiToken".to_owned()),
                ("Name", text(&record["resource"]["name"])),
                ("ID", text(&record["resource"]["id"])),
                ("Action", text(&record["action"])),
                ("Field", text(&change["field"])),
                ("Old value", text(&change["old"])),
                ("New value", text(&change["new"])),
                ("IP address", text(&record["ip"])),
                ("User agent", text(&record["userAgent"])),
                ("User ID", text(&record["user"]["id"])),
                ("User type", text(&record["user"]["type"])),
                ("Asserted IP address", text(&record["assertedIp"])),
            ]));
        }
    }
    let mut reader = csv::Reader::from_reader(answer.text.as_bytes());
    let headers = reader.headers().unwrap().clone();
    let rows: Vec<BTreeMap<&str, String>> = reader
        .records()
        .map(|row| {
            let row = row.unwrap();
            let cells = row.iter().map(str::to_owned);
            headers.iter().zip(cells).collect()
        })
        .collect();
    assert_eq!(rows, expected);
}

/// Owner and administrator got one mail per record, with the action, the token, the actor, the time and the address.
/// The others got none.
async fn check_mails(account: &Account, token: &str, records: &[Value]) {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    for person in [&account.owner, &account.administrator] {
        let mails = eventually("a mail of each", async || {
            let mails = account.mails_to(person).await;
            (mails.len() >= records.len()).then_some(mails)
        })
        .await;
        let mut subjects: Vec<_> = mails.iter().map(|mail| text(&mail["Subject"])).collect();
        subjects.sort();
        let subject = |what: &str| format!("[End-to-end] API token “Warehouse” was {what}");
        let expected = [
            "created",
            "refused",
            "revoked",
            "shown in plain text",
            "used",
        ];
        let expected = expected.map(subject);
        assert_eq!(subjects, expected);
        for record in records {
            let time = text(&record["time"]);
            let about: Vec<_> = mails
                .iter()
                .filter(|mail| text(&mail["BodyText"]).contains(&format!("Recorded at: {time}\n")))
                .collect();
            let [mail] = about[..] else {
                panic!("{} mails about {record}", about.len());
            };
            let link = format!(
                "{}#/accounts/{}/tokens/{token}/audit",
                account.stack.get("consoleUrl"),
                account.id
            );
            let client = USER_AGENT.replace('/', " ");
            assert_eq!(record["client"], json!(client));
            for body in [text(&mail["BodyText"]), text(&mail["BodyHtml"])] {
                for part in [token, "Warehouse", &time, "127.0.0.1", &client, &link] {
                    assert!(body.contains(part), "no {part} in {body}");
                }
                let who = text(&record["user"]["name"]);
                assert!(body.contains(&who), "no {who} in {body}");
            }
        }
    }
    for person in [&account.manage, &account.monitor] {
        assert!(account.mails_to(person).await.is_empty());
    }
}

#[tokio::test]
async fn the_secret_is_nowhere_but_in_the_answers_that_hand_it_over() {
    let Walk {
        account,
        token,
        secret,
    } = walk("nowhere").await;
    let stack = &account.stack;
    // The public routes take secrets in their bodies.
    let form = [
        ("token", secret.as_str()),
        ("client_secret", &secret),
        ("client_id", &token),
    ];
    let introspect = stack.api(Method::POST, "/v1/introspect").form(&form);
    send(introspect).await.expect(401);
    let revoke = stack.api(Method::POST, "/v1/revoke").form(&form);
    send(revoke).await.expect(200);
    let report = json!([{"token": secret, "type": "latchkey_api_token"}]);
    let report = stack.api(Method::POST, "/v1/leaks/github").json(&report);
    send(report).await.expect(403);
    let mails = eventually("all mails", async || {
        let mut mails = account.mails_to(&account.owner).await;
        mails.extend(account.mails_to(&account.administrator).await);
        (mails.len() >= 8).then_some(mails)
    })
    .await;

    // A place that can't be read, or that is empty, would prove nothing.
    let table = |table: &str| stack.get(table).to_owned();
    let (tokens, audit) = (table("tokensTable"), table("auditTable"));
    let token_items = stack.scan(&tokens).await;
    let audit_items = stack.scan(&audit).await;
    let (token_stream, audit_stream) = (stack.stream(&tokens).await, stack.stream(&audit).await);
    let records = account.audit("").await;
    let logs = eventually("the log of every function that took part", async || {
        let logs = stack.logs().await;
        let functions = [
            ("Authorize", "revoked"),
            ("CreateToken", "START"),
            ("RevealToken", "START"),
            ("RevokeToken", "START"),
            ("IntrospectToken", "revoked"),
            ("RevokeBySecret", "START"),
            ("ReceiveLeakReport", "START"),
            ("SendNotifications", "START"),
            ("protected-api", "START"),
        ];
        let has = |(function, line): (&str, &str)| {
            let mut lines = logs.iter();
            lines.any(|(group, text)| group.ends_with(function) && text.contains(line))
        };
        functions.into_iter().all(has).then_some(logs)
    })
    .await;
    check_lines(&logs);
    let places = [
        ("the tokens table", json!(token_items).to_string(), true),
        ("the audit table", json!(audit_items).to_string(), true),
        ("the tokens' stream", json!(token_stream).to_string(), true),
        (
            "the audit log's stream",
            json!(audit_stream).to_string(),
            true,
        ),
        ("the audit log", json!(records).to_string(), true),
        ("the mails", json!(mails).to_string(), true),
        ("the logs", json!(logs).to_string(), false),
        ("the queues", stack.queues().await.to_string(), false),
    ];
    for (place, content, about_the_token) in &places {
        if *about_the_token {
            assert!(content.contains(&token), "{place}: nothing about the token");
        }
        for piece in pieces(&secret) {
            assert!(!content.contains(&piece), "{place}: `{piece}`");
        }
    }
}

/// Every line of a function has the time and level by which Lambda filters, and lines of decisions are short.
fn check_lines(logs: &[(String, String)]) {
    let (mut decisions, mut requests) = (0, 0);
    for (group, text) in logs {
        // Lambda's own lines aren't JSON in the local cloud.
        let Ok(Value::Object(line)) = serde_json::from_str(text) else {
            continue;
        };
        // The log of an API that isn't ours.
        if group.ends_with("protected-api") {
            continue;
        }
        let [time, level] = ["timestamp", "level"].map(|key| line[key].as_str().unwrap());
        assert_eq!(
            time.len(),
            "2026-11-23T10:00:00.000Z".len(),
            "{group}: {text}"
        );
        assert!(
            ["INFO", "WARN", "ERROR"].contains(&level),
            "{group}: {text}"
        );
        if line.contains_key("sequence") {
            decisions += 1;
            assert!(text.len() <= 300, "{text}");
            assert!(line.contains_key("instance") && line.contains_key("outcome"));
        }
        if line.contains_key("duration_ms") {
            requests += 1;
            let has = |key: &str| line.contains_key(key);
            assert!(
                has("operation") && has("request_id") && has("outcome"),
                "{text}"
            );
        }
    }
    assert!(decisions > 0 && requests > 0);
}

/// Everything that would reveal the secret: the secret, every run of 12 characters of its random part, and the same in
/// Base64 at every offset.
fn pieces(secret: &str) -> Vec<String> {
    let windows = |text: &str, length: usize| -> Vec<String> {
        let bytes = text.as_bytes().windows(length);
        bytes
            .map(|window| String::from_utf8(window.to_vec()).unwrap())
            .collect()
    };
    let random = &secret[4..47];
    let mut pieces = windows(random, 12);
    for shift in 0..3 {
        let text = [&vec![b' '; shift], random.as_bytes()].concat();
        for encoded in [STANDARD_NO_PAD.encode(&text), URL_SAFE_NO_PAD.encode(&text)] {
            // The first and the last four characters depend on the neighbouring bytes.
            pieces.extend(windows(&encoded[4..encoded.len() - 4], 16));
        }
    }
    pieces
}

#[test]
fn a_secret_that_leaks_is_found_in_whatever_form() {
    let secret = "lka_0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefg123456";
    let found = |content: &str| pieces(secret).iter().any(|piece| content.contains(piece));
    assert!(found(secret));
    assert!(found(&secret[20..32]));
    for before in ["", "x", "xy"] {
        let text = format!("{before}{{\"secret\":\"{secret}\"}}");
        assert!(found(&URL_SAFE_NO_PAD.encode(text)));
    }
    assert!(!found(&secret[..15]));
    assert!(!found("lka_ and 3456"));
}
