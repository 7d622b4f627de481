//! JSON whose objects have no duplicate members. Parsers differ in which duplicate they use. A proxy, or the reader of
//! a log, might therefore see another request than Latchkey.

use std::cell::RefCell;
use std::fmt;

use serde::Deserializer;
use serde::de::{DeserializeSeed, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use super::ApiError;
use crate::domain::text::recorded;

/// Parses a body.
///
/// # Errors
/// [`super::ErrorCode::MalformedJson`] if the body isn't JSON. [`super::ErrorCode::DuplicateKey`] if an object in it,
/// at any depth, has a member more than once.
pub(super) fn parse(body: &[u8]) -> Result<Value, ApiError> {
    let duplicate = RefCell::new(None);
    let mut reader = serde_json::Deserializer::from_slice(body);
    let value = Unique(&duplicate).deserialize(&mut reader);
    let value = value.and_then(|value| reader.end().map(|()| value));
    value.map_err(|error| match duplicate.take() {
        Some(key) => ApiError::duplicate_key(&shown(&key)),
        None => ApiError::malformed_json(format!("the body is not JSON: {error}")),
    })
}

/// Reads a value whose objects have no duplicate members. Keeps the first duplicate member's name.
#[derive(Clone, Copy)]
struct Unique<'a>(&'a RefCell<Option<String>>);

impl<'de> DeserializeSeed<'de> for Unique<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Unique<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut array = Vec::new();
        while let Some(item) = items.next_element_seed(self)? {
            array.push(item);
        }
        Ok(array.into())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some(key) = members.next_key::<String>()? {
            if object.contains_key(&key) {
                self.0.replace(Some(key));
                return Err(A::Error::custom("a member is given more than once"));
            }
            let value = members.next_value_seed(self)?;
            object.insert(key, value);
        }
        Ok(object.into())
    }
}

/// The largest length of a stranger's name for something in a response, in characters.
const MAX_SHOWN: usize = 64;

/// Returns a stranger's name for something, safe to show in a response: without secrets, and shortened to
/// [`MAX_SHOWN`] characters.
pub(super) fn shown(name: &str) -> String {
    recorded(name, MAX_SHOWN)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::ErrorCode;
    use super::*;
    use crate::testing;

    fn code(text: &str) -> (&'static str, String) {
        match parse(text.as_bytes()) {
            Ok(value) => ("", value.to_string()),
            Err(error) => (error.code().as_str(), error.detail().to_owned()),
        }
    }

    #[test]
    fn a_member_that_is_given_twice_is_named_and_its_values_are_not() {
        for text in [
            r#"{"scope": "one", "scope": "two"}"#,
            r#"{"scope": "one", "sc\u006fpe": "two"}"#,
            r#"{"a": {"b": [1, {"scope": "one", "x": 1, "scope": "one"}]}}"#,
            r#"{"scope": null, "scope": null}"#,
            r#"[{"scope": {}, "scope": []}"#,
        ] {
            let (code, detail) = code(text);
            assert_eq!(code, "duplicate_key", "{text}");
            assert_eq!(detail, "`scope` is given more than once", "{text}");
        }
        let same =
            r#"{"a": {"scope": 1}, "b": {"scope": 1}, "scope": [{"scope": 1}, {"scope": 1}]}"#;
        assert_eq!(code(same).0, "");
    }

    #[test]
    fn a_name_is_told_back_without_a_secret_and_not_whole_if_it_is_endless() {
        let secret = testing::plain(&testing::plain_secret());
        let long = "x".repeat(10_000);
        let (_, detail) = code(&format!(r#"{{"{secret}": 1, "{secret}": 1}}"#));
        assert!(!detail.contains(&secret[4..]), "{detail}");
        let (_, detail) = code(&format!(r#"{{"{long}": 1, "{long}": 1}}"#));
        assert!(detail.len() < 100, "{detail}");
    }

    #[test]
    fn what_is_no_json_is_said_to_be_none() {
        let deep = "[".repeat(10_000);
        for text in [
            "",
            "{",
            "{}}",
            "nope",
            "{\"a\": 1,}",
            "1e999",
            "\u{feff}{}",
            &deep,
        ] {
            assert_eq!(code(text).0, "malformed_json", "{text:.20}");
        }
        assert_eq!(
            parse(b"{\"a\": \"\xff\"}").unwrap_err().code(),
            ErrorCode::MalformedJson
        );
    }

    fn json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            (-1e9..1e9).prop_map(Value::from),
            ".{0,8}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 32, 4, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                proptest::collection::btree_map(".{0,8}", inner, 0..4)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn all_other_json_is_read_as_it_is(value in json()) {
            let text = value.to_string();
            let read: Value = serde_json::from_str(&text).unwrap();
            prop_assert_eq!(parse(text.as_bytes()).unwrap(), read);
        }
    }
}
