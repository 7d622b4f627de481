use jiff::ToSpan;
use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::testing::{trail_event, trail_sample, watched_stack};

/// Whether an event rings, as one of the operation that it names.
fn rings(sample: &Value) -> bool {
    let event: TrailEvent = serde_json::from_value(sample.clone()).unwrap();
    let watched = WATCHED.iter().find(|watched| watched.name == event.name);
    suspicious(watched.unwrap(), &event, &watched_stack()).is_some()
}

/// The sample as CloudFormation's call.
fn deployed(mut sample: Value) -> Value {
    sample["userIdentity"]["invokedBy"] = json!(CLOUDFORMATION);
    sample
}

#[test]
fn a_change_of_what_protects_the_stack_rings_and_names_it() {
    for (sample, resource) in [
        ("put-key-policy", "1234abcd-12ab-34cd-56ef-1234567890ab"),
        ("create-grant", "1234abcd-12ab-34cd-56ef-1234567890ab"),
        ("update-table", "latchkey-AuditTable-1ABCDEFGHIJKL"),
        (
            "update-continuous-backups",
            "latchkey-TokensTable-1ABCDEFGHIJKL",
        ),
        (
            "update-event-source-mapping",
            "latchkey-AuditTable-1ABCDEFGHIJKL",
        ),
        ("put-role-policy", "latchkey-RevealTokenRole-a1B2c3D4e5F6"),
    ] {
        let event = trail_event(sample);
        let watched = WATCHED.iter().find(|watched| watched.name == event.name);
        let found = suspicious(watched.unwrap(), &event, &watched_stack());
        assert_eq!(found, Some(resource), "{sample}");
        assert_eq!(
            event.principal(),
            Some("arn:aws:iam::123456789012:user/Alice")
        );
    }
}

#[test]
fn a_deployment_may_change_all_but_keys_streams_recovery_and_protection() {
    for (sample, grave) in [
        ("put-key-policy", true),
        ("create-grant", true),
        ("update-table", true),
        ("update-continuous-backups", true),
        ("update-event-source-mapping", false),
        ("put-role-policy", false),
    ] {
        assert_eq!(rings(&deployed(trail_sample(sample))), grave, "{sample}");
    }
    let with = |parameters: Value| {
        let mut sample = trail_sample("update-table");
        sample["requestParameters"] = parameters;
        sample
    };
    for (parameters, grave) in [
        (
            json!({"streamSpecification": {"streamEnabled": false}}),
            true,
        ),
        (json!({"sSESpecification": {"enabled": false}}), true),
        (
            json!({"replicaUpdates": [{"create": {"regionName": "eu-west-1"}}]}),
            true,
        ),
        // The local cloud's events have the requests' own names.
        (json!({"DeletionProtectionEnabled": false}), true),
        (json!({"deletionProtectionEnabled": true}), false),
        (json!({"billingMode": "PROVISIONED"}), false),
    ] {
        assert!(rings(&with(parameters.clone())), "{parameters}");
        let sample = deployed(with(parameters.clone()));
        assert_eq!(rings(&sample), grave, "{parameters}");
    }
}

/// A call about a function, by a person.
fn of_function(name: &str, parameters: Value) -> Value {
    let mut sample = trail_sample("put-role-policy");
    sample["eventName"] = json!(name);
    sample["requestParameters"] = json!({"functionName": "latchkey-RevealTokenFunction-a1B2"});
    let known = sample["requestParameters"].as_object_mut().unwrap();
    known.extend(parameters.as_object().unwrap().clone());
    sample
}

#[test]
fn an_alias_that_a_person_moves_rings_and_one_that_a_deployment_moves_does_not() {
    let moved = of_function(
        "UpdateAlias20150331",
        json!({"name": "live", "functionVersion": "3"}),
    );
    assert!(rings(&moved));
    assert!(!rings(&deployed(moved.clone())));
    let mut shifted = moved;
    shifted["userIdentity"]["invokedBy"] = json!(CODEDEPLOY);
    assert!(!rings(&shifted));
    // Whoever has CodeDeploy do it is told of by that call.
    let mut begun = of_function("CreateDeployment", json!({}));
    begun["requestParameters"] = json!({"applicationName": "latchkey-Rollout-a1B2c3D4"});
    assert!(rings(&begun));
    assert!(!rings(&deployed(begun)));
}

#[test]
fn a_function_that_is_removed_rings_and_an_old_version_does_not() {
    let whole = of_function("DeleteFunction20150331", json!({}));
    assert!(rings(&whole));
    let version = of_function("DeleteFunction20150331", json!({"qualifier": "3"}));
    assert!(!rings(&version));
}

#[test]
fn whoever_only_says_to_be_cloudformation_rings() {
    let mut sample = trail_sample("put-role-policy");
    sample["userAgent"] = json!(CLOUDFORMATION);
    assert!(rings(&sample));
}

#[test]
fn recovery_that_is_turned_on_is_nothing_to_tell() {
    let with = |recovery: Value| {
        let mut sample = trail_sample("update-continuous-backups");
        sample["requestParameters"]["pointInTimeRecoverySpecification"] = recovery;
        sample
    };
    assert!(!rings(&with(json!({"pointInTimeRecoveryEnabled": true}))));
    let shorter = json!({"pointInTimeRecoveryEnabled": true, "recoveryPeriodInDays": 1});
    assert!(rings(&with(shorter)));
    assert!(rings(&with(Value::Null)));
}

#[test]
fn dynamodb_may_grant_itself_the_tables_key() {
    let mut sample = trail_sample("create-grant");
    sample["userIdentity"]["invokedBy"] = json!(DYNAMODB);
    assert!(!rings(&sample));
}

#[test]
fn other_stacks_and_refused_calls_are_nothing_to_tell() {
    let mut other = trail_sample("put-role-policy");
    other["requestParameters"]["roleName"] = json!("not-latchkey-RevealTokenRole");
    assert!(!rings(&other));
    // A role elsewhere that gets rights on the stack's table is.
    let policy =
        r#"{"Resource":"arn:aws:dynamodb:us-east-1:1:table/latchkey-AuditTable-1ABCDEFGHIJKL"}"#;
    other["requestParameters"]["policyDocument"] = json!(policy);
    assert!(rings(&other));
    let mut refused = trail_sample("put-key-policy");
    refused["errorCode"] = json!("AccessDenied");
    assert!(!rings(&refused));
}

#[test]
fn a_log_group_is_of_the_stack_by_its_folder() {
    let delete = |group: &str| {
        let mut sample = trail_sample("put-role-policy");
        sample["eventName"] = json!("DeleteLogGroup");
        sample["requestParameters"] = json!({"logGroupName": group});
        rings(&sample)
    };
    assert!(delete("/aws/lambda/latchkey/RevealToken"));
    assert!(!delete("/aws/lambda/other/latchkey"));
}

#[test]
fn a_decryption_names_the_token_and_its_account() {
    let of = |sample: Value| {
        let event = serde_json::from_value(sample).unwrap();
        Decryption::of(event, &watched_stack())
    };
    let sample = trail_sample("decrypt");
    let decryption = of(sample.clone()).unwrap();
    let (account, token) = decryption.of.unwrap();
    assert_eq!(account.as_str(), "acme");
    assert_eq!(token.as_str(), "tok_01ARZ3NDEKTSV4RRFFQ69G5FAV");
    let mut without = sample.clone();
    without["requestParameters"]["encryptionContext"] = Value::Null;
    assert_eq!(of(without).unwrap().of, None);
    let mut refused = sample.clone();
    refused["errorCode"] = json!("AccessDenied");
    assert_eq!(of(refused), None);
    let other = sample.to_string().replace("1234abcd", "99999999");
    assert_eq!(of(serde_json::from_str(&other).unwrap()), None);
}

#[test]
fn every_event_is_in_the_windows_of_three_runs() {
    let hour: Timestamp = "2026-11-23T10:00:00Z".parse().unwrap();
    let event = hour - 90.minutes();
    let runs = (-5..10).map(|hours| Window::of(hour + hours.hours()));
    let reading = runs.filter(|window| window.from <= event && event <= window.to);
    assert_eq!(reading.count(), 3);
}

#[test]
fn global_services_are_in_their_partitions_region() {
    for (region, global) in [
        ("eu-central-1", "us-east-1"),
        ("cn-northwest-1", "cn-north-1"),
        ("us-gov-east-1", "us-gov-west-1"),
    ] {
        assert_eq!(global_region(region), global);
    }
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + seconds).unwrap()
}

/// The largest number of decryptions that can have a record of their own, by trying everything.
fn most(decrypted: &[Timestamp], records: &[Timestamp]) -> usize {
    let Some((first, rest)) = decrypted.split_first() else {
        return 0;
    };
    let mut best = most(rest, records);
    for (place, record) in records.iter().enumerate() {
        if earliest(*first) <= *record && *record <= latest(*first) {
            let mut left = records.to_vec();
            left.remove(place);
            best = best.max(1 + most(rest, &left));
        }
    }
    best
}

#[test]
fn a_record_stands_for_one_decryption_near_it() {
    let unrecorded = |decrypted: &[i64], records: &[i64]| {
        let times = |all: &[i64]| all.iter().copied().map(at).collect::<Vec<_>>();
        unrecorded(&times(decrypted), &times(records))
    };
    assert!(unrecorded(&[100], &[100]).is_empty());
    assert!(unrecorded(&[100], &[85]).is_empty());
    assert!(unrecorded(&[100], &[105]).is_empty());
    assert_eq!(unrecorded(&[100], &[84]), [0]);
    assert_eq!(unrecorded(&[100], &[106]), [0]);
    assert_eq!(unrecorded(&[101, 100], &[100]), [0]);
    assert_eq!(unrecorded(&[100, 100], &[100]), [1]);
    assert_eq!(unrecorded(&[100], &[]), [0]);
}

proptest! {
    #[test]
    fn as_few_as_possible_are_without_a_record(
        decrypted in vec(0_i64..60, 0..6),
        records in vec(0_i64..60, 0..6),
    ) {
        let decrypted: Vec<_> = decrypted.into_iter().map(at).collect();
        let records: Vec<_> = records.into_iter().map(at).collect();
        let left = unrecorded(&decrypted, &records);
        prop_assert_eq!(left.len(), decrypted.len() - most(&decrypted, &records));
        let mut places = left.clone();
        places.sort_unstable();
        places.dedup();
        prop_assert_eq!(places.len(), left.len());
    }

    #[test]
    fn one_more_decryption_never_goes_unnoticed(
        times in vec(0_i64..600, 1..20),
        more in 0_i64..600,
    ) {
        // Each has its own record. One more has none, wherever it is.
        let mut decrypted: Vec<_> = times.into_iter().map(at).collect();
        let records = decrypted.clone();
        prop_assert!(unrecorded(&decrypted, &records).is_empty());
        decrypted.push(at(more));
        prop_assert_eq!(unrecorded(&decrypted, &records).len(), 1);
    }

    #[test]
    fn names_are_found_wherever_a_service_writes_them(before in "[ -~]{0,20}", after in "[ -~]{0,20}") {
        let stack = watched_stack();
        let mut sample = trail_sample("put-role-policy");
        let text = format!("{before}:latchkey-Role\"{after}");
        sample["requestParameters"] = json!({"policyDocument": [{"x": text}]});
        let event = serde_json::from_value(sample).unwrap();
        prop_assert!(stack.named(&event).is_some());
    }
}
