//! The name of a client in words, such as “Chrome 126 on Windows”, from the `User-Agent` header. The name is only as
//! true as the header, which any client can choose: show it as claimed.
//!
//! Browsers and crawlers are named by `woothee`, everything else by the header's own syntax (RFC 9110, 10.1.5): the
//! first product and its version. What was weighed:
//!
//! - `woothee` (Apache-2.0) has its rules compiled in. It needs some 2 ms for all kinds of browser together, and adds
//!   1.6 MB, mostly `regex` and its Unicode tables. Its rules are from 2021 and still fit, as browsers have frozen the
//!   form of their user agents since. It doesn't know most programs that aren't browsers.
//! - `ua-parser` (Apache-2.0) is the maintained one, and knows more. It compiles some 560 regular expressions when it
//!   starts: 50 ms on a whole processor, several times that in a small function, in which somebody waits for the
//!   audit log. `uaparser`, `user-agent-parser` and `fast_uaparser` read the same rules, and take longer.

use std::sync::LazyLock;

use woothee::parser::Parser;

/// The maximum length of a product's name and of a version, in characters.
const MAX_PART: usize = 32;

/// What `woothee` says where it knows nothing.
const UNKNOWN: &str = "UNKNOWN";

/// What `woothee` calls every program that isn't a browser.
const LIBRARY: &str = "HTTP Library";

static PARSER: LazyLock<Parser> = LazyLock::new(Parser::new);

/// The client's name in words, as its user agent claims; `None` if it names nothing.
pub fn client_name(user_agent: &str) -> Option<String> {
    browser(user_agent).or_else(|| product(user_agent))
}

/// The browser or crawler of a user agent, with the first number of its version and the system.
fn browser(user_agent: &str) -> Option<String> {
    let found = PARSER.parse(user_agent)?;
    if [UNKNOWN, LIBRARY].contains(&found.name) {
        return None;
    }
    let mut name = match found.name {
        "SamsungBrowser" => "Samsung Internet".to_owned(),
        name => name.to_owned(),
    };
    let version = found.version.split('.').next().unwrap_or_default();
    if !version.is_empty()
        && version.len() <= MAX_PART
        && version.bytes().all(|c| c.is_ascii_digit())
    {
        name = format!("{name} {version}");
    }
    if let Some(system) = system(found.os) {
        name = format!("{name} on {system}");
    }
    Some(name)
}

/// The system without a version, which browsers no longer tell: that of Windows 11 is 10, that of every macOS 10.15.
fn system(os: &str) -> Option<&str> {
    match os {
        UNKNOWN | "" => None,
        "Mac OSX" => Some("macOS"),
        os if os.starts_with("Windows") && os != "Windows Phone OS" => Some("Windows"),
        os => Some(os),
    }
}

/// The first product of a user agent, with the first two numbers of its version.
fn product(user_agent: &str) -> Option<String> {
    let first = user_agent.split([' ', '\t', '(']).next()?;
    let (name, version) = first.split_once('/').unwrap_or((first, ""));
    if !is_token(name) {
        return None;
    }
    let version: Vec<_> = version.split('.').take(2).collect();
    let version = version.join(".");
    if is_token(&version) && version.starts_with(|c: char| c.is_ascii_digit()) {
        Some(format!("{name} {version}"))
    } else {
        Some(name.to_owned())
    }
}

/// Whether a text is a token of RFC 9110, of letters, digits and the marks that names have.
fn is_token(text: &str) -> bool {
    let is_part = |c: char| c.is_ascii_alphanumeric() || "-._+".contains(c);
    (1..=MAX_PART).contains(&text.len()) && text.chars().all(is_part)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn clients_are_named_in_words() {
        let webkit = "AppleWebKit/537.36 (KHTML, like Gecko)";
        let safari = "AppleWebKit/605.1.15 (KHTML, like Gecko)";
        let windows = "Mozilla/5.0 (Windows NT 10.0; Win64; x64)";
        let iphone = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X)";
        let android = "Mozilla/5.0 (Linux; Android 14; SM-S921B)";
        for (user_agent, name) in [
            (
                format!("{windows} {webkit} Chrome/126.0.0.0 Safari/537.36"),
                "Chrome 126 on Windows",
            ),
            (
                format!("{windows} {webkit} Chrome/126.0.0.0 Safari/537.36 Edg/126.0.2592.87"),
                "Edge 126 on Windows",
            ),
            (
                format!("{windows} {webkit} Chrome/126.0.0.0 Safari/537.36 OPR/112.0.0.0"),
                "Opera 112 on Windows",
            ),
            (
                format!(
                    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) {safari} Version/17.5 Safari/605.1.15"
                ),
                "Safari 17 on macOS",
            ),
            (
                "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0".into(),
                "Firefox 128 on Linux",
            ),
            (
                format!("{iphone} {safari} Version/17.5 Mobile/15E148 Safari/604.1"),
                "Safari 17 on iPhone",
            ),
            (
                format!("{iphone} {safari} CriOS/126.0.6478.54 Mobile/15E148 Safari/604.1"),
                "Chrome 126 on iPhone",
            ),
            (
                format!("{android} {webkit} Chrome/126.0.6478.71 Mobile Safari/537.36"),
                "Chrome 126 on Android",
            ),
            (
                format!(
                    "{android} {webkit} SamsungBrowser/25.0 Chrome/121.0.0.0 Mobile Safari/537.36"
                ),
                "Samsung Internet 25 on Android",
            ),
            (
                format!(
                    "Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) {webkit} Chrome/126.0.0.0 Safari/537.36"
                ),
                "Chrome 126 on ChromeOS",
            ),
            (
                "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)".into(),
                "Googlebot",
            ),
            ("curl/8.5.0".into(), "curl 8.5"),
            ("Wget/1.21.4".into(), "Wget 1.21"),
            ("python-requests/2.31.0".into(), "python-requests 2.31"),
            ("Go-http-client/2.0".into(), "Go-http-client 2.0"),
            ("PostmanRuntime/7.39.0".into(), "PostmanRuntime 7.39"),
            (
                "aws-sdk-rust/1.3.3 os/linux lang/rust/1.79.0".into(),
                "aws-sdk-rust 1.3",
            ),
            ("node".into(), "node"),
            ("agent/beta".into(), "agent"),
        ] {
            assert_eq!(
                client_name(&user_agent).as_deref(),
                Some(name),
                "{user_agent}"
            );
        }
    }

    #[test]
    fn what_names_nothing_has_no_name() {
        for user_agent in ["", " ", "(x)", "é/1", "“curl”/1", &"x".repeat(MAX_PART + 1)] {
            assert_eq!(client_name(user_agent), None, "{user_agent}");
        }
    }

    proptest! {
        #[test]
        fn a_name_is_a_short_line_of_plain_characters(user_agent in "(Mozilla/5.0 |)[ -~\u{202e}é\n]{0,80}") {
            if let Some(name) = client_name(&user_agent) {
                prop_assert!(name.len() < 100);
                prop_assert!(name.chars().all(|c| c.is_ascii_graphic() || c == ' '), "{name}");
            }
        }
    }
}
