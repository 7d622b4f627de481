//! What `make up` and `make test` say about a machine that lacks something. All programs that they look for are
//! replaced by stubs.

use std::env;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};

/// Held while stubs are written and run: a program can't be started while a process that another test starts has it
/// open for writing.
static ALONE: Mutex<()> = Mutex::new(());

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// A stub that succeeds.
const GOOD: &str = "exit 0";

/// A stub of a Python of that version, with the module venv.
fn python(version: &str) -> String {
    format!("case \"$2\" in *version_info*) echo {version} ;; esac")
}

/// A stub of a compiler of that version.
fn rustc(version: &str) -> String {
    format!("echo 'rustc {version} (59807616e 2026-04-14)'")
}

/// A machine: programs and the commands of their stubs.
struct Machine(Vec<(&'static str, String)>);

impl Machine {
    /// A machine that has everything.
    fn complete() -> Self {
        Self(vec![
            ("python3", python("3.10")),
            ("cc", GOOD.into()),
            ("strip", GOOD.into()),
            ("cargo", GOOD.into()),
            ("rustc", rustc("1.95.0")),
        ])
    }

    fn without(mut self, program: &str) -> Self {
        self.0.retain(|(name, _)| *name != program);
        self
    }

    fn with(self, program: &'static str, stub: impl Into<String>) -> Self {
        let mut machine = self.without(program);
        machine.0.push((program, stub.into()));
        machine
    }

    /// Runs a command with only this machine's programs in its path. Returns whether it succeeded, and what it said.
    fn run(&self, test: &str, program: &str, arguments: &[&str]) -> (bool, Vec<String>) {
        let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
        let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("prerequisites");
        let directory = directory.join(test);
        let _ = fs::remove_dir_all(&directory);
        fs::create_dir_all(&directory).unwrap();
        let path = env::var_os("PATH").unwrap();
        let real = |name: &str| {
            let mut files = env::split_paths(&path).map(|folder| folder.join(name));
            files.find(|file| file.exists()).unwrap()
        };
        for name in ["sh", "dirname", "mktemp", "rm", "sed"] {
            symlink(real(name), directory.join(name)).unwrap();
        }
        for (name, stub) in &self.0 {
            let file = directory.join(name);
            fs::write(&file, format!("#!/bin/sh\n{stub}\n")).unwrap();
            fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
        }
        let mut command = Command::new(real(program));
        command.args(arguments).current_dir(root());
        command.env("PATH", &directory);
        for name in ["MAKEFLAGS", "MFLAGS", "MAKELEVEL", "MAKEOVERRIDES"] {
            command.env_remove(name);
        }
        let done = command.output().unwrap();
        let said = [done.stdout, done.stderr].concat();
        let said = String::from_utf8(said).unwrap();
        (
            done.status.success(),
            said.lines().map(str::to_owned).collect(),
        )
    }

    fn check(&self, test: &str) -> (bool, Vec<String>) {
        self.run(test, "sh", &["infra/local/prerequisites.sh"])
    }

    /// Checks that the machine is refused for one reason, in one sentence.
    #[track_caller]
    fn lacks(&self, test: &str, what: &str) {
        let (is_well, said) = self.check(test);
        assert!(!is_well);
        let [said] = &said[..] else {
            panic!("{said:?}");
        };
        let what = format!("error: {what}: install ");
        assert!(said.starts_with(&what) && said.ends_with('.'), "{said}");
    }
}

#[test]
fn a_complete_machine_passes_in_silence() {
    assert_eq!(Machine::complete().check("complete"), (true, vec![]));
    let newer = Machine::complete()
        .with("python3", python("3.14"))
        .with("rustc", rustc("1.100.0-nightly"));
    assert_eq!(newer.check("newer"), (true, vec![]));
}

#[test]
fn a_missing_or_old_python_is_told() {
    let machine = Machine::complete;
    machine()
        .without("python3")
        .lacks("no-python", "python3 was not found");
    machine()
        .with("python3", python("3.9"))
        .lacks("old-python", "Python 3.9 is too old");
    machine()
        .with("python3", python("2.7"))
        .lacks("python-2", "Python 2.7 is too old");
    let without_venv = format!("{}\ncase \"$2\" in *venv*) exit 1 ;; esac", python("3.13"));
    machine()
        .with("python3", without_venv)
        .lacks("no-venv", "Python's venv module is incomplete");
}

#[test]
fn a_missing_compiler_or_linker_is_told() {
    let machine = Machine::complete;
    machine()
        .without("cc")
        .lacks("no-compiler", "cc, a C compiler, was not found");
    machine()
        .with("cc", "exit 1")
        .lacks("no-linker", "cc can't compile and link a C program");
    machine()
        .without("strip")
        .lacks("no-strip", "strip was not found");
}

#[test]
fn a_missing_or_old_rust_is_told() {
    let machine = Machine::complete;
    machine()
        .without("cargo")
        .without("rustc")
        .lacks("no-rust", "cargo was not found");
    machine()
        .without("rustc")
        .lacks("no-rustc", "rustc was not found");
    machine()
        .with("rustc", rustc("1.85.1"))
        .lacks("old-rust", "Rust 1.85.1 is too old");
}

#[test]
fn rustup_may_still_install_the_compiler_and_is_not_asked_to() {
    let machine = Machine::complete()
        .with("rustup", GOOD)
        .with("rustc", "[ \"$RUSTUP_AUTO_INSTALL\" = 0 ] && exit 1");
    assert_eq!(machine.check("rustup"), (true, vec![]));
}

#[test]
fn make_tells_all_that_is_missing_before_it_does_anything() {
    for target in ["up", "test", "watch", "bench", "check"] {
        let machine = Machine::complete()
            .with("python3", python("3.8"))
            .without("cc")
            .without("rustc");
        let (is_well, said) = machine.run(&format!("make-{target}"), "make", &[target]);
        assert!(!is_well);
        let told: Vec<_> = said
            .iter()
            .filter(|line| line.starts_with("error: "))
            .collect();
        assert_eq!(told.len(), 3, "{said:?}");
        let others = said.iter().filter(|line| !line.starts_with("error: "));
        for line in others {
            assert!(line.starts_with("make: "), "{line}");
        }
    }
}

/// The lines of a Makefile's recipes in which anything but another command stands before a variable that is a list of
/// commands. It would be for the list's first command only.
fn halved(makefile: &str) -> Vec<String> {
    let joined = makefile.replace("\\\n", " ");
    let (recipes, others): (Vec<_>, Vec<_>) =
        joined.lines().partition(|line| line.starts_with('\t'));
    let variables = others.iter().filter_map(|line| line.split_once(":="));
    let lists = variables.filter(|(_, value)| value.contains("&&") || value.contains(';'));
    let lists: Vec<_> = lists
        .map(|(name, _)| format!("$({})", name.trim()))
        .collect();
    assert!(!lists.is_empty());
    let is_halved = |line: &&&str| {
        let mut found = lists.iter().flat_map(|list| line.match_indices(list));
        found.any(|(at, _)| {
            let before = line[..at].trim_matches(['\t', ' ', '@']);
            !before.is_empty() && !["&&", "||", ";"].iter().any(|end| before.ends_with(end))
        })
    };
    let halved = recipes.iter().filter(is_halved);
    halved.map(ToString::to_string).collect()
}

#[test]
fn no_recipe_sets_a_variable_for_half_a_list_of_commands() {
    let makefile = fs::read_to_string(root().join("Makefile")).unwrap();
    assert_eq!(halved(&makefile), Vec::<String>::new());
    let planted = "\tLATCHKEY_MINUTES=5 $(CLOUD) test";
    assert_eq!(halved(&format!("{makefile}{planted}\n")), [planted]);
}

/// The README names the versions that the check wants.
#[test]
fn the_readme_names_the_versions() {
    let read = |file: &str| fs::read_to_string(root().join(file)).unwrap();
    let check = read("infra/local/prerequisites.sh");
    let python = check.split_once("\npython=").unwrap().1;
    let python = python.lines().next().unwrap();
    let readme = read("README.md");
    let rust = env!("CARGO_PKG_RUST_VERSION");
    for wanted in [
        format!("Rust {rust} or newer"),
        format!("Python {python} or newer"),
    ] {
        assert!(readme.contains(&wanted), "{wanted}");
    }
}
