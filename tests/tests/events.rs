//! The platform's events take effect on the next request.

use std::collections::BTreeSet;

use end_to_end::{Account, Stack, eventually, send};
use reqwest::Method;
use serde_json::{Value, json};

#[tokio::test]
async fn a_member_who_loses_the_role_is_refused_by_the_next_request() {
    let stack = Stack::from_env();
    let account = Account::create(&stack, "lost-role", "standard").await;
    let list = || account.get(&account.administrator, "/tokens");
    send(list()).await.expect(200);
    account.publish_profile("monitor").await;
    let partition = format!("PROFILE#{}", account.id);
    eventually("the projection of the role", async || {
        let profile = stack.item(&partition, "PROFILE").await;
        let roles = profile["members"]["L"].as_array()?.iter();
        let mut roles = roles.map(|member| &member["M"]["role"]["S"]);
        (!roles.any(|role| role == "administrator")).then_some(())
    })
    .await;
    let refused = send(list()).await;
    refused.expect(403);
    assert_eq!(refused.code(), "role_required");

    // A late event from before the change doesn't restore the role.
    account.deliver_late_profile().await;
    assert_eq!(send(list()).await.code(), "role_required");
}

#[tokio::test]
async fn a_deleted_accounts_tokens_are_refused_and_its_routes_are_gone() {
    let stack = Stack::from_env();
    let account = Account::create(&stack, "deleted", "standard").await;
    account.add_resource("export", "exp", None).await;
    let full = json!({"name": "Orphan", "autoPurge": "1h", "scope": {"type": "full"}});
    let (token, secret) = account.create_token(full.clone()).await;
    let (already, _) = account.create_token(full).await;
    let revoke = account.post(&account.owner, &format!("/tokens/{already}/revoke"));
    send(revoke).await.expect(200);
    let call = || {
        stack
            .protected(Method::GET, "/v1/exports/exp")
            .bearer_auth(&secret)
    };
    send(call()).await.expect(200);

    stack
        .publish("AccountDeleted", json!({"id": account.id}))
        .await;
    eventually("the revocation", async || {
        let answer = send(call()).await;
        (answer.status == 403).then_some(())
    })
    .await;
    for (method, path) in [
        (Method::GET, String::new()),
        (Method::GET, "/tokens".into()),
        (Method::POST, "/tokens".into()),
        (Method::GET, "/audit".into()),
        (Method::GET, format!("/tokens/{token}")),
        (Method::POST, format!("/tokens/{token}/reveal")),
        (Method::POST, format!("/tokens/{token}/revoke")),
    ] {
        let answer = send(account.request(method, &account.owner, &path)).await;
        answer.expect(404);
        assert_eq!(answer.code(), "account_not_found", "{path}");
    }
    let accounts = stack
        .api(Method::GET, "/v1/accounts")
        .bearer_auth(&account.owner.access);
    assert_eq!(send(accounts).await.expect(200), json!({"accounts": []}));

    // The end of both tokens is recorded with the system as the actor. The revoked one can't be reactivated either.
    let partition = json!({"S": format!("ACCOUNT#{}", account.id)});
    let mut records = stack.scan(stack.get("auditTable")).await;
    records.retain(|record| record["pk"] == partition && record["source"]["S"] == "system");
    let told: BTreeSet<_> = records
        .iter()
        .map(|record| {
            (
                record["action"]["S"].as_str(),
                record["tokenId"]["S"].as_str(),
            )
        })
        .collect();
    let both = [&token, &already].map(|token| (Some("revoke"), Some(token.as_str())));
    assert_eq!(records.len(), 2);
    assert_eq!(told, BTreeSet::from(both));
    eventually("the mail about it", async || {
        let mails = account.mails_to(&account.owner).await;
        let about = |mail: &Value| {
            let text = mail["BodyText"].as_str().unwrap_or_default();
            text.contains(&token) && text.contains("the account was deleted")
        };
        mails.iter().any(about).then_some(())
    })
    .await;

    // A late event doesn't restore it.
    account.deliver_late_profile().await;
    send(account.get(&account.owner, "")).await.expect(404);
    send(call()).await.expect(403);
}

#[tokio::test]
async fn a_deleted_resource_fits_into_no_scope() {
    let stack = Stack::from_env();
    let account = Account::create(&stack, "lost-resource", "standard").await;
    account.add_resource("import", "imp", None).await;
    let scope = json!({"type": "custom", "imports": ["imp"]});
    let body = json!({"name": "Import", "autoPurge": "1h", "scope": scope});
    account.create_token(body.clone()).await;
    let gone = json!({"accountId": account.id, "type": "import", "id": "imp"});
    stack.publish("ResourceDeleted", gone).await;
    let refused = eventually("the projection", async || {
        let answer = send(account.post(&account.owner, "/tokens").json(&body)).await;
        (answer.status != 201).then_some(answer)
    })
    .await;
    let errors = refused.expect(422)["errors"].take();
    assert_eq!(errors[0]["code"], "unknown_resource");
    assert_eq!(errors[0]["field"], "scope.imports");
}

#[tokio::test]
async fn an_event_from_the_future_reaches_the_dead_letters_and_freezes_nothing() {
    let stack = Stack::from_env();
    let account = Account::create(&stack, "future", "standard").await;
    let list = || account.get(&account.administrator, "/tokens");
    send(list()).await.expect(200);
    // If this time were accepted, the role would be gone until 2099.
    let event = account
        .deliver_profile("2099-01-01T00:00:00Z", "monitor")
        .await;
    send(list()).await.expect(200);
    let queues = stack.queues().await.to_string();
    let id = event["id"].as_str().unwrap_or_default();
    assert!(queues.contains("SyncPlatformDeadLetters"), "{queues}");
    assert!(queues.contains(id), "{queues}");
    assert!(queues.contains("2099-01-01T00:00:00Z"), "{queues}");
    let (group, line) = eventually("a line about it", async || {
        let mut lines = stack.logs().await.into_iter();
        let what = "set an event aside that is dated ahead of now";
        lines.find(|(_, line)| line.contains(id) && line.contains(what))
    })
    .await;
    assert!(group.ends_with("/SyncPlatform"), "{group}");
    assert!(!line.contains(&account.owner.email), "{line}");

    // Later events still take effect.
    account.publish_profile("monitor").await;
    eventually("the role that follows", async || {
        (send(list()).await.status == 403).then_some(())
    })
    .await;
}
