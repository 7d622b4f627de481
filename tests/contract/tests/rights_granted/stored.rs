//! What is stored has samples: every attribute that a function writes is in a committed sample of its kind of item, in
//! one of the forms that this version reads. So nobody stores something new without deciding how the version before
//! meets it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use serde_json::Value;

use super::neighbours::kind;
use crate::requests;

/// The folder with one folder for each form.
const FORMS: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../../shared/src/store/tests/fixtures"
);

/// The attributes of the kinds of item.
type Attributes = BTreeMap<String, BTreeSet<String>>;

/// Adds the attributes of the items in a file, which has one item or a list.
fn add(file: &Path, known: &mut Attributes) {
    let text = fs::read_to_string(file).unwrap();
    let items = match serde_json::from_str(&text).unwrap() {
        Value::Array(items) => items,
        item => vec![item],
    };
    for item in items {
        let pk = item["pk"]["S"].as_str().unwrap();
        let attributes = item.as_object().unwrap().keys().cloned();
        known.entry(kind(pk)).or_default().extend(attributes);
    }
}

fn files(folder: &Path) -> Vec<std::path::PathBuf> {
    let entries = fs::read_dir(folder).unwrap();
    entries.map(|entry| entry.unwrap().path()).collect()
}

/// The attributes of the samples of all forms.
fn samples() -> Attributes {
    let mut known = Attributes::new();
    let forms = files(Path::new(FORMS));
    assert!(forms.len() >= 2, "{forms:?}");
    for file in forms.iter().flat_map(|form| files(form)) {
        add(&file, &mut known);
    }
    known
}

/// What is written and in no sample: kind and attribute.
fn unknown<'a>(
    known: &Attributes,
    written: impl Iterator<Item = (&'a str, &'a BTreeSet<String>)>,
) -> BTreeSet<String> {
    let mut unknown = BTreeSet::new();
    for (partition, attributes) in written {
        let kind = kind(partition);
        let none = BTreeSet::new();
        let samples = known.get(&kind).unwrap_or(&none);
        let new = attributes.difference(samples);
        unknown.extend(new.map(|attribute| format!("{kind} {attribute}")));
    }
    unknown
}

#[tokio::test]
async fn every_attribute_that_is_written_is_in_a_sample_of_a_stored_form() {
    let known = samples();
    let written = requests().await.written.values().flatten();
    let written = written.map(|write| (write.partition.as_str(), &write.attributes));
    assert_eq!(
        unknown(&known, written),
        BTreeSet::new(),
        "docs/storage-changes.md says what a change of what is stored takes"
    );
    // What the test would find: a new attribute, and a new kind of item.
    let planted = BTreeSet::from(["pk".to_owned(), "planted".to_owned()]);
    let found = unknown(
        &known,
        [("SECRET#any", &planted), ("PLANTED#any", &planted)].into_iter(),
    );
    let expected = ["SECRET# planted", "PLANTED# pk", "PLANTED# planted"];
    assert_eq!(found, expected.map(str::to_owned).into());
}

/// Samples that nothing reads prove nothing. The store reads them, and those of the first release the migration too.
#[test]
fn every_sample_is_read_by_a_test() {
    let migration = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../cli/src/migrate/tests.rs"
    );
    let tests = files(Path::new(FORMS).parent().unwrap());
    let tests = tests.into_iter().chain([migration.into()]);
    let sources = tests.filter(|path| path.is_file());
    let sources: String = sources
        .map(|path| fs::read_to_string(path).unwrap())
        .collect();
    for form in files(Path::new(FORMS)) {
        let form_name = form.file_name().unwrap().to_str().unwrap();
        for file in files(&form) {
            let name = file.file_stem().unwrap().to_str().unwrap();
            let ways = [
                format!("fixtures/{form_name}/{name}.json"),
                format!("fixture!(\"{name}\")"),
            ];
            assert!(
                ways.iter().any(|way| sources.contains(way)),
                "{form_name}/{name}"
            );
        }
    }
}
