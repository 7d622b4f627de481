//! The APIs of the local cloud itself.

use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{
    PayloadChecksumKind, PercentEncodingMode, SignableBody, SignableRequest, SigningSettings, sign,
};
use aws_sigv4::sign::v4;
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use crate::{Answer, Attempt, Stack, send};

/// The maximum number of log lines in an answer.
const MAX_LINES: usize = 10_000;

/// A time after every log line, in milliseconds since 1970: the year 2100.
const MAX_TIME: i64 = 4_102_444_800_000;

impl Stack {
    /// Returns the request that calls an operation of a service with a JSON protocol.
    pub fn aws_request(&self, service: &str, target: &str, body: &Value) -> RequestBuilder {
        let headers = [
            ("content-type", "application/x-amz-json-1.1"),
            ("x-amz-target", target),
        ];
        self.signed(Method::POST, service, "/", &headers, body.to_string())
    }

    /// Calls an operation of a service with a JSON protocol. `target` is the header `X-Amz-Target`. Returns the
    /// response's body.
    ///
    /// # Panics
    /// If the local cloud refuses the request.
    pub async fn aws(&self, service: &str, target: &str, body: Value) -> Value {
        let answer = send_until_served(self.aws_request(service, target, &body)).await;
        assert_eq!(answer.status, 200, "{target} {body}: {}", answer.text);
        answer.json()
    }

    /// Calls an operation of IAM. Returns the response's body, which is XML.
    ///
    /// # Panics
    /// If the local cloud refuses the request.
    pub async fn iam(&self, action: &str, parameters: &[(&str, &str)]) -> String {
        self.query("iam", "2010-05-08", action, parameters).await
    }

    /// Calls an operation of a service with the query protocol. The parameters' values must be percent-encoded. Returns
    /// the response's body, which is XML.
    ///
    /// # Panics
    /// If the local cloud refuses the request.
    pub async fn query(
        &self,
        service: &str,
        version: &str,
        action: &str,
        parameters: &[(&str, &str)],
    ) -> String {
        let Attempt { headers, body, .. } = Attempt::query(service, version, action, parameters);
        let request = self.signed(Method::POST, service, "/", &headers, body);
        let answer = send_until_served(request).await;
        assert_eq!(answer.status, 200, "{action}: {}", answer.text);
        answer.text
    }

    /// Returns the configuration of every function.
    pub async fn functions(&self) -> Vec<Value> {
        let path = "/2015-03-31/functions/?MaxItems=50";
        let request = self.signed(Method::GET, "lambda", path, &[], String::new());
        let page = send_until_served(request).await.expect(200);
        assert!(page["NextMarker"].as_str().is_none_or(str::is_empty));
        page["Functions"].as_array().expect("functions").clone()
    }

    /// Returns the configuration of a function of the main stack, by its name in the template.
    ///
    /// # Panics
    /// If there is no such function.
    pub async fn function(&self, name: &str) -> Value {
        let prefix = format!("latchkey-{name}Function");
        let is_it = |f: &Value| {
            let name = f["FunctionName"].as_str();
            name.is_some_and(|name| name.starts_with(&prefix))
        };
        let functions = self.functions().await;
        functions.into_iter().find(is_it).expect("the function")
    }

    /// Returns the request that invokes a function, by the name in its configuration.
    pub fn invocation(&self, name: &str, event: &Value) -> RequestBuilder {
        let path = format!("/2015-03-31/functions/{name}/invocations");
        self.signed(Method::POST, "lambda", &path, &[], event.to_string())
    }

    /// Returns the published versions of a function, by the name in its configuration, oldest first.
    pub async fn versions(&self, name: &str) -> Vec<String> {
        let path = format!("/2015-03-31/functions/{name}/versions");
        let request = self.signed(Method::GET, "lambda", &path, &[], String::new());
        let page = send_until_served(request).await.expect(200);
        let versions = page["Versions"].as_array().expect("versions").iter();
        let numbers = versions.map(|version| version["Version"].as_str().expect("a number"));
        let numbers = numbers.filter(|number| *number != "$LATEST");
        numbers.map(str::to_owned).collect()
    }

    /// Returns the version that a function's callers call, by the name in its configuration.
    pub async fn called_version(&self, name: &str) -> String {
        let path = format!("/2015-03-31/functions/{name}/aliases/live");
        let request = self.signed(Method::GET, "lambda", &path, &[], String::new());
        let alias = send_until_served(request).await.expect(200);
        let version = alias["FunctionVersion"].as_str();
        version.expect("a version").to_owned()
    }

    /// Makes the local cloud hand a function no more records of a stream, so that a test can do that instead. `name` is
    /// the one in its configuration.
    ///
    /// # Panics
    /// If the function reads no stream.
    pub async fn stop_reading(&self, name: &str) {
        let path = "/2015-03-31/event-source-mappings/";
        let request = self.signed(Method::GET, "lambda", path, &[], String::new());
        let answer = send_until_served(request).await.expect(200);
        let mappings = answer["EventSourceMappings"].as_array();
        let mut mappings = mappings.expect("mappings").iter();
        let is_it = |mapping: &&Value| {
            let function = mapping["FunctionArn"].as_str();
            // The mapping calls the function's alias.
            function.is_some_and(|function| function.ends_with(&format!(":{name}:live")))
        };
        let mapping = mappings.find(is_it).expect("a stream's reader");
        let id = mapping["UUID"].as_str().expect("an id");
        let path = format!("{path}{id}");
        let off = json!({"Enabled": false}).to_string();
        let request = self.signed(Method::PUT, "lambda", &path, &[], off);
        let answer = send_until_served(request).await;
        assert!(answer.status < 300, "{}", answer.text);
    }

    /// Invokes a function of the main stack, by its name in the template, and returns its response.
    ///
    /// # Panics
    /// If the function fails.
    pub async fn invoke(&self, function: &str, event: Value) -> Value {
        let answer = self.try_invoke(function, event).await;
        assert_eq!(answer.header("x-amz-function-error"), "", "{}", answer.text);
        answer.expect(200)
    }

    /// Invokes a function of the main stack that must fail.
    ///
    /// # Panics
    /// If the function doesn't fail.
    pub async fn invoke_in_vain(&self, function: &str, event: Value) {
        let answer = self.try_invoke(function, event).await;
        assert_ne!(answer.header("x-amz-function-error"), "", "{}", answer.text);
    }

    /// Invokes a function of the main stack, by its name in the template, and returns the answer of Lambda. If the
    /// function fails, the answer has the header `X-Amz-Function-Error`.
    pub async fn try_invoke(&self, function: &str, event: Value) -> Answer {
        let function = self.function(function).await;
        let name = function["FunctionName"].as_str().expect("a name");
        // There is no retry: a failed function may have had effects.
        send(self.invocation(name, &event)).await
    }

    /// Puts an object into a bucket.
    ///
    /// # Panics
    /// If the local cloud refuses it.
    pub async fn put_object(&self, bucket: &str, key: &str, body: String) {
        let path = format!("/{bucket}/{key}");
        let answer = send_until_served(self.signed(Method::PUT, "s3", &path, &[], body)).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
    }

    /// Returns all items of a table.
    pub async fn scan(&self, table: &str) -> Vec<Value> {
        let mut items = Vec::new();
        let mut request = json!({"TableName": table, "ConsistentRead": true});
        loop {
            let mut page = self
                .aws("dynamodb", "DynamoDB_20120810.Scan", request.clone())
                .await;
            items.append(page["Items"].as_array_mut().expect("items"));
            match page.get("LastEvaluatedKey") {
                Some(key) => request["ExclusiveStartKey"] = key.clone(),
                None => return items,
            }
        }
    }

    /// Returns an item of the tokens table; `null` if there is none.
    pub async fn item(&self, pk: &str, sk: &str) -> Value {
        let request = json!({
            "TableName": self.get("tokensTable"),
            "ConsistentRead": true,
            "Key": {"pk": {"S": pk}, "sk": {"S": sk}},
        });
        let answer = self
            .aws("dynamodb", "DynamoDB_20120810.GetItem", request)
            .await;
        answer["Item"].clone()
    }

    /// Returns all records in a table's stream.
    pub async fn stream(&self, table: &str) -> Vec<Value> {
        let call = async |operation: &str, body: Value| {
            let target = format!("DynamoDBStreams_20120810.{operation}");
            self.aws("dynamodb", &target, body).await
        };
        let mut records = Vec::new();
        let streams = call("ListStreams", json!({"TableName": table})).await;
        for stream in streams["Streams"].as_array().expect("streams") {
            let arn = &stream["StreamArn"];
            let description = call("DescribeStream", json!({"StreamArn": arn})).await;
            let shards = description["StreamDescription"]["Shards"].as_array();
            for shard in shards.expect("shards") {
                let start = json!({
                    "StreamArn": arn,
                    "ShardId": shard["ShardId"],
                    "ShardIteratorType": "TRIM_HORIZON",
                });
                let mut next = call("GetShardIterator", start).await["ShardIterator"].clone();
                // The shard is open, so an empty page is its end.
                loop {
                    let mut page = call("GetRecords", json!({"ShardIterator": next})).await;
                    let page_records = page["Records"].as_array_mut().expect("records");
                    if page_records.is_empty() {
                        break;
                    }
                    records.append(page_records);
                    next = page["NextShardIterator"].take();
                }
            }
        }
        records
    }

    /// Returns all lines of all log groups, each with its group's name.
    pub async fn logs(&self) -> Vec<(String, String)> {
        let call = async |operation: &str, body: Value| {
            let target = format!("Logs_20140328.{operation}");
            self.aws("logs", &target, body).await
        };
        let groups = call("DescribeLogGroups", json!({"limit": 50})).await;
        assert!(
            groups["nextToken"].is_null(),
            "more log groups than one page"
        );
        let mut lines = Vec::new();
        for group in groups["logGroups"].as_array().expect("log groups") {
            let name = group["logGroupName"].as_str().expect("a name");
            // One answer has this many lines at most, and the local cloud names no next page: longer logs come in parts.
            let mut spans = vec![(0_i64, MAX_TIME)];
            while let Some((from, to)) = spans.pop() {
                let span = json!({"logGroupName": name, "startTime": from, "endTime": to});
                let events = call("FilterLogEvents", span).await;
                let events = events["events"].as_array().expect("events");
                if events.len() >= MAX_LINES {
                    assert!(from < to, "{name} has too many lines in {from}");
                    let middle = from + (to - from) / 2;
                    spans.extend([(middle + 1, to), (from, middle)]);
                    continue;
                }
                for event in events {
                    let message = event["message"].as_str().unwrap_or_default();
                    lines.push((name.to_owned(), message.to_owned()));
                }
            }
        }
        lines
    }

    /// Returns everything that the stack stores: tables, their streams, logs, mails and queues.
    pub async fn traces(&self) -> String {
        let mut traces = json!([self.logs().await, self.mails().await, self.queues().await]);
        for table in ["tokensTable", "auditTable"].map(|table| self.get(table)) {
            let items = json!([self.scan(table).await, self.stream(table).await]);
            traces.as_array_mut().expect("an array").push(items);
        }
        traces.to_string()
    }

    /// Returns all sent mails, oldest first.
    pub async fn mails(&self) -> Vec<Value> {
        let messages = self.inspect("ses/messages").await;
        let accounts = messages["messages"].as_object().expect("messages");
        accounts
            .values()
            .flat_map(|mails| mails.as_array().expect("mails").clone())
            .collect()
    }

    /// Returns the request for SES's account, with the number of mails that were sent in the last 24 hours.
    pub fn mail_account(&self) -> RequestBuilder {
        self.signed(Method::GET, "ses", "/v2/email/account", &[], String::new())
    }

    /// Makes SES refuse all mails, or accept them again. In SES's sandbox, recipients must be verified.
    ///
    /// # Panics
    /// If the local cloud refuses the request.
    pub async fn refuse_mails(&self, refuse: bool) {
        let details = json!({
            "MailType": "TRANSACTIONAL",
            "WebsiteURL": "https://latchkey.example",
            "ProductionAccessEnabled": !refuse,
        });
        let headers = [("content-type", "application/json")];
        let path = "/v2/email/account/details";
        let request = self.signed(Method::POST, "ses", path, &headers, details.to_string());
        send_until_served(request).await.expect(200);
    }

    /// Returns all messages in all queues.
    pub async fn queues(&self) -> Value {
        self.inspect("sqs/messages").await
    }

    async fn inspect(&self, what: &str) -> Value {
        let url = format!("{}/_ministack/{what}", self.get("endpointUrl"));
        send_until_served(self.http.get(url)).await.expect(200)
    }

    pub(crate) fn signed(
        &self,
        method: Method,
        service: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Vec<u8>>,
    ) -> RequestBuilder {
        // The credentials of the local cloud's root.
        let root = Credentials::new("test", "test", None, None, "local cloud");
        self.signed_by(root, method, service, path, headers, body)
    }

    pub(crate) fn signed_by(
        &self,
        credentials: Credentials,
        method: Method,
        service: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Vec<u8>>,
    ) -> RequestBuilder {
        let body = body.into();
        let url = format!("{}{path}", self.get("endpointUrl"));
        let identity = credentials.into();
        #[expect(
            clippy::disallowed_methods,
            reason = "the ban is for the product; the signature's age is checked"
        )]
        let now = SystemTime::now();
        let mut settings = SigningSettings::default();
        if service == "s3" {
            settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
            settings.percent_encoding_mode = PercentEncodingMode::Single;
        }
        let parameters = v4::SigningParams::builder()
            .identity(&identity)
            .region(self.get("region"))
            .name(service)
            .time(now)
            .settings(settings)
            .build()
            .expect("parameters")
            .into();
        let signable = SignableRequest::new(
            method.as_str(),
            url.clone(),
            headers.iter().copied(),
            SignableBody::Bytes(&body),
        );
        let signature = sign(signable.expect("a request"), &parameters).expect("a signature");
        let mut request = self.http.request(method, url);
        for (name, value) in headers.iter().copied().chain(signature.output().headers()) {
            request = request.header(name, value);
        }
        request.body(body)
    }
}

/// Sends a request to an AWS API, and again after a server error, as the AWS SDKs do.
///
/// There are at most four attempts, with pauses of 50, 100 and 200 ms. Returns the last response, whatever its status.
pub(crate) async fn send_until_served(request: RequestBuilder) -> Answer {
    for pause in [50, 100, 200].map(Duration::from_millis) {
        let again = request.try_clone().expect("a body in memory");
        let answer = send(again).await;
        if answer.status < 500 {
            return answer;
        }
        tokio::time::sleep(pause).await;
    }
    send(request).await
}

#[cfg(test)]
mod tests {
    use reqwest::Client;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::send_until_served;

    /// Serves these statuses, one a connection. Returns the status that the client received, and the number of its
    /// requests.
    async fn ask(statuses: &[u16]) -> (u16, usize) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let mut asked = 0;
        let server = async {
            for status in statuses {
                let (mut connection, _) = listener.accept().await.expect("a connection");
                asked += 1;
                let mut request = [0; 4096];
                let length = connection.read(&mut request).await.expect("a request");
                assert_ne!(length, 0);
                let answer =
                    format!("HTTP/1.1 {status} \r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
                connection.write_all(answer.as_bytes()).await.expect("sent");
            }
            std::future::pending().await
        };
        let status = tokio::select! {
            answer = send_until_served(Client::new().get(format!("http://{address}"))) => answer.status,
            () = server => unreachable!("it serves for ever"),
        };
        (status, asked)
    }

    #[tokio::test]
    async fn a_server_that_fails_is_asked_again_a_bounded_number_of_times() {
        assert_eq!(ask(&[500, 503, 200, 200]).await, (200, 3));
        assert_eq!(ask(&[400, 200]).await, (400, 1));
        assert_eq!(ask(&[500, 502, 503, 504, 200]).await, (504, 4));
    }
}
