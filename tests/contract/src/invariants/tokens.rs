//! Tokens, their secrets, and the records of their states.

use super::{Evidence, change, number, of};

/// The actions that change a token. Each makes a version.
const CHANGES: [&str; 7] = [
    "create",
    "update",
    "revoke",
    "reactivate",
    "regenerate",
    "retire",
    "leak",
];

impl Evidence {
    /// Tokens without their secrets, secrets without their tokens, and pairs that disagree.
    pub(super) fn half_tokens(&self) -> Vec<String> {
        let mut wrong = Vec::new();
        let mut owned = Vec::new();
        for token in self.token_items() {
            let id = of(token, "id");
            let current = of(token, "secretHash");
            let previous = of(&token["previousSecret"]["M"], "hash");
            for (hash, states) in [
                (current, ["current", "compromised"]),
                (previous, ["retired", "retired"]),
            ] {
                if hash.is_empty() {
                    continue;
                }
                let key = format!("SECRET#{hash}");
                let Some(secret) = self.item(&key, "SECRET") else {
                    wrong.push(format!("{id} is without its secret"));
                    continue;
                };
                owned.push(key);
                for (attribute, expected) in [
                    ("tokenId", id),
                    ("accountId", of(token, "accountId")),
                    ("status", of(token, "status")),
                    ("tokenName", of(token, "name")),
                    ("purgeAt", of(token, "purgeAt")),
                ] {
                    let found = of(secret, attribute);
                    if found != expected {
                        wrong.push(format!("{id}: its secret's {attribute} is {found:?}"));
                    }
                }
                let state = of(secret, "state");
                let compromised = !of(token, "compromisedAt").is_empty() && hash == current;
                if !states.contains(&state) || compromised != (state == "compromised") {
                    wrong.push(format!("{id}: its secret is {state}"));
                }
                if secret["scope"] != token["scope"] {
                    wrong.push(format!("{id}: its secret has another scope"));
                }
            }
        }
        for secret in self.items("SECRET#") {
            let state = of(secret, "state");
            let is_over = ["ended", "compromised"].contains(&state);
            let is_over = is_over && of(secret, "status") == "revoked";
            // A secret ends with its token's purge time by itself.
            let mut purges = self.records("purge").into_iter();
            let is_purged = !of(secret, "purgeAt").is_empty()
                && purges.any(|record| of(record, "tokenId") == of(secret, "tokenId"));
            if !owned.contains(&of(secret, "pk").to_owned()) && !is_over && !is_purged {
                wrong.push(format!(
                    "a secret of {} is without it",
                    of(secret, "tokenId")
                ));
            }
        }
        wrong
    }

    /// States that no record tells of, and records of states that a token doesn't have.
    pub(super) fn unrecorded_states(&self) -> Vec<String> {
        let mut wrong = Vec::new();
        let histories = self.histories();
        for token in self.token_items() {
            let id = of(token, "id");
            let history = histories.get(id).map_or(&[][..], Vec::as_slice);
            let changes: Vec<_> = history
                .iter()
                .filter(|record| CHANGES.contains(&of(record, "action")))
                // The compromise of an ended secret changes only that secret.
                .filter(|record| change(record, "compromisedSecret") != "ended")
                .collect();
            let versions = i64::try_from(changes.len()).ok();
            if number(token, "version") != versions {
                let version = number(token, "version");
                wrong.push(format!(
                    "{id} has version {version:?} after {versions:?} records"
                ));
            }
            let status = changes.iter().rev().find_map(|record| {
                let which = change(record, "compromisedSecret");
                match of(record, "action") {
                    "create" | "reactivate" => Some("active"),
                    "revoke" | "leak" if which != "previous" => Some("revoked"),
                    _ => None,
                }
            });
            let found = of(token, "status");
            if status != Some(found) {
                wrong.push(format!("{id} is {found}, but on record {status:?}"));
            }
        }
        for (id, history) in histories {
            let count = |action: &str| {
                let records = history
                    .iter()
                    .filter(|record| of(record, "action") == action);
                records.count()
            };
            let (made, ended) = (count("create"), count("delete") + count("purge"));
            let exists = usize::from(self.token(id).is_some());
            if made > 1 || ended > 1 || (made == 1 && exists + ended != 1) {
                wrong.push(format!(
                    "{id}: {made} created, {ended} ended, {exists} there"
                ));
            }
        }
        wrong
    }

    /// Idempotency records without their tokens.
    pub(super) fn lost_idempotency(&self) -> Vec<String> {
        let mut wrong = Vec::new();
        let histories = self.histories();
        for item in &self.tokens {
            if !of(item, "sk").starts_with("IDEMPOTENCY#") {
                continue;
            }
            let id = of(item, "tokenId");
            let mut history = histories.get(id).into_iter().flatten();
            if !history.any(|record| ["create", "regenerate"].contains(&of(record, "action"))) {
                wrong.push(format!(
                    "a repeated request would find {id}, which was never made"
                ));
            }
        }
        wrong
    }
}
