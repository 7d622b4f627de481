//! Versions and aliases in the template: what a deployment publishes, what callers call, and what stops a shift.
//!
//! CodeDeploy isn't in the local cloud. What CloudFormation and CodeDeploy do with these resources isn't proven here.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use contract::{expanded, of_type, printed, resources};
use serde_json::{Value, json};

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

/// The names of all functions, as in the ids of their resources.
fn names(stack: &Value) -> BTreeSet<&str> {
    let functions = of_type(stack, "AWS::Lambda::Function").into_keys();
    functions
        .map(|id| id.strip_suffix("Function").unwrap())
        .collect()
}

/// `CloudFormation` replaces a version if its description changes, and Lambda publishes nothing if the function hasn't
/// changed. So both have the release's name, and the old version stays.
#[test]
fn a_release_publishes_a_version_of_every_function_and_keeps_the_one_before() {
    let template = fs::read_to_string(format!("{ROOT}/infra/template.yaml")).unwrap();
    assert_eq!(template.matches("      Name: unnamed\n").count(), 1);
    let copy = "
import sys
sys.path.insert(0, 'infra')
import rollout
print(rollout.named(rollout.TEMPLATE.read_text(), '2026-11-28T20:00:00Z 1a2b3c'), end='')
";
    let copy = printed(&["-c", copy], "");
    let name = "\"2026-11-28T20:00:00Z 1a2b3c\"";
    assert_eq!(
        copy,
        template.replace("Name: unnamed", &format!("Name: {name}"))
    );

    let stack = expanded("infra/template.yaml", &[]);
    let release = json!({"Fn::FindInMap": ["Release", "This", "Name"]});
    let is_release = |value: &Value| *value == release || value == "unnamed";
    let versions = of_type(&stack, "AWS::Lambda::Version");
    assert_eq!(versions.len(), names(&stack).len());
    for name in names(&stack) {
        let version = versions[format!("{name}Version").as_str()];
        let properties = version["Properties"].as_object().unwrap();
        assert!(is_release(&properties["Description"]), "{version}");
        assert_eq!(properties["FunctionName"]["Ref"], format!("{name}Function"));
        assert_eq!(version["UpdateReplacePolicy"], "Retain", "{name}");
        // It goes with the stack. `rollout.py` removes what an undone deployment made.
        assert_eq!(version["DeletionPolicy"], "Delete", "{name}");
        let function = &stack["Resources"][format!("{name}Function")]["Properties"];
        assert!(is_release(&function["Description"]), "{name}");
        let alias = &stack["Resources"][format!("{name}Alias")]["Properties"];
        let expected = json!({
            "Name": "live",
            "FunctionName": {"Ref": format!("{name}Function")},
            "FunctionVersion": {"Fn::GetAtt": [format!("{name}Version"), "Version"]},
        });
        assert_eq!(*alias, expected, "{name}");
        let probed = &stack["Resources"][format!("{name}ProbeAlias")]["Properties"];
        let mut expected = expected;
        expected["Name"] = json!("probe");
        assert!(probed.is_null() || *probed == expected, "{name}");
    }
}

/// Lambda tells a function through which alias it is invoked, and the alias `probe` is for the probe's account only.
#[test]
fn the_probe_calls_functions_through_the_alias_that_limits_it() {
    let stack = expanded("infra/template.yaml", &[]);
    let aliases = of_type(&stack, "AWS::Lambda::Alias");
    let probed = aliases
        .iter()
        .filter(|(_, alias)| alias["Properties"]["Name"] == "probe");
    let probed: BTreeSet<_> = probed.map(|(id, _)| (*id).to_owned()).collect();
    assert!(!probed.is_empty());
    for id in &probed {
        let name = id.strip_suffix("ProbeAlias").unwrap();
        let name = name.replace("Token", "-token").to_lowercase();
        let main = format!("{ROOT}/functions/{name}/src/main.rs");
        // It looks at the alias.
        let serves = fs::read_to_string(main)
            .unwrap()
            .contains("    serve(|request|");
        assert!(serves, "{id}");
    }
    let policy = &stack["Resources"]["ProbePolicy"]["Properties"]["PolicyDocument"];
    let call = &policy["Statement"][0];
    assert_eq!(call["Action"], json!(["lambda:InvokeFunction"]));
    let mut may = BTreeSet::new();
    references(&call["Resource"], &mut may);
    assert_eq!(may, probed);
    let rollout = fs::read_to_string(format!("{ROOT}/infra/rollout.py")).unwrap();
    let account = format!("\"id\": \"{}\"", latchkey::http::probe::ACCOUNT);
    assert_eq!(rollout.matches(&account).count(), 2);
}

/// The ids that a value refers to, and the attributes.
fn references(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                match name.as_str() {
                    "Ref" => found.extend(value.as_str().map(str::to_owned)),
                    "Fn::GetAtt" => found.extend(value[0].as_str().map(str::to_owned)),
                    "DependsOn" => {}
                    _ => references(value, found),
                }
            }
        }
        Value::Array(values) => {
            for value in values {
                references(value, found);
            }
        }
        Value::String(text) => {
            let parts = text.split("${").skip(1);
            let ids = parts.filter_map(|part| part.split(['.', '}']).next());
            found.extend(ids.map(str::to_owned));
        }
        _ => {}
    }
}

/// Otherwise a caller would skip the shift and the rollback.
#[test]
fn whatever_calls_a_function_calls_its_alias() {
    // A permission whose condition is false has no properties here.
    let sources = [1, 2, 3, 4].map(|number| {
        format!("TrustedAuthorizerSource{number}=arn:aws:execute-api:us-east-1:123456789012:*")
    });
    let sources: Vec<_> = sources.iter().map(String::as_str).collect();
    let stack = expanded("infra/template.yaml", &sources);
    let mut others = BTreeMap::<&str, BTreeSet<String>>::new();
    let outputs = stack["Outputs"].as_object().unwrap();
    let mut calls = BTreeMap::<&str, BTreeSet<&str>>::new();
    for (id, part) in resources(&stack).iter().chain(outputs) {
        let mut found = BTreeSet::new();
        references(part, &mut found);
        let kind = part["Type"].as_str().unwrap_or("output");
        for reference in found {
            if reference.ends_with("Function") && stack["Resources"][&reference].is_object() {
                others.entry(kind).or_default().insert(id.clone());
            }
            if reference.ends_with("Alias") {
                calls.entry(kind).or_default().insert(id);
            }
        }
    }
    // What names a function itself, and why: its versions, the settings of its alias (with `Qualifier`), and the
    // metrics of all its versions.
    let named: BTreeSet<_> = others.keys().copied().collect();
    let may = [
        "AWS::CloudWatch::Alarm",
        "AWS::CloudWatch::Dashboard",
        "AWS::IAM::Role",
        "AWS::Lambda::Alias",
        "AWS::Lambda::EventInvokeConfig",
        "AWS::Lambda::Version",
    ];
    assert_eq!(named, BTreeSet::from(may), "{others:#?}");
    assert_eq!(
        others["AWS::IAM::Role"],
        BTreeSet::from(["RolloutRole".to_owned()])
    );
    for kind in [
        "AWS::ApiGatewayV2::Integration",
        "AWS::Events::Rule",
        "AWS::Lambda::EventSourceMapping",
        "AWS::Lambda::Permission",
    ] {
        let all: BTreeSet<_> = of_type(&stack, kind).into_keys().collect();
        assert_eq!(calls[kind], all, "{kind}");
    }
    assert!(calls["output"].contains("AuthorizerFunctionArn"));
}

/// A request to an integration that has no permission yet is answered 500.
#[test]
fn an_integration_is_made_after_its_permission() {
    let stack = expanded("infra/template.yaml", &[]);
    for (id, integration) in of_type(&stack, "AWS::ApiGatewayV2::Integration") {
        let mut found = BTreeSet::new();
        references(&integration["Properties"], &mut found);
        let name = id.strip_suffix("Integration").unwrap();
        assert!(found.contains(&format!("{name}Permission")), "{id}");
    }
}

/// The functions whose outage is one of the platform's APIs change gradually, and each has its own brakes.
#[test]
fn verifying_functions_change_gradually_and_alarms_stop_them() {
    let stack = expanded(
        "infra/template.yaml",
        &["TrafficShift=Linear10PercentEvery1Minute"],
    );
    let groups = of_type(&stack, "AWS::CodeDeploy::DeploymentGroup");
    let ids: Vec<_> = groups.keys().copied().collect();
    assert_eq!(
        ids,
        [
            "AuthorizeRollout",
            "IntrospectTokenRollout",
            "TokenInfoRollout"
        ]
    );
    for (id, group) in groups {
        let name = id.strip_suffix("Rollout").unwrap();
        assert_eq!(group["Condition"], "ShiftsGradually");
        let properties = &group["Properties"];
        let shift = properties["DeploymentConfigName"].to_string();
        assert!(shift.contains("CodeDeployDefault.Lambda"), "{shift}");
        let brakes = json!([
            {"Name": {"Ref": format!("{name}FailuresAlarm")}},
            {"Name": {"Ref": format!("{name}ThrottlesAlarm")}},
        ]);
        assert_eq!(
            properties["AlarmConfiguration"],
            json!({"Enabled": true, "Alarms": brakes})
        );
        for brake in brakes.as_array().unwrap() {
            let alarm = &stack["Resources"][brake["Name"]["Ref"].as_str().unwrap()];
            assert_eq!(alarm["Type"], "AWS::CloudWatch::Alarm");
        }
        let events = &properties["AutoRollbackConfiguration"]["Events"];
        assert_eq!(events.as_array().unwrap().len(), 3);
    }
    let policy = |id: &str| &stack["Resources"][id]["UpdatePolicy"];
    for (id, alias) in of_type(&stack, "AWS::Lambda::Alias") {
        let group = id.replace("Alias", "Rollout");
        if !stack["Resources"][&group].is_object() {
            assert!(policy(id).is_null(), "{id}");
            continue;
        }
        let update = json!({"CodeDeployLambdaAliasUpdate": {
            "ApplicationName": {"Ref": "Rollout"},
            "DeploymentGroupName": {"Ref": group},
        }});
        assert_eq!(alias["UpdatePolicy"], update, "{id}");
    }
    // Without a shift there is no CodeDeploy: a broken one must not be in the way.
    for parameter in ["TrafficShift=AllAtOnce", "LocalCloud=true"] {
        let stack = expanded("infra/template.yaml", &[parameter]);
        for (id, alias) in of_type(&stack, "AWS::Lambda::Alias") {
            let policy = &alias["UpdatePolicy"];
            assert!(
                policy.is_null() || policy["Ref"] == "AWS::NoValue",
                "{id}: {policy}"
            );
        }
    }
    for kind in [
        "AWS::CodeDeploy::Application",
        "AWS::CodeDeploy::DeploymentGroup",
    ] {
        for (id, resource) in of_type(&stack, kind) {
            assert_eq!(resource["Condition"], "ShiftsGradually", "{id}");
        }
    }
}

/// The local cloud has no CodeDeploy, and no deployment of it can be met under way. So the script meets fakes there.
#[test]
fn a_rollback_stops_a_deployment_and_goes_no_further() {
    assert_eq!(
        printed(&["tests/contract/tests/rollout_check.py"], ""),
        "checked\n"
    );
}
