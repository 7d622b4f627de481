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
                .eval("document.querySelectorAll('.picker:not([hidden]) .options input').length")
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
