use serde_json::Value;

/// Whether a metric filter of CloudWatch Logs matches a line. The pattern has the form
/// `{ $.a = "x" && ($.b != "*y*" || $.c = "z") }`, in which a `*` stands for any text.
///
/// # Panics
/// The pattern has another form.
pub fn counts(pattern: &str, line: &Value) -> bool {
    let terms = pattern.strip_prefix("{ ").unwrap();
    let mut terms = terms.strip_suffix(" }").unwrap().split(" && ");
    terms.all(|term| {
        let choices = term
            .strip_prefix('(')
            .map_or(term, |choices| choices.strip_suffix(')').unwrap());
        choices.split(" || ").any(|choice| holds(choice, line))
    })
}

/// Whether a comparison holds. None holds for a field that the line lacks.
fn holds(comparison: &str, line: &Value) -> bool {
    let (field, rest) = comparison.split_once(' ').unwrap();
    let (operator, text) = rest.split_once(' ').unwrap();
    let text = text.strip_prefix('"').unwrap().strip_suffix('"').unwrap();
    let value = line[field.strip_prefix("$.").unwrap()].as_str();
    value.is_some_and(|value| match operator {
        "=" => is_like(value, text),
        "!=" => !is_like(value, text),
        _ => panic!("{comparison}"),
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
            ("{ $.missing != \"x\" }", false),
            ("{ $.level != \"ERROR\" }", false),
            ("{ $.level != \"WARN\" }", true),
            (
                "{ ($.level = \"WARN\" || $.message = \"*Una*\") && $.level = \"ERROR\" }",
                true,
            ),
            (
                "{ $.level = \"ERROR\" && ($.level = \"WARN\" || $.missing = \"*\") }",
                false,
            ),
        ] {
            assert_eq!(counts(pattern, &line), is_counted, "{pattern}");
        }
    }
}
