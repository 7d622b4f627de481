//! CloudTrail's event history, as far as the watch asks for it.

use serde_json::{Value, json};

/// The number of events in an answer. AWS's is 50.
const PAGE: usize = 2;

/// Returns the answer to `LookupEvents` by an event's name: the newest events of the time first, page by page.
pub(crate) fn lookup(events: &[Value], request: &Value) -> Value {
    let [attribute] = &request["LookupAttributes"].as_array().unwrap()[..] else {
        panic!("AWS takes one attribute: {request}");
    };
    assert_eq!(attribute["AttributeKey"], "EventName");
    let seconds = |time: &Value| time.as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
    let bound = |name: &str| request[name].as_f64().unwrap();
    let (from, to) = (bound("StartTime"), bound("EndTime"));
    let mut found: Vec<_> = events
        .iter()
        .filter(|event| event["eventName"] == attribute["AttributeValue"])
        .map(|event| (seconds(&event["eventTime"]).as_second(), event))
        .filter(|(time, _)| {
            let time = f64::from(i32::try_from(*time).unwrap());
            from <= time && time <= to
        })
        .collect();
    found.sort_by_key(|(time, _)| std::cmp::Reverse(*time));
    let start = request["NextToken"]
        .as_str()
        .map_or(0, |token| token.parse().unwrap());
    let end = found.len().min(start + PAGE);
    let shown = found[start..end].iter().map(|(time, event)| {
        json!({
            "EventId": event["eventID"],
            "EventName": event["eventName"],
            "EventTime": time,
            "CloudTrailEvent": event.to_string(),
        })
    });
    let mut answer = json!({"Events": shown.collect::<Vec<_>>()});
    if end < found.len() {
        answer["NextToken"] = json!(end.to_string());
    }
    answer
}
