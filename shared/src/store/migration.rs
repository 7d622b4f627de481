//! The migration of items that the first version stored in another place or form: the rules, and the writes that apply
//! them. An operators' command applies these to the whole table.
//!
//! The first version stored profiles and resources in the partition of the account's tokens. It had no states of
//! secrets: a token was marked as leaked, and only for as long as it was revoked.

use aws_sdk_dynamodb::types::AttributeValue;
use jiff::Timestamp;

use super::items::{
    PROFILE, TOKEN_PREFIX, TokenItem, account_key, profile_key, to_item, token_key, token_of_keys,
};
use super::platform::stored_time;
use super::table::{Item, Store, key, parse};
use crate::app::retry::{ATTEMPTS, retry_on_conflict, unless_conflict};
use crate::aws::port_error;
use crate::domain::account::Account;
use crate::domain::action::Action;
use crate::domain::actor::Actor;
use crate::domain::event_time::EventTime;
use crate::domain::id::{AccountId, TokenId};
use crate::domain::resource::Resource;
use crate::domain::secret::SecretHash;
use crate::domain::token::{Ended, StoredToken};
use crate::ports::PortError;

/// The reason that the first version stored when it revoked the tokens of a deleted account.
const ACCOUNT_DELETED: &str = "the account was deleted";

/// An item of the table, by its keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The partition key.
    pub pk: String,
    /// The sort key.
    pub sk: String,
    /// The kind of the item.
    pub kept: Kept,
}

/// The kind of an item, as far as the migration is concerned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kept {
    /// A profile or a resource in the place where the first version stored it.
    Projected(Projected),
    /// A token, in the form of any version.
    Token(AccountId, TokenId),
    /// The first version's note that this secret was found in public.
    Leak(SecretHash),
    /// An item whose place and form haven't changed.
    Other,
    /// An item whose key isn't well-formed.
    Odd,
}

/// The projection of a profile or a resource, by its keys in the first version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Projected {
    old: (String, String),
    new: (String, String),
}

impl Projected {
    /// Whether it is an account's profile. Otherwise it is a resource.
    pub fn is_profile(&self) -> bool {
        self.old.1 == PROFILE
    }
}

impl Found {
    fn new(pk: String, sk: String) -> Self {
        let kept = kept(&pk, &sk);
        Self { pk, sk, kept }
    }
}

/// The kind of the item with these keys.
fn kept(pk: &str, sk: &str) -> Kept {
    if let Some(account) = pk.strip_prefix("ACCOUNT#") {
        let projected = |new: (String, String)| {
            let old = (pk.to_owned(), sk.to_owned());
            Kept::Projected(Projected { old, new })
        };
        if sk == PROFILE {
            return projected((format!("PROFILE#{account}"), PROFILE.to_owned()));
        }
        if let Some(resource) = sk.strip_prefix("RESOURCE#") {
            return projected((format!("RESOURCE#{account}"), resource.to_owned()));
        }
        if sk.starts_with(TOKEN_PREFIX) {
            let token = token_of_keys(pk, sk);
            return token.map_or(Kept::Odd, |(account, id)| Kept::Token(account, id));
        }
    }
    if let Some(hash) = pk.strip_prefix("SECRET#")
        && sk.starts_with("LEAK#")
    {
        let hash = SecretHash::try_from(hash.to_owned());
        return hash.map_or(Kept::Odd, Kept::Leak);
    }
    Kept::Other
}

/// The age of a projection, for comparison. A time after `latest` makes it the oldest. Of two projections of the same
/// time, a deletion is newer.
fn age(item: &Item, latest: Timestamp) -> (Option<Timestamp>, bool) {
    let time = stored_time(item).filter(|time| *time <= latest);
    (time, item.contains_key("deletedAt"))
}

/// What the new place has to hold, if it doesn't yet: the newer of the two items. A deletion marker keeps the account's
/// known data, since the mails about the deletion still have to reach the members.
fn adopted(moved: Item, new: Option<&Item>, latest: Timestamp) -> Option<Item> {
    let Some(new) = new else { return Some(moved) };
    let (mut newer, older) = if age(&moved, latest) > age(new, latest) {
        (moved, new.clone())
    } else {
        (new.clone(), moved)
    };
    if newer.contains_key("deletedAt") && older.contains_key("members") {
        for (name, value) in older {
            newer.entry(name).or_insert(value);
        }
    }
    (newer != *new).then_some(newer)
}

/// The condition that a projection is still as it was read, and the condition's value.
fn as_read(item: &Item) -> (String, Option<AttributeValue>) {
    let time = item.get("eventTime").cloned();
    let dated = if time.is_some() {
        "eventTime = :read"
    } else {
        "attribute_exists(pk) AND attribute_not_exists(eventTime)"
    };
    let deleted = if item.contains_key("deletedAt") {
        "attribute_exists(deletedAt)"
    } else {
        "attribute_not_exists(deletedAt)"
    };
    (format!("{dated} AND {deleted}"), time)
}

/// The item under its new key, with its texts as this version stores them.
fn moved(projected: &Projected, mut item: Item) -> Result<Item, PortError> {
    let (pk, sk) = projected.new.clone();
    item.extend(key(pk, sk));
    let mended = if !item.contains_key("name") {
        Item::new()
    } else if projected.is_profile() {
        to_item(&parse::<Account>(item.clone())?.mended())?
    } else {
        to_item(&parse::<Resource>(item.clone())?.mended())?
    };
    item.extend(mended.into_iter().filter(|(_, value)| !value.is_null()));
    Ok(item)
}

/// Whether an account exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// The account has a profile.
    Live,
    /// The account is marked as deleted.
    Deleted,
    /// There is no such account, or it was deleted long ago.
    Unknown,
}

/// The position from which a scan continues.
#[derive(Debug, Clone)]
pub struct ScanPosition(pub(super) Item);

/// A token as it is stored, and as this version would store it.
#[derive(Debug)]
pub struct Reading {
    before: StoredToken,
    /// The token as this version would store it.
    pub after: StoredToken,
    /// Whether the two differ.
    pub is_to_be_rewritten: bool,
}

/// Whether the first version stored a token. It stored no types of actors.
fn is_first_form(item: &Item) -> bool {
    let creator = item.get("createdBy").and_then(|by| by.as_m().ok());
    creator.is_some_and(|by| !by.contains_key("type"))
        || item.contains_key("leakReported")
        || item.contains_key("retired")
}

/// The token as this version would store it. A token that ended with its account can't be reactivated, whichever
/// version has changed it since. In the first form, a secret that its holder gave up becomes compromised, and one whose
/// grace period is over becomes ended. No records are written: the original events have theirs.
fn second_form(before: &StoredToken, is_first_form: bool, now: Timestamp) -> StoredToken {
    let mut token = before.token.clone();
    if let Some(revocation) = &mut token.revocation {
        if revocation.by.id == Actor::system().id
            && revocation.reason.as_deref() == Some(ACCOUNT_DELETED)
        {
            revocation.account_deleted = true;
        }
        if is_first_form && revocation.by.id == token.id.as_str() {
            token.compromised = token.compromised.or(Some(Ended {
                at: revocation.at,
                by: Action::Revoke,
            }));
        }
    }
    if is_first_form {
        before.with(token, now)
    } else {
        StoredToken {
            token,
            ..before.clone()
        }
    }
}

impl Store {
    /// The keys of up to a megabyte of the table after a position, and the position from which to continue.
    ///
    /// # Errors
    /// The table can't be read.
    pub async fn scan(
        &self,
        position: Option<ScanPosition>,
    ) -> Result<(Vec<Found>, Option<ScanPosition>), PortError> {
        let output = self
            .client
            .scan()
            .table_name(&self.tables.tokens)
            .projection_expression("pk, sk")
            .consistent_read(true)
            .set_exclusive_start_key(position.map(|position| position.0))
            .send()
            .await
            .map_err(port_error)?;
        let found = output
            .items
            .unwrap_or_default()
            .into_iter()
            .map(|mut item| {
                let mut part = |name| match item.remove(name) {
                    Some(AttributeValue::S(part)) => Ok(part),
                    _ => Err(PortError::Broken(
                        "a scan found an item without a key".into(),
                    )),
                };
                Ok(Found::new(part("pk")?, part("sk")?))
            });
        let found = found.collect::<Result<_, PortError>>()?;
        Ok((found, output.last_evaluated_key.map(ScanPosition)))
    }

    /// Makes sure that the new place of a profile or a resource holds the old place's state, or a newer one. Returns
    /// whether this needs a write.
    ///
    /// # Errors
    /// [`PortError::Conflict`] if the item changed concurrently at every attempt.
    pub async fn carry_over(
        &self,
        projected: &Projected,
        now: Timestamp,
        dry_run: bool,
    ) -> Result<bool, PortError> {
        let latest = EventTime::from(now).latest();
        let attempt = || async {
            let (pk, sk) = projected.old.clone();
            let Some(old) = self.get_item(key(pk, sk)).await? else {
                return Ok(Some(false));
            };
            let (pk, sk) = projected.new.clone();
            let new = self.get_item(key(pk, sk)).await?;
            let Some(item) = adopted(moved(projected, old)?, new.as_ref(), latest) else {
                return Ok(Some(false));
            };
            if dry_run {
                return Ok(Some(true));
            }
            let (condition, time) = match &new {
                Some(new) => as_read(new),
                None => ("attribute_not_exists(pk)".to_owned(), None),
            };
            let mut put = self
                .client
                .put_item()
                .table_name(&self.tables.tokens)
                .set_item(Some(item))
                .condition_expression(condition);
            if let Some(time) = time {
                put = put.expression_attribute_values(":read", time);
            }
            let written = unless_conflict(put.send().await.map_err(port_error))?;
            Ok(written.map(|_| true))
        };
        retry_on_conflict(ATTEMPTS, attempt).await
    }

    /// Removes a profile or a resource from its old place, once the new place holds its state or a newer one. Returns
    /// whether there was something to remove.
    ///
    /// # Errors
    /// [`PortError::Conflict`] if the item changed concurrently at every attempt.
    pub async fn clear_old_place(
        &self,
        projected: &Projected,
        now: Timestamp,
        dry_run: bool,
    ) -> Result<bool, PortError> {
        let (pk, sk) = projected.old.clone();
        let place = key(pk, sk);
        let attempt = || async {
            let Some(old) = self.get_item(place.clone()).await? else {
                return Ok(Some(false));
            };
            if dry_run {
                return Ok(Some(true));
            }
            self.carry_over(projected, now, false).await?;
            let (condition, time) = as_read(&old);
            let mut delete = self
                .client
                .delete_item()
                .table_name(&self.tables.tokens)
                .set_key(Some(place.clone()))
                .condition_expression(condition);
            if let Some(time) = time {
                delete = delete.expression_attribute_values(":read", time);
            }
            let written = unless_conflict(delete.send().await.map_err(port_error))?;
            Ok(written.map(|_| true))
        };
        retry_on_conflict(ATTEMPTS, attempt).await
    }

    /// Whether an account exists, in the old or the new place.
    ///
    /// # Errors
    /// The table can't be read.
    pub async fn standing(
        &self,
        account: &AccountId,
        now: Timestamp,
    ) -> Result<Standing, PortError> {
        let latest = EventTime::from(now).latest();
        let old = self.get_item(key(account_key(account), PROFILE)).await?;
        let new = self.get_item(key(profile_key(account), PROFILE)).await?;
        let profile = match old {
            Some(old) => adopted(old, new.as_ref(), latest).or(new),
            None => new,
        };
        Ok(match profile {
            None => Standing::Unknown,
            Some(profile) if profile.contains_key("deletedAt") => Standing::Deleted,
            Some(_) => Standing::Live,
        })
    }

    /// Reads a token with its stored form; `None` if there is none or it is purged at `now`.
    ///
    /// # Errors
    /// The token can't be read or parsed.
    pub async fn read_form(
        &self,
        account: &AccountId,
        id: &TokenId,
        now: Timestamp,
    ) -> Result<Option<Reading>, PortError> {
        let place = key(account_key(account), token_key(id));
        let Some(item) = self.get_item(place).await? else {
            return Ok(None);
        };
        let is_first_form = is_first_form(&item);
        let before = StoredToken::from(parse::<TokenItem>(item)?);
        let after = second_form(&before, is_first_form, now);
        Ok((!before.token.is_purged(now)).then_some(Reading {
            is_to_be_rewritten: is_first_form || after != before,
            before,
            after,
        }))
    }

    /// Stores a token and its secrets as this version would. This isn't a change of the token: its version stays, and
    /// no audit record is written.
    ///
    /// # Errors
    /// [`PortError::Conflict`] if the token differs from what was read.
    pub async fn rewrite(&self, reading: &Reading) -> Result<(), PortError> {
        let Reading { before, after, .. } = reading;
        let previous = before.token.previous_secret.as_ref();
        let ended = Ended {
            at: previous.map_or(before.token.updated_at, |previous| previous.valid_until),
            by: Action::Regenerate,
        };
        let writes = self.state_writes(before, after, None, ended)?;
        self.transact(writes).await
    }
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::super::table::text;
    use super::*;
    use crate::testing::now;

    fn projection(seconds: i64, deleted: bool, others: &[&str]) -> Item {
        let time = (now() + SignedDuration::from_secs(seconds)).as_microsecond();
        let mut item = key("PROFILE#acme", PROFILE);
        item.insert("eventTime".into(), AttributeValue::N(time.to_string()));
        if deleted {
            item.insert("deletedAt".into(), text("then"));
        }
        for name in others {
            item.insert((*name).into(), text(format!("{name} of {seconds}")));
        }
        item
    }

    #[test]
    fn the_newer_of_two_projections_counts_and_of_one_moment_the_deletion() {
        let latest = EventTime::from(now()).latest();
        let future = 86_400;
        for (old, new, is_old) in [
            ((0, false), (1, false), false),
            ((1, false), (0, false), true),
            ((1, false), (1, false), false),
            ((0, true), (1, false), false),
            ((1, true), (0, false), true),
            ((1, true), (1, false), true),
            ((1, false), (1, true), false),
            ((1, true), (1, true), false),
            ((future, false), (0, false), false),
            ((0, false), (future, false), true),
            ((future, true), (0, false), false),
            ((future, false), (future, false), false),
        ] {
            let item = |(seconds, deleted), name| projection(seconds, deleted, &[name]);
            let (moved, new) = (item(old, "old"), item(new, "new"));
            let adopted = adopted(moved.clone(), Some(&new), latest);
            assert_eq!(adopted, is_old.then_some(moved), "{new:?}");
        }
        let moved = projection(future, false, &[]);
        assert_eq!(adopted(moved.clone(), None, latest), Some(moved));
    }

    #[test]
    fn a_deletion_keeps_what_was_known_of_the_account() {
        let latest = EventTime::from(now()).latest();
        let known = projection(0, false, &["name", "members"]);
        let marker = projection(1, true, &[]);
        let kept = projection(1, true, &[]).into_iter().chain(known.clone());
        let mut kept: Item = kept.collect();
        kept.extend(marker.clone());
        for (old, new) in [(&known, &marker), (&marker, &known)] {
            let both = adopted(old.clone(), Some(new), latest).unwrap();
            assert_eq!(both, kept);
            assert_eq!(adopted(old.clone(), Some(&both), latest), None);
        }
    }

    #[test]
    fn items_are_told_by_their_keys() {
        let id = "tok_01ARZ3NDEKTSV4RRFFQ69G5FAV";
        let hash = "11".repeat(32);
        let new_place = |pk: &str, sk: &str| match kept(pk, sk) {
            Kept::Projected(projected) => projected.new,
            other => panic!("{other:?}"),
        };
        let place = |pk: &str, sk: &str| (pk.to_owned(), sk.to_owned());
        assert_eq!(
            new_place("ACCOUNT#acme", "PROFILE"),
            place("PROFILE#acme", "PROFILE")
        );
        assert_eq!(
            new_place("ACCOUNT#acme", "RESOURCE#export#exp_1"),
            place("RESOURCE#acme", "export#exp_1")
        );
        let token = kept("ACCOUNT#acme", &format!("TOKEN#{id}"));
        let expected = Kept::Token("acme".parse().unwrap(), id.parse().unwrap());
        assert_eq!(token, expected);
        let leak = kept(&format!("SECRET#{hash}"), "LEAK#ab");
        assert_eq!(leak, Kept::Leak(hash.clone().try_into().unwrap()));
        for (pk, sk) in [("ACCOUNT#acme", "TOKEN#1"), ("SECRET#1", "LEAK#ab")] {
            assert_eq!(kept(pk, sk), Kept::Odd, "{pk} {sk}");
        }
        for (pk, sk) in [
            ("PROFILE#acme", "PROFILE"),
            ("RESOURCE#acme", "export#exp_1"),
            ("USER#owner-1", "ACCOUNT#acme"),
            ("ACCOUNT#acme", "IDEMPOTENCY#ab"),
            (&format!("SECRET#{hash}"), "SECRET"),
        ] {
            assert_eq!(kept(pk, sk), Kept::Other, "{pk} {sk}");
        }
    }
}
