//! Accounts and their people, as the platform and the identity provider create them.

use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use crate::aws::send_until_served;
use crate::{Stack, eventually, send};

/// The password of all people.
pub const PASSWORD: &str = "End-To-End-Test-1";

/// A member of an account, signed in.
#[derive(Debug, Clone)]
pub struct Person {
    /// The user's id, `sub` in the tokens.
    pub id: String,
    /// The e-mail address, which is also the user name at sign-in.
    pub email: String,
    /// The display name.
    pub name: String,
    /// The access token.
    pub access: String,
    /// The ID token, which isn't meant for APIs.
    pub id_token: String,
}

/// An account for one test, with an owner, an administrator, a `manage` and a `monitor` member.
#[derive(Debug, Clone)]
pub struct Account {
    /// The stack of the account.
    pub stack: Stack,
    /// The account's id.
    pub id: String,
    /// The owner, with developer mode.
    pub owner: Person,
    /// The administrator, without developer mode.
    pub administrator: Person,
    /// A member who must not use any management route.
    pub manage: Person,
    /// A member who must not use any management route.
    pub monitor: Person,
    plan: &'static str,
}

impl Account {
    /// Creates an account with its people on a plan. Waits until Latchkey has it.
    pub async fn create(stack: &Stack, name: &str, plan: &'static str) -> Self {
        // The process's id keeps names unique if the tests run again on the same cloud.
        let id = format!("{name}-{}", std::process::id());
        let person = async |name: &str| Person::create(stack, &id, name).await;
        let account = Self {
            stack: stack.clone(),
            owner: person("owner").await,
            administrator: person("administrator").await,
            manage: person("manage").await,
            monitor: person("monitor").await,
            plan,
            id,
        };
        account.publish_profile("administrator").await;
        eventually("the account's projection", async || {
            let profile = account.get(&account.owner, "").send().await.ok()?;
            (profile.status() == 200).then_some(())
        })
        .await;
        account
    }

    /// Publishes the account's profile with the administrator in that role.
    pub async fn publish_profile(&self, administrator: &str) {
        let profile = self.profile(administrator);
        self.stack.publish("AccountUpserted", profile).await;
    }

    /// Delivers an old profile, with the administrator as administrator. Waits until it is processed.
    pub async fn deliver_late_profile(&self) {
        self.deliver_profile("2020-01-01T00:00:00Z", "administrator")
            .await;
    }

    /// Delivers a profile of that time, with the administrator in that role. Waits until it is processed, and returns
    /// the event.
    pub async fn deliver_profile(&self, time: &str, administrator: &str) -> Value {
        // The event bypasses the bus, because the local cloud's bus sets the time of every event.
        let event = json!({
            "version": "0",
            "id": format!("{}-of-{time}", self.id),
            "source": "platform",
            "detail-type": "AccountUpserted",
            "time": time,
            "detail": self.profile(administrator),
        });
        self.stack.invoke("SyncPlatform", event.clone()).await;
        event
    }

    fn profile(&self, administrator: &str) -> Value {
        let member = |person: &Person, role: &str, developer_mode: bool| {
            json!({
                "id": person.id,
                "email": person.email,
                "name": person.name,
                "role": role,
                "developerMode": developer_mode,
            })
        };
        json!({
            "id": self.id,
            "name": "End-to-end",
            "plan": self.plan,
            "apiManagement": false,
            "members": [
                member(&self.owner, "owner", true),
                member(&self.administrator, administrator, false),
                member(&self.manage, "manage", true),
                member(&self.monitor, "monitor", true),
            ],
        })
    }

    /// Adds a resource to the platform and to the example API's data. Waits until Latchkey has it.
    pub async fn add_resource(&self, kind: &str, id: &str, app: Option<&str>) {
        let mut resource = json!({"accountId": self.id, "type": kind, "id": id, "name": id});
        let mut item = json!({
            "pk": {"S": format!("ACCOUNT#{}", self.id)},
            "sk": {"S": format!("{kind}#{id}")},
            "id": {"S": id},
            "type": {"S": kind},
            "name": {"S": id},
        });
        if let Some(app) = app {
            resource["integrationId"] = json!(app);
            item["integrationId"] = json!({"S": app});
        }
        let tables = self
            .stack
            .aws("dynamodb", "DynamoDB_20120810.ListTables", json!({}));
        let tables = tables.await;
        let table = tables["TableNames"]
            .as_array()
            .and_then(|names| {
                let names = names.iter().filter_map(Value::as_str);
                names
                    .into_iter()
                    .find(|name| name.starts_with("protected-api-"))
            })
            .expect("the example API's table");
        let put = json!({"TableName": table, "Item": item});
        self.stack
            .aws("dynamodb", "DynamoDB_20120810.PutItem", put)
            .await;
        self.stack.publish("ResourceUpserted", resource).await;
        eventually("the resource's projection", async || {
            let sk = format!("{kind}#{id}");
            let item = self.stack.item(&format!("RESOURCE#{}", self.id), &sk).await;
            (!item.is_null()).then_some(())
        })
        .await;
    }

    /// Adds an Integration App to the platform. Waits until Latchkey has it.
    pub async fn add_integration(&self, id: &str, name: &str) {
        let integration = json!({"accountId": self.id, "id": id, "name": name});
        self.stack.publish("IntegrationUpserted", integration).await;
        eventually("the Integration App's projection", async || {
            let partition = format!("RESOURCE#{}", self.id);
            let sk = format!("INTEGRATION#{id}");
            let item = self.stack.item(&partition, &sk).await;
            (!item.is_null()).then_some(())
        })
        .await;
    }

    /// Returns a request to a route of the account, as the API tokens page sends it. `path` is the part after the
    /// account's id.
    pub fn request(&self, method: Method, person: &Person, path: &str) -> RequestBuilder {
        let path = format!("/v1/accounts/{}{path}", self.id);
        let request = self.stack.api(method, &path).bearer_auth(&person.access);
        request.header("sec-fetch-site", "same-origin")
    }

    /// Returns a `GET` request to a route of the account.
    pub fn get(&self, person: &Person, path: &str) -> RequestBuilder {
        self.request(Method::GET, person, path)
    }

    /// Returns a `POST` request without a body to a route of the account.
    pub fn post(&self, person: &Person, path: &str) -> RequestBuilder {
        self.request(Method::POST, person, path)
    }

    /// Creates a token as the owner. Returns its id and its secret.
    pub async fn create_token(&self, body: Value) -> (String, String) {
        let answer = send(self.post(&self.owner, "/tokens").json(&body)).await;
        let created = answer.expect(201);
        let text = |value: &Value| value.as_str().expect("a string").to_owned();
        (text(&created["token"]["id"]), text(&created["secret"]))
    }

    /// Returns the account's audit records, oldest first. `query` filters.
    pub async fn audit(&self, query: &str) -> Vec<Value> {
        let answer = send(self.get(&self.owner, &format!("/audit?{query}"))).await;
        let mut records = answer.expect(200)["records"].take();
        let mut records = std::mem::take(records.as_array_mut().expect("records"));
        records.reverse();
        records
    }

    /// Returns the mails to one of the account's people.
    pub async fn mails_to(&self, person: &Person) -> Vec<Value> {
        let mut mails = self.stack.mails().await;
        mails.retain(|mail| mail["To"] == json!([person.email]));
        mails
    }
}

impl Person {
    async fn create(stack: &Stack, account: &str, name: &str) -> Self {
        let email = format!("{name}@{account}.example");
        let pool = stack.get("userPoolId");
        let call = async |operation: &str, body: Value| {
            let target = format!("AWSCognitoIdentityProviderService.{operation}");
            stack.aws("cognito-idp", &target, body).await
        };
        let user = json!({
            "UserPoolId": pool,
            "Username": email,
            "MessageAction": "SUPPRESS",
            "UserAttributes": [{"Name": "email", "Value": email}],
        });
        let user = call("AdminCreateUser", user).await;
        let password = json!({
            "UserPoolId": pool,
            "Username": email,
            "Password": PASSWORD,
            "Permanent": true,
        });
        call("AdminSetUserPassword", password).await;
        let attributes = user["User"]["Attributes"].as_array().expect("attributes");
        let sub = attributes
            .iter()
            .find(|attribute| attribute["Name"] == "sub");
        let tokens = sign_in(stack, &email).await;
        let text = |value: &Value| value.as_str().expect("a string").to_owned();
        Self {
            id: text(&sub.expect("a sub")["Value"]),
            name: format!("{name} of {account}"),
            access: text(&tokens["AccessToken"]),
            id_token: text(&tokens["IdToken"]),
            email,
        }
    }
}

/// Signs in with user name and password, like the API tokens page but without it. Returns the tokens.
async fn sign_in(stack: &Stack, email: &str) -> Value {
    let request = json!({
        "AuthFlow": "USER_PASSWORD_AUTH",
        "ClientId": stack.get("clientId"),
        "AuthParameters": {"USERNAME": email, "PASSWORD": PASSWORD},
    });
    let request = stack
        .http
        .post(stack.get("endpointUrl"))
        .header(
            "x-amz-target",
            "AWSCognitoIdentityProviderService.InitiateAuth",
        )
        .header("content-type", "application/x-amz-json-1.1")
        .body(request.to_string());
    send_until_served(request).await.expect(200)["AuthenticationResult"].take()
}

impl Stack {
    /// Publishes an event like the platform.
    ///
    /// # Panics
    /// If the bus refuses it.
    pub async fn publish(&self, detail_type: &str, detail: Value) {
        let entry = json!({
            "EventBusName": self.get("eventBus"),
            "Source": "platform",
            "DetailType": detail_type,
            "Detail": detail.to_string(),
        });
        let answer = self.aws("events", "AWSEvents.PutEvents", json!({"Entries": [entry]}));
        assert_eq!(answer.await["FailedEntryCount"], 0);
    }
}
