//! The inventory of personal data names every stored attribute: those of the samples of each stored form, and those of
//! the stores' own types, which the samples may lack.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

/// Whether each attribute of a kind of item is personal.
type Inventory = BTreeMap<String, BTreeMap<String, bool>>;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn read(file: &str) -> String {
    fs::read_to_string(root().join(file)).unwrap()
}

/// What stands between backticks.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

/// The tables of a document's section. Each row names a kind of item, what of it is personal, and what is not.
fn inventory(document: &str, heading: &str) -> Inventory {
    let section = document.split(&format!("### {heading}\n")).nth(1).unwrap();
    let section = section.split("\n#").next().unwrap();
    let rows = section.lines().filter(|line| line.starts_with("| `"));
    let mut inventory = Inventory::new();
    for row in rows {
        let cells: Vec<_> = row.split('|').collect();
        let kind = quoted(cells[1]).collect::<Vec<_>>().join(" ");
        let mut attributes = BTreeMap::new();
        for (cell, is_personal) in [(cells[2], true), (cells[3], false)] {
            for name in quoted(cell) {
                let twice = attributes.insert(name.to_owned(), is_personal);
                assert_eq!(twice, None, "{kind}: `{name}` is named twice");
            }
        }
        assert!(inventory.insert(kind, attributes).is_none(), "{row}");
    }
    inventory
}

/// The kind of an item of the inventory, by its keys.
fn kind<'a>(inventory: &'a Inventory, item: &Value) -> Option<&'a String> {
    let [pk, sk] = ["pk", "sk"].map(|name| item[name]["S"].as_str().unwrap());
    let is_of = |kind: &&String| match kind.split_once(' ') {
        Some((first, second)) => pk.starts_with(first) && sk.starts_with(second),
        None => pk.starts_with(kind.as_str()) && (kind.ends_with('#') || pk == **kind),
    };
    inventory.keys().find(is_of)
}

/// The names that an attribute needs in the inventory, beside those that `known` classifies.
fn unknown(name: &str, value: &Value, known: &BTreeMap<String, bool>) -> Vec<String> {
    match known.get(name) {
        None => return vec![name.to_owned()],
        Some(true) => return vec![],
        Some(false) => {}
    }
    let parts = |map: &Value| {
        let map = map["M"].as_object().cloned().unwrap_or_default();
        map.into_iter()
            .flat_map(|(part, value)| unknown(&format!("{name}.{part}"), &value, known))
            .collect::<Vec<_>>()
    };
    let listed = value["L"].as_array().into_iter().flatten();
    listed.chain([value]).flat_map(parts).collect()
}

/// What of an item the inventory doesn't classify.
fn unclassified(inventory: &Inventory, item: &Value) -> Vec<String> {
    let Some(kind) = kind(inventory, item) else {
        return vec![item["pk"].to_string()];
    };
    let attributes = item.as_object().unwrap().iter();
    let all = attributes.flat_map(|(name, value)| {
        // Each reason of a refusal has an attribute.
        let name = name.split(':').next().unwrap();
        unknown(name, value, &inventory[kind])
    });
    all.map(|name| format!("{kind}: {name}")).collect()
}

/// The samples of the first form, whose profiles and resources were elsewhere, and those of the second.
fn samples(table: &str) -> Vec<Value> {
    let folder = "shared/src/store/tests/fixtures";
    let mut samples: Vec<Value> =
        serde_json::from_str(&read(&format!("{folder}/v2/{table}.json"))).unwrap();
    for file in fs::read_dir(root().join(folder).join("v1")).unwrap() {
        let file = file.unwrap().path();
        let name = file.file_name().unwrap().to_str().unwrap().to_owned();
        if name.starts_with("audit") == (table == "audit") {
            let text = fs::read_to_string(&file).unwrap();
            let mut item: Value = serde_json::from_str(&text).unwrap();
            for (kind, place) in [("profile", "PROFILE#acme"), ("resource", "RESOURCE#acme")] {
                if name.starts_with(kind) {
                    item["pk"] = json!({"S": place});
                }
            }
            // The first form's note of a leak has keys only.
            samples.extend((!name.starts_with("leak")).then_some(item));
        }
    }
    samples
}

#[test]
fn every_stored_attribute_is_classified() {
    let document = read("docs/personal-data.md");
    for (heading, table, least) in [
        ("The tokens table", "tokens", 60),
        ("The audit table", "audit", 20),
    ] {
        let inventory = inventory(&document, heading);
        let samples = samples(table);
        assert!(samples.len() > least, "{} of {table}", samples.len());
        let missing: BTreeSet<_> = samples
            .iter()
            .flat_map(|item| unclassified(&inventory, item))
            .collect();
        assert!(
            missing.is_empty(),
            "docs/personal-data.md lacks {missing:#?}"
        );
        let found: BTreeSet<_> = samples.iter().map(|it| kind(&inventory, it)).collect();
        let found: Vec<_> = found.into_iter().flatten().collect();
        assert_eq!(
            found,
            inventory.keys().collect::<Vec<_>>(),
            "kinds of items"
        );
    }
}

/// `camelCase`, as the stores write names.
fn camel(name: &str) -> String {
    let mut words = name.split('_');
    let first = words.next().unwrap().to_owned();
    words.fold(first, |name, word| {
        let (letter, rest) = word.split_at(1);
        name + &letter.to_uppercase() + rest
    })
}

/// The attributes that the stores' own types have, and those that their update expressions set.
fn written_by_stores() -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for file in fs::read_dir(root().join("shared/src/store")).unwrap() {
        let path = file.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "rs") {
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        for item in syn::parse_file(&text).unwrap().items {
            if let syn::Item::Struct(found) = item
                && found.ident.to_string().ends_with("Item")
            {
                let fields = found.fields.iter().filter_map(|field| field.ident.as_ref());
                names.extend(fields.map(|name| camel(&name.to_string())));
            }
        }
        // `item.insert("name".into(), …)` of items that have no type.
        let inserted = text.split(".insert(\"").skip(1);
        names.extend(inserted.filter_map(|rest| Some(rest.split_once("\".into()")?.0.to_owned())));
    }
    names
}

#[test]
fn every_attribute_of_the_stores_types_is_classified() {
    let document = read("docs/personal-data.md");
    let mut known = BTreeSet::new();
    for heading in ["The tokens table", "The audit table"] {
        known.extend(
            inventory(&document, heading)
                .into_values()
                .flat_map(BTreeMap::into_keys),
        );
    }
    let names = written_by_stores();
    for some in ["createdBy", "tokenName", "assertedIp", "leaving", "userId"] {
        assert!(names.contains(some), "{some} isn't found in the stores");
    }
    let flattened = ["preferences"];
    let missing: Vec<_> = names
        .iter()
        .filter(|name| !name.starts_with(':') && !flattened.contains(&name.as_str()))
        .filter(|name| {
            let part = format!(".{name}");
            !known.contains(*name) && !known.iter().any(|known| known.ends_with(&part))
        })
        .collect();
    assert!(
        missing.is_empty(),
        "docs/personal-data.md lacks {missing:?}"
    );
}

#[test]
fn a_new_attribute_is_missed() {
    let document = read("docs/personal-data.md");
    let inventory = inventory(&document, "The tokens table");
    let text = |text: &str| json!({"S": text});
    let known = json!({
        "pk": text("ACCOUNT#acme"), "sk": text("TOKEN#tok_1"), "name": text("New"),
        "createdBy": {"M": {"phone": text("1")}},
    });
    assert_eq!(unclassified(&inventory, &known), Vec::<String>::new());
    let mut new = known.clone();
    new["birthday"] = text("2000-01-01");
    new["scope"] = json!({"M": {"people": {"L": []}}});
    assert_eq!(
        unclassified(&inventory, &new),
        ["ACCOUNT# TOKEN#: birthday", "ACCOUNT# TOKEN#: scope.people"]
    );
    let other = json!({"pk": text("PEOPLE#acme"), "sk": text("1")});
    assert_eq!(unclassified(&inventory, &other), [r#"{"S":"PEOPLE#acme"}"#]);
}

#[test]
fn the_logs_of_verifications_go_after_their_own_retention() {
    let template = contract::Template::expanded();
    let mut own = BTreeSet::new();
    for (id, group) in template.of_type("AWS::Logs::LogGroup") {
        // The parameters' defaults.
        match group["RetentionInDays"].as_u64() {
            Some(7) => drop(own.insert(id)),
            Some(90) => {}
            other => panic!("{id} is kept for {other:?} days"),
        }
    }
    // The functions that log decisions are those that record uses.
    let mut verify = BTreeSet::new();
    for (function, statements) in contract::policies() {
        let grants = statements.iter().flat_map(contract::Statement::grants);
        let writes =
            grants.filter(|(_, action, pattern)| action == "PutItem" && pattern == "USE#*");
        verify.extend(writes.map(|_| function.clone()));
    }
    let own = own
        .iter()
        .map(|id| contract::name_of(&id.replace("LogGroup", "Function")));
    assert_eq!(own.collect::<BTreeSet<_>>(), verify);
    assert_eq!(verify.len(), 3);
}
