//! The secret: its format, its check and the derived values that are stored.
//!
//! A secret consists of `lka_` or `lki_`, 43 characters of base62 (256 random bits) and 6 characters of base62 (the
//! CRC-32 of what precedes). [`PATTERN`] is the regular expression for secret scanners.

use std::fmt;

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::entropy::{Entropy, EntropyError};
use super::kind::Kind;

const PREFIX_LENGTH: usize = 4;
const RANDOM_LENGTH: usize = 43;
const CHECKSUM_LENGTH: usize = 6;
const HINT_LENGTH: usize = 4;

/// The length of every secret, in characters.
pub const SECRET_LENGTH: usize = PREFIX_LENGTH + RANDOM_LENGTH + CHECKSUM_LENGTH;

/// The regular expression that finds secrets in a text, as `docs/api.md` publishes it for scanners. It doesn't check
/// the checksum. It requires no word boundary, because leaked secrets often have letters around them (`\n` in JSON,
/// `%20` in an address, `_prod` in a variable's name); prefix and checksum suffice.
pub const PATTERN: &str = r"lk[ai]_[0-9A-Za-z]{49}";

fn prefix(kind: Kind) -> &'static str {
    match kind {
        Kind::Account => "lka_",
        Kind::IntegrationApp => "lki_",
    }
}

/// A secret in plain text. It has no `Display`, no `Serialize` and a `Debug` that hides it. Its memory is
/// overwritten when it is dropped. A lint bans `expose_secret` except where the secret is passed on: here (to hash
/// it), to KMS, and in the responses of create, regenerate and reveal.
pub struct PlainSecret(SecretString);

/// The error for a string that isn't one of our secrets: wrong prefix, length, alphabet or checksum.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a well-formed secret")]
pub struct MalformedSecret;

impl PlainSecret {
    /// A new secret with 256 random bits.
    ///
    /// # Errors
    /// The source of random bits failed. No weaker secret is made instead.
    pub fn generate(kind: Kind, entropy: &impl Entropy) -> Result<Self, EntropyError> {
        let mut random = [0; 32];
        entropy.fill(&mut random)?;
        let mut text = String::with_capacity(SECRET_LENGTH);
        text.push_str(prefix(kind));
        push_base62(&mut text, &mut random, RANDOM_LENGTH);
        let checksum = crc32fast::hash(text.as_bytes());
        push_base62(&mut text, &mut checksum.to_be_bytes(), CHECKSUM_LENGTH);
        Ok(Self(text.into()))
    }

    /// Parses a secret. This needs no I/O, so typing errors and scanners' noise never reach the table.
    ///
    /// # Errors
    /// The string is malformed.
    pub fn parse(text: &str) -> Result<Self, MalformedSecret> {
        let bytes = text.as_bytes();
        if bytes.len() != SECRET_LENGTH {
            return Err(MalformedSecret);
        }
        let (summed, checksum) = bytes.split_at(SECRET_LENGTH - CHECKSUM_LENGTH);
        let (start, random) = summed.split_at(PREFIX_LENGTH);
        let known_prefix = [Kind::Account, Kind::IntegrationApp]
            .into_iter()
            .any(|kind| prefix(kind).as_bytes() == start);
        if !known_prefix || !random.iter().all(u8::is_ascii_alphanumeric) {
            return Err(MalformedSecret);
        }
        let mut expected = String::with_capacity(CHECKSUM_LENGTH);
        push_base62(
            &mut expected,
            &mut crc32fast::hash(summed).to_be_bytes(),
            CHECKSUM_LENGTH,
        );
        if expected.as_bytes() != checksum {
            return Err(MalformedSecret);
        }
        Ok(Self(text.into()))
    }

    /// Whether a text contains a secret with a valid checksum, whatever surrounds it.
    pub fn is_within(text: &str) -> bool {
        [Kind::Account, Kind::IntegrationApp]
            .into_iter()
            .any(|kind| {
                text.match_indices(prefix(kind)).any(|(start, _)| {
                    let secret = text.get(start..start + SECRET_LENGTH);
                    secret.is_some_and(|secret| Self::parse(secret).is_ok())
                })
            })
    }

    /// The hash under which the secret is stored.
    #[expect(
        clippy::disallowed_methods,
        reason = "the hash is what is stored in place of the secret"
    )]
    pub fn hash(&self) -> SecretHash {
        SecretHash(Sha256::digest(self.0.expose_secret().as_bytes()).into())
    }

    /// The last four characters, by which people tell tokens apart. They belong to the checksum, so they reveal next to
    /// nothing about the random part.
    #[expect(
        clippy::disallowed_methods,
        reason = "four characters of the checksum are no secret"
    )]
    pub fn hint(&self) -> String {
        let text = self.0.expose_secret();
        text.chars().skip(SECRET_LENGTH - HINT_LENGTH).collect()
    }
}

impl ExposeSecret<str> for PlainSecret {
    #[expect(
        clippy::disallowed_methods,
        reason = "passes the lint on to its callers"
    )]
    fn expose_secret(&self) -> &str {
        self.0.expose_secret()
    }
}

impl fmt::Debug for PlainSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PlainSecret([redacted])")
    }
}

/// The SHA-256 of a secret. A fast hash suffices: the input has 256 random bits, so it can't be guessed.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SecretHash([u8; 32]);

impl SecretHash {
    /// The hash as 64 hexadecimal digits.
    pub fn to_hex(self) -> String {
        hex::encode(self.0)
    }
}

impl fmt::Debug for SecretHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretHash({})", self.to_hex())
    }
}

impl From<SecretHash> for String {
    fn from(hash: SecretHash) -> Self {
        hash.to_hex()
    }
}

/// The error for a string that isn't 64 lower-case hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a hash of a secret")]
pub struct InvalidHash;

impl TryFrom<String> for SecretHash {
    type Error = InvalidHash;

    fn try_from(hex: String) -> Result<Self, InvalidHash> {
        let mut hash = [0; 32];
        let is_lower_case = !hex.bytes().any(|digit| digit.is_ascii_uppercase());
        match hex::decode_to_slice(&hex, &mut hash) {
            Ok(()) if is_lower_case => Ok(Self(hash)),
            _ => Err(InvalidHash),
        }
    }
}

/// Appends a big-endian number as base62, padded with zeros to `length` digits. Overwrites `number`.
fn push_base62(text: &mut String, number: &mut [u8], length: usize) {
    let start = text.len();
    for _ in 0..length {
        // Divides the number by 62, byte by byte. A dividend is below 62 × 256, so that its quotient is a byte.
        let mut remainder = 0;
        for byte in number.iter_mut() {
            let dividend = u16::from_be_bytes([remainder, *byte]);
            [_, *byte] = (dividend / 62).to_be_bytes();
            [_, remainder] = (dividend % 62).to_be_bytes();
        }
        text.insert(start, base62_digit(remainder));
    }
}

/// The digit of a value below 62. In ASCII, 7 characters stand between `9` and `A`, and 6 between `Z` and `a`.
fn base62_digit(value: u8) -> char {
    char::from(b'0' + value + 7 * u8::from(value > 9) + 6 * u8::from(value > 35))
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;
    use crate::testing::FixedEntropy;

    #[expect(clippy::disallowed_methods, reason = "a test looks at what it made")]
    fn text(secret: &PlainSecret) -> String {
        secret.expose_secret().to_owned()
    }

    #[test]
    fn the_format_is_that_of_the_contract() {
        let zero = text(&PlainSecret::generate(Kind::Account, &FixedEntropy([0; 32])).unwrap());
        assert_eq!(&zero[..47], &format!("lka_{}", "0".repeat(43)));
        assert_eq!(zero.len(), SECRET_LENGTH);
        let ones =
            text(&PlainSecret::generate(Kind::IntegrationApp, &FixedEntropy([0xff; 32])).unwrap());
        // 2^256 - 1 in base62, computed independently.
        assert_eq!(
            &ones[..47],
            "lki_yhjskwdA6OZ1AL1YmHWZWm8LLG7HjnuCA2j5rOw8Xp1"
        );
    }

    #[test]
    fn debug_hides_the_secret() {
        let secret = PlainSecret::generate(Kind::Account, &FixedEntropy([7; 32])).unwrap();
        assert_eq!(format!("{secret:?}"), "PlainSecret([redacted])");
    }

    #[test]
    fn the_hash_is_sha_256_of_the_whole_text() {
        let secret = PlainSecret::generate(Kind::Account, &FixedEntropy([0; 32])).unwrap();
        let expected: [u8; 32] = Sha256::digest(text(&secret).as_bytes()).into();
        assert_eq!(secret.hash(), SecretHash(expected));
        let hex = secret.hash().to_hex();
        assert_eq!(SecretHash::try_from(hex.clone()), Ok(secret.hash()));
        assert_eq!(SecretHash::try_from(hex.to_uppercase()), Err(InvalidHash));
        assert_eq!(SecretHash::try_from(hex[1..].to_owned()), Err(InvalidHash));
    }

    #[test]
    fn strings_that_only_look_alike_are_refused() {
        let secret = text(&PlainSecret::generate(Kind::Account, &FixedEntropy([3; 32])).unwrap());
        for bad in [
            String::new(),
            "lka_".into(),
            format!("{secret}0"),
            secret[..52].to_owned(),
            secret.replace("lka_", "lkb_"),
            secret.replace("lka_", "lki_"),
            format!(" {}", &secret[1..]),
            "ä".repeat(26) + "a",
        ] {
            assert!(PlainSecret::parse(&bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn every_place_that_publishes_the_pattern_has_this_one() {
        for (place, text) in [
            ("documents", include_str!("../../../docs/api.md")),
            ("gitleaks", include_str!("../../../scanners/gitleaks.toml")),
            (
                "detect-secrets",
                include_str!("../../../scanners/detect_secrets_latchkey.py"),
            ),
        ] {
            assert!(text.contains(PATTERN), "{place}");
        }
    }

    proptest! {
        #[test]
        fn the_published_pattern_finds_every_secret(
            random: [u8; 32],
            app: bool,
            before in "\\PC{0,8}",
            after in "\\PC{0,8}",
        ) {
            let kind = if app { Kind::IntegrationApp } else { Kind::Account };
            let secret = text(&PlainSecret::generate(kind, &FixedEntropy(random)).unwrap());
            let noisy = format!("{before}{secret}{after}");
            let pattern = regex_lite::Regex::new(PATTERN).unwrap();
            let found: Vec<_> = pattern.find_iter(&noisy).map(|found| found.as_str()).collect();
            prop_assert_eq!(found, [secret.as_str()]);
            // Parts of a secret.
            for other in [&secret[..52], &secret[1..]] {
                prop_assert!(!pattern.is_match(other), "{}", other);
            }
        }

        #[test]
        fn what_the_pattern_does_not_find_is_no_secret(noise in "(lk[ai]_)?[0-9A-Za-z_-]{0,60}") {
            let pattern = regex_lite::Regex::new(&format!("^{PATTERN}$")).unwrap();
            prop_assert!(pattern.is_match(&noise) || PlainSecret::parse(&noise).is_err());
        }

        #[test]
        fn every_generated_secret_parses(random: [u8; 32], app: bool) {
            let kind = if app { Kind::IntegrationApp } else { Kind::Account };
            let secret = PlainSecret::generate(kind, &FixedEntropy(random)).unwrap();
            let parsed = PlainSecret::parse(&text(&secret)).unwrap();
            prop_assert_eq!(parsed.hash(), secret.hash());
            prop_assert!(text(&secret).ends_with(&secret.hint()));
        }

        #[test]
        fn every_single_character_change_is_refused(random: [u8; 32]) {
            let secret = text(&PlainSecret::generate(Kind::Account, &FixedEntropy(random)).unwrap());
            for position in 0..secret.len() {
                for replacement in 0x20..0x7f_u8 {
                    let mut changed = secret.clone().into_bytes();
                    if changed[position] == replacement {
                        continue;
                    }
                    changed[position] = replacement;
                    let changed = String::from_utf8(changed).unwrap();
                    prop_assert!(PlainSecret::parse(&changed).is_err(), "{}", changed);
                }
            }
        }

        #[test]
        fn different_random_bits_give_different_secrets(all: HashSet<[u8; 32]>) {
            let secrets: HashSet<_> = all
                .iter()
                .map(|bits| text(&PlainSecret::generate(Kind::Account, &FixedEntropy(*bits)).unwrap()))
                .collect();
            prop_assert_eq!(secrets.len(), all.len());
        }
    }
}
