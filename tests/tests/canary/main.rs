//! Known secrets are planted through every door, and searched for in everything that stores something.
//!
//! The doors are those of the one list of operations (`functions/*/operation.toml`): every route gets requests with a
//! secret in its headers, path, query and body, and every function without a route gets events with one. A route or
//! a function that the list has and the suite doesn't reach fails a test. The secrets are those of real tokens, one
//! for each route, so a find names the door.
//!
//! The search looks for any 16 characters of a secret in a row, as they are and in the other forms of [`forms`], and
//! for the secret's hash outside of the tables. Planted faults show in the same run that it finds each form in a place
//! of each kind.
//!
//! Allowed are: the secret in the answers that hand it over (create, regenerate and reveal; not in their repeats), the
//! hint of four characters, and the hash in the tables, their indexes and streams, and in the acknowledgement of a leak
//! report (GitHub's protocol).
//!
//! What stays unproven: logs that AWS's own services write. The local cloud writes no access log and no trace, shows no
//! headers of mails, stores no failed asynchronous event, and its record of calls isn't CloudTrail's. Its state on disk
//! is written when it stops, after this search. `docs/assurance.md` says what AWS stores instead.

mod doors;
mod events;
mod faults;
mod forms;
mod lives;
mod page;
mod places;
mod routes;
mod search;

use std::collections::BTreeSet;
use std::time::{Duration, SystemTime};

use assurance::{Report, Rounds};
use end_to_end::{Account, Stack, eventually, in_browser_leaving};
use serde_json::{Value, json};

use doors::{Answered, Door, Doors, Planted, send_all, unplanted};
use faults::Faults;
use routes::{Description, Route, list};
use search::{Find, Place, Search};

const COMMAND: &str = "make test ARGS=\"-p end-to-end --test canary\"";

/// The time before every secret. Files have it to the nanosecond, and objects to the second.
fn beginning() -> SystemTime {
    #[expect(
        clippy::disallowed_methods,
        reason = "the ban is for the product; nothing depends on the time but what is left out"
    )]
    let now = SystemTime::now();
    now - Duration::from_secs(1)
}

fn full(name: &str) -> Value {
    json!({"name": name, "autoPurge": "1h", "scope": {"type": "full"}})
}

async fn planted(account: &Account, name: &str) -> Planted {
    let (token, secret) = account.create_token(full(name)).await;
    Planted { token, secret }
}

/// Fails with every find.
fn clean(found: &BTreeSet<Find>, seed: u64) {
    let list: Vec<_> = found.iter().map(ToString::to_string).collect();
    assert!(
        list.is_empty(),
        "seed {seed}: {} secrets lie where none may:\n{}",
        list.len(),
        list.join("\n")
    );
}

/// The answer as a place to search, without the secret that it hands over. Adds that one to the secrets.
fn as_place(answered: &Answered, search: &mut Search) -> Place {
    let Answered {
        route,
        place,
        answer,
    } = answered;
    let mut body = answer.json();
    let name = format!("{route}: {place}");
    let hands_over = answer.status < 300 && body["secret"].is_string();
    if hands_over && let Some(secret) = body["secret"].take().as_str() {
        search.add(format!("handed over by {name}"), secret);
    }
    if route == "receive-leak-report" {
        for find in body.as_array_mut().into_iter().flatten() {
            find["token_hash"] = Value::Null;
        }
    }
    let mut text = if body.is_null() {
        answer.text.clone()
    } else {
        String::new()
    };
    for (name, value) in &answer.headers {
        text.push_str(&format!(
            "\n{name}: {}",
            String::from_utf8_lossy(value.as_bytes())
        ));
    }
    let mut place = places::of_json("answer", &format!("{} to {name}", answer.status), &body);
    place.bytes.extend(text.into_bytes());
    place
}

#[tokio::test]
async fn no_secret_stays_anywhere_whichever_door_it_came_through() {
    let stack = Stack::from_env();
    let report = Report::of("canary", COMMAND);
    let (list, description) = (list(), Description::read());
    let (mut requests, mut searched, mut bytes, mut looked_for) = (0, 0, 0, 0);
    let scanner = lives::scanner(&stack).await;
    for seed in Rounds::of(1) {
        let since = beginning();
        let mut search = Search::default();
        let account = Account::create(&stack, &format!("canary-{seed}"), "enterprise").await;
        account.add_resource("export", "exp", None).await;
        account.add_integration("app-1", "App").await;

        // Every function without a route, then names that everything later mentions.
        let careless = planted(&account, "Events").await;
        search.add("an event", &careless.secret);
        let mut answers = events::malformed(&account, &list.others, &careless).await;
        events::impossible(&account, &careless).await;
        let in_names = planted(&account, "Names").await;
        search.add("a name at the platform", &in_names.secret);
        events::named(&account, &in_names).await;
        answers.extend(events::bounced(&account, &careless).await);

        // Every route.
        let bearer = planted(&account, "Bearer").await;
        search.add("the bearer", &bearer.secret);
        let mut open: Vec<Door> = Vec::new();
        for (number, route) in (0..).zip(&list.routes) {
            let planted = planted(&account, "Canary").await;
            search.add(&route.name, &planted.secret);
            let doors = Doors {
                account: &account,
                description: &description,
                route,
                planted: &planted,
                bearer: &bearer.secret,
                turn: usize::try_from(seed % 1000).expect("a number") + number,
            };
            open.extend(doors.open());
        }
        let from_routes = send_all(open).await;
        assert_eq!(
            unplanted(&list.routes, &from_routes),
            Vec::<&str>::new(),
            "seed {seed}"
        );
        answers.extend(from_routes);
        let reached = |function: &&String| answers.iter().any(|each| each.route == **function);
        let missing: Vec<_> = list.others.iter().filter(|each| !reached(each)).collect();
        assert!(missing.is_empty(), "no event for {missing:?}");

        // Every state of a secret.
        let (secrets, from_lives) = lives::live(&account, &scanner).await;
        for (what, secret) in secrets {
            search.add(what, &secret);
        }
        answers.extend(from_lives);
        // Its mails name the resource.
        let scope = json!({"type": "custom", "exports": ["named"]});
        events::last(&account, &format!("Last {seed}"), scope).await;

        // The search, and in the same places the planted faults.
        let mut faults = Faults::new();
        faults::plant(&stack, &mut faults).await;
        eventually("the stream of the planted items", async || {
            let stream = stack.stream(stack.get("tokensTable")).await;
            json!(stream)
                .to_string()
                .contains("canary-planted")
                .then_some(())
        })
        .await;
        let mut places = places::stored(&stack, since).await;
        faults::remove(&stack).await;
        places.extend(answers.iter().map(|each| as_place(each, &mut search)));
        let found = faults.search.find_all(&places);
        for (kind, name) in faults::places() {
            let missing = faults.missing(&found, kind, &name);
            assert!(
                missing.is_empty(),
                "not found in {kind} {name}: {missing:?}"
            );
        }
        for kind in ["log", "mail"] {
            let hash = |find: &&Find| find.secret == "hash" && find.kind == kind;
            assert!(found.iter().any(|find| hash(&find)), "no hash in a {kind}");
        }
        clean(&search.find_all(&places), seed);

        requests += answers.len();
        searched += places.len();
        bytes += places.iter().map(|place| place.bytes.len()).sum::<usize>();
        looked_for += search.len();
    }
    let count = |number: usize| u64::try_from(number).expect("a number");
    report
        .figure("routes with a secret in every place of a request", count(list.routes.len()))
        .figure("functions without a route with a secret in their events", count(list.others.len()))
        .figure("requests and events with a secret", count(requests))
        .figure("secrets looked for", count(looked_for))
        .figure("places searched", count(searched))
        .figure("KiB searched", count(bytes / 1024))
        .planted("a secret in every form in a log, an item, an index, a stream, an object, a mail, a queue and a file")
        .planted("a half of a secret, 16 characters of one, and its hash")
        .write();
}

#[tokio::test]
async fn no_secret_stays_in_the_browser_or_behind_the_page_in_the_browser() {
    let stack = Stack::from_env();
    let report = Report::of("canary-page", COMMAND);
    let since = beginning();
    let account = Account::create(&stack, "canary-page", "enterprise").await;
    let mut faults = Faults::new();
    let word = faults::nobodys();
    faults.search.add("word", &word);
    let mut search = Search::default();
    let mut seen_places = Vec::new();
    let mut left = Vec::new();
    let inside = async |browser: &end_to_end::Browser| {
        let seen = page::use_the_page(browser, &account).await;
        for (what, secret) in seen.secrets {
            search.add(what, &secret);
        }
        seen_places = seen.places;
        page::plant(browser, &faults.text, &word).await;
        let planted = page::kept(browser).await;
        let found = faults.search.find_all(&planted);
        let [whole, words] = page::PLANTED;
        for name in whole {
            let missing = faults.missing(&found, "page", &format!("{name} at"));
            assert!(missing.is_empty(), "not found in {name}: {missing:?}");
        }
        for name in words {
            let here = |find: &&Find| find.secret == "word" && find.place.starts_with(name);
            assert!(found.iter().any(|find| here(&find)), "no word in {name}");
        }
        seen_places.extend(planted);
    };
    in_browser_leaving(&stack, inside, |folder| left = page::left(folder)).await;
    let found = faults.search.find_all(&left);
    for name in ["Local Storage", "IndexedDB", "History"] {
        let here = |find: &&Find| find.place.contains(name);
        assert!(
            found.iter().any(|find| here(&find)),
            "nothing in {name} on the disk"
        );
    }
    events::last(&account, "Last in the page", json!({"type": "full"})).await;
    let mut places = places::stored(&stack, since).await;
    places.extend(seen_places);
    places.extend(left);
    clean(&search.find_all(&places), 0);
    let count = |number: usize| u64::try_from(number).expect("a number");
    report
        .figure("secrets handed over in the page", count(search.len()))
        .figure("places searched", count(places.len()))
        .planted("a secret in the page, its storage, its address, the console and the browser's profile on the disk")
        .write();
}

#[test]
fn a_route_without_a_planted_request_is_named() {
    let route = |name: &str| -> Route {
        toml::from_str(&format!(
            "name = '{name}'\nroute = 'GET /v1/{name}'\ncaller = 'anybody'"
        ))
        .expect("a route")
    };
    let answered = |place: &str, status: u16| Answered {
        route: "known".into(),
        place: place.into(),
        answer: end_to_end::Answer {
            status,
            headers: reqwest::header::HeaderMap::default(),
            text: String::new(),
        },
    };
    let routes = [route("known"), route("new")];
    let mut answers: Vec<_> = ["headers", "as the bearer", "path segment", "query"]
        .map(|place| answered(place, 200))
        .into();
    assert_eq!(unplanted(&routes, &answers), ["new"]);
    // The gateway refused it, so its function has not seen it.
    answers[0].answer.status = 401;
    assert_eq!(unplanted(&routes, &answers), ["known", "new"]);
}
