//! The sign-in, who is let in, and errors.

use super::*;

#[tokio::test]
async fn signing_in_leads_where_one_was_going_and_leaves_no_token_behind() {
    let stack = Stack::from_env();
    let account = Account::create(&stack, "page-sign-in", "enterprise").await;
    let (id, _) = account.create_token(full("Warehouse sync")).await;
    in_browser(&stack, async |browser| {
        browser.with_clock().await;
        // The link in a mail.
        let route = format!("#/accounts/{}/tokens/{id}/audit", account.id);
        browser.enter(&account.owner, &route).await;
        browser.see("Audit log of Warehouse sync").await;
        assert_eq!(browser.eval("location.hash").await, route);
        assert_eq!(browser.eval("location.search").await, "");
        let stored =
            "JSON.stringify([{ ...localStorage }, { ...sessionStorage }]) + document.cookie";
        assert_eq!(
            browser.eval(stored).await,
            r#"[{},{"latchkey.resume":"1"}]"#
        );

        // A session that is about to end is renewed without notice.
        let renewals = "performance.getEntriesByType('resource').filter((e) => e.name.endsWith('/oauth2/token')).length";
        assert_eq!(browser.eval(renewals).await, 1);
        browser.advance(Duration::from_secs(59 * 60 + 30)).await;
        browser.choose(Field("Action"), "Create").await;
        browser.until(&format!("{renewals} === 2")).await;
        browser.see("Warehouse sync").await;

        // A reload forgets the session, and the page signs in again by itself.
        browser.run("location.reload()", &[]).await;
        browser.fill_in_sign_in(&account.owner).await;
        browser.see("Audit log of Warehouse sync").await;
        browser.click(Button("The token's page")).await;
        browser.see("Warehouse sync").await;
        browser.click(Button("API tokens")).await;
        names(browser, &["Warehouse sync"]).await;

        // The provider is asked to end the refresh token. The request is noted where it outlives the page.
        let note = "const real = window.fetch; window.fetch = (url, options) => { \
            if (String(url).endsWith('/oauth2/revoke')) { \
                const form = options.body; \
                localStorage.setItem('asked', [options.method, form.get('token_type_hint'), \
                    Boolean(form.get('token')), Boolean(form.get('client_id'))].join(' ')); \
            } \
            return real(url, options); }";
        browser.run(note, &[]).await;
        browser.click(Button("Sign out")).await;
        browser.find(Button("Sign in")).await;
        let asked = "localStorage.getItem('asked')";
        assert_eq!(
            browser.eval(asked).await,
            "POST refresh_token true true"
        );
        browser.run("localStorage.clear()", &[]).await;
        assert_eq!(browser.eval(stored).await, "[{},{}]");
        browser.run("history.back()", &[]).await;
        browser.find(Button("Sign in")).await;
        assert_eq!(browser.eval(NAMES).await, json!([]));

        // An answer that this tab hasn't requested.
        browser.open("?code=stolen&state=made-up").await;
        browser.see("This sign-in was not started here").await;
        assert_eq!(browser.eval("location.search").await, "");
        browser
            .open("?error=access_denied&error_description=No+entry&state=made-up")
            .await;
        browser.see("This sign-in was not started here").await;
    })
    .await;
}

#[tokio::test]
async fn who_may_not_see_the_page_is_told_so() {
    let stack = Stack::from_env();
    let account = Account::create(&stack, "page-roles", "enterprise").await;
    account.create_token(full("Not for everybody")).await;
    // The owner also administers a second account.
    let other = format!("{}-other", account.id);
    let member = json!({
        "id": account.owner.id,
        "email": account.owner.email,
        "name": account.owner.name,
        "role": "manage",
        "developerMode": false,
    });
    let profile = json!({"id": other, "name": "Second company", "plan": "premium", "apiManagement": false, "members": [member]});
    stack.publish("AccountUpserted", profile).await;
    eventually("the second account", async || {
        let answer = send(
            stack
                .api(Method::GET, "/v1/accounts")
                .bearer_auth(&account.owner.access),
        )
        .await;
        (answer.expect(200)["accounts"].as_array()?.len() == 2).then_some(())
    })
    .await;
    in_browser(&stack, async |browser| {
        browser.enter(&account.monitor, &list(&account)).await;
        browser.see("You may not see this page").await;
        browser.see("Your role in End-to-end is Monitor.").await;
        browser.picture("denied").await;
        assert_eq!(browser.eval(NAMES).await, json!([]));
        browser.click(Button("Sign out")).await;

        // Without a route in the address, people get to an account that they may see.
        browser.enter(&account.owner, "").await;
        names(browser, &["Not for everybody"]).await;
        browser.click(Css(".header [aria-haspopup=menu]")).await;
        browser.picture("accounts").await;
        browser.click(Button("Second company")).await;
        browser.see("Your role in Second company is Manage.").await;
        browser.click(Css(".header [aria-haspopup=menu]")).await;
        browser.click(Button("End-to-end")).await;
        names(browser, &["Not for everybody"]).await;
        browser.go("#/accounts/nobodys").await;
        browser.see("No such account").await;
        browser.click(Button("Sign out")).await;

        // If a role is lost while the page is open, the page notices.
        browser.enter(&account.administrator, &list(&account)).await;
        names(browser, &["Not for everybody"]).await;
        account.publish_profile("manage").await;
        eventually("the other role", async || {
            let answer = send(account.get(&account.administrator, "/tokens")).await;
            (answer.status == 403).then_some(())
        })
        .await;
        browser.choose(Field("Status"), "Active").await;
        browser.see("Your role in End-to-end is Manage.").await;
        assert_eq!(browser.eval(NAMES).await, json!([]));
    })
    .await;
}

#[tokio::test]
async fn signing_out_waits_for_no_provider() {
    let stack = Stack::from_env();
    let account = Account::create(&stack, "page-sign-out", "enterprise").await;
    in_browser(&stack, async |browser| {
        for fate in [
            "new Promise(() => {})",
            "Promise.reject(new TypeError('Failed to fetch'))",
        ] {
            browser.enter(&account.owner, &list(&account)).await;
            browser.see("This account has no API tokens yet").await;
            let note = format!(
                "const real = window.fetch; window.fetch = (url, options) => \
                    String(url).endsWith('/oauth2/revoke') ? {fate} : real(url, options)"
            );
            browser.run(&note, &[]).await;
            browser.click(Button("Sign out")).await;
            browser.find(Button("Sign in")).await;
            let stored = "JSON.stringify({ ...sessionStorage })";
            assert_eq!(browser.eval(stored).await, "{}");
        }

        // A provider that is temporarily unavailable during a renewal doesn't end the session.
        browser.with_answers().await;
        browser.with_clock().await;
        browser.enter(&account.owner, &list(&account)).await;
        browser.see("This account has no API tokens yet").await;
        browser
            .answer("/oauth2/token", json!({"status": 503, "body": {}}))
            .await;
        browser.advance(Duration::from_secs(59 * 60 + 5)).await;
        browser.choose(Field("Status"), "Active").await;
        browser.see("No token matches").await;
        browser.advance(Duration::from_secs(60)).await;
        browser.choose(Field("Status"), "Revoked").await;
        browser.see("Latchkey could not be reached.").await;
        browser.answer("/oauth2/token", Value::Null).await;
        browser.click(Button("Try again")).await;
        browser.see_no("could not be reached").await;
        browser.see("No token matches").await;
    })
    .await;
}

#[tokio::test]
async fn every_error_says_what_to_do() {
    let stack = Stack::from_env();
    let account = Account::create(&stack, "page-errors", "enterprise").await;
    let (_, secret) = account.create_token(full("Troubled")).await;
    in_browser(&stack, async |browser| {
        browser.with_answers().await;
        browser.enter(&account.owner, &list(&account)).await;
        names(browser, &["Troubled"]).await;
        let problems = [
            (400, "malformed_json", "Reload the page and try again."),
            (400, "duplicate_key", "Reload the page and try again."),
            (
                403,
                "role_required",
                "Ask an owner or administrator of the account.",
            ),
            (
                403,
                "developer_mode_required",
                "Turn developer mode on in your profile",
            ),
            (
                403,
                "api_management_license_required",
                "ask the account's owner for the API Management licence",
            ),
            (404, "account_not_found", "Choose another account."),
            (404, "token_not_found", "It was deleted or purged"),
            (409, "token_active", "Revoke it first, then delete it."),
            (
                409,
                "secret_compromised",
                "Generate a new token first, then reactivate it.",
            ),
            (409, "account_deleted", "create a new token instead."),
            (
                409,
                "no_previous_secret",
                "No old secret of this token works any more.",
            ),
            (
                409,
                "conflict",
                "Somebody changed this token at the same moment. Try again.",
            ),
            (
                412,
                "version_mismatch",
                "Look at it again, then repeat your change.",
            ),
            (
                413,
                "body_too_large",
                "Shorten it, or list fewer resources.",
            ),
            (
                415,
                "unsupported_media_type",
                "Reload the page and try again.",
            ),
            (422, "validation_failed", "Correct the marked fields."),
            (
                422,
                "idempotency_key_reused",
                "This request was sent before with other entries. Try again.",
            ),
            (
                429,
                "",
                "Too many requests at once. Wait a moment, then try again.",
            ),
            // Without a `Retry-After`, the limit is the number of tokens.
            (
                429,
                "budget_exceeded",
                "This account has as many tokens as it may have.",
            ),
            (
                500,
                "internal_error",
                "report the request's id. Request req-1",
            ),
            (
                503,
                "unavailable",
                "The service is busy. Wait a moment, then try again.",
            ),
            (
                504,
                "",
                "The service is busy. Wait a moment, then try again.",
            ),
            (418, "brand_new", "report the request's id. Request req-1"),
        ];
        choose_action(browser, "Troubled", "Revoke API token").await;
        for (status, code, words) in problems {
            let body = if code.is_empty() {
                json!({"message": "gateway"})
            } else {
                json!({"code": code, "requestId": "req-1"})
            };
            browser
                .answer("/revoke", json!({"status": status, "body": body}))
                .await;
            browser.click(Button("Revoke")).await;
            browser.see(words).await;
        }
        browser.picture("error").await;
        // The message about a spent budget says when the next window starts.
        let spent = json!({"status": 429, "body": {"code": "budget_exceeded"}, "headers": {"retry-after": "1800"}});
        browser.answer("/revoke", spent).await;
        browser.click(Button("Revoke")).await;
        browser.see("This was done as often as is allowed in an hour.").await;
        let told = "document.querySelector('dialog .notice').innerText";
        let told = browser.eval(told).await;
        let told = told.as_str().unwrap_or_default().replace('\u{202f}', " ");
        let (_, when) = told.split_once("Try again at ").expect("a time");
        let (clock, when) = when.split_once(", in ").expect("a while");
        assert!(clock.ends_with('M') && clock.contains(':'), "{told}");
        assert!(when.starts_with("30 minutes.") || when.starts_with("31 minutes."), "{told}");

        // The failure of an entry is shown next to it, and doesn't repeat the entry.
        browser.answer("/revoke", Value::Null).await;
        browser.write(Field("Reason (optional)"), &secret).await;
        browser.click(Button("Revoke")).await;
        browser.see("Reason must not hold the secret of an API token").await;
        assert_eq!(browser.focused().await, "Reason (optional)");
        let invalid = "document.activeElement.getAttribute('aria-invalid')";
        assert_eq!(browser.eval(invalid).await, "true");
        assert_eq!(browser.places_of(&secret).await, json!(["fields"]));
        browser.picture("contains-secret").await;
        browser.click(Button("Cancel")).await;

        // If a list can't be read, the page offers a retry.
        browser
            .answer(
                "GET v1/accounts",
                json!({"status": 500, "body": {"code": "internal_error"}}),
            )
            .await;
        browser
            .go(&format!("{}?status=active", list(&account)))
            .await;
        browser.see("Something went wrong on our side.").await;
        browser.answer("GET v1/accounts", Value::Null).await;
        browser.click(Button("Try again")).await;
        browser.see_no("Something went wrong").await;

        // The page shows that a slow request is in progress.
        let slow = json!({"status": 503, "body": {"code": "unavailable"}, "delay": true});
        browser.answer("/revoke", slow).await;
        choose_action(browser, "Troubled", "Revoke API token").await;
        browser.click(Button("Revoke")).await;
        browser
            .until("document.querySelector('dialog .progress:not([hidden])')")
            .await;
        browser
            .until("document.querySelector('dialog button.working[aria-disabled=true]')")
            .await;
        browser.run("letGo()", &[]).await;
        browser.see("The service is busy.").await;
        browser
            .until("document.querySelector('dialog .progress[hidden]')")
            .await;
    })
    .await;
    assert_eq!(account.audit("action=revoke").await.len(), 0);
}

#[tokio::test]
async fn what_changes_elsewhere_is_noticed_when_one_comes_back() {
    let stack = Stack::from_env();
    let account = Account::create(&stack, "page-visible", "standard").await;
    let short = json!({"name": "Shown", "autoPurge": "1h", "scope": {"type": "full"}});
    let (id, _) = account.create_token(short).await;
    in_browser(&stack, async |browser| {
        let come_back = "document.dispatchEvent(new Event('visibilitychange'))";
        let new = format!("{}/tokens/new", list(&account));
        browser.enter(&account.administrator, &new).await;
        browser.write(Field("Name"), "Half typed").await;
        browser.see("Lifetimes beyond one hour need the API Management licence").await;

        // Developer mode and the licence are turned on elsewhere.
        let person = &account.administrator;
        let member = json!({"id": person.id, "email": person.email, "name": person.name, "role": "administrator", "developerMode": true});
        let profile = json!({"id": account.id, "name": "End-to-end", "plan": "enterprise", "apiManagement": true, "members": [member]});
        stack.publish("AccountUpserted", profile).await;
        eventually("the other profile", async || {
            let accounts = stack.api(Method::GET, "/v1/accounts").bearer_auth(&person.access);
            let accounts = send(accounts).await.expect(200);
            (accounts["accounts"][0]["developerMode"] == true).then_some(())
        })
        .await;
        browser.run(come_back, &[]).await;
        browser.see_no("Lifetimes beyond one hour need").await;
        assert_eq!(browser.eval("document.querySelector('[name=name]').value").await, "Half typed");
        browser.write(Field("Name"), "").await;
        browser.go(&format!("{}/tokens/{id}", list(&account))).await;
        browser.find(Button("Show token")).await;
        browser.see_no("Needs developer mode").await;
    })
    .await;
}
