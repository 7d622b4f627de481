//! A scenario or more for every function that serves no operation of the API.

use contract::{Allowance, Evidence};
use jiff::{SignedDuration, Timestamp};
use latchkey::domain::auto_purge::AutoPurge;
use latchkey::domain::budget::Budgets;
use latchkey::domain::mailing::SuppressionReason;
use latchkey::domain::preferences::{MailPreferences, MailTiming};
use latchkey::domain::token::Token;
use latchkey::domain::upkeep::Warnings;
use latchkey::ports::{PutPreferences, SuppressAddress};
use latchkey::testing::{Answer, Engine, now, token_at, trail_sample, watched_stack};
use serde_json::{Value, json};

use crate::scenario::Effect::{AtMost, Once, State};
use crate::scenario::{Given, Outcome, Scenario, about, created, ended, replaced, revoked, token};
use crate::world::{Sandbox, Step};

/// Reads a sample event.
macro_rules! sample {
    ($name:literal) => {
        serde_json::from_str::<Value>(include_str!(concat!("../../../../events/", $name, ".json")))
            .unwrap()
    };
}

/// The authorizer's decision on a call. A decision that can't be made is an error, and the caller of the API gets a 500
/// from the gateway, which has no other answer to that.
async fn authorize(sandbox: &Sandbox<'_>, given: &Given, method: &str) -> Outcome {
    let mut event = sample!("authorize/http-api");
    event["headers"]["authorization"] = json!(format!("Bearer {}", given.secret));
    event["requestContext"]["http"]["method"] = json!(method);
    event["rawPath"] = json!("/v1/exports/exp_orders");
    let event = serde_json::from_value(event).unwrap();
    let decision = authorize::handle(&sandbox.store, sandbox.system(), event).await;
    let decision = decision.map(|answer| serde_json::to_value(answer).unwrap());
    Outcome {
        status: match &decision {
            Ok(answer) if answer["isAuthorized"] == true => 200,
            Ok(_) => 403,
            Err(_) => 503,
        },
        code: String::new(),
        repeats: true,
        told: format!("{decision:?}"),
    }
}

async fn report(sandbox: &Sandbox<'_>, secret: &str) -> Outcome {
    let report = sandbox.world.scanner.report(secret);
    let (store, keys, notifier) = (&sandbox.store, sandbox.keys(), &sandbox.notifier);
    let answer = receive_leak_report::handle(store, keys, notifier, sandbox.system(), report);
    Answer::of(answer.await).into()
}

async fn sync(sandbox: &Sandbox<'_>, mut event: Value) -> Outcome {
    event["time"] = json!((now() + SignedDuration::from_secs(2)).to_string());
    let (store, letters) = (&sandbox.store, &sandbox.dead_letters);
    sync_platform::handle(store, letters, sandbox.system(), event)
        .await
        .into()
}

/// An event of the platform as a scenario's step.
macro_rules! syncs {
    ($name:literal) => {
        |sandbox, _| Box::pin(async move { sync(sandbox, sample!($name)).await })
    };
}

/// The event of an account that has lost its member `admin-1`.
fn without_admin() -> Value {
    let mut event = sample!("sync-platform/account-upserted");
    let members = event["detail"]["members"].as_array_mut().unwrap();
    members.retain(|member| member["id"] != "admin-1");
    event
}

/// A member has chosen mails.
fn chosen<'a>(sandbox: &'a Sandbox<'_>) -> Step<'a, Given> {
    Box::pin(async {
        let daily = MailPreferences {
            change: MailTiming::Daily,
            ..MailPreferences::default()
        };
        let (account, admin) = ("acme".parse().unwrap(), "admin-1".parse().unwrap());
        sandbox
            .store
            .put_preferences(&account, &admin, &daily)
            .await
            .unwrap();
        created(sandbox).await
    })
}

/// The records of the account in a stream's event, oldest first.
async fn batch(sandbox: &Sandbox<'_>, given: Given) -> Given {
    let records = sandbox.world.engine.audit_images().await;
    Given {
        event: json!(records),
        ..given
    }
}

/// A token was created, and renamed.
fn renamed<'a>(sandbox: &'a Sandbox<'_>) -> Step<'a, Given> {
    Box::pin(async {
        let given = created(sandbox).await;
        sandbox.world.wait(SignedDuration::from_secs(1));
        let patch = about("PATCH", &given.token, "").json(&json!({"name": "Newer"}));
        sandbox.done(patch).await;
        batch(sandbox, given).await
    })
}

/// The same, and a member wants changes once a day.
fn renamed_daily<'a>(sandbox: &'a Sandbox<'_>) -> Step<'a, Given> {
    Box::pin(async {
        chosen(sandbox).await;
        renamed(sandbox).await
    })
}

/// A token got another scope, of some exports.
async fn rescope(sandbox: &Sandbox<'_>, exports: Value) -> Given {
    let given = created(sandbox).await;
    sandbox.world.wait(SignedDuration::from_secs(1));
    let lists = json!({"type": "custom", "exports": exports});
    let patch = about("PATCH", &given.token, "").json(&json!({"scope": lists}));
    sandbox.done(patch).await;
    batch(sandbox, given).await
}

fn rescoped<'a>(sandbox: &'a Sandbox<'_>) -> Step<'a, Given> {
    Box::pin(rescope(sandbox, json!(["exp_orders", "exp_app"])))
}

fn rescoped_to_one<'a>(sandbox: &'a Sandbox<'_>) -> Step<'a, Given> {
    Box::pin(rescope(sandbox, json!(["exp_orders"])))
}

/// A secret was shown, and one of the recipients takes no mail.
fn shown<'a>(sandbox: &'a Sandbox<'_>) -> Step<'a, Given> {
    Box::pin(async {
        let given = created(sandbox).await;
        sandbox.world.wait(SignedDuration::from_secs(1));
        sandbox.done(about("POST", &given.token, "/reveal")).await;
        let why = SuppressionReason::Bounced;
        let marked = sandbox
            .store
            .suppress_address("admin@acme.example", why, now())
            .await;
        marked.unwrap();
        batch(sandbox, given).await
    })
}

/// Mails are held for a digest, whose hour is over.
fn held<'a>(sandbox: &'a Sandbox<'_>) -> Step<'a, Given> {
    Box::pin(async {
        let given = renamed(sandbox).await;
        let images = given.event.as_array().unwrap();
        assert!(sandbox.stream(images).await);
        sandbox.world.wait(SignedDuration::from_hours(2));
        given
    })
}

fn one_mail() -> Budgets {
    Budgets {
        mails: 1,
        ..Engine::budgets()
    }
}

async fn stream(sandbox: &Sandbox<'_>, given: &Given) -> Outcome {
    sandbox.stream(given.event.as_array().unwrap()).await.into()
}

/// Every record has its mails.
fn all_mailed(evidence: &Evidence, _: &Given) -> bool {
    let allowance = Allowance {
        duplicates: 1_000,
        units: 1_000,
        mailed: true,
    };
    evidence.violations(allowance).is_empty()
}

/// A token that was removed by the time to live.
fn purged<'a>(sandbox: &'a Sandbox<'_>) -> Step<'a, Given> {
    Box::pin(async {
        let token = Token {
            auto_purge: AutoPurge::OneHour,
            purge_at: Some(now() + SignedDuration::from_hours(1)),
            ..token_at(now())
        };
        let stored = sandbox.world.engine.add(token).await;
        let images = sandbox.world.engine.token_images().await;
        let id = stored.token.id.as_str();
        let image = images.iter().find(|image| image["id"]["S"] == id).unwrap();
        let mut event = sample!("record-purges/ttl-removal");
        event["Records"][0]["dynamodb"]["OldImage"] = image.clone();
        sandbox.world.engine.remove(&stored.token).await;
        Given {
            event,
            ..Given::default()
        }
    })
}

/// A token ends tomorrow.
fn ending<'a>(sandbox: &'a Sandbox<'_>) -> Step<'a, Given> {
    Box::pin(async {
        let day = SignedDuration::from_hours(24);
        let ending = Token {
            auto_purge: AutoPurge::ThirtyDays,
            purge_at: Some(now() + day),
            ..token_at(now() - 29 * day)
        };
        sandbox.world.engine.add(ending).await;
        Given::default()
    })
}

/// A token was neither changed nor used for ten days.
fn idle<'a>(sandbox: &'a Sandbox<'_>) -> Step<'a, Given> {
    Box::pin(async {
        let old = token_at(now() - SignedDuration::from_hours(240));
        sandbox.world.engine.add(old).await;
        Given::default()
    })
}

/// A token was not changed for ten days, but is used.
fn used<'a>(sandbox: &'a Sandbox<'_>) -> Step<'a, Given> {
    Box::pin(async {
        let given = created(sandbox).await;
        sandbox.world.wait(SignedDuration::from_hours(240));
        let outcome = authorize(sandbox, &given, "GET").await;
        assert_eq!(outcome.status, 200, "{}", outcome.told);
        given
    })
}

async fn revoke_idle(sandbox: &Sandbox<'_>) -> Outcome {
    let event = serde_json::from_value(sample!("revoke-idle/daily")).unwrap();
    let idle = Some(SignedDuration::from_hours(48));
    let (store, until) = (&sandbox.store, Timestamp::MAX);
    revoke_idle::handle(store, sandbox.system(), idle, until, event)
        .await
        .into()
}

/// CloudTrail has three calls: a secret was shown and recorded, it was decrypted without that, and a key's policy was
/// changed.
fn intruded<'a>(sandbox: &'a Sandbox<'_>) -> Step<'a, Given> {
    Box::pin(async {
        let given = created(sandbox).await;
        let second = SignedDuration::from_secs(1);
        sandbox.world.wait(second);
        sandbox.done(about("POST", &given.token, "/reveal")).await;
        let decrypted = |id: &str, at: Timestamp| {
            let mut event = trail_sample("decrypt");
            event["eventID"] = json!(id);
            event["eventTime"] = json!(format!("{at:.0}"));
            event["requestParameters"]["encryptionContext"]["tokenId"] = json!(given.token);
            event
        };
        let changed = trail_sample("put-key-policy");
        let events = json!([
            decrypted("shown", now() + second),
            decrypted("stolen", now() + SignedDuration::from_mins(1)),
            changed,
        ]);
        Given {
            event: events,
            ..given
        }
    })
}

/// The run reads up to five minutes before its hour, which is over by then.
async fn watch(sandbox: &Sandbox<'_>, given: &Given) -> Outcome {
    let events = given.event.as_array().unwrap();
    sandbox.world.wire.publish_trail(events);
    let mut hour = sample!("watch-trail/hour");
    hour["time"] = json!((now() + SignedDuration::from_mins(10)).to_string());
    let hour = serde_json::from_value(hour).unwrap();
    let (trail, store, stack) = (&sandbox.trail, &sandbox.store, watched_stack());
    watch_trail::handle(trail, store, sandbox.system(), &stack, Timestamp::MAX, hour)
        .await
        .into()
}

/// Both findings are noted, and nothing else is.
fn noted(evidence: &Evidence, _: &Given) -> bool {
    let keys = evidence.tokens.iter().map(|item| item["pk"]["S"].as_str());
    let mut findings: Vec<_> = keys
        .filter_map(|key| key?.strip_prefix("FINDING#"))
        .collect();
    findings.sort_unstable();
    findings == ["91235988-eb87-476a-ac2c-0cdc244e6dca", "stolen"]
}

/// A record of the audit log was changed.
fn tampered<'a>(sandbox: &'a Sandbox<'_>) -> Step<'a, Given> {
    Box::pin(async {
        let given = created(sandbox).await;
        let mut event = sample!("send-notifications/record-changed");
        let images = sandbox.world.engine.audit_images().await;
        event["Records"][0]["dynamodb"]["OldImage"] = images[0].clone();
        event["Records"][0]["dynamodb"]["NewImage"] = images[0].clone();
        event["Records"][0]["dynamodb"]["NewImage"]["tokenName"] = json!({"S": "Forged"});
        Given { event, ..given }
    })
}

/// Every scenario of a function that serves no operation.
#[rustfmt::skip]
pub(crate) fn events() -> Vec<Scenario> {
    vec![
        Scenario::new("authorize", "", |sandbox, given| Box::pin(authorize(sandbox, given, "GET")))
            .after(token).does(Once("access")),
        Scenario::new("authorize", "a second time", |sandbox, given| Box::pin(async move {
            authorize(sandbox, given, "GET").await;
            authorize(sandbox, given, "GET").await
        })).after(token).does(Once("access")),
        Scenario::new("authorize", "what needs the resource's owner", |sandbox, given| Box::pin(authorize(sandbox, given, "DELETE")))
            .after(token).does(Once("access")),
        Scenario::new("authorize", "of a revoked token", |sandbox, given| Box::pin(authorize(sandbox, given, "GET")))
            .after(revoked).answers(403).does(AtMost("refused")),
        Scenario::new("receive-leak-report", "of a current secret", |sandbox, given| Box::pin(report(sandbox, &given.secret)))
            .after(replaced).does(Once("leak")).delivered(),
        Scenario::new("receive-leak-report", "of an ended secret", |sandbox, given| Box::pin(report(sandbox, &given.other)))
            .after(ended).does(Once("leak")).delivered(),

        Scenario::new("sync-platform", "a resource", syncs!("sync-platform/resource-upserted")).delivered()
            .does(State(|evidence, _| evidence.item("RESOURCE#acme", "export#exp_returns").is_some())),
        Scenario::new("sync-platform", "a resource is gone", |sandbox, _| Box::pin(async move {
            let mut event = sample!("sync-platform/resource-deleted");
            event["detail"]["id"] = json!("exp_orders");
            sync(sandbox, event).await
        })).delivered().does(State(|evidence, _| {
            evidence.item("RESOURCE#acme", "export#exp_orders").is_some_and(|item| item["deletedAt"].is_object())
        })),
        Scenario::new("sync-platform", "an app", syncs!("sync-platform/integration-upserted")).delivered()
            .does(State(|evidence, _| evidence.item("RESOURCE#acme", "INTEGRATION#app1").is_some())),
        Scenario::new("sync-platform", "an app is gone", syncs!("sync-platform/integration-deleted")).delivered()
            .does(State(|evidence, _| {
                evidence.item("RESOURCE#acme", "INTEGRATION#app1").is_some_and(|item| item["deletedAt"].is_object())
            })),
        Scenario::new("sync-platform", "a member is gone", |sandbox, _| Box::pin(sync(sandbox, without_admin())))
            .after(chosen).delivered().does(State(|evidence, _| {
                let left = [("USER#admin-1", "ACCOUNT#acme"), ("PREFERENCES#acme", "USER#admin-1")];
                left.iter().all(|(pk, sk)| evidence.item(pk, sk).is_none())
                    && evidence.item("USER#owner-1", "ACCOUNT#acme").is_some()
            })),
        Scenario::new("sync-platform", "an account is gone", syncs!("sync-platform/account-deleted"))
            .after(|sandbox| Box::pin(async {
                sync(sandbox, sample!("sync-platform/integration-upserted")).await;
                chosen(sandbox).await
            })).delivered().does(State(|evidence, given| {
                let memberships = evidence.items("USER#");
                let memberships = memberships.iter().filter(|item| item["sk"]["S"] == "ACCOUNT#acme").count();
                let app = evidence.item("RESOURCE#acme", "INTEGRATION#app1");
                let is_revoked = evidence.token(&given.token).is_some_and(|token| token["accountDeleted"]["BOOL"] == true);
                memberships == 0 && is_revoked && evidence.items("PREFERENCES#acme").is_empty()
                    && app.is_some_and(|item| item["deletedAt"].is_object())
            })),
        Scenario::new("sync-platform", "what doesn't parse", |sandbox, _| Box::pin(sync(sandbox, json!({})))).delivered(),

        Scenario::new("record-purges", "", |sandbox, given| Box::pin(async move {
            let event = serde_json::from_value(given.event.clone()).unwrap();
            let done = record_purges::handle(&sandbox.store, event).await;
            done.batch_item_failures.is_empty().into()
        })).after(purged).delivered().does(Once("purge")),
        Scenario::new("remind-expiring", "", |sandbox, _| Box::pin(async move {
            let event = serde_json::from_value(sample!("remind-expiring/daily")).unwrap();
            let warnings = Warnings::parse("7,3,1").unwrap();
            let (store, until) = (&sandbox.store, Timestamp::MAX);
            remind_expiring::handle(store, sandbox.system(), &warnings, until, event).await.into()
        })).after(ending).delivered().does(Once("remind")),
        Scenario::new("revoke-idle", "", |sandbox, _| Box::pin(revoke_idle(sandbox))).after(idle).delivered().does(Once("revoke")),
        Scenario::new("revoke-idle", "a used one", |sandbox, _| Box::pin(revoke_idle(sandbox))).after(used).delivered()
            .does(State(|evidence, given| evidence.token(&given.token).is_some_and(|token| {
                let activity = token["lastActivity"]["N"].as_str().and_then(|at| at.parse::<i64>().ok());
                token["status"]["S"] == "active" && activity > Some(now().as_second())
            }))),

        Scenario::new("watch-trail", "", |sandbox, given| Box::pin(watch(sandbox, given))).after(intruded).delivered()
            .does(State(noted)),

        Scenario::new("send-notifications", "", |sandbox, given| Box::pin(stream(sandbox, given)))
            .after(renamed).delivered().does(State(all_mailed)),
        Scenario::new("send-notifications", "with names", |sandbox, given| Box::pin(stream(sandbox, given)))
            .after(rescoped).delivered().does(State(all_mailed)),
        Scenario::new("send-notifications", "with one name", |sandbox, given| Box::pin(stream(sandbox, given)))
            .after(rescoped_to_one).delivered().does(State(all_mailed)),
        Scenario::new("send-notifications", "some once a day", |sandbox, given| Box::pin(stream(sandbox, given)))
            .after(renamed_daily).delivered().does(State(all_mailed)),
        Scenario::new("send-notifications", "over the budget", |sandbox, given| Box::pin(stream(sandbox, given)))
            .after(renamed).delivered().does(State(all_mailed)).with_budgets(one_mail),
        Scenario::new("send-notifications", "of what can't wait, and to an address that bounces", |sandbox, given| Box::pin(stream(sandbox, given)))
            .after(shown).delivered().does(State(|evidence, _| {
                evidence.items("MAIL#").iter().all(|item| item["state"]["S"] == "sent")
                    && evidence.mails.iter().any(|mail| mail.subject.contains("mail"))
            })),
        Scenario::new("send-notifications", "of tampering", |sandbox, given| Box::pin(async move {
            sandbox.deliver(given.event.clone()).await.into()
        })).after(tampered).delivered().does(Once("tamper")),
        Scenario::new("send-digests", "", |sandbox, _| Box::pin(async move {
            let (store, notifier) = (&sandbox.store, &sandbox.notifier);
            send_digests::handle(store, notifier, sandbox.system(), Timestamp::MAX).await.into()
        })).after(held).delivered().with_budgets(one_mail).does(State(|evidence, _| {
            let to = |address: &str| evidence.mails.iter().filter(|mail| mail.to == address && !mail.subject.contains("API token \u{201c}")).count();
            evidence.items("DIGESTS").is_empty() && to("owner@acme.example") > 0 && to("admin@acme.example") > 0
        })),
        Scenario::new("record-mail-feedback", "", |sandbox, _| Box::pin(async move {
            let event = serde_json::from_value(sample!("record-mail-feedback/bounce")).unwrap();
            let (store, notifier) = (&sandbox.store, &sandbox.notifier);
            record_mail_feedback::handle(store, notifier, sandbox.system(), event).await.into()
        })).delivered().does(State(|evidence, _| {
            let to = |address: &str| evidence.mails.iter().filter(|mail| mail.to == address).count();
            evidence.items("ADDRESS#").len() == 1 && to("owner@acme.example") > 0 && to("admin@acme.example") == 0
        })),
    ]
}
