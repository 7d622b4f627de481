//! Lists of tokens are complete, up to date and of a bounded cost.

use aws_sdk_dynamodb::types::{PutRequest, WriteRequest};

use super::calls::Calls;
use super::*;
use crate::domain::auto_purge::AutoPurge;
use crate::domain::id::AccountId;
use crate::domain::paging::{Page, TokenFilter, TokenOrder, TokenQuery};
use crate::domain::token::Status;
use crate::ports::ListTokens;
use crate::store::items::{TokenItem, to_item, without_nulls};
use crate::testing::{FixedEntropy, acme, globex, token_at};

fn query(limit: usize, after: Option<TokenId>) -> TokenQuery {
    TokenQuery {
        filter: TokenFilter::default(),
        order: TokenOrder::Newest,
        limit,
        after,
    }
}

fn search(words: &str, limit: usize, after: Option<TokenId>) -> TokenQuery {
    TokenQuery {
        filter: TokenFilter {
            keywords: Some(words.into()),
            ..TokenFilter::default()
        },
        ..query(limit, after)
    }
}

async fn list(engine: &Engine, query: &TokenQuery) -> Page<Token, TokenId> {
    let page = engine.store.list_tokens(&acme().id, query, now()).await;
    page.unwrap()
}

fn names(page: &Page<Token, TokenId>) -> Vec<&str> {
    page.items.iter().map(|token| token.name.as_str()).collect()
}

/// A token created that many seconds from now.
fn named(name: &str, seconds: i64) -> Token {
    Token {
        name: name.into(),
        ..token_at(later(seconds))
    }
}

async fn add(engine: &Engine, names: &[&str]) {
    for (second, name) in (0..).zip(names) {
        engine.add(named(name, second)).await;
    }
}

/// Puts tokens directly into the table, many at a time.
async fn put(engine: &Engine, tokens: impl Iterator<Item = Token>) {
    let requests: Vec<_> = tokens
        .map(|token| {
            let stored = StoredToken {
                token,
                ..stored_token()
            };
            let item = without_nulls(to_item(&TokenItem::from(&stored)).unwrap());
            let put = PutRequest::builder().set_item(Some(item)).build().unwrap();
            WriteRequest::builder().put_request(put).build()
        })
        .collect();
    for batch in requests.chunks(25) {
        let write = engine.client.batch_write_item();
        let written = write.request_items("Tokens", batch.to_vec()).send().await;
        assert!(
            written
                .unwrap()
                .unprocessed_items
                .unwrap_or_default()
                .is_empty()
        );
    }
}

/// Reads all pages and returns the names and the number of pages.
async fn walk(engine: &Engine, mut query: TokenQuery) -> (Vec<String>, usize) {
    let (mut found, mut pages) = (Vec::new(), 0);
    loop {
        let page = list(engine, &query).await;
        assert!(page.items.len() <= query.limit);
        found.extend(page.items.into_iter().map(|token| token.name));
        pages += 1;
        match page.next {
            Some(next) => query.after = Some(next),
            None => return (found, pages),
        }
    }
}

#[tokio::test]
async fn pages_are_newest_first_and_leave_nothing_out() {
    let engine = Engine::with_accounts().await;
    add(&engine, &["a", "b", "c", "d", "e"]).await;
    let first = list(&engine, &query(2, None)).await;
    assert_eq!(names(&first), ["e", "d"]);
    let second = list(&engine, &query(2, first.next)).await;
    assert_eq!(names(&second), ["c", "b"]);
    let third = list(&engine, &query(2, second.next)).await;
    assert_eq!(names(&third), ["a"]);
    assert_eq!(third.next, None);
}

#[tokio::test]
async fn a_last_page_that_is_full_is_the_last() {
    let engine = Engine::with_accounts().await;
    add(&engine, &["a", "b", "c", "d"]).await;
    let all = list(&engine, &query(4, None)).await;
    assert_eq!((all.items.len(), all.next), (4, None));
    let (found, pages) = walk(&engine, query(2, None)).await;
    assert_eq!((found.join(""), pages), ("dcba".into(), 2));
}

#[tokio::test]
async fn an_account_without_tokens_has_one_empty_page() {
    let engine = Engine::with_accounts().await;
    let page = list(&engine, &query(50, None)).await;
    assert_eq!((page.items.len(), page.next), (0, None));
}

#[tokio::test]
async fn a_new_token_is_in_the_very_next_list_whatever_its_choice() {
    let engine = Engine::with_accounts().await;
    for choice in AutoPurge::ALL {
        let token = Token {
            auto_purge: choice,
            purge_at: choice.purge_at(now()),
            ..token_at(now())
        };
        let stored = engine.add(token).await;
        let page = list(&engine, &query(50, None)).await;
        assert!(page.items.contains(&stored.token), "{choice:?}");
    }
}

#[tokio::test]
async fn a_page_goes_on_behind_a_token_that_is_gone() {
    let engine = Engine::with_accounts().await;
    add(&engine, &["a", "b", "c"]).await;
    let first = list(&engine, &query(1, None)).await;
    engine.remove(&first.items[0]).await;
    let second = list(&engine, &query(2, first.next)).await;
    assert_eq!(names(&second), ["b", "a"]);
}

#[tokio::test]
async fn a_purged_token_is_hidden_and_takes_no_place_on_a_page() {
    let engine = Engine::with_accounts().await;
    add(&engine, &["a"]).await;
    for (second, purge_at) in [(1, now()), (2, later(-3_600))] {
        let mut token = named("purged", second);
        token.purge_at = Some(purge_at);
        engine.add(token).await;
    }
    let mut ending = named("b", 3);
    ending.purge_at = Some(later(1));
    engine.add(ending).await;
    let page = list(&engine, &query(2, None)).await;
    assert_eq!((names(&page), page.next.clone()), (vec!["b", "a"], None));
    let page = list(&engine, &query(1, None)).await;
    assert_eq!(names(&page), ["b"]);
    let page = list(&engine, &query(1, page.next)).await;
    assert_eq!((names(&page), page.next.clone()), (vec!["a"], None));
}

#[tokio::test]
async fn no_list_shows_tokens_of_another_account() {
    let engine = Engine::with_accounts().await;
    add(&engine, &["ours"]).await;
    let mut theirs = named("theirs", 1);
    theirs.account_id = globex().id;
    engine.add(theirs).await;
    let page = list(&engine, &query(50, None)).await;
    assert_eq!(names(&page), ["ours"]);
    let page = list(&engine, &search("theirs", 50, None)).await;
    assert_eq!((page.items.len(), page.next), (0, None));
    // An account whose id is a prefix of the other one's.
    let prefix: AccountId = "acm".parse().unwrap();
    let page = engine
        .store
        .list_tokens(&prefix, &query(50, None), now())
        .await;
    assert_eq!(page.unwrap().items, []);
}

#[tokio::test]
async fn a_filter_finds_all_over_all_pages() {
    let engine = Engine::with_accounts().await;
    add(&engine, &["a x", "b", "c x", "d", "e", "f x", "g"]).await;
    let (found, pages) = walk(&engine, search("X", 2, None)).await;
    assert_eq!((found.join(","), pages), ("f x,c x,a x".into(), 2));
    let gone = engine.add(named("h", 10)).await;
    engine.revoke(gone).await;
    let revoked = TokenQuery {
        filter: TokenFilter {
            status: Some(Status::Revoked),
            ..TokenFilter::default()
        },
        ..query(2, None)
    };
    assert_eq!(walk(&engine, revoked).await.0, ["h"]);
}

#[tokio::test]
async fn a_search_reads_a_bounded_number_of_tokens_for_one_page() {
    let engine = Engine::with_accounts().await;
    // Ids of the same time sort by their random part.
    let at = |second: i64, name: &str| Token {
        id: TokenId::generate(later(second), &FixedEntropy([1; 32])).unwrap(),
        name: name.into(),
        ..token_at(now())
    };
    let hay = (1..=1_200).map(|second| at(second, "hay"));
    put(&engine, hay.chain([at(0, "needle")])).await;
    let (calls, store) = Calls::noted(&engine);
    let first = store
        .list_tokens(&acme().id, &search("needle", 1, None), now())
        .await;
    let first = first.unwrap();
    assert_eq!(first.items, []);
    assert_eq!(calls.take().len(), 10);
    let second = list(&engine, &search("needle", 1, first.next)).await;
    assert_eq!(
        (names(&second), second.next.clone()),
        (vec!["needle"], None)
    );
}

#[tokio::test]
async fn many_purged_tokens_do_not_make_a_list_dear() {
    let engine = Engine::with_accounts().await;
    let purged = (1..=300).map(|second| Token {
        purge_at: Some(now()),
        ..named("purged", second)
    });
    put(&engine, purged.chain([named("a", -1), named("b", 400)])).await;
    let (calls, store) = Calls::noted(&engine);
    let page = store.list_tokens(&acme().id, &query(1, None), now()).await;
    let page = page.unwrap();
    assert_eq!(names(&page), ["b"]);
    assert!(page.next.is_some());
    let count = calls.take().len();
    assert!(count <= 5, "{count} calls");
    assert_eq!(walk(&engine, query(1, None)).await.0, ["b", "a"]);
}
