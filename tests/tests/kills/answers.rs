//! What the answers mean, and what may be asked next.

use end_to_end::Answer;

use crate::known::{Known, State, Status};

/// Status, version and description; `None` if there is no token.
pub(crate) type Shape = Option<(String, u64, String)>;

pub(crate) fn shape(token: &Known) -> Shape {
    let status = token.status.as_str().to_owned();
    let exists = token.status != Status::Deleted;
    exists.then(|| (status, token.version, token.description.clone()))
}

/// Whether an earlier attempt made the change to which this is the answer; `None` if it is another answer.
pub(crate) fn is_earlier(function: &str, answer: &Answer) -> Option<bool> {
    let has_secret = answer.json()["secret"].is_string();
    match (function, answer.status) {
        ("create-token", 201) => Some(!has_secret),
        ("create-token" | "regenerate-token", 200) => Some(!has_secret),
        ("delete-token", 204) => Some(false),
        ("delete-token", 404) => Some(true),
        // The answer is the same in both cases.
        ("revoke-by-secret", 200) => Some(false),
        ("create-token" | "regenerate-token" | "delete-token" | "revoke-by-secret", _) => None,
        (_, 200) => Some(false),
        (_, 412) => Some(true),
        _ => None,
    }
}

/// Whether a transaction collided with another one, such as that of an attempt whose function was killed.
pub(crate) fn is_collision(answer: &Answer) -> bool {
    answer.status == 409 && answer.code() == "conflict"
}

/// The operations that a token can go through next.
pub(crate) fn possible(token: &Known) -> Vec<&'static str> {
    let mut possible = vec!["update-token", "reveal-token", "regenerate-token"];
    match token.status {
        Status::Active => possible.extend(["revoke-token", "revoke-by-secret"]),
        Status::Revoked => possible.push("delete-token"),
        Status::Deleted => return vec![],
    }
    let current = token.has(State::Current);
    if token.status == Status::Revoked && current {
        possible.push("reactivate-token");
    }
    if token.has(State::Retired) {
        possible.push("retire-secret");
    }
    possible
}
