use std::time::Duration;

use latchkey::domain::actor::Actor;
use latchkey::domain::audit::{Change, Origin};
use latchkey::domain::token::{StoredToken, Token};
use latchkey::ports::RecordView;
use latchkey::system::System;
use latchkey::testing::{
    Answer, Engine, Event, acme, globex, now, origin, owner_actor, token, token_at,
};
use serde_json::{Value, json};

use super::*;

async fn call(engine: &Engine, event: &Event) -> Answer {
    Answer::of(handle(&engine.store, event.request()).await)
}

fn account_log() -> Event {
    Event::sample(include_str!("../../../events/list-audit/account.json"))
}

fn token_csv() -> Event {
    Event::sample(include_str!("../../../events/list-audit/token-csv.json"))
}

fn token_log() -> Event {
    token_csv().header("accept", "application/json")
}

/// Records an action on a token, some minutes after now.
async fn log(engine: &Engine, stored: &StoredToken, minutes: u64, action: Action, origin: Origin) {
    let at = now() + Duration::from_mins(minutes);
    let mut audit = AuditRecord::new(action, &stored.token, vec![], origin, at, &System).unwrap();
    if action == Action::Update {
        audit.changes = vec![
            Change::new("name", Some("old".into()), Some("=new()".into())),
            Change::new("description", None, Some("a \"b\", c".into())),
        ];
    }
    engine.store.record_view(stored, &audit).await.unwrap();
}

/// Records a token's creation, update, view, use and purge, a minute apart.
async fn history() -> (Engine, StoredToken) {
    let engine = Engine::with_accounts().await;
    let stored = engine.add(token()).await;
    let of = |source, actor| Origin {
        source,
        actor,
        ..origin()
    };
    let admin = Actor {
        id: "admin-1".into(),
        ..owner_actor()
    };
    let used = Actor::token(&stored.token.id, &stored.token.name);
    for (minutes, action, origin) in [
        (1, Action::Update, of(Source::Ui, owner_actor())),
        (2, Action::View, of(Source::Ui, admin)),
        (3, Action::Access, of(Source::Api, used)),
        (4, Action::Purge, of(Source::System, Actor::system())),
    ] {
        log(&engine, &stored, minutes, action, origin).await;
    }
    (engine, stored)
}

fn actions(answer: &Answer) -> Vec<&str> {
    assert_eq!(answer.status, 200, "{}", answer.text);
    let records = answer.json["records"].as_array().unwrap();
    records
        .iter()
        .map(|record| record["action"].as_str().unwrap())
        .collect()
}

const ALL: [&str; 5] = ["purge", "access", "view", "update", "create"];

#[tokio::test]
async fn a_record_tells_what_who_when_from_where_and_the_changes() {
    let (engine, stored) = history().await;
    let answer = call(&engine, &account_log().query("action=update")).await;
    assert_eq!(answer.header("content-type"), "application/json");
    let mut record = answer.json["records"][0].clone();
    let id = record["id"].take();
    assert!(id.as_str().unwrap().starts_with("aud_"), "{id}");
    assert_eq!(
        record,
        json!({
            "id": null,
            "time": "2026-11-23T10:01:00.000Z",
            "action": "update",
            "source": "ui",
            "user": {"id": "owner-1", "type": "member", "email": "owner@acme.example", "name": "Olive Owner"},
            "resource": {"type": "apiToken", "id": stored.token.id, "name": "Warehouse sync"},
            "changes": [
                {"field": "name", "old": "old", "new": "=new()"},
                {"field": "description", "old": null, "new": "a \"b\", c"},
            ],
            "ip": "192.0.2.1",
            "assertedIp": null,
            "userAgent": "tests",
            "client": "tests",
            "requestId": "req-1",
        })
    );
}

#[tokio::test]
async fn records_are_listed_newest_first() {
    let (engine, _) = history().await;
    let answer = call(&engine, &account_log()).await;
    assert_eq!(actions(&answer), ALL);
    assert_eq!(answer.json["nextCursor"], Value::Null);
    assert_eq!(answer.header("link"), "");
}

#[tokio::test]
async fn what_verifications_record_is_in_the_log_with_the_address_that_was_asserted() {
    let (engine, stored) = history().await;
    let minutes = [(10, Action::Refused), (12, Action::Access)];
    for (minutes, action) in minutes {
        let at = now() + Duration::from_mins(minutes);
        let audit = AuditRecord::new(action, &stored.token, vec![], origin(), at, &System);
        let audit = AuditRecord {
            asserted_ip: Some([203, 0, 113, 9].into()),
            ..audit.unwrap()
        };
        engine.store.record_view(&stored, &audit).await.unwrap();
    }
    log(&engine, &stored, 11, Action::View, origin()).await;
    for event in [account_log(), token_log().query("")] {
        let answer = call(&engine, &event).await;
        let listed = ["access", "view", "refused"];
        assert_eq!(actions(&answer)[..3], listed);
        let record = &answer.json["records"][2];
        assert_eq!(record["ip"], "192.0.2.1");
        assert_eq!(record["assertedIp"], "203.0.113.9");
    }
    let answer = call(&engine, &account_log().query("action=refused")).await;
    assert_eq!(actions(&answer), ["refused"]);
    let event = account_log()
        .query("action=refused")
        .header("accept", "text/csv");
    let row = call(&engine, &event).await.text;
    let row = row.lines().nth(1).unwrap().to_owned();
    assert!(
        row.contains("\"192.0.2.1\",") && row.ends_with(",\"203.0.113.9\""),
        "{row}"
    );
    // The pages together have the same records.
    let mut query = "limit=1".to_owned();
    let mut paged = Vec::new();
    loop {
        let answer = call(&engine, &account_log().query(&query)).await;
        paged.extend(actions(&answer).iter().map(ToString::to_string));
        match answer.next() {
            Some(next) => query = next.to_owned(),
            None => break,
        }
    }
    let whole = call(&engine, &account_log()).await;
    assert_eq!(paged, actions(&whole));
    assert_eq!(paged.len(), ALL.len() + 3);
}

#[tokio::test]
async fn a_log_shows_only_what_was_asked_for() {
    let (engine, stored) = history().await;
    let used = format!("userId={}", stored.token.id);
    for (query, expected) in [
        ("action=view", &["view"][..]),
        ("action=leak", &[]),
        ("userId=owner-1", &["update", "create"]),
        ("userId=system", &["purge"]),
        (&used, &["access"]),
        ("source=ui", &["view", "update"]),
        ("source=system", &["purge"]),
        ("source=ui&userId=admin-1", &["view"]),
        ("action=view&source=api", &[]),
        ("action=&userId=&source=&from=&to=", &ALL),
    ] {
        for event in [account_log(), token_log()] {
            let answer = call(&engine, &event.query(query)).await;
            assert_eq!(actions(&answer), expected, "{query}");
        }
    }
}

#[tokio::test]
async fn from_is_included_and_to_is_not() {
    let (engine, _) = history().await;
    for (query, expected) in [
        (
            "from=2026-11-23T10:02:00Z",
            &["purge", "access", "view"][..],
        ),
        ("from=2026-11-23T10:02:00.001Z", &["purge", "access"]),
        ("from=2026-11-23T10:02:00.0001Z", &["purge", "access"]),
        ("to=2026-11-23T10:02:00Z", &["update", "create"]),
        (
            "to=2026-11-23T10:02:00.0001Z",
            &["view", "update", "create"],
        ),
        ("to=2026-11-23T10:02:00.001Z", &["view", "update", "create"]),
        (
            "from=2026-11-23T10:01:00Z&to=2026-11-23T10:03:00Z",
            &["view", "update"],
        ),
        ("from=2026-11-23T10:01:00Z&to=2026-11-23T10:01:00Z", &[]),
        (
            "from=2026-11-23T12:01:00%2B02:00&to=2026-11-23T05:03:00-05:00&action=view",
            &["view"],
        ),
        (
            "from=2026-11-23t10:02:00.0z&to=2026-11-23T23:59:60Z",
            &["purge", "access", "view"],
        ),
        ("from=1969-01-01T00:00:00Z&to=9999-01-01T00:00:00Z", &ALL),
        ("to=1969-01-01T00:00:00Z", &[]),
        ("from=9999-01-01T00:00:00Z", &[]),
    ] {
        for event in [account_log(), token_log()] {
            let answer = call(&engine, &event.query(query)).await;
            assert_eq!(actions(&answer), expected, "{query}");
        }
    }
}

#[tokio::test]
async fn a_query_that_is_not_understood_is_refused() {
    let (engine, _) = history().await;
    let invalid = "invalid_parameter";
    for (query, failure) in [
        ("from=yesterday", ("from", invalid)),
        ("from=2026-11-23", ("from", invalid)),
        ("to=2026-11-23T10:00:00", ("to", invalid)),
        ("to=1795341600", ("to", invalid)),
        ("to=2026-11-23%2010:00:00Z", ("to", invalid)),
        ("to=2026-11-23T10:00Z", ("to", invalid)),
        ("from=20261123T100000Z", ("from", invalid)),
        ("from=2026-11-23T10:00:00Z[UTC]", ("from", invalid)),
        ("limit=%2B1", ("limit", invalid)),
        ("limit=01", ("limit", invalid)),
        (
            "from=2026-11-23T10:03:00Z&to=2026-11-23T10:02:00Z",
            ("to", invalid),
        ),
        ("action=created", ("action", invalid)),
        ("source=sso", ("source", invalid)),
        ("limit=0", ("limit", invalid)),
        ("limit=101", ("limit", invalid)),
        ("limit=x", ("limit", invalid)),
        ("user=owner-1", ("user", "unknown_parameter")),
        (
            "action=view&action=create",
            ("action", "repeated_parameter"),
        ),
    ] {
        for event in [account_log(), token_log()] {
            let answer = call(&engine, &event.query(query)).await;
            assert_eq!(answer.outcome(), (422, "validation_failed"), "{query}");
            assert_eq!(answer.failures(), [failure], "{query}");
        }
    }
    let all = account_log().query("from=x&to=y&action=z&source=q&limit=0");
    assert_eq!(call(&engine, &all).await.failures().len(), 5);
}

/// Returns the actions on all pages, starting with the page of that query.
async fn all_pages(engine: &Engine, event: &Event, query: &str) -> Vec<Vec<String>> {
    let mut pages = Vec::new();
    let mut next = Some(query.to_owned());
    while let Some(query) = next {
        let answer = call(engine, &event.clone().query(&query)).await;
        pages.push(actions(&answer).into_iter().map(Into::into).collect());
        next = answer.next().map(Into::into);
        let cursor = answer.json["nextCursor"].as_str();
        assert_eq!(cursor.is_some(), next.is_some());
    }
    pages
}

#[tokio::test]
async fn the_link_leads_through_all_pages_without_gap_or_repetition() {
    let (engine, _) = history().await;
    for event in [account_log(), token_log()] {
        let pages = all_pages(&engine, &event, "limit=2").await;
        assert_eq!(
            pages,
            [&["purge", "access"][..], &["view", "update"], &["create"]]
        );
        let filtered = "limit=1&source=ui&to=2026-11-23T10:02:00.001Z";
        let pages = all_pages(&engine, &event, filtered).await;
        assert_eq!(pages, [["view"], ["update"]]);
        let ranged = "limit=2&from=2026-11-23T10:01:00Z&to=2026-11-23T10:04:00Z";
        let pages = all_pages(&engine, &event, ranged).await;
        assert_eq!(pages, [&["access", "view"][..], &["update"]]);
    }
}

#[tokio::test]
async fn a_cursor_means_nothing_to_another_log() {
    let (engine, _) = history().await;
    let page = call(&engine, &account_log().query("limit=1")).await;
    let cursor = page.json["nextCursor"].as_str().unwrap();
    let with = format!("cursor={cursor}");
    for event in [
        token_log().query(&with),
        account_log().query(&format!("source=ui&{with}")),
        account_log().query(&with).account("globex").by("owner-2"),
        account_log().query(&format!("{with}A")),
        account_log().query("cursor=x"),
    ] {
        let answer = call(&engine, &event).await;
        assert_eq!(answer.outcome(), (400, "invalid_cursor"), "{event:?}");
    }
    let rest = call(&engine, &account_log().query(&with)).await;
    assert_eq!(actions(&rest), ALL[1..]);
}

#[tokio::test]
async fn a_tokens_log_is_its_own_and_the_accounts_is_everything() {
    let (engine, _) = history().await;
    let other = engine.add(token_at(now())).await.token.id;
    let answer = call(&engine, &token_log()).await;
    assert_eq!(actions(&answer), ALL);
    let answer = call(&engine, &token_log().token(other.as_str())).await;
    assert_eq!(actions(&answer), ["create"]);
    assert_eq!(answer.json["records"][0]["resource"]["id"], other.as_str());
    let answer = call(&engine, &account_log()).await;
    assert_eq!(actions(&answer).len(), ALL.len() + 1);
}

#[tokio::test]
async fn the_log_of_another_accounts_token_is_empty() {
    let engine = Engine::with_accounts().await;
    let foreign = Token {
        account_id: globex().id,
        ..token()
    };
    engine.add(foreign).await;
    for event in [token_log(), account_log()] {
        assert_eq!(actions(&call(&engine, &event).await), [""; 0]);
        let theirs = event.account("globex").by("owner-2");
        assert_eq!(actions(&call(&engine, &theirs).await), ["create"]);
    }
}

#[tokio::test]
async fn what_can_not_be_a_tokens_id_is_not_found() {
    let engine = Engine::with_accounts().await;
    let answer = call(&engine, &token_log().token("tok_1")).await;
    assert_eq!(answer.outcome(), (404, "token_not_found"));
}

#[tokio::test]
async fn a_log_outlives_its_token() {
    let (engine, stored) = history().await;
    engine.remove(&stored.token).await;
    assert_eq!(engine.stored(&acme().id, &stored.token.id).await, None);
    for event in [token_log(), account_log()] {
        assert_eq!(actions(&call(&engine, &event).await), ALL);
    }
}

#[tokio::test]
async fn a_log_is_downloaded_as_csv() {
    let (engine, stored) = history().await;
    let event = token_csv().query("source=ui");
    let answer = call(&engine, &event).await;
    assert_eq!(answer.status, 200);
    let kind = "text/csv; charset=utf-8; header=present";
    assert_eq!(answer.header("content-type"), kind);
    let disposition = "attachment; filename=\"audit.csv\"";
    assert_eq!(answer.header("content-disposition"), disposition);
    let id = &stored.token.id;
    let rows: Vec<_> = answer.text.split_terminator("\r\n").collect();
    let header = r#""Time","Source","User","E-mail","Resource","Name","ID","Action","Field","Old value","New value","IP address","User agent","User ID","User type","Asserted IP address""#;
    let start = r#""ui","Olive Owner","owner@acme.example","apiToken","Warehouse sync""#;
    let end = r#""192.0.2.1","tests""#;
    let row = |time: &str, by: &str, rest: &str| {
        format!(r#""{time}",{start},"{id}",{rest},{end},"{by}","member","""#)
    };
    assert_eq!(
        rows,
        [
            header,
            &row("2026-11-23T10:02:00.000Z", "admin-1", r#""view","","","""#),
            // A spreadsheet must not run a name as a formula.
            &row(
                "2026-11-23T10:01:00.000Z",
                "owner-1",
                r#""update","name","old","'=new()""#
            ),
            &row(
                "2026-11-23T10:01:00.000Z",
                "owner-1",
                r#""update","description","","a ""b"", c""#
            ),
        ]
    );
}

#[tokio::test]
async fn a_csv_has_pages_too() {
    let (engine, _) = history().await;
    let event = account_log().header("accept", "Text/CSV; charset=utf-8, */*");
    let mut rows = Vec::new();
    let mut next = Some("limit=2".to_owned());
    while let Some(query) = next {
        let answer = call(&engine, &event.clone().query(&query)).await;
        let page = answer.text.lines().skip(1);
        rows.extend(page.map(|row| row.split("\",\"").nth(7).unwrap().to_owned()));
        next = answer.next().map(Into::into);
    }
    assert_eq!(
        rows,
        ["purge", "access", "view", "update", "update", "create"]
    );
    let most = call(&engine, &event.clone().query("limit=1000")).await;
    assert_eq!(most.status, 200);
    let more = call(&engine, &event.query("limit=1001")).await;
    assert_eq!(more.failures(), [("limit", "invalid_parameter")]);
}

#[tokio::test]
async fn nobody_but_owner_and_administrator_reads_the_log() {
    let (engine, _) = history().await;
    for event in [account_log(), token_log(), token_csv()] {
        let answer = async |event: Event| call(&engine, &event).await;
        engine.refuses(event.by_the_unauthorized(), answer).await;
        assert_eq!(call(&engine, &event.by("admin-1")).await.status, 200);
    }
}
