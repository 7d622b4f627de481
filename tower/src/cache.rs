//! A cache of secrets' items, for a bounded time.

use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use jiff::{SignedDuration, Timestamp};
use latchkey::domain::id::AccountId;
use latchkey::domain::resource::{Resource, ResourceRef};
use latchkey::domain::secret::SecretHash;
use latchkey::domain::token::Status;
use latchkey::domain::verification::{SecretRecord, Seen, UsedFrom};
use latchkey::ports::{Clock, GetResources, PortError, Recall, RecallSecret, RecordUse, Use};

/// The largest number of cached secrets. It bounds the memory, however many secrets callers present. A secret takes
/// some hundred bytes, or 100 KB with the largest scope.
pub(crate) const MAX_ENTRIES: usize = 1_000;

/// A time by two clocks. The time of day may be set back, and the monotonic clock may stop while the machine sleeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Moment {
    monotonic: Instant,
    time: Timestamp,
}

impl Moment {
    fn now(clock: &impl Clock) -> Self {
        Self {
            monotonic: Instant::now(),
            time: clock.now(),
        }
    }

    /// Returns the age at `now` of what was read at this time, by the clock that shows more. Returns `None` if the
    /// time of day was set back to before the read.
    fn age(self, now: Self) -> Option<SignedDuration> {
        let elapsed = now.monotonic.saturating_duration_since(self.monotonic);
        let elapsed = SignedDuration::try_from(elapsed).unwrap_or(SignedDuration::MAX);
        (self.time <= now.time).then(|| elapsed.max(now.time.duration_since(self.time)))
    }
}

/// A secret and the place from which it is used. Only uses that are recorded already are cached.
type Key = (SecretHash, UsedFrom);

/// Items of active secrets, by hash and place of use. The cache has the input of decisions, not decisions: those are
/// made anew for every request.
pub(crate) struct Cache {
    bound: SignedDuration,
    entries: Mutex<Entries>,
}

#[derive(Default)]
struct Entries {
    /// The items, each with the time before it was read.
    records: HashMap<Key, (Moment, SecretRecord)>,
    /// The keys, oldest first.
    order: BTreeSet<(Moment, Key)>,
}

impl Entries {
    fn remove(&mut self, key: &Key) {
        if let Some((read_at, _)) = self.records.remove(key) {
            self.order.remove(&(read_at, *key));
        }
    }
}

impl Cache {
    /// Creates a cache. Items of age `bound` or more are never used.
    pub(crate) fn new(bound: SignedDuration) -> Self {
        Self {
            bound,
            entries: Mutex::default(),
        }
    }

    /// Locks the entries. A panic under the lock can't leave them inconsistent, so poisoning is ignored.
    fn entries(&self) -> MutexGuard<'_, Entries> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether an item may be used: it is younger than the bound, and was read in the same hour. A recorded use counts
    /// at least until the end of its hour.
    fn is_fresh(&self, read_at: Moment, now: Moment) -> bool {
        let hour = |moment: Moment| moment.time.as_second().div_euclid(3_600);
        let is_young = read_at.age(now).is_some_and(|age| age < self.bound);
        is_young && hour(read_at) == hour(now)
    }

    fn get(&self, key: &Key, now: Moment) -> Option<SecretRecord> {
        let mut entries = self.entries();
        let (read_at, record) = entries.records.get(key)?;
        if self.is_fresh(*read_at, now) {
            return Some(record.clone());
        }
        entries.remove(key);
        None
    }

    fn put(&self, from: UsedFrom, record: SecretRecord, read_at: Moment) {
        let mut entries = self.entries();
        let key = (record.hash, from);
        let known = entries.records.get(&key);
        if known.is_some_and(|(known, _)| *known > read_at) {
            return;
        }
        entries.remove(&key);
        entries.order.insert((read_at, key));
        entries.records.insert(key, (read_at, record));
        while let Some((oldest, key)) = entries.order.first().copied()
            && (entries.records.len() > MAX_ENTRIES || !self.is_fresh(oldest, read_at))
        {
            entries.remove(&key);
        }
    }

    fn remove(&self, key: &Key) {
        self.entries().remove(key);
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        let entries = self.entries();
        assert_eq!(entries.records.len(), entries.order.len());
        entries.records.len()
    }
}

/// The store of one request. The first recall of its secret may come from the cache. The second comes from the table,
/// because the cached item may be out of date.
pub(crate) struct ThroughCache<'a, P, C> {
    pub(crate) store: &'a P,
    pub(crate) system: &'a C,
    pub(crate) cache: &'a Cache,
    /// Whether the secret came from the cache.
    pub(crate) hit: AtomicBool,
}

impl<P: RecallSecret, C: Clock> RecallSecret for ThroughCache<'_, P, C> {
    async fn recall_secret(
        &self,
        hash: &SecretHash,
        from: UsedFrom,
        now: Timestamp,
    ) -> Result<Option<(SecretRecord, Recall)>, PortError> {
        let key = (*hash, from);
        // The time is taken before the read: a revocation that the read misses happens later.
        let moment = Moment::now(self.system);
        if !self.hit.load(Ordering::Relaxed)
            && let Some(record) = self.cache.get(&key, moment)
        {
            self.hit.store(true, Ordering::Relaxed);
            return Ok(Some((record, Recall::Kept)));
        }
        let found = self.store.recall_secret(hash, from, now).await?;
        let on_record = match &found {
            // Unknown secrets aren't cached. Otherwise guesses would push out those in use.
            Some((record, _)) if record.status != Status::Active => false,
            Some((_, Recall::Read(seen))) => seen.use_of(from, now).is_none(),
            Some((_, Recall::OnRecord | Recall::Kept)) => true,
            None => false,
        };
        match &found {
            Some((record, _)) if on_record => self.cache.put(from, record.clone(), moment),
            _ => self.cache.remove(&key),
        }
        Ok(found)
    }

    async fn get_seen(&self, hash: &SecretHash) -> Result<Seen, PortError> {
        self.store.get_seen(hash).await
    }
}

impl<P: GetResources, C: Sync> GetResources for ThroughCache<'_, P, C> {
    async fn get_resources(
        &self,
        account: &AccountId,
        names: &[ResourceRef],
    ) -> Result<Vec<Resource>, PortError> {
        self.store.get_resources(account, names).await
    }
}

impl<P: RecordUse, C: Sync> RecordUse for ThroughCache<'_, P, C> {
    async fn record_use(&self, used: &Use) -> Result<(), PortError> {
        self.store.record_use(used).await
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use latchkey::testing::{now, secret_record};

    use super::*;

    fn from() -> UsedFrom {
        UsedFrom::Seen([192, 0, 2, 1].into())
    }

    /// Returns times after a first one, each by a number of seconds on the monotonic clock and of the time of day.
    fn moments<const N: usize>(seconds: [(u64, i64); N]) -> [Moment; N] {
        let (start, time) = (Instant::now(), now());
        seconds.map(|(monotonic, of_day)| Moment {
            monotonic: start + Duration::from_secs(monotonic),
            time: time + SignedDuration::from_secs(of_day),
        })
    }

    #[test]
    fn neither_clock_alone_keeps_a_secret_longer_than_the_bound() {
        let cache = Cache::new(SignedDuration::from_secs(30));
        let key = (secret_record().hash, from());
        let kept = |seconds: (u64, i64)| {
            let [read_at, now] = moments([(0, 0), seconds]);
            cache.put(from(), secret_record(), read_at);
            let kept = cache.get(&key, now).is_some();
            cache.remove(&key);
            kept
        };
        assert!(kept((29, 29)));
        assert!(!kept((30, 30)));
        // The time of day was set back by twenty seconds; the machine slept.
        assert!(!kept((30, 10)));
        assert!(!kept((5, 30)));
        assert!(!kept((5, -1)));
    }

    #[test]
    fn a_late_answer_does_not_replace_a_newer_one() {
        let cache = Cache::new(SignedDuration::from_secs(30));
        let newer = SecretRecord {
            token_name: "Renamed".into(),
            ..secret_record()
        };
        let [first, second, third] = moments([(0, 0), (1, 1), (2, 2)]);
        cache.put(from(), newer.clone(), second);
        cache.put(from(), secret_record(), first);
        assert_eq!(cache.get(&(newer.hash, from()), third), Some(newer));
        assert_eq!(cache.len(), 1);
    }

    #[test]
    fn a_panic_elsewhere_does_not_end_the_cache() {
        let cache = Cache::new(SignedDuration::from_secs(30));
        let [now] = moments([(0, 0)]);
        cache.put(from(), secret_record(), now);
        let panicked = std::thread::scope(|scope| {
            let holder = scope.spawn(|| {
                let _entries = cache.entries();
                panic!("while the entries are held");
            });
            holder.join().is_err()
        });
        assert!(panicked && cache.entries.is_poisoned());
        assert!(cache.get(&(secret_record().hash, from()), now).is_some());
        cache.remove(&(secret_record().hash, from()));
        assert_eq!(cache.len(), 0);
    }
}
