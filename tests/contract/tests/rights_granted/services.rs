//! What AWS's services and the account itself may do with the stack's resources: the policies of queues, functions,
//! keys and roles.

use std::collections::BTreeSet;

use contract::{CODEDEPLOY, Template, text, texts};
use serde_json::{Value, json};

/// A right of a service: the service, the action, the resource, and on whose behalf.
type Right = [String; 4];

fn right(service: &str, action: &str, resource: String, source: String) -> Right {
    [service.into(), action.into(), resource, source]
}

/// What EventBridge and the gateway do, as rules and integrations say.
fn needed(template: &Template) -> BTreeSet<Right> {
    let mut needed = BTreeSet::new();
    for (id, rule) in template.of_type("AWS::Events::Rule") {
        let rule_arn = format!("${{{id}.Arn}}");
        for target in rule["Targets"].as_array().unwrap() {
            let (events, function) = ("events.amazonaws.com", text(&target["Arn"]));
            let action = "lambda:InvokeFunction";
            needed.insert(right(events, action, function, rule_arn.clone()));
            let queue = text(&target["DeadLetterConfig"]["Arn"]);
            needed.insert(right(events, "sqs:SendMessage", queue, rule_arn.clone()));
        }
    }
    for (_, integration) in template.of_type("AWS::ApiGatewayV2::Integration") {
        let function = text(&integration["IntegrationUri"]);
        let api = text(&integration["ApiId"]);
        let source = format!("arn:aws:execute-api:us-east-1:123456789012:{api}/*");
        let action = "lambda:InvokeFunction";
        needed.insert(right("apigateway.amazonaws.com", action, function, source));
    }
    needed
}

/// What the policies of queues and functions grant.
fn granted(template: &Template) -> BTreeSet<Right> {
    let mut granted = BTreeSet::new();
    for (id, policy) in template.of_type("AWS::SQS::QueuePolicy") {
        for statement in policy["PolicyDocument"]["Statement"].as_array().unwrap() {
            assert_eq!(statement["Effect"], "Allow", "{id}");
            let condition = statement["Condition"].as_object().unwrap();
            assert_eq!(condition.len(), 1, "{id}");
            let source = text(&condition["ArnEquals"]["aws:SourceArn"]);
            let service = text(&statement["Principal"]["Service"]);
            for action in texts(&statement["Action"]) {
                for queue in texts(&statement["Resource"]) {
                    granted.insert(right(&service, &action, queue, source.clone()));
                }
            }
        }
    }
    for (_, permission) in template.of_type("AWS::Lambda::Permission") {
        // Those of trusted authorizers are conditional, and the defaults have none.
        if permission["SourceArn"].is_null() && permission["FunctionName"].is_null() {
            continue;
        }
        granted.insert(right(
            &text(&permission["Principal"]),
            &text(&permission["Action"]),
            text(&permission["FunctionName"]),
            text(&permission["SourceArn"]),
        ));
    }
    granted
}

#[test]
fn a_service_may_do_what_the_stack_has_it_do_and_nothing_else() {
    let template = Template::expanded();
    let (granted, needed) = (granted(&template), needed(&template));
    let surplus: Vec<_> = granted.difference(&needed).collect();
    assert!(surplus.is_empty(), "granted, and not needed: {surplus:#?}");
    let missing: Vec<_> = needed.difference(&granted).collect();
    assert!(missing.is_empty(), "needed, and not granted: {missing:#?}");
    assert!(granted.len() > 20);
    // Other resources have no policy of their own.
    let kinds = template.types().filter(|kind| kind.ends_with("Policy"));
    let kinds: BTreeSet<_> = kinds.collect();
    assert_eq!(
        kinds,
        BTreeSet::from(["AWS::IAM::Policy", "AWS::SQS::QueuePolicy"])
    );
}

#[test]
fn nobody_but_lambda_may_assume_a_functions_role() {
    let trust = json!([{
        "Effect": "Allow",
        "Principal": {"Service": "lambda.amazonaws.com"},
        "Action": "sts:AssumeRole",
    }]);
    let template = Template::expanded();
    for (id, role) in template.of_type("AWS::IAM::Role") {
        let statement = &role["AssumeRolePolicyDocument"]["Statement"];
        if id == CODEDEPLOY {
            let mut trust = trust.clone();
            trust[0]["Principal"]["Service"] = json!("codedeploy.amazonaws.com");
            assert_eq!(statement, &trust, "{id}");
        } else {
            assert_eq!(statement, &trust, "{id}");
        }
    }
}

/// CodeDeploy may move the aliases of the functions that it deploys, and read alarms. It may change no function.
#[test]
fn codedeploy_may_only_move_aliases() {
    let template = Template::expanded();
    let mut roles = template.of_type("AWS::IAM::Role");
    let (_, role) = roles.find(|(id, _)| *id == CODEDEPLOY).unwrap();
    assert!(role["ManagedPolicyArns"].is_null());
    let mut granted = BTreeSet::new();
    for policy in role["Policies"].as_array().unwrap() {
        for statement in policy["PolicyDocument"]["Statement"].as_array().unwrap() {
            assert_eq!(statement["Effect"], "Allow");
            for action in texts(&statement["Action"]) {
                for resource in texts(&statement["Resource"]) {
                    granted.insert((action.clone(), resource));
                }
            }
        }
    }
    let mut needed = BTreeSet::from([("cloudwatch:DescribeAlarms".to_owned(), "*".to_owned())]);
    for (id, _) in template.of_type("AWS::CodeDeploy::DeploymentGroup") {
        let function = id.replace("Rollout", "Function");
        // AWS's own policy for CodeDeploy has these actions, and its page doesn't say with which form of ARN it asks.
        for action in ["GetAlias", "GetProvisionedConcurrencyConfig", "UpdateAlias"] {
            for form in ["", ":*"] {
                let arn = format!("${{{function}.Arn}}{form}");
                needed.insert((format!("lambda:{action}"), arn));
            }
        }
    }
    assert_eq!(granted, needed);
}

/// Whether an action of KMS reads or writes what is encrypted, or lets somebody else do so.
fn is_data(action: &str) -> bool {
    let starts = [
        "Decrypt",
        "Encrypt",
        "Generate",
        "ReEncrypt",
        "Sign",
        "CreateGrant",
    ];
    let name = action.strip_prefix("kms:").unwrap();
    action.contains('*') || starts.iter().any(|start| name.starts_with(start))
}

/// The key policies: who administers a key can't use it, and what the policy of the secrets' key lets IAM grant is what
/// functions are granted.
#[test]
fn a_key_is_used_by_whom_it_is_for() {
    let template = Template::expanded();
    let mut policies = template.of_type("AWS::KMS::Key").map(|(id, key)| {
        let statements = key["KeyPolicy"]["Statement"].as_array().unwrap();
        assert_eq!(statements.len(), 2, "{id}");
        let administer = texts(&statements[0]["Action"]);
        assert!(administer.iter().all(|action| !is_data(action)), "{id}");
        (id, &statements[1])
    });
    let all = template.statements();
    let functions: Vec<&Value> = all.values().flatten().collect();
    let of_keys: BTreeSet<_> = functions
        .iter()
        .flat_map(|statement| texts(&statement["Action"]))
        .filter(|action| action.starts_with("kms:"))
        .collect();
    let (_, secrets) = policies.find(|(id, _)| *id == "SecretsKey").unwrap();
    let granted: BTreeSet<_> = texts(&secrets["Action"]).into_iter().collect();
    assert_eq!(granted, of_keys);
    for statement in functions {
        if texts(&statement["Action"])
            .iter()
            .any(|action| action.starts_with("kms:"))
        {
            assert_eq!(texts(&statement["Resource"]), ["${SecretsKey.Arn}"]);
            assert_eq!(statement["Condition"], secrets["Condition"]);
        }
    }
    let table = template.of_type("AWS::KMS::Key");
    let table = table.filter(|(id, _)| *id != "SecretsKey");
    for (id, key) in table {
        let condition = &key["KeyPolicy"]["Statement"][1]["Condition"]["StringEquals"];
        let via = text(&condition["kms:ViaService"]);
        assert!(via.starts_with("dynamodb."), "{id}: {via}");
        assert!(!condition["kms:CallerAccount"].is_null(), "{id}");
    }
}
