//! The permissions of the functions' roles. By its name, this suite runs after nearly all others: it also finds
//! which of the granted actions no test has used.

mod calls;
mod neighbours;
mod others;
mod roles;
mod stack;
mod uses;

use std::collections::{BTreeMap, BTreeSet};

use end_to_end::Stack;
use roles::{Role, leading_keys, roles, strings};

#[tokio::test]
async fn no_policy_grants_more_than_its_function_needs() {
    let stack = Stack::from_env();
    let [tokens, audit] =
        ["tokensTable", "auditTable"].map(|table| format!("table/{}", stack.get(table)));
    let roles = roles(&stack).await;
    assert!(roles.len() > 15, "only {} functions", roles.len());
    let mut opened = BTreeMap::<_, BTreeSet<_>>::new();
    let mut deletes = BTreeMap::<_, BTreeSet<_>>::new();
    for role in &roles {
        for statement in role.statements() {
            let name = role.name();
            assert_eq!(statement["Effect"], "Allow", "{name}: {statement}");
            for member in ["NotAction", "NotResource"] {
                assert!(statement[member].is_null(), "{name}: {statement}");
            }
            let actions = strings(&statement["Action"]);
            let resources = strings(&statement["Resource"]);
            assert!(
                !actions.is_empty() && !resources.is_empty(),
                "{name}: {statement}"
            );
            for action in &actions {
                assert!(!action.contains('*'), "{name}: {statement}");
                opened.entry(*action).or_default().insert(name);
            }
            for resource in &resources {
                // The local cloud has no SES identities as resources; the template has one for AWS.
                let mail = *resource == "*" && actions == ["ses:SendEmail"];
                // Streams of a table, and log streams of the function's log group.
                let part = [&tokens, &audit]
                    .iter()
                    .any(|table| resource.ends_with(&format!("{table}/stream/*")))
                    || (resource.contains(":log-group:/aws/lambda/") && resource.ends_with(":*"))
                    // The objects of a bucket.
                    || actions == ["s3:PutObject"];
                // The event history is no resource.
                let history = *resource == "*" && actions == ["cloudtrail:LookupEvents"];
                assert!(
                    mail || history || part || !resource.contains('*'),
                    "{name}: {statement}"
                );
            }
            if resources.iter().any(|resource| resource.contains(&audit)) {
                let harmless = [
                    "dynamodb:DescribeStream",
                    "dynamodb:GetRecords",
                    "dynamodb:GetShardIterator",
                    "dynamodb:ListStreams",
                    "dynamodb:PutItem",
                    "dynamodb:Query",
                ];
                let append_only = actions.iter().all(|action| harmless.contains(action));
                assert!(append_only, "{name} may change the audit log: {statement}");
            }
            // A statement on the token table without kinds of partition covers the whole table.
            let whole_table = resources.iter().any(|resource| resource.ends_with(&tokens));
            assert!(
                !whole_table || !leading_keys(statement).is_empty(),
                "{name}: {statement}"
            );
            if whole_table && actions.contains(&"dynamodb:DeleteItem") {
                for kind in leading_keys(statement) {
                    deletes.entry(kind).or_default().insert(name);
                }
            }
        }
    }
    let who = |action: &str| opened.get(action).cloned().unwrap_or_default();
    assert_eq!(
        who("kms:Encrypt"),
        BTreeSet::from(["create-token", "regenerate-token"])
    );
    assert_eq!(who("kms:Decrypt"), BTreeSet::from(["reveal-token"]));
    assert_eq!(
        who("ses:SendEmail"),
        BTreeSet::from([
            "receive-leak-report",
            "record-mail-feedback",
            "send-digests",
            "send-notifications"
        ])
    );
    let kms = opened.keys().filter(|action| action.starts_with("kms:"));
    assert_eq!(kms.count(), 2);
    assert_eq!(deletes["ACCOUNT#*"], BTreeSet::from(["delete-token"]));
}

#[tokio::test]
async fn the_page_may_do_nothing_but_log() {
    let stack = Stack::from_env();
    let roles = roles(&stack).await;
    let is_console = |role: &&Role| role.function_arn.contains("-ConsoleFunction-");
    let console = roles.iter().find(is_console).expect("the page's role");
    let statements: Vec<_> = console.statements().collect();
    assert_eq!(statements.len(), 1);
    let actions = strings(&statements[0]["Action"]);
    assert_eq!(actions, ["logs:CreateLogStream", "logs:PutLogEvents"]);
    for resource in strings(&statements[0]["Resource"]) {
        assert!(
            resource.ends_with(":log-group:/aws/lambda/latchkey/Console:*"),
            "{resource}"
        );
    }
}
