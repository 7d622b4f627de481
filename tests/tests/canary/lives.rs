//! Secrets in every state of their life, at every door that takes a secret.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use end_to_end::{Account, Answer, ScannerKey, Stack, eventually, send};
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use crate::doors::Answered;

/// Secrets, each with what is known of it.
pub(crate) type Secrets = Vec<(String, String)>;

/// Lives of tokens.
pub(crate) struct Lives<'a> {
    account: &'a Account,
    scanner: &'a ScannerKey,
    secrets: Secrets,
    answers: Vec<Answered>,
}

fn text(value: &Value) -> String {
    value.as_str().expect("a string").to_owned()
}

/// Publishes a scanner's key. Waits until the function has it.
pub(crate) async fn scanner(stack: &Stack) -> ScannerKey {
    let key = ScannerKey::new("canary");
    stack.publish_scanner_keys(&[key.published(true)]).await;
    eventually("the scanner's key", async || {
        let answer = send(key.report(stack, "[]")).await;
        (answer.status == 200).then_some(())
    })
    .await;
    key
}

/// Lets secrets live and presents them in every state. Returns them with all answers.
pub(crate) async fn live(account: &Account, scanner: &ScannerKey) -> (Secrets, Vec<Answered>) {
    let mut lives = Lives {
        account,
        scanner,
        secrets: vec![],
        answers: vec![],
    };
    lives.run().await;
    (lives.secrets, lives.answers)
}

impl Lives<'_> {
    fn keep(&mut self, route: &str, place: &str, answer: Answer) {
        self.answers.push(Answered {
            route: route.into(),
            place: place.into(),
            answer,
        });
    }

    /// Sends a request that hands a secret over, and again with the same `Idempotency-Key`: that hands none over.
    async fn handed_over(&mut self, what: &str, path: &str, body: &Value) -> (String, String) {
        let request = || {
            let request = self.account.post(&self.account.owner, path);
            request
                .header("idempotency-key", what.replace(' ', "-"))
                .json(body)
        };
        let (first, again) = (send(request()).await, send(request()).await);
        let answer = first.json();
        let (token, secret) = (text(&answer["token"]["id"]), text(&answer["secret"]));
        assert!(
            again.status == 200 && again.json()["secret"].is_null(),
            "{}",
            again.text
        );
        self.secrets.push((what.to_owned(), secret.clone()));
        self.keep(what, "the repeat", again);
        self.keep(what, "the first", first);
        (token, secret)
    }

    async fn created(&mut self, what: &str, kind: &str) -> (String, String) {
        let mut body = json!({"name": what, "autoPurge": "1h", "scope": {"type": "full"}});
        if kind == "integrationApp" {
            body["kind"] = json!(kind);
            body["integrationId"] = json!("app-1");
        }
        self.handed_over(what, "/tokens", &body).await
    }

    async fn regenerated(&mut self, what: &str, token: &str, grace: u64) -> String {
        let path = format!("/tokens/{token}/regenerate");
        let body = json!({"gracePeriodSeconds": grace});
        self.handed_over(what, &path, &body).await.1
    }

    async fn run(&mut self) {
        let (_, asker) = self.created("asker", "account").await;
        let (token, ended) = self.created("ended", "account").await;
        let retired = self.regenerated("retired", &token, 0).await;
        let current = self.regenerated("current", &token, 600).await;
        let (revoked_token, revoked) = self.created("revoked", "account").await;
        self.act("revoke", &revoked_token, &revoked).await;
        let (_, app) = self.created("app", "integrationApp").await;
        let (_, given_up) = self.created("given up", "account").await;
        self.end("given up", &given_up).await;
        for (state, secret) in [
            ("ended", &ended),
            ("retired", &retired),
            ("current", &current),
            ("revoked", &revoked),
            ("of an app", &app),
            ("compromised", &given_up),
        ] {
            self.present(state, secret, &asker).await;
        }
        self.show(&token).await;
        self.show(&revoked_token).await;
        for (state, secret) in [
            ("ended", &ended),
            ("retired", &retired),
            ("current", &current),
        ] {
            self.report(state, secret).await;
        }
        self.end("retired", &retired).await;
        self.end("of an app", &app).await;
    }

    /// Presents a secret wherever APIs do.
    async fn present(&mut self, state: &str, secret: &str, asker: &str) {
        let stack = &self.account.stack;
        let mut requests: Vec<(String, RequestBuilder)> = Vec::new();
        for (method, path) in [
            (Method::GET, "/v1/exports/exp"),
            (Method::POST, "/v1/exports/exp/invoke"),
            (Method::POST, "/v1/mcpServers/one"),
            (Method::POST, "/mcp"),
        ] {
            let http = stack.protected(method.clone(), path).bearer_auth(secret);
            let rest = stack.protected_rest(method, path).bearer_auth(secret);
            requests.push((format!("HTTP API {path}"), http));
            requests.push((format!("REST API {path}"), rest));
        }
        let path = format!("/v1/exports/{secret}");
        requests.push((
            "HTTP API, also in path, query and user agent".into(),
            stack
                .protected(Method::GET, &format!("{path}?token={secret}"))
                .header(
                    "user-agent",
                    format!("curl -H Authorization: Bearer {secret}"),
                )
                .bearer_auth(secret),
        ));
        for (place, query) in [
            ("tokenInfo", String::new()),
            ("tokenInfo on a call", format!("?method=GET&path={path}")),
            (
                "tokenInfo on no call",
                format!("?method={secret}&path={secret}"),
            ),
        ] {
            let info = stack.api(Method::GET, &format!("/v1/tokenInfo{query}"));
            requests.push((place.into(), info.bearer_auth(secret)));
        }
        let introspect = || stack.api(Method::POST, "/v1/introspect");
        let form = |token: &str| {
            [
                ("token", token.to_owned()),
                ("client_ip", "203.0.113.9".into()),
            ]
        };
        requests.push((
            "introspection".into(),
            introspect().bearer_auth(asker).form(&form(secret)),
        ));
        requests.push((
            "asking by introspection".into(),
            introspect().bearer_auth(secret).form(&form(asker)),
        ));
        let basic = introspect().basic_auth("tok_01ARZ3NDEKTSV4RRFFQ69G5FAV", Some(secret));
        requests.push(("asking as a client".into(), basic.form(&form(asker))));
        let posted = [
            ("client_id", "canary"),
            ("client_secret", secret),
            ("token", secret),
        ];
        requests.push(("asking in the form".into(), introspect().form(&posted)));
        let address = [("token", secret), ("client_ip", secret), (secret, secret)];
        requests.push((
            "introspection all over".into(),
            introspect().bearer_auth(asker).form(&address),
        ));
        for (place, request) in requests {
            let answer = send(request).await;
            self.keep(&format!("{state} secret"), &place, answer);
        }
    }

    /// Has the secret of a token shown.
    async fn show(&mut self, token: &str) {
        for language in ["en", "de-CH, de;q=0.7, *;q=0.1"] {
            let request = self
                .account
                .post(&self.account.owner, &format!("/tokens/{token}/reveal"));
            let answer = send(request.header("accept-language", language)).await;
            self.keep("reveal-token", language, answer);
        }
    }

    /// Does something with a token, in the way that names its secret.
    async fn act(&mut self, operation: &str, token: &str, secret: &str) {
        let path = format!("/tokens/{token}/{operation}");
        let basic = STANDARD.encode(format!("{token}:{secret}"));
        for reason in [secret.to_owned(), basic, "lost".to_owned()] {
            let request = self.account.post(&self.account.owner, &path);
            let answer = send(request.json(&json!({"reason": reason}))).await;
            self.keep(operation, "reason", answer);
        }
    }

    /// Ends a secret, as its holder can.
    async fn end(&mut self, state: &str, secret: &str) {
        for body in [
            format!("token={secret} and more"),
            format!("token={secret}&token_type_hint={secret}&{secret}={secret}"),
            format!("token={secret}"),
        ] {
            let request = self
                .account
                .stack
                .api(Method::POST, "/v1/revoke")
                .body(body);
            let request = request.header("content-type", "application/x-www-form-urlencoded");
            let answer = send(request).await;
            self.keep("revoke-by-secret", state, answer);
        }
    }

    /// Reports a secret as leaked: unsigned, signed and malformed, and as it should be.
    async fn report(&mut self, state: &str, secret: &str) {
        let stack = &self.account.stack;
        let report = |token: &str, rest: &str| {
            format!(
                "[{{\"token\":\"{token}\",\"type\":\"latchkey_api_token\",\"source\":\"{rest}\",\
                 \"url\":\"https://example.com/search?q={rest}&page=1\"}}]"
            )
        };
        let basic = STANDARD.encode(format!("Bearer {secret}"));
        let good = report(secret, &basic);
        let signature = self.scanner.sign(&good);
        let found = [
            (
                "unsigned",
                stack
                    .api(Method::POST, "/v1/leaks/github")
                    .body(good.clone()),
            ),
            (
                "signed by nobody",
                stack.leak_report("canary", secret, &good),
            ),
            (
                "with a secret as the key's id",
                stack.leak_report(secret, &signature, &good),
            ),
            (
                "malformed",
                self.scanner
                    .report(stack, &format!("[{{\"token\": \"{secret}")),
            ),
            (
                "of another form",
                self.scanner
                    .report(stack, &format!("{{\"{secret}\": \"{secret}\"}}")),
            ),
            (
                "with a type that is a secret",
                self.scanner
                    .report(stack, &good.replace("[{", &format!("[{{\"{secret}\":1,"))),
            ),
            (
                "with more than the secret",
                self.scanner
                    .report(stack, &report(&format!("Bearer {secret}"), secret)),
            ),
            (
                "with a secret as its type",
                self.scanner
                    .report(stack, &good.replace("latchkey_api_token", secret)),
            ),
            ("as it should be", self.scanner.report(stack, &good)),
        ];
        for (place, request) in found {
            let answer = send(request).await;
            self.keep("receive-leak-report", &format!("{state}, {place}"), answer);
        }
    }
}
