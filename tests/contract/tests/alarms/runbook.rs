//! `docs/runbook.md` against the template and the lines of the log.

use std::collections::{BTreeMap, BTreeSet};

use contract::Template;
use serde_json::Value;

use crate::moves::{decisions, failures, others};
use crate::{TEMPLATE, heard};

fn read(path: &str) -> String {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../../");
    std::fs::read_to_string(format!("{root}{path}")).unwrap()
}

/// The text below each heading that is named like an alarm.
fn headings(document: &str) -> BTreeMap<&str, &str> {
    let sections = document.split("\n#").skip(1);
    let sections = sections.filter_map(|section| section.trim_start_matches('#').split_once('\n'));
    let sections = sections.map(|(heading, text)| (heading.trim(), text));
    let alarms = sections.filter(|(heading, _)| heading.ends_with("Alarm"));
    let mut headings = BTreeMap::new();
    for (heading, text) in alarms {
        assert_eq!(
            headings.insert(heading, text),
            None,
            "{heading} is there twice"
        );
    }
    headings
}

#[test]
fn every_alarm_has_its_heading_and_every_heading_its_alarm() {
    let document = read("docs/runbook.md");
    let headings = headings(&document);
    let alarms: BTreeSet<&str> = heard().into_iter().map(|(id, _)| id).collect();
    assert_eq!(headings.keys().copied().collect::<BTreeSet<_>>(), alarms);
    for (heading, text) in headings {
        let has = |part: &str| text.contains(&format!("**{part}**"));
        let looks = has("Look") && has("Do") || has("Look and do");
        assert!(has("Means") && looks && has("Over"), "{heading}");
    }
}

/// The names of the members in the access log.
fn accessed(template: &Template) -> BTreeSet<String> {
    let stages = template
        .of_type("AWS::ApiGatewayV2::Stage")
        .collect::<Vec<_>>();
    let format = stages[0].1["AccessLogSettings"]["Format"].as_str().unwrap();
    let format: Value = serde_json::from_str(format).unwrap();
    format.as_object().unwrap().keys().cloned().collect()
}

/// The names of a line's members, as Logs Insights has them: those of an object follow its name and a dot.
fn members(line: &Value) -> BTreeSet<String> {
    let mut members = BTreeSet::new();
    for (name, value) in line.as_object().unwrap() {
        let inner = value.as_object().into_iter().flatten();
        members.extend(inner.map(|(inner, _)| format!("{name}.{inner}")));
        members.insert(name.clone());
    }
    members
}

/// The names of the members in each function's log.
async fn logged() -> BTreeMap<&'static str, BTreeSet<String>> {
    let mut lines = decisions().await;
    lines.extend(others().await);
    lines.extend(failures().await);
    let mut logged = BTreeMap::<_, BTreeSet<_>>::new();
    for (function, line) in &lines {
        logged.entry(*function).or_default().extend(members(line));
    }
    logged
}

/// The words of Logs Insights' language that the runbook uses:
/// <https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/CWL_QuerySyntax.html>.
const WORDS: [&str; 19] = [
    "filter",
    "fields",
    "parse",
    "stats",
    "sort",
    "limit",
    "by",
    "and",
    "or",
    "not",
    "in",
    "like",
    "desc",
    "count",
    "sum",
    "count_distinct",
    "bin",
    "ispresent",
    "as",
];

/// The members of lines that a query names.
fn named(query: &str) -> BTreeSet<String> {
    let mut rest = query.to_owned();
    for quote in ['"', '/'] {
        let parts: Vec<_> = rest.split(quote).step_by(2).collect();
        rest = parts.join(" ");
    }
    let words = rest.split(|letter: char| !letter.is_alphanumeric() && !"@_.".contains(letter));
    let words = words.filter(|word| word.starts_with(|letter: char| letter.is_alphabetic()));
    words
        .filter(|word| !WORDS.contains(word))
        .map(str::to_owned)
        .collect()
}

/// The queries of the document, each with the function whose log it reads, if it says so.
fn queries(document: &str) -> Vec<(Option<&str>, &str)> {
    let mut queries = Vec::new();
    for (index, block) in document.split("\n```").enumerate() {
        if index % 2 == 1 {
            let (language, text) = block.split_once('\n').unwrap();
            if language == "insights" {
                queries.push((None, text));
            }
        }
        for asked in block.split("ask ").skip(1) {
            let Some((function, rest)) = asked.split_once(" '") else {
                continue;
            };
            if function.chars().all(char::is_alphanumeric) {
                queries.push((Some(function), rest.split_once('\'').unwrap().0));
            }
        }
        for asked in block.split("--query-string '").skip(1) {
            queries.push((Some("access"), asked.split_once('\'').unwrap().0));
        }
    }
    queries
}

#[tokio::test]
async fn every_query_asks_for_what_lines_have() {
    let (access, logged) = (accessed(&TEMPLATE), logged().await);
    let mut any: BTreeSet<_> = logged.values().flatten().cloned().collect();
    // Nothing panics here. `telemetry` has a test of that line.
    any.insert("location".into());
    let document = read("docs/runbook.md");
    let queries = queries(&document);
    assert!(queries.len() > 20, "{}", queries.len());
    for (function, query) in queries {
        let known = match function {
            None => &any,
            Some("access") => &access,
            Some(function) => logged
                .get(function)
                .unwrap_or_else(|| panic!("{function} logs nothing here: {query}")),
        };
        let parsed = query.split("(?<").skip(1);
        let parsed: Vec<_> = parsed.filter_map(|rest| rest.split('>').next()).collect();
        let unknown: Vec<_> = named(query)
            .into_iter()
            .filter(|key| !known.contains(key) && !parsed.contains(&key.as_str()))
            .collect();
        assert!(unknown.is_empty(), "{query}: {unknown:?}");
        if let Some(function) = function.filter(|function| *function != "access") {
            assert_eq!(
                TEMPLATE.type_of(&format!("{function}LogGroup")),
                "AWS::Logs::LogGroup"
            );
        }
    }
}

#[test]
fn the_parts_of_a_document_are_found() {
    let document = "# A\n### OneAlarm\ntext `ask Function 'filter a = \"b\"'`\n```insights\nstats count(*) by c\n```\n\
        ## Other\n```sh\nask X 'fields @timestamp, d | sort e desc'\naws --query-string 'filter f like /g/'\n```\n";
    assert_eq!(headings(document).keys().collect::<Vec<_>>(), [&"OneAlarm"]);
    let found: Vec<_> = queries(document)
        .into_iter()
        .map(|(of, query)| (of, named(query)))
        .collect();
    let keys = |names: &[&str]| {
        names
            .iter()
            .map(ToString::to_string)
            .collect::<BTreeSet<_>>()
    };
    let expected = [
        (Some("Function"), keys(&["a"])),
        (None, keys(&["c"])),
        (Some("X"), keys(&["d", "e"])),
        (Some("access"), keys(&["f"])),
    ];
    assert_eq!(found, expected);
}

/// Their placeholders are the template's.
#[test]
fn every_resource_that_commands_name_is_the_templates() {
    let document = read("docs/runbook.md");
    let named = document.split("$(resource ").skip(1);
    let named: BTreeSet<&str> = named
        .filter_map(|rest| Some(rest.split_once(')')?.0))
        .collect();
    assert!(named.len() > 3, "{named:?}");
    for id in named {
        TEMPLATE.type_of(id);
    }
}
