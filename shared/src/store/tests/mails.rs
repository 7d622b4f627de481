//! Each recipient gets one mail per record, although the stream delivers records more than once.

use super::*;
use crate::domain::id::UserId;
use crate::ports::{Claim, ClaimMail};

fn user(id: &str) -> UserId {
    id.parse().unwrap()
}

async fn claim(engine: &Engine, audit: &str, recipient: &str, second: i64) -> Claim {
    let recipient = user(recipient);
    let claim = engine
        .store
        .claim_mail(audit, &recipient, later(second))
        .await;
    claim.unwrap()
}

#[tokio::test]
async fn a_claim_is_granted_once_and_held_until_it_is_confirmed() {
    let engine = Engine::start().await;
    assert_eq!(claim(&engine, "aud_1", "u", 0).await, Claim::Granted);
    assert_eq!(claim(&engine, "aud_1", "u", 1).await, Claim::Held);
    let confirmed = engine
        .store
        .confirm_mail("aud_1", &user("u"), later(2))
        .await;
    confirmed.unwrap();
    assert_eq!(claim(&engine, "aud_1", "u", 3).await, Claim::Sent);
}

#[tokio::test]
async fn every_record_and_recipient_has_a_claim_of_its_own() {
    let engine = Engine::start().await;
    for (audit, recipient) in [("aud_1", "u"), ("aud_1", "v"), ("aud_2", "u")] {
        let claim = claim(&engine, audit, recipient, 0).await;
        assert_eq!(claim, Claim::Granted, "{audit} {recipient}");
    }
}

#[tokio::test]
async fn of_many_claims_at_once_one_is_granted() {
    let engine = Engine::start().await;
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..20 {
        let store = engine.store.clone();
        tasks.spawn(async move { store.claim_mail("aud_1", &user("u"), now()).await });
    }
    let claims = tasks.join_all().await.into_iter();
    let granted = claims.filter(|claim| matches!(claim, Ok(Claim::Granted)));
    assert_eq!(granted.count(), 1);
}

#[tokio::test]
async fn an_abandoned_claim_is_granted_to_the_next() {
    let engine = Engine::start().await;
    assert_eq!(claim(&engine, "aud_1", "u", 0).await, Claim::Granted);
    assert_eq!(claim(&engine, "aud_1", "u", 120).await, Claim::Held);
    assert_eq!(claim(&engine, "aud_1", "u", 121).await, Claim::Granted);
    assert_eq!(claim(&engine, "aud_1", "u", 122).await, Claim::Held);
}

#[tokio::test]
async fn a_sent_mail_stays_sent_however_late_the_retry() {
    let engine = Engine::start().await;
    assert_eq!(claim(&engine, "aud_1", "u", 0).await, Claim::Granted);
    let confirmed = engine.store.confirm_mail("aud_1", &user("u"), now()).await;
    confirmed.unwrap();
    let fortnight = 14 * 24 * 60 * 60;
    assert_eq!(claim(&engine, "aud_1", "u", fortnight).await, Claim::Sent);
}

#[tokio::test]
async fn a_claim_that_was_given_back_is_granted_again() {
    let engine = Engine::start().await;
    assert_eq!(claim(&engine, "aud_1", "u", 0).await, Claim::Granted);
    let released = engine.store.release_mail("aud_1", &user("u")).await;
    released.unwrap();
    assert_eq!(claim(&engine, "aud_1", "u", 1).await, Claim::Granted);
}
