//! The roles of the deployed functions.

use std::collections::BTreeMap;

use end_to_end::Stack;
use percent_encoding::percent_decode_str;
use serde_json::Value;

/// A function's role and its policies.
pub(crate) struct Role {
    pub(crate) function_arn: String,
    pub(crate) arn: String,
    /// The policies, by name. Besides `log` there may be one with the function's name.
    pub(crate) policies: BTreeMap<String, Vec<Value>>,
}

impl Role {
    /// The function's name in the sources.
    pub(crate) fn name(&self) -> &str {
        let own = self.policies.keys().find(|name| *name != "log");
        own.unwrap_or(&self.function_arn)
    }

    /// Whether a statement names a resource.
    pub(crate) fn names(&self, resource: &str) -> bool {
        let resources = self.statements().flat_map(|one| strings(&one["Resource"]));
        resources.into_iter().any(|one| one == resource)
    }

    /// The name of the log group that the function writes to.
    pub(crate) fn log_group(&self) -> &str {
        let statements = self.policies["log"].iter();
        let mut resources = statements.flat_map(|statement| strings(&statement["Resource"]));
        let group = resources
            .next()
            .and_then(|resource| resource.split(":log-group:").nth(1));
        group.expect("a log group").trim_end_matches(":*")
    }

    pub(crate) fn statements(&self) -> impl Iterator<Item = &Value> {
        self.policies.values().flatten()
    }
}

pub(crate) async fn roles(stack: &Stack) -> Vec<Role> {
    let mut roles = Vec::new();
    for function in stack.functions().await {
        let arn = function["Role"].as_str().expect("a role").to_owned();
        let name = arn.rsplit('/').next().expect("a name");
        let attached = stack
            .iam("ListAttachedRolePolicies", &[("RoleName", name)])
            .await;
        assert!(
            !attached.contains("<PolicyArn>"),
            "{name} has a managed policy"
        );
        let mut policies = BTreeMap::new();
        let list = stack.iam("ListRolePolicies", &[("RoleName", name)]).await;
        for policy in texts(&list, "member") {
            let parameters = [("RoleName", name), ("PolicyName", policy)];
            let answer = stack.iam("GetRolePolicy", &parameters).await;
            let document = texts(&answer, "PolicyDocument")[0];
            let document = percent_decode_str(document).decode_utf8().expect("text");
            let document: Value = serde_json::from_str(&document).expect("a policy");
            let statements = document["Statement"].as_array().expect("statements");
            policies.insert(policy.to_owned(), statements.clone());
        }
        roles.push(Role {
            function_arn: function["FunctionArn"].as_str().expect("an ARN").to_owned(),
            arn,
            policies,
        });
    }
    roles
}

/// The contents of all elements of that name that contain only text.
pub(crate) fn texts<'a>(xml: &'a str, element: &str) -> Vec<&'a str> {
    let (open, close) = (format!("<{element}>"), format!("</{element}>"));
    let parts = xml.split(open.as_str()).skip(1);
    parts
        .filter_map(|part| Some(part.split_once(close.as_str())?.0))
        .collect()
}

/// The kinds of partition in a statement's condition.
pub(crate) fn leading_keys(statement: &Value) -> Vec<&str> {
    strings(&statement["Condition"]["ForAllValues:StringLike"]["dynamodb:LeadingKeys"])
}

/// Whether a text matches a pattern of a policy. The only wildcard is a `*` at the end.
pub(crate) fn is_like(text: &str, pattern: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(start) => text.starts_with(start),
        None => text == pattern,
    }
}

/// A member of a statement, which may be a string or an array of strings.
pub(crate) fn strings(value: &Value) -> Vec<&str> {
    match value {
        Value::Array(values) => values.iter().filter_map(Value::as_str).collect(),
        value => value.as_str().into_iter().collect(),
    }
}
