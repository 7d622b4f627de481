//! Inputs that are requests. The first line is a path with a query, after a method where the route doesn't say it; the
//! lines up to the first empty one are headers, and the rest is the body.

use std::borrow::Cow;

/// A request in an input.
pub struct Input<'a> {
    /// The method; `GET` if the input has none.
    pub method: String,
    /// The path. It begins with a slash.
    pub path: String,
    /// What follows the first question mark.
    pub query: String,
    /// The headers, their names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: &'a [u8],
}

impl<'a> Input<'a> {
    /// Reads an input. What no gateway passes on is left out: control characters, spaces in the path, names of headers
    /// that aren't tokens, and other values of the headers that the gateway writes or routes by.
    pub fn of(data: &'a [u8]) -> Self {
        let (line, mut rest) = line(data);
        let (method, target) = match line.split_once(' ') {
            Some((method, target)) => (method.to_owned(), target),
            None => ("GET".to_owned(), &*line),
        };
        let target: String = target.chars().filter(|c| !c.is_whitespace()).collect();
        let (path, query) = target.split_once('?').unwrap_or((&target, ""));
        let root = if path.starts_with('/') { "" } else { "/" };
        let mut headers = vec![];
        while !rest.is_empty() {
            let (line, next) = self::line(rest);
            rest = next;
            if line.is_empty() {
                break;
            }
            if let Some((name, value)) = line.split_once(':')
                && is_token(name)
                && !is_gateways(name, value.trim())
            {
                headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
            }
        }
        Self {
            method,
            path: format!("{root}{path}"),
            query: query.to_owned(),
            headers,
            body: rest,
        }
    }

    /// Returns the value of a header: the last one, as the event has it.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.headers.iter().rev();
        headers.find_map(|(given, value)| (given == name).then_some(value.as_str()))
    }
}

/// Returns the first line without control characters except tabs, and the rest.
fn line(data: &[u8]) -> (String, &[u8]) {
    let end = data.iter().position(|byte| *byte == b'\n');
    let (line, rest) = data.split_at(end.unwrap_or(data.len()));
    let line: Cow<'_, str> = String::from_utf8_lossy(line);
    let line = line
        .chars()
        .filter(|c| !c.is_control() || *c == '\t')
        .collect();
    (line, rest.get(1..).unwrap_or_default())
}

/// Whether a header can't reach a function as the client sent it.
fn is_gateways(name: &str, value: &str) -> bool {
    let name = name.to_ascii_lowercase();
    name.starts_with("x-forwarded-") || (name == "host" && value != "api.latchkey.example")
}

/// Whether a text is a token as HTTP defines it (RFC 9110, 5.6.2).
fn is_token(text: &str) -> bool {
    let other = "!#$%&'*+-.^_`|~";
    !text.is_empty()
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || other.contains(c))
}
