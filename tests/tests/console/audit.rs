//! The audit log.

use super::*;

#[tokio::test]
async fn the_log_tells_refusals_tampering_and_what_is_asserted_as_what_they_are() {
    let stack = Stack::from_env();
    let account = Account::create(&stack, "page-refused", "enterprise").await;
    // The token has a person's name.
    let (id, secret) = account.create_token(full(&account.owner.name)).await;
    let (_, asker) = account.create_token(full("Asker")).await;
    let asked = [("token", secret.as_str()), ("client_ip", "203.0.113.9")];
    let ask = stack.api(Method::POST, "/v1/introspect").form(&asked);
    send(ask.bearer_auth(&asker)).await.expect(200);
    send(account.post(&account.owner, &format!("/tokens/{id}/revoke")))
        .await
        .expect(200);
    assert_eq!(status_with(&account, &secret).await, 403);
    let path = format!("/tokens/{id}/audit");
    let records = eventually("what happened to the token", async || {
        let mut log = send(account.get(&account.owner, &path)).await.expect(200);
        let records = std::mem::take(log["records"].as_array_mut()?);
        (records.len() == 4).then_some(records)
    })
    .await;
    in_browser(&stack, async |browser| {
        browser.with_answers().await;
        browser.enter(&account.owner, &format!("{}/tokens/{id}/audit", list(&account))).await;
        browser.until("document.querySelectorAll('.audit tr.first').length === 4").await;
        let actions = "[...document.querySelector('[name=action]').options].map((e) => e.value)";
        assert_eq!(
            browser.eval(actions).await,
            json!([
                "", "create", "update", "view", "revoke", "reactivate", "regenerate", "retire", "delete", "access",
                "refused", "purge", "remind", "leak", "tamper",
            ])
        );
        let users = "[...document.querySelectorAll('[name=user] optgroup')].map((e) => [e.label, e.textContent])";
        let name = &account.owner.name;
        assert_eq!(browser.eval(users).await, json!([["People", name], ["Tokens", name]]));

        browser.choose(Field("Action"), "Refused use").await;
        browser.until("document.querySelectorAll('.audit tr.first').length === 1").await;
        let row = "[...document.querySelector('.audit tbody tr').cells].map((e) => e.innerText.trim()).slice(1)";
        assert_eq!(
            browser.eval(row).await,
            json!([
                "API", format!("token {name}\n127.0.0.1"), "Refused use\nA secret was tried and refused.", "Why", "",
                "The token is revoked",
            ])
        );
        browser.choose(Field("Action"), "Use").await;
        browser.until("document.querySelector('.audit tbody tr').cells[3].innerText === 'Use'").await;
        browser.see("203.0.113.9, as claimed by the API that asked").await;

        // Text from a tampered record isn't shown as the page's own.
        let mut record = records[0].clone();
        record["action"] = json!("tamper");
        record["user"] = json!({"id": "system", "type": "system", "email": null, "name": "System"});
        record["changes"] = json!([
            {"field": "name", "old": "Olive", "new": "\u{202e}evilO"},
            {"field": "constructor", "old": null, "new": "x"},
            {"field": "status", "old": "active", "new": "toString"},
        ]);
        let answer = json!({"status": 200, "body": {"records": [record], "nextCursor": null}});
        browser.answer("/audit", answer).await;
        browser.choose(Field("Action"), "Tampering").await;
        browser.see("A record of this log was changed or removed. The old values are what it said.").await;
        let cells = "[...document.querySelectorAll('.audit tbody tr')].map((e) => [...e.cells].slice(-3).map((e) => e.innerText.trim()))";
        assert_eq!(
            browser.eval(cells).await,
            json!([["name", "Olive", "[U+202E]evilO"], ["constructor", "", "x"], ["status", "active", "toString"]])
        );
    })
    .await;
}

/// The names are older than the rules for names, or come from an address.
#[tokio::test]
async fn no_name_poses_as_something_else() {
    let stack = Stack::from_env();
    let account = Account::create(&stack, "page-names", "enterprise").await;
    let (id, _) = account.create_token(full("Harmless")).await;
    let mut old = token(&account, &id).await;
    old["name"] = json!("T” is deleted. “\u{202e}\u{2028}x");
    old["description"] = json!("One\nAll is well\u{200b}");
    old["updatedBy"] = json!({"id": id, "type": "token", "email": null, "name": "A token with a name that is so long that it leaves room for nothing behind it at all"});
    in_browser(&stack, async |browser| {
        browser.with_answers().await;
        browser.enter(&account.owner, "").await;
        names(browser, &["Harmless"]).await;
        let tokens = json!({"status": 200, "body": {"tokens": [old.clone()], "nextCursor": null}});
        browser.answer("GET v1/accounts", tokens).await;
        browser.choose(Field("Status"), "Active").await;
        let shown = "T” is deleted. “[U+202E][U+2028]x";
        names(browser, &[shown]).await;
        assert_eq!(browser.eval("document.querySelector('.tokens .name').firstChild.tagName").await, "BDI");
        let isolated = format!("\u{2068}{shown}\u{2069}");
        browser.find(Button(&format!("Show token {isolated}"))).await;
        let title = "document.querySelector('.tokens p.clip').title";
        assert_eq!(browser.eval(title).await, "\u{2068}One ⏎ All is well[U+200B]\u{2069}");
        // The actor's type is visible before the name.
        let badge = "(() => { const [badge, cell] = ['.by .badge', '.by'].map((e) => document.querySelector(`.tokens ${e}`).getBoundingClientRect()); \
            return badge.width > 0 && badge.right <= cell.right && badge.bottom <= cell.bottom + 1; })()";
        assert_eq!(browser.eval(badge).await, true);

        let revoked = json!({"status": 200, "body": old});
        browser.answer("/revoke", revoked).await;
        choose_action(browser, &isolated, "Revoke API token").await;
        browser.click(Button("Revoke")).await;
        browser.see("“\u{2068}T\" is deleted. \"[U+202E][U+2028]x\u{2069}” is revoked.").await;
        browser.answer("GET v1/accounts", Value::Null).await;

        // A link that another person sent.
        browser.go(&format!("{}/apps/%E2%80%AEx%20–%20y", list(&account))).await;
        browser.until("document.title.startsWith('API tokens of \u{2068}[U+202E]x – y\u{2069} – ')").await;
        browser.see("API tokens of [U+202E]x – y").await;
        browser.go(&format!("{}/apps/%E2%80%AEx/tokens/new", list(&account))).await;
        browser.see("Create API token of [U+202E]x").await;
    })
    .await;
}

#[tokio::test]
async fn the_audit_log_tells_filters_and_downloads() {
    let stack = Stack::from_env();
    let account = Account::create(&stack, "page-audit", "enterprise").await;
    // A name that looks like an invalid time.
    let old = "2026-99-99T00:00:00Z";
    let (id, _) = account.create_token(full(old)).await;
    account.create_token(full("Another")).await;
    let rename = account.request(
        Method::PATCH,
        &account.administrator,
        &format!("/tokens/{id}"),
    );
    send(rename.json(&json!({"name": "=New name"})))
        .await
        .expect(200);
    in_browser(&stack, async |browser| {
        let downloads = std::env::temp_dir().join(format!("latchkey-downloads-{}", std::process::id()));
        let behaviour = json!({"behavior": "allow", "downloadPath": downloads});
        browser.devtools("Browser.setDownloadBehavior", behaviour).await;
        browser.enter(&account.owner, &list(&account)).await;
        choose_action(browser, "=New name", "View audit log").await;
        browser.see("Audit log of =New name").await;
        let row = "[...document.querySelector('.audit tbody tr').cells].map((e) => e.innerText.trim()).slice(1)";
        browser.until("document.querySelector('.audit tbody tr')").await;
        assert_eq!(
            browser.eval(row).await,
            json!(["This page, as claimed", format!("{}\n127.0.0.1", account.administrator.name), "Edit", "Name", old, "=New name"])
        );
        browser.choose(Field("Action"), "Create").await;
        browser.until("document.querySelector('.audit tbody tr').cells[3].textContent === 'Create'").await;
        browser.choose(Field("User"), &account.administrator.name).await;
        browser.see("No record matches these filters.").await;
        browser.choose(Field("Action"), "All").await;
        browser.until("document.querySelectorAll('.audit tr.first').length === 1").await;
        browser.choose(Field("Source"), "System").await;
        browser.see("No record matches these filters.").await;
        browser.choose(Field("Source"), "All").await;
        browser.run("const from = document.querySelector('[name=to]'); from.value = '2020-01-01'; from.dispatchEvent(new Event('change'))", &[]).await;
        browser.see("No record matches these filters.").await;
        browser.run("const from = document.querySelector('[name=to]'); from.value = ''; from.dispatchEvent(new Event('change'))", &[]).await;
        browser.choose(Field("User"), "All").await;
        browser.until("document.querySelectorAll('.audit tr.first').length === 2").await;

        browser.click(Button("Download CSV")).await;
        browser.see("The download has started.").await;
        let file = downloads.join(format!("audit-{id}.csv"));
        let text = eventually("the download", async || std::fs::read_to_string(&file).ok().filter(|text| !text.is_empty())).await;
        std::fs::remove_dir_all(&downloads).expect("removed");
        let mut reader = csv::Reader::from_reader(text.as_bytes());
        let rows: Vec<_> = reader.records().collect::<Result<_, _>>().expect("a CSV file");
        // A spreadsheet must not evaluate the name as a formula.
        assert_eq!(&rows[0][10], "'=New name");
        assert!(rows.len() > 2);

        browser.press("\u{e00c}").await;
        names(browser, &["Another", "=New name"]).await;
        browser.click(Button("Audit log")).await;
        browser.see("Audit log of End-to-end").await;
        browser.until("document.querySelectorAll('.audit tr.first').length === 3").await;
        browser.click(Button("Another")).await;
        browser.see("Audit log of Another").await;
    })
    .await;
}
