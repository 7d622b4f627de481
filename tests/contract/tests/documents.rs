//! The documents' links lead somewhere, their commands work in every shell, and the README is short.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// The lines that a newcomer reads.
const README_LINES: usize = 150;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The documents of a folder, without those that tools and builds bring along.
fn documents(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        if path.is_dir() {
            if !name.starts_with('.') && name != "target" && name != "node_modules" {
                found.extend(documents(&path));
            }
        } else if path.extension().is_some_and(|extension| extension == "md") {
            found.push(path);
        }
    }
    found
}

/// The lines of a document, each with the language of the block of code that it is in, if it is in one.
fn lines(text: &str) -> Vec<(Option<&str>, &str)> {
    let mut block = None;
    let mut lines = Vec::new();
    for line in text.lines() {
        match line.trim_start().strip_prefix("```") {
            Some(language) => block = block.xor(Some(language)),
            None => lines.push((block, line)),
        }
    }
    lines
}

/// The lines outside blocks of code.
fn prose(text: &str) -> Vec<&str> {
    let lines = lines(text).into_iter();
    lines
        .filter(|(block, _)| block.is_none())
        .map(|(_, line)| line)
        .collect()
}

/// The anchors of a document's headings, as GitHub makes them.
fn anchors(text: &str) -> BTreeSet<String> {
    let mut anchors = BTreeSet::new();
    for line in prose(text) {
        let heading = line.trim_start_matches('#');
        if heading.len() == line.len() || !heading.starts_with(' ') {
            continue;
        }
        let heading = heading.trim().to_lowercase();
        let kept = |letter: &char| letter.is_alphanumeric() || matches!(letter, ' ' | '-' | '_');
        let anchor: String = heading.chars().filter(kept).collect();
        let anchor = anchor.replace(' ', "-");
        let mut numbered = anchor.clone();
        let mut number = 0;
        while !anchors.insert(numbered.clone()) {
            number += 1;
            numbered = format!("{anchor}-{number}");
        }
    }
    anchors
}

/// Where a document's links and pictures lead.
fn targets(text: &str) -> Vec<String> {
    let prose = prose(text).join("\n");
    let links = prose.split("](").skip(1);
    links
        .filter_map(|rest| Some(rest.split_once(')')?.0.to_owned()))
        .collect()
}

/// Whether there is the file that a document links to, and in it the heading.
fn leads_somewhere(document: &Path, target: &str) -> bool {
    let (path, anchor) = match target.split_once('#') {
        Some((path, anchor)) => (path, Some(anchor)),
        None => (target, None),
    };
    let file = match path {
        "" => document.to_owned(),
        path => document.parent().unwrap().join(path),
    };
    match anchor {
        Some(anchor) => fs::read_to_string(file).is_ok_and(|text| anchors(&text).contains(anchor)),
        None => file.exists(),
    }
}

#[test]
fn every_link_from_one_document_to_another_leads_somewhere() {
    let mut broken = Vec::new();
    let mut followed = 0;
    for document in documents(&root()) {
        let text = fs::read_to_string(&document).unwrap();
        for target in targets(&text) {
            if target.contains("://") {
                continue;
            }
            followed += 1;
            if !leads_somewhere(&document, &target) {
                broken.push(format!("{}: {target}", document.display()));
            }
        }
    }
    assert_eq!(broken, Vec::<String>::new());
    assert!(followed > 0);
}

#[test]
fn a_link_to_no_file_or_no_heading_is_told_from_others() {
    let text =
        "# One\n[a](#one)\n## `Two` and 3: so\n## One\n```sh\n# none\n[b](none)\n```\n![c](d.png)";
    assert_eq!(targets(text), ["#one", "d.png"]);
    let expected = ["one", "one-1", "two-and-3-so"];
    assert_eq!(anchors(text), BTreeSet::from(expected.map(String::from)));
    let readme = root().join("README.md");
    for good in ["#latchkey", "docs/api.md", "docs/api.md#routes", "tower"] {
        assert!(leads_somewhere(&readme, good), "{good}");
    }
    for bad in ["#none", "docs/none.md", "docs/api.md#none", "tower#none"] {
        assert!(!leads_somewhere(&readme, bad), "{bad}");
    }
}

/// An interactive zsh takes a comment for a command, and runs what is between back-ticks in it.
#[test]
fn commands_can_be_pasted_into_every_shell() {
    let mut commands = 0;
    for document in documents(&root()) {
        let text = fs::read_to_string(&document).unwrap();
        for (block, line) in lines(&text) {
            if block != Some("sh") {
                continue;
            }
            commands += 1;
            let comment = line.trim_start().starts_with('#') || line.contains(" # ");
            let place = document.display();
            assert!(!comment && !line.contains('`'), "{place}: {line}");
        }
    }
    assert!(commands > 0);
}

#[test]
fn the_readme_is_short() {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let lines = readme.lines().count();
    assert!(lines <= README_LINES, "{lines} lines");
}
