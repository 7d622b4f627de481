//! The rules for texts that people, clients and the platform supply: what they may hold, how they are compared,
//! and how they are shown.
//!
//! What a person writes is refused if it breaks a rule ([`Text::Name`], [`Text::Paragraphs`]); what can't be
//! refused is redacted and mended ([`recorded`], [`mended`]). The properties of characters are Unicode's own, by
//! its own library. What every verification needs ([`redact`], [`recorded`]) does without its tables.

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

/// What stands in a text in place of a secret.
const REDACTED: &str = "[redacted]";

/// How secrets begin.
const PREFIXES: [&str; 2] = ["lka_", "lki_"];

/// How many characters behind a prefix make a text one that holds a secret. A whole secret has 49; of one that
/// is cut so short that it passes here, at least eleven random characters are missing, which nobody guesses.
const MOST: usize = 32;

/// The fewest characters, or bytes, of what passes for a secret.
const LEAST: usize = 4 + MOST;

/// The fewest characters of base64 that hold as much.
const LEAST_BASE64: usize = LEAST / 3 * 4;

/// Whether a text holds something of a secret's form, whole or for the most part.
///
/// Percent-encoding, base64 (as in a header `Authorization: Basic`), full-width letters, backslashes (as Markdown
/// has them before underscores) and whatever can't be seen between the letters hide nothing.
pub fn contains_secret(text: &str) -> bool {
    !secrets(text).is_empty()
}

/// A text without the secrets in it, for what comes from elsewhere and is kept.
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

/// JSON without the secrets in it. Written as text it would hide some: the escapes of control characters stand
/// between letters.
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

/// The texts that somebody may mean who gives this one: without white space and what can't be seen, and with
/// what is encoded in it. For looking for a secret in them.
pub fn meant(text: &str) -> Vec<String> {
    let characters = characters(text);
    let mut meant = decoded(&characters);
    let seen = characters.iter().map(|(_, c)| *c);
    meant.push(seen.filter(|c| !c.is_ascii_whitespace()).collect());
    meant
}

/// Where in a text secrets are, and how they begin.
fn secrets(text: &str) -> Vec<(Range<usize>, &'static str)> {
    // Ids, most names and the like are too short for one.
    if text.len() < LEAST {
        return Vec::new();
    }
    let characters = characters(text);
    let mut found = as_written(&characters);
    found.extend(encoded(&characters).map(|place| (place, "")));
    found.sort_by_key(|(place, _)| place.start);
    found
}

/// Where secrets are that are written as they are.
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
        // An underscore is no end: the letters before it may begin the next secret.
        let length = prefix.len() + length(|c| !c.is_ascii_alphanumeric() && c != '_');
        let ends = |index: usize| rest.get(index).map(|(place, _)| place.clone());
        if let (Some(first), Some(last)) = (ends(0), ends(length - 1)) {
            found.push((first.start..last.end, prefix));
        }
        at += length - 1;
    }
    found
}

/// Where something in base64 is that holds a secret.
fn encoded(characters: &[(Range<usize>, char)]) -> impl Iterator<Item = Range<usize>> {
    let holds = |run: &&[_]| {
        decoded(run)
            .iter()
            .any(|text| !as_written(&self::characters(text)).is_empty())
    };
    let runs = base64_runs(characters).filter(holds);
    runs.filter_map(|run| Some(run.first()?.0.start..run.last()?.0.end))
}

/// What characters say that are in base64, in either alphabet, wherever the encoding begins.
fn decoded(characters: &[(Range<usize>, char)]) -> Vec<String> {
    const LENIENT: GeneralPurpose = GeneralPurpose::new(
        &STANDARD,
        GeneralPurposeConfig::new()
            .with_decode_allow_trailing_bits(true)
            .with_decode_padding_mode(DecodePaddingMode::Indifferent),
    );
    let decode = |digits: &str| {
        // A last digit alone says nothing.
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

/// The characters that stand together and may be base64 of a secret.
fn base64_runs(
    characters: &[(Range<usize>, char)],
) -> impl Iterator<Item = &[(Range<usize>, char)]> {
    characters
        .split(|(_, c)| !c.is_ascii_alphanumeric() && !"+/-_".contains(*c))
        .filter(|run| run.len() >= LEAST_BASE64)
}

/// The ASCII characters that a text means, and where they stand. Percent-encoded and full-width ones are
/// what they stand for; control characters, backslashes and what isn't ASCII are left out, as if they weren't there.
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

/// The ASCII character that a text begins with in percent-encoding, once or several times, and its length.
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

/// The ASCII character of a full-width one; others stay.
fn ascii(c: char) -> char {
    match c {
        '\u{ff01}'..='\u{ff5e}' => char::from_u32(u32::from(c) - 0xfee0).unwrap_or(c),
        _ => c,
    }
}

/// What a stranger says, as a record keeps it: without secrets, its characters visible, and not endless.
pub fn recorded(text: &str, most: usize) -> String {
    let mut kept = String::new();
    for c in redact(text).chars() {
        match c {
            '"' | '\'' | '\\' => kept.push(c),
            // As the language writes what can't be printed: control and format characters, line separators.
            _ => kept.extend(c.escape_debug()),
        }
    }
    kept.chars().take(most).collect()
}

// ---- What texts may hold ------------------------------------------------------------------------------

/// Why a text isn't taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InvalidText {
    /// It holds something of a secret's form.
    ContainsSecret,
    /// It has so many characters, and this is the most.
    TooLong(usize, usize),
    /// Nothing of it can be seen.
    Empty,
    /// It holds this character, which poses as something else or can't be seen.
    Character(char),
    /// It has several lines.
    Lines,
}

impl InvalidText {
    /// The failure of a field.
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
    /// One visible line.
    Name,
    /// As many lines as somebody likes, or nothing.
    Paragraphs,
}

impl Text {
    /// A text as it is kept, in Unicode's normalization form C: so long is what counts.
    ///
    /// # Errors
    /// Why it isn't taken.
    pub fn check(self, text: &str, most: usize) -> Result<String, InvalidText> {
        // Before all else, so that no other failure is told of a text with a secret.
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

    /// Whether a text may hold one of its characters where it stands.
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

/// Whether something can be seen of a character.
fn is_seen(c: char) -> bool {
    // The pattern of no dots in Braille looks like a space, and isn't one.
    !WhiteSpace::for_char(c)
        && !DefaultIgnorableCodePoint::for_char(c)
        && GeneralCategory::for_char(c) != GeneralCategory::Control
        && c != '\u{2800}'
}

/// Whether a format character has something to do between those before it and those after it: joiners where
/// RFC 5892 (A.1 and A.2) or an emoji wants one, the tags of a flag, and marks that span the digits after them.
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

/// Whether letters that join stand on both sides (RFC 5892, A.1).
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

/// Whether pictures stand on both sides (Unicode's annex 29, rule GB11).
fn joins_emoji(before: &[char], after: &[char]) -> bool {
    let picture = |c: &&char| **c != '\u{fe0f}' && !EmojiModifier::for_char(**c);
    let is_picture = |c: Option<&char>| c.is_some_and(|c| ExtendedPictographic::for_char(*c));
    is_picture(before.iter().rev().find(picture)) && is_picture(after.first())
}

/// Whether a tag is one of a flag's: the black flag, three to six letters or digits, and the end (Unicode's
/// annex 51). Longer ones would carry texts that nobody sees.
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

/// A name from elsewhere, as it is kept: without secrets, normalized, and with the code of each character that
/// no name may hold in its place.
pub fn mended(name: &str) -> String {
    let plain = compatible(name);
    // What is redacted, nobody reads for its letters' shapes.
    let redacted = redact(if contains_secret(&plain) {
        &plain
    } else {
        name
    });
    line(&normalized(&redacted))
}

/// In Unicode's normalization form C.
fn normalized(text: &str) -> String {
    ComposingNormalizer::new_nfc().normalize(text).into_owned()
}

/// In normalization form KC, in which letters of other shapes (bold, in circles, wide) are the plain ones.
fn compatible(text: &str) -> Cow<'_, str> {
    ComposingNormalizer::new_nfkc().normalize(text)
}

// ---- How texts are compared ---------------------------------------------------------------------------

/// A text as a search compares it: whatever its normalization form, and whatever the case.
pub fn fold(text: &str) -> String {
    compatible(&CaseMapper::new().fold_string(&compatible(text))).into_owned()
}

// ---- How texts are shown ------------------------------------------------------------------------------

/// A text on one line. Ends of lines become signs, what poses as something else or can't be seen becomes its
/// code, and a secret is redacted: texts that are kept may be older than the rules.
pub fn line(text: &str) -> String {
    shown(text, Text::Name)
}

/// As [`line()`], but with its lines.
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

/// A shown line whose direction stays its own: it can't turn what stands beside it around. Nothing in one ends
/// the isolation early. ASCII turns nothing around, and stays as it is: some programs draw boxes for the marks.
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
