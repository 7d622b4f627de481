//! Identifiers. Each kind has its own type, so that one can't be passed in place of another.

use std::borrow::Cow;
use std::fmt;

use jiff::Timestamp;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use ulid::Ulid;

use super::entropy::{Entropy, EntropyError};
use super::text::contains_secret;

/// The error for a string that isn't an identifier of the expected kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a valid identifier")]
pub struct InvalidId;

/// The form of ids that the platform assigns, as a regular expression.
pub const PLATFORM_ID: &str = "^[A-Za-z0-9_-]{1,64}$";

/// Whether a string has the form of [`PLATFORM_ID`] and holds no secret.
fn is_platform_id(value: &str) -> bool {
    (1..=64).contains(&value.len())
        && value
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
        // A secret has this form too, but ids are shown, mailed and logged.
        && !contains_secret(value)
}

/// Whether a string can be a subject of an OpenID provider. This form is wider than a platform id (`auth0|…` is
/// valid), but excludes `#`, which separates the parts of a table key.
fn is_subject(value: &str) -> bool {
    (1..=128).contains(&value.len())
        && value.bytes().all(|b| b.is_ascii_graphic() && b != b'#')
        && !contains_secret(value)
}

fn is_trace(value: &str) -> bool {
    let is_hex = |part: &str| {
        part.bytes()
            .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
    };
    let mut parts = value.split('-');
    parts.next() == Some("1")
        && [8, 24].into_iter().all(|length| {
            parts
                .next()
                .is_some_and(|part| part.len() == length && is_hex(part))
        })
        && parts.next().is_none()
}

fn is_prefixed_ulid(prefix: &str, value: &str) -> bool {
    value
        .strip_prefix(prefix)
        .and_then(|ulid| Ulid::from_string(ulid).ok().map(|parsed| (ulid, parsed)))
        // Parsing is lenient (lower case, `O` for `0`), but a key must have one form: compare the round trip.
        .is_some_and(|(ulid, parsed)| parsed.to_string() == ulid)
}

macro_rules! id {
    ($(#[doc = $doc:literal])* $name:ident, $pattern:expr, $valid:expr) => {
        $(#[doc = $doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// The identifier as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidId;

            fn try_from(value: String) -> Result<Self, InvalidId> {
                let valid: fn(&str) -> bool = $valid;
                if valid(&value) { Ok(Self(value)) } else { Err(InvalidId) }
            }
        }

        impl std::str::FromStr for $name {
            type Err = InvalidId;

            fn from_str(value: &str) -> Result<Self, InvalidId> {
                Self::try_from(value.to_owned())
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> String {
                id.0
            }
        }

        impl JsonSchema for $name {
            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                let text = concat!($($doc),*).trim_start();
                json_schema!({"type": "string", "pattern": $pattern, "description": text})
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

id!(
    /// An account of the platform: the tenant.
    AccountId,
    PLATFORM_ID,
    is_platform_id
);
id!(
    /// A connection, export, import or API of an account.
    ResourceId,
    PLATFORM_ID,
    is_platform_id
);
id!(
    /// An installed Integration App.
    IntegrationId,
    PLATFORM_ID,
    is_platform_id
);
id!(
    /// A person, identified by the OpenID provider's `sub` claim.
    UserId,
    "^[!\"$-~]{1,128}$",
    is_subject
);
id!(
    /// A token: `tok_` and a ULID. The id stays the same when the secret is replaced.
    TokenId,
    "^tok_[0-7][0-9A-HJKMNP-TV-Z]{25}$",
    |value| is_prefixed_ulid("tok_", value)
);
id!(
    /// An audit record: `aud_` and a ULID, so that ids sort by time.
    AuditId,
    "^aud_[0-7][0-9A-HJKMNP-TV-Z]{25}$",
    |value| is_prefixed_ulid("aud_", value)
);

id!(
    /// A trace of AWS X-Ray.
    TraceId,
    "^1-[0-9a-f]{8}-[0-9a-f]{24}$",
    is_trace
);

/// A ULID with the given time (in milliseconds) and 80 random bits.
fn ulid(now: Timestamp, entropy: &impl Entropy) -> Result<Ulid, EntropyError> {
    let mut random = [0; 16];
    entropy.fill(&mut random)?;
    let milliseconds = u64::try_from(now.as_millisecond()).unwrap_or(0);
    Ok(Ulid::from_parts(milliseconds, u128::from_be_bytes(random)))
}

impl TokenId {
    /// A new id with the time `now`.
    ///
    /// # Errors
    /// The system's random generator failed.
    pub fn generate(now: Timestamp, entropy: &impl Entropy) -> Result<Self, EntropyError> {
        Ok(Self(format!("tok_{}", ulid(now, entropy)?)))
    }

    /// The id of no token. It stands for one whose id isn't known any more.
    pub fn unknown() -> Self {
        Self(format!("tok_{}", Ulid::nil()))
    }

    /// When the token was created, read from its id.
    pub fn created_at(&self) -> Timestamp {
        let ulid = self.0.strip_prefix("tok_").unwrap_or_default();
        let milliseconds = Ulid::from_string(ulid).map_or(0, |ulid| ulid.timestamp_ms());
        let milliseconds = i64::try_from(milliseconds).unwrap_or(0);
        Timestamp::from_millisecond(milliseconds).unwrap_or_default()
    }
}

impl TraceId {
    /// Reads the trace in a tracing header, such as `Root=1-5e66d96f-7491f09e0a79d18acf3d0505;Sampled=0`. Callers can
    /// send this header, so a value of another form isn't taken.
    pub fn of_header(header: &str) -> Option<Self> {
        let mut parts = header.split(';');
        let root = parts.find_map(|part| part.trim().strip_prefix("Root="))?;
        root.parse().ok()
    }
}

impl AuditId {
    /// A new id that sorts after all ids of earlier milliseconds.
    ///
    /// # Errors
    /// The system's random generator failed.
    pub fn generate(now: Timestamp, entropy: &impl Entropy) -> Result<Self, EntropyError> {
        Ok(Self(format!("aud_{}", ulid(now, entropy)?)))
    }

    /// The id of an event at `time` that a message reports. The same time and message always give the same id.
    pub fn of_message(time: Timestamp, message: &str) -> Self {
        let milliseconds = u64::try_from(time.as_millisecond()).unwrap_or(0);
        let digest: [u8; 32] = Sha256::digest(message).into();
        let random = digest.first_chunk().copied().map_or(0, u128::from_be_bytes);
        Self(format!("aud_{}", Ulid::from_parts(milliseconds, random)))
    }

    /// The smallest id of an instant: ids of earlier times sort before it; ids of that instant and of later ones
    /// don't. Ids have whole milliseconds, so an instant between two milliseconds counts as the later one.
    pub fn first_of(time: Timestamp) -> Self {
        let between = time.subsec_nanosecond() % 1_000_000 > 0;
        let milliseconds = time.as_millisecond() + i64::from(between);
        let milliseconds = u64::try_from(milliseconds).unwrap_or(0);
        Self(format!("aud_{}", Ulid::from_parts(milliseconds, 0)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn platform_ids_are_limited_to_their_alphabet_and_length() {
        assert!("acme_1-A".parse::<AccountId>().is_ok());
        assert!("a".repeat(64).parse::<AccountId>().is_ok());
        for bad in ["", "a#b", "a b", "ä", &"a".repeat(65)] {
            assert_eq!(bad.parse::<AccountId>(), Err(InvalidId), "{bad}");
        }
    }

    #[test]
    fn subjects_of_other_providers_are_accepted_but_no_key_separator() {
        assert!("auth0|5f7c8ec7c33c6c004bbafe82".parse::<UserId>().is_ok());
        assert!("a#b".parse::<UserId>().is_err());
        assert!("a b".parse::<UserId>().is_err());
    }

    #[test]
    fn no_secret_is_an_id() {
        let secret = crate::testing::plain(&crate::testing::plain_secret());
        assert_eq!(secret.parse::<AccountId>(), Err(InvalidId));
        assert_eq!(secret.parse::<ResourceId>(), Err(InvalidId));
        assert_eq!(secret.parse::<IntegrationId>(), Err(InvalidId));
        assert_eq!(format!("auth0|{secret}").parse::<UserId>(), Err(InvalidId));
        let uuid = "lka_3f2504e0-4f89-11d3-9a0c-0305e82c3301";
        assert!(uuid.parse::<ResourceId>().is_ok());
    }

    #[test]
    fn token_ids_have_one_spelling() {
        assert!("tok_01ARZ3NDEKTSV4RRFFQ69G5FAV".parse::<TokenId>().is_ok());
        assert!("tok_01arz3ndektsv4rrffq69g5fav".parse::<TokenId>().is_err());
        assert!("aud_01ARZ3NDEKTSV4RRFFQ69G5FAV".parse::<TokenId>().is_err());
    }

    #[test]
    fn a_token_id_tells_when_it_was_made() {
        let now = crate::testing::now();
        let id = TokenId::generate(now, &crate::system::System).unwrap();
        assert_eq!(id.created_at(), now);
        assert_eq!(TokenId::unknown().created_at(), Timestamp::default());
        assert!(TokenId::unknown().as_str().parse::<TokenId>().is_ok());
        let last = "tok_7ZZZZZZZZZZZZZZZZZZZZZZZZZ".parse::<TokenId>().unwrap();
        assert_eq!(last.created_at(), Timestamp::default());
    }

    #[test]
    fn a_trace_is_read_from_its_header_and_only_in_its_own_form() {
        let id = "1-5e66d96f-7491f09e0a79d18acf3d0505";
        for header in [
            format!("Root={id}"),
            format!("Root={id};Parent=53995c3f42cd8ad8;Sampled=1"),
            format!("Self=1-67891234-12456789abcdef0123456789; Root={id}"),
        ] {
            assert_eq!(TraceId::of_header(&header).unwrap().as_str(), id);
        }
        for other in [
            "",
            id,
            "Root=",
            "Root=1-5E66D96F-7491f09e0a79d18acf3d0505",
            "Root=1-5e66d96f-7491f09e0a79d18acf3d050",
            "Root=1-5e66d96f-7491f09e0a79d18acf3d0505-0",
            "Root=2-5e66d96f-7491f09e0a79d18acf3d0505",
            "Root=1-5e66d96f7491f09e0a79d18acf3d0505",
        ] {
            assert_eq!(TraceId::of_header(other), None, "{other}");
        }
    }

    #[test]
    fn audit_ids_sort_by_time() {
        let early = AuditId::first_of("2026-01-01T00:00:00Z".parse().unwrap());
        let late = AuditId::first_of("2026-01-01T00:00:00.001Z".parse().unwrap());
        assert!(early < late);
        let between = AuditId::first_of("2026-01-01T00:00:00.0005Z".parse().unwrap());
        assert_eq!(between, late);
    }
}
