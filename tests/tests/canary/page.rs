//! The API tokens page, and what the browser keeps of it.

use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::SystemTime;

use end_to_end::Target::{Button, Css, Field};
use end_to_end::{Account, Browser};
use serde_json::{Value, json};

use crate::places::{files, of_json};
use crate::search::Place;

/// Everything that a script can read of the page and its storage.
const KEPT: &str = r"
    const done = arguments[0];
    const kept = {
        markup: new XMLSerializer().serializeToString(document),
        text: document.body.innerText,
        title: document.title,
        fields: [...document.querySelectorAll('input, textarea, select')].map((each) => each.value),
        shadows: [...document.querySelectorAll('*')].map((each) => each.shadowRoot?.innerHTML ?? ''),
        selection: String(getSelection()),
        address: location.href,
        referrer: document.referrer,
        history: history.state,
        local: { ...localStorage },
        session: { ...sessionStorage },
        cookies: document.cookie,
        name: window.name,
        requests: performance.getEntries().map((each) => each.name),
        globals: Object.keys(window).map((name) => { try { const value = window[name]; return typeof value === 'string' ? value : ''; } catch { return ''; } }),
    };
    const caches_ = async () => {
        const found = [];
        for (const name of await caches.keys()) {
            for (const request of await (await caches.open(name)).keys()) {
                found.push(request.url, await (await caches.match(request)).text());
            }
        }
        return found;
    };
    const databases = async () => {
        const found = [];
        for (const { name } of await indexedDB.databases()) {
            const database = await new Promise((resolve) => { indexedDB.open(name).onsuccess = (event) => resolve(event.target.result); });
            for (const store of database.objectStoreNames) {
                found.push(await new Promise((resolve) => {
                    database.transaction(store).objectStore(store).getAll().onsuccess = (event) => resolve(event.target.result);
                }));
            }
            database.close();
        }
        return found;
    };
    (async () => {
        // Only pages of a secure origin have caches.
        kept.caches = globalThis.caches ? await caches_() : [];
        kept.databases = await databases();
        kept.workers = navigator.serviceWorker ? (await navigator.serviceWorker.getRegistrations()).length : 0;
        done(kept);
    })().catch((error) => done(String(error)));
";

/// Puts text wherever a page can: the storage, the address, the page and the console.
const PLANT: &str = r"
    const done = arguments[0];
    localStorage.setItem('planted', text);
    sessionStorage.setItem('planted', text);
    document.cookie = `planted=${word}; max-age=3600`;
    history.pushState({ planted: text }, '', `#/planted/${word}`);
    const kept = document.createElement('p');
    kept.dataset.planted = text.replaceAll('\0', '');
    document.body.append(kept);
    const field = document.createElement('input');
    field.value = word;
    document.body.append(field);
    window.name = word;
    console.log(text);
    const open = indexedDB.open('planted', 1);
    open.onupgradeneeded = () => open.result.createObjectStore('planted', { autoIncrement: true });
    open.onsuccess = () => {
        const put = open.result.transaction('planted', 'readwrite');
        put.objectStore('planted').add(text);
        put.oncomplete = () => { open.result.close(); done(null); };
    };
";

/// Counts the looks at the page, so that a find names one.
static LOOKS: AtomicU32 = AtomicU32::new(0);

/// Returns everything that the page, its storage and the browser's logs have now.
pub(crate) async fn kept(browser: &Browser) -> Vec<Place> {
    let look = LOOKS.fetch_add(1, Ordering::Relaxed);
    let mut kept = browser.run_async(KEPT).await;
    let members = kept.as_object_mut().expect("what the page has");
    assert_eq!(
        members.remove("workers"),
        Some(json!(0)),
        "a service worker"
    );
    let mut places: Vec<_> = members
        .iter()
        .map(|(name, value)| of_json("page", &format!("{name} at look {look}"), value))
        .collect();
    for (name, command) in [
        ("all cookies", "Storage.getCookies"),
        ("all addresses", "Page.getNavigationHistory"),
    ] {
        let value = browser.devtools(command, json!({})).await;
        places.push(of_json("page", &format!("{name} at look {look}"), &value));
    }
    for mut line in browser.console().await {
        // What a page logs is quoted behind the place in its source.
        let quoted = line.find('"').and_then(|at| line.get(at..));
        let said = quoted.and_then(|text| serde_json::from_str::<String>(text).ok());
        line.extend(said);
        places.push(Place::new("page", format!("console at look {look}"), line));
    }
    for event in browser.network().await {
        let event: Value = serde_json::from_str(&event).expect("an event");
        places.push(of_json("page", &format!("network at look {look}"), &event));
    }
    places
}

/// The names of the places of a page in which [`plant`] leaves everything, and those in which it leaves a word.
pub(crate) const PLANTED: [[&str; 5]; 2] = [
    ["local", "session", "history", "console", "databases"],
    ["cookies", "address", "fields", "name", "all addresses"],
];

/// Plants faults in the page and its storage. `word` is the secret as it is, for places that can't have the text.
pub(crate) async fn plant(browser: &Browser, text: &str, word: &str) {
    let (text, word) = (json!(text), json!(word));
    let script = format!("const [text, word] = [{text}, {word}]; {PLANT}");
    browser.run_async(&script).await;
}

/// Returns what the browser left on the disk.
pub(crate) fn left(folder: &Path) -> Vec<Place> {
    let mut places = Vec::new();
    files(folder, SystemTime::UNIX_EPOCH, &mut places);
    for place in &mut places {
        place.kind = "profile";
    }
    places
}

/// Copies the secret that a dialog shows.
async fn copied(browser: &Browser) -> String {
    browser.click(Button("Copy token")).await;
    browser
        .until("document.querySelector('dialog').innerText.includes('Copied')")
        .await;
    let secret = browser.clipboard().await;
    assert_eq!(secret.len(), 53, "{secret}");
    secret
}

async fn closed(browser: &Browser, button: &str) {
    browser.click(Button(button)).await;
    browser.until("!document.querySelector('dialog')").await;
}

/// What was seen of the page after a secret was handed over.
pub(crate) struct Seen {
    pub(crate) secrets: Vec<(String, String)>,
    pub(crate) places: Vec<Place>,
}

/// Creates a token in the page, has its secret shown, and replaces it. Then signs out. Looks at everything that is kept
/// whenever a secret should be gone.
pub(crate) async fn use_the_page(browser: &Browser, account: &Account) -> Seen {
    let mut seen = Seen {
        secrets: vec![],
        places: vec![],
    };
    let route = format!("#/accounts/{}", account.id);
    browser.allow_clipboard().await;
    browser.enter(&account.owner, &route).await;
    browser.click(Button("Create API token")).await;
    browser.write(Field("Name"), "Canary").await;
    browser.choose(Field("Auto purge token"), "1 hour").await;
    browser.click(Field("Full access")).await;
    browser.click(Button("Save")).await;
    browser.see("API token created").await;
    // The ways in which the dialog writes the secret: for a shell and for a file.
    for way in [".env", "curl"] {
        browser.click(Button(way)).await;
    }
    let created = copied(browser).await;
    seen.secrets.push(("created in the page".into(), created));
    closed(browser, "Done").await;
    seen.places.extend(kept(browser).await);

    browser.click(Button("Show token")).await;
    browser.find(Css("dialog textarea.whole")).await;
    let shown = copied(browser).await;
    seen.secrets.push(("shown in the page".into(), shown));
    closed(browser, "Close").await;
    seen.places.extend(kept(browser).await);

    browser.click(Button("Generate new token")).await;
    browser
        .choose(Field("Grace period of the old token"), "1 hour")
        .await;
    browser.click(Button("Generate")).await;
    browser.see("New token generated").await;
    let replaced = copied(browser).await;
    seen.secrets.push(("replaced in the page".into(), replaced));
    closed(browser, "Done").await;
    seen.places.extend(kept(browser).await);

    browser.go(&route).await;
    browser.click(Button("Sign out")).await;
    browser.find(Button("Sign in")).await;
    browser.run("history.back()", &[]).await;
    browser.find(Button("Sign in")).await;
    seen.places.extend(kept(browser).await);
    seen
}
