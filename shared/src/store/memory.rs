//! A sandbox's memory of recorded uses, so that verifying them again costs one small read.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;

use crate::domain::secret::SecretHash;
use crate::domain::verification::UsedFrom;

/// The maximum number of remembered uses, of some 100 bytes each.
const MOST: usize = 8_192;

/// Recorded uses, each with the instant until which it is certainly on record. The memory only saves reads: a
/// forgotten use is read again.
#[derive(Debug, Clone, Default)]
pub(super) struct Memory(Arc<Mutex<HashMap<(SecretHash, UsedFrom), Timestamp>>>);

impl Memory {
    pub(super) fn knows(&self, hash: &SecretHash, from: UsedFrom, now: Timestamp) -> bool {
        let uses = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        uses.get(&(*hash, from)).is_some_and(|until| now < *until)
    }

    pub(super) fn remember(
        &self,
        hash: &SecretHash,
        from: UsedFrom,
        until: Timestamp,
        now: Timestamp,
    ) {
        let mut uses = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if uses.len() >= MOST {
            uses.retain(|_, until| now < *until);
        }
        // The memory must stay bounded, whatever addresses the calls come from.
        if uses.len() >= MOST {
            uses.clear();
        }
        uses.insert((*hash, from), until);
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use jiff::SignedDuration;

    use super::*;
    use crate::testing::{now, plain_secret};

    fn from(number: usize) -> UsedFrom {
        UsedFrom::Seen(Ipv4Addr::from(u32::try_from(number).unwrap()).into())
    }

    #[test]
    fn it_knows_a_use_until_it_may_have_to_be_recorded_again() {
        let (memory, hash) = (Memory::default(), plain_secret().hash());
        let until = now() + SignedDuration::from_secs(1);
        memory.remember(&hash, from(1), until, now());
        assert!(memory.knows(&hash, from(1), now()));
        assert!(!memory.knows(&hash, from(2), now()));
        assert!(!memory.knows(&hash, UsedFrom::Asserted(from(1).ip()), now()));
        assert!(!memory.knows(&hash, from(1), until));
    }

    #[test]
    fn it_is_bounded_whoever_calls_from_wherever() {
        let (memory, hash) = (Memory::default(), plain_secret().hash());
        let until = now() + SignedDuration::from_secs(1);
        for number in 0..3 * MOST {
            memory.remember(&hash, from(number), until, now());
        }
        assert!(memory.0.lock().unwrap().len() <= MOST);
        assert!(memory.knows(&hash, from(3 * MOST - 1), now()));
    }
}
