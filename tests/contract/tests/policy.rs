//! The table of what a token may do, in `docs/api.md`, matches the policy's answers. And what `tokenInfo` tells of a
//! call is what the authorizer decides.

use std::fmt::Write;

use contract::{Call, Section, answer};
use latchkey::domain::auto_purge::AutoPurge;
use latchkey::domain::id::{IntegrationId, ResourceId};
use latchkey::domain::kind::Kind;
use latchkey::domain::policy::{
    AccessRequest, INTEGRATION_APP_FIELDS, Obligation, Owner, Permission, Verb, permission,
};
use latchkey::domain::resource::ResourceType;
use latchkey::domain::scope::{ResourceLists, Scope};
use latchkey::domain::token::Token;
use latchkey::testing::{Engine, FakeVault, now, system_at, token_at};
use serde_json::{Value, json};

const LISTED: &str = "listed";
const OWN_APP: &str = "own-app";

/// The kinds of token, as the table's columns.
fn tokens() -> [(&'static str, Kind, Scope); 4] {
    let custom = || {
        let mut lists = ResourceLists::default();
        for kind in ResourceType::ALL {
            lists.of_mut(kind).insert(id(LISTED));
        }
        Scope::Custom(lists)
    };
    [
        ("account token, full access", Kind::Account, Scope::Full),
        ("account token, custom scope", Kind::Account, custom()),
        (
            "Integration App's token, whole app",
            Kind::IntegrationApp,
            Scope::Full,
        ),
        (
            "Integration App's token, custom scope",
            Kind::IntegrationApp,
            custom(),
        ),
    ]
}

/// The verbs, as the table's rows.
const VERBS: [(&str, Verb); 7] = [
    ("read", Verb::Read),
    ("read unknown parts of", Verb::ReadUnknown),
    ("create, clone", Verb::Create),
    ("update", Verb::Update),
    ("delete", Verb::Delete),
    ("invoke", Verb::Invoke),
    ("view the debug log of", Verb::ViewDebugLog),
];

fn id(text: &str) -> ResourceId {
    text.parse().unwrap()
}

fn app(text: &str) -> IntegrationId {
    text.parse().unwrap()
}

/// A resource to be accessed, or a whole collection.
#[derive(Debug, Clone)]
struct Target {
    id: Option<ResourceId>,
    owner: Owner,
}

impl Target {
    fn all() -> Vec<Self> {
        let ids = [None, Some(id(LISTED)), Some(id("another"))];
        let owners = [
            Owner::Account,
            Owner::Unknown,
            Owner::App(app(OWN_APP)),
            Owner::App(app("another-app")),
        ];
        let targets = ids.iter().flat_map(|id| {
            owners.iter().map(|owner| Self {
                id: id.clone(),
                owner: owner.clone(),
            })
        });
        targets.collect()
    }

    fn is_listed(&self) -> bool {
        self.id == Some(id(LISTED))
    }

    /// Whether the target is a resource of the token's own Integration App.
    fn is_of_app(&self) -> bool {
        self.id.is_some() && matches!(self.owner, Owner::App(_))
    }

    fn is_of_own_app(&self) -> bool {
        self.id.is_some() && self.owner == Owner::App(app(OWN_APP))
    }
}

/// The policy's answer for a target.
type Says = fn(&Target) -> Permission;

/// The possible answers for all targets together, in words.
const WORDS: [(&str, Says); 8] = [
    ("no", |_| Permission::Denied),
    ("yes", |_| granted(vec![])),
    ("not of an Integration App, as the API sees to", |_| {
        granted(vec![Obligation::DenyIntegrationAppData])
    }),
    ("listed ones", |target| only(target.is_listed())),
    ("those of its app", |target| only(target.is_of_own_app())),
    ("listed ones of its app", |target| {
        only(target.is_of_own_app() && target.is_listed())
    }),
    ("not of an Integration App", |target| {
        if target.is_of_app() {
            Permission::Denied
        } else {
            granted(vec![Obligation::DenyIntegrationAppData])
        }
    }),
    (
        "of an Integration App's, only `name` and `description`",
        |target| {
            let fields = INTEGRATION_APP_FIELDS.to_vec();
            granted(vec![if target.is_of_app() {
                Obligation::AllowedFields { fields }
            } else {
                Obligation::DenyIntegrationAppData
            }])
        },
    ),
];

fn granted(obligations: Vec<Obligation>) -> Permission {
    Permission::Granted(obligations)
}

fn only(yes: bool) -> Permission {
    if yes {
        granted(vec![])
    } else {
        Permission::Denied
    }
}

/// One cell: the policy's answer for all targets, in words.
fn cell(token: Kind, scope: &Scope, verb: Verb, kind: Option<ResourceType>) -> &'static str {
    let own = app(OWN_APP);
    let own = (token == Kind::IntegrationApp).then_some(&own);
    let answers = Target::all().into_iter().map(|target| {
        let access = AccessRequest {
            kind,
            id: target.id.clone(),
            verb,
        };
        let answer = permission(token, own, scope, &access, &target.owner);
        // An answer without the owner must hold for every owner.
        let early = permission(token, own, scope, &access, &Owner::NotRead);
        assert!(early == answer || matches!(early, Permission::NeedsOwner(_)));
        (target, answer)
    });
    let answers: Vec<_> = answers.collect();
    let found = WORDS.iter().find(|(_, says)| {
        answers
            .iter()
            .all(|(target, answer)| says(target) == *answer)
    });
    found
        .unwrap_or_else(|| panic!("no words for {verb:?} {kind:?}: {answers:?}"))
        .0
}

fn cells(verb: Verb, kind: Option<ResourceType>) -> [&'static str; 4] {
    tokens().map(|(_, token, scope)| cell(token, &scope, verb, kind))
}

/// Merges rows with the same cells.
fn alike<const N: usize>(rows: [(&str, [&'static str; 4]); N]) -> Vec<(String, [&'static str; 4])> {
    let mut joined: Vec<(String, _)> = vec![];
    for (name, cells) in rows {
        match joined.iter_mut().find(|(_, same)| *same == cells) {
            Some((names, _)) => write!(names, ", {name}").unwrap(),
            None => joined.push((name.to_owned(), cells)),
        }
    }
    joined
}

fn table() -> String {
    let columns = tokens().map(|(name, ..)| name).join(" | ");
    let mut table = format!("| may | {columns} |\n|---|---|---|---|---|\n");
    let mut row = |what: &str, cells: [&str; 4]| {
        writeln!(table, "| {what} | {} |", cells.join(" | ")).unwrap();
    };
    for (name, verb) in VERBS {
        let kinds = ResourceType::ALL.map(|kind| (kind.collection(), cells(verb, Some(kind))));
        for (kinds, cells) in alike(kinds) {
            row(&format!("{name} {kinds}"), cells);
        }
    }
    let verbs = VERBS.map(|(name, verb)| (name, cells(verb, None)));
    for (verbs, cells) in alike(verbs) {
        row(&format!("{verbs} anything else"), cells);
    }
    table
}

#[test]
fn the_documents_say_what_a_token_may_do() {
    Section::of("docs/api.md", "policy").must_be(&table());
}

/// Returns whether the authorizer allows a call.
async fn authorized(engine: &Engine, secret: &str, method: &str, path: &str) -> bool {
    let sample = include_str!("../../../events/authorize/http-api.json");
    let mut event: Value = serde_json::from_str(sample).unwrap();
    event["headers"]["authorization"] = json!(format!("Bearer {secret}"));
    event["requestContext"]["http"]["method"] = json!(method);
    event["rawPath"] = json!(path);
    let event = serde_json::from_value(event).unwrap();
    let answer = authorize::handle(&engine.store, &system_at(now()), event).await;
    serde_json::to_value(answer.unwrap()).unwrap()["isAuthorized"] == true
}

#[tokio::test]
async fn what_a_bearer_is_told_of_a_call_is_what_the_authorizer_decides() {
    let engine = Engine::with_accounts().await;
    let vault = FakeVault::default();
    let mut outcomes = std::collections::BTreeMap::<_, usize>::new();
    for (_, kind, scope) in tokens() {
        let scope = match scope {
            Scope::Full => Scope::Full,
            Scope::Custom(_) => Scope::Custom(ResourceLists {
                exports: ["exp_app", "exp_orders"].map(id).into(),
                ..ResourceLists::default()
            }),
        };
        let fresh = Token {
            kind,
            integration_id: (kind == Kind::IntegrationApp).then(|| app("app1")),
            scope,
            auto_purge: AutoPurge::OneDay,
            purge_at: AutoPurge::OneDay.purge_at(now()),
            ..token_at(now())
        };
        let stored = engine.add(fresh).await;
        let reveal = format!("/v1/accounts/acme/tokens/{}/reveal", stored.token.id);
        let reveal = Call::new("POST", &reveal).by("owner-1");
        let secret = answer(&engine.store, &vault, &system_at(now()), &reveal).await;
        let secret = secret.json["secret"].as_str().unwrap();
        for method in ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"] {
            for path in [
                "/v1/exports",
                "/v1/exports/exp_orders",
                "/v1/exports/exp_app",
                "/v1/exports/exp_unknown",
                "/v1/exports/exp_app/invoke",
                "/v1/exports/exp_orders/invoke",
                "/v1/exports/exp_app/debug",
                "/v1/imports/imp_stock/invoke",
                "/v1/flows",
                "/v1/flows/flow_1",
                "/v1//exports",
                "/v2/exports",
            ] {
                let query = format!("/v1/tokenInfo?method={method}&path={path}");
                let asked = Call::new("GET", &query).bearer(secret);
                let told = answer(&engine.store, &vault, &system_at(now()), &asked).await;
                let told = &told.json["decision"];
                let decided = authorized(&engine, secret, method, path).await;
                assert_eq!(told["allowed"], decided, "{kind:?} {method} {path}: {told}");
                let code = told["code"].as_str().unwrap_or("allowed").to_owned();
                *outcomes.entry(code).or_default() += 1;
            }
        }
    }
    let outcomes: Vec<_> = outcomes.keys().map(String::as_str).collect();
    let all = [
        "action_not_allowed",
        "allowed",
        "integration_app_data",
        "not_own_integration_app",
        "resource_not_in_scope",
        "unknown_call",
    ];
    assert_eq!(outcomes, all);
}
