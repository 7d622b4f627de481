//! The load: clients of which each leads one token through its life, asks again when there is no answer, and notes what
//! it was answered.

use std::time::{Duration, Instant};

use end_to_end::{Account, Answer, USER_AGENT};
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use crate::answers::{Shape, is_collision, is_earlier, possible, shape};
use crate::check::hash_of;
use crate::cloud::{Cloud, When};
use crate::known::{Known, Presented, Secret, State, Status};
use crate::probe::Probe;
use crate::random::Random;
use crate::tally::{Tally, add, when};

/// After so many attempts, a call is left in peace, so that it gets an answer some time.
const KILLED_ATTEMPTS: usize = 3;

/// In so many of a hundred attempts, the function of a change is killed.
const KILLED_CHANGES: usize = 70;

/// The same for verifications and viewings, of which there are more.
const KILLED_READS: usize = 15;

/// How long a call may go without an answer, the restarts included.
const PATIENCE: Duration = Duration::from_secs(120);

/// How a token's secret can be verified: by the authorizer, by its bearer, by another API.
const VERIFIERS: [&str; 3] = ["authorize", "token-info", "introspect-token"];

/// A client and its token.
pub(crate) struct Client<'a> {
    pub(crate) cloud: &'a Cloud,
    pub(crate) account: &'a Account,
    /// The secret of a token that asks about others.
    pub(crate) asker: &'a str,
    pub(crate) tally: &'a Tally,
    /// Chooses the operations. What is chosen doesn't depend on what is killed.
    pub(crate) choices: Random,
    /// Chooses what is killed, and when.
    pub(crate) kills: Random,
    /// Kills nothing.
    pub(crate) calm: bool,
    pub(crate) label: String,
}

impl Client<'_> {
    /// Creates a token and leads it through these operations; without them, through `random` operations.
    pub(crate) async fn live(&mut self, script: &[&'static str], random: usize) -> Known {
        let mut token = self.create().await;
        for function in script {
            token = self.step(token, function).await;
        }
        for _ in 0..random {
            if token.status == Status::Deleted {
                break;
            }
            let possible = possible(&token);
            let function = possible[self.choices.below(possible.len())];
            token = self.step(token, function).await;
        }
        add(&self.tally.done, 1);
        token
    }

    /// Does one operation, then presents the secrets.
    async fn step(&mut self, token: Known, function: &'static str) -> Known {
        let mut token = self.operate(token, function).await;
        // An ended secret must not work from the answer on, and the others must.
        self.present_all(&mut token).await;
        token
    }

    async fn operate(&mut self, token: Known, function: &'static str) -> Known {
        match function {
            "update-token" => {
                let mut after = token.changed("update");
                after.description = format!("Version {}", after.version);
                let body = json!({"description": after.description});
                self.change(function, &token, after, Method::PATCH, "", Some(body))
                    .await
            }
            "revoke-token" => {
                let after = token.changed("revoke").with_status(Status::Revoked);
                let after = after.turn(State::Retired, State::Ended);
                let body = json!({"reason": "a test"});
                self.change(function, &token, after, Method::POST, "/revoke", Some(body))
                    .await
            }
            "reactivate-token" => {
                let after = token.changed("reactivate").with_status(Status::Active);
                self.change(function, &token, after, Method::POST, "/reactivate", None)
                    .await
            }
            "retire-secret" => {
                let after = token.changed("retire").turn(State::Retired, State::Ended);
                self.change(function, &token, after, Method::POST, "/retire", None)
                    .await
            }
            "delete-token" => {
                let after = token.changed("delete").with_status(Status::Deleted);
                let after = after.turn(State::Current, State::Ended);
                self.change(function, &token, after, Method::DELETE, "", None)
                    .await
            }
            "revoke-by-secret" => {
                let current = token.secrets.iter().find(|it| it.state == State::Current);
                let current = current.expect("a current secret").text.clone();
                let after = token.changed("revoke").with_status(Status::Revoked);
                let after = after.turn(State::Current, State::Compromised);
                let after = after.turn(State::Retired, State::Ended);
                let stack = &self.account.stack;
                let request = || {
                    let request = stack.api(Method::POST, "/v1/revoke");
                    request.form(&[("token", &current)])
                };
                self.settle(function, &token, &after, request).await;
                self.read_back(&after).await;
                after
            }
            "regenerate-token" => {
                let first = !token.has(State::Retired);
                let grace = token.status == Status::Active && (first || self.choices.percent(50));
                self.regenerate(token, grace).await
            }
            "reveal-token" => {
                let mut token = token;
                let shown = self.reveal(&mut token).await;
                let current = token.secrets.last().map(|secret| secret.text.as_str());
                assert_eq!(Some(shown.as_str()), current, "{}", token.id);
                token
            }
            _ => unreachable!("{function} isn't an operation of the load"),
        }
    }

    async fn create(&mut self) -> Known {
        let (account, label) = (self.account, self.label.clone());
        let body = json!({"name": label, "autoPurge": "1h", "scope": {"type": "full"}});
        let request = || {
            let request = account.post(&account.owner, "/tokens").json(&body);
            request.header("idempotency-key", &label)
        };
        let nothing = Known::created("", &label);
        let answer = self.settle("create-token", &nothing, &nothing, request);
        let json = answer.await.json();
        let id = json["token"]["id"].as_str().expect("an id");
        let mut token = Known::created(id, &label);
        self.read_back(&token).await;
        self.receive(&mut token, &json).await;
        self.present_all(&mut token).await;
        token
    }

    async fn regenerate(&mut self, token: Known, grace: bool) -> Known {
        let account = self.account;
        let path = format!("/tokens/{}/regenerate", token.id);
        let key = format!("{}-{}", self.label, token.version);
        let body = json!({"gracePeriodSeconds": if grace { 3600 } else { 0 }});
        let request = || {
            let request = account.post(&account.owner, &path).json(&body);
            request.header("idempotency-key", &key)
        };
        // The replaced secret before this one ends. A compromised one stays so.
        let after = token
            .changed("regenerate")
            .turn(State::Retired, State::Ended);
        let left = if grace { State::Retired } else { State::Ended };
        let mut after = after.turn(State::Current, left);
        let answer = self
            .settle("regenerate-token", &token, &after, request)
            .await;
        self.read_back(&after).await;
        self.receive(&mut after, &answer.json()).await;
        after
    }

    /// Takes a new secret from the answer, or has it shown if the answer with it was lost.
    async fn receive(&mut self, token: &mut Known, answer: &Value) {
        let text = match answer["secret"].as_str() {
            Some(secret) => secret.to_owned(),
            None => self.reveal(token).await,
        };
        let state = State::Current;
        token.secrets.push(Secret { text, state });
    }

    async fn reveal(&mut self, token: &mut Known) -> String {
        let (id, path) = (token.id.clone(), format!("/tokens/{}/reveal", token.id));
        let until = Instant::now() + PATIENCE;
        for number in 0.. {
            let request = self.account.post(&self.account.owner, &path);
            token.views.1 += 1;
            let (when, probe) = (
                self.when(number, KILLED_READS),
                Probe::viewings(&self.account.id, &id),
            );
            let call = self
                .tally
                .call(self.cloud, "reveal-token", request, when, probe);
            if let Some(answer) = call.await {
                if is_collision(&answer) {
                    continue;
                }
                token.views.0 += 1;
                let secret = answer.expect(200)["secret"].take();
                return secret.as_str().expect("a secret").to_owned();
            }
            pause(until).await;
        }
        unreachable!("the numbers have no end")
    }

    /// Makes a change that names the version to which it applies.
    async fn change(
        &mut self,
        function: &'static str,
        before: &Known,
        after: Known,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> Known {
        let account = self.account;
        let path = format!("/tokens/{}{path}", before.id);
        let version = format!("\"{}\"", before.version);
        let request = || {
            let request = account.request(method.clone(), &account.owner, &path);
            let request = request.header("if-match", &version);
            match &body {
                Some(body) => request.json(body),
                None => request,
            }
        };
        self.settle(function, before, &after, request).await;
        self.read_back(&after).await;
        after
    }

    /// Repeats a change until it is answered. After each attempt without an answer, the token must be as before or as
    /// after the change.
    async fn settle(
        &mut self,
        function: &'static str,
        before: &Known,
        after: &Known,
        request: impl Fn() -> RequestBuilder,
    ) -> Answer {
        let until = Instant::now() + PATIENCE;
        let partition = format!("ACCOUNT#{}", self.account.id);
        for number in 0.. {
            let probe = match before.id.as_str() {
                "" => Probe::token_named(&self.account.id, &self.label),
                id => Probe::item(&partition, &format!("TOKEN#{id}")),
            };
            let when = self.when(number, KILLED_CHANGES);
            let call = self
                .tally
                .call(self.cloud, function, request(), when, probe);
            match call.await {
                Some(answer) if is_collision(&answer) => {}
                Some(answer) => {
                    let what = format!("{function} of {}: {}", before.id, answer.text);
                    let earlier = is_earlier(function, &answer).expect(&what);
                    assert!(number > 0 || !earlier, "the first attempt: {what}");
                    add(&self.tally.changes, 1);
                    if earlier {
                        add(&self.tally.effects, 1);
                    }
                    return answer;
                }
                None if before.id.is_empty() => {}
                None => {
                    let found = self.read(&before.id).await;
                    let whole = [shape(before), shape(after)];
                    assert!(
                        whole.contains(&found),
                        "half of {function}: {found:?}, {whole:?}"
                    );
                }
            }
            pause(until).await;
        }
        unreachable!("the numbers have no end")
    }

    /// The token must be as it was answered.
    async fn read_back(&self, token: &Known) {
        assert_eq!(self.read(&token.id).await, shape(token), "{}", token.id);
    }

    async fn read(&self, id: &str) -> Shape {
        let until = Instant::now() + PATIENCE;
        loop {
            let request = self
                .account
                .get(&self.account.owner, &format!("/tokens/{id}"));
            let probe = Probe::Mails;
            match self
                .tally
                .call(self.cloud, "get-token", request, None, probe)
                .await
            {
                Some(answer) if answer.status == 404 => return None,
                Some(answer) => {
                    let token = answer.expect(200);
                    let text = |name: &str| token[name].as_str().unwrap_or_default().to_owned();
                    let version = token["version"].as_u64().expect("a version");
                    return Some((text("status"), version, text("description")));
                }
                None => pause(until).await,
            }
        }
    }

    /// Presents every secret that the token has or had.
    pub(crate) async fn present_all(&mut self, token: &mut Known) {
        for secret in token.secrets.clone() {
            let must_work = token.works(&secret);
            let verifier = VERIFIERS[self.choices.below(VERIFIERS.len())];
            let worked = self.present(verifier, &secret.text).await;
            token.presented.push(Presented {
                secret: secret.text,
                must_work,
                worked,
            });
        }
    }

    async fn present(&mut self, verifier: &'static str, secret: &str) -> bool {
        let until = Instant::now() + PATIENCE;
        let stack = &self.account.stack;
        let seen = format!("SEEN#{}", hash_of(secret));
        for number in 0.. {
            let request = match verifier {
                "authorize" => stack
                    .protected(Method::GET, "/v1/connections")
                    .bearer_auth(secret),
                "token-info" => stack.api(Method::GET, "/v1/tokenInfo").bearer_auth(secret),
                _ => {
                    let request = stack.api(Method::POST, "/v1/introspect");
                    request.bearer_auth(self.asker).form(&[("token", secret)])
                }
            };
            let request = request.header("user-agent", USER_AGENT);
            let when = self.when(number, KILLED_READS);
            let probe = Probe::item(&seen, "SEEN");
            let call = self.tally.call(self.cloud, verifier, request, when, probe);
            if let Some(answer) = call.await {
                return match (verifier, answer.status) {
                    ("introspect-token", 200) => answer.json()["active"] == true,
                    ("authorize" | "token-info", 200) => true,
                    ("authorize" | "token-info", 401 | 403) => false,
                    _ => panic!("{verifier}: {} {}", answer.status, answer.text),
                };
            }
            pause(until).await;
        }
        unreachable!("the numbers have no end")
    }

    fn when(&mut self, number: usize, percent: usize) -> Option<When> {
        let when = when(&mut self.kills, percent);
        when.filter(|_| number < KILLED_ATTEMPTS && !self.calm)
    }
}

async fn pause(until: Instant) {
    assert!(Instant::now() < until, "no answer in {PATIENCE:?}");
    tokio::time::sleep(Duration::from_millis(50)).await;
}
