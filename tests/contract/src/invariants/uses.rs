//! Uses and refusals of secrets, and their records.

use super::{Evidence, number, of, time};

impl Evidence {
    /// Uses and refusals that are noted without a record, and records that aren't noted.
    pub(super) fn unrecorded_uses(&self) -> Vec<String> {
        let mut wrong = Vec::new();
        for seen in self.items("SEEN#") {
            let key = of(seen, "pk").replacen("SEEN#", "SECRET#", 1);
            let Some(secret) = self.item(&key, "SECRET") else {
                wrong.push(format!("{key} has uses, but isn't there"));
                continue;
            };
            let id = of(secret, "tokenId");
            let of_token = |action: &str| {
                let mut records = self.records(action);
                records.retain(|record| of(record, "tokenId") == id);
                records
            };
            let accesses = of_token("access");
            if let Some(used) = time(seen, "lastUsedAt")
                && !accesses
                    .iter()
                    .any(|record| time(record, "time") == Some(used))
            {
                wrong.push(format!("{id} was used at {used} without a record"));
            }
            let addresses = ["addresses", "assertedAddresses"]
                .map(|name| seen[name]["SS"].as_array().map_or(0, Vec::len));
            if addresses.iter().sum::<usize>() > accesses.len() {
                wrong.push(format!(
                    "{id} was used from {addresses:?} addresses without records"
                ));
            }
            let refused = seen.as_object().into_iter().flatten();
            let refused = refused.filter(|(name, _)| name.starts_with("refused:"));
            let days = refused
                .filter_map(|(_, days)| number(&days["M"], "count"))
                .sum::<i64>();
            let records = of_token("refused").len();
            if i64::try_from(records).ok() != Some(days) {
                wrong.push(format!(
                    "{id} was refused on {days} days with {records} records"
                ));
            }
        }
        for record in self.records("access") {
            let id = of(record, "tokenId");
            let mut secrets = self.items("SECRET#");
            secrets.retain(|secret| of(secret, "tokenId") == id);
            let noted = secrets.iter().any(|secret| {
                let key = of(secret, "pk").replacen("SECRET#", "SEEN#", 1);
                let seen = self.item(&key, "SEEN");
                seen.and_then(|seen| time(seen, "lastUsedAt")) >= time(record, "time")
            });
            if !noted {
                wrong.push(format!("a use of {id} is on record, but not noted"));
            }
        }
        wrong
    }
}
