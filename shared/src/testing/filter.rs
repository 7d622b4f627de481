use serde_json::Value;

/// Whether a metric filter of CloudWatch Logs matches a line. The pattern has the form
/// `{ $.a = "x" && $.b = "*y*" }`, in which a `*` stands for any text.
///
/// # Panics
/// The pattern has another form.
pub fn counts(pattern: &str, line: &Value) -> bool {
    let terms = pattern.strip_prefix("{ ").unwrap();
    let mut terms = terms.strip_suffix(" }").unwrap().split(" && ");
    terms.all(|term| {
        let (field, text) = term.split_once(" = ").unwrap();
        let text = text.strip_prefix('"').unwrap().strip_suffix('"').unwrap();
        let value = &line[field.strip_prefix("$.").unwrap()];
        value.as_str().is_some_and(|value| is_like(value, text))
    })
}

fn is_like(value: &str, pattern: &str) -> bool {
    let Some((first, rest)) = pattern.split_once('*') else {
        return value == pattern;
    };
    let Some(value) = value.strip_prefix(first) else {
        return false;
    };
    let mut ends = value.char_indices().map(|(at, _)| at).chain([value.len()]);
    ends.any(|at| is_like(value.get(at..).unwrap(), rest))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_pattern_counts_the_lines_it_describes() {
        let line = json!({"level": "ERROR", "message": "\"Unauthorized\"", "number": 1});
        for (pattern, is_counted) in [
            ("{ $.level = \"ERROR\" }", true),
            ("{ $.level = \"ERR\" }", false),
            (
                "{ $.level = \"ERROR\" && $.message = \"*Unauthorized*\" }",
                true,
            ),
            (
                "{ $.level = \"WARN\" && $.message = \"*Unauthorized*\" }",
                false,
            ),
            ("{ $.message = \"Unauthorized*\" }", false),
            ("{ $.message = \"*Unauthorized\" }", false),
            ("{ $.message = \"*Unautho*ized*\" }", true),
            ("{ $.number = \"1\" }", false),
            ("{ $.missing = \"*\" }", false),
        ] {
            assert_eq!(counts(pattern, &line), is_counted, "{pattern}");
        }
    }
}
