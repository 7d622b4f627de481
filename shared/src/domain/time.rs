//! Formatting and parsing of timestamps as in RFC 3339.

use jiff::civil::DateTime;
use jiff::tz::Offset;
use jiff::{SignedDuration, Timestamp};

/// Formats a timestamp in UTC with exactly three fractional digits. So texts sort like the timestamps, and clients
/// need one pattern only.
pub fn rfc3339(moment: Timestamp) -> String {
    format!("{moment:.3}")
}

/// A timestamp for people, to the minute: "28 November 2026 at 14:20 UTC".
pub fn in_words(moment: Timestamp) -> String {
    format!("{} at {}", date_in_words(moment), time_in_words(moment))
}

/// The date of a timestamp in UTC, for people: "28 November 2026".
pub fn date_in_words(moment: Timestamp) -> String {
    moment.strftime("%-d %B %Y").to_string()
}

/// The time of day of a timestamp, for people: "14:20 UTC".
pub fn time_in_words(moment: Timestamp) -> String {
    moment.strftime("%H:%M UTC").to_string()
}

/// Parses a timestamp of RFC 3339, and no other form. The library's own parser accepts other forms of ISO 8601 too,
/// and no leap seconds.
///
/// A leap second becomes the second that follows. Digits beyond nanoseconds are cut off. On the last day of the year
/// 9999, which the library can't represent in all offsets, the time becomes the library's last instant.
pub fn parse_rfc3339(text: &str) -> Option<Timestamp> {
    let (date, rest) = text.split_at_checked(10)?;
    let [year, month, day] = numbers(date, "dddd-dd-dd")?;
    let rest = rest.strip_prefix(['T', 't'])?;
    let (time, rest) = rest.split_at_checked(8)?;
    let [hour, minute, second] = numbers(time, "dd:dd:dd")?;
    let (nanosecond, zone) = match rest.strip_prefix('.') {
        Some(rest) => fraction(rest)?,
        None => (0, rest),
    };
    let offset = offset(zone)?;
    let leap = second == 60;
    let small = |number: i32| i8::try_from(number).ok();
    let civil = DateTime::new(
        i16::try_from(year).ok()?,
        small(month)?,
        small(day)?,
        small(hour)?,
        small(minute)?,
        small(if leap { 59 } else { second })?,
        nanosecond,
    )
    .ok()?;
    let shift = SignedDuration::from_secs(i64::from(leap) - i64::from(offset));
    // Leap seconds are inserted at the end of a UTC day.
    let utc = civil.saturating_add(SignedDuration::from_secs(-i64::from(offset)));
    if leap && (utc.hour(), utc.minute()) != (23, 59) {
        return None;
    }
    let moment = Offset::UTC.to_timestamp(civil).unwrap_or(Timestamp::MAX);
    Some(moment.saturating_add(shift).unwrap_or(Timestamp::MAX))
}

/// The three numbers of a text that has digits exactly where `form` has `d`.
fn numbers(text: &str, form: &str) -> Option<[i32; 3]> {
    let fits = text.len() == form.len()
        && text.bytes().zip(form.bytes()).all(|(given, wanted)| {
            if wanted == b'd' {
                given.is_ascii_digit()
            } else {
                given == wanted
            }
        });
    let mut parts = text.split(['-', ':']).map_while(|part| part.parse().ok());
    fits.then_some([parts.next()?, parts.next()?, parts.next()?])
}

/// The nanoseconds of a fraction, and the text after it.
fn fraction(text: &str) -> Option<(i32, &str)> {
    let rest = text.trim_start_matches(|c: char| c.is_ascii_digit());
    let digits = text
        .strip_suffix(rest)
        .filter(|digits| !digits.is_empty())?;
    let kept: String = digits.chars().chain("000000000".chars()).take(9).collect();
    Some((kept.parse().ok()?, rest))
}

/// The offset of a zone from UTC in seconds.
fn offset(zone: &str) -> Option<i32> {
    if matches!(zone, "Z" | "z") {
        return Some(0);
    }
    let (sign, text) = match zone.split_at_checked(1)? {
        ("+", text) => (1, text),
        ("-", text) => (-1, text),
        _ => return None,
    };
    let [hours, minutes, _] = numbers(&format!("{text}:00"), "dd:dd:dd")?;
    (hours < 24 && minutes < 60).then_some(sign * (hours * 3_600 + minutes * 60))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(text: &str) -> Option<String> {
        parse_rfc3339(text).map(|moment| moment.to_string())
    }

    #[test]
    fn every_time_of_rfc_3339_is_read() {
        for (text, moment) in [
            ("2026-11-23T10:00:00Z", "2026-11-23T10:00:00Z"),
            ("2026-11-23t10:00:00z", "2026-11-23T10:00:00Z"),
            ("2026-11-23T10:00:00.5+02:00", "2026-11-23T08:00:00.5Z"),
            ("2026-11-23T23:30:00-01:00", "2026-11-24T00:30:00Z"),
            ("2026-11-23T10:00:00-00:00", "2026-11-23T10:00:00Z"),
            ("2026-11-23T10:00:00+23:59", "2026-11-22T10:01:00Z"),
            ("1985-04-12T23:20:50.52Z", "1985-04-12T23:20:50.52Z"),
            ("1990-12-31T23:59:60Z", "1991-01-01T00:00:00Z"),
            ("1990-12-31T15:59:60-08:00", "1991-01-01T00:00:00Z"),
            (
                "2026-11-23T10:00:00.1234567890123Z",
                "2026-11-23T10:00:00.123456789Z",
            ),
            ("2024-02-29T00:00:00Z", "2024-02-29T00:00:00Z"),
            ("0000-01-01T00:00:00Z", "0000-01-01T00:00:00Z"),
            ("9999-12-31T23:59:59Z", "9999-12-30T22:00:00.999999999Z"),
        ] {
            assert_eq!(read(text).as_deref(), Some(moment), "{text}");
        }
    }

    #[test]
    fn nothing_but_times_of_rfc_3339_is_read() {
        for text in [
            "",
            "yesterday",
            "2026-11-23",
            "2026-11-23T10Z",
            "2026-11-23T10:00Z",
            "2026-11-23T10:00:00",
            "2026-11-23 10:00:00Z",
            "20261123T100000Z",
            "2026-W48-1T10:00:00Z",
            "2026-327T10:00:00Z",
            "2026-11-23T10:00:00,5Z",
            "2026-11-23T10:00:00.Z",
            "2026-11-23T10:00:00+0200",
            "2026-11-23T10:00:00+02",
            "2026-11-23T10:00:00+24:00",
            "2026-11-23T10:00:00+02:60",
            "2026-11-23T10:00:00+02:00:00",
            "2026-11-23T10:00:00+02:00[Europe/Berlin]",
            "2026-11-23T10:00:00Z[UTC]",
            "2026-11-23T10:00:60Z",
            "2026-11-23T23:59:61Z",
            "2026-11-23T24:00:00Z",
            "2026-02-29T00:00:00Z",
            "2026-13-01T00:00:00Z",
            "+002026-11-23T10:00:00Z",
            "-2026-11-23T10:00:00Z",
            "2026-11-23T1é:00:00Z",
            "２026-11-23T10:00:00Z",
            " 2026-11-23T10:00:00Z",
            "2026-11-23T10:00:00Z ",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }

    #[test]
    fn a_moment_is_written_with_three_digits_of_fraction() {
        for (moment, text) in [
            ("2026-11-23T10:00:00Z", "2026-11-23T10:00:00.000Z"),
            ("2026-11-23T10:00:00.5Z", "2026-11-23T10:00:00.500Z"),
            ("2026-11-23T10:00:00.1239Z", "2026-11-23T10:00:00.123Z"),
        ] {
            assert_eq!(rfc3339(moment.parse().unwrap()), text);
        }
    }

    #[test]
    fn a_moment_is_told_in_words_and_with_its_zone() {
        for (moment, words) in [
            ("2026-11-28T14:20:59.9Z", "28 November 2026 at 14:20 UTC"),
            ("2026-01-02T00:05:00Z", "2 January 2026 at 00:05 UTC"),
            ("2026-01-02T23:30:00-01:00", "3 January 2026 at 00:30 UTC"),
        ] {
            assert_eq!(in_words(moment.parse().unwrap()), words);
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(milliseconds in 0_i64..250_000_000_000_000) {
            let moment = Timestamp::from_millisecond(milliseconds).unwrap();
            prop_assert_eq!(parse_rfc3339(&rfc3339(moment)), Some(moment));
        }

        #[test]
        fn any_text_is_read_or_not(text in ".{0,40}") {
            let _ = parse_rfc3339(&text);
        }
    }
}
