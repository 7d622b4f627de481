//! The media types of bodies, and those that clients prefer.

use lambda_http::Request;
use lambda_http::http::header::{ACCEPT, ACCEPT_ENCODING, CONTENT_TYPE};
use mediatype::{MediaType, MediaTypeList, Name, ReadParams};

use super::{ApiError, ErrorCode};

/// Returns the declared media type of a request's body, without parameters and in lower case; `None` if there isn't
/// exactly one.
///
/// # Errors
/// [`ErrorCode::UnsupportedMediaType`] if the declared charset isn't UTF-8.
pub(super) fn declared(request: &Request) -> Result<Option<String>, ApiError> {
    let mut values = request.headers().get_all(CONTENT_TYPE).iter();
    let value = values.next().and_then(|value| value.to_str().ok());
    // With two headers, it is unclear which one counts.
    let value = value.filter(|_| values.next().is_none());
    let Some(media_type) = value.and_then(|value| MediaType::parse(value.trim()).ok()) else {
        return Ok(None);
    };
    let charsets = media_type.params().filter(|(name, _)| *name == "charset");
    for (_, charset) in charsets {
        let charset = charset.unquoted_str();
        if !["utf-8", "utf8"]
            .iter()
            .any(|utf8| charset.eq_ignore_ascii_case(utf8))
        {
            return Err(ErrorCode::UnsupportedMediaType.into());
        }
    }
    Ok(Some(media_type.essence().to_string().to_ascii_lowercase()))
}

/// Whether a client prefers the media type `wanted` to `other`: by weight, then by the exactness of the matching
/// range, then by order (RFC 9110, 12.4.2 and 12.5.1). Without a preference, it doesn't.
pub fn prefers(request: &Request, wanted: &str, other: &str) -> bool {
    let headers = request.headers().get_all(ACCEPT).iter();
    let accepted: Vec<_> = headers.filter_map(|value| value.to_str().ok()).collect();
    // Several header lines form one list.
    let accepted = accepted.join(",");
    let (Some(wanted), Some(other)) = (Rank::of(wanted, &accepted), Rank::of(other, &accepted))
    else {
        return false;
    };
    wanted.weight > 0 && wanted > other
}

/// A client's preference for a media type. A greater value is a stronger preference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Rank {
    /// The weight in thousandths.
    weight: u16,
    /// 3 for a type, 2 for all types of a family, 1 for all types, 0 for none.
    exactness: u8,
    /// The place in the list. Earlier places are greater.
    place: std::cmp::Reverse<usize>,
}

impl Rank {
    /// Returns the rank of a type. The most exact matching range determines the weight.
    fn of(media_type: &str, accepted: &str) -> Option<Self> {
        let media_type = MediaType::parse(media_type).ok()?;
        let none = Self {
            weight: 0,
            exactness: 0,
            place: std::cmp::Reverse(usize::MAX),
        };
        let ranges = MediaTypeList::new(accepted).enumerate();
        let ranks = ranges.filter_map(|(place, range)| {
            let range = range.ok()?;
            let any = |name: Name<'_>| name.as_str() == "*";
            let exactness = match (any(range.ty), any(range.subty)) {
                (true, true) => 1,
                (false, true) if range.ty == media_type.ty => 2,
                (false, false) if range.essence() == media_type.essence() => 3,
                _ => return None,
            };
            Some(Self {
                weight: weight(&range)?,
                exactness,
                place: std::cmp::Reverse(place),
            })
        });
        let exactest = ranks.max_by_key(|rank| (rank.exactness, rank.place));
        Some(exactest.unwrap_or(none))
    }
}

/// Returns the weight of a range in thousandths; `None` if it is invalid.
fn weight(range: &MediaType<'_>) -> Option<u16> {
    match range.params().find(|(name, _)| *name == "q") {
        Some((_, weight)) => thousandths(weight.as_str()),
        None => Some(1_000),
    }
}

/// Whether a client accepts a content coding by its name. An invalid weight counts as acceptance.
pub fn accepts_coding(request: &Request, coding: &str) -> bool {
    let accepted = request.headers().get(ACCEPT_ENCODING);
    let accepted = accepted.and_then(|value| value.to_str().ok());
    accepted.unwrap_or_default().split(',').any(|given| {
        let (name, weight) = given.split_once(';').unwrap_or((given, ""));
        let weight = weight.trim().strip_prefix("q=").and_then(thousandths);
        name.trim().eq_ignore_ascii_case(coding) && weight != Some(0)
    })
}

/// Parses a weight, in thousandths; `None` if it is invalid (`qvalue` in RFC 9110, 12.4.2).
fn thousandths(text: &str) -> Option<u16> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let fits = fraction.len() <= 3 && fraction.bytes().all(|digit| digit.is_ascii_digit());
    let thousandths: u16 = format!("{fraction:0<3}").parse().ok().filter(|_| fits)?;
    match whole {
        "0" => Some(thousandths),
        "1" if thousandths == 0 => Some(1_000),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use lambda_http::Body;
    use lambda_http::http::Request as HttpRequest;

    use super::*;

    fn wants_csv(accepted: &[&str]) -> bool {
        let request = accepted
            .iter()
            .fold(HttpRequest::builder(), |request, value| {
                request.header(ACCEPT, *value)
            });
        let request = request.body(Body::Empty).unwrap();
        prefers(&request, "text/csv", "application/json")
    }

    #[test]
    fn the_weights_decide_then_exactness_then_order() {
        for accepted in [
            "text/csv",
            "TEXT/CSV",
            " text/csv ; charset=utf-8",
            "text/*",
            "text/csv, */*",
            "text/csv, application/json",
            "application/json;q=0.5, text/csv",
            "text/csv;q=0.9, application/json;q=0.899",
            "application/json;q=0, */*",
            "text/csv;header=present;q=0.1",
            "*/*;q=0.1, text/csv;q=0.2",
        ] {
            assert!(wants_csv(&[accepted]), "{accepted}");
        }
        for accepted in [
            "",
            "*/*",
            "application/json",
            "application/*",
            "application/json, text/csv",
            "text/csv;q=0",
            "text/csv;q=0.000",
            "text/csv;q=0.5, application/json",
            "text/csv;q=0.5, */*",
            "text/csv;q=1.5",
            "text/csv;q=0.1234",
            "text/csv;q=much",
            "text/csvx",
            "text/*;q=1, text/csv;q=0, application/json;q=0.1",
            "image/png",
            "nonsense",
        ] {
            assert!(!wants_csv(&[accepted]), "{accepted}");
        }
        assert!(!wants_csv(&[]));
        assert!(wants_csv(&["application/json;q=0.1", "text/csv"]));
    }

    fn declares(content_type: &str) -> Result<Option<String>, u16> {
        let request = HttpRequest::builder()
            .header(CONTENT_TYPE, content_type)
            .body(Body::Empty)
            .unwrap();
        declared(&request).map_err(|error| error.code().status())
    }

    #[test]
    fn a_body_is_what_it_is_declared_as_and_in_utf_8() {
        for content_type in [
            "application/json",
            "Application/JSON; charset=UTF-8",
            "application/json;charset=\"utf-8\"",
            "application/json; boundary=x; Charset=utf8",
        ] {
            let declared = declares(content_type).unwrap();
            assert_eq!(
                declared.as_deref(),
                Some("application/json"),
                "{content_type}"
            );
        }
        for content_type in [
            "application/json; charset=iso-8859-1",
            "application/json;charset=utf-16",
            "application/json; charset=\"us-ascii\"",
            "application/json; charset=utf-8; charset=latin1",
        ] {
            assert_eq!(declares(content_type), Err(415), "{content_type}");
        }
        assert_eq!(declares("json"), Ok(None));
    }
}
