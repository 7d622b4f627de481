//! The shared crate has layers ("storeys"): no file imports from a higher one, and no files import each other in a
//! cycle.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use syn::visit::{self, Visit};
use syn::{Attribute, ItemMod, ItemUse, UseTree, VisRestricted};

/// The storeys, from the lowest. Modules in one line don't import each other.
const STOREYS: [&[&str]; 4] = [
    &["domain"],
    &["ports"],
    &["app"],
    &["store", "mail", "http"],
];

/// The files of the crate, by their modules.
type Files = BTreeMap<Vec<String>, PathBuf>;

/// The imports of each module's file.
type Imports = BTreeMap<Vec<String>, BTreeSet<Vec<String>>>;

fn find(folder: &Path, module: &[String], files: &mut Files) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let inner = [module, std::slice::from_ref(&name)].concat();
        if path.is_dir() {
            find(&path, &inner, files);
        } else if path.extension().is_some_and(|it| it == "rs") {
            let is_own = ["mod", "lib"].contains(&name.as_str());
            files.insert(if is_own { module.to_vec() } else { inner }, path);
        }
    }
}

/// Collects the paths that a file uses, without code for tests.
struct Names {
    module: Vec<String>,
    named: Vec<Vec<String>>,
}

impl Names {
    /// Notes a path from the crate's root, if it is within the crate.
    fn note(&mut self, path: &[String]) {
        let mut from = self.module.clone();
        let mut rest = path.iter().peekable();
        match rest.peek().map(|first| first.as_str()) {
            Some("crate") => {
                from.clear();
                rest.next();
            }
            Some("self") => {
                rest.next();
            }
            Some("super") => {
                while rest.next_if(|part| *part == "super").is_some() {
                    from.pop();
                }
            }
            // A path into another crate, or to a module in this file.
            _ => {}
        }
        from.extend(rest.cloned());
        self.named.push(from);
    }

    fn flatten(&mut self, tree: &UseTree, path: &mut Vec<String>) {
        match tree {
            UseTree::Path(inner) => {
                path.push(inner.ident.to_string());
                self.flatten(&inner.tree, path);
                path.pop();
            }
            UseTree::Group(group) => {
                for tree in &group.items {
                    self.flatten(tree, path);
                }
            }
            UseTree::Name(name) => {
                self.note(&[path.clone(), vec![name.ident.to_string()]].concat())
            }
            UseTree::Rename(name) => {
                self.note(&[path.clone(), vec![name.ident.to_string()]].concat());
            }
            UseTree::Glob(_) => self.note(path),
        }
    }
}

/// Whether an item exists for tests only.
fn is_for_tests(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("cfg")
            && attribute
                .meta
                .require_list()
                .is_ok_and(|list| list.tokens.to_string().contains("test"))
    })
}

impl Visit<'_> for Names {
    fn visit_item_mod(&mut self, module: &ItemMod) {
        if !is_for_tests(&module.attrs) {
            visit::visit_item_mod(self, module);
        }
    }

    fn visit_item_use(&mut self, item: &ItemUse) {
        if !is_for_tests(&item.attrs) {
            self.flatten(&item.tree, &mut Vec::new());
        }
    }

    /// A visibility isn't an import.
    fn visit_vis_restricted(&mut self, _: &VisRestricted) {}

    fn visit_path(&mut self, path: &syn::Path) {
        let parts: Vec<_> = path
            .segments
            .iter()
            .map(|it| it.ident.to_string())
            .collect();
        if ["crate", "super"].contains(&parts[0].as_str()) {
            self.note(&parts);
        }
        visit::visit_path(self, path);
    }
}

/// The file with the item of a path: the path's longest prefix that is a file's module.
fn file_of<'a>(path: &[String], files: &'a Files) -> Option<&'a Vec<String>> {
    (1..=path.len()).rev().find_map(|length| {
        let found = files.get_key_value(&path[..length]);
        found.map(|(module, _)| module)
    })
}

fn imports() -> Imports {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/src");
    let mut files = Files::new();
    find(&root, &[], &mut files);
    files.retain(|module, _| {
        let is_test = |part: &String| part == "tests" || part == "testing";
        !module.iter().any(is_test)
    });
    let mut imports = Imports::new();
    for (module, path) in &files {
        let parsed = syn::parse_file(&fs::read_to_string(path).unwrap()).unwrap();
        let (module, named) = (module.clone(), Vec::new());
        let mut names = Names { module, named };
        names.visit_file(&parsed);
        let named = names.named.iter();
        let imported = named.filter_map(|path| file_of(path, &files)).cloned();
        let own = &names.module;
        let imported = imported.filter(|other| other != own).collect();
        imports.insert(own.clone(), imported);
    }
    imports
}

fn storey(module: &[String]) -> Option<usize> {
    let first = module.first()?.as_str();
    STOREYS.iter().position(|storey| storey.contains(&first))
}

#[test]
fn nothing_imports_from_a_storey_above_or_from_its_neighbour() {
    let mut wrong = Vec::new();
    for (module, imported) in imports() {
        for other in imported {
            let (Some(own), Some(others)) = (storey(&module), storey(&other)) else {
                continue;
            };
            if others > own || (others == own && module[0] != other[0]) {
                wrong.push(format!(
                    "{} imports {}",
                    module.join("::"),
                    other.join("::")
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn what_the_domain_and_the_ports_need_is_below_them() {
    for (module, imported) in imports() {
        if storey(&module).is_some_and(|storey| storey < 2) {
            for other in imported {
                assert!(storey(&other).is_some(), "{module:?} imports {other:?}");
            }
        }
    }
}

#[test]
fn no_files_import_each_other_in_a_ring() {
    let imports = imports();
    // A module without imports among those left can't be part of a cycle.
    let mut left = imports.clone();
    loop {
        let before = left.len();
        let known: BTreeSet<_> = left.keys().cloned().collect();
        left.retain(|_, imported| !imported.is_disjoint(&known));
        if left.len() == before {
            break;
        }
    }
    let known: BTreeSet<_> = left.keys().cloned().collect();
    for imported in left.values_mut() {
        imported.retain(|other| known.contains(other));
    }
    assert!(left.is_empty(), "{left:#?}");
    // The test has found imports.
    assert!(imports.len() > 50);
    let of_app = &imports[&vec!["app".to_owned(), "verify".to_owned()]];
    assert!(of_app.iter().any(|other| other[0] == "ports"));
}
