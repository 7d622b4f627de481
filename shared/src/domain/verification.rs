//! The decision on a presented secret: one pure function for every verifier.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use ipnet::IpNet;
use jiff::civil::{Date, Time};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use super::id::{AccountId, IntegrationId, TokenId};
use super::kind::Kind;
use super::policy::{self, AccessRequest, Obligation, Owner, Permission};
use super::resource::ResourceRef;
use super::scope::Scope;
use super::secret::SecretHash;
use super::string_enum::string_enum;
use super::token::{Ended, LastUse, Status, StoredToken, Token};

/// The maximum number of addresses that are stored per secret and day, for seen and for asserted addresses each. Beyond
/// it, one use an hour is recorded. So callers from many addresses can neither grow the item nor flood the mailboxes,
/// and can't hide a new address behind many others.
pub const MAX_SEEN_ADDRESSES: usize = 32;

/// How long an ended secret stays in the table: at least as long as audit records are kept. Until then, a report of
/// the secret is recognised, and its use is recorded as that of a known token.
pub const TOMBSTONE_LIFETIME: SignedDuration = SignedDuration::from_hours(400 * 24);

string_enum! {
    /// The state of one secret of a token. Revocation is a state of the token instead.
    pub enum SecretState {
        /// The secret works while its token is active.
        Current = "current",
        /// The secret was replaced, and works until its grace period ends.
        Retired = "retired",
        /// The secret no longer works, for ever.
        Ended = "ended",
        /// Somebody else knows the secret. It no longer works, whatever happens to its token.
        Compromised = "compromised",
    }
}

impl SecretState {
    /// The state with that stored name. An unknown name, which a later version may have stored, reads as
    /// [`SecretState::Ended`].
    pub fn of_stored(name: &str) -> Self {
        Self::parse(name).unwrap_or(Self::Ended)
    }
}

/// Everything that a verification needs. One read finds it by the secret's hash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretRecord {
    /// The secret's hash, which is the key.
    pub hash: SecretHash,
    /// The token's account.
    pub account_id: AccountId,
    /// The token.
    pub token_id: TokenId,
    /// The token's name, for the audit record of a use.
    pub token_name: String,
    /// The token's hint, for the audit record of a use.
    pub token_hint: String,
    /// What the token acts as.
    pub kind: Kind,
    /// The token's Integration App.
    pub integration_id: Option<IntegrationId>,
    /// Whether the token may be used.
    pub status: Status,
    /// The state of the secret.
    pub state: SecretState,
    /// What the token may access.
    pub scope: Scope,
    /// The instant at which the token is purged.
    pub purge_at: Option<Timestamp>,
    /// The end of the grace period of a retired secret.
    pub valid_until: Option<Timestamp>,
    /// The address ranges from which the token may be used; empty means from anywhere.
    pub allowed_cidrs: Vec<IpNet>,
    /// When and by what the secret ended, if it is ended or compromised.
    pub ended: Option<Ended>,
}

impl SecretRecord {
    /// The record of a token's current secret.
    pub fn of(token: &Token, hash: SecretHash) -> Self {
        Self {
            hash,
            account_id: token.account_id.clone(),
            token_id: token.id.clone(),
            token_name: token.name.clone(),
            token_hint: token.hint.clone(),
            kind: token.kind,
            integration_id: token.integration_id.clone(),
            status: token.status(),
            state: SecretState::Current,
            scope: token.scope.clone(),
            purge_at: token.purge_at,
            valid_until: None,
            allowed_cidrs: token.allowed_cidrs.clone(),
            ended: None,
        }
    }

    /// The record of the same secret after it has ended or was marked as compromised.
    #[must_use]
    pub fn end(self, state: SecretState, ended: Ended) -> Self {
        Self {
            state,
            // Versions that know no states of secrets read this as refused.
            status: Status::Revoked,
            ended: Some(ended),
            ..self
        }
    }

    /// The records of a token's secrets that haven't ended.
    pub fn all_of(stored: &StoredToken) -> Vec<Self> {
        let token = &stored.token;
        let current = Self::of(token, stored.secret_hash);
        let current = match token.compromised {
            Some(ended) => current.end(SecretState::Compromised, ended),
            None => current,
        };
        let retired = stored.previous_hash.zip(token.previous_secret.as_ref());
        let retired = retired.map(|(hash, previous)| Self {
            state: SecretState::Retired,
            token_hint: previous.hint.clone(),
            valid_until: Some(previous.valid_until),
            ..Self::of(token, hash)
        });
        std::iter::once(current).chain(retired).collect()
    }

    /// The state at an instant. A secret that is over counts as ended, even if the table doesn't say so yet.
    pub fn state_at(&self, now: Timestamp) -> SecretState {
        match self.state {
            SecretState::Current | SecretState::Retired if self.is_over(now) => SecretState::Ended,
            state => state,
        }
    }

    /// Whether the token's purge time or the secret's grace period has been reached.
    pub fn is_over(&self, now: Timestamp) -> bool {
        self.last_instant().is_some_and(|end| end <= now)
    }

    /// The instant at which the secret is over; `None` for never.
    pub fn last_instant(&self) -> Option<Timestamp> {
        [self.purge_at, self.valid_until]
            .into_iter()
            .flatten()
            .min()
    }

    /// When the table may remove the record: some time after the secret's end; `None` if it has no end.
    pub fn kept_until(&self) -> Option<Timestamp> {
        self.last_instant().map(tombstone_end)
    }
}

/// When the table may remove the record of a secret that ended at that instant.
pub fn tombstone_end(ended: Timestamp) -> Timestamp {
    ended
        .checked_add(TOMBSTONE_LIFETIME)
        .unwrap_or(Timestamp::MAX)
}

/// The address from which a secret is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum UsedFrom {
    /// The address of the connection.
    Seen(IpAddr),
    /// The bearer's address as asserted by the API that introspects the secret.
    Asserted(IpAddr),
}

impl UsedFrom {
    /// The address. An IPv4 address mapped into IPv6, as dual-stack servers see it, becomes the IPv4 address.
    pub fn ip(self) -> IpAddr {
        match self {
            Self::Seen(ip) | Self::Asserted(ip) => ip.to_canonical(),
        }
    }

    fn canonical(self) -> Self {
        match self {
            Self::Seen(ip) => Self::Seen(ip.to_canonical()),
            Self::Asserted(ip) => Self::Asserted(ip.to_canonical()),
        }
    }
}

/// What is recorded about a secret's uses and refusals.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Seen {
    /// The day of the addresses, in UTC; `None` before the first use.
    pub day: Option<Date>,
    /// The addresses of that day, at most [`MAX_SEEN_ADDRESSES`] of each kind.
    pub addresses: BTreeSet<UsedFrom>,
    /// The hour of the last use that was recorded beyond that maximum, counted from 1970.
    pub crowded_hour: Option<i64>,
    /// For each reason, the last day with a refusal and the number of such days.
    pub refusals: BTreeMap<Refusal, RefusedDays>,
    /// The last recorded use.
    pub last_use: Option<LastUse>,
}

/// The days on which a secret was refused for one reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RefusedDays {
    /// The last of these days, in UTC.
    pub last: Date,
    /// The number of these days.
    pub count: u32,
}

/// What a use or a refusal adds to the recorded state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sighting {
    /// The first use of a day.
    Day(Date, UsedFrom),
    /// The first use of that day from an address.
    Address(Date, UsedFrom),
    /// The first use of that hour from an address beyond the day's maximum.
    Crowd(i64),
    /// The first refusal of a day for that reason, and the number of such days so far.
    Refused(Refusal, RefusedDays),
}

fn utc_day(now: Timestamp) -> Date {
    now.to_zoned_datetime(TimeZone::UTC).date()
}

const HOUR: i64 = 3_600;

impl Seen {
    /// What a use adds, or `None` if it is on record already. The first use of a secret and the first use per address
    /// and day are recorded.
    pub fn use_of(&self, from: UsedFrom, now: Timestamp) -> Option<Sighting> {
        let (from, today) = (from.canonical(), utc_day(now));
        // Around midnight, a verifier whose clock is ahead may have started the next day already. The use then counts
        // to that day, since the recorded day never goes back.
        let Some(day) = self.day.filter(|day| *day >= today) else {
            return Some(Sighting::Day(today, from));
        };
        if self.addresses.contains(&from) {
            return None;
        }
        if self.alike(from) < MAX_SEEN_ADDRESSES {
            return Some(Sighting::Address(day, from));
        }
        let hour = now.as_second().div_euclid(HOUR);
        self.crowded_hour
            .is_none_or(|last| last < hour)
            .then_some(Sighting::Crowd(hour))
    }

    /// The number of addresses of the same kind on that day.
    pub fn alike(&self, from: UsedFrom) -> usize {
        let asserted = matches!(from, UsedFrom::Asserted(_));
        let alike = |other: &&UsedFrom| matches!(other, UsedFrom::Asserted(_)) == asserted;
        self.addresses.iter().filter(alike).count()
    }

    /// Until when a recorded use stays on record.
    pub fn on_record_until(&self, from: UsedFrom, now: Timestamp) -> Timestamp {
        if self.addresses.contains(&from.canonical()) {
            let tomorrow = self.day.and_then(|day| day.tomorrow().ok());
            let midnight = tomorrow.and_then(|day| {
                TimeZone::UTC
                    .to_timestamp(day.to_datetime(Time::midnight()))
                    .ok()
            });
            return midnight.unwrap_or(now);
        }
        let end = now
            .as_second()
            .div_euclid(HOUR)
            .saturating_add(1)
            .saturating_mul(HOUR);
        Timestamp::from_second(end).unwrap_or(now)
    }

    /// What a refusal adds, or `None` if it is on record already or its reason isn't recorded.
    pub fn refusal_of(&self, refusal: Refusal, now: Timestamp) -> Option<Sighting> {
        if !refusal.is_recorded() {
            return None;
        }
        let today = utc_day(now);
        let before = self.refusals.get(&refusal);
        if before.is_some_and(|days| days.last >= today) {
            return None;
        }
        let count = before.map_or(0, |days| days.count).saturating_add(1);
        Some(Sighting::Refused(
            refusal,
            RefusedDays { last: today, count },
        ))
    }
}

/// Whether people get a mail on the given day of refusals, counted from 1. A forgotten job that keeps trying must
/// not cause a mail every day.
pub fn is_refusal_mailed(day: u32) -> bool {
    matches!(day, 1 | 2 | 7 | 30)
}

string_enum! {
    /// Why a secret isn't good for a request.
    pub enum Refusal {
        /// The string isn't one of our secrets.
        Malformed = "malformed",
        /// There is no such secret: it never existed, or was removed long after its end.
        Unknown = "unknown",
        /// The token is revoked.
        Revoked = "revoked",
        /// The token's purge time or the secret's grace period has been reached.
        Expired = "expired",
        /// The secret was replaced or ended, or its token was deleted.
        Ended = "ended",
        /// The secret is marked as compromised.
        Compromised = "compromised",
        /// The caller's address isn't in the token's ranges.
        Address = "address",
        /// The token is valid, but may not do this.
        Forbidden = "forbidden",
    }
}

impl Refusal {
    /// Whether the refusal is recorded, so that people learn that somebody tries an invalid secret. Guesses aren't,
    /// since they belong to no token. Refusals by the scope aren't, since they are part of normal operation.
    pub fn is_recorded(self) -> bool {
        match self {
            Self::Revoked | Self::Expired | Self::Ended | Self::Compromised | Self::Address => true,
            Self::Malformed | Self::Unknown | Self::Forbidden => false,
        }
    }
}

/// The result of a verification.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// The call may go on, under these obligations.
    Allow(Vec<Obligation>),
    /// The policy needs the owner of this resource. Decide again with it.
    NeedsOwner(ResourceRef),
    /// The call may not go on.
    Refuse(Refusal),
}

/// The purpose for which a secret is presented.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Purpose<'a> {
    /// An access to a resource of the platform.
    Access(AccessRequest),
    /// A request that the policy can't interpret. It is refused.
    Meaningless,
    /// A question about the token itself.
    TokenInfo,
    /// A question about another token.
    Introspect,
    /// A call to an API that introspects the secret. What the bearer wants there isn't known.
    Introspected(Introspection<'a>),
}

impl Purpose<'_> {
    /// The purpose of an HTTP request to the platform.
    pub fn of_http(method: &str, path: &str) -> Self {
        AccessRequest::of_http(method, path).map_or(Self::Meaningless, Self::Access)
    }
}

/// A question of an API about its caller's secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Introspection<'a> {
    /// The token with which the API asks. It gets answers about tokens of its own account only.
    pub asker: &'a SecretRecord,
    /// The bearer's address, if the API gives it. It is only asserted.
    pub bearer_ip: Option<IpAddr>,
}

/// Decides on a secret alone, whatever the request.
///
/// `ip` is the bearer's address; `None` if the introspecting API doesn't give it. Then only a token that may be used
/// from anywhere is valid.
///
/// # Errors
/// Why the secret is refused.
pub fn standing(
    secret: Option<&SecretRecord>,
    ip: Option<IpAddr>,
    now: Timestamp,
) -> Result<&SecretRecord, Refusal> {
    let secret = secret.ok_or(Refusal::Unknown)?;
    match secret.state {
        SecretState::Compromised => return Err(Refusal::Compromised),
        SecretState::Ended => return Err(Refusal::Ended),
        SecretState::Current | SecretState::Retired => {}
    }
    if secret.is_over(now) {
        return Err(Refusal::Expired);
    }
    if secret.status == Status::Revoked {
        return Err(Refusal::Revoked);
    }
    let allowed = secret.allowed_cidrs.is_empty()
        || ip.is_some_and(|ip| is_allowed(&secret.allowed_cidrs, ip));
    if allowed {
        Ok(secret)
    } else {
        Err(Refusal::Address)
    }
}

/// Decides on a presented secret. `ip` is the bearer's address as in [`standing`]. `owner` is that of the accessed
/// resource, or [`Owner::NotRead`] before it was looked up.
pub fn decide(
    secret: Option<&SecretRecord>,
    ip: Option<IpAddr>,
    purpose: &Purpose<'_>,
    owner: &Owner,
    now: Timestamp,
) -> Decision {
    let secret = match standing(secret, ip, now) {
        Ok(secret) => secret,
        Err(refusal) => return Decision::Refuse(refusal),
    };
    let access = match purpose {
        Purpose::TokenInfo | Purpose::Introspect | Purpose::Introspected(_) => {
            return Decision::Allow(vec![]);
        }
        Purpose::Meaningless => return Decision::Refuse(Refusal::Forbidden),
        Purpose::Access(access) => access,
    };
    let app = secret.integration_id.as_ref();
    match policy::permission(secret.kind, app, &secret.scope, access, owner) {
        Permission::Granted(obligations) => Decision::Allow(obligations),
        Permission::NeedsOwner(resource) => Decision::NeedsOwner(resource),
        Permission::Denied => Decision::Refuse(Refusal::Forbidden),
    }
}

/// Whether an address is in one of the ranges. An IPv4 address mapped into IPv6 counts as the IPv4 address.
fn is_allowed(cidrs: &[IpNet], ip: IpAddr) -> bool {
    let ip = ip.to_canonical();
    cidrs.iter().any(|cidr| cidr.contains(&ip))
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;
    use proptest::prelude::*;

    use super::*;
    use crate::testing;

    fn ask(secret: &SecretRecord, ip: &str, now: Timestamp) -> Decision {
        present(Some(secret), ip, &Purpose::TokenInfo, now)
    }

    fn present(
        secret: Option<&SecretRecord>,
        ip: &str,
        purpose: &Purpose<'_>,
        now: Timestamp,
    ) -> Decision {
        let ip = ip.parse().unwrap();
        decide(secret, Some(ip), purpose, &Owner::NotRead, now)
    }

    const ALLOWED: Decision = Decision::Allow(vec![]);

    #[test]
    fn an_unknown_secret_is_refused() {
        assert_eq!(
            present(None, "127.0.0.1", &Purpose::TokenInfo, testing::now()),
            Decision::Refuse(Refusal::Unknown)
        );
    }

    #[test]
    fn a_revoked_secret_is_refused() {
        let mut secret = testing::secret_record();
        assert_eq!(ask(&secret, "192.0.2.1", testing::now()), ALLOWED);
        secret.status = Status::Revoked;
        let refused = Decision::Refuse(Refusal::Revoked);
        assert_eq!(ask(&secret, "192.0.2.1", testing::now()), refused);
    }

    #[test]
    fn a_secret_ends_at_the_instant_of_its_purge_or_grace() {
        let now = testing::now();
        let just_before = now - SignedDuration::from_nanos(1);
        let ends = |secret: &SecretRecord| {
            assert_eq!(ask(secret, "192.0.2.1", just_before), ALLOWED);
            assert_eq!(
                ask(secret, "192.0.2.1", now),
                Decision::Refuse(Refusal::Expired)
            );
        };
        ends(&SecretRecord {
            purge_at: Some(now),
            ..testing::secret_record()
        });
        ends(&SecretRecord {
            valid_until: Some(now),
            ..testing::secret_record()
        });
    }

    #[test]
    fn address_ranges_of_both_families_are_kept() {
        let mut secret = testing::secret_record();
        secret.allowed_cidrs = vec![
            "192.0.2.0/24".parse().unwrap(),
            "2001:db8::/32".parse().unwrap(),
        ];
        for ip in ["192.0.2.255", "::ffff:192.0.2.1", "2001:db8:1::1"] {
            assert_eq!(ask(&secret, ip, testing::now()), ALLOWED, "{ip}");
        }
        for ip in ["192.0.3.1", "2001:db9::1", "::1"] {
            let refused = Decision::Refuse(Refusal::Address);
            assert_eq!(ask(&secret, ip, testing::now()), refused, "{ip}");
        }
    }

    #[test]
    fn without_the_bearers_address_only_a_token_from_anywhere_is_good() {
        let mut secret = testing::secret_record();
        let ask = |secret: &SecretRecord, ip: Option<&str>| {
            let ip = ip.map(|ip| ip.parse().unwrap());
            standing(Some(secret), ip, testing::now()).map(drop)
        };
        assert_eq!(ask(&secret, None), Ok(()));
        secret.allowed_cidrs = vec!["0.0.0.0/0".parse().unwrap(), "::/0".parse().unwrap()];
        assert_eq!(ask(&secret, None), Err(Refusal::Address));
        assert_eq!(ask(&secret, Some("192.0.2.1")), Ok(()));
    }

    #[test]
    fn a_path_without_meaning_is_refused_even_to_full_access() {
        let purpose = Purpose::of_http("GET", "/v1/exports//");
        let secret = SecretRecord {
            scope: Scope::Full,
            ..testing::secret_record()
        };
        assert_eq!(
            present(Some(&secret), "127.0.0.1", &purpose, testing::now()),
            Decision::Refuse(Refusal::Forbidden)
        );
    }

    #[test]
    fn an_ended_or_compromised_secret_is_refused_whatever_its_token_is() {
        for (state, refusal) in [
            (SecretState::Ended, Refusal::Ended),
            (SecretState::Compromised, Refusal::Compromised),
        ] {
            let secret = SecretRecord {
                state,
                status: Status::Active,
                ..testing::secret_record()
            };
            let refused = Decision::Refuse(refusal);
            assert_eq!(ask(&secret, "192.0.2.1", testing::now()), refused);
        }
        // A name that a later version may store.
        assert_eq!(SecretState::of_stored("paused"), SecretState::Ended);
        for state in SecretState::ALL {
            assert_eq!(SecretState::of_stored(state.as_str()), state);
        }
    }

    /// Adds a sighting to the state, as the store does.
    fn record(seen: &mut Seen, sighting: Sighting) {
        match sighting {
            Sighting::Day(day, from) => {
                seen.day = Some(day);
                seen.addresses = BTreeSet::from([from]);
            }
            Sighting::Address(_, from) => drop(seen.addresses.insert(from)),
            Sighting::Crowd(hour) => seen.crowded_hour = Some(hour),
            Sighting::Refused(refusal, days) => drop(seen.refusals.insert(refusal, days)),
        }
    }

    fn from(last: u8) -> UsedFrom {
        UsedFrom::Seen([192, 0, 2, last].into())
    }

    #[test]
    fn a_use_is_recorded_once_per_address_and_day() {
        let (mut seen, now) = (Seen::default(), testing::now());
        let mut is_new = |from, now| {
            let sighting = seen.use_of(from, now);
            sighting
                .map(|sighting| record(&mut seen, sighting))
                .is_some()
        };
        assert!(is_new(from(1), now));
        assert!(!is_new(from(1), now));
        assert!(!is_new(
            UsedFrom::Seen("::ffff:192.0.2.1".parse().unwrap()),
            now
        ));
        assert!(is_new(from(2), now));
        // An asserted address differs from the same address seen.
        assert!(is_new(UsedFrom::Asserted(from(1).ip()), now));
        let tomorrow = now + SignedDuration::from_hours(24);
        assert!(is_new(from(1), tomorrow));
        // For a clock that is behind, it is still the day before.
        assert!(!is_new(from(1), now));
        assert!(is_new(from(3), now));
        assert!(!is_new(from(3), tomorrow));
    }

    #[test]
    fn asserted_addresses_dont_use_up_those_that_are_seen() {
        let (mut seen, now) = (Seen::default(), testing::now());
        for last in 0..40 {
            let asserted = UsedFrom::Asserted(from(last).ip());
            if let Some(sighting) = seen.use_of(asserted, now) {
                record(&mut seen, sighting);
            }
        }
        assert!(matches!(
            seen.use_of(from(1), now),
            Some(Sighting::Address(..))
        ));
    }

    #[test]
    fn beyond_the_days_addresses_one_use_an_hour_is_recorded() {
        let (mut seen, now) = (Seen::default(), testing::now());
        let mut recorded = 0;
        for minute in 0..120_u8 {
            let at = now + SignedDuration::from_mins(minute.into());
            if let Some(sighting) = seen.use_of(from(minute), at) {
                record(&mut seen, sighting);
                recorded += 1;
            }
        }
        // From ten to twelve: the day's first ones, then the rest of the first hour and the second hour.
        assert_eq!(recorded, MAX_SEEN_ADDRESSES + 2);
    }

    #[test]
    fn a_refusal_is_recorded_once_per_reason_and_day_and_mailed_ever_less_often() {
        let mut seen = Seen::default();
        let mut mailed = Vec::new();
        for day in 0..40 {
            for hour in [0, 5] {
                let at = testing::now() + SignedDuration::from_hours(24 * day + hour);
                let sighting = seen.refusal_of(Refusal::Revoked, at);
                assert_eq!(sighting.is_some(), hour == 0);
                let Some(Sighting::Refused(refusal, days)) = sighting else {
                    continue;
                };
                if is_refusal_mailed(days.count) {
                    mailed.push(day + 1);
                }
                record(&mut seen, Sighting::Refused(refusal, days));
            }
        }
        assert_eq!(mailed, [1, 2, 7, 30]);
        assert!(seen.refusal_of(Refusal::Address, testing::now()).is_some());
        for refusal in [Refusal::Forbidden, Refusal::Unknown, Refusal::Malformed] {
            assert_eq!(seen.refusal_of(refusal, testing::now()), None);
        }
    }

    proptest! {
        #[test]
        fn what_a_secret_remembers_is_bounded(ips: Vec<(std::net::Ipv4Addr, bool)>, hours: Vec<u8>) {
            let mut seen = Seen::default();
            for ((ip, asserted), hour) in ips.into_iter().zip(hours.into_iter().cycle().chain([0])) {
                let at = testing::now() + SignedDuration::from_hours(i64::from(hour % 48));
                let ip = ip.into();
                let from = if asserted { UsedFrom::Asserted(ip) } else { UsedFrom::Seen(ip) };
                if let Some(sighting) = seen.use_of(from, at) {
                    record(&mut seen, sighting);
                }
                prop_assert!(seen.addresses.len() <= 2 * MAX_SEEN_ADDRESSES);
                prop_assert!(seen.on_record_until(from, at) > at);
            }
        }
    }
}
