//! The log line of every decision on a secret. Metrics are counted from these lines.
//!
//! A line contains ids and the policy's own terms, and no text that a person wrote.

use std::fmt;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::domain::entropy::Entropy;
use crate::domain::policy::AccessRequest;
use crate::domain::verification::{Purpose, Refusal, SecretRecord};

/// The maximum length of a line with its line end, in bytes.
const MAX_LINE: usize = 300;

/// The length of the longest line without the values that differ in length, in bytes.
const BARE_LINE: usize = concat!(
    r#"{"timestamp":"2026-11-23T10:00:00.000Z","level":"INFO","instance":"Zk3v-8Qa","sequence":,"account":"","#,
    r#""token":"tok_01ARZ3NDEKTSV4RRFFQ69G5FAV","secret":"","outcome":"","action":"","resource":"","recorded":""}"#,
    "\n"
)
.len();

/// The target of these lines. The functions log this target at every log level.
pub const TARGET: &str = "latchkey::decision";

/// The maximum length of an id that a line shows whole, in characters. The platform's own ids fit. A longer id is cut
/// to its first 15 characters, followed by `~` and the CRC-32 of the whole id in hexadecimal. So it is the same in
/// every line and differs from other ids.
const MAX_ID: usize = 24;

/// The record that a verification wrote.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Recorded {
    /// That of a use.
    Use,
    /// That of a refusal.
    Refusal,
}

impl Recorded {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Use => "use",
            Self::Refusal => "refusal",
        }
    }
}

/// The name of a purpose in a line.
fn action(purpose: &Purpose<'_>) -> Option<&'static str> {
    match purpose {
        Purpose::Access(access) => Some(access.verb.as_str()),
        Purpose::Meaningless => None,
        Purpose::TokenInfo => Some("tokenInfo"),
        Purpose::Introspect => Some("introspect"),
        Purpose::Introspected(_) => Some("introspected"),
    }
}

fn resource<'a>(purpose: &'a Purpose<'_>) -> Option<Accessed<'a>> {
    match purpose {
        Purpose::Access(access) => Some(Accessed {
            access,
            is_whole: true,
        }),
        _ => None,
    }
}

/// Writes the line. If the secret isn't known, the line has only the purpose and the outcome. A line with `recorded`
/// that would be too long has no id of the resource.
pub(super) fn log(
    system: &impl Entropy,
    secret: Option<&SecretRecord>,
    purpose: &Purpose<'_>,
    refusal: Option<Refusal>,
    recorded: Option<Recorded>,
) {
    let outcome = refusal.map_or("allowed", Refusal::as_str);
    let sequence = PROCESS.next();
    let mut resource = resource(purpose);
    if let (Some(recorded), Some(secret), Some(resource)) = (recorded, secret, &mut resource) {
        // Rare, so that its cost doesn't matter.
        let values = [
            &sequence.to_string(),
            &Id(secret.account_id.as_str()).to_string(),
            secret.state.as_str(),
            outcome,
            action(purpose).unwrap_or_default(),
            &resource.to_string(),
            recorded.as_str(),
        ];
        let values: usize = values.map(str::len).iter().sum();
        resource.is_whole = BARE_LINE + values <= MAX_LINE;
    }
    tracing::info!(
        target: TARGET,
        instance = PROCESS.instance(system),
        sequence,
        account = secret.map(|secret| tracing::field::display(Id(secret.account_id.as_str()))),
        token = secret.map(|secret| secret.token_id.as_str()),
        secret = secret.map(|secret| secret.state.as_str()),
        outcome,
        action = action(purpose),
        resource = resource.map(tracing::field::display),
        recorded = recorded.map(Recorded::as_str),
    );
}

/// The lines of this process, which usually is one Lambda sandbox.
static PROCESS: Lines = Lines::new();

/// The source of the lines: an id of the process and the number of lines so far. Gaps in the numbers show lost lines.
struct Lines {
    instance: OnceLock<String>,
    sequence: AtomicU32,
}

impl Lines {
    const fn new() -> Self {
        Self {
            instance: OnceLock::new(),
            sequence: AtomicU32::new(0),
        }
    }

    fn instance(&self, system: &impl Entropy) -> &str {
        self.instance.get_or_init(|| {
            let mut random = [0; 6];
            // The id tells sandboxes apart and needs no secrecy, so a call must not fail if randomness does.
            let _ = system.fill(&mut random);
            URL_SAFE_NO_PAD.encode(random)
        })
    }

    /// The next number. It starts at 0 and wraps around after 4,294,967,295.
    fn next(&self) -> u32 {
        self.sequence.fetch_add(1, Ordering::Relaxed)
    }
}

/// An id in the form of a line.
pub(crate) struct Id<'a>(pub(crate) &'a str);

impl fmt::Display for Id<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(id) = self;
        if id.len() <= MAX_ID {
            return f.write_str(id);
        }
        let start = id.get(..MAX_ID - 9).unwrap_or_default();
        write!(f, "{start}~{:08x}", crc32fast::hash(id.as_bytes()))
    }
}

/// The accessed resource. A collection that the policy doesn't know is shown as `other`, since the caller chose its
/// name.
struct Accessed<'a> {
    access: &'a AccessRequest,
    /// Whether the resource's id is shown.
    is_whole: bool,
}

impl fmt::Display for Accessed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { access, is_whole } = self;
        f.write_str(access.kind.map_or("other", |kind| kind.collection()))?;
        match &access.id {
            Some(id) if *is_whole => write!(f, "/{}", Id(id.as_str())),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use jiff::Timestamp;
    use proptest::prelude::*;
    use serde_json::json;
    use tracing::level_filters::LevelFilter;

    use super::*;
    use crate::domain::policy::Verb;
    use crate::domain::resource::ResourceType;
    use crate::domain::verification::SecretState;
    use crate::system::System;
    use crate::testing::{Logs, secret_record};

    fn access(kind: Option<ResourceType>, id: Option<&str>, verb: Verb) -> AccessRequest {
        AccessRequest {
            kind,
            id: id.map(|id| id.parse().unwrap()),
            verb,
        }
    }

    #[test]
    fn a_line_tells_ids_and_words_of_the_policy_only() {
        let logs = Logs::start();
        let invoke = access(Some(ResourceType::Export), Some("exp_orders"), Verb::Invoke);
        log(
            &System,
            Some(&secret_record()),
            &Purpose::Access(invoke),
            None,
            Some(Recorded::Use),
        );
        let mut line = logs.take().remove(0);
        let time = line["timestamp"].take();
        assert!(time.as_str().unwrap().parse::<Timestamp>().is_ok());
        assert_eq!(line["instance"].take().as_str().unwrap().len(), 8);
        assert!(line["sequence"].take().is_u64());
        let expected = json!({
            "timestamp": null,
            "level": "INFO",
            "instance": null,
            "sequence": null,
            "account": "acme",
            "token": "tok_01ARZ3NDEKTSV4RRFFQ69G5FAV",
            "secret": "current",
            "outcome": "allowed",
            "action": "invoke",
            "resource": "exports/exp_orders",
            "recorded": "use",
        });
        assert_eq!(line, expected);
    }

    #[test]
    fn a_line_has_no_members_for_what_isnt_known() {
        let logs = Logs::start();
        let refusal = Some(Refusal::Malformed);
        log(&System, None, &Purpose::Meaningless, refusal, None);
        let line = logs.take().remove(0);
        let members: Vec<_> = line.as_object().unwrap().keys().collect();
        let expected = ["timestamp", "level", "instance", "sequence", "outcome"];
        assert_eq!(members, expected);
    }

    /// Uses the longest possible value of every field.
    #[test]
    fn no_line_is_longer_than_300_bytes() {
        let logs = Logs::of("authorize", LevelFilter::ERROR);
        let in_span = tracing::error_span!("request", request.id = "r".repeat(500)).entered();
        PROCESS.sequence.store(u32::MAX, Ordering::Relaxed);
        let kinds = ResourceType::ALL.into_iter().map(Some).chain([None]);
        let ids = [MAX_ID, MAX_ID + 1, 64];
        for (kind, length) in kinds.flat_map(|kind| ids.map(|length| (kind, length))) {
            let id = "i".repeat(length);
            for verb in Verb::ALL {
                let purpose = Purpose::Access(access(kind, Some(&id), verb));
                for state in SecretState::ALL {
                    let mut secret = secret_record();
                    secret.account_id = "a".repeat(length).parse().unwrap();
                    secret.state = state;
                    for refusal in Refusal::ALL.into_iter().map(Some).chain([None]) {
                        // The number wraps around in between.
                        PROCESS.sequence.fetch_max(u32::MAX - 1, Ordering::Relaxed);
                        for recorded in [None, Some(Recorded::Use), Some(Recorded::Refusal)] {
                            log(&System, Some(&secret), &purpose, refusal, recorded);
                        }
                    }
                }
            }
        }
        drop(in_span);
        let lines = logs.take_lines();
        assert_eq!(lines.len(), 5 * 3 * 7 * 4 * 9 * 3);
        let longest = lines.iter().map(String::len).max().unwrap();
        assert!(longest < MAX_LINE, "{longest}");
        // Only a line with `recorded` may leave out the resource's id, and only if it wouldn't fit.
        let lacks_id = |line: &&String| !line.contains('/');
        let lacking: Vec<_> = lines.iter().filter(lacks_id).collect();
        assert!(!lacking.is_empty());
        for line in lacking {
            assert!(line.contains(r#""recorded":"#), "{line}");
            assert!(line.len() + 1 + "/".len() + MAX_ID > MAX_LINE, "{line}");
        }
        assert!(lines.iter().any(|line| line.contains(":4294967295,")));
    }

    #[test]
    fn long_ids_are_cut_alike_and_stay_apart() {
        assert_eq!(
            Id("507f1f77bcf86cd799439011").to_string(),
            "507f1f77bcf86cd799439011"
        );
        let [one, other] =
            ["1", "2"].map(|end| Id(&format!("{}{end}", "a".repeat(63))).to_string());
        assert_eq!(one, "aaaaaaaaaaaaaaa~e2df34a1");
        assert_ne!(one, other);
        assert_eq!(one.len(), MAX_ID);
    }

    #[test]
    fn lines_are_numbered_without_a_gap_and_each_process_has_a_name_of_its_own() {
        let lines = Lines::new();
        assert_eq!([lines.next(), lines.next(), lines.next()], [0, 1, 2]);
        assert_eq!(lines.instance(&System), lines.instance(&System));
        let names: HashSet<_> = (0..100)
            .map(|_| Lines::new().instance(&System).to_owned())
            .collect();
        assert_eq!(names.len(), 100);
    }

    proptest! {
        #[test]
        fn an_id_is_never_shown_longer_than_the_platforms_own(id in "[A-Za-z0-9_-]{1,64}") {
            let shown = Id(&id).to_string();
            prop_assert!(shown.len() <= MAX_ID);
            prop_assert_eq!(shown == id, id.len() <= MAX_ID);
        }
    }
}
