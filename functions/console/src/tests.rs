use std::io::Read;

use flate2::read::GzDecoder;
use latchkey::testing::Event;

use super::*;

fn config() -> sign_in::Config {
    sign_in::Config {
        client_id: "client-1".into(),
        authorization_endpoint: "https://sign-in.example/authorize".into(),
        token_endpoint: "https://tokens.sign-in.example:8443/oauth2/token".into(),
        revocation_endpoint: Some("https://sign-in.example/oauth2/revoke".into()),
        end_session_endpoint: None,
        scopes: "openid".into(),
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

/// The body as the browser has it after decoding.
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
    // All of them but those that only scripts import, of which there are none.
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
    for file in &site.files {
        for import in file.plain.split(" from \"./").skip(1) {
            let name = import.split('"').next().unwrap();
            assert!(site.files.iter().any(|file| file.name == name), "{name}");
        }
    }
}

#[test]
fn everything_together_is_small() {
    let site = site();
    let files = site.files.iter().map(|file| file.gzip.len());
    let total = site.page.gzip.len() + site.config.gzip.len() + files.sum::<usize>();
    assert!(total < 40_000, "{total} bytes");
}

#[test]
fn the_configuration_is_what_the_page_needs_to_sign_in() {
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
    // The tag is that of one form only.
    let plain = page()
        .header("accept-encoding", "br")
        .header("if-none-match", &tag);
    assert_eq!(answer(&plain).status(), 200);
}

#[test]
fn another_configuration_has_another_tag() {
    let event = Event::sample(include_str!("../../../events/console/config.json"));
    let other = sign_in::Config {
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
        let config = sign_in::Config {
            token_endpoint: bad.into(),
            ..config()
        };
        assert!(Site::new(&config).is_err(), "{bad}");
        let config = sign_in::Config {
            revocation_endpoint: Some(bad.into()),
            ..self::config()
        };
        assert!(Site::new(&config).is_err(), "{bad}");
    }
}

#[test]
fn the_page_may_talk_to_the_endpoints_of_the_provider_and_each_is_named_once() {
    let policy = |revocation: Option<&str>| {
        let config = sign_in::Config {
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
