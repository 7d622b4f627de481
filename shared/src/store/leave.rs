//! The removal of what is stored of a deleted account. Audit records stay until their retention ends. An operators'
//! command applies this.
//!
//! Every removal is a transaction with the condition that the platform hasn't announced the account again. What is left
//! to do depends on the stored items alone, so a removal may be interrupted at any time and run again.

use std::collections::HashSet;

use aws_sdk_dynamodb::types::{AttributeValue, ConditionCheck, Delete, Put, TransactWriteItem};
use jiff::Timestamp;
use jiff::civil::Date;

use super::items::{
    PROFILE, SECRET, SEEN, TOKEN_PREFIX, account_key, preferences_key, profile_key, resources_key,
    secret_key, seen_key,
};
use super::migration::{ScanPosition, Standing};
use super::table::{Item, Store, built, key};
use crate::aws::port_error;
use crate::domain::audit::AuditRecord;
use crate::domain::id::AccountId;
use crate::domain::secret::SecretHash;
use crate::domain::token::StoredToken;
use crate::ports::PortError;

/// The attributes of a deletion marker. It prevents that a late event of the platform restores the account.
const MARKER: [&str; 5] = ["pk", "sk", "deletedAt", "eventTime", "expiresAt"];

/// The number of items that a transaction removes, at most. A secret's recorded uses come to that.
const BATCH: usize = 40;

/// An item that is stored of an account, beside its tokens and its profile.
#[derive(Debug, Clone)]
pub struct Remnant {
    key: Item,
    /// The secret, if the item is one.
    pub secret: Option<SecretHash>,
}

/// Whether the mail with this id is about the account. `records` are the account's audit records.
fn is_mail_of(id: &str, account: &AccountId, records: &HashSet<String>) -> bool {
    let of = |kind: &str| id.strip_prefix(&format!("{kind}-{account}-"));
    // Account ids may hold a `-`: what follows this account's must be a digest's period and part.
    let is_digest = of("digest").and_then(|rest| rest.rsplit_once('-'));
    let is_digest = is_digest.is_some_and(|(period, _)| {
        period.parse::<Timestamp>().is_ok() || period.parse::<Date>().is_ok()
    });
    // This can't be told for a mail about an address, since members' ids may hold anything. Without its mark, another
    // account's mail of the same kind may be sent once more, if its event is delivered again.
    records.contains(id) || is_digest || of("undeliverable").is_some()
}

/// Whether the item with these keys is stored of an account. Tokens and profiles are not: they are removed otherwise.
fn is_remnant(
    (pk, sk): (&str, &str),
    owner: Option<&str>,
    account: &AccountId,
    records: &HashSet<String>,
) -> bool {
    let own = [
        resources_key(account),
        preferences_key(account),
        format!("BUDGET#{account}"),
    ];
    if own.iter().any(|own| own == pk) {
        return true;
    }
    if pk == account_key(account) {
        return !sk.starts_with(TOKEN_PREFIX);
    }
    match pk.split_once('#') {
        None if pk == "DIGESTS" => sk.split('#').nth(1) == Some(account.as_str()),
        Some(("DIGEST", rest)) => rest
            .split_once('#')
            .is_some_and(|it| it.0 == account.as_str()),
        Some(("USER", _)) => sk == account_key(account),
        Some(("SECRET", _)) => owner == Some(account.as_str()),
        Some(("MAIL", id)) => is_mail_of(id, account, records),
        _ => false,
    }
}

impl Store {
    /// Whether the platform has deleted an account, and when.
    ///
    /// # Errors
    /// The table can't be read.
    pub async fn deletion(
        &self,
        account: &AccountId,
        now: Timestamp,
    ) -> Result<(Standing, Option<Timestamp>), PortError> {
        let standing = self.standing(account, now).await?;
        let profile = self.get_item(key(profile_key(account), PROFILE)).await?;
        let at = profile
            .as_ref()
            .and_then(|profile| profile.get("deletedAt"));
        let at = at.and_then(|at| at.as_s().ok()?.parse().ok());
        Ok((standing, at))
    }

    /// Deletes a token of a deleted account with its secrets and their recorded uses, together with the audit record.
    ///
    /// # Errors
    /// [`PortError::Conflict`] if the token differs from what was read, or the account exists again.
    pub async fn erase_token(
        &self,
        erased: &StoredToken,
        audit: &AuditRecord,
    ) -> Result<(), PortError> {
        let mut writes = vec![
            self.account_is_gone(&erased.token.account_id)?,
            self.delete_as_read(&erased.token)?,
        ];
        for hash in erased.secret_hashes() {
            writes.push(self.delete(key(secret_key(hash), SECRET))?);
            writes.push(self.delete(key(seen_key(hash), SEEN))?);
        }
        writes.push(self.put_audit(audit)?);
        self.transact(writes).await
    }

    /// The items of an account in up to a megabyte of the table after a position, and the position from which to
    /// continue. `records` are the ids of the account's audit records about which mails are marked.
    ///
    /// # Errors
    /// The table can't be read.
    pub async fn scan_remnants(
        &self,
        account: &AccountId,
        records: &HashSet<String>,
        position: Option<ScanPosition>,
    ) -> Result<(Vec<Remnant>, usize, Option<ScanPosition>), PortError> {
        let output = self
            .client
            .scan()
            .table_name(&self.tables.tokens)
            .projection_expression("pk, sk, accountId")
            .consistent_read(true)
            .set_exclusive_start_key(position.map(|position| position.0))
            .send()
            .await
            .map_err(port_error)?;
        let items = output.items.unwrap_or_default();
        let read = items.len();
        let remnants = items.into_iter().filter_map(|item| {
            let part = |name: &str| item.get(name).and_then(|part| part.as_s().ok());
            let (pk, sk) = (part("pk")?.as_str(), part("sk")?.as_str());
            let owner = part("accountId").map(String::as_str);
            is_remnant((pk, sk), owner, account, records).then(|| Remnant {
                key: key(pk, sk),
                secret: pk
                    .strip_prefix("SECRET#")
                    .and_then(|hash| hash.to_owned().try_into().ok()),
            })
        });
        let position = output.last_evaluated_key.map(ScanPosition);
        Ok((remnants.collect(), read, position))
    }

    /// Removes items of a deleted account. The recorded uses of a secret go together with it.
    ///
    /// # Errors
    /// [`PortError::Conflict`] if the account exists again.
    pub async fn erase(&self, account: &AccountId, remnants: &[Remnant]) -> Result<(), PortError> {
        for batch in remnants.chunks(BATCH) {
            let mut writes = vec![self.account_is_gone(account)?];
            for remnant in batch {
                writes.push(self.delete(remnant.key.clone())?);
                if let Some(hash) = remnant.secret {
                    writes.push(self.delete(key(seen_key(hash), SEEN))?);
                }
            }
            self.transact(writes).await?;
        }
        Ok(())
    }

    /// Removes the recorded uses of secrets once more: a call that came before the secret was removed may have recorded
    /// its use afterwards.
    ///
    /// # Errors
    /// [`PortError::Conflict`] if the account exists again.
    pub async fn erase_uses(
        &self,
        account: &AccountId,
        secrets: &[SecretHash],
    ) -> Result<(), PortError> {
        let uses = secrets.iter().map(|hash| Remnant {
            key: key(seen_key(*hash), SEEN),
            secret: None,
        });
        self.erase(account, &uses.collect::<Vec<_>>()).await
    }

    /// Removes all that a deleted account's profile says but its deletion. Returns whether there was something.
    ///
    /// # Errors
    /// [`PortError::Conflict`] if the platform's events changed the profile meanwhile.
    pub async fn empty_profile(
        &self,
        account: &AccountId,
        dry_run: bool,
    ) -> Result<bool, PortError> {
        let place = key(profile_key(account), PROFILE);
        let Some(mut profile) = self.get_item(place).await? else {
            return Ok(false);
        };
        let stored = profile.len();
        profile.retain(|name, _| MARKER.contains(&name.as_str()));
        if profile.len() == stored {
            return Ok(false);
        }
        let read = profile.get("eventTime").cloned();
        let put = Put::builder()
            .table_name(&self.tables.tokens)
            .set_item(Some(profile))
            .condition_expression("attribute_exists(deletedAt) AND eventTime = :read")
            .expression_attribute_values(":read", read.unwrap_or(AttributeValue::Null(true)));
        let put = built(put.build())?;
        if !dry_run {
            let writes = vec![TransactWriteItem::builder().put(put).build()];
            self.transact(writes).await?;
        }
        Ok(true)
    }

    fn account_is_gone(&self, account: &AccountId) -> Result<TransactWriteItem, PortError> {
        let check = ConditionCheck::builder()
            .table_name(&self.tables.tokens)
            .set_key(Some(key(profile_key(account), PROFILE)))
            .condition_expression("attribute_not_exists(pk) OR attribute_exists(deletedAt)");
        Ok(TransactWriteItem::builder()
            .condition_check(built(check.build())?)
            .build())
    }

    pub(super) fn delete(&self, key: Item) -> Result<TransactWriteItem, PortError> {
        let delete = Delete::builder()
            .table_name(&self.tables.tokens)
            .set_key(Some(key));
        Ok(TransactWriteItem::builder()
            .delete(built(delete.build())?)
            .build())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_of_other_accounts_with_similar_ids_stay() {
        let account: AccountId = "acme".parse().unwrap();
        let records = HashSet::from(["aud_1".to_owned()]);
        let is = |pk: &str, sk: &str, owner| is_remnant((pk, sk), owner, &account, &records);
        for (pk, sk) in [
            ("ACCOUNT#acme", "IDEMPOTENCY#ab"),
            ("ACCOUNT#acme", "PROFILE"),
            ("RESOURCE#acme", "export#exp_1"),
            ("RESOURCE#acme", "INTEGRATION#app1"),
            ("PREFERENCES#acme", "USER#owner-1"),
            ("BUDGET#acme", "TOKENS"),
            ("USER#owner-1", "ACCOUNT#acme"),
            ("DIGEST#acme#owner-1", "2026-11-23#aud_1"),
            ("DIGESTS", "2026-11-23T10:00:00Z#acme#owner-1"),
            ("MAIL#aud_1", "USER#owner-1"),
            ("MAIL#digest-acme-2026-11-23T10:00:00Z-1", "USER#owner-1"),
            ("MAIL#digest-acme-2026-11-23-12", "USER#owner-1"),
            (
                "MAIL#undeliverable-acme-owner-1-2026-11-23T10:00:00Z",
                "USER#admin-1",
            ),
        ] {
            assert!(is(pk, sk, None), "{pk} {sk}");
        }
        assert!(is("SECRET#11", "SECRET", Some("acme")));
        for (pk, sk) in [
            ("ACCOUNT#acme", "TOKEN#tok_1"),
            ("PROFILE#acme", "PROFILE"),
            ("ACCOUNT#acme-2", "IDEMPOTENCY#ab"),
            ("RESOURCE#acme-2", "export#exp_1"),
            ("BUDGET#acme2", "TOKENS"),
            ("USER#acme", "ACCOUNT#acme-2"),
            ("DIGEST#acme-2#owner-1", "2026-11-23#aud_1"),
            ("DIGEST#globex#acme", "2026-11-23#aud_1"),
            ("DIGESTS", "2026-11-23T10:00:00Z#globex#acme"),
            ("MAIL#aud_2", "USER#owner-1"),
            ("MAIL#digest-acme-2-2026-11-23T10:00:00Z-1", "USER#owner-1"),
            ("MAIL#digest-acme-2-2026-11-23-12", "USER#owner-1"),
            ("ADDRESS#11", "MARK"),
            ("SCANNER#github", "KEYS"),
        ] {
            assert!(!is(pk, sk, None), "{pk} {sk}");
        }
        assert!(!is("SECRET#11", "SECRET", Some("globex")));
        assert!(!is("SECRET#11", "SECRET", None));
    }
}
