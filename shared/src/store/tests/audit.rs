//! The audit log is ordered, limited to one account, and append-only.

use aws_sdk_dynamodb::types::{PutRequest, WriteRequest};
use jiff::SignedDuration;
use proptest::prelude::*;

use super::calls::Calls;
use super::*;
use crate::domain::id::{AccountId, AuditId};
use crate::domain::paging::{AuditFilter, AuditQuery, Page};
use crate::ports::{ListAudit, RecordView};
use crate::store::items::{AuditItem, to_item};
use crate::testing::{acme, globex, token};

type Records = Page<AuditRecord, AuditId>;

fn query() -> AuditQuery {
    AuditQuery {
        token_id: None,
        filter: AuditFilter::default(),
        from: None,
        to: None,
        limit: 100,
        after: None,
    }
}

async fn list(engine: &Engine, account: &AccountId, query: &AuditQuery) -> Records {
    engine.store.list_audit(account, query).await.unwrap()
}

/// The times of a page's records, in seconds from now.
fn seconds(page: &Records) -> Vec<i64> {
    let second = |record: &AuditRecord| record.time.as_second() - now().as_second();
    page.items.iter().map(second).collect()
}

fn made(action: Action, token: &Token, second: i64) -> AuditRecord {
    AuditRecord::new(action, token, vec![], origin(), later(second), &System).unwrap()
}

/// Puts records directly into the table, many at a time.
async fn put(engine: &Engine, records: impl IntoIterator<Item = AuditRecord>) {
    let requests: Vec<_> = records
        .into_iter()
        .map(|record| {
            let item = to_item(&AuditItem::new(&record, later(0))).unwrap();
            let put = PutRequest::builder().set_item(Some(item)).build().unwrap();
            WriteRequest::builder().put_request(put).build()
        })
        .collect();
    for batch in requests.chunks(25) {
        let write = engine.client.batch_write_item();
        let written = write.request_items("Audit", batch.to_vec()).send().await;
        assert!(
            written
                .unwrap()
                .unprocessed_items
                .unwrap_or_default()
                .is_empty()
        );
    }
}

/// An engine with one record of the token in each of the first ten seconds.
async fn ten() -> Engine {
    let engine = Engine::with_accounts().await;
    put(&engine, (0..10).map(|s| made(Action::View, &token(), s))).await;
    engine
}

#[tokio::test]
async fn pages_are_newest_first_and_leave_nothing_out() {
    let engine = ten().await;
    for token_id in [None, Some(token().id)] {
        let mut query = AuditQuery {
            token_id,
            limit: 4,
            ..query()
        };
        let mut found = Vec::new();
        let mut sizes = Vec::new();
        loop {
            let page = list(&engine, &acme().id, &query).await;
            found.extend(seconds(&page));
            sizes.push(page.items.len());
            match page.next {
                Some(next) => query.after = Some(next),
                None => break,
            }
        }
        assert_eq!(found, [9, 8, 7, 6, 5, 4, 3, 2, 1, 0]);
        assert_eq!(sizes, [4, 4, 2]);
    }
}

#[tokio::test]
async fn a_last_page_that_is_full_is_the_last() {
    let engine = ten().await;
    let mut query = AuditQuery {
        limit: 5,
        ..query()
    };
    let first = list(&engine, &acme().id, &query).await;
    query.after = first.next;
    let second = list(&engine, &acme().id, &query).await;
    assert_eq!((second.items.len(), second.next), (5, None));
}

#[tokio::test]
async fn a_range_starts_with_its_first_moment_and_ends_before_its_last() {
    let engine = ten().await;
    let range = |from: Option<i64>, to: Option<i64>| AuditQuery {
        from: from.map(later),
        to: to.map(later),
        ..query()
    };
    for (query, expected) in [
        (range(Some(3), Some(6)), vec![5, 4, 3]),
        (range(Some(8), None), vec![9, 8]),
        (range(None, Some(2)), vec![1, 0]),
        (range(Some(3), Some(3)), vec![]),
        (range(Some(6), Some(3)), vec![]),
        (range(Some(100), None), vec![]),
        (range(None, Some(-100)), vec![]),
    ] {
        let page = list(&engine, &acme().id, &query).await;
        assert_eq!((seconds(&page), page.next), (expected, None), "{query:?}");
    }
}

#[tokio::test]
async fn a_range_is_as_fine_as_its_ends() {
    let engine = ten().await;
    let between = later(3) + SignedDuration::from_nanos(1);
    let from = AuditQuery {
        from: Some(between),
        to: Some(later(6)),
        ..query()
    };
    assert_eq!(seconds(&list(&engine, &acme().id, &from).await), [5, 4]);
    let to = AuditQuery {
        from: Some(later(2)),
        to: Some(between),
        ..query()
    };
    assert_eq!(seconds(&list(&engine, &acme().id, &to).await), [3, 2]);
}

#[tokio::test]
async fn a_range_is_walked_within_its_ends() {
    let engine = ten().await;
    let mut query = AuditQuery {
        from: Some(later(2)),
        to: Some(later(8)),
        limit: 4,
        ..query()
    };
    let first = list(&engine, &acme().id, &query).await;
    assert_eq!(seconds(&first), [7, 6, 5, 4]);
    query.after = first.next;
    let second = list(&engine, &acme().id, &query).await;
    assert_eq!((seconds(&second), second.next.clone()), (vec![3, 2], None));
    // A cursor outside the range neither widens the range nor fails.
    query.after = Some(AuditId::first_of(later(100)));
    assert_eq!(
        seconds(&list(&engine, &acme().id, &query).await),
        [7, 6, 5, 4]
    );
    query.after = Some(AuditId::first_of(later(-100)));
    assert_eq!(list(&engine, &acme().id, &query).await.items, []);
}

#[tokio::test]
async fn a_tokens_log_holds_its_own_records_only() {
    let engine = ten().await;
    let other = another().token;
    put(&engine, [made(Action::Create, &other, 20)]).await;
    let of = |id: &TokenId| AuditQuery {
        token_id: Some(id.clone()),
        ..query()
    };
    assert_eq!(list(&engine, &acme().id, &query()).await.items.len(), 11);
    let page = list(&engine, &acme().id, &of(&token().id)).await;
    assert_eq!(page.items.len(), 10);
    let page = list(&engine, &acme().id, &of(&other.id)).await;
    assert_eq!(seconds(&page), [20]);
    let nobodys = of(&another().token.id);
    assert_eq!(list(&engine, &acme().id, &nobodys).await.items, []);
}

#[tokio::test]
async fn no_log_shows_records_of_another_account() {
    let engine = ten().await;
    // The same token id in another account: only the account distinguishes the two.
    let theirs = Token {
        account_id: globex().id,
        ..token()
    };
    put(&engine, [made(Action::Create, &theirs, 30)]).await;
    for token_id in [None, Some(token().id)] {
        let query = AuditQuery {
            token_id,
            ..query()
        };
        let ours = list(&engine, &acme().id, &query).await;
        assert_eq!(ours.items.len(), 10);
        assert!(ours.items.iter().all(|r| r.account_id == acme().id));
        let page = list(&engine, &globex().id, &query).await;
        assert_eq!(seconds(&page), [30]);
    }
}

#[tokio::test]
async fn a_filter_finds_all_over_all_pages() {
    let engine = ten().await;
    let revocations = [2, 4, 6].map(|s| made(Action::Revoke, &token(), s));
    put(&engine, revocations).await;
    let mut query = AuditQuery {
        filter: AuditFilter {
            action: Some(Action::Revoke),
            user_id: Some(owner_actor().id),
            source: Some(origin().source),
        },
        limit: 2,
        ..query()
    };
    let first = list(&engine, &acme().id, &query).await;
    assert_eq!(seconds(&first), [6, 4]);
    query.after = first.next;
    let second = list(&engine, &acme().id, &query).await;
    assert_eq!((seconds(&second), second.next.clone()), (vec![2], None));
    query.filter.user_id = Some("somebody".into());
    query.after = None;
    assert_eq!(list(&engine, &acme().id, &query).await.items, []);
}

#[tokio::test]
async fn a_search_reads_a_bounded_number_of_records_for_one_page() {
    let engine = Engine::with_accounts().await;
    let views = (1..=1_200).map(|s| made(Action::View, &token(), s));
    put(&engine, views.chain([made(Action::Create, &token(), 0)])).await;
    let (calls, store) = Calls::noted(&engine);
    let mut query = AuditQuery {
        filter: AuditFilter {
            action: Some(Action::Create),
            ..AuditFilter::default()
        },
        limit: 1,
        ..query()
    };
    let first = store.list_audit(&acme().id, &query).await.unwrap();
    assert_eq!(first.items, []);
    let count = calls.take().len();
    assert!(count <= 10, "{count} calls");
    query.after = Some(first.next.unwrap());
    let second = list(&engine, &acme().id, &query).await;
    assert_eq!((seconds(&second), second.next.clone()), (vec![0], None));
}

#[tokio::test]
async fn a_record_is_never_overwritten() {
    let (engine, stored) = engine_with_token().await;
    let original = engine.audit(&acme().id).await.remove(0);
    let mut forged = made(Action::View, &stored.token, 0);
    forged.id = original.id.clone();
    let written = engine.store.record_view(&stored, &forged).await;
    assert!(is_conflict(written));
    let mut change = change(&stored, revoked(&stored));
    change.audit.id = original.id.clone();
    assert!(is_conflict(engine.store.change_token(&change).await));
    assert_eq!(engine.audit(&acme().id).await, [original]);
}

/// A record in the partition of uses or in that of changes.
fn of_kind(is_use: bool, second: i64) -> AuditRecord {
    let action = if is_use { Action::Access } else { Action::View };
    made(action, &token(), second)
}

/// The seconds of the records of all pages.
async fn walk(engine: &Engine, mut query: AuditQuery) -> Vec<i64> {
    let mut all = Vec::new();
    loop {
        let page = list(engine, &acme().id, &query).await;
        assert!(page.items.len() <= query.limit);
        all.extend(seconds(&page));
        match page.next {
            Some(next) => query.after = Some(next),
            None => return all,
        }
    }
}

#[tokio::test]
async fn uses_and_refusals_are_in_a_partition_of_their_own_and_in_the_same_log() {
    let engine = Engine::with_accounts().await;
    let actions = [Action::View, Action::Access, Action::Refused, Action::Leak];
    let records = (0..)
        .zip(actions)
        .map(|(s, action)| made(action, &token(), s));
    put(&engine, records).await;
    let mut partitions = Vec::new();
    for image in engine.audit_images().await {
        partitions.push(image["pk"]["S"].as_str().unwrap().to_owned());
    }
    let (changes, uses) = ("ACCOUNT#acme", "USE#acme");
    assert_eq!(partitions, [changes, uses, uses, changes]);
    for token_id in [None, Some(token().id)] {
        let query = AuditQuery {
            token_id,
            ..query()
        };
        let page = list(&engine, &acme().id, &query).await;
        assert_eq!(seconds(&page), [3, 2, 1, 0]);
    }
}

#[tokio::test]
async fn a_cursor_of_either_partition_goes_on_in_both() {
    let engine = Engine::with_accounts().await;
    // Uses in the first five seconds, changes in the next five, then both in turn.
    let kinds = (0..20).map(|s| (s, if s < 10 { s < 5 } else { s % 2 == 0 }));
    let records: Vec<_> = kinds.map(|(s, is_use)| of_kind(is_use, s)).collect();
    put(&engine, records.clone()).await;
    let (calls, store) = Calls::noted(&engine);
    for record in &records {
        let query = AuditQuery {
            after: Some(record.id.clone()),
            ..query()
        };
        let page = store.list_audit(&acme().id, &query).await.unwrap();
        let before = record.time.as_second() - now().as_second();
        let expected: Vec<_> = (0..before).rev().collect();
        assert_eq!((seconds(&page), page.next), (expected, None));
        assert_eq!(calls.take(), ["Query", "Query"]);
    }
}

#[tokio::test]
async fn a_search_among_uses_and_changes_finds_all_over_all_pages() {
    let engine = Engine::with_accounts().await;
    let records = (0..300).map(|s| of_kind(s % 50 == 0, s));
    put(&engine, records).await;
    for limit in [1, 2, 5, 100] {
        let query = AuditQuery {
            filter: AuditFilter {
                action: Some(Action::Access),
                ..AuditFilter::default()
            },
            limit,
            ..query()
        };
        assert_eq!(walk(&engine, query).await, [250, 200, 150, 100, 50, 0]);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn any_page_size_gives_the_same_sequence(
        kinds in prop::collection::vec(any::<bool>(), 0..40),
        limit in 1_usize..45,
        from in prop::option::of(0_i64..40),
        to in prop::option::of(0_i64..40),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let engine = Engine::with_accounts().await;
            let records = (0..).zip(&kinds).map(|(s, is_use)| of_kind(*is_use, s));
            put(&engine, records).await;
            let query = AuditQuery {
                limit,
                from: from.map(later),
                to: to.map(later),
                ..query()
            };
            let end = i64::try_from(kinds.len()).unwrap();
            let expected = from.unwrap_or(0)..to.unwrap_or(end).min(end);
            let expected: Vec<_> = expected.rev().collect();
            prop_assert_eq!(walk(&engine, query).await, expected);
            Ok(())
        })?;
    }
}
