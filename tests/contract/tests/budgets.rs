//! A stolen session can neither export every secret nor bury the warning about it under other mails. Ending a token
//! never has to wait.

use contract::{Call, answer};
use futures_util::future::join_all;
use jiff::SignedDuration;
use latchkey::domain::action::Action;
use latchkey::domain::auto_purge::AutoPurge;
use latchkey::domain::budget::Budgets;
use latchkey::domain::token::{StoredToken, Token};
use latchkey::store::Store;
use latchkey::testing::{Answer, Engine, FakeVault, now, system_at, token_at};
use serde_json::{Value, json};

const TOKENS: &str = "/v1/accounts/acme/tokens";

struct World {
    engine: Engine,
    store: Store,
}

impl World {
    async fn new(budgets: Budgets) -> Self {
        let engine = Engine::with_accounts().await;
        let store = engine.store.clone().with_budgets(budgets);
        Self { engine, store }
    }

    async fn ask_at(&self, second: i64, call: Call) -> Answer {
        let system = system_at(now() + SignedDuration::from_secs(second));
        answer(&self.store, &FakeVault::default(), &system, &call).await
    }

    async fn ask(&self, call: Call) -> Answer {
        self.ask_at(0, call.by("owner-1")).await
    }

    async fn token(&self) -> StoredToken {
        self.engine.add(token_at(now())).await
    }

    /// The names of the existing counters.
    async fn counters(&self) -> Vec<String> {
        let images = self.engine.token_images().await.into_iter();
        images
            .filter(|image| {
                let pk = image["pk"]["S"].as_str().unwrap();
                pk.starts_with("BUDGET#")
            })
            .map(|image| image["sk"]["S"].as_str().unwrap().to_owned())
            .collect()
    }
}

fn path(stored: &StoredToken) -> String {
    format!("{TOKENS}/{}", stored.token.id)
}

fn post(stored: &StoredToken, operation: &str) -> Call {
    Call::new("POST", &format!("{}/{operation}", path(stored)))
}

fn rename(stored: &StoredToken, name: &str) -> Call {
    Call::new("PATCH", &path(stored)).json(&json!({"name": name}))
}

fn draft() -> Value {
    json!({"name": "n", "autoPurge": "30d", "scope": {"type": "full"}})
}

fn create() -> Call {
    Call::new("POST", TOKENS).json(&draft())
}

fn exceeded(answer: &Answer) -> bool {
    answer.outcome() == (429, "budget_exceeded")
}

#[tokio::test]
async fn an_hours_secrets_are_shown_and_no_more_until_the_next_hour() {
    let world = World::new(Budgets {
        reveals: 2,
        ..Engine::budgets()
    })
    .await;
    let stored = world.token().await;
    for _ in 0..2 {
        let shown = world.ask(post(&stored, "reveal")).await;
        assert_eq!(shown.status, 200);
    }
    let reveal = || post(&stored, "reveal").by("owner-1");
    for (second, wait) in [(0, "3600"), (3_599, "1")] {
        let refused = world.ask_at(second, reveal()).await;
        assert!(exceeded(&refused), "{}", refused.text);
        assert_eq!(refused.header("retry-after"), wait);
        assert!(refused.json["secret"].is_null());
    }
    let views = world.engine.audit(&stored.token.account_id).await;
    let views = views.iter().filter(|record| record.action == Action::View);
    assert_eq!(views.count(), 2, "what is refused is no viewing");
    assert_eq!(world.ask_at(3_600, reveal()).await.status, 200);
}

#[tokio::test]
async fn of_many_reveals_at_once_no_more_than_the_budget_show_a_secret() {
    let world = World::new(Budgets {
        reveals: 5,
        ..Engine::budgets()
    })
    .await;
    let stored = world.token().await;
    let answers = join_all((0..30).map(|_| world.ask(post(&stored, "reveal")))).await;
    let shown = answers.iter().filter(|answer| answer.status == 200);
    assert_eq!(shown.count(), 5);
    assert_eq!(answers.iter().filter(|answer| exceeded(answer)).count(), 25);
}

#[tokio::test]
async fn every_change_spends_the_budget_of_its_account() {
    let world = World::new(Budgets {
        changes: 4,
        ..Engine::budgets()
    })
    .await;
    let (stored, revoked) = (world.token().await, world.token().await);
    let revoked = world.engine.revoke(revoked).await;
    let other = world.engine.revoke(world.token().await).await;
    let changes = || {
        [
            create(),
            rename(&stored, "Renamed"),
            post(&stored, "regenerate"),
            post(&revoked, "reactivate"),
        ]
    };
    for change in changes() {
        let done = world.ask(change).await;
        assert!(done.status < 300, "{}", done.text);
    }
    let others = [
        create(),
        rename(&stored, "Renamed again"),
        post(&stored, "regenerate"),
        post(&other, "reactivate"),
    ];
    for change in others {
        for user in ["owner-1", "admin-1"] {
            let refused = world.ask_at(1, change.clone().by(user)).await;
            assert!(exceeded(&refused), "{}", refused.text);
            assert_eq!(refused.header("retry-after"), "3599");
        }
    }
    let elsewhere = Call::new("POST", "/v1/accounts/globex/tokens")
        .json(&json!({"name": "n", "autoPurge": "1h", "scope": {"type": "full"}}))
        .by("owner-2");
    assert_eq!(world.ask_at(1, elsewhere).await.status, 201);
    let next = world.ask_at(3_600, create().by("owner-1")).await;
    assert_eq!(next.status, 201);
}

/// The ways in which people end a token or a secret, each applicable to a token of its own.
#[derive(Debug, Clone, Copy)]
enum Rescue {
    Retire,
    Revoke,
    Delete,
    BySecret,
}

impl Rescue {
    const ALL: [Self; 4] = [Self::Retire, Self::Revoke, Self::Delete, Self::BySecret];

    /// Performs the rescue, and returns whether the token or secret has ended.
    async fn is_done(self, world: &World, stored: &StoredToken, secret: &str) -> bool {
        let path = path(stored);
        let done = match self {
            Self::Retire => world.ask(post(stored, "retire")).await,
            Self::Revoke => world.ask(post(stored, "revoke")).await,
            Self::Delete => world.ask(Call::new("DELETE", &path)).await,
            Self::BySecret => {
                let form = format!("token={secret}");
                world.ask(Call::new("POST", "/v1/revoke").form(&form)).await
            }
        };
        assert!(done.status < 300, "{self:?}: {}", done.text);
        let left = world.ask(Call::new("GET", &path)).await;
        match self {
            Self::Retire => left.json["previousSecret"].is_null(),
            Self::Revoke | Self::BySecret => left.json["status"] == "revoked",
            Self::Delete => left.status == 404,
        }
    }
}

#[tokio::test]
async fn what_ends_a_token_or_a_secret_is_never_budgeted() {
    for spent in ["changes", "reveals", "tokens", "everything"] {
        for rescue in Rescue::ALL {
            // Room for the preparation of the rescue and for its check.
            let mut budgets = Budgets {
                changes: 3,
                reveals: 1,
                tokens: 2,
                mails: 1,
            };
            let all = spent == "everything";
            if !all && spent != "changes" {
                budgets.changes = 100;
            }
            if !all && spent != "reveals" {
                budgets.reveals = 100;
            }
            if !all && spent != "tokens" {
                budgets.tokens = 100;
            }
            let world = World::new(budgets).await;
            let stored = world.token().await;
            let grace = post(&stored, "regenerate").json(&json!({"gracePeriodSeconds": 3_600}));
            let replaced = world.ask(grace).await;
            assert_eq!(replaced.status, 200, "{}", replaced.text);
            let secret = replaced.json["secret"].as_str().unwrap().to_owned();
            if let Rescue::Delete = rescue {
                assert_eq!(world.ask(post(&stored, "revoke")).await.status, 200);
            }
            // Another token, to be changed for as long as the budgets last.
            let other = world.token().await;
            for number in 0..3 {
                world
                    .ask(rename(&other, &format!("Renamed {number}")))
                    .await;
                world.ask(post(&other, "reveal")).await;
                world.ask(create()).await;
            }
            let refused = |wanted: &str| all || spent == wanted;
            let renamed = world.ask(rename(&other, "Again")).await;
            assert_eq!(exceeded(&renamed), refused("changes"), "{}", renamed.text);
            let shown = world.ask(post(&other, "reveal")).await;
            assert_eq!(exceeded(&shown), refused("reveals"), "{}", shown.text);
            let created = world.ask(create()).await;
            let full = refused("tokens") || refused("changes");
            assert_eq!(exceeded(&created), full, "{}", created.text);
            let before = world.counters().await;
            assert!(
                rescue.is_done(&world, &stored, &secret).await,
                "{spent} {rescue:?}"
            );
            assert_eq!(world.counters().await, before, "{spent} {rescue:?}");
        }
    }
}

#[tokio::test]
async fn what_does_nothing_spends_nothing() {
    let world = World::new(Engine::budgets()).await;
    let stored = world.token().await;
    let unknown = Token {
        auto_purge: AutoPurge::Never,
        ..token_at(now())
    };
    let gone = |operation: &str| {
        Call::new("POST", &format!("{TOKENS}/{}/{operation}", unknown.id)).json(&json!({}))
    };
    let unlicensed = Call::new("POST", "/v1/accounts/globex/tokens").json(&draft());
    let same = stored.token.name.clone();
    for (user, call, status) in [
        ("owner-1", create().json(&json!({"name": "n"})), 422),
        ("owner-2", unlicensed, 403),
        ("manage-1", create(), 403),
        ("owner-1", rename(&stored, &same), 200),
        ("owner-1", rename(&stored, ""), 422),
        (
            "owner-1",
            rename(&stored, "x").header("if-match", "\"9\""),
            412,
        ),
        ("owner-1", post(&stored, "reactivate"), 200),
        (
            "owner-1",
            post(&stored, "regenerate").json(&json!({"x": 1})),
            422,
        ),
        ("owner-1", gone("reveal"), 404),
        ("owner-1", gone("regenerate"), 404),
        (
            "owner-1",
            post(&stored, "reveal").json(&json!({"x": 1})),
            422,
        ),
        ("admin-1", post(&stored, "reveal"), 403),
    ] {
        let answered = world.ask_at(0, call.clone().by(user)).await;
        assert_eq!(answered.status, status, "{call:?}: {}", answered.text);
    }
    assert_eq!(world.counters().await, [""; 0]);

    // Of two requests with the same key, one creates a token.
    let world = World::new(Budgets {
        changes: 2,
        ..Engine::budgets()
    })
    .await;
    let stored = world.token().await;
    let made = || create().header("idempotency-key", "one");
    let replaced = || post(&stored, "regenerate").header("idempotency-key", "two");
    assert_eq!(world.ask(made()).await.status, 201);
    assert_eq!(world.ask(replaced()).await.status, 200);
    assert_eq!(world.ask(made()).await.status, 200);
    assert_eq!(world.ask(replaced()).await.status, 200);
    assert!(exceeded(&world.ask(create()).await));
}

#[tokio::test]
async fn an_account_with_as_many_tokens_as_it_may_have_gets_another_when_one_is_gone() {
    let world = World::new(Budgets {
        tokens: 3,
        ..Engine::budgets()
    })
    .await;
    let first = world.token().await;
    for _ in 0..2 {
        assert_eq!(world.ask(create()).await.status, 201);
    }
    let refused = world.ask(create()).await;
    assert!(exceeded(&refused));
    // The last creation may have failed: the tokens are counted again in a minute.
    assert_eq!(refused.header("retry-after"), "61");
    let refused = world.ask_at(61, create().by("owner-1")).await;
    assert!(exceeded(&refused));
    // They were counted now, so it isn't a matter of time.
    assert_eq!(refused.header("retry-after"), "");
    world.ask(post(&first, "revoke")).await;
    let deleted = world.ask(Call::new("DELETE", &path(&first))).await;
    assert_eq!(deleted.status, 204);
    let later = world.ask_at(180, create().by("owner-1")).await;
    assert_eq!(later.status, 201);
    assert!(exceeded(&world.ask_at(300, create().by("owner-1")).await));
}

/// Otherwise a member who keeps trying would block the changes of all others.
#[tokio::test]
async fn creations_in_an_account_that_is_full_use_up_no_changes() {
    let world = World::new(Budgets {
        tokens: 1,
        changes: 2,
        ..Engine::budgets()
    })
    .await;
    let stored = world.token().await;
    for _ in 0..5 {
        assert!(exceeded(&world.ask(create()).await));
    }
    assert_eq!(world.ask(rename(&stored, "Renamed")).await.status, 200);
    let replaced = world.ask(post(&stored, "regenerate")).await;
    assert_eq!(replaced.status, 200);
    assert!(exceeded(&world.ask(rename(&stored, "Again")).await));
}

/// Vice versa: creations that exceed the hour's changes leave the token count unchanged.
#[tokio::test]
async fn creations_beyond_the_changes_of_an_hour_take_no_tokens_place_for_long() {
    let world = World::new(Budgets {
        tokens: 4,
        changes: 1,
        ..Engine::budgets()
    })
    .await;
    assert_eq!(world.ask(create()).await.status, 201);
    for _ in 0..10 {
        assert!(exceeded(&world.ask(create()).await));
    }
    let next = world.ask_at(3_600, create().by("owner-1")).await;
    assert_eq!(next.status, 201);
}
