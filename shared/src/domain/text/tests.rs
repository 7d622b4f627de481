use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use proptest::prelude::*;

use super::*;
use crate::domain::kind::Kind;
use crate::domain::secret::{PATTERN, PlainSecret};
use crate::testing::{FixedEntropy, plain};

fn secret() -> String {
    plain(&PlainSecret::generate(Kind::Account, &FixedEntropy([3; 32])).unwrap())
}

/// Texts in which people, programs and pages expose secrets.
fn around(secret: &str) -> Vec<String> {
    let spaced: Vec<_> = secret.chars().map(String::from).collect();
    let base64 = |before: &str| STANDARD.encode(format!("{before}{secret}"));
    let basic = base64("tok_01ARZ3NDEKTSV4RRFFQ69G5FAV:");
    let (line, rest) = basic.split_at(76);
    let wide = |c: char| match c {
        '!'..='~' => char::from_u32(u32::from(c) + 0xfee0).unwrap(),
        c => c,
    };
    vec![
        secret.to_owned(),
        format!("Bearer {secret}"),
        format!(r#"{{"text":"a\n{secret}\n"}}"#),
        format!("Authorization=Bearer%20{secret}"),
        format!("?token%3D{secret}%26a%3Db"),
        format!("TOKEN_{secret}"),
        format!("{secret}_prod"),
        format!("\u{1b}[32m{secret}\u{1b}[0m"),
        format!("x{secret}y"),
        secret.replace('_', "%5F"),
        secret.replace('_', "%255f"),
        secret.replace('_', "%25255f"),
        spaced.join("\u{200b}"),
        spaced.join("\u{ad}"),
        secret.replace("lka_", "lka_\r\n"),
        secret.chars().map(wide).collect(),
        // Nearly whole: the missing characters can be guessed.
        secret[..secret.len() - 6].to_owned(),
        format!("lka_lka_{secret}{secret}"),
        // As Markdown escapes it.
        secret.replace('_', "\\_"),
        // As `curl -u` sends it, in a mail's lines, in base64url, and without its beginning.
        format!("-H 'Authorization: Basic {basic}'"),
        format!("{line}\r\n{rest}"),
        format!("x={}&y", URL_SAFE_NO_PAD.encode(format!("a>b?{secret}~~~"))),
        base64("aaa")[1..].replace('=', "%3D"),
    ]
}

#[test]
fn a_secret_is_found_and_redacted_whatever_stands_around_it() {
    let secret = secret();
    let random = &secret[4..];
    for text in around(&secret) {
        assert!(contains_secret(&text), "{text:?}");
        let redacted = redact(&text);
        assert!(redacted.contains("[redacted]"), "{redacted:?}");
        assert!(!contains_secret(&redacted), "{redacted:?}");
        assert!(!redacted.contains(&random[..12]), "{redacted:?}");
        assert_eq!(redact(&redacted), redacted);
        for kind in [Text::Name, Text::Paragraphs] {
            assert_eq!(kind.check(&text, 10_000), Err(InvalidText::ContainsSecret));
        }
        let failure = InvalidText::ContainsSecret.of("name");
        assert_eq!(failure.code, "contains_secret");
        assert!(!format!("{failure:?}").contains(random));
    }
}

/// The text in bold mathematical letters.
fn bold(text: &str) -> String {
    let bold = |c: char| {
        let (first, from) = match c {
            'a'..='z' => ('a', 0x1d41a),
            'A'..='Z' => ('A', 0x1d400),
            '0'..='9' => ('0', 0x1d7ce),
            c => return c,
        };
        char::from_u32(from + u32::from(c) - u32::from(first)).unwrap()
    };
    text.chars().map(bold).collect()
}

#[test]
fn letters_of_another_shape_are_no_way_around() {
    let secret = secret();
    let kelvin = secret.replace('K', "\u{212a}");
    for text in [bold(&secret), kelvin] {
        let refused = Err(InvalidText::ContainsSecret);
        assert_eq!(Text::Name.check(&text, 100), refused, "{text}");
        assert_eq!(mended(&text), "lka_[redacted]");
    }
    assert_eq!(mended("𝐁𝐨𝐥𝐝 ﬁ"), "𝐁𝐨𝐥𝐝 ﬁ");
}

#[test]
fn what_is_shown_has_no_secret_either() {
    let kept = format!("older than\nthe rules: {}", secret());
    assert_eq!(line(&kept), "older than ⏎ the rules: lka_[redacted]");
    assert_eq!(lines(&kept), "older than\nthe rules: lka_[redacted]");
}

#[test]
fn json_is_redacted_before_its_letters_are_escaped() {
    let secret = secret();
    let split = secret.replace("lka_", "lka_\u{1}");
    let value = serde_json::json!({"a": [{(secret): 1}, split, 7, null, "b"]});
    let redacted =
        serde_json::json!({"a": [{"lka_[redacted]": 1}, "lka_[redacted]", 7, null, "b"]});
    assert_eq!(redact_json(value), redacted);
}

#[test]
fn whoever_means_a_secret_is_understood() {
    let secret = secret();
    let broken: String = secret.chars().flat_map(|c| [c, ' ']).collect();
    let wrapped = format!("{}\n    {}", &secret[..30], &secret[30..]);
    for text in around(&secret).into_iter().chain([broken, wrapped]) {
        let cut = text == secret[..secret.len() - 6];
        let within = meant(&text).iter().any(|text| PlainSecret::is_within(text));
        assert_eq!(within, !cut, "{text:?}");
    }
}

#[test]
fn what_is_no_secret_stays() {
    for text in [
        "",
        "lka_",
        "polka_dots_and_stripes",
        "Der lka_ Präfix",
        "https://example.com/a?b=c%20d%",
        "lka_ followed by many words that are none of a secret at all",
        "100%25",
        "eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIiwibmFtZSI6IkpvaG4gRG9lIn0",
    ] {
        assert!(!contains_secret(text), "{text}");
        assert_eq!(redact(text), text);
    }
    let short = &secret()[..35];
    assert_eq!(redact(short), short);
}

#[test]
fn the_published_pattern_finds_secrets_where_they_leak() {
    let pattern = regex_lite::Regex::new(PATTERN).unwrap();
    let secret = secret();
    for text in &around(&secret)[..9] {
        let found: Vec<_> = pattern.find_iter(text).map(|it| it.as_str()).collect();
        assert_eq!(found, [secret.as_str()], "{text:?}");
    }
}

#[test]
fn a_name_is_one_visible_line() {
    for name in [
        "Warehouse sync",
        "Größe → 3/4 “x”",
        "日本語の名前",
        "नमस्ते",
        // A joiner after a virama, and one between letters that join.
        "क्\u{200d}ष",
        "क्\u{200c}ष",
        "می\u{200c}خواهم",
        "👩\u{200d}💻 deploys",
        "👩🏽\u{200d}❤\u{fe0f}\u{200d}💋\u{200d}👨🏿",
        "🏴\u{e0067}\u{e0062}\u{e0065}\u{e006e}\u{e0067}\u{e007f}",
        "\u{600}123",
        "שלום world",
    ] {
        assert_eq!(Text::Name.check(name, 128).as_deref(), Ok(name));
        assert_eq!(line(name), name);
    }
    for (name, why) in [
        ("", InvalidText::Empty),
        (" \u{a0}\u{3000}", InvalidText::Empty),
        ("\u{3164}\u{115f}", InvalidText::Empty),
        ("\u{2800}", InvalidText::Empty),
        ("\u{200b}", InvalidText::Empty),
        ("a\nb", InvalidText::Lines),
        ("a\r\nb", InvalidText::Lines),
        ("a\tb", InvalidText::Character('\t')),
        ("a\0b", InvalidText::Character('\0')),
        ("a\u{85}b", InvalidText::Character('\u{85}')),
        ("a\u{2028}b", InvalidText::Character('\u{2028}')),
        ("a\u{2029}b", InvalidText::Character('\u{2029}')),
        ("a\u{202e}b", InvalidText::Character('\u{202e}')),
        ("a\u{2067}b\u{2069}", InvalidText::Character('\u{2067}')),
        ("a\u{200e}b", InvalidText::Character('\u{200e}')),
        ("a\u{61c}b", InvalidText::Character('\u{61c}')),
        ("a\u{200b}b", InvalidText::Character('\u{200b}')),
        ("a\u{ad}b", InvalidText::Character('\u{ad}')),
        ("a\u{feff}b", InvalidText::Character('\u{feff}')),
        ("a\u{e000}b", InvalidText::Character('\u{e000}')),
        ("a\u{10fffd}", InvalidText::Character('\u{10fffd}')),
        // Joiners between letters that don't join.
        ("pay\u{200d}pal", InvalidText::Character('\u{200d}')),
        ("pay\u{200c}pal", InvalidText::Character('\u{200c}')),
        ("👩\u{200d}x", InvalidText::Character('\u{200d}')),
        ("👩\u{200d}", InvalidText::Character('\u{200d}')),
        // Tags without a flag, and a flag that carries a text.
        ("a\u{e0061}", InvalidText::Character('\u{e0061}')),
        (
            "🏴\u{e0067}\u{e0062}\u{e0065}\u{e006e}\u{e0067}",
            InvalidText::Character('\u{e0067}'),
        ),
        (
            "🏴\u{e0067}\u{e0062}\u{e0065}\u{e006e}\u{e0067}\u{e0067}\u{e0067}\u{e007f}",
            InvalidText::Character('\u{e0067}'),
        ),
    ] {
        assert_eq!(Text::Name.check(name, 128), Err(why), "{name:?}");
    }
}

#[test]
fn a_failure_names_the_character() {
    let failure = InvalidText::Character('\u{202e}').of("name");
    assert_eq!(failure.code, "invalid_characters");
    assert!(failure.message.contains("U+202E"), "{}", failure.message);
}

#[test]
fn texts_are_kept_in_one_form_and_that_form_is_counted() {
    assert_eq!(
        Text::Name.check("Caf\u{65}\u{301}", 4).as_deref(),
        Ok("Caf\u{e9}")
    );
    assert_eq!(
        Text::Name.check("Café!", 4),
        Err(InvalidText::TooLong(5, 4))
    );
    let written = "one\r\ntwo\rthree\n";
    assert_eq!(
        Text::Paragraphs.check(written, 14).as_deref(),
        Ok("one\ntwo\nthree\n")
    );
    assert_eq!(Text::Paragraphs.check("", 1).as_deref(), Ok(""));
    assert_eq!(
        Text::Paragraphs.check("a\u{2028}b", 9),
        Err(InvalidText::Character('\u{2028}'))
    );
}

#[test]
fn a_search_finds_a_name_in_any_form_and_case() {
    for (a, b) in [
        ("Café", "CAFE\u{301}"),
        ("Straße", "STRASSE"),
        ("ΣΊΣΥΦΟΣ", "σίσυφος"),
        ("ﬁle", "FILE"),
        ("Ｗａｒｅｈｏｕｓｅ ①", "warehouse 1"),
        ("ﾊﾞｯﾁ", "バッチ"),
    ] {
        assert_eq!(fold(a), fold(b));
    }
    assert_ne!(fold("a"), fold("b"));
}

#[test]
fn what_is_shown_draws_no_lines_and_turns_nothing_around() {
    assert_eq!(line("a\r\nb\nc"), "a ⏎ b ⏎ c");
    assert_eq!(lines("a\r\nb"), "a\nb");
    assert_eq!(
        line("x\u{202e}y\u{2028}z\u{1b}"),
        "x[U+202E]y[U+2028]z[U+001B]"
    );
    assert_eq!(isolate(&line("ש\u{2069}")), "\u{2068}ש[U+2069]\u{2069}");
    assert_eq!(isolate("x"), "x");
}

#[test]
fn names_from_elsewhere_are_mended() {
    let name = format!("Cafe\u{301} \u{202e}\n{} polka_dots", secret());
    assert_eq!(mended(&name), "Café [U+202E] ⏎ lka_[redacted] polka_dots");
}

#[test]
fn what_a_stranger_says_is_kept_visible_and_short() {
    let said = format!("curl/8 \"x\" {}\u{1b}[2J\u{9b}\u{202e}é", secret());
    assert_eq!(
        recorded(&said, 100),
        "curl/8 \"x\" lka_[redacted]\\u{1b}[2J\\u{9b}\\u{202e}é"
    );
    assert_eq!(recorded("éééé", 3), "ééé");
}

proptest! {
    #[test]
    fn what_is_taken_is_taken_again_as_it_is_and_shown_as_it_is(text in "\\PC{0,40}|.{0,40}") {
        for kind in [Text::Name, Text::Paragraphs] {
            if let Ok(kept) = kind.check(&text, 100) {
                prop_assert_eq!(kind.check(&kept, 100), Ok(kept.clone()));
                prop_assert_eq!(shown(&kept, kind), kept);
            }
        }
    }

    #[test]
    fn what_is_shown_or_mended_passes_the_rules(text in ".{0,40}") {
        let name = mended(&format!("x{text}"));
        prop_assert_eq!(Text::Name.check(&name, 1_000), Ok(name.clone()));
    }

    #[test]
    fn redacting_twice_changes_nothing(before in ".{0,10}", after in ".{0,10}", random: [u8; 32]) {
        let secret = plain(&PlainSecret::generate(Kind::IntegrationApp, &FixedEntropy(random)).unwrap());
        let text = format!("{before}{secret}{after}");
        let redacted = redact(&text);
        prop_assert!(!contains_secret(&redacted));
        prop_assert!(!redacted.contains(&secret[4..]));
        prop_assert_eq!(redact(&redacted), redacted);
    }
}
