//! Seeded mutations of inputs, for runs without coverage.

/// The largest mutated input, in bytes.
const MOST: usize = 16 * 1024;

/// Bytes that parsers treat specially.
const SPECIAL: &[u8] = b"\0\t\n\r \"#%&'+,-./0:;<=>?@AZ[\\]_`az{}~\x7f\x80\xc2\xe2\xff";

/// A source of mutations. The same seed gives the same mutations.
#[derive(Debug)]
pub struct Mutator {
    state: u64,
    words: Vec<Vec<u8>>,
}

impl Mutator {
    /// Creates it with a seed and a dictionary.
    pub fn new(seed: u64, words: Vec<Vec<u8>>) -> Self {
        Self { state: seed, words }
    }

    /// Returns a number below `most`; 0 if `most` is 0.
    ///
    /// The generator is SplitMix64.
    pub fn below(&mut self, most: usize) -> usize {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let number = (mixed ^ (mixed >> 31)) % (most.max(1) as u64);
        usize::try_from(number).unwrap_or_default()
    }

    /// Returns a mutation of one of the inputs, in one to four steps.
    ///
    /// # Panics
    /// If there is no input.
    pub fn mutate(&mut self, inputs: &[Vec<u8>]) -> Vec<u8> {
        let mut data = inputs[self.below(inputs.len())].clone();
        for _ in 0..=self.below(4) {
            self.step(&mut data, inputs);
        }
        data.truncate(MOST);
        data
    }

    fn step(&mut self, data: &mut Vec<u8>, inputs: &[Vec<u8>]) {
        // Much is decided at the beginning.
        let begin = if self.below(3) == 0 { 8 } else { usize::MAX };
        let at = self.below(data.len().min(begin));
        let end = at + self.below((data.len() - at).min(64) + 1);
        let (range, put) = match self.below(9) {
            0 if !data.is_empty() => (at..at + 1, vec![data[at] ^ (1 << self.below(8))]),
            1 if !data.is_empty() => (at..at + 1, vec![self.printable()]),
            8 if !data.is_empty() => {
                let near = data[at]
                    .wrapping_add(1)
                    .wrapping_sub(2 * u8::from(self.below(2) == 0));
                (at..at + 1, vec![near])
            }
            2 => (at..at, vec![SPECIAL[self.below(SPECIAL.len())]]),
            3 => (at..end, vec![]),
            4 => (end..end, data[at..end].repeat(1 + self.below(3))),
            5 => (at..at, self.word()),
            6 => (at..end, self.word()),
            _ => {
                let other = &inputs[self.below(inputs.len())];
                let from = self.below(other.len());
                let to = from + self.below((other.len() - from).min(128) + 1);
                (at..end, other[from..to].to_vec())
            }
        };
        data.splice(range, put);
    }

    fn printable(&mut self) -> u8 {
        u8::try_from(0x20 + self.below(0x5f)).unwrap_or_default()
    }

    fn word(&mut self) -> Vec<u8> {
        let word = self.below(self.words.len());
        self.words.get(word).cloned().unwrap_or_default()
    }
}
