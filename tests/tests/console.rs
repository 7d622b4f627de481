//! The API tokens page, in a real browser.

use std::time::Duration;

use end_to_end::Target::{Button, Css, Field};
use end_to_end::{Account, Browser, Stack, eventually, in_browser, send};
use reqwest::Method;
use serde_json::{Value, json};

fn full(name: &str) -> Value {
    json!({"name": name, "autoPurge": "30d", "scope": {"type": "full"}})
}

fn list(account: &Account) -> String {
    format!("#/accounts/{}", account.id)
}

/// The names in the list, from top to bottom.
const NAMES: &str =
    "[...document.querySelectorAll('.tokens tbody .name')].map((e) => e.textContent)";

async fn names(browser: &Browser, names: &[&str]) {
    let names = json!(names).to_string();
    browser
        .until(&format!("JSON.stringify({NAMES}) === {}", json!(names)))
        .await;
}

async fn choose_action(browser: &Browser, token: &str, action: &str) {
    browser.click(Button(&format!("Actions for {token}"))).await;
    browser.click(Button(action)).await;
}

async fn token(account: &Account, id: &str) -> Value {
    let answer = send(account.get(&account.owner, &format!("/tokens/{id}"))).await;
    answer.expect(200)
}

/// The status with which an API behind the authorizer answers a secret.
async fn status_with(account: &Account, secret: &str) -> u16 {
    let call = account.stack.protected(Method::GET, "/v1/connections");
    send(call.bearer_auth(secret)).await.status
}

/// Revokes a secret permanently, as its holder can.
async fn give_up(account: &Account, secret: &str) {
    let revoke = account.stack.api(Method::POST, "/v1/revoke");
    send(revoke.form(&[("token", secret)])).await.expect(200);
}

/// Replaces a token's secret with a grace period of one hour. Returns the new secret.
async fn replace(account: &Account, id: &str) -> String {
    let regenerate = account.post(&account.owner, &format!("/tokens/{id}/regenerate"));
    let answer = send(regenerate.json(&json!({"gracePeriodSeconds": 3600}))).await;
    let secret = answer.expect(200)["secret"].take();
    secret.as_str().expect("a secret").to_owned()
}

/// Checks the files that a browser loads through the gateway to show the page.
#[tokio::test]
async fn the_page_is_open_to_everybody_closed_to_strangers_and_small() {
    let stack = Stack::from_env();
    let load = async |path: &str| {
        let request = stack
            .api(Method::GET, path)
            .header("accept-encoding", "gzip");
        let answer = request.send().await.expect("an answer");
        let status = answer.status().as_u16();
        let headers = answer.headers().clone();
        (status, headers, answer.bytes().await.expect("a body"))
    };
    let page = send(stack.api(Method::GET, "/")).await;
    assert_eq!(page.status, 200);
    let policy = page.header("content-security-policy");
    let token_endpoint = format!("connect-src 'self' {};", stack.get("endpointUrl"));
    assert!(policy.contains(&token_endpoint), "{policy}");
    assert!(!policy.contains("unsafe"), "{policy}");
    let named = page.text.split("=\"assets/").skip(1);
    let files = named.filter_map(|rest| Some(format!("/assets/{}", rest.split('"').next()?)));
    let mut total = 0;
    for path in files.chain(["/".to_owned(), "/config.json".to_owned()]) {
        let (status, headers, body) = load(&path).await;
        assert_eq!(status, 200, "{path}");
        assert_eq!(headers["content-encoding"], "gzip", "{path}");
        assert_eq!(headers["content-security-policy"], policy, "{path}");
        assert_eq!(headers["x-content-type-options"], "nosniff", "{path}");
        total += body.len();
    }
    assert!(total < 100_000, "{total} bytes");
    let tag = page.header("etag");
    let again = stack.api(Method::GET, "/").header("if-none-match", tag);
    assert_eq!(send(again).await.status, 304);
    let config = send(stack.api(Method::GET, "/config.json"))
        .await
        .expect(200);
    assert_eq!(config["clientId"], stack.get("clientId"));
    // Other paths, such as those of the API, don't return the page.
    for (path, status) in [
        ("/assets/old/app.js", 404),
        ("/index.html", 404),
        ("/v1/accounts", 401),
    ] {
        assert_eq!(load(path).await.0, status, "{path}");
    }
}

mod in_the_browser {
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
            browser.click(Button("Close")).await;
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
    async fn a_token_is_created_and_its_secret_copied_once() {
        let stack = Stack::from_env();
        let account = Account::create(&stack, "page-create", "enterprise").await;
        for (kind, id) in [
            ("connection", "con-crm"),
            ("export", "exp-orders"),
            ("export", "exp-stock"),
            ("import", "imp-one"),
            ("api", "api-one"),
        ] {
            account.add_resource(kind, id, None).await;
        }
        account
            .add_resource("export", "exp-app", Some("app-1"))
            .await;
        in_browser(&stack, async |browser| {
            browser.allow_clipboard().await;
            browser.with_answers().await;
            browser.enter(&account.owner, &list(&account)).await;
            browser.click(Button("Create API token")).await;

            // The server's failures are shown next to their fields.
            browser.click(Button("Save")).await;
            browser.see("Some entries are not valid.").await;
            browser.see("Name is required.").await;
            browser.see("Auto purge token is required.").await;
            browser.see("Scope is required.").await;
            assert_eq!(browser.focused().await, "Name");
            let invalid = "document.activeElement.getAttribute('aria-invalid')";
            assert_eq!(browser.eval(invalid).await, "true");
            browser.picture("create-errors").await;

            browser.write(Field("Name"), "Stock reader").await;
            browser
                .write(Field("Description"), "Kept in the warehouse's vault")
                .await;
            browser.choose(Field("Auto purge token"), "4 days").await;
            browser.click(Field("Custom")).await;
            browser.write(Field("Search Exports"), "stock").await;
            browser
                .until("document.querySelectorAll('[aria-label=Exports] li').length === 1")
                .await;
            browser.click(Css("input[value=exp-stock]")).await;
            browser.write(Field("Search Exports"), "").await;
            browser.click(Css("input[value=exp-orders]")).await;
            browser.click(Css("input[value=con-crm]")).await;
            browser.find(Button("Remove exp-stock")).await;
            browser.click(Button("Remove exp-orders")).await;
            browser
                .until("!document.querySelector('input[value=exp-orders]').checked")
                .await;
            browser
                .write(Field("Allowed addresses"), "192.0.2.7/24 127.0.0.0/8")
                .await;
            browser.picture("create").await;
            browser.click(Button("Save")).await;
            browser
                .see("“192.0.2.7/24” has bits set behind its length; `192.0.2.0/24` is the range.")
                .await;
            browser
                .write(Field("Allowed addresses"), "127.0.0.0/8")
                .await;

            // The answer is lost. The input stays, and no second token is created.
            browser
                .answer("POST v1/accounts", json!({"lost": true}))
                .await;
            browser.click(Button("Save")).await;
            browser.see("Latchkey could not be reached.").await;
            browser.answer("POST v1/accounts", Value::Null).await;
            browser.click(Button("Save")).await;
            browser.see("An earlier attempt succeeded").await;
            browser.click(Button("Done")).await;
            browser.see("Edit API token").await;

            // Another token, whose answer arrives.
            browser.click(Button("API tokens")).await;
            names(browser, &["Stock reader"]).await;
            browser.click(Button("Create API token")).await;
            browser.write(Field("Name"), "Runner").await;
            browser.click(Field("Integration App token")).await;
            browser.write(Field("Integration App"), "app-1").await;
            browser.choose(Field("Auto purge token"), "30 days").await;
            browser.click(Field("Custom")).await;
            browser.click(Css("input[value=exp-app]")).await;
            assert_eq!(
                browser
                    .eval(
                        "document.querySelectorAll('.picker:not([hidden]) .options input').length"
                    )
                    .await,
                1
            );
            browser.click(Button("Save & close")).await;
            browser.see("API token created").await;
            browser.picture("created").await;
            // Closing without copying asks for confirmation.
            browser.click(Button("Done")).await;
            browser.see("You have not copied the token yet.").await;
            browser.click(Button("Copy token")).await;
            browser.see("The token is in your clipboard.").await;
            let secret = browser.clipboard().await;
            assert!(secret.starts_with("lki_") && secret.len() == 53);
            assert_eq!(browser.places_of(&secret).await, json!(["fields"]));
            browser.click(Button("Done")).await;
            names(browser, &["Runner", "Stock reader"]).await;
            assert_eq!(browser.places_of(&secret).await, json!([]));
        })
        .await;
        let answer = send(account.get(&account.owner, "/tokens"))
            .await
            .expect(200);
        let tokens = answer["tokens"].as_array().expect("tokens");
        assert_eq!(tokens.len(), 2);
        assert_eq!(tokens[0]["scope"]["exports"], json!(["exp-app"]));
        assert_eq!(
            tokens[1]["scope"],
            json!({"type": "custom", "connections": ["con-crm"], "exports": ["exp-stock"], "imports": [], "apis": []})
        );
        assert_eq!(tokens[1]["allowedCidrs"], json!(["127.0.0.0/8"]));
        assert_eq!(tokens[1]["description"], "Kept in the warehouse's vault");
        assert_eq!(account.audit("action=create").await[0]["source"], "ui");
    }

    #[tokio::test]
    async fn what_the_licence_forbids_is_shown_and_explained() {
        let stack = Stack::from_env();
        let account = Account::create(&stack, "page-licence", "standard").await;
        in_browser(&stack, async |browser| {
            browser.enter(&account.administrator, &format!("{}/tokens/new", list(&account))).await;
            browser.see("Lifetimes beyond one hour need the API Management licence").await;
            let choices = "[...document.querySelector('[name=autoPurge]').options].map((o) => `${o.text} ${o.disabled}`)";
            assert_eq!(
                browser.eval(choices).await,
                json!([
                    "Choose… false",
                    "Never (needs API Management) true",
                    "1 hour false",
                    "4 hours (needs API Management) true",
                    "1 day (needs API Management) true",
                    "4 days (needs API Management) true",
                    "10 days (needs API Management) true",
                    "30 days (needs API Management) true",
                ])
            );
            browser.click(Field("Integration App token")).await;
            assert_eq!(browser.eval(&format!("{choices}[1]")).await, "Never (not for Integration Apps) true");
            browser.click(Field("Account token")).await;
            browser.write(Field("Name"), "Short").await;
            browser.choose(Field("Auto purge token"), "1 hour").await;
            browser.click(Field("Full access")).await;
            browser.click(Button("Save & close")).await;
            // The administrator has no developer mode, so the secret is shown only now.
            browser.see("You will not be able to see it again").await;
            browser.click(Button("Done")).await;
            browser.click(Button("Done")).await;
            names(browser, &["Short"]).await;
            let show = browser.find(Button("Show token Short")).await;
            assert_eq!(show.attr("aria-disabled").await.expect("an attribute").as_deref(), Some("true"));
            let why = "document.getElementById(document.querySelector('button.show').getAttribute('aria-describedby')).textContent";
            assert!(browser.eval(why).await.as_str().is_some_and(|why| why.starts_with("Needs developer mode")));
        })
        .await;
    }

    #[tokio::test]
    async fn an_edit_survives_conflicts_lost_connections_and_ended_sessions() {
        let stack = Stack::from_env();
        let account = Account::create(&stack, "page-edit", "enterprise").await;
        account.add_resource("export", "exp-1", None).await;
        let (id, _) = account.create_token(full("Before")).await;
        let path = format!("/tokens/{id}");
        in_browser(&stack, async |browser| {
            browser.with_answers().await;
            browser.enter(&account.owner, &list(&account)).await;
            // Going back shows the list as it was left.
            browser.choose(Field("Status"), "Active").await;
            browser.until("location.hash.endsWith('?status=active')").await;
            names(browser, &["Before"]).await;
            choose_action(browser, "Before", "Edit API token").await;
            browser.see("Edit API token").await;
            browser.click(Button("Cancel")).await;
            names(browser, &["Before"]).await;
            assert_eq!(browser.eval("document.querySelector('[name=status]').value").await, "active");
            choose_action(browser, "Before", "Edit API token").await;
            browser.see("Edit API token").await;
            let keep = "document.querySelector('[name=autoPurge]').selectedOptions[0].text";
            let keep = browser.eval(keep).await;
            let keep = keep.as_str().unwrap_or_default();
            assert!(keep.starts_with("Keep: gone in "), "{keep}");

            // A concurrent change is faster.
            let theirs = account.request(Method::PATCH, &account.administrator, &path);
            send(theirs.json(&json!({"description": "From elsewhere"}))).await.expect(200);
            browser.write(Field("Name"), "Mine").await;
            browser.click(Button("Save")).await;
            browser.see("changed this token in the meantime (description).").await;
            browser.picture("conflict").await;
            assert_eq!(browser.eval("document.querySelector('[name=description]').value").await, "From elsewhere");
            assert_eq!(browser.eval("document.querySelector('[name=name]').value").await, "Mine");
            browser.click(Button("Save")).await;
            browser.see("Saved.").await;
            assert_eq!(token(&account, &id).await["name"], "Mine");
            assert_eq!(token(&account, &id).await["description"], "From elsewhere");

            // There is no connection.
            browser.write(Field("Description"), "Typed on a train").await;
            browser.offline(true).await;
            browser.click(Button("Save")).await;
            browser.see("Latchkey could not be reached. Check your connection, then try again; nothing you typed is lost.").await;
            browser.offline(false).await;
            browser.click(Button("Save")).await;
            browser.see_no("could not be reached").await;
            eventually("the saved text", async || {
                (token(&account, &id).await["description"] == "Typed on a train").then_some(())
            })
            .await;

            // Leaving asks for confirmation.
            browser.write(Field("Name"), "Half finished").await;
            browser.click(Button("API tokens")).await;
            browser.see("Discard your changes?").await;
            browser.click(Button("Cancel")).await;
            assert_eq!(browser.eval("document.querySelector('[name=name]').value").await, "Half finished");

            // The session has ended.
            browser.answer("PATCH v1/accounts", json!({"status": 401, "body": {"message": "Unauthorized"}})).await;
            browser.click(Button("Save")).await;
            browser.see("Your session has ended").await;
            browser.picture("session-ended").await;
            browser.sign_in(&account.owner).await;
            browser.see("What you had typed is back").await;
            assert_eq!(browser.eval("document.querySelector('[name=name]').value").await, "Half finished");
            browser.click(Field("Custom")).await;
            browser.click(Css("input[value=exp-1]")).await;
            browser.click(Button("Save & close")).await;
            names(browser, &["Half finished"]).await;
        })
        .await;
        let after = token(&account, &id).await;
        assert_eq!(after["scope"]["exports"], json!(["exp-1"]));
        assert_eq!(after["autoPurge"], "30d");
    }

    #[tokio::test]
    async fn a_shown_token_is_announced_copied_and_masked_again() {
        let stack = Stack::from_env();
        let account = Account::create(&stack, "page-show", "enterprise").await;
        let (id, secret) = account.create_token(full("Shown")).await;
        in_browser(&stack, async |browser| {
            browser.allow_clipboard().await;
            browser.with_clock().await;
            browser.enter(&account.owner, &list(&account)).await;
            let told = "document.getElementById(document.querySelector('button.show').getAttribute('aria-describedby')).textContent";
            browser.find(Button("Show token Shown")).await;
            assert_eq!(browser.eval(told).await, "The viewing is recorded, and the account's administrators are notified.");
            browser.click(Button("Show token Shown")).await;
            browser.see("The token is shown for 30 seconds. The viewing is recorded, and the account's administrators are notified.").await;
            assert_eq!(browser.focused().await, "Copy token Shown");
            assert_eq!(browser.places_of(&secret).await, json!(["fields"]));
            browser.picture("shown").await;
            browser.click(Button("Copy token Shown")).await;
            browser.see("The token is in your clipboard.").await;
            assert_eq!(browser.clipboard().await, secret);

            browser.advance(Duration::from_secs(18)).await;
            assert_eq!(browser.places_of(&secret).await, json!(["fields"]));
            browser.advance(Duration::from_secs(12)).await;
            browser.see("The token is masked again.").await;
            assert_eq!(browser.places_of(&secret).await, json!([]));
            assert_eq!(browser.focused().await, "Show token Shown");

            // The secret is also hidden by the button and at the end of the session.
            browser.click(Button("Show token Shown")).await;
            browser.click(Button("Mask the token")).await;
            assert_eq!(browser.places_of(&secret).await, json!([]));
            assert!(browser.console().await.iter().all(|line| !line.contains(&secret)));
        })
        .await;
        let views = account.audit("action=view").await;
        assert_eq!(views.len(), 2);
        assert!(
            views
                .iter()
                .all(|view| view["source"] == "ui" && view["resource"]["id"] == id)
        );
        eventually("the mails about the viewings", async || {
            let mails = account.mails_to(&account.administrator).await;
            let shown = mails.iter().filter(|mail| {
                mail["Subject"]
                    .as_str()
                    .is_some_and(|s| s.contains("shown in plain text"))
            });
            (shown.count() == 2).then_some(())
        })
        .await;
    }

    #[tokio::test]
    async fn a_token_is_revoked_reactivated_replaced_and_deleted() {
        let stack = Stack::from_env();
        let account = Account::create(&stack, "page-life", "enterprise").await;
        let (id, secret) = account.create_token(full("Partner")).await;
        assert_eq!(status_with(&account, &secret).await, 200);
        in_browser(&stack, async |browser| {
            browser.allow_clipboard().await;
            browser.enter(&account.owner, &list(&account)).await;
            browser.click(Button("Actions for Partner")).await;
            browser.see("To delete this API token, revoke it first.").await;
            browser.picture("menu").await;
            browser.click(Button("Delete API token")).await;
            browser.find(Button("Delete API token")).await;
            browser.click(Button("Revoke API token")).await;
            browser.see("are refused from the next request on. Whatever uses it stops working: Full access.").await;
            browser.see("It was last used ").await;
            browser.see(" from 127.0.0.1.").await;
            browser.write(Field("Reason (optional)"), "The partner has left").await;
            browser.picture("revoke").await;
            browser.click(Button("Revoke")).await;
            browser.see("“Partner” is revoked.").await;
            browser.until("document.querySelector('.badge.revoked')").await;
            assert_eq!(browser.focused().await, "Actions for Partner");
            assert_eq!(status_with(&account, &secret).await, 403);

            choose_action(browser, "Partner", "Generate new token").await;
            browser.see("A revoked token gets none.").await;
            browser.click(Button("Cancel")).await;
            choose_action(browser, "Partner", "Reactivate token").await;
            browser.see("work again at once, with the same secret").await;
            browser.see("“The partner has left”").await;
            browser.click(Button("Reactivate")).await;
            browser.until("document.querySelector('.badge.active')").await;
            assert_eq!(status_with(&account, &secret).await, 200);

            choose_action(browser, "Partner", "Generate new token").await;
            browser.see("stops working when the grace period ends").await;
            browser.choose(Field("Grace period of the old token"), "1 hour").await;
            browser.click(Button("Generate")).await;
            browser.see("New token generated").await;
            browser.click(Button("Copy token")).await;
            browser.see("The token is in your clipboard.").await;
            let new = browser.clipboard().await;
            browser.click(Button("Done")).await;
            assert_ne!(new, secret);
            assert_eq!(status_with(&account, &new).await, 200);
            assert_eq!(status_with(&account, &secret).await, 200);

            choose_action(browser, "Partner", "Revoke API token").await;
            browser.click(Button("Revoke")).await;
            browser.until("document.querySelector('.badge.revoked')").await;
            choose_action(browser, "Partner", "Delete API token").await;
            browser.see("is deleted for good and can't be reactivated. Its audit log stays.").await;
            browser.click(Button("Delete")).await;
            browser.see("This account has no API tokens yet").await;
            assert_eq!(status_with(&account, &new).await, 403);

            // A deleted token keeps its log.
            browser.go(&format!("{}/tokens/{id}", list(&account))).await;
            browser.see("This token no longer exists.").await;
            browser.click(Button("View its audit log")).await;
            browser.see("The partner has left").await;
        })
        .await;
    }

    #[tokio::test]
    async fn an_old_secret_is_seen_until_it_ends_and_can_be_ended_before() {
        let stack = Stack::from_env();
        let account = Account::create(&stack, "page-grace", "enterprise").await;
        let (id, old) = account.create_token(full("Partner")).await;
        let new = replace(&account, &id).await;
        let (edited, _) = account.create_token(full("Edited")).await;
        replace(&account, &edited).await;
        let (other, _) = account.create_token(full("Runs out")).await;
        replace(&account, &other).await;
        let end = token(&account, &id).await["previousSecret"]["validUntil"].take();
        in_browser(&stack, async |browser| {
            browser.with_clock().await;
            browser.enter(&account.owner, &list(&account)).await;
            names(browser, &["Runs out", "Edited", "Partner"]).await;
            let told = format!("The old secret …{} works until ", old.split_at(old.len() - 4).1);
            browser.see(&told).await;
            let row = format!("document.querySelector('[data-token=\"{id}\"] .old-secret')");
            assert_eq!(browser.eval(&format!("{row}.querySelector('time').dateTime")).await, end);
            browser.picture("old-secret").await;

            // Another revocation, or another new secret, would end the replaced secret too.
            choose_action(browser, "Partner", "Revoke API token").await;
            browser.see("ends for good: no reactivation brings it back.").await;
            browser.click(Button("Cancel")).await;
            choose_action(browser, "Partner", "Generate new token").await;
            browser.see("ends at once: a token has one old secret at most.").await;
            browser.click(Button("Cancel")).await;

            // A concurrent change of the token: the secret that is ended must be the one that is shown.
            let rename = account.request(Method::PATCH, &account.administrator, &format!("/tokens/{id}"));
            send(rename.json(&json!({"name": "Renamed"}))).await.expect(200);
            choose_action(browser, "Partner", "End the old secret now").await;
            browser.see("Whatever still uses it stops working.").await;
            browser.click(Button("End it now")).await;
            browser.see("This token was changed in the meantime.").await;
            assert_eq!(status_with(&account, &old).await, 200);
            browser.click(Button("Cancel")).await;
            names(browser, &["Runs out", "Edited", "Renamed"]).await;
            choose_action(browser, "Renamed", "End the old secret now").await;
            browser.click(Button("End it now")).await;
            browser.see("The old secret of “Renamed” has ended.").await;
            browser.until(&format!("!{row}")).await;
            assert_eq!(browser.focused().await, "Actions for Renamed");
            assert_eq!(status_with(&account, &old).await, 403);
            assert_eq!(status_with(&account, &new).await, 200);
            browser.click(Button("Actions for Renamed")).await;
            browser.find(Button("Revoke API token")).await;
            let offered = "[...document.querySelectorAll('.menu:popover-open [role=menuitem]')].map((e) => e.getAttribute('aria-label'))";
            let offered = browser.eval(offered).await;
            assert!(!offered.to_string().contains("old secret"), "{offered}");
            browser.press("\u{e00c}").await;

            // The same on the edit page; the input stays.
            browser.go(&format!("{}/tokens/{edited}", list(&account))).await;
            browser.write(Field("Name"), "Typed before").await;
            browser.click(Button("End the old secret now")).await;
            browser.see("Whatever still uses it stops working.").await;
            browser.click(Button("End it now")).await;
            browser.see("The old secret of “Edited” has ended.").await;
            browser.see_no("works until").await;
            browser.click(Button("Save & close")).await;
            names(browser, &["Runs out", "Typed before", "Renamed"]).await;

            // At the end of its grace period, it disappears by itself.
            browser.advance(Duration::from_secs(3600)).await;
            browser.see("The old secret of “Runs out” has ended: its grace period is over.").await;
            browser.until("!document.querySelector('.old-secret')").await;
        })
        .await;
        let retired = account.audit("action=retire").await;
        let of: Vec<_> = retired.iter().map(|it| &it["resource"]["id"]).collect();
        assert_eq!(of, [&json!(id), &json!(edited)]);
        assert!(retired.iter().all(|it| it["source"] == "ui"), "{retired:?}");
    }

    #[tokio::test]
    async fn a_compromised_secret_is_said_plainly_and_needs_a_new_one() {
        let stack = Stack::from_env();
        let account = Account::create(&stack, "page-compromised", "enterprise").await;
        let (id, secret) = account.create_token(full("Given up")).await;
        give_up(&account, &secret).await;
        in_browser(&stack, async |browser| {
            browser.allow_clipboard().await;
            browser.enter(&account.owner, &list(&account)).await;
            browser.see("Secret compromised").await;
            // The token itself was the actor, and isn't shown as a person.
            let by = "document.querySelector('.tokens .by .badge').textContent";
            assert_eq!(browser.eval(by).await, "token");
            browser.click(Button("Actions for Given up")).await;
            browser.see("Its secret is compromised and never works again: generate a new token first.").await;
            let item = "document.querySelector('[role=menuitem][aria-label=\"Reactivate token\"]')";
            assert_eq!(browser.eval(&format!("{item}.getAttribute('aria-disabled')")).await, "true");
            browser.click(Button("Reactivate token")).await;
            browser.find(Button("Reactivate token")).await;
            browser.picture("menu-compromised").await;
            browser.press("\u{e00c}").await;

            // The edit page offers a new secret.
            browser.go(&format!("{}/tokens/{id}", list(&account))).await;
            browser.see("The secret of this token is compromised.").await;
            browser.click(Button("Generate new token")).await;
            browser.see("The secret that it has now never works again.").await;
            browser.click(Button("Generate")).await;
            browser.see("New token generated").await;
            browser.click(Button("Copy token")).await;
            browser.see("The token is in your clipboard.").await;
            let new = browser.clipboard().await;
            browser.click(Button("Done")).await;
            browser.see_no("The secret of this token is compromised.").await;
            browser.click(Button("API tokens")).await;
            choose_action(browser, "Given up", "Reactivate token").await;
            browser.click(Button("Reactivate")).await;
            browser.until("document.querySelector('.badge.active')").await;
            browser.see_no("Secret compromised").await;
            assert_eq!(status_with(&account, &new).await, 200);
            assert_eq!(status_with(&account, &secret).await, 403);

            // A page with an outdated token shows an error, and then the current state.
            send(account.post(&account.owner, &format!("/tokens/{id}/revoke"))).await.expect(200);
            browser.go("#/").await;
            browser.until("document.querySelector('.badge.revoked')").await;
            give_up(&account, &new).await;
            choose_action(browser, "Given up", "Reactivate token").await;
            browser.click(Button("Reactivate")).await;
            browser.see("The secret of this token is compromised: it never works again. Generate a new token first, then reactivate it.").await;
            browser.click(Button("Cancel")).await;
            browser.see("Secret compromised").await;
        })
        .await;
    }

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
                    .eval(
                        "document.images.length + document.querySelectorAll('main script').length"
                    )
                    .await,
                0
            );
            findings.extend(check(browser, "list").await);

            browser.click(Button("Show token Warehouse sync")).await;
            browser.find(Button("Copy token Warehouse sync")).await;
            findings.extend(check(browser, "shown").await);
            browser.click(Button("Mask the token")).await;

            browser.click(Button("Actions for Warehouse sync")).await;
            browser
                .see("To delete this API token, revoke it first.")
                .await;
            findings.extend(check_open_menu(browser).await);
            for (action, name) in [
                ("Revoke API token", "revoke"),
                ("Generate new token", "generate"),
            ] {
                choose_action(browser, "Warehouse sync", action).await;
                browser.find(Button("Cancel")).await;
                findings.extend(check(browser, name).await);
                browser.click(Button("Cancel")).await;
            }

            choose_action(browser, "Replaced", "End the old secret now").await;
            browser.find(Button("Cancel")).await;
            findings.extend(check(browser, "retire").await);
            browser.click(Button("Cancel")).await;

            browser.go(&format!("{}?q=none", list(&account))).await;
            browser.see("No token matches").await;
            findings.extend(check(browser, "no-match").await);
            browser.go(&format!("{}/tokens/{id}", list(&account))).await;
            browser.find(Button("Remove exp-orders")).await;
            findings.extend(check(browser, "edit").await);
            browser
                .go(&format!("{}/tokens/{given_up}", list(&account)))
                .await;
            browser
                .see("The secret of this token is compromised.")
                .await;
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
            browser.choose(Field("Auto purge token"), "1 day").await;
            browser.click(Button("Save")).await;
            browser.find(Button("Copy token")).await;
            findings.extend(check(browser, "handover").await);
            browser.click(Button("Done")).await;
            browser.click(Button("Done")).await;
            browser.see("Edit API token").await;

            browser
                .go(&format!("{}/tokens/{id}/audit", list(&account)))
                .await;
            browser
                .until("document.querySelector('.audit tbody tr')")
                .await;
            findings.extend(check(browser, "audit").await);
            browser.click(Button("Close")).await;
            browser
                .go(&format!("{}/tokens/{given_up}/audit", list(&account)))
                .await;
            browser.see("A secret was tried and refused.").await;
            findings.extend(check(browser, "refused").await);
            browser.click(Button("Close")).await;
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

    /// Checks the current view in every look, and that nothing overflows at the side.
    async fn check(browser: &Browser, view: &str) -> Vec<String> {
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

    /// From the sign-in to a created, copied and revoked token, without a pointer.
    #[tokio::test]
    async fn the_keyboard_is_enough() {
        const TAB: &str = "\u{e004}";
        const ENTER: &str = "\u{e007}";
        const SPACE: &str = " ";
        const DOWN: &str = "\u{e015}";
        const ESCAPE: &str = "\u{e00c}";
        let stack = Stack::from_env();
        let account = Account::create(&stack, "page-keys", "enterprise").await;
        account.add_resource("export", "exp-1", None).await;
        in_browser(&stack, async |browser| {
            browser.allow_clipboard().await;
            browser.open(&list(&account)).await;
            browser.find(Button("Sign in")).await;
            tab_to(browser, "Sign in").await;
            browser.press(ENTER).await;
            // The provider's page focuses its first field.
            browser.find(Field("Username")).await;
            browser.press(&format!("{}{TAB}{}{ENTER}", account.owner.email, end_to_end::PASSWORD)).await;
            browser.see("This account has no API tokens yet").await;
            tab_to(browser, "Create API token").await;
            browser.press(ENTER).await;
            browser.see("Token permissions").await;
            assert_eq!(browser.focused().await, "Name");
            browser.press("By keyboard").await;
            tab_to(browser, "Auto purge token").await;
            browser.press("1 d").await;
            tab_to_radio(browser, "scope").await;
            browser.press(DOWN).await;
            browser.until("document.querySelector('[value=custom]').checked || document.querySelector('[value=full]').checked").await;
            if browser.eval("document.querySelector('[value=full]').checked").await == true {
                browser.press(DOWN).await;
            }
            browser.find(Css("input[value=exp-1]")).await;
            tab_to(browser, "exp-1exp-1").await;
            browser.press(SPACE).await;
            browser.find(Button("Remove exp-1")).await;
            tab_to(browser, "Save & close").await;
            browser.press(ENTER).await;
            browser.see("API token created").await;
            assert_eq!(browser.focused().await, "Copy token");
            browser.press(ENTER).await;
            browser.see("The token is in your clipboard.").await;
            let secret = browser.clipboard().await;
            assert!(secret.starts_with("lka_"));
            browser.press(ESCAPE).await;
            names(browser, &["By keyboard"]).await;

            tab_to(browser, "Actions for By keyboard").await;
            browser.press(ENTER).await;
            browser.until("document.activeElement.getAttribute('role') === 'menuitem'").await;
            assert_eq!(browser.focused().await, "Edit API token");
            browser.press(ESCAPE).await;
            assert_eq!(browser.focused().await, "Actions for By keyboard");
            browser.press(DOWN).await;
            browser.until("document.activeElement.getAttribute('role') === 'menuitem'").await;
            browser.press("r").await;
            assert_eq!(browser.focused().await, "Revoke API token");
            browser.press(ENTER).await;
            browser.see("Reason (optional)").await;
            assert_eq!(browser.focused().await, "Reason (optional)");
            browser.press("Done with it").await;
            tab_to(browser, "Revoke").await;
            browser.press(ENTER).await;
            browser.until("document.querySelector('.badge.revoked')").await;
            assert_eq!(browser.focused().await, "Actions for By keyboard");
            assert_eq!(account.audit("action=revoke").await.len(), 1);
        })
        .await;
    }

    /// Presses Tab until that element has the focus. Each focus on the way must be visible.
    async fn tab_to(browser: &Browser, name: &str) {
        let mut seen = Vec::new();
        for _ in 0..60 {
            browser.press("\u{e004}").await;
            let outlined = "document.activeElement === document.body || getComputedStyle(document.activeElement).outlineStyle !== 'none'";
            let focused = browser.focused().await;
            assert_eq!(
                browser.eval(outlined).await,
                true,
                "no outline on {focused}"
            );
            if focused == name {
                return;
            }
            seen.push(focused);
        }
        panic!("no way to {name}: {seen:?}");
    }

    async fn tab_to_radio(browser: &Browser, group: &str) {
        for _ in 0..60 {
            browser.press("\u{e004}").await;
            if browser.eval("document.activeElement.name").await == group {
                return;
            }
        }
        panic!("no way to {group}");
    }
}
