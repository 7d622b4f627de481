//! What CloudTrail's events say about the stack: changes that an intruder would make, and secrets that were decrypted
//! without a record.

use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::Value;

use super::id::{AccountId, TokenId};
use super::redelivery::MARK_LIFETIME;

/// How far back each hour's run reads. An event is read in time if CloudTrail has it within two hours.
const REACH: SignedDuration = SignedDuration::from_hours(3);

/// How old an event is when it is read: by then, the record of a decryption is in the audit log's index.
const SETTLED: SignedDuration = SignedDuration::from_mins(5);

/// A record has the time at which its request began. The decryption comes later, within the function's timeout of ten
/// seconds.
const RECORDED_BEFORE: SignedDuration = SignedDuration::from_secs(15);

/// CloudTrail's times are whole seconds, and no two clocks agree.
const RECORDED_AFTER: SignedDuration = SignedDuration::from_secs(5);

/// The service that deploys the stack.
const CLOUDFORMATION: &str = "cloudformation.amazonaws.com";

/// The service that moves aliases from version to version, in deployments that it was asked for.
const CODEDEPLOY: &str = "codedeploy.amazonaws.com";

/// The service that keeps the tables. It creates, and gives back, grants on the tables' key for itself.
const DYNAMODB: &str = "dynamodb.amazonaws.com";

/// The part of the trail that one run reads. Both ends are included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// The first instant.
    pub from: Timestamp,
    /// The last instant.
    pub to: Timestamp,
}

impl Window {
    /// The window of the run that was started at `time`. A repeated run has the same one.
    pub fn of(time: Timestamp) -> Self {
        let before = |span| time.checked_sub(span).unwrap_or(Timestamp::MIN);
        Self {
            from: before(REACH + SETTLED),
            to: before(SETTLED),
        }
    }
}

/// Returns until when a finding of the run at `time` is remembered. The run's event may be handed over again.
pub fn remembered_until(time: Timestamp) -> Timestamp {
    time.checked_add(MARK_LIFETIME).unwrap_or(Timestamp::MAX)
}

/// An event of CloudTrail: a call of one of AWS's operations.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TrailEvent {
    /// CloudTrail's id of the event.
    #[serde(rename = "eventID")]
    pub id: String,
    /// The operation. Lambda's names have a version in them.
    #[serde(rename = "eventName")]
    pub name: String,
    /// The time of the call, in whole seconds.
    #[serde(rename = "eventTime")]
    pub time: Timestamp,
    /// Where it came from: an address, or a service's name.
    #[serde(rename = "sourceIPAddress")]
    pub source_ip: Option<String>,
    #[serde(default)]
    user_identity: Identity,
    /// Why AWS refused the call; `None` if it was done.
    error_code: Option<String>,
    #[serde(default)]
    request_parameters: Value,
    #[serde(default)]
    response_elements: Value,
    #[serde(default)]
    resources: Value,
}

/// Who called.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Identity {
    arn: Option<String>,
    principal_id: Option<String>,
    invoked_by: Option<String>,
}

impl TrailEvent {
    /// Who called: an ARN if there is one.
    pub fn principal(&self) -> Option<&str> {
        let identity = &self.user_identity;
        let any = identity.arn.as_ref().or(identity.principal_id.as_ref());
        any.or(identity.invoked_by.as_ref()).map(String::as_str)
    }

    /// Whether CloudFormation called on somebody's behalf. AWS writes `invokedBy`, whereas a caller may choose any user
    /// agent.
    pub fn is_deployment(&self) -> bool {
        self.is_invoked_by(CLOUDFORMATION)
    }

    fn is_invoked_by(&self, service: &str) -> bool {
        self.user_identity.invoked_by.as_deref() == Some(service)
    }

    /// Every text of the request, the answer and the resources. Services differ in where they name what was changed.
    fn texts(&self) -> Vec<&str> {
        let mut texts = Vec::new();
        for value in [
            &self.resources,
            &self.request_parameters,
            &self.response_elements,
        ] {
            collect(value, &mut texts);
        }
        texts
    }
}

fn collect<'a>(value: &'a Value, texts: &mut Vec<&'a str>) {
    match value {
        Value::String(text) => texts.push(text),
        Value::Array(items) => items.iter().for_each(|item| collect(item, texts)),
        Value::Object(members) => members.values().for_each(|member| collect(member, texts)),
        _ => {}
    }
}

/// Returns a member by its name in any case: CloudTrail's names begin in lower case, the requests' own in upper case.
fn member<'a>(value: &'a Value, name: &str) -> &'a Value {
    let members = value.as_object().into_iter().flatten();
    let mut found = members.filter(|(key, _)| key.eq_ignore_ascii_case(name));
    found.next().map_or(&Value::Null, |(_, value)| value)
}

/// The names by which the stack's resources are known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stack {
    /// What the names of functions, roles, rules and alarms begin with.
    prefix: String,
    /// What is in the names of log groups.
    folder: String,
    /// The names of the tables, and the ids of the keys.
    names: Vec<String>,
    /// The id of the key that encrypts secrets.
    secrets_key: String,
}

impl Stack {
    /// A stack by its name, its tables and its keys. Keys are given by their ARNs.
    pub fn new(name: &str, tables: [&str; 2], tables_key: &str, secrets_key: &str) -> Self {
        let id = |key: &str| key.rsplit('/').next().unwrap_or_default().to_owned();
        let mut names: Vec<_> = tables.map(str::to_owned).into();
        names.extend([id(tables_key), id(secrets_key)]);
        Self {
            prefix: format!("{name}-"),
            folder: format!("/{name}/"),
            names,
            secrets_key: id(secrets_key),
        }
    }

    /// The id of the key that encrypts secrets.
    pub fn secrets_key(&self) -> &str {
        &self.secrets_key
    }

    /// The first of the stack's names in an event.
    fn named<'a>(&self, event: &'a TrailEvent) -> Option<&'a str> {
        let is_named =
            |word: &&str| word.starts_with(&self.prefix) || self.names.iter().any(|n| n == word);
        let in_folder = |text: &'a str| {
            let mut paths = text.split(['"', ' ', '\n']);
            paths.find(|path| path.contains(&self.folder))
        };
        let mut texts = event.texts().into_iter();
        texts.find_map(|text| words(text).find(is_named).or_else(|| in_folder(text)))
    }

    fn has_secrets_key(&self, event: &TrailEvent) -> bool {
        let mut words = event.texts().into_iter().flat_map(words);
        words.any(|word| word == self.secrets_key)
    }
}

/// The names in a text: an ARN has several, and a policy has many.
fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.')))
}

/// An operation that the watch looks for.
#[derive(Debug, Clone, Copy)]
pub struct Watched {
    /// Its name in CloudTrail.
    pub name: &'static str,
    /// Whether the events of the whole partition are in one region.
    pub is_global: bool,
    weigh: fn(&TrailEvent) -> Weight,
}

/// What a call is, if it touches the stack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Weight {
    /// Nothing to tell.
    Nothing,
    /// A change that deployments make too.
    Change,
    /// A change that is told even if a deployment makes it.
    Grave,
}

const fn watched(name: &'static str, weigh: fn(&TrailEvent) -> Weight) -> Watched {
    Watched {
        name,
        is_global: false,
        weigh,
    }
}

const fn of_iam(name: &'static str) -> Watched {
    Watched {
        is_global: true,
        ..watched(name, change)
    }
}

/// The operations that change what protects the stack, silence it, or take data out of it. Each costs every run a
/// request, and the account's requests are limited. `tests/contract` has the others of each service, with the reason why
/// they aren't watched.
pub const WATCHED: [Watched; 81] = [
    // Keys. Whoever encrypts a ciphertext anew, with a key of their own, needn't decrypt it with the stack's.
    watched("PutKeyPolicy", grave),
    watched("DisableKey", grave),
    watched("DisableKeyRotation", grave),
    watched("ScheduleKeyDeletion", grave),
    watched("CreateGrant", grant),
    watched("RevokeGrant", grant),
    watched("RetireGrant", grant),
    watched("ReEncrypt", grave),
    // Tables, and the ways in which their contents leave.
    watched("UpdateTable", table),
    watched("UpdateContinuousBackups", backups),
    watched("UpdateTimeToLive", change),
    watched("DeleteTable", grave),
    watched("PutResourcePolicy", grave),
    watched("DeleteResourcePolicy", grave),
    watched("ExportTableToPointInTime", grave),
    watched("RestoreTableToPointInTime", grave),
    watched("RestoreTableFromBackup", grave),
    watched("CreateBackup", grave),
    watched("DeleteBackup", grave),
    watched("StartBackupJob", grave),
    watched("EnableKinesisStreamingDestination", grave),
    watched("CreateGlobalTable", grave),
    watched("UpdateGlobalTable", grave),
    // Functions: what runs, who may call it, and what calls it.
    watched("CreateEventSourceMapping20150331", change),
    watched("UpdateEventSourceMapping20150331", change),
    watched("DeleteEventSourceMapping20150331", change),
    watched("UpdateFunctionConfiguration20150331v2", change),
    watched("UpdateFunctionCode20150331v2", change),
    watched("UpdateAlias20150331", alias),
    watched("DeleteAlias20150331", change),
    watched("DeleteFunction20150331", function),
    watched("AddPermission20150331v2", change),
    watched("RemovePermission20150331v2", change),
    watched("CreateFunctionUrlConfig", change),
    watched("UpdateFunctionUrlConfig", change),
    watched("PutFunctionConcurrency20171031", change),
    watched("PutFunctionEventInvokeConfig", change),
    watched("UpdateFunctionEventInvokeConfig", change),
    watched("DeleteFunctionEventInvokeConfig", change),
    watched("CreateDeployment", change),
    // Rights: of the functions' roles, and of others on what is the stack's.
    of_iam("PutRolePolicy"),
    of_iam("DeleteRolePolicy"),
    of_iam("AttachRolePolicy"),
    of_iam("DetachRolePolicy"),
    of_iam("UpdateAssumeRolePolicy"),
    of_iam("PutRolePermissionsBoundary"),
    of_iam("DeleteRolePermissionsBoundary"),
    of_iam("DeleteRole"),
    of_iam("PutUserPolicy"),
    of_iam("PutGroupPolicy"),
    of_iam("CreatePolicy"),
    of_iam("CreatePolicyVersion"),
    // Logs, and what is counted in them.
    watched("DeleteLogGroup", change),
    watched("DeleteLogStream", change),
    watched("PutRetentionPolicy", change),
    watched("DeleteRetentionPolicy", change),
    watched("PutMetricFilter", change),
    watched("DeleteMetricFilter", change),
    watched("PutSubscriptionFilter", change),
    watched("CreateExportTask", change),
    watched("AssociateKmsKey", change),
    watched("DisassociateKmsKey", change),
    watched("PutDataProtectionPolicy", change),
    watched("PutTransformer", change),
    // Alarms.
    watched("PutMetricAlarm", change),
    watched("PutCompositeAlarm", change),
    watched("PutLogAlarm", change),
    watched("PutAlarmMuteRule", change),
    watched("DeleteAlarms", change),
    watched("DisableAlarmActions", change),
    watched("SetAlarmState", change),
    // Schedules and the platform's events.
    watched("PutRule", change),
    watched("PutTargets", change),
    watched("DisableRule", change),
    watched("DeleteRule", change),
    watched("RemoveTargets", change),
    watched("UpdateEventBus", change),
    watched("DeleteEventBus", change),
    watched("PutPermission", change),
    watched("RemovePermission", change),
    watched("CreateArchive", change),
];

/// The operation that opens a secret.
pub const DECRYPT: Watched = watched("Decrypt", |_| Weight::Nothing);

fn grave(_: &TrailEvent) -> Weight {
    Weight::Grave
}

fn change(_: &TrailEvent) -> Weight {
    Weight::Change
}

fn grant(event: &TrailEvent) -> Weight {
    if event.is_invoked_by(DYNAMODB) {
        Weight::Nothing
    } else {
        Weight::Grave
    }
}

/// A deployment that moves an alias is told by whoever began it.
fn alias(event: &TrailEvent) -> Weight {
    if event.is_invoked_by(CODEDEPLOY) {
        Weight::Nothing
    } else {
        Weight::Change
    }
}

/// Every deployment removes old versions. Lambda refuses to remove one that an alias calls.
fn function(event: &TrailEvent) -> Weight {
    if member(&event.request_parameters, "qualifier").is_null() {
        Weight::Change
    } else {
        Weight::Nothing
    }
}

/// The stream carries the records to their mails, the protection and the key are what keeps the data, and a replica has
/// all of it.
fn table(event: &TrailEvent) -> Weight {
    let of = |name| member(&event.request_parameters, name);
    let is_grave = !of("streamSpecification").is_null()
        || !of("sSESpecification").is_null()
        || !of("replicaUpdates").is_null()
        || of("deletionProtectionEnabled") == false;
    if is_grave {
        Weight::Grave
    } else {
        Weight::Change
    }
}

/// Recovery that is turned on protects. One that is turned off, or reaches less far back, doesn't.
fn backups(event: &TrailEvent) -> Weight {
    let recovery = member(
        &event.request_parameters,
        "pointInTimeRecoverySpecification",
    );
    let is_on = member(recovery, "pointInTimeRecoveryEnabled") == true;
    if is_on && member(recovery, "recoveryPeriodInDays").is_null() {
        Weight::Nothing
    } else {
        Weight::Grave
    }
}

/// Returns the stack's resource that an event of this operation changed; `None` if that is nothing to tell. A call that
/// AWS refused changed nothing.
pub fn suspicious<'a>(watched: &Watched, event: &'a TrailEvent, stack: &Stack) -> Option<&'a str> {
    if event.error_code.is_some() {
        return None;
    }
    let resource = stack.named(event)?;
    match (watched.weigh)(event) {
        Weight::Grave => Some(resource),
        Weight::Change if !event.is_deployment() => Some(resource),
        Weight::Change | Weight::Nothing => None,
    }
}

/// A secret that was decrypted.
#[derive(Debug, Clone, PartialEq)]
pub struct Decryption {
    /// The event.
    pub event: TrailEvent,
    /// The token and its account; `None` if the encryption context doesn't name them.
    pub of: Option<(AccountId, TokenId)>,
}

impl Decryption {
    /// Reads a decryption with the secrets' key; `None` if the event is something else or was refused.
    pub fn of(event: TrailEvent, stack: &Stack) -> Option<Self> {
        let is_done = event.error_code.is_none();
        if !is_done || event.name != DECRYPT.name || !stack.has_secrets_key(&event) {
            return None;
        }
        let context = member(&event.request_parameters, "encryptionContext");
        let text = |name| member(context, name).as_str();
        let account = text("accountId").and_then(|id| id.parse().ok());
        let token = text("tokenId").and_then(|id| id.parse().ok());
        let of = account.zip(token);
        Some(Self { event, of })
    }
}

/// Returns the part of the audit log in which decryptions at these times have their records.
pub fn recorded_within(times: &[Timestamp]) -> Option<(Timestamp, Timestamp)> {
    let (first, last) = (times.iter().min()?, times.iter().max()?);
    Some((earliest(*first), latest(*last)))
}

fn earliest(decrypted: Timestamp) -> Timestamp {
    decrypted
        .checked_sub(RECORDED_BEFORE)
        .unwrap_or(Timestamp::MIN)
}

fn latest(decrypted: Timestamp) -> Timestamp {
    decrypted
        .checked_add(RECORDED_AFTER)
        .unwrap_or(Timestamp::MAX)
}

/// Returns which of a token's decryptions have no record, by their places in `decrypted`. A record stands for one
/// decryption, so a second one beside it is told, whoever made it.
pub fn unrecorded(decrypted: &[Timestamp], records: &[Timestamp]) -> Vec<usize> {
    let mut order: Vec<_> = decrypted.iter().copied().enumerate().collect();
    order.sort_by_key(|(_, time)| *time);
    let mut records = records.to_vec();
    records.sort();
    let mut records = records.into_iter().peekable();
    let mut left = Vec::new();
    for (place, time) in order {
        // All spans are equally long: a record that is too early for this decryption is too early for the later ones.
        while records.next_if(|record| *record < earliest(time)).is_some() {}
        if records.next_if(|record| *record <= latest(time)).is_none() {
            left.push(place);
        }
    }
    left
}

/// Returns the region that has the events of global services, such as IAM, in the partition of a region.
pub fn global_region(region: &str) -> &'static str {
    match region {
        _ if region.starts_with("cn-") => "cn-north-1",
        _ if region.starts_with("us-gov-") => "us-gov-west-1",
        _ => "us-east-1",
    }
}

#[cfg(test)]
mod tests;
