//! The answer for every combination of role, developer mode, licence, operation and token state, through the handlers.
//! The table is the snapshot beside this file.

use std::collections::BTreeMap;
use std::fmt::Write;

use contract::{Call, answer};
use jiff::SignedDuration;
use latchkey::domain::account::{Account, Member, Plan, Role};
use latchkey::domain::auto_purge::AutoPurge;
use latchkey::domain::kind::Kind;
use latchkey::domain::token::{StoredToken, Token};
use latchkey::ports::ProjectPlatform;
use latchkey::testing::{Engine, FakeVault, now, system_at, token, token_at};
use serde_json::json;

/// The caller: a role, with or without developer mode, or a stranger.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Caller {
    Member(Role, bool),
    Stranger,
}

impl Caller {
    fn all() -> Vec<Self> {
        let roles = [
            Role::Owner,
            Role::Administrator,
            Role::Manage,
            Role::Monitor,
        ];
        let members = roles
            .into_iter()
            .flat_map(|role| [true, false].map(|mode| Self::Member(role, mode)));
        members.chain([Self::Stranger]).collect()
    }

    fn user(self) -> String {
        match self {
            Self::Member(role, true) => format!("{role:?}-developer"),
            Self::Member(role, false) => format!("{role:?}"),
            Self::Stranger => "stranger".into(),
        }
    }
}

/// The state of the requested token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// The token never existed.
    Unknown,
    ActiveForAnHour,
    ActiveForThirtyDays,
    ActiveForever,
    ActiveOfAnApp,
    RevokedForAnHour,
    RevokedForThirtyDays,
    /// The purge time has been reached, but the item still exists.
    Purged,
    Deleted,
    /// The token belongs to another account.
    Foreign,
}

impl State {
    const ALL: [Self; 10] = [
        Self::Unknown,
        Self::ActiveForAnHour,
        Self::ActiveForThirtyDays,
        Self::ActiveForever,
        Self::ActiveOfAnApp,
        Self::RevokedForAnHour,
        Self::RevokedForThirtyDays,
        Self::Purged,
        Self::Deleted,
        Self::Foreign,
    ];

    fn lifetime(self) -> AutoPurge {
        match self {
            Self::ActiveForever => AutoPurge::Never,
            Self::ActiveForThirtyDays | Self::RevokedForThirtyDays | Self::ActiveOfAnApp => {
                AutoPurge::ThirtyDays
            }
            _ => AutoPurge::OneHour,
        }
    }
}

/// The operations with the relevant part of the body. Operations on one token have `{t}` in the path.
const OPERATIONS: [(&str, &str, &str, &str); 27] = [
    ("list accounts", "GET", "/v1/accounts", ""),
    ("get account", "GET", "{a}", ""),
    ("list members", "GET", "{a}/members", ""),
    ("list resources", "GET", "{a}/resources", ""),
    ("list integrations", "GET", "{a}/integrations", ""),
    ("get choice of mails", "GET", "{a}/preferences", ""),
    (
        "choose mails",
        "PUT",
        "{a}/preferences",
        r#"{"create": "daily", "access": "daily", "change": "immediate"}"#,
    ),
    ("list tokens", "GET", "{a}/tokens", ""),
    ("list audit", "GET", "{a}/audit", ""),
    ("create for 1h", "POST", "{a}/tokens", "1h"),
    ("create for 4h", "POST", "{a}/tokens", "4h"),
    ("create for 30d", "POST", "{a}/tokens", "30d"),
    ("create forever", "POST", "{a}/tokens", "never"),
    ("list token audit", "GET", "{t}/audit", ""),
    ("get", "GET", "{t}", ""),
    ("reveal", "POST", "{t}/reveal", ""),
    ("rename", "PATCH", "{t}", r#"{"name": "Renamed"}"#),
    (
        "widen scope",
        "PATCH",
        "{t}",
        r#"{"scope": {"type": "full"}}"#,
    ),
    ("edit to 1h", "PATCH", "{t}", r#"{"autoPurge": "1h"}"#),
    ("edit to 4h", "PATCH", "{t}", r#"{"autoPurge": "4h"}"#),
    ("edit to 30d", "PATCH", "{t}", r#"{"autoPurge": "30d"}"#),
    ("edit to never", "PATCH", "{t}", r#"{"autoPurge": "never"}"#),
    ("revoke", "POST", "{t}/revoke", ""),
    ("reactivate", "POST", "{t}/reactivate", ""),
    ("regenerate", "POST", "{t}/regenerate", ""),
    (
        "regenerate with grace",
        "POST",
        "{t}/regenerate",
        r#"{"gracePeriodSeconds": 60}"#,
    ),
    ("delete", "DELETE", "{t}", ""),
];

/// An account with a plan, and a member for every role and mode.
struct Tenant {
    account: Account,
    licensed: bool,
    engine: Engine,
    vault: FakeVault,
    /// A token for each state, until a request changes it.
    tokens: BTreeMap<String, StoredToken>,
}

impl Tenant {
    async fn new(plan: Plan, api_management: bool) -> Self {
        let members = Caller::all().into_iter().filter_map(|caller| match caller {
            Caller::Member(role, developer_mode) => Some(Member {
                id: caller.user().parse().unwrap(),
                email: "member@tenant.example".into(),
                name: caller.user(),
                role,
                developer_mode,
            }),
            Caller::Stranger => None,
        });
        let account = Account {
            id: "tenant".parse().unwrap(),
            name: "Tenant".into(),
            plan,
            api_management,
            members: members.collect(),
        };
        let engine = Engine::with_accounts().await;
        engine.store.put_account(&account, now()).await.unwrap();
        Self {
            account,
            licensed: plan == Plan::Enterprise || api_management,
            engine,
            vault: FakeVault::default(),
            tokens: BTreeMap::new(),
        }
    }

    /// A token in that state. It is created while the account still has the licence.
    async fn token(&mut self, state: State) -> StoredToken {
        if let Some(stored) = self.tokens.get(&format!("{state:?}")) {
            return stored.clone();
        }
        let created = match state {
            State::Purged => now() - SignedDuration::from_hours(1),
            _ => now(),
        };
        let foreign = if state == State::Foreign {
            "acme"
        } else {
            "tenant"
        };
        let app = state == State::ActiveOfAnApp;
        let fresh = Token {
            account_id: foreign.parse().unwrap(),
            kind: if app {
                Kind::IntegrationApp
            } else {
                Kind::Account
            },
            integration_id: app.then(|| "app1".parse().unwrap()),
            auto_purge: state.lifetime(),
            purge_at: state.lifetime().purge_at(created),
            ..token_at(created)
        };
        let mut stored = self.engine.add(fresh).await;
        if matches!(
            state,
            State::RevokedForAnHour | State::RevokedForThirtyDays | State::Deleted
        ) {
            stored = self.engine.revoke(stored).await;
        }
        match state {
            State::Deleted => self.engine.remove(&stored.token).await,
            State::Unknown => stored.token.id = token_at(now()).id,
            _ => {}
        }
        self.tokens.insert(format!("{state:?}"), stored.clone());
        stored
    }

    async fn cell(&mut self, operation: usize, state: State, caller: Caller) -> String {
        let (_, method, path, body) = OPERATIONS[operation];
        let token = self.token(state).await.token.id;
        let account = "/v1/accounts/tenant";
        let path = path
            .replace("{a}", account)
            .replace("{t}", &format!("{account}/tokens/{token}"));
        let mut call = Call::new(method, &path).by(&caller.user());
        if body.starts_with('{') {
            call = call.text(body).header("content-type", "application/json");
        } else if !body.is_empty() {
            call = call.json(&json!({"name": "New", "autoPurge": body, "scope": {"type": "full"}}));
        }
        let answer = answer(&self.engine.store, &self.vault, &system_at(now()), &call).await;
        if answer.status < 300 && method != "GET" {
            self.tokens.remove(&format!("{state:?}"));
        }
        let (status, code) = answer.outcome();
        let fields: Vec<_> = answer
            .failures()
            .iter()
            .map(|(_, code)| (*code).to_owned())
            .collect();
        let detail = if fields.is_empty() {
            code.to_owned()
        } else {
            fields.join(" ")
        };
        format!("{status} {detail}").trim_end().to_owned()
    }

    /// The answers to all callers.
    async fn row(&mut self, operation: usize, state: State) -> Vec<String> {
        let mut row = Vec::new();
        for caller in Caller::all() {
            row.push(self.cell(operation, state, caller).await);
        }
        row
    }
}

/// The answers to all callers, by operation and state.
type Table = BTreeMap<(usize, usize), Vec<String>>;

/// The table of one plan, and whether the plan has the licence.
async fn table(plan: Plan, api_management: bool) -> (bool, Table) {
    let mut tenant = Tenant::new(plan, api_management).await;
    assert_eq!(tenant.account.has_api_management(), tenant.licensed);
    let mut table = BTreeMap::new();
    for (operation, (_, _, path, _)) in OPERATIONS.iter().enumerate() {
        for (index, state) in State::ALL.into_iter().enumerate() {
            // Without a token in the path, the state makes no difference.
            if path.contains("{t}") || state == State::Unknown {
                table.insert((operation, index), tenant.row(operation, state).await);
            }
        }
    }
    (tenant.licensed, table)
}

#[test]
fn every_cell_of_the_table_of_rights_is_answered_as_it_says() {
    let plans = [
        Plan::Standard,
        Plan::Professional,
        Plan::Premium,
        Plan::Enterprise,
    ];
    let tables: Vec<_> = std::thread::scope(|scope| {
        let tenants = plans
            .into_iter()
            .flat_map(|plan| [(plan, true), (plan, false)]);
        let threads: Vec<_> = tenants
            .map(|(plan, api_management)| {
                scope.spawn(move || {
                    let runtime = tokio::runtime::Builder::new_current_thread()
                        .enable_all()
                        .build();
                    runtime.unwrap().block_on(table(plan, api_management))
                })
            })
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .collect()
    });
    let (licensed, unlicensed): (Vec<_>, Vec<_>) =
        tables.into_iter().partition(|(licensed, _)| *licensed);
    assert_eq!((licensed.len(), unlicensed.len()), (5, 3));
    for tables in [&licensed, &unlicensed] {
        assert!(
            tables.iter().all(|table| *table == tables[0]),
            "plans differ"
        );
    }
    insta::assert_snapshot!(render(&licensed[0].1, &unlicensed[0].1));
}

/// The table for readers. Callers with the same answers share a column, states with the same answers share a line.
fn render(licensed: &Table, unlicensed: &Table) -> String {
    let mut text = String::from(
        "operation | token | licence | owner, administrator: developer mode | no developer mode \
         | manage, monitor | stranger\n",
    );
    for (operation, (name, _, path, _)) in OPERATIONS.iter().enumerate() {
        let mut lines: Vec<(String, Vec<String>)> = Vec::new();
        for (index, state) in State::ALL.into_iter().enumerate() {
            let Some(with) = licensed.get(&(operation, index)) else {
                continue;
            };
            let without = &unlicensed[&(operation, index)];
            let (with, without) = (columns(with), columns(without));
            let cells = if with == without {
                format!("- | {with}")
            } else {
                format!("with | {with}\n{name} | {{}} | without | {without}")
            };
            let state = if path.contains("{t}") {
                format!("{state:?}")
            } else {
                "-".into()
            };
            match lines.iter_mut().find(|(other, _)| *other == cells) {
                Some((_, states)) => states.push(state),
                None => lines.push((cells, vec![state])),
            }
        }
        for (cells, states) in lines {
            let states = states.join(", ");
            writeln!(text, "{name} | {states} | {}", cells.replace("{}", &states)).unwrap();
        }
    }
    text
}

fn columns(row: &[String]) -> String {
    assert_eq!(
        row[..2],
        row[2..4],
        "an administrator may other things than an owner"
    );
    assert!(
        row[4..8].iter().all(|cell| *cell == row[4]),
        "manage and monitor differ"
    );
    [&row[0], &row[1], &row[4], &row[8]]
        .map(String::as_str)
        .join(" | ")
}

#[test]
fn the_token_of_the_fixtures_has_a_custom_scope() {
    // Otherwise giving the token full access would change nothing.
    assert_ne!(token().scope.type_name(), "full");
}
