//! The rules for texts that people, clients and the platform supply: what they may contain, how they are compared,
//! and how they are shown.
//!
//! A text from a person is refused if it breaks a rule ([`Text::Name`], [`Text::Paragraphs`]). A text that can't be
//! refused is redacted and cleaned ([`recorded`], [`mended`]). The properties of characters come from Unicode's
//! tables. [`redact`] and [`recorded`], which every verification needs, don't use these tables.

use std::borrow::Cow;
use std::ops::Range;

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use icu_casemap::CaseMapper;
use icu_normalizer::ComposingNormalizer;
use icu_properties::props::{
    BinaryProperty, CanonicalCombiningClass, DefaultIgnorableCodePoint, EmojiModifier,
    EnumeratedProperty, ExtendedPictographic, GeneralCategory, JoiningType,
    PrependedConcatenationMark, WhiteSpace,
};
use serde_json::{Map, Value};

use super::validation::FieldError;

// ---- Secrets in texts ---------------------------------------------------------------------------------

/// The replacement for a secret in a text.
const REDACTED: &str = "[redacted]";

/// The prefixes of secrets.
const PREFIXES: [&str; 2] = ["lka_", "lki_"];

/// How many characters after a prefix make a text count as holding a secret. A whole secret has 49. A fragment that
/// is shorter than this lacks at least eleven random characters, which can't be guessed.
const MOST: usize = 32;

/// The fewest characters, or bytes, that count as a secret.
const LEAST: usize = 4 + MOST;

/// The fewest characters of base64 that encode [`LEAST`] bytes.
const LEAST_BASE64: usize = LEAST / 3 * 4;

/// Whether a text contains a secret, whole or for the most part. Only the form is checked, not the checksum.
///
/// Percent-encoding, base64 (as in a header `Authorization: Basic`), full-width letters, backslashes (as Markdown
/// has them before underscores) and invisible characters between the letters don't hide a secret.
pub fn contains_secret(text: &str) -> bool {
    !secrets(text).is_empty()
}

/// The text with each secret replaced. Use it for texts that come from outside and are stored.
pub fn redact(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut rest = 0;
    for (place, prefix) in secrets(text) {
        kept.push_str(text.get(rest..place.start).unwrap_or_default());
        kept.push_str(prefix);
        kept.push_str(REDACTED);
        rest = rest.max(place.end);
    }
    kept.push_str(text.get(rest..).unwrap_or_default());
    kept
}

/// The JSON value with each secret in its texts replaced. Redacting the serialised text would miss secrets whose
/// letters are separated by control characters, since these are escaped there.
pub fn redact_json(value: Value) -> Value {
    match value {
        Value::String(text) => redact(&text).into(),
        Value::Array(items) => items.into_iter().map(redact_json).collect(),
        Value::Object(members) => {
            let members = members.into_iter();
            let members = members.map(|(name, value)| (redact(&name), redact_json(value)));
            Value::Object(members.collect::<Map<_, _>>())
        }
        other => other,
    }
}

/// The variants of a text in which to look for a secret: without white space and invisible characters, and each
/// part that decodes from base64.
pub fn meant(text: &str) -> Vec<String> {
    let characters = characters(text);
    let mut meant = decoded(&characters);
    let seen = characters.iter().map(|(_, c)| *c);
    meant.push(seen.filter(|c| !c.is_ascii_whitespace()).collect());
    meant
}

/// The byte ranges of the secrets in a text, with their prefixes.
fn secrets(text: &str) -> Vec<(Range<usize>, &'static str)> {
    // Ids, most names and the like are too short for a secret.
    if text.len() < LEAST {
        return Vec::new();
    }
    let characters = characters(text);
    let mut found = as_written(&characters);
    found.extend(encoded(&characters).map(|place| (place, "")));
    found.sort_by_key(|(place, _)| place.start);
    found
}

/// The byte ranges of the secrets that aren't in base64, with their prefixes.
fn as_written(characters: &[(Range<usize>, char)]) -> Vec<(Range<usize>, &'static str)> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(rest) = characters.get(at..).filter(|rest| !rest.is_empty()) {
        at += 1;
        let begins = |prefix: &&str| prefix.chars().eq(rest.iter().take(4).map(|(_, c)| *c));
        let Some(prefix) = PREFIXES.into_iter().find(begins) else {
            continue;
        };
        let random = rest.get(prefix.len()..).unwrap_or_default();
        let length = |ends: fn(char) -> bool| random.iter().take_while(|(_, c)| !ends(*c)).count();
        if length(|c| !c.is_ascii_alphanumeric()) < MOST {
            continue;
        }
        // The range continues across underscores: the letters before one may be the next secret's prefix.
        let length = prefix.len() + length(|c| !c.is_ascii_alphanumeric() && c != '_');
        let ends = |index: usize| rest.get(index).map(|(place, _)| place.clone());
        if let (Some(first), Some(last)) = (ends(0), ends(length - 1)) {
            found.push((first.start..last.end, prefix));
        }
        at += length - 1;
    }
    found
}

/// The byte ranges of base64 that encodes a secret.
fn encoded(characters: &[(Range<usize>, char)]) -> impl Iterator<Item = Range<usize>> {
    let holds = |run: &&[_]| {
        decoded(run)
            .iter()
            .any(|text| !as_written(&self::characters(text)).is_empty())
    };
    let runs = base64_runs(characters).filter(holds);
    runs.filter_map(|run| Some(run.first()?.0.start..run.last()?.0.end))
}

/// The texts that a run of base64 decodes to, in either alphabet and from each of the four offsets.
fn decoded(characters: &[(Range<usize>, char)]) -> Vec<String> {
    const LENIENT: GeneralPurpose = GeneralPurpose::new(
        &STANDARD,
        GeneralPurposeConfig::new()
            .with_decode_allow_trailing_bits(true)
            .with_decode_padding_mode(DecodePaddingMode::Indifferent),
    );
    let decode = |digits: &str| {
        // A single trailing digit encodes no byte.
        let whole = digits.len() - usize::from(digits.len() % 4 == 1);
        let bytes = LENIENT.decode(digits.get(..whole)?).ok()?;
        Some(String::from_utf8_lossy(&bytes).into_owned())
    };
    let mut decoded = Vec::new();
    for run in base64_runs(characters) {
        let digits = run.iter().map(|(_, c)| match c {
            '-' => '+',
            '_' => '/',
            c => *c,
        });
        let digits: String = digits.collect();
        let begins = (0..4).filter_map(|begin| decode(digits.get(begin..)?));
        decoded.extend(begins);
    }
    decoded
}

/// The runs of characters that may be base64 of a secret.
fn base64_runs(
    characters: &[(Range<usize>, char)],
) -> impl Iterator<Item = &[(Range<usize>, char)]> {
    characters
        .split(|(_, c)| !c.is_ascii_alphanumeric() && !"+/-_".contains(*c))
        .filter(|run| run.len() >= LEAST_BASE64)
}

/// The ASCII characters of a text, with their byte ranges. Percent-encoded and full-width characters are decoded.
/// Control characters, backslashes and all other non-ASCII characters are left out.
fn characters(text: &str) -> Vec<(Range<usize>, char)> {
    let mut characters = Vec::new();
    let mut at = 0;
    while let Some(c) = text.get(at..).and_then(|rest| rest.chars().next()) {
        let encoded = text.get(at..).and_then(percent_encoded);
        let (c, length) = encoded.unwrap_or_else(|| (ascii(c), c.len_utf8()));
        if c.is_ascii() && !c.is_ascii_control() && c != '\\' {
            characters.push((at..at + length, c));
        }
        at += length;
    }
    characters
}

/// The ASCII character that is percent-encoded, once or repeatedly, at the start of a text, and its encoded length.
fn percent_encoded(text: &str) -> Option<(char, usize)> {
    let mut rest = text.strip_prefix('%')?;
    while let Some(again) = rest.strip_prefix("25") {
        rest = again;
    }
    let digits = rest.get(..2)?;
    let is_hex = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    let byte = u8::from_str_radix(digits, 16).ok();
    let byte = byte.filter(|byte| is_hex && byte.is_ascii())?;
    Some((char::from(byte), text.len() - rest.len() + digits.len()))
}

/// The ASCII character for a full-width one. Any other character is returned unchanged.
fn ascii(c: char) -> char {
    match c {
        '\u{ff01}'..='\u{ff5e}' => char::from_u32(u32::from(c) - 0xfee0).unwrap_or(c),
        _ => c,
    }
}

/// A text from outside as a record stores it: redacted, with invisible characters escaped, cut to `most` characters.
pub fn recorded(text: &str, most: usize) -> String {
    let mut kept = String::new();
    for c in redact(text).chars() {
        match c {
            '"' | '\'' | '\\' => kept.push(c),
            // Rust's escapes for what isn't printable: control and format characters, line separators.
            _ => kept.extend(c.escape_debug()),
        }
    }
    kept.chars().take(most).collect()
}

// ---- What texts may hold ------------------------------------------------------------------------------

/// Why a text is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InvalidText {
    /// It contains a secret, or most of one.
    ContainsSecret,
    /// It is too long: its number of characters, and the maximum.
    TooLong(usize, usize),
    /// It has no visible character.
    Empty,
    /// It contains this character, which is invisible or looks like another one.
    Character(char),
    /// It has more than one line.
    Lines,
}

impl InvalidText {
    /// The validation failure for the field of that name.
    pub fn of(self, field: &str) -> FieldError {
        let (code, message) = match self {
            Self::ContainsSecret => (
                "contains_secret",
                "must not hold the secret of an API token: it would be shown and mailed".into(),
            ),
            Self::TooLong(count, most) => (
                "too_long",
                format!("has {count} characters, {most} at most"),
            ),
            Self::Empty => ("required", "must not be empty".into()),
            Self::Character(c) => (
                "invalid_characters",
                format!("must not contain {}, which can't be seen", code_point(c)),
            ),
            Self::Lines => ("invalid_characters", "must be a single line".into()),
        };
        FieldError::new(field, code, message)
    }
}

/// The kinds of text that people write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Text {
    /// One line with at least one visible character.
    Name,
    /// Any number of lines, or nothing.
    Paragraphs,
}

impl Text {
    /// Checks a text and returns it in Unicode's normalization form C, as it is stored. `most` is the maximum number of
    /// characters in that form.
    ///
    /// # Errors
    /// The rule that the text breaks.
    pub fn check(self, text: &str, most: usize) -> Result<String, InvalidText> {
        // First, so that no other failure repeats a text with a secret.
        if contains_secret(text) || contains_secret(&compatible(text)) {
            return Err(InvalidText::ContainsSecret);
        }
        let text = self.normalized(text);
        let characters: Vec<_> = text.chars().collect();
        if characters.len() > most {
            return Err(InvalidText::TooLong(characters.len(), most));
        }
        let is_seen = |c: &char| self == Self::Paragraphs || is_seen(*c);
        if !characters.iter().any(is_seen) && (self == Self::Name || !characters.is_empty()) {
            return Err(InvalidText::Empty);
        }
        for (index, c) in characters.iter().enumerate() {
            if !self.may_hold(&characters, index) {
                return Err(match c {
                    '\n' | '\r' => InvalidText::Lines,
                    c => InvalidText::Character(*c),
                });
            }
        }
        Ok(text)
    }

    fn normalized(self, text: &str) -> String {
        let text = match self {
            Self::Name => Cow::Borrowed(text),
            Self::Paragraphs => Cow::Owned(text.replace("\r\n", "\n").replace('\r', "\n")),
        };
        normalized(&text)
    }

    /// Whether a text may contain the character at `index`.
    fn may_hold(self, text: &[char], index: usize) -> bool {
        let Some(&c) = text.get(index) else {
            return true;
        };
        match GeneralCategory::for_char(c) {
            GeneralCategory::Control => c == '\n' && self == Self::Paragraphs,
            GeneralCategory::LineSeparator
            | GeneralCategory::ParagraphSeparator
            | GeneralCategory::PrivateUse
            | GeneralCategory::Surrogate => false,
            GeneralCategory::Format => {
                let (before, rest) = text.split_at(index);
                let after = rest.get(1..).unwrap_or_default();
                may_stand_between(c, before, after)
            }
            _ => true,
        }
    }
}

/// Whether a character is visible.
fn is_seen(c: char) -> bool {
    // The Braille pattern without dots looks like a space, but isn't white space.
    !WhiteSpace::for_char(c)
        && !DefaultIgnorableCodePoint::for_char(c)
        && GeneralCategory::for_char(c) != GeneralCategory::Control
        && c != '\u{2800}'
}

/// Whether a format character has an effect between its neighbours: a joiner where RFC 5892 (A.1 and A.2) or an
/// emoji needs one, the tags of a flag, or a mark that spans the digits after it.
fn may_stand_between(c: char, before: &[char], after: &[char]) -> bool {
    let follows_virama = before
        .last()
        .is_some_and(|c| CanonicalCombiningClass::for_char(*c) == CanonicalCombiningClass::Virama);
    match c {
        '\u{200c}' => follows_virama || joins(before, after),
        '\u{200d}' => follows_virama || joins_emoji(before, after),
        '\u{e0020}'..='\u{e007f}' => is_in_flag(c, before, after),
        _ => PrependedConcatenationMark::for_char(c),
    }
}

/// Whether the neighbours on both sides are letters that join (RFC 5892, A.1).
fn joins(before: &[char], after: &[char]) -> bool {
    let kind = |c: &char| JoiningType::for_char(*c);
    let letter = |kind: &JoiningType| *kind != JoiningType::Transparent;
    let left = before.iter().rev().map(kind).find(letter);
    let right = after.iter().map(kind).find(letter);
    matches!(
        left,
        Some(JoiningType::LeftJoining | JoiningType::DualJoining)
    ) && matches!(
        right,
        Some(JoiningType::RightJoining | JoiningType::DualJoining)
    )
}

/// Whether the neighbours on both sides are pictographs (Unicode Standard Annex 29, rule GB11).
fn joins_emoji(before: &[char], after: &[char]) -> bool {
    let picture = |c: &&char| **c != '\u{fe0f}' && !EmojiModifier::for_char(**c);
    let is_picture = |c: Option<&char>| c.is_some_and(|c| ExtendedPictographic::for_char(*c));
    is_picture(before.iter().rev().find(picture)) && is_picture(after.first())
}

/// Whether a tag belongs to a flag: the black flag, three to six tag letters or digits, and the end tag (Unicode
/// Technical Standard 51). Longer sequences could carry an invisible text.
fn is_in_flag(c: char, before: &[char], after: &[char]) -> bool {
    const END: char = '\u{e007f}';
    let is_tag = |c: &&char| {
        matches!(
            **c,
            '\u{e0030}'..='\u{e0039}' | '\u{e0061}'..='\u{e007a}'
        )
    };
    if c != END && !is_tag(&&c) {
        return false;
    }
    let earlier = before.iter().rev().take_while(is_tag).count();
    let is_flag = before.iter().rev().nth(earlier) == Some(&'\u{1f3f4}');
    let later = if c == END {
        0
    } else {
        let later = after.iter().take_while(is_tag).count();
        if after.get(later) != Some(&END) {
            return false;
        }
        later + 1
    };
    is_flag && (3..=6).contains(&(earlier + later))
}

/// A name from outside as it is stored: redacted, normalized, and with the code of each character that a name may
/// not contain in place of that character.
pub fn mended(name: &str) -> String {
    let plain = compatible(name);
    // In a text with a secret, compatible characters are replaced by plain ones before the redaction.
    let redacted = redact(if contains_secret(&plain) {
        &plain
    } else {
        name
    });
    line(&normalized(&redacted))
}

/// The text in Unicode's normalization form C.
fn normalized(text: &str) -> String {
    ComposingNormalizer::new_nfc().normalize(text).into_owned()
}

/// The text in normalization form KC, which turns bold, circled or wide letters into plain ones.
fn compatible(text: &str) -> Cow<'_, str> {
    ComposingNormalizer::new_nfkc().normalize(text)
}

// ---- How texts are compared ---------------------------------------------------------------------------

/// The text in the form in which a search compares it: normalized and case-folded.
pub fn fold(text: &str) -> String {
    compatible(&CaseMapper::new().fold_string(&compatible(text))).into_owned()
}

// ---- How texts are shown ------------------------------------------------------------------------------

/// The text on one line, for display. Line ends become visible signs, invisible and misleading characters become
/// their codes, and secrets are redacted: stored texts may be older than the rules.
pub fn line(text: &str) -> String {
    shown(text, Text::Name)
}

/// Like [`line()`], but keeps the line ends.
pub fn lines(text: &str) -> String {
    shown(text, Text::Paragraphs)
}

fn shown(text: &str, as_what: Text) -> String {
    let unified = redact(text).replace("\r\n", "\n");
    let characters: Vec<_> = unified.chars().collect();
    let mut shown = String::with_capacity(text.len());
    for (index, c) in characters.iter().enumerate() {
        if as_what.may_hold(&characters, index) {
            shown.push(*c);
        } else if *c == '\n' {
            shown.push_str(" ⏎ ");
        } else if *c == '\t' {
            shown.push(' ');
        } else {
            shown.push('[');
            shown.push_str(&code_point(*c));
            shown.push(']');
        }
    }
    shown
}

/// A displayed line in a bidirectional isolate, so that it can't change the direction of the text beside it. A line
/// can't contain a character that ends the isolate early. ASCII is returned unchanged: it needs no isolate, and some
/// programs show the marks as boxes.
pub fn isolate(line: &str) -> String {
    if line.is_ascii() {
        line.to_owned()
    } else {
        format!("\u{2068}{line}\u{2069}")
    }
}

fn code_point(c: char) -> String {
    format!("U+{:04X}", u32::from(c))
}

#[cfg(test)]
mod tests;
