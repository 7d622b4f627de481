//! What `watch-trail` looks for, against AWS's own lists of the actions of the services whose resources protect the
//! stack: every action that changes something is watched, or has its reason here. The SAM tool, which `make test`
//! installs, includes these lists.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use contract::{expanded, printed};
use latchkey::domain::trail::{DECRYPT, WATCHED};
use regex_lite::Regex;
use serde_json::json;

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

/// The services that are watched: the template's name, and IAM's.
const SERVICES: [(&str, &str); 8] = [
    ("CloudWatch", "cloudwatch"),
    ("CodeDeploy", "codedeploy"),
    ("DynamoDB", "dynamodb"),
    ("Events", "events"),
    ("IAM", "iam"),
    ("KMS", "kms"),
    ("Lambda", "lambda"),
    ("Logs", "logs"),
];

/// The template's other services. `docs/security.md` tells that they aren't watched.
const UNWATCHED: [&str; 5] = ["ApiGatewayV2", "Cognito", "S3", "SES", "SQS"];

/// What the names of actions that only read begin with.
const READING: &str =
    "batchget describe filter get list lookup query scan search simulate test validate";

/// Lambda's names in CloudTrail have the date of the operation's version, by
/// <https://docs.aws.amazon.com/lambda/latest/dg/logging-using-cloudtrail.html>. Newer operations have none.
const DATED: &str = "
addpermission20150331v2 createeventsourcemapping20150331 deletealias20150331 deleteeventsourcemapping20150331
deletefunction20150331 putfunctionconcurrency20171031 removepermission20150331v2 updatealias20150331
updateeventsourcemapping20150331 updatefunctioncode20150331v2 updatefunctionconfiguration20150331v2
";

/// Why an action isn't watched. Each line has a service, the reason, and patterns of its actions.
const EXCLUDED: &str = "
kms | undoes what is watched | cancelkeydeletion enablekey enablekeyrotation
kms | seals, and opens nothing | encrypt generatedatakey* generaterandom
kms | the stack names keys by their ARNs | createalias deletealias updatealias
kms | the stack has no such keys | *customkeystore *keymaterial derivesharedsecret sign verify *mac replicatekey
kms | the stack has no such keys | synchronizemultiregionkey updateprimaryregion
kms | a key of another stack | createkey
kms | leaves what protects as it is | rotatekeyondemand updatekeydescription *tagresource
dynamodb | data events, which the event history lacks | *item partiql*
dynamodb | no call: a right that `UpdateTable` needs | *tablereplica *globaltablewitness *forreplication replicatesettings
dynamodb | no call: a right that AWS Backup and FIS need | restoretablefromawsbackup startawsbackupjob injecterror
dynamodb | a new table | createtable importtable
dynamodb | nothing leaves by it that didn't before | *kinesisstreamingdestination updateglobaltable* *autoscaling
dynamodb | leaves what protects as it is | updateabacstatus updatecontributorinsights purchase* *tagresource
lambda | data events, which the event history lacks | invoke* *durableexecution*
lambda | the stack has no such things | *capacityprovider *codesigningconfig *layerversion* *microvm* *networkconnector
lambda | the stack has no such things | *webfunction* *replication putfunctionscalingconfig
lambda | nothing calls it until something watched names it | createalias createfunction publishversion
lambda | undoes what is watched | deletefunctionconcurrency deletefunctionurlconfig
lambda | leaves what runs as it is | *provisionedconcurrencyconfig putfunctionrecursionconfig putruntime* *tagresource
iam | people, their keys and their identity providers are none of the stack's | *user* *accesskey *loginprofile
iam | people, their keys and their identity providers are none of the stack's | *mfadevice *certificate *publickey
iam | people, their keys and their identity providers are none of the stack's | *credential *provider* changepassword
iam | people, their keys and their identity providers are none of the stack's | *group*
iam | of the AWS account | *account* *organizations* *delegation* *webidentityfederation setst* setsecurity* generate*
iam | names no resource of the stack: what a policy says was told when it was written | attach* setdefaultpolicyversion
iam | takes rights away from others | deletepolicy deletepolicyversion detach*
iam | a new role, and those of AWS's services | createrole *servicelinkedrole
iam | leaves rights as they are | updaterole updateroledescription tag* untag*
iam | who may assume a role is watched | *instanceprofile* passrole
logs | data events and readings | callwithbearertoken putlogevents *livetail *query *unmask processwithpipeline
logs | new | createloggroup createlogstream
logs | names no log group of the stack | *accountpolicy *delivery* *destination* *s3table* putstoragetierpolicy link
logs | the stack has no such things | *anomaly* *importtask *indexpolicy *integrat* *lookuptable *pipelinerule
logs | the stack has no such things | *querydefinition *scheduledquery *syslogconfiguration
logs | the stack has no such things | deletedataprotectionpolicy deletesubscriptionfilter deletetransformer
logs | what it may lead to is watched | putloggroupdeletionprotection
logs | takes nothing away | putbearertokenauthentication cancelexporttask *tagresource *tagloggroup
cloudwatch | undoes what is watched | enablealarmactions deletealarmmuterule
cloudwatch | data events and readings | callwithbearertoken putmetricdata putrecords generatequery* *telemetryquery*
cloudwatch | pictures and opinions | *dashboard* submit* updatepreferences createonetimedeeplinkcode
cloudwatch | the stack has no such things | *access* *alert *anomalydetector *domain* *ingestionendpoint *insightrule*
cloudwatch | the stack has no such things | *integration *metricstream* *omni* *otelenrichment *pipelinerule *space *view
cloudwatch | the stack has no such things | *resourcemetricsconfiguration *servicelevelobjective
cloudwatch | the stack has no such things | enabletopologydiscovery putintelligenceconfiguration link *tagresource
events | undoes what is watched | enablerule cancelreplay
events | an older event overwrites no newer state | startreplay
events | data events | put*events invokeapidestination retrieveconnectioncredentials
events | the stack has no such things | *apidestination *connection *endpoint *eventsource *subscriber createeventbus
events | the stack has no such things | allowvendedlogdeliveryforresource revokeresource
events | that events leave is watched | deletearchive updatearchive
events | leaves what protects as it is | *tagresource
codedeploy | that a deployment was begun is watched | continuedeployment stopdeployment skipwait* putlifecycle*
codedeploy | nothing is deployed by it | *application *applicationrevision *deploymentconfig *deploymentgroup *tagresource
codedeploy | CloudFormation's own | createcloudformationdeployment deleteresourcesbyexternalid
codedeploy | machines, which the stack hasn't | *onpremisesinstance* deletegithubaccounttoken
";

/// The actions of each service, in lower case.
static ACTIONS: LazyLock<BTreeMap<String, BTreeSet<String>>> = LazyLock::new(|| {
    let program = "
import json, sys
from importlib.resources import files

known = json.loads((files('cfnlint.data') / 'AdditionalSpecs' / 'Policies.json').read_text())
json.dump({service: list(known[service]['Actions']) for service in json.load(sys.stdin)}, sys.stdout)
";
    let services: Vec<_> = SERVICES
        .iter()
        .map(|(_, service)| *service)
        .chain(["backup"])
        .collect();
    let printed = printed(&["-c", program], &json!(services).to_string());
    serde_json::from_str(&printed).unwrap()
});

/// The name that CloudTrail has for a service's action, in lower case.
fn event_name(service: &str, action: &str) -> String {
    let is_dated = |dated: &&str| {
        let rest = dated.strip_prefix(action).unwrap_or("-");
        rest.starts_with(|first: char| first.is_ascii_digit())
    };
    let dated = DATED.split_whitespace().find(is_dated);
    match (service, action) {
        ("lambda", action) => dated.unwrap_or(action).to_owned(),
        ("kms", "reencryptfrom" | "reencryptto") => "reencrypt".to_owned(),
        (_, action) => action.to_owned(),
    }
}

fn watched() -> BTreeSet<String> {
    let all = WATCHED.iter().chain([&DECRYPT]);
    all.map(|watched| watched.name.to_lowercase()).collect()
}

/// Whether an action matches a pattern, in which each `*` stands for any text.
fn matches(action: &str, pattern: &str) -> bool {
    let pattern = format!("^{}$", pattern.replace('*', ".*"));
    Regex::new(&pattern).unwrap().is_match(action)
}

/// The service and the patterns of each line.
fn excluded() -> impl Iterator<Item = (&'static str, Vec<&'static str>)> {
    EXCLUDED
        .lines()
        .filter(|line| !line.is_empty())
        .map(|line| {
            let [service, reason, patterns] = line.split(" | ").collect::<Vec<_>>()[..] else {
                panic!("{line}")
            };
            assert!(!reason.is_empty());
            (service, patterns.split_whitespace().collect())
        })
}

/// The actions of a service that change something and aren't watched.
fn unwatched(service: &str) -> impl Iterator<Item = &'static str> {
    let (watched, service) = (watched(), service.to_owned());
    let reads = |action: &str| READING.split(' ').any(|verb| action.starts_with(verb));
    let actions = ACTIONS[&service].iter().map(String::as_str);
    actions.filter(move |action| !reads(action) && !watched.contains(&event_name(&service, action)))
}

#[test]
fn every_action_that_changes_what_protects_the_stack_is_watched_or_has_a_reason() {
    let mut forgotten = Vec::new();
    for (_, service) in SERVICES {
        let mut patterns = Vec::new();
        for (of, more) in excluded() {
            patterns.extend(more.into_iter().filter(|_| of == service));
        }
        let is_excluded = |action: &&str| patterns.iter().any(|pattern| matches(action, pattern));
        let actions = unwatched(service).filter(|action| !is_excluded(action));
        forgotten.extend(actions.map(|action| format!("{service}:{action}")));
    }
    assert_eq!(forgotten, Vec::<String>::new());
}

/// Otherwise a line could hide what AWS or the template adds later.
#[test]
fn every_reason_is_about_an_action_that_is_not_watched() {
    for (service, patterns) in excluded() {
        for pattern in patterns {
            let is_used = unwatched(service).any(|action| matches(action, pattern));
            assert!(is_used, "{service}:{pattern}");
        }
    }
}

/// A name that CloudTrail doesn't have finds nothing, without an error.
#[test]
fn every_watched_name_is_one_of_cloudtrails() {
    let mut known = BTreeSet::new();
    for (service, actions) in ACTIONS.iter() {
        known.extend(actions.iter().map(|action| event_name(service, action)));
    }
    let unknown: Vec<_> = watched().difference(&known).cloned().collect();
    assert_eq!(unknown, Vec::<String>::new());
    let mut names: Vec<_> = WATCHED.iter().map(|watched| watched.name).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), WATCHED.len(), "each is read once");
    let of_iam = |name: &str| ACTIONS["iam"].contains(&name.to_lowercase());
    for watched in &WATCHED {
        assert_eq!(watched.is_global, of_iam(watched.name), "{}", watched.name);
    }
}

#[test]
fn every_service_of_the_template_is_watched_or_said_not_to_be() {
    let stack = expanded("infra/template.yaml", &[]);
    let kinds = stack["Resources"].as_object().unwrap().values();
    let kinds = kinds.map(|resource| resource["Type"].as_str().unwrap());
    let found: BTreeSet<_> = kinds.map(|kind| kind.split("::").nth(1).unwrap()).collect();
    let known = SERVICES
        .iter()
        .map(|(service, _)| *service)
        .chain(UNWATCHED);
    assert_eq!(found, known.collect());
}

/// An operator who follows a document mustn't take its own traces for an intruder's.
#[test]
fn what_the_documents_and_scripts_call_is_among_the_findings_to_expect() {
    let page = std::fs::read_to_string(format!("{ROOT}/docs/operations.md")).unwrap();
    let (_, expected) = page.split_once("### Findings to expect").unwrap();
    let expected = expected.split("\n## ").next().unwrap();
    let mut called = BTreeSet::new();
    let command = Regex::new(r"aws ([a-z]+) ([a-z][a-z-]+)").unwrap();
    for entry in std::fs::read_dir(format!("{ROOT}/docs")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "md") {
            let text = std::fs::read_to_string(path).unwrap();
            for found in command.captures_iter(&text) {
                called.insert((found[1].to_owned(), found[2].replace('-', "")));
            }
        }
    }
    let method = Regex::new(r"(dynamodb|client|lambda_)\.([a-z_]+)\(").unwrap();
    for script in ["restore.py", "rollout.py"] {
        let text = std::fs::read_to_string(format!("{ROOT}/infra/{script}")).unwrap();
        for found in method.captures_iter(&text) {
            let service = if &found[1] == "dynamodb" {
                "dynamodb"
            } else {
                "lambda"
            };
            called.insert((service.to_owned(), found[2].replace('_', "")));
        }
    }
    let names = called
        .iter()
        .map(|(service, action)| event_name(service, action));
    let names: BTreeSet<_> = names.collect();
    let watched = WATCHED
        .iter()
        .filter(|watched| names.contains(&watched.name.to_lowercase()));
    let called: Vec<_> = watched.map(|watched| watched.name).collect();
    assert!(called.len() > 10, "{called:?}");
    let unsaid: Vec<_> = called
        .into_iter()
        .filter(|name| !expected.contains(&format!("`{name}`")))
        .collect();
    assert_eq!(unsaid, Vec::<&str>::new());
}
