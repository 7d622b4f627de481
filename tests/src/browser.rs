//! A browser with the API tokens page: Chromium, controlled through ChromeDriver.
//!
//! `make test` sets `LATCHKEY_CHROMIUM`, `LATCHKEY_CHROMEDRIVER` and, for the accessibility checker, `LATCHKEY_AXE`.
//! If `LATCHKEY_SCREENSHOTS` names a folder, the tests store screenshots there.

use std::collections::BTreeSet;
use std::io::Write;
use std::panic::{AssertUnwindSafe, resume_unwind};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant, SystemTime};
use std::{env, fs};

use futures_util::FutureExt;
use serde_json::{Value, json};
use thirtyfour::error::WebDriverResult;
use thirtyfour::{
    CapabilitiesHelper, ChromeCapabilities, ChromiumLikeCapabilities, DesiredCapabilities,
    WebDriver, WebElement,
};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use crate::{PASSWORD, Person, Stack};

/// The longest wait for a condition.
const PATIENCE: Duration = Duration::from_secs(20);

/// An element of the page, by the name that people see.
#[derive(Debug, Clone, Copy)]
pub enum Target<'a> {
    /// A button, link or menu item with that accessible name.
    Button(&'a str),
    /// The control with that label.
    Field(&'a str),
    /// The first element that matches a CSS selector.
    Css(&'a str),
}

/// Finds a visible element, in the topmost dialog if one is open. The result is `null` if there is none.
const LOCATE: &str = r"
    const [kind, name] = arguments;
    const scope = [...document.querySelectorAll('dialog[open]')].at(-1) ?? document;
    const clean = (text) => text.replace(/\s+/g, ' ').trim();
    const visible = (element) => element.checkVisibility();
    if (kind === 'css') return [...scope.querySelectorAll(name)].find(visible) ?? null;
    if (kind === 'button') {
        const named = (element) => clean(element.getAttribute('aria-label') ?? element.innerText) === name;
        return [...scope.querySelectorAll('button, a, [role^=menuitem]')].find((e) => visible(e) && named(e)) ?? null;
    }
    for (const label of scope.querySelectorAll('label')) {
        const text = label.querySelector('input') ? label.querySelector('span').firstChild.textContent : label.textContent;
        const control = label.control;
        if (clean(text) === name && control && visible(control)) return control;
    }
    return null;
";

/// A clock that the test sets forward. It also runs by itself, so that timers keep working.
const CLOCK: &str = r"
    let ahead = 0;
    const RealDate = Date;
    const { setTimeout: set, clearTimeout: clear } = window;
    const waiting = new Map();
    window.Date = class extends RealDate {
        constructor(...given) { super(...(given.length ? given : [RealDate.now() + ahead])); }
        static now() { return RealDate.now() + ahead; }
    };
    window.setTimeout = (run, delay = 0, ...given) => {
        const id = set(() => { waiting.delete(id); run(...given); }, delay);
        waiting.set(id, { at: Date.now() + delay, run: () => run(...given) });
        return id;
    };
    window.clearTimeout = (id) => { waiting.delete(id); clear(id); };
    window.advanceClock = (milliseconds) => {
        ahead += milliseconds;
        for (const [id, { at, run }] of [...waiting].sort((a, b) => a[1].at - b[1].at)) {
            if (at > Date.now() || !waiting.has(id)) continue;
            window.clearTimeout(id);
            run();
        }
    };
";

/// Responses of the API that the test defines. `answers` maps a part of 'METHOD path' to a response.
const ANSWERS: &str = r"
    const real = window.fetch;
    window.answers = {};
    window.fetch = async (url, options = {}) => {
        const request = `${options.method ?? 'GET'} ${url}`;
        const key = Object.keys(window.answers).find((part) => request.includes(part));
        if (!key) return real(url, options);
        const answer = window.answers[key];
        const { status, body, headers = {}, delay = 0, lost = false, late = false, cut = false } = answer;
        // Some are given so many times only.
        if (answer.times && --answer.times === 0) delete window.answers[key];
        // The request arrives, its response doesn't, or only when the test lets go.
        const arrived = lost || late ? await real(url, options) : null;
        if (delay || late) await new Promise((resolve) => { window.letGo = resolve; });
        if (lost) throw new TypeError('Failed to fetch');
        if (late) return arrived;
        // The connection breaks while the body arrives.
        if (cut) return new Response(new ReadableStream({ start: (body) => body.error(new TypeError('network error')) }), { status });
        return new Response(JSON.stringify(body), { status, headers: { 'content-type': 'application/problem+json', ...headers } });
    };
";

/// The browser for one test.
#[derive(Debug)]
pub struct Browser {
    driver: WebDriver,
    stack: Stack,
}

/// Runs a test in its own browser. Afterwards checks that the page sent requests only to the API and the identity
/// provider, and didn't violate its own security policy.
///
/// # Panics
/// If the test panics, or one of these checks fails.
pub async fn in_browser(stack: &Stack, test: impl AsyncFnOnce(&Browser)) {
    in_browser_leaving(stack, test, |_| {}).await;
}

/// Like [`in_browser()`]. Afterwards calls `left` with the folder in which the browser, which has ended, left its data.
///
/// # Panics
/// If the test panics, or one of the checks fails.
pub async fn in_browser_leaving(
    stack: &Stack,
    test: impl AsyncFnOnce(&Browser),
    left: impl FnOnce(&Path),
) {
    let profile = Profile::create();
    let mut chromedriver = ChromeDriver::start().await;
    let browser = Browser {
        driver: chromedriver.session(&profile.0).await,
        stack: stack.clone(),
    };
    let run = async {
        test(&browser).await;
        browser.check_manners().await;
    };
    let outcome = AssertUnwindSafe(run).catch_unwind().await;
    if outcome.is_err() {
        browser.report().await;
    }
    let _ = browser.driver.quit().await;
    let _ = chromedriver.process.kill().await;
    if let Err(panic) = outcome {
        resume_unwind(panic);
    }
    left(&profile.0);
}

/// A folder for the browser's data. It is deleted after the test.
struct Profile(PathBuf);

impl Profile {
    fn create() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("latchkey-browser-{}-{count}", std::process::id());
        let folder = env::temp_dir().join(name);
        fs::create_dir_all(&folder).expect("a folder");
        Self(folder)
    }
}

impl Drop for Profile {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

struct ChromeDriver {
    process: Child,
    url: String,
}

impl ChromeDriver {
    async fn start() -> Self {
        // The driver chooses a port before it opens it, and fails if another process was faster.
        for _ in 0..5 {
            if let Some(started) = Self::try_start().await {
                return started;
            }
        }
        panic!("the browser's driver doesn't start");
    }

    async fn try_start() -> Option<Self> {
        let mut process = Command::new(setting("LATCHKEY_CHROMEDRIVER"))
            .arg("--port=0")
            .env("TZ", zone_of_noon())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .expect("the browser's driver");
        let mut lines = BufReader::new(process.stdout.take()?).lines();
        let port = loop {
            let line = lines.next_line().await.ok()??;
            if let Some((_, port)) = line.split_once("started successfully on port ") {
                break port.trim_end_matches('.').to_owned();
            }
        };
        // Without a reader of its output, the driver blocks.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        Some(Self {
            process,
            url: format!("http://127.0.0.1:{port}"),
        })
    }

    async fn session(&self, profile: &Path) -> WebDriver {
        let capabilities = capabilities(profile).expect("capabilities");
        let driver = WebDriver::new(&self.url, capabilities).await;
        driver.expect("a browser")
    }
}

fn capabilities(profile: &Path) -> WebDriverResult<ChromeCapabilities> {
    let mut capabilities = DesiredCapabilities::chrome();
    capabilities.set_binary(&setting("LATCHKEY_CHROMIUM"))?;
    for argument in [
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--disable-dev-shm-usage",
        "--window-size=1280,900",
        &format!("--user-data-dir={}", profile.display()),
    ] {
        capabilities.add_arg(argument)?;
    }
    let logs = json!({"browser": "ALL", "performance": "ALL"});
    capabilities.set("goog:loggingPrefs", logs)?;
    Ok(capabilities)
}

/// Returns the time zone in which it is past noon now. There, what begins and ends around a test is on the same day,
/// so the page's words for it don't depend on when the test runs.
#[expect(
    clippy::disallowed_methods,
    reason = "the browser's clock is the machine's"
)]
fn zone_of_noon() -> String {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let hour = now.expect("a time after 1970").as_secs() / 3600 % 24;
    // In these names, the sign says how far UTC is ahead.
    format!("Etc/GMT{:+}", i64::try_from(hour).expect("an hour") - 12)
}

fn setting(name: &str) -> String {
    let missing = "browser tests need Chromium and its driver: run `make test`";
    env::var(name).expect(missing)
}

impl Browser {
    /// Opens the page at a route, such as `#/accounts/acme`.
    pub async fn open(&self, route: &str) {
        let url = format!("{}{route}", self.stack.get("consoleUrl"));
        self.driver.goto(url).await.expect("a page");
    }

    /// Goes to a route in the page that is open.
    pub async fn go(&self, route: &str) {
        self.run("location.hash = arguments[0]", &[json!(route)])
            .await;
    }

    /// Opens the page at a route and signs in.
    pub async fn enter(&self, person: &Person, route: &str) {
        self.open(route).await;
        self.sign_in(person).await;
    }

    /// Signs in from the page that asks for it.
    pub async fn sign_in(&self, person: &Person) {
        self.click(Target::Button("Sign in")).await;
        self.fill_in_sign_in(person).await;
    }

    /// Fills in the identity provider's page.
    pub async fn fill_in_sign_in(&self, person: &Person) {
        self.write(Target::Field("Username"), &person.email).await;
        self.write(Target::Field("Password"), PASSWORD).await;
        self.click(Target::Css("button[type=submit]")).await;
        self.until("document.querySelector('.header .who, .header .account')")
            .await;
    }

    /// Runs a script in the page and returns its result.
    ///
    /// # Panics
    /// If the script fails.
    pub async fn run(&self, script: &str, arguments: &[Value]) -> Value {
        let answer = self.driver.execute(script, arguments.to_vec()).await;
        answer.expect("an answer").json().clone()
    }

    /// Runs a script in the page that hands its result to its argument, a function.
    ///
    /// # Panics
    /// If the script fails.
    pub async fn run_async(&self, script: &str) -> Value {
        let answer = self.driver.execute_async(script, vec![]).await;
        answer.expect("an answer").json().clone()
    }

    /// Returns the value of an expression in the page.
    pub async fn eval(&self, expression: &str) -> Value {
        self.run(&format!("return {expression}"), &[]).await
    }

    /// Waits until an expression in the page is true, and returns its value.
    ///
    /// # Panics
    /// If it doesn't become true in time.
    pub async fn until(&self, expression: &str) -> Value {
        let script =
            format!("const value = {expression}; return value instanceof Node ? true : value");
        let deadline = Instant::now() + PATIENCE;
        loop {
            // A page that is being left gives no answer.
            let answer = self.driver.execute(script.as_str(), vec![]).await;
            let value = answer.map(|answer| answer.json().clone());
            match value {
                Ok(Value::Null | Value::Bool(false)) | Err(_) => {}
                Ok(value) => return value,
            }
            assert!(Instant::now() < deadline, "waited in vain for {expression}");
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
    }

    /// Waits until the page shows a text. Texts for screen readers only don't count.
    pub async fn see(&self, text: &str) {
        let text = json!(text);
        self.until(&format!(
            "document.body.innerText.replace(/\\s+/g, ' ').includes({text})"
        ))
        .await;
    }

    /// Waits until the page no longer shows a text.
    pub async fn see_no(&self, text: &str) {
        let text = json!(text);
        self.until(&format!(
            "!document.body.innerText.replace(/\\s+/g, ' ').includes({text})"
        ))
        .await;
    }

    /// Waits for an element and returns it.
    ///
    /// # Panics
    /// If there is none in time.
    pub async fn find(&self, target: Target<'_>) -> WebElement {
        let arguments = match target {
            Target::Button(name) => vec![json!("button"), json!(name)],
            Target::Field(name) => vec![json!("field"), json!(name)],
            Target::Css(selector) => vec![json!("css"), json!(selector)],
        };
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Ok(found) = self.driver.execute(LOCATE, arguments.clone()).await
                && let Ok(element) = found.element()
            {
                return element;
            }
            assert!(Instant::now() < deadline, "waited in vain for {target:?}");
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
    }

    /// Clicks an element as soon as that is possible.
    ///
    /// # Panics
    /// If it isn't possible in time.
    pub async fn click(&self, target: Target<'_>) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let element = self.find(target).await;
            // The element may be below the bar at the bottom, be replaced, or be covered by a disappearing element.
            let center = "arguments[0].scrollIntoView({ block: 'center' })";
            let scrolled = match element.to_json() {
                Ok(element) => self.driver.execute(center, vec![element]).await.is_ok(),
                Err(_) => false,
            };
            let clicked = element.click().await;
            if scrolled && clicked.is_ok() {
                return;
            }
            assert!(
                Instant::now() < deadline,
                "can't click {target:?}: {clicked:?}"
            );
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
    }

    /// Replaces a field's text by typing.
    ///
    /// # Panics
    /// If that isn't possible.
    pub async fn write(&self, target: Target<'_>, text: &str) {
        let element = self.find(target).await;
        self.run(
            "arguments[0].focus(); arguments[0].select()",
            &[element.to_json().expect("an element")],
        )
        .await;
        let typed = if text.is_empty() { "\u{e003}" } else { text };
        element.send_keys(typed).await.expect("typed");
    }

    /// Chooses an option of a select by its text.
    ///
    /// # Panics
    /// If there is no such option, or it can't be chosen.
    pub async fn choose(&self, target: Target<'_>, option: &str) {
        let select = self.find(target).await;
        let script = "
            const [select, text] = arguments;
            const option = [...select.options].find((each) => each.text === text && !each.disabled);
            if (!option) return [...select.options].map((each) => `${each.text} ${each.disabled}`);
            select.value = option.value;
            select.dispatchEvent(new Event('change', { bubbles: true }));
            return null;
        ";
        let arguments = [select.to_json().expect("an element"), json!(option)];
        let others = self.run(script, &arguments).await;
        assert!(others.is_null(), "no {option} among {others}");
    }

    /// Presses keys. They go to the focused element.
    ///
    /// # Panics
    /// If the browser refuses.
    pub async fn press(&self, keys: &str) {
        let keys = self.driver.action_chain().send_keys(keys);
        keys.perform().await.expect("pressed");
    }

    /// Returns the accessible name of the focused element.
    pub async fn focused(&self) -> String {
        let name = self
            .eval(
                "((e) => (e.getAttribute('aria-label') ?? e.labels?.[0]?.textContent ?? e.textContent)
                    .replace(/\\s+/g, ' ').trim())(document.activeElement)",
            )
            .await;
        name.as_str().unwrap_or_default().to_owned()
    }

    /// Runs a command of the browser's developer tools and returns its result.
    ///
    /// # Panics
    /// If the browser refuses.
    pub async fn devtools(&self, command: &str, parameters: Value) -> Value {
        let answer = self.driver.cdp().send_raw(command, parameters).await;
        answer.expect("an answer")
    }

    async fn before_every_page(&self, script: &str) {
        let source = format!("(() => {{ {script} }})()");
        let command = "Page.addScriptToEvaluateOnNewDocument";
        self.devtools(command, json!({"source": source})).await;
    }

    /// Gives pages that are opened from now on a clock for [`Browser::advance`].
    pub async fn with_clock(&self) {
        self.before_every_page(CLOCK).await;
    }

    /// Sets the page's clock forward.
    pub async fn advance(&self, by: Duration) {
        let milliseconds = u64::try_from(by.as_millis()).expect("a number");
        self.run("advanceClock(arguments[0])", &[json!(milliseconds)])
            .await;
    }

    /// Prepares pages that are opened from now on for [`Browser::answer`].
    pub async fn with_answers(&self) {
        self.before_every_page(ANSWERS).await;
    }

    /// Answers requests that contain `part` with `answer` from now on. `null` ends that.
    pub async fn answer(&self, part: &str, answer: Value) {
        let script = "
            const [part, answer] = arguments;
            if (answer) answers[part] = answer;
            else delete answers[part];
        ";
        self.run(script, &[json!(part), answer]).await;
    }

    /// Disconnects the browser from the network, or connects it again.
    pub async fn offline(&self, offline: bool) {
        let command = "Network.emulateNetworkConditions";
        self.devtools("Network.enable", json!({})).await;
        let conditions = json!({"offline": offline, "latency": 0, "downloadThroughput": -1, "uploadThroughput": -1});
        self.devtools(command, conditions).await;
    }

    /// Sets the page's width in pixels, and whether the dark color scheme is preferred.
    pub async fn look(&self, width: u32, dark: bool) {
        let metrics = json!({"width": width, "height": if width < 600 { 800 } else { 900 }, "deviceScaleFactor": 1, "mobile": false});
        self.devtools("Emulation.setDeviceMetricsOverride", metrics)
            .await;
        self.scheme(dark).await;
    }

    /// Sets whether the dark color scheme is preferred. Unlike a change of the width, that closes nothing.
    pub async fn scheme(&self, dark: bool) {
        let scheme = json!({"features": [
            {"name": "prefers-color-scheme", "value": if dark { "dark" } else { "light" }},
            // Without animations, no screenshot shows an intermediate state.
            {"name": "prefers-reduced-motion", "value": "reduce"},
        ]});
        self.devtools("Emulation.setEmulatedMedia", scheme).await;
    }

    /// Stores a screenshot if `LATCHKEY_SCREENSHOTS` names a folder.
    ///
    /// # Panics
    /// If it can't be written.
    pub async fn picture(&self, name: &str) {
        if let Some(folder) = env::var_os("LATCHKEY_SCREENSHOTS").map(PathBuf::from) {
            fs::create_dir_all(&folder).expect("a folder");
            let picture = self.driver.screenshot_as_png().await.expect("a picture");
            fs::write(folder.join(format!("{name}.png")), picture).expect("written");
        }
    }

    /// Lets the page use the clipboard without a question, and the test read it.
    pub async fn allow_clipboard(&self) {
        let permissions = json!({"permissions": ["clipboardReadWrite", "clipboardSanitizedWrite"]});
        self.devtools("Browser.grantPermissions", permissions).await;
    }

    /// Returns the clipboard's text.
    ///
    /// # Panics
    /// If it can't be read.
    pub async fn clipboard(&self) -> String {
        let script = "const done = arguments[0]; navigator.clipboard.readText().then(done, (error) => done(String(error)))";
        let text = self.driver.execute_async(script, vec![]).await;
        let text = text.expect("a text").json().clone();
        text.as_str().expect("a text").to_owned()
    }

    /// Returns every place in the page and its storage that contains a text.
    pub async fn places_of(&self, text: &str) -> Value {
        let script = "
            const [text] = arguments;
            const places = {
                markup: document.documentElement.outerHTML,
                fields: [...document.querySelectorAll('input, textarea')].map((each) => each.value).join(),
                address: location.href,
                history: JSON.stringify(history.state),
                storage: JSON.stringify([{ ...localStorage }, { ...sessionStorage }]),
                cookies: document.cookie,
                name: window.name,
            };
            return Object.keys(places).filter((place) => (places[place] ?? '').includes(text));
        ";
        self.run(script, &[json!(text)]).await
    }

    /// Shows all elements as if the pointer were over them, or ends that.
    pub async fn hover(&self, on: bool) {
        // The replacement matches every element and has the same specificity.
        let script = "
            const [from, to] = arguments[0] ? [':hover', ':nth-child(n)'] : [':nth-child(n)', ':hover'];
            let changed = 0;
            const visit = (rules) => {
                for (const rule of rules) {
                    if (rule.selectorText?.includes(from)) {
                        rule.selectorText = rule.selectorText.replaceAll(from, to);
                        changed += 1;
                    }
                    visit(rule.cssRules ?? []);
                }
            };
            for (const sheet of document.styleSheets) visit(sheet.cssRules);
            return changed;
        ";
        let changed = self.run(script, &[json!(on)]).await;
        assert!(changed.as_u64() > Some(5), "{changed} rules");
    }

    /// Returns the violations that the accessibility checker finds in the page.
    ///
    /// # Panics
    /// If the checker can't be run.
    pub async fn accessibility(&self) -> Vec<String> {
        let source = fs::read_to_string(setting("LATCHKEY_AXE")).expect("the checker");
        if self.eval("typeof axe").await == "undefined" {
            self.devtools("Runtime.evaluate", json!({"expression": source}))
                .await;
        }
        let script = "
            const done = arguments[0];
            axe.run().then(({ violations, passes }) => done({
                passes: passes.length,
                violations: violations.flatMap(({ id, help, nodes }) =>
                    nodes.map((node) => `${id}: ${help}: ${node.html} (${node.any.map((each) => each.message).join('; ')})`)),
            }), (error) => done(String(error)));
        ";
        let result = self.driver.execute_async(script, vec![]).await;
        let result = result.expect("a result").json().clone();
        assert!(result["passes"].as_u64() > Some(10), "{result}");
        let violations = result["violations"].as_array().expect("violations");
        violations
            .iter()
            .filter_map(|each| each.as_str().map(str::to_owned))
            .collect()
    }

    /// Returns the lines that the page wrote to the browser's console.
    pub async fn console(&self) -> Vec<String> {
        let entries = self.driver.get_log("browser").await.expect("a log");
        entries.into_iter().map(|entry| entry.message).collect()
    }

    /// Returns what the browser's developer tools told about the network since the last call, an event in JSON each.
    pub async fn network(&self) -> Vec<String> {
        let entries = self.driver.get_log("performance").await.expect("a log");
        entries.into_iter().map(|entry| entry.message).collect()
    }

    /// Checks what must hold for the page in every test.
    async fn check_manners(&self) {
        for line in self.console().await {
            // The page shows people the API's refusals. The browser logs them by itself.
            assert!(
                line.contains("Failed to load resource"),
                "on the console: {line}"
            );
        }
        let ours = ["consoleUrl", "endpointUrl"].map(|url| origin(self.stack.get(url)));
        let mut asked = BTreeSet::new();
        for event in self.network().await {
            let event: Value = serde_json::from_str(&event).unwrap_or_default();
            let params = &event["message"]["params"];
            let url = match event["message"]["method"].as_str() {
                Some("Network.requestWillBeSent") => params["request"]["url"].as_str(),
                Some("Network.webSocketCreated") => params["url"].as_str(),
                _ => None,
            };
            let Some(url) = url else { continue };
            assert!(!url.contains("lka_") && !url.contains("lki_"), "{url}");
            if uses_the_network(url) {
                asked.insert(origin(url));
            }
        }
        asked.retain(|origin| !ours.contains(origin));
        assert!(asked.is_empty(), "asked strangers: {asked:?}");
    }

    /// Prints what the page showed when a test failed.
    async fn report(&self) {
        let url = self.driver.current_url().await;
        let text = self
            .driver
            .execute("return document.body.innerText", vec![])
            .await;
        let text = text.map(|text| text.json().clone());
        let console = self.driver.get_log("browser").await;
        let report = format!(
            "\n---- the page: {url:?}\n{}\n---- its console: {console:?}\n",
            text.unwrap_or_default().as_str().unwrap_or_default()
        );
        // Unlike `println!`, this isn't captured by the test runner.
        let _ = std::io::stderr().write_all(report.as_bytes());
        self.picture("failed").await;
    }
}

/// Whether a request to the URL goes over the network. The browser or the page itself answers all other schemes, and
/// new ones appear.
fn uses_the_network(url: &str) -> bool {
    ["http:", "https:", "ws:", "wss:"]
        .iter()
        .any(|scheme| url.starts_with(scheme))
}

/// Returns a URL's scheme, host and port.
fn origin(url: &str) -> String {
    let end = url
        .match_indices('/')
        .nth(2)
        .map_or(url.len(), |(at, _)| at);
    url.split_at(end).0.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_schemes_of_the_network_reach_a_stranger() {
        for url in ["http://a", "https://a/b", "ws://a", "wss://a"] {
            assert!(uses_the_network(url), "{url}");
        }
        for url in [
            "data:,x",
            "blob:http://a/b",
            "chrome://newtab",
            "chrome-untrusted://new-tab-page",
            "about:blank",
        ] {
            assert!(!uses_the_network(url), "{url}");
        }
    }
}
