//! GitHub's reports of secrets found in public, sent by a scanner with GitHub's protocol and keys of the test.

use end_to_end::{Account, Answer, ScannerKey, Stack, eventually, send};
use reqwest::Method;
use serde_json::json;
use sha2::{Digest, Sha256};
use tokio::sync::OnceCell;

/// The replacement for GitHub, with the keys that it publishes.
struct Scanner {
    stack: Stack,
    current: ScannerKey,
    retired: ScannerKey,
}

static SCANNER: OnceCell<Scanner> = OnceCell::const_new();

async fn scanner() -> &'static Scanner {
    SCANNER.get_or_init(Scanner::publish).await
}

impl Scanner {
    async fn publish() -> Self {
        let scanner = Self {
            stack: Stack::from_env(),
            current: ScannerKey::new("current"),
            retired: ScannerKey::new("retired"),
        };
        let keys = [
            scanner.current.published(true),
            scanner.retired.published(false),
        ];
        scanner.stack.publish_scanner_keys(&keys).await;
        // After it has fetched the keys, the function doesn't fetch them again for a minute.
        eventually("the keys", async || {
            let answer = send_report(&scanner.stack, &scanner.current, "[]").await;
            (answer.status == 200).then_some(())
        })
        .await;
        scanner
    }
}

async fn send_signed(stack: &Stack, id: &str, signature: &str, body: &str) -> Answer {
    send(stack.leak_report(id, signature, body)).await
}

async fn send_report(stack: &Stack, key: &ScannerKey, body: &str) -> Answer {
    send(key.report(stack, body)).await
}

fn found(secret: &str, url: &str) -> String {
    // Unusual white space: the signature covers the exact bytes.
    format!(
        "[ {{\"source\":\"content\",\"token\":\"{secret}\",\"type\":\"latchkey_api_token\",\"url\":\"{url}\"}} ]\n"
    )
}

/// An account with a token that was used once.
async fn used_token(name: &str) -> (Account, String, String) {
    let stack = Stack::from_env();
    let account = Account::create(&stack, name, "standard").await;
    account.add_resource("export", "exp", None).await;
    let body = json!({"name": "Leaky", "autoPurge": "1h", "scope": {"type": "full"}});
    let (token, secret) = account.create_token(body).await;
    assert_eq!(call(&account, &secret).await, 200);
    (account, token, secret)
}

async fn call(account: &Account, secret: &str) -> u16 {
    let request = account.stack.protected(Method::GET, "/v1/exports/exp");
    send(request.bearer_auth(secret)).await.status
}

async fn actions(account: &Account) -> Vec<String> {
    let records = account.audit("").await;
    let actions = records
        .iter()
        .map(|record| record["action"].as_str().unwrap());
    actions.map(str::to_owned).collect()
}

#[tokio::test]
async fn a_signed_report_revokes_a_real_token_once_and_everybody_responsible_hears_of_it() {
    let scanner = scanner().await;
    let (account, token, secret) = used_token("leaked").await;
    let url = "https://github.com/octocat/hello/blob/1a2b3c/.env";
    let report = found(&secret, url);
    let signature = scanner.current.sign(&report);
    let answer = send_signed(&account.stack, scanner.current.id(), &signature, &report).await;
    let feedback = json!([{
        "token_hash": hex::encode(Sha256::digest(&secret)),
        "token_type": "latchkey_api_token",
        "label": "true_positive",
    }]);
    assert_eq!(answer.expect(200), feedback);
    assert_eq!(call(&account, &secret).await, 403);

    let records = account.audit("").await;
    let told = ["create", "access", "leak", "refused"];
    assert_eq!(actions(&account).await, told);
    let leak = &records[2];
    assert_eq!(leak["source"], "leakReport");
    assert_eq!(
        leak["user"],
        json!({"id": "github", "type": "scanner", "email": null, "name": "GitHub secret scanning"})
    );
    assert_eq!(leak["resource"]["id"], token);
    assert_eq!(
        leak["changes"],
        json!([
            {"field": "status", "old": "active", "new": "revoked"},
            {"field": "revocationReason", "old": null, "new": "leaked"},
            {"field": "compromisedAt", "old": null, "new": leak["time"]},
            {"field": "leakUrl", "old": null, "new": url},
            {"field": "leakPlace", "old": null, "new": "content"},
            {"field": "compromisedSecret", "old": null, "new": "current"},
        ])
    );
    let path = format!("/tokens/{token}");
    let shown = send(account.get(&account.owner, &path)).await.expect(200);
    assert_eq!(shown["status"], "revoked");
    assert_eq!(shown["revocationReason"], "leaked");
    for person in [&account.owner, &account.administrator] {
        let mail = eventually("the mail about the leak", async || {
            let mails = account.mails_to(person).await;
            let subject = "[End-to-end] API token “Leaky” was reported as leaked";
            mails.into_iter().find(|mail| mail["Subject"] == subject)
        })
        .await;
        for body in [&mail["BodyText"], &mail["BodyHtml"]] {
            let body = body.as_str().unwrap();
            for part in [
                "https[:]//github[.]com/octocat/hello/blob/1a2b3c",
                &token,
                "GitHub secret scanning",
                "leaked",
            ] {
                assert!(body.contains(part), "no {part} in {body}");
            }
            assert!(!body.contains(&secret[4..]));
        }
    }
    // The function sends the mails itself, unless the stream is faster.
    let id = leak["id"].as_str().unwrap();
    eventually("word of the mails", async || {
        let logs = account.stack.logs().await;
        let mut about = logs.iter().filter(|(_, line)| line.contains(id));
        about
            .any(|(_, line)| line.contains("\"mailed\"") || line.contains("is being sent"))
            .then_some(())
    })
    .await;

    // A repeated report changes nothing, and the secret can't be restored.
    let replay = || send_signed(&account.stack, scanner.current.id(), &signature, &report);
    assert_eq!(replay().await.expect(200), feedback);
    let reactivate = || {
        let request = account.post(&account.owner, &format!("{path}/reactivate"));
        send(request)
    };
    let refused = reactivate().await;
    refused.expect(409);
    assert_eq!(refused.code(), "secret_compromised");
    let regenerate = account.post(&account.owner, &format!("{path}/regenerate"));
    let fresh = send(regenerate).await.expect(200)["secret"].take();
    let fresh = fresh.as_str().unwrap();
    reactivate().await.expect(200);
    assert_eq!(
        (call(&account, &secret).await, call(&account, fresh).await),
        (403, 200)
    );

    // A further find of a known secret: the new secret still works.
    let elsewhere = found(&secret, "https://gist.github.com/octocat/4d5e6f");
    let answer = send_report(&account.stack, &scanner.current, &elsewhere).await;
    assert_eq!(answer.expect(200), feedback);
    assert_eq!(replay().await.expect(200), feedback);
    assert_eq!(
        (call(&account, &secret).await, call(&account, fresh).await),
        (403, 200)
    );
    assert_eq!(account.audit("action=leak").await.len(), 1);
    let traces = account.stack.traces().await;
    assert!(!traces.contains(&secret[4..47]));
}

#[tokio::test]
async fn a_secret_in_the_place_of_its_find_is_not_kept() {
    let scanner = scanner().await;
    let (account, _, secret) = used_token("leaked-name").await;
    let report = found(
        &secret,
        &format!("https://example.com/search?q={secret}&page=1"),
    );
    send_report(&account.stack, &scanner.current, &report)
        .await
        .expect(200);
    let records = account.audit("action=leak").await;
    let place = "https://example.com/search?q=lka_[redacted]&page=1";
    let changes = records[0]["changes"].as_array().unwrap();
    let url = changes.iter().find(|change| change["field"] == "leakUrl");
    assert_eq!(url.unwrap()["new"], place);
    assert!(!account.stack.traces().await.contains(&secret[4..47]));
}

#[tokio::test]
async fn a_replaced_secret_that_leaks_ends_alone() {
    let scanner = scanner().await;
    let (account, token, secret) = used_token("leaked-retired").await;
    let path = format!("/tokens/{token}/regenerate");
    let regenerate = async |grace: u64| -> String {
        let request = account.post(&account.owner, &path);
        let answer = send(request.json(&json!({"gracePeriodSeconds": grace}))).await;
        answer.expect(200)["secret"].as_str().unwrap().to_owned()
    };
    let second = regenerate(600).await;
    assert_eq!(
        (call(&account, &secret).await, call(&account, &second).await),
        (200, 200)
    );
    let report = found(&secret, "https://github.com/octocat/a");
    send_report(&account.stack, &scanner.current, &report)
        .await
        .expect(200);
    // An owner who has replaced the secret must keep the new one.
    assert_eq!(
        (call(&account, &secret).await, call(&account, &second).await),
        (403, 200)
    );

    // An ended secret is still recognised, and its compromise is recorded.
    let third = regenerate(1).await;
    eventually("the end of the grace period", async || {
        (call(&account, &second).await == 403).then_some(())
    })
    .await;
    let report = found(&second, "https://github.com/octocat/b");
    let answer = send_report(&account.stack, &scanner.current, &report).await;
    assert_eq!(answer.expect(200)[0]["label"], "true_positive");
    assert_eq!(
        (call(&account, &second).await, call(&account, &third).await),
        (403, 200)
    );
    assert_eq!(account.audit("action=leak").await.len(), 2);
    let report = found(&third, "https://github.com/octocat/c");
    send_report(&account.stack, &scanner.current, &report)
        .await
        .expect(200);
    assert_eq!(call(&account, &third).await, 403);
}

#[tokio::test]
async fn what_github_has_not_signed_changes_nothing() {
    let scanner = scanner().await;
    let (account, _, secret) = used_token("not-leaked").await;
    let stack = &account.stack;
    let report = found(&secret, "https://github.com/octocat/hello/blob/1a2b3c/.env");
    let (id, signature) = (scanner.current.id(), scanner.current.sign(&report));
    let forger = ScannerKey::new("forger");
    let altered = report.replace("content", "commit");
    for (what, id, signature, body) in [
        ("another's signature", id, &forger.sign(&report), &report),
        (
            "an unknown key",
            forger.id(),
            &forger.sign(&report),
            &report,
        ),
        (
            "a retired key",
            scanner.retired.id(),
            &scanner.retired.sign(&report),
            &report,
        ),
        ("an altered body", id, &signature, &altered),
        ("other bytes", id, &signature, &report.trim().to_owned()),
        ("no signature", id, &String::new(), &report),
    ] {
        let answer = send_signed(stack, id, signature, body).await;
        assert_eq!(
            (answer.status, answer.code().as_str()),
            (403, "invalid_signature"),
            "{what}"
        );
    }
    let unsigned = stack
        .api(Method::POST, "/v1/leaks/github")
        .body(report.clone());
    assert_eq!(send(unsigned).await.status, 403);
    assert_eq!(call(&account, &secret).await, 200);
    assert_eq!(actions(&account).await, ["create", "access"]);
}

#[tokio::test]
async fn what_is_no_secret_of_ours_is_a_false_positive() {
    let scanner = scanner().await;
    let nobodys = "lka_9zuQWWzsuUItctynUYyncDlKI5ZTuPizoWXgXaviRS63nAJ1Y";
    for text in [nobodys, "lka_nonsense", ""] {
        let answer = send_report(&scanner.stack, &scanner.current, &found(text, "")).await;
        assert_eq!(answer.expect(200)[0]["label"], "false_positive", "{text}");
    }
    let answer = send_report(&scanner.stack, &scanner.current, "{}").await;
    assert_eq!(
        (answer.status, answer.code().as_str()),
        (400, "malformed_json")
    );
}
