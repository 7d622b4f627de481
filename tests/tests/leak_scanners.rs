//! The shipped rules find leaked secrets in common scanners.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use end_to_end::{Account, Stack, tool};
use serde_json::{Value, json};

/// A filter that treats the arguments of calls as references to secrets.
const INDIRECT: &str = "detect_secrets.filters.heuristic.is_indirect_reference";

/// The findings of detect-secrets in a directory: file and line of each of our secrets.
fn scan(directory: &Path) -> BTreeSet<(String, u64)> {
    let plugin = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../scanners/detect_secrets_latchkey.py"
    );
    let scan = Command::new(tool("detect-secrets", "detect-secrets"))
        .args(["scan", "--all-files", "--plugin", plugin])
        .args(["--disable-filter", INDIRECT, "."])
        .current_dir(directory)
        .output()
        .expect("a scan");
    let errors = String::from_utf8_lossy(&scan.stderr);
    assert!(scan.status.success(), "{errors}");
    let found: Value = serde_json::from_slice(&scan.stdout).expect("JSON");
    let files = found["results"].as_object().expect("results");
    files
        .iter()
        .flat_map(|(file, finds)| {
            let finds = finds.as_array().expect("finds").iter();
            let ours = finds.filter(|find| find["type"] == "Latchkey API token");
            ours.map(|find| (file.clone(), find["line_number"].as_u64().expect("a line")))
        })
        .collect()
}

/// Emulates gitleaks, which no registry has as a package: it skips files without any of the keywords, in any case, and
/// reports lines that match the expression.
const GITLEAKS: &str = r#"
import json, pathlib, re, sys
try:
    import tomllib
except ImportError:
    from pip._vendor import tomli as tomllib
[rule] = tomllib.loads(pathlib.Path(sys.argv[1]).read_text())["rules"]
finds = []
for file in pathlib.Path().rglob("*"):
    if file.is_file() and any(word in file.read_text().lower() for word in rule["keywords"]):
        lines = enumerate(file.read_text().splitlines(), 1)
        finds += [(str(file), number) for number, line in lines if re.search(rule["regex"], line)]
print(json.dumps([rule["id"], finds]))
"#;

/// The findings of the rule for gitleaks in a directory.
fn apply_rule(directory: &Path) -> BTreeSet<(String, u64)> {
    let rule = concat!(env!("CARGO_MANIFEST_DIR"), "/../scanners/gitleaks.toml");
    let scan = Command::new(tool("detect-secrets", "python"))
        .args(["-c", GITLEAKS, rule])
        .current_dir(directory)
        .output()
        .expect("a scan");
    let errors = String::from_utf8_lossy(&scan.stderr);
    assert!(scan.status.success(), "{errors}");
    let (id, finds): (String, _) = serde_json::from_slice(&scan.stdout).expect("JSON");
    assert_eq!(id, "latchkey-api-token");
    finds
}

#[tokio::test]
async fn a_scanner_finds_every_secret_in_a_tree_and_nothing_else() {
    let stack = Stack::from_env();
    let account = Account::create(&stack, "scanned", "standard").await;
    account.add_resource("export", "exp", Some("app-1")).await;
    let full = json!({"name": "Leaky", "autoPurge": "1h", "scope": {"type": "full"}});
    let (_, one) = account.create_token(full).await;
    let app = json!({
        "name": "The app's",
        "kind": "integrationApp",
        "integrationId": "app-1",
        "autoPurge": "1h",
        "scope": {"type": "full"},
    });
    let (_, two) = account.create_token(app).await;

    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("scan-{}", account.id));
    let write = |name: &str, lines: &[String]| {
        let file = directory.join(name);
        fs::create_dir_all(file.parent().expect("a directory")).expect("a directory");
        fs::write(file, lines.join("\n") + "\n").expect("a file");
    };
    let noise =
        || "4f1c0ad3-6f0d-4b6e-9d0e-0a3c1c9d7f55 d41d8cd98f00b204e9800998ecf8427e".to_owned();
    write(
        ".env",
        &["# Secrets".into(), format!("LATCHKEY_TOKEN={one}")],
    );
    write(
        "src/config.json",
        &["{".into(), format!("  \"token\": \"{two}\","), "}".into()],
    );
    write(
        "deploy/values.yaml",
        &[noise(), noise(), format!("token: {one} # from {two}")],
    );
    write(
        "run.sh",
        &[format!("curl 'https://example.com/?key={two}&page=1'")],
    );
    write(
        "README.md",
        &[format!("Use `{one}`."), noise(), format!("({two})")],
    );
    write("main.py", &[format!("client = Client(b'{one}')")]);
    // Any text before or after the secret. One file each, since a secret is reported once per file.
    write("escaped.json", &[format!("\"first\\n{one}\\nlast\"")]);
    write("header.txt", &[format!("Bearer%20{one}")]);
    write("form.txt", &[format!("token%3D{one}")]);
    write("named.txt", &[format!("TOKEN_{one}")]);
    write("staged.txt", &[format!("{one}_prod")]);
    write("colour.log", &[format!("\u{1b}[31m{one}\u{1b}[0m")]);
    write("glued.txt", &[format!("x{one}0")]);
    let positive = [
        ("escaped.json", 1),
        ("header.txt", 1),
        ("form.txt", 1),
        ("named.txt", 1),
        ("staged.txt", 1),
        ("colour.log", 1),
        ("glued.txt", 1),
        (".env", 2),
        ("src/config.json", 2),
        ("deploy/values.yaml", 3),
        ("run.sh", 1),
        ("README.md", 1),
        ("README.md", 3),
        ("main.py", 1),
    ];

    // A typing error at each position, a cut secret, one with another prefix, and random text.
    let typed = |at: usize| {
        let other = if &one[at..=at] == "x" { "y" } else { "x" };
        format!("{}{other}{}", &one[..at], &one[at + 1..])
    };
    let typing_errors: Vec<_> = (4..one.len()).map(typed).collect();
    write("typing.txt", &typing_errors);
    write(
        "lookalikes.txt",
        &[
            one[..52].to_owned(),
            one.replacen("lka_", "lkb_", 1),
            one.replacen("lka_", "lki_", 1),
            one.replacen("lka_", "LKA_", 1),
            one.replacen("lka_", "lka-", 1),
            format!("lka_{}", "0".repeat(49)),
            "lka_<49 characters>".into(),
            noise(),
        ],
    );
    write(
        "vendor/jwt.txt",
        &[account.owner.access.clone(), account.owner.id_token.clone()],
    );

    let found = scan(&directory);
    let expected = BTreeSet::from(positive.map(|(file, line)| (file.to_owned(), line)));
    assert_eq!(found, expected);
    // A rule can't check the checksum, so it also finds typing errors and other texts of the same form.
    let typing_errors = (1..=49).map(|line| ("typing.txt".to_owned(), line));
    let alike = [3, 6].map(|line| ("lookalikes.txt".to_owned(), line));
    let expected: BTreeSet<_> = expected
        .into_iter()
        .chain(typing_errors)
        .chain(alike)
        .collect();
    assert_eq!(apply_rule(&directory), expected);
    fs::remove_dir_all(&directory).expect("removed");
}
