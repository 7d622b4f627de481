//! Cursors of lists. They are opaque, and valid only for the list that issued them.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

use super::{ApiError, ErrorCode};

const TAG_LENGTH: usize = 9;

/// Returns the cursor of a position in a list. `list` names the list with its account and filters. The cursor is
/// invalid in any other list.
///
/// The tag prevents the use with another list by mistake. It isn't secret and needn't be: a cursor only selects a
/// place in a list that the caller may read.
pub fn encode(list: &str, position: &str) -> String {
    let mut bytes = tag(list, position).to_vec();
    bytes.extend_from_slice(position.as_bytes());
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Returns the cursor's position in the list.
///
/// # Errors
/// [`ErrorCode::InvalidCursor`] if this list didn't issue the cursor.
pub fn decode(list: &str, cursor: &str) -> Result<String, ApiError> {
    let bytes = URL_SAFE_NO_PAD
        .decode(cursor)
        .map_err(|_| ErrorCode::InvalidCursor)?;
    let (given, position) = bytes
        .split_at_checked(TAG_LENGTH)
        .ok_or(ErrorCode::InvalidCursor)?;
    let position = std::str::from_utf8(position).map_err(|_| ErrorCode::InvalidCursor)?;
    if given == tag(list, position) {
        Ok(position.into())
    } else {
        Err(ErrorCode::InvalidCursor.into())
    }
}

fn tag(list: &str, position: &str) -> [u8; TAG_LENGTH] {
    let mut hash = Sha256::new();
    hash.update(list.len().to_be_bytes());
    hash.update(list);
    hash.update(position);
    let digest: [u8; 32] = hash.finalize().into();
    digest.first_chunk().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_cursor_leads_back_to_its_position(list: String, position: String) {
            prop_assert_eq!(decode(&list, &encode(&list, &position)).unwrap(), position);
        }

        #[test]
        fn a_tampered_cursor_is_refused(position in "tok_[0-9A-Z]{26}", at: prop::sample::Index, to in "[A-Za-z0-9_-]") {
            let cursor = encode("tokens acme", &position);
            let at = at.index(cursor.len());
            let tampered = format!("{}{to}{}", &cursor[..at], &cursor[at + 1..]);
            prop_assume!(tampered != cursor);
            prop_assert!(decode("tokens acme", &tampered).is_err());
        }
    }

    #[test]
    fn a_foreign_cursor_is_refused() {
        let cursor = encode("tokens acme", "tok_1");
        assert!(decode("tokens globex", &cursor).is_err());
        assert!(decode("tokens acme", "").is_err());
        assert!(decode("tokens acme", "!!").is_err());
    }
}
