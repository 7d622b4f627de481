//! The operation. Every caller gets the same answer.

use std::collections::BTreeSet;

use latchkey::domain::policy::Denial;
use latchkey::http::ErrorCode;
use latchkey::testing::{Answer, Event};

use super::*;

#[test]
fn the_description_is_answered() {
    let answer = Answer::of(handle());
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), "application/json");
    assert_eq!(answer.json["openapi"], "3.1.0");
    assert!(answer.json["paths"]["/v1/tokenInfo"]["get"].is_object());
}

/// A response. The page's files may be cached, as no answer of the API may.
struct Shown(Response<Body>);

impl Shown {
    fn header(&self, name: &str) -> &str {
        let value = self.0.headers().get(name);
        value.map_or("", |value| value.to_str().unwrap())
    }

    fn text(&self) -> &str {
        match self.0.body() {
            Body::Text(text) => text,
            _ => panic!("no text"),
        }
    }
}

fn ask(sample: &str) -> Shown {
    let docs = docs("https://api.latchkey.example/").unwrap();
    Shown(answer(&docs, &Event::sample(sample).request()).unwrap())
}

fn page() -> Shown {
    ask(include_str!("../../../events/describe-api/docs.json"))
}

fn style() -> Shown {
    ask(include_str!("../../../events/describe-api/docs-style.json"))
}

#[test]
fn each_path_has_its_answer() {
    let described = ask(include_str!("../../../events/describe-api/describe.json"));
    assert_eq!(described.header("content-type"), "application/json");
    assert_eq!(page().header("content-type"), "text/html; charset=utf-8");
    assert_eq!(style().header("content-type"), "text/css; charset=utf-8");
    assert!(page().text().contains("href=\"docs/style.css\""));
    assert!(style().text().contains("light-dark("));
}

/// The codes of the answers to a token's holder, as the document has them.
fn codes() -> BTreeSet<String> {
    let document: serde_json::Value = serde_json::from_str(DESCRIPTION).unwrap();
    let mut codes = BTreeSet::new();
    for path in ["/v1/tokenInfo", "/v1/introspect", "/v1/revoke"] {
        let item = document["paths"][path].as_object().unwrap();
        for operation in item.values() {
            for response in operation["responses"].as_object().unwrap().values() {
                let Some(name) = response["$ref"].as_str() else {
                    continue;
                };
                let response = document.pointer(name.trim_start_matches('#')).unwrap();
                for body in response["content"].as_object().unwrap().values() {
                    let examples = body["examples"].as_object().into_iter().flatten();
                    codes.extend(examples.map(|(code, _)| code.clone()));
                }
            }
        }
    }
    codes
}

#[test]
fn every_error_that_a_tokens_holder_can_meet_is_on_the_page() {
    let (codes, page) = (codes(), page().text().to_owned());
    assert!(codes.len() > 7, "{codes:?}");
    for code in &codes {
        let known = ErrorCode::ALL.iter().find(|known| known.as_str() == code);
        assert!(known.is_some(), "{code}");
        let row = format!("<th scope=\"row\"><code>{code}</code> ");
        assert_eq!(page.matches(&row).count(), 1, "{code}");
    }
    // Those that only the signed-in can meet are not.
    assert!(!page.contains("role_required"));
    for denial in Denial::ALL {
        let term = format!("<dt><code>{}</code></dt>", denial.as_str());
        assert_eq!(page.matches(&term).count(), 1, "{denial:?}");
    }
}

#[test]
fn the_page_names_this_deployment_and_what_is_generated() {
    let page = page().text().to_owned();
    for part in [
        "<code>https://api.latchkey.example</code>",
        "curl -s &#34;https://api.latchkey.example/v1/tokenInfo&#34;",
        "-d &#34;token=$SECRET&#34;",
        "<dt><code>client_ip</code></dt>",
        "<dt><code>secretValidUntil</code></dt>",
        "resource_not_in_scope&#34;",
        "Retry-After",
    ] {
        assert!(page.contains(part), "{part}");
    }
    // Nothing in backquotes is left, and no text is empty.
    assert!(!page.contains('`') && !page.contains("<dd></dd>"), "{page}");
    assert!(!page.contains("//api.latchkey.example//"));
}

#[test]
fn the_page_has_landmarks_and_every_link_of_its_contents_a_heading() {
    let page = page().text().to_owned();
    for part in [
        "<html lang=\"en\">",
        "<main id=\"main\"",
        "href=\"#main\"",
        "<h1>",
        "<footer>",
    ] {
        assert_eq!(page.matches(part).count(), 1, "{part}");
    }
    for link in page.split("href=\"#").skip(1) {
        let id = link.split('"').next().unwrap();
        assert_eq!(page.matches(&format!(" id=\"{id}\"")).count(), 1, "{id}");
    }
    // What scrolls can be reached by the keyboard.
    assert_eq!(
        page.matches("<pre").count(),
        page.matches("<pre tabindex=\"0\"").count()
    );
}

#[test]
fn the_page_runs_no_script_and_has_the_headers_of_the_console() {
    for answer in [page(), style()] {
        assert_eq!(answer.0.status(), 200);
        assert_eq!(answer.header("cache-control"), "public, max-age=300");
        let policy = answer.header("content-security-policy");
        for part in [
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            "frame-ancestors 'none'",
            "form-action 'none'",
            "base-uri 'none'",
        ] {
            assert!(policy.contains(part), "{policy}");
        }
        assert!(!policy.contains("unsafe"));
        for (name, value) in [
            ("x-content-type-options", "nosniff"),
            ("x-frame-options", "DENY"),
            ("referrer-policy", "no-referrer"),
            ("cross-origin-opener-policy", "same-origin"),
            ("strict-transport-security", "max-age=63072000"),
        ] {
            assert_eq!(answer.header(name), value);
        }
    }
    let page = page().text().to_owned();
    for part in ["<script", "style=\"", "<style", " onclick", "src="] {
        assert!(!page.contains(part), "{part}");
    }
}

#[test]
fn a_document_that_the_page_cannot_show_stops_the_start() {
    let without = DESCRIPTION.replace("/v1/revoke\"", "/v1/other\"");
    assert!(Docs::new(&without, "https://api.latchkey.example").is_err());
    let with = DESCRIPTION.replace("\"invalid_request\": {", "\"invented\": {");
    let error = Docs::new(&with, "https://api.latchkey.example").unwrap_err();
    assert_eq!(error.to_string(), "no remedy for `invented`");
}
