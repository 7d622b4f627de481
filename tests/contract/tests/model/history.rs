//! Histories: the steps, and how they are chosen and made simpler.

use proptest::collection::vec;
use proptest::option::weighted;
use proptest::prelude::{Just, Strategy, any};
use proptest::prop_oneof;
use proptest::sample::select;

use crate::spec::{Lifetime, Tag};

/// A token, counted from the newest; a number beyond the oldest starts again.
pub(crate) type Which = usize;

/// One step. Without the token or the secret that it is about, it does nothing.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Step {
    Create(Lifetime, Option<u8>),
    Edit(Which, Option<u8>, Option<Lifetime>, Tag),
    /// With the seconds of grace.
    Regenerate(Which, i64, Option<u8>, Tag),
    Retire(Which, Tag),
    Revoke(Which, bool, Tag),
    Reactivate(Which, Tag),
    Delete(Which, Tag),
    Reveal(Which, Tag),
    /// A holder gives a secret up. The second number counts the token's secrets from the newest.
    GiveUp(Which, usize),
    /// A secret is found in public.
    Leak(Which, usize),
    DeleteAccount,
    /// The platform's word that the account was deleted comes this many seconds late.
    DeleteAccountLate(i64),
    /// The account is deleted, but no token is revoked. The event is delivered again within an hour.
    DeleteAccountPartly,
    /// The platform says that the account exists, or what it said long ago comes late.
    PutAccount(bool),
    /// Seconds pass.
    Wait(i64),
    /// Nobody uses a token for days. Then idle ones are revoked.
    RevokeIdle(i64),
    /// Days pass. Then people are warned of tokens that end soon.
    Remind(i64),
    /// The time to live removes items.
    Sweep,
    /// A batch of a stream is delivered: of the tokens, or of the audit log. The number decides which changes, in which
    /// order, and what fails.
    Deliver(bool, u64),
    /// The copy from which eventually consistent reads are answered catches up by some changes.
    Settle(usize, u64),
}

pub(crate) const DAY: i64 = 86_400;

/// A history in which everything happens that is recorded.
pub(crate) fn full_life() -> Vec<Step> {
    let (any, for_ever) = (Tag::Any, Lifetime(None));
    vec![
        Step::Create(Lifetime(Some(96)), Some(0)),
        Step::Edit(0, Some(1), None, Tag::Current),
        Step::Regenerate(0, 7_200, None, any),
        Step::Retire(0, any),
        Step::Reveal(0, any),
        Step::Remind(3),
        Step::Revoke(0, true, any),
        Step::Reactivate(0, any),
        Step::Leak(0, 0),
        Step::Regenerate(0, 0, Some(0), any),
        Step::Delete(0, any),
        Step::Create(for_ever, None),
        Step::GiveUp(0, 0),
        Step::Create(Lifetime(Some(24)), None),
        Step::Deliver(true, 1),
        Step::Wait(2 * DAY),
        Step::Sweep,
        Step::Deliver(false, 1),
        Step::Create(for_ever, None),
        Step::RevokeIdle(100),
        Step::Settle(9, 1),
        Step::DeleteAccount,
        Step::PutAccount(false),
        Step::Reactivate(0, any),
    ]
}

fn lifetimes() -> impl Strategy<Value = Lifetime> {
    let lifetime = prop_oneof![
        4 => Just(None),
        1 => Just(Some(1)),
        3 => select(vec![Some(24), Some(96), Some(720)]),
    ];
    lifetime.prop_map(Lifetime)
}

fn tags() -> impl Strategy<Value = Tag> {
    prop_oneof![8 => Just(Tag::Any), 2 => Just(Tag::Current), 1 => Just(Tag::Former)]
}

fn seconds() -> impl Strategy<Value = i64> {
    prop_oneof![
        4 => select(vec![5, 60]),
        3 => select(vec![3_600, 6 * 3_600]),
        3 => select(vec![DAY, 3 * DAY]),
        1 => select(vec![8 * DAY, 26 * DAY, 401 * DAY]),
    ]
}

/// Histories of up to `length` steps.
pub(crate) fn histories(length: usize) -> impl Strategy<Value = Vec<Step>> {
    let which = || select(vec![0, 0, 0, 1, 2]);
    let key = || weighted(0.3, 0..2_u8);
    let create = || (lifetimes(), key()).prop_map(|(life, key)| Step::Create(life, key));
    let asked = prop_oneof![
        4 => create(),
        3 => (which(), weighted(0.6, 0..3_u8), weighted(0.5, lifetimes()), tags())
            .prop_map(|(which, name, life, tag)| Step::Edit(which, name, life, tag)),
        8 => (which(), select(vec![0, 60, 7_200]), key(), tags())
            .prop_map(|(which, grace, key, tag)| Step::Regenerate(which, grace, key, tag)),
        4 => (which(), tags()).prop_map(|(which, tag)| Step::Retire(which, tag)),
        5 => (which(), any::<bool>(), tags())
            .prop_map(|(which, why, tag)| Step::Revoke(which, why, tag)),
        6 => (which(), tags()).prop_map(|(which, tag)| Step::Reactivate(which, tag)),
        4 => (which(), tags()).prop_map(|(which, tag)| Step::Delete(which, tag)),
        2 => (which(), tags()).prop_map(|(which, tag)| Step::Reveal(which, tag)),
        3 => (which(), 0..3_usize).prop_map(|(which, secret)| Step::GiveUp(which, secret)),
        3 => (which(), 0..3_usize).prop_map(|(which, secret)| Step::Leak(which, secret)),
    ];
    let happens = prop_oneof![
        1 => Just(Step::DeleteAccount),
        1 => select(vec![30, 600, DAY, 15 * DAY]).prop_map(Step::DeleteAccountLate),
        1 => Just(Step::DeleteAccountPartly),
        2 => any::<bool>().prop_map(Step::PutAccount),
        7 => seconds().prop_map(Step::Wait),
        1 => select(vec![0, 100]).prop_map(Step::RevokeIdle),
        2 => select(vec![0, 3]).prop_map(Step::Remind),
        3 => Just(Step::Sweep),
        6 => (any::<bool>(), 0..1_000_u64).prop_map(|(audit, seed)| Step::Deliver(audit, seed)),
        4 => (1..9_usize, 0..1_000_u64).prop_map(|(count, seed)| Step::Settle(count, seed)),
    ];
    let steps = vec(prop_oneof![3 => asked, 2 => happens], length / 2..length);
    (create(), steps).prop_map(|(first, mut steps)| {
        steps.insert(0, first);
        steps
    })
}

/// Histories with these steps in this order, and random ones before, between and after them.
pub(crate) fn around(steps: Vec<Step>, others: usize) -> impl Strategy<Value = Vec<Step>> {
    let places = vec(0..=others, steps.len());
    (histories(others), places).prop_map(move |(mut all, mut places)| {
        places.sort_unstable();
        // From the last to the first, so that each place is one among the random steps.
        for (place, step) in places.into_iter().zip(&steps).rev() {
            all.insert(place.min(all.len()), step.clone());
        }
        all
    })
}

impl Step {
    /// Simpler steps that may show the same.
    pub(crate) fn simpler(&self) -> Vec<Self> {
        let steps = match self.clone() {
            Self::Create(life, key) => {
                vec![Self::Create(life, None), Self::Create(Lifetime(None), key)]
            }
            Self::Edit(which, name, life, _) => vec![
                Self::Edit(which, name, life, Tag::Any),
                Self::Edit(0, name, life, Tag::Any),
                Self::Edit(which, name, None, Tag::Any),
            ],
            Self::Regenerate(which, grace, key, _) => vec![
                Self::Regenerate(which, grace, key, Tag::Any),
                Self::Regenerate(which, grace, None, Tag::Any),
                Self::Regenerate(which, 0, key, Tag::Any),
                Self::Regenerate(0, grace, key, Tag::Any),
            ],
            Self::Retire(which, _) => [which, 0].map(|it| Self::Retire(it, Tag::Any)).into(),
            Self::Revoke(which, ..) => [which, 0]
                .map(|it| Self::Revoke(it, false, Tag::Any))
                .into(),
            Self::Reactivate(which, _) => {
                [which, 0].map(|it| Self::Reactivate(it, Tag::Any)).into()
            }
            Self::Delete(which, _) => [which, 0].map(|it| Self::Delete(it, Tag::Any)).into(),
            Self::Reveal(which, _) => [which, 0].map(|it| Self::Reveal(it, Tag::Any)).into(),
            Self::GiveUp(which, secret) => vec![Self::GiveUp(0, secret), Self::GiveUp(which, 0)],
            Self::Leak(which, secret) => vec![Self::Leak(0, secret), Self::Leak(which, 0)],
            _ => vec![],
        };
        steps.into_iter().filter(|step| step != self).collect()
    }
}
