//! The part of CloudWatch Logs' filter patterns for JSON lines that the template uses:
//! <https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntax.html>. Comparisons of a text, in
//! which `*` is any text, and of a number; `&&`, `||` and parentheses. A comparison of what a line doesn't have is false.

use serde_json::Value;

/// A pattern.
#[derive(Debug, PartialEq)]
pub(crate) enum Pattern {
    All(Vec<Pattern>),
    Any(Vec<Pattern>),
    /// The text of a member is like this one.
    Like(String, String),
    /// The text of a member is another one.
    Unlike(String, String),
    /// The number of a member is greater.
    Greater(String, f64),
}

impl Pattern {
    /// Parses a pattern.
    ///
    /// # Panics
    /// If it has another form.
    pub(crate) fn parse(text: &str) -> Self {
        let inner = text
            .trim()
            .strip_prefix('{')
            .and_then(|it| it.strip_suffix('}'));
        let mut rest = inner.unwrap_or_else(|| panic!("{text}"));
        let pattern = any(&mut rest);
        assert_eq!(rest.trim(), "", "{text}");
        pattern
    }

    /// Whether it matches a line.
    pub(crate) fn matches(&self, line: &Value) -> bool {
        match self {
            Self::All(parts) => parts.iter().all(|part| part.matches(line)),
            Self::Any(parts) => parts.iter().any(|part| part.matches(line)),
            Self::Like(key, text) => member(line, key)
                .and_then(Value::as_str)
                .is_some_and(|value| is_like(value, text)),
            Self::Unlike(key, text) => member(line, key)
                .and_then(Value::as_str)
                .is_some_and(|value| !is_like(value, text)),
            Self::Greater(key, number) => member(line, key)
                .and_then(Value::as_f64)
                .is_some_and(|value| value > *number),
        }
    }

    /// The members that it compares.
    pub(crate) fn keys(&self) -> Vec<&str> {
        match self {
            Self::All(parts) | Self::Any(parts) => parts.iter().flat_map(Self::keys).collect(),
            Self::Like(key, _) | Self::Unlike(key, _) | Self::Greater(key, _) => vec![key],
        }
    }
}

/// The member of a line that a selector such as `$.outcome` names.
pub(crate) fn member<'a>(line: &'a Value, key: &str) -> Option<&'a Value> {
    line.get(key)
}

/// Whether a text is like another one, in which `*` is any text.
fn is_like(value: &str, pattern: &str) -> bool {
    let Some((first, rest)) = pattern.split_once('*') else {
        return value == pattern;
    };
    let Some(value) = value.strip_prefix(first) else {
        return false;
    };
    let mut ends = value.char_indices().map(|(at, _)| at).chain([value.len()]);
    ends.any(|at| is_like(&value[at..], rest))
}

fn any(rest: &mut &str) -> Pattern {
    let first = term(rest);
    let operator = ["&&", "||"]
        .into_iter()
        .find(|it| rest.trim_start().starts_with(it));
    let Some(operator) = operator else {
        return first;
    };
    let mut parts = vec![first];
    while skip(rest, operator) {
        parts.push(term(rest));
    }
    // Which of the two binds more closely, AWS doesn't say.
    let mixed = ["&&", "||"]
        .iter()
        .any(|it| rest.trim_start().starts_with(it));
    assert!(!mixed, "both operators without parentheses: {rest}");
    if operator == "&&" {
        Pattern::All(parts)
    } else {
        Pattern::Any(parts)
    }
}

fn term(rest: &mut &str) -> Pattern {
    if skip(rest, "(") {
        let inner = any(rest);
        assert!(skip(rest, ")"), "{rest}");
        return inner;
    }
    assert!(skip(rest, "$."), "{rest}");
    let end = rest.find(|letter: char| !letter.is_alphanumeric() && letter != '_');
    let (key, after) = rest.split_at(end.unwrap());
    *rest = after;
    if skip(rest, ">") {
        let text = rest.trim_start();
        let end = text
            .find(|letter: char| !letter.is_ascii_digit())
            .unwrap_or(text.len());
        *rest = &text[end..];
        return Pattern::Greater(key.to_owned(), text[..end].parse().unwrap());
    }
    let is_negated = skip(rest, "!=");
    assert!(is_negated || skip(rest, "="), "{rest}");
    assert!(skip(rest, "\""), "{rest}");
    let (text, after) = rest.split_once('"').unwrap();
    *rest = after;
    if is_negated {
        Pattern::Unlike(key.to_owned(), text.to_owned())
    } else {
        Pattern::Like(key.to_owned(), text.to_owned())
    }
}

fn skip(rest: &mut &str, token: &str) -> bool {
    let after = rest.trim_start().strip_prefix(token);
    if let Some(after) = after {
        *rest = after;
    }
    after.is_some()
}

#[test]
fn a_pattern_matches_the_lines_that_it_describes() {
    let line =
        serde_json::json!({"level": "ERROR", "error": "no key", "count": 2, "outcome": "ok"});
    for (pattern, expected) in [
        ("{ $.level = \"ERROR\" }", true),
        ("{ $.level = \"ERR\" }", false),
        ("{ $.level = \"ERR*\" && $.count > 1 }", true),
        ("{ $.count > 2 }", false),
        ("{ $.level > 1 }", false),
        ("{ $.missing = \"*\" }", false),
        ("{ $.missing > 0 }", false),
        ("{ $.count = \"2\" }", false),
        (
            "{ $.outcome = \"*\" && ($.error = \"*k*y\" || $.error = \"none\") }",
            true,
        ),
        (
            "{ $.outcome = \"*\" && ($.error = \"*x*\" || $.error = \"none\") }",
            false,
        ),
        ("{ $.outcome = \"no\" || $.level = \"ERROR\" }", true),
        ("{ $.level = \"ERROR\" && $.outcome != \"no\" }", true),
        ("{ $.outcome != \"o*\" }", false),
    ] {
        assert_eq!(
            Pattern::parse(pattern).matches(&line),
            expected,
            "{pattern}"
        );
    }
    let keys = Pattern::parse("{ $.a = \"*\" && ($.b > 1 || $.c = \"d\") }");
    assert_eq!(keys.keys(), ["a", "b", "c"]);
}

#[test]
#[should_panic(expected = "without parentheses")]
fn what_aws_does_not_define_is_no_pattern() {
    Pattern::parse("{ $.a = \"1\" && $.b = \"2\" || $.c = \"3\" }");
}
