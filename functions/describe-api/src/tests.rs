//! The operation, without an event: every caller gets the same answer.

use latchkey::testing::Answer;

use super::*;

#[test]
fn the_description_is_answered() {
    let answer = Answer::of(handle());
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), "application/json");
    assert_eq!(answer.json["openapi"], "3.1.0");
    assert!(answer.json["paths"]["/v1/tokenInfo"]["get"].is_object());
}
