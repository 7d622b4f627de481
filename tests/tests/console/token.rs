//! A token's page and what can be done there.

use super::*;

fn page(account: &Account, id: &str) -> String {
    format!("{}/tokens/{id}", list(account))
}

/// What is in the timeline, from top to bottom.
const EVENTS: &str = "[...document.querySelectorAll('.event .what > p')].map((e) => e.innerText.replace(/\\s+/g, ' '))";

async fn event(browser: &Browser, text: &str) {
    let found = format!("{EVENTS}.some((event) => event.includes({}))", json!(text));
    browser.until(&found).await;
}

#[tokio::test]
async fn a_shown_token_is_handed_over_and_recorded() {
    let stack = Stack::from_env();
    let account = Account::create(&stack, "page-show", "enterprise").await;
    let (id, secret) = account.create_token(full("Shown")).await;
    in_browser(&stack, async |browser| {
        browser.allow_clipboard().await;
        browser.enter(&account.owner, &page(&account, &id)).await;
        browser.find(Button("Show token")).await;
        let told = "document.getElementById([...document.querySelectorAll('button')].find((e) => e.innerText === 'Show token').getAttribute('aria-describedby')).innerText";
        assert_eq!(browser.eval(told).await, "Showing the token is recorded, and the account's administrators are notified.");
        for time in 1..=2 {
            browser.click(Button("Show token")).await;
            browser.find(Css("dialog textarea.whole")).await;
            assert_eq!(browser.places_of(&secret).await, json!(["fields"]), "{time}");
            browser.click(Button("Copy token")).await;
            browser.until("document.querySelector('dialog').innerText.includes('Copied')").await;
            assert_eq!(browser.clipboard().await, secret);
            browser.click(Button("Close")).await;
            browser.until("!document.querySelector('dialog')").await;
            assert_eq!(browser.places_of(&secret).await, json!([]), "{time}");
            assert_eq!(browser.focused().await, "Show token");
            browser.until(&format!("{EVENTS}.filter((e) => e.includes('had its secret shown.')).length === {time}")).await;
        }
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
async fn without_developer_mode_it_is_said_why_a_token_is_not_shown() {
    let stack = Stack::from_env();
    let account = Account::create(&stack, "page-no-mode", "enterprise").await;
    let (id, _) = account.create_token(full("Hidden")).await;
    in_browser(&stack, async |browser| {
        browser.enter(&account.administrator, &page(&account, &id)).await;
        browser.see("Show token: Needs developer mode, which you turn on in your profile on the platform.").await;
        let button = "[...document.querySelectorAll('button')].find((e) => e.innerText === 'Show token')";
        assert_eq!(browser.eval(&format!("{button}.getAttribute('aria-disabled')")).await, "true");
        browser.click(Button("Show token")).await;
        assert_eq!(browser.eval("document.querySelector('dialog')").await, Value::Null);
        browser.go(&format!("{}?do=show", page(&account, &id))).await;
        browser.until("document.querySelector('[role=alert]')?.innerText.includes('Needs developer mode')").await;
        browser.until("!location.hash.includes('do=')").await;
    })
    .await;
    assert_eq!(account.audit("action=view").await.len(), 0);
}

#[tokio::test]
async fn a_token_is_revoked_reactivated_replaced_and_deleted() {
    let stack = Stack::from_env();
    let account = Account::create(&stack, "page-life", "enterprise").await;
    let (id, secret) = account.create_token(full("Partner")).await;
    assert_eq!(status_with(&account, &secret).await, 200);
    in_browser(&stack, async |browser| {
        browser.allow_clipboard().await;
        browser.enter(&account.owner, &page(&account, &id)).await;
        browser.see("Active. It ends in ").await;
        browser
            .until("document.title.startsWith('“Partner” – ')")
            .await;
        assert_eq!(browser.focused().await, "Partner");
        browser.click(Button("Actions for Partner")).await;
        browser
            .see("To delete this API token, revoke it first.")
            .await;
        browser.click(Button("Delete API token")).await;
        browser.find(Button("Delete API token")).await;
        browser.press("\u{e00c}").await;
        assert_eq!(browser.focused().await, "Actions for Partner");
        browser.click(Button("Revoke API token")).await;
        browser
            .see("are refused from the next request on. Whatever uses it stops working.")
            .await;
        browser
            .see("Every call with this token: it has full access to the account.")
            .await;
        browser.see("It was last used ").await;
        browser.see(" from 127.0.0.1.").await;
        browser
            .write(Field("Reason (optional)"), "The partner has left")
            .await;
        browser.picture("revoke").await;
        browser.click(Button("Revoke")).await;
        browser.see("“Partner” is revoked.").await;
        browser
            .see(&format!(
                "by {}: “The partner has left”.",
                account.owner.name
            ))
            .await;
        // The same button now does the opposite.
        assert_eq!(browser.focused().await, "Reactivate token");
        event(
            browser,
            &format!("{} revoked it: “The partner has left”.", account.owner.name),
        )
        .await;
        assert_eq!(status_with(&account, &secret).await, 403);

        browser.click(Button("Generate new token")).await;
        browser.see("A revoked token gets none.").await;
        browser.click(Button("Cancel")).await;
        assert_eq!(browser.focused().await, "Generate new token");
        browser.click(Button("Reactivate token")).await;
        browser
            .see(&format!(
                "work again at once, with its current secret, …{}: Full access.",
                secret.split_at(secret.len() - 4).1
            ))
            .await;
        browser.see("“The partner has left”").await;
        browser.click(Button("Reactivate")).await;
        browser.see("Active. It ends in ").await;
        assert_eq!(status_with(&account, &secret).await, 200);

        browser.click(Button("Generate new token")).await;
        browser
            .see("stops working when the grace period ends")
            .await;
        browser
            .choose(Field("Grace period of the old token"), "1 hour")
            .await;
        browser.click(Button("Generate")).await;
        browser.see("New token generated").await;
        browser.click(Button("Copy token")).await;
        browser
            .until("document.querySelector('dialog').innerText.includes('Copied')")
            .await;
        let new = browser.clipboard().await;
        browser.click(Button("Done")).await;
        assert_ne!(new, secret);
        assert_eq!(status_with(&account, &new).await, 200);
        assert_eq!(status_with(&account, &secret).await, 200);
        event(
            browser,
            &format!(
                "{} generated a new secret, …{}.",
                account.owner.name,
                new.split_at(new.len() - 4).1
            ),
        )
        .await;

        browser.click(Button("Revoke API token")).await;
        browser.click(Button("Revoke")).await;
        browser.find(Button("Reactivate token")).await;
        choose_action(browser, "Partner", "Delete API token").await;
        browser
            .see("is deleted for good and can't be reactivated. Its audit log stays.")
            .await;
        browser.click(Button("Delete")).await;
        browser.see("“Partner” is deleted.").await;
        assert_eq!(status_with(&account, &new).await, 403);

        // A deleted token keeps its log, also when the page is opened again.
        for _ in 0..2 {
            browser.see("This token no longer exists. Deleted ").await;
            browser.see(&format!(" by {}.", account.owner.name)).await;
            browser.see("“The partner has left”").await;
            assert_eq!(browser.focused().await, "Partner");
            browser.go(&list(&account)).await;
            browser.go(&page(&account, &id)).await;
        }
        browser.see("This token no longer exists.").await;
        browser.click(Button("Go to the API tokens")).await;
        browser
            .until(&format!("location.hash === '{}'", list(&account)))
            .await;
    })
    .await;
}

#[tokio::test]
async fn an_old_secret_is_seen_until_it_ends_and_can_be_ended_before() {
    let stack = Stack::from_env();
    let account = Account::create(&stack, "page-grace", "enterprise").await;
    let (id, old) = account.create_token(full("Partner")).await;
    let new = replace(&account, &id).await;
    let (other, _) = account.create_token(full("Runs out")).await;
    replace(&account, &other).await;
    let end = token(&account, &id).await["previousSecret"]["validUntil"].take();
    in_browser(&stack, async |browser| {
        browser.with_clock().await;
        browser.enter(&account.owner, &page(&account, &id)).await;
        let told = format!(
            "The old secret …{} works until ",
            old.split_at(old.len() - 4).1
        );
        browser.see(&told).await;
        let times = "[...document.querySelectorAll('.state time')].map((e) => e.dateTime)";
        assert!(
            browser
                .eval(times)
                .await
                .as_array()
                .expect("times")
                .contains(&end)
        );

        // Another revocation, or another new secret, would end the replaced secret too.
        browser.click(Button("Revoke API token")).await;
        browser
            .see("ends for good: no reactivation brings it back.")
            .await;
        browser.click(Button("Cancel")).await;
        browser.click(Button("Generate new token")).await;
        browser
            .see("ends at once: a token has one old secret at most.")
            .await;
        browser.click(Button("Cancel")).await;

        // A concurrent change of the token: the secret that is ended must be the one that is shown.
        let rename = account.request(
            Method::PATCH,
            &account.administrator,
            &format!("/tokens/{id}"),
        );
        send(rename.json(&json!({"name": "Renamed"})))
            .await
            .expect(200);
        browser.click(Button("End the old secret now")).await;
        browser.see("Whatever still uses it stops working.").await;
        browser.click(Button("End it now")).await;
        browser.see("This token was changed in the meantime.").await;
        assert_eq!(status_with(&account, &old).await, 200);
        browser.click(Button("Cancel")).await;
        browser
            .until("document.querySelector('h1').innerText === 'Renamed'")
            .await;
        browser.click(Button("End the old secret now")).await;
        browser.click(Button("End it now")).await;
        browser.see("The old secret of “Renamed” has ended.").await;
        browser.see_no("works until").await;
        // Its button is gone.
        browser
            .until("document.activeElement === document.querySelector('h1')")
            .await;
        event(
            browser,
            &format!(
                "{} ended the old secret …{} before its time.",
                account.owner.name,
                old.split_at(old.len() - 4).1
            ),
        )
        .await;
        assert_eq!(status_with(&account, &old).await, 403);
        assert_eq!(status_with(&account, &new).await, 200);

        // At the end of its grace period, it disappears by itself.
        browser.go(&page(&account, &other)).await;
        browser.see(" works until ").await;
        browser.advance(Duration::from_secs(3600)).await;
        browser
            .see("The old secret of “Runs out” has ended: its grace period is over.")
            .await;
        browser.see_no("works until").await;
    })
    .await;
    let retired = account.audit("action=retire").await;
    let of: Vec<_> = retired.iter().map(|it| &it["resource"]["id"]).collect();
    assert_eq!(of, [&json!(id)]);
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
        browser.enter(&account.owner, &page(&account, &id)).await;
        browser.see("Secret compromised: its holder revoked it ").await;
        browser.see("Generate a new token, then you can reactivate it.").await;
        browser.see("Somebody who has its secret revoked it with that.").await;
        // The token itself was the actor, and isn't shown as a person.
        let by = "[...document.querySelectorAll('.details .badge')].map((e) => e.innerText)";
        assert_eq!(browser.eval(by).await, json!(["token"]));
        browser.see("Reactivate token: Its secret is compromised and never works again: generate a new token first.").await;
        let button = "[...document.querySelectorAll('button')].find((e) => e.innerText === 'Reactivate token')";
        assert_eq!(browser.eval(&format!("{button}.getAttribute('aria-disabled')")).await, "true");
        browser.click(Button("Reactivate token")).await;
        assert_eq!(browser.eval("document.querySelector('dialog')").await, Value::Null);

        browser.click(Button("Generate new token")).await;
        browser.see("The secret that it has now never works again.").await;
        browser.click(Button("Generate")).await;
        browser.see("New token generated").await;
        browser.click(Button("Copy token")).await;
        browser.until("document.querySelector('dialog').innerText.includes('Copied')").await;
        let new = browser.clipboard().await;
        browser.click(Button("Done")).await;
        browser.see_no("Secret compromised:").await;
        browser.click(Button("Reactivate token")).await;
        browser.click(Button("Reactivate")).await;
        browser.see("Active. It ends in ").await;
        assert_eq!(status_with(&account, &new).await, 200);
        assert_eq!(status_with(&account, &secret).await, 403);
        // The refusal is told with its reason.
        browser.go(&format!("{}?events=problems", page(&account, &id))).await;
        browser.see("Somebody tried a secret of it from 127.0.0.1").await;
        browser.see("refused because the secret is compromised.").await;

        // A page with an outdated token shows an error, and then the current state.
        send(account.post(&account.owner, &format!("/tokens/{id}/revoke"))).await.expect(200);
        browser.go(&list(&account)).await;
        browser.go(&page(&account, &id)).await;
        browser.find(Button("Reactivate token")).await;
        give_up(&account, &new).await;
        browser.click(Button("Reactivate token")).await;
        browser.click(Button("Reactivate")).await;
        browser.see("The secret of this token is compromised: it never works again. Generate a new token first, then reactivate it.").await;
        browser.click(Button("Cancel")).await;
        browser.see("Secret compromised").await;
        browser.see("On 1 day of the last 30:").await;
    })
    .await;
}

#[tokio::test]
async fn a_link_to_an_action_asks_and_does_nothing_by_itself() {
    let stack = Stack::from_env();
    let account = Account::create(&stack, "page-links", "enterprise").await;
    let (id, secret) = account.create_token(full("Linked")).await;
    in_browser(&stack, async |browser| {
        let to = |what: &str| format!("{}?do={what}&events=use", page(&account, &id));
        browser.with_answers().await;
        browser.enter(&account.owner, &to("revoke")).await;
        browser.find(Field("Reason (optional)")).await;
        browser.until("location.hash.endsWith('?events=use')").await;
        assert_eq!(
            browser
                .eval("document.querySelector('.timeline select').value")
                .await,
            "use"
        );
        browser.click(Button("Cancel")).await;
        assert_eq!(browser.focused().await, "Linked");
        // A reload doesn't ask again.
        assert_eq!(
            browser.eval("document.querySelector('dialog')").await,
            Value::Null
        );

        browser.go(&to("show")).await;
        browser.see("Show this token?").await;
        browser.see("appears on your screen").await;
        assert_eq!(browser.places_of(&secret).await, json!([]));
        browser.click(Button("Cancel")).await;
        assert_eq!(account.audit("action=view").await.len(), 0);
        browser.go(&to("show")).await;
        browser.click(Button("Show token")).await;
        browser.find(Css("dialog textarea.whole")).await;
        assert_eq!(browser.places_of(&secret).await, json!(["fields"]));
        browser.click(Button("Close")).await;

        browser.go(&to("regenerate")).await;
        browser.see("Grace period of the old token").await;
        browser.click(Button("Cancel")).await;
        for (what, refused) in [
            (
                "reactivate",
                "This token is active: there is nothing to reactivate.",
            ),
            (
                "retire",
                "No old secret of this token works any more: there is nothing to end.",
            ),
            (
                "constructor",
                "This page does not know what the link wants to be done.",
            ),
        ] {
            browser.go(&to(what)).await;
            browser.see(refused).await;
            assert_eq!(
                browser.eval("document.querySelector('dialog')").await,
                Value::Null,
                "{what}"
            );
        }
        // After a fresh sign-in that the button needed, the page asks, and shows nothing by itself.
        browser
            .answer(
                "/reveal",
                json!({"status": 403, "body": {"code": "step_up_required", "maxAge": 900}}),
            )
            .await;
        browser.click(Button("Show token")).await;
        browser.see("This needs a fresh sign-in.").await;
        browser.click(Button("Sign in again")).await;
        browser.fill_in_sign_in(&account.owner).await;
        browser.see("Show this token?").await;
        assert_eq!(browser.places_of(&secret).await, json!([]));
        browser.click(Button("Cancel")).await;
        replace(&account, &id).await;
        send(account.post(&account.owner, &format!("/tokens/{id}/revoke")))
            .await
            .expect(200);
        browser.go(&list(&account)).await;
        browser.go(&to("revoke")).await;
        browser.see("This token is revoked already.").await;
        browser.go(&to("reactivate")).await;
        browser.see("Calls with Linked work again at once").await;
    })
    .await;
    assert_eq!(account.audit("action=reactivate").await.len(), 0);
}

#[tokio::test]
async fn a_token_that_never_was_one_that_is_gone_and_one_that_cannot_be_read_are_told_apart() {
    let stack = Stack::from_env();
    let account = Account::create(&stack, "page-gone", "enterprise").await;
    let (id, _) = account.create_token(full("Purged")).await;
    let mut log = send(account.get(&account.owner, &format!("/tokens/{id}/audit")))
        .await
        .expect(200);
    let mut record = log["records"][0].take();
    record["action"] = json!("purge");
    record["user"] = json!({"id": "system", "type": "system", "email": null, "name": "System"});
    let never = "tok_01ARZ3NDEKTSV4RRFFQ69G5FAV";
    in_browser(&stack, async |browser| {
        browser.with_answers().await;
        browser.enter(&account.owner, &page(&account, never)).await;
        browser.see("There is no such token").await;
        browser.see(never).await;
        browser.see_no("deleted").await;
        browser.go(&page(&account, "nonsense")).await;
        browser.see("There is no such token").await;
        // So does the link that edits one.
        browser.go(&list(&account)).await;
        browser.go(&format!("{}/edit", page(&account, never))).await;
        browser.see("There is no such token").await;
        assert_eq!(browser.eval("location.hash").await, page(&account, never));

        let gone = json!({"status": 404, "body": {"code": "token_not_found"}});
        browser.answer(&format!("tokens/{id}/audit"), json!({"status": 200, "body": {"records": [record], "nextCursor": null}})).await;
        browser.answer(&format!("tokens/{id}"), gone).await;
        // The log's answer is looked up by a longer part.
        browser.run("const [log] = Object.keys(answers).filter((e) => e.endsWith('audit')); const { [log]: it, ...rest } = answers; answers = { [log]: it, ...rest };", &[]).await;
        browser.go(&page(&account, &id)).await;
        browser.until("document.querySelector('h1').innerText === 'Purged'").await;
        browser.see("This token no longer exists.").await;
        browser.see("It was purged: its time was over.").await;

        browser.answer("/tokens/", json!({"status": 500, "body": {"code": "internal_error", "requestId": "req-1"}})).await;
        browser.run("answers = { '/tokens/': answers['/tokens/'] }", &[]).await;
        browser.go(&format!("{}?events=use", page(&account, "tok_01ARZ3NDEKTSV4RRFFQ69G5FAW"))).await;
        browser.see("Something went wrong on our side.").await;
        browser.see("req-1").await;
        browser.answer("/tokens/", Value::Null).await;
        browser.click(Button("Try again")).await;
        browser.see("There is no such token").await;
    })
    .await;
}

#[tokio::test]
async fn what_a_token_may_do_is_told_by_name_also_if_it_is_much() {
    let stack = Stack::from_env();
    let account = Account::create(&stack, "page-scope", "enterprise").await;
    let (id, _) = account.create_token(full("Scoped")).await;
    let mut scoped = token(&account, &id).await;
    let exports: Vec<_> = (1..=30).map(|number| format!("exp-{number}")).collect();
    scoped["scope"] = json!({"type": "custom", "connections": ["con-erp", "con-gone"], "exports": exports, "imports": [], "apis": []});
    scoped["allowedCidrs"] = json!(["192.0.2.0/24", "2001:db8::/32"]);
    scoped["kind"] = json!("integrationApp");
    scoped["integrationId"] = json!("app-1");
    scoped["description"] = json!("Kept in the vault.\nAsk the warehouse.");
    let mut known: Vec<_> = exports.iter().map(|id| json!({"type": "export", "id": id, "name": format!("Orders of {id}"), "description": ""})).collect();
    known.push(
        json!({"type": "connection", "id": "con-erp", "name": "\u{202e}ERP", "description": ""}),
    );
    in_browser(&stack, async |browser| {
        browser.with_answers().await;
        browser.allow_clipboard().await;
        // Nothing has asked for names yet.
        browser.enter(&account.owner, &format!("{}/notifications", list(&account))).await;
        browser.answer(&format!("GET v1/accounts/{}/integrations", account.id), json!({"status": 200, "body": {"integrations": [{"id": "app-1", "name": "Order management"}], "nextCursor": null}})).await;
        browser.answer("/resources?ids=", json!({"status": 200, "body": {"resources": known, "nextCursor": null}})).await;
        browser.answer(&format!("/tokens/{id}/audit"), json!({"status": 200, "body": {"records": [], "nextCursor": null}})).await;
        browser.answer(&format!("/tokens/{id}"), json!({"status": 200, "body": scoped})).await;
        browser.go(&page(&account, &id)).await;
        browser.see("Only 32 resources, and nothing else in this account.").await;
        browser.see("1 of these no longer exists").await;
        browser.see("con-gone no longer exists").await;
        browser.see("[U+202E]ERP con-erp").await;
        browser.see("Orders of exp-1 exp-1").await;
        browser.see("192.0.2.0/24 2001:db8::/32").await;
        browser.see("Order management app-1").await;
        browser.see("Nothing is recorded yet.").await;
        let shown = "document.querySelectorAll('.scope-lists li').length";
        assert_eq!(browser.eval(shown).await, 20);
        browser.click(Button("Show all 32")).await;
        browser.until(&format!("{shown} === 32")).await;
        assert_eq!(browser.focused().await, "Show fewer");
        browser.write(Field("Search these resources"), "exp-30").await;
        browser.until(&format!("{shown} === 1")).await;
        browser.see_no("exp-29").await;
        browser.write(Field("Search these resources"), "nothing").await;
        browser.see("None of these resources matches.").await;
        browser.click(Button("Copy the token's ID")).await;
        assert_eq!(browser.clipboard().await, id);
        browser.see("Copied").await;
    })
    .await;
}

#[tokio::test]
async fn the_end_of_a_token_comes_near_in_words_and_then_it_is_purged() {
    let stack = Stack::from_env();
    let account = Account::create(&stack, "page-end", "enterprise").await;
    let (id, _) = account
        .create_token(json!({"name": "Short", "autoPurge": "1h", "scope": {"type": "full"}}))
        .await;
    let (forever, _) = account
        .create_token(json!({"name": "Forever", "autoPurge": "never", "scope": {"type": "full"}}))
        .await;
    in_browser(&stack, async |browser| {
        browser.with_clock().await;
        browser
            .enter(&account.owner, &page(&account, &forever))
            .await;
        browser.see("Active. It never ends by itself.").await;
        browser.see("It has full access and never ends.").await;
        browser.go(&page(&account, &id)).await;
        browser.see("Active. It ends in ").await;
        browser.advance(Duration::from_secs(45 * 60)).await;
        browser.see("Ends in 1").await;
        browser
            .until("document.querySelector('.state:is(.warning, .danger)')")
            .await;
        browser.advance(Duration::from_secs(10 * 60)).await;
        browser
            .until("document.querySelector('.state.danger')")
            .await;
        browser.advance(Duration::from_secs(10 * 60)).await;
        browser
            .see("its time is over, and calls with it are refused.")
            .await;
        browser
            .until("!document.querySelector('.token-actions')")
            .await;
    })
    .await;
}

#[tokio::test]
async fn the_timeline_tells_everything_in_words() {
    let stack = Stack::from_env();
    let account = Account::create(&stack, "page-timeline", "enterprise").await;
    let (id, secret) = account.create_token(full("Told")).await;
    status_with(&account, &secret).await;
    let mut log = eventually("the use", async || {
        let mut log = send(account.get(&account.owner, &format!("/tokens/{id}/audit")))
            .await
            .expect(200);
        let records = std::mem::take(log["records"].as_array_mut()?);
        (records.len() == 2).then_some(records)
    })
    .await;
    let sample = log.swap_remove(0);
    assert_eq!(sample["action"], "access");
    let member = json!({"id": "user-1", "type": "member", "email": "olive@acme.example", "name": "Olive Owner"});
    let system = json!({"id": "system", "type": "system", "email": null, "name": "System"});
    let scanner = json!({"id": "github", "type": "scanner", "email": null, "name": "GitHub"});
    let mut number = 0;
    let mut record =
        |action: &str, user: &Value, changes: &[(&str, Option<&str>, Option<&str>)]| {
            number += 1;
            let mut record = sample.clone();
            record["id"] = json!(format!("aud_{number:026}"));
            record["action"] = json!(action);
            record["user"] = user.clone();
            record["userAgent"] = json!("curl/8.5.0");
            record["client"] = json!("curl 8.5");
            record["ip"] = json!("203.0.113.9");
            record["changes"] = changes
                .iter()
                .map(|(field, old, new)| json!({"field": field, "old": old, "new": new}))
                .collect();
            record
        };
    let records = vec![
        record("archived", &member, &[("shelf", None, Some("<b>7</b>"))]),
        record(
            "tamper",
            &system,
            &[("scope.exports", Some("exp-1"), Some("\u{202e}x"))],
        ),
        record(
            "leak",
            &scanner,
            &[
                ("compromisedSecret", None, Some("previous")),
                ("leakUrl", None, Some("https://example.com/x")),
            ],
        ),
        record(
            "remind",
            &system,
            &[(
                "purgeAt",
                Some("2030-01-01T10:00:00Z"),
                Some("2030-01-01T10:00:00Z"),
            )],
        ),
        record(
            "purge",
            &system,
            &[("purgeAt", Some("2030-01-01T10:00:00Z"), None)],
        ),
        record(
            "refused",
            &member,
            &[
                ("reason", None, Some("ended")),
                ("daysRefused", None, Some("3")),
            ],
        ),
        record("refused", &member, &[("reason", None, Some("constructor"))]),
        record("delete", &member, &[]),
        record(
            "retire",
            &member,
            &[
                ("previousSecret.hint", Some("ab12"), None),
                (
                    "previousSecret.validUntil",
                    Some("2030-01-01T10:00:00Z"),
                    None,
                ),
            ],
        ),
        record(
            "regenerate",
            &member,
            &[("hint", Some("ab12"), Some("x7Qd"))],
        ),
        record(
            "reactivate",
            &member,
            &[
                ("status", Some("revoked"), Some("active")),
                ("revocationReason", Some("left"), None),
            ],
        ),
        record(
            "revoke",
            &system,
            &[
                ("status", Some("active"), Some("revoked")),
                ("revocationReason", None, Some("idle” x")),
            ],
        ),
        record(
            "revoke",
            &member,
            &[("compromisedSecret", None, Some("ended"))],
        ),
        record("view", &member, &[]),
        record(
            "update",
            &member,
            &[
                ("name", Some("Old"), Some("Told")),
                ("description", None, Some("For <i>tests</i>")),
                ("autoPurge", Some("1d"), Some("never")),
                ("purgeAt", Some("2030-01-01T10:00:00Z"), None),
                ("scope", Some("full"), Some("custom")),
                ("scope.exports", Some("exp-1, exp-2"), Some("exp-2, exp-3")),
                ("allowedCidrs", None, Some("192.0.2.0/24")),
            ],
        ),
        record("access", &member, &[]),
        record(
            "create",
            &member,
            &[("name", None, Some("Old")), ("scope", None, Some("full"))],
        ),
    ];
    in_browser(&stack, async |browser| {
        browser.with_answers().await;
        browser.enter(&account.owner, "").await;
        let orders = json!([{"type": "export", "id": "exp-3", "name": "Orders", "description": ""}]);
        browser.answer("/resources?ids=", json!({"status": 200, "body": {"resources": orders, "nextCursor": null}})).await;
        browser.answer(&format!("/tokens/{id}/audit"), json!({"status": 200, "body": {"records": records, "nextCursor": null}})).await;
        browser.go(&page(&account, &id)).await;
        browser.until("document.querySelectorAll('.event').length === 17").await;
        let told = browser.eval("[...document.querySelectorAll('.event .what > p')].map((e) => [...e.childNodes].filter((n) => n.nodeName !== 'TIME').map((n) => n.textContent).join('').trim())").await;
        let day = browser.eval("document.querySelector('.day h3').innerText").await;
        assert_eq!(day, "Today");
        let until = browser.eval("document.querySelectorAll('.event')[3].querySelector('time').innerText").await;
        let told: Vec<_> = told.as_array().expect("events").iter().map(|it| it.as_str().expect("a text").replace("  ", " ")).collect();
        let expected = [
            "Olive Owner: archived".to_owned(),
            "A record of this log was changed or removed. The old values are what it said.".to_owned(),
            "secret scanner GitHub reported its old secret as leaked. It never works again.".to_owned(),
            "The administrators were reminded that it ends .".to_owned(),
            "It was purged: its time was over.".to_owned(),
            "Somebody tried a secret of it from 203.0.113.9 with “curl 8.5” (as claimed); refused because the secret had been replaced or ended.".to_owned(),
            "Somebody tried a secret of it from 203.0.113.9 with “curl 8.5” (as claimed); refused because “constructor”.".to_owned(),
            "Olive Owner deleted it.".to_owned(),
            "Olive Owner ended the old secret …ab12 before its time.".to_owned(),
            "Olive Owner generated a new secret, …x7Qd. The old one, …ab12, ended at once.".to_owned(),
            "Olive Owner reactivated it.".to_owned(),
            "system System revoked it: “idle\" x”.".to_owned(),
            "Somebody who has a secret of it that had ended before revoked it with that.".to_owned(),
            "Olive Owner had its secret shown.".to_owned(),
            "Olive Owner edited it.".to_owned(),
            "It was used from 203.0.113.9 with “curl 8.5” (as claimed), for the first time from there that day.".to_owned(),
            "Olive Owner created it.".to_owned(),
        ];
        assert!(until.as_str().is_some_and(|text| text.contains("2030")), "{until}");
        assert_eq!(told, expected);
        let changes = |event: u8| format!("[...document.querySelectorAll('.event')[{event}].querySelectorAll('.changes > li')].map((e) => e.innerText.replace(/\\s+/g, ' '))");
        assert_eq!(browser.eval(&changes(0)).await, json!(["shelf: “<b>7</b>”"]));
        assert_eq!(browser.eval(&changes(1)).await, json!(["scope.exports: “[U+202E]x”, before that “exp-1”"]));
        let edited = browser.eval(&changes(14)).await;
        assert_eq!(edited[0], "Name: renamed from “Old” to “Told”");
        assert_eq!(edited[1], "Description: “For <i>tests</i>”");
        assert_eq!(edited[2], "Auto purge: Never, before that 1 day");
        assert!(edited[3].as_str().is_some_and(|text| text.starts_with("Purge time: never, before that ")), "{edited}");
        assert_eq!(edited[4], "Scope: Custom, before that Full access");
        assert_eq!(edited[5], "Exports: added Orders exp-3; removed exp-1");
        assert_eq!(edited[6], "Allowed addresses: added 192.0.2.0/24");

        // Everything else about an event can be opened: no fact is in a tooltip.
        assert_eq!(browser.eval("document.querySelectorAll('[title]').length").await, 0);
        browser.see_no("olive@acme.example").await;
        browser.click(Css(".event .more details:last-child summary")).await;
        browser.see("olive@acme.example").await;
        browser.see("curl/8.5.0").await;
        browser.click(Css(".event:last-child .more details summary")).await;
        browser.see("Full access").await;

        // The kinds. Each event is of one; what the page doesn't know is a change.
        for (kind, count) in [("Use", 1), ("Changes", 9), ("Secrets", 3), ("Problems", 4), ("Everything", 17)] {
            browser.choose(Field("Show"), kind).await;
            browser.until(&format!("document.querySelectorAll('.event').length === {count}")).await;
        }
        browser.choose(Field("Show"), "Problems").await;
        browser.until("location.hash.endsWith('?events=problems')").await;

        // After a failed load, no old event stands under a new filter.
        browser.answer(&format!("/tokens/{id}/audit"), json!({"status": 500, "body": {"code": "internal_error", "requestId": "req-1"}})).await;
        browser.choose(Field("Show"), "Secrets").await;
        browser.see("Something went wrong on our side.").await;
        browser.until("document.querySelectorAll('.event').length === 0").await;
        let pages = json!({"status": 200, "body": {"records": [records[13]], "nextCursor": "next"}});
        browser.answer(&format!("/tokens/{id}/audit"), pages).await;
        browser.click(Css(".timeline [role=alert] button")).await;
        browser.until("document.querySelectorAll('.event').length === 1").await;
        browser.answer(&format!("/tokens/{id}/audit"), json!({"status": 200, "body": {"records": [records[9]], "nextCursor": null}})).await;
        browser.click(Button("Show older")).await;
        browser.until("document.querySelectorAll('.event').length === 2").await;
        browser.until("document.activeElement.innerText === 'What happened'").await;
        browser.answer(&format!("/tokens/{id}/audit"), Value::Null).await;
        browser.click(Button("Open as a table")).await;
        browser.see("Audit log of Told").await;
    })
    .await;
}

#[tokio::test]
async fn a_token_says_when_it_was_used_and_refused() {
    let stack = Stack::from_env();
    let account = Account::create(&stack, "page-use", "enterprise").await;
    let (id, secret) = account.create_token(full("Used")).await;
    in_browser(&stack, async |browser| {
        browser.enter(&account.owner, &page(&account, &id)).await;
        browser.see("It has never been used.").await;
        browser.see("None in the last 30 days.").await;
        let call = stack
            .protected(Method::GET, "/v1/connections")
            .header("user-agent", "warehouse/1.0");
        assert_eq!(send(call.bearer_auth(&secret)).await.status, 200);
        send(account.post(&account.owner, &format!("/tokens/{id}/revoke")))
            .await
            .expect(200);
        assert_eq!(status_with(&account, &secret).await, 403);
        let path = format!("/tokens/{id}/audit");
        eventually("the records", async || {
            let log = send(account.get(&account.owner, &path)).await.expect(200);
            (log["records"].as_array()?.len() == 4).then_some(())
        })
        .await;
        browser.go(&list(&account)).await;
        browser.go(&page(&account, &id)).await;
        browser.see("Client, as claimed warehouse 1.0").await;
        browser
            .see("On 1 day of the last 30: The token is revoked: 1 day, last ")
            .await;
        browser
            .see("Something still uses a secret that doesn't work.")
            .await;
    })
    .await;
}

/// Checks the token's page in every look, with long and hostile content.
#[tokio::test]
async fn the_page_of_a_token_is_legible_in_every_look() {
    let stack = Stack::from_env();
    let account = Account::create(&stack, "page-look", "enterprise").await;
    for (kind, id) in [
        ("connection", "con-crm"),
        ("export", "exp-orders"),
        (
            "export",
            "exp-a-very-long-identifier-that-somebody-chose-without-spaces",
        ),
        ("api", "api-one"),
    ] {
        account.add_resource(kind, id, None).await;
    }
    let custom = json!({"name": "Warehouse sync", "description": "Nightly export of the stock. Kept in the warehouse's vault, under integrations/stock.",
        "autoPurge": "30d", "allowedCidrs": ["127.0.0.0/8", "2001:db8::/32"], "scope": {"type": "custom", "exports": ["exp-orders", "exp-a-very-long-identifier-that-somebody-chose-without-spaces"], "connections": ["con-crm"], "apis": ["api-one"]}});
    let (id, secret) = account.create_token(custom).await;
    let call = stack
        .protected(Method::GET, "/v1/exports/exp-orders")
        .header(
            "user-agent",
            "warehouse/1.0 (nightly; +https://warehouse.example/with/a/long/address)",
        );
    send(call.bearer_auth(&secret)).await.expect(200);
    let rename = account.request(
        Method::PATCH,
        &account.administrator,
        &format!("/tokens/{id}"),
    );
    send(
        rename.json(
            &json!({"name": "Warehouse sync, nightly", "scope": {"exports": ["exp-orders"]}}),
        ),
    )
    .await
    .expect(200);
    replace(&account, &id).await;
    let (hostile, given_up) = account.create_token(json!({"name": "<img src=x onerror=alert(1)> \u{5d0}\u{5d1}\u{5d2} with-a-name-that-is-as-long-as-it-may-be-and-has-no-space-to-break",
        "description": "<script>alert(2)</script>\n\u{5d0}\u{5d1}\u{5d2}", "autoPurge": "1h", "scope": {"type": "full"}})).await;
    give_up(&account, &given_up).await;
    status_with(&account, &given_up).await;
    let (revoked, _) = account.create_token(full("Revoked")).await;
    send(account.post(&account.owner, &format!("/tokens/{revoked}/revoke")).json(&json!({"reason": "A reason that is told at some length, because whoever left had many things that nobody knew about."}))).await.expect(200);
    in_browser(&stack, async |browser| {
        browser.enter(&account.owner, &page(&account, &id)).await;
        let mut findings = Vec::new();
        browser.see("created it.").await;
        browser.see("Client, as claimed").await;
        findings.extend(views::check(browser, "token").await);
        browser
            .run(
                "for (const each of document.querySelectorAll('details')) each.open = true",
                &[],
            )
            .await;
        findings.extend(views::check(browser, "token-opened").await);
        browser.go(&page(&account, &hostile)).await;
        browser.see("Secret compromised").await;
        browser.see("On 1 day of the last 30").await;
        assert_eq!(
            browser
                .eval("document.images.length + document.querySelectorAll('main script').length")
                .await,
            0
        );
        findings.extend(views::check(browser, "token-hostile").await);
        browser.go(&page(&account, &revoked)).await;
        browser.see("created it.").await;
        findings.extend(views::check(browser, "token-revoked").await);
        browser
            .go(&format!("{}?do=show", page(&account, &id)))
            .await;
        browser.see("Show this token?").await;
        findings.extend(views::check(browser, "token-show").await);
        browser.click(Button("Cancel")).await;
        send(account.request(
            Method::DELETE,
            &account.owner,
            &format!("/tokens/{revoked}"),
        ))
        .await
        .expect(204);
        browser.go(&list(&account)).await;
        browser.go(&page(&account, &revoked)).await;
        browser.see("This token no longer exists.").await;
        browser.see("deleted it.").await;
        findings.extend(views::check(browser, "token-gone").await);
        assert!(findings.is_empty(), "{}", findings.join("\n"));
    })
    .await;
}

#[tokio::test]
async fn an_answer_that_is_under_way_is_not_lost_with_its_dialog() {
    let stack = Stack::from_env();
    let account = Account::create(&stack, "page-under-way", "enterprise").await;
    let (id, old) = account.create_token(full("Partner")).await;
    in_browser(&stack, async |browser| {
        browser.with_answers().await;
        browser.enter(&account.owner, &page(&account, &id)).await;
        browser.click(Button("Generate new token")).await;
        browser
            .answer("/regenerate", json!({"late": true}))
            .await;
        browser.click(Button("Generate")).await;
        browser.until("Boolean(window.letGo)").await;
        browser.press("\u{e00c}").await;
        for button in ["Cancel", "Close"] {
            browser.click(Button(button)).await;
            browser.see("stops working when the grace period ends").await;
        }
        // A browser closes a dialog that is asked to stay with the second key.
        browser.press("\u{e00c}").await;
        browser.press("\u{e00c}").await;
        browser.run("letGo()", &[]).await;
        browser.see("New token generated").await;
        let new = browser
            .eval("document.querySelector('dialog textarea.whole').value")
            .await;
        let new = new.as_str().expect("a secret");
        assert_eq!(status_with(&account, new).await, 200);
        assert_eq!(status_with(&account, &old).await, 403);
        browser.click(Button("Done")).await;
        browser.click(Button("Done")).await;
        browser.until("!document.querySelector('dialog')").await;

        // What became of it is told, also if the dialog is gone.
        let refused = json!({"status": 500, "body": {"code": "internal_error"}, "delay": true});
        browser.answer("/revoke", refused).await;
        browser.click(Button("Revoke API token")).await;
        browser.run("window.letGo = null", &[]).await;
        browser.click(Button("Revoke")).await;
        browser.until("Boolean(window.letGo)").await;
        browser
            .run("document.querySelector('dialog').close()", &[])
            .await;
        browser.until("!document.querySelector('dialog')").await;
        browser.run("letGo()", &[]).await;
        browser
            .until("document.querySelector('.toast.danger')?.innerText.includes('Something went wrong on our side.')")
            .await;
    })
    .await;
    assert_eq!(account.audit("action=regenerate").await.len(), 1);
}

#[tokio::test]
async fn what_may_have_changed_is_looked_at_before_it_is_asked_about_again() {
    let stack = Stack::from_env();
    let account = Account::create(&stack, "page-unsure", "enterprise").await;
    let (id, _) = account.create_token(full("Partner")).await;
    let (unread, _) = account.create_token(full("Unread")).await;
    let (revoked, _) = account.create_token(full("Deleted")).await;
    send(account.post(&account.owner, &format!("/tokens/{revoked}/revoke")))
        .await
        .expect(200);
    let ends = "ends at once: a token has one old secret at most.";
    in_browser(&stack, async |browser| {
        let generate = async || {
            browser.click(Button("Generate new token")).await;
            browser
                .see("stops working when the grace period ends")
                .await;
        };
        browser.with_answers().await;
        browser.enter(&account.owner, &page(&account, &id)).await;
        generate().await;
        browser.see_no(ends).await;
        browser
            .choose(Field("Grace period of the old token"), "1 hour")
            .await;
        browser.answer("/regenerate", json!({"lost": true})).await;
        browser.click(Button("Generate")).await;
        browser.see("Latchkey could not be reached.").await;
        // Another choice would be another new secret.
        browser.see(ends).await;
        browser.click(Button("Cancel")).await;
        browser.see("The old secret …").await;
        browser.see(" works until ").await;

        // If it can't be looked at either, that is done later.
        browser.go(&page(&account, &unread)).await;
        browser.see("Unread").await;
        generate().await;
        browser
            .choose(Field("Grace period of the old token"), "1 hour")
            .await;
        let path = format!("GET v1/accounts/{}/tokens/{unread}", account.id);
        browser.answer(&path, json!({"lost": true})).await;
        browser.click(Button("Generate")).await;
        browser.see("Latchkey could not be reached.").await;
        browser.click(Button("Cancel")).await;
        browser.until("!document.querySelector('dialog')").await;
        browser.answer(&path, Value::Null).await;
        browser.answer("/regenerate", Value::Null).await;
        generate().await;
        browser.see(ends).await;
        browser.click(Button("Cancel")).await;
        browser.see(" works until ").await;

        // The list follows too, and so does what is gone.
        browser.go(&list(&account)).await;
        names(browser, &["Deleted", "Unread", "Partner"]).await;
        browser.answer("/revoke", json!({"lost": true})).await;
        choose_action(browser, "Partner", "Revoke API token").await;
        browser.click(Button("Revoke")).await;
        browser.see("Latchkey could not be reached.").await;
        browser.click(Button("Cancel")).await;
        browser
            .until("document.querySelectorAll('.badge.revoked').length === 2")
            .await;
        browser.answer("DELETE", json!({"lost": true})).await;
        choose_action(browser, "Deleted", "Delete API token").await;
        browser.click(Button("Delete")).await;
        browser.see("Latchkey could not be reached.").await;
        browser.click(Button("Cancel")).await;
        names(browser, &["Unread", "Partner"]).await;
        browser.click(Field("Select Unread")).await;
        browser.click(Button("Revoke…")).await;
        browser.click(Button("Revoke 1 token")).await;
        browser.see("1 token is revoked.").await;
        browser
            .until("document.querySelectorAll('.badge.revoked').length === 2")
            .await;
    })
    .await;
    assert_eq!(account.audit("action=regenerate").await.len(), 2);
}

#[tokio::test]
async fn a_session_that_ends_in_a_dialog_leads_back_to_it_and_promises_nothing_else() {
    let stack = Stack::from_env();
    let account = Account::create(&stack, "page-dialog-end", "enterprise").await;
    account.create_token(full("Partner")).await;
    in_browser(&stack, async |browser| {
        browser.with_answers().await;
        browser.enter(&account.owner, &list(&account)).await;
        choose_action(browser, "Partner", "Revoke API token").await;
        browser
            .write(Field("Reason (optional)"), "The partner has left")
            .await;
        let ended = json!({"status": 401, "body": {"message": "Unauthorized"}});
        browser.answer("/revoke", ended).await;
        browser.click(Button("Revoke")).await;
        browser.see("Sign in again to go on where you are.").await;
        browser.see_no("What you typed is kept.").await;
        browser.sign_in(&account.owner).await;
        browser.find(Field("Reason (optional)")).await;
        browser.see("Calls with Partner are refused").await;
        browser.click(Button("Revoke")).await;
        browser.see("“Partner” is revoked.").await;
    })
    .await;
}
