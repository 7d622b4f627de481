use std::time::Duration;

use latchkey::domain::auto_purge::AutoPurge;
use latchkey::domain::token::Token;
use latchkey::testing::{Answer, Engine, Event, FixedClock, globex, now, token_at};
use serde_json::Value;

use super::*;

async fn call(engine: &Engine, event: &Event) -> Answer {
    call_at(engine, FixedClock(now()), event).await
}

async fn call_at(engine: &Engine, clock: FixedClock, event: &Event) -> Answer {
    Answer::of(handle(&engine.store, &clock, event.request()).await)
}

fn first_page() -> Event {
    Event::sample(include_str!("../../../events/list-tokens/first-page.json"))
}

fn list() -> Event {
    first_page().query("")
}

/// Returns a token of that name, created some minutes ago.
fn aged(minutes: u64, name: &str) -> Token {
    Token {
        name: name.into(),
        description: String::new(),
        ..token_at(now() - Duration::from_mins(minutes))
    }
}

fn names(answer: &Answer) -> Vec<&str> {
    assert_eq!(answer.status, 200, "{}", answer.text);
    let tokens = answer.json["tokens"].as_array().unwrap();
    tokens
        .iter()
        .map(|token| token["name"].as_str().unwrap())
        .collect()
}

/// Creates four tokens that differ in everything that can be filtered by. `d` is the oldest.
async fn assorted() -> Engine {
    let engine = Engine::with_accounts().await;
    let app = |minutes, name, app: &str| Token {
        kind: Kind::IntegrationApp,
        integration_id: Some(app.parse().unwrap()),
        ..aged(minutes, name)
    };
    engine.add(app(3, "c", "app1")).await;
    let described = Token {
        description: "Kept in the Straße's vault".into(),
        ..aged(1, "a")
    };
    engine.add(described).await;
    let revoked = engine.add(app(4, "d", "app2")).await;
    engine.revoke(revoked).await;
    let revoked = engine.add(aged(2, "b")).await;
    engine.revoke(revoked).await;
    engine
}

#[tokio::test]
async fn tokens_are_listed_newest_first() {
    let engine = assorted().await;
    let answer = call(&engine, &list()).await;
    assert_eq!(names(&answer), ["a", "b", "c", "d"]);
    assert_eq!(answer.json["nextCursor"], Value::Null);
    assert_eq!(answer.header("link"), "");
}

#[tokio::test]
async fn tokens_are_listed_oldest_first_too_on_every_page() {
    let engine = assorted().await;
    let first = |answer: &Answer| names(answer)[0].to_owned();
    for (query, expected) in [
        ("order=newest", ["a", "b", "c", "d"]),
        ("order=oldest", ["d", "c", "b", "a"]),
    ] {
        let answer = call(&engine, &list().query(query)).await;
        assert_eq!(names(&answer), expected);
        let mut event = list().query(&format!("{query}&limit=1"));
        let mut seen = vec![];
        loop {
            let answer = call(&engine, &event).await;
            seen.push(first(&answer));
            let Some(next) = answer.next() else { break };
            event = list().query(next);
        }
        assert_eq!(seen, expected);
    }
    let query = "order=oldest&kind=integrationApp";
    let answer = call(&engine, &list().query(query)).await;
    assert_eq!(names(&answer), ["d", "c"]);
    let answer = call(&engine, &list().query("order=name")).await;
    assert_eq!(answer.failures(), [("order", "invalid_parameter")]);
}

#[tokio::test]
async fn a_cursor_is_for_the_order_of_its_list() {
    let engine = assorted().await;
    for (order, other) in [("oldest", "newest"), ("newest", "oldest")] {
        let page = call(&engine, &list().query(&format!("order={order}&limit=1"))).await;
        let cursor = page.json["nextCursor"].as_str().unwrap();
        let query = format!("order={other}&cursor={cursor}");
        let answer = call(&engine, &list().query(&query)).await;
        assert_eq!(answer.outcome(), (400, "invalid_cursor"));
    }
}

#[tokio::test]
async fn an_account_without_tokens_has_an_empty_list() {
    let engine = Engine::with_accounts().await;
    assert_eq!(names(&call(&engine, &list()).await), [""; 0]);
}

#[tokio::test]
async fn a_list_tells_nothing_of_secrets_but_the_hint() {
    let engine = Engine::with_accounts().await;
    let stored = engine.add(aged(1, "a")).await;
    let answer = call(&engine, &list()).await;
    assert_eq!(answer.json["tokens"][0]["hint"], stored.token.hint);
    assert!(!answer.text.contains(&stored.secret_hash.to_hex()));
    assert!(!answer.text.to_lowercase().contains("cipher"));
}

#[tokio::test]
async fn a_list_shows_only_what_was_asked_for() {
    let engine = assorted().await;
    for (query, expected) in [
        ("status=active", &["a", "c"][..]),
        ("status=revoked", &["b", "d"]),
        ("kind=account", &["a", "b"]),
        ("kind=integrationApp", &["c", "d"]),
        ("integrationId=app1", &["c"]),
        ("integrationId=app9", &[]),
        ("status=revoked&kind=integrationApp", &["d"]),
        ("status=&kind=&q=&integrationId=", &["a", "b", "c", "d"]),
        ("q=VAULT", &["a"]),
        ("q=stra%C3%9Fe+kept", &["a"]),
        // Case and normalization form don't matter.
        ("q=STRASSE", &["a"]),
        ("q=vault%20nothing", &[]),
        ("q=%23%26%3D", &[]),
        ("q=vault&status=revoked", &[]),
    ] {
        let answer = call(&engine, &list().query(query)).await;
        assert_eq!(names(&answer), expected, "{query}");
    }
}

#[tokio::test]
async fn a_token_that_never_ends_is_in_the_very_next_list() {
    let engine = Engine::with_accounts().await;
    let never = engine.add(aged(0, "forever")).await;
    assert_eq!(never.token.auto_purge, AutoPurge::Never);
    let answer = call(&engine, &list()).await;
    assert_eq!(names(&answer), ["forever"]);
    assert_eq!(answer.json["tokens"][0]["purgeAt"], Value::Null);
}

#[tokio::test]
async fn a_token_is_gone_from_the_very_instant_of_its_purge() {
    let engine = Engine::with_accounts().await;
    let purge_at = now() + Duration::from_hours(1);
    let mortal = Token {
        auto_purge: AutoPurge::OneHour,
        purge_at: Some(purge_at),
        ..aged(0, "mortal")
    };
    engine.add(mortal).await;
    engine.add(aged(1, "other")).await;
    let just_before = FixedClock(purge_at - Duration::from_millis(1));
    let before = call_at(&engine, just_before, &list()).await;
    assert_eq!(names(&before), ["mortal", "other"]);
    // It takes up no room on a page either.
    let one = list().query("limit=1");
    let after = call_at(&engine, FixedClock(purge_at), &one).await;
    assert_eq!(names(&after), ["other"]);
    assert_eq!(after.next(), None);
}

#[tokio::test]
async fn another_accounts_tokens_are_never_listed() {
    let engine = assorted().await;
    let foreign = Token {
        account_id: globex().id,
        ..aged(0, "foreign")
    };
    engine.add(foreign).await;
    let mine = call(&engine, &list()).await;
    assert_eq!(names(&mine), ["a", "b", "c", "d"]);
    let theirs = call(&engine, &list().account("globex").by("owner-2")).await;
    assert_eq!(names(&theirs), ["foreign"]);
}

#[tokio::test]
async fn nobody_but_owner_and_administrator_sees_tokens() {
    let engine = assorted().await;
    let answer = async |event: Event| call(&engine, &event).await;
    engine.refuses(list().by_the_unauthorized(), answer).await;
    let administrator = call(&engine, &list().by("admin-1")).await;
    assert_eq!(names(&administrator).len(), 4);
}

/// Returns the names on all pages, starting with the page of that query. Runs `between` between pages.
async fn all_pages(engine: &Engine, query: &str, between: impl AsyncFn()) -> Vec<Vec<String>> {
    let mut pages = Vec::new();
    let mut next = Some(query.to_owned());
    while let Some(query) = next {
        let answer = call(engine, &list().query(&query)).await;
        pages.push(names(&answer).into_iter().map(Into::into).collect());
        next = answer.next().map(Into::into);
        let cursor = answer.json["nextCursor"].as_str();
        assert_eq!(cursor.is_some(), next.is_some());
        between().await;
    }
    pages
}

#[tokio::test]
async fn the_link_leads_through_all_pages_without_gap_or_repetition() {
    let engine = Engine::with_accounts().await;
    for minutes in 1..=6 {
        engine.add(aged(minutes, &minutes.to_string())).await;
    }
    let pages = all_pages(&engine, "limit=4", async || ()).await;
    assert_eq!(pages, [&["1", "2", "3", "4"][..], &["5", "6"]]);
    // A full last page has no next page either.
    let pages = all_pages(&engine, "limit=3", async || ()).await;
    assert_eq!(pages, [["1", "2", "3"], ["4", "5", "6"]]);
}

#[tokio::test]
async fn pages_stay_whole_while_tokens_come_and_go() {
    let engine = Engine::with_accounts().await;
    let mut removed = None;
    for minutes in 1..=6 {
        let stored = engine.add(aged(minutes, &minutes.to_string())).await;
        if minutes == 2 {
            removed = Some(stored.token);
        }
    }
    let between = async || {
        engine.add(aged(0, "new")).await;
        // The first page ended at this token.
        engine.remove(removed.as_ref().unwrap()).await;
    };
    let pages = all_pages(&engine, "limit=2", between).await;
    assert_eq!(pages, [["1", "2"], ["3", "4"], ["5", "6"]]);
}

#[tokio::test]
async fn the_link_keeps_the_filter() {
    let engine = Engine::with_accounts().await;
    for minutes in 1..=6 {
        let name = if minutes % 2 == 0 { "ä & b" } else { "other" };
        engine.add(aged(minutes, name)).await;
    }
    let pages = all_pages(&engine, "limit=1&q=%C3%A4+%26&status=active", async || ()).await;
    assert_eq!(pages, [["ä & b"], ["ä & b"], ["ä & b"]]);
}

#[tokio::test]
async fn tokens_of_the_same_millisecond_are_all_listed() {
    let engine = Engine::with_accounts().await;
    for name in ["a", "b", "c", "d", "e"] {
        engine.add(aged(1, name)).await;
    }
    let pages = all_pages(&engine, "limit=2", async || ()).await;
    let mut all = pages.concat();
    all.sort();
    assert_eq!(all, ["a", "b", "c", "d", "e"]);
}

#[tokio::test]
async fn a_query_that_is_not_understood_is_refused() {
    let engine = assorted().await;
    for (query, failure) in [
        ("limit=0", ("limit", "invalid_parameter")),
        ("limit=101", ("limit", "invalid_parameter")),
        ("limit=x", ("limit", "invalid_parameter")),
        ("limit=-1", ("limit", "invalid_parameter")),
        ("limit=1.5", ("limit", "invalid_parameter")),
        ("status=gone", ("status", "invalid_parameter")),
        ("kind=user", ("kind", "invalid_parameter")),
        (
            "integrationId=a%20b",
            ("integrationId", "invalid_parameter"),
        ),
        ("Limit=1", ("Limit", "unknown_parameter")),
        ("page=2", ("page", "unknown_parameter")),
        ("limit=1&limit=2", ("limit", "repeated_parameter")),
    ] {
        let answer = call(&engine, &list().query(query)).await;
        assert_eq!(answer.outcome(), (422, "validation_failed"), "{query}");
        assert_eq!(answer.failures(), [failure], "{query}");
    }
    let answer = call(&engine, &list().query("limit=0&page=2&status=gone")).await;
    assert_eq!(answer.failures().len(), 3);
    let answer = call(&engine, &list().query("limit=100")).await;
    assert_eq!(names(&answer).len(), 4);
}

#[tokio::test]
async fn a_cursor_means_nothing_to_another_list() {
    let engine = assorted().await;
    let page = call(&engine, &first_page()).await;
    assert_eq!(names(&page), ["a", "b"]);
    let cursor = page.json["nextCursor"].as_str().unwrap();
    let with = |query: &str| list().query(&format!("{query}&cursor={cursor}"));
    let invalid = (400, "invalid_cursor");
    for event in [
        with("limit=2&status=active"),
        with("limit=2").account("globex").by("owner-2"),
        list().query(&format!("cursor={cursor}A")),
        list().query(&format!("cursor=A{cursor}")),
        list().query("cursor=tok_01ARZ3NDEKTSV4RRFFQ69G5FAV"),
        list().query("cursor=%00"),
    ] {
        assert_eq!(call(&engine, &event).await.outcome(), invalid, "{event:?}");
    }
    // Another page size is the same list.
    let rest = call(&engine, &with("limit=50")).await;
    assert_eq!(names(&rest), ["c", "d"]);
}
