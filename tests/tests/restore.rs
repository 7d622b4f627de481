//! The drill of `docs/restoring.md`, on a local cloud of its own: tables are restored to a point for a new stack, what
//! ended after the point is ended again, and the new stack goes on where the old one stopped.
//!
//! The local cloud's `RestoreTableToPointInTime` copies what a table holds now. So backups that are made at the point
//! take its place, as the program's options allow for tables that were deleted. That AWS restores a point is AWS's.
//!
//! The deployment after the import replaces imported tables on the local cloud by new, empty ones, since it didn't choose
//! their names. AWS keeps a table unless its key changes. So the test copies what was restored and replayed into the
//! tables that it made instead. It can't show that no record is mailed again: that a stream begins after the replay is
//! what `latchkey-admin replay` itself demands.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::{env, fs};

use end_to_end::{Account, ScannerKey, Stack, eventually, send, tool};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::process::Command;

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
const CLOUD: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../infra/local/cloud.py");
/// The cloud's name.
const NAME: &str = "restore";
/// The new stack's name.
const NEW: &str = "latchkey-restored";

/// Runs a command and returns what it prints.
async fn run(command: &mut Command) -> String {
    let done = command.output().await.expect("a program");
    let [text, error] = [&done.stdout, &done.stderr].map(|it| String::from_utf8_lossy(it));
    assert!(done.status.success(), "{command:?}: {text}{error}");
    text.into_owned()
}

/// A local cloud that ends with this value.
struct Cloud {
    stack: Stack,
    description: PathBuf,
}

impl Cloud {
    async fn start() -> Self {
        // Without `make test`, the functions may be older than the code.
        let _built = Stack::from_env();
        let own = || {
            let mut command = Command::new("python3");
            command.args([CLOUD, "own", NAME]);
            command
        };
        run(own().args(["--stop", "--purge"])).await;
        let started = run(&mut own()).await;
        let last: Value = serde_json::from_str(started.lines().last().unwrap()).unwrap();
        let description = PathBuf::from(last["description"].as_str().unwrap());
        Self {
            stack: Stack::of(&description),
            description,
        }
    }

    /// A program with the credentials and the address of this cloud.
    fn program(&self, program: impl AsRef<Path>) -> Command {
        let mut command = Command::new(program.as_ref());
        command
            .env("AWS_ENDPOINT_URL", self.stack.get("endpointUrl"))
            .env("AWS_REGION", self.stack.get("region"))
            .env("AWS_DEFAULT_REGION", self.stack.get("region"))
            .env("AWS_ACCESS_KEY_ID", "test")
            .env("AWS_SECRET_ACCESS_KEY", "test")
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .env("SAM_CLI_TELEMETRY", "0")
            .current_dir(format!("{ROOT}/infra"));
        command
    }

    /// The new stack's description: its own API, tables and bus, and the old stack's users.
    async fn deployed(&self) -> Stack {
        let text = fs::read_to_string(&self.description).unwrap();
        let mut description: Value = serde_json::from_str(&text).unwrap();
        let parameters = [("StackName", NEW)];
        let stacks = self.stack.query(
            "cloudformation",
            "2010-05-15",
            "DescribeStacks",
            &parameters,
        );
        let stacks = stacks.await;
        let output = |key: &str| {
            let key = format!("<OutputKey>{key}</OutputKey>");
            let member = stacks
                .split("<member>")
                .find(|it| it.contains(&key))
                .unwrap();
            let value = member.split("<OutputValue>").nth(1).unwrap();
            value.split("</OutputValue>").next().unwrap().to_owned()
        };
        let api = output("ApiUrl");
        let id = api.split("://").nth(1).unwrap().split('.').next().unwrap();
        let base = self.stack.get("endpointUrl");
        description["apiUrl"] = json!(format!("{base}/_aws/execute-api/{id}"));
        description["tokensTable"] = json!(output("TokensTable"));
        description["auditTable"] = json!(output("AuditTable"));
        description["eventBus"] = json!(output("EventBus"));
        let file = self.description.with_file_name("restored.json");
        fs::write(&file, description.to_string()).unwrap();
        Stack::of(&file)
    }
}

impl Drop for Cloud {
    fn drop(&mut self) {
        let mut command = std::process::Command::new("python3");
        command.args([CLOUD, "own", NAME, "--stop"]);
        if !std::thread::panicking() {
            command.arg("--purge");
        }
        // A failure here must not hide that of the test. `make test` stops what is left.
        let _ = command.status();
    }
}

/// A token with its secret.
struct Made {
    id: String,
    secret: String,
}

async fn make(account: &Account, name: &str) -> Made {
    let body = json!({"name": name, "autoPurge": "never", "scope": {"type": "full"}});
    let (id, secret) = account.create_token(body).await;
    Made { id, secret }
}

/// Asks a stack about a secret, and returns the status.
async fn ask(stack: &Stack, secret: &str) -> u16 {
    let request = stack.api(Method::GET, "/v1/tokenInfo").bearer_auth(secret);
    send(request).await.status
}

async fn change(account: &Account, token: &Made, what: &str) -> Value {
    let path = format!("/tokens/{}/{what}", token.id);
    send(account.post(&account.owner, &path)).await.expect(200)
}

async fn backup(stack: &Stack, table: &str) -> String {
    let request = json!({"TableName": stack.get(table), "BackupName": "point"});
    let made = stack
        .aws("dynamodb", "DynamoDB_20120810.CreateBackup", request)
        .await;
    made["BackupDetails"]["BackupArn"]
        .as_str()
        .unwrap()
        .to_owned()
}

/// The records of the account in the audit table, by whether the replay wrote them.
async fn records(account: &Account) -> BTreeMap<bool, usize> {
    let mut counts = BTreeMap::new();
    for item in account.stack.scan(account.stack.get("auditTable")).await {
        if item["accountId"]["S"] == account.id.as_str() {
            *counts
                .entry(item["requestId"]["S"] == "replay")
                .or_default() += 1;
        }
    }
    counts
}

/// Waits until there are as many mails to the owner as records that aren't the replay's.
async fn all_is_mailed(account: &Account) {
    eventually("a mail for each record", async || {
        let (mails, records) = (
            account.mails_to(&account.owner).await,
            records(account).await,
        );
        let wanted = records.get(&false).copied().unwrap_or_default();
        assert!(mails.len() <= wanted, "a mail came twice: {mails:?}");
        (mails.len() == wanted).then_some(())
    })
    .await;
}

/// Copies the items of a table into another one.
async fn copy(stack: &Stack, from: &str, to: &str) {
    assert_ne!(from, to, "the local cloud keeps imported tables now");
    let mut page = json!({"TableName": from});
    loop {
        let read = stack
            .aws("dynamodb", "DynamoDB_20120810.Scan", page.clone())
            .await;
        for item in read["Items"].as_array().unwrap() {
            let put = json!({"TableName": to, "Item": item});
            stack
                .aws("dynamodb", "DynamoDB_20120810.PutItem", put)
                .await;
        }
        if read["LastEvaluatedKey"].is_null() {
            return;
        }
        page["ExclusiveStartKey"] = read["LastEvaluatedKey"].clone();
    }
}

#[tokio::test]
async fn what_ended_after_the_point_stays_ended_in_a_restored_stack_and_the_rest_goes_on() {
    let cloud = Cloud::start().await;
    let account = Account::create(&cloud.stack, "restored", "enterprise").await;
    let untouched = make(&account, "Untouched").await;
    let [revoked, replaced, deleted, leaked, given_up] = [
        make(&account, "Revoked").await,
        make(&account, "Replaced").await,
        make(&account, "Deleted").await,
        make(&account, "Leaked").await,
        make(&account, "Given up").await,
    ];
    all_is_mailed(&account).await;
    let last = account.audit("").await.pop().unwrap();
    let point = format!("{}Z", &last["time"].as_str().unwrap()[..19]);
    let backups = [
        backup(&cloud.stack, "tokensTable").await,
        backup(&cloud.stack, "auditTable").await,
    ];

    // After the point.
    change(&account, &revoked, "revoke").await;
    let lost = change(&account, &replaced, "regenerate").await;
    let lost = lost["secret"].as_str().unwrap();
    change(&account, &deleted, "revoke").await;
    let path = format!("/tokens/{}", deleted.id);
    let gone = account.request(Method::DELETE, &account.owner, &path);
    send(gone).await.expect(204);
    let key = ScannerKey::new("restore");
    cloud
        .stack
        .publish_scanner_keys(&[key.published(true)])
        .await;
    let report = json!([{
        "token": leaked.secret,
        "type": "latchkey_api_token",
        "url": "https://github.com/octocat/hello/blob/1a2b3c/.env",
        "source": "content",
    }]);
    send(key.report(&cloud.stack, &report.to_string()))
        .await
        .expect(200);
    let form = cloud
        .stack
        .api(Method::POST, "/v1/revoke")
        .form(&[("token", &given_up.secret)]);
    assert_eq!(send(form).await.status, 200);
    let late = make(&account, "Too late").await;
    all_is_mailed(&account).await;

    // The commands that follow are in the program's output.
    let python = tool("sam", "python");
    let restore_from = |audit_backup: &str, at: &str| {
        let mut command = cloud.program(&python);
        command.args(["restore.py", "--from", "latchkey", "--to", NEW, "--at", at]);
        command.args(["--tokens-backup", &backups[0]]);
        command.args(["--audit-backup", audit_backup]);
        command
    };
    let restore = |at| restore_from(&backups[1], at);
    let printed = run(&mut restore(&point)).await;
    // It may be run again, but the new stack keeps its tables: another point or backup needs another stack.
    assert_eq!(run(&mut restore(&point)).await, printed);
    let another_backup = restore_from(&backups[0], &point);
    for mut other in [restore("2026-01-01T00:00:00Z"), another_backup] {
        let other = other.output().await.unwrap();
        let told = String::from_utf8_lossy(&other.stderr);
        assert!(!other.status.success(), "{told}");
        assert!(told.ends_with("name another new stack\n"), "{told}");
    }
    let line = |start: &str| {
        let line = printed.lines().find(|line| line.starts_with(start));
        line.unwrap_or_else(|| panic!("{printed}")).to_owned()
    };
    let replay = line("cargo run -p latchkey-admin -- ");
    let replay: Vec<_> = replay.split(' ').skip(5).collect();
    let admin = format!("{ROOT}/target/debug/latchkey-admin");
    let admin =
        env::var("CARGO_TARGET_DIR").map_or(admin, |it| format!("{it}/debug/latchkey-admin"));
    let told = run(cloud.program(&admin).args(&replay)).await;
    let lost_token = format!("lost: {}: the token {} (\"Too late\")", account.id, late.id);
    let lost_secret = format!("the secret of the token {} (\"Replaced\")", replaced.id);
    assert!(told.contains(&lost_token), "{told}");
    assert!(told.contains(&lost_secret), "{told}");
    assert_eq!(told.matches("lost: ").count(), 2, "{told}");
    let again = run(cloud.program(&admin).args(&replay)).await;
    assert_eq!(again, format!("nothing to do\n{lost_token}\n"));

    let deploy = line("make deploy 'ARGS=");
    let deploy = deploy
        .trim_start_matches("make deploy 'ARGS=")
        .trim_end_matches('\'');
    let template = cloud.description.with_file_name("deploy-latchkey.yaml");
    run(cloud
        .program(tool("sam", "sam"))
        .args([
            "deploy",
            "--config-env",
            "local",
            "--resolve-s3",
            "--language-extensions",
        ])
        .args(["--capabilities", "CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"])
        .args([
            "--no-confirm-changeset",
            "--region",
            cloud.stack.get("region"),
        ])
        .arg("--template-file")
        .arg(&template)
        .args(deploy.split(' ')))
    .await;
    let mut restored = account.clone();
    restored.stack = cloud.deployed().await;
    let new = &restored.stack;

    let value = |name: &str| {
        let at = replay.iter().position(|word| *word == name).unwrap();
        replay[at + 1]
    };
    copy(new, value("--tokens-table"), new.get("tokensTable")).await;
    copy(new, value("--audit-table"), new.get("auditTable")).await;
    for (name, secret, status) in [
        ("untouched", untouched.secret.as_str(), 200),
        ("revoked", &revoked.secret, 401),
        ("replaced", &replaced.secret, 401),
        ("lost", lost, 401),
        ("deleted", &deleted.secret, 401),
        ("leaked", &leaked.secret, 401),
        ("given up", &given_up.secret, 401),
        ("too late", &late.secret, 401),
    ] {
        assert_eq!(ask(new, secret).await, status, "{name}");
    }
    // The callers are those of the old stack, and so is the key of the secrets.
    let shown = change(&restored, &untouched, "reveal").await;
    assert_eq!(shown["secret"], untouched.secret.as_str());
    let fresh = change(&restored, &replaced, "reveal").await;
    let fresh = fresh["secret"].as_str().unwrap();
    assert_ne!(fresh, replaced.secret);
    assert_ne!(fresh, lost);
    assert_eq!(ask(new, fresh).await, 200);
    change(&restored, &revoked, "reactivate").await;
    assert_eq!(ask(new, &revoked.secret).await, 200);
    for token in [&leaked, &given_up] {
        let path = format!("/tokens/{}/reactivate", token.id);
        let refused = send(restored.post(&restored.owner, &path)).await;
        assert_eq!(refused.code(), "secret_compromised");
    }
    let path = format!("/tokens/{}", deleted.id);
    assert_eq!(send(restored.get(&restored.owner, &path)).await.status, 404);

    // The log is whole.
    let log = restored.audit("").await;
    for record in account.audit("").await {
        assert!(log.contains(&record), "{record}");
    }
}
