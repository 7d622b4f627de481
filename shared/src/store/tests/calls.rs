//! The calls to DynamoDB that an operation needs.

use std::sync::{Arc, Mutex};

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::interceptors::BeforeTransmitInterceptorContextRef;
use aws_sdk_dynamodb::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_dynamodb::error::BoxError;

use serde_json::Value;

use crate::app::verify::{Client as Caller, Verified, verify};
use crate::domain::verification::Purpose;
use crate::ports::{GetResources, GetToken, InsertToken};
use crate::store::Store;
use crate::testing::{Engine, now, stored_token, system_at};

/// Notes every request with its operation, and asserts that its user agent is the fixed one.
#[derive(Debug, Clone, Default)]
pub(super) struct Calls(Arc<Mutex<Vec<(String, Value)>>>);

impl Calls {
    /// A store on the engine's tables that notes its calls.
    pub(super) fn noted(engine: &Engine) -> (Self, Store) {
        let calls = Self::default();
        let config = engine.store.client.config().to_builder();
        let config = config.interceptor(calls.clone()).build();
        let store = Store {
            client: Client::from_conf(config),
            // Off: the noted calls are those of the client.
            lean: crate::store::lean::Lean::default(),
            tables: engine.store.tables.clone(),
            budgets: engine.store.budgets,
            // Shares no memory with other stores.
            memory: crate::store::memory::Memory::default(),
        };
        (calls, store)
    }

    /// Takes the operations since the last call.
    pub(super) fn take(&self) -> Vec<String> {
        self.requests().into_iter().map(|(call, _)| call).collect()
    }

    /// Takes the operations and requests since the last call.
    fn requests(&self) -> Vec<(String, Value)> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

impl Intercept for Calls {
    fn name(&self) -> &'static str {
        "Calls"
    }

    fn read_before_transmit(
        &self,
        context: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let headers = context.request().headers();
        let name = concat!("latchkey/", env!("CARGO_PKG_VERSION"));
        assert_eq!(headers.get("user-agent"), Some(name));
        assert_eq!(headers.get("x-amz-user-agent"), None);
        let target = headers.get("x-amz-target");
        let (_, operation) = target.unwrap().split_once('.').unwrap();
        let body = serde_json::from_slice(context.request().body().bytes().unwrap());
        let call = (operation.to_owned(), body.unwrap());
        self.0.lock().unwrap().push(call);
        Ok(())
    }
}

#[expect(clippy::disallowed_methods, reason = "presents the secret")]
#[tokio::test]
async fn a_verification_on_the_steady_path_is_one_read_and_no_write() {
    use secrecy::ExposeSecret;
    let engine = Engine::with_accounts().await;
    engine
        .store
        .insert_token(&super::creation(&stored_token()))
        .await
        .unwrap();
    let (calls, store) = Calls::noted(&engine);
    let plain = crate::testing::plain_secret();
    let ask = || {
        let purpose = Purpose::of_http("GET", "/v1/exports/exp_orders");
        let caller = Caller {
            ip: [192, 0, 2, 1].into(),
            user_agent: None,
            request_id: "req-1",
        };
        let (store, text) = (store.clone(), plain.expose_secret().to_owned());
        async move { verify(&store, &system_at(now()), &text, purpose, caller).await }
    };
    assert!(matches!(ask().await.unwrap(), Verified::Granted { .. }));
    assert_eq!(calls.take(), ["BatchGetItem", "TransactWriteItems"]);
    // A sandbox without this use in its memory reads it, and then remembers it.
    assert!(matches!(ask().await.unwrap(), Verified::Granted { .. }));
    assert_eq!(calls.take(), ["BatchGetItem"]);
    for _ in 0..3 {
        assert!(matches!(ask().await.unwrap(), Verified::Granted { .. }));
        assert_eq!(calls.take(), ["GetItem"]);
    }
}

/// A change writes the last use that was read with the token. If it also ends the secret that had a newer one, nothing
/// else has that use any more.
#[tokio::test]
async fn what_a_change_is_based_on_is_never_out_of_date() {
    let engine = Engine::with_accounts().await;
    let stored = stored_token();
    let creation = super::creation(&stored);
    engine.store.insert_token(&creation).await.unwrap();
    let (calls, store) = Calls::noted(&engine);
    let (account, id) = (&stored.token.account_id, &stored.token.id);
    assert!(store.get_token(account, id, now()).await.unwrap().is_some());
    let [(first, token), (second, uses)] = calls.requests().try_into().unwrap();
    assert_eq!([first, second], ["GetItem", "BatchGetItem"]);
    assert_eq!(token["ConsistentRead"], true);
    assert_eq!(uses["RequestItems"]["Tokens"]["ConsistentRead"], true);
}

#[tokio::test]
async fn no_names_need_no_call_and_one_name_needs_no_batch() {
    let engine = Engine::with_accounts().await;
    let (calls, store) = Calls::noted(&engine);
    let account = crate::testing::acme().id;
    assert_eq!(store.get_resources(&account, &[]).await.unwrap(), []);
    assert!(calls.take().is_empty());
    let name = super::platform::name("export", "exp_orders");
    assert_eq!(
        store.get_resources(&account, &[name]).await.unwrap().len(),
        1
    );
    assert_eq!(calls.take(), ["GetItem"]);
}
