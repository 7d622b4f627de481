//! The part of CloudWatch's metric math that the template uses:
//! <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/using-metric-math.html>. All of it works on one
//! point in time: `+ - *`, comparisons (1 or 0), `AND`, `OR`, `IF(condition, then, else)` and `FILL(metric, number)`. An
//! operation on a point that is missing has none either.

/// The value of an expression at a point in time. `value` is that of a metric or another expression.
///
/// # Panics
/// If it has another form.
pub(crate) fn evaluate(text: &str, value: &dyn Fn(&str) -> Option<f64>) -> Option<f64> {
    let mut parser = Parser { rest: text, value };
    let result = parser.level(0);
    assert_eq!(parser.rest.trim(), "", "{text}");
    result
}

/// The names in an expression that are no functions.
pub(crate) fn names(text: &str) -> Vec<&str> {
    let words = text.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_');
    // The ids of metrics and expressions begin with a small letter.
    words
        .filter(|word| word.starts_with(|letter: char| letter.is_ascii_lowercase()))
        .collect()
}

/// The operators, from the ones that bind least.
const LEVELS: [&[&str]; 5] = [
    &["OR"],
    &["AND"],
    &["==", ">=", "<=", ">", "<"],
    &["+", "-"],
    &["*"],
];

struct Parser<'a> {
    rest: &'a str,
    value: &'a dyn Fn(&str) -> Option<f64>,
}

impl Parser<'_> {
    fn level(&mut self, level: usize) -> Option<f64> {
        let Some(operators) = LEVELS.get(level) else {
            return self.operand();
        };
        let mut left = self.level(level + 1);
        while let Some(operator) = operators.iter().find(|it| self.skip(it)) {
            let right = self.level(level + 1);
            left = left
                .zip(right)
                .map(|(left, right)| apply(operator, left, right));
        }
        left
    }

    fn operand(&mut self) -> Option<f64> {
        if self.skip("IF(") {
            let [condition, then, otherwise] = [0, 1, 2].map(|index| {
                let part = self.level(0);
                assert!(
                    self.skip(if index < 2 { "," } else { ")" }),
                    "{}",
                    self.rest
                );
                part
            });
            return if condition? == 0.0 { otherwise } else { then };
        }
        if self.skip("FILL(") {
            let metric = self.level(0);
            assert!(self.skip(","), "{}", self.rest);
            let number = self.level(0);
            assert!(self.skip(")"), "{}", self.rest);
            return metric.or(number);
        }
        if self.skip("(") {
            let inner = self.level(0);
            assert!(self.skip(")"), "{}", self.rest);
            return inner;
        }
        let rest = self.rest.trim_start();
        let end =
            rest.find(|letter: char| !letter.is_ascii_alphanumeric() && !"._".contains(letter));
        let (word, after) = rest.split_at(end.unwrap_or(rest.len()));
        self.rest = after;
        word.parse().ok().or_else(|| (self.value)(word))
    }

    fn skip(&mut self, token: &str) -> bool {
        let after = self.rest.trim_start().strip_prefix(token);
        if let Some(after) = after {
            self.rest = after;
        }
        after.is_some()
    }
}

fn apply(operator: &str, left: f64, right: f64) -> f64 {
    let holds = match operator {
        "+" => return left + right,
        "-" => return left - right,
        "*" => return left * right,
        "OR" => left != 0.0 || right != 0.0,
        "AND" => left != 0.0 && right != 0.0,
        "==" => left == right,
        ">=" => left >= right,
        "<=" => left <= right,
        ">" => left > right,
        "<" => left < right,
        other => panic!("{other}"),
    };
    f64::from(u8::from(holds))
}

#[test]
fn expressions_have_the_values_of_awss_documentation() {
    let value = |name: &str| match name {
        "two" => Some(2.0),
        "five" => Some(5.0),
        "none" => None,
        other => panic!("{other}"),
    };
    for (text, expected) in [
        ("two + five * 2", Some(12.0)),
        ("five - two - 1", Some(2.0)),
        ("0.5 * (two + five)", Some(3.5)),
        ("two + none", None),
        ("FILL(none, 0) + two", Some(2.0)),
        ("FILL(two, 0)", Some(2.0)),
        ("IF(five > two AND two == 2, five, 0)", Some(5.0)),
        ("IF(five < two OR none, five, 0)", None),
        ("IF(two >= 3, none, 7)", Some(7.0)),
        ("IF(two >= 2, none, 7)", None),
        ("two <= five", Some(1.0)),
    ] {
        assert_eq!(evaluate(text, &value), expected, "{text}");
    }
    assert_eq!(names("IF(FILL(a_b, 0) > 0 AND c == 1, 1, 0)"), ["a_b", "c"]);
}
