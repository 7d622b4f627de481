//! The list of tokens.

use super::*;

/// Gives the Integration Apps `app-1`, `app-2` and so on these names, and signs in where no list is shown yet.
async fn enter_with_apps(browser: &Browser, account: &Account, names: &[&str]) {
    for (index, name) in names.iter().enumerate() {
        let id = format!("app-{}", index + 1);
        account.add_integration(&id, name).await;
    }
    browser.with_answers().await;
    browser.enter(&account.owner, "#/accounts/nobodys").await;
    browser.see("No such account").await;
}

/// Selects a token of the list, or takes the selection back.
async fn select(browser: &Browser, token: &str) {
    browser.click(Field(&format!("Select {token}"))).await;
}

/// The selected tokens, as a condition.
fn selected(names: &[&str]) -> String {
    format!(
        "JSON.stringify([...document.querySelectorAll('.tokens td.of-select input:checked')].map((e) => e.labels[0].textContent.replace('Select ', ''))) === {}",
        json!(json!(names).to_string())
    )
}

#[tokio::test]
async fn the_list_finds_filters_pages_and_sorts() {
    let stack = Stack::from_env();
    let account = Account::create(&stack, "page-list", "enterprise").await;
    in_browser(&stack, async |browser| {
        browser.with_clock().await;
        enter_with_apps(browser, &account, &["Night shift"]).await;
        browser.go(&list(&account)).await;
        browser.see("This account has no API tokens yet").await;
        browser.picture("empty").await;

        account.add_resource("export", "exp-1", Some("app-1")).await;
        let mut body = full("Beta");
        body["description"] = json!("Nightly run");
        let (beta, _) = account.create_token(body).await;
        let app = json!({"name": "App runner", "kind": "integrationApp", "integrationId": "app-1", "autoPurge": "1d", "scope": {"type": "full"}});
        account.create_token(app).await;
        let hour = json!({"name": "alpha", "autoPurge": "1h", "scope": {"type": "full"}});
        account.create_token(hour).await;
        send(account.post(&account.owner, &format!("/tokens/{beta}/revoke"))).await.expect(200);
        browser.go("#/").await;
        names(browser, &["alpha", "App runner", "Beta"]).await;
        browser.until("[...document.querySelectorAll('.tokens .meta a')].map((e) => e.textContent).join() === 'Night shift'").await;
        let heads = "[...document.querySelectorAll('.tokens th')].map((e) => e.textContent)";
        assert_eq!(
            browser.eval(heads).await,
            json!(["Select all active tokens on this page", "Name", "Status", "Scope", "Auto purge", "Last used", "Last updated", "Actions"])
        );
        let purge = browser.find(Css(".tokens tbody tr td.of-purge time")).await;
        let text = purge.text().await.expect("a text");
        assert!(["in 1 hour", "in 59 minutes"].contains(&text.as_str()), "{text}");
        // The time to the minute stands below it, and nothing is in a tooltip.
        let exact = browser.find(Css(".tokens tbody tr td.of-purge .fine")).await;
        let exact = exact.text().await.expect("a text");
        assert_eq!(exact.matches(':').count(), 1, "{exact}");
        assert_eq!(browser.eval("document.querySelectorAll('main [title]').length").await, 0);
        // The secret's end stands with the name, the app is called by its name, and the name leads to the token.
        let hint = "document.querySelector('.tokens tbody td.of-name code').textContent";
        assert_eq!(browser.eval(&format!("/^….{{4}}$/.test({hint})")).await, true);
        let to = "document.querySelector('.tokens tbody a.name').getAttribute('href')";
        assert_eq!(browser.eval(&format!("/\\/tokens\\/tok_\\w+$/.test({to})")).await, true);

        browser.write(Field("Keywords"), "NIGHT").await;
        names(browser, &["Beta"]).await;
        // The filters are part of the address, so that they can be stored and shared.
        browser.until("location.hash.endsWith('?q=NIGHT')").await;
        browser.write(Field("Keywords"), "nothing like it").await;
        browser.see("No token matches").await;
        browser.find(Css(".empty button")).await.click().await.expect("a click");
        names(browser, &["alpha", "App runner", "Beta"]).await;
        browser.choose(Field("Status"), "Revoked").await;
        names(browser, &["Beta"]).await;
        browser.choose(Field("Status"), "Active").await;
        browser.choose(Field("Kind"), "Integration App tokens").await;
        names(browser, &["App runner"]).await;
        browser.click(Button("Clear filters")).await;
        names(browser, &["alpha", "App runner", "Beta"]).await;
        browser.choose(Field("Integration App"), "Night shift").await;
        names(browser, &["App runner"]).await;
        browser.until("location.hash.endsWith('?integrationId=app-1')").await;
        browser.click(Button("Clear filters")).await;
        names(browser, &["alpha", "App runner", "Beta"]).await;

        browser.click(Button("Name")).await;
        names(browser, &["alpha", "App runner", "Beta"]).await;
        browser.click(Button("Name")).await;
        names(browser, &["Beta", "App runner", "alpha"]).await;
        let sorted = "document.querySelector('th.of-name').getAttribute('aria-sort')";
        assert_eq!(browser.eval(sorted).await, "descending");
        browser.click(Button("Name")).await;
        browser.click(Button("Auto purge")).await;
        names(browser, &["alpha", "App runner", "Beta"]).await;

        // A token disappears when its purge time is reached.
        let left = "Date.parse(document.querySelector('.tokens td.of-purge time').dateTime) - Date.now()";
        let left = browser.eval(left).await;
        let left = Duration::from_millis(left.as_u64().expect("a time to come"));
        let margin = Duration::from_secs(10);
        browser.advance(left - margin).await;
        names(browser, &["alpha", "App runner", "Beta"]).await;
        browser.advance(margin).await;
        browser.see("“alpha” was purged").await;
        names(browser, &["App runner", "Beta"]).await;
    })
    .await;
}

#[tokio::test]
async fn the_list_has_pages() {
    let stack = Stack::from_env();
    let account = Account::create(&stack, "page-pages", "enterprise").await;
    for number in 1..=27 {
        account
            .create_token(full(&format!("Token {number:02}")))
            .await;
    }
    in_browser(&stack, async |browser| {
        browser.enter(&account.owner, &list(&account)).await;
        browser.see("27 tokens").await;
        browser.choose(Field("Per page"), "25").await;
        browser.see("25 tokens, more follow").await;
        browser.until("location.hash.endsWith('?limit=25')").await;
        browser.click(Button("Next")).await;
        names(browser, &["Token 02", "Token 01"]).await;
        browser.see("Page 2, 2 tokens").await;
        assert_eq!(browser.focused().await, "API tokens");
        let second = browser.eval("location.hash").await;
        browser.click(Button("Previous")).await;
        browser.see("25 tokens, more follow").await;
        assert_eq!(browser.eval(&format!("{NAMES}[0]")).await, "Token 27");

        // The pages are entries of the history.
        browser.run("history.back()", &[]).await;
        names(browser, &["Token 02", "Token 01"]).await;
        browser.run("history.back()", &[]).await;
        browser.see("25 tokens, more follow").await;
        browser.run("history.forward()", &[]).await;
        names(browser, &["Token 02", "Token 01"]).await;
        // Another filter is no other page, and begins at the first one.
        browser.write(Field("Keywords"), "Token 1").await;
        browser.see("12 tokens").await;
        browser
            .until("location.hash.endsWith('?limit=25&q=Token+1')")
            .await;
        browser.run("history.back()", &[]).await;
        browser.see("25 tokens, more follow").await;
        browser
            .until("document.querySelector('[name=q]').value === ''")
            .await;

        // A page can be shared and reloaded. Nothing tells which one was before it then.
        browser.go("#/accounts/nobodys").await;
        browser.run("location.reload()", &[]).await;
        browser.fill_in_sign_in(&account.owner).await;
        browser.see("No such account").await;
        browser.go(second.as_str().expect("an address")).await;
        names(browser, &["Token 02", "Token 01"]).await;
        browser.see("Page 2, 2 tokens").await;
        assert_eq!(
            browser
                .find(Button("Previous"))
                .await
                .is_enabled()
                .await
                .ok(),
            Some(false)
        );
        browser.click(Button("First page")).await;
        browser.see("25 tokens, more follow").await;
        // A page of another list is none of this one.
        let other = second
            .as_str()
            .expect("an address")
            .replace('?', "?q=Token&");
        browser.go(&other).await;
        browser.see("The list has changed.").await;
        browser.until("!document.querySelector('.tokens')").await;
        browser.click(Button("Try again")).await;
        browser.see("25 tokens, more follow").await;
    })
    .await;
}

#[tokio::test]
async fn what_is_sorted_is_said_honestly() {
    let stack = Stack::from_env();
    let account = Account::create(&stack, "page-sort", "enterprise").await;
    for number in 1..=27 {
        let name = format!("Token {:02}", (number * 10) % 27 + 1);
        account.create_token(full(&name)).await;
    }
    in_browser(&stack, async |browser| {
        let first = |name: &str| format!("{NAMES}[0] === {}", json!(name));
        browser.enter(&account.owner, &format!("{}?limit=25", list(&account))).await;
        browser.see("25 tokens, more follow").await;
        browser.click(Button("Name")).await;
        browser.see("These 25 tokens by name. More follow.").await;
        browser.until("location.hash.endsWith('?limit=25&sort=name')").await;
        browser.until("document.querySelector('th.of-name').getAttribute('aria-sort') === 'ascending'").await;
        // Token 11 and Token 21 were created first, and are on the next page.
        browser.until(&first("Token 01")).await;
        browser.until(&format!("!{NAMES}.includes('Token 11')")).await;
        browser.click(Button("Load all and sort them")).await;
        browser.see("27 tokens by name").await;
        browser.until(&format!("{NAMES}.length === 27 && {NAMES}.every((name, at) => name === `Token ${{String(at + 1).padStart(2, 0)}}`)")).await;
        browser.choose(Field("Sort by"), "Name, Z to A").await;
        browser.until(&first("Token 27")).await;
        // A reload shows the same.
        browser.run("location.reload()", &[]).await;
        browser.fill_in_sign_in(&account.owner).await;
        browser.see("27 tokens by name").await;
        browser.until(&first("Token 27")).await;
        browser.click(Button("Show page by page")).await;
        browser.see("These 25 tokens by name. More follow.").await;

        // Sorted by age is the whole list, by the server.
        browser.with_answers().await;
        browser.choose(Field("Sort by"), "Oldest first").await;
        browser.until("location.hash.endsWith('?limit=25&order=oldest')").await;
        browser.see("25 tokens, more follow").await;
        let asked = "performance.getEntriesByType('resource').some(({ name }) => /tokens\\?order=oldest&limit=25$/.test(name))";
        browser.until(asked).await;
        browser.choose(Field("Sort by"), "Newest first").await;
        browser.until("location.hash.endsWith('?limit=25')").await;
        browser.until(&first("Token 01")).await;
    })
    .await;
}

#[tokio::test]
async fn an_integration_app_has_a_list_of_its_own() {
    let stack = Stack::from_env();
    let account = Account::create(&stack, "page-app", "enterprise").await;
    account
        .add_resource("import", "imp-app", Some("app-1"))
        .await;
    account
        .add_resource("import", "imp-else", Some("app-2"))
        .await;
    account.create_token(full("Of the account")).await;
    in_browser(&stack, async |browser| {
        enter_with_apps(browser, &account, &["Night shift", "Day shift"]).await;
        browser.go(&format!("{}/apps/app-1", list(&account))).await;
        browser
            .see("This Integration App has no API tokens yet")
            .await;
        browser.see("API tokens of Night shift").await;
        browser
            .until("document.title.startsWith('API tokens of Night shift')")
            .await;
        browser.click(Button("Create API token")).await;
        browser.see("Create API token of").await;
        browser.write(Field("Name"), "Runs imports").await;
        browser.choose(Field("Auto purge token"), "10 days").await;
        browser.click(Field("Custom")).await;
        browser.click(Css("input[value=imp-app]")).await;
        // The other app's import is not there.
        browser
            .until("document.querySelectorAll('.picker input[type=checkbox]').length === 1")
            .await;
        browser.click(Button("Save & close")).await;
        browser.click(Button("Done")).await;
        browser.click(Button("Done")).await;
        browser.see("API tokens of Night shift").await;
        names(browser, &["Runs imports"]).await;
        browser.picture("app").await;
        choose_action(browser, "Runs imports", "View audit log").await;
        browser.see("Audit log of Runs imports").await;
        browser.run("history.back()", &[]).await;
        browser.see("API tokens of Night shift").await;
        names(browser, &["Runs imports"]).await;
    })
    .await;
}

#[tokio::test]
async fn an_integration_app_is_called_by_its_name() {
    let stack = Stack::from_env();
    let account = Account::create(&stack, "page-apps", "enterprise").await;
    account
        .add_resource("import", "imp-app", Some("app-1"))
        .await;
    account.create_token(full("Of the account")).await;
    let runs = json!({"name": "Runs imports", "kind": "integrationApp", "integrationId": "app-1", "autoPurge": "1d", "scope": {"type": "full"}});
    account.create_token(runs).await;
    in_browser(&stack, async |browser| {
        // So many that they are searched for.
        let many: Vec<_> = (1..=30).map(|number| format!("Shift {number:02}")).collect();
        let many: Vec<_> = many.iter().map(String::as_str).collect();
        enter_with_apps(browser, &account, &many).await;
        browser.go(&list(&account)).await;
        names(browser, &["Runs imports", "Of the account"]).await;
        browser.click(Button("Shift 01")).await;
        browser.see("API tokens of Shift 01").await;
        names(browser, &["Runs imports"]).await;
        // Its own list has no choice of the app, and doesn't repeat its name.
        browser.until("document.querySelectorAll('.filter').length === 2 && !document.querySelector('.tokens .meta a')").await;
        browser.click(Button("All API tokens of End-to-end")).await;
        names(browser, &["Runs imports", "Of the account"]).await;

        browser.write(Field("Integration App"), "ift 0").await;
        browser.until("document.querySelectorAll('[role=option]').length === 12").await;
        browser.picture("combobox").await;
        let found = browser.accessibility().await;
        assert!(found.is_empty(), "{found:?}");
        browser.press("\u{e015}\u{e007}").await;
        browser.until("location.hash.endsWith('?integrationId=app-2')").await;
        browser.see("No token matches").await;
        assert_eq!(browser.find(Field("Integration App")).await.prop("value").await.ok().flatten().as_deref(), Some("Shift 02"));
        // Escape gives the choice back, "All" ends it.
        browser.write(Field("Integration App"), "zzz").await;
        browser.see("No Integration App matches").await;
        browser.press("\u{e00c}").await;
        assert_eq!(browser.find(Field("Integration App")).await.prop("value").await.ok().flatten().as_deref(), Some("Shift 02"));
        browser.press("\u{e013}\u{e011}\u{e013}\u{e013}\u{e013}").await;
        browser.click(Button("Clear filters")).await;
        names(browser, &["Runs imports", "Of the account"]).await;
        assert_eq!(browser.find(Field("Integration App")).await.prop("value").await.ok().flatten().as_deref(), Some(""));
    })
    .await;
}

#[tokio::test]
async fn what_needs_attention_stands_out() {
    let stack = Stack::from_env();
    let account = Account::create(&stack, "page-attention", "enterprise").await;
    let hour = json!({"name": "An hour", "autoPurge": "1h", "scope": {"type": "full"}});
    account.create_token(hour).await;
    account.create_token(full("Quiet")).await;
    let forever = json!({"name": "Forever", "autoPurge": "never", "scope": {"type": "full"}});
    let (forever, _) = account.create_token(forever).await;
    replace_within(&account, &forever, 86_400).await;
    let (replaced, _) = account.create_token(full("Replaced")).await;
    replace(&account, &replaced).await;
    let (leaked, secret) = account.create_token(full("Given up")).await;
    give_up(&account, &secret).await;
    in_browser(&stack, async |browser| {
        let badges = |name: &str| {
            format!(
                "[...[...document.querySelectorAll('.tokens tbody tr')].find((row) => row.querySelector('a.name').textContent === {}).querySelectorAll('.attention li')].map((e) => e.textContent).join(' | ')",
                json!(name)
            )
        };
        browser.with_clock().await;
        browser.enter(&account.owner, &list(&account)).await;
        browser.see("5 tokens").await;
        browser.see("On this page: 1 compromised 1 full access, never ending 2 old secrets still work").await;
        assert_eq!(browser.eval(&badges("An hour")).await, "");
        assert_eq!(browser.eval(&badges("Quiet")).await, "");
        let tomorrow = "/^Full access, never ends \\| Old secret works until [A-Z][a-z]+ \\d+, \\d+:\\d\\d/";
        browser.until(&format!("{tomorrow}.test({})", badges("Forever"))).await;
        assert_eq!(browser.eval(&badges("Given up")).await, "Secret compromised");
        browser.until(&format!("/^Old secret works until \\d?\\d:\\d\\d/.test({})", badges("Replaced"))).await;
        let accents = "[...document.querySelectorAll('.tokens tbody tr')].map((row) => row.dataset.attention ?? '').join()";
        assert_eq!(browser.eval(accents).await, "danger,info,warning,,");

        // What is counted can be shown alone, and the address says so.
        browser.click(Button("1 compromised")).await;
        names(browser, &["Given up"]).await;
        browser.see("1 of 5 tokens").await;
        browser.until("location.hash.endsWith('?attention=compromised')").await;
        browser.run("location.reload()", &[]).await;
        browser.fill_in_sign_in(&account.owner).await;
        names(browser, &["Given up"]).await;
        browser.until("document.querySelector('.part[aria-pressed=true]').textContent === '1 compromised'").await;
        send(account.request(Method::DELETE, &account.owner, &format!("/tokens/{leaked}"))).await;
        browser.click(Button("Show all")).await;
        browser.see("5 tokens").await;

        browser.advance(Duration::from_secs(48 * 60)).await;
        browser.click(Button("Name")).await;
        browser.until(&format!("/^Ends in 1[012] minutes \\| Never used$/.test({})", badges("An hour"))).await;
        browser.until("document.querySelector('.needs').innerText.includes('1 ends soon')").await;
        browser.click(Button("1 ends soon")).await;
        names(browser, &["An hour"]).await;
        browser.advance(Duration::from_secs(8 * 60)).await;
        browser.click(Button("Name")).await;
        browser.until("document.querySelector('.tokens tbody tr').dataset.attention === 'danger'").await;
        // The old secret ends, and then the token.
        browser.advance(Duration::from_secs(5 * 60)).await;
        browser.see("None of the loaded tokens needs this attention").await;
        browser.find(Css(".empty button")).await.click().await.expect("a click");
        browser.until(&format!("!{NAMES}.includes('An hour')")).await;
        assert_eq!(browser.eval(&badges("Replaced")).await, "");
    })
    .await;
}

#[tokio::test]
async fn a_row_says_what_can_be_done_and_follows_what_was_done() {
    let stack = Stack::from_env();
    let account = Account::create(&stack, "page-row", "enterprise").await;
    let (id, _) = account.create_token(full("One")).await;
    account.create_token(full("Two")).await;
    in_browser(&stack, async |browser| {
        browser.with_answers().await;
        browser.enter(&account.owner, &list(&account)).await;
        names(browser, &["Two", "One"]).await;
        let items = "[...document.querySelectorAll('.menu:popover-open [role=menuitem]')].map((e) => e.getAttribute('aria-label'))";
        browser.click(Button("Actions for One")).await;
        browser.until(&format!("{items}.length > 0")).await;
        assert_eq!(
            browser.eval(items).await,
            json!(["View token", "Edit API token", "Show token", "View audit log", "Revoke API token", "Generate new token", "Delete API token"])
        );
        browser.press("\u{e00c}").await;
        assert_eq!(browser.focused().await, "Actions for One");
        choose_action(browser, "One", "Show token").await;
        browser.find(Button("Copy token")).await;
        browser.press("\u{e00c}").await;
        browser.press("\u{e00c}").await;
        browser.until("!document.querySelector('dialog')").await;
        assert_eq!(browser.focused().await, "Actions for One");
        // Whoever asks twice is answered once.
        browser.answer("/reveal", json!({"late": true})).await;
        for _ in 0..2 {
            choose_action(browser, "One", "Show token").await;
        }
        browser.until("Boolean(window.letGo)").await;
        browser.answer("/reveal", Value::Null).await;
        browser.run("letGo()", &[]).await;
        browser.find(Button("Copy token")).await;
        browser.press("\u{e00c}").await;
        browser.until("!document.querySelector('dialog')").await;
        assert_eq!(account.audit("action=view").await.len(), 2);
        // A token that can't be shown says why.
        browser.answer("/reveal", json!({"status": 503, "body": {}})).await;
        choose_action(browser, "One", "Show token").await;
        browser.see("The service is busy.").await;

        browser.answer("/reveal", json!({"status": 403, "body": {"code": "step_up_required", "maxAge": 300}})).await;
        choose_action(browser, "One", "Show token").await;
        browser.see("This needs a fresh sign-in.").await;
        browser.find(Button("Sign in again")).await;
        browser.click(Button("Cancel")).await;
        browser.answer("/reveal", Value::Null).await;

        // The row is replaced where it is, also if it moves, and keeps the focus.
        browser.click(Button("Status")).await;
        choose_action(browser, "Two", "Revoke API token").await;
        browser.click(Button("Revoke")).await;
        browser.until("document.querySelector('.badge.revoked')").await;
        names(browser, &["One", "Two"]).await;
        browser.until("!document.querySelector('dialog') && document.activeElement.getAttribute('aria-label') === 'Actions for Two'").await;
        choose_action(browser, "Two", "Delete API token").await;
        browser.click(Button("Delete")).await;
        names(browser, &["One"]).await;
        browser.until("document.activeElement.matches('h1')").await;
        assert_eq!(token(&account, &id).await["status"], "active");
    })
    .await;
}

#[tokio::test]
async fn several_tokens_are_revoked_at_once() {
    let stack = Stack::from_env();
    let account = Account::create(&stack, "page-bulk", "enterprise").await;
    account.add_resource("export", "exp-1", None).await;
    let custom = json!({"name": "Custom", "autoPurge": "30d", "scope": {"type": "custom", "exports": ["exp-1"]}});
    account.create_token(custom).await;
    let mut ids = Vec::new();
    for name in ["A", "B", "C", "D", "E"] {
        ids.push(account.create_token(full(name)).await.0);
    }
    let (gone, _) = account.create_token(full("Revoked before")).await;
    send(account.post(&account.owner, &format!("/tokens/{gone}/revoke")))
        .await
        .expect(200);
    in_browser(&stack, async |browser| {
        browser.with_answers().await;
        browser.enter(&account.owner, &list(&account)).await;
        names(
            browser,
            &["Revoked before", "E", "D", "C", "B", "A", "Custom"],
        )
        .await;
        // Only active tokens can be selected, and all of them at once.
        browser.click(Css("th.of-select input")).await;
        browser.see("6 selected").await;
        browser
            .until(&selected(&["E", "D", "C", "B", "A", "Custom"]))
            .await;
        select(browser, "E").await;
        browser.see("5 selected").await;
        browser
            .until("document.querySelector('th.of-select input').indeterminate")
            .await;
        browser.click(Button("Clear")).await;
        browser.until("!document.querySelector('.picked')").await;
        for name in ["A", "B", "C", "Custom"] {
            select(browser, name).await;
        }
        browser.see("4 selected").await;
        let found = browser.accessibility().await;
        assert!(found.is_empty(), "{found:?}");
        // What isn't shown isn't selected.
        browser.write(Field("Keywords"), "C").await;
        names(browser, &["C", "Custom"]).await;
        browser.until("!document.querySelector('.picked')").await;
        browser.click(Button("Clear filters")).await;
        names(
            browser,
            &["Revoked before", "E", "D", "C", "B", "A", "Custom"],
        )
        .await;
        for name in ["A", "B", "C", "Custom"] {
            select(browser, name).await;
        }
        browser.click(Button("Revoke…")).await;
        browser.see("Revoke 4 API tokens").await;
        assert_eq!(browser.focused().await, "Reason (optional)");
        browser.see("Export exp-1 · never used").await;
        browser.see("Full access · never used").await;
        browser.press("Moved away").await;

        // One fails. The others are revoked, and it stays selected.
        let b = format!("{}/revoke", ids[1]);
        browser
            .answer(
                &b,
                json!({"status": 500, "body": {"code": "internal_error", "requestId": "r"}}),
            )
            .await;
        browser.click(Button("Revoke 4 tokens")).await;
        browser
            .see("1 of 4 tokens is not revoked. It stays selected. 3 tokens are revoked.")
            .await;
        browser.see("Something went wrong on our side.").await;
        browser.picture("bulk-failed").await;
        let found = browser.accessibility().await;
        assert!(found.is_empty(), "{found:?}");
        browser.find(Button("Close")).await;
        browser.press("\u{e00c}").await;
        browser.until("!document.querySelector('dialog')").await;
        browser.see("1 selected").await;
        browser
            .see("Not revoked: Something went wrong on our side.")
            .await;
        browser.until(&selected(&["B"])).await;
        browser
            .until("document.querySelectorAll('.badge.revoked').length === 4")
            .await;
        assert_eq!(browser.focused().await, "Revoke…");
        let records = account.audit("action=revoke").await;
        assert_eq!(records.len(), 4);
        let reasons = records
            .iter()
            .filter(|record| record.to_string().contains("Moved away"))
            .count();
        assert_eq!(reasons, 3);

        // It is tried again, after the wait that the service asks for.
        browser
            .answer(
                &b,
                json!({"status": 429, "body": {}, "headers": {"retry-after": "2"}}),
            )
            .await;
        browser.click(Button("Revoke…")).await;
        browser.click(Button("Revoke 1 token")).await;
        browser.see("0 of 1").await;
        browser.see("The service is busy. Going on in").await;
        browser.answer(&b, Value::Null).await;
        browser.see("1 token is revoked.").await;
        browser
            .until("!document.querySelector('dialog') && !document.querySelector('.picked')")
            .await;
        browser.until("document.activeElement.matches('h1')").await;
        assert_eq!(token(&account, &ids[1]).await["status"], "revoked");

        // A wait can be stopped. What isn't revoked stays selected.
        for name in ["D", "E"] {
            select(browser, name).await;
        }
        browser
            .answer(
                "/revoke",
                json!({"status": 503, "body": {}, "headers": {"retry-after": "20"}}),
            )
            .await;
        browser.click(Button("Revoke…")).await;
        browser.click(Button("Revoke 2 tokens")).await;
        browser.see("The service is busy. Going on in").await;
        browser.click(Button("Stop")).await;
        browser.see("2 of 2 tokens are not revoked.").await;
        browser.answer("/revoke", Value::Null).await;
        // One is deleted by somebody else meanwhile.
        send(account.post(&account.owner, &format!("/tokens/{}/revoke", ids[3])))
            .await
            .expect(200);
        send(account.request(
            Method::DELETE,
            &account.owner,
            &format!("/tokens/{}", ids[3]),
        ))
        .await;
        browser.click(Button("Try again")).await;
        browser
            .see("1 token is revoked. 1 token no longer exists.")
            .await;
        names(browser, &["Revoked before", "E", "C", "B", "A", "Custom"]).await;
        // The reason stands in the row.
        browser.see("“Moved away”").await;
    })
    .await;
}

#[tokio::test]
async fn several_tokens_and_the_end_of_a_right() {
    let stack = Stack::from_env();
    let account = Account::create(&stack, "page-bulk-end", "enterprise").await;
    for number in 1..=9 {
        account.create_token(full(&format!("Token {number}"))).await;
    }
    in_browser(&stack, async |browser| {
        browser.with_answers().await;
        browser.enter(&account.administrator, &list(&account)).await;
        browser.see("9 tokens").await;
        // Without developer mode, a token can't be shown, and the menu says why.
        browser.click(Button("Actions for Token 1")).await;
        browser.see("Needs developer mode, which you turn on in your profile on the platform.").await;
        browser.click(Button("Show token")).await;
        browser.press("\u{e00c}").await;
        browser.until("!document.querySelector('dialog')").await;
        browser.click(Css("th.of-select input")).await;
        browser.click(Button("Revoke…")).await;
        // A reason that isn't valid concerns all, and is said once.
        browser.write(Field("Reason (optional)"), "Because").await;
        let invalid = json!({"code": "validation_failed", "errors": [{"field": "reason", "code": "x", "message": "must be another one"}]});
        browser.answer("/revoke", json!({"status": 422, "body": invalid})).await;
        browser.click(Button("Revoke 9 tokens")).await;
        browser.see("Reason must be another one.").await;
        browser.answer("/revoke", json!({"status": 401, "body": {}})).await;
        browser.click(Button("Try again")).await;
        browser.see("Your session has ended").await;
        browser.sign_in(&account.administrator).await;
        browser.see("9 tokens").await;
        assert_eq!(account.audit("action=revoke").await.len(), 0);

        browser.click(Css("th.of-select input")).await;
        browser.click(Button("Revoke…")).await;
        account.publish_profile("monitor").await;
        browser.answer("/revoke", json!({"status": 403, "body": {"code": "role_required"}})).await;
        browser.click(Button("Revoke 9 tokens")).await;
        browser.see("You may not see this page").await;
        browser.until("!document.querySelector('dialog')").await;
        assert_eq!(account.audit("action=revoke").await.len(), 0);
    })
    .await;
}

#[tokio::test]
async fn nothing_old_stands_under_a_new_question() {
    let stack = Stack::from_env();
    let account = Account::create(&stack, "page-load", "enterprise").await;
    account.create_token(full("One")).await;
    in_browser(&stack, async |browser| {
        browser.with_answers().await;
        browser.enter(&account.owner, &list(&account)).await;
        names(browser, &["One"]).await;
        // Grey bars stand for the rows, and the loading is said once.
        browser.answer("/tokens?", json!({"status": 200, "body": {"tokens": [], "nextCursor": null}, "delay": 1})).await;
        browser.choose(Field("Status"), "Active").await;
        browser.until("document.querySelectorAll('.skeleton').length > 3").await;
        names(browser, &[]).await;
        browser.until("document.querySelector('.table').getAttribute('aria-busy') === 'true'").await;
        browser.until("[...document.querySelectorAll('.skeleton')].every((row) => row.ariaHidden === 'true' && !row.innerText.trim())").await;
        browser.until("document.querySelector('.position').textContent === 'Loading…'").await;
        browser.picture("skeleton").await;
        let found = browser.accessibility().await;
        assert!(found.is_empty(), "{found:?}");
        browser.answer("/tokens?", Value::Null).await;
        browser.run("letGo()", &[]).await;
        browser.see("No token matches").await;
        browser.click(Button("Clear filters")).await;
        names(browser, &["One"]).await;

        browser.answer("/tokens?", json!({"status": 500, "body": {"code": "internal_error"}})).await;
        browser.choose(Field("Status"), "Revoked").await;
        browser.see("Something went wrong on our side.").await;
        names(browser, &[]).await;
        browser.until("!document.querySelector('.tokens, .pager, .needs')").await;
        browser.answer("/tokens?", Value::Null).await;
        browser.choose(Field("Status"), "Active").await;
        names(browser, &["One"]).await;
        // A connection that breaks while the answer arrives is tried again, and then told as one.
        browser.answer("/tokens?", json!({"status": 200, "cut": true, "times": 1})).await;
        browser.choose(Field("Status"), "All").await;
        browser.until("!location.hash.includes('status') && !Object.keys(answers).length").await;
        names(browser, &["One"]).await;
        browser.answer("/tokens?", json!({"status": 200, "cut": true})).await;
        browser.choose(Field("Status"), "Active").await;
        browser.see("Latchkey could not be reached.").await;
        browser.answer("/tokens?", Value::Null).await;
        browser.click(Button("Try again")).await;
        names(browser, &["One"]).await;
        browser.answer("/revoke", json!({"status": 200, "cut": true})).await;
        choose_action(browser, "One", "Revoke API token").await;
        browser.click(Button("Revoke")).await;
        browser.see("Latchkey could not be reached.").await;
        browser.click(Button("Cancel")).await;
        browser.answer("/revoke", Value::Null).await;
        browser.offline(true).await;
        browser.choose(Field("Status"), "All").await;
        browser.see("Latchkey could not be reached.").await;
        browser.offline(false).await;
        browser.click(Button("Try again")).await;
        names(browser, &["One"]).await;
    })
    .await;
}
