//! Everything that the local cloud stores, whatever the product has to do with it.

use std::time::SystemTime;

use jiff::Timestamp;
use reqwest::Method;
use serde_json::{Value, json};

use crate::Stack;
use crate::aws::send_until_served;

impl Stack {
    async fn dynamodb(&self, operation: &str, body: Value) -> Value {
        let target = format!("DynamoDB_20120810.{operation}");
        self.aws("dynamodb", &target, body).await
    }

    /// Returns the names of all tables.
    ///
    /// # Panics
    /// If there are more than a page of them.
    pub async fn tables(&self) -> Vec<String> {
        let page = self.dynamodb("ListTables", json!({})).await;
        assert!(page["LastEvaluatedTableName"].is_null());
        strings(&page["TableNames"])
    }

    /// Returns all items of a table's indexes, by the indexes' names.
    pub async fn index_items(&self, table: &str) -> Vec<(String, Vec<Value>)> {
        let table_description = self
            .dynamodb("DescribeTable", json!({"TableName": table}))
            .await;
        let indexes = &table_description["Table"]["GlobalSecondaryIndexes"];
        let mut found = Vec::new();
        for index in indexes.as_array().into_iter().flatten() {
            let name = text(&index["IndexName"]);
            let mut items = Vec::new();
            let mut scan = json!({"TableName": table, "IndexName": name});
            loop {
                let mut page = self.dynamodb("Scan", scan.clone()).await;
                items.append(page["Items"].as_array_mut().expect("items"));
                match page.get("LastEvaluatedKey") {
                    Some(key) => scan["ExclusiveStartKey"] = key.clone(),
                    None => break,
                }
            }
            found.push((name, items));
        }
        found
    }

    /// Puts an item into a table.
    pub async fn put_item(&self, table: &str, item: Value) {
        self.dynamodb("PutItem", json!({"TableName": table, "Item": item}))
            .await;
    }

    /// Deletes an item of a table.
    pub async fn delete_item(&self, table: &str, pk: &str, sk: &str) {
        let key = json!({"pk": {"S": pk}, "sk": {"S": sk}});
        self.dynamodb("DeleteItem", json!({"TableName": table, "Key": key}))
            .await;
    }

    /// Calls S3. Returns the status and the body.
    pub async fn s3(&self, method: Method, path: &str, body: Vec<u8>) -> (u16, Vec<u8>) {
        let answer = self.signed(method, "s3", path, &[], body).send().await;
        let answer = answer.expect("an answer");
        let status = answer.status().as_u16();
        (status, answer.bytes().await.expect("a body").to_vec())
    }

    /// Returns the objects in all buckets that were written at that time or later, by their paths.
    ///
    /// # Panics
    /// If a bucket has more than a page of objects.
    pub async fn objects(&self, since: SystemTime) -> Vec<(String, Vec<u8>)> {
        let list = async |path: &str| {
            let (status, body) = self.s3(Method::GET, path, vec![]).await;
            assert_eq!(status, 200, "{path}");
            String::from_utf8(body).expect("XML")
        };
        let since = Timestamp::try_from(since).expect("a time").to_string();
        let mut objects = Vec::new();
        for bucket in elements(&list("/").await, "Name") {
            let page = list(&format!("/{bucket}?list-type=2")).await;
            assert!(page.contains("<IsTruncated>false"), "{bucket}: {page}");
            for entry in elements(&page, "Contents") {
                let [key, modified] = ["Key", "LastModified"].map(|name| elements(entry, name)[0]);
                // To the second.
                if modified.get(..19) < since.get(..19) {
                    continue;
                }
                let path = format!("/{bucket}/{key}");
                let (status, body) = self.s3(Method::GET, &path, vec![]).await;
                assert_eq!(status, 200, "{path}");
                objects.push((path, body));
            }
        }
        objects
    }

    /// Calls an operation of the logs service.
    pub async fn logs_call(&self, operation: &str, body: Value) -> Value {
        let target = format!("Logs_20140328.{operation}");
        self.aws("logs", &target, body).await
    }

    /// Calls an operation of the queues' service.
    pub async fn queues_call(&self, operation: &str, body: Value) -> Value {
        let target = format!("AmazonSQS.{operation}");
        self.aws("sqs", &target, body).await
    }

    /// Sends a mail, as a function does.
    pub async fn send_mail(&self, from: &str, to: &str, subject: &str, text: &str, html: &str) {
        let mail = json!({
            "FromEmailAddress": from,
            "Destination": {"ToAddresses": [to]},
            "Content": {"Simple": {
                "Subject": {"Data": subject},
                "Body": {"Text": {"Data": text}, "Html": {"Data": html}},
            }},
        });
        let headers = [("content-type", "application/json")];
        let path = "/v2/email/outbound-emails";
        let request = self.signed(Method::POST, "ses", path, &headers, mail.to_string());
        send_until_served(request).await.expect(200);
    }
}

fn text(value: &Value) -> String {
    value.as_str().expect("a string").to_owned()
}

fn strings(list: &Value) -> Vec<String> {
    let list = list.as_array().expect("a list");
    list.iter().map(text).collect()
}

/// The contents of all elements of that name.
fn elements<'a>(xml: &'a str, name: &str) -> Vec<&'a str> {
    let (begin, end) = (format!("<{name}>"), format!("</{name}>"));
    let rest = xml.split(begin.as_str()).skip(1);
    rest.filter_map(|rest| Some(rest.split_once(end.as_str())?.0))
        .collect()
}
