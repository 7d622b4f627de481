//! A token's page and what can be done there.

use super::*;

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
