//! Processes long lists.

use futures_util::{StreamExt, stream};
use jiff::Timestamp;

use crate::domain::paging::Page;
use crate::domain::upkeep::ShardPosition;
use crate::ports::{Clock, PortError};

/// How many tokens are processed at the same time.
const CONCURRENCY: usize = 16;

/// Processes every page of a list, many items at a time, and returns the number of items that needed work. An item
/// that fails doesn't stop the others; the next run tries it again.
///
/// # Errors
/// An item failed, or the time was up at `until`. The next call continues, since processed items are no longer on the
/// list.
pub async fn sweep<T, L, W>(
    clock: &impl Clock,
    until: Timestamp,
    list: impl Fn(Option<ShardPosition>) -> L,
    work: impl Fn(T) -> W,
) -> Result<usize, PortError>
where
    L: Future<Output = Result<Page<T, ShardPosition>, PortError>>,
    W: Future<Output = Result<bool, PortError>>,
{
    let (mut done, mut failed, mut late) = (0, 0, false);
    let mut position = None;
    loop {
        let page = list(position).await?;
        let mut results = stream::iter(page.items)
            .map(|item| async {
                if clock.now() >= until {
                    return None;
                }
                Some(work(item).await)
            })
            .buffer_unordered(CONCURRENCY);
        while let Some(result) = results.next().await {
            match result {
                Some(Ok(true)) => done += 1,
                Some(Ok(false)) => {}
                Some(Err(error)) => {
                    tracing::error!(%error, "a token could not be worked on");
                    failed += 1;
                }
                None => late = true,
            }
        }
        position = page.next;
        late |= position.is_some() && clock.now() >= until;
        if late {
            return Err(PortError::Unavailable(format!(
                "out of time ({done} done, {failed} failed, the rest is left to the next attempt)"
            ).into()));
        }
        if position.is_none() {
            break;
        }
    }
    if failed > 0 {
        return Err(PortError::Unavailable(
            format!("some could not be worked on ({failed} failed, {done} done)").into(),
        ));
    }
    Ok(done)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::{Arc, Mutex};

    use jiff::SignedDuration;

    use super::*;
    use crate::testing::{FixedClock, now};

    /// A list of the numbers below `count`, in pages of three.
    async fn numbers(
        count: usize,
        position: Option<ShardPosition>,
    ) -> Result<Page<usize, ShardPosition>, PortError> {
        let start = position.map_or(0, |position| usize::from(position.shard));
        let end = (start + 3).min(count);
        Ok(Page {
            items: (start..end).collect(),
            next: (end < count).then(|| ShardPosition {
                shard: u8::try_from(end).unwrap(),
                last: None,
            }),
        })
    }

    #[tokio::test]
    async fn every_item_of_every_page_has_its_turn_though_some_fail() {
        let seen = Mutex::new(Vec::new());
        let work = async |number: usize| {
            seen.lock().unwrap().push(number);
            match number {
                4 => Err(PortError::Unavailable("busy".into())),
                number => Ok(number % 2 == 0),
            }
        };
        let clock = FixedClock(now());
        let swept = sweep(
            &clock,
            Timestamp::MAX,
            |position| numbers(8, position),
            work,
        )
        .await;
        let error = swept.unwrap_err().to_string();
        assert!(error.contains("1 failed, 3 done"), "{error}");
        let mut seen = seen.into_inner().unwrap();
        seen.sort_unstable();
        assert_eq!(seen, (0..8).collect::<Vec<_>>());
        let all = async |number: usize| Ok(number > 0);
        let swept = sweep(&clock, Timestamp::MAX, |position| numbers(8, position), all).await;
        assert_eq!(swept.unwrap(), 7);
    }

    /// A clock that advances by a second each time it is read.
    struct Ticking(Arc<AtomicUsize>);

    impl Clock for Ticking {
        fn now(&self) -> Timestamp {
            let ticks = self.0.fetch_add(1, Ordering::Relaxed);
            now() + SignedDuration::from_secs(i64::try_from(ticks).unwrap())
        }
    }

    #[tokio::test]
    async fn when_the_time_is_up_nothing_more_is_begun_and_somebody_has_to_go_on() {
        let begun = AtomicUsize::new(0);
        let work = async |_: usize| {
            begun.fetch_add(1, Ordering::Relaxed);
            Ok(true)
        };
        let clock = Ticking(Arc::default());
        let until = now() + SignedDuration::from_secs(2);
        let swept = sweep(&clock, until, |position| numbers(8, position), work).await;
        assert!(matches!(swept, Err(PortError::Unavailable(_))));
        assert_eq!(begun.into_inner(), 2);
    }
}
