//! The list of tokens.

use super::*;

#[tokio::test]
async fn the_list_finds_filters_pages_and_sorts() {
    let stack = Stack::from_env();
    let account = Account::create(&stack, "page-list", "enterprise").await;
    in_browser(&stack, async |browser| {
        browser.with_clock().await;
        browser.enter(&account.owner, &list(&account)).await;
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
        let heads = "[...document.querySelectorAll('.tokens th')].map((e) => e.textContent)";
        assert_eq!(
            browser.eval(heads).await,
            json!(["Name", "Status", "Scope", "Auto purge", "Last used", "Last updated", "Token", "Actions"])
        );
        let purge = browser.find(Css(".tokens tbody tr td:nth-child(4) time")).await;
        let text = purge.text().await.expect("a text");
        assert!(["in 1 hour", "in 59 minutes"].contains(&text.as_str()), "{text}");
        let exact = purge.attr("title").await.expect("an attribute").unwrap_or_default();
        // The time has seconds and the time zone.
        assert!(exact.matches(':').count() == 2 && !exact.ends_with('M'), "{exact}");

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
        browser.write(Field("Integration App"), "app-1\n").await;
        names(browser, &["App runner"]).await;
        browser.click(Button("Clear filters")).await;
        names(browser, &["alpha", "App runner", "Beta"]).await;

        browser.click(Button("Name")).await;
        names(browser, &["alpha", "App runner", "Beta"]).await;
        browser.click(Button("Name")).await;
        names(browser, &["Beta", "App runner", "alpha"]).await;
        let sorted = "document.querySelector('th').getAttribute('aria-sort')";
        assert_eq!(browser.eval(sorted).await, "descending");
        browser.click(Button("Name")).await;
        browser.click(Button("Auto purge")).await;
        names(browser, &["alpha", "App runner", "Beta"]).await;

        // A token disappears when its purge time is reached.
        let left = "Date.parse(document.querySelector('.tokens td:nth-child(4) time').dateTime) - Date.now()";
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
        browser.click(Button("Next")).await;
        names(browser, &["Token 02", "Token 01"]).await;
        browser.see("Page 2, 2 tokens").await;
        browser.click(Button("Previous")).await;
        browser.see("25 tokens, more follow").await;
        assert_eq!(browser.eval(&format!("{NAMES}[0]")).await, "Token 27");
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
        browser
            .enter(&account.owner, &format!("{}/apps/app-1", list(&account)))
            .await;
        browser
            .see("This Integration App has no API tokens yet")
            .await;
        browser.click(Button("Create API token")).await;
        browser.see("Create API token of app-1").await;
        browser.write(Field("Name"), "Runs imports").await;
        browser.choose(Field("Auto purge token"), "10 days").await;
        browser.click(Field("Custom")).await;
        browser.click(Css("input[value=imp-app]")).await;
        assert_eq!(
            browser
                .eval("document.querySelectorAll('.options input').length")
                .await,
            1
        );
        browser.click(Button("Save & close")).await;
        browser.click(Button("Done")).await;
        browser.click(Button("Done")).await;
        browser.see("API tokens of app-1").await;
        names(browser, &["Runs imports"]).await;
        browser.picture("app").await;
        choose_action(browser, "Runs imports", "View audit log").await;
        browser.see("Audit log of Runs imports").await;
        browser.click(Button("Close")).await;
        names(browser, &["Runs imports"]).await;
        browser.click(Button("All API tokens of End-to-end")).await;
        names(browser, &["Runs imports", "Of the account"]).await;
        browser.click(Button("app-1")).await;
        names(browser, &["Runs imports"]).await;
    })
    .await;
}
