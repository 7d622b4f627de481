//! The requests that a function's role could make: each action of each service that a role has to do with, on every
//! resource of the stack and one that isn't of it, with each kind of values of the condition keys.

use std::collections::{BTreeMap, BTreeSet};

use contract::{Ask, Template};

use super::needs::{Needs, PARTITIONS, SES};

/// The actions by service. `make test`'s end-to-end part tries most of them with the roles' own credentials.
const ACTIONS: &str = "
cloudtrail: CreateTrail DeleteTrail LookupEvents PutEventSelectors StopLogging
dynamodb: BatchExecuteStatement BatchGetItem BatchWriteItem ConditionCheckItem CreateBackup DeleteBackup DeleteItem
  DeleteResourcePolicy DeleteTable DescribeContinuousBackups DescribeStream DescribeTable DescribeTimeToLive
  EnableKinesisStreamingDestination ExportTableToPointInTime GetItem GetRecords GetResourcePolicy GetShardIterator
  ListStreams PartiQLDelete PartiQLInsert PartiQLSelect PartiQLUpdate PutItem PutResourcePolicy Query
  RestoreTableFromBackup RestoreTableToPointInTime Scan TagResource UpdateContinuousBackups UpdateItem UpdateTable
  UpdateTimeToLive
events: DeleteRule DisableRule PutEvents PutRule PutTargets RemoveTargets
iam: AttachRolePolicy CreateAccessKey CreateRole DeleteRolePolicy GetRole PassRole PutRolePolicy
  UpdateAssumeRolePolicy
kms: CreateGrant Decrypt DescribeKey DisableKey Encrypt GenerateDataKey GenerateDataKeyWithoutPlaintext
  GetKeyPolicy ListGrants PutKeyPolicy ReEncryptFrom ReEncryptTo RevokeGrant ScheduleKeyDeletion Sign
lambda: AddPermission DeleteFunction GetFunction InvokeFunction PutFunctionConcurrency UpdateFunctionCode
  UpdateFunctionConfiguration
logs: CreateLogGroup CreateLogStream DeleteLogGroup DeleteLogStream DescribeLogStreams FilterLogEvents GetLogEvents
  PutLogEvents PutRetentionPolicy PutSubscriptionFilter StartQuery
s3: AbortMultipartUpload DeleteBucket DeleteBucketPolicy DeleteObject DeleteObjectVersion GetBucketPolicy GetObject
  GetObjectVersion ListBucket ListBucketVersions PutBucketPolicy PutLifecycleConfiguration PutObject PutObjectAcl
  PutObjectTagging
ses: CreateEmailIdentity DeleteEmailIdentity PutAccountDetails PutSuppressedDestination SendBulkEmail SendEmail
  SendRawEmail SendTemplatedEmail UpdateConfigurationSetEventDestination
sqs: AddPermission ChangeMessageVisibility DeleteMessage DeleteQueue GetQueueAttributes PurgeQueue ReceiveMessage
  SendMessage SetQueueAttributes
sts: AssumeRole
";

/// Returns the actions, with their services.
pub(crate) fn actions() -> Vec<(&'static str, String)> {
    let mut service = "";
    let mut actions = Vec::new();
    for word in ACTIONS.split_whitespace() {
        match word.strip_suffix(':') {
            Some(next) => service = next,
            None => actions.push((service, format!("{service}:{word}"))),
        }
    }
    actions
}

/// What each role is tried with.
pub(crate) struct Neighbours {
    /// The requests, by action.
    pub(crate) asks: BTreeMap<String, Vec<Ask>>,
}

impl Neighbours {
    /// Takes the resources from the template, and the kinds of partition from what the functions need.
    pub(crate) fn of(template: &Template, needs: &Needs) -> Self {
        let all = needs.values().flatten();
        let keys = all.filter_map(|ask| ask.context.get(PARTITIONS)).flatten();
        let kinds: BTreeSet<_> = keys.map(|key| kind(key)).collect();
        let partitions: Vec<_> = kinds.into_iter().chain(["ANOTHER#".into()]).collect();
        let mut all = BTreeMap::new();
        let resources = resources(template);
        for (service, action) in actions() {
            let mut asks = Vec::new();
            for (_, resource) in resources.iter().filter(|(of, _)| *of == service) {
                let ask = Ask::new(&action, resource);
                match service {
                    "dynamodb" if is_sharded(resource) => {
                        asks.push(ask.with(PARTITIONS, &["ACTIVE#"]));
                    }
                    "dynamodb" if has_items(resource) => {
                        for (index, one) in partitions.iter().enumerate() {
                            asks.push(ask.clone().with(PARTITIONS, &[one]));
                            let others = partitions[index + 1..].iter();
                            let pair = |other| ask.clone().with(PARTITIONS, &[one, other]);
                            asks.extend(others.map(pair));
                        }
                        asks.push(ask);
                    }
                    "kms" => asks.extend(contexts(&ask)),
                    "ses" => asks.extend(senders(&ask)),
                    _ => asks.push(ask),
                }
            }
            all.insert(action, asks);
        }
        Self { asks: all }
    }
}

/// Whether requests on a resource of DynamoDB name items: it is a table or an index.
fn has_items(resource: &str) -> bool {
    !["Stream", "/stream/", "/backup/"]
        .iter()
        .any(|part| resource.contains(part))
}

/// Whether a resource is an index over the active tokens of all accounts. It has no kinds of partition, and so its
/// statements have no condition.
pub(crate) fn is_sharded(resource: &str) -> bool {
    ["byEnd", "byActivity"]
        .iter()
        .any(|index| resource.ends_with(&format!("/index/{index}")))
}

/// The encryption contexts: none, parts, the whole, and more than the whole.
fn contexts(ask: &Ask) -> Vec<Ask> {
    let sets: [&[&str]; 6] = [
        &[],
        &["accountId"],
        &["tokenId"],
        &["accountId", "tokenId"],
        &["accountId", "other", "tokenId"],
        &["other"],
    ];
    let with = |names: &&[&str]| {
        let ask = ask.clone().with("kms:EncryptionContextKeys", names);
        names.iter().fold(ask, |ask, name| {
            ask.with(&format!("kms:EncryptionContext:{name}"), &["any"])
        })
    };
    sets.iter().map(with).collect()
}

fn senders(ask: &Ask) -> Vec<Ask> {
    let froms: [&[&str]; 3] = [&[], &["${MailFrom}"], &["another@latchkey.example"]];
    let with = |from: &&[&str]| ask.clone().with("ses:FromAddress", from);
    froms.iter().map(with).collect()
}

/// The kind of a partition: its key up to the account or the like.
pub(crate) fn kind(key: &str) -> String {
    match key.split_once('#') {
        Some((kind, _)) => format!("{kind}#"),
        None => key.into(),
    }
}

/// The resources of the stack, and for each service one that isn't of it.
fn resources(template: &Template) -> Vec<(&'static str, String)> {
    let mut resources = vec![
        ("cloudtrail", "*".into()),
        ("dynamodb", "*".into()),
        ("dynamodb", "another-table".into()),
        ("dynamodb", "another-table/index/byEnd-like".into()),
        ("events", "another-bus".into()),
        ("iam", "another-role".into()),
        ("kms", "another-key".into()),
        ("lambda", "another-function".into()),
        ("logs", "another-group".into()),
        ("s3", "another-bucket".into()),
        ("s3", "another-bucket/one".into()),
        ("ses", format!("{SES}identity/any@another.example")),
        (
            "ses",
            format!("{SES}configuration-set/${{MailConfigurationSet}}"),
        ),
        ("ses", format!("{SES}configuration-set/another")),
        ("ses", format!("{SES}template/another")),
        ("sqs", "another-queue".into()),
        ("sts", "another-role".into()),
    ];
    for (id, table) in template.of_type("AWS::DynamoDB::Table") {
        let arn = format!("${{{id}.Arn}}");
        let indexes = table["GlobalSecondaryIndexes"].as_array();
        for index in indexes.into_iter().flatten() {
            let name = index["IndexName"].as_str().unwrap();
            resources.push(("dynamodb", format!("{arn}/index/{name}")));
        }
        for part in ["", "/index/another", "/stream/one", "/backup/one"] {
            resources.push(("dynamodb", format!("{arn}{part}")));
        }
        resources.push(("dynamodb", format!("${{{id}.StreamArn}}")));
    }
    for (service, kind) in [
        ("events", "AWS::Events::EventBus"),
        ("events", "AWS::Events::Rule"),
        ("iam", "AWS::IAM::Role"),
        ("kms", "AWS::KMS::Key"),
        ("lambda", "AWS::Lambda::Function"),
        ("logs", "AWS::Logs::LogGroup"),
        ("s3", "AWS::S3::Bucket"),
        ("sqs", "AWS::SQS::Queue"),
        ("sts", "AWS::IAM::Role"),
    ] {
        for (id, _) in template.of_type(kind) {
            resources.push((service, format!("${{{id}.Arn}}")));
            if service == "s3" {
                resources.push((service, format!("${{{id}.Arn}}/one")));
            }
        }
    }
    for (id, _) in template.of_type("AWS::Lambda::Alias") {
        resources.push(("lambda", format!("${{{id}}}")));
    }
    resources
}
