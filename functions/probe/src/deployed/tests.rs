use aws_credential_types::Credentials;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;

/// Answers one request with this text after the status line. Returns the request.
async fn serve(listener: TcpListener, answer: String) -> String {
    let (mut connection, _) = listener.accept().await.unwrap();
    let mut request = String::new();
    // The head, and as much of a body as it announces.
    loop {
        let mut part = [0; 4096];
        let length = connection.read(&mut part).await.unwrap();
        request += std::str::from_utf8(&part[..length]).unwrap();
        let Some((head, body)) = request.split_once("\r\n\r\n") else {
            continue;
        };
        let announced = head.to_lowercase();
        let announced = announced.split("content-length: ").nth(1);
        let announced = announced.and_then(|rest| rest.lines().next());
        if body.len() >= announced.map_or(0, |length| length.parse().unwrap()) {
            break;
        }
    }
    connection.write_all(answer.as_bytes()).await.unwrap();
    request
}

fn http(status: &str, headers: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "HTTP/1.1 {status}\r\n{headers}connection: close\r\ncontent-length: {length}\r\n\r\n{body}"
    )
}

const ALIAS: &str = "arn:aws:lambda:eu-west-1:123456789012:function:latchkey-GetToken:probe";

/// A service whose Lambda and whose API are at that address.
fn deployed(address: &str) -> Deployed {
    let credentials = Credentials::new("AKID", "secret", Some("session".into()), None, "test");
    let functions = [
        Operation::CreateToken,
        Operation::DeleteToken,
        Operation::GetToken,
        Operation::ListTokens,
        Operation::RevealToken,
        Operation::RevokeToken,
    ];
    Deployed::new(
        format!("{address}/"),
        address.to_owned(),
        "eu-west-1".into(),
        Some(SharedCredentialsProvider::new(credentials)),
        functions.map(|operation| (operation, ALIAS.into())),
    )
}

async fn listen() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    (listener, address)
}

async fn invoked(answer: String) -> (String, Result<Answer, String>) {
    let (listener, address) = listen().await;
    let service = deployed(&address);
    let event = json!({"version": "2.0"});
    tokio::join!(
        serve(listener, answer),
        service.invoke(Operation::GetToken, &event)
    )
}

#[tokio::test]
async fn a_function_is_invoked_by_its_alias_with_a_signed_request() {
    let returned = json!({"statusCode": 404, "body": "{\"code\":\"token_not_found\"}"});
    let (request, answer) = invoked(http("200 OK", "", &returned.to_string())).await;
    let (head, body) = request.split_once("\r\n\r\n").unwrap();
    let arn = ALIAS.replace(':', "%3A").replace('-', "%2D");
    let line = format!("POST /2015-03-31/functions/{arn}/invocations HTTP/1.1\r\n");
    assert!(head.starts_with(&line), "{head}");
    assert_eq!(body, r#"{"version":"2.0"}"#);
    let scope = "/eu-west-1/lambda/aws4_request";
    assert!(
        head.contains("AWS4-HMAC-SHA256 Credential=AKID/") && head.contains(scope),
        "{head}"
    );
    assert!(head.contains("x-amz-security-token: session\r\n"), "{head}");
    let answer = answer.unwrap();
    assert_eq!(answer.to_string(), "404 token_not_found");
}

#[tokio::test]
async fn what_is_no_answer_of_a_function_is_told_without_its_text() {
    let error = r#"{"errorMessage":"lka_secret"}"#;
    let failed = http("200 OK", "x-amz-function-error: Unhandled\r\n", error);
    for (answer, problem) in [
        (failed, "the function crashed or took too long"),
        (http("403 Forbidden", "", error), "Lambda answers 403"),
        (http("429 Too Many", "", error), "Lambda answers 429"),
        (
            http("200 OK", "", error),
            "the function's answer isn't one to the gateway",
        ),
        (
            http("200 OK", "", "no JSON"),
            "the function's answer isn't one to the gateway",
        ),
    ] {
        let (_, answer) = invoked(answer).await;
        assert_eq!(answer.map(|answer| answer.status), Err(problem.to_owned()));
    }
    let (listener, address) = listen().await;
    drop(listener);
    let event = json!({});
    let answer = deployed(&address).invoke(Operation::GetToken, &event).await;
    assert!(answer.is_err_and(|problem| problem.starts_with("no answer: ")));
}

#[tokio::test]
async fn token_info_is_asked_as_a_bearer_asks() {
    let (listener, address) = listen().await;
    let service = deployed(&address);
    let answer = http("401 Unauthorized", "", r#"{"code":"invalid_token"}"#);
    let (request, answer) = tokio::join!(serve(listener, answer), service.token_info("lka_any"));
    assert!(
        request.starts_with("GET /v1/tokenInfo HTTP/1.1\r\n"),
        "{request}"
    );
    assert!(
        request.contains("authorization: Bearer lka_any\r\n"),
        "{request}"
    );
    assert_eq!(answer.unwrap().to_string(), "401 invalid_token");
}
