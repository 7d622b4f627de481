//! The page without a pointer.

use super::*;

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
        browser.until("document.activeElement.innerText.trim() === 'Copied'").await;
        let secret = browser.clipboard().await;
        assert!(secret.starts_with("lka_"));
        browser.press(ESCAPE).await;
        names(browser, &["By keyboard"]).await;

        tab_to(browser, "Actions for By keyboard").await;
        browser.press(ENTER).await;
        browser.until("document.activeElement.getAttribute('role') === 'menuitem'").await;
        assert_eq!(browser.focused().await, "View token");
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
