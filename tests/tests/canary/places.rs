//! Everything that stores something: what the stack has, and what the local cloud keeps about it.

use std::fs;
use std::path::Path;
use std::time::SystemTime;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use end_to_end::Stack;
use serde_json::Value;

use crate::search::Place;

/// The beginnings of files that were made before any secret: programs and their packages.
const PROGRAMS: [&[u8]; 2] = [b"\x7fELF", b"PK\x03\x04"];

/// Returns everything that is stored. Objects and files are left out if they are older than `since`,
/// which no secret is.
pub(crate) async fn stored(stack: &Stack, since: SystemTime) -> Vec<Place> {
    let mut places = Vec::new();
    for (group, line) in stack.logs().await {
        places.push(Place::new("log", group, line));
    }
    for table in stack.tables().await {
        for item in stack.scan(&table).await {
            places.push(of_json("table", &named(&table, &item), &item));
        }
        for (index, items) in stack.index_items(&table).await {
            let table = format!("{table}/{index}");
            let items = items.iter();
            places.extend(items.map(|item| of_json("index", &named(&table, item), item)));
        }
        for record in stack.stream(&table).await {
            places.push(of_json("stream", &table, &record));
        }
    }
    for (path, body) in stack.objects(since).await {
        places.push(Place::new("object", path, body));
    }
    for mail in stack.mails().await {
        let subject = mail["Subject"].as_str().unwrap_or_default();
        places.push(of_json("mail", subject, &mail));
    }
    places.push(of_json("queue", "all queues", &stack.queues().await));
    files(&stack.folder(), since, &mut places);
    places
}

fn named(table: &str, item: &Value) -> String {
    let key = |name: &str| item[name]["S"].as_str().unwrap_or_default();
    format!("{table} {} {}", key("pk"), key("sk"))
}

/// Returns all texts of a JSON value, each on a line, and the decoded binary attributes of an item.
pub(crate) fn of_json(kind: &'static str, name: &str, value: &Value) -> Place {
    let mut bytes = Vec::new();
    texts(value, &mut bytes);
    Place::new(kind, name, bytes)
}

fn texts(value: &Value, bytes: &mut Vec<u8>) {
    match value {
        Value::String(text) => {
            bytes.extend(text.as_bytes());
            bytes.push(b'\n');
        }
        Value::Array(items) => items.iter().for_each(|item| texts(item, bytes)),
        Value::Object(members) => {
            for (name, value) in members {
                texts(&Value::String(name.clone()), bytes);
                texts(value, bytes);
                let binary = value.as_str().filter(|_| name == "B");
                if let Some(Ok(binary)) = binary.map(|text| STANDARD.decode(text)) {
                    bytes.extend(binary);
                    bytes.push(b'\n');
                }
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Adds the files of a folder, and of those in it, that were changed at that time or later.
pub(crate) fn files(folder: &Path, since: SystemTime, places: &mut Vec<Place>) {
    // What the running cloud removes meanwhile is left out.
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        let Ok(about) = fs::symlink_metadata(&path) else {
            continue;
        };
        if about.is_dir() {
            files(&path, since, places);
        } else if about.is_file() && about.modified().is_ok_and(|changed| changed >= since) {
            let bytes = fs::read(&path).unwrap_or_default();
            if !PROGRAMS.iter().any(|program| bytes.starts_with(program)) {
                places.push(Place::new("file", path.display().to_string(), bytes));
            }
        }
    }
}
