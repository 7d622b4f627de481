//! What `make check` reports about advisories. All tools that it calls are replaced by stubs.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

/// A stub that succeeds.
const GOOD: &str = "#!/bin/sh\n";
/// A stub of cargo-deny. The environment says whether its database can be fetched and whether it finds something.
const DENY: &str = r#"#!/bin/sh
case "$*" in
"fetch db") exit "$FETCH" ;;
"check advisories") exit "$ADVISORIES" ;;
"check --hide-inclusion-graph bans licenses sources") exit 0 ;;
*) echo "cargo-deny has no '$*' here" >&2; exit 9 ;;
esac
"#;

/// The stubs. They are written before anything runs, since a program that is open for writing can't be started.
static STANDINS: LazyLock<PathBuf> = LazyLock::new(|| {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("check");
    for (program, text) in [
        ("tools/sam/bin/sam", GOOD),
        ("tools/sam/bin/python", GOOD),
        ("tools/cargo-deny/bin/cargo-deny", DENY),
        ("bin/cargo", GOOD),
    ] {
        let program = directory.join(program);
        fs::create_dir_all(program.parent().unwrap()).unwrap();
        fs::write(&program, text).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    }
    directory
});

struct Check<'a> {
    ci: Option<&'a str>,
    fetch: &'a str,
    advisories: &'a str,
}

impl Check<'_> {
    /// Runs the check. Returns whether it succeeded, and the last line of its output.
    fn run(&self, test: &str) -> (bool, String) {
        let standins = &*STANDINS;
        let checked = standins.join(test);
        // The result of an earlier run.
        fs::write(&checked, "Checked: all, advisories among it.\n").unwrap();
        let path = format!("{}:{}", standins.join("bin").display(), env!("PATH"));
        let mut make = Command::new("make");
        make.arg("check")
            .arg("CLOUD=true")
            .arg(format!("TOOLS={}", standins.join("tools").display()))
            .arg(format!("CHECKED={}", checked.display()))
            .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
            .env("PATH", path)
            .env("FETCH", self.fetch)
            .env("ADVISORIES", self.advisories);
        // Variables of the `make test` that runs this test.
        for name in ["MAKEFLAGS", "MFLAGS", "MAKELEVEL", "MAKEOVERRIDES", "CI"] {
            make.env_remove(name);
        }
        make.envs(self.ci.map(|ci| ("CI", ci)));
        let done = make.output().unwrap();
        let said = String::from_utf8(done.stdout).unwrap();
        let last = said.lines().last().unwrap_or_default().to_owned();
        (done.status.success(), last)
    }
}

#[test]
fn a_database_that_is_reached_and_clean_is_said_to_be_checked() {
    let check = Check {
        ci: Some("true"),
        fetch: "0",
        advisories: "0",
    };
    let (is_well, last) = check.run("clean");
    assert!(is_well);
    assert_eq!(last, "Checked: all, advisories among it.");
}

#[test]
fn a_finding_fails_and_nothing_says_that_all_was_checked() {
    for ci in [Some("true"), None] {
        let check = Check {
            ci,
            fetch: "0",
            advisories: "1",
        };
        let (is_well, last) = check.run("finding");
        assert!(!is_well, "{ci:?}");
        assert!(!last.starts_with("Checked"), "{last}");
    }
}

#[test]
fn a_database_that_is_not_reached_is_said_to_be_not_checked() {
    for ci in [Some("true"), None] {
        let check = Check {
            ci,
            fetch: "1",
            // Not used, since the database can't be fetched.
            advisories: "1",
        };
        let (is_well, last) = check.run("unreachable");
        assert!(is_well, "{ci:?}");
        assert!(last.contains("NOT CHECKED"), "{last}");
        assert!(!last.contains("advisories among it"), "{last}");
    }
}
