//! Searches bytes for secrets, in all their forms.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::io::Read;

use flate2::read::MultiGzDecoder;

use crate::forms::{Form, forms, hashes};

/// The length of the parts that are indexed. A run of a form's least length contains one.
const BLOCK: usize = 8;

/// The number of bits of the filter before the index.
const FILTER: u64 = 1 << 22;

/// The kinds of places that may have a secret's hash.
const HASHED: [&str; 3] = ["table", "index", "stream"];

/// What is searched: where, and the bytes.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    /// The kind of place, such as `log` or `table`.
    pub(crate) kind: &'static str,
    /// Which one of that kind.
    pub(crate) name: String,
    pub(crate) bytes: Vec<u8>,
}

impl Place {
    pub(crate) fn new(
        kind: &'static str,
        name: impl Into<String>,
        bytes: impl Into<Vec<u8>>,
    ) -> Self {
        let (name, bytes) = (name.into(), bytes.into());
        Self { kind, name, bytes }
    }
}

/// A secret, or a part of one, that lies somewhere.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Find {
    /// What the secret was used for.
    pub(crate) secret: String,
    /// The form in which it was found.
    pub(crate) form: &'static str,
    pub(crate) kind: &'static str,
    pub(crate) place: String,
    /// What stands around it.
    pub(crate) around: String,
}

impl fmt::Display for Find {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            secret,
            form,
            kind,
            place,
            around,
        } = self;
        write!(
            f,
            "the secret of [{secret}], {form}, in {kind} {place}: …{around}…"
        )
    }
}

/// A form of one secret.
struct Needle {
    secret: usize,
    form: Form,
    /// Whether it is the secret's hash, which the tables have by design.
    hash: bool,
}

/// The secrets to look for.
#[derive(Default)]
pub(crate) struct Search {
    secrets: Vec<String>,
    needles: Vec<Needle>,
    index: HashMap<[u8; BLOCK], Vec<(usize, usize)>>,
    filter: Vec<bool>,
}

impl Search {
    /// Looks for a secret too. `what` says in a find what the secret was used for.
    pub(crate) fn add(&mut self, what: impl Into<String>, secret: &str) {
        self.secrets.push(what.into());
        for form in forms(secret) {
            self.index(form, false);
        }
        for form in hashes(secret) {
            self.index(form, true);
        }
    }

    /// The number of secrets.
    pub(crate) fn len(&self) -> usize {
        self.secrets.len()
    }

    fn index(&mut self, form: Form, hash: bool) {
        assert!(
            form.least >= 2 * BLOCK - 1,
            "{}: runs without a block",
            form.name
        );
        if self.filter.is_empty() {
            self.filter = vec![false; usize::try_from(FILTER).unwrap()];
        }
        let needle = self.needles.len();
        for (number, block) in form.bytes.chunks_exact(BLOCK).enumerate() {
            let block: [u8; BLOCK] = block.try_into().unwrap();
            self.filter[slot(block)] = true;
            self.index
                .entry(block)
                .or_default()
                .push((needle, number * BLOCK));
        }
        let secret = self.secrets.len() - 1;
        self.needles.push(Needle { secret, form, hash });
    }

    /// Returns what lies in a place, each form of each secret at most once.
    pub(crate) fn find(&self, place: &Place) -> BTreeSet<Find> {
        let mut found = BTreeMap::new();
        self.find_in(&place.bytes, place, &mut found);
        for (at, _) in place
            .bytes
            .windows(3)
            .enumerate()
            .filter(|(_, three)| three == b"\x1f\x8b\x08")
        {
            let mut plain = Vec::new();
            // What is no gzip, or is cut, gives what could be read.
            let _ = MultiGzDecoder::new(&place.bytes[at..]).read_to_end(&mut plain);
            self.find_in(&plain, place, &mut found);
        }
        found.into_values().collect()
    }

    /// Returns what lies in all the places.
    pub(crate) fn find_all<'a>(
        &self,
        places: impl IntoIterator<Item = &'a Place>,
    ) -> BTreeSet<Find> {
        places
            .into_iter()
            .flat_map(|place| self.find(place))
            .collect()
    }

    fn find_in(&self, bytes: &[u8], place: &Place, found: &mut BTreeMap<usize, Find>) {
        for (at, block) in bytes.windows(BLOCK).enumerate() {
            let block: [u8; BLOCK] = block.try_into().unwrap();
            if !self.filter.get(slot(block)).copied().unwrap_or_default() {
                continue;
            }
            for &(needle, offset) in self.index.get(&block).into_iter().flatten() {
                let Needle { secret, form, hash } = &self.needles[needle];
                if found.contains_key(&needle) || *hash && HASHED.contains(&place.kind) {
                    continue;
                }
                let before = common(bytes[..at].iter().rev(), form.bytes[..offset].iter().rev());
                let after = common(bytes[at..].iter(), form.bytes[offset..].iter());
                if before + after < form.least {
                    continue;
                }
                let (from, to) = (
                    at.saturating_sub(before + 80),
                    bytes.len().min(at + after + 80),
                );
                let find = Find {
                    secret: self.secrets[*secret].clone(),
                    form: form.name,
                    kind: place.kind,
                    place: place.name.clone(),
                    around: String::from_utf8_lossy(&bytes[from..to])
                        .escape_debug()
                        .to_string(),
                };
                found.insert(needle, find);
            }
        }
    }
}

/// The place of a block in the filter.
fn slot(block: [u8; BLOCK]) -> usize {
    let mixed = u64::from_le_bytes(block).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    usize::try_from((mixed >> 32) % FILTER).unwrap()
}

/// How many bytes at the start of both are the same.
fn common<'a>(a: impl Iterator<Item = &'a u8>, b: impl Iterator<Item = &'a u8>) -> usize {
    a.zip(b).take_while(|(a, b)| a == b).count()
}
