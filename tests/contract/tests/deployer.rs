//! The rights that a deployment needs, against those that the policies `infra/deployer-policy*.json` grant. The needed ones are
//! those that AWS's own schemas of the template's resource types declare. The SAM tool, which `make test` installs,
//! includes these schemas.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use contract::{expanded, printed};
use serde_json::{Value, json};

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

/// The policies that together are the deployer's. One would be too large.
const POLICIES: [&str; 2] = ["deployer-policy", "deployer-policy-rollout"];

/// The largest size of a managed policy, in characters other than white space.
const MAX_SIZE: usize = 6144;

/// What the schemas declare for features that the template doesn't use. Each line has a type, the properties that would
/// use the feature, and its actions.
const UNUSED: &str = "
ApiGatewayV2::Api | Body BodyS3Location | s3:GetObject
ApiGatewayV2::Authorizer | AuthorizerCredentialsArn | iam:PassRole
ApiGatewayV2::Integration | CredentialsArn | iam:PassRole
CodeDeploy::DeploymentGroup | OnPremisesInstanceTagFilters OnPremisesTagSet | codedeploy:RegisterOnPremisesInstance
Cognito::UserPool | EmailConfiguration | iam:CreateServiceLinkedRole
Cognito::UserPool | LambdaConfig | kms:*
Cognito::UserPool | Schema | cognito-idp:AddCustomAttributes
Cognito::UserPool | SmsConfiguration | iam:PassRole
Cognito::UserPoolClient | AnalyticsConfiguration | iam:*
Cognito::UserPoolDomain | CustomDomainConfig | cloudfront:UpdateDistribution kms:*
DynamoDB::Table | ContributorInsightsSpecification | dynamodb:UpdateContributorInsights
DynamoDB::Table | ImportSourceSpecification | dynamodb:ImportTable iam:CreateServiceLinkedRole logs:* s3:*
DynamoDB::Table | KinesisStreamSpecification | dynamodb:*KinesisStreamingDestination kinesis:*
DynamoDB::Table | ResourcePolicy | dynamodb:PutResourcePolicy dynamodb:DeleteResourcePolicy
Events::EventBus | KmsKeyIdentifier | kms:*
Events::EventBus | Policy | events:PutPermission events:RemovePermission
Events::Rule | RoleArn | iam:PassRole
IAM::Policy | Groups | iam:*GroupPolicy
IAM::Policy | Users | iam:*UserPolicy
IAM::Role | ManagedPolicyArns | iam:AttachRolePolicy iam:DetachRolePolicy
IAM::Role | PermissionsBoundary | iam:*RolePermissionsBoundary
Lambda::Alias | ProvisionedConcurrencyConfig | lambda:*ProvisionedConcurrencyConfig
Lambda::EventSourceMapping | KmsKeyArn | kms:*
Lambda::Function | CapacityProviderConfig | lambda:PassCapacityProvider
Lambda::Function | CodeSigningConfigArn | lambda:*CodeSigningConfig
Lambda::Function | FileSystemConfigs | elasticfilesystem:DescribeMountTargets s3files:ListMountTargets
Lambda::Function | FunctionScalingConfig | lambda:PutFunctionScalingConfig
Lambda::Function | KmsKeyArn | kms:*
Lambda::Function | Layers | lambda:GetLayerVersion
Lambda::Function | PublishToLatestPublished | lambda:PublishVersion
Lambda::Function | RecursiveLoop | lambda:PutFunctionRecursionConfig
Lambda::Function | RuntimeManagementConfig | lambda:AssociateRuntimeAlias lambda:PutRuntimeManagementConfig
Lambda::Function | VpcConfig | ec2:*
Lambda::Version | FunctionScalingConfig | lambda:*FunctionScalingConfig
Lambda::Version | ProvisionedConcurrencyConfig | lambda:*ProvisionedConcurrencyConfig
Lambda::Version | RuntimePolicy | lambda:PutRuntimeManagementConfig
Logs::LogGroup | BearerTokenAuthenticationEnabled | logs:PutBearerTokenAuthentication
Logs::LogGroup | DataProtectionPolicy | logs:PutDataProtectionPolicy firehose:* s3:*
Logs::LogGroup | DeletionProtectionEnabled | logs:PutLogGroupDeletionProtection
Logs::LogGroup | FieldIndexPolicies | logs:PutIndexPolicy logs:DeleteIndexPolicy
Logs::LogGroup | KmsKeyId | logs:AssociateKmsKey logs:DisassociateKmsKey
Logs::LogGroup | ResourcePolicyDocument | logs:DeleteResourcePolicy
S3::Bucket | AbacStatus | s3:PutBucketAbac
S3::Bucket | AccelerateConfiguration | s3:PutAccelerateConfiguration
S3::Bucket | AccessControl | s3:PutBucketAcl s3:PutObjectAcl s3:DeleteObject
S3::Bucket | AnalyticsConfigurations | s3:PutAnalyticsConfiguration s3:DeleteBucketAnalyticsConfiguration
S3::Bucket | BucketEncryption | s3:DeleteBucketEncryption
S3::Bucket | CorsConfiguration | s3:PutBucketCORS s3:DeleteBucketCors
S3::Bucket | IntelligentTieringConfigurations | s3:PutIntelligentTieringConfiguration
S3::Bucket | InventoryConfigurations | s3:PutInventoryConfiguration
S3::Bucket | LoggingConfiguration | s3:PutBucketLogging
S3::Bucket | MetadataConfiguration MetadataTableConfiguration | s3:*TableConfiguration s3tables:*
S3::Bucket | MetricsConfigurations | s3:PutMetricsConfiguration s3:DeleteBucketMetricsConfiguration
S3::Bucket | NotificationConfiguration | s3:PutBucketNotification
S3::Bucket | ObjectLockConfiguration ObjectLockEnabled | s3:PutObjectLockConfiguration
S3::Bucket | ObjectLockConfiguration ObjectLockEnabled | s3:PutBucketObjectLockConfiguration
S3::Bucket | OwnershipControls | s3:PutBucketOwnershipControls
S3::Bucket | ReplicationConfiguration | s3:*BucketReplication s3:PutReplicationConfiguration iam:PassRole
S3::Bucket | WebsiteConfiguration | s3:DeleteBucketWebsite s3:PutBucketWebsite
SES::ConfigurationSet | ArchivingOptions | ses:PutConfigurationSetArchivingOptions
SES::ConfigurationSet | DeliveryOptions | ses:PutConfigurationSetDeliveryOptions
SES::ConfigurationSet | ReputationOptions | ses:PutConfigurationSetReputationOptions
SES::ConfigurationSet | SendingOptions | ses:PutConfigurationSetSendingOptions
SES::ConfigurationSet | SuppressionOptions | ses:PutConfigurationSetSuppressionOptions
SES::ConfigurationSet | TrackingOptions | ses:PutConfigurationSetTrackingOptions
SES::ConfigurationSet | VdmOptions | ses:PutConfigurationSetVdmOptions
SES::EmailIdentity | ConfigurationSetAttributes | ses:PutEmailIdentityConfigurationSetAttributes
SES::EmailIdentity | DkimSigningAttributes | ses:PutEmailIdentityDkimSigningAttributes
";

/// What needs no right of the deployer, although the schemas declare it. The tables' key lets all of the account use it
/// through DynamoDB. Only the type `GlobalTable` has replicas. IAM has no action `DeleteBucketLifecycle`, since
/// `PutLifecycleConfiguration` also allows that. SES sends events to the default bus without a role.
const NOT_REQUIRED: &str = "
DynamoDB::Table | - | kms:*
DynamoDB::Table | - | dynamodb:*TableReplica dynamodb:*Item dynamodb:Query dynamodb:Scan
S3::Bucket | - | s3:DeleteBucketLifecycle
SES::ConfigurationSetEventDestination | - | iam:PassRole
";

/// What the SAM tool needs: stacks, and its bucket for packages, which has a stack of its own. Then what is needed for
/// an HTTP API's access log and for the first API of an AWS account, by AWS's documentation.
/// Last, what `infra/rollout.py` calls.
const OTHERS: &str = "
cloudformation:CreateChangeSet cloudformation:DeleteChangeSet cloudformation:DeleteStack
cloudformation:DescribeChangeSet cloudformation:DescribeStackEvents cloudformation:DescribeStacks
cloudformation:ExecuteChangeSet cloudformation:GetTemplate cloudformation:GetTemplateSummary
cloudformation:TagResource
s3:GetBucketPolicy s3:GetObject s3:PutBucketPolicy s3:PutObject
sts:GetCallerIdentity
logs:CreateLogDelivery logs:DeleteLogDelivery logs:DescribeLogGroups logs:DescribeResourcePolicies
logs:GetLogDelivery logs:ListLogDeliveries logs:PutResourcePolicy logs:UpdateLogDelivery
iam:CreateServiceLinkedRole
cloudformation:CancelUpdateStack cloudformation:ListStackResources codedeploy:ListDeployments
codedeploy:StopDeployment events:PutEvents lambda:DeleteFunction lambda:GetAlias lambda:InvokeFunction
lambda:ListTags lambda:ListVersionsByFunction lambda:TagResource lambda:UpdateAlias
";

/// A type: the properties that the template sets, and the properties and actions of its schema.
struct Type {
    properties: BTreeSet<String>,
    known: BTreeSet<String>,
    actions: BTreeSet<String>,
}

/// The template's types, by name without `AWS::`.
static TYPES: LazyLock<BTreeMap<String, Type>> = LazyLock::new(|| {
    let stack = expanded("infra/template.yaml", &[]);
    let mut properties: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for resource in stack["Resources"].as_object().unwrap().values() {
        let kind = resource["Type"].as_str().unwrap().to_owned();
        let names = resource["Properties"].as_object().into_iter().flatten();
        let known = properties.entry(kind).or_default();
        known.extend(names.map(|(name, _)| name.clone()));
    }
    let program = "
import json, sys
from cfnlint.schema import PROVIDER_SCHEMA_MANAGER

schemas = {}
for kind in json.load(sys.stdin):
    schema = PROVIDER_SCHEMA_MANAGER.get_resource_schema('us-east-1', kind).schema
    actions = [
        action
        for operation in ('create', 'read', 'update', 'delete')
        for action in schema['handlers'].get(operation, {}).get('permissions', [])
    ]
    schemas[kind] = {'actions': actions, 'properties': list(schema['properties'])}
json.dump(schemas, sys.stdout)
";
    let kinds: Vec<&String> = properties.keys().collect();
    let schemas = printed(&["-c", program], &json!(kinds).to_string());
    let schemas: Value = serde_json::from_str(&schemas).unwrap();
    let types = properties.into_iter().map(|(kind, properties)| {
        let declared = |what: &str| {
            let values = schemas[&kind][what].as_array().unwrap().iter();
            values
                .map(|value| value.as_str().unwrap().to_owned())
                .collect()
        };
        let kind_of = Type {
            known: declared("properties"),
            actions: declared("actions"),
            properties,
        };
        (kind.strip_prefix("AWS::").unwrap().to_owned(), kind_of)
    });
    types.collect()
});

/// Whether an action matches a pattern as IAM compares them: in any case, with `*` for any text.
fn matches(action: &str, pattern: &str) -> bool {
    let (action, pattern) = (action.to_lowercase(), pattern.to_lowercase());
    let Some((start, end)) = pattern.split_once('*') else {
        return action == pattern;
    };
    let Some(rest) = action.strip_prefix(start) else {
        return false;
    };
    match end.split_once('*') {
        None => rest.ends_with(end),
        Some((middle, "")) => rest.contains(middle),
        Some(_) => panic!("{pattern}"),
    }
}

/// The lines of a table: type, properties and actions.
fn lines(table: &'static str) -> impl Iterator<Item = [Vec<&'static str>; 3]> {
    table.lines().filter(|line| !line.is_empty()).map(|line| {
        let cells: Vec<Vec<&str>> = line
            .split('|')
            .map(|cell| cell.split_whitespace().collect())
            .collect();
        cells.try_into().unwrap()
    })
}

/// The actions that deploying the template needs.
fn needed() -> BTreeSet<String> {
    let mut needed = BTreeSet::new();
    for (kind, of_type) in TYPES.iter() {
        let unused: Vec<&str> = lines(UNUSED)
            .chain(lines(NOT_REQUIRED))
            .filter(|[of, unless, _]| {
                of == &[kind] && !unless.iter().any(|name| of_type.properties.contains(*name))
            })
            .flat_map(|[_, _, actions]| actions)
            .collect();
        let is_used = |action: &&String| !unused.iter().any(|pattern| matches(action, pattern));
        needed.extend(of_type.actions.iter().filter(is_used).cloned());
    }
    needed
}

/// A pattern of actions that a policy grants.
struct Granted {
    pattern: String,
    everywhere: bool,
}

fn granted() -> Vec<Granted> {
    let mut granted = Vec::new();
    let policies = POLICIES.map(|name| -> Value {
        let policy = std::fs::read(format!("{ROOT}/infra/{name}.json")).unwrap();
        serde_json::from_slice(&policy).unwrap()
    });
    let statements = policies
        .iter()
        .flat_map(|policy| policy["Statement"].as_array());
    for statement in statements.flatten() {
        assert_eq!(statement["Effect"], "Allow");
        let actions = match &statement["Action"] {
            Value::Array(actions) => actions.as_slice(),
            action => std::slice::from_ref(action),
        };
        granted.extend(actions.iter().map(|action| Granted {
            pattern: action.as_str().unwrap().to_owned(),
            everywhere: statement["Resource"] == "*",
        }));
    }
    granted
}

/// The actions that IAM compares with the resource `*` only, by AWS's own list of the actions of each service.
fn without_resources(actions: &BTreeSet<String>) -> BTreeSet<String> {
    let program = "
import json, sys
from importlib.resources import files

known = json.loads((files('cfnlint.data') / 'AdditionalSpecs' / 'Policies.json').read_text())
found = []
for action in json.load(sys.stdin):
    service, name = action.split(':')
    # S3's and API Gateway's lists lack some that the schemas name.
    reference = known[service]['Actions'].get(name.lower())
    if reference is not None and not reference.get('Resources'):
        found.append(action)
json.dump(found, sys.stdout)
";
    let found = printed(&["-c", program], &json!(actions).to_string());
    serde_json::from_str(&found).unwrap()
}

#[test]
fn the_deployer_may_do_what_the_templates_resources_need_and_nothing_else() {
    let needed = needed();
    let granted = granted();
    let others = || OTHERS.split_whitespace();
    let wanted = needed.iter().map(String::as_str).chain(others());
    let missing: Vec<_> = wanted
        .filter(|action| !granted.iter().any(|to| matches(action, &to.pattern)))
        .collect();
    assert_eq!(missing, Vec::<&str>::new(), "not granted");
    let is_needed = |pattern: &str| {
        let mut wanted = needed.iter().map(String::as_str).chain(others());
        wanted.any(|action| matches(action, pattern))
    };
    let superfluous: Vec<_> = granted
        .iter()
        .map(|to| to.pattern.as_str())
        .filter(|pattern| !is_needed(pattern))
        .collect();
    assert_eq!(superfluous, Vec::<&str>::new(), "not needed");
}

/// A right on certain resources is none for such an action. That `PutCompositeAlarm` is one is only in its reference.
#[test]
fn what_has_no_resource_is_granted_everywhere() {
    let mut wanted = needed();
    wanted.extend(OTHERS.split_whitespace().map(str::to_owned));
    let mut without = without_resources(&wanted);
    assert!(without.contains("sts:GetCallerIdentity"), "{without:?}");
    assert!(!without.contains("lambda:DeleteFunction"), "{without:?}");
    without.insert("cloudwatch:PutCompositeAlarm".to_owned());
    let granted = granted();
    without.retain(|action| {
        let mut everywhere = granted.iter().filter(|to| to.everywhere);
        !everywhere.any(|to| matches(action, &to.pattern))
    });
    assert_eq!(without, BTreeSet::new());
}

/// Otherwise a line could hide what a later template needs.
#[test]
fn every_exception_is_about_something_that_the_schemas_declare() {
    for [kind, properties, actions] in lines(UNUSED).chain(lines(NOT_REQUIRED)) {
        let kind = TYPES.get(kind[0]).unwrap_or_else(|| panic!("{kind:?}"));
        for pattern in actions {
            let is_declared = kind.actions.iter().any(|action| matches(action, pattern));
            assert!(is_declared, "{pattern}");
        }
        for property in properties {
            let is_unused = kind.known.contains(property) && !kind.properties.contains(property);
            assert!(is_unused || property == "-", "{property}");
        }
    }
}

#[test]
fn each_policy_fits_into_a_managed_policy() {
    for name in POLICIES {
        let policy = std::fs::read_to_string(format!("{ROOT}/infra/{name}.json")).unwrap();
        let size = policy
            .chars()
            .filter(|letter| !letter.is_whitespace())
            .count();
        assert!(size <= MAX_SIZE, "{name}: {size} characters");
    }
}

#[test]
fn actions_match_as_in_iam() {
    for (action, pattern, expected) in [
        ("s3:GetObject", "s3:getObject", true),
        ("s3:GetObjectVersion", "s3:GetObject", false),
        ("ses:GetEmailIdentity", "ses:*EmailIdentity", true),
        ("ses:GetEmailIdentityPolicies", "ses:*EmailIdentity", false),
        ("kms:EnableKeyRotation", "kms:EnableKey*", true),
        (
            "ses:GetConfigurationSetEventDestinations",
            "ses:*EventDestination*",
            true,
        ),
    ] {
        assert_eq!(matches(action, pattern), expected, "{action} {pattern}");
    }
}
