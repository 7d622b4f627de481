//! The targets.

mod api;
mod events;
mod routes;
mod values;

use std::rc::Rc;
use std::sync::LazyLock;

use console::Site;
use console::config::Config;
use contract::{Call, Description, operations};
use describe_api::Docs;
use latchkey::mail::{Console, Notifier};
use latchkey::testing::{Answer, FakeVault, Post, brand};
use tokio::runtime::{Builder, Runtime};

use crate::World;
use crate::world::system;
use routes::Scanner;

pub use api::{answer, call};
pub use values::values;

/// What the API's description says. It takes long to read.
static DESCRIPTION: LazyLock<Description> =
    LazyLock::new(|| Description::new(Description::of_the_code()));

/// What the targets run on.
pub struct Harness {
    /// The store.
    pub world: World,
    /// The key service.
    pub vault: FakeVault,
    post: Post,
    notifier: Notifier<Post>,
    scanner: Scanner,
    site: Site,
    version: String,
    docs: Docs,
    runtime: Runtime,
}

impl Harness {
    /// Creates it with a store, which `change` may break.
    ///
    /// # Panics
    /// If a runtime can't be started.
    pub fn with(change: impl FnOnce(&mut World)) -> Rc<Self> {
        let runtime = Builder::new_current_thread().enable_time().build().unwrap();
        let mut world = runtime.block_on(World::new());
        change(&mut world);
        let post = Post::default();
        let site = Site::new(&configuration()).unwrap();
        let console = Console::new("https://tokens.example");
        Rc::new(Self {
            world,
            vault: FakeVault::default(),
            notifier: Notifier::new(post.clone(), console, brand()),
            post,
            scanner: Scanner::new(),
            version: routes::version(&site),
            site,
            docs: describe_api::docs("https://api.latchkey.example/").unwrap(),
            runtime,
        })
    }

    /// Sends a request to the store in memory.
    ///
    /// # Panics
    /// As [`answer`].
    pub fn ask(&self, call: &Call) -> Answer {
        let system = system();
        let answer = answer(&self.world, &self.vault, &system, call);
        self.runtime.block_on(answer)
    }

    /// Forgets what the last input wrote and sent, and returns the written texts.
    fn take_written(&self) -> Vec<String> {
        self.post.take();
        self.world.take_written()
    }
}

fn configuration() -> Config {
    Config {
        client_id: "client-1".into(),
        authorization_endpoint: "https://sign-in.example/authorize".into(),
        token_endpoint: "https://sign-in.example/oauth2/token".into(),
        revocation_endpoint: None,
        end_session_endpoint: None,
        scopes: "openid".into(),
        platform_api_url: None,
        mcp_url: None,
    }
}

/// What a target does with an input.
type Check = Box<dyn Fn(&[u8])>;

/// The same on a harness.
type OnHarness = fn(&Harness, &[u8]);

/// Something that takes any bytes.
pub struct Target {
    /// The name, which is also the folder of its inputs.
    pub name: String,
    /// How many mutations the bounded form runs for each seed.
    pub mutations: u32,
    check: Check,
}

impl Target {
    /// Creates a target that is cheap to run.
    pub fn of_value(name: &str, check: impl Fn(&[u8]) + 'static) -> Self {
        Self {
            name: name.into(),
            mutations: 40_000,
            check: Box::new(check),
        }
    }

    /// Creates a target that runs a function.
    fn of_function(name: &str, check: impl Fn(&[u8]) + 'static) -> Self {
        Self {
            mutations: 500,
            ..Self::of_value(name, check)
        }
    }

    /// Runs the target on an input.
    ///
    /// # Panics
    /// If the input breaks a promise.
    pub fn run(&self, data: &[u8]) {
        (self.check)(data);
    }
}

/// The functions that no operation of the description leads to, with their targets. A function that takes nothing from
/// outside has none: it is started by the clock.
pub const FUNCTIONS: &[(&str, &[&str])] = &[
    ("authorize", &["authorize-http-api", "authorize-rest-api"]),
    ("console", &["console"]),
    ("describe-api", &["describe-api"]),
    ("probe", &[]),
    ("receive-leak-report", &["receive-leak-report"]),
    ("record-mail-feedback", &["record-mail-feedback"]),
    ("record-purges", &["record-purges"]),
    ("remind-expiring", &[]),
    ("revoke-idle", &[]),
    ("send-digests", &[]),
    ("send-notifications", &["send-notifications"]),
    ("sync-platform", &["sync-platform"]),
    ("watch-trail", &["watch-trail"]),
];

/// Returns all targets.
pub fn targets(harness: &Rc<Harness>) -> Vec<Target> {
    let mut targets = values();
    let functions: [(&str, OnHarness); 10] = [
        ("authorize-http-api", events::authorize_http),
        ("authorize-rest-api", events::authorize_rest),
        ("console", routes::console),
        ("describe-api", routes::describe_api),
        ("receive-leak-report", routes::leak_report),
        ("record-mail-feedback", events::mail_feedback),
        ("record-purges", events::record_purges),
        ("send-notifications", events::send_notifications),
        ("sync-platform", events::sync_platform),
        ("watch-trail", events::trail),
    ];
    for (name, check) in functions {
        let harness = Rc::clone(harness);
        targets.push(Target::of_function(name, move |data| check(&harness, data)));
    }
    for operation in operations() {
        let harness = Rc::clone(harness);
        let name = operation.name();
        targets.push(Target::of_function(name, move |data| {
            api::operation(&harness, &operation, data);
        }));
    }
    targets
}
