//! IAM's decision about a request of a function's role, by AWS's rules, for the forms of statement in the template.
//!
//! A form that this doesn't know fails, so that no statement is passed over. `dynamodb:Attributes` is such a form on
//! purpose: DynamoDB compares it with all attributes that a request names, those that a condition merely reads
//! included, and for a `PutItem` it can't forbid that the item loses what the request doesn't name. So it limits no
//! writer here, and whoever wants it must first say how its use is proven.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::policies::is_like;

/// A request as IAM sees it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ask {
    /// The action, such as `kms:Encrypt`.
    pub action: String,
    /// The resource. Resources of the template are written like in `Fn::Sub`: `${SecretsKey.Arn}`.
    pub resource: String,
    /// The values of the condition keys that the service supplies. A key without values is left out.
    pub context: BTreeMap<String, Vec<String>>,
}

impl Ask {
    /// Creates a request without condition keys.
    pub fn new(action: &str, resource: &str) -> Self {
        Self {
            action: action.into(),
            resource: resource.into(),
            context: BTreeMap::new(),
        }
    }

    /// Adds the values of a condition key; none leave the key out.
    #[must_use]
    pub fn with<T: AsRef<str>>(mut self, key: &str, values: &[T]) -> Self {
        if !values.is_empty() {
            let values = values.iter().map(|value| value.as_ref().to_owned());
            self.context.insert(key.into(), values.collect());
        }
        self
    }
}

/// A statement that allows something.
#[derive(Debug)]
pub struct Allow {
    actions: Vec<String>,
    resources: Vec<String>,
    conditions: Vec<Condition>,
}

/// One condition of a statement. All of them must hold.
#[derive(Debug)]
struct Condition {
    operator: Operator,
    key: String,
    values: Vec<String>,
}

#[derive(Debug, Clone, Copy)]
enum Operator {
    /// `ForAllValues:StringLike`: every value matches a pattern. Holds without values.
    AllLike,
    /// `ForAllValues:StringEquals`: every value is listed. Holds without values.
    AllEqual,
    /// `StringEqualsIfExists`: the value is listed. Holds without a value.
    EqualIfExists,
    /// `Null: false`: there is a value.
    NotNull,
}

/// The condition keys whose values the suite supplies, as the services do.
const KEYS: [&str; 5] = [
    "dynamodb:LeadingKeys",
    "kms:EncryptionContextKeys",
    "kms:EncryptionContext:accountId",
    "kms:EncryptionContext:tokenId",
    "ses:FromAddress",
];

impl Allow {
    /// Reads a statement of the expanded template.
    ///
    /// # Panics
    /// If it has a form that this doesn't know.
    pub fn of(statement: &Value) -> Self {
        let members = statement.as_object().unwrap();
        for member in members.keys() {
            let known = ["Sid", "Effect", "Action", "Resource", "Condition"];
            assert!(known.contains(&member.as_str()), "{member}: {statement}");
        }
        assert_eq!(statement["Effect"], "Allow", "{statement}");
        let conditions = statement["Condition"].as_object().into_iter().flatten();
        let conditions = conditions.flat_map(|(operator, keys)| {
            let keys = keys.as_object().unwrap();
            keys.iter()
                .map(|(key, values)| Condition::of(operator, key, values))
        });
        Self {
            actions: texts(&statement["Action"]),
            resources: texts(&statement["Resource"]),
            conditions: conditions.collect(),
        }
    }

    /// Whether the statement names an action.
    pub fn names(&self, action: &str) -> bool {
        let mut patterns = self.actions.iter();
        patterns.any(|pattern| match pattern.strip_suffix('*') {
            None => action.eq_ignore_ascii_case(pattern),
            Some(start) => action
                .get(..start.len())
                .is_some_and(|begin| begin.eq_ignore_ascii_case(start)),
        })
    }

    /// Whether the statement allows a request.
    pub fn allows(&self, ask: &Ask) -> bool {
        let mut resources = self.resources.iter();
        self.names(&ask.action)
            && resources.any(|pattern| is_like(&ask.resource, pattern))
            && self.conditions.iter().all(|condition| condition.holds(ask))
    }
}

impl Condition {
    fn of(operator: &str, key: &str, values: &Value) -> Self {
        assert!(KEYS.contains(&key), "no proof of the condition key {key}");
        let values = texts(values);
        let operator = match operator {
            "ForAllValues:StringLike" => Operator::AllLike,
            "ForAllValues:StringEquals" => Operator::AllEqual,
            "StringEqualsIfExists" => Operator::EqualIfExists,
            "Null" if values == ["false"] => Operator::NotNull,
            other => panic!("unknown condition: {other} {key} {values:?}"),
        };
        Self {
            operator,
            key: key.into(),
            values,
        }
    }

    fn holds(&self, ask: &Ask) -> bool {
        let given = ask.context.get(&self.key);
        let mut each = given.into_iter().flatten();
        match self.operator {
            Operator::NotNull => given.is_some(),
            Operator::AllEqual | Operator::EqualIfExists => {
                each.all(|value| self.values.contains(value))
            }
            Operator::AllLike => each.all(|value| {
                let mut patterns = self.values.iter();
                patterns.any(|pattern| is_like(value, pattern))
            }),
        }
    }
}

/// Returns the texts of a member that may be one value or a list.
pub fn texts(value: &Value) -> Vec<String> {
    match value {
        Value::Array(values) => values.iter().map(text).collect(),
        value => vec![text(value)],
    }
}

/// Returns a text of the expanded template; a `Ref` or `Fn::GetAtt` as in `Fn::Sub`.
///
/// # Panics
/// If it is something else.
pub fn text(value: &Value) -> String {
    let branches = &value["Fn::If"];
    if branches[0] == "CreatesSecretsKey" {
        // Without the parameter `SecretsKeyArn`.
        return text(&branches[1]);
    }
    let get = &value["Fn::GetAtt"];
    match (value.as_str(), value["Ref"].as_str()) {
        (Some(text), _) => text.into(),
        (None, Some(id)) => format!("${{{id}}}"),
        (None, None) => match (get[0].as_str(), get[1].as_str()) {
            (Some(id), Some(attribute)) => format!("${{{id}.{attribute}}}"),
            _ => panic!("neither a text nor a reference: {value}"),
        },
    }
}
