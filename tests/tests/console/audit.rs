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
        let users = browser.eval(users).await;
        let groups: Vec<_> = users.as_array().expect("groups").iter().map(|it| it[0].clone()).collect();
        assert_eq!(groups, ["People", "Tokens", "Secret scanners", "System"]);
        let people = users[0][1].as_str().expect("people");
        assert!(people.contains(&format!("{name} ({})", account.owner.email)), "{people}");
        assert_eq!(users[1][1], json!(name));

        browser.choose(Field("Action"), "Refused use").await;
        browser.until("document.querySelectorAll('.audit tr.first').length === 1").await;
        let row = "[...document.querySelector('.audit tbody tr').cells].map((e) => e.innerText.trim()).slice(1)";
        assert_eq!(
            browser.eval(row).await,
            json!([
                "API", format!("token {name}\n127.0.0.1\nDetails"), "Refused use\nA secret was tried and refused.", "Why", "",
                "The token is revoked",
            ])
        );
        browser.until("location.hash.endsWith('/audit?action=refused')").await;
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
        browser.find(Button(&format!("Actions for {isolated}"))).await;
        browser.see("One All is well[U+200B]").await;
        // The actor's type is visible before the name.
        let badge = "(() => { const [badge, cell] = ['.who-did .badge', '.who-did'].map((e) => document.querySelector(`.tokens ${e}`).getBoundingClientRect()); \
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
async fn no_name_poses_as_something_else_on_a_tokens_page() {
    let stack = Stack::from_env();
    let account = Account::create(&stack, "page-names-token", "enterprise").await;
    let (id, _) = account.create_token(full("Harmless")).await;
    let mut old = token(&account, &id).await;
    old["name"] = json!("T” is deleted. “\u{202e}\u{2028}x");
    old["description"] = json!("One\nAll is well\u{200b}");
    old["updatedBy"] = json!({"id": id, "type": "token", "email": null, "name": "A token with a name that is so long that it leaves room for nothing behind it at all"});
    in_browser(&stack, async |browser| {
        browser.with_answers().await;
        browser.enter(&account.owner, "").await;
        let path = format!("GET v1/accounts/{}/tokens/{id}", account.id);
        browser.answer("/audit", json!({"status": 200, "body": {"records": [], "nextCursor": null}})).await;
        browser.answer(&path, json!({"status": 200, "body": old.clone()})).await;
        browser.go(&format!("{}/tokens/{id}", list(&account))).await;
        let shown = "T” is deleted. “[U+202E][U+2028]x";
        browser.until(&format!("document.querySelector('h1 > bdi')?.innerText === {}", json!(shown))).await;
        let quoted = "“\u{2068}T\" is deleted. \"[U+202E][U+2028]x\u{2069}”";
        browser.until(&format!("document.title.startsWith({})", json!(quoted))).await;
        browser.see("One All is well[U+200B]").await;
        browser.find(Button(&format!("Actions for \u{2068}{shown}\u{2069}"))).await;
        // The actor's type is visible before the name.
        let badge = "(() => { const badge = document.querySelector('.details .badge').getBoundingClientRect(); \
            const cell = document.querySelector('.details dd:has(.badge)').getBoundingClientRect(); \
            return badge.width > 0 && badge.right <= cell.right && badge.bottom <= cell.bottom + 1; })()";
        assert_eq!(browser.eval(badge).await, true);
        browser.answer("/revoke", json!({"status": 200, "body": old})).await;
        browser.click(Button("Revoke API token")).await;
        browser.click(Button("Revoke")).await;
        browser.see(&format!("{quoted} is revoked.")).await;

        // A link that another person sent.
        browser.go(&format!("{}/tokens/%E2%80%AEx/audit", list(&account))).await;
        browser.see("[U+202E]x").await;
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
        browser.enter(&account.owner, &format!("{}/tokens/{id}", list(&account))).await;
        choose_action(browser, "=New name", "View audit log").await;
        browser.see("Audit log of =New name").await;
        browser.until("document.title.startsWith('Audit log of =New name – ')").await;
        let row = "[...document.querySelector('.audit tbody tr').cells].map((e) => e.innerText.trim()).slice(1)";
        browser.until("document.querySelector('.audit tbody tr')").await;
        assert_eq!(
            browser.eval(row).await,
            json!(["This page, as claimed", format!("{}\n127.0.0.1\nDetails", account.administrator.name), "Edit", "Name", old, "=New name"])
        );
        // What else is known can be opened, and the time has its zone.
        assert_eq!(browser.eval("document.querySelectorAll('[title]').length").await, 0);
        let email = &account.administrator.email;
        let rows = "document.querySelector('.table').innerText";
        assert_eq!(browser.eval(&format!("{rows}.includes({})", json!(email))).await, false);
        browser.click(Css(".audit details summary")).await;
        browser.until(&format!("{rows}.includes({})", json!(email))).await;
        browser.see(&account.administrator.id).await;
        browser.until("/ (UTC|GMT)/.test(document.querySelector('.audit time').innerText)").await;
        // A creation is one line at first.
        let lines = "document.querySelectorAll('.audit tbody tr').length";
        assert_eq!(browser.eval(lines).await, 2);
        browser.click(Css("button.fold")).await;
        browser.until(&format!("{lines} > 5")).await;
        browser.see("Auto purge").await;
        assert_eq!(browser.focused().await, "Hide the fields");
        browser.click(Css("button.fold")).await;
        browser.until(&format!("{lines} === 2")).await;
        browser.choose(Field("Action"), "Create").await;
        browser.until("document.querySelector('.audit tbody tr').cells[3].textContent === 'Create'").await;
        browser.choose(Field("User"), &format!("{} ({})", account.administrator.name, account.administrator.email)).await;
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

        browser.click(Button("The token's page")).await;
        browser.until(&format!("location.hash === '{}/tokens/{id}'", list(&account))).await;
        browser.go(&format!("{}/audit", list(&account))).await;
        browser.see("Audit log of End-to-end").await;
        browser.until("document.querySelectorAll('.audit tr.first').length === 3").await;
        browser.click(Button("Another")).await;
        browser.until("document.querySelector('h1').innerText === 'Another'").await;
        browser.click(Button("Open as a table")).await;
        browser.see("Audit log of Another").await;
    })
    .await;
}

#[tokio::test]
async fn the_filters_of_the_log_are_in_its_address() {
    let stack = Stack::from_env();
    let account = Account::create(&stack, "page-filters", "enterprise").await;
    let (id, _) = account.create_token(full("Filtered")).await;
    send(account.post(&account.administrator, &format!("/tokens/{id}/revoke")))
        .await
        .expect(200);
    in_browser(&stack, async |browser| {
        browser.with_answers().await;
        let owner = &account.owner.id;
        let filtered = format!("{}/audit?action=create&source=ui&userId={owner}&from=2020-01-01&to=2099-12-31", list(&account));
        browser.enter(&account.owner, &filtered).await;
        browser.until("document.querySelectorAll('.audit tr.first').length === 1").await;
        let values = "[...document.querySelectorAll('.filters :is(select, input)')].map((e) => e.value)";
        browser.until(&format!("JSON.stringify({values}) === JSON.stringify(['create', 'ui', '{owner}', '2020-01-01', '2099-12-31'])")).await;
        browser.go(&format!("{}/audit?action=view&from=nonsense", list(&account))).await;
        browser.see("No record matches these filters.").await;
        browser.click(Button("Clear the filters")).await;
        browser.until("document.querySelectorAll('.audit tr.first').length === 2").await;
        browser.until(&format!("location.hash === '{}/audit'", list(&account))).await;

        // Somebody who did nothing yet can be chosen as well.
        let members = json!([{"id": "user-9", "name": "Nora New", "email": "nora@acme.example", "role": "owner"}]);
        browser.answer("/members", json!({"status": 200, "body": {"members": members}})).await;
        browser.go(&list(&account)).await;
        browser.go(&format!("{}/audit?userId=user-9", list(&account))).await;
        browser.see("No record matches these filters.").await;
        browser.until("document.querySelector('[name=user]').selectedOptions[0].text === 'Nora New (nora@acme.example)'").await;
        browser.choose(Field("User"), "System").await;
        browser.until("location.hash.endsWith('?userId=system')").await;
        browser.see("No record matches these filters.").await;

        // After a failed load, no old row stands under a new filter.
        browser.choose(Field("User"), "All").await;
        browser.until("document.querySelectorAll('.audit tr.first').length === 2").await;
        let refused = json!({"status": 500, "body": {"code": "internal_error", "requestId": "req-7"}});
        browser.answer("/audit", refused).await;
        browser.choose(Field("Action"), "Create").await;
        browser.see("Something went wrong on our side.").await;
        browser.see("req-7").await;
        browser.until("document.querySelectorAll('.audit').length === 0").await;
        browser.answer("/audit", Value::Null).await;
        browser.click(Button("Try again")).await;
        browser.until("document.querySelectorAll('.audit tr.first').length === 1").await;

        // A scope that changed is told by names.
        let mut log = send(account.get(&account.owner, "/audit")).await.expect(200);
        let mut record = log["records"][0].take();
        record["action"] = json!("update");
        record["changes"] = json!([{"field": "scope.exports", "old": "exp-1", "new": "exp-1, exp-2"}]);
        let known = json!([{"type": "export", "id": "exp-2", "name": "Orders", "description": ""}]);
        browser.answer("/resources?ids=", json!({"status": 200, "body": {"resources": known, "nextCursor": null}})).await;
        browser.answer("/audit", json!({"status": 200, "body": {"records": [record], "nextCursor": null}})).await;
        browser.choose(Field("Action"), "Edit").await;
        browser.until("document.querySelector('.audit tbody tr')?.cells[7].innerText.replace(/\\s+/g, ' ') === 'exp-1 Orders exp-2'").await;
    })
    .await;
}

#[tokio::test]
async fn a_filter_that_is_not_valid_is_marked() {
    let stack = Stack::from_env();
    let account = Account::create(&stack, "page-filter", "enterprise").await;
    account.create_token(full("Logged")).await;
    in_browser(&stack, async |browser| {
        let log = format!("{}/audit", list(&account));
        let marked =
            "[...document.querySelectorAll('[aria-invalid=true]')].map((e) => e.name).join()";
        browser
            .enter(
                &account.owner,
                &format!("{log}?from=2026-03-02&to=2026-02-01"),
            )
            .await;
        browser.see("Correct the marked fields.").await;
        browser.see("To must not be before `from`.").await;
        assert_eq!(browser.eval(marked).await, "to");
        browser.picture("audit-invalid").await;
        let found = browser.accessibility().await;
        assert!(found.is_empty(), "{found:?}");
        browser
            .go(&format!("{log}?action=made-up&source=nowhere"))
            .await;
        browser
            .until(&format!("{marked} === 'action,source'"))
            .await;
        browser.go(&log).await;
        browser.see("Logged").await;
        assert_eq!(browser.eval(marked).await, "");
    })
    .await;
}

#[tokio::test]
async fn which_mails_one_gets_is_ones_own_choice() {
    let stack = Stack::from_env();
    let account = Account::create(&stack, "page-mails", "enterprise").await;
    in_browser(&stack, async |browser| {
        browser.with_answers().await;
        let route = format!("{}/notifications", list(&account));
        browser.enter(&account.owner, &list(&account)).await;
        browser.click(Button("Which mails I get")).await;
        browser.until(&format!("location.hash === '{route}'")).await;
        browser.see("Never waits for the daily mail").await;
        browser.see("A token was shown in plain text.").await;
        browser.see("it is compromised.").await;
        let chosen = "[...document.querySelectorAll('.preferences input:checked')].map((e) => `${e.name} ${e.value}`)";
        assert_eq!(browser.eval(chosen).await, json!(["create immediate", "access immediate", "change immediate"]));
        browser.click(Css("[name=access][value=daily]")).await;

        // What isn't saved isn't lost.
        browser.go(&list(&account)).await;
        browser.see("Discard your changes?").await;
        browser.click(Button("Cancel")).await;
        browser.answer("PUT v1/accounts", json!({"status": 503, "body": {"code": "unavailable"}})).await;
        browser.click(Button("Save")).await;
        browser.see("The service is busy.").await;
        browser.answer("PUT v1/accounts", Value::Null).await;
        browser.click(Button("Save")).await;
        browser.see("Your choice is saved.").await;
        browser.see_no("The service is busy.").await;
        browser.go(&list(&account)).await;
        browser.until("!document.querySelector('.preferences')").await;
        browser.go(&route).await;
        browser.until(&format!("JSON.stringify({chosen}) === JSON.stringify(['create immediate', 'access daily', 'change immediate'])")).await;

        // It also survives the end of the session.
        browser.click(Css("[name=change][value=daily]")).await;
        browser.answer("PUT v1/accounts", json!({"status": 401, "body": {"message": "Unauthorized"}})).await;
        browser.click(Button("Save")).await;
        browser.see("Your session has ended").await;
        browser.sign_in(&account.owner).await;
        browser.see("What you had chosen is back, and not saved yet.").await;
        browser.until(&format!("JSON.stringify({chosen}) === JSON.stringify(['create immediate', 'access daily', 'change daily'])")).await;
        browser.click(Button("Save")).await;
        browser.see("Your choice is saved.").await;
        browser.see_no("not saved yet").await;

        // A choice that can't be read is no choice.
        browser.answer("/preferences", json!({"status": 500, "body": {"code": "internal_error"}})).await;
        browser.go(&list(&account)).await;
        browser.go(&route).await;
        browser.see("Something went wrong on our side.").await;
        assert_eq!(browser.eval("document.querySelector('.preferences')").await, Value::Null);
        browser.answer("/preferences", Value::Null).await;
        browser.click(Button("Try again")).await;
        browser.find(Css("[name=access][value=daily]")).await;
    })
    .await;
}

/// Checks the log and the choice of mails in every look, with long and hostile content.
#[tokio::test]
async fn the_log_and_the_choice_of_mails_are_legible_in_every_look() {
    let stack = Stack::from_env();
    let account = Account::create(&stack, "page-log-look", "enterprise").await;
    let (_, secret) = account.create_token(full("Warehouse sync")).await;
    status_with(&account, &secret).await;
    let (_, given_up) = account
        .create_token(full("<img src=x onerror=alert(1)> \u{5d0}\u{5d1}\u{5d2} a-name-that-is-long-and-has-no-space-to-break-anywhere"))
        .await;
    give_up(&account, &given_up).await;
    status_with(&account, &given_up).await;
    in_browser(&stack, async |browser| {
        browser
            .enter(&account.owner, &format!("{}/audit", list(&account)))
            .await;
        browser.see("A secret was tried and refused.").await;
        let mut findings = views::check(browser, "audit").await;
        browser
            .run(
                "for (const each of document.querySelectorAll('details')) each.open = true",
                &[],
            )
            .await;
        browser.click(Css("button.fold")).await;
        findings.extend(views::check(browser, "audit-opened").await);
        browser
            .go(&format!("{}/notifications", list(&account)))
            .await;
        browser.see("Never waits for the daily mail").await;
        findings.extend(views::check(browser, "notifications").await);
        assert!(findings.is_empty(), "{}", findings.join("\n"));
    })
    .await;
}
