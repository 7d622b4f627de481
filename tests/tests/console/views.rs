//! Every view in every look: accessible, and nothing cut.

use super::*;

/// Checks every view in light and dark mode, and in narrow and wide windows.
#[tokio::test]
async fn every_view_is_accessible() {
    let stack = Stack::from_env();
    let account = Account::create(&stack, "page-views", "enterprise").await;
    for (kind, id) in [
        ("connection", "con-crm"),
        ("export", "exp-orders"),
        ("import", "imp-one"),
        ("api", "api-one"),
    ] {
        account.add_resource(kind, id, None).await;
    }
    let custom = json!({"name": "Warehouse sync", "description": "Nightly export of the stock. Kept in the warehouse's vault, under integrations/stock.",
        "autoPurge": "30d", "scope": {"type": "custom", "exports": ["exp-orders"], "connections": ["con-crm"]}});
    let (id, secret) = account.create_token(custom).await;
    let (revoked, _) = account
        .create_token(full(
            "A contractor's import with quite a long name that has to wrap somewhere",
        ))
        .await;
    send(account.post(&account.owner, &format!("/tokens/{revoked}/revoke")))
        .await
        .expect(200);
    status_with(&account, &secret).await;
    let mut hostile = full("<img src=x onerror=alert(1)>");
    hostile["description"] = json!("<script>alert(2)</script>\n\u{5d0}\u{5d1}\u{5d2}");
    account.create_token(hostile).await;
    let (given_up, secret) = account.create_token(full("Given up by its holder")).await;
    give_up(&account, &secret).await;
    status_with(&account, &secret).await;
    let (replaced, _) = account.create_token(full("Replaced")).await;
    replace(&account, &replaced).await;
    in_browser(&stack, async |browser| {
        browser.open(&list(&account)).await;
        browser.find(Button("Sign in")).await;
        let mut findings = check(browser, "sign-in").await;
        browser.sign_in(&account.owner).await;
        browser.see("5 tokens").await;
        browser.see("<img src=x onerror=alert(1)>").await;
        assert_eq!(
            browser
                .eval("document.images.length + document.querySelectorAll('main script').length")
                .await,
            0
        );
        findings.extend(check(browser, "list").await);

        browser.click(Button("Actions for Warehouse sync")).await;
        browser
            .see("To delete this API token, revoke it first.")
            .await;
        findings.extend(check_open_menu(browser).await);
        for (token, action, name) in [
            ("Warehouse sync", "Revoke API token", "revoke"),
            ("Warehouse sync", "Generate new token", "generate"),
            ("Replaced", "End the old secret now", "retire"),
        ] {
            choose_action(browser, token, action).await;
            browser.find(Button("Cancel")).await;
            findings.extend(check(browser, name).await);
            browser.click(Button("Cancel")).await;
        }
        choose_action(browser, "Warehouse sync", "Show token").await;
        browser.find(Button("Copy token")).await;
        findings.extend(check(browser, "shown").await);
        browser.click(Button("Done")).await;

        browser.go(&format!("{}?q=none", list(&account))).await;
        browser.see("No token matches").await;
        findings.extend(check(browser, "no-match").await);
        browser
            .go(&format!("{}/tokens/{id}/edit", list(&account)))
            .await;
        browser.find(Button("Remove exp-orders")).await;
        findings.extend(check(browser, "edit").await);
        browser
            .go(&format!("{}/tokens/{given_up}", list(&account)))
            .await;
        browser.see("it never works again").await;
        findings.extend(check(browser, "compromised").await);
        browser
            .go(&format!("{}/tokens/{replaced}", list(&account)))
            .await;
        browser.find(Button("End the old secret now")).await;
        findings.extend(check(browser, "old-secret").await);
        browser.go(&format!("{}/tokens/new", list(&account))).await;
        browser.click(Field("Custom")).await;
        browser.click(Button("Save")).await;
        browser.see("Name is required.").await;
        findings.extend(check(browser, "create-errors").await);
        browser.click(Field("Full access")).await;
        browser.write(Field("Name"), "New").await;
        browser.choose(Field("Auto purge token"), "Never").await;
        findings.extend(check(browser, "create-full").await);
        browser.click(Button("Save")).await;
        browser.find(Button("Copy token")).await;
        findings.extend(check(browser, "handover").await);
        browser.click(Button("Done")).await;
        browser.click(Button("Done")).await;

        browser
            .go(&format!("{}/tokens/{given_up}/audit", list(&account)))
            .await;
        browser.see("A secret was tried and refused.").await;
        findings.extend(check(browser, "refused").await);
        browser.go(&format!("{}/apps/app-1", list(&account))).await;
        browser
            .see("This Integration App has no API tokens yet")
            .await;
        findings.extend(check(browser, "app-empty").await);
        browser.go("#/accounts/nobodys").await;
        browser.see("No such account").await;
        findings.extend(check(browser, "no-account").await);
        assert!(findings.is_empty(), "{}", findings.join("\n"));
    })
    .await;
}

/// The page for whoever was handed a token. It has no script.
#[tokio::test]
async fn the_guide_for_bearers_is_accessible() {
    let stack = Stack::from_env();
    in_browser(&stack, async |browser| {
        browser.open("docs").await;
        browser.find(Css("main h1")).await;
        for (width, dark) in [(1280, false), (1280, true), (320, false), (320, true)] {
            browser.look(width, dark).await;
            browser.picture(&format!("docs-{width}-{dark}")).await;
            fits(browser, "docs", width).await;
            let findings = browser.accessibility().await;
            assert!(findings.is_empty(), "{}", findings.join("\n"));
        }
        let skip = "document.querySelector('a[href=\"#main\"]')";
        browser.eval(&format!("{skip}.click()")).await;
        browser
            .until("document.querySelector('#main:target')")
            .await;
    })
    .await;
}

/// Checks the current view in every look, and that nothing overflows at the side.
pub(super) async fn check(browser: &Browser, view: &str) -> Vec<String> {
    let mut findings = Vec::new();
    for (width, dark, look) in [
        (1280, false, "wide"),
        (1280, true, "wide-dark"),
        (360, false, "narrow"),
        (360, true, "narrow-dark"),
    ] {
        browser.look(width, dark).await;
        browser.picture(&format!("{view}-{look}")).await;
        fits(browser, view, width).await;
        let found = browser.accessibility().await;
        // All elements in their hover state, so that the findings don't depend on the pointer's position.
        browser.hover(true).await;
        let hovered = browser.accessibility().await;
        browser.hover(false).await;
        findings.extend(
            found
                .into_iter()
                .chain(hovered)
                .map(|finding| format!("{view}, {look}: {finding}")),
        );
    }
    for width in [320, 800, 900, 2200] {
        browser.look(width, false).await;
        fits(browser, view, width).await;
    }
    browser.look(1280, false).await;
    findings
}

async fn fits(browser: &Browser, view: &str, width: u32) {
    let wide = browser.eval("document.documentElement.scrollWidth").await;
    assert!(
        wide.as_u64() <= Some(width.into()),
        "{view} is {wide} wide in {width}"
    );
    // What is fixed, and what is in a dialog, makes the page no wider. What is in a box that scrolls or cuts is inside.
    let outside = "
        const isBoxed = (element) => {
            for (let box = element.parentElement; box; box = box.parentElement) {
                if (getComputedStyle(box).overflowX !== 'visible') return true;
            }
            return false;
        };
        return [...document.querySelectorAll('body *')].filter((element) => {
            const { left, right } = element.getBoundingClientRect();
            return (left < -1 || right > innerWidth + 1) && element.checkVisibility() && !isBoxed(element);
        }).concat([...document.querySelectorAll('dialog')].filter((dialog) => dialog.scrollWidth > dialog.clientWidth))
            .map((element) => element.outerHTML.slice(0, 200));
    ";
    let outside = browser.run(outside, &[]).await;
    assert_eq!(outside, json!([]), "{view} in {width}");
}

/// Checks that names that can't be broken at a blank stay inside in every view that has one, where it is narrowest.
#[tokio::test]
async fn names_without_a_blank_fit_in_every_view() {
    let stack = Stack::from_env();
    let account = Account::create(&stack, "page-long", "enterprise").await;
    let long = |what: &str| format!("{what}{}", "withoutablank".repeat(8));
    let member = |person: &end_to_end::Person, role: &str| json!({"id": person.id, "email": person.email, "name": long(role), "role": role, "developerMode": true});
    let members = [
        member(&account.owner, "owner"),
        member(&account.monitor, "monitor"),
    ];
    let profile = json!({"id": account.id, "name": long("Account"), "plan": "enterprise", "apiManagement": false, "members": members});
    stack.publish("AccountUpserted", profile).await;
    eventually("the long names", async || {
        let accounts = stack
            .api(Method::GET, "/v1/accounts")
            .bearer_auth(&account.owner.access);
        let accounts = send(accounts).await.expect(200);
        (accounts["accounts"][0]["name"] == long("Account")).then_some(())
    })
    .await;
    account.add_integration("app-1", &long("App")).await;
    account.add_resource("export", "exp-1", Some("app-1")).await;
    let resource = json!({"accountId": account.id, "type": "export", "id": "exp-1", "name": long("Export"), "integrationId": "app-1"});
    stack.publish("ResourceUpserted", resource).await;
    let custom = json!({"name": long("Token"), "description": long("Description"), "kind": "integrationApp", "integrationId": "app-1",
        "autoPurge": "30d", "scope": {"type": "custom", "exports": ["exp-1"]}});
    let (id, _) = account.create_token(custom).await;
    let (deleted, _) = account.create_token(full(&long("Deleted"))).await;
    let revoke = account.post(&account.owner, &format!("/tokens/{deleted}/revoke"));
    send(revoke.json(&json!({"reason": long("Reason")})))
        .await
        .expect(200);
    in_browser(&stack, async |browser| {
        browser.look(320, false).await;
        browser.enter(&account.monitor, &list(&account)).await;
        browser.see("You may not see this page").await;
        fits(browser, "denied", 320).await;
        browser.click(Button("Sign out")).await;
        browser.enter(&account.owner, &list(&account)).await;
        for (route, sign) in [
            ("", "2 tokens"),
            ("?q=none", "No token matches"),
            ("/apps/app-1", "1 token"),
            ("/apps/app-1?status=revoked", "No token matches"),
            ("/apps/app-1/tokens/new", "Token permissions"),
            (&format!("/tokens/{id}/edit"), "1 chosen"),
            (&format!("/tokens/{id}"), "created it."),
            (&format!("/tokens/{deleted}"), "revoked it"),
            (
                &format!("/tokens/{}", long("tok_")),
                "There is no such token",
            ),
            ("/audit", " fields"),
            (&format!("/tokens/{id}/audit"), " fields"),
            ("/notifications", "Never waits for the daily mail"),
            (&long("-nobodys"), "No such account"),
        ] {
            browser.go(&format!("{}{route}", list(&account))).await;
            browser.see(sign).await;
            browser
                .picture(&format!("long{}", route.replace('/', "-")))
                .await;
            fits(browser, route, 320).await;
        }
        for what in ["revoke", "regenerate", "show"] {
            browser
                .go(&format!("{}/tokens/{id}?do={what}", list(&account)))
                .await;
            browser.find(Button("Cancel")).await;
            fits(browser, what, 320).await;
            if what == "show" {
                browser.click(Button("Show token")).await;
                browser.find(Button("Copy token")).await;
                fits(browser, "handover", 320).await;
                browser.click(Button("Done")).await;
            } else {
                browser.click(Button("Cancel")).await;
            }
            browser.until("!document.querySelector('dialog')").await;
        }
        browser.go(&list(&account)).await;
        browser.see("2 tokens").await;
        browser
            .click(Field("Select all active tokens on this page"))
            .await;
        browser.click(Button("Revoke…")).await;
        browser.see("Revoke 1 API token").await;
        fits(browser, "bulk", 320).await;
        browser.click(Button("Cancel")).await;
        choose_action(browser, &long("Deleted"), "Delete API token").await;
        fits(browser, "delete", 320).await;
        browser.click(Button("Delete")).await;
        browser.find(Css(".toast")).await;
        browser.picture("long-toast").await;
        fits(browser, "toast", 320).await;
        // The outline of what has the focus is seen on the toast's own background.
        let outline = "
            const button = document.querySelector('.toast button');
            button.focus({ focusVisible: true });
            const { color, outlineColor, outlineStyle } = getComputedStyle(button);
            return outlineStyle !== 'none' && color === outlineColor;
        ";
        assert_eq!(browser.run(outline, &[]).await, true);
        browser.look(1280, false).await;
    })
    .await;
}

/// Checks that what is chosen is told without colors of the page's own, as some people need it.
#[tokio::test]
async fn what_is_chosen_is_seen_without_the_pages_colors() {
    let stack = Stack::from_env();
    let account = Account::create(&stack, "page-forced", "enterprise").await;
    let forever = json!({"name": "Forever", "autoPurge": "never", "scope": {"type": "full"}});
    let (id, _) = account.create_token(forever).await;
    replace(&account, &id).await;
    in_browser(&stack, async |browser| {
        let forced = json!({"features": [{"name": "forced-colors", "value": "active"}, {"name": "prefers-reduced-motion", "value": "reduce"}]});
        browser.with_answers().await;
        browser.enter(&account.owner, &format!("{}/notifications", list(&account))).await;
        browser.devtools("Emulation.setEmulatedMedia", forced).await;
        let apps: Vec<_> = (1..=30).map(|number| json!({"id": format!("app-{number}"), "name": format!("App {number}")})).collect();
        browser.answer(&format!("GET v1/accounts/{}/integrations", account.id), json!({"status": 200, "body": {"integrations": apps, "nextCursor": null}})).await;
        browser.go(&list(&account)).await;
        // Lines differ, not only backgrounds and shadows.
        let differ = |chosen: &str, other: &str| format!(
            "(() => {{
                const lines = (element) => {{
                    const {{ borderBottomColor, borderBottomWidth, outlineColor, outlineStyle, outlineWidth }} = getComputedStyle(element);
                    return [borderBottomColor, borderBottomWidth, outlineStyle === 'none' ? '' : [outlineColor, outlineWidth]].join();
                }};
                const [chosen, other] = [{chosen}, {other}].map((each) => document.querySelector(each));
                return chosen && other && lines(chosen) !== lines(other);
            }})()",
            chosen = json!(chosen), other = json!(other),
        );
        browser.click(Button("1 full access, never ending")).await;
        browser.until(&differ(".part[aria-pressed=true]:not(:focus-visible)", ".part[aria-pressed=false]")).await;
        browser.write(Field("Integration App"), "App").await;
        browser.until(&differ("[role=option][data-active]", "[role=option]:not([data-active])")).await;
        browser.picture("forced-list").await;
        browser.press("\u{e00c}").await;
        let bar = "getComputedStyle(document.querySelector('.progress'), '::before').backgroundColor";
        let page = browser.eval("getComputedStyle(document.body).backgroundColor").await;
        assert_ne!(browser.eval(bar).await, page);
        choose_action(browser, "Forever", "Show token").await;
        browser.find(Button("Copy token")).await;
        browser.until(&differ("[role=tab][aria-selected=true]", "[role=tab][aria-selected=false]")).await;
        browser.picture("forced-tabs").await;
    })
    .await;
}

/// Checks an open menu in the current look only, since it closes when the window changes.
async fn check_open_menu(browser: &Browser) -> Vec<String> {
    let mut found = Vec::new();
    for (dark, look) in [(true, "wide-dark"), (false, "wide")] {
        browser.scheme(dark).await;
        browser.picture(&format!("menu-{look}")).await;
        found.extend(browser.accessibility().await);
        browser.hover(true).await;
        found.extend(browser.accessibility().await);
        // The checker skips disabled items, but their reason must be readable.
        let plain = "
            const disabled = [...document.querySelectorAll('.menu:popover-open [aria-disabled=true]')];
            return disabled.length > 0
                && disabled.every((item) => getComputedStyle(item).backgroundColor === 'rgba(0, 0, 0, 0)');
        ";
        assert_eq!(browser.run(plain, &[]).await, true, "{look}");
        browser.hover(false).await;
    }
    browser.press("\u{e00c}").await;
    found
        .into_iter()
        .map(|finding| format!("menu: {finding}"))
        .collect()
}
