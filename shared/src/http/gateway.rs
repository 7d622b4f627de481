//! Requests as the gateway sends them, made into what HTTP's types can hold.

use lambda_http::Request;
use lambda_http::request::LambdaRequest;
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

/// The characters that a query can't hold as they are (RFC 3986, 3.4). Escapes stay escapes.
const NOT_IN_QUERY: &AsciiSet = &CONTROLS.add(b' ').add(b'"').add(b'#').add(b'<').add(b'>');

/// Escapes in the query what the client should have escaped. The gateway may pass a query on as the client sent it, and
/// the conversion into a [`Request`] panics if it isn't that of a URI. The parameters mean the same afterwards.
pub(super) fn escaped(mut event: LambdaRequest) -> LambdaRequest {
    if let LambdaRequest::ApiGatewayV2(request) = &mut event
        && let Some(query) = &mut request.raw_query_string
    {
        *query = utf8_percent_encode(query, NOT_IN_QUERY).to_string();
    }
    event
}

/// Returns the request in a gateway's event, as [`super::serve`] passes it on.
///
/// # Errors
/// When `event` isn't a gateway's event.
pub fn request(event: &str) -> Result<Request, serde_json::Error> {
    serde_json::from_str(event).map(|event| escaped(event).into())
}

#[cfg(test)]
mod tests {
    use lambda_http::RequestExt;

    use crate::testing::Event;

    /// Returns the value of a parameter that the client didn't escape.
    fn value(query: &str) -> String {
        let sample = include_str!("../../../events/list-tokens/first-page.json");
        let request = Event::sample(sample).query(query).request();
        let parameters = request.query_string_parameters();
        parameters.first("keywords").unwrap().to_owned()
    }

    #[test]
    fn a_query_that_the_client_did_not_escape_means_what_it_says() {
        for text in [
            "<b>",
            "say \"yes\"",
            "#1",
            "a b",
            "é",
            "\u{7f}\t",
            "{|}^`\\[]",
        ] {
            assert_eq!(value(&format!("keywords={text}")), text);
        }
        assert_eq!(value("keywords=%3Cb%3e+%22%25"), "<b> \"%");
        assert_eq!(value("keywords=100%"), "100%");
    }
}
