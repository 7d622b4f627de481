use std::collections::BTreeSet;
use std::io::Read;

use flate2::read::GzDecoder;
use latchkey::domain::action::Action;
use latchkey::domain::actor::ActorType;
use latchkey::domain::audit::{COMPROMISED, DAYS_REFUSED, Source, changes};
use latchkey::domain::kind::Kind;
use latchkey::domain::scope::{ResourceLists, Scope};
use latchkey::domain::token::{Ended, PreviousSecret, Revocation, Token};
use latchkey::domain::verification::Refusal;
use latchkey::testing::{self, Event};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::*;

fn config() -> Config {
    Config {
        client_id: "client-1".into(),
        authorization_endpoint: "https://sign-in.example/authorize".into(),
        token_endpoint: "https://tokens.sign-in.example:8443/oauth2/token".into(),
        revocation_endpoint: Some("https://sign-in.example/oauth2/revoke".into()),
        end_session_endpoint: None,
        scopes: "openid".into(),
        platform_api_url: Some("https://api.platform.example".into()),
        mcp_url: None,
    }
}

fn site() -> Site {
    Site::new(&config()).unwrap()
}

fn page() -> Event {
    Event::sample(include_str!("../../../events/console/page.json"))
}

fn asset(version: &str, file: &str) -> Event {
    Event::sample(include_str!("../../../events/console/asset.json"))
        .path("version", version)
        .path("file", file)
}

fn answer(event: &Event) -> Response<Body> {
    handle(&site(), &event.request()).unwrap()
}

fn header<'a>(response: &'a Response<Body>, name: &str) -> &'a str {
    let value = response.headers().get(name);
    value.map_or("", |value| value.to_str().unwrap())
}

/// Returns the body as the browser has it after decoding.
fn text(response: &Response<Body>) -> String {
    match response.body() {
        Body::Text(text) => {
            assert_eq!(header(response, "content-encoding"), "");
            text.clone()
        }
        Body::Binary(bytes) => {
            assert_eq!(header(response, "content-encoding"), "gzip");
            let mut text = String::new();
            GzDecoder::new(bytes.as_slice())
                .read_to_string(&mut text)
                .unwrap();
            text
        }
        _ => String::new(),
    }
}

#[test]
fn the_page_names_files_that_are_there_and_may_be_kept_for_good() {
    let response = answer(&page());
    assert_eq!(
        header(&response, "content-type"),
        "text/html; charset=utf-8"
    );
    assert_eq!(header(&response, "cache-control"), "no-cache");
    let html = text(&response);
    let named: Vec<_> = html
        .split("=\"assets/")
        .skip(1)
        .map(|rest| rest.split('"').next().unwrap().split_once('/').unwrap())
        .collect();
    // The page names all files: no file is only imported by a script.
    assert_eq!(named.len(), site().files.len());
    for (version, file) in named {
        let response = answer(&asset(version, file));
        assert_eq!(response.status(), 200, "{file}");
        let kept = "public, max-age=31536000, immutable";
        assert_eq!(header(&response, "cache-control"), kept);
        assert!(!text(&response).is_empty());
    }
}

#[test]
fn scripts_import_only_what_is_served() {
    let site = site();
    let mut imports = 0;
    for file in &site.files {
        for import in imported(file) {
            assert!(import.starts_with('.'), "{} imports {import}", file.name);
            let name = resolve(file.name, import);
            let served = site.files.iter().any(|file| file.name == name);
            assert!(served, "{} imports {import}", file.name);
            imports += 1;
        }
    }
    assert!(imports > 50, "{imports} imports");
}

/// Returns what a script imports from.
fn imported(file: &File) -> Vec<&str> {
    // The libraries are on one line each, without blanks.
    let statements = file.plain.lines().filter(|line| {
        let begins = ["import ", "import{", "export {", "} from "];
        begins.iter().any(|it| line.starts_with(it))
    });
    let sources = statements.filter_map(|line| {
        let (_, source) = line.split_once("from")?;
        source.trim_start().strip_prefix('"')?.split('"').next()
    });
    sources.collect()
}

/// Returns the path of a file that another one refers to.
fn resolve(from: &str, reference: &str) -> String {
    let mut folders: Vec<_> = from.split('/').collect();
    folders.pop();
    for part in reference.split('/') {
        match part {
            "." => {}
            ".." => assert!(folders.pop().is_some(), "{from} refers to {reference}"),
            part => folders.push(part),
        }
    }
    folders.join("/")
}

/// Loading the page for the first time takes these bytes, compressed.
#[test]
fn everything_together_is_small() {
    let site = site();
    let files = site.files.iter().map(|file| file.gzip.len());
    let total = site.page.gzip.len() + site.config.gzip.len() + files.sum::<usize>();
    assert!(total < 105_000, "{total} bytes");
}

#[test]
fn files_are_served_without_comments() {
    let site = site();
    for file in &site.files {
        for line in file.plain.lines() {
            let comment = ["//", "/*", "* ", "*/"]
                .iter()
                .any(|it| line.starts_with(it));
            // The selector of everything begins with an asterisk too.
            let selector = file.name.ends_with(".css") && line.ends_with('}');
            assert!(!comment || selector, "{}: {line}", file.name);
        }
    }
}

/// Styles apply in the order of their paths.
#[test]
fn the_styles_are_one_file() {
    let site = site();
    let styles: Vec<_> = site
        .files
        .iter()
        .filter(|file| file.name.ends_with(".css"))
        .collect();
    assert_eq!(styles.len(), 1);
    let (base, view) = ("body { margin: 0;", ".form-view {");
    let at = |text: &str| styles[0].plain.find(text).unwrap();
    assert!(at(base) < at(view));
}

/// The libraries that others wrote are what npm has, but for what their table says.
#[test]
fn the_libraries_are_the_ones_that_were_published() {
    let table = include_str!("../assets/vendor/README.md");
    let site = site();
    let mut compared = 0;
    for row in table.lines().filter(|line| line.contains(".mjs")) {
        let cells: Vec<_> = row.split('|').map(str::trim).collect();
        let (name, source, digest, changes) = (cells[1], cells[3], cells[4], cells[5]);
        let path = format!("vendor/{name}");
        let file = site.files.iter().find(|file| file.name == path).unwrap();
        let mut text = file.plain.clone();
        // What the table says is undone.
        if changes.contains("imports `./preact.js` instead of `preact`") {
            assert_eq!(text.matches("\"./preact.js\"").count(), 1, "{name}");
            text = text.replace("\"./preact.js\"", "\"preact\"");
        }
        if changes.contains("no `sourceMappingURL`") {
            assert!(!text.contains("sourceMappingURL"), "{name}");
            let map = source.rsplit('/').next().unwrap();
            text = format!("{}\n//# sourceMappingURL={map}.map\n", text.trim_end());
        }
        let published = hex::encode(Sha256::digest(&text));
        assert_eq!(published, digest, "{name}");
        compared += 1;
    }
    let vendored = site
        .files
        .iter()
        .filter(|file| file.name.starts_with("vendor/"));
    assert_eq!(compared, vendored.count());
}

/// The page's policy would refuse some of these, and the others would hide facts or break its rules.
#[test]
fn no_script_of_the_page_does_what_its_rules_forbid() {
    let site = site();
    for file in &site.files {
        if file.name.starts_with("vendor/") || !file.name.ends_with(".js") {
            continue;
        }
        for forbidden in [
            "innerHTML",
            "outerHTML",
            "insertAdjacentHTML",
            "document.write",
            "eval(",
            "new Function",
            "localStorage",
            " style=\"",
            " title=\"",
        ] {
            let found = file.plain.contains(forbidden);
            assert!(!found, "{} has {forbidden}", file.name);
        }
    }
}

/// Returns the keys of a table of the page's words. The table has one entry a line.
fn words(table: &str) -> BTreeSet<String> {
    let texts = include_str!("../assets/texts.js");
    let start = format!("\nconst {table} = {{\n");
    let lines = texts.split(&start).nth(1).unwrap();
    let lines = lines.split("\n};").next().unwrap().lines();
    let keys = lines.filter_map(|line| line.strip_prefix("  ")?.split_once(':'));
    keys.map(|(key, _)| key.trim_matches('"').to_owned())
        .filter(|key| !key.starts_with([' ', '/']))
        .collect()
}

fn names<const N: usize>(names: [&str; N]) -> BTreeSet<String> {
    names.map(str::to_owned).into()
}

#[test]
fn the_log_has_a_word_for_everything_that_can_be_in_it() {
    let actions = Action::ALL.map(Action::as_str);
    assert_eq!(words("ACTIONS"), names(actions));
    let sources = Source::ALL.map(Source::as_str);
    assert_eq!(words("SOURCES"), names(sources));
    let users = ActorType::ALL.map(ActorType::as_str);
    assert_eq!(words("USERS"), names(users));
    assert_eq!(words("ACTOR_TYPES"), names(users));
    let refusals = Refusal::ALL.into_iter().filter(|it| it.is_recorded());
    let refusals: BTreeSet<_> = refusals.map(|it| it.as_str().to_owned()).collect();
    assert_eq!(words("REFUSALS"), refusals);
    assert_eq!(words("REFUSED_BECAUSE"), refusals);
    // A token's page tells each action as a sentence.
    assert!(words("TIMELINE").is_superset(&words("ACTIONS")));
}

#[test]
fn every_field_of_a_token_has_a_word_in_the_log() {
    let at = testing::now();
    let token = testing::token();
    let mut lists = ResourceLists::default();
    for list in [
        &mut lists.connections,
        &mut lists.exports,
        &mut lists.imports,
        &mut lists.apis,
    ] {
        list.insert("id-1".parse().unwrap());
    }
    let full = Token {
        kind: Kind::IntegrationApp,
        integration_id: Some("app-1".parse().unwrap()),
        description: "Kept in a vault".into(),
        purge_at: Some(at),
        scope: Scope::Custom(lists),
        allowed_cidrs: vec!["192.0.2.0/24".parse().unwrap()],
        revocation: Some(Revocation {
            at,
            by: testing::owner_actor(),
            reason: Some("lost".into()),
            account_deleted: false,
        }),
        compromised: Some(Ended {
            at,
            by: Action::Leak,
        }),
        previous_secret: Some(PreviousSecret {
            hint: "ab12".into(),
            valid_until: at,
        }),
        ..token
    };
    let fields = words("FIELDS");
    let recorded = changes(None, &full);
    let recorded = recorded.iter().map(|change| change.field.as_str());
    for field in recorded.chain([COMPROMISED, DAYS_REFUSED]) {
        assert!(fields.contains(field), "{field}");
    }
}

#[test]
fn every_error_of_what_the_page_calls_has_words() {
    let description = include_str!("../../describe-api/openapi.json");
    let description: Value = serde_json::from_str(description).unwrap();
    let known = words("ERRORS");
    let mut codes = BTreeSet::new();
    for (path, operations) in description["paths"].as_object().unwrap() {
        if !path.starts_with("/v1/accounts") {
            continue;
        }
        let operations = operations.as_object().unwrap().values();
        let answers = operations.filter_map(|operation| operation["responses"].as_object());
        for reference in answers.flat_map(|answers| answers.values()) {
            let Some(reference) = reference["$ref"].as_str() else {
                continue;
            };
            let name = reference.rsplit('/').next().unwrap();
            let contents = &description["components"]["responses"][name]["content"];
            for content in contents.as_object().unwrap().values() {
                let examples = content["examples"].as_object();
                codes.extend(examples.into_iter().flat_map(|it| it.keys().cloned()));
            }
        }
    }
    assert!(codes.len() > 15, "{codes:?}");
    let missing: Vec<_> = codes.difference(&known).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn the_configuration_is_what_the_page_needs() {
    let event = Event::sample(include_str!("../../../events/console/config.json"));
    let response = answer(&event);
    assert_eq!(header(&response, "content-type"), "application/json");
    assert_eq!(header(&response, "cache-control"), "no-cache");
    let config: serde_json::Value = serde_json::from_str(&text(&response)).unwrap();
    assert_eq!(
        config,
        serde_json::json!({
            "clientId": "client-1",
            "authorizationEndpoint": "https://sign-in.example/authorize",
            "tokenEndpoint": "https://tokens.sign-in.example:8443/oauth2/token",
            "revocationEndpoint": "https://sign-in.example/oauth2/revoke",
            "endSessionEndpoint": null,
            "scopes": "openid",
            "platformApiUrl": "https://api.platform.example",
            "mcpUrl": null,
        })
    );
}

#[test]
fn every_answer_closes_what_browsers_leave_open() {
    let config = Event::sample(include_str!("../../../events/console/config.json"));
    let version = site().version;
    for event in [
        page(),
        config,
        asset(&version, "app.js"),
        asset("old", "app.js"),
    ] {
        let response = answer(&event);
        assert_eq!(
            header(&response, "content-security-policy"),
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
             connect-src 'self' https://tokens.sign-in.example:8443 https://sign-in.example; base-uri 'none'; \
             form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; \
             trusted-types 'none'"
        );
        for (name, value) in [
            ("strict-transport-security", "max-age=63072000"),
            ("x-content-type-options", "nosniff"),
            ("x-frame-options", "DENY"),
            ("referrer-policy", "no-referrer"),
            ("cross-origin-opener-policy", "same-origin"),
            ("cross-origin-resource-policy", "same-origin"),
        ] {
            assert_eq!(header(&response, name), value);
        }
        assert!(header(&response, "permissions-policy").contains("clipboard-write=(self)"));
    }
}

#[test]
fn what_is_not_there_is_not_kept() {
    let version = site().version;
    for (version, file) in [
        ("0000000000000000", "app.js"),
        (version.as_str(), "index.html"),
        (version.as_str(), "../handler.rs"),
        (version.as_str(), ""),
    ] {
        let response = answer(&asset(version, file));
        assert_eq!(response.status(), 404, "{file}");
        assert_eq!(header(&response, "cache-control"), "no-store");
    }
}

#[test]
fn it_is_compressed_for_those_who_understand_that() {
    for (accepted, gzip) in [
        ("gzip, deflate, br", true),
        ("br;q=1.0, GZIP;q=0.8", true),
        ("br", false),
        ("gzip;q=0", false),
        ("gzip; q=0.0", false),
        ("", false),
    ] {
        let response = answer(&page().header("accept-encoding", accepted));
        let coding = header(&response, "content-encoding");
        assert_eq!(coding == "gzip", gzip, "{accepted}");
        assert_eq!(header(&response, "vary"), "accept-encoding");
        assert!(text(&response).starts_with("<!doctype html>"));
    }
}

#[test]
fn what_has_not_changed_is_not_sent_again() {
    let tag = header(&answer(&page()), "etag").to_owned();
    let again = answer(&page().header("if-none-match", &tag));
    assert_eq!(again.status(), 304);
    assert_eq!(text(&again), "");
    assert_eq!(header(&again, "etag"), tag);
    // The tag belongs to one encoding only.
    let plain = page()
        .header("accept-encoding", "br")
        .header("if-none-match", &tag);
    assert_eq!(answer(&plain).status(), 200);
}

#[test]
fn another_configuration_has_another_tag() {
    let event = Event::sample(include_str!("../../../events/console/config.json"));
    let other = Config {
        client_id: "client-2".into(),
        ..config()
    };
    let other = handle(&Site::new(&other).unwrap(), &event.request()).unwrap();
    assert_ne!(header(&answer(&event), "etag"), header(&other, "etag"));
}

#[test]
fn an_endpoint_that_would_open_the_policy_is_refused() {
    for bad in [
        "",
        "/oauth2/token",
        "tokens.example/oauth2/token",
        "javascript:alert(1)",
        "ftp://tokens.example/",
        "https://tokens.example; script-src */token",
        "https://user:secret@tokens.example/token",
        "https://*/token",
    ] {
        let config = Config {
            token_endpoint: bad.into(),
            ..config()
        };
        assert!(Site::new(&config).is_err(), "{bad}");
        let config = Config {
            revocation_endpoint: Some(bad.into()),
            ..self::config()
        };
        assert!(Site::new(&config).is_err(), "{bad}");
        let config = Config {
            authorization_endpoint: bad.into(),
            ..self::config()
        };
        assert!(Site::new(&config).is_err(), "{bad}");
        let config = Config {
            end_session_endpoint: Some(bad.into()),
            ..self::config()
        };
        assert!(Site::new(&config).is_err(), "{bad}");
        let config = Config {
            platform_api_url: Some(bad.into()),
            ..self::config()
        };
        assert!(Site::new(&config).is_err(), "{bad}");
        let config = Config {
            mcp_url: Some(bad.into()),
            ..self::config()
        };
        assert!(Site::new(&config).is_err(), "{bad}");
    }
}

#[test]
fn the_page_may_talk_to_the_endpoints_of_the_provider_and_each_is_named_once() {
    let policy = |revocation: Option<&str>| {
        let config = Config {
            revocation_endpoint: revocation.map(str::to_owned),
            ..config()
        };
        let site = Site::new(&config).unwrap();
        let answer = handle(&site, &page().request()).unwrap();
        let policy = header(&answer, "content-security-policy").to_owned();
        let connect = policy.split("connect-src ").nth(1).unwrap();
        connect.split(';').next().unwrap().to_owned()
    };
    let token = "'self' https://tokens.sign-in.example:8443";
    assert_eq!(policy(None), token);
    let same = Some("https://tokens.sign-in.example:8443/oauth2/revoke");
    assert_eq!(policy(same), token);
    let other = Some("https://sign-in.example/oauth2/revoke");
    assert_eq!(policy(other), format!("{token} https://sign-in.example"));
}
