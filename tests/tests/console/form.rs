//! Creating and editing a token, and handing its secret over.

use super::*;

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
    account.add_integration("app-1", "Order hub").await;
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
        // The token's page takes the form's place.
        browser
            .until("/tokens\\/tok_\\w+$/.test(location.hash)")
            .await;
        browser.see("Stock reader").await;

        // Another token, whose answer arrives.
        browser.click(Button("API tokens")).await;
        names(browser, &["Stock reader"]).await;
        browser.click(Button("Create API token")).await;
        browser.write(Field("Name"), "Runner").await;
        browser.click(Field("Integration App token")).await;
        // Integration Apps are chosen by name.
        browser
            .until("document.querySelector('[name=integrationId] option[value=app-1]')")
            .await;
        browser.choose(Field("Integration App"), "Order hub").await;
        browser.choose(Field("Auto purge token"), "30 days").await;
        browser.click(Field("Custom")).await;
        browser.click(Css("input[value=exp-app]")).await;
        assert_eq!(
            browser
                .eval("document.querySelectorAll('.picker-options input').length")
                .await,
            1
        );
        browser.click(Button("Save & close")).await;
        browser.see("API token created").await;
        browser.picture("created").await;
        // Closing without copying asks for confirmation, and so does the browser.
        let asks = "!dispatchEvent(new Event('beforeunload', { cancelable: true }))";
        assert_eq!(browser.eval(asks).await, true);
        browser.click(Button("Done")).await;
        browser.see("You have not copied the token yet.").await;
        browser.click(Button("Copy token")).await;
        copied(browser, "Copy token").await;
        assert_eq!(browser.eval(asks).await, false);
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
        browser.see("You have not copied the token yet.").await;
        browser.click(Button("Done")).await;
        names(browser, &["Short"]).await;
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
        let status = "[...document.querySelectorAll('label')].find((label) => label.textContent === 'Status').control.value";
        assert_eq!(browser.eval(status).await, "active");
        choose_action(browser, "Before", "Edit API token").await;
        browser.see("Edit API token").await;
        browser.find(Field("Auto purge token")).await;
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
        browser.see("What you typed is kept.").await;
        browser.picture("session-ended").await;
        browser.sign_in(&account.owner).await;
        browser.see("You had to sign in again. What you had typed is back").await;
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

/// Waits until a copy button confirms on itself, and until it has its name again.
async fn copied(browser: &Browser, button: &str) {
    browser
        .until("document.querySelector('dialog button.copied')?.innerText.trim() === 'Copied'")
        .await;
    browser.find(Button(button)).await;
}

/// Checks that the fields with a secret show the whole of it, without scrolling, at every width.
async fn is_whole(browser: &Browser, secret: &str) {
    let fields = "[...document.querySelectorAll('dialog textarea')].map((field) => {
        const box = field.getBoundingClientRect();
        return {
            text: field.value,
            fits: field.scrollHeight <= field.clientHeight && field.scrollWidth <= field.clientWidth,
            visible: field.checkVisibility() && box.left >= 0 && box.right <= innerWidth && box.width > 200,
            wraps: getComputedStyle(field).whiteSpace === 'pre-wrap',
        };
    })";
    for width in [320, 360, 800, 1280, 1920] {
        browser.look(width, false).await;
        // The fields follow the width with the next frames.
        browser
            .until(&format!("{fields}.every((field) => field.fits)"))
            .await;
        let overflow = "(({ scrollWidth, clientWidth }) => scrollWidth - clientWidth)(document.querySelector('dialog'))";
        assert_eq!(browser.eval(overflow).await, 0, "{width}");
        let fields = browser.eval(fields).await;
        let fields = fields.as_array().expect("fields");
        assert_eq!(fields[0]["text"], secret);
        assert_eq!(secret.len(), 53);
        for field in fields {
            assert!(
                field["text"]
                    .as_str()
                    .is_some_and(|text| text.contains(secret)),
                "{width}: {field}"
            );
            for what in ["fits", "visible", "wraps"] {
                assert_eq!(field[what], true, "{what} at {width}: {field}");
            }
        }
    }
    browser.look(1280, false).await;
}

/// The value of a field, which isn't in the markup.
async fn value(browser: &Browser, label: &str) -> String {
    let field = format!(
        "document.querySelector('dialog textarea[aria-label={}]').value",
        json!(label)
    );
    browser
        .eval(&field)
        .await
        .as_str()
        .expect("a text")
        .to_owned()
}

#[tokio::test]
async fn a_secret_is_handed_over_whole_and_ready_to_use() {
    let stack = Stack::from_env();
    let account = Account::create(&stack, "page-handover", "enterprise").await;
    account.add_resource("export", "exp-1", None).await;
    account
        .add_resource("import", "imp-app", Some("app-1"))
        .await;
    let (id, secret) = account
        .create_token(json!({"name": "Reader", "autoPurge": "30d", "scope": {"type": "custom", "exports": ["exp-1"]}}))
        .await;
    let (app, app_secret) = account
        .create_token(json!({"name": "Runner", "kind": "integrationApp", "integrationId": "app-1", "autoPurge": "30d",
            "scope": {"type": "custom", "imports": ["imp-app"]}}))
        .await;
    let (full, full_secret) = account.create_token(full("Everything")).await;
    in_browser(&stack, async |browser| {
        browser.allow_clipboard().await;
        browser.with_clock().await;
        let page = |id: &str| format!("{}/tokens/{id}", list(&account));
        browser.enter(&account.owner, &page(&id)).await;
        let show = async |id: &str| {
            browser.go(&page(id)).await;
            browser
                .until(&format!(
                    "location.hash.includes('{id}') && !document.querySelector('dialog')"
                ))
                .await;
            browser
                .until(&format!(
                    "document.querySelector('main').innerText.includes('{id}')"
                ))
                .await;
            browser.click(Button("Show token")).await;
            browser.find(Css("dialog textarea")).await;
        };
        show(&id).await;
        browser.picture("shown").await;
        is_whole(browser, &secret).await;
        assert_eq!(browser.places_of(&secret).await, json!(["fields"]));
        // What the token may do, by name, until when and from where.
        browser
            .see("Read, run and see the debug logs of: Exports exp-1")
            .await;
        browser
            .until("/, in (29|30) days\\./.test(document.querySelector('dialog').innerText)")
            .await;
        browser.see("From every address.").await;
        // Each copy button confirms on itself.
        browser.click(Button("Copy token")).await;
        copied(browser, "Copy token").await;
        assert_eq!(browser.clipboard().await, secret);
        let api = browser
            .run_async("fetch('config.json').then((answer) => answer.json()).then(arguments[0])")
            .await;
        let (known, base) = match api["platformApiUrl"].as_str() {
            Some(base) => (true, base.trim_end_matches('/').to_owned()),
            None => (false, "https://api.example.com".to_owned()),
        };
        let command = value(browser, "The command with the secret").await;
        assert_eq!(
            command,
            format!("curl -H \"Authorization: Bearer {secret}\" \\\n  \"{base}/v1/exports/exp-1\"")
        );
        browser.click(Button("Copy command")).await;
        copied(browser, "Copy command").await;
        assert_eq!(browser.clipboard().await, command);
        if !known {
            browser
                .see("put it in place of https://api.example.com")
                .await;
        }
        browser.click(Button(".env")).await;
        assert_eq!(
            value(browser, "The line with the secret").await,
            format!("API_TOKEN={secret}")
        );
        is_whole(browser, &secret).await;
        if let Some(url) = api["mcpUrl"].as_str() {
            browser.click(Button("MCP client")).await;
            let config = value(browser, "The configuration with the secret").await;
            let config: Value = serde_json::from_str(&config).expect("JSON");
            assert_eq!(config["mcpServers"]["platform"]["url"], url);
            assert_eq!(
                config["mcpServers"]["platform"]["headers"]["Authorization"],
                format!("Bearer {secret}")
            );
            is_whole(browser, &secret).await;
        } else {
            assert_eq!(
                browser
                    .eval("document.querySelectorAll('[role=tab]').length")
                    .await,
                2
            );
        }
        assert_eq!(browser.places_of(&secret).await, json!(["fields"]));
        let violations = browser.accessibility().await;
        assert!(violations.is_empty(), "{violations:#?}");
        // It masks itself.
        browser.advance(Duration::from_secs(61)).await;
        browser.see("The token is masked again.").await;
        browser.until("!document.querySelector('dialog')").await;
        assert_eq!(browser.places_of(&secret).await, json!([]));

        // The call of each kind of token works.
        let status = async |command: &str, secret: &str| {
            let url = command.split('"').nth(3).expect("an address");
            let (_, path) = url.split_once("/v1/").expect("a path");
            let path = format!("/v1/{path}");
            let call = if path == "/v1/tokenInfo" {
                stack.api(Method::GET, &path)
            } else {
                stack.protected(Method::GET, &path)
            };
            send(call.bearer_auth(secret)).await.status
        };
        show(&app).await;
        let command = value(browser, "The command with the secret").await;
        assert!(
            command.ends_with("/v1/imports/imp-app/debug\""),
            "{command}"
        );
        assert_eq!(status(&command, &app_secret).await, 200);
        browser.click(Button("Done")).await;
        show(&full).await;
        let command = value(browser, "The command with the secret").await;
        assert!(command.ends_with("/v1/connections\""), "{command}");
        assert_eq!(status(&command, &full_secret).await, 200);
        browser
            .see("Everything that the API offers in this account")
            .await;
        // Closing what is only shown again asks nothing.
        browser.click(Button("Done")).await;
        browser.until("!document.querySelector('dialog')").await;

        // Leaving the page takes the secret with it.
        show(&id).await;
        browser
            .run("dispatchEvent(new Event('pagehide'))", &[])
            .await;
        browser.until("!document.querySelector('dialog')").await;
        assert_eq!(browser.places_of(&secret).await, json!([]));
    })
    .await;
}

#[tokio::test]
async fn a_link_fills_in_the_form_and_saves_nothing() {
    let stack = Stack::from_env();
    let account = Account::create(&stack, "page-prefill", "enterprise").await;
    account.add_resource("export", "exp-1", None).await;
    in_browser(&stack, async |browser| {
        let hostile = "Report%20%E2%80%AEsdrawkcab%3Cimg%20src%3Dx%20onerror%3Dalert(1)%3E";
        let link = format!(
            "{}/tokens/new?name={hostile}&description=Kept%20in%20CI&autoPurge=10d&scope=custom&exports=exp_gone,exp-1&cidrs=192.0.2.0/24,2001:db8::/32&scope2=x",
            list(&account)
        );
        browser.enter(&account.owner, &link).await;
        browser.see("A link filled in this form.").await;
        browser.see("nothing is saved before you save it").await;
        let fields = "[...document.querySelectorAll('form [name]:not([type=radio]), form [name]:checked')].map((e) => `${e.name}: ${e.value}`)";
        assert_eq!(
            browser.eval(fields).await,
            json!([
                "name: Report [U+202E]sdrawkcab<img src=x onerror=alert(1)>",
                "description: Kept in CI",
                "kind: account",
                "autoPurge: 10d",
                "scope: custom",
                "allowedCidrs: 192.0.2.0/24\n2001:db8::/32",
            ])
        );
        // What the account doesn't have is said, and marked where it is chosen.
        browser.see("The link names what this account does not have: Export “exp_gone”").await;
        browser.see("exp_gone (not found)").await;
        browser.see("One of the chosen does not exist, or no longer.").await;
        browser.picture("prefilled").await;
        browser.click(Button("Remove it")).await;
        browser.see_no("exp_gone (not found)").await;
        assert_eq!(browser.focused().await, "Search Exports");
        assert_eq!(send(account.get(&account.owner, "/tokens")).await.expect(200)["tokens"], json!([]));
        // The API judges the entries of a link like all others.
        browser.write(Field("Name"), "From a link").await;
        browser.click(Button("Save")).await;
        browser.see("API token created").await;
        browser.click(Button("Done")).await;
        browser.click(Button("Done")).await;
        browser.until("/tokens\\/tok_\\w+$/.test(location.hash)").await;

        // What can't be chosen is left out, and said; nothing is lost by leaving such a form.
        browser.go(&format!("{}/tokens/new?autoPurge=7y&scope=everything&kind=robot&name=Odd", list(&account))).await;
        browser.see("What the link asks for and can't be chosen was left out:").await;
        browser.see("Auto purge token “7y”").await;
        browser.see("Scope “everything”").await;
        browser.see("Kind “robot”").await;
        browser.go(&format!("{}/tokens/new?kind=integrationApp&integrationId=app-none", list(&account))).await;
        browser.until("document.querySelector('[name=kind][value=integrationApp]').checked").await;
        assert_eq!(browser.eval("document.querySelector('[name=integrationId]').value").await, "app-none");
        browser.go(&list(&account)).await;
        names(browser, &["From a link"]).await;
    })
    .await;
    let tokens = send(account.get(&account.owner, "/tokens"))
        .await
        .expect(200);
    assert_eq!(tokens["tokens"][0]["scope"]["exports"], json!(["exp-1"]));
    assert_eq!(
        tokens["tokens"][0]["allowedCidrs"],
        json!(["192.0.2.0/24", "2001:db8::/32"])
    );
}

#[tokio::test]
async fn a_thousand_resources_can_be_chosen_from() {
    let stack = Stack::from_env();
    let account = Account::create(&stack, "page-thousand", "enterprise").await;
    in_browser(&stack, async |browser| {
        browser.with_answers().await;
        browser.enter(&account.owner, &format!("{}/tokens/new", list(&account))).await;
        browser.find(Field("Custom")).await;
        for page in (0..10).rev() {
            let resources: Vec<_> = (0..100)
                .map(|index| {
                    let number = page * 100 + index;
                    // The last hundred are of two Integration Apps.
                    let app = (number >= 900).then(|| format!("app-{}", number % 2));
                    json!({"type": "export", "id": format!("exp-{number:04}"), "name": format!("Export {}", 999 - number), "integrationId": app})
                })
                .collect();
            let cursor = if page == 0 { String::new() } else { format!("&cursor=c{page}") };
            let next = (page < 9).then(|| format!("c{}", page + 1));
            let answer = json!({"status": 200, "body": {"resources": resources, "nextCursor": next}});
            browser.answer(&format!("type=export&limit=100{cursor}"), answer).await;
        }
        browser.click(Field("Custom")).await;
        browser.find(Button("Select all 1000")).await;
        let rows = "document.querySelectorAll('[aria-label=Exports] li').length";
        assert_eq!(browser.eval(rows).await, 200);
        browser.see("200 of 1000 shown").await;
        // By name as people count, those of no Integration App first.
        let first = "[...document.querySelectorAll('[aria-label=Exports] li span')].slice(0, 2).map((e) => e.textContent)";
        assert_eq!(browser.eval(first).await, json!(["Export 100", "Export 101"]));
        browser.see("Not of an Integration App").await;
        browser.click(Button("Show 200 more")).await;
        browser.until(&format!("{rows} === 400")).await;
        assert_eq!(browser.focused().await, "Export 300exp-0699");
        browser.picture("thousand").await;

        // Searching is quick.
        browser.write(Field("Search Exports"), "export 9").await;
        browser.find(Button("Select all 111 found")).await;
        let took = "
            const done = arguments[0];
            const field = document.querySelector('[placeholder=\"Search Exports\"]');
            const begun = performance.now();
            field.value = '';
            field.dispatchEvent(new Event('input', { bubbles: true }));
            requestAnimationFrame(() => setTimeout(() => done(performance.now() - begun)));";
        let took = browser.run_async(took).await;
        assert!(took.as_f64().is_some_and(|took| took < 500.0), "{took} ms");
        browser.write(Field("Search Exports"), "export 9").await;
        browser.click(Button("Select all 111 found")).await;
        browser.see("111 chosen").await;
        // The rest is folded.
        let chips = "document.querySelectorAll('[aria-label=\"Chosen Exports\"] li').length";
        assert_eq!(browser.eval(chips).await, 13);
        browser.click(Button("Show all 111")).await;
        browser.until(&format!("{chips} === 112")).await;
        browser.click(Button("Show fewer")).await;
        browser.until(&format!("{chips} === 13")).await;
        browser.click(Button("Clear Exports")).await;
        browser.see_no("111 chosen").await;
        assert_eq!(browser.focused().await, "Search Exports");

        // With the keyboard alone: one stop for the list, arrows inside it.
        browser.write(Field("Search Exports"), "").await;
        browser.until(&format!("{rows} === 200")).await;
        browser.press("\u{e004}\u{e004}").await;
        assert_eq!(browser.focused().await, "Export 100exp-0899");
        browser.press("\u{e015}\u{e015} ").await;
        browser.find(Button("Remove Export 102")).await;
        assert_eq!(browser.focused().await, "Export 102exp-0897");
        browser.press("\u{e011}").await;
        assert_eq!(browser.focused().await, "Export 100exp-0899");
        browser.press("\u{e010}").await;
        assert_eq!(browser.focused().await, "Export 299exp-0700");

        // A page that can't be read is tried again.
        browser.click(Button("Remove Export 102")).await;
        browser.run("location.reload()", &[]).await;
        browser.fill_in_sign_in(&account.owner).await;
        browser.answer("type=import", json!({"status": 500, "body": {"code": "internal_error"}})).await;
        browser.click(Field("Custom")).await;
        browser.see("There are no Exports yet.").await;
        browser.see("Something went wrong on our side.").await;
        browser.answer("type=import", Value::Null).await;
        browser.click(Button("Try again")).await;
        browser.see("There are no Imports yet.").await;
        browser.see_no("Something went wrong").await;
    })
    .await;
}

#[tokio::test]
async fn the_summary_says_what_the_token_may_do_and_warns() {
    let stack = Stack::from_env();
    let account = Account::create(&stack, "page-summary", "enterprise").await;
    account.add_resource("export", "exp-1", None).await;
    in_browser(&stack, async |browser| {
        browser.enter(&account.owner, &format!("{}/tokens/new", list(&account))).await;
        browser.see("What this token may do").await;
        browser.see("Choose a scope.").await;
        browser.click(Field("Full access")).await;
        browser.see("Everything that the API offers in this account").await;
        let warning = "document.querySelector('.form-summary .notice')?.className";
        assert_eq!(browser.eval(warning).await, "notice warning");
        browser.choose(Field("Auto purge token"), "Never").await;
        browser.see("Full access that never ends").await;
        browser.see("It never ends by itself.").await;
        assert_eq!(browser.eval(warning).await, "notice danger");
        browser.picture("summary").await;
        browser.choose(Field("Auto purge token"), "4 days").await;
        browser.see_no("Full access that never ends").await;
        browser.see("For 4 days from saving on: until about").await;
        browser.click(Field("Custom")).await;
        browser.see("Nothing yet: no resource is chosen.").await;
        assert_eq!(browser.eval(warning).await, Value::Null);
        browser.click(Css("input[value=exp-1]")).await;
        browser.see("Read, run and see the debug logs of: Exports exp-1").await;
        browser.write(Field("Allowed addresses"), "192.0.2.0/24 198.51.100.7").await;
        browser.see("Only from 192.0.2.0/24 and 198.51.100.7.").await;
        // Beside the form, or above its buttons.
        let places = "(() => {
            const [summary, sections, footer] = ['.form-summary', '.sections', '.token > footer'].map((each) => document.querySelector(each).getBoundingClientRect());
            return [summary.left >= sections.right, summary.top >= sections.bottom];
        })()";
        assert_eq!(browser.eval(places).await, json!([true, false]));
        browser.look(360, false).await;
        assert_eq!(browser.eval(places).await, json!([false, true]));
        for width in [320, 360, 800] {
            browser.look(width, false).await;
            assert_eq!(browser.eval("document.documentElement.scrollWidth <= innerWidth").await, true, "{width}");
        }
        for dark in [false, true] {
            browser.scheme(dark).await;
            let violations = browser.accessibility().await;
            assert!(violations.is_empty(), "{violations:#?}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_fresh_sign_in_keeps_what_was_entered() {
    let stack = Stack::from_env();
    let account = Account::create(&stack, "page-step-up", "enterprise").await;
    let (id, _) = account.create_token(full("Stepping")).await;
    let refusal = json!({"status": 403, "body": {"code": "step_up_required", "maxAge": 900}});
    in_browser(&stack, async |browser| {
        browser.with_answers().await;
        browser.enter(&account.owner, &format!("{}/tokens/new", list(&account))).await;
        browser.write(Field("Name"), "Needs me").await;
        browser.choose(Field("Auto purge token"), "1 day").await;
        browser.click(Field("Full access")).await;
        browser.answer("POST v1/accounts", refusal.clone()).await;
        browser.click(Button("Save")).await;
        browser.see("This needs a fresh sign-in.").await;
        browser.see("What you typed is kept.").await;
        browser.picture("step-up").await;
        let asked = "['prompt', 'max_age'].map((each) => new URLSearchParams(location.search).get(each))";
        let again = async || {
            browser.click(Button("Sign in again")).await;
            // Nobody is asked about what is kept, and the provider asks for the password.
            browser.find(Field("Username")).await;
            assert_eq!(browser.eval(asked).await, json!(["login", "0"]));
            browser.fill_in_sign_in(&account.owner).await;
        };
        again().await;
        browser.see("You signed in again, because this needs a fresh sign-in. What you had typed is back, and not saved yet").await;
        assert_eq!(browser.eval("document.querySelector('[name=name]').value").await, "Needs me");
        assert_eq!(browser.eval("document.querySelector('[name=autoPurge]').value").await, "1d");
        assert_eq!(browser.eval("document.querySelector('[name=scope]:checked').value").await, "full");
        browser.click(Button("Save & close")).await;
        browser.see("API token created").await;
        browser.click(Button("Done")).await;
        browser.click(Button("Done")).await;
        names(browser, &["Needs me", "Stepping"]).await;

        // Replacing a secret comes back to the token's page, with what was chosen.
        browser.go(&format!("{}/tokens/{id}?do=regenerate", list(&account))).await;
        browser.choose(Field("Grace period of the old token"), "4 hours").await;
        browser.answer("/regenerate", refusal.clone()).await;
        browser.click(Button("Generate")).await;
        browser.see("This needs a fresh sign-in.").await;
        again().await;
        browser.find(Field("Grace period of the old token")).await;
        assert_eq!(browser.eval("document.querySelector('[name=gracePeriodSeconds]').value").await, "14400");
        assert_eq!(browser.eval("location.hash").await, format!("{}/tokens/{id}", list(&account)));
        browser.click(Button("Generate")).await;
        browser.see("New token generated").await;
        browser.click(Button("Done")).await;
        browser.click(Button("Done")).await;

        // Showing comes back too, and asks again.
        browser.until("!document.querySelector('dialog')").await;
        browser.answer("/reveal", refusal.clone()).await;
        browser.click(Button("Show token")).await;
        browser.see("This needs a fresh sign-in.").await;
        again().await;
        browser.until("document.querySelector('dialog[open]')").await;
        assert_eq!(browser.eval("document.querySelector('dialog textarea')").await, Value::Null);
        browser.click(Button("Show token")).await;
        browser.find(Css("dialog textarea")).await;
    })
    .await;
    let after = token(&account, &id).await;
    assert!(!after["previousSecret"].is_null());
    assert_eq!(account.audit("action=view").await.len(), 1);
}

#[tokio::test]
async fn what_was_typed_goes_to_no_other_form_and_to_nobody_else() {
    let stack = Stack::from_env();
    let account = Account::create(&stack, "page-draft", "enterprise").await;
    let (id, _) = account.create_token(full("Deleted meanwhile")).await;
    let new = format!("{}/tokens/new", list(&account));
    let name = "document.querySelector('[name=name]').value";
    in_browser(&stack, async |browser| {
        let session_ends = async |method: &str| {
            let ended = json!({"status": 401, "body": {"message": "Unauthorized"}});
            browser
                .answer(&format!("{method} v1/accounts"), ended)
                .await;
            browser.click(Button("Save")).await;
            browser.see("Your session has ended").await;
        };
        browser.with_answers().await;
        // The form that it was typed in can't be opened any more.
        let edit = format!("{}/tokens/{id}/edit", list(&account));
        browser.enter(&account.owner, &edit).await;
        browser.write(Field("Name"), "Half finished").await;
        let path = format!("/tokens/{id}");
        send(account.post(&account.owner, &format!("{path}/revoke")))
            .await
            .expect(200);
        send(account.request(Method::DELETE, &account.owner, &path))
            .await
            .expect(204);
        session_ends("PATCH").await;
        browser.sign_in(&account.owner).await;
        browser.see("This token no longer exists").await;
        browser.go(&new).await;
        browser.find(Field("Name")).await;
        assert_eq!(browser.eval(name).await, "");
        browser.see_no("You had to sign in again.").await;

        // Somebody else signs in.
        browser.write(Field("Name"), "The owner's").await;
        session_ends("POST").await;
        browser.sign_in(&account.administrator).await;
        browser.find(Field("Name")).await;
        assert_eq!(browser.eval(name).await, "");
        browser.see_no("You had to sign in again.").await;
    })
    .await;
}

#[tokio::test]
async fn what_was_typed_survives_every_way_back_from_the_sign_in() {
    let stack = Stack::from_env();
    let account = Account::create(&stack, "page-way-back", "enterprise").await;
    let new = format!("{}/tokens/new", list(&account));
    in_browser(&stack, async |browser| {
        let is_back = async || {
            browser
                .see("What you had typed is back, and not saved yet")
                .await;
            let name = "document.querySelector('[name=name]').value";
            assert_eq!(browser.eval(name).await, "Kept");
            assert_eq!(browser.eval("location.hash").await, new.as_str());
        };
        let go_and_sign_in = async || {
            let ended = json!({"status": 401, "body": {"message": "Unauthorized"}});
            browser.answer("POST v1/accounts", ended).await;
            browser.click(Button("Save")).await;
            browser.see("Your session has ended").await;
            browser.click(Button("Sign in")).await;
            browser.find(Field("Username")).await;
        };
        browser.with_answers().await;
        browser.enter(&account.owner, &new).await;
        browser.write(Field("Name"), "Kept").await;
        browser.choose(Field("Auto purge token"), "1 day").await;
        browser.click(Field("Full access")).await;
        // The token is made, but the answer with it is lost, and so is the session.
        browser
            .answer("POST v1/accounts", json!({"lost": true}))
            .await;
        browser.click(Button("Save")).await;
        browser.see("Latchkey could not be reached.").await;

        // Back leads to the page, which goes to the sign-in again by itself once, and asks first after that.
        go_and_sign_in().await;
        browser.run("window.first = true", &[]).await;
        browser.run("history.back()", &[]).await;
        browser
            .until("!window.first && document.querySelector('input[type=password]')")
            .await;
        browser.open(&new).await;
        browser.find(Button("Sign in")).await;
        browser.run("location.reload()", &[]).await;
        browser.sign_in(&account.owner).await;
        is_back().await;

        // An address without a view, and an answer that wasn't asked for.
        go_and_sign_in().await;
        browser.open("").await;
        // The tab was signed in, so that it goes on by itself.
        browser.fill_in_sign_in(&account.owner).await;
        is_back().await;
        go_and_sign_in().await;
        browser.open("?code=stolen&state=made-up").await;
        browser.see("This sign-in was not started here").await;
        browser.sign_in(&account.owner).await;
        is_back().await;

        browser.click(Button("Save")).await;
        browser.see("An earlier attempt succeeded").await;
        browser.click(Button("Done")).await;
    })
    .await;
    assert_eq!(account.audit("action=create").await.len(), 1);
}

#[tokio::test]
async fn whoever_stays_with_unsaved_changes_can_still_go_back() {
    let stack = Stack::from_env();
    let account = Account::create(&stack, "page-history", "enterprise").await;
    account.create_token(full("Listed")).await;
    let start = format!("{}?status=active", list(&account));
    let new = format!("{}/tokens/new", list(&account));
    in_browser(&stack, async |browser| {
        browser.enter(&account.owner, &start).await;
        names(browser, &["Listed"]).await;
        let entries = browser.eval("history.length").await;
        browser.click(Button("Create API token")).await;
        browser.write(Field("Name"), "Half typed").await;
        let stays = async || {
            browser.see("Discard your changes?").await;
            browser.click(Button("Cancel")).await;
            browser.until("!document.querySelector('dialog')").await;
            assert_eq!(browser.eval("location.hash").await, new.as_str());
            let name = "document.querySelector('[name=name]').value";
            assert_eq!(browser.eval(name).await, "Half typed");
        };
        for _ in 0..2 {
            browser.run("history.back()", &[]).await;
            stays().await;
        }
        browser.click(Button("API tokens")).await;
        stays().await;
        browser.run("history.back()", &[]).await;
        browser.see("Discard your changes?").await;
        browser.click(Button("Discard")).await;
        names(browser, &["Listed"]).await;
        assert_eq!(browser.eval("location.hash").await, start.as_str());
        // No entry was added but the form's.
        let more = browser.eval("history.length").await;
        assert_eq!(more.as_u64(), entries.as_u64().map(|entries| entries + 2));
        browser.run("history.forward()", &[]).await;
        browser
            .until(&format!("location.hash === {}", json!(new)))
            .await;
        browser.find(Field("Name")).await;
    })
    .await;
}

#[tokio::test]
async fn an_account_without_integration_apps_is_told_so_and_not_that_they_are_unreadable() {
    let stack = Stack::from_env();
    let account = Account::create(&stack, "page-no-apps", "enterprise").await;
    let new = format!("{}/tokens/new", list(&account));
    in_browser(&stack, async |browser| {
        browser.with_answers().await;
        browser
            .enter(&account.owner, &format!("{}/notifications", list(&account)))
            .await;
        let path = format!("GET v1/accounts/{}/integrations", account.id);
        browser
            .answer(
                &path,
                json!({"status": 500, "body": {"code": "internal_error"}}),
            )
            .await;
        browser.go(&new).await;
        browser.click(Field("Integration App token")).await;
        browser
            .see("The names of your apps could not be loaded.")
            .await;
        browser.find(Css("input[name=integrationId]")).await;
        browser.answer(&path, Value::Null).await;
        browser.click(Field("Account token")).await;
        browser.go(&format!("{new}?kind=integrationApp")).await;
        let first = "document.querySelector('select[name=integrationId]')?.options[0].text";
        browser
            .until(&format!(
                "{first} === 'This account has no Integration Apps'"
            ))
            .await;
        browser.see_no("could not be loaded").await;
    })
    .await;
}

#[tokio::test]
async fn whoever_leaves_while_a_token_is_made_gets_its_secret_and_stays_there() {
    let stack = Stack::from_env();
    let account = Account::create(&stack, "page-left", "enterprise").await;
    in_browser(&stack, async |browser| {
        browser.with_answers().await;
        browser
            .enter(&account.owner, &format!("{}/tokens/new", list(&account)))
            .await;
        browser.write(Field("Name"), "Made meanwhile").await;
        browser.choose(Field("Auto purge token"), "1 day").await;
        browser.click(Field("Full access")).await;
        browser
            .answer("POST v1/accounts", json!({"late": true}))
            .await;
        browser.click(Button("Save")).await;
        browser.until("Boolean(window.letGo)").await;
        browser.click(Button("API tokens")).await;
        browser.click(Button("Discard")).await;
        browser.until("!document.querySelector('form.token')").await;
        browser.run("letGo()", &[]).await;
        browser.see("API token created").await;
        browser.find(Button("Copy token")).await;
        browser.click(Button("Done")).await;
        browser.click(Button("Done")).await;
        browser.until("!document.querySelector('dialog')").await;
        assert_eq!(browser.eval("location.hash").await, list(&account));
    })
    .await;
}
